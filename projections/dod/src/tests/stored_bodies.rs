//! What bodies of a tenant weigh.

use dod::delivery::{Delivery, Enclosed, Event};

use super::*;
use crate::stored_bodies::StoredBodiesRow;

fn received(bytes: u64, is_counted: bool) -> AnyEvent {
    received_with(bytes, None, is_counted)
}

/// With what came along.
fn received_with(bytes: u64, kept_bytes: Option<u64>, is_counted: bool) -> AnyEvent {
    AnyEvent::new::<Delivery>(Event::DeliveryReceived {
        source_id: SOURCE,
        token_id: SOURCE,
        enclosed: Enclosed::default(),
        body: Sealed::Erased,
        object: None,
        sha256: String::new(),
        bytes,
        body_until: at(0),
        kept_bytes,
        is_counted,
        is_brief: false,
    })
}

fn dropped(bytes: Option<u64>) -> AnyEvent {
    AnyEvent::new::<Delivery>(Event::DeliveryBodyDropped { bytes })
}

/// What happened, each to the delivery of this number.
fn weighed(events: Vec<(u128, AnyEvent)>) -> Option<StoredBodiesRow> {
    let places = (1_i64..).zip(events);
    let events: Vec<_> = places
        .map(|(position, (delivery, event))| recorded(position, Uuid::from_u128(delivery), 1, SYSTEM, event))
        .collect();
    folded(&TENANT, &events).unwrap()
}

#[test]
fn what_came_along_with_a_body_counts_with_it() {
    let row = weighed(vec![(1, received_with(100, Some(130), true))]);
    assert_eq!(row.map(|row| (row.bodies, row.bytes)), Some((1, 130)));
}

#[test]
fn a_body_counts_from_its_coming_to_its_going() {
    let row = weighed(vec![
        (1, received(100, true)),
        (2, received(20, true)),
        (1, dropped(Some(100))),
        (3, received(3, true)),
    ]);
    let row = row.unwrap();
    assert_eq!((row.bodies, row.bytes, row.position), (2, 23, 1));
    assert_eq!((row.tenant_id, row.updated_at), (TENANT, at(4)));
    let nothing = weighed(vec![(1, received(7, true)), (1, dropped(Some(7)))]).unwrap();
    assert_eq!((nothing.bodies, nothing.bytes), (0, 0));
}

#[test]
fn bodies_of_before_any_were_counted_neither_come_nor_go() {
    assert_eq!(weighed(vec![(1, received(100, false)), (1, dropped(None))]), None);
    let row = weighed(vec![
        (1, received(100, false)),
        (2, received(5, true)),
        (1, dropped(None)),
    ]);
    assert_eq!(row.map(|row| (row.bodies, row.bytes)), Some((1, 5)));
}

#[test]
fn streams_that_are_posted_late_come_to_the_same() {
    let of = |delivery, position| recorded(position, Uuid::from_u128(delivery), 1, SYSTEM, received(10, true));
    let gone = recorded(3, Uuid::from_u128(1), 2, SYSTEM, dropped(Some(10)));
    let in_order = [of(1, 1), of(2, 2), gone.clone()];
    let late = [of(2, 2), of(1, 1), gone];
    let rows = [in_order, late].map(|events| row::<StoredBodiesRow>(&TENANT, &events));
    assert_eq!(rows[0], rows[1]);
    assert_eq!((rows[0].bodies, rows[0].position), (1, 1));
}

#[test]
fn a_body_that_never_came_cannot_go() {
    let gone = recorded(1, DELIVERY, 1, SYSTEM, dropped(Some(1)));
    let folded = folded::<StoredBodiesRow>(&TENANT, &[gone]);
    assert_eq!(folded, Err(FoldError::MissingRow { table: "stored_bodies" }));
}
