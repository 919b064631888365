//! JSON as somebody else has written it, made fit for jsonb, which holds less than JSON may say.

use domain::exact;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Json;

/// Arrays and objects within one another.
const LEVELS_MAX: usize = 100;
/// Characters of a number, and the power of ten by which it may be written, above and below zero: Postgres holds some more.
const NUMBER_CHARS_MAX: usize = 4_000;
const EXPONENT_MAX: usize = 4_000;
/// All powers of ten together: Postgres writes out each digit, and a short text would become a very long one.
const EXPONENTS_MAX: usize = 64 << 10;

impl Json {
    /// The JSON of a text, its numbers with each of their digits. A text that jsonb does not hold is a string of JSON, with all
    /// that it says: one that is no JSON, has U+0000 or half a character in a string, or is nested too deep.
    #[must_use]
    pub fn sent(text: &str) -> Self {
        if fits(text) {
            Self(text.to_owned())
        } else {
            Self(Value::from(text.replace('\0', "\u{fffd}")).to_string())
        }
    }

    /// The JSON of a value, its numbers with each of their digits. U+0000 is not to be in it.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(exact::text(value))
    }
}

/// Whether jsonb holds the text as it is.
fn fits(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && is_moderate(text.as_bytes())
}

/// Whether JSON text has no more levels than it may, and numbers and strings that Postgres holds.
fn is_moderate(mut text: &[u8]) -> bool {
    let (mut levels, mut exponents) = (0_usize, 0_usize);
    while let Some((first, rest)) = text.split_first() {
        text = match first {
            b'[' | b'{' => {
                levels += 1;
                if levels > LEVELS_MAX {
                    return false;
                }
                rest
            }
            b']' | b'}' => {
                levels = levels.saturating_sub(1);
                rest
            }
            b'"' => match after_string(rest) {
                Some(rest) => rest,
                None => return false,
            },
            b'-' | b'0'..=b'9' => match after_number(text) {
                Some((exponent, rest)) => {
                    exponents += exponent;
                    rest
                }
                None => return false,
            },
            _ => rest,
        };
    }
    exponents <= EXPONENTS_MAX
}

/// What comes after a string; `None` when it has what jsonb does not hold.
fn after_string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'u', rest @ ..] => {
                let (unit, rest) = unit(rest)?;
                match (unit, rest) {
                    (0 | 0xdc00..=0xdfff, _) => return None,
                    (0xd800..=0xdbff, [b'\\', b'u', rest @ ..]) => {
                        let (low, rest) = self::unit(rest)?;
                        (0xdc00..=0xdfff).contains(&low).then_some(rest)?
                    }
                    (0xd800..=0xdbff, _) => return None,
                    (_, rest) => rest,
                }
            }
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        }
    }
}

/// The four hexadecimal digits of an escape, and what comes after them.
fn unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let unit = u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    Some((unit, rest))
}

/// By which power of ten a number is written, and what comes after it; `None` when it is too long or the power too great.
fn after_number(text: &[u8]) -> Option<(usize, &[u8])> {
    let is_in = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let end = text.iter().position(|byte| !is_in(byte)).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let mut parts = number.split(|byte| matches!(byte, b'e' | b'E'));
    let exponent = match parts.nth(1) {
        None => 0,
        Some(exponent) => {
            let digits = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+"));
            str::from_utf8(digits.unwrap_or(exponent)).ok()?.parse().ok()?
        }
    };
    (number.len() <= NUMBER_CHARS_MAX && exponent <= EXPONENT_MAX).then_some((exponent, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_holds_stays_as_it_is_with_each_digit() {
        for text in [
            r#"{"n": 9007199254740993, "x": 0.10000000000000000001, "e": -1.5e-300, "f": 1E+400}"#,
            r#"[true, false, null, "e99999999", "\"[[[", "\ud83d\ude00 \u00e9 \\u0000"]"#,
            "123456789012345678901234567890",
            "{}",
        ] {
            assert_eq!(Json::sent(text), Json(text.to_owned()));
        }
    }

    #[test]
    fn what_jsonb_does_not_hold_is_a_string_that_says_all_of_it() {
        let deep = "[".repeat(LEVELS_MAX + 1) + &"]".repeat(LEVELS_MAX + 1);
        for text in [
            "",
            "no JSON",
            r#"{"a": 1"#,
            r#"["\u0000"]"#,
            r#"{"\ud800": 1}"#,
            r#"["\ud800\u0041"]"#,
            r#"["\udc00"]"#,
            "[1e4001]",
            "[1E-99999999999]",
            &format!("[0.{}]", "1".repeat(NUMBER_CHARS_MAX)),
            &format!("[{}1]", "1e4000,".repeat(17)),
            &deep,
        ] {
            let json = Json::sent(text);
            assert_eq!(serde_json::from_str::<String>(&json.0).unwrap(), text);
        }
    }

    #[test]
    fn as_many_levels_as_may_be_are_kept() {
        let text = "[".repeat(LEVELS_MAX) + &"]".repeat(LEVELS_MAX);
        assert_eq!(Json::sent(&text), Json(text));
    }
}
