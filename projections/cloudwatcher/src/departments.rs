//! How the organisation is divided.

use identity::department::Department;
use uuid::Uuid;

use projections::register;
use projections::table::Scope;

register! {
    /// A department: a company, a region, a store, a team. A struck one's row stays.
    DepartmentRow = cloudwatcher.departments of Department
    columns {
        /// What it is called.
        name: String,
        /// The department above it; null at the top.
        parent_id: Option<Uuid>,
        /// What it is for.
        description: Option<String>,
        /// The user who runs it.
        manager_id: Option<Uuid>,
    }
    in_use { is_active }
    find { id, name, parent_id, manager_id, created_at }
    scope { Scope::Tenant }
}
