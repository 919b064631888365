//! What may happen to an order, and when.

use super::*;
use crate::approval::route::NoRoute;
use domain::Decider;
use domain::SYSTEM;
use rehearsal::given::{given, releases};

#[test]
fn an_order_is_drafted_once() {
    for command in [draft(vec![one()]), Command::Duplicate { of: OTHER, note: None }] {
        given::<Order>([drafted(1)])
            .when(command)
            .refused(Refusal::AlreadyDrafted);
    }
}

#[test]
fn submitting_freezes_the_items_their_total_and_their_hash() {
    let events = given::<Order>([drafted(2)])
        .with_facts(known())
        .when(Command::Submit {})
        .events();
    let [
        Event::OrderSubmitted {
            revision: 1,
            items,
            total,
            content_hash,
            drafted_by: BY,
            submitted_by: BY,
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(items, &[item(0), item(1)]);
    assert_eq!(total.to_string(), "75.00");
    assert_eq!(content_hash.len(), 64);
}

#[test]
fn the_hash_of_what_is_approved_changes_with_its_content() {
    let hash = |events: Vec<Event>| {
        let events = given::<Order>(events)
            .with_facts(known())
            .when(Command::Submit {})
            .events();
        let [Event::OrderSubmitted { content_hash, .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        content_hash.clone()
    };
    let dearer = Item {
        unit_price: Decimal::new(1251, 2),
        ..item(0)
    };
    let changed = Event::OrderItemChanged {
        item: dearer,
        was: item(0).terms(),
        named: Vec::new(),
        was_named: Vec::new(),
    };
    assert_eq!(hash(vec![drafted(1)]), hash(vec![drafted(1)]));
    assert_ne!(hash(vec![drafted(1)]), hash(vec![drafted(1), changed]));
}

#[test]
fn what_a_draft_names_must_still_be_in_use_when_it_is_submitted() {
    let refused = |facts: Facts, place: &str, detail| {
        given::<Order>([drafted(2)])
            .with_facts(facts)
            .when(Command::Submit {})
            .refused(outdated(place, detail));
    };
    refused(
        known().with(PART, Register::Struck(part())),
        "items[0].part_id",
        "names no part in use",
    );
    refused(
        known().with(SUPPLIER, Register::Struck(supplier())),
        "items[0].supplier_id",
        "names no supplier in use",
    );
    refused(
        known().with(VARIANT, Register::Entered(variant(OTHER))),
        "items[0].variant_id",
        "names a variant of another part",
    );
}

#[test]
fn what_no_command_changes_is_put_back_in_use_or_another_order_is_drafted() {
    let refused = |past: Event, facts: Facts, place: &str, detail| {
        given::<Order>([past])
            .with_facts(facts)
            .when(Command::Submit {})
            .refused(outdated_for_good(place, detail));
    };
    let struck = known().with(STORE, Register::Struck(department()));
    refused(drafted(1), struck, "department_id", "names no department in use");
    refused(drafted_for(OTHER), known(), "location_id", "names no location in use");
    let unreceived = known().with(REQUEST, DeviceRequest::Unreceived);
    refused(
        drafted(1),
        unreceived,
        "request_id",
        "names no request that was received",
    );
}

#[test]
fn there_must_be_somebody_to_approve_what_is_submitted() {
    given::<Order>([drafted(1)])
        .with_facts(known().with(MANAGER, User::Unborn))
        .when(Command::Submit {})
        .refused(Refusal::NoRoute(NoRoute::NoApprover { level: 1, levels: 1 }));
    let mut foreign = drafted(1);
    if let Event::OrderDrafted { currency, .. } = &mut foreign {
        "JPY".clone_into(currency);
    }
    let no_thresholds = Refusal::NoRoute(NoRoute::NoThresholds {
        currency: "JPY".to_owned(),
    });
    assert_eq!(no_thresholds.rule(), "no-thresholds");
    given::<Order>([foreign])
        .with_facts(known())
        .when(Command::Submit {})
        .refused(no_thresholds);
}

#[test]
fn nobody_approves_what_they_submitted_themselves() {
    given::<Order>([drafted(1)])
        .with_facts(known())
        .by(MANAGER)
        .when(Command::Submit {})
        .refused(Refusal::NoRoute(NoRoute::NoApprover { level: 1, levels: 1 }));
}

#[test]
fn an_order_is_drafted_duplicated_and_submitted_by_a_person() {
    for (events, command) in [
        (Vec::new(), draft(vec![one()])),
        (Vec::new(), Command::Duplicate { of: OTHER, note: None }),
        (vec![drafted(1)], Command::Submit {}),
        (vec![drafted(1), submitted()], change(Some(4), None)),
    ] {
        given::<Order>(events)
            .with_facts(known().with(OTHER, state::<Order>([drafted(1)])))
            .by(SYSTEM)
            .when(command)
            .refused(Refusal::NeedsAUser);
    }
    assert_eq!(Refusal::NeedsAUser.class(), Class::Forbidden);
}

#[test]
fn only_a_draft_is_submitted() {
    for (events, status) in [
        (vec![drafted(1), submitted()], OrderStatus::PendingApproval),
        (vec![drafted(1), submitted(), approved()], OrderStatus::Approved),
        (placed(), OrderStatus::Ordered),
        (vec![drafted(1), Event::OrderCancelled {}], OrderStatus::Cancelled),
    ] {
        given::<Order>(events)
            .with_facts(known())
            .when(Command::Submit {})
            .refused(Refusal::NotADraft { status });
    }
}

#[test]
fn an_order_of_which_nothing_was_received_is_cancelled_for_a_reason_and_gives_its_request_back() {
    for events in [
        vec![drafted(1)],
        vec![drafted(1), submitted()],
        vec![drafted(1), submitted(), approved()],
        placed(),
    ] {
        given::<Order>(events.clone())
            .when(Command::Cancel {})
            .refused(Refusal::ReasonMissing);
        given::<Order>(events.clone())
            .because("  ")
            .when(Command::Cancel {})
            .refused(Refusal::ReasonMissing);
        given::<Order>(events)
            .because("ordered by telephone")
            .when(Command::Cancel {})
            .then([Event::OrderCancelled {}])
            .claims([releases(crate::request::ORDER, REQUEST)]);
    }
}

#[test]
fn an_order_of_which_something_was_received_is_not_cancelled() {
    let received = |quantity| Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), quantity)],
        named: Vec::new(),
    };
    for (event, status) in [
        (received(1), OrderStatus::PartiallyReceived),
        (received(3), OrderStatus::Received),
        (
            Event::OrderClosedShort {
                open: Vec::new(),
                named: Vec::new(),
            },
            OrderStatus::ClosedShort,
        ),
    ] {
        let mut events = placed();
        events.push(event);
        given::<Order>(events)
            .because("no longer needed")
            .when(Command::Cancel {})
            .refused(Refusal::NotCancellable { status });
    }
    let partly = Refusal::NotCancellable {
        status: OrderStatus::PartiallyReceived,
    };
    assert_eq!(
        partly.to_string(),
        "this order is partially-received and cannot be cancelled; close it short with close-short, or take back \
         what was received with reverse-receipt first"
    );
}

