//! JSON whose numbers keep each of their digits.
//!
//! A [`Value`] holds numbers of 64 bits: 0.1000000000000000055 would become 0.1, and 1e400 nothing at all. A number that those do
//! not hold as it was sent is a *mark* in a value: an object with one reserved name and the digits as a text. It is made where
//! text is read, is a number again where text is written, and nobody can send one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::aggregate::Unparsed;

/// The one name in a mark.
pub const NUMBER: &str = "$daybook::number";

/// Characters of a number in free JSON, and the power of ten by which it may be written, above and below zero.
pub const NUMBER_CHARS_MAX: usize = 1_000;
pub const EXPONENT_MAX: i64 = 1_000;

/// Free JSON: what somebody says in a form of their own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Free(Value);

impl Free {
    /// The value, with marks in the place of numbers that it does not hold.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl From<Value> for Free {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Serialize for Free {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(text(&self.0)).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        from_str(raw.get()).map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Free {
    fn schema_name() -> Cow<'static, str> {
        Value::schema_name()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

/// The digits of a mark; `None` of any other value.
#[must_use]
pub fn marked(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(NUMBER)?.as_str()
}

/// How many objects have the name that marks have.
#[must_use]
pub fn marks(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(marks).sum(),
        Value::Object(fields) => usize::from(fields.contains_key(NUMBER)) + fields.values().map(marks).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// JSON text with marks in the place of the numbers that 64 bits do not hold as they are written, and how many there are.
/// What is no number of JSON stays for its reader to refuse.
#[must_use]
pub fn mark(json: &[u8]) -> (Cow<'_, [u8]>, usize) {
    let (mut out, mut copied, mut count) = (Vec::new(), 0, 0);
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let end = match byte {
            b'"' => end_of_string(json, at),
            b'-' | b'0'..=b'9' => end_of_number(json, at),
            _ => at + 1,
        };
        let number = std::str::from_utf8(&json[at..end]).ok().filter(|_| byte != b'"');
        if let Some(number) = number.filter(|number| is_number(number) && !is_held(number)) {
            out.extend_from_slice(&json[copied..at]);
            out.extend_from_slice(format!("{{\"{NUMBER}\":\"{number}\"}}").as_bytes());
            (copied, count) = (end, count + 1);
        }
        at = end;
    }
    if count == 0 {
        return (Cow::Borrowed(json), 0);
    }
    out.extend_from_slice(&json[copied..]);
    (Cow::Owned(out), count)
}

/// Reads JSON text.
///
/// # Errors
/// When it is none.
pub fn from_str(json: &str) -> serde_json::Result<Value> {
    serde_json::from_slice(&mark(json.as_bytes()).0)
}

/// Writes a value, its marks as the numbers that they are.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    if let Some(number) = marked(value) {
        return out.push_str(number);
    }
    let separate = |index: usize, out: &mut String| {
        if index > 0 {
            out.push(',');
        }
    };
    match value {
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                separate(index, out);
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                separate(index, out);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

/// Reads fields, of which only [`Free`] ones take numbers that 64 bits do not hold.
///
/// # Errors
/// The path to what is wrong.
pub fn read<T: DeserializeOwned>(fields: &Value) -> Result<T, Unparsed> {
    serde_path_to_error::deserialize(fields).map_err(|unparsed| match marks(fields) {
        0 => unparsed,
        // Told of as the number that it is, and not as a mark.
        _ => {
            let told = serde_path_to_error::deserialize::<_, T>(&rounded(fields));
            told.err().unwrap_or(unparsed)
        }
    })
}

fn rounded(value: &Value) -> Value {
    if let Some(number) = marked(value) {
        let nearest = number.parse().unwrap_or(f64::MAX);
        return Value::from(nearest.clamp(f64::MIN, f64::MAX));
    }
    match value {
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), rounded(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A number as its digits, without zeros around them, and the power of ten by which they stand.
#[derive(Debug, PartialEq, Eq)]
pub struct Scientific {
    is_negative: bool,
    digits: String,
    pub exponent: i64,
}

impl Scientific {
    /// Of a number of JSON; `None` when its power of ten is beyond all bounds.
    #[must_use]
    pub fn of(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (is_negative, mantissa) = mantissa
            .strip_prefix('-')
            .map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let all = [whole, fraction].concat();
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            let (is_negative, digits, exponent) = (false, String::new(), 0);
            return Some(Self {
                is_negative,
                digits,
                exponent,
            });
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Self {
            is_negative,
            digits: digits.to_owned(),
            exponent: exponent.checked_add(shift)?,
        })
    }

    /// The one way in which equal numbers are written.
    #[must_use]
    pub fn canonical(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent)
    }
}

/// Whether 64 bits hold the number with each of its digits.
fn is_held(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    // As it will be written: of two equally short ways writers choose differently.
    let float = number.parse().ok().and_then(serde_json::Number::from_f64);
    let written = float.and_then(|float| Scientific::of(&float.to_string()));
    written.is_some() && written == Scientific::of(number)
}

/// Whether JSON writes numbers so.
fn is_number(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    is_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_digits)
}

