//! What comes of an order, and what does not.

use super::*;
use domain::text::Unfit;
use rehearsal::given::{given, releases};

fn receive(lines: Vec<Quantity>) -> Command {
    Command::Receive { lines }
}

/// One receipt of the first item.
fn received(receipt: u128, quantity: i32) -> Event {
    Event::OrderItemsReceived {
        receipt_id: Uuid::from_u128(receipt),
        lines: vec![of(drawn(0), quantity)],
        named: Vec::new(),
    }
}

fn after(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    placed().into_iter().chain(events).collect()
}

/// A placed order of two items, three of each, with this tolerance.
fn two(tolerance: i32) -> Vec<Event> {
    let mut events = placed();
    for event in &mut events {
        if let Event::OrderDrafted {
            items,
            tolerance_percent,
            ..
        } = event
        {
            *tolerance_percent = tolerance;
            items.push(item(1));
        } else if let Event::OrderSubmitted { items, .. } = event {
            items.push(item(1));
        }
    }
    events
}

#[test]
fn a_receipt_has_an_id_and_lists_what_came() {
    given::<Order>(two(0))
        .when(receive(vec![of(drawn(0), 2)]))
        .then([Event::OrderItemsReceived {
            receipt_id: drawn(0),
            lines: vec![of(drawn(0), 2)],
            named: Vec::new(),
        }]);
    let order = state::<Order>(after([received(1, 2)]));
    assert_eq!(order.status(), Some(OrderStatus::PartiallyReceived));
}

#[test]
fn an_order_is_received_when_every_item_has_come_in_full() {
    given::<Order>(two(0))
        .when(receive(vec![of(drawn(0), 3), of(drawn(1), 3)]))
        .then([
            Event::OrderItemsReceived {
                receipt_id: drawn(0),
                lines: vec![of(drawn(0), 3), of(drawn(1), 3)],
                named: Vec::new(),
            },
            Event::OrderReceived {},
        ]);
    let order = state::<Order>(after([received(1, 1), received(2, 2), Event::OrderReceived {}]));
    assert_eq!(order.status(), Some(OrderStatus::Received));
}

#[test]
fn a_surplus_of_one_item_does_not_make_up_for_another() {
    let events = given::<Order>(two(100)).when(receive(vec![of(drawn(0), 6)])).events();
    assert_eq!(events.len(), 1, "{events:?}");
}

#[test]
fn no_more_is_received_than_was_ordered_with_the_tolerance_rounded_down() {
    let refused = |tolerance_percent, came: i32, receivable| {
        let mut past = two(tolerance_percent);
        past.push(received(1, 2));
        given::<Order>(past)
            .when(receive(vec![of(drawn(0), came)]))
            .refused(Refusal::TooMuchReceived {
                field: "lines[0].quantity".to_owned(),
                ordered: 3,
                tolerance_percent,
                receivable,
            });
    };
    refused(0, 2, 1);
    // 33 % of three are not yet one more, 34 % are.
    refused(33, 2, 1);
    refused(34, 3, 2);
    let mut past = two(34);
    past.push(received(1, 2));
    assert_eq!(
        given::<Order>(past).when(receive(vec![of(drawn(0), 2)])).events().len(),
        1
    );
}

#[test]
fn what_is_tolerated_may_come_after_the_last_that_was_ordered() {
    // Three of each were ordered, and twice as many may come.
    let mut whole = two(100);
    let all = Event::OrderItemsReceived {
        receipt_id: Uuid::from_u128(1),
        lines: vec![of(drawn(0), 3), of(drawn(1), 3)],
        named: Vec::new(),
    };
    whole.extend([all, Event::OrderReceived {}]);
    assert_eq!(state::<Order>(whole.clone()).status(), Some(OrderStatus::Received));
    given::<Order>(whole.clone())
        .when(receive(vec![of(drawn(0), 3)]))
        .then([
            Event::OrderItemsReceived {
                receipt_id: drawn(0),
                lines: vec![of(drawn(0), 3)],
                named: Vec::new(),
            },
            Event::OrderReceived {},
        ]);
    given::<Order>(whole)
        .when(receive(vec![of(drawn(0), 4)]))
        .refused(Refusal::TooMuchReceived {
            field: "lines[0].quantity".to_owned(),
            ordered: 3,
            tolerance_percent: 100,
            receivable: 3,
        });
}

