//! What is wrong with JSON that somebody has sent, in words of JSON: serde's own name types of this program.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::aggregate::Unparsed;
use crate::exact;

/// How a uuid is written.
pub const UUID: &str = "a uuid such as 0190a3c4-7f00-7000-8000-1234567890ab";
/// How a time is written.
pub const TIME: &str = "a time such as 2026-01-31T08:00:00Z";
/// How a date is written.
pub const DATE: &str = "a date such as 2026-01-31";

/// What is said of a word by whoever does not know those that may be there.
pub const A_WORD: &str = "one of its words or forms";

/// Fields of one body that are mended before it is given up; each takes another reading of all of it.
const WHOLE_FIELDS_MAX: usize = 16;
/// From here on floats are not each of one whole number any more: 2 to the power of 53.
const WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;

/// What chrono says of a text that is no time.
const NO_TIME: [&str; 6] = [
    "input contains invalid characters",
    "premature end of input",
    "trailing input",
    "input is out of range",
    "no possible date and time matching input",
    "input is not enough for unique date and time",
];

/// A field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// Its path within what was sent, `steps[2].after_minutes`; empty where that as a whole is meant.
    pub field: String,
    /// A sentence that begins with the field. It names no value that was sent: that may be a secret.
    pub detail: String,
}

/// Reads fields.
///
/// # Errors
/// The first field that cannot be read.
pub fn read<T: DeserializeOwned>(mut fields: Value) -> Result<T, Misread> {
    with_whole_numbers(&mut fields, exact::read).map_err(|unparsed| Misread::of(&unparsed, ""))
}

/// Reads what was sent, numbers like `2.0` as the whole ones that they are where such are wanted: JSON knows no difference, and
/// what many languages write as a number has decimals. Everywhere else they stay as they were sent.
///
/// # Errors
/// The first value that cannot be read.
pub(crate) fn with_whole_numbers<T>(
    sent: &mut Value,
    read: impl Fn(&Value) -> Result<T, Unparsed>,
) -> Result<T, Unparsed> {
    // Each turn mends one field, of all the entries of a list alike; there are no more fields than that.
    for _ in 0..WHOLE_FIELDS_MAX {
        match read(sent) {
            Err(unparsed) if wants_whole(&unparsed) => {
                let segments: Vec<&Segment> = unparsed.path().iter().collect();
                if !make_whole(sent, &segments) {
                    return Err(unparsed);
                }
            }
            done => return done,
        }
    }
    read(sent)
}

/// Whether a number with decimals stands where a whole one is wanted.
fn wants_whole(unparsed: &Unparsed) -> bool {
    let told = unparsed.inner().to_string();
    let parts = told.strip_prefix("invalid type: floating point ");
    let expected = parts.and_then(|told| told.rsplit_once(", expected "));
    expected.is_some_and(|(_, expected)| whole_number(expected.trim_start_matches("a nonzero ")).is_some())
}

/// Makes whole numbers of those at this path that are; of a list at each of its places. Says whether there were any.
fn make_whole(value: &mut Value, path: &[&Segment]) -> bool {
    match (path.split_first(), value) {
        (Some((Segment::Seq { .. }, rest)), Value::Array(items)) => {
            // Each of them, not the first that there is.
            items.iter_mut().fold(false, |any, item| make_whole(item, rest) | any)
        }
        (Some((Segment::Map { key } | Segment::Enum { variant: key }, rest)), Value::Object(fields)) => {
            fields.get_mut(key).is_some_and(|field| make_whole(field, rest))
        }
        (None, value @ Value::Number(_)) => {
            let whole = value.as_f64().filter(|_| value.is_f64()).and_then(whole);
            let is_whole = whole.is_some();
            if let Some(whole) = whole {
                *value = whole.into();
            }
            is_whole
        }
        _ => false,
    }
}

/// The whole number that this one is, as far as each of them is exactly one float.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is whole, and within what 64 bits hold"
)]
fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() < WHOLE_BELOW).then_some(float as i64)
}

impl Misread {
    /// What was wrong; `within` is the beginning of the path that is no field: the name of a command.
    #[must_use]
    pub fn of(unparsed: &Unparsed, within: &str) -> Self {
        let path = unparsed.path().to_string();
        let path = path.strip_prefix(within).unwrap_or(&path).trim_start_matches('.');
        // What serde has read ahead has no path.
        Self::at(path.trim_end_matches(".?").trim_matches('?'), unparsed.inner())
    }

