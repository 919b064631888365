//! JSON written in one way only, so that equal values have equal hashes.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::exact::{self, Scientific};

/// Lower-case hex SHA-256 of the value's [`text`].
#[must_use]
pub fn hash(value: &Value) -> String {
    hex::encode(Sha256::digest(text(value)))
}

/// The value with the keys of every object sorted and without spaces.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Whether a string or a key anywhere inside contains U+0000, which `jsonb` cannot hold.
#[must_use]
pub fn contains_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(contains_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains('\0') || contains_nul(value)),
    }
}

fn write(value: &Value, out: &mut String) {
    if let Some(number) = exact::marked(value) {
        let number = Scientific::of(number).map_or_else(|| number.to_owned(), |number| number.canonical());
        return out.push_str(&number);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                separate(index, out);
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                separate(index, out);
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth_and_nothing_is_spaced() {
        let value = json!({"b": [1, {"z": null, "a": "é\"\n"}], "a": 2.5, "B": true});
        assert_eq!(text(&value), r#"{"B":true,"a":2.5,"b":[1,{"a":"é\"\n","z":null}]}"#);
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_hash() {
        let one: Value = serde_json::from_str(r#"{"x":1,"y":2}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{ "y": 2, "x": 1 }"#).unwrap();
        assert_eq!(hash(&one), hash(&other));
        assert_eq!(
            hash(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn a_nul_is_found_in_keys_and_in_values() {
        assert!(contains_nul(&json!([{"a": "\u{0}"}])));
        assert!(contains_nul(&json!({"\u{0}": 1})));
        assert!(!contains_nul(&json!({"a": ["b", 0, null]})));
    }
}