#[test]
fn cancelling_again_changes_nothing() {
    given::<Order>([drafted(1), Event::OrderCancelled {}])
        .when(Command::Cancel {})
        .then([]);
}

#[test]
fn nothing_can_be_asked_of_an_order_that_is_not_drafted() {
    for command in [
        Command::AddItem(one()),
        change(None, None),
        Command::Submit {},
        Command::SettleApproval {},
        Command::Place {},
        Command::Receive { lines: Vec::new() },
        Command::ReverseReceipt { receipt_id: OTHER },
        Command::CloseShort {},
        Command::Cancel {},
    ] {
        given::<Order>([])
            .with_facts(known())
            .when(command)
            .refused(Refusal::NotDrafted);
    }
    assert_eq!(Refusal::NotDrafted.class(), Class::Missing);
}

#[test]
fn a_duplicate_has_new_item_ids_and_no_request() {
    let source = [
        drafted(1),
        Event::OrderItemAdded {
            item: item(7),
            named: Vec::new(),
        },
        Event::OrderCancelled {},
    ];
    given::<Order>([])
        .with_facts(known().with(OTHER, state::<Order>(source)))
        .when(Command::Duplicate {
            of: OTHER,
            note: Some("again".to_owned()),
        })
        .then([Event::OrderDrafted {
            order_type: OrderType::Purchase,
            department_id: STORE,
            currency: "EUR".to_owned(),
            request_id: None,
            note: Some("again".to_owned()),
            duplicate_of: Some(OTHER),
            items: vec![item(0), item(1)],
            drafted_by: BY,
            tolerance_percent: 0,
            location_id: None,
            from_location_id: None,
            left_out: Vec::new(),
            is_reorder: false,
            named: vec![called(0), called(1)],
        }])
        .claims([]);
}

