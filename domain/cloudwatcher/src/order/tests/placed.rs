//! What is said of an order once it is placed: another day, a note, the suppliers' confirmations.

use super::*;
use domain::text::Unfit;
use rehearsal::given::{given, long};

const BOLT: Uuid = Uuid::from_u128(0x14);

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

/// Two items of two suppliers, placed.
fn of_two_suppliers() -> Vec<Event> {
    let mut past = vec![drafted(2), submitted(), approved(), Event::OrderPlaced {}];
    for event in &mut past {
        if let Event::OrderDrafted { items, .. } | Event::OrderSubmitted { items, .. } = event {
            *items = vec![
                item(0),
                Item {
                    supplier_id: BOLT,
                    ..item(1)
                },
            ];
        }
    }
    past
}

fn reschedule(item_id: Option<Uuid>, to: u32) -> Command {
    Command::Reschedule {
        item_id,
        expected_delivery_date: day(to),
    }
}

fn rescheduled(items: &[(usize, Option<u32>)], to: u32) -> Event {
    let items = items.iter().map(|&(place, was)| Rescheduled {
        item_id: drawn(place),
        expected_delivery_date: day(to),
        was: was.map(day),
    });
    Event::OrderRescheduled { items: items.collect() }
}

fn confirm(supplier_id: Option<Uuid>, dates: &[(usize, u32)]) -> Command {
    Command::Confirm(Confirmation {
        supplier_id,
        reference: "AB-17".to_owned(),
        dates: dates
            .iter()
            .map(|&(place, to)| ConfirmedDate {
                item_id: drawn(place),
                confirmed_delivery_date: day(to),
            })
            .collect(),
    })
}

fn confirmed(supplier_id: Uuid, place: usize, date: Option<u32>) -> Event {
    Event::OrderConfirmed {
        supplier_id,
        reference: "AB-17".to_owned(),
        items: vec![Confirmed {
            item_id: drawn(place),
            confirmed_delivery_date: date.map(day),
        }],
    }
}

#[test]
fn what_is_still_to_come_is_expected_at_another_day_and_the_rest_stays_as_it_is() {
    let past = of_two_suppliers();
    let was = item(0).expected_delivery_date;
    assert_eq!(was, None);
    given::<Order>(past.clone())
        .when(reschedule(None, 2))
        .then([rescheduled(&[(0, None), (1, None)], 2)]);
    given::<Order>(past.clone())
        .when(reschedule(Some(drawn(1)), 2))
        .then([rescheduled(&[(1, None)], 2)]);
    let later = [past.clone(), vec![rescheduled(&[(1, None)], 2)]].concat();
    // What is so already is no news.
    given::<Order>(later.clone())
        .when(reschedule(Some(drawn(1)), 2))
        .then([]);
    given::<Order>(later.clone())
        .when(reschedule(None, 4))
        .then([rescheduled(&[(0, None), (1, Some(2))], 4)]);
    // An item that has come is left alone.
    let came = Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 3)],
        named: Vec::new(),
    };
    given::<Order>([later, vec![came.clone()]].concat())
        .when(reschedule(None, 4))
        .then([rescheduled(&[(1, Some(2))], 4)]);
    given::<Order>([past, vec![came]].concat())
        .when(reschedule(Some(drawn(0)), 4))
        .refused(Refusal::ItemCame);
}

#[test]
fn another_day_a_note_and_a_confirmation_change_no_approval() {
    let mut order: Order = state(of_two_suppliers());
    let approval = order.submitted().map(|submitted| submitted.content_hash.clone());
    let total = order.content().map(|content| content.total);
    for event in [
        rescheduled(&[(0, None)], 2),
        Event::OrderNoteChanged {
            note: Some("ask for Bo".to_owned()),
            had: false,
        },
        confirmed(SUPPLIER, 0, Some(3)),
    ] {
        domain::Decider::evolve(&mut order, &event);
        assert_eq!(order.status(), Some(OrderStatus::Ordered));
        assert_eq!(
            order.submitted().map(|submitted| submitted.content_hash.clone()),
            approval
        );
        assert_eq!(order.content().map(|content| content.total), total);
    }
    assert_eq!(order.content().unwrap().items[0].expected_delivery_date, Some(day(2)));
}

