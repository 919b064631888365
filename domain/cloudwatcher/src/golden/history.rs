//! One day of a small company, told as commands: every kind of stream, every event.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{approvals, devices, fulfilment, stock, transfers};
use crate::location::Location;
use crate::order::Order;
use crate::part::Part;
use crate::part_supplier::PartSupplier;
use crate::part_variant::PartVariant;
use crate::request::DeviceRequest;
use crate::supplier::Supplier;
use domain::register::Register;
use domain::{Contexts, SYSTEM};
use identity::department::Department;
use identity::role::Role;
use identity::sign_in::SignIns;
use identity::user::{Event as UserEvent, User};
use rehearsal::chronicle::id;
use rehearsal::{Chronicle, History};

/// 2026-01-05T08:00:00Z, a Monday.
const MORNING: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_600_000_000_000_000);

pub(super) const ADA: Uuid = id(1, 1);
pub(super) const BEN: Uuid = id(1, 2);
pub(super) const CLEO: Uuid = id(1, 3);
pub(super) const ADMIN: Uuid = id(2, 1);
pub(super) const BUYER: Uuid = id(2, 2);
pub(super) const TEMP: Uuid = id(2, 3);
pub(super) const COMPANY: Uuid = id(3, 1);
pub(super) const STORE: Uuid = id(3, 2);
pub(super) const KIOSK: Uuid = id(3, 3);
pub(super) const ACME: Uuid = id(4, 1);
pub(super) const BOLT: Uuid = id(4, 2);
pub(super) const FILTER: Uuid = id(5, 1);
pub(super) const SCREW: Uuid = id(5, 2);
pub(super) const FILTER_RED: Uuid = id(6, 1);
pub(super) const FILTER_BLUE: Uuid = id(6, 2);
pub(super) const FILTER_ACME: Uuid = id(7, 1);
pub(super) const SCREW_BOLT: Uuid = id(7, 2);
pub(super) const TRUCK_ASKS: Uuid = id(8, 1);
pub(super) const TRUCK_REPORTS: Uuid = id(8, 2);
pub(super) const SUBMITTED: Uuid = id(9, 1);
pub(super) const CANCELLED: Uuid = id(9, 2);
pub(super) const WITHDRAWN: Uuid = id(9, 3);
pub(super) const COPIED: Uuid = id(9, 4);
pub(super) const DEPOT: Uuid = id(10, 1);
pub(super) const SHELF: Uuid = id(10, 2);

/// The golden history, decided anew.
pub(crate) fn story() -> History {
    let contexts = Contexts::new(&[&identity::CONTEXT, &crate::CONTEXT]).unwrap();
    let mut chronicle = Chronicle::new(contexts, ADA, MORNING);
    people(&mut chronicle);
    departments(&mut chronicle);
    catalogue(&mut chronicle);
    locations(&mut chronicle);
    requests(&mut chronicle);
    approvals::approvers(&mut chronicle);
    orders(&mut chronicle);
    approvals::approvals(&mut chronicle);
    fulfilment::fulfilment(&mut chronicle);
    stock::stock(&mut chronicle);
    transfers::transfers(&mut chronicle);
    devices::devices(&mut chronicle);
    farewells(&mut chronicle);
    chronicle.send::<SignIns>(BEN, json!({"record": {}}));
    stock::noted_for_years(&mut chronicle);
    codes_of_before(&mut chronicle);
    // Those of which nothing is told above.
    chronicle.plain_kinds(&crate::CONTEXT);
    chronicle.ended()
}

/// The `place`-th item that the latest event of an order lists.
pub(super) fn item(chronicle: &Chronicle, order: Uuid, place: usize) -> Value {
    chronicle.named(order, "items")[place]["item_id"].clone()
}

fn people(chronicle: &mut Chronicle) {
    chronicle
        .send::<User>(
            ADA,
            json!({"register": {"email": "Ada@example.com", "name": "Ada", "oauth_provider": "google", "oauth_id": "42"}}),
        )
        .send::<Role>(ADMIN, json!({"define": {"name": "Admin", "description": "Everything", "permissions": ["*"]}}))
        .send::<User>(ADA, json!({"assign-role": {"role_id": ADMIN}}))
        .wrote::<User>(ADA, &UserEvent::UserSignedIn {})
        .send::<User>(BEN, json!({"register": {"email": "ben@example.com", "name": "Ben"}}))
        .send::<User>(CLEO, json!({"register": {"email": "cleo@example.com", "name": "Cleo", "oauth_provider": "local"}}))
        .send::<Role>(BUYER, json!({"define": {"name": "Buyer", "permissions": ["cloudwatcher.order.draft", "audit.read"]}}))
        .send::<Role>(BUYER, json!({"grant": {"permission": "cloudwatcher.order.*"}}))
        .send::<Role>(BUYER, json!({"revoke": {"permission": "audit.read"}}))
        .send::<Role>(BUYER, json!({"describe": {"name": "Purchaser", "description": "Buys parts"}}))
        .send::<Role>(TEMP, json!({"define": {"name": "Temp", "permissions": ["cloudwatcher.request.receive"]}}))
        .send::<User>(BEN, json!({"assign-role": {"role_id": BUYER}}))
        .send::<User>(BEN, json!({"assign-role": {"role_id": TEMP}}))
        .send::<User>(CLEO, json!({"assign-role": {"role_id": TEMP}}))
        .send::<User>(CLEO, json!({"assign-role": {"role_id": BUYER}}))
        .send::<User>(CLEO, json!({"unassign-role": {"role_id": BUYER}}))
        .send::<User>(BEN, json!({"rename": {"name": "Benedict"}}))
        .send::<User>(BEN, json!({"change-email": {"email": "benedict@example.com"}}));
}

