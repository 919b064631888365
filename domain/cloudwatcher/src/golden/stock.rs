//! The stock of the depot and of the shelf: ordered, taken in, kept, used up, moved and counted.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::history::{ACME, ADA, BEN, CLEO, DEPOT, FILTER, FILTER_ACME, FILTER_RED, SCREW, SHELF, STORE, TRUCK_ASKS};
use crate::inventory::{EVENTS_CARRIED_MIN, Inventory, StockKey};
use crate::order::Order;
use crate::stock_policy::StockPolicy;
use crate::stocked::{self, Stocked};
use domain::SYSTEM;
use domain::register::{OnePerTenant, Register};
use rehearsal::chronicle::{TENANT, id};
use rehearsal::{Chronicle, sending};

const REORDERED: Uuid = id(9, 31);
const FOR_TRUCK: Uuid = id(11, 1);
const FOR_CLEO: Uuid = id(11, 2);
const TO_SHELF: Uuid = id(12, 1);

const FILTERS: StockKey = StockKey {
    part_id: FILTER,
    variant_id: Some(FILTER_RED),
    location_id: DEPOT,
};
const SCREWS: StockKey = StockKey {
    part_id: SCREW,
    variant_id: None,
    location_id: DEPOT,
};
const SHELVED: StockKey = StockKey {
    location_id: SHELF,
    ..SCREWS
};

pub(super) fn stock(chronicle: &mut Chronicle) {
    reordered(chronicle);
    kept(chronicle);
    counted(chronicle);
    moved(chronicle);
    noted(chronicle);
    policy(chronicle);
    carried_forward(chronicle);
}

/// A record is opened with nothing in it, so reordering is suggested, and accepted; half of it comes.
fn reordered(chronicle: &mut Chronicle) {
    let filters = FILTERS.stream(TENANT);
    chronicle.by(BEN).send::<Inventory>(
        filters,
        json!({"open": {
            "part_id": FILTER, "variant_id": FILTER_RED, "location_id": DEPOT,
            "reorder_point": 20, "reorder_quantity": 50,
        }}),
    );
    let suggestion_id = chronicle.named(filters, "suggestion_id");
    let item = json!({
        "part_id": FILTER, "variant_id": FILTER_RED, "supplier_id": ACME, "quantity": 50, "unit_price": "8.10",
    });
    let draft = json!({"draft": {
        "department_id": STORE, "currency": "EUR", "location_id": DEPOT, "items": [item],
    }});
    let accept = json!({"accept-reorder": {
        "suggestion_id": suggestion_id, "order_id": REORDERED, "quantity": 50, "part_supplier_id": FILTER_ACME,
    }});
    chronicle
        .carry_out(
            &[
                sending::<Order>(REORDERED, &draft),
                sending::<Inventory>(filters, &accept),
            ],
            None,
        )
        .by(SYSTEM)
        .send::<Inventory>(
            filters,
            json!({"receive": {"quantity": 25, "source": {"kind": "order", "id": REORDERED}, "still_to_come": 25}}),
        )
        .send::<Inventory>(filters, json!({"expect": {"order_id": REORDERED, "quantity": 0}}));
}

/// Some filters are kept for a truck, given out in part, and the rest given back; others are kept until
/// the evening, and nobody comes for them.
fn kept(chronicle: &mut Chronicle) {
    let filters = FILTERS.stream(TENANT);
    let reserve = |id: Uuid, quantity: i32| json!({"reservation_id": id, "quantity": quantity});
    let mut for_truck = reserve(FOR_TRUCK, 12);
    for_truck["source"] = json!({"kind": "request", "id": TRUCK_ASKS});
    let mut for_cleo = reserve(FOR_CLEO, 3);
    for_cleo["expires_at"] = json!(chronicle.next() + TimeDelta::hours(8));
    chronicle
        .by(BEN)
        .send::<Inventory>(filters, json!({ "reserve": for_truck }))
        .send::<Inventory>(filters, json!({"issue": reserve(FOR_TRUCK, 4)}))
        .by(CLEO)
        .send_because::<Inventory>(
            filters,
            json!({"consume": {
                "reservation_id": FOR_TRUCK, "quantity": 2, "consumption_date": "2026-01-05", "notes": "truck-001, both sides",
            }}),
            "service",
        )
        .by(BEN)
        .send::<Inventory>(filters, json!({"shorten": reserve(FOR_TRUCK, 5)}))
        .send::<Inventory>(filters, json!({"release": {"reservation_id": FOR_TRUCK}}))
        .send::<Inventory>(filters, json!({ "reserve": for_cleo }))
        .later(8)
        .by(SYSTEM)
        .send::<Inventory>(filters, json!({"expire": {"reservation_id": FOR_CLEO}}));
}