#[test]
fn an_order_is_rescheduled_and_confirmed_while_its_suppliers_have_it() {
    let short = Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    for (past, status) in [
        (vec![drafted(1)], OrderStatus::Draft),
        (vec![drafted(1), submitted()], OrderStatus::PendingApproval),
        (vec![drafted(1), submitted(), approved()], OrderStatus::Approved),
        ([placed(), vec![short]].concat(), OrderStatus::ClosedShort),
        (
            [placed(), vec![Event::OrderCancelled {}]].concat(),
            OrderStatus::Cancelled,
        ),
    ] {
        for command in [reschedule(None, 2), confirm(None, &[])] {
            given::<Order>(past.clone())
                .when(command)
                .refused(Refusal::NotWithSuppliers { status });
        }
    }
    let all = Event::OrderItemsReceived {
        receipt_id: OTHER,
        lines: vec![of(drawn(0), 3)],
        named: Vec::new(),
    };
    let all = [placed(), vec![all, Event::OrderReceived {}]].concat();
    given::<Order>(all.clone())
        .when(reschedule(None, 2))
        .refused(Refusal::AllCame);
    // A confirmation may come after the goods.
    given::<Order>(all)
        .when(confirm(None, &[]))
        .then([confirmed(SUPPLIER, 0, None)]);
}

#[test]
fn a_supplier_confirms_their_items_with_days_or_without_and_replaces_what_they_said_before() {
    let past = of_two_suppliers();
    given::<Order>(past.clone())
        .when(confirm(Some(BOLT), &[(1, 4)]))
        .then([confirmed(BOLT, 1, Some(4))]);
    let again = [past.clone(), vec![confirmed(BOLT, 1, Some(4))]].concat();
    given::<Order>(again.clone())
        .when(confirm(Some(BOLT), &[(1, 4)]))
        .then([]);
    given::<Order>(again)
        .when(confirm(Some(BOLT), &[]))
        .then([confirmed(BOLT, 1, None)]);
    let refused = |command, refusal| {
        given::<Order>(past.clone()).when(command).refused(refusal);
    };
    refused(confirm(None, &[]), Refusal::WhichSupplier);
    refused(confirm(Some(OTHER), &[]), Refusal::NoSuchSupplier);
    let field = || "dates[0].item_id".to_owned();
    refused(
        confirm(Some(BOLT), &[(0, 4)]),
        Refusal::NotOfSupplier { field: field() },
    );
    let twice = Refusal::DateTwice {
        field: "dates[1].item_id".to_owned(),
    };
    refused(confirm(Some(BOLT), &[(1, 4), (1, 5)]), twice);
}

#[test]
fn a_supplier_names_the_order_in_at_most_100_characters() {
    let reference = |reference: String| {
        Command::Confirm(Confirmation {
            supplier_id: None,
            reference,
            dates: Vec::new(),
        })
    };
    let unfit = |unfit| Refusal::Unfit {
        field: "reference".to_owned(),
        unfit,
    };
    given::<Order>(placed())
        .when(reference(" ".to_owned()))
        .refused(unfit(Unfit::Empty));
    given::<Order>(placed())
        .when(reference(long(101)))
        .refused(unfit(Unfit::TooLong { chars: 101, max: 100 }));
}

#[test]
fn a_note_is_changed_also_after_the_order_was_placed() {
    let note = Command::Annotate {
        note: Some("call first".to_owned()),
    };
    let changed = Event::OrderNoteChanged {
        note: Some("call first".to_owned()),
        had: false,
    };
    let short = Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    for past in [placed(), [placed(), vec![short]].concat()] {
        given::<Order>(past).when(note.clone()).then([changed.clone()]);
    }
    given::<Order>([drafted(1), Event::OrderCancelled {}])
        .when(note)
        .refused(Refusal::Fixed {
            status: OrderStatus::Cancelled,
        });
}
