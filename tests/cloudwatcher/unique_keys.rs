//! Every unique key of the tables is guarded in the domain.

use cloudwatcher::order::Order;
use cloudwatcher::request::DeviceRequest;
use cloudwatcher::{part::Part, part_supplier::PartSupplier, part_variant::PartVariant, supplier::Supplier};
use domain::register::Register;
use identity::{department::Department, key::Key, role::Role, user::User};
use serde_json::json;
use tests::{Ledger, unique};
use uuid::Uuid;

/// Unique keys that need no claim. Assignments and permissions are decided by the one stream that holds them all; the
/// ids of stock and of responses follow from what is unique about them.
const WITHIN_A_STREAM: [&str; 6] = [
    "inventory.part_id+variant_id+location_id",
    "stock_levels.part_id+location_id",
    "user_roles.user_id+role_id",
    "user_departments.user_id+dept_id",
    "role_permissions.role_id+permission",
    "responses.request_id",
];

#[tokio::test]
async fn every_unique_key_of_a_read_table_has_a_claim_or_lies_within_one_stream() {
    let ledger = Ledger::open().await;
    let [
        department,
        role,
        robot,
        key,
        supplier,
        part,
        variant,
        offer,
        request,
        order,
    ] = std::array::from_fn(|_| Uuid::now_v7());
    macro_rules! does {
        ($decider:ty, $stream:expr, $($command:tt)+) => {
            ledger.does::<$decider>($stream, serde_json::from_value(json!($($command)+)).unwrap()).await
        };
    }
    does!(User, ledger.actor, {"register": {"name": "Ada", "email": "ada@example.com", "oauth_provider": "google", "oauth_id": "1"}});
    does!(Role, role, {"define": {"name": "buyer", "permissions": ["a.b"]}});
    does!(User, robot, {"register": {"name": "Robot", "email": "robot@example.com", "oauth_provider": "service", "oauth_id": "r"}});
    let issue = json!({"issue": {"name": "Truck", "user_id": robot, "digest": "0a".repeat(32), "issued_by": ledger.actor,
        "expires_at": chrono::Utc::now() + chrono::TimeDelta::days(1)}});
    ledger
        .does_itself::<Key>(key, serde_json::from_value(issue).unwrap())
        .await;
    does!(Register<Department>, department, {"enter": {"name": "Workshop"}});
    does!(Register<Supplier>, supplier, {"enter": {"name": "Acme"}});
    does!(Register<Part>, part, {"enter": {"part_code": "P", "name": "bolt"}});
    does!(Register<PartVariant>, variant, {"enter": {"part_id": part, "variant_code": "RED"}});
    does!(Register<PartSupplier>, offer, {"enter": {"part_id": part, "variant_id": variant, "supplier_id": supplier}});
    does!(DeviceRequest, request, {"receive": {"device_id": "truck-1", "request_type": "get_parts", "payload": {}}});
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1"});
    does!(Order, order, {"draft": {"department_id": department, "currency": "EUR", "request_id": request, "items": [item]}});

    let pool = &ledger.pools.owner;
    let declared = tests::decisions();
    unique::guards_every_key(pool, &declared, &cloudwatcher_tables::CONTEXT, &WITHIN_A_STREAM).await;
    unique::claims_are_taken(pool, &declared, &["identity", "cloudwatcher"]).await;
}
