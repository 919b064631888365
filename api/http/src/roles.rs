//! Standard roles: each context says what they may do in it. They are roles like any other: whoever may, changes or
//! retires them.

use book::{Book, Envelope, ExecuteError, Step};
use chrono::{DateTime, Utc};
use domain::SYSTEM;
use identity::role::{Command, Role};
use uuid::Uuid;

use crate::{Contexts, Fault};

/// The role that does everything, in every department.
pub const ADMIN: &str = "admin";

/// The permissions of a standard role in one context.
#[derive(Debug, Clone, Copy)]
pub struct Grants {
    /// The role's name. Contexts that use the same name mean the same role.
    pub role: &'static str,
    /// A sentence on the role, where no context before has said one.
    pub description: &'static str,
    /// Permissions besides reading.
    pub does: &'static [&'static str],
    /// Whether it may read every table of the context, without what is masked there.
    pub reads: bool,
}

/// A standard role, over all contexts of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    pub name: &'static str,
    pub description: &'static str,
    /// Each once, in the order in which the contexts name them.
    pub permissions: Vec<String>,
}

/// The administrator's role.
#[must_use]
pub fn admin() -> Standard {
    Standard {
        name: ADMIN,
        description: "Full system access",
        permissions: vec!["*".to_owned()],
    }
}

/// All standard roles. What concerns the whole company (people, roles, departments, reference data, policies) is the
/// administrator's alone: such commands know no department within which one could be kept.
#[must_use]
pub fn standard(contexts: &Contexts) -> Vec<Standard> {
    let mut roles = vec![admin()];
    for context in contexts.iter() {
        for grants in context.roles {
            let index = roles
                .iter()
                .position(|role| role.name == grants.role)
                .unwrap_or_else(|| {
                    roles.push(Standard {
                        name: grants.role,
                        description: grants.description,
                        permissions: Vec::new(),
                    });
                    roles.len() - 1
                });
            let tables = context.tables.filter(|_| grants.reads);
            let reads = tables.into_iter().flat_map(|tables| tables.tables);
            let reads = reads.map(|projection| crate::query::may_read(projection.table()));
            let does = grants.does.iter().map(|&word| word.to_owned());
            if let Some(role) = roles.get_mut(index).filter(|role| role.name != ADMIN) {
                for permission in does.chain(reads) {
                    // A role is refused that names one twice, and contexts do not know what others give.
                    if !role.permissions.contains(&permission) {
                        role.permissions.push(permission);
                    }
                }
            }
        }
    }
    roles
}

/// The outcome for a role that was to be defined.
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

/// The id that a tenant's standard role of this name has.
#[must_use]
pub fn id(tenant: Uuid, name: &str) -> Uuid {
    identity::role::standard_id(tenant, name)
}

/// Defines a role in a tenant, unless it is there. `occurred_at` is for a history that is told afterwards.
///
/// # Errors
/// The failure of the book.
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
        permissions: role.permissions.clone(),
    };
    let envelope = Envelope {
        occurred_at,
        ..Envelope::once(tenant, SYSTEM, occurred_at.unwrap_or_else(Utc::now))
    };
    let step = Step::of::<Role>(id(tenant, role.name), None, command);
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
    let found = book.now::<Role>(tenant, id(tenant, role.name)).await?;
    let Some(found) = found else { return Ok(None) };
    if !found.is_active() {
        return Ok(Some(Outcome::Retired));
    }
    let mut without = role.permissions.clone();
    without.retain(|permission| !found.permits(permission));
    Ok(Some(Outcome::WasThere { without }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Context;
    use crate::sample;

    #[test]
    fn a_permission_that_two_contexts_give_to_one_role_is_in_it_once() {
        const fn clerk(does: &'static [&'static str]) -> Grants {
            Grants {
                role: "clerk",
                description: "Keeps things in order",
                does,
                reads: true,
            }
        }
        static OF_FIRST: domain::Context = sample::empty("first");
        static OF_SECOND: domain::Context = sample::empty("second");
        static FIRST: Context = Context {
            roles: &[clerk(&["audit.read", "first.word"])],
            ..Context::of(&OF_FIRST, None)
        };
        static SECOND: Context = Context {
            roles: &[clerk(&["second.word", "audit.read"]), clerk(&["second.word"])],
            ..Context::of(&OF_SECOND, None)
        };
        let contexts = Contexts::new(&[&FIRST, &SECOND]).unwrap();
        let [_, clerk] = standard(&contexts).try_into().unwrap();
        assert_eq!(clerk.permissions, ["audit.read", "first.word", "second.word"]);
    }
}
