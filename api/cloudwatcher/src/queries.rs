//! The queries that the document names, and those that its tables suggest: each a declaration here and
//! its SQL beside.

use cloudwatcher_tables::approvals::OrderApprovalRow;
use cloudwatcher_tables::departments::DepartmentRow;
use cloudwatcher_tables::inventory::InventoryRow;
use cloudwatcher_tables::orders::OrderRow;
use cloudwatcher_tables::parts::{PARTS, SUPPLIERS};
use cloudwatcher_tables::requests::RequestRow;
use cloudwatcher_tables::roles::{RolePermissionRow, RoleRow};
use cloudwatcher_tables::suppliers::PartSupplierRow;
use cloudwatcher_tables::users::{UserRoleRow, UserRow};
use projections::ColumnKind;
use projections::row::Row;

use http::query::named::{Beside, Named, Parameter, Place};

/// All of them.
pub const QUERIES: &[&Named] = &[
    &PENDING_REQUESTS,
    &REORDER,
    &BEST_OFFERS,
    &APPROVAL_CHAIN,
    &SUBTREE,
    &EFFECTIVE_PERMISSIONS,
];

/// Where the row stands in the book: it decides between equals.
const POSITION: Place = Place {
    sql: "t.position",
    kind: ColumnKind::Bigint,
};
/// The same among the rows that one event brought in.
const PLACE: Place = Place {
    sql: "t.place",
    kind: ColumnKind::Integer,
};

/// Pattern 1 of the document.
pub static PENDING_REQUESTS: Named = Named {
    address: "/v1/cloudwatcher/requests/pending",
    doc: "Requests of a device that nobody has begun with, the newest first.",
    table: RequestRow::TABLE,
    also: &[],
    oneself: None,
    takes: &[Parameter {
        name: "device_id",
        table: RequestRow::TABLE,
        column: "device_id",
        required: true,
        least: None,
        doc: "the device, such as truck-001",
    }],
    beside: &[],
    sql: include_str!("queries/pending_requests.sql"),
    order: &[
        Place {
            sql: "t.created_at",
            kind: ColumnKind::Timestamp,
        },
        POSITION,
    ],
    descending: true,
};

/// Pattern 2 of the document.
pub static REORDER: Named = Named {
    address: "/v1/cloudwatcher/inventory/reorder",
    doc: "Stock of a location at or below its reorder point, the least available first. Goods on order do not count here; the suggestions to reorder take them into account.",
    table: InventoryRow::TABLE,
    also: &[],
    oneself: None,
    takes: &[Parameter {
        name: "location_id",
        table: InventoryRow::TABLE,
        column: "location_id",
        required: true,
        least: None,
        doc: "the location",
    }],
    beside: &[
        Beside::Column {
            name: "part_code",
            of: "p",
            table: PARTS.table(),
            column: "part_code",
            outer: false,
        },
        Beside::Column {
            name: "part",
            of: "p",
            table: PARTS.table(),
            column: "name",
            outer: false,
        },
    ],
    sql: include_str!("queries/reorder.sql"),
    order: &[
        Place {
            sql: "t.quantity_available",
            kind: ColumnKind::Integer,
        },
        POSITION,
    ],
    descending: false,
};

/// Pattern 3 of the document.
pub static BEST_OFFERS: Named = Named {
    address: "/v1/cloudwatcher/part-suppliers/best",
    doc: "Price offers of suppliers for a part or a variant of it, the best first: preferred ones, then by what it costs to get the quantity that is needed, with the supplier's minimum and packs; one without a price comes last. Prices in different currencies are not compared: those of one stand together. Suppliers out of use are left out.",
    table: PartSupplierRow::TABLE,
    also: &[],
    oneself: None,
    takes: &[
        Parameter {
            name: "part_id",
            table: PartSupplierRow::TABLE,
            column: "part_id",
            required: true,
            least: None,
            doc: "the part",
        },
        Parameter {
            name: "variant_id",
            table: PartSupplierRow::TABLE,
            column: "variant_id",
            required: false,
            least: None,
            doc: "the variant; without it, price offers for the part itself",
        },
        Parameter {
            name: "quantity",
            table: PartSupplierRow::TABLE,
            column: "minimum_order_qty",
            required: false,
            least: Some(1),
            doc: "the number of units that are needed; 1 without it",
        },
        Parameter {
            name: "currency",
            table: PartSupplierRow::TABLE,
            column: "currency",
            required: false,
            least: None,
            doc: "the currency of the prices, such as EUR; without it, those in any. A price that says none counts in every one",
        },
    ],
    beside: &[
        Beside::Column {
            name: "supplier",
            of: "s",
            table: SUPPLIERS.table(),
            column: "name",
            outer: false,
        },
        Beside::Column {
            name: "supplier_lead_time_days",
            of: "s",
            table: SUPPLIERS.table(),
            column: "lead_time_days",
            outer: false,
        },
        Beside::Computed {
            name: "quantity_to_order",
            sql: "need.quantity::bigint",
            kind: ColumnKind::Bigint,
            doc: "The units that have to be ordered to get those that are needed: the minimum at least, in whole packs.",
        },
        Beside::Computed {
            name: "cost_to_order",
            sql: "need.quantity * t.supplier_cost",
            kind: ColumnKind::Decimal,
            doc: "The price of these; null without one.",
        },
    ],
    sql: include_str!("queries/best_offers.sql"),
    order: &[
        Place {
            sql: "not t.is_preferred",
            kind: ColumnKind::Boolean,
        },
        Place {
            sql: "t.supplier_cost is null",
            kind: ColumnKind::Boolean,
        },
        Place {
            sql: "need.currency",
            kind: ColumnKind::Text,
        },
        Place {
            sql: "need.quantity * coalesce(t.supplier_cost, 0)",
            kind: ColumnKind::Decimal,
        },
        POSITION,
    ],
    descending: false,
};

