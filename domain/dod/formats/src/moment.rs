//! Times as senders write them.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};

/// What became of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(DateTime<Utc>),
    /// The zero of some language: it has not happened.
    Unset,
    WithoutZone,
    NotUnderstood,
}

impl Moment {
    pub(crate) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Moment::At(at) => Some(at),
            Moment::Unset | Moment::WithoutZone | Moment::NotUnderstood => None,
        }
    }
}

/// Reads a time: RFC 3339 and its relatives with a zone, or an epoch in seconds, milli-, micro- or nanoseconds.
pub(crate) fn read(text: &str) -> Moment {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let found = match digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.contains(|c: char| c.is_ascii_digit())
    {
        true if digits.matches('.').count() <= 1 => epoch(text),
        _ => written(text),
    };
    match found {
        Moment::At(at) if !is_sane(at) => unset_or_strange(at),
        other => other,
    }
}

// Later than what a column of the database or four digits of a year can show is no time of an alert.
fn is_sane(at: DateTime<Utc>) -> bool {
    at.timestamp() > 0 && at.timestamp() < 253_402_300_800
}

fn unset_or_strange(at: DateTime<Utc>) -> Moment {
    let year_one = -62_135_596_800;
    if at.timestamp() == 0 || (year_one..year_one + 86_400).contains(&at.timestamp()) {
        Moment::Unset
    } else {
        Moment::NotUnderstood
    }
}

// The unit is told by the size: seconds have 10 digits until the year 2286, and every other unit three more.
fn epoch(text: &str) -> Moment {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Ok(count) = whole.parse::<i64>() else {
        return Moment::NotUnderstood;
    };
    let (seconds, nanoseconds) = match count.unsigned_abs() {
        0..100_000_000_000 => (count, part_of_second(fraction)),
        100_000_000_000..100_000_000_000_000 => (count.div_euclid(1_000), count.rem_euclid(1_000) * 1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => {
            (count.div_euclid(1_000_000), count.rem_euclid(1_000_000) * 1_000)
        }
        _ => (count.div_euclid(1_000_000_000), count.rem_euclid(1_000_000_000)),
    };
    match Utc.timestamp_opt(seconds, nanoseconds as u32).single() {
        Some(at) => Moment::At(micros(at)),
        None => Moment::NotUnderstood,
    }
}

fn part_of_second(fraction: &str) -> i64 {
    let nine: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().unwrap_or(0)
}

fn written(text: &str) -> Moment {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Moment::At(micros(at.with_timezone(&Utc)));
    }
    for shape in [
        "%Y-%m-%dT%H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%a, %d %b %Y %H:%M:%S %z",
    ] {
        if let Ok(at) = DateTime::parse_from_str(text, shape) {
            return Moment::At(micros(at.with_timezone(&Utc)));
        }
    }
    if let Some(bare) = text.strip_suffix(" UTC") {
        return match NaiveDateTime::parse_from_str(bare, "%Y-%m-%d %H:%M:%S%.f") {
            Ok(at) => Moment::At(micros(at.and_utc())),
            Err(_) => Moment::NotUnderstood,
        };
    }
    let bare = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y.%m.%d %H:%M:%S"];
    match bare
        .iter()
        .any(|shape| NaiveDateTime::parse_from_str(text, shape).is_ok())
    {
        true => Moment::WithoutZone,
        false => Moment::NotUnderstood,
    }
}

// The database keeps microseconds: a time that is read back must be the time that was noted.
fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        read(text)
            .at()
            .map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
            .unwrap_or_default()
    }

    #[test]
    fn an_epoch_is_understood_in_each_of_its_units() {
        assert_eq!(at("1420452191"), "2015-01-05T10:03:11.000000Z");
        assert_eq!(at("1420452191.25"), "2015-01-05T10:03:11.250000Z");
        assert_eq!(at("1420452191104"), "2015-01-05T10:03:11.104000Z");
        assert_eq!(at("1420452191104001"), "2015-01-05T10:03:11.104001Z");
        assert_eq!(at("1420452193166002246"), "2015-01-05T10:03:13.166002Z");
    }

    #[test]
    fn a_written_time_needs_its_zone() {
        assert_eq!(at("2026-03-01T10:00:00.123+02:00"), "2026-03-01T08:00:00.123000Z");
        assert_eq!(at("2026-03-01T10:00:00.000+0000"), "2026-03-01T10:00:00.000000Z");
        assert_eq!(at("2026-03-01 10:00:00 UTC"), "2026-03-01T10:00:00.000000Z");
        assert_eq!(read("2026-03-01T10:00:00"), Moment::WithoutZone);
        assert_eq!(read("2026.03.01 10:00:00"), Moment::WithoutZone);
    }

    #[test]
    fn a_zero_is_no_time_and_a_strange_one_is_none_either() {
        assert_eq!(read("0001-01-01T00:00:00Z"), Moment::Unset);
        assert_eq!(read("1970-01-01T00:00:00Z"), Moment::Unset);
        assert_eq!(read("0"), Moment::Unset);
        for text in [
            "",
            ".",
            "-",
            "1e400",
            "99999999999999999999",
            "-1",
            "1900-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "{DATE} {TIME}",
            "2026-02-30T00:00:00Z",
            "9223372036854775807",
            "１２３",
        ] {
            if text == "9223372036854775807" {
                assert!(read(text).at().is_some(), "the year 2262, in nanoseconds");
            } else {
                assert_eq!(read(text), Moment::NotUnderstood, "{text}");
            }
        }
    }
}
