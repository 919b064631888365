//! What orders are still to bring, as their bookings say it.

use serde_json::json;
use uuid::Uuid;

use super::{KEPT, ORDER, STOCK, levels, received, reordered, reserved, stocked};
use crate::inventory::{Command, Event, Inventory, Levels, ORDERS_EXPECTED_MAX, Refusal, STOCK_MAX, StockKey};
use crate::order::{self, Order};
use domain::text::Unfit;
use domain::{Facts, SYSTEM};
use rehearsal::given::{TENANT, state};

const TRANSFER: Uuid = Uuid::from_u128(0x60);
const THERE: StockKey = StockKey {
    location_id: Uuid::from_u128(0x21),
    ..STOCK
};

fn expected(order_id: Uuid, quantity: i32, on_order: i32) -> Event {
    Event::StockExpected {
        stock: STOCK,
        order_id,
        quantity,
        after: levels(0, 0, on_order),
    }
}

fn receive(quantity: i32, still_to_come: Option<i32>) -> Command {
    Command::Receive {
        quantity,
        source: Some(ORDER),
        stock: None,
        still_to_come,
    }
}

fn came(quantity: i32, still_to_come: Option<i32>, after: Levels) -> Event {
    Event::StockReceived {
        stock: STOCK,
        quantity,
        source: Some(ORDER),
        still_to_come,
        after,
    }
}

fn issue(still_to_come: Option<i32>) -> Command {
    Command::Issue {
        quantity: 4,
        reservation_id: None,
        source: Some(ORDER),
        still_to_come,
    }
}

fn out(to: StockKey, still_to_come: Option<i32>) -> Command {
    Command::TransferOut {
        transfer_id: TRANSFER,
        to,
        quantity: 4,
        reservation_id: None,
        source: Some(ORDER),
        still_to_come,
    }
}

fn into(from: StockKey, to: StockKey, still_to_come: Option<i32>) -> Command {
    Command::TransferIn {
        transfer_id: TRANSFER,
        from,
        to,
        quantity: 4,
        source: Some(ORDER),
        still_to_come,
    }
}

/// As many orders as may be known, each to bring one.
fn full() -> impl Iterator<Item = Event> {
    (1..=ORDERS_EXPECTED_MAX as i32).map(|n| expected(Uuid::from_u128(0xf00 + n.unsigned_abs() as u128), 1, n))
}

#[test]
fn goods_that_come_say_how_many_of_their_order_are_still_to_come() {
    stocked([expected(ORDER.id, 6, 6)])
        .by(SYSTEM)
        .when(receive(6, Some(2)))
        .then([came(6, Some(2), levels(6, 0, 2))]);
    let there = THERE.stream(TENANT);
    stocked([expected(ORDER.id, 6, 6)])
        .by(SYSTEM)
        .together_with::<Inventory>(there, out(STOCK, None))
        .when(into(THERE, STOCK, Some(2)))
        .then([Event::StockTransferredIn {
            stock: STOCK,
            transfer_id: TRANSFER,
            from: THERE,
            quantity: 4,
            source: Some(ORDER),
            still_to_come: Some(2),
            after: levels(4, 0, 2),
        }]);
}

#[test]
fn goods_that_go_back_say_how_many_of_their_order_are_to_come_again() {
    let here = || stocked([received(4, levels(4, 0, 0))]).by(SYSTEM);
    here().when(issue(Some(4))).then([Event::StockIssued {
        stock: STOCK,
        quantity: 4,
        reservation_id: None,
        source: Some(ORDER),
        still_to_come: Some(4),
        after: levels(0, 0, 4),
    }]);
    here()
        .together_with::<Inventory>(THERE.stream(TENANT), into(STOCK, THERE, None))
        .when(out(THERE, Some(4)))
        .then([Event::StockTransferredOut {
            stock: STOCK,
            transfer_id: TRANSFER,
            to: THERE,
            quantity: 4,
            reservation_id: None,
            source: Some(ORDER),
            still_to_come: Some(4),
            after: levels(0, 0, 4),
        }]);
}

