//! The roles that document 001_eec75370b5eea864 names, with permissions that fit what it says of them.
//! They are roles like any other: whoever may, changes or retires them.

use book::{Book, Envelope, ExecuteError, Step};
use chrono::{DateTime, Utc};
use domain::SYSTEM;
use identity::role::{Command, Role};
use uuid::Uuid;

use crate::Fault;

/// A role of the document.
#[derive(Debug)]
pub struct Standard {
    pub name: &'static str,
    pub description: &'static str,
    /// What it permits besides reading.
    does: &'static [&'static str],
    /// Whether it may read every table of CloudWatcher, without what is masked there.
    reads: bool,
}

/// Does everything, in every department.
pub const ADMIN: Standard = Standard {
    name: "admin",
    description: "Full system access",
    does: &["*"],
    reads: false,
};

/// All of them. What concerns the whole company (people, roles, departments, the catalogue, the policies of
/// approvals and devices) is the administrator's: such commands know no department within which one could be kept.
pub const STANDARD: [&Standard; 4] = [
    &ADMIN,
    &Standard {
        name: "manager",
        description: "Department management",
        does: &[
            "orders.approve",
            "cloudwatcher.approval.*",
            "cloudwatcher.delegation.*",
            "cloudwatcher.order.*",
            "cloudwatcher.request.*",
            "cloudwatcher.device-connection.*",
            "cloudwatcher.location.*",
            "cloudwatcher.inventory.*",
            "audit.read",
        ],
        reads: true,
    },
    &Standard {
        name: "technician",
        description: "Device operations",
        does: &[
            "cloudwatcher.request.*",
            "cloudwatcher.device-connection.*",
            "cloudwatcher.order.*",
            "cloudwatcher.inventory.receive",
            "cloudwatcher.inventory.issue",
            "cloudwatcher.inventory.consume",
            "cloudwatcher.inventory.reserve",
            "cloudwatcher.inventory.shorten",
            "cloudwatcher.inventory.release",
            "cloudwatcher.inventory.count",
            "cloudwatcher.inventory.transfer-out",
            "cloudwatcher.inventory.transfer-in",
        ],
        reads: true,
    },
    &Standard {
        name: "viewer",
        description: "Read-only access",
        does: &[],
        reads: true,
    },
];

/// What became of a role that was to be defined.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Defined,
    /// It was there, and was left alone. It does not permit these, be it that somebody revoked them or that
    /// they are newer than the role.
    WasThere {
        without: Vec<String>,
    },
    /// It was there, and somebody retired it.
    Retired,
    /// Another role has the name.
    NameTaken,
}

impl Standard {
    /// Its id in a tenant.
    #[must_use]
    pub fn id(&self, tenant: Uuid) -> Uuid {
        id(tenant, self.name)
    }

    /// What it permits.
    #[must_use]
    pub fn permissions(&self) -> Vec<String> {
        let tables = projections::cloudwatcher::CONTEXT.tables.iter().filter(|_| self.reads);
        let reads = tables.map(|projection| crate::query::may_read(projection.table()));
        self.does.iter().map(|&word| word.to_owned()).chain(reads).collect()
    }
}

/// The id that a tenant's standard role of this name has.
#[must_use]
pub fn id(tenant: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&tenant, format!("role/{name}").as_bytes())
}

/// Defines a role in a tenant, unless it is there. `occurred_at` is for a history that is told afterwards.
///
/// # Errors
/// What the book fails with.
pub async fn define(
    book: &Book,
    tenant: Uuid,
    role: &Standard,
    occurred_at: Option<DateTime<Utc>>,
) -> Result<Outcome, Fault> {
    if let Some(outcome) = standing(book, tenant, role).await? {
        return Ok(outcome);
    }
    let command = Command::Define {
        name: role.name.to_owned(),
        description: Some(role.description.to_owned()),
        permissions: role.permissions(),
    };
    let command_id = Uuid::now_v7();
    let envelope = Envelope {
        tenant,
        actor: SYSTEM,
        command_id,
        repeatable: false,
        body_hash: [0; 32],
        correlation_id: command_id,
        causation_id: None,
        reason: None,
        ip: None,
        traceparent: None,
        at: occurred_at.unwrap_or_else(Utc::now),
        occurred_at,
    };
    let step = Step::of::<Role>(role.id(tenant), None, command);
    match book.execute(envelope, vec![step]).await {
        Ok(_) => Ok(Outcome::Defined),
        Err(ExecuteError::Claimed { .. }) => Ok(Outcome::NameTaken),
        // Somebody else defined it at the same moment.
        Err(error @ ExecuteError::Refused(_)) => standing(book, tenant, role)
            .await?
            .ok_or_else(|| Fault::Refused(format!("role {}: {error}", role.name))),
        Err(error) => Err(error.into()),
    }
}

/// How a role is that was defined before; none when it was not.
async fn standing(book: &Book, tenant: Uuid, role: &Standard) -> Result<Option<Outcome>, Fault> {
    let found = book.fresh::<Role>(tenant, &[role.id(tenant)]).await?.pop().flatten();
    let Some(found) = found else { return Ok(None) };
    if !found.is_active() {
        return Ok(Some(Outcome::Retired));
    }
    let mut without = role.permissions();
    without.retain(|permission| !found.permits(permission));
    Ok(Some(Outcome::WasThere { without }))
}

#[cfg(test)]
mod tests;
