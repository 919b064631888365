//! The commands that an order offers in each state.

use super::*;
use domain::SYSTEM;
use rehearsal::given::{Given, given};

const CHANGES: [&str; 4] = ["add-item", "change-item", "change-currency", "annotate"];
/// The commands that these rules are about.
const RULED: [&str; 11] = [
    "add-item",
    "change-item",
    "change-currency",
    "annotate",
    "submit",
    "place",
    "reschedule",
    "confirm",
    "receive",
    "reverse-receipt",
    "close-short",
];

fn past(events: Vec<Event>) -> Given<Order> {
    given(events)
}

fn offered(past: &Given<Order>) -> Vec<&'static str> {
    past.offered_of(&[&RULED[..], &["cancel"]].concat())
}

fn with_changes(mut rest: Vec<&str>) -> Vec<&str> {
    rest.splice(..0, CHANGES);
    rest
}

fn received() -> Event {
    Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 1)],
        named: Vec::new(),
    }
}

fn placed_and(events: impl IntoIterator<Item = Event>) -> Given<Order> {
    past(placed().into_iter().chain(events).collect())
}

#[test]
fn an_order_begins_by_being_drafted_by_a_person() {
    assert_eq!(past(vec![]).offered(), ["draft", "duplicate"]);
    assert_eq!(past(vec![]).by(SYSTEM).offered(), [""; 0]);
}

#[test]
fn only_a_draft_is_submitted_and_only_what_is_approved_is_placed() {
    let draft = vec![drafted(1)];
    assert_eq!(offered(&past(draft.clone())), with_changes(vec!["submit", "cancel"]));
    let waiting = [draft, vec![submitted()]].concat();
    assert_eq!(offered(&past(waiting.clone())), with_changes(vec!["cancel"]));
    let approved = [waiting, vec![approved()]].concat();
    assert_eq!(offered(&past(approved)), with_changes(vec!["place", "cancel"]));
}

#[test]
fn an_item_is_removed_while_there_is_another_and_added_while_there_is_room() {
    let offers = |items: usize, name: &str| past(vec![drafted(items)]).offered().iter().any(|other| other == name);
    assert!(!offers(1, "remove-item"));
    assert!(offers(2, "remove-item"));
    assert!(offers(ITEMS_MAX - 1, "add-item"));
    assert!(!offers(ITEMS_MAX, "add-item"));
}

#[test]
fn what_is_placed_is_received_and_taken_back_until_everything_has_come() {
    let on_order = placed_and([]);
    assert_eq!(
        offered(&on_order),
        ["annotate", "reschedule", "confirm", "receive", "close-short", "cancel"]
    );
    let partly = placed_and([received()]);
    assert_eq!(
        offered(&partly),
        [
            "annotate",
            "reschedule",
            "confirm",
            "receive",
            "reverse-receipt",
            "close-short"
        ]
    );
    let all = Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 3)],
        named: Vec::new(),
    };
    let all = placed_and([all, Event::OrderReceived {}]);
    assert_eq!(offered(&all), ["annotate", "confirm", "reverse-receipt"]);
}

#[test]
fn an_order_that_is_cancelled_takes_nothing_but_the_same_again_and_one_that_is_closed_short_what_comes_late() {
    let short = Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    assert_eq!(
        offered(&placed_and([short.clone()])),
        ["annotate", "receive", "close-short"]
    );
    assert_eq!(
        offered(&placed_and([short, received()])),
        ["annotate", "receive", "reverse-receipt", "close-short"]
    );
    assert_eq!(placed_and([Event::OrderCancelled {}]).offered(), ["cancel"]);
}

#[test]
fn stock_is_retried_once_it_refused_and_only_daybook_says_that_it_did() {
    let refused = Event::OrderStockRefused {
        booking: Booking::Reservation { revision: 1 },
        is_open: true,
    };
    let offers = |past: Given<Order>, name: &str| past.offered().iter().any(|other| other == name);
    assert!(!offers(placed_and([]), "retry-stock"));
    assert!(offers(placed_and([refused]), "retry-stock"));
    for name in ["note-stock-refused", "confirm-booked"] {
        assert!(!offers(placed_and([]), name));
        assert!(offers(placed_and([]).by(SYSTEM), name));
    }
}
