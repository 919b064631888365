//! The orders that the tests begin with.

mod content;
mod edits;
mod expected;
mod life;
mod named;
mod offer;
mod placed;
mod placing;
mod receipts;
mod stored;

use super::*;
use crate::approval::{self, Approval};
use crate::location::Location;
use crate::part::Part;
use crate::part_variant::PartVariant;
use crate::request::{self, DeviceRequest};
use crate::supplier::Supplier;
use domain::Facts;
use domain::register::Register;
use domain::{Class, Refuse as _, Sealed};
use identity::department::Department;
use identity::role::{self, Role};
use identity::user::{self, User};
use rehearsal::given::{BY, STREAM, drawn, state};
use serde_json::json;

const STORE: Uuid = Uuid::from_u128(0x1);
const PART: Uuid = Uuid::from_u128(0x2);
const VARIANT: Uuid = Uuid::from_u128(0x3);
const SUPPLIER: Uuid = Uuid::from_u128(0x4);
const REQUEST: Uuid = Uuid::from_u128(0x6);
const OTHER: Uuid = Uuid::from_u128(0x7);
const MANAGER: Uuid = Uuid::from_u128(0x8);
const APPROVERS: Uuid = Uuid::from_u128(0x9);
/// Of what [`submitted`] submits.
const HASH: &str = "3b7e";

pub(super) fn known() -> Facts {
    Facts::default()
        .with(STORE, Register::Entered(department()))
        .with(PART, Register::Entered(part()))
        .with(VARIANT, Register::Entered(variant(PART)))
        .with(SUPPLIER, Register::Entered(supplier()))
        .with(REQUEST, request_received([]))
        .with(MANAGER, manager())
        .with(APPROVERS, approvers())
}

/// A request that was received, and what happened to it since.
fn request_received(since: impl IntoIterator<Item = serde_json::Value>) -> DeviceRequest {
    let received = json!({"RequestReceived": {
        "device_id": "truck-001", "request_type": "get_parts", "payload": {}, "payload_hash": "", "metadata": {},
    }});
    let events = std::iter::once(received).chain(since);
    state(events.map(|event| serde_json::from_value::<request::Event>(event).unwrap()))
}

/// Everything that is known, and what the order's approval says of revision 1 of [`submitted`].
fn decided(approval: Approval) -> Facts {
    known().with(STREAM, approval)
}

fn granted() -> Approval {
    granted_for(1, HASH, Some(MANAGER))
}

fn rejected() -> Approval {
    rejected_for(1, HASH, Some(MANAGER))
}

pub(super) fn granted_for(revision: i32, content_hash: &str, approved_by: Option<Uuid>) -> Approval {
    let mut events = vec![asked_for(revision, content_hash)];
    events.extend(approved_by.into_iter().flat_map(|by| level_approved(revision, by)));
    events.push(approval::Event::ApprovalGranted {
        revision,
        content_hash: content_hash.to_owned(),
        approved_by,
    });
    state(events)
}

fn level_approved(revision: i32, by: Uuid) -> [approval::Event; 2] {
    [
        approval::Event::LevelAsked {
            ask_id: OTHER,
            level: 1,
            department_id: STORE,
            approver_id: by,
            due_at: chrono::DateTime::UNIX_EPOCH,
            escalated_from: None,
            revision,
            order_total: Decimal::new(3750, 2),
            currency: "EUR".to_owned(),
            split_with: Vec::new(),
            is_top: false,
        },
        approval::Event::LevelApproved {
            ask_id: OTHER,
            level: 1,
            by,
            on_behalf_of: None,
            notes: None,
            at: None,
        },
    ]
}

pub(super) fn rejected_for(revision: i32, content_hash: &str, by: Option<Uuid>) -> Approval {
    let rejected = approval::Event::ApprovalRejected {
        revision,
        ask_id: None,
        level: None,
        by,
        on_behalf_of: None,
        notes: "too dear".to_owned(),
        at: None,
    };
    state([asked_for(revision, content_hash), rejected])
}

/// An approval that is asked for and not decided.
fn pending() -> Approval {
    state([asked_for(1, HASH)])
}

fn voided() -> Approval {
    let voided = approval::Event::ApprovalVoided {
        ask_ids: Vec::new(),
        revision: 1,
        why: approval::WhyVoid::OrderMovedOn,
        by: None,
        at: None,
    };
    state([asked_for(1, HASH), voided])
}