fn departments(chronicle: &mut Chronicle) {
    chronicle
        .send::<Register<Department>>(COMPANY, json!({"enter": {"name": "Company", "manager_id": ADA}}))
        .send::<Register<Department>>(STORE, json!({"enter": {"name": "Store", "parent_id": COMPANY}}))
        .send::<Register<Department>>(KIOSK, json!({"enter": {"name": "Kiosk", "parent_id": STORE}}))
        .send::<Register<Department>>(
            STORE,
            json!({"amend": {"name": "Main store", "parent_id": COMPANY, "description": "Parts", "manager_id": BEN}}),
        )
        .send::<User>(BEN, json!({"join-department": {"department_id": STORE}}))
        .send::<User>(CLEO, json!({"join-department": {"department_id": STORE}}))
        .send::<User>(CLEO, json!({"join-department": {"department_id": KIOSK}}))
        .send::<User>(CLEO, json!({"leave-department": {"department_id": STORE}}))
        .send::<Register<Department>>(KIOSK, json!({"strike": {}}));
}

fn catalogue(chronicle: &mut Chronicle) {
    chronicle
        .by(BEN)
        .send::<Register<Supplier>>(
            ACME,
            json!({"enter": {"name": "Acme", "contact_email": "sales@acme.example", "lead_time_days": 14}}),
        )
        .send::<Register<Supplier>>(
            ACME,
            json!({"amend": {
                "name": "Acme", "contact_email": "sales@acme.example", "contact_phone": "+49 30 1234",
                "website": "https://acme.example", "lead_time_days": 7, "is_preferred": true,
            }}),
        )
        .send::<Register<Supplier>>(BOLT, json!({"enter": {"name": "Bolt & Sons"}}))
        .send::<Register<Part>>(
            FILTER,
            json!({"enter": {"part_code": "PART-FILTER-01", "name": "Air filter", "category": "filters"}}),
        )
        .send::<Register<Part>>(
            FILTER,
            json!({"amend": {
                "part_code": "PART-FILTER-01", "name": "Cabin air filter", "description": "Fits every truck",
                "category": "filters", "unit_of_measure": "piece",
            }}),
        )
        .send::<Register<Part>>(SCREW, json!({"enter": {"part_code": "PART-SCREW-01", "name": "Screw M6"}}))
        .send::<Register<PartVariant>>(
            FILTER_RED,
            json!({"enter": {
                "part_id": FILTER, "variant_code": "RED-M", "variant_name": "Red, medium",
                "attributes": {"color": "red", "size": "M"}, "cost_per_unit": "8.25", "retail_price": "12.50", "currency": "EUR",
            }}),
        )
        .send::<Register<PartVariant>>(
            FILTER_RED,
            json!({"amend": {
                "part_id": FILTER, "variant_code": "RED-M", "variant_name": "Red, medium",
                "attributes": {"color": "red", "size": "M", "washable": true},
                "cost_per_unit": "8.40", "retail_price": "12.90", "currency": "EUR",
            }}),
        )
        .send::<Register<PartVariant>>(FILTER_BLUE, json!({"enter": {"part_id": FILTER, "variant_code": "BLUE-M"}}))
        .send::<Register<PartSupplier>>(
            FILTER_ACME,
            json!({"enter": {"part_id": FILTER, "variant_id": FILTER_RED, "supplier_id": ACME, "supplier_cost": "8.25", "currency": "EUR"}}),
        )
        .send::<Register<PartSupplier>>(
            FILTER_ACME,
            json!({"amend": {
                "part_id": FILTER, "variant_id": FILTER_RED, "supplier_id": ACME, "sku": "AC-100",
                "supplier_cost": "8.10", "currency": "EUR", "lead_time_days": 5, "minimum_order_qty": 10, "is_preferred": true,
            }}),
        )
        .send::<Register<PartSupplier>>(SCREW_BOLT, json!({"enter": {"part_id": SCREW, "supplier_id": BOLT}}));
}

