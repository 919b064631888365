//! What is on order, whatever becomes of two orders of the same parts.

use proptest::prelude::*;

use super::*;

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

    /// Two lines of one part, whatever comes of them: for each part and location it equals what both orders are to bring.
    #[test]
    fn on_order_is_what_open_orders_are_still_to_bring_line_by_line(acts in acts()) {
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