fn asked_for(revision: i32, content_hash: &str) -> approval::Event {
    approval::Event::ApprovalAsked {
        revision,
        content_hash: content_hash.to_owned(),
        order_total: Decimal::new(3750, 2),
        currency: "EUR".to_owned(),
        department_id: STORE,
        drafted_by: BY,
        submitted_by: BY,
        levels: 1,
        deadline_hours: 48,
        split_with: Vec::new(),
        at: None,
    }
}

/// Who may approve what the store orders.
fn manager() -> User {
    let person = |text: &str| Sealed::Open(text.to_owned());
    state([
        user::Event::UserRegistered {
            email: person("mo@example.com"),
            name: person("Mo"),
            oauth_provider: None,
            oauth_id: None,
        },
        user::Event::UserRoleAssigned {
            assignment_id: OTHER,
            role_id: APPROVERS,
        },
    ])
}

fn approvers() -> Role {
    let permission = "orders.approve".to_owned();
    state([role::Event::RoleDefined {
        name: "Approvers".to_owned(),
        description: None,
        grants: vec![role::Grant { id: OTHER, permission }],
    }])
}

pub(super) fn department() -> Department {
    serde_json::from_value(json!({"name": "Store", "manager_id": MANAGER})).unwrap()
}

pub(super) fn part() -> Part {
    serde_json::from_value(json!({"part_code": "F-1", "name": "Filter"})).unwrap()
}

pub(super) fn variant(part_id: Uuid) -> PartVariant {
    serde_json::from_value(json!({"part_id": part_id, "variant_code": "RED"})).unwrap()
}

fn location() -> Location {
    serde_json::from_value(json!({"name": "Depot", "dept_id": STORE})).unwrap()
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
        tolerance_percent: 0,
        request_id: Some(REQUEST),
        location_id: None,
        from_location_id: None,
        note: None,
        items,
    }
}

/// How [`item`] is called, by [`known`].
fn called(n: usize) -> Named {
    Named {
        item_id: drawn(n),
        part_code: "F-1".to_owned(),
        part: "Filter".to_owned(),
        variant_code: Some("RED".to_owned()),
        supplier: "Acme".to_owned(),
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
        drafted_by: BY,
        tolerance_percent: 0,
        location_id: None,
        from_location_id: None,
        left_out: Vec::new(),
        is_reorder: false,
        named: (0..items).take(NAMED_MAX).map(called).collect(),
    }
}

/// That [`drafted`] with one item was submitted.
pub(super) fn submitted() -> Event {
    Event::OrderSubmitted {
        revision: 1,
        items: vec![item(0)],
        total: Decimal::new(3750, 2),
        content_hash: HASH.to_owned(),
        drafted_by: BY,
        submitted_by: BY,
    }
}

fn approved() -> Event {
    Event::OrderApproved {
        revision: 1,
        approved_by: Some(MANAGER),
    }
}

/// The past of an order with one item that is placed.
fn placed() -> Vec<Event> {
    vec![drafted(1), submitted(), approved(), Event::OrderPlaced {}]
}

pub(super) fn change(quantity: Option<i32>, unit_price: Option<Decimal>) -> Command {
    Command::ChangeItem(ItemChange {
        quantity,
        unit_price,
        ..same()
    })
}

/// A change of the first item that changes nothing.
fn same() -> ItemChange {
    ItemChange {
        item_id: drawn(0),
        part_id: None,
        variant_id: None,
        without_variant: false,
        supplier_id: None,
        quantity: None,
        unit_price: None,
        expected_delivery_date: None,
    }
}

fn of(item_id: Uuid, quantity: i32) -> Quantity {
    Quantity { item_id, quantity }
}

fn reference(field: &str, detail: &'static str) -> Refusal {
    Refusal::Reference {
        field: field.to_owned(),
        detail,
    }
}

/// Of an item that can be changed.
fn outdated(place: &str, detail: &'static str) -> Refusal {
    Refusal::Outdated {
        place: place.to_owned(),
        detail,
        to_do: "change the order or put it back in use",
    }
}

/// Of what no command changes.
fn outdated_for_good(place: &str, detail: &'static str) -> Refusal {
    Refusal::Outdated {
        place: place.to_owned(),
        detail,
        to_do: "put it back in use, or draft another order",
    }
}

/// [`drafted`] with one item, for this location.
fn drafted_for(location: Uuid) -> Event {
    let mut drafted = drafted(1);
    if let Event::OrderDrafted { location_id, .. } = &mut drafted {
        *location_id = Some(location);
    }
    drafted
}
