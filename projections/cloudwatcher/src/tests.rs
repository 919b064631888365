//! Folds: the past in, rows out.

mod orders;
mod people;
mod plain;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatcher::inventory::{Event as Stock, Inventory, StockKey};
use cloudwatcher::order::{self, Event as Order, Item, Quantity};
use cloudwatcher::{OrderStatus, OrderType};
use domain::{AnyEvent, Metadata, Recorded, SYSTEM, Sealed};
use identity::sign_in::{Event as SignIn, SignIns};
use identity::user::{self, Event as User};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::order_history::{Happened, OrderHistoryRow};
use super::orders::{OrderItemRow, OrderRow};
use super::stock_levels::StockLevelRow;
use super::users::{UserRoleRow, UserRow};
use projections::fold::{FoldError, Project};
use projections::row::Row as _;

const STREAM: Uuid = Uuid::from_u128(0x5);
const BUYER: Uuid = Uuid::from_u128(0xb);
const APPROVER: Uuid = Uuid::from_u128(0xa9);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn recorded(by: Uuid, sequence: i64, event: AnyEvent) -> Recorded<AnyEvent> {
    Recorded {
        position: sequence,
        event_id: Uuid::from_u128(u128::try_from(sequence).unwrap()),
        tenant_id: Uuid::from_u128(0x7),
        aggregate_type: String::new(),
        stream: STREAM,
        sequence,
        event_type: String::new(),
        event_version: "1".to_owned(),
        metadata: Metadata {
            actor: by,
            ..Metadata::default()
        },
        at: at(sequence),
        recorded_at: at(sequence),
        event,
    }
}

/// The row of `key` after these events, one second apart.
fn folded<R: Project>(by: Uuid, key: &R::Key, events: Vec<AnyEvent>) -> Result<Option<R>, FoldError> {
    let mut row = None;
    for (event, sequence) in events.into_iter().zip(1..) {
        let recorded = recorded(by, sequence, event);
        if R::keys(&recorded).contains(key) {
            row = R::fold(row, key, &recorded)?;
        }
    }
    Ok(row)
}

fn item(id: u128) -> Item {
    Item {
        item_id: Uuid::from_u128(id),
        part_id: Uuid::from_u128(0x70),
        variant_id: None,
        supplier_id: Uuid::from_u128(0x50),
        quantity: 3,
        unit_price: Decimal::new(250, 2),
        expected_delivery_date: None,
    }
}

fn of_order(event: Order) -> AnyEvent {
    AnyEvent::new::<order::Order>(event)
}

fn drafted() -> AnyEvent {
    drafted_by(BUYER)
}

fn drafted_by(drafted_by: Uuid) -> AnyEvent {
    drafted_as(drafted_by, vec![item(1), item(2)])
}

fn drafted_with(items: Vec<Item>) -> AnyEvent {
    drafted_as(BUYER, items)
}

fn drafted_as(drafted_by: Uuid, items: Vec<Item>) -> AnyEvent {
    of_order(Order::OrderDrafted {
        order_type: OrderType::Purchase,
        department_id: Uuid::from_u128(0xd),
        currency: "EUR".to_owned(),
        request_id: Some(Uuid::from_u128(0x4)),
        note: None,
        duplicate_of: None,
        items,
        drafted_by,
        tolerance_percent: 10,
        location_id: None,
        from_location_id: None,
        left_out: Vec::new(),
        is_reorder: false,
        named: Vec::new(),
    })
}

fn submitted() -> AnyEvent {
    of_order(submission())
}

fn submission() -> Order {
    let items = vec![item(1), item(2)];
    Order::OrderSubmitted {
        revision: 1,
        items,
        total: Decimal::new(1500, 2),
        content_hash: String::new(),
        drafted_by: BUYER,
        submitted_by: BUYER,
    }
}

/// The row after these events of an order that waits for approval.
fn order_after(events: impl IntoIterator<Item = Order>) -> OrderRow {
    let events = events.into_iter().map(of_order);
    let events = [drafted(), submitted()].into_iter().chain(events).collect();
    folded::<OrderRow>(BUYER, &STREAM, events).unwrap().unwrap()
}

fn approved() -> Order {
    Order::OrderApproved {
        revision: 1,
        approved_by: Some(APPROVER),
    }
}

fn lines(quantity: i32) -> Vec<Quantity> {
    let item_id = Uuid::from_u128(1);
    vec![Quantity { item_id, quantity }]
}

fn received(quantity: i32) -> Order {
    Order::OrderItemsReceived {
        receipt_id: Uuid::from_u128(0x4ec),
        lines: lines(quantity),
        named: Vec::new(),
    }
}

fn reversed(quantity: i32, status: OrderStatus) -> Order {
    Order::OrderReceiptReversed {
        receipt_id: Uuid::from_u128(0x4ec),
        lines: lines(quantity),
        status,
        was_booked: false,
        named: Vec::new(),
    }
}

