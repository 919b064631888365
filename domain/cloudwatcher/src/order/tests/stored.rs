//! Orders as earlier versions stored them.

use super::*;
use domain::event::{self, Stored};

fn decoded(event_type: &str, payload: &serde_json::Value) -> Event {
    event::decode(&Stored {
        event_type,
        version: "1",
        payload: &payload.to_string(),
        actor: MANAGER,
    })
    .unwrap()
}

#[test]
fn an_order_drafted_under_version_1_was_drafted_by_who_asked_and_tolerates_no_surplus() {
    let event = decoded(
        "OrderDrafted",
        &json!({"order_type": "purchase", "department_id": STORE, "currency": "EUR", "items": [item(0)]}),
    );
    let order = state::<Order>([event]);
    let content = order.content().unwrap();
    assert_eq!((content.drafted_by, content.tolerance_percent), (MANAGER, 0));
}

#[test]
fn an_order_submitted_under_version_1_was_submitted_by_who_asked_and_drafted_by_its_drafter() {
    let event = decoded(
        "OrderSubmitted",
        &json!({"revision": 1, "items": [item(0)], "total": "37.50", "content_hash": HASH}),
    );
    let Event::OrderSubmitted { submitted_by, .. } = &event else {
        panic!("{event:?}")
    };
    assert_eq!(*submitted_by, MANAGER);
    let order = state::<Order>([drafted(1), event]);
    let submitted = order.submitted().unwrap();
    assert_eq!((submitted.drafted_by, submitted.submitted_by), (BY, MANAGER));
}

#[test]
fn an_item_changed_under_version_1_was_the_same_part_of_the_same_supplier() {
    let now = Item { quantity: 9, ..item(0) };
    let was = json!({"quantity": 3, "unit_price": "12.50"});
    let event = decoded("OrderItemChanged", &json!({"item": now, "was": was}));
    assert_eq!(
        event,
        Event::OrderItemChanged {
            item: now,
            was: item(0).terms(),
            named: Vec::new(),
            was_named: Vec::new(),
        }
    );
}

#[test]
fn a_note_changed_under_version_1_does_not_repeat_the_one_before() {
    for (was, had) in [(json!("by March"), true), (json!(null), false)] {
        let event = decoded("OrderNoteChanged", &json!({"note": "by April", "was": was}));
        let note = Some("by April".to_owned());
        assert_eq!(event, Event::OrderNoteChanged { note, had });
    }
}

#[test]
fn an_order_rejected_under_version_1_does_not_repeat_the_words_of_the_rejection() {
    let event = decoded(
        "OrderRejected",
        &json!({"revision": 1, "rejected_by": MANAGER, "notes": "too dear"}),
    );
    let rejected_by = Some(MANAGER);
    assert_eq!(
        event,
        Event::OrderRejected {
            revision: 1,
            rejected_by
        }
    );
}

#[test]
fn a_version_from_the_future_is_not_guessed_at() {
    let stored = Stored {
        event_type: "OrderDrafted",
        version: "5",
        payload: "{}",
        actor: MANAGER,
    };
    assert_eq!(event::decode::<Event>(&stored), Err(stored.unknown()));
}
