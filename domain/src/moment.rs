//! Times, as exact as they are kept.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// Digits of a second that timers and columns keep.
const KEPT_DIGITS: u16 = 6;

/// The end of a span of time that begins then, as exact as it is kept: a timer must not come a moment too early, and an event
/// must not say another time than its row.
#[must_use]
pub fn after(begin: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    (begin + span).trunc_subsecs(KEPT_DIGITS)
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
}
