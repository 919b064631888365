//! What an order is to bring before and after it is placed, and what it says when stock cannot count it.

use super::*;
use crate::inventory::{self, Inventory};
use crate::stock::StockKey;
use domain::SYSTEM;
use rehearsal::given::{Given, TENANT, given};

const REFUSED: Command = Command::NoteStockRefused {
    booking: Booking::Expectation {},
};

fn noted(is_open: bool) -> Event {
    Event::OrderStockRefused {
        booking: Booking::Expectation {},
        is_open,
    }
}

/// [`drafted_for`], following a suggestion to reorder.
fn reordered() -> Event {
    let mut drafted = drafted_for(OTHER);
    if let Event::OrderDrafted { is_reorder, .. } = &mut drafted {
        *is_reorder = true;
    }
    drafted
}

fn accepted_by(order_id: Uuid) -> Given<Order> {
    let stock = StockKey {
        part_id: PART,
        variant_id: Some(VARIANT),
        location_id: OTHER,
    };
    let accept = inventory::Command::AcceptReorder {
        suggestion_id: OTHER,
        order_id,
        quantity: 3,
        part_supplier_id: OTHER,
    };
    given([])
        .with_facts(known().with(OTHER, Register::Entered(location())))
        .together_with::<Inventory>(stock.stream(TENANT), accept)
}

#[test]
fn a_draft_says_whether_a_suggestion_to_reorder_is_accepted_along_with_it() {
    let draft = || {
        Command::Draft(NewOrder {
            location_id: Some(OTHER),
            ..new_order(vec![one()])
        })
    };
    accepted_by(STREAM).when(draft()).then([reordered()]);
    accepted_by(OTHER).when(draft()).then([drafted_for(OTHER)]);
}

#[test]
fn a_copy_of_an_order_follows_no_suggestion() {
    let facts = known()
        .with(OTHER, Register::Entered(location()))
        .with(MANAGER, state::<Order>([reordered()]));
    let copy = Command::Duplicate {
        of: MANAGER,
        note: None,
    };
    let events = given::<Order>([]).with_facts(facts).when(copy).events();
    assert!(matches!(events[..], [Event::OrderDrafted { is_reorder: false, .. }]));
}

#[test]
fn an_order_is_to_bring_what_is_open_of_it_and_one_that_follows_a_suggestion_all_from_its_draft_on() {
    let brings = |past: &[Event]| state::<Order>(past.to_vec()).to_bring();
    let all = [of(drawn(0), 3)];
    let past = [drafted_for(OTHER), submitted(), approved(), Event::OrderPlaced {}];
    for until in 1..past.len() {
        assert_eq!(brings(&past[..until]), []);
    }
    assert_eq!(brings(&past), all);
    let past = [reordered(), submitted(), approved(), Event::OrderPlaced {}];
    for until in 1..=past.len() {
        assert_eq!(brings(&past[..until]), all);
    }
    let over = |end: Event| brings(&[&past[..], &[end]].concat());
    assert_eq!(over(Event::OrderCancelled {}), []);
}

#[test]
fn what_cannot_be_counted_as_on_order_is_said_once_and_can_be_retried_once_the_order_is_placed() {
    let placed = || vec![drafted_for(OTHER), submitted(), approved(), Event::OrderPlaced {}];
    given::<Order>(placed()).by(SYSTEM).when(REFUSED).then([noted(true)]);
    let again = || placed().into_iter().chain([noted(true)]);
    given::<Order>(again()).by(SYSTEM).when(REFUSED).then([]);
    given::<Order>(again())
        .when(Command::RetryStock {})
        .then([Event::OrderStockRetried {
            bookings: vec![Booking::Expectation {}],
        }]);
    // Placing says it to stock again.
    for past in [vec![reordered()], vec![reordered(), submitted()]] {
        given::<Order>(past.clone())
            .by(SYSTEM)
            .when(REFUSED)
            .then([noted(false)]);
        let past = past.into_iter().chain([noted(false)]);
        given::<Order>(past)
            .when(Command::RetryStock {})
            .refused(Refusal::NothingRefused);
    }
}

#[test]
fn of_an_order_that_brings_nothing_nothing_is_missing_on_order() {
    let cancelled = vec![reordered(), Event::OrderCancelled {}];
    for past in [vec![drafted_for(OTHER)], cancelled, placed()] {
        given::<Order>(past).by(SYSTEM).when(REFUSED).then([]);
    }
}
