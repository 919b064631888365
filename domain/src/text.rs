//! Limits of values that a column must be able to hold, checked before an event exists.

mod alike;

use std::borrow::Cow;

use chrono::{DateTime, Datelike as _, NaiveTime, Timelike as _, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;

pub use alike::{alike, is_mistakable};

use crate::canonical;
use crate::exact::{self, EXPONENT_MAX, Free, NUMBER_CHARS_MAX, Scientific};
use alike::{is_format, shows};

/// Why a value cannot be stored. The message says the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("must not be empty")]
    Empty,
    #[error("is {chars} characters long; at most {max} are allowed")]
    TooLong { chars: usize, max: usize },
    #[error("contains the character U+0000, which no column can hold")]
    Nul,
    #[error("contains the control character U+{code:04X}; only tabs and line breaks are allowed")]
    Control { code: u32 },
    #[error("must have at most {decimals} decimals and stay below {below}")]
    Amount { decimals: u32, below: Decimal },
    #[error("must not be negative")]
    Negative,
    #[error("is {value}; it must be from {min} to {max}")]
    Range { value: i64, min: i64, max: i64 },
    #[error("takes {bytes} bytes as JSON; at most {max} are allowed")]
    TooLarge { bytes: usize, max: usize },
    #[error("nests arrays and objects deeper than {max} levels")]
    TooDeep { max: usize },
    #[error("has a field called {name}, a name that is reserved")]
    Reserved { name: &'static str },
    #[error("has the number {number}, which has more digits than a number keeps here; write it as a string")]
    Inexact { number: String },
    #[error("has a number of {chars} characters, or by a power of ten beyond {exponent}; write it as a string")]
    Unwritable { chars: usize, exponent: i64 },
    #[error("{0}")]
    Form(&'static str),
    /// What is wrong at which place of a text, or of JSON, that has rules of its own.
    #[error("{0}")]
    Inside(String),
}

/// For `deserialize_with` of a text that an event always has: null, as a struck text is read, is an empty one.
///
/// # Errors
/// When it is neither a text nor null.
pub fn or_struck<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A required text of at most `max` characters, one of which shows, none of them a control character but tabs and line breaks.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn required(value: &str, max: usize) -> Result<(), Unfit> {
    let is_seen = |c: char| !c.is_whitespace() && (c.is_ascii() || shows(c));
    if !value.chars().any(is_seen) {
        Err(Unfit::Empty)
    } else {
        fits(value, max)
    }
}

/// An optional text of at most `max` characters, none of them a control character but tabs and line breaks.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn optional(value: Option<&String>, max: usize) -> Result<(), Unfit> {
    value.map_or(Ok(()), |value| fits(value, max))
}

fn fits(value: &str, max: usize) -> Result<(), Unfit> {
    let chars = value.chars().count();
    if chars > max {
        return Err(Unfit::TooLong { chars, max });
    }
    match value
        .chars()
        .find(|&c| c.is_control() && !['\t', '\n', '\r'].contains(&c))
    {
        None => Ok(()),
        Some('\0') => Err(Unfit::Nul),
        Some(control) => Err(Unfit::Control { code: control.into() }),
    }
}

/// A text for a terminal: characters that would do something there, or hide what stands beside them, are escaped as
/// JSON does it. JSON stays the same JSON.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                visible.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            visible.push(c);
        }
    }
    Cow::Owned(visible)
}

/// Whether it is a control or format character, or one that separates lines or paragraphs.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || (!c.is_ascii() && is_format(c))
}

/// A whole number from `min` to `max`, both included.
///
/// # Errors
/// [`Unfit::Range`].
pub fn within(value: i32, min: i32, max: i32) -> Result<(), Unfit> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(Unfit::Range {
            value: value.into(),
            min: min.into(),
            max: max.into(),
        })
    }
}

/// Years in which something that is told of can have happened.
const MOMENT_YEAR_MIN: i32 = 2000;
const MOMENT_YEAR_MAX: i32 = 9999;
/// From here on chrono means a leap second.
const NANOSECONDS_OF_A_SECOND: u32 = 1_000_000_000;
/// What is said of one.
pub const LEAP_SECOND: &str = "must not be a leap second; send the second after it";

