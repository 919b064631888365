//! Values of columns as a client writes them: parsed here, so that Postgres never has to refuse one.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use projections::table::{Column, ColumnKind};
use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::problem::Problem;

/// A value of one kind of column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Uuid(Uuid),
    Text(String),
    Integer(i32),
    Bigint(i64),
    Boolean(bool),
    Decimal(Decimal),
    Timestamp(DateTime<Utc>),
    Date(NaiveDate),
    Json(serde_json::Value),
    Inet(String),
    Time(NaiveTime),
}

impl Value {
    /// # Errors
    /// 400, naming the column and the form that its values have.
    pub fn parse(column: &Column, text: &str) -> Result<Self, Problem> {
        Self::of_kind(column.kind, text).ok_or_else(|| {
            Problem::bad_value(
                column.name,
                format!(
                    "{:?} is no value of {}; write {}",
                    shortened(text),
                    column.name,
                    form(column.kind)
                ),
            )
        })
    }

    /// As [`Value::parse`], of a value that the column can have: where it has a few words alone, another one is a slip, and
    /// would find nothing.
    ///
    /// # Errors
    /// As [`Value::parse`], and 400 with the words that there are.
    pub fn known(column: &Column, text: &str) -> Result<Self, Problem> {
        Self::is_word(column.name, column, text)?;
        Self::parse(column, text)
    }

    /// As [`Value::known`], of a parameter that is called otherwise than the column whose values it has.
    ///
    /// # Errors
    /// As [`Value::known`].
    pub fn known_as(name: &str, column: &Column, text: &str) -> Result<Self, Problem> {
        Self::is_word(name, column, text)?;
        Self::of_kind(column.kind, text)
            .ok_or_else(|| Problem::bad_value(name, format!("{name} must be {}", form(column.kind))))
    }

    fn is_word(name: &str, column: &Column, text: &str) -> Result<(), Problem> {
        let words = column.words();
        if words.is_empty() || words.contains(&text) {
            return Ok(());
        }
        let detail = format!("{name} is never {:?}; write one of its words", shortened(text));
        Err(Problem::bad_value(name, detail).allowed(words))
    }

    /// The value that a text stands for; none when it is not of the kind's form.
    #[must_use]
    pub fn of_kind(kind: ColumnKind, text: &str) -> Option<Self> {
        match kind {
            ColumnKind::Uuid => text.parse().ok().map(Self::Uuid),
            ColumnKind::Text => (!text.contains('\0')).then(|| Self::Text(text.to_owned())),
            ColumnKind::Integer => text.parse().ok().map(Self::Integer),
            ColumnKind::Bigint => text.parse().ok().map(Self::Bigint),
            ColumnKind::Boolean => text.parse().ok().map(Self::Boolean),
            ColumnKind::Decimal => domain::money::plain(text).map(Self::Decimal),
            ColumnKind::Timestamp => time(text).map(Self::Timestamp),
            ColumnKind::Date => date(text).map(Self::Date),
            ColumnKind::Json => serde_json::from_str(text)
                .ok()
                .filter(|json| !domain::canonical::contains_nul(json))
                .map(Self::Json),
            ColumnKind::Inet => inet(text).map(Self::Inet),
            ColumnKind::Time => text.parse().ok().map(Self::Time),
            // Nobody compares one with another.
            ColumnKind::Vector | ColumnKind::Bytea | ColumnKind::Texts | ColumnKind::Interval => None,
        }
    }

    /// The value in its one form, as keys are written in `changes`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Uuid(value) => value.to_string(),
            Self::Text(value) | Self::Inet(value) => value.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Bigint(value) => value.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::Decimal(value) => value.to_string(),
            Self::Timestamp(value) => value.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            Self::Date(value) => value.to_string(),
            Self::Json(value) => value.to_string(),
            Self::Time(value) => value.to_string(),
        }
    }

    /// Adds the value as an argument.
    pub fn push(&self, sql: &mut QueryBuilder<'_, Postgres>) {
        match self {
            Self::Uuid(value) => sql.push_bind(*value),
            Self::Text(value) => sql.push_bind(value.clone()),
            Self::Integer(value) => sql.push_bind(*value),
            Self::Bigint(value) => sql.push_bind(*value),
            Self::Boolean(value) => sql.push_bind(*value),
            Self::Decimal(value) => sql.push_bind(*value),
            Self::Timestamp(value) => sql.push_bind(*value),
            Self::Date(value) => sql.push_bind(*value),
            Self::Json(value) => sql.push_bind(sqlx::types::Json(value.clone())),
            Self::Inet(value) => sql.push_bind(value.clone()).push("::inet"),
            Self::Time(value) => sql.push_bind(*value),
        };
    }
}

