//! A named set of permissions. Feeds `roles` and `role_permissions` of document
//! 001_eec75370b5eea864 (schema `cloudwatcher`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::administrators;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Claim, ClaimChange, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Role>("roles");

/// No two roles have the same, whatever its case.
pub const NAME: Claim = Claim::kept("identity", "roles.name");

/// Characters of a role's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Characters of a role's description.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Characters of one permission.
pub const PERMISSION_CHARS_MAX: usize = 100;
/// The permission that covers all others.
pub const EVERYTHING: &str = "*";
/// Permissions that one role grants at a time.
pub const PERMISSIONS_MAX: usize = 500;

/// The version of ids that are derived from names.
const DERIVED_VERSION: usize = 5;

/// The id of a tenant's standard role of this name: by it the role is found again.
#[must_use]
pub fn standard_id(tenant: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&tenant, format!("role/{name}").as_bytes())
}

/// Whether somebody may choose this id for a new role: one of version 5 is derived, and another tenant could take the id
/// of a standard role that is yet to be defined.
///
/// # Errors
/// [`Refusal::DerivedId`].
pub fn check_chosen(tenant: Uuid, id: Uuid, name: &str) -> Result<(), Refusal> {
    if id.get_version_num() == DERIVED_VERSION && id != standard_id(tenant, name) {
        return Err(Refusal::DerivedId);
    }
    Ok(())
}

/// The life of a role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Role {
    #[default]
    Undefined,
    Defined(Definition),
    /// Permits nothing any more; who has it keeps it. It still holds its name.
    Retired,
}

/// The state of a role, as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    name: String,
    description: Option<String>,
    /// Permission to the id of its grant.
    grants: BTreeMap<String, Uuid>,
}

impl Role {
    /// Whether the role can be assigned: defined and not retired.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Defined(_))
    }

    /// Whether the role grants this permission, itself or by a wildcard: `*` grants everything and
    /// `cloudwatcher.order.*` whatever begins with `cloudwatcher.order.`.
    #[must_use]
    pub fn permits(&self, permission: &str) -> bool {
        let Self::Defined(now) = self else { return false };
        now.grants.contains_key(permission) || now.grants.keys().any(|granted| covers(granted, permission))
    }

    /// Whether the role grants whatever there is: `*`.
    #[must_use]
    pub fn grants_everything(&self) -> bool {
        matches!(self, Self::Defined(now) if now.grants.contains_key(EVERYTHING))
    }

    /// The name; none before the role is defined and after it is retired.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Defined(now) => Some(&now.name),
            Self::Undefined | Self::Retired => None,
        }
    }

    /// What it grants, as it was granted.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        let grants = match self {
            Self::Defined(now) => Some(now.grants.keys()),
            Self::Undefined | Self::Retired => None,
        };
        grants.into_iter().flatten().map(String::as_str)
    }
}

/// Whether what is granted so permits this: `*` does everything, `a.*` whatever begins with `a.`.
#[must_use]
pub fn covers(granted: &str, permission: &str) -> bool {
    granted
        .strip_suffix('*')
        .is_some_and(|prefix| permission.starts_with(prefix))
}

/// What can be asked of a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Defines a role and what it permits.
    Define {
        /// The name; unique in the tenant without regard to case. At most 100 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The purpose of the role. At most 4,000 characters.
        #[serde(default)]
        #[schemars(length(max = DESCRIPTION_CHARS_MAX))]
        description: Option<String>,
        /// The permissions of the role, each once. At most 500, each as in `grant`.
        #[serde(default)]
        #[schemars(length(max = PERMISSIONS_MAX))]
        permissions: Vec<String>,
    },
    /// Replaces the name and the description.
    Describe {
        /// The name; unique in the tenant without regard to case. At most 100 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The purpose of the role; absent takes the description away. At most 4,000 characters.
        #[serde(default)]
        #[schemars(length(max = DESCRIPTION_CHARS_MAX))]
        description: Option<String>,
    },
    /// Adds a permission; nothing happens when the role grants it already.
    Grant {
        /// `*`, or lower-case words joined by dots, of which the last may be `*`:
        /// `cloudwatcher.order.submit`, `cloudwatcher.*`. At most 100 characters.
        #[schemars(length(min = 1, max = PERMISSION_CHARS_MAX))]
        permission: String,
    },
    /// Takes a permission away; nothing happens when the role does not grant it.
    Revoke {
        /// The permission exactly as it was granted.
        #[schemars(length(min = 1, max = PERMISSION_CHARS_MAX))]
        permission: String,
    },
    /// Takes the role out of use and all its permissions away. Who has it keeps it, without effect.
    Retire {},
}

