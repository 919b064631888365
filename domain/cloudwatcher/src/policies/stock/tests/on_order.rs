//! What is on order, whatever becomes of three orders of the same parts.

use proptest::prelude::*;
use proptest::sample::Index;
use rust_decimal::Decimal;

use super::*;
use crate::order::Item;
use crate::part_supplier::PartSupplier;
use crate::part_variant::PartVariant;

const RED: Uuid = Uuid::from_u128(0x32);
const YARD: Uuid = Uuid::from_u128(0x42);
const BOUGHT: Uuid = Uuid::from_u128(0x52);
const OFFER: Uuid = Uuid::from_u128(0x60);
/// One that follows a suggestion to reorder, a transfer and another purchase.
const ORDERS: [Uuid; 3] = [ORDER, OTHER, BOUGHT];
const KINDS: [(Uuid, Option<Uuid>); 3] = [(PUMP, None), (PUMP, Some(RED)), (VALVE, None)];
/// Red pumps on the shelf, which are suggested for reorder as soon as there is a record of them.
const RED_ON_SHELF: StockKey = StockKey {
    part_id: PUMP,
    variant_id: Some(RED),
    location_id: SHELF,
};

/// What may be done with an order.
#[derive(Debug, Clone)]
enum Act {
    /// It is submitted, or placed if it was.
    Advance,
    Add(Index, i32),
    /// What it is of, now and then, and the quantity.
    Change(Index, Option<Index>, i32),
    Remove(Index),
    Receive(Vec<i32>),
    ReverseLast,
    CloseShort,
    Cancel,
    /// So many pumps are found where the transfer takes them: stock refuses what is not there.
    Count(i32),
    RetryStock,
}