fn end_of_number(json: &[u8], from: usize) -> usize {
    let is_in = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = json[from..].iter().position(|byte| !is_in(byte));
    length.map_or(json.len(), |length| from + length)
}

/// Behind the string that begins there; the end where it does not end.
fn end_of_string(json: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Said {
        This { payload: Free, count: Option<i32> },
    }

    const LONG: [&str; 6] = [
        "0.1000000000000000055",
        "1e400",
        "-1E-400",
        "12345678901234567890.123",
        "123456789012345678901234567890",
        "0.30000000000000000000",
    ];

    #[test]
    fn numbers_come_back_as_they_were_sent_also_through_an_event() {
        for number in &LONG[..5] {
            let said = format!(r#"{{"This":{{"payload":{{"b":[{number},1.5],"a":"{number}"}},"count":1}}}}"#);
            assert_eq!(text(&from_str(&said).unwrap()), said);
            let read: Said = serde_json::from_str(&said).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), said);
            let sent: Said = super::read(&from_str(&said).unwrap()).unwrap();
            assert_eq!(sent, read);
        }
    }

    #[test]
    fn what_64_bits_hold_is_no_mark() {
        for number in [
            "0.1",
            "1.50",
            "1e300",
            "-0.0",
            "18446744073709551615",
            "6.02214076E+23",
            "1374782306990013.2",
            LONG[5],
        ] {
            assert_eq!(mark(number.as_bytes()).1, 0, "{number}");
        }
        for no_number in ["01.10000000000000000001", "1.e400", "-", "1e", "1e400e1"] {
            assert_eq!(mark(no_number.as_bytes()).1, 0, "{no_number}");
        }
    }

    #[test]
    fn a_number_in_a_text_is_a_text() {
        let json = r#"{"1e400":"\"1e400","a":["\\",1e400]}"#;
        assert_eq!(marks(&from_str(json).unwrap()), 1);
        assert_eq!(text(&from_str(json).unwrap()), json);
    }

    #[test]
    fn where_a_number_of_64_bits_belongs_another_is_told_of_as_a_number() {
        let fields = from_str(r#"{"This":{"payload":1,"count":1.00000000000000000001}}"#).unwrap();
        let told = read::<Said>(&fields).unwrap_err();
        assert_eq!(told.path().to_string(), "This.count");
        assert!(!told.to_string().contains("map"), "{told}");
    }

    #[test]
    fn equal_numbers_have_one_canonical_form() {
        let canonical = |number| Scientific::of(number).unwrap().canonical();
        assert_eq!(canonical("1e400"), canonical("10.0E+399"));
        assert_ne!(canonical("1e400"), canonical("-1e400"));
    }

    proptest! {
        #[test]
        fn no_float_is_a_mark_and_no_text_is_lost(float in any::<f64>(), digits in "[0-9]{1,30}", fraction in "[0-9]{1,30}") {
            prop_assume!(float.is_finite());
            prop_assert_eq!(mark(json!(float).to_string().as_bytes()).1, 0);
            let number = format!("{}.{fraction}", digits.trim_start_matches('0').parse::<u128>().unwrap_or(0));
            let came = text(&from_str(&number).unwrap());
            prop_assert_eq!(Scientific::of(&came), Scientific::of(&number));
        }
    }
}
