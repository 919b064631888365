//! What a field holds: its Rust type as one of the few kinds of column, and its value as one of theirs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Word;
use crate::bytes::Bytes;
use crate::interval::Interval;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Uuid,
    Text,
    Integer,
    Bigint,
    Boolean,
    Decimal,
    Timestamp,
    Date,
    Time,
    Interval,
    Json,
    Bytea,
    Texts,
    Vector,
}

/// A value of a field, whatever its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Uuid(Uuid),
    Text(String),
    Whole(i64),
    Flag(bool),
    Amount(Decimal),
    Moment(DateTime<Utc>),
    Date(NaiveDate),
    Time(NaiveTime),
    Interval(Interval),
    Json(Json),
    Bytes(Bytes),
    Texts(Vec<String>),
    Vector(Vec<f32>),
}

impl Value {
    /// The value in its one form, as keys and unique values are written; empty for none.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Uuid(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::Whole(value) => value.to_string(),
            Self::Flag(value) => value.to_string(),
            Self::Amount(value) => value.normalize().to_string(),
            Self::Moment(value) => value.to_rfc3339_opts(SecondsFormat::Micros, true),
            Self::Date(value) => value.to_string(),
            Self::Time(value) => value.to_string(),
            Self::Interval(value) => value.to_string(),
            Self::Json(value) => value.to_string(),
            Self::Bytes(value) => STANDARD.encode(value.as_ref()),
            Self::Texts(_) | Self::Vector(_) => format!("{self:?}"),
        }
    }

    /// The value of a key's column that this text stands for; none when it is not written in the one form, or no key has
    /// such a column.
    #[must_use]
    pub fn of_key(kind: Kind, text: &str) -> Option<Self> {
        let value = match kind {
            Kind::Uuid => Self::Uuid(text.parse().ok()?),
            Kind::Text => Self::Text(text.to_owned()),
            Kind::Integer => Self::Whole(text.parse::<i32>().ok()?.into()),
            Kind::Bigint => Self::Whole(text.parse().ok()?),
            Kind::Date => Self::Date(text.parse().ok()?),
            Kind::Boolean | Kind::Decimal | Kind::Timestamp | Kind::Time | Kind::Interval => return None,
            Kind::Json | Kind::Bytea | Kind::Texts | Kind::Vector => return None,
        };
        // 007 is no other number than 7, and a uuid has one case.
        (value.text() == text).then_some(value)
    }
}

/// A Rust type that a field of a plain kind can have.
pub trait Held {
    const KIND: Kind;
    const NULLABLE: bool = false;
    /// The words that it holds, where there are only a few.
    const WORDS: &'static [&'static str] = &[];

    fn value(&self) -> Value;
}

macro_rules! held {
    ($($held:ty = $kind:ident, |$value:ident| $make:expr;)+) => {$(
        impl Held for $held {
            const KIND: Kind = Kind::$kind;

            fn value(&self) -> Value {
                let $value = self;
                $make
            }
        }
    )+};
}

held! {
    Uuid = Uuid, |id| Value::Uuid(*id);
    String = Text, |text| Value::Text(text.clone());
    i32 = Integer, |number| Value::Whole((*number).into());
    i64 = Bigint, |number| Value::Whole(*number);
    bool = Boolean, |flag| Value::Flag(*flag);
    Decimal = Decimal, |amount| Value::Amount(*amount);
    DateTime<Utc> = Timestamp, |moment| Value::Moment(*moment);
    NaiveDate = Date, |date| Value::Date(*date);
    NaiveTime = Time, |time| Value::Time(*time);
    Interval = Interval, |interval| Value::Interval(*interval);
    Json = Json, |json| Value::Json(json.clone());
    Map<String, Json> = Json, |object| Value::Json(Json::Object(object.clone()));
    Bytes = Bytea, |bytes| Value::Bytes(bytes.clone());
    Vec<String> = Texts, |texts| Value::Texts(texts.clone());
    Vec<f32> = Vector, |numbers| Value::Vector(numbers.clone());
}

impl<W: Word> Held for W {
    const KIND: Kind = Kind::Text;
    const WORDS: &'static [&'static str] = W::VARIANTS;

    fn value(&self) -> Value {
        let word: &'static str = (*self).into();
        Value::Text(word.to_owned())
    }
}

impl<H: Held> Held for Option<H> {
    const KIND: Kind = H::KIND;
    const NULLABLE: bool = true;
    const WORDS: &'static [&'static str] = H::WORDS;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, H::value)
    }
}

/// A number as people write it: 4,000.
#[must_use]
pub(super) fn grouped(number: i64) -> Cow<'static, str> {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match number {
        ..0 => Cow::Owned(format!("-{grouped}")),
        0.. => Cow::Owned(grouped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_key_has_one_form_and_no_other() {
        for (kind, text) in [
            (Kind::Integer, "7"),
            (Kind::Text, "a/b \"c\" 名"),
            (Kind::Date, "2026-01-31"),
            (Kind::Uuid, "0190a3c4-7f00-7000-8000-1234567890ab"),
        ] {
            assert_eq!(
                Value::of_key(kind, text).map(|value| value.text()).as_deref(),
                Some(text)
            );
        }
        for (kind, text) in [
            (Kind::Integer, "007"),
            (Kind::Integer, "3000000000"),
            (Kind::Uuid, "0190A3C4-7F00-7000-8000-1234567890AB"),
            (Kind::Date, "2026-1-31"),
            (Kind::Json, "{}"),
        ] {
            assert_eq!(Value::of_key(kind, text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_told_in_groups_of_three() {
        let told = [0, 999, 1_000, -4_000, 43_200, 1_000_000].map(grouped);
        assert_eq!(told, ["0", "999", "1,000", "-4,000", "43,200", "1,000,000"]);
    }
}