/// What is done with which order, and whether the policies are away meanwhile.
fn acts() -> impl Strategy<Value = Vec<(usize, bool, Act)>> {
    let index = any::<Index>;
    let act = prop_oneof![
        6 => Just(Act::Advance),
        2 => (index(), 1..6_i32).prop_map(|(kind, quantity)| Act::Add(kind, quantity)),
        4 => (index(), proptest::option::of(index()), 1..6_i32)
            .prop_map(|(line, kind, quantity)| Act::Change(line, kind, quantity)),
        2 => index().prop_map(Act::Remove),
        6 => proptest::collection::vec(0..6_i32, 3).prop_map(Act::Receive),
        3 => Just(Act::ReverseLast),
        2 => (0..12).prop_map(Act::Count),
        1 => Just(Act::RetryStock),
        1 => Just(Act::CloseShort),
        1 => Just(Act::Cancel),
    ];
    let is_late = proptest::bool::weighted(0.25);
    proptest::collection::vec((0..ORDERS.len(), is_late, act), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn on_order_is_what_open_orders_and_accepted_suggestions_are_still_to_bring_line_by_line(acts in acts()) {
        holds(acts)?;
    }
}

proptest! {
    // Fifteen steps each, most of the time.
    #![proptest_config(ProptestConfig::with_cases(7_000))]

    #[test]
    #[ignore = "100,000 steps take minutes"]
    fn on_order_and_totals_hold_for_a_hundred_thousand_steps(acts in acts()) {
        holds(acts)?;
    }
}

/// Several lines of one part and variant, whatever comes of them: for each stock key it equals what all orders are to bring,
/// and their totals are the sums of their lines.
fn holds(acts: Vec<(usize, bool, Act)>) -> Result<(), TestCaseError> {
    let mut world = World::furnished();
    world.accepts(
        ORDER,
        4,
        &[((PUMP, Some(RED)), 4), ((PUMP, Some(RED)), 2), ((PUMP, None), 1)],
    );
    let items = [((PUMP, None), 4), ((PUMP, Some(RED)), 2), ((PUMP, None), 2)];
    world.drafts(OTHER, "internal_transfer", (Some(DEPOT), Some(SHELF)), &items);
    world.drafts(BOUGHT, "purchase", (None, Some(YARD)), &items);
    world.brings_what_is_on_order()?;
    let mut receipts = [const { Vec::new() }; ORDERS.len()];
    for (which, is_late, act) in acts {
        let order = ORDERS[which];
        let is_receipt = matches!(act, Act::Receive(_));
        let Some(command) = world.command(order, act, &mut receipts[which]) else {
            continue;
        };
        // Refused or not.
        let asked = match is_late {
            true => world.asks_late(order, command),
            false => world.asks::<Order>(order, command),
        };
        if asked.is_ok() && is_receipt {
            receipts[which].push(world.receipt());
        }
        if !is_late {
            world.brings_what_is_on_order()?;
        }
    }
    world.catches_up();
    world.brings_what_is_on_order()
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

#[test]
fn what_an_accepted_suggestion_is_to_bring_follows_its_draft() {
    let red = (PUMP, Some(RED));
    let mut world = World::furnished();
    world.accepts(ORDER, 10, &[(red, 10)]);
    world.is_on_order(RED_ON_SHELF, 10);
    let first = world.item(ORDER, 0);
    for quantity in [1, 12, 3] {
        world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "quantity": quantity}}));
        world.is_on_order(RED_ON_SHELF, quantity);
    }
    world.does::<Order>(ORDER, json!({ "add-item": line(red, 2) }));
    world.does::<Order>(ORDER, json!({ "add-item": line((VALVE, None), 7) }));
    world.is_on_order(RED_ON_SHELF, 5);
    world.is_on_order(key(VALVE, SHELF), 7);
    world.does::<Order>(
        ORDER,
        json!({"change-item": {"item_id": first, "part_id": VALVE, "without_variant": true}}),
    );
    world.is_on_order(RED_ON_SHELF, 2);
    world.is_on_order(key(VALVE, SHELF), 10);
    let second = world.item(ORDER, 1);
    world.does::<Order>(ORDER, json!({"remove-item": {"item_id": second}}));
    world.is_on_order(RED_ON_SHELF, 0);
    world.does::<Order>(ORDER, json!({ "add-item": line(red, 6) }));
    world.is_on_order(RED_ON_SHELF, 6);
    // Submitted and approved it goes on to be followed.
    world.does::<Order>(ORDER, json!({"submit": {}}));
    world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "quantity": 1}}));
    world.is_on_order(key(VALVE, SHELF), 8);
    world.does::<Order>(ORDER, json!({"place": {}}));
    world.is_on_order(key(VALVE, SHELF), 8);
    world.is_on_order(RED_ON_SHELF, 6);
}

#[test]
fn a_suggestion_that_is_accepted_by_several_lines_brings_their_sum_until_the_order_is_cancelled() {
    let red = (PUMP, Some(RED));
    let mut world = World::furnished();
    world.accepts(ORDER, 4, &[(red, 4), (red, 2)]);
    world.is_on_order(RED_ON_SHELF, 6);
    world.does::<Order>(ORDER, json!({"cancel": {}}));
    world.is_on_order(RED_ON_SHELF, 0);
}

#[test]
fn an_order_that_follows_no_suggestion_brings_nothing_before_it_is_placed() {
    let mut world = World::furnished();
    world.drafts(ORDER, "purchase", (None, Some(SHELF)), &[((PUMP, None), 4)]);
    world.does::<Order>(ORDER, json!({ "add-item": line((VALVE, None), 7) }));
    world.does::<Order>(ORDER, json!({"submit": {}}));
    world.is_on_order(key(PUMP, SHELF), 0);
    world.is_on_order(key(VALVE, SHELF), 0);
    // Nor does a copy of one that does.
    world.accepts(OTHER, 4, &[((PUMP, Some(RED)), 4)]);
    world.does::<Order>(BOUGHT, json!({"duplicate": {"of": OTHER}}));
    world.does::<Order>(BOUGHT, json!({ "add-item": line((PUMP, Some(RED)), 2) }));
    world.is_on_order(RED_ON_SHELF, 4);
}