/// How values of a kind are written, in words.
#[must_use]
pub fn form(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Uuid => "a uuid",
        ColumnKind::Text => "text without U+0000",
        ColumnKind::Integer => "a whole number from -2147483648 to 2147483647",
        ColumnKind::Bigint => "a whole number of 64 bits",
        ColumnKind::Boolean => "true or false",
        ColumnKind::Decimal => "a decimal number such as 12.50",
        ColumnKind::Timestamp => "a time such as 2026-01-31T08:00:00Z",
        ColumnKind::Date => "a date such as 2026-01-31",
        ColumnKind::Json => "JSON without U+0000",
        ColumnKind::Inet => "an IP address, or a network such as 10.0.0.0/8",
        ColumnKind::Time => "a time of day such as 08:30:00",
        ColumnKind::Vector | ColumnKind::Bytea | ColumnKind::Texts | ColumnKind::Interval => {
            "nothing: no value is compared with one of these"
        }
    }
}

/// An RFC 3339 time. A `+` that came unescaped is a blank by now.
#[must_use]
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    let time =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&text.replacen(' ', "+", 1)));
    time.ok().map(|time| time.with_timezone(&Utc))
}

fn date(text: &str) -> Option<NaiveDate> {
    // chrono alone would also take a sign, spaces and more digits.
    let formed = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.parse().ok().filter(|_| formed)
}

fn inet(text: &str) -> Option<String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    match bits {
        Some(bits) if bits <= bits_max => Some(format!("{address}/{bits}")),
        Some(_) => None,
        None => Some(address.to_string()),
    }
}

/// At most so many characters of what was sent are repeated in an answer.
const QUOTED_CHARS_MAX: usize = 60;

/// What was sent, as far as it is repeated.
pub fn shortened(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use projections::table::Words;

    use super::*;

    fn column(kind: ColumnKind) -> Column {
        Column {
            name: "c",
            kind,
            nullable: false,
            generated: false,
            hidden: false,
            doc: "",
            words: Words::Listed(&[]),
        }
    }

    #[test]
    fn every_kind_takes_its_values_and_nothing_else() {
        let table: &[(ColumnKind, &[&str], &[&str])] = &[
            (
                ColumnKind::Uuid,
                &["0190a3c4-7f00-7000-8000-1234567890ab"],
                &["", "x", "0190a3c4", "0190a3c4-7f00-7000-8000-1234567890ag"],
            ),
            (
                ColumnKind::Text,
                &["", "a", "ü%_", "'; drop table orders; --"],
                &["a\0b"],
            ),
            (
                ColumnKind::Integer,
                &["0", "-2147483648", "2147483647"],
                &["", "1.5", "2147483648", "0x1", "1e3", "NaN"],
            ),
            (
                ColumnKind::Bigint,
                &["9223372036854775807"],
                &["9223372036854775808", "one"],
            ),
            (ColumnKind::Boolean, &["true", "false"], &["1", "TRUE", "yes", ""]),
            (
                ColumnKind::Decimal,
                &["12.50", "-0.1", "79228162514264337593543950335"],
                &[
                    "",
                    "NaN",
                    "1e5",
                    "1,5",
                    "Infinity",
                    "1000000000000000000000000000000000",
                ],
            ),
            (
                ColumnKind::Timestamp,
                &[
                    "2026-01-31T08:00:00Z",
                    "2026-01-31T08:00:00.123456+02:00",
                    "2026-01-31T08:00:00 02:00",
                    "0000-01-01T00:00:00Z",
                ],
                &[
                    "",
                    "2026-01-31",
                    "infinity",
                    "now",
                    "2026-02-30T00:00:00Z",
                    "99999-01-01T00:00:00Z",
                ],
            ),
            (
                ColumnKind::Date,
                &["2026-01-31"],
                &["", "2026-02-30", "today", "+262142-01-01", "2026-1-31", "12026-01-31"],
            ),
            (
                ColumnKind::Json,
                &["{}", "[1,\"a\"]", "null"],
                &["", "{", "{\"a\":\"\\u0000\"}", "\"\\ud800\""],
            ),
            (
                ColumnKind::Inet,
                &["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"],
                &["", "10.0.0.1/33", "10.0.0", "::1/129", "host", "10.0.0.1/-1"],
            ),
        ];
        for (kind, good, bad) in table {
            for text in *good {
                assert!(Value::parse(&column(*kind), text).is_ok(), "{kind:?} {text}");
            }
            for text in *bad {
                assert!(Value::parse(&column(*kind), text).is_err(), "{kind:?} {text:?}");
            }
        }
    }
}
