//! The orders that the tests begin with.

mod content;
mod life;

use super::*;
use crate::Facts;
use crate::cloudwatcher::part::Part;
use crate::cloudwatcher::part_variant::PartVariant;
use crate::cloudwatcher::request::DeviceRequest;
use crate::cloudwatcher::supplier::Supplier;
use crate::given::drawn;
use crate::identity::department::Department;
use crate::register::Register;
use serde_json::json;

const STORE: Uuid = Uuid::from_u128(0x1);
const PART: Uuid = Uuid::from_u128(0x2);
const VARIANT: Uuid = Uuid::from_u128(0x3);
const SUPPLIER: Uuid = Uuid::from_u128(0x4);
const REQUEST: Uuid = Uuid::from_u128(0x6);
const OTHER: Uuid = Uuid::from_u128(0x7);

pub(super) fn known() -> Facts {
    Facts::default()
        .with(STORE, Register::Entered(department()))
        .with(PART, Register::Entered(part()))
        .with(VARIANT, Register::Entered(variant(PART)))
        .with(SUPPLIER, Register::Entered(supplier()))
        .with(REQUEST, DeviceRequest::Received)
}

pub(super) fn department() -> Department {
    serde_json::from_value(json!({"name": "Store"})).unwrap()
}

pub(super) fn part() -> Part {
    serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap()
}

pub(super) fn variant(part_id: Uuid) -> PartVariant {
    serde_json::from_value(json!({"part_id": part_id, "variant_code": "RED"})).unwrap()
}

pub(super) fn supplier() -> Supplier {
    serde_json::from_value(json!({"name": "Acme"})).unwrap()
}

pub(super) fn wanted(quantity: i32, unit_price: Decimal) -> NewItem {
    NewItem {
        part_id: PART,
        variant_id: Some(VARIANT),
        supplier_id: SUPPLIER,
        quantity,
        unit_price,
        expected_delivery_date: None,
    }
}

pub(super) fn one() -> NewItem {
    wanted(3, Decimal::new(1250, 2))
}

pub(super) fn item(n: usize) -> Item {
    Item {
        item_id: drawn(n),
        part_id: PART,
        variant_id: Some(VARIANT),
        supplier_id: SUPPLIER,
        quantity: 3,
        unit_price: Decimal::new(1250, 2),
        expected_delivery_date: None,
    }
}

pub(super) fn draft(items: Vec<NewItem>) -> Command {
    Command::Draft(new_order(items))
}

pub(super) fn new_order(items: Vec<NewItem>) -> NewOrder {
    NewOrder {
        order_type: OrderType::Purchase,
        department_id: STORE,
        currency: "EUR".to_owned(),
        request_id: Some(REQUEST),
        note: None,
        items,
    }
}

pub(super) fn drafted(items: usize) -> Event {
    Event::OrderDrafted {
        order_type: OrderType::Purchase,
        department_id: STORE,
        currency: "EUR".to_owned(),
        request_id: Some(REQUEST),
        note: None,
        duplicate_of: None,
        items: (0..items).map(item).collect(),
    }
}

pub(super) fn submitted() -> Event {
    let content_hash = "3b7e".to_owned();
    Event::OrderSubmitted {
        revision: 1,
        items: vec![item(0)],
        total: Decimal::new(3750, 2),
        content_hash,
    }
}

pub(super) fn change(quantity: Option<i32>, unit_price: Option<Decimal>) -> Command {
    Command::ChangeItem {
        item_id: drawn(0),
        quantity,
        unit_price,
        expected_delivery_date: None,
    }
}

fn reference(field: &str, detail: &'static str) -> Refusal {
    Refusal::Reference {
        field: field.to_owned(),
        detail,
    }
}

fn outdated(place: &str, detail: &'static str) -> Refusal {
    Refusal::Outdated {
        place: place.to_owned(),
        detail,
    }
}
