//! Limits of values that a column must be able to hold, checked before an event exists.

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

/// Free JSON of at most `max` bytes in its canonical form, without U+0000.
///
/// # Errors
/// [`Unfit`], saying which limit was missed.
pub fn json(value: &Value, max: usize) -> Result<(), Unfit> {
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
