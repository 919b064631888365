//! The commands that a stock key offers as it stands.

use super::super::{STOCK_MAX, Suggestion};
use super::*;
use domain::SYSTEM;

/// Commands that give goods out or keep them.
const TAKES: [&str; 4] = ["issue", "consume", "reserve", "transfer-out"];
/// Commands that answer a suggestion to reorder.
const ANSWERS: [&str; 2] = ["accept-reorder", "dismiss-reorder"];

/// Whether all of these are offered; none of them otherwise.
#[track_caller]
fn offers(past: &Given<Inventory>, names: &[&str]) -> bool {
    let offered = past.offered();
    let count = names.iter().filter(|name| offered.iter().any(|other| other == *name));
    match count.count() {
        0 => false,
        all if all == names.len() => true,
        some => panic!("{some} of {names:?}: {offered:?}"),
    }
}

#[test]
fn a_record_is_opened_by_whoever_says_of_what_it_is() {
    let unopened = given::<Inventory>([]);
    assert_eq!(unopened.offered(), ["open", "receive", "transfer-in"]);
    assert_eq!(
        unopened.by(SYSTEM).offered(),
        ["open", "receive", "transfer-in", "expect"]
    );
    assert!(!offers(&stocked([]), &["open"]));
}

#[test]
fn nothing_is_given_of_nothing() {
    assert!(!offers(&stocked([]), &TAKES));
    assert!(offers(&stocked([received(1, levels(1, 0, 0))]), &TAKES));
}

#[test]
fn what_is_kept_is_given_out_though_nothing_is_available() {
    let all_kept = [received(4, levels(4, 0, 0)), reserved(KEPT, 4, levels(4, 4, 0))];
    assert!(offers(&stocked(all_kept), &TAKES));
}

#[test]
fn a_full_shelf_takes_nothing_in() {
    let full = stocked([received(STOCK_MAX, levels(STOCK_MAX, 0, 0))]);
    assert!(!offers(&full, &["receive", "transfer-in"]));
    assert!(offers(&stocked([]), &["receive", "transfer-in"]));
}

#[test]
fn a_suggestion_is_answered_while_it_is_open() {
    let suggestion = Suggestion {
        suggestion_id: NEWER,
        on_hand: 0,
        reserved: 0,
        on_order: 0,
        projected: 0,
        reorder_point: 5,
        reorder_quantity: None,
        quantity: 6,
    };
    let suggested = Event::ReorderSuggested {
        stock: STOCK,
        suggestion,
    };
    let dismissed = Event::ReorderDismissed {
        stock: STOCK,
        suggestion_id: NEWER,
    };
    let past = |events: Vec<Event>| reordered(Some(5), None, events);
    assert!(!offers(&past(vec![]), &ANSWERS));
    assert!(offers(&past(vec![suggested.clone()]), &ANSWERS));
    assert!(!offers(&past(vec![suggested, dismissed]), &ANSWERS));
}
