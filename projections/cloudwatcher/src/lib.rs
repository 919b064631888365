//! Context `cloudwatcher`: document 001_eec75370b5eea864 as read tables.

pub mod departments;
pub mod roles;
pub mod users;

pub mod devices;
pub mod locations;
pub mod parts;
pub mod requests;
pub mod responses;
pub mod suppliers;

pub mod consumption;
pub mod inventory;
pub mod reorder;
pub mod stock_levels;
pub mod stock_moves;

pub mod approvals;
pub mod order_history;
pub mod orders;

pub mod audit_logs;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use cloudwatcher::request;
use domain::AnyEvent;
use projections::audit;

use projections::context::Context;
use projections::projection::{Projection, of};

/// Posted from the shared identity and from the context's own aggregates.
pub static CONTEXT: Context = Context {
    name: "cloudwatcher",
    ddl: include_str!("../../migrations/read/cloudwatcher.sql"),
    reads: &[
        "identity.user",
        "identity.sign-in",
        "identity.role",
        "identity.department",
        "cloudwatcher.supplier",
        "cloudwatcher.part",
        "cloudwatcher.part-variant",
        "cloudwatcher.part-supplier",
        "cloudwatcher.location",
        "cloudwatcher.inventory",
        "cloudwatcher.request",
        "cloudwatcher.device-connection",
        "cloudwatcher.order",
        "cloudwatcher.approval",
        "cloudwatcher.delegation",
    ],
    tables: TABLES,
    audit: Some(&audit::of::<audit_logs::AuditLogRow>()),
    loads,
};

/// An archived request goes with its response and all that was said of both.
const ARCHIVED_BYTES_MAX: usize = 512 << 10;

fn loads(event: &AnyEvent) -> usize {
    match event {
        AnyEvent::DeviceRequest(request::Event::RequestArchived { .. }) => ARCHIVED_BYTES_MAX,
        _ => 0,
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
    &of::<suppliers::SupplierRow>(),
    &of::<parts::PartRow>(),
    &of::<parts::PartVariantRow>(),
    &of::<suppliers::PartSupplierRow>(),
    &of::<locations::LocationRow>(),
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
    &of::<inventory::InventoryRow>(),
    &of::<stock_moves::StockMoveRow>(),
    &of::<stock_moves::StockReservationRow>(),
    &of::<stock_levels::StockLevelRow>(),
    &of::<consumption::PartConsumptionRow>(),
    &of::<reorder::ReorderSuggestionRow>(),
];
