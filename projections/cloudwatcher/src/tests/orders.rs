//! Rows of orders: totals, what comes late, what suppliers confirm.

use cloudwatcher::order::{Booking, Confirmed, Rescheduled};

use super::*;

#[test]
fn an_orders_total_is_that_of_its_lines_by_now_and_what_was_submitted_stays() {
    let cents = |cents| Some(Decimal::new(cents, 2));
    let draft = folded::<OrderRow>(BUYER, &STREAM, vec![drafted()]).unwrap().unwrap();
    assert_eq!((draft.total, draft.submitted_total), (cents(1500), None));
    let totals = |events: Vec<Order>| {
        let row = order_after(events);
        (row.total, row.submitted_total)
    };
    let removed = |was| Order::OrderItemRemoved {
        item_id: Uuid::from_u128(2),
        was,
        named: Vec::new(),
    };
    let more = Order::OrderItemChanged {
        item: Item { quantity: 5, ..item(1) },
        was: item(1).terms(),
        named: Vec::new(),
        was_named: Vec::new(),
    };
    assert_eq!(
        totals(vec![Order::OrderItemAdded {
            item: item(3),
            named: Vec::new(),
        }]),
        (cents(2250), cents(1500))
    );
    assert_eq!(totals(vec![more]), (cents(2000), cents(1500)));
    assert_eq!(totals(vec![removed(Some(item(2).terms()))]), (cents(750), cents(1500)));
    // Version 1 did not say what was removed.
    assert_eq!(totals(vec![removed(None)]), (None, cents(1500)));
    assert_eq!(totals(vec![removed(None), submission()]), (cents(1500), cents(1500)));
}

#[test]
fn what_comes_late_leaves_an_order_closed_short() {
    let short = Order::OrderClosedShort {
        open: lines(3),
        named: Vec::new(),
    };
    for last in [received(3), reversed(1, OrderStatus::ClosedShort)] {
        let events = [approved(), Order::OrderPlaced {}, received(1), short.clone(), last];
        assert_eq!(order_after(events).status.0, OrderStatus::ClosedShort);
    }
}

#[test]
fn an_item_shows_when_it_is_expected_and_what_its_supplier_confirmed() {
    let day = |day| chrono::NaiveDate::from_ymd_opt(2026, 3, day);
    let item_id = Uuid::from_u128(1);
    let rescheduled = Order::OrderRescheduled {
        items: vec![Rescheduled {
            item_id,
            expected_delivery_date: day(2).unwrap(),
            was: None,
        }],
    };
    let confirmed = Order::OrderConfirmed {
        supplier_id: item(1).supplier_id,
        reference: "AB-17".to_owned(),
        items: vec![Confirmed {
            item_id,
            confirmed_delivery_date: day(5),
        }],
    };
    let events = vec![drafted(), of_order(rescheduled), of_order(confirmed)];
    let row = folded::<OrderItemRow>(BUYER, &item_id, events).unwrap().unwrap();
    assert_eq!(
        (row.expected_delivery_date, row.confirmed_delivery_date),
        (day(2), day(5))
    );
    assert_eq!(
        (row.supplier_reference.as_deref(), row.confirmed_at),
        (Some("AB-17"), Some(at(3)))
    );
}

#[test]
fn history_says_what_stock_cannot_count_as_on_order_and_what_comes_of_it() {
    let told = |is_open: bool| {
        let refused = Order::OrderStockRefused {
            booking: Booking::Expectation {},
            is_open,
        };
        let event = recorded(BUYER, 9, of_order(refused));
        let row = OrderHistoryRow::fold(None, &event.event_id, &event).unwrap().unwrap();
        row.event_description
    };
    assert_eq!(
        told(true),
        "Stock could not count as on order what is to come; put back in use what is struck, or take in what other orders bring \
         there, then retry"
    );
    assert_eq!(
        told(false),
        "Stock could not count as on order what is to come; it is told again when the order is placed"
    );
}
