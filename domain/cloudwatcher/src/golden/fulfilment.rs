//! What becomes of orders that are approved: placed, received, booked wrongly, and closed short.

use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{ACME, ADA, BEN, BOLT, FILTER, FILTER_RED, SCREW, STORE, id};
use super::ledger::Ledger;
use domain::SYSTEM;
use crate::approval::Approval;
use crate::buyer::Buyer;
use crate::order::Order;

const FULFILLED: Uuid = id(9, 21);
const SHORT: Uuid = id(9, 22);
const RECALLED: Uuid = id(9, 23);

pub(super) fn fulfilment(ledger: &mut Ledger) {
    fulfilled(ledger);
    closed_short(ledger);
    recalled(ledger);
}

/// Changed as a draft, changed after it was approved and approved anew, and received in two parts, of
/// which the second was booked wrongly at first.
fn fulfilled(ledger: &mut Ledger) {
    let filters = json!({"part_id": FILTER, "supplier_id": ACME, "quantity": 10, "unit_price": "8.10"});
    let screws = json!({"part_id": SCREW, "supplier_id": BOLT, "quantity": 500, "unit_price": "0.05"});
    ledger
        .by(BEN)
        .send::<Order>(
            FULFILLED,
            json!({"draft": {
                "department_id": STORE, "currency": "USD", "tolerance_percent": 10, "note": "for March",
                "items": [filters, screws],
            }}),
        )
        .send::<Order>(FULFILLED, json!({"change-currency": {"currency": "EUR"}}))
        .send::<Order>(FULFILLED, json!({"annotate": {"note": "for April"}}))
        .send::<Order>(FULFILLED, json!({"submit": {}}));
    let (filters, screws) = (ledger.item(FULFILLED, 0), ledger.item(FULFILLED, 1));
    approved(ledger, FULFILLED, 1);

    ledger
        .by(BEN)
        .send::<Order>(
            FULFILLED,
            json!({"change-item": {"item_id": screws, "quantity": 400, "expected_delivery_date": "2026-03-02"}}),
        )
        .send::<Order>(
            FULFILLED,
            json!({"change-item": {"item_id": filters, "variant_id": FILTER_RED, "unit_price": "8.40"}}),
        );
    approved(ledger, FULFILLED, 2);

    ledger
        .by(BEN)
        .send::<Order>(FULFILLED, json!({"annotate": {}}))
        .send::<Order>(FULFILLED, json!({"place": {}}));
    receive(ledger, FULFILLED, json!([[filters, 11], [screws, 150]]));
    receive(ledger, FULFILLED, json!([[screws, 260]]));
    let wrong = ledger.named(FULFILLED, "receipt_id");
    ledger.send_because::<Order>(
        FULFILLED,
        json!({"reverse-receipt": {"receipt_id": wrong}}),
        "ten of the screws were another customer's",
    );
    receive(ledger, FULFILLED, json!([[screws, 250]]));
}

fn closed_short(ledger: &mut Ledger) {
    copied(ledger, SHORT);
    ledger.by(BEN).send::<Order>(SHORT, json!({"place": {}}));
    let screws = ledger.item(SHORT, 1);
    receive(ledger, SHORT, json!([[screws, 400]]));
    ledger.send_because::<Order>(SHORT, json!({"close-short": {}}), "the filters are discontinued");
}

fn recalled(ledger: &mut Ledger) {
    copied(ledger, RECALLED);
    ledger
        .by(BEN)
        .send::<Order>(RECALLED, json!({"place": {}}))
        .send_because::<Order>(RECALLED, json!({"cancel": {}}), "ordered twice");
}

/// A copy of the first order, approved.
fn copied(ledger: &mut Ledger, order: Uuid) {
    ledger
        .by(BEN)
        .send::<Order>(order, json!({"duplicate": {"of": FULFILLED}}))
        .send::<Order>(order, json!({"submit": {}}));
    approved(ledger, order, 1);
}

/// What Daybook and Ada do about a submission of Ben's.
pub(super) fn approved(ledger: &mut Ledger, order: Uuid, revision: i32) {
    let note = json!({"order_id": order, "revision": revision, "submitted_at": ledger.next()});
    ledger
        .by(SYSTEM)
        .send::<Buyer>(BEN, json!({"note-submission": note}))
        .send::<Approval>(order, json!({"ask": {"revision": revision}}))
        .by(ADA)
        .send::<Approval>(order, json!({"approve": {"revision": revision}}))
        .by(SYSTEM)
        .send::<Order>(order, json!({"settle-approval": {}}));
}

/// Books `[item, quantity]`s.
fn receive(ledger: &mut Ledger, order: Uuid, lines: Value) {
    let lines: Vec<(Value, i32)> = serde_json::from_value(lines).unwrap();
    let lines = lines.into_iter();
    let lines: Vec<Value> = lines
        .map(|(item_id, quantity)| json!({"item_id": item_id, "quantity": quantity}))
        .collect();
    ledger
        .by(BEN)
        .send::<Order>(order, json!({"receive": {"lines": lines}}));
}
