//! An order and its approval together: what is done to an approved order to get around its approval.

use std::sync::Arc;

use super::*;
use crate::order::{self, ItemChange};
use crate::part::Part;
use crate::supplier::Supplier;
use domain::{Decider, Ids, Refuse, Request, SYSTEM, Together};

const COPY: Uuid = Uuid::from_u128(0x6);

/// Carries out a command; the rule that forbids it when it is refused.
fn send<D: Decider>(book: &mut Facts, by: Uuid, stream: Uuid, command: &D::Command) -> Result<(), &'static str> {
    let mut state = book.get::<D>(stream).cloned().unwrap_or_default();
    let decided = state.decide(&Request {
        tenant: TENANT,
        stream,
        sequence: 0,
        by,
        at: day(0),
        ids: Ids::new(stream),
        reason: Some("no longer needed"),
        facts: book,
        together: &Together::default(),
        command,
    });
    for event in decided.map_err(|refusal| refusal.rule())? {
        state.evolve(&event);
    }
    book.insert(D::TYPE, stream, Arc::new(state));
    Ok(())
}

fn order(book: &mut Facts, command: &order::Command) -> Result<(), &'static str> {
    send::<Order>(book, DRAFTER, STREAM, command)
}

/// An order of 500 EUR that the store's manager approved.
fn approved_order() -> Facts {
    let supplier: Supplier = serde_json::from_value(json!({"name": "Acme"})).unwrap();
    let part: Part = serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap();
    let mut book = world()
        .with(STREAM, Order::default())
        .with(ACME, Register::Entered(supplier))
        .with(content(0).items[0].part_id, Register::Entered(part));
    let items = json!([{
        "part_id": content(0).items[0].part_id, "supplier_id": ACME, "quantity": 5, "unit_price": "100.00",
    }]);
    let draft = json!({"draft": {"department_id": STORE, "currency": "EUR", "items": items}});
    order(&mut book, &serde_json::from_value(draft).unwrap()).unwrap();
    order(&mut book, &order::Command::Submit {}).unwrap();
    send::<Approval>(&mut book, SYSTEM, STREAM, &ask(1)).unwrap();
    send::<Approval>(&mut book, LOW, STREAM, &approve(1)).unwrap();
    order(&mut book, &order::Command::SettleApproval {}).unwrap();
    book
}

fn quantity(book: &Facts, quantity: i32) -> order::Command {
    let content = book.get::<Order>(STREAM).and_then(Order::content).unwrap();
    order::Command::ChangeItem(ItemChange {
        item_id: content.items[0].item_id,
        part_id: None,
        variant_id: None,
        without_variant: false,
        supplier_id: None,
        quantity: Some(quantity),
        unit_price: None,
        expected_delivery_date: None,
    })
}

#[track_caller]
fn needs_approval_again(book: &mut Facts) {
    assert_eq!(order(book, &order::Command::Place {}), Err("not-approved"));
    assert_eq!(order(book, &order::Command::SettleApproval {}), Err("not-decided"));
    // They approved that one already.
    assert_eq!(send::<Approval>(book, LOW, STREAM, &approve(1)), Err("over"));
    send::<Approval>(book, SYSTEM, STREAM, &ask(2)).unwrap();
    assert_eq!(send::<Approval>(book, LOW, STREAM, &approve(1)), Err("stale-revision"));
    assert_eq!(order(book, &order::Command::SettleApproval {}), Err("not-decided"));
    send::<Approval>(book, LOW, STREAM, &approve(2)).unwrap();
    order(book, &order::Command::SettleApproval {}).unwrap();
    order(book, &order::Command::Place {}).unwrap();
}

#[test]
fn an_approved_order_is_placed() {
    let mut book = approved_order();
    order(&mut book, &order::Command::Place {}).unwrap();
}

#[test]
fn an_order_that_grows_after_it_was_approved_needs_approval_again() {
    let mut book = approved_order();
    let more = quantity(&book, 6);
    order(&mut book, &more).unwrap();
    needs_approval_again(&mut book);
}

#[test]
fn an_order_in_another_currency_needs_approval_again() {
    let mut book = approved_order();
    let dollars = order::Command::ChangeCurrency {
        currency: "USD".to_owned(),
    };
    order(&mut book, &dollars).unwrap();
    needs_approval_again(&mut book);
}

#[test]
fn an_order_in_a_currency_without_thresholds_is_not_submitted() {
    let mut book = approved_order();
    let francs = order::Command::ChangeCurrency {
        currency: "CHF".to_owned(),
    };
    assert_eq!(order(&mut book, &francs), Err("no-thresholds"));
}

#[test]
fn an_order_that_shrinks_keeps_its_approval() {
    let mut book = approved_order();
    let less = quantity(&book, 4);
    order(&mut book, &less).unwrap();
    order(&mut book, &order::Command::Place {}).unwrap();
}

#[test]
fn a_copy_of_an_approved_order_is_not_approved() {
    let mut book = approved_order();
    let copy = order::Command::Duplicate { of: STREAM, note: None };
    send::<Order>(&mut book, DRAFTER, COPY, &copy).unwrap();
    let mut copied = |by, command: &order::Command| send::<Order>(&mut book, by, COPY, command);
    assert_eq!(copied(DRAFTER, &order::Command::Place {}), Err("not-approved"));
    copied(DRAFTER, &order::Command::Submit {}).unwrap();
    assert_eq!(copied(DRAFTER, &order::Command::Place {}), Err("not-approved"));
    assert_eq!(copied(SYSTEM, &order::Command::SettleApproval {}), Err("not-decided"));
    assert_eq!(send::<Approval>(&mut book, LOW, COPY, &approve(1)), Err("not-asked"));
}

#[test]
fn an_order_whose_approval_is_void_is_not_placed() {
    let mut book = approved_order();
    let placed = book.get::<Order>(STREAM).cloned().unwrap();
    order(&mut book, &order::Command::Cancel {}).unwrap();
    send::<Approval>(&mut book, SYSTEM, STREAM, &void()).unwrap();
    // Even if the order still took itself for approved.
    book.insert(Order::TYPE, STREAM, Arc::new(placed));
    assert_eq!(order(&mut book, &order::Command::Place {}), Err("approval-gone"));
}
