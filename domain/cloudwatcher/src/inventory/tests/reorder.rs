use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{PART, STOCK, VARIANT, levels, received, reordered, stocked};
use crate::OrderType;
use crate::inventory::{Command, Event, Inventory, Levels, Refusal, Suggestion};
use crate::order::{self, NewItem, NewOrder, Order};
use crate::part_supplier::PartSupplier;
use crate::stock_policy::{NotSold, StockPolicy};
use domain::Facts;
use domain::register::{OnePerTenant, Register};
use rehearsal::given::{Given, TENANT, drawn};

const SUGGESTION: Uuid = Uuid::from_u128(0x70);
const ORDER_ID: Uuid = Uuid::from_u128(0x50);
const OFFER: Uuid = Uuid::from_u128(0x71);
const SUPPLIER: Uuid = Uuid::from_u128(0x72);

fn suggestion(suggestion_id: Uuid, now: Levels, reorder_quantity: Option<i32>, quantity: i32) -> Suggestion {
    Suggestion {
        suggestion_id,
        on_hand: now.on_hand,
        reserved: now.reserved,
        on_order: now.on_order,
        projected: now.projected(),
        reorder_point: 5,
        reorder_quantity,
        quantity,
    }
}

fn suggested(suggestion: Suggestion) -> Event {
    Event::ReorderSuggested {
        stock: STOCK,
        suggestion,
    }
}

fn issue(quantity: i32) -> Command {
    Command::Issue {
        quantity,
        reservation_id: None,
        source: None,
        still_to_come: None,
    }
}

fn issued(quantity: i32, after: Levels) -> Event {
    Event::StockIssued {
        stock: STOCK,
        quantity,
        reservation_id: None,
        source: None,
        after,
        still_to_come: None,
    }
}

/// Ten on hand, to be reordered at five.
fn ten(reorder_quantity: Option<i32>) -> Given<Inventory> {
    reordered(Some(5), reorder_quantity, [received(10, levels(10, 0, 0))])
}

/// Three on hand, and a suggestion open.
fn three_and_suggested(events: impl IntoIterator<Item = Event>) -> Given<Inventory> {
    let now = levels(3, 0, 0);
    let past = [received(3, now), suggested(suggestion(SUGGESTION, now, None, 3))];
    reordered(Some(5), None, past.into_iter().chain(events))
}

fn dismissed() -> Event {
    Event::ReorderDismissed {
        stock: STOCK,
        suggestion_id: SUGGESTION,
    }
}

#[test]
fn reordering_is_suggested_when_the_projection_falls_to_the_point() {
    ten(None).when(issue(4)).then([issued(4, levels(6, 0, 0))]);
    let at_the_point = levels(5, 0, 0);
    ten(None).when(issue(5)).then([
        issued(5, at_the_point),
        suggested(suggestion(drawn(0), at_the_point, None, 1)),
    ]);
    let below = levels(2, 0, 0);
    ten(None)
        .when(issue(8))
        .then([issued(8, below), suggested(suggestion(drawn(0), below, None, 4))]);
}

#[test]
fn what_is_suggested_is_the_reorder_quantity_or_what_gets_above_the_point() {
    let at_the_point = levels(5, 0, 0);
    ten(Some(50)).when(issue(5)).then([
        issued(5, at_the_point),
        suggested(suggestion(drawn(0), at_the_point, Some(50), 50)),
    ]);
    let below = levels(0, 0, 0);
    ten(Some(2))
        .when(issue(10))
        .then([issued(10, below), suggested(suggestion(drawn(0), below, Some(2), 6))]);
}

#[test]
fn what_is_reserved_and_what_is_on_order_count() {
    let expect = Command::Expect {
        order_id: ORDER_ID,
        quantity: 0,
        stock: None,
    };
    let expected = |quantity| Event::StockExpected {
        stock: STOCK,
        order_id: ORDER_ID,
        quantity,
        after: levels(3, 0, quantity),
    };
    let past = [received(3, levels(3, 0, 0)), expected(10)];
    reordered(Some(5), None, past)
        .when(expect)
        .then([expected(0), suggested(suggestion(drawn(0), levels(3, 0, 0), None, 3))]);
    let reserve = Command::Reserve {
        quantity: 6,
        reservation_id: None,
        source: None,
        expires_at: None,
    };
    let events = ten(None).when(reserve).events();
    // The reservation draws the first id.
    assert_eq!(events[1], suggested(suggestion(drawn(1), levels(10, 6, 0), None, 2)));
}

