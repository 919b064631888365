//! Times: as exact as they are kept, and as sentences tell them.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};

/// Digits of a second that timers and columns keep.
const KEPT_DIGITS: u16 = 6;

/// The end of a span of time that begins then, as exact as it is kept: a timer must not come a moment too early, and an event
/// must not say another time than its row.
#[must_use]
pub fn after(begin: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    (begin + span).trunc_subsecs(KEPT_DIGITS)
}

/// A time within a sentence: `2026-01-31T08:00:00Z`.
#[must_use]
pub fn told(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// When something happened, at the end of what is said of it: ` at 2026-01-31T08:00:00Z`; nothing where that is not known.
#[must_use]
pub fn at(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(String::new, |at| format!(" at {}", told(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_600_000_123_456_789);

    #[test]
    fn the_end_of_a_span_is_as_exact_as_a_timer_keeps_it() {
        let end = after(BEGIN, TimeDelta::minutes(30));
        assert_eq!(end, DateTime::from_timestamp_nanos(1_767_601_800_123_456_000));
    }

    #[test]
    fn a_time_is_told_to_the_second_as_json_has_it() {
        assert_eq!(told(BEGIN), "2026-01-05T08:00:00Z");
        assert_eq!(at(Some(BEGIN)), " at 2026-01-05T08:00:00Z");
        assert_eq!(at(None), "");
    }
}
