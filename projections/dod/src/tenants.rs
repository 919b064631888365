//! The tenants themselves: whatever else there is refers to its own.

use chrono::{DateTime, Utc};
use dod::binding::Binding;
use dod::configuration::Configuration;
use dod::correlation::Correlations;
use dod::receiver::Receiver;
use dod::silence::Silences;
use dod::skill::Skill;
use dod::source::Source;
use dod::tool::Tool;
use domain::register::Register;
use domain::{AnyEvent, Recorded};
use identity::tenant::{Event, Tenant};
use identity::user::User;
use serde::Deserialize;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project};
use projections::row;
use projections::table::Scope;

/// How a tenant stands, in the document's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    Active,
    Suspended,
    Deleted,
}

impl From<TenantStatus> for &'static str {
    fn from(status: TenantStatus) -> Self {
        match status {
            TenantStatus::Active => "active",
            TenantStatus::Suspended => "suspended",
            TenantStatus::Deleted => "deleted",
        }
    }
}

row! {
    /// One's own tenant. Nobody sees another.
    TenantRow = dod.tenants
    key {
        /// The tenant's id.
        id: Uuid,
    }
    columns {
        /// What it is called; its id where nobody has said so.
        name: String,
        /// How it stands: `active`, `suspended`, `deleted`.
        status: Word<TenantStatus>,
        /// When the first thing happened in it.
        created_at: DateTime<Utc>,
        /// When its name or status last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, created_at }
    scope { Scope::Tenant }
    masked {}
}

// Not OWNED: a tenant that was there before tenants had streams begins with its first person, and is named later, if ever.
// So whatever may come first of what this context reads makes the row. Deliveries, alerts and issues do not: they come from
// a source.
impl Project for TenantRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let is_its_own = recorded.of::<Tenant>().is_some();
        let may_be_first = recorded.sequence == 1 && begins(recorded);
        (is_its_own || may_be_first)
            .then_some(recorded.tenant_id)
            .into_iter()
            .collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let row = row.unwrap_or_else(|| Self {
            tenant_id: id,
            id,
            position: recorded.position,
            name: id.to_string(),
            status: Word(TenantStatus::Active),
            created_at: recorded.at,
            updated_at: recorded.at,
        });
        let Some(event) = recorded.of::<Tenant>() else {
            // What was parked and comes late may have been the first.
            return Ok(Some(Self {
                position: row.position.min(recorded.position),
                created_at: row.created_at.min(recorded.at),
                ..row
            }));
        };
        let (name, status) = match event {
            Event::TenantCreated { name } | Event::TenantRenamed { name } => (name.clone(), row.status.0),
            Event::TenantSuspended {} => (row.name, TenantStatus::Suspended),
            Event::TenantResumed {} => (row.name, TenantStatus::Active),
            Event::TenantDeleted {} => (row.name, TenantStatus::Deleted),
        };
        Ok(Some(Self {
            name,
            status: Word(status),
            position: row.position.min(recorded.position),
            created_at: row.created_at.min(recorded.at),
            updated_at: recorded.at,
            ..row
        }))
    }
}

/// Whether the stream is of a kind that may be the first of a tenant.
fn begins(recorded: &Recorded<AnyEvent>) -> bool {
    recorded.of::<User>().is_some()
        || recorded.of::<Source>().is_some()
        || recorded.of::<Register<Receiver>>().is_some()
        || recorded.of::<Register<Configuration>>().is_some()
        || recorded.of::<Register<Skill>>().is_some()
        || recorded.of::<Register<Binding>>().is_some()
        || recorded.of::<Register<Tool>>().is_some()
        || recorded.of::<Correlations>().is_some()
        || recorded.of::<Silences>().is_some()
}