    fn at(path: &str, error: &serde_json::Error) -> Self {
        let told = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let told = told.strip_suffix(&place).unwrap_or(&told);
        let quoted = || told.split('`').skip(1).step_by(2);
        let first = quoted().next().unwrap_or_default();
        let field = match told {
            _ if told.starts_with("missing field") || told.starts_with("duplicate field") => below(path, first),
            // Its name is in the path already, unless it was read ahead.
            _ if told.starts_with("unknown field") && path.rsplit('.').next() != Some(first) => below(path, first),
            _ => path.to_owned(),
        };
        let said = if told.starts_with("missing field") {
            "is missing".to_owned()
        } else if told.starts_with("duplicate field") {
            "is there twice".to_owned()
        } else if told.starts_with("unknown field") {
            match quoted().skip(1).collect::<Vec<_>>() {
                known if known.is_empty() => "is no field here: there are none".to_owned(),
                known => format!("is no field here; there are {}", known.join(", ")),
            }
        } else if told.starts_with("unknown variant") {
            let (_, known) = told.rsplit_once(", expected ").unwrap_or_default();
            let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            match known[..] {
                [only] => format!("must be {only}"),
                _ => format!("must be one of {}", known.join(", ")),
            }
        } else {
            of_value(told)
        };
        let subject = if field.is_empty() { "what was sent" } else { &field };
        Self {
            detail: format!("{subject} {said}"),
            field,
        }
    }
}

/// The path of a field of what has this path.
fn below(path: &str, field: &str) -> String {
    match path {
        "" => field.to_owned(),
        _ => format!("{path}.{field}"),
    }
}

/// What is wrong with a value, as what is said of its field.
fn of_value(told: &str) -> String {
    let parts = |begins: &str| told.strip_prefix(begins)?.rsplit_once(", expected ");
    if let Some((found, expected)) = parts("invalid type: ") {
        format!("must be {}, and is {}", must_be(expected), is(found))
    } else if let Some((_, expected)) = parts("invalid value: ") {
        format!("must be {}", must_be(expected))
    } else if let Some((length, expected)) = parts("invalid length ") {
        format!(
            "must be {}, and {length} values are too many or too few for it",
            must_be(expected)
        )
    } else if told.starts_with("data did not match any variant") {
        "has none of the forms that it may have".to_owned()
    } else if told.starts_with("UUID parsing failed") {
        format!("must be {UUID}")
    } else if NO_TIME.contains(&told) {
        format!("must be {TIME}, or a date where one is meant: 2026-01-31")
    } else if ["must ", "is ", "has ", "cannot "]
        .iter()
        .any(|verb| told.starts_with(verb))
    {
        told.to_owned()
    } else {
        format!("cannot be read: {told}")
    }
}

/// What somebody may send in the place of what serde expects.
fn must_be(expected: &str) -> String {
    let begins = |words: &[&str]| words.iter().any(|word| expected.starts_with(word));
    if let Some(number) = whole_number(expected.trim_start_matches("a nonzero ")) {
        return number;
    }
    let said = if begins(&["struct", "a map", "map", "internally tagged", "adjacently tagged"]) {
        "an object"
    } else if begins(&["a sequence", "sequence", "an array", "a tuple", "tuple"]) {
        "a list"
    } else if expected == "string or map" {
        A_WORD
    } else if begins(&["f32", "f64"]) {
        "a number"
    } else if begins(&["a boolean"]) {
        "true or false"
    } else if begins(&["unit"]) {
        "null"
    } else if begins(&["option", "Option"]) {
        "a value or null"
    } else if begins(&["enum"]) {
        "one of its words"
    } else if expected.contains("UUID") {
        UUID
    } else if expected.contains("date and time") {
        TIME
    } else if expected.contains("date string") {
        DATE
    } else if expected.contains("Decimal") {
        "an amount such as 12.50"
    } else if begins(&[
        "a string",
        "string",
        "str",
        "a borrowed",
        "a character",
        "variant",
        "field",
    ]) {
        "a string"
    } else {
        // Of a type of our own, which says what it wants.
        expected
    };
    said.to_owned()
}

fn whole_number(expected: &str) -> Option<String> {
    let (least, most) = match expected {
        "i8" => (i64::from(i8::MIN), i64::from(i8::MAX)),
        "i16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "i32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        "u8" => (0, i64::from(u8::MAX)),
        "u16" => (0, i64::from(u16::MAX)),
        "u32" => (0, i64::from(u32::MAX)),
        "u64" | "u128" | "usize" => return Some("a whole number that is not negative".to_owned()),
        "i64" | "i128" | "isize" => return Some("a whole number".to_owned()),
        _ => return None,
    };
    Some(format!("a whole number from {least} to {most}"))
}