#[test]
fn moves_of_a_time_when_they_did_not_say_so_fold_as_they_did() {
    let opened = Event::InventoryOpened {
        stock: STOCK,
        department_id: super::DEPARTMENT,
        reorder_point: None,
        reorder_quantity: None,
    };
    let on_order = |event: Event| {
        let past = [
            opened.clone(),
            expected(ORDER.id, 6, 6),
            received(4, levels(4, 0, 6)),
            event,
        ];
        state::<Inventory>(past).on_order()
    };
    assert_eq!(on_order(came(4, None, levels(8, 0, 2))), 2);
    assert_eq!(on_order(came(9, None, levels(13, 0, 0))), 0);
    let json = json!({"StockTransferredOut": {
        "stock": STOCK, "transfer_id": TRANSFER, "to": THERE, "quantity": 4, "reservation_id": null, "source": ORDER,
        "after": levels(0, 0, 6),
    }});
    assert_eq!(on_order(serde_json::from_value(json).unwrap()), 6);
}

#[test]
fn what_is_expected_already_refuses_no_goods_that_are_there() {
    let all = ORDERS_EXPECTED_MAX as i32;
    // After so many events everything is carried forward, besides.
    let events = stocked(full()).by(SYSTEM).when(receive(4, Some(2))).events();
    assert_eq!(events[0], came(4, Some(0), levels(4, 0, all)));
    let other = Uuid::from_u128(0x51);
    stocked([expected(other, STOCK_MAX - 1, STOCK_MAX - 1)])
        .by(SYSTEM)
        .when(receive(4, Some(2)))
        .then([came(4, Some(1), levels(4, 0, STOCK_MAX))]);
    let past = full().chain([received(4, levels(4, 0, all))]);
    let events = stocked(past).by(SYSTEM).when(issue(Some(4))).events();
    assert!(matches!(
        events[0],
        Event::StockIssued {
            still_to_come: Some(0),
            ..
        }
    ));
}

#[test]
fn what_is_over_has_nothing_still_to_come_whatever_its_booking_says() {
    let drafted = json!({"OrderDrafted": {
        "order_type": "purchase", "department_id": super::DEPARTMENT, "currency": "EUR", "items": [],
        "drafted_by": ORDER.id, "tolerance_percent": 0,
    }});
    let drafted: order::Event = serde_json::from_value(drafted).unwrap();
    let cancelled = [drafted, order::Event::OrderCancelled {}];
    stocked([expected(ORDER.id, 6, 6)])
        .by(SYSTEM)
        .with_facts(Facts::default().with(ORDER.id, state::<Order>(cancelled)))
        .when(receive(4, Some(2)))
        .then([came(4, Some(0), levels(4, 0, 0))]);
}

#[test]
fn what_is_still_to_come_is_said_of_an_order_alone_and_fits_stock() {
    let alone = Command::Receive {
        quantity: 1,
        source: None,
        stock: None,
        still_to_come: Some(1),
    };
    stocked([]).when(alone).refused(Refusal::NoOrderNamed);
    let kept = [received(4, levels(4, 0, 0)), reserved(KEPT, 4, levels(4, 4, 0))];
    let issue = Command::Issue {
        quantity: 1,
        reservation_id: Some(KEPT),
        source: None,
        still_to_come: Some(1),
    };
    stocked(kept).when(issue).refused(Refusal::NoOrderNamed);
    let unfit = Unfit::Range {
        value: -1,
        min: 0,
        max: STOCK_MAX.into(),
    };
    stocked([])
        .by(SYSTEM)
        .when(receive(1, Some(-1)))
        .refused(Refusal::Unfit {
            field: "still_to_come",
            unfit,
        });
}

#[test]
fn no_reorder_is_suggested_while_goods_come_for_what_is_still_to_come_of_their_order() {
    // Nine are projected at any time, and eight is where reordering begins.
    reordered(Some(8), None, [expected(ORDER.id, 9, 9)])
        .by(SYSTEM)
        .when(receive(6, Some(3)))
        .then([came(6, Some(3), levels(6, 0, 3))]);
    let past = [received(6, levels(6, 0, 0)), expected(ORDER.id, 3, 3)];
    let back = reordered(Some(8), None, past).by(SYSTEM).when(issue(Some(7)));
    assert_eq!(back.events().len(), 1);
}
