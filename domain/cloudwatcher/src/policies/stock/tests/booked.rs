//! What stock says of a booking right then, and what no booking is refused for.

use super::*;
use crate::inventory::{Event, Levels, ORDERS_EXPECTED_MAX, STOCK_MAX};

impl World {
    /// A record of pumps on the shelf, of which these orders are to bring so many each.
    fn awaits(&mut self, orders: impl Iterator<Item = Uuid>, each: i32) {
        let expected: serde_json::Map<_, _> = orders.map(|id| (id.to_string(), json!(each))).collect();
        let record = json!({
            "stock": key(PUMP, SHELF), "department_id": STORE, "on_hand": 0, "reorder_point": null,
            "reorder_quantity": null, "reservations": [], "ended": "", "expected": expected, "suggestion": null,
            "is_dismissed": false,
        });
        self.does::<Inventory>(
            key(PUMP, SHELF).stream(TENANT),
            json!({"open": {"part_id": PUMP, "location_id": SHELF}}),
        );
        let carried: Event = serde_json::from_value(json!({"StockCarriedForward": {"record": record}})).unwrap();
        self.writes(key(PUMP, SHELF), &carried);
    }

    fn writes(&mut self, stock: StockKey, event: &Event) {
        let occasion = Occasion {
            by: SYSTEM,
            at: AT,
            reason: None,
        };
        self.0
            .wrote::<Inventory>(stock.stream(TENANT), event, &occasion)
            .unwrap();
    }

    /// The levels that the latest event of this type says.
    fn said(&self, event_type: &str) -> Levels {
        let mut events = self.0.events().iter().rev();
        let event = events.find(|recorded| recorded.event_type == event_type).unwrap();
        let event: Value = serde_json::from_str(&event.event).unwrap();
        serde_json::from_value(event["after"].clone()).unwrap()
    }

    fn reorders_at(&mut self, point: i32) {
        let set = json!({"set-reorder": {"reorder_point": point}});
        self.does::<Inventory>(key(PUMP, SHELF).stream(TENANT), set);
    }
}

#[test]
fn a_surplus_of_one_line_leaves_the_other_to_come_at_every_moment() {
    let mut world = World::new();
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4), (PUMP, 2)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    let told = world.told("StockExpected");
    world.receives(ORDER, &[6, 0]);
    assert_eq!(world.said("StockReceived").on_order, 2);
    world.has(PUMP, SHELF, (6, 0, 2));
    assert_eq!(world.told("StockExpected"), told);
}

#[test]
fn no_suggestion_begins_or_ends_while_goods_come_or_go_back_as_they_were_expected() {
    for (order_type, places) in [
        ("purchase", (None, Some(SHELF))),
        ("internal_transfer", (Some(DEPOT), Some(SHELF))),
    ] {
        // Four are projected all the time: reordering is suggested throughout, or never.
        for point in [5, 3] {
            let mut world = World::new();
            world.orders(ORDER, order_type, places, &[(PUMP, 4)]);
            world.does::<Order>(ORDER, json!({"place": {}}));
            world.reorders_at(point);
            let suggested = world.told("ReorderSuggested");
            let receipt = world.receives(ORDER, &[4]);
            world.has(PUMP, SHELF, (4, 0, 0));
            world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
            world.has(PUMP, SHELF, (0, 0, 4));
            assert_eq!(
                (world.told("ReorderSuggested"), world.told("ReorderLapsed")),
                (suggested, 0)
            );
        }
    }
}

#[test]
fn what_is_expected_already_refuses_no_receipt_and_the_order_says_what_is_not_on_order() {
    for (orders, each) in [(ORDERS_EXPECTED_MAX, 1), (1, STOCK_MAX)] {
        let first = Uuid::from_u128(0xf00);
        let others = (0..orders).map(|n| Uuid::from_u128(first.as_u128() + n as u128));
        let on_order = i32::try_from(orders).unwrap() * each;
        let mut world = World::new();
        world.awaits(others, each);
        world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4), (PUMP, 2)]);
        world.does::<Order>(ORDER, json!({"place": {}}));
        assert_eq!(world.told("OrderStockRefused"), 1);
        world.receives(ORDER, &[3, 0]);
        world.has(PUMP, SHELF, (3, 0, on_order));
        let receipt = world.receives(ORDER, &[1, 0]);
        world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
        world.has(PUMP, SHELF, (3, 0, on_order));
        assert_eq!(world.told("OrderStockRefused"), 1);

        // Tried again in vain, and once there is room.
        world.does::<Order>(ORDER, json!({"retry-stock": {}}));
        assert_eq!(world.told("OrderStockRefused"), 2);
        let all_came = Event::StockExpected {
            stock: key(PUMP, SHELF),
            order_id: first,
            quantity: 0,
            after: Levels::default(),
        };
        world.writes(key(PUMP, SHELF), &all_came);
        world.does::<Order>(ORDER, json!({"retry-stock": {}}));
        world.has(PUMP, SHELF, (3, 0, on_order - each + 3));
        assert_eq!(world.told("OrderStockRefused"), 2);
        assert!(world.asks::<Order>(ORDER, json!({"retry-stock": {}})).is_err());
    }
}

#[test]
fn a_receipt_that_stock_refuses_leaves_on_order_what_is_still_to_come() {
    let mut world = World::new();
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4), (VALVE, 3)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.does::<Register<Location>>(SHELF, json!({"strike": {}}));
    let receipt = world.receives(ORDER, &[3, 0]);
    assert_eq!(world.told("OrderStockRefused"), 1);
    world.has(PUMP, SHELF, (0, 0, 1));
    world.has(VALVE, SHELF, (0, 0, 3));
    world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": receipt}}));
    world.has(PUMP, SHELF, (0, 0, 4));
}

#[test]
fn an_order_whose_part_was_struck_since_it_was_approved_is_not_placed() {
    let mut world = World::new();
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4)]);
    world.does::<Register<Part>>(PUMP, json!({"strike": {}}));
    let asked = world.asks::<Order>(ORDER, json!({"place": {}}));
    assert!(
        matches!(&asked, Err(Unasked::Refused(why)) if why.starts_with("outdated")),
        "{asked:?}"
    );
}