/// A count finds too few for what is kept; what was missing turns up.
fn counted(chronicle: &mut Chronicle) {
    let filters = FILTERS.stream(TENANT);
    let suggestion_id = chronicle.named(filters, "suggestion_id");
    chronicle
        .by(ADA)
        .send::<Inventory>(filters, json!({"reserve": {"quantity": 18}}))
        .send_because::<Inventory>(filters, json!({"count": {"seen": 19, "counted": 15}}), "yearly count")
        .send_because::<Inventory>(
            filters,
            json!({"count": {"seen": 15, "counted": 19}}),
            "behind the rack",
        )
        .send_because::<Inventory>(
            filters,
            json!({"dismiss-reorder": {"suggestion_id": suggestion_id}}),
            "out of season",
        );
}

/// Screws come to the depot and go on to the shelf.
fn moved(chronicle: &mut Chronicle) {
    let (depot, shelf) = (SCREWS.stream(TENANT), SHELVED.stream(TENANT));
    let taken_in = json!({"receive": {"quantity": 1_000, "stock": SCREWS}});
    let half = json!({"transfer_id": TO_SHELF, "quantity": 400, "to": SHELVED});
    let mut other = half.clone();
    other["from"] = json!(SCREWS);
    chronicle
        .by(BEN)
        .send::<Inventory>(depot, taken_in)
        .send::<Inventory>(depot, json!({"set-reorder": {"reorder_point": 700}}))
        .carry_out(
            &[
                sending::<Inventory>(depot, &json!({ "transfer-out": half })),
                sending::<Inventory>(shelf, &json!({ "transfer-in": other })),
            ],
            Some("the shelf is empty"),
        )
        .send::<Inventory>(depot, receive(300, json!({"kind": "other", "id": id(12, 2)})));
}

/// What stock refers to is noted, as Daybook does by itself.
fn noted(chronicle: &mut Chronicle) {
    chronicle
        .by(SYSTEM)
        .send::<Stocked>(FILTER, json!({"note-opened": {}}))
        .send::<Stocked>(FILTER, json!({"note-suggested": {"stock": FILTERS}}))
        .send::<Stocked>(FILTER, json!({"look-again": {}}))
        .send::<Stocked>(FILTER, json!({"note-answered": {"stock": FILTERS}}));
}

/// For an hour nothing is ordered that suppliers do not sell.
fn policy(chronicle: &mut Chronicle) {
    let policy = StockPolicy::stream(TENANT);
    chronicle
        .by(ADA)
        .send::<Register<StockPolicy>>(policy, json!({"enter": {"not_sold": "refuse"}}))
        .send::<Register<StockPolicy>>(policy, json!({"amend": {"not_sold": "warn"}}))
        .send::<Register<StockPolicy>>(policy, json!({"strike": {}}));
}

/// Screws are taken from the shelf one by one, until everything is carried forward.
fn carried_forward(chronicle: &mut Chronicle) {
    chronicle.by(CLEO);
    // Opened, filled, and then.
    for _ in 0..EVENTS_CARRIED_MIN - 2 {
        chronicle.send::<Inventory>(SHELVED.stream(TENANT), json!({"issue": {"quantity": 1}}));
    }
}

/// Filters are suggested for reorder and answered for years, until what is noted of them is carried forward.
pub(super) fn noted_for_years(chronicle: &mut Chronicle) {
    let commands = ["note-suggested", "note-answered"].into_iter().cycle();
    chronicle.by(SYSTEM);
    // After the four of the first day.
    for command in commands.take(stocked::EVENTS_CARRIED_MIN - 4) {
        chronicle.send::<Stocked>(FILTER, json!({ command: {"stock": FILTERS} }));
    }
    // A thousand suggestions take a second event, which would be no story.
    let more = stocked::Event::StockSuggestionsCarriedOn {
        suggested: vec![FILTERS],
    };
    chronicle.wrote::<Stocked>(FILTER, &more);
}

fn receive(quantity: i32, source: Value) -> Value {
    json!({"receive": {"quantity": quantity, "source": source}})
}
