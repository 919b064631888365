//! Orders and stock together, through the real decisions and the real policies, in a book in memory.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::OrderStatus;
use crate::approval_policy::ApprovalPolicy;
use crate::inventory::Inventory;
use crate::location::Location;
use crate::part::Part;
use crate::policies::OrderApprovals;
use crate::supplier::Supplier;
use domain::register::Register;
use domain::{Contexts, SYSTEM};
use identity::department::Department;
use identity::user::User;
use rehearsal::{Occasion, Rehearsal, Unasked, sending};

mod booked;
mod on_order;

const TENANT: Uuid = Uuid::from_u128(0x7e);
const BUYER: Uuid = Uuid::from_u128(0xb);
const STORE: Uuid = Uuid::from_u128(0x10);
const ACME: Uuid = Uuid::from_u128(0x20);
const PUMP: Uuid = Uuid::from_u128(0x30);
const VALVE: Uuid = Uuid::from_u128(0x31);
const DEPOT: Uuid = Uuid::from_u128(0x40);
const SHELF: Uuid = Uuid::from_u128(0x41);
const ORDER: Uuid = Uuid::from_u128(0x50);
const OTHER: Uuid = Uuid::from_u128(0x51);
const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;
/// Of purchases.
const TOLERANCE_PERCENT: i32 = 100;

struct World(Rehearsal);

impl World {
    /// A buyer, two locations, two parts, ten pumps and five valves in the depot; orders need no approval.
    fn new() -> Self {
        let contexts = Contexts::new(&[&identity::CONTEXT, &crate::CONTEXT]).unwrap();
        let mut world = Self(Rehearsal::new(contexts, TENANT));
        world.does::<User>(BUYER, json!({"register": {"name": "Bo", "email": "bo@example.com"}}));
        world.does::<Register<Department>>(STORE, json!({"enter": {"name": "Store"}}));
        world.does::<Register<Supplier>>(ACME, json!({"enter": {"name": "Acme"}}));
        for (part, code) in [(PUMP, "P"), (VALVE, "V")] {
            world.does::<Register<Part>>(part, json!({"enter": {"part_code": code, "name": code}}));
        }
        for location in [DEPOT, SHELF] {
            world.does::<Register<Location>>(location, json!({"enter": {"name": "Here", "dept_id": STORE}}));
        }
        let thresholds = json!({"enter": {"currencies": [{"currency": "EUR", "thresholds": [1_000_000]}]}});
        world.does::<Register<ApprovalPolicy>>(Register::<ApprovalPolicy>::only_stream(TENANT), thresholds);
        for (part, quantity) in [(PUMP, 10), (VALVE, 5)] {
            world.stocks(key(part, DEPOT), quantity);
        }
        world
    }

    fn asks<D: Decider>(&mut self, stream: Uuid, command: Value) -> Result<usize, Unasked> {
        let occasion = Occasion {
            by: BUYER,
            at: AT,
            reason: Some("because"),
        };
        let asked = self.0.ask(&[sending::<D>(stream, &command)], &occasion);
        self.catches_up();
        asked
    }

    /// Asks an order for something while the policies are away.
    fn asks_late(&mut self, order: Uuid, command: Value) -> Result<usize, Unasked> {
        let occasion = Occasion {
            by: BUYER,
            at: AT,
            reason: Some("because"),
        };
        self.0.ask(&[sending::<Order>(order, &command)], &occasion)
    }

    /// As above, of what is accepted.
    fn late(&mut self, order: Uuid, command: Value) {
        self.asks_late(order, command).unwrap();
    }

    fn receives_late(&mut self, quantity: i32) {
        let item = self.item(ORDER, 0);
        self.late(
            ORDER,
            json!({"receive": {"lines": [{"item_id": item, "quantity": quantity}]}}),
        );
    }

    fn catches_up(&mut self) {
        self.0.follow(&[&OrderApprovals, &OrderStock], AT).unwrap();
    }

    /// The receipt that was booked last.
    fn receipt(&self) -> Uuid {
        let receipts = self.0.events().iter().rev();
        let mut receipts = receipts.filter(|recorded| recorded.event_type == "OrderItemsReceived");
        let receipt: Value = serde_json::from_str(&receipts.next().unwrap().event).unwrap();
        serde_json::from_value(receipt["receipt_id"].clone()).unwrap()
    }

    fn does<D: Decider>(&mut self, stream: Uuid, command: Value) {
        self.asks::<D>(stream, command).unwrap();
    }

    fn stocks(&mut self, stock: StockKey, quantity: i32) {
        let receive = json!({"receive": {"quantity": quantity, "stock": stock}});
        self.does::<Inventory>(stock.stream(TENANT), receive);
    }

