//! Rows put straight into the read tables, as many as document 001 reckons with: how fast they are read
//! does not depend on how they came there, and a history that makes them would take an hour.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

pub const DEVICES: u32 = 100;
pub const PENDING_OF_DEVICE: u32 = 1_000;
pub const PARTS: u32 = 5_000;
pub const OFFERS_OF_PART: u32 = 10;
pub const ORDERS: u32 = 10_000;
pub const LEVELS_OF_ORDER: u32 = 5;
pub const USERS: u32 = 5_000;
pub const DEPARTMENTS: u32 = 40;
pub const LOCATIONS: u32 = 100;
pub const EVENTS_OF_ORDER: u32 = 8;
pub const LINES_OF_ORDER: u32 = 5;
/// Rows of other tables that each event of an order changed.
pub const CHANGES_OF_EVENT: u32 = 2;

/// What an id is one of.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    User = 1,
    Department,
    Role,
    UserRole,
    RolePermission,
    Supplier,
    Part,
    Offer,
    Request,
    Order,
    Ask,
    Location,
    Stock,
    Line,
    Happening,
    Change,
}

/// The id of the n-th of its kind.
pub fn id(kind: Kind, n: u32) -> Uuid {
    Uuid::from_u128((u128::from(kind as u8) << 96) | 0x4000_8000_0000_0000_0000 | u128::from(n))
}

/// The n-th device, from 0 on.
pub fn device(n: u32) -> String {
    format!("truck-{n:03}")
}

/// Fills the tables of a database that has none of these rows, as its owner.
pub async fn load(options: &PgConnectOptions, tenant: Uuid) {
    load_only(options, tenant, |_| true).await;
}