#[test]
fn one_suggestion_is_open_at_a_time() {
    three_and_suggested([])
        .when(issue(1))
        .then([issued(1, levels(2, 0, 0))]);
}

#[test]
fn a_suggestion_lapses_when_the_projection_rises_above_the_point() {
    let lapsed = Event::ReorderLapsed {
        stock: STOCK,
        suggestion_id: SUGGESTION,
    };
    let receive = |quantity| Command::Receive {
        quantity,
        source: None,
        stock: None,
        still_to_come: None,
    };
    three_and_suggested([])
        .when(receive(3))
        .then([received(3, levels(6, 0, 0)), lapsed.clone()]);
    three_and_suggested([])
        .when(receive(2))
        .then([received(2, levels(5, 0, 0))]);
    let never = Command::SetReorder {
        reorder_point: None,
        reorder_quantity: None,
    };
    let set = Event::ReorderLevelsSet {
        stock: STOCK,
        reorder_point: None,
        reorder_quantity: None,
    };
    three_and_suggested([]).when(never).then([set, lapsed]);
}

#[test]
fn a_dismissed_suggestion_does_not_come_back_until_the_projection_was_above_the_point() {
    let dismiss = Command::DismissReorder {
        suggestion_id: SUGGESTION,
    };
    three_and_suggested([]).when(dismiss.clone()).then([dismissed()]);
    three_and_suggested([dismissed()])
        .when(dismiss)
        .refused(Refusal::NoSuchSuggestion);
    three_and_suggested([dismissed()])
        .when(issue(1))
        .then([issued(1, levels(2, 0, 0))]);
    let low = levels(5, 0, 0);
    three_and_suggested([dismissed(), received(4, levels(7, 0, 0))])
        .when(issue(2))
        .then([issued(2, low), suggested(suggestion(drawn(0), low, None, 1))]);
}

#[test]
fn a_record_without_a_point_is_never_reordered() {
    stocked([received(1, levels(1, 0, 0))])
        .when(issue(1))
        .then([issued(1, levels(0, 0, 0))]);
}

#[test]
fn levels_that_are_set_already_are_not_set_again() {
    let set = |reorder_point| Command::SetReorder {
        reorder_point,
        reorder_quantity: None,
    };
    ten(None).when(set(Some(5))).then([]);
    let raised = Event::ReorderLevelsSet {
        stock: STOCK,
        reorder_point: Some(12),
        reorder_quantity: None,
    };
    let suggestion = Suggestion {
        reorder_point: 12,
        ..suggestion(drawn(0), levels(10, 0, 0), None, 3)
    };
    ten(None).when(set(Some(12))).then([raised, suggested(suggestion)]);
}

fn accept(quantity: i32) -> Command {
    Command::AcceptReorder {
        suggestion_id: SUGGESTION,
        order_id: ORDER_ID,
        quantity,
        part_supplier_id: OFFER,
    }
}

fn draft(part_id: Uuid, supplier_id: Uuid, quantity: i32) -> order::Command {
    let item = NewItem {
        part_id,
        variant_id: None,
        supplier_id,
        quantity,
        unit_price: Decimal::ONE,
        expected_delivery_date: None::<NaiveDate>,
    };
    order::Command::Draft(NewOrder {
        order_type: OrderType::Purchase,
        department_id: super::DEPARTMENT,
        currency: "EUR".to_owned(),
        tolerance_percent: 0,
        request_id: None,
        location_id: Some(STOCK.location_id),
        from_location_id: None,
        note: None,
        items: vec![item],
    })
}