    /// Somebody counts the pumps in the depot.
    fn counts(&mut self, seen: i32, counted: i32) {
        let count = json!({"count": {"seen": seen, "counted": counted}});
        self.does::<Inventory>(key(PUMP, DEPOT).stream(TENANT), count);
    }

    /// Drafts and submits an order of these parts and quantities, which approves it.
    fn orders(
        &mut self,
        order: Uuid,
        order_type: &str,
        locations: (Option<Uuid>, Option<Uuid>),
        items: &[(Uuid, i32)],
    ) {
        let item = |&(part, quantity): &(Uuid, i32)| json!({"part_id": part, "supplier_id": ACME, "quantity": quantity, "unit_price": "1"});
        let items: Vec<Value> = items.iter().map(item).collect();
        let draft = json!({"draft": {
            "order_type": order_type, "department_id": STORE, "currency": "EUR", "items": items,
            "from_location_id": locations.0, "location_id": locations.1,
            "tolerance_percent": if order_type == "purchase" { TOLERANCE_PERCENT } else { 0 },
        }});
        self.does::<Order>(order, draft);
        self.does::<Order>(order, json!({"submit": {}}));
        assert_eq!(self.order(order).status(), Some(OrderStatus::Approved));
    }

    fn transfers(&mut self, order: Uuid, items: &[(Uuid, i32)]) {
        self.orders(order, "internal_transfer", (Some(DEPOT), Some(SHELF)), items);
    }

    fn order(&self, order: Uuid) -> Order {
        self.0.state(order).unwrap()
    }

    fn receives(&mut self, order: Uuid, quantities: &[i32]) -> Uuid {
        self.does::<Order>(order, self.receipt_of(order, quantities));
        self.receipt()
    }

    fn receipt_of(&self, order: Uuid, quantities: &[i32]) -> Value {
        let items = self.order(order).content().unwrap().items.clone();
        let lines = items.iter().zip(quantities).filter(|(_, quantity)| **quantity > 0);
        let lines: Vec<Value> = lines
            .map(|(item, quantity)| json!({"item_id": item.item_id, "quantity": quantity}))
            .collect();
        json!({"receive": {"lines": lines}})
    }

    fn item(&self, order: Uuid, place: usize) -> Uuid {
        self.order(order).content().unwrap().items[place].item_id
    }

    /// On hand, reserved and on order.
    #[track_caller]
    fn has(&self, part: Uuid, location: Uuid, expected: (i32, i32, i32)) {
        let inventory: Inventory = self.0.state(key(part, location).stream(TENANT)).unwrap();
        let levels = inventory.levels();
        assert_eq!((levels.on_hand, levels.reserved, levels.on_order), expected);
    }

    fn told(&self, event_type: &str) -> usize {
        let told = self
            .0
            .events()
            .iter()
            .filter(|recorded| recorded.event_type == event_type);
        told.count()
    }
}

fn key(part_id: Uuid, location_id: Uuid) -> StockKey {
    StockKey {
        part_id,
        variant_id: None,
        location_id,
    }
}

#[test]
fn the_policy_is_one_of_the_list() {
    assert!(
        crate::CONTEXT
            .policies
            .iter()
            .any(|policy| policy.name() == "order-stock")
    );
}

#[test]
fn a_transfer_is_kept_at_its_source_when_it_is_approved_and_moved_when_it_is_received() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4), (VALVE, 5)]);
    world.has(PUMP, DEPOT, (10, 4, 0));
    world.has(VALVE, DEPOT, (5, 5, 0));
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.receives(ORDER, &[3, 5]);
    world.has(PUMP, DEPOT, (7, 1, 0));
    world.has(PUMP, SHELF, (3, 0, 1));
    world.has(VALVE, SHELF, (5, 0, 0));
    world.receives(ORDER, &[1, 0]);
    world.has(PUMP, DEPOT, (6, 0, 0));
    world.has(PUMP, SHELF, (4, 0, 0));
    assert_eq!(world.told("OrderStockRefused"), 0);
}

#[test]
fn two_lines_on_one_stock_key_are_asked_for_by_their_sum() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 6), (PUMP, 5)]);
    world.has(PUMP, DEPOT, (10, 0, 0));
    assert_eq!(world.told("OrderStockRefused"), 1);
    world.stocks(key(PUMP, DEPOT), 1);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    world.has(PUMP, DEPOT, (11, 11, 0));
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.receives(ORDER, &[6, 5]);
    world.has(PUMP, SHELF, (11, 0, 0));
    assert_eq!(world.told("StockTransferredOut"), 1);
}

