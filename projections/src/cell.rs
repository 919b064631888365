//! Cells: the Rust types that one column can hold, and keys made of them.

mod inet;
pub mod json;
mod listed;
mod others;
mod sent;
mod vector;
mod word;

use std::fmt::{Debug, Display, Write as _};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow};
use sqlx::{Arguments as _, Postgres, Row as _};
use uuid::Uuid;

pub use json::Json;
pub use listed::{List, Listed};
pub use vector::Vector;
pub use word::Word;

use crate::table::ColumnKind;

/// A Rust type stored in one Postgres column.
pub trait Cell: Sized + PartialEq {
    const KIND: ColumnKind;
    const NULLABLE: bool = false;

    /// The words that the column holds, where there are only a few; none where it may hold others.
    #[must_use]
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Adds one array argument with these cells.
    ///
    /// # Errors
    /// When a value cannot be written in Postgres' form.
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError>
    where
        Self: 'a;

    /// Appends the cell in Postgres' binary form.
    ///
    /// # Errors
    /// When the value cannot be written in Postgres' form.
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError>;

    /// The cell at an index of a row; `None` for null.
    ///
    /// # Errors
    /// When the column is missing or holds something else.
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>>;

    /// As [`Cell::find`], for a column that is not null.
    ///
    /// # Errors
    /// As [`Cell::find`], and for null.
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        Self::find(row, index)?.ok_or_else(|| decode_error(index, "null in a column that is not null".into()))
    }

    /// The canonical form: equal cells give equal values, loaded or folded.
    fn json(&self) -> Value;

    /// Appends the canonical form as JSON text.
    fn write(&self, out: &mut String) {
        out.push_str(&self.json().to_string());
    }

    /// Whether Postgres holds both as one value.
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Names the column that could not be read.
#[must_use]
pub fn decode_error(index: usize, source: BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: index.to_string(),
        source,
    }
}

macro_rules! cells {
    ($($cell:ty = $kind:ident, $json:expr, $write:expr $(, $same:expr)?;)+) => {$(
        impl Cell for $cell {
            const KIND: ColumnKind = ColumnKind::$kind;
            fn bind<'a>(
                cells: impl Iterator<Item = Option<&'a Self>>,
                arguments: &mut PgArguments,
            ) -> Result<(), BoxDynError> {
                arguments.add(cells.map(|cell| cell.copied()).collect::<Vec<Option<$cell>>>())
            }
            fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                sqlx::Encode::<Postgres>::encode_by_ref(self, out)
            }
            fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
                row.try_get(index)
            }
            fn json(&self) -> Value {
                let json: fn(&$cell) -> Value = $json;
                json(self)
            }
            fn write(&self, out: &mut String) {
                let write: fn(&$cell, &mut String) = $write;
                write(self, out)
            }
            $(fn same(&self, other: &Self) -> bool {
                let same: fn(&$cell, &$cell) -> bool = $same;
                same(self, other)
            })?
        }
    )+};
}

cells! {
    Uuid = Uuid, |id| Value::String(id.to_string()), |id, out| {
        json::quote(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()), out);
    };
    i32 = Integer, |number| (*number).into(), |number, out| plain(number, out);
    i64 = Bigint, |number| (*number).into(), |number, out| plain(number, out);
    bool = Boolean, |flag| (*flag).into(), |flag, out| plain(flag, out);
    Decimal = Decimal, |amount| Value::String(canonical(*amount).to_string()), |amount, out| {
        json::quote(&canonical(*amount).to_string(), out);
    };
    DateTime<Utc> = Timestamp, |time| Value::String(micros(time)), |time, out| json::quote(&micros(time), out),
        |one, other| one.timestamp_micros() == other.timestamp_micros();
    NaiveDate = Date, |date| Value::String(date.to_string()), |date, out| json::quote(&date.to_string(), out);
}

/// As JSON writes numbers and flags.
fn plain(cell: &impl Display, out: &mut String) {
    // Writing to a String does not fail.
    let _ = write!(out, "{cell}");
}

