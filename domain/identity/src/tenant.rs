//! A tenant of the installation: a company whose people and data are kept apart from those of all others. Whoever
//! operates Daybook makes one and says how it stands; nobody of a tenant does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::text::{self, Unfit};
use domain::{Asker, Class, Decider, Refuse, Request, Standing, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Tenant>("tenants");

/// Characters of a tenant's name.
pub const NAME_CHARS_MAX: usize = 200;

/// The life of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tenant {
    #[default]
    Unborn,
    Active {
        name: String,
    },
    /// It reads, and nothing happens in it.
    Suspended {
        name: String,
    },
    /// Its keys are destroyed from here on. Nothing can happen any more.
    Deleted,
}

impl Tenant {
    /// What it is called; nothing before it is made and after it is deleted.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Active { name } | Self::Suspended { name } => Some(name),
            Self::Unborn | Self::Deleted => None,
        }
    }
}

/// What can be asked of a tenant, by whoever operates Daybook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Makes the tenant. The stream's id is the tenant's.
    Create {
        /// What it is called. At most 200 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
    },
    /// Changes what it is called.
    Rename {
        /// What it is called from now on. At most 200 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
    },
    /// Stops the tenant: it reads, but every command is refused, and what it waits for waits.
    Suspend {},
    /// Lets a suspended tenant go on where it was stopped.
    Resume {},
    /// Ends a suspended tenant, so that every key of it is destroyed. This cannot be undone: whatever is sealed of its people becomes
    /// unreadable everywhere, and nobody of it can sign in again.
    Delete {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    TenantCreated { name: String },
    TenantRenamed { name: String },
    TenantSuspended {},
    TenantResumed {},
    TenantDeleted {},
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a tenant is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such tenant; create it first")]
    NotCreated,
    #[error("this tenant is there already; rename it instead")]
    AlreadyCreated,
    #[error("a tenant's stream has the id of the tenant; use that")]
    OtherId,
    #[error("this tenant is suspended; resume it first")]
    Suspended,
    #[error("this tenant is active; suspend it first, so that nothing of it is under way when its keys are destroyed")]
    NotSuspended,
    #[error("this tenant is deleted and nothing more can happen in it; create another one")]
    Deleted,
    #[error("name {0}")]
    Unfit(Unfit),
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotCreated => Class::Missing,
            Self::AlreadyCreated
            | Self::OtherId
            | Self::Suspended
            | Self::NotSuspended
            | Self::Deleted
            | Self::Unfit(_) => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        matches!(self, Self::Unfit(_)).then(|| "name".to_owned())
    }
}

impl Decider for Tenant {
    const TYPE: &'static str = "identity.tenant";
    const CREATES: &'static str = "create";
    const BORROWS_ID: bool = true;
    const ONLY_DAYBOOK: &'static [&'static str] = &["create", "rename", "suspend", "resume", "delete"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        if request.stream != request.tenant {
            return Err(Refusal::OtherId);
        }
        Ok(vec![match (self, request.command) {
            (Tenant::Unborn, Command::Create { name }) => Event::TenantCreated { name: named(name)? },
            (Tenant::Active { .. } | Tenant::Suspended { .. }, Command::Create { .. }) => {
                return Err(Refusal::AlreadyCreated);
            }
            (Tenant::Unborn, _) => return Err(Refusal::NotCreated),

            (Tenant::Deleted, Command::Delete {}) => return Ok(Vec::new()),
            (Tenant::Deleted, _) => return Err(Refusal::Deleted),

            (Tenant::Active { name: before }, Command::Rename { name }) if before == name => return Ok(Vec::new()),
            (Tenant::Active { .. }, Command::Rename { name }) => Event::TenantRenamed { name: named(name)? },
            (Tenant::Suspended { .. }, Command::Rename { .. }) => return Err(Refusal::Suspended),

            (Tenant::Active { .. }, Command::Suspend {}) => Event::TenantSuspended {},
            (Tenant::Suspended { .. }, Command::Suspend {}) => return Ok(Vec::new()),
            (Tenant::Suspended { .. }, Command::Resume {}) => Event::TenantResumed {},
            (Tenant::Active { .. }, Command::Resume {}) => return Ok(Vec::new()),

            (Tenant::Active { .. }, Command::Delete {}) => return Err(Refusal::NotSuspended),
            (Tenant::Suspended { .. }, Command::Delete {}) => Event::TenantDeleted {},
        }])
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::TenantCreated { name } | Event::TenantRenamed { name }) => Tenant::Active { name: name.clone() },
            (Tenant::Active { name }, Event::TenantSuspended {}) => Tenant::Suspended { name },
            (Tenant::Suspended { name }, Event::TenantResumed {}) => Tenant::Active { name },
            (_, Event::TenantDeleted {}) => Tenant::Deleted,
            (before, Event::TenantSuspended {} | Event::TenantResumed {}) => before,
        };
    }

    fn standing(event: &Event) -> Option<Standing> {
        match event {
            Event::TenantCreated { .. } | Event::TenantResumed {} => Some(Standing::Active),
            Event::TenantSuspended {} => Some(Standing::Suspended),
            Event::TenantDeleted {} => Some(Standing::Deleted),
            _ => None,
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Tenant::Unborn, "create") | (Tenant::Deleted, "delete") => Ok(()),
            (Tenant::Unborn, _) => Err(Refusal::NotCreated),
            (Tenant::Deleted, _) => Err(Refusal::Deleted),
            (Tenant::Active { .. } | Tenant::Suspended { .. }, "create") => Err(Refusal::AlreadyCreated),
            (Tenant::Suspended { .. }, "rename") => Err(Refusal::Suspended),
            (Tenant::Active { .. }, "delete") => Err(Refusal::NotSuspended),
            (Tenant::Active { .. } | Tenant::Suspended { .. }, _) => Ok(()),
        }
    }
}

fn named(name: &str) -> Result<String, Refusal> {
    text::required(name, NAME_CHARS_MAX).map_err(Refusal::Unfit)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