#[test]
fn all_lines_are_kept_or_none() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 1), (VALVE, 6)]);
    world.has(PUMP, DEPOT, (10, 0, 0));
    world.has(VALVE, DEPOT, (5, 0, 0));
    assert!(!world.order(ORDER).is_reserved());
}

#[test]
fn a_cancelled_order_gives_back_what_was_kept_for_it_and_nothing_else() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4)]);
    world.transfers(OTHER, &[(PUMP, 3)]);
    world.does::<Order>(ORDER, json!({"cancel": {}}));
    world.has(PUMP, DEPOT, (10, 3, 0));
    assert_eq!(world.told("ReservationReleased"), 1);
}

#[test]
fn nothing_is_kept_for_an_order_that_is_cancelled_meanwhile() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4)]);
    world.does::<Order>(ORDER, json!({"cancel": {}}));
    let stream = key(PUMP, DEPOT).stream(TENANT);
    let reserve = json!({"reserve": {
        "quantity": 4, "reservation_id": reservation_id(ORDER, 2, stream), "source": {"kind": "order", "id": ORDER},
    }});
    for (by, rule) in [(BUYER, "orders-own"), (SYSTEM, "not-wanted")] {
        let occasion = Occasion {
            by,
            at: AT,
            reason: None,
        };
        let asked = world.0.ask(&[sending::<Inventory>(stream, &reserve)], &occasion);
        assert!(
            matches!(&asked, Err(Unasked::Refused(why)) if why.starts_with(rule)),
            "{asked:?}"
        );
    }
}

#[test]
fn less_of_an_approved_order_shortens_what_is_kept() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4), (VALVE, 2), (PUMP, 1)]);
    world.has(PUMP, DEPOT, (10, 5, 0));
    let first = world.item(ORDER, 0);
    world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "quantity": 2}}));
    world.has(PUMP, DEPOT, (10, 3, 0));
    let second = world.item(ORDER, 1);
    world.does::<Order>(ORDER, json!({"remove-item": {"item_id": second}}));
    world.has(VALVE, DEPOT, (5, 0, 0));
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.receives(ORDER, &[2, 1]);
    world.has(PUMP, SHELF, (3, 0, 0));
    world.has(PUMP, DEPOT, (7, 0, 0));
}

#[test]
fn more_of_an_approved_order_is_kept_once_the_new_revision_is_approved() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4), (VALVE, 1)]);
    let first = world.item(ORDER, 0);
    world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "quantity": 6}}));
    world.has(PUMP, DEPOT, (10, 6, 0));
    world.has(VALVE, DEPOT, (5, 1, 0));
    world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "part_id": VALVE}}));
    // Seven valves are wanted and five are there: nothing is kept, and nothing is left of what was.
    world.has(PUMP, DEPOT, (10, 0, 0));
    world.has(VALVE, DEPOT, (5, 0, 0));
    assert!(!world.order(ORDER).is_reserved());
}

#[test]
fn a_receipt_that_stock_refuses_is_noted_and_booked_when_it_is_tried_again() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 8)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    // Somebody counts: of ten there are four.
    world.counts(10, 4);
    world.receives(ORDER, &[5]);
    assert_eq!(world.told("OrderStockRefused"), 1);
    // It has come, so it is not to come any more.
    world.has(PUMP, SHELF, (0, 0, 3));
    world.counts(4, 8);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    world.has(PUMP, SHELF, (5, 0, 3));
    world.has(PUMP, DEPOT, (3, 0, 0));
    // What was kept is given back with it; the rest is taken from what is there.
    world.receives(ORDER, &[3]);
    world.has(PUMP, SHELF, (8, 0, 0));
    assert!(world.asks::<Order>(ORDER, json!({"retry-stock": {}})).is_err());
}

#[test]
fn a_reversed_receipt_of_a_transfer_goes_back_and_one_that_was_never_booked_does_not() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    let receipt = world.receives(ORDER, &[4]);
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.has(PUMP, DEPOT, (10, 0, 0));
    world.has(PUMP, SHELF, (0, 0, 4));

    world.counts(10, 1);
    let refused = world.receives(ORDER, &[4]);
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": refused}}));
    world.has(PUMP, DEPOT, (1, 0, 0));
    world.has(PUMP, SHELF, (0, 0, 4));
    assert!(world.asks::<Order>(ORDER, json!({"retry-stock": {}})).is_err());
}

#[test]
fn a_purchase_is_on_order_when_it_is_placed_and_in_stock_when_it_is_received() {
    let mut world = World::new();
    world.orders(
        ORDER,
        "purchase",
        (None, Some(SHELF)),
        &[(PUMP, 4), (PUMP, 2), (VALVE, 1)],
    );
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.has(PUMP, SHELF, (0, 0, 6));
    let receipt = world.receives(ORDER, &[4, 1, 0]);
    world.has(PUMP, SHELF, (5, 0, 1));
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.has(PUMP, SHELF, (0, 0, 6));
    world.receives(ORDER, &[4, 0, 0]);
    world.does::<Order>(ORDER, json!({"close-short": {}}));
    world.has(PUMP, SHELF, (4, 0, 0));
    world.has(VALVE, SHELF, (0, 0, 0));
}