#[test]
fn what_was_received_in_all_fits_its_column() {
    let most = |event: &mut Event| {
        if let Event::OrderDrafted {
            items,
            tolerance_percent,
            ..
        } = event
        {
            *tolerance_percent = 100;
            items[0].quantity = i32::MAX;
        } else if let Event::OrderSubmitted { items, .. } = event {
            items[0].quantity = i32::MAX;
        }
    };
    let mut past = after([received(1, i32::MAX - 1)]);
    past.iter_mut().for_each(most);
    given::<Order>(past)
        .when(receive(vec![of(drawn(0), 2)]))
        .refused(Refusal::TooMuchReceived {
            field: "lines[0].quantity".to_owned(),
            ordered: i32::MAX,
            tolerance_percent: 100,
            receivable: 1,
        });
}

#[test]
fn a_receipt_has_1_to_500_items_of_the_order_each_once_and_more_than_nothing_of_each() {
    given::<Order>(placed())
        .when(receive(Vec::new()))
        .refused(Refusal::ReceiptLines);
    given::<Order>(placed())
        .when(receive(vec![of(drawn(0), 1); ITEMS_MAX + 1]))
        .refused(Refusal::ReceiptLines);
    given::<Order>(placed())
        .when(receive(vec![of(drawn(0), 1), of(OTHER, 1)]))
        .refused(Refusal::NoSuchItem {
            field: "lines[1].item_id".to_owned(),
        });
    given::<Order>(placed())
        .when(receive(vec![of(drawn(0), 1), of(drawn(0), 1)]))
        .refused(Refusal::ItemTwice {
            field: "lines[1].item_id".to_owned(),
        });
    for quantity in [0, -1] {
        given::<Order>(placed())
            .when(receive(vec![of(drawn(0), quantity)]))
            .refused(Refusal::Unfit {
                field: "lines[0].quantity".to_owned(),
                unfit: Unfit::Range {
                    value: quantity.into(),
                    min: 1,
                    max: i32::MAX.into(),
                },
            });
    }
}

#[test]
fn goods_are_received_only_of_an_order_that_is_placed_and_has_room_for_them() {
    let short = Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    for (past, status) in [
        (vec![drafted(1)], OrderStatus::Draft),
        (vec![drafted(1), submitted()], OrderStatus::PendingApproval),
        (vec![drafted(1), submitted(), approved()], OrderStatus::Approved),
        (after([received(1, 3)]), OrderStatus::Received),
        (after([short, received(1, 3)]), OrderStatus::ClosedShort),
        (after([Event::OrderCancelled {}]), OrderStatus::Cancelled),
    ] {
        given::<Order>(past)
            .when(receive(vec![of(drawn(0), 1)]))
            .refused(Refusal::NotOnOrder { status });
    }
}

#[test]
fn an_order_has_at_most_1000_receipts_that_count() {
    let full = (0..RECEIPTS_MAX as u128).map(|n| received(n, 1));
    let mut past = after(full);
    for event in &mut past {
        if let Event::OrderDrafted { items, .. } | Event::OrderSubmitted { items, .. } = event {
            items[0].quantity = 2_000;
        }
    }
    given::<Order>(past.clone())
        .when(receive(vec![of(drawn(0), 1)]))
        .refused(Refusal::TooManyReceipts);
    past.push(Event::OrderReceiptReversed {
        receipt_id: Uuid::from_u128(7),
        lines: vec![of(drawn(0), 1)],
        status: OrderStatus::PartiallyReceived,
        was_booked: false,
        named: Vec::new(),
    });
    assert_eq!(
        given::<Order>(past).when(receive(vec![of(drawn(0), 1)])).events().len(),
        1
    );
}

#[test]
fn a_receipt_is_reversed_once_and_the_order_stands_by_what_is_left() {
    let reverse = |receipt| Command::ReverseReceipt {
        receipt_id: Uuid::from_u128(receipt),
    };
    let reversed = |receipt, quantity, status| Event::OrderReceiptReversed {
        receipt_id: Uuid::from_u128(receipt),
        lines: vec![of(drawn(0), quantity)],
        status,
        was_booked: false,
        named: Vec::new(),
    };
    let full = after([received(1, 1), received(2, 2), Event::OrderReceived {}]);
    let partly = reversed(2, 2, OrderStatus::PartiallyReceived);
    given::<Order>(full.clone()).when(reverse(2)).then([partly.clone()]);

    let mut past = full;
    past.push(partly);
    assert_eq!(
        state::<Order>(past.clone()).status(),
        Some(OrderStatus::PartiallyReceived)
    );
    given::<Order>(past.clone())
        .when(reverse(2))
        .refused(Refusal::NoSuchReceipt);
    let nothing = reversed(1, 1, OrderStatus::Ordered);
    given::<Order>(past.clone()).when(reverse(1)).then([nothing.clone()]);

    past.push(nothing);
    assert_eq!(state::<Order>(past.clone()).status(), Some(OrderStatus::Ordered));
    given::<Order>(past)
        .because("the supplier went out of business")
        .when(Command::Cancel {})
        .then([Event::OrderCancelled {}])
        .claims([releases(crate::request::ORDER, REQUEST)]);
}