/// As exactly as Postgres keeps times.
fn micros(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Without trailing zeros, but with two decimals at least: 12.5 and 12.500 are both 12.50.
fn canonical(amount: Decimal) -> Decimal {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount
}

impl Cell for String {
    const KIND: ColumnKind = ColumnKind::Text;
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(
            cells
                .map(|cell| cell.map(String::as_str))
                .collect::<Vec<Option<&str>>>(),
        )
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        sqlx::Encode::<Postgres>::encode_by_ref(self, out)
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        row.try_get(index)
    }
    fn json(&self) -> Value {
        Value::String(self.clone())
    }
    fn write(&self, out: &mut String) {
        json::quote(self, out);
    }
}

impl Cell for Value {
    const KIND: ColumnKind = ColumnKind::Json;
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(
            cells
                .map(|cell| cell.map(Value::to_string))
                .collect::<Vec<Option<String>>>(),
        )
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.push(json::JSONB_VERSION);
        out.extend_from_slice(self.to_string().as_bytes());
        Ok(IsNull::No)
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        row.try_get(index)
    }
    fn json(&self) -> Value {
        self.clone()
    }
    fn same(&self, other: &Self) -> bool {
        json::same(self, other)
    }
}

impl Cell for Map<String, Value> {
    const KIND: ColumnKind = ColumnKind::Json;
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        let objects: Vec<Option<Value>> = cells.map(|cell| cell.cloned().map(Value::Object)).collect();
        Value::bind(objects.iter().map(Option::as_ref), arguments)
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Cell::encode(&Value::Object(self.clone()), out)
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        match row.try_get(index)? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(decode_error(index, "JSON that is no object".into())),
        }
    }
    fn json(&self) -> Value {
        Value::Object(self.clone())
    }
    fn same(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key).is_some_and(|other| json::same(value, other)))
    }
}

impl<C: Cell> Cell for Option<C> {
    const KIND: ColumnKind = C::KIND;
    const NULLABLE: bool = true;
    fn words() -> Vec<&'static str> {
        C::words()
    }
    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError>
    where
        C: 'a,
    {
        C::bind(cells.map(|cell| cell.and_then(Option::as_ref)), arguments)
    }
    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.as_ref().map_or(Ok(IsNull::Yes), |cell| cell.encode(out))
    }
    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        C::find(row, index).map(Some)
    }
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, C::json)
    }
    fn write(&self, out: &mut String) {
        match self {
            Some(cell) => cell.write(out),
            None => out.push_str("null"),
        }
    }
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => one.same(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The primary key of a row: one cell, or up to three.
pub trait Key: Ord + Clone + Debug + Send + Sync + 'static {
    /// Adds one array argument per column of the key.
    ///
    /// # Errors
    /// As [`Cell::bind`].
    fn bind(keys: &[&Self], arguments: &mut PgArguments) -> Result<(), BoxDynError>;

    /// As it stands in a URL; several columns are parted by slashes.
    fn text(&self) -> String;

    /// The key that [`Key::text`] wrote; `None` when it is none.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! keys {
    ($($cell:ty),+) => {$(
        impl Key for $cell {
            fn bind(keys: &[&Self], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
                <$cell as Cell>::bind(keys.iter().map(|key| Some(*key)), arguments)
            }
            fn text(&self) -> String {
                self.to_string()
            }
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}
keys!(Uuid, i32, i64, NaiveDate, String);

macro_rules! composite_keys {
    ($($cell:ident . $at:tt),+; $last:ident . $last_at:tt) => {
        impl<$($cell: Key + Cell,)+ $last: Key + Cell> Key for ($($cell,)+ $last) {
            fn bind(keys: &[&Self], arguments: &mut PgArguments) -> Result<(), BoxDynError> {
                $(<$cell as Cell>::bind(keys.iter().map(|key| Some(&key.$at)), arguments)?;)+
                <$last as Cell>::bind(keys.iter().map(|key| Some(&key.$last_at)), arguments)
            }
            fn text(&self) -> String {
                [$(self.$at.text(),)+ self.$last_at.text()].join("/")
            }
            fn parse(text: &str) -> Option<Self> {
                let mut parts = text.splitn($last_at + 1, '/');
                Some(($(<$cell as Key>::parse(parts.next()?)?,)+ <$last as Key>::parse(parts.next()?)?))
            }
        }
    };
}
composite_keys!(A.0; B.1);
composite_keys!(A.0, B.1; C.2);
