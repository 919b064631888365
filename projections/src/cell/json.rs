//! The cell of JSON that is written as text at once, where a tree of it would be made for nothing.

use domain::exact;
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgValueFormat};
use sqlx::{Arguments as _, Row as _, ValueRef as _};

use super::{Cell, decode_error};
use crate::table::ColumnKind;

/// The one version of jsonb's binary form; the text follows it.
pub(super) const JSONB_VERSION: u8 = 1;

/// JSON as text. Whoever makes one vouches that it is JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(pub(crate) String);

impl Cell for Json {
    const KIND: ColumnKind = ColumnKind::Json;

    fn bind<'a>(cells: impl Iterator<Item = Option<&'a Self>>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        arguments.add(
            cells
                .map(|cell| cell.map(|json| json.0.as_str()))
                .collect::<Vec<Option<&str>>>(),
        )
    }

    fn encode(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.push(JSONB_VERSION);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn find(row: &PgRow, index: usize) -> sqlx::Result<Option<Self>> {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(None);
        }
        let text = match value.format() {
            PgValueFormat::Binary => value.as_bytes().and_then(|bytes| match bytes {
                [JSONB_VERSION, text @ ..] => Ok(str::from_utf8(text)?),
                _ => Err("jsonb of another version".into()),
            }),
            PgValueFormat::Text => value.as_str(),
        };
        let text = text.map_err(|error| decode_error(index, error))?;
        Ok(Some(Self(text.to_owned())))
    }

    fn json(&self) -> Value {
        exact::from_str(&self.0).unwrap_or_default()
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

/// Writes a text as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&Value::from(text).to_string());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// Whether two values are one to Postgres, which keeps no difference between 1e19 and its digits.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quoting_is_that_of_json() {
        for text in ["", "plain", "ü €", "a \"b\" \\ c", "line\nline\u{1}", "\u{7f}"] {
            let mut out = String::new();
            quote(text, &mut out);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert!(same(&read("[{\"a\": 1e19}]"), &read("[{\"a\": 10000000000000000000}]")));
        assert!(same(&read("-0.0"), &read("0")));
        assert!(!same(&json!({"a": 1}), &json!({"a": 2})));
        assert!(!same(&json!([1]), &json!([1, 2])));
        assert!(!same(&json!({"a": null}), &json!({"b": null})));
        assert!(!same(
            &json!(9_007_199_254_740_993_u64),
            &json!(9_007_199_254_740_992_u64)
        ));
    }
}