/// It did not say so then, and only that nothing is left was told.
#[test]
fn of_a_suggestion_that_was_accepted_before_orders_said_so_nothing_is_on_order_once_its_part_is_gone() {
    let mut world = World::furnished();
    world.drafts(ORDER, "purchase", (None, Some(SHELF)), &[((PUMP, Some(RED)), 4)]);
    let expect = json!({"expect": {"order_id": ORDER, "quantity": 4}});
    let occasion = Occasion {
        by: SYSTEM,
        at: AT,
        reason: None,
    };
    let sendings = [sending::<Inventory>(RED_ON_SHELF.stream(TENANT), &expect)];
    world.0.ask(&sendings, &occasion).unwrap();
    let first = world.item(ORDER, 0);
    world.does::<Order>(ORDER, json!({"change-item": {"item_id": first, "quantity": 3}}));
    world.is_on_order(RED_ON_SHELF, 4);
    world.does::<Order>(
        ORDER,
        json!({"change-item": {"item_id": first, "without_variant": true}}),
    );
    world.is_on_order(RED_ON_SHELF, 0);
}

fn line((part, variant): (Uuid, Option<Uuid>), quantity: i32) -> Value {
    json!({"part_id": part, "variant_id": variant, "supplier_id": ACME, "quantity": quantity, "unit_price": "1"})
}

impl World {
    /// With a variant of the pump, of which six are in the depot, and another destination; red pumps are suggested for reorder
    /// on the shelf.
    fn furnished() -> Self {
        let mut world = Self::new();
        world.does::<Register<PartVariant>>(RED, json!({"enter": {"part_id": PUMP, "variant_code": "RED"}}));
        world.does::<Register<Location>>(YARD, json!({"enter": {"name": "Yard", "dept_id": STORE}}));
        let offer =
            json!({"part_id": PUMP, "variant_id": RED, "supplier_id": ACME, "supplier_cost": "1", "currency": "EUR"});
        world.does::<Register<PartSupplier>>(OFFER, json!({ "enter": offer }));
        let in_depot = StockKey {
            location_id: DEPOT,
            ..RED_ON_SHELF
        };
        world.stocks(in_depot, 6);
        let open = json!({"part_id": PUMP, "variant_id": RED, "location_id": SHELF, "reorder_point": 3});
        world.does::<Inventory>(RED_ON_SHELF.stream(TENANT), json!({ "open": open }));
        world
    }

    fn drafts(
        &mut self,
        order: Uuid,
        order_type: &str,
        (from, to): (Option<Uuid>, Option<Uuid>),
        items: &[((Uuid, Option<Uuid>), i32)],
    ) {
        self.does::<Order>(order, draft(order_type, (from, to), items));
    }

    /// Follows the suggestion to reorder red pumps on the shelf with so many of them, by an order of these items.
    fn accepts(&mut self, order: Uuid, quantity: i32, items: &[((Uuid, Option<Uuid>), i32)]) {
        let stream = RED_ON_SHELF.stream(TENANT);
        let stock: Inventory = self.0.state(stream).unwrap();
        let suggestion_id = stock.open_suggestion().unwrap().suggestion_id;
        let accept = json!({"accept-reorder": {
            "suggestion_id": suggestion_id, "order_id": order, "quantity": quantity, "part_supplier_id": OFFER,
        }});
        let sendings = [
            sending::<Order>(order, &draft("purchase", (None, Some(SHELF)), items)),
            sending::<Inventory>(stream, &accept),
        ];
        let occasion = Occasion {
            by: BUYER,
            at: AT,
            reason: None,
        };
        self.0.ask(&sendings, &occasion).unwrap();
        self.catches_up();
    }