#[test]
fn an_order_stays_received_while_what_is_left_is_enough() {
    let mut past = two(100);
    past.push(Event::OrderItemsReceived {
        receipt_id: Uuid::from_u128(1),
        lines: vec![of(drawn(0), 3)],
        named: Vec::new(),
    });
    past.push(Event::OrderItemsReceived {
        receipt_id: Uuid::from_u128(2),
        lines: vec![of(drawn(0), 1), of(drawn(1), 1)],
        named: Vec::new(),
    });
    past.push(Event::OrderItemsReceived {
        receipt_id: Uuid::from_u128(3),
        lines: vec![of(drawn(0), 1), of(drawn(1), 3)],
        named: Vec::new(),
    });
    past.push(Event::OrderReceived {});
    let events = given::<Order>(past)
        .when(Command::ReverseReceipt {
            receipt_id: Uuid::from_u128(2),
        })
        .events();
    assert!(matches!(
        events.as_slice(),
        [Event::OrderReceiptReversed {
            status: OrderStatus::Received,
            ..
        }]
    ));
}

#[test]
fn late_goods_of_an_order_that_is_closed_short_are_booked_and_it_stays_so() {
    let short = || Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    let line = |quantity| vec![of(drawn(0), quantity)];
    given::<Order>(after([received(1, 1), short()]))
        .when(receive(line(2)))
        .then([Event::OrderItemsReceived {
            receipt_id: drawn(0),
            lines: line(2),
            named: Vec::new(),
        }]);
    given::<Order>(after([received(1, 1), short()]))
        .when(receive(line(3)))
        .refused(Refusal::TooMuchReceived {
            field: "lines[0].quantity".to_owned(),
            ordered: 3,
            tolerance_percent: 0,
            receivable: 2,
        });
    let late: Order = state(after([short(), received(1, 3)]));
    assert_eq!(late.status(), Some(OrderStatus::ClosedShort));
    assert!(late.open().is_empty());
}

#[test]
fn a_wrong_receipt_of_an_order_that_is_closed_short_is_reversed_and_nothing_is_awaited_for_it() {
    let past = after([
        received(1, 1),
        Event::OrderClosedShort {
            open: Vec::new(),
            named: Vec::new(),
        },
    ]);
    let events = given::<Order>(past.clone())
        .when(Command::ReverseReceipt {
            receipt_id: Uuid::from_u128(1),
        })
        .events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::OrderReceiptReversed {
                status: OrderStatus::ClosedShort,
                ..
            }]
        ),
        "{events:?}"
    );
    let after: Order = state(past.into_iter().chain(events));
    assert_eq!(after.status(), Some(OrderStatus::ClosedShort));
    assert!(after.open().is_empty());
}

#[test]
fn a_receipt_is_reversed_only_of_an_order_of_which_goods_were_received() {
    for (past, status) in [
        (vec![drafted(1), submitted(), approved()], OrderStatus::Approved),
        (after([Event::OrderCancelled {}]), OrderStatus::Cancelled),
    ] {
        given::<Order>(past)
            .when(Command::ReverseReceipt {
                receipt_id: Uuid::from_u128(1),
            })
            .refused(Refusal::NotReversible { status });
    }
}

#[test]
fn an_order_is_closed_short_for_a_reason_and_says_what_will_not_come() {
    let mut past = two(0);
    past.push(received(1, 2));
    given::<Order>(past.clone())
        .when(Command::CloseShort {})
        .refused(Refusal::ReasonMissing);
    given::<Order>(past)
        .because("discontinued")
        .when(Command::CloseShort {})
        .then([Event::OrderClosedShort {
            open: vec![of(drawn(0), 1), of(drawn(1), 3)],
            named: Vec::new(),
        }])
        .claims([]);
    given::<Order>(after([Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    }]))
    .when(Command::CloseShort {})
    .then([]);
}

#[test]
fn only_an_order_that_is_placed_and_open_is_closed_short() {
    for (past, status) in [
        (vec![drafted(1)], OrderStatus::Draft),
        (vec![drafted(1), submitted(), approved()], OrderStatus::Approved),
        (after([received(1, 3)]), OrderStatus::Received),
        (after([Event::OrderCancelled {}]), OrderStatus::Cancelled),
    ] {
        given::<Order>(past)
            .because("discontinued")
            .when(Command::CloseShort {})
            .refused(Refusal::NotClosable { status });
    }
}
