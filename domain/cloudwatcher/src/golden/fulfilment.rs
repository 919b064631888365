//! The further life of orders that are approved: placed, confirmed, received, booked wrongly, and closed short.

use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{ACME, ADA, BEN, BOLT, FILTER, FILTER_RED, SCREW, STORE, item};
use crate::approval::Approval;
use crate::buyer::Buyer;
use crate::order::Order;
use domain::SYSTEM;
use rehearsal::Chronicle;
use rehearsal::chronicle::id;

const FULFILLED: Uuid = id(9, 21);
const SHORT: Uuid = id(9, 22);
const RECALLED: Uuid = id(9, 23);

pub(super) fn fulfilment(chronicle: &mut Chronicle) {
    fulfilled(chronicle);
    closed_short(chronicle);
    recalled(chronicle);
}

/// Changed as a draft, changed after it was approved and approved anew, and received in two parts, of
/// which the second was booked wrongly at first.
fn fulfilled(chronicle: &mut Chronicle) {
    let filters = json!({"part_id": FILTER, "supplier_id": ACME, "quantity": 10, "unit_price": "8.10"});
    let screws = json!({"part_id": SCREW, "supplier_id": BOLT, "quantity": 500, "unit_price": "0.05"});
    chronicle
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
    let (filters, screws) = (item(chronicle, FULFILLED, 0), item(chronicle, FULFILLED, 1));
    approved(chronicle, FULFILLED, 1);

    chronicle
        .by(BEN)
        .send::<Order>(
            FULFILLED,
            json!({"change-item": {"item_id": screws, "quantity": 400, "expected_delivery_date": "2026-03-02"}}),
        )
        .send::<Order>(
            FULFILLED,
            json!({"change-item": {"item_id": filters, "variant_id": FILTER_RED, "unit_price": "8.40"}}),
        );
    approved(chronicle, FULFILLED, 2);

    chronicle
        .by(BEN)
        .send::<Order>(FULFILLED, json!({"annotate": {}}))
        .send::<Order>(FULFILLED, json!({"place": {}}))
        .send::<Order>(
            FULFILLED,
            json!({"confirm": {
                "supplier_id": BOLT, "reference": "B-2026/118",
                "dates": [{"item_id": screws, "confirmed_delivery_date": "2026-03-05"}],
            }}),
        )
        .send::<Order>(
            FULFILLED,
            json!({"reschedule": {"item_id": screws, "expected_delivery_date": "2026-03-05"}}),
        )
        .send::<Order>(FULFILLED, json!({"annotate": {"note": "the screws come later"}}));
    receive(chronicle, FULFILLED, json!([[filters, 11], [screws, 150]]));
    receive(chronicle, FULFILLED, json!([[screws, 260]]));
    let wrong = chronicle.named(FULFILLED, "receipt_id");
    chronicle.send_because::<Order>(
        FULFILLED,
        json!({"reverse-receipt": {"receipt_id": wrong}}),
        "ten of the screws were another customer's",
    );
    receive(chronicle, FULFILLED, json!([[screws, 250]]));
}

fn closed_short(chronicle: &mut Chronicle) {
    copied(chronicle, SHORT);
    chronicle.by(BEN).send::<Order>(SHORT, json!({"place": {}}));
    let screws = item(chronicle, SHORT, 1);
    receive(chronicle, SHORT, json!([[screws, 400]]));
    chronicle.send_because::<Order>(SHORT, json!({"close-short": {}}), "the filters are discontinued");
    let wrong = chronicle.named(SHORT, "receipt_id");
    chronicle.send_because::<Order>(
        SHORT,
        json!({"reverse-receipt": {"receipt_id": wrong}}),
        "the screws were counted twice",
    );
    receive(chronicle, SHORT, json!([[screws, 380]]));
}

fn recalled(chronicle: &mut Chronicle) {
    copied(chronicle, RECALLED);
    chronicle
        .by(BEN)
        .send::<Order>(RECALLED, json!({"place": {}}))
        .send_because::<Order>(RECALLED, json!({"cancel": {}}), "ordered twice");
}

/// A copy of the first order, approved.
fn copied(chronicle: &mut Chronicle, order: Uuid) {
    chronicle
        .by(BEN)
        .send::<Order>(order, json!({"duplicate": {"of": FULFILLED}}))
        .send::<Order>(order, json!({"submit": {}}));
    approved(chronicle, order, 1);
}

/// Daybook asks for approval of a submission of Ben's, and Ada gives it.
pub(super) fn approved(chronicle: &mut Chronicle, order: Uuid, revision: i32) {
    let note = json!({"order_id": order, "revision": revision, "submitted_at": chronicle.next()});
    chronicle
        .by(SYSTEM)
        .send::<Buyer>(BEN, json!({"note-submission": note}))
        .send::<Approval>(order, json!({"ask": {"revision": revision}}))
        .by(ADA)
        .send::<Approval>(order, json!({"approve": {"revision": revision}}))
        .by(SYSTEM)
        .send::<Order>(order, json!({"settle-approval": {}}));
}

/// Books `[item, quantity]`s.
fn receive(chronicle: &mut Chronicle, order: Uuid, lines: Value) {
    let lines: Vec<(Value, i32)> = serde_json::from_value(lines).unwrap();
    let lines = lines.into_iter();
    let lines: Vec<Value> = lines
        .map(|(item_id, quantity)| json!({"item_id": item_id, "quantity": quantity}))
        .collect();
    chronicle
        .by(BEN)
        .send::<Order>(order, json!({"receive": {"lines": lines}}));
}
