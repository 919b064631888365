//! Rows: one plain struct per read table, declared with its table by `row!`.

use std::fmt::Debug;

use serde_json::{Map, Value};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use uuid::Uuid;

use crate::cell::{Cell, Json, Key};
use crate::copy;
use crate::table::{self, Column, Table, Words};

/// One row of one table. Implemented by `row!` and by nothing else.
pub trait Row: Clone + PartialEq + Debug + Send + Sync + 'static {
    const TABLE: &'static Table;
    type Key: Key;

    fn tenant_id(&self) -> Uuid;

    fn key(&self) -> Self::Key;

    /// Adds one array argument per written column of the table, in the table's order.
    ///
    /// # Errors
    /// When a value cannot be written in Postgres' form.
    fn bind(rows: &[&Self], arguments: &mut PgArguments) -> Result<(), BoxDynError>;

    /// Adds the row's written columns, in the table's order.
    ///
    /// # Errors
    /// When a value cannot be written in Postgres' form.
    fn copy(&self, out: &mut copy::Buffer) -> Result<(), BoxDynError>;

    /// The row of a result whose columns are the table's written ones, in order.
    ///
    /// # Errors
    /// When the result has other columns or a value that the field cannot hold.
    fn read(row: &PgRow) -> sqlx::Result<Self>;

    /// The canonical form: what clients may see, by column; equal rows give equal values.
    fn json(&self) -> Map<String, Value>;

    /// The row as an audit table may tell it.
    fn image(&self) -> Json;

    /// What an audit table may tell of the way to `after`: the columns that differ, as they were and as
    /// they are; `None` when there are none.
    fn difference(&self, after: &Self) -> Option<(Json, Json)>;
}