fn locations(chronicle: &mut Chronicle) {
    chronicle
        .by(BEN)
        .send::<Register<Location>>(
            DEPOT,
            json!({"enter": {"name": "Depot", "dept_id": COMPANY, "location_type": "depot"}}),
        )
        .send::<Register<Location>>(
            DEPOT,
            json!({"amend": {"name": "Depot North", "dept_id": COMPANY, "location_type": "warehouse", "address": "Harbour Road 1"}}),
        )
        .send::<Register<Location>>(SHELF, json!({"enter": {"name": "Shelf", "dept_id": STORE, "location_type": "store"}}))
        .send::<Register<Location>>(SHELF, json!({"strike": {}}))
        .send::<Register<Location>>(SHELF, json!({"enter": {"name": "Shelf", "dept_id": STORE, "location_type": "store"}}));
}

fn requests(chronicle: &mut Chronicle) {
    chronicle
        .by(CLEO)
        .send::<DeviceRequest>(
            TRUCK_ASKS,
            json!({"receive": {
                "device_id": "truck-001", "request_type": "get_parts",
                "payload": {"parts": ["PART-FILTER-01"], "position": {"lat": 52.52, "lon": 13.405}},
            }}),
        )
        .send::<DeviceRequest>(
            TRUCK_REPORTS,
            json!({"receive": {"device_id": "truck-002", "request_type": "update_inventory", "payload": null}}),
        );
}

fn orders(chronicle: &mut Chronicle) {
    let red = json!({
        "part_id": FILTER, "variant_id": FILTER_RED, "supplier_id": ACME, "quantity": 10, "unit_price": "8.10",
        "expected_delivery_date": "2026-01-12",
    });
    let screws = json!({"part_id": SCREW, "supplier_id": BOLT, "quantity": 500, "unit_price": "0.05"});
    let draft = |request_id: Option<Uuid>, items: Value| {
        json!({"draft": {
            "department_id": STORE, "currency": "EUR", "request_id": request_id, "note": "for the trucks", "items": items,
        }})
    };

    chronicle
        .by(BEN)
        .send::<Order>(SUBMITTED, draft(Some(TRUCK_ASKS), json!([red])))
        .send::<Order>(SUBMITTED, json!({"add-item": screws}))
        .send::<Order>(SUBMITTED, json!({"add-item": red}));
    let first = item(chronicle, SUBMITTED, 0);
    chronicle
        .send::<Order>(
            SUBMITTED,
            json!({"change-item": {"item_id": first, "quantity": 12, "unit_price": 8.05, "expected_delivery_date": "2026-01-14"}}),
        )
        .send::<Order>(SUBMITTED, json!({"submit": {}}));

    chronicle.send::<Order>(CANCELLED, draft(Some(TRUCK_REPORTS), json!([screws, red])));
    let screws_item = item(chronicle, CANCELLED, 0);
    chronicle
        .send::<Order>(CANCELLED, json!({"remove-item": {"item_id": screws_item}}))
        .send_because::<Order>(CANCELLED, json!({"cancel": {}}), "ordered by telephone");

    chronicle
        .by(ADA)
        .send::<Order>(WITHDRAWN, draft(Some(TRUCK_REPORTS), json!([screws])))
        .send::<Order>(WITHDRAWN, json!({"submit": {}}))
        .send_because::<Order>(WITHDRAWN, json!({"cancel": {}}), "screws were found in the store")
        .send::<Order>(
            COPIED,
            json!({"duplicate": {"of": SUBMITTED, "note": "the same for next week"}}),
        );
}

/// As if they had been entered before codes were compared as people do: one in use, one that is struck, and a variant.
fn codes_of_before(chronicle: &mut Chronicle) {
    chronicle
        .by(SYSTEM)
        .send::<Register<Part>>(FILTER, json!({"take-anew": {}}))
        .send::<Register<Part>>(SCREW, json!({"take-anew": {}}))
        .send::<Register<PartVariant>>(FILTER_RED, json!({"take-anew": {}}));
}

fn farewells(chronicle: &mut Chronicle) {
    chronicle
        .by(ADA)
        .send::<Register<PartVariant>>(FILTER_BLUE, json!({"strike": {}}))
        .send::<Register<PartSupplier>>(SCREW_BOLT, json!({"strike": {}}))
        .send::<Register<Part>>(SCREW, json!({"strike": {}}))
        .send::<Register<Supplier>>(BOLT, json!({"strike": {}}))
        .send::<Register<Supplier>>(BOLT, json!({"enter": {"name": "Bolt & Daughters"}}))
        .send::<Register<Supplier>>(ACME, json!({"forget-contacts": {}}))
        .send::<User>(BEN, json!({"deactivate": {}}))
        .send::<User>(BEN, json!({"reactivate": {}}))
        .send::<Role>(TEMP, json!({"retire": {}}))
        .send::<User>(CLEO, json!({"erase": {}}));
}