/// Pattern 4 of the document.
pub static APPROVAL_CHAIN: Named = Named {
    address: "/v1/cloudwatcher/orders/{id}/approvals",
    doc: "Approvals that were asked for an order, revision by revision and level by level, and how each ended.",
    table: OrderApprovalRow::TABLE,
    also: &[],
    oneself: None,
    takes: &[Parameter {
        name: "id",
        table: OrderRow::TABLE,
        column: "id",
        required: true,
        least: None,
        doc: "the order",
    }],
    beside: &[
        Beside::Column {
            name: "approver",
            of: "asked",
            table: UserRow::TABLE,
            column: "name",
            outer: false,
        },
        Beside::Column {
            name: "approver_email",
            of: "asked",
            table: UserRow::TABLE,
            column: "email",
            outer: false,
        },
        Beside::Column {
            name: "decider",
            of: "decider",
            table: UserRow::TABLE,
            column: "name",
            outer: true,
        },
        // Beside what was asked: the order may have become less since.
        Beside::Column {
            name: "total_now",
            of: "o",
            table: OrderRow::TABLE,
            column: "total",
            outer: false,
        },
    ],
    sql: include_str!("queries/approval_chain.sql"),
    order: &[
        Place {
            sql: "t.revision",
            kind: ColumnKind::Integer,
        },
        Place {
            sql: "t.approval_level",
            kind: ColumnKind::Integer,
        },
        // A level that was escalated or reassigned has several asks.
        Place {
            sql: "t.created_at",
            kind: ColumnKind::Timestamp,
        },
        POSITION,
    ],
    descending: false,
};

/// A department with all that lie below it.
pub static SUBTREE: Named = Named {
    address: "/v1/cloudwatcher/departments/{id}/subtree",
    doc: "A department and all below it, level by level; departments out of use keep their place.",
    table: DepartmentRow::TABLE,
    also: &[],
    oneself: None,
    takes: &[Parameter {
        name: "id",
        table: DepartmentRow::TABLE,
        column: "id",
        required: true,
        least: None,
        doc: "the department",
    }],
    beside: &[
        Beside::Computed {
            name: "depth",
            sql: "below.depth",
            kind: ColumnKind::Integer,
            doc: "The distance below the department that was asked for; that one itself is at 0.",
        },
        Beside::Computed {
            name: "path",
            sql: "to_json(below.path)",
            kind: ColumnKind::Json,
            doc: "The ids from the department that was asked for down to this one.",
        },
    ],
    sql: include_str!("queries/subtree.sql"),
    order: &[
        Place {
            sql: "below.depth",
            kind: ColumnKind::Integer,
        },
        Place {
            sql: "t.name",
            kind: ColumnKind::Text,
        },
        POSITION,
    ],
    descending: false,
};

/// The permissions of a user, and the role that each comes from.
pub static EFFECTIVE_PERMISSIONS: Named = Named {
    address: "/v1/cloudwatcher/users/{id}/permissions",
    doc: "Permissions of a user, and the roles that they come from. Retired roles permit nothing, and neither does any role to a user who is inactive. About themselves everybody may ask.",
    table: RolePermissionRow::TABLE,
    also: &[UserRoleRow::TABLE],
    oneself: Some("id"),
    takes: &[Parameter {
        name: "id",
        table: UserRow::TABLE,
        column: "id",
        required: true,
        least: None,
        doc: "the user",
    }],
    beside: &[
        Beside::Column {
            name: "role",
            of: "r",
            table: RoleRow::TABLE,
            column: "name",
            outer: false,
        },
        Beside::Column {
            name: "assigned_at",
            of: "ur",
            table: UserRoleRow::TABLE,
            column: "assigned_at",
            outer: false,
        },
    ],
    sql: include_str!("queries/effective_permissions.sql"),
    order: &[
        Place {
            sql: "t.permission",
            kind: ColumnKind::Text,
        },
        POSITION,
        PLACE,
    ],
    descending: false,
};

#[cfg(test)]
mod tests;