/// Declares a read table: the struct of its row and, from the same lines, its [`Table`].
///
/// Doc comments become the descriptions in OpenAPI. Every row also has a hidden `tenant_id`. The
/// sections stand in this order: `key`, `columns`, `generated` (computed by Postgres from the row;
/// the closure computes the same), `find`, `scope`, `masked`, where events have sealed fields `personal`, where they
/// have texts `texts`, and where one event can bring in several rows `lines`, which names the column of their order.
///
/// A column whose name is a word of Rust is written as one: `r#type`.
///
/// Every row also says its `position`: that of the event that brought it in, for as long as it is there.
///
/// The crate that declares one depends on `serde_json`, `sqlx` and `uuid`.
#[macro_export]
macro_rules! row {
    (
        $(#[doc = $doc:literal])+
        $row:ident = $context:ident.$name:ident
        key { $($(#[doc = $key_doc:literal])* $key:ident: $key_type:ty,)+ }
        columns { $($(#[doc = $column_doc:literal])* $column:ident: $type:ty,)* }
        generated { $($(#[doc = $made_doc:literal])* $made:ident: $made_type:ty = $make:expr,)* }
        find { $($find:ident),* $(,)? }
        scope { $scope:expr }
        masked { $($masked:ident),* $(,)? }
        $(personal { $($personal:ident),* $(,)? })?
        $(texts { $($text:ident),* $(,)? })?
        $(lines { $(#[doc = $place_doc:literal])+ $place:ident $(,)? })?
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $row {
            /// The tenant whose row it is.
            pub tenant_id: uuid::Uuid,
            $($(#[doc = $key_doc])* pub $key: $key_type,)+
            $($(#[doc = $column_doc])* pub $column: $type,)*
            /// The place in the book of the event that brought the row in.
            pub position: i64,
            $($(#[doc = $place_doc])+ pub $place: i32,)?
        }

        impl $crate::row::Row for $row {
            const TABLE: &'static $crate::table::Table = &$crate::table::Table {
                context: stringify!($context),
                name: stringify!($name),
                doc: concat!($($doc),+).trim_ascii_start(),
                key: &[$(stringify!($key)),+],
                columns: &[
                    $crate::row::TENANT,
                    $($crate::row::column::<$key_type>(stringify!($key), concat!($($key_doc),*)),)+
                    $($crate::row::column::<$type>(stringify!($column), concat!($($column_doc),*)),)*
                    $crate::row::POSITION,
                    $($crate::row::column::<i32>(stringify!($place), concat!($($place_doc),+)),)?
                    $($crate::row::generated::<$made_type>(stringify!($made), concat!($($made_doc),*)),)*
                ],
                find: &[$(stringify!($find)),*],
                scope: $scope,
                masked: &[$(stringify!($masked)),*],
                personal: &[$($(stringify!($personal)),*)?],
                texts: &[$($(stringify!($text)),*)?],
                stream: None,
                is_lines: false $(|| !stringify!($place).is_empty())?,
            };

            #[allow(unused_parens, reason = "a key of one column is no tuple")]
            type Key = ($($key_type),+);

            fn tenant_id(&self) -> uuid::Uuid {
                self.tenant_id
            }
            #[allow(unused_parens, reason = "a key of one column is no tuple")]
            fn key(&self) -> Self::Key {
                ($(self.$key.clone()),+)
            }
            fn bind(rows: &[&Self], arguments: &mut sqlx::postgres::PgArguments) -> Result<(), sqlx::error::BoxDynError> {
                $crate::cell::Cell::bind(rows.iter().map(|row| Some(&row.tenant_id)), arguments)?;
                $($crate::cell::Cell::bind(rows.iter().map(|row| Some(&row.$key)), arguments)?;)+
                $($crate::cell::Cell::bind(rows.iter().map(|row| Some(&row.$column)), arguments)?;)*
                $crate::cell::Cell::bind(rows.iter().map(|row| Some(&row.position)), arguments)?;
                $($crate::cell::Cell::bind(rows.iter().map(|row| Some(&row.$place)), arguments)?;)?
                Ok(())
            }
            fn copy(&self, out: &mut $crate::copy::Buffer) -> Result<(), sqlx::error::BoxDynError> {
                out.row(Self::TABLE.written().count());
                out.cell(&self.tenant_id)?;
                $(out.cell(&self.$key)?;)+
                $(out.cell(&self.$column)?;)*
                out.cell(&self.position)?;
                $(out.cell(&self.$place)?;)?
                Ok(())
            }
            fn read(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                // Fields are evaluated in the order they are written in, which is the table's.
                let mut index = 0..;
                let mut next = || index.next().unwrap_or_default();
                Ok(Self {
                    tenant_id: $crate::cell::Cell::read(row, next())?,
                    $($key: $crate::cell::Cell::read(row, next())?,)+
                    $($column: $crate::cell::Cell::read(row, next())?,)*
                    position: $crate::cell::Cell::read(row, next())?,
                    $($place: $crate::cell::Cell::read(row, next())?,)?
                })
            }
            fn json(&self) -> serde_json::Map<String, serde_json::Value> {
                let mut json = serde_json::Map::new();
                $(json.insert(stringify!($key).to_owned(), $crate::cell::Cell::json(&self.$key));)+
                $(json.insert($crate::row::plain(stringify!($column)).to_owned(), $crate::cell::Cell::json(&self.$column));)*
                json.insert($crate::table::POSITION.to_owned(), $crate::cell::Cell::json(&self.position));
                $(json.insert(stringify!($place).to_owned(), $crate::cell::Cell::json(&self.$place));)?
                $({
                    let make: fn(&$row) -> $made_type = $make;
                    json.insert(stringify!($made).to_owned(), $crate::cell::Cell::json(&make(self)));
                })*
                json
            }
            // Where a row stands in the book is no value of it, and an audit table has its own.
            fn image(&self) -> $crate::cell::Json {
                let mut image = $crate::image::Whole::of(Self::TABLE);
                $(image.add(stringify!($key), &self.$key);)+
                $(image.add($crate::row::plain(stringify!($column)), &self.$column);)*
                $({
                    let make: fn(&$row) -> $made_type = $make;
                    image.add(stringify!($made), &make(self));
                })*
                image.end()
            }
            fn difference(&self, after: &Self) -> Option<($crate::cell::Json, $crate::cell::Json)> {
                let mut difference = $crate::image::Difference::of(Self::TABLE);
                $(difference.add($crate::row::plain(stringify!($column)), &self.$column, &after.$column);)*
                $({
                    let make: fn(&$row) -> $made_type = $make;
                    difference.add(stringify!($made), &make(self), &make(after));
                })*
                difference.end()
            }
        }
    };
}

/// The hidden column of every table.
pub const TENANT: Column = Column {
    hidden: true,
    ..column::<Uuid>("tenant_id", " The tenant whose row it is.")
};

/// The place of every row in the book.
pub const POSITION: Column = column::<i64>(
    table::POSITION,
    " The place in the book of the event that brought the row in.",
);

/// The name of a column as SQL has it, whose field may be written otherwise: `type` of `r#type`.
#[must_use]
pub const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// A column that folds write. The doc comes as the compiler gives it, with a leading space.
#[must_use]
pub const fn column<C: Cell>(name: &'static str, doc: &'static str) -> Column {
    let doc = doc.trim_ascii_start();
    Column {
        name: plain(name),
        kind: C::KIND,
        nullable: C::NULLABLE,
        generated: false,
        hidden: false,
        doc,
        words: Words::Of(C::words),
    }
}

/// A column that Postgres computes.
#[must_use]
pub const fn generated<C: Cell>(name: &'static str, doc: &'static str) -> Column {
    Column {
        generated: true,
        ..column::<C>(name, doc)
    }
}