    /// The command that an act is of an order; none when there is nothing to do, or it is done.
    fn command(&mut self, order: Uuid, act: Act, receipts: &mut Vec<Uuid>) -> Option<Value> {
        let now = self.order(order);
        let items = &now.content()?.items;
        let kind = |kind: Index| *kind.get(&KINDS);
        Some(match act {
            Act::Advance if now.status() == Some(OrderStatus::Draft) => json!({"submit": {}}),
            Act::Advance => json!({"place": {}}),
            Act::Add(of, quantity) => json!({ "add-item": line(kind(of), quantity) }),
            Act::Change(line, of, quantity) => {
                let mut change = json!({"item_id": line.get(items).item_id, "quantity": quantity});
                if let Some((part, variant)) = of.map(kind) {
                    change["part_id"] = json!(part);
                    change["variant_id"] = json!(variant);
                }
                json!({ "change-item": change })
            }
            Act::Remove(line) => json!({"remove-item": {"item_id": line.get(items).item_id}}),
            Act::Receive(quantities) => self.receipt_of(order, &quantities),
            Act::ReverseLast => json!({"reverse-receipt": {"receipt_id": receipts.pop()?}}),
            Act::Count(counted) => {
                let stock: Inventory = self.0.state(key(PUMP, DEPOT).stream(TENANT)).unwrap();
                self.counts(stock.on_hand(), counted);
                return None;
            }
            Act::RetryStock => json!({"retry-stock": {}}),
            Act::CloseShort => json!({"close-short": {}}),
            Act::Cancel => json!({"cancel": {}}),
        })
    }

    #[track_caller]
    fn is_on_order(&self, stock: StockKey, quantity: i32) {
        let inventory: Inventory = self.0.state(stock.stream(TENANT)).unwrap();
        assert_eq!(inventory.on_order(), quantity);
    }

    fn brings_what_is_on_order(&self) -> Result<(), TestCaseError> {
        let orders = ORDERS.map(|order| self.order(order));
        for order in &orders {
            let content = order.content();
            let sum = content.map(|content| content.items.iter().map(Item::total).sum::<Decimal>());
            prop_assert_eq!(content.map(|content| content.total), sum);
        }
        for location_id in [DEPOT, SHELF, YARD] {
            for (part_id, variant_id) in KINDS {
                let stock = StockKey {
                    part_id,
                    variant_id,
                    location_id,
                };
                let still = orders
                    .iter()
                    .enumerate()
                    .map(|(which, order)| brings(order, which == 0, stock));
                let inventory: Inventory = self.0.state(stock.stream(TENANT)).unwrap();
                prop_assert_eq!(inventory.on_order(), still.sum::<i32>(), "{:?}", stock);
            }
        }
        Ok(())
    }
}

fn draft(order_type: &str, (from, to): (Option<Uuid>, Option<Uuid>), items: &[((Uuid, Option<Uuid>), i32)]) -> Value {
    let items: Vec<Value> = items.iter().map(|&(kind, quantity)| line(kind, quantity)).collect();
    json!({"draft": {
        "order_type": order_type, "department_id": STORE, "currency": "EUR", "items": items,
        "from_location_id": from, "location_id": to,
        "tolerance_percent": if order_type == "purchase" { TOLERANCE_PERCENT } else { 0 },
    }})
}

/// What an order is still to bring of a stock key, as anybody would add it up.
fn brings(order: &Order, is_accepted: bool, stock: StockKey) -> i32 {
    let Some(content) = order.content() else { return 0 };
    let is_open = match order.status() {
        Some(OrderStatus::Draft | OrderStatus::PendingApproval | OrderStatus::Approved) => is_accepted,
        Some(OrderStatus::Ordered | OrderStatus::PartiallyReceived) => true,
        _ => false,
    };
    if !is_open || content.location_id != Some(stock.location_id) {
        return 0;
    }
    let open = order.open();
    let still = |item: &Item| match order {
        Order::Placed(..) => {
            let mut lines = open.iter().filter(|line| line.item_id == item.item_id);
            lines.next().map_or(0, |line| line.quantity)
        }
        _ => item.quantity,
    };
    let is_of_key = |item: &&Item| (item.part_id, item.variant_id) == (stock.part_id, stock.variant_id);
    content.items.iter().filter(is_of_key).map(still).sum()
}
