//! The body of a command: one JSON object, read strictly.

use std::fmt;

use axum::http::{HeaderMap, header};
use domain::exact;
use domain::misread::Misread;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::extract::Read;
use crate::problem::{self, Problem};

/// Size of any body, in bytes; most commands take less, see [`domain::Decider::body_bytes_max`].
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Values in a body, however they are nested: a small text can hold very many.
pub const VALUES_MAX: usize = 20_000;
/// Memory that a value takes while its command is carried out, in bytes: an empty object takes as much.
const VALUE_BYTES: u64 = 600;

/// How names begin that serde_json takes for its own: an object with one reads back as something else.
const RESERVED: &str = "$serde_json::private::";

/// The fields of a command; none when there is no body. The body is weighed first: what it is going to take counts as
/// its sender's, for as long as the body is kept.
///
/// # Errors
/// 415 when the body is not said to be JSON, 400 when it is not an object in JSON, 413 when it has too many values, 429
/// or 503 when there is no room for them.
pub fn fields(headers: &HeaderMap, body: &mut Read) -> Result<Value, Problem> {
    let scanned = Scanned::of(body);
    if scanned.values > VALUES_MAX {
        let detail = format!("the body has more than {VALUES_MAX} values; send less at once, or long lists as a text");
        return Err(Problem::new(problem::TOO_LARGE, detail));
    }
    body.hold(scanned.values as u64 * VALUE_BYTES)?;
    parsed(headers, body)
}

/// The fields of a body with a type of their own.
///
/// # Errors
/// 400, naming the field.
pub fn typed<T: DeserializeOwned>(fields: Value) -> Result<T, Problem> {
    Ok(domain::misread::read(fields)?)
}

impl From<Misread> for Problem {
    fn from(Misread { field, detail }: Misread) -> Self {
        let problem = Self::new(problem::BAD_VALUE, detail);
        match field.is_empty() {
            true => problem,
            false => problem.field(field),
        }
    }
}

fn parsed(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_json(headers) {
        return Err(Problem::new(
            problem::MEDIA_TYPE,
            "send the command's fields as Content-Type: application/json",
        ));
    }
    let (marked, marks) = exact::mark(body);
    match serde_json::from_slice(&marked) {
        Ok(Strict(object @ Value::Object(_))) if exact::marks(&object) == marks => Ok(object),
        Ok(Strict(Value::Object(_))) => Err(Problem::new(
            problem::MALFORMED,
            format!("the body is not good JSON: the name {:?} is reserved", exact::NUMBER),
        )),
        Ok(Strict(_)) => Err(Problem::new(
            problem::MALFORMED,
            "the body must be a JSON object with the command's fields",
        )),
        Err(error) => Err(Problem::new(
            problem::MALFORMED,
            format!("the body is not good JSON: {error}"),
        )),
    }
}

/// What one pass over a text says, before anything is made of it.
#[derive(Debug, Default)]
struct Scanned {
    /// At least as many as the values in it, if it is good JSON: one for each bracket that opens, and for each comma.
    values: usize,
}

impl Scanned {
    fn of(body: &[u8]) -> Self {
        let mut scanned = Self::default();
        let mut rest = body;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'"' => rest = behind_string(rest),
                b'{' | b'[' | b',' => scanned.values += 1,
                _ => {}
            }
        }
        scanned
    }
}

/// What follows the string that has begun.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => break,
            b'\\' => rest = rest.get(1..).unwrap_or_default(),
            _ => {}
        }
    }
    rest
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let named = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    // JSON between systems is UTF-8; a body that claims another encoding would be misread.
    let utf8 = |parameter: &str| {
        !parameter.to_ascii_lowercase().starts_with("charset=")
            || parameter[8..].trim_matches('"').eq_ignore_ascii_case("utf-8")
    };
    named && parts.all(utf8)
}

/// A JSON value in which no object names a field twice: which of the two was meant, nobody can tell.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if fields.contains_key(&name) {
                return Err(de::Error::custom(format!("the field {name:?} is there twice")));
            }
            if name.starts_with(RESERVED) {
                return Err(de::Error::custom(format!("the name {name:?} is reserved")));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, StatusCode};
    use serde_json::json;

    fn json_headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    fn read(headers: &HeaderMap, text: &str) -> Result<Value, Problem> {
        parsed(headers, text.as_bytes())
    }

    #[test]
    fn values_are_counted_before_they_are_read() {
        let values = |text: &str| Scanned::of(text.as_bytes()).values;
        assert_eq!(values(r#"{"a": [1, 2, {"b": "x,[{"}], "c\\\"{": null}"#), 6);
        assert_eq!(values("{},".repeat(350_000).as_str()), 700_000);
        assert_eq!(values(""), 0);
    }

    #[test]
    fn a_number_keeps_its_digits_however_many_they_are() {
        let headers = json_headers("application/json");
        for sent in [
            r#"{"n":18446744073709551615,"m":-9223372036854775808}"#,
            r#"{"n":1.5,"k":-0.5,"l":89014103211118510720.0,"e":1e999}"#,
            r#"{"n":"89014103211118510720","q\"89014103211118510720":[1,{"x":"\\"}]}"#,
            r#"{"n":18446744073709551616}"#,
            r#"{"s":"\\","n":[{"m":-9223372036854775809}]}"#,
        ] {
            assert_eq!(exact::text(&read(&headers, sent).unwrap()), sent);
        }
    }

    #[test]
    fn no_body_is_no_fields() {
        assert_eq!(read(&HeaderMap::new(), "").unwrap(), json!({}));
    }

    #[test]
    fn a_body_must_say_that_it_is_json() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(read(&json_headers(good), "{}").is_ok(), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert_eq!(
                read(&json_headers(bad), "{}").unwrap_err().status,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_no_object_or_names_a_field_twice_is_malformed() {
        let deep = "[".repeat(100_000);
        for bad in [
            "[]",
            "null",
            "1",
            "{",
            "{\"a\":1,\"a\":1}",
            "{\"x\":{\"a\":1,\"a\":2}}",
            "{\"a\":\"\\ud800\"}",
            "{}{}",
            "{\"a\":01e999}",
            "{\"a\":{\"$daybook::number\":\"1\"}}",
            "{\"a\":1e999,\"b\":{\"\\u0024daybook::number\":1}}",
            "{\"a\":{\"$serde_json::private::RawValue\":\"1\"}}",
            &deep,
        ] {
            assert_eq!(
                read(&json_headers("application/json"), bad).unwrap_err().status,
                StatusCode::BAD_REQUEST,
                "{bad:.20}"
            );
        }
    }
}
