//! Amounts of money on their way in: exact, whether sent as a JSON string or as a JSON number.

use std::fmt;

use rust_decimal::Decimal;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::exact::NUMBER;

/// Decimals of every amount in the book.
pub const CENTS_DECIMALS: u32 = 2;

/// The amount with exactly two decimals, the way the book writes it; one that needs more decimals
/// is left as it is, for [`crate::text::price`] to refuse.
#[must_use]
pub fn cents(value: Decimal) -> Decimal {
    if value.is_zero() {
        return Decimal::new(0, CENTS_DECIMALS);
    }
    let mut cents = value;
    cents.rescale(CENTS_DECIMALS);
    if cents == value { cents } else { value }
}

/// The number that a text of the one plain form stands for: digits, with a minus before and a point among them where
/// they are needed. Signs, blanks, separators and exponents that other readers of numbers let pass are none.
#[must_use]
pub fn plain(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = match digits.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(digits),
    };
    is_plain.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

/// For `#[serde(deserialize_with)]`: an amount as `"12.50"` or `12.5`.
///
/// # Errors
/// When it is neither.
pub fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_any(Amount)
}

/// The same for an amount that may be absent or null.
///
/// # Errors
/// When it is present and no amount.
pub fn optional_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Present(#[serde(deserialize_with = "amount")] Decimal);

    Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(value)| value))
}

/// The schema of an amount that [`crate::text::price`] accepts.
pub fn price_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "number"],
        "pattern": PRICE_PATTERN,
        "minimum": 0,
        "exclusiveMaximum": 100_000_000,
    })
}

/// The same for one that may be absent or null.
pub fn optional_price_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "number", "null"],
        "pattern": PRICE_PATTERN,
        "minimum": 0,
        "exclusiveMaximum": 100_000_000,
    })
}

const PRICE_PATTERN: &str = r"^\d{1,8}(\.\d{1,2})?$";

struct Amount;

impl<'de> Visitor<'de> for Amount {
    type Value = Decimal;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an amount, as a string such as \"12.50\" or as a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        plain(text)
            .map(cents)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Decimal, E> {
        Ok(cents(Decimal::from(whole)))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Decimal, E> {
        Ok(cents(Decimal::from(whole)))
    }

    /// A number that 64 bits do not hold.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Decimal, A::Error> {
        match fields.next_key::<String>()? {
            Some(name) if name == NUMBER => self.visit_str(&fields.next_value::<String>()?),
            Some(_) | None => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }

    // The shortest text that reads back as this float is the text that was sent, for every amount
    // that a `decimal(10, 2)` column can hold; so nothing is lost on the way through the float.
    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Decimal, E> {
        Decimal::from_str_exact(&float.to_string())
            .map(cents)
            .map_err(|_| E::invalid_value(de::Unexpected::Float(float), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<Decimal, serde_json::Error> {
        amount(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn an_amount_is_read_from_a_string_or_a_number() {
        for json in ["\"12.5\"", "12.5", "12.50", "\"12.500\""] {
            assert_eq!(read(json).unwrap().to_string(), "12.50", "{json}");
        }
        assert_eq!(read("7").unwrap().to_string(), "7.00");
        assert_eq!(read("-0").unwrap().to_string(), "0.00");
    }

    #[test]
    fn an_amount_of_three_decimals_is_kept_for_the_check_to_refuse() {
        assert_eq!(read("\"0.125\"").unwrap().to_string(), "0.125");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for json in ["\"\"", "\"1,5\"", "true", "\"NaN\"", "[1]", "1e300", "null"] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_text_is_an_amount_in_the_plain_form_alone() {
        for text in [
            "1_000.50", "+5", "1e3", " 5", "5 ", "5.", ".5", "--5", "-", "0x5", "1.2.3", "٥", "1,000",
        ] {
            assert!(read(&format!("\"{text}\"")).is_err(), "{text:?}");
        }
        assert_eq!(read("\"-5\"").unwrap().to_string(), "-5.00");
        assert_eq!(read("\"0005.5\"").unwrap().to_string(), "5.50");
    }

    proptest! {
        #[test]
        fn no_amount_of_cents_changes_on_its_way_through_a_json_number(cents in 0_i64..10_000_000_000) {
            let sent = Decimal::new(cents, CENTS_DECIMALS);
            prop_assert_eq!(read(&sent.to_string()).unwrap(), sent);
        }
    }
}
