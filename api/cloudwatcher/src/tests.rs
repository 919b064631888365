//! This context as the engine of HTTP serves it.

use std::collections::BTreeSet;

use cloudwatcher::device_connection::{self, DeviceConnection};
use cloudwatcher::order;
use domain::{Decider as _, Metadata, Recorded};
use http::audit::view::{Sight, masked, shown};
use http::query::order::Order;
use http::{Context, Contexts};
use serde_json::{Value, json};
use uuid::Uuid;

/// This context and the prelude.
pub(crate) fn contexts() -> Contexts {
    static IDENTITY: Context = Context::of(&identity::CONTEXT, None);
    Contexts::new(&[&IDENTITY, &crate::CONTEXT]).unwrap()
}

#[test]
fn an_unknown_field_is_named_with_its_path() {
    let item =
        json!({"part_id": Uuid::nil(), "supplier_id": Uuid::nil(), "quantity": 1, "unit_price": "1", "colour": 7});
    let mut body = json!({"department_id": Uuid::nil(), "currency": "EUR", "items": [item]});
    let error = order::AGGREGATE.parse("draft", &mut body).unwrap_err();
    assert_eq!(error.path().to_string(), "draft.items[0].colour");
}

#[test]
fn a_duplicate_draws_on_the_order_that_it_copies() {
    let of = Uuid::from_u128(7);
    let concerns = |command, mut fields| order::AGGREGATE.parse(command, &mut fields).unwrap().concerns();
    let copied = concerns("duplicate", json!({"of": of}));
    assert_eq!(
        copied
            .iter()
            .map(|fact| (fact.aggregate_type, fact.id))
            .collect::<Vec<_>>(),
        [("cloudwatcher.order", of)]
    );
    assert!(concerns("submit", json!({})).is_empty());
}

#[test]
fn lines_of_orders_come_in_the_order_in_which_they_were_entered() {
    let tables = &cloudwatcher_tables::CONTEXT;
    for table in tables.all_tables() {
        let order = Order::by_default(table);
        let first = order.asked().first();
        let descending = first.is_some_and(|first| first.descending);
        assert_eq!(descending, first.is_some() && !table.is_lines, "{}", table.name);
    }
    let is_lines = |name| tables.table(name).unwrap().is_lines;
    assert!(is_lines("order_items") && !is_lines("audit_logs"));
}

#[test]
fn the_address_of_a_device_is_for_those_who_may_read_personal_data() {
    let event = json!({
        "device_id": "truck-001", "connection_type": "websocket", "ip_address": "192.0.2.7",
        "connected_at": "2026-11-01T08:00:00Z",
    });
    let connected = Recorded {
        position: 1,
        event_id: Uuid::nil(),
        tenant_id: Uuid::nil(),
        aggregate_type: DeviceConnection::TYPE.to_owned(),
        stream: Uuid::from_u128(1),
        sequence: 1,
        event_type: "DeviceConnected".to_owned(),
        event_version: "1".to_owned(),
        metadata: Metadata::default(),
        at: chrono::Utc::now(),
        recorded_at: chrono::Utc::now(),
        event: event.to_string(),
    };
    let sight = |personal| Sight {
        personal,
        hidden: BTreeSet::new(),
        contexts: contexts().decisions().clone(),
    };
    let seen = |personal| shown(connected.clone(), &sight(personal)).payload.value().clone();
    assert_eq!(seen(true), event);
    assert_eq!(seen(false)["ip_address"], Value::Null);
    assert_eq!(seen(false)["device_id"], event["device_id"]);
    // What is hidden still makes an event, so that a state can be told from it.
    let hidden = masked(connected.clone(), &sight(false));
    let read = serde_json::from_value::<device_connection::Event>(json!({
        "DeviceConnected": serde_json::from_str::<Value>(&hidden.event).unwrap()
    }));
    assert!(read.is_ok(), "{read:?}");
}
