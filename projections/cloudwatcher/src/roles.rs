//! Roles and what they permit.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Recorded};
use identity::role::{Event, Role};
use uuid::Uuid;

use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// A named set of permissions. A retired role's row stays, and permits nothing.
    RoleRow = cloudwatcher.roles
    key {
        /// The role's id.
        id: Uuid,
    }
    columns {
        /// What it is called; unique without regard to case, a retired role's too.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Whether it can be assigned.
        is_active: bool,
        /// When it was defined.
        created_at: DateTime<Utc>,
        /// When it, or what it permits, last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, name, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for RoleRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        recorded.of::<Role>().map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Role>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::RoleDefined { name, description, .. } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                name: name.clone(),
                description: description.clone(),
                is_active: true,
                created_at: recorded.at,
                updated_at,
            },
            Event::RoleDescribed { name, description } => Self {
                name: name.clone(),
                description: description.clone(),
                updated_at,
                ..existing(row)?
            },
            Event::PermissionGranted { .. } | Event::PermissionRevoked { .. } => Self {
                updated_at,
                ..existing(row)?
            },
            Event::RoleRetired { .. } => Self {
                is_active: false,
                updated_at,
                ..existing(row)?
            },
        }))
    }
}

row! {
    /// One permission of a role.
    RolePermissionRow = cloudwatcher.role_permissions
    key {
        /// The grant's id.
        id: Uuid,
    }
    columns {
        /// The role that permits it.
        role_id: Uuid,
        /// `*`, or words joined by dots, of which the last may be `*`: `cloudwatcher.order.*`.
        permission: String,
        /// When it was granted.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, role_id, permission, created_at }
    scope { Scope::Tenant }
    masked {}
    lines {
        /// Its place among those that were granted with it, from 1.
        place,
    }
}

impl Project for RolePermissionRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Role>() else {
            return Vec::new();
        };
        match event {
            Event::RoleDefined { grants, .. } => grants.iter().map(|grant| grant.id).collect(),
            Event::PermissionGranted { id, .. } | Event::PermissionRevoked { id, .. } => vec![*id],
            Event::RoleRetired { revoked } => revoked.clone(),
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Role>() else {
            return Ok(row);
        };
        let granted = |permission: &String, place| Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            place,
            id,
            role_id: recorded.stream,
            permission: permission.clone(),
            created_at: recorded.at,
        };
        Ok(match event {
            Event::RoleDefined { grants, .. } => grants
                .iter()
                .zip(1..)
                .find(|(grant, _)| grant.id == id)
                .map(|(grant, place)| granted(&grant.permission, place)),
            Event::PermissionGranted { permission, .. } => Some(granted(permission, 1)),
            Event::PermissionRevoked { .. } | Event::RoleRetired { .. } => existing(row).map(|_| None)?,
            _ => row,
        })
    }
}