#[test]
fn an_approved_order_says_by_whom_and_when_until_it_goes_back() {
    let row = order_after([approved()]);
    assert_eq!(row.status.0, OrderStatus::Approved);
    assert_eq!((row.approved_by, row.approved_at), (Some(APPROVER), Some(at(3))));

    let row = order_after([approved(), submission()]);
    assert_eq!(row.status.0, OrderStatus::PendingApproval);
    assert_eq!((row.approved_by, row.approved_at), (None, None));

    let rejection = Order::OrderRejected {
        revision: 1,
        rejected_by: Some(APPROVER),
    };
    let row = order_after([rejection]);
    assert_eq!((row.status.0, row.approved_by), (OrderStatus::Draft, None));
    assert_eq!(row.total, Some(Decimal::new(1500, 2)));
}

#[test]
fn an_order_stands_where_its_receipts_leave_it() {
    let status = |events: Vec<Order>| {
        order_after([approved(), Order::OrderPlaced {}].into_iter().chain(events))
            .status
            .0
    };
    assert_eq!(status(vec![]), OrderStatus::Ordered);
    assert_eq!(status(vec![received(1)]), OrderStatus::PartiallyReceived);
    assert_eq!(
        status(vec![received(3), Order::OrderReceived {}]),
        OrderStatus::Received
    );
    assert_eq!(
        status(vec![received(1), reversed(1, OrderStatus::Ordered)]),
        OrderStatus::Ordered
    );
    assert_eq!(
        status(vec![Order::OrderClosedShort {
            open: lines(3),
            named: Vec::new(),
        }]),
        OrderStatus::ClosedShort
    );
}

#[test]
fn an_orders_currency_and_note_are_the_last_ones() {
    let currency = Order::OrderCurrencyChanged {
        currency: "USD".to_owned(),
        was: "EUR".to_owned(),
    };
    let note = Order::OrderNoteChanged {
        note: Some("soon".to_owned()),
        had: false,
    };
    let row = order_after([currency, note]);
    assert_eq!((row.currency.as_str(), row.note.as_deref()), ("USD", Some("soon")));
    assert_eq!((row.tolerance_percent, row.updated_at), (10, at(4)));
}

#[test]
fn an_item_counts_what_was_received_and_not_reversed() {
    let item = |events: Vec<Order>| {
        let events = [drafted()].into_iter().chain(events.into_iter().map(of_order));
        folded::<OrderItemRow>(BUYER, &Uuid::from_u128(1), events.collect())
            .unwrap()
            .unwrap()
    };
    assert_eq!(item(vec![received(1), received(2)]).quantity_received, 3);
    let after = item(vec![
        received(1),
        received(2),
        reversed(1, OrderStatus::PartiallyReceived),
    ]);
    assert_eq!((after.quantity_received, after.quantity_ordered), (2, 3));
}

#[test]
fn history_has_a_word_for_everything_that_happens_to_an_order() {
    let told = |event: Order| {
        let event = recorded(BUYER, 9, of_order(event));
        let row = OrderHistoryRow::fold(None, &event.event_id, &event).unwrap().unwrap();
        (row.event_type.0, row.event_description)
    };
    let is = |event: Order, word: &str, description: &str| {
        let (happened, told) = told(event);
        assert_eq!((<&str>::from(happened), told.as_str()), (word, description));
    };
    is(approved(), "approved", "Approved as revision 1");
    is(Order::OrderPlaced {}, "ordered", "Placed with the suppliers");
    is(received(3), "items-received", "Received 3 units of 1 item");
    is(Order::OrderReceived {}, "received", "Received in full");
    is(
        reversed(3, OrderStatus::Ordered),
        "receipt-reversed",
        "Reversed the receipt of 3 units of 1 item; the order is ordered",
    );
    is(
        Order::OrderClosedShort {
            open: lines(2),
            named: Vec::new(),
        },
        "closed-short",
        "Closed short: 2 units of 1 item will not come",
    );
    is(
        Order::OrderRejected {
            revision: 1,
            rejected_by: None,
        },
        "rejected",
        "Rejected as revision 1, and a draft again",
    );
    is(
        Order::OrderCurrencyChanged {
            currency: "USD".to_owned(),
            was: "EUR".to_owned(),
        },
        "currency-changed",
        "Changed the currency of all prices from EUR to USD",
    );
    is(
        Order::OrderNoteChanged { note: None, had: true },
        "note-changed",
        "Took the note away",
    );
    // Of which nobody has thought of a better sentence.
    is(Order::OrderCancelled {}, "cancelled", "Cancelled");
}

#[test]
fn a_submitted_order_waits_for_approval_with_its_total() {
    let order = folded::<OrderRow>(BUYER, &STREAM, vec![drafted(), submitted()])
        .unwrap()
        .unwrap();
    assert_eq!(
        (order.status.0, order.total),
        (OrderStatus::PendingApproval, Some(Decimal::new(1500, 2)))
    );
    assert_eq!(
        (order.created_by, order.created_at, order.updated_at),
        (BUYER, at(1), at(2))
    );
}

#[test]
fn a_cancelled_order_gives_its_request_back() {
    let events = vec![drafted(), of_order(Order::OrderCancelled {})];
    let order = folded::<OrderRow>(BUYER, &STREAM, events).unwrap().unwrap();
    assert_eq!((order.status.0, order.request_id), (OrderStatus::Cancelled, None));
}