/// As [`load`], but only into the tables that are wanted: nobody checks that what rows refer to is there.
pub async fn load_only(options: &PgConnectOptions, tenant: Uuid, is_wanted: impl Fn(&str) -> bool) {
    let mut connection = PgConnection::connect_with(options).await.expect("the database answers");
    // What refers to what is right by making, and checking it would take most of the time.
    let settings = "set session_replication_role = replica; set search_path = cloudwatcher, public;
        create function pg_temp.made(kind integer, n bigint) returns uuid language sql immutable as
        $$ select (lpad(to_hex(kind), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;";
    connection.execute(settings).await.expect("settings");
    for (table, columns, select) in tables().into_iter().filter(|(table, ..)| is_wanted(table)) {
        let insert = format!("insert into {table} (tenant_id, position, {columns}) select '{tenant}', n, {select}");
        connection
            .execute(insert.as_str())
            .await
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    connection.execute("vacuum analyze").await.expect("analyze");
}

/// Table, columns, and what is selected for them.
fn tables() -> Vec<(&'static str, &'static str, String)> {
    let made = |kind: Kind, n: &str| format!("pg_temp.made({}, {n})", kind as u8);
    // The newest has the highest number.
    let at = "timestamptz '2026-01-01' + n * interval '1 second'";
    let (user, department) = (made(Kind::User, "n"), made(Kind::Department, "n"));
    vec![
        (
            "users",
            "id, email, name, is_active, created_at, updated_at",
            format!(
                "{user}, n || '@example.com', 'Somebody ' || n, true, {at}, {at} from generate_series(1, {USERS}) n"
            ),
        ),
        (
            "departments",
            "id, name, parent_id, is_active, created_at, updated_at",
            format!(
                "{department}, 'department ' || n, case when n > 1 then {} end, true, {at}, {at} from generate_series(1, {DEPARTMENTS}) n",
                made(Kind::Department, "(n + 1) / 3")
            ),
        ),
        (
            "roles",
            "id, name, is_active, created_at, updated_at",
            format!(
                "{}, 'role ' || n, true, {at}, {at} from generate_series(0, 199) n",
                made(Kind::Role, "n")
            ),
        ),
        (
            "role_permissions",
            "place, id, role_id, permission, created_at",
            format!(
                "1, {}, {}, 'some.thing-' || n || '.read', {at} from generate_series(0, 19999) n",
                made(Kind::RolePermission, "n"),
                made(Kind::Role, "n % 200")
            ),
        ),
        (
            "user_roles",
            "id, user_id, role_id, assigned_at",
            format!(
                "{}, {}, {}, {at} from generate_series(0, {} - 1) n",
                made(Kind::UserRole, "n"),
                made(Kind::User, "n / 2 + 1"),
                made(Kind::Role, "n % 200"),
                USERS * 2
            ),
        ),
        (
            "suppliers",
            "id, name, lead_time_days, is_preferred, is_active, created_at, updated_at",
            format!(
                "{}, 'supplier ' || n, n % 30, n % 10 = 0, n % 20 <> 7, {at}, {at} from generate_series(0, 99) n",
                made(Kind::Supplier, "n")
            ),
        ),
        (
            "parts",
            "id, part_code, name, unit_of_measure, is_active, created_at, updated_at",
            format!(
                "{}, 'P-' || n, 'part ' || n, 'piece', true, {at}, {at} from generate_series(0, {PARTS} - 1) n",
                made(Kind::Part, "n")
            ),
        ),
        (
            "part_suppliers",
            "id, part_id, supplier_id, supplier_cost, currency, minimum_order_qty, pack_qty, is_preferred, created_at, updated_at",
            format!(
                "{}, {}, {}, (n * 37 % 1000) / 10.0, 'EUR', 1, 1, n % {OFFERS_OF_PART} = 3, {at}, {at} from generate_series(0, {} - 1) n",
                made(Kind::Offer, "n"),
                made(Kind::Part, &format!("n / {OFFERS_OF_PART}")),
                made(Kind::Supplier, &format!("(n + n / {OFFERS_OF_PART}) % 100")),
                PARTS * OFFERS_OF_PART
            ),
        ),
        (
            "requests",
            "id, device_id, request_type, status, payload_hash, payload, created_at, updated_at",
            // Of six, one is done.
            format!(
                "{}, 'truck-' || lpad((n % {DEVICES})::text, 3, '0'), 'get_parts',
                 case when n / {DEVICES} % 6 = 0 then 'completed' else 'pending' end, md5(n::text), 'null'::jsonb, {at}, {at}
                 from generate_series(0, {} - 1) n",
                made(Kind::Request, "n"),
                DEVICES * PENDING_OF_DEVICE / 5 * 6
            ),
        ),
        (
            "locations",
            "id, name, dept_id, location_type, is_active, created_at, updated_at",
            format!(
                "{}, 'location ' || n, {}, 'depot', true, {at}, {at} from generate_series(0, {LOCATIONS} - 1) n",
                made(Kind::Location, "n"),
                made(Kind::Department, &format!("n % {DEPARTMENTS} + 1"))
            ),
        ),
        (
            "inventory",
            "id, part_id, location_id, quantity_on_hand, quantity_reserved, quantity_on_order, reorder_point, reorder_quantity, last_updated_at",
            // About every tenth is to be reordered, and of as many nobody has said when.
            format!(
                "{}, {}, {}, n / {LOCATIONS} * 7919 % 200, n % 3, 0, case when n % 11 > 0 then 20 end, 50, {at}
                 from generate_series(0, {} - 1) n",
                made(Kind::Stock, "n"),
                made(Kind::Part, &format!("n / {LOCATIONS}")),
                made(Kind::Location, &format!("n % {LOCATIONS}")),
                LOCATIONS * PARTS
            ),
        ),
        (
            "orders",
            "id, order_type, status, department_id, currency, revision, tolerance_percent, stock_refused, created_by, created_at, updated_at",
            format!(
                "{}, 'purchase', 'pending-approval', {}, 'EUR', 1, 0, 0, {}, {at}, {at} from generate_series(0, {ORDERS} - 1) n",
                made(Kind::Order, "n"),
                made(Kind::Department, &format!("n % {DEPARTMENTS} + 1")),
                made(Kind::User, &format!("n % {USERS} + 1"))
            ),
        ),
        (
            "order_approvals",
            "id, order_id, approver_id, approval_level, status, revision, department_id, order_total, currency, due_at, is_overdue, is_top, split_with, created_at",
            format!(
                "{}, {}, {}, n % {LEVELS_OF_ORDER} + 1, 'pending', 1, {}, 12000.00, 'EUR', {at}, false, false, '[]', {at}
                 from generate_series(0, {} - 1) n",
                made(Kind::Ask, "n"),
                made(Kind::Order, &format!("n / {LEVELS_OF_ORDER}")),
                made(Kind::User, &format!("n % {USERS} + 1")),
                made(Kind::Department, &format!("n % {DEPARTMENTS} + 1")),
                ORDERS * LEVELS_OF_ORDER
            ),
        ),
        (
            "order_items",
            "place, id, order_id, part_id, supplier_id, quantity_ordered, quantity_received, unit_price, created_at",
            format!(
                "n % {LINES_OF_ORDER} + 1, {}, {}, {}, {}, 3, 0, 2.50, {at} from generate_series(0, {} - 1) n",
                made(Kind::Line, "n"),
                made(Kind::Order, &format!("n / {LINES_OF_ORDER}")),
                made(Kind::Part, &format!("n % {PARTS}")),
                made(Kind::Supplier, "n % 100"),
                ORDERS * LINES_OF_ORDER
            ),
        ),
        (
            "order_history",
            "id, order_id, event_type, event_description, metadata, created_at",
            // One order after the other, and each time two events at once.
            format!(
                "{}, {}, 'received', 'Received in full', '{{}}', timestamptz '2026-01-01' + n / 2 * interval '1 second'
                 from generate_series(0, {} - 1) n",
                made(Kind::Happening, "n"),
                made(Kind::Order, &format!("n / {EVENTS_OF_ORDER}")),
                ORDERS * EVENTS_OF_ORDER
            ),
        ),
        (
            "audit_logs",
            "place, id, table_name, operation, record_id, actor_id, new_values, created_at",
            format!(
                "c, {}, case c when 1 then 'orders' else 'order_items' end, 'UPDATE', {}::text, {}, '{{}}', {at}
                 from generate_series(0, {} - 1) n, generate_series(1, {CHANGES_OF_EVENT}) c",
                made(Kind::Change, &format!("n * {CHANGES_OF_EVENT} + c")),
                made(Kind::Order, &format!("n / {EVENTS_OF_ORDER}")),
                made(Kind::User, &format!("n % {USERS} + 1")),
                ORDERS * EVENTS_OF_ORDER
            ),
        ),
    ]
}
