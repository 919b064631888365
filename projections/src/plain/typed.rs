//! The cells of plain rows as the types that columns are written and read by.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use domain::bytes::Bytes;
use domain::entry::Value as Plain;
use domain::interval::Interval;
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use uuid::Uuid;

use crate::cell::{Cell, Vector};
use crate::copy;
use crate::table::ColumnKind;

/// Does something with a cell under its own type, and something else with none.
macro_rules! typed {
    ($kind:expr, $value:expr, none: $none:expr, |$cell:ident| $body:expr) => {
        match $value {
            Plain::Null => $none,
            Plain::Uuid($cell) => $body,
            Plain::Text($cell) => $body,
            Plain::Whole(number) if $kind == ColumnKind::Integer => {
                let $cell = &i32::try_from(*number).unwrap_or_default();
                $body
            }
            Plain::Whole($cell) => $body,
            Plain::Flag($cell) => $body,
            Plain::Amount($cell) => $body,
            Plain::Moment($cell) => $body,
            Plain::Date($cell) => $body,
            Plain::Time($cell) => $body,
            Plain::Interval($cell) => $body,
            Plain::Json($cell) => $body,
            Plain::Bytes($cell) => $body,
            Plain::Texts($cell) => $body,
            Plain::Vector(numbers) => {
                let $cell = &Vector(numbers.clone());
                $body
            }
        }
    };
}

pub fn copy(kind: ColumnKind, value: &Plain, out: &mut copy::Buffer) -> Result<(), BoxDynError> {
    typed!(kind, value, none: out.cell(&None::<Uuid>), |cell| out.cell(cell))
}

pub fn json(kind: ColumnKind, value: &Plain) -> Value {
    typed!(kind, value, none: Value::Null, |cell| Cell::json(cell))
}

pub fn write(kind: ColumnKind, value: &Plain, out: &mut String) {
    typed!(kind, value, none: out.push_str("null"), |cell| Cell::write(cell, out));
}

/// Whether Postgres holds both as one value.
pub fn same(kind: ColumnKind, one: &Plain, other: &Plain) -> bool {
    match (one, other) {
        (Plain::Json(one), Plain::Json(other)) => Cell::same(one, other),
        (Plain::Moment(one), Plain::Moment(other)) => Cell::same(one, other),
        (Plain::Time(one), Plain::Time(other)) => Cell::same(one, other),
        (Plain::Amount(one), Plain::Amount(other)) => Cell::same(one, other),
        (one, other) => one == other || (json(kind, one) == json(kind, other)),
    }
}

pub fn bind<'a>(
    kind: ColumnKind,
    values: impl Iterator<Item = Option<&'a Plain>>,
    arguments: &mut PgArguments,
) -> Result<(), BoxDynError> {
    macro_rules! column {
        ($cell:ty, $($value:pat => $typed:expr),+) => {{
            let cells = values.map(|value| match value {
                $(Some($value) => Ok(Some($typed)),)+
                Some(_) | None => Ok::<_, BoxDynError>(None),
            });
            let cells: Vec<Option<$cell>> = cells.collect::<Result<_, _>>()?;
            <$cell as Cell>::bind(cells.iter().map(Option::as_ref), arguments)
        }};
    }
    match kind {
        ColumnKind::Uuid => column!(Uuid, Plain::Uuid(id) => *id),
        ColumnKind::Text | ColumnKind::Inet => column!(String, Plain::Text(text) => text.clone()),
        ColumnKind::Integer => column!(i32, Plain::Whole(number) => i32::try_from(*number)?),
        ColumnKind::Bigint => column!(i64, Plain::Whole(number) => *number),
        ColumnKind::Boolean => column!(bool, Plain::Flag(flag) => *flag),
        ColumnKind::Decimal => column!(Decimal, Plain::Amount(amount) => *amount),
        ColumnKind::Timestamp => column!(DateTime<Utc>, Plain::Moment(moment) => *moment),
        ColumnKind::Date => column!(NaiveDate, Plain::Date(date) => *date),
        ColumnKind::Time => column!(NaiveTime, Plain::Time(time) => *time),
        ColumnKind::Interval => column!(Interval, Plain::Interval(interval) => *interval),
        ColumnKind::Json => column!(Value, Plain::Json(json) => json.clone()),
        ColumnKind::Bytea => column!(Bytes, Plain::Bytes(bytes) => bytes.clone()),
        ColumnKind::Texts => column!(Vec<String>, Plain::Texts(texts) => texts.clone()),
        ColumnKind::Vector => column!(Vector, Plain::Vector(numbers) => Vector(numbers.clone())),
    }
}

pub fn read(kind: ColumnKind, row: &PgRow, at: usize) -> sqlx::Result<Plain> {
    macro_rules! column {
        ($cell:ty, $typed:expr) => {
            <$cell as Cell>::find(row, at)?.map_or(Plain::Null, $typed)
        };
    }
    Ok(match kind {
        ColumnKind::Uuid => column!(Uuid, Plain::Uuid),
        ColumnKind::Text | ColumnKind::Inet => column!(String, Plain::Text),
        ColumnKind::Integer => column!(i32, |number| Plain::Whole(number.into())),
        ColumnKind::Bigint => column!(i64, Plain::Whole),
        ColumnKind::Boolean => column!(bool, Plain::Flag),
        ColumnKind::Decimal => column!(Decimal, Plain::Amount),
        ColumnKind::Timestamp => column!(DateTime<Utc>, Plain::Moment),
        ColumnKind::Date => column!(NaiveDate, Plain::Date),
        ColumnKind::Time => column!(NaiveTime, Plain::Time),
        ColumnKind::Interval => column!(Interval, Plain::Interval),
        ColumnKind::Json => column!(Value, Plain::Json),
        ColumnKind::Bytea => column!(Bytes, Plain::Bytes),
        ColumnKind::Texts => column!(Vec<String>, Plain::Texts),
        ColumnKind::Vector => column!(Vector, |Vector(numbers)| Plain::Vector(numbers)),
    })
}
