//! Spans of time as Postgres keeps them: months, days and microseconds apart, since a month has no fixed number of days, and
//! a day none of hours.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MONTHS_OF_A_YEAR: i64 = 12;
const DAYS_OF_A_WEEK: i64 = 7;
const MICROS_OF_A_SECOND: i64 = 1_000_000;
const MICROS_OF_A_MINUTE: i64 = 60 * MICROS_OF_A_SECOND;
const MICROS_OF_AN_HOUR: i64 = 60 * MICROS_OF_A_MINUTE;
/// What entries have less of: 10,000 years.
const MONTHS_BELOW: i32 = 120_000;
const DAYS_BELOW: i32 = 3_652_425;
const MICROS_BELOW: i64 = 3_652_425 * 24 * MICROS_OF_AN_HOUR;
/// Decimals of a second that are kept.
const DECIMALS: usize = 6;

/// A span of time, as ISO 8601 writes durations: `P1Y2M3DT4H5M6.5S`. None of its parts is negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub microseconds: i64,
}

/// That a text is no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration such as PT90M, P1D or P1Y2M3DT4H5M6.5S")]
pub struct NoInterval;

impl Interval {
    /// Whether each part is one that a column keeps as a span: Postgres means eternity by the largest of all three.
    #[must_use]
    pub const fn is_kept(self) -> bool {
        self.months < MONTHS_BELOW && self.days < DAYS_BELOW && self.microseconds < MICROS_BELOW
    }
}

impl FromStr for Interval {
    type Err = NoInterval;

    fn from_str(text: &str) -> Result<Self, NoInterval> {
        let (date, time) = match text.strip_prefix('P').ok_or(NoInterval)?.split_once('T') {
            Some((_, "")) => return Err(NoInterval),
            Some((date, time)) => (date, time),
            None => (text.strip_prefix('P').unwrap_or_default(), ""),
        };
        if date.is_empty() && time.is_empty() {
            return Err(NoInterval);
        }
        let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes, seconds] = parts(time, ['H', 'M', 'S'])?;
        // Only seconds have decimals.
        let whole = |part: Part| {
            if part.micros == 0 {
                Ok(part.whole)
            } else {
                Err(NoInterval)
            }
        };
        let sum = |parts: [(i64, i64); 3]| {
            parts
                .iter()
                .try_fold(0_i64, |sum, (count, of)| sum.checked_add(count.checked_mul(*of)?))
        };
        let months = sum([(whole(years)?, MONTHS_OF_A_YEAR), (whole(months)?, 1), (0, 0)]);
        let days = sum([(whole(weeks)?, DAYS_OF_A_WEEK), (whole(days)?, 1), (0, 0)]);
        let microseconds = sum([
            (whole(hours)?, MICROS_OF_AN_HOUR),
            (whole(minutes)?, MICROS_OF_A_MINUTE),
            (seconds.whole, MICROS_OF_A_SECOND),
        ]);
        let small = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok()).ok_or(NoInterval);
        Ok(Self {
            months: small(months)?,
            days: small(days)?,
            microseconds: microseconds
                .and_then(|micros| micros.checked_add(seconds.micros))
                .ok_or(NoInterval)?,
        })
    }
}

/// A number before a letter, its decimals apart.
#[derive(Clone, Copy, Default)]
struct Part {
    whole: i64,
    micros: i64,
}

/// The numbers before these letters, which stand in this order and may be left out.
fn parts<const N: usize>(mut text: &str, letters: [char; N]) -> Result<[Part; N], NoInterval> {
    let mut found = [Part::default(); N];
    for (part, letter) in found.iter_mut().zip(letters) {
        let Some((number, rest)) = text.split_once(letter) else {
            continue;
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(decimals) || decimals.len() > DECIMALS {
            return Err(NoInterval);
        }
        if number.len() > whole.len() && decimals.is_empty() {
            return Err(NoInterval);
        }
        part.whole = whole.parse().map_err(|_| NoInterval)?;
        part.micros = format!("{decimals:0<DECIMALS$}").parse().map_err(|_| NoInterval)?;
        text = rest;
    }
    if text.is_empty() { Ok(found) } else { Err(NoInterval) }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (months, days) = (i64::from(self.months), i64::from(self.days));
        let (seconds, micros) = (
            self.microseconds / MICROS_OF_A_SECOND,
            self.microseconds % MICROS_OF_A_SECOND,
        );
        let mut date = String::from("P");
        let mut time = String::from("T");
        let add = |text: &mut String, number: i64, letter: char| {
            if number != 0 {
                text.push_str(&number.to_string());
                text.push(letter);
            }
        };
        add(&mut date, months / MONTHS_OF_A_YEAR, 'Y');
        add(&mut date, months % MONTHS_OF_A_YEAR, 'M');
        add(&mut date, days, 'D');
        add(&mut time, seconds / 3_600, 'H');
        add(&mut time, seconds / 60 % 60, 'M');
        if micros == 0 {
            add(&mut time, seconds % 60, 'S');
        } else {
            let decimals = format!("{micros:0DECIMALS$}");
            time.push_str(&format!("{}.{}S", seconds % 60, decimals.trim_end_matches('0')));
        }
        match (date.len(), time.len()) {
            (1, 1) => f.write_str("PT0S"),
            (_, 1) => f.write_str(&date),
            _ => write!(f, "{date}{time}"),
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Interval {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_and_written_as_iso_8601_has_durations() {
        for (text, written) in [
            ("P1Y2M3DT4H5M6.5S", "P1Y2M3DT4H5M6.5S"),
            ("P14M", "P1Y2M"),
            ("P2W", "P14D"),
            ("PT90M", "PT1H30M"),
            ("PT36H", "PT36H"),
            ("PT0S", "PT0S"),
            ("P0D", "PT0S"),
            ("PT0.000001S", "PT0.000001S"),
        ] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(interval), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "P1H",
            "PT1D",
            "P-1D",
            "P1.5D",
            "PT1.S",
            "PT1.0000001S",
            "P1D2M",
            "P99999999999D",
            "P1DT",
            "PT99999999999999999H",
            "p1d",
            "P1 D",
        ] {
            assert_eq!(text.parse::<Interval>(), Err(NoInterval), "{text}");
        }
    }
}
