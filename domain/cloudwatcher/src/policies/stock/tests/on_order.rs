//! What is on order, whatever becomes of two orders of the same parts.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::order::Item;

/// What may be done with an order that is placed.
#[derive(Debug, Clone)]
enum Act {
    Receive(Vec<i32>),
    /// Twice, before the policies have seen the first.
    ReceiveTwice(Vec<i32>),
    ReverseLast,
    CloseShort,
    Cancel,
    /// So many pumps are found where the transfer takes them: stock refuses what is not there.
    Count(i32),
    RetryStock,
}

fn acts() -> impl Strategy<Value = Vec<(bool, Act)>> {
    let quantities = || proptest::collection::vec(0..6_i32, 3);
    let act = prop_oneof![
        6 => quantities().prop_map(Act::Receive),
        2 => quantities().prop_map(Act::ReceiveTwice),
        3 => Just(Act::ReverseLast),
        2 => (0..12).prop_map(Act::Count),
        1 => Just(Act::RetryStock),
        1 => Just(Act::CloseShort),
        1 => Just(Act::Cancel),
    ];
    proptest::collection::vec((any::<bool>(), act), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn on_order_is_what_open_orders_are_still_to_bring_line_by_line(acts in acts()) {
        holds(acts)?;
    }
}

proptest! {
    // Six steps each, most of the time.
    #![proptest_config(ProptestConfig::with_cases(17_000))]

    #[test]
    #[ignore = "100,000 steps take minutes"]
    fn on_order_and_totals_hold_for_a_hundred_thousand_steps(acts in acts()) {
        holds(acts)?;
    }
}

/// Two lines of one part, whatever comes of them: for each part and location it equals what both orders are to bring, and
/// their totals are the sums of their lines.
fn holds(acts: Vec<(bool, Act)>) -> Result<(), TestCaseError> {
    let mut world = World::new();
    let items = [(PUMP, 4), (PUMP, 2), (VALVE, 1)];
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &items);
    world.orders(OTHER, "internal_transfer", (Some(DEPOT), Some(SHELF)), &items);
    for order in [ORDER, OTHER] {
        world.does::<Order>(order, json!({"place": {}}));
    }
    world.brings_what_is_on_order()?;
    let mut receipts = [Vec::new(), Vec::new()];
    for (is_first, act) in acts {
        let order = if is_first { ORDER } else { OTHER };
        let receipts = &mut receipts[usize::from(!is_first)];
        let is_receipt = matches!(act, Act::Receive(_) | Act::ReceiveTwice(_));
        let asked = match act {
            Act::Receive(quantities) => world.asks::<Order>(order, world.receipt_of(order, &quantities)),
            Act::ReceiveTwice(quantities) => {
                // Refused or not.
                let _ = world.asks_late(order, world.receipt_of(order, &quantities));
                world.asks::<Order>(order, world.receipt_of(order, &[1, 0, 0]))
            }
            Act::ReverseLast => match receipts.pop() {
                Some(receipt) => world.asks::<Order>(order, json!({"reverse-receipt": {"receipt_id": receipt}})),
                None => continue,
            },
            Act::Count(counted) => {
                let stock: Inventory = world.0.state(key(PUMP, DEPOT).stream(TENANT)).unwrap();
                world.counts(stock.levels().on_hand, counted);
                continue;
            }
            Act::RetryStock => world.asks::<Order>(order, json!({"retry-stock": {}})),
            Act::CloseShort => world.asks::<Order>(order, json!({"close-short": {}})),
            Act::Cancel => world.asks::<Order>(order, json!({"cancel": {}})),
        };
        if asked.is_ok() && is_receipt {
            receipts.push(world.receipt());
        }
        world.brings_what_is_on_order()?;
    }
    Ok(())
}

#[test]
fn a_receipt_that_is_reversed_and_goods_that_come_late_leave_nothing_on_order_once_closed_short() {
    for (order_type, places) in [
        ("purchase", (None, Some(SHELF))),
        ("internal_transfer", (Some(DEPOT), Some(SHELF))),
    ] {
        let mut world = World::new();
        world.orders(ORDER, order_type, places, &[(PUMP, 4), (PUMP, 2)]);
        world.does::<Order>(ORDER, json!({"place": {}}));
        let wrong = world.receives(ORDER, &[3, 0]);
        world.does::<Order>(ORDER, json!({"close-short": {}}));
        world.has(PUMP, SHELF, (3, 0, 0));
        world.does::<Order>(ORDER, json!({"reverse-receipt": {"receipt_id": wrong}}));
        world.has(PUMP, SHELF, (0, 0, 0));
        world.receives(ORDER, &[4, 1]);
        world.has(PUMP, SHELF, (5, 0, 0));
        assert_eq!(world.told("OrderStockRefused"), 0);
        assert_eq!(world.order(ORDER).status(), Some(OrderStatus::ClosedShort));
    }
}

#[test]
fn what_is_over_before_stock_hears_of_it_opens_no_record() {
    let mut world = World::new();
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4)]);
    world.late(ORDER, json!({"place": {}}));
    world.late(ORDER, json!({"cancel": {}}));
    let before = world.told("InventoryOpened");
    world.catches_up();
    assert_eq!(
        (world.told("InventoryOpened"), world.told("StockExpected")),
        (before, 0)
    );
}

#[test]
fn a_receipt_of_one_line_says_what_is_to_come_of_its_own_stock_key_alone() {
    let mut world = World::new();
    world.orders(ORDER, "purchase", (None, Some(SHELF)), &[(PUMP, 4), (VALVE, 3)]);
    world.does::<Order>(ORDER, json!({"place": {}}));
    let commanded = world.told("StockExpected");
    world.receives(ORDER, &[1, 0]);
    world.has(PUMP, SHELF, (1, 0, 3));
    world.has(VALVE, SHELF, (0, 0, 3));
    // It followed from what came.
    assert_eq!(world.told("StockExpected"), commanded);
}

impl World {
    fn brings_what_is_on_order(&self) -> Result<(), TestCaseError> {
        for order in [ORDER, OTHER].map(|order| self.order(order)) {
            let content = order.content();
            let sum = content.map(|content| content.items.iter().map(Item::total).sum::<Decimal>());
            prop_assert_eq!(content.map(|content| content.total), sum);
        }
        for part in [PUMP, VALVE] {
            let still = [ORDER, OTHER].map(|order| {
                let order = self.order(order);
                let items = order.content().map(|content| content.items.clone()).unwrap_or_default();
                let is_of_part = |item_id| items.iter().any(|item| item.item_id == item_id && item.part_id == part);
                let open = order.open().into_iter().filter(|line| is_of_part(line.item_id));
                open.map(|line| line.quantity).sum::<i32>()
            });
            let stock: Inventory = self.0.state(key(part, SHELF).stream(TENANT)).unwrap();
            let on_order = stock.levels().on_order;
            prop_assert_eq!(on_order, still.iter().sum::<i32>(), "{}", part);
        }
        Ok(())
    }
}
