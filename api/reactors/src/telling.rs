//! Failed attempts in the log: each once, and no more lines than somebody reads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that a reactor writes about failed attempts within [`SPAN_SECONDS`].
const LINES_MAX: u32 = 20;
const SPAN_SECONDS: u64 = 60;

/// The room for lines about failed attempts of one reactor. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Telling(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// When the span began of which these are.
    since: Option<Instant>,
    lines: u32,
    /// Lines for which there was no room since the last one.
    withheld: u64,
}

impl Telling {
    /// How many lines were withheld before this one; `None` when this one is withheld, too.
    pub fn line(&self, now: Instant) -> Option<u64> {
        // Nothing that panics happens while it is locked.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Instant| now.duration_since(since) >= Duration::from_secs(SPAN_SECONDS);
        if told.since.is_none_or(is_over) {
            (told.since, told.lines) = (Some(now), 0);
        }
        if told.lines >= LINES_MAX {
            told.withheld += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_attempt_has_a_line_until_there_are_many_and_then_their_count() {
        let (telling, start) = (Telling::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for line in 0..LINES_MAX {
            assert_eq!(telling.line(at(u64::from(line))), Some(0));
        }
        assert_eq!([telling.line(at(30)), telling.line(at(59))], [None, None]);
        assert_eq!(telling.line(at(60)), Some(2));
        assert_eq!(telling.clone().line(at(61)), Some(0));
    }
}
