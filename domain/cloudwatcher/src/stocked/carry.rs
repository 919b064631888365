//! Carrying forward: what lets that which is suggested again and again load as fast as what never is.

use super::{Event, Stocked};
use crate::stock::StockKey;

/// After how many events everything is carried forward at the earliest. A load reads hardly more than these.
pub const EVENTS_CARRIED_MIN: usize = 100;
/// How many suggestions to remember are worth waiting for one more event, so that what is carried does not outweigh what
/// happened.
pub const SUGGESTIONS_PER_EVENT: usize = 2;
/// Suggestions that one event carries; more go on in the events after it.
pub const SUGGESTIONS_CARRIED_MAX: usize = 1_000;

impl Stocked {
    /// The events that carry everything forward after one more, when it is time.
    pub(super) fn carried(&self, happens: &Event) -> Vec<Event> {
        let is_time =
            |events: u32| events as usize >= EVENTS_CARRIED_MIN + self.suggested.len() / SUGGESTIONS_PER_EVENT;
        if !is_time(self.events + 1) {
            return Vec::new();
        }
        let mut after = self.clone();
        after.evolved(happens);
        let suggested: Vec<StockKey> = after.suggested.into_iter().collect();
        let (first, rest) = suggested.split_at(suggested.len().min(SUGGESTIONS_CARRIED_MAX));
        let first = Event::StockSuggestionsCarriedForward {
            is_stocked: after.is_stocked,
            suggested: first.to_vec(),
        };
        let rest = rest
            .chunks(SUGGESTIONS_CARRIED_MAX)
            .map(|more| Event::StockSuggestionsCarriedOn {
                suggested: more.to_vec(),
            });
        std::iter::once(first).chain(rest).collect()
    }
}
