//! Where a page ended: the last row's place in the order.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use projections::table::{Column, ColumnKind, Table};
use serde::{Deserialize, Serialize};

use super::filter::Order;
use super::value::Value;
use crate::problem::Problem;

/// Length of a cursor; the longest text column that can be ordered by fits.
const CURSOR_BYTES_MAX: usize = 8_192;

/// The values of the last row in the columns of the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor(pub Vec<Value>);

#[derive(Serialize, Deserialize)]
struct Written {
    order: String,
    at: Vec<String>,
}

/// The columns that an order compares: the one that is asked for, then the row's place in the book, so that what
/// happened at one time comes in the order in which it happened. Without a column it is the key alone.
#[must_use]
pub fn compared(table: &'static Table, order: Order) -> Vec<&'static Column> {
    match order.column.and_then(|name| table.column(name)) {
        Some(first) => std::iter::once(first).chain(table.place()).collect(),
        None => table.key.iter().filter_map(|name| table.column(name)).collect(),
    }
}

impl Cursor {
    /// The place in this order, whose columns have these kinds.
    ///
    /// # Errors
    /// 400 when this is no cursor of this order.
    pub fn parse(order: &str, kinds: &[ColumnKind], text: &str) -> Result<Self, Problem> {
        let bad = || {
            Problem::bad_value(
                "after",
                "after must be the `next` of a page of the same table and order; leave it out to start over, also \
                 after an upgrade, which may order rows by more columns",
            )
        };
        if text.len() > CURSOR_BYTES_MAX {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let written: Written = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if written.order != order || written.at.len() != kinds.len() {
            return Err(bad());
        }
        let values = kinds.iter().zip(&written.at);
        let values: Option<_> = values.map(|(kind, text)| Value::of_kind(*kind, text)).collect();
        values.map(Self).ok_or_else(bad)
    }

    /// The cursor of a row, from the texts of its compared columns.
    #[must_use]
    pub fn write(order: &str, at: Vec<String>) -> String {
        let written = Written {
            order: order.to_owned(),
            at,
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
    }
}