/// A moment that every column of times can hold.
///
/// # Errors
/// [`Unfit::Form`].
pub fn moment(value: DateTime<Utc>) -> Result<(), Unfit> {
    if !(MOMENT_YEAR_MIN..=MOMENT_YEAR_MAX).contains(&value.year()) {
        return Err(Unfit::Form("must lie in the years 2000 to 9999"));
    }
    is_no_leap_second(value.time())
}

/// A time of day that a column holds as it was said: a minute has 60 seconds there.
///
/// # Errors
/// [`Unfit::Form`].
pub fn is_no_leap_second(time: NaiveTime) -> Result<(), Unfit> {
    if time.nanosecond() < NANOSECONDS_OF_A_SECOND {
        Ok(())
    } else {
        Err(Unfit::Form(LEAP_SECOND))
    }
}

/// An email address of at most `max` characters: one `@` with something on both sides, no spaces.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn email(value: &str, max: usize) -> Result<(), Unfit> {
    required(value, max)?;
    let spaced = value.chars().any(|c| c.is_whitespace() || c.is_control());
    match value.split_once('@') {
        Some((name, host)) if !spaced && !name.is_empty() && !host.is_empty() && !host.contains('@') => Ok(()),
        Some(_) | None => Err(Unfit::Form("must be an email address, such as name@example.com")),
    }
}

/// How deep arrays and objects of free JSON may nest. Readers give up at 128 levels, and the event
/// that the JSON becomes part of adds its own.
pub const JSON_LEVELS_MAX: usize = 64;

/// Names that serde_json takes for its own: an object with one of them reads back as something else,
/// or not at all.
const RESERVED_NAMES: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// JSON of at most `max` bytes in its canonical form, without U+0000, that reads back as it is. Its numbers are those that 64
/// bits hold.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn json(value: &Value, max: usize) -> Result<(), Unfit> {
    if let Some(number) = numbers(value).first() {
        let number = (*number).to_owned();
        return Err(Unfit::Inexact { number });
    }
    fits_json(value, max)
}

/// The same of free JSON, whose numbers keep each of their digits. Each counts as it is when it is written out, for a column
/// holds it so: 1e400 as 401 digits.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn free(json: &Free, max: usize) -> Result<(), Unfit> {
    let mut zeros = 0;
    for number in numbers(json.value()) {
        let exponent = Scientific::of(number).map_or(i64::MAX, |number| number.exponent.saturating_abs());
        if number.len() > NUMBER_CHARS_MAX || exponent > EXPONENT_MAX {
            return Err(Unfit::Unwritable {
                chars: number.len(),
                exponent: EXPONENT_MAX,
            });
        }
        zeros += usize::try_from(exponent).unwrap_or_default();
    }
    fits_json(json.value(), max.saturating_sub(zeros)).map_err(|unfit| match unfit {
        Unfit::TooLarge { bytes, .. } => Unfit::TooLarge {
            bytes: bytes + zeros,
            max,
        },
        other => other,
    })
}

/// The numbers in it that 64 bits do not hold.
fn numbers(value: &Value) -> Vec<&str> {
    match (exact::marked(value), value) {
        (Some(number), _) => vec![number],
        (None, Value::Array(values)) => values.iter().flat_map(numbers).collect(),
        (None, Value::Object(fields)) => fields.values().flat_map(numbers).collect(),
        (None, _) => Vec::new(),
    }
}

fn fits_json(value: &Value, max: usize) -> Result<(), Unfit> {
    nests(value, JSON_LEVELS_MAX)?;
    if canonical::contains_nul(value) {
        return Err(Unfit::Nul);
    }
    let bytes = canonical::text(value).len().saturating_add(written_out(value));
    if bytes > max {
        Err(Unfit::TooLarge { bytes, max })
    } else {
        Ok(())
    }
}