#[test]
fn changing_an_order_that_is_not_there_is_an_error() {
    let missing = folded::<OrderRow>(BUYER, &STREAM, vec![submitted()]);
    assert_eq!(missing, Err(FoldError::MissingRow { table: "orders" }));
}

#[test]
fn an_order_that_daybook_itself_drafts_has_no_creator_and_is_an_error() {
    let nobody = folded::<OrderRow>(SYSTEM, &STREAM, vec![drafted_by(SYSTEM)]);
    assert_eq!(
        nobody,
        Err(FoldError::NoUser {
            table: "orders",
            column: "created_by"
        })
    );
}

#[test]
fn a_changed_item_keeps_when_it_was_added() {
    let changed = Item { quantity: 5, ..item(1) };
    let was = item(1).terms();
    let events = vec![
        drafted(),
        of_order(Order::OrderItemChanged {
            item: changed,
            was,
            named: Vec::new(),
            was_named: Vec::new(),
        }),
    ];
    let item = folded::<OrderItemRow>(BUYER, &Uuid::from_u128(1), events)
        .unwrap()
        .unwrap();
    assert_eq!((item.quantity_ordered, item.created_at), (5, at(1)));
    assert_eq!(item.json()["total_price"], json!("12.50"));
}

#[test]
fn lines_keep_the_order_in_which_they_were_entered() {
    let added = |id| {
        of_order(Order::OrderItemAdded {
            item: item(id),
            named: Vec::new(),
        })
    };
    let (changed, was) = (Item { quantity: 5, ..item(1) }, item(1).terms());
    let item_id = Uuid::from_u128(2);
    let events = [
        drafted_with(vec![item(9), item(2), item(1)]),
        added(8),
        of_order(Order::OrderItemRemoved {
            item_id,
            was: None,
            named: Vec::new(),
        }),
        added(4),
        of_order(Order::OrderItemChanged {
            item: changed,
            was,
            named: Vec::new(),
            was_named: Vec::new(),
        }),
        of_order(received(1)),
    ];
    let place = |id: u128| {
        let row = folded::<OrderItemRow>(BUYER, &Uuid::from_u128(id), events.to_vec()).unwrap();
        row.map(|row| (row.position, row.place))
    };
    assert_eq!(
        [9, 2, 1, 8, 4].map(place),
        [Some((1, 1)), None, Some((1, 3)), Some((2, 1)), Some((4, 1))]
    );
}

#[test]
fn a_removed_item_is_gone() {
    let item_id = Uuid::from_u128(2);
    let events = vec![
        drafted(),
        of_order(Order::OrderItemRemoved {
            item_id,
            was: None,
            named: Vec::new(),
        }),
    ];
    assert_eq!(folded::<OrderItemRow>(BUYER, &item_id, events), Ok(None));
}

#[test]
fn history_tells_what_changed_in_an_item() {
    let changed = Item { quantity: 5, ..item(1) };
    let was = item(1).terms();
    let event = recorded(
        BUYER,
        9,
        of_order(Order::OrderItemChanged {
            item: changed,
            was,
            named: Vec::new(),
            was_named: Vec::new(),
        }),
    );
    let row = OrderHistoryRow::fold(None, &event.event_id, &event).unwrap().unwrap();
    assert_eq!(
        (row.id, row.event_type.0),
        (event.event_id, Happened::of("OrderItemChanged"))
    );
    assert_eq!(row.event_description, "Changed an item: quantity from 3 to 5");
    assert_eq!(row.metadata["changed"], json!({ "quantity": { "old": 3, "new": 5 } }));
}

#[test]
fn history_carries_the_reason_and_no_user_when_daybook_acted() {
    let mut event = recorded(SYSTEM, 9, of_order(Order::OrderCancelled {}));
    event.metadata.reason = Some("too late".to_owned());
    let row = OrderHistoryRow::fold(None, &event.event_id, &event).unwrap().unwrap();
    assert_eq!((row.event_type.0, row.user_id), (Happened::of("OrderCancelled"), None));
    assert_eq!(row.metadata, json!({ "reason": "too late" }));
}

#[test]
fn a_level_of_several_streams_has_the_lowest_position_in_whichever_order_they_come() {
    let opened = |position: i64| {
        let stock = StockKey {
            part_id: Uuid::from_u128(0x70),
            variant_id: Some(Uuid::from_u128(u128::try_from(position).unwrap())),
            location_id: Uuid::from_u128(0x10c),
        };
        let event = Stock::InventoryOpened {
            stock,
            department_id: Uuid::from_u128(0xd),
            reorder_point: None,
            reorder_quantity: None,
        };
        recorded(BUYER, position, AnyEvent::new::<Inventory>(event))
    };
    let level = |positions: [i64; 2]| {
        let mut row: Option<StockLevelRow> = None;
        for event in positions.map(opened) {
            row = StockLevelRow::fold(row, &StockLevelRow::keys(&event)[0], &event).unwrap();
        }
        row.unwrap()
    };
    assert_eq!(level([3, 8]), level([8, 3]));
    assert_eq!(level([8, 3]).position, 3);
}
