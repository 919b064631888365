//! How the organisation is divided.

use chrono::{DateTime, Utc};
use domain::identity::department::Department;
use domain::register::Change;
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use crate::fold::{FoldError, Project, existing};
use crate::row;
use crate::table::Scope;

row! {
    /// A department: a company, a region, a store, a team. A struck one's row stays.
    DepartmentRow = cloudwatcher.departments
    key {
        /// The department's id.
        id: Uuid,
    }
    columns {
        /// What it is called.
        name: String,
        /// The department above it; null at the top.
        parent_id: Option<Uuid>,
        /// What it is for.
        description: Option<String>,
        /// The user who runs it.
        manager_id: Option<Uuid>,
        /// Whether it is in use.
        is_active: bool,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, name, parent_id, manager_id, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for DepartmentRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::Department(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::Department(change) = &recorded.event else {
            return Ok(row);
        };
        let entry = |entry: &Department, created_at| Self {
            tenant_id: recorded.tenant_id,
            id,
            name: entry.name.clone(),
            parent_id: entry.parent_id,
            description: entry.description.clone(),
            manager_id: entry.manager_id,
            is_active: true,
            created_at,
            updated_at: recorded.at,
        };
        Ok(Some(match change {
            Change::Entered(entered) => entry(entered, row.map_or(recorded.at, |row| row.created_at)),
            Change::Amended(amended) => entry(amended, existing(row)?.created_at),
            Change::Struck {} => Self {
                is_active: false,
                updated_at: recorded.at,
                ..existing(row)?
            },
        }))
    }
}