fn offer(variant_id: Option<Uuid>) -> Facts {
    Facts::default().with(OFFER, Register::Entered(offered(variant_id)))
}

fn offered(variant_id: Option<Uuid>) -> PartSupplier {
    PartSupplier {
        part_id: PART,
        variant_id,
        supplier_id: SUPPLIER,
        sku: None,
        supplier_cost: None,
        currency: Some("EUR".to_owned()),
        lead_time_days: None,
        minimum_order_qty: 1,
        pack_qty: 1,
        is_preferred: false,
    }
}

#[test]
fn an_accepted_suggestion_counts_as_on_order() {
    let accepted = |quantity| Event::ReorderAccepted {
        stock: STOCK,
        suggestion_id: SUGGESTION,
        order_id: ORDER_ID,
        quantity,
        part_supplier_id: OFFER,
        after: levels(3, 0, quantity),
    };
    three_and_suggested([])
        .with_facts(offer(None))
        .together_with::<Order>(ORDER_ID, draft(PART, SUPPLIER, 10))
        .when(accept(10))
        .then([accepted(10)]);
    // Too few to get above the point: the rest is suggested.
    three_and_suggested([])
        .with_facts(offer(None))
        .together_with::<Order>(ORDER_ID, draft(PART, SUPPLIER, 1))
        .when(accept(1))
        .then([accepted(1), suggested(suggestion(drawn(0), levels(3, 0, 1), None, 2))]);
}

#[test]
fn a_quantity_that_the_supplier_does_not_sell_is_accepted_unless_the_policy_refuses_it() {
    let dozens = || {
        let offer = PartSupplier {
            minimum_order_qty: 24,
            pack_qty: 12,
            ..offered(None)
        };
        Facts::default().with(OFFER, Register::Entered(offer))
    };
    let accepting = |facts: Facts, quantity| {
        three_and_suggested([])
            .with_facts(facts)
            .together_with::<Order>(ORDER_ID, draft(PART, SUPPLIER, quantity))
            .when(accept(quantity))
    };
    assert!(accepting(dozens(), 10).outcome().is_ok());
    let refuse = StockPolicy {
        not_sold: NotSold::Refuse,
    };
    let refusing = || dozens().with(StockPolicy::stream(TENANT), Register::Entered(refuse.clone()));
    let detail = |said: &str| Refusal::NotSold {
        detail: format!("is {said}"),
    };
    let sold = "and the supplier sells no fewer than 24, in packs of 12; order";
    accepting(refusing(), 10).refused(detail(&format!("10, {sold} 24")));
    accepting(refusing(), 30).refused(detail(&format!("30, {sold} 36")));
    assert!(accepting(refusing(), 24).outcome().is_ok());
}

#[test]
fn a_suggestion_is_accepted_in_the_currency_of_the_price_offer() {
    let in_yen = PartSupplier {
        currency: Some("JPY".to_owned()),
        ..offered(None)
    };
    three_and_suggested([])
        .with_facts(Facts::default().with(OFFER, Register::Entered(in_yen)))
        .together_with::<Order>(ORDER_ID, draft(PART, SUPPLIER, 10))
        .when(accept(10))
        .refused(Refusal::NotDrafted);
}

#[test]
fn a_suggestion_is_accepted_with_the_draft_of_its_order_alone() {
    let accepting = || three_and_suggested([]).with_facts(offer(None));
    accepting().when(accept(10)).refused(Refusal::NotDrafted);
    let others = [
        draft(VARIANT, SUPPLIER, 10),
        draft(PART, PART, 10),
        draft(PART, SUPPLIER, 9),
        order::Command::Submit {},
    ];
    for other in others {
        accepting()
            .together_with::<Order>(ORDER_ID, other)
            .when(accept(10))
            .refused(Refusal::NotDrafted);
    }
    accepting()
        .with_facts(offer(Some(VARIANT)))
        .when(accept(10))
        .refused(Refusal::Reference {
            field: "part_supplier_id",
            detail: "names no price offer of this part and variant",
        });
    stocked([]).when(accept(10)).refused(Refusal::NoSuchSuggestion);
}
