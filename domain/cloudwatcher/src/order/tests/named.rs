//! How events call the items that they are about.

use super::*;
use rehearsal::given::given;

fn receive(items: usize) -> Command {
    Command::Receive {
        lines: (0..items).map(|n| of(drawn(n), 1)).collect(),
    }
}

/// Placed with so many items.
fn placed_with(items: usize) -> Vec<Event> {
    vec![drafted(items), submitted_with(items), approved(), Event::OrderPlaced {}]
}

fn submitted_with(count: usize) -> Event {
    let mut event = submitted();
    if let Event::OrderSubmitted { items, .. } = &mut event {
        *items = (0..count).map(item).collect();
    }
    event
}

fn names(events: &[Event]) -> Vec<Named> {
    match events.first() {
        Some(
            Event::OrderDrafted { named, .. }
            | Event::OrderItemAdded { named, .. }
            | Event::OrderItemRemoved { named, .. }
            | Event::OrderItemsReceived { named, .. }
            | Event::OrderReceiptReversed { named, .. }
            | Event::OrderClosedShort { named, .. },
        ) => named.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_drafted_added_removed_and_received_is_called_by_its_codes_and_names() {
    let receipt = Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 1)],
        named: Vec::new(),
    };
    let received = placed().into_iter().chain([receipt]).collect::<Vec<_>>();
    for (past, command) in [
        (vec![], draft(vec![one()])),
        (vec![drafted(2)], Command::RemoveItem { item_id: drawn(0) }),
        (placed(), receive(1)),
        (received, Command::ReverseReceipt { receipt_id: OTHER }),
        (placed(), Command::CloseShort {}),
    ] {
        let events = given::<Order>(past)
            .with_facts(known())
            .because("so")
            .when(command)
            .events();
        assert_eq!(names(&events), [called(0)], "{events:?}");
    }
    let added = given::<Order>([drafted(1)])
        .with_facts(known())
        .when(Command::AddItem(one()))
        .events();
    assert_eq!(names(&added), [called(0)]);
}

#[test]
fn what_is_struck_since_is_still_called_by_its_name() {
    let facts = known()
        .with(PART, Register::Struck(part()))
        .with(VARIANT, Register::Struck(variant(PART)))
        .with(SUPPLIER, Register::Struck(supplier()));
    let events = given::<Order>(placed()).with_facts(facts).when(receive(1)).events();
    assert_eq!(names(&events), [called(0)]);
}

#[test]
fn five_items_of_an_event_are_named_however_many_there_are() {
    let events = given::<Order>(placed_with(7))
        .with_facts(known())
        .when(receive(7))
        .events();
    assert_eq!(names(&events), (0..NAMED_MAX).map(called).collect::<Vec<_>>());
}

#[test]
fn a_change_to_another_part_tells_what_both_are_called() {
    let bolt: Part = serde_json::from_value(json!({"part_code": "B-2", "name": "Bolt"})).unwrap();
    let change = ItemChange {
        part_id: Some(OTHER),
        variant_id: Some(None),
        ..same()
    };
    let events = given::<Order>([drafted(1)])
        .with_facts(known().with(OTHER, Register::Entered(bolt)))
        .when(Command::ChangeItem(change))
        .events();
    let bolt = Named {
        part_code: "B-2".to_owned(),
        part: "Bolt".to_owned(),
        variant_code: None,
        ..called(0)
    };
    assert!(
        matches!(
            events.as_slice(),
            [Event::OrderItemChanged { named, was_named, .. }] if *named == [bolt.clone()] && *was_named == [called(0)]
        ),
        "{events:?}"
    );
}
