use chrono::DateTime;
use domain::Metadata;
use uuid::Uuid;

use super::*;

fn event(position: i64, kind: &str, bytes: usize) -> Recorded<String> {
    Recorded {
        position,
        event_id: Uuid::from_u128(position.unsigned_abs().into()),
        tenant_id: Uuid::nil(),
        aggregate_type: kind.to_owned(),
        stream: Uuid::nil(),
        sequence: position,
        event_type: "Happened".to_owned(),
        event_version: "1".to_owned(),
        metadata: Metadata::default(),
        at: DateTime::UNIX_EPOCH,
        recorded_at: DateTime::UNIX_EPOCH,
        event: " ".repeat(bytes),
    }
}

fn kinds(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|&kind| kind.to_owned()).collect()
}

/// A window that begins after a position and has these events of equal weight.
fn window(after: i64, events: impl IntoIterator<Item = (i64, &'static str)>, bytes: usize, to: i64) -> Window {
    let mut window = Window::default();
    window.widen(&kinds(&["a.a", "a.b"]));
    window.begin_at(after);
    let events = events.into_iter().map(|(position, kind)| event(position, kind, bytes));
    let events = events.collect();
    window.add(Stretch { events, to }, HashMap::new());
    window
}

fn positions(page: &Page) -> Vec<i64> {
    page.events.iter().map(|event| event.position).collect()
}

#[test]
fn each_policy_gets_its_own_kinds_of_one_stretch() {
    let window = window(10, [(11, "a.a"), (12, "a.b"), (15, "a.a")], 10, 20);
    let page = window.page(10, &kinds(&["a.a"]));
    assert_eq!((positions(&page), page.to), (vec![11, 15], 20));
    let page = window.page(11, &kinds(&["a.b", "a.a"]));
    assert_eq!((positions(&page), page.to), (vec![12, 15], 20));
    let page = window.page(15, &kinds(&["a.a"]));
    assert_eq!((positions(&page), page.to), (vec![], 20));
}

#[test]
fn a_page_is_bounded_in_bytes_and_goes_up_to_its_last_event() {
    let third = PAGE_BYTES_MAX / 3 - EVENT_BYTES_MIN;
    let window = window(0, (1..=6).map(|position| (position, "a.a")), third, 6);
    let page = window.page(0, &kinds(&["a.a"]));
    assert_eq!((positions(&page), page.to), (vec![1, 2, 3], 3));
    let page = window.page(3, &kinds(&["a.a"]));
    assert_eq!((positions(&page), page.to), (vec![4, 5, 6], 6));
}

#[test]
fn an_event_that_weighs_more_than_a_page_comes_alone() {
    let window = window(0, [(1, "a.a"), (2, "a.a")], PAGE_BYTES_MAX, 2);
    let page = window.page(0, &kinds(&["a.a"]));
    assert_eq!((positions(&page), page.to), (vec![1], 1));
}

#[test]
fn memory_is_bounded_and_begins_after_what_was_let_go() {
    let sixteenth = WINDOW_BYTES_MAX / 16 - EVENT_BYTES_MIN;
    let mut window = window(0, (1..=12).map(|position| (position, "a.b")), sixteenth, 15);
    let events = (16..=23).map(|position| event(position, "a.b", sixteenth)).collect();
    window.add(Stretch { events, to: 24 }, HashMap::new());
    assert!(window.bytes <= WINDOW_BYTES_MAX);
    assert_eq!((window.after, window.events.len(), window.to), (4, 16, 24));
    assert_eq!(
        window.page(15, &kinds(&["a.b"])).events.len(),
        8,
        "what was just read is all there"
    );
}

#[test]
fn what_was_read_without_a_kind_does_not_serve_who_wants_it() {
    let mut window = window(0, [(1, "a.a"), (2, "a.a")], 10, 5);
    window.widen(&kinds(&["a.b"]));
    assert_eq!(
        (window.after, window.events.len()),
        (0, 2),
        "it was read with these kinds"
    );
    window.widen(&kinds(&["a.c"]));
    assert_eq!((window.after, window.to, window.events.len()), (5, 5, 0));
}
