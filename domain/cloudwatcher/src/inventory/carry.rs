//! Carrying forward: what lets a busy stock key load as fast as a quiet one.

use super::{Event, Inventory, Record};

/// After how many events everything is carried forward at the earliest. A load reads hardly more than these.
pub const EVENTS_CARRIED_MIN: usize = 100;
/// How many reservations to remember are worth waiting for one more event, so that what is carried does not
/// outweigh what happened: a record that is full waits for about 250.
pub const RESERVATIONS_PER_EVENT: usize = 8;

impl Inventory {
    /// The event that carries everything forward, when it is time.
    pub(super) fn carried(&self) -> Option<Event> {
        let record = self.record().filter(|record| record.is_to_carry())?;
        Some(Event::StockCarriedForward {
            record: Box::new(Record {
                events: 0,
                ..record.clone()
            }),
        })
    }
}

impl Record {
    fn is_to_carry(&self) -> bool {
        // As many reservations as the other things weigh.
        let weight = self.reservations.len() + self.expected.len() / 4 + self.ended.len() / 16;
        self.events as usize >= EVENTS_CARRIED_MIN + weight / RESERVATIONS_PER_EVENT
    }
}