/// One permission of a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Grant {
    pub id: Uuid,
    pub permission: String,
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    RoleDefined {
        name: String,
        #[serde(default)]
        description: Option<String>,
        grants: Vec<Grant>,
    },
    RoleDescribed {
        name: String,
        #[serde(default)]
        description: Option<String>,
    },
    PermissionGranted {
        id: Uuid,
        permission: String,
    },
    PermissionRevoked {
        id: Uuid,
        permission: String,
    },
    RoleRetired {
        /// Ids of the grants that ended.
        revoked: Vec<Uuid>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a role is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such role; define it first")]
    NotDefined,
    #[error("this role is defined already; describe it or grant it permissions instead")]
    AlreadyDefined,
    #[error("this role is retired; define a new one")]
    Retired,
    #[error("ids of version 5 are those that Daybook derives for standard roles; leave the id out, or choose another")]
    DerivedId,
    #[error(
        "{field} names no permission that anything asks for; the nearest are {nearest}, and GET /v1/permissions lists all"
    )]
    UnknownPermission { field: String, nearest: String },
    #[error("{field} {unfit}")]
    Unfit { field: String, unfit: Unfit },
    #[error("{field} repeats an earlier permission; list each one once")]
    Repeated { field: String },
    #[error("a role grants at most {PERMISSIONS_MAX} permissions; revoke one first or use a wildcard")]
    TooManyPermissions,
    #[error(
        "nobody else would be left with the permission * in this tenant; give somebody active another role with it first"
    )]
    LastAdministrator,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotDefined => Class::Missing,
            Self::AlreadyDefined
            | Self::Retired
            | Self::DerivedId
            | Self::UnknownPermission { .. }
            | Self::Unfit { .. }
            | Self::Repeated { .. }
            | Self::TooManyPermissions
            | Self::LastAdministrator => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::UnknownPermission { field, .. } | Self::Unfit { field, .. } | Self::Repeated { field } => {
                Some(field.clone())
            }
            Self::NotDefined
            | Self::AlreadyDefined
            | Self::Retired
            | Self::DerivedId
            | Self::TooManyPermissions
            | Self::LastAdministrator => None,
        }
    }
}

impl Decider for Role {
    const TYPE: &'static str = "identity.role";
    const CREATES: &'static str = "define";
    const CLAIMS: &'static [Claim] = &[NAME];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Ok(vec![match (self, request.command) {
            (
                Role::Undefined,
                Command::Define {
                    name,
                    description,
                    permissions,
                },
            ) => {
                check_description(name, description.as_ref())?;
                check_permissions(permissions)?;
                let grant = |permission: &String| Grant {
                    id: request.ids.draw(),
                    permission: permission.clone(),
                };
                Event::RoleDefined {
                    name: name.clone(),
                    description: description.clone(),
                    grants: permissions.iter().map(grant).collect(),
                }
            }
            (Role::Defined(_) | Role::Retired, Command::Define { .. }) => return Err(Refusal::AlreadyDefined),
            (Role::Undefined, _) => return Err(Refusal::NotDefined),

            (Role::Retired, Command::Describe { .. } | Command::Grant { .. } | Command::Revoke { .. }) => {
                return Err(Refusal::Retired);
            }
            (Role::Defined(now), Command::Describe { name, description }) => {
                check_description(name, description.as_ref())?;
                if now.name == *name && now.description == *description {
                    return Ok(Vec::new());
                }
                Event::RoleDescribed {
                    name: name.clone(),
                    description: description.clone(),
                }
            }

            (Role::Defined(now), Command::Grant { permission }) if now.grants.contains_key(permission) => {
                return Ok(Vec::new());
            }
            (Role::Defined(now), Command::Grant { permission }) => {
                check_permission("permission", permission)?;
                if now.grants.len() >= PERMISSIONS_MAX {
                    return Err(Refusal::TooManyPermissions);
                }
                Event::PermissionGranted {
                    id: request.ids.draw(),
                    permission: permission.clone(),
                }
            }
            (Role::Defined(now), Command::Revoke { permission }) => match now.grants.get(permission) {
                Some(&id) => {
                    self.check_administrators(permission == EVERYTHING, request)?;
                    Event::PermissionRevoked {
                        id,
                        permission: permission.clone(),
                    }
                }
                None => return Ok(Vec::new()),
            },

