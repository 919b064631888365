use chrono::TimeDelta;
use uuid::Uuid;

use super::{ORDER, STOCK, VARIANT, levels, now, received, reserved, stocked};
use crate::inventory::{
    Command, ENDED_REMEMBERED, EVENTS_CARRIED_MIN, Event, Inventory, Levels, ORDERS_EXPECTED_MAX, RESERVATIONS_MAX,
    STOCK_MAX, StockKey, Suggestion,
};
use domain::{Decider, event};
use rehearsal::given::state;

/// Bytes that an event with all its metadata may take in the book, less what metadata may take.
const BYTES_MAX: usize = (256 << 10) - (16 << 10);

fn receive() -> Command {
    Command::Receive {
        quantity: 1,
        source: None,
        stock: None,
        still_to_come: None,
    }
}

#[test]
fn everything_is_carried_forward_after_so_many_events() {
    const MIN: i32 = EVENTS_CARRIED_MIN as i32;
    // Opened, and so many moves.
    let moves = |count: i32| (1..=count).map(|n| received(1, levels(n, 0, 0)));
    stocked(moves(MIN - 3))
        .when(receive())
        .then([received(1, levels(MIN - 2, 0, 0))]);
    let events = stocked(moves(MIN - 2)).when(receive()).events();
    let [_, carried @ Event::StockCarriedForward { .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(Inventory::CARRIES_FORWARD, Some(<&str>::from(carried)));
    // And not again with the next one.
    let loaded: Inventory = state([carried.clone()]);
    assert_eq!(loaded.on_hand(), MIN - 1);
    assert_eq!(loaded.carried(), None);
}

#[test]
fn who_has_more_to_carry_carries_it_less_often() {
    let kept = |n: i32| reserved(Uuid::from_u128(n.unsigned_abs().into()), 1, levels(1_000, n, 0));
    let past = std::iter::once(received(1_000, levels(1_000, 0, 0))).chain((1..=EVENTS_CARRIED_MIN as i32).map(kept));
    stocked(past)
        .when(receive())
        .then([received(1, levels(1_001, EVENTS_CARRIED_MIN as i32, 0))]);
}

/// A record that has as much to remember as it may.
fn fullest() -> Inventory {
    let all = i32::MAX;
    let stock = StockKey {
        variant_id: Some(VARIANT),
        ..STOCK
    };
    let any = |levels: Levels| levels;
    let id = |of: u128, n: usize| Uuid::new_v5(&Uuid::from_u128(of), &n.to_be_bytes());
    let ended = (0..ENDED_REMEMBERED).flat_map(|n| {
        let reservation_id = id(1, n);
        let released = Event::ReservationReleased {
            stock,
            reservation_id,
            quantity: 1,
            source: None,
            after: any(levels(0, 0, 0)),
        };
        [reserved(reservation_id, 1, levels(0, 1, 0)), released]
    });
    let live = (0..RESERVATIONS_MAX).map(|n| Event::StockReserved {
        stock,
        reservation_id: id(2, n),
        quantity: STOCK_MAX / RESERVATIONS_MAX as i32,
        source: Some(super::Source {
            kind: super::SourceKind::Request,
            ..ORDER
        }),
        expires_at: Some(now() + TimeDelta::nanoseconds(123_456_789)),
        after: levels(0, 0, 0),
    });
    let expected = (0..ORDERS_EXPECTED_MAX).map(|n| Event::StockExpected {
        stock,
        order_id: id(3, n),
        quantity: STOCK_MAX / ORDERS_EXPECTED_MAX as i32,
        after: levels(0, 0, 0),
    });
    let suggested = Event::ReorderSuggested {
        stock,
        suggestion: Suggestion {
            suggestion_id: id(4, 0),
            on_hand: all,
            reserved: all,
            on_order: all,
            projected: all,
            reorder_point: all,
            reorder_quantity: Some(all),
            quantity: all,
        },
    };
    let opened = Event::InventoryOpened {
        stock,
        department_id: super::DEPARTMENT,
        reorder_point: Some(STOCK_MAX),
        reorder_quantity: Some(STOCK_MAX),
    };
    let past = std::iter::once(opened).chain(ended).chain(live).chain(expected);
    state(past.chain([suggested]))
}

#[test]
fn all_that_a_record_may_remember_fits_an_event() {
    let carried = fullest().carried().unwrap();
    let payload = event::encode(&carried).unwrap();
    println!("{} bytes", payload.len());
    assert!(payload.len() < BYTES_MAX, "{} bytes", payload.len());
}

#[test]
fn what_is_carried_forward_reads_back_as_it_was() {
    let carried = fullest().carried().unwrap();
    let payload = event::encode(&carried).unwrap();
    let stored = event::Stored {
        event_type: "StockCarriedForward",
        version: event::EVENT_VERSION,
        payload: &payload,
        actor: Uuid::nil(),
    };
    let read: Event = event::decode(&stored).unwrap();
    assert_eq!(read, carried);
    let mut loaded = Inventory::default();
    loaded.evolve(&read);
    assert_eq!(loaded.carried(), None);
    assert_eq!(loaded.levels(), fullest().levels());
}
