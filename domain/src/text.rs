//! Limits of values that a column must be able to hold, checked before an event exists.

use chrono::{DateTime, Datelike as _, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::canonical;

/// Why a value cannot be stored. The message says the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("must not be empty")]
    Empty,
    #[error("is {chars} characters long; at most {max} are allowed")]
    TooLong { chars: usize, max: usize },
    #[error("contains the character U+0000, which no column can hold")]
    Nul,
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
    #[error("{0}")]
    Form(&'static str),
}

/// A required text of at most `max` characters.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn required(value: &str, max: usize) -> Result<(), Unfit> {
    if value.trim().is_empty() {
        Err(Unfit::Empty)
    } else {
        fits(value, max)
    }
}

/// An optional text of at most `max` characters.
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
    if value.contains('\0') { Err(Unfit::Nul) } else { Ok(()) }
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

/// A moment that every column of times can hold.
///
/// # Errors
/// [`Unfit::Form`].
pub fn moment(value: DateTime<Utc>) -> Result<(), Unfit> {
    if (MOMENT_YEAR_MIN..=MOMENT_YEAR_MAX).contains(&value.year()) {
        Ok(())
    } else {
        Err(Unfit::Form("must lie in the years 2000 to 9999"))
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

/// Free JSON of at most `max` bytes in its canonical form, without U+0000, that reads back as it is.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn json(value: &Value, max: usize) -> Result<(), Unfit> {
    nests(value, JSON_LEVELS_MAX)?;
    if canonical::contains_nul(value) {
        return Err(Unfit::Nul);
    }
    let bytes = canonical::text(value).len();
    if bytes > max {
        Err(Unfit::TooLarge { bytes, max })
    } else {
        Ok(())
    }
}

fn nests(value: &Value, levels: usize) -> Result<(), Unfit> {
    if !(value.is_array() || value.is_object()) {
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
