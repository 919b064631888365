//! Context `cloudwatcher`: document 001_eec75370b5eea864 as read tables.

pub mod departments;
pub mod roles;
pub mod users;

pub mod devices;
pub mod parts;
pub mod policies;
pub mod requests;
pub mod responses;
pub mod suppliers;

pub mod consumption;
mod currencies;
pub mod inventory;
pub mod reorder;
pub mod stock_levels;
pub mod stock_moves;

pub mod approvals;
pub mod order_history;
pub mod orders;

pub mod audit_logs;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use cloudwatcher::request::{self, DeviceRequest};
use cloudwatcher::{
    approval, approval_policy, delegation, device_connection, device_policy, inventory as stock, location, order, part,
    part_supplier, part_variant, stock_policy, supplier,
};
use domain::AnyEvent;
use identity::{department, role, sign_in, user};

use projections::audit;
use projections::context::{Context, Departments};
use projections::plain;
use projections::projection::{Projection, of};
use projections::row::Row as _;

/// Posted from the shared identity and from the context's own aggregates.
pub static CONTEXT: Context = Context {
    name: "cloudwatcher",
    ddl: include_str!("../../../migrations/read/cloudwatcher.sql"),
    reads: &[
        user::AGGREGATE,
        sign_in::AGGREGATE,
        role::AGGREGATE,
        department::AGGREGATE,
        supplier::AGGREGATE,
        part::AGGREGATE,
        part_variant::AGGREGATE,
        part_supplier::AGGREGATE,
        location::AGGREGATE,
        stock::AGGREGATE,
        request::AGGREGATE,
        device_connection::AGGREGATE,
        device_policy::AGGREGATE,
        order::AGGREGATE,
        approval::AGGREGATE,
        approval_policy::AGGREGATE,
        delegation::AGGREGATE,
        stock_policy::AGGREGATE,
    ],
    tables: TABLES,
    audit: Some(&audit::of::<audit_logs::AuditLogRow>()),
    loads,
    history: cloudwatcher::CONTEXT.history,
    departments: Some(Departments {
        table: departments::DepartmentRow::TABLE,
        id: "id",
        parent: "parent_id",
    }),
};

/// An archived request goes with its response and all that was said of both.
const ARCHIVED_BYTES_MAX: usize = 640 << 10;

fn loads(event: &AnyEvent) -> usize {
    match event.of::<DeviceRequest>() {
        Some(request::Event::RequestArchived { .. }) => ARCHIVED_BYTES_MAX,
        // The row of a request is made by the first, and the others are shown beside it.
        Some(
            request::Event::RequestReceived { .. }
            | request::Event::RequestAnnotated { .. }
            | request::Event::ResponseDelivered { .. }
            | request::Event::RequestFileAttached { .. }
            | request::Event::RequestFileMarked { .. }
            | request::Event::AgentDecisionRecorded { .. },
        )
        | None => 0,
        // Its row has the payload.
        Some(_) => request::PAYLOAD_BYTES_MAX,
    }
}

/// Parents before their children; but what is deleted along with its parent comes before it, so that no
/// cascade ever fires.
static TABLES: &[&dyn Projection] = &[
    &of::<users::UserRow>(),
    &of::<roles::RoleRow>(),
    &of::<departments::DepartmentRow>(),
    &of::<users::UserRoleRow>(),
    &of::<users::UserDepartmentRow>(),
    &of::<roles::RolePermissionRow>(),
    parts::SUPPLIERS,
    parts::PARTS,
    parts::PART_VARIANTS,
    &of::<suppliers::PartSupplierRow>(),
    parts::LOCATIONS,
    &of::<responses::ResponseMetadataRow>(),
    &of::<requests::RequestMetadataRow>(),
    &of::<devices::CloudFileRefRow>(),
    &of::<responses::ResponseRow>(),
    &of::<requests::RequestRow>(),
    &of::<devices::AgentDecisionRow>(),
    &of::<devices::DeviceConnectionRow>(),
    &of::<orders::OrderRow>(),
    &of::<orders::OrderItemRow>(),
    &of::<order_history::OrderHistoryRow>(),
    &of::<approvals::OrderApprovalRow>(),
    &of::<approvals::ApprovalDelegationRow>(),
    &of::<policies::ApprovalPolicyRow>(),
    plain!(device_policy::DevicePolicy),
    plain!(stock_policy::StockPolicy),
    &of::<inventory::InventoryRow>(),
    &of::<stock_moves::StockMoveRow>(),
    &of::<stock_moves::StockReservationRow>(),
    &of::<stock_levels::StockLevelRow>(),
    &of::<consumption::PartConsumptionRow>(),
    &of::<reorder::ReorderSuggestionRow>(),
];
