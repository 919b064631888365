//! The command that Daybook sends by itself when a reservation's time has come.

use uuid::Uuid;

use super::wait;
use crate::inventory::{Command, Event, Inventory};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen};

/// Ends reservations that expire, each at its time.
#[derive(Debug)]
pub struct StockExpiry;

impl Policy for StockExpiry {
    fn name(&self) -> &'static str {
        "stock-expiry"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Inventory::TYPE]
    }

    /// Whether goods that were drawn from a reservation were the last of it.
    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        recorded.of::<Inventory>().and_then(drawn_on).is_some()
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let Some(event) = seen.recorded.of::<Inventory>() else {
            return Vec::new();
        };
        let stream = seen.recorded.stream;
        match event {
            Event::StockReserved {
                reservation_id,
                expires_at: Some(due_at),
                ..
            } => {
                let reservation_id = *reservation_id;
                let expire = Command::Expire { reservation_id };
                vec![wait::<Inventory>(
                    timer(stream, reservation_id),
                    *due_at,
                    stream,
                    expire,
                )]
            }
            Event::ReservationReleased { reservation_id, .. } | Event::ReservationExpired { reservation_id, .. } => {
                vec![forget(stream, *reservation_id)]
            }
            Event::StockIssued { .. } | Event::StockConsumed { .. } | Event::StockTransferredOut { .. } => {
                let is_over = |id: &Uuid| {
                    let now = seen.state::<Inventory>();
                    now.is_some_and(|now| now.reservation(*id).is_none())
                };
                let ended = drawn_on(event).filter(is_over);
                ended.map(|id| forget(stream, id)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The reservation that goods were drawn from.
fn drawn_on(event: &Event) -> Option<Uuid> {
    match event {
        Event::StockIssued { reservation_id, .. }
        | Event::StockConsumed { reservation_id, .. }
        | Event::StockTransferredOut { reservation_id, .. } => *reservation_id,
        _ => None,
    }
}

/// People choose the ids of reservations, and two records may have the same.
fn timer(stream: Uuid, reservation_id: Uuid) -> Uuid {
    Uuid::new_v5(&stream, reservation_id.as_bytes())
}

fn forget(stream: Uuid, reservation_id: Uuid) -> Reaction {
    Reaction::Forget {
        timer: timer(stream, reservation_id),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::inventory::{Levels, StockKey};
    use crate::policies::tests::recorded;
    use domain::Sending;
    use rehearsal::given::{TENANT, state};

    const KEPT: Uuid = Uuid::from_u128(0x40);
    const DEPARTMENT: Uuid = Uuid::from_u128(0x41);
    const STOCK: StockKey = StockKey {
        part_id: Uuid::from_u128(1),
        variant_id: None,
        location_id: Uuid::from_u128(2),
    };

    fn due() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(1)
    }

    /// The reactions to the last of these events; it is the only one that is looked at.
    fn react(events: &[Event]) -> Vec<Reaction> {
        let opened = Event::InventoryOpened {
            stock: STOCK,
            department_id: DEPARTMENT,
            reorder_point: None,
            reorder_quantity: None,
        };
        let now: Inventory = state(std::iter::once(opened).chain(events.iter().cloned()));
        let recorded = recorded::<Inventory>(STOCK.stream(TENANT), events.last().unwrap().clone());
        let wanted = StockExpiry.wants_state(&recorded);
        StockExpiry.react(&Seen::new(&recorded, wanted.then(|| Arc::new(now) as _)))
    }

    fn reserved(expires_at: Option<DateTime<Utc>>) -> Event {
        Event::StockReserved {
            stock: STOCK,
            reservation_id: KEPT,
            quantity: 3,
            source: None,
            expires_at,
            after: Levels::default(),
        }
    }

    fn issued(quantity: i32, reservation_id: Option<Uuid>) -> Event {
        Event::StockIssued {
            stock: STOCK,
            quantity,
            reservation_id,
            source: None,
            still_to_come: None,
            after: Levels::default(),
        }
    }

    fn forgotten() -> [Reaction; 1] {
        [forget(STOCK.stream(TENANT), KEPT)]
    }

    #[test]
    fn the_policy_is_one_of_the_list_and_reads_stock() {
        assert!(
            crate::CONTEXT
                .policies
                .iter()
                .any(|policy| policy.name() == "stock-expiry")
        );
        assert_eq!(StockExpiry.reads(), ["cloudwatcher.inventory"]);
    }

    #[test]
    fn a_reservation_that_expires_is_waited_for_and_another_one_is_not() {
        let stream = STOCK.stream(TENANT);
        let expire = Command::Expire { reservation_id: KEPT };
        assert_eq!(
            react(&[reserved(Some(due()))]),
            [Reaction::Wait {
                timer: timer(stream, KEPT),
                due_at: due(),
                sending: Sending::of::<Inventory>(stream, expire),
            }]
        );
        assert_eq!(react(&[reserved(None)]), []);
    }

    #[test]
    fn a_reservation_that_has_ended_is_waited_for_no_longer() {
        let released = Event::ReservationReleased {
            stock: STOCK,
            reservation_id: KEPT,
            quantity: 3,
            source: None,
            after: Levels::default(),
        };
        assert_eq!(react(&[reserved(Some(due())), released]), forgotten());
        assert_eq!(react(&[reserved(Some(due())), issued(3, Some(KEPT))]), forgotten());
    }

    #[test]
    fn a_reservation_of_which_something_is_left_is_still_waited_for() {
        assert_eq!(react(&[reserved(Some(due())), issued(2, Some(KEPT))]), []);
        assert_eq!(react(&[reserved(Some(due())), issued(2, None)]), []);
    }
}