/// What was sent, by its kind.
fn is(found: &str) -> &'static str {
    match found.split([' ', '`']).next().unwrap_or_default() {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "floating" => "a number with decimals",
        "string" | "character" | "byte" => "a string",
        "null" | "unit" | "Option" => "null",
        "sequence" => "a list",
        "map" => "an object",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde::Deserialize;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read is looked at")]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
        #[serde(default)]
        shape: Option<Shape>,
        #[serde(default)]
        either: Option<Either>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read is looked at")]
    struct Inner {
        id: Uuid,
        at: DateTime<Utc>,
        count: u32,
        share: f64,
        is_on: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Round,
        VeryFlat,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only what cannot be read is looked at")]
    enum Either {
        One { one: String },
        Other { other: String },
    }

    fn inner(field: &str, value: Value) -> Value {
        let mut inner =
            json!({"id": Uuid::nil(), "at": "2026-01-31T08:00:00Z", "count": 1, "share": 0.5, "is_on": true});
        inner[field] = value;
        json!({"name": "a", "inner": [inner]})
    }

    fn told(fields: Value) -> (String, String) {
        let misread = read::<Outer>(fields).unwrap_err();
        (misread.field, misread.detail)
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_field_and_in_words_of_json() {
        for (fields, field, detail) in [
            (json!({}), "name", "name is missing"),
            (
                json!({"name": 3}),
                "name",
                "name must be a string, and is a whole number",
            ),
            (json!({"name": null}), "name", "name must be a string, and is null"),
            (
                json!({"name": "a", "nmae": "b"}),
                "nmae",
                "nmae is no field here; there are name, inner, shape, either",
            ),
            (
                json!({"name": "a", "inner": {}}),
                "inner",
                "inner must be a list, and is an object",
            ),
            (
                json!({"name": "a", "inner": ["x"]}),
                "inner[0]",
                "inner[0] must be an object, and is a string",
            ),
            (
                json!({"name": "a", "inner": [{"id": Uuid::nil()}]}),
                "inner[0].at",
                "inner[0].at is missing",
            ),
            (
                inner("id", json!("x")),
                "inner[0].id",
                "inner[0].id must be a uuid such as 0190a3c4-7f00-7000-8000-1234567890ab",
            ),
            (
                inner("at", json!("yesterday")),
                "inner[0].at",
                "inner[0].at must be a time such as 2026-01-31T08:00:00Z, or a date where one is meant: 2026-01-31",
            ),
            (
                inner("at", json!(5)),
                "inner[0].at",
                "inner[0].at must be a time such as 2026-01-31T08:00:00Z, and is a whole number",
            ),
            (
                inner("count", json!(-1)),
                "inner[0].count",
                "inner[0].count must be a whole number from 0 to 4294967295",
            ),
            (
                inner("count", json!(1.5)),
                "inner[0].count",
                "inner[0].count must be a whole number from 0 to 4294967295, and is a number with decimals",
            ),
            (
                inner("share", json!([])),
                "inner[0].share",
                "inner[0].share must be a number, and is a list",
            ),
            (
                inner("is_on", json!("yes")),
                "inner[0].is_on",
                "inner[0].is_on must be true or false, and is a string",
            ),
            (
                json!({"name": "a", "shape": "square"}),
                "shape",
                "shape must be one of round, very_flat",
            ),
            (
                json!({"name": "a", "either": {"neither": "a secret"}}),
                "either",
                "either has none of the forms that it may have",
            ),
        ] {
            assert_eq!(told(fields.clone()), (field.to_owned(), detail.to_owned()), "{fields}");
        }
    }

    #[test]
    fn a_number_like_two_point_nought_is_a_whole_one_where_such_is_wanted_and_stays_elsewhere() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Line {
            quantity: i32,
            #[serde(default)]
            parts: Option<Vec<u8>>,
            #[serde(default)]
            anything: Value,
        }
        let line = |quantity: f64| json!({"quantity": quantity, "parts": [1.0, 2], "anything": 3.0});
        let lines: Vec<Line> = read(json!([line(2.0), {"quantity": 3}, line(-4.0)])).unwrap();
        assert_eq!(
            lines.iter().map(|line| line.quantity).collect::<Vec<_>>(),
            [2, 3, -4],
            "{lines:?}"
        );
        assert_eq!(lines[2].parts, Some(vec![1, 2]));
        assert!(lines[2].anything.is_f64(), "nobody asked for a whole one there");
        for (quantity, detail) in [
            (
                json!(2.5),
                "must be a whole number from -2147483648 to 2147483647, and is a number with decimals",
            ),
            (
                json!(1e300),
                "must be a whole number from -2147483648 to 2147483647, and is a number with decimals",
            ),
            (json!(3e9), "must be a whole number from -2147483648 to 2147483647"),
            (
                json!("2.0"),
                "must be a whole number from -2147483648 to 2147483647, and is a string",
            ),
        ] {
            let misread = read::<Vec<Line>>(json!([{"quantity": quantity}])).unwrap_err();
            assert_eq!(misread.detail, format!("[0].quantity {detail}"), "{quantity}");
        }
    }

    #[test]
    fn no_value_that_was_sent_is_told() {
        for fields in [
            json!({"name": ["xoxb"]}),
            inner("id", json!("xoxb")),
            inner("count", json!("xoxb, expected a string")),
            json!({"name": "a", "shape": "xoxb`, expected `xoxb"}),
        ] {
            let (field, detail) = told(fields);
            assert!(!detail.contains("xoxb") || field == "shape", "{detail}");
        }
    }
}
