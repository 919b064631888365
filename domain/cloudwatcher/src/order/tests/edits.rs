//! Changes of an order that was submitted: what approvers did not agree to goes back to them.

use super::*;
use rehearsal::given::given;

/// A past in which the order waits for approval, and one in which it has it.
fn pasts() -> [Vec<Event>; 2] {
    [vec![drafted(1), submitted()], vec![drafted(1), submitted(), approved()]]
}

/// What the first item is changed to, told as an event.
fn changed(item: Item) -> Event {
    Event::OrderItemChanged {
        item,
        was: super::item(0).terms(),
        named: Vec::new(),
        was_named: Vec::new(),
    }
}

fn day(day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 3, day)
}

/// The same past with an item that is expected on the 10th.
fn dated(past: &[Event]) -> Vec<Event> {
    let expected = |item: &mut Item| item.expected_delivery_date = day(10);
    let mut past = past.to_vec();
    for event in &mut past {
        if let Event::OrderDrafted { items, .. } | Event::OrderSubmitted { items, .. } = event {
            items.iter_mut().for_each(expected);
        }
    }
    past
}

/// The change is recorded and the order is submitted as revision 2 by whoever changed it.
#[track_caller]
fn reopens(past: &[Event], command: Command) {
    let events = given::<Order>(past.to_vec())
        .with_facts(decided(granted()))
        .by(OTHER)
        .when(command)
        .events();
    let [
        change,
        Event::OrderSubmitted {
            revision: 2,
            items,
            total,
            content_hash,
            drafted_by: BY,
            submitted_by: OTHER,
        },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert!(!matches!(change, Event::OrderSubmitted { .. }));
    let order = state::<Order>(past.iter().chain(&events).cloned());
    assert_eq!(order.status(), Some(OrderStatus::PendingApproval));
    let submitted = order.submitted().unwrap();
    assert_eq!((&submitted.items, submitted.total), (items, *total));
    assert_eq!(submitted.items, order.content().unwrap().items);
    assert_ne!(content_hash, HASH);
}

/// The change is recorded and neither status nor approval changes.
#[track_caller]
fn keeps(past: &[Event], command: Command) {
    let before = state::<Order>(past.to_vec());
    let events = given::<Order>(past.to_vec())
        .with_facts(decided(granted()))
        .when(command)
        .events();
    assert_eq!(events.len(), 1, "{events:?}");
    let after = state::<Order>(past.iter().chain(&events).cloned());
    assert_eq!(after.status(), before.status());
    assert_eq!(after.submitted(), before.submitted());
    assert_ne!(after.content(), before.content());
    assert!(after.submitted().unwrap().covers(after.content().unwrap()));
}

#[test]
fn more_of_an_item_or_a_higher_price_opens_the_approval_again() {
    for past in pasts() {
        reopens(&past, change(Some(4), None));
        reopens(&past, change(None, Some(Decimal::new(1251, 2))));
        // Dearer is more, even if the total falls.
        reopens(&past, change(Some(1), Some(Decimal::new(1251, 2))));
    }
}

#[test]
fn a_new_item_opens_the_approval_again() {
    for mut past in pasts() {
        // Every command under test draws the same ids, and the new item needs one of its own.
        for event in &mut past {
            if let Event::OrderDrafted { items, .. } | Event::OrderSubmitted { items, .. } = event {
                items.iter_mut().for_each(|item| item.item_id = drawn(7));
            }
        }
        reopens(&past, Command::AddItem(wanted(1, Decimal::ZERO)));
    }
}

#[test]
fn another_part_variant_or_supplier_opens_the_approval_again() {
    let other = Uuid::from_u128(0xf0);
    let facts = || {
        decided(granted())
            .with(other, Register::Entered(part()))
            .with(other, Register::Entered(supplier()))
            .with(other, Register::Entered(variant(PART)))
    };
    for past in pasts() {
        for change in [
            ItemChange {
                part_id: Some(other),
                without_variant: true,
                ..same()
            },
            ItemChange {
                variant_id: Some(Some(other)),
                ..same()
            },
            ItemChange {
                supplier_id: Some(other),
                ..same()
            },
            ItemChange {
                without_variant: true,
                ..same()
            },
        ] {
            let events = given::<Order>(past.clone())
                .with_facts(facts())
                .when(Command::ChangeItem(change))
                .events();
            assert!(
                matches!(
                    events.as_slice(),
                    [
                        Event::OrderItemChanged { .. },
                        Event::OrderSubmitted { revision: 2, .. }
                    ]
                ),
                "{events:?}"
            );
        }
    }
}

#[test]
fn another_currency_opens_the_approval_again() {
    for past in pasts() {
        let currency = "USD".to_owned();
        reopens(&past, Command::ChangeCurrency { currency });
    }
}

#[test]
fn an_earlier_delivery_opens_the_approval_again() {
    for past in pasts() {
        let earlier = ItemChange {
            expected_delivery_date: Some(day(9)),
            ..same()
        };
        reopens(&dated(&past), Command::ChangeItem(earlier));
    }
}

#[test]
fn null_takes_away_what_an_item_can_do_without_and_is_refused_by_name_for_the_rest() {
    let parsed = |field: &str| {
        let mut fields = json!({"item_id": drawn(0), field: null});
        crate::order::AGGREGATE.parse("change-item", &mut fields)
    };
    for (field, is_cleared) in [
        ("variant_id", true),
        ("expected_delivery_date", true),
        ("part_id", false),
        ("supplier_id", false),
        ("quantity", false),
        ("unit_price", false),
    ] {
        match parsed(field) {
            Ok(_) => assert!(is_cleared, "{field}"),
            Err(unparsed) => {
                let misread = domain::misread::Misread::of(&unparsed, "change-item");
                assert!(!is_cleared, "{misread:?}");
                assert_eq!(misread.field, field);
                assert!(
                    misread.detail.contains("leave it out to keep what it is"),
                    "{misread:?}"
                );
            }
        }
    }
    let bare = Item {
        variant_id: None,
        ..item(0)
    };
    let without_variant = ItemChange {
        variant_id: Some(None),
        ..same()
    };
    given::<Order>([drafted(1)])
        .with_facts(known())
        .when(Command::ChangeItem(without_variant))
        .then([Event::OrderItemChanged {
            item: bare,
            was: item(0).terms(),
            named: vec![Named {
                variant_code: None,
                ..called(0)
            }],
            was_named: vec![called(0)],
        }]);
    let undated = ItemChange {
        expected_delivery_date: Some(None),
        ..same()
    };
    let events = given::<Order>(dated(&[drafted(1)]))
        .with_facts(known())
        .when(Command::ChangeItem(undated.clone()))
        .events();
    let after = state::<Order>(dated(&[drafted(1)]).into_iter().chain(events));
    assert_eq!(after.content().unwrap().items[0].expected_delivery_date, None);
    // Whoever agreed to a day is asked again when there is none.
    for past in pasts() {
        reopens(&dated(&past), Command::ChangeItem(undated.clone()));
    }
}

#[test]
fn less_later_or_a_note_leaves_the_approval_as_it_is() {
    let later = |on| {
        Command::ChangeItem(ItemChange {
            expected_delivery_date: Some(day(on)),
            ..same()
        })
    };
    let note = Some("by the end of March".to_owned());
    for past in pasts() {
        keeps(&past, change(Some(2), None));
        keeps(&past, change(None, Some(Decimal::new(1249, 2))));
        keeps(&past, later(1));
        keeps(&dated(&past), later(11));
        keeps(&past, Command::Annotate { note: note.clone() });
    }
}

#[test]
fn removing_an_item_but_the_last_leaves_the_approval_as_it_is() {
    let mut two = submitted();
    if let Event::OrderSubmitted { items, .. } = &mut two {
        items.push(item(1));
    }
    let remove = Command::RemoveItem { item_id: drawn(1) };
    keeps(&[drafted(2), two], remove.clone());
    for past in pasts() {
        given::<Order>(past)
            .when(Command::RemoveItem { item_id: drawn(0) })
            .refused(Refusal::LastItem);
    }
}

#[test]
fn going_back_up_to_what_was_approved_opens_the_approval_again() {
    let fewer = Item { quantity: 1, ..item(0) };
    let past = [drafted(1), submitted(), approved(), changed(fewer)];
    let events = given::<Order>(past)
        .with_facts(decided(granted()))
        .when(change(Some(3), None))
        .events();
    assert!(matches!(
        events.as_slice(),
        [
            Event::OrderItemChanged { .. },
            Event::OrderSubmitted { revision: 2, .. }
        ]
    ));
}

#[test]
fn a_change_that_reopens_must_pass_what_submitting_checks() {
    given::<Order>([drafted(1), submitted()])
        .with_facts(known().with(SUPPLIER, Register::Struck(supplier())))
        .when(change(Some(4), None))
        .refused(outdated("items[0].supplier_id", "names no supplier in use"));
    given::<Order>([drafted(1), submitted()])
        .with_facts(known())
        .by(MANAGER)
        .when(change(Some(4), None))
        .refused(Refusal::NoRoute(crate::approval::route::NoRoute::NoApprover {
            level: 1,
            levels: 1,
        }));
    // Less needs nobody's approval, so it may come from anybody and name what is struck.
    keeps(&[drafted(1), submitted()], change(Some(1), None));
}

#[test]
fn a_change_names_what_is_in_use() {
    let change = |change| Command::ChangeItem(change);
    given::<Order>([drafted(1)])
        .with_facts(known())
        .when(change(ItemChange {
            supplier_id: Some(OTHER),
            ..same()
        }))
        .refused(reference("supplier_id", "names no supplier in use"));
    given::<Order>([drafted(1)])
        .with_facts(known().with(OTHER, Register::Entered(part())))
        .when(change(ItemChange {
            part_id: Some(OTHER),
            ..same()
        }))
        .refused(reference("variant_id", "names a variant of another part"));
    given::<Order>([drafted(1)])
        .with_facts(known())
        .when(change(ItemChange {
            variant_id: Some(Some(VARIANT)),
            without_variant: true,
            ..same()
        }))
        .refused(Refusal::VariantGivenAndTaken);
}

#[test]
fn a_draft_is_changed_without_being_submitted() {
    given::<Order>([drafted(1)])
        .when(change(Some(4), None))
        .then([changed(Item { quantity: 4, ..item(0) })]);
    given::<Order>([drafted(1)])
        .when(Command::ChangeCurrency {
            currency: "USD".to_owned(),
        })
        .then([Event::OrderCurrencyChanged {
            currency: "USD".to_owned(),
            was: "EUR".to_owned(),
        }]);
    let note = Some("by March".to_owned());
    given::<Order>([drafted(1)])
        .when(Command::Annotate { note: note.clone() })
        .then([Event::OrderNoteChanged { note, had: false }]);
}

#[test]
fn the_same_currency_or_note_is_no_event() {
    given::<Order>([drafted(1)])
        .when(Command::ChangeCurrency {
            currency: "EUR".to_owned(),
        })
        .then([]);
    given::<Order>([drafted(1)])
        .when(Command::Annotate { note: None })
        .then([]);
    given::<Order>([drafted(1)])
        .when(Command::ChangeCurrency {
            currency: "DEM".to_owned(),
        })
        .refused(Refusal::UnknownCurrency);
}

#[test]
fn an_order_that_is_placed_can_no_longer_be_changed() {
    let received = Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 1)],
        named: Vec::new(),
    };
    let after = |event: Option<Event>| placed().into_iter().chain(event).collect::<Vec<_>>();
    for (events, status) in [
        (after(None), OrderStatus::Ordered),
        (after(Some(received)), OrderStatus::PartiallyReceived),
        (
            after(Some(Event::OrderClosedShort {
                open: Vec::new(),
                named: Vec::new(),
            })),
            OrderStatus::ClosedShort,
        ),
        (vec![drafted(1), Event::OrderCancelled {}], OrderStatus::Cancelled),
    ] {
        for command in [
            Command::AddItem(one()),
            change(Some(1), None),
            Command::RemoveItem { item_id: drawn(0) },
            Command::ChangeCurrency {
                currency: "USD".to_owned(),
            },
        ] {
            given::<Order>(events.clone())
                .with_facts(known())
                .when(command)
                .refused(Refusal::Fixed { status });
        }
    }
    let ordered = Refusal::Fixed {
        status: OrderStatus::Ordered,
    };
    assert_eq!(
        ordered.to_string(),
        "this order is ordered and can no longer be changed; cancel it or close it short, and draft another for what \
         is to be different"
    );
}