            (Role::Defined(now), Command::Retire {}) => {
                self.check_administrators(true, request)?;
                Event::RoleRetired {
                    revoked: now.grants.values().copied().collect(),
                }
            }
            (Role::Retired, Command::Retire {}) => return Ok(Vec::new()),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (
                _,
                Event::RoleDefined {
                    name,
                    description,
                    grants,
                },
            ) => {
                *self = Role::Defined(Definition {
                    name: name.clone(),
                    description: description.clone(),
                    grants: grants
                        .iter()
                        .map(|grant| (grant.permission.clone(), grant.id))
                        .collect(),
                });
            }
            (Role::Defined(now), Event::RoleDescribed { name, description }) => {
                now.name.clone_from(name);
                now.description.clone_from(description);
            }
            (Role::Defined(now), Event::PermissionGranted { id, permission }) => {
                now.grants.insert(permission.clone(), *id);
            }
            (Role::Defined(now), Event::PermissionRevoked { permission, .. }) => {
                now.grants.remove(permission);
            }
            (_, Event::RoleRetired { .. }) => *self = Role::Retired,
            (
                Role::Undefined | Role::Retired,
                Event::RoleDescribed { .. } | Event::PermissionGranted { .. } | Event::PermissionRevoked { .. },
            ) => {}
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Revoke { .. } | Command::Retire {} if self.grants_everything() => {
                let mut roles = administrators::roles_of_witnesses(asking.facts);
                roles.retain(|role| role.id != asking.stream);
                roles
            }
            _ => Vec::new(),
        }
    }

    fn body_bytes_max(command: &str) -> usize {
        match command {
            // With very many permissions.
            "define" => 128 << 10,
            _ => domain::decider::BODY_BYTES_MAX,
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let claim = |name: &str| (NAME, name.to_lowercase());
        let before = match self {
            Role::Defined(now) => vec![claim(&now.name)],
            Role::Undefined | Role::Retired => Vec::new(),
        };
        match event {
            Event::RoleDefined { name, .. } | Event::RoleDescribed { name, .. } => {
                ClaimChange::between(before, vec![claim(name)])
            }
            // A retired role's row stays, and so does its hold on the name.
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Role::Undefined, "define") => Ok(()),
            (Role::Undefined, _) => Err(Refusal::NotDefined),
            (Role::Defined(_) | Role::Retired, "define") => Err(Refusal::AlreadyDefined),
            (Role::Retired, "describe" | "grant" | "revoke") => Err(Refusal::Retired),
            (Role::Defined(_) | Role::Retired, _) => Ok(()),
        }
    }
}

impl Role {
    /// That somebody is left who may do everything, when this role grants that no more. Who has the role is not known
    /// here: as long as nobody is seen to have another one, it might be all that there is.
    fn check_administrators(&self, is_everything: bool, request: &Request<'_, Command>) -> Result<(), Refusal> {
        let goes = is_everything && self.grants_everything();
        if goes && !administrators::is_another(request.facts, |_| true, |role| role != request.stream) {
            return Err(Refusal::LastAdministrator);
        }
        Ok(())
    }
}

fn check_description(name: &str, description: Option<&String>) -> Result<(), Refusal> {
    let unfit = |field: &str| {
        let field = field.to_owned();
        move |unfit| Refusal::Unfit { field, unfit }
    };
    text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
    text::optional(description, DESCRIPTION_CHARS_MAX).map_err(unfit("description"))
}

fn check_permissions(permissions: &[String]) -> Result<(), Refusal> {
    if permissions.len() > PERMISSIONS_MAX {
        return Err(Refusal::TooManyPermissions);
    }
    for (index, permission) in permissions.iter().enumerate() {
        let field = format!("permissions[{index}]");
        check_permission(&field, permission)?;
        if permissions[..index].contains(permission) {
            return Err(Refusal::Repeated { field });
        }
    }
    Ok(())
}

/// Whether a permission is of the form that they have, whatever it is for.
///
/// # Errors
/// [`Refusal::Unfit`], naming the field.
pub fn check_permission(field: &str, permission: &str) -> Result<(), Refusal> {
    let unfit = |unfit| Refusal::Unfit {
        field: field.to_owned(),
        unfit,
    };
    text::required(permission, PERMISSION_CHARS_MAX).map_err(unfit)?;
    let words = permission.strip_suffix(".*").unwrap_or(permission);
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    if permission == EVERYTHING || words.split('.').all(is_word) {
        Ok(())
    } else {
        Err(unfit(Unfit::Form(
            "must be * or lower-case words joined by dots, of which the last may be *",
        )))
    }
}

#[cfg(test)]
mod tests;