#[test]
fn a_purchase_without_a_location_leaves_stock_alone() {
    let mut world = World::new();
    let before = world.told("StockReceived");
    world.orders(ORDER, "purchase", (None, None), &[(PUMP, 4)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.receives(ORDER, &[4]);
    assert_eq!(world.told("StockReceived"), before);
    assert_eq!(world.told("StockExpected"), 0);
}

#[test]
fn a_return_keeps_what_goes_back_and_issues_it() {
    let mut world = World::new();
    world.orders(ORDER, "return", (Some(DEPOT), None), &[(PUMP, 4)]);
    world.has(PUMP, DEPOT, (10, 4, 0));
    world.does::<Order>(ORDER, json!({"place": {}}));
    let receipt = world.receives(ORDER, &[4]);
    world.has(PUMP, DEPOT, (6, 0, 0));
    assert_eq!(world.told("StockIssued"), 1);
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.has(PUMP, DEPOT, (10, 0, 0));
}

#[test]
fn only_daybook_says_that_stock_refused() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 4)]);
    let note = json!({"note-stock-refused": {"booking": {"reservation": {"revision": 1}}}});
    assert!(world.asks::<Order>(ORDER, note).is_err());
}

/// The policy learns of what happened only later: people were faster.
#[test]
fn a_receipt_that_is_reversed_before_stock_refuses_it_is_not_booked_back() {
    let mut world = World::new();
    world.orders(ORDER, "return", (Some(DEPOT), None), &[(PUMP, 5)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.counts(10, 0);
    world.receives_late(5);
    let receipt = world.receipt();
    world.late(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.catches_up();
    world.has(PUMP, DEPOT, (0, 0, 0));
    assert_eq!(world.told("OrderStockRefused"), 1);
    assert!(world.asks::<Order>(ORDER, json!({"retry-stock": {}})).is_err());
}

#[test]
fn what_stock_refuses_of_an_order_that_is_closed_short_can_still_be_retried() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 8)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.counts(10, 0);
    world.receives_late(5);
    world.late(ORDER, json!({"close-short": {}}));
    world.catches_up();
    assert_eq!(world.told("OrderStockRefused"), 1);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    assert_eq!(world.told("OrderStockRefused"), 2);
    world.stocks(key(PUMP, DEPOT), 5);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    world.has(PUMP, DEPOT, (0, 0, 0));
    world.has(PUMP, SHELF, (5, 0, 0));
}

#[test]
fn goods_are_received_again_after_their_receipt_was_reversed() {
    let mut world = World::new();
    world.transfers(ORDER, &[(PUMP, 10)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    let receipt = world.receives(ORDER, &[4]);
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.has(PUMP, DEPOT, (10, 0, 0));
    world.receives(ORDER, &[10]);
    world.has(PUMP, DEPOT, (0, 0, 0));
    world.has(PUMP, SHELF, (10, 0, 0));
    assert_eq!(world.told("OrderStockRefused"), 0);
}

#[test]
fn what_is_kept_at_the_second_try_is_what_the_order_gets() {
    let mut world = World::new();
    world.counts(10, 0);
    world.transfers(ORDER, &[(PUMP, 10)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.receives(ORDER, &[4]);
    world.stocks(key(PUMP, DEPOT), 4);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    world.has(PUMP, SHELF, (4, 0, 6));
    world.stocks(key(PUMP, DEPOT), 6);
    world.does::<Order>(ORDER, json!({"retry-stock": {}}));
    world.has(PUMP, DEPOT, (6, 6, 0));
    world.receives(ORDER, &[6]);
    world.has(PUMP, DEPOT, (0, 0, 0));
    world.has(PUMP, SHELF, (10, 0, 0));
}

#[test]
fn a_receipt_that_is_reversed_is_not_booked_back_when_the_order_is_closed_short_before_stock_refuses_it() {
    let mut world = World::new();
    world.orders(ORDER, "return", (Some(DEPOT), None), &[(PUMP, 5)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.counts(10, 0);
    world.receives_late(3);
    let receipt = world.receipt();
    world.late(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.late(ORDER, json!({"close-short": {}}));
    world.catches_up();
    world.has(PUMP, DEPOT, (0, 0, 0));
    assert!(world.asks::<Order>(ORDER, json!({"retry-stock": {}})).is_err());
}
