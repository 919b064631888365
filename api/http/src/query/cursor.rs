//! Where a page ended: the last row's place in the order.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use projections::table::ColumnKind;
use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::problem::Problem;

/// Length of a cursor; the longest text columns that can be ordered by fit.
const CURSOR_BYTES_MAX: usize = 8_192;

/// The values of the last row in the columns of the order; null has a place among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor(pub Vec<Option<Value>>);

#[derive(Serialize, Deserialize)]
struct Written {
    order: String,
    at: Vec<Option<String>>,
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
        let value = |(kind, text): (&ColumnKind, &Option<String>)| match text {
            Some(text) => Value::of_kind(*kind, text).map(Some),
            None => Some(None),
        };
        let values: Option<_> = kinds.iter().zip(&written.at).map(value).collect();
        values.map(Self).ok_or_else(bad)
    }

    /// The cursor of a row, from the texts of its compared columns.
    #[must_use]
    pub fn write(order: &str, at: Vec<Option<String>>) -> String {
        let written = Written {
            order: order.to_owned(),
            at,
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
    }
}
