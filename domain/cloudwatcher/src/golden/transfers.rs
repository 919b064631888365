//! Orders that meet stock: parts that go from one location to another, and parts that go back.

use serde_json::{Value, json};
use uuid::Uuid;

use super::fulfilment::approved;
use super::history::{ACME, BEN, DEPOT, FILTER, SHELF, STORE, item};
use crate::order::Order;
use domain::SYSTEM;
use rehearsal::Chronicle;
use rehearsal::chronicle::id;

const MOVED: Uuid = id(9, 41);
const SENT_BACK: Uuid = id(9, 42);

pub(super) fn transfers(chronicle: &mut Chronicle) {
    let filters = json!({"part_id": FILTER, "supplier_id": ACME, "quantity": 10, "unit_price": "8.10"});
    let draft = |order_type: &str, locations: Value| {
        let mut draft = json!({
            "order_type": order_type, "department_id": STORE, "currency": "EUR", "items": [filters, filters],
        });
        let draft_fields = draft.as_object_mut().unwrap();
        draft_fields.extend(locations.as_object().unwrap().clone());
        json!({ "draft": draft })
    };

    // The depot has nothing yet, so nothing can be kept for the order until somebody says so again.
    let reservation = json!({"reservation": {"revision": 1}});
    chronicle
        .by(BEN)
        .send::<Order>(
            MOVED,
            draft(
                "internal_transfer",
                json!({"from_location_id": DEPOT, "location_id": SHELF}),
            ),
        )
        .send::<Order>(MOVED, json!({"submit": {}}));
    approved(chronicle, MOVED, 1);
    let second = item(chronicle, MOVED, 1);
    chronicle
        .send::<Order>(MOVED, json!({"note-stock-refused": {"booking": reservation}}))
        .by(BEN)
        .send::<Order>(MOVED, json!({"remove-item": {"item_id": second}}))
        .send::<Order>(MOVED, json!({"retry-stock": {}}))
        .send::<Order>(MOVED, json!({"place": {}}))
        .by(SYSTEM)
        .send::<Order>(MOVED, json!({"note-stock-refused": {"booking": reservation}}));

    chronicle
        .by(BEN)
        .send::<Order>(SENT_BACK, draft("return", json!({"from_location_id": SHELF})));
}