/// The digits that a column writes out of numbers with exponents: of 1e308 they are 308.
fn written_out(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(written_out).sum(),
        Value::Object(fields) => fields.values().map(written_out).sum(),
        Value::Number(number) if number.is_f64() => {
            let text = number.to_string();
            let exponent = text
                .split_once('e')
                .and_then(|(_, exponent)| exponent.parse::<i64>().ok());
            exponent.map_or(0, |exponent| {
                usize::try_from(exponent.unsigned_abs()).unwrap_or_default()
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn nests(value: &Value, levels: usize) -> Result<(), Unfit> {
    if !(value.is_array() || value.is_object()) || exact::marked(value).is_some() {
        return Ok(());
    }
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Unfit::TooDeep { max: JSON_LEVELS_MAX });
    };
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| nests(value, levels)),
        Value::Object(fields) => {
            fields.iter().try_for_each(
                |(key, value)| match RESERVED_NAMES.into_iter().find(|name| name == key) {
                    Some(name) => Err(Unfit::Reserved { name }),
                    None => nests(value, levels),
                },
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// A price for a `decimal(10, 2)` column: not negative, two decimals, below 100,000,000.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn price(value: Decimal) -> Result<(), Unfit> {
    const BELOW: Decimal = Decimal::from_parts(100_000_000, 0, 0, false, 0);
    if value.is_sign_negative() && !value.is_zero() {
        return Err(Unfit::Negative);
    }
    if value.normalize().scale() > 2 || value >= BELOW {
        return Err(Unfit::Amount {
            decimals: 2,
            below: BELOW,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BYTES: usize = 1 << 20;

    fn nested(levels: usize) -> Value {
        (1..levels).fold(json!([]), |inner, _| json!([inner]))
    }

    #[test]
    fn a_text_has_tabs_and_line_breaks_and_no_other_control_characters() {
        for good in ["a\tb\r\nc", "a\u{200d}b", "שלום\u{200f}", "a\u{2028}b"] {
            assert_eq!(required(good, 20), Ok(()), "{good:?}");
            assert_eq!(optional(Some(&good.to_owned()), 20), Ok(()), "{good:?}");
        }
        for bad in [
            '\u{1}', '\u{8}', '\u{b}', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9b}',
        ] {
            let refused = Err(Unfit::Control { code: bad.into() });
            assert_eq!(required(&format!("a{bad}"), 20), refused);
            assert_eq!(optional(Some(&format!("a{bad}")), 20), refused);
        }
        assert_eq!(required("a\0", 20), Err(Unfit::Nul));
        let told = Unfit::Control { code: 0x9b }.to_string();
        assert_eq!(
            told,
            "contains the control character U+009B; only tabs and line breaks are allowed"
        );
    }

    #[test]
    fn a_required_text_shows_something() {
        for blank in ["", " ", "\t\n", "\u{a0}\u{2003}", "\u{200b}\u{feff}", "\u{2800}"] {
            assert_eq!(required(blank, 20), Err(Unfit::Empty), "{blank:?}");
        }
        assert_eq!(required("\u{200b}.", 20), Ok(()));
    }

    #[test]
    fn what_a_terminal_would_not_show_is_escaped_and_json_stays_the_same() {
        let hidden = "\u{1b}[2J\u{9b}2J\u{202e}\u{2028}\u{2029}\u{ad}\u{feff}\u{e0041}\t\n\u{7f}";
        assert_eq!(
            visible(hidden),
            r"\u001b[2J\u009b2J\u202e\u2028\u2029\u00ad\ufeff\udb40\udc41\u0009\u000a\u007f"
        );
        for shown in ["plain", "ü € 🜁 \u{e9} e\u{301}", r#"{"name":"Ada \"A\" \\"}"#] {
            assert!(matches!(visible(shown), Cow::Borrowed(same) if same == shown));
        }
        let json = json!({ hidden: [hidden, "plain"] });
        let text = json.to_string();
        let text = visible(&text);
        assert!(text.chars().all(|c| !is_hidden(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }

    #[test]
    fn json_nests_at_most_64_levels() {
        assert_eq!(json(&nested(JSON_LEVELS_MAX), BYTES), Ok(()));
        let deep = json!({"a": nested(JSON_LEVELS_MAX)});
        assert_eq!(json(&deep, BYTES), Err(Unfit::TooDeep { max: JSON_LEVELS_MAX }));
        assert_eq!(json(&nested(120), BYTES), Err(Unfit::TooDeep { max: JSON_LEVELS_MAX }));
    }

    #[test]
    fn json_that_would_read_back_as_something_else_is_refused() {
        for name in RESERVED_NAMES {
            let mut fields = serde_json::Map::new();
            fields.insert(name.to_owned(), json!("{"));
            let value = json!([{"a": fields}]);
            assert_eq!(json(&value, BYTES), Err(Unfit::Reserved { name }));
        }
    }
}