#[test]
fn a_duplicate_leaves_out_the_days_that_have_passed_and_says_which() {
    let day = |day| NaiveDate::from_ymd_opt(2026, 3, day);
    let expected = |n, date| Item {
        expected_delivery_date: date,
        ..item(n)
    };
    let source = [
        drafted(1),
        Event::OrderItemAdded {
            item: expected(7, day(1)),
            named: Vec::new(),
        },
        Event::OrderItemAdded {
            item: expected(8, day(2)),
            named: Vec::new(),
        },
    ];
    let noon = day(2).unwrap().and_hms_opt(12, 0, 0).unwrap().and_utc();
    let events = given::<Order>([])
        .at(noon)
        .with_facts(known().with(OTHER, state::<Order>(source)))
        .when(Command::Duplicate { of: OTHER, note: None })
        .events();
    let [Event::OrderDrafted { items, left_out, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    let dates: Vec<_> = items.iter().map(|item| item.expected_delivery_date).collect();
    // Today has not passed.
    assert_eq!(dates, [None, None, day(2)]);
    let first = PastDate {
        item_id: items[1].item_id,
        expected_delivery_date: day(1).unwrap(),
    };
    assert_eq!(*left_out, [first]);
}

#[test]
fn a_duplicate_of_an_approved_order_is_a_draft_that_nobody_approved() {
    let source = state::<Order>([drafted(1), submitted(), approved()]);
    let events = given::<Order>([])
        .with_facts(known().with(OTHER, source))
        .when(Command::Duplicate { of: OTHER, note: None })
        .events();
    let copy = state::<Order>(events);
    assert_eq!((copy.status(), copy.submitted()), (Some(OrderStatus::Draft), None));
    assert_eq!(copy.content().unwrap().revision, 0);
    assert_eq!(copy.content().unwrap().drafted_by, BY);
}

#[test]
fn only_an_order_that_was_drafted_is_duplicated() {
    for of in [OTHER, STREAM] {
        given::<Order>([])
            .with_facts(known())
            .when(Command::Duplicate { of, note: None })
            .refused(reference("of", "names no order that was drafted"));
    }
}

#[test]
fn what_a_duplicate_names_must_still_be_in_use() {
    given::<Order>([])
        .with_facts(
            known()
                .with(OTHER, state::<Order>([drafted(1)]))
                .with(PART, Register::Struck(part())),
        )
        .when(Command::Duplicate { of: OTHER, note: None })
        .refused(outdated_for_good("items[0].part_id", "names no part in use"));
}

#[test]
fn a_command_belongs_to_the_department_of_its_order() {
    assert_eq!(Order::default().department(&draft(vec![one()])), Some(STORE));
    assert_eq!(
        state::<Order>([drafted(1)]).department(&Command::Submit {}),
        Some(STORE)
    );
    assert_eq!(
        Order::default().department(&Command::Duplicate { of: OTHER, note: None }),
        None
    );
}

#[test]
fn a_status_is_spelled_as_the_document_spells_it() {
    assert_eq!(OrderStatus::PendingApproval.to_string(), "pending-approval");
    assert_eq!(
        serde_json::to_value(OrderStatus::PendingApproval).unwrap(),
        json!("pending-approval")
    );
    assert_eq!(OrderStatus::PartiallyReceived.to_string(), "partially-received");
    assert_eq!(OrderStatus::ClosedShort.to_string(), "closed-short");
}
