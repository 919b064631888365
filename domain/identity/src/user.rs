//! A person of the tenant. Feeds `users`, `user_roles` and `user_departments` of document
//! 001_eec75370b5eea864 (schema `cloudwatcher`).

mod decide;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::text::Unfit;
use domain::{Class, Refuse, Sealed, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<User>("users");

/// No two users have the same, whatever its case.
pub const EMAIL: domain::Claim = domain::Claim::kept("identity", "users.email");
/// No two users have the same.
pub const OAUTH_ID: domain::Claim = domain::Claim::kept("identity", "users.oauth_id");

/// Characters of a user's email address.
pub const EMAIL_CHARS_MAX: usize = 255;
/// Characters of a user's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of the name of a sign-in provider.
pub const OAUTH_PROVIDER_CHARS_MAX: usize = 50;
/// Characters of a user's id at their sign-in provider.
pub const OAUTH_ID_CHARS_MAX: usize = 255;
/// The provider of users that are no persons: services, which sign in with keys.
pub const SERVICE: &str = "service";
/// Roles that one user has at a time.
pub const ROLES_MAX: usize = 100;
/// Departments that one user is in at a time.
pub const DEPARTMENTS_MAX: usize = 100;

/// The life of a user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum User {
    #[default]
    Unborn,
    Registered(Person),
    /// The person's key is destroyed. Nothing can happen any more.
    Erased,
}

/// The state of a registered user, as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    email: Sealed<String>,
    name: Sealed<String>,
    oauth_id: Option<Sealed<String>>,
    active: bool,
    /// Whether it is no person: see [`SERVICE`].
    #[serde(default)]
    is_service: bool,
    /// Role to assignment.
    roles: BTreeMap<Uuid, Uuid>,
    /// Department to assignment.
    departments: BTreeMap<Uuid, Uuid>,
}

impl User {
    /// Whether the user may act: registered, not deactivated, not erased.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.person().is_some_and(|person| person.active)
    }

    /// Whether this is an active user who signs in by themself.
    #[must_use]
    pub fn is_active_person(&self) -> bool {
        self.person().is_some_and(|person| person.active && !person.is_service)
    }

    /// Whether keys may speak for the user: an active one that is no person.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.person().is_some_and(|person| person.active && person.is_service)
    }

    /// The name, unless it cannot be opened.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.person()?.name.open().map(String::as_str)
    }

    /// The email address, unless it cannot be opened.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.person()?.email.open().map(String::as_str)
    }

    /// The ids of the user's roles; a role among them may have been retired since.
    pub fn roles(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.person()
            .into_iter()
            .flat_map(|person| person.roles.keys().copied())
    }

    /// The ids of the user's departments; one among them may have been struck since.
    pub fn departments(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.person()
            .into_iter()
            .flat_map(|person| person.departments.keys().copied())
    }

    fn person(&self) -> Option<&Person> {
        match self {
            Self::Registered(person) => Some(person),
            Self::Unborn | Self::Erased => None,
        }
    }
}

/// What can be asked of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Registers a person with the tenant. They have no role and no department yet.
    Register {
        /// The email address; unique in the tenant without regard to case. At most 255 characters.
        #[schemars(length(min = 3, max = EMAIL_CHARS_MAX))]
        email: String,
        /// The person's name. At most 255 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The provider by which the person signs in: `azure-ad`, `google`, `local`; `service` for what is no person, and
        /// signs in with keys. At most 50 characters.
        #[serde(default)]
        #[schemars(length(max = OAUTH_PROVIDER_CHARS_MAX))]
        oauth_provider: Option<String>,
        /// The person's id there, unique in the tenant; needs `oauth_provider`. At most 255 characters.
        #[serde(default)]
        #[schemars(length(min = 1, max = OAUTH_ID_CHARS_MAX))]
        oauth_id: Option<String>,
    },
    /// Changes what the person is called.
    Rename {
        /// The new name. At most 255 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
    },
    /// Changes the email address and gives the old one back.
    ChangeEmail {
        /// The new address; unique in the tenant without regard to case. At most 255 characters.
        #[schemars(length(min = 3, max = EMAIL_CHARS_MAX))]
        email: String,
    },
    /// Gives an active user a role. At most 100 roles.
    AssignRole {
        /// A role that is defined and not retired.
        role_id: Uuid,
    },
    /// Takes a role away; nothing happens when the user does not have it.
    UnassignRole {
        /// The role to take away.
        role_id: Uuid,
    },
    /// Puts an active user into a department. At most 100 departments.
    JoinDepartment {
        /// A department that is in use.
        department_id: Uuid,
    },
    /// Takes the user out of a department; nothing happens when they are not in it.
    LeaveDepartment {
        /// The department to leave.
        department_id: Uuid,
    },
    /// Stops the user from signing in and from being given roles and departments.
    Deactivate {},
    /// Lets a deactivated user act again, with the roles and departments that they had.
    Reactivate {},
    /// Destroys the key under which the person's data is kept. This cannot be undone: email, name
    /// and provider id become unreadable everywhere, and roles and departments are taken away.
    Erase {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    UserRegistered {
        email: Sealed<String>,
        name: Sealed<String>,
        #[serde(default)]
        oauth_provider: Option<String>,
        #[serde(default)]
        oauth_id: Option<Sealed<String>>,
    },
    UserRenamed {
        name: Sealed<String>,
    },
    UserEmailChanged {
        email: Sealed<String>,
    },
    UserRoleAssigned {
        assignment_id: Uuid,
        role_id: Uuid,
    },
    UserRoleUnassigned {
        assignment_id: Uuid,
        role_id: Uuid,
    },
    UserDepartmentJoined {
        assignment_id: Uuid,
        department_id: Uuid,
    },
    UserDepartmentLeft {
        assignment_id: Uuid,
        department_id: Uuid,
    },
    UserDeactivated {},
    UserReactivated {},
    /// Of the time before sign-ins had streams of their own; no command makes it any more.
    UserSignedIn {},
    UserErased {
        /// Ids of the role assignments that ended.
        unassigned: Vec<Uuid>,
        /// Ids of the department assignments that ended.
        left: Vec<Uuid>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    fn sealed(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::UserRegistered { oauth_id: Some(_), .. } => {
                vec![("email", stream), ("name", stream), ("oauth_id", stream)]
            }
            Self::UserRegistered { oauth_id: None, .. } => vec![("email", stream), ("name", stream)],
            Self::UserRenamed { .. } => vec![("name", stream)],
            Self::UserEmailChanged { .. } => vec![("email", stream)],
            Self::UserRoleAssigned { .. }
            | Self::UserRoleUnassigned { .. }
            | Self::UserDepartmentJoined { .. }
            | Self::UserDepartmentLeft { .. }
            | Self::UserDeactivated {}
            | Self::UserReactivated {}
            | Self::UserSignedIn {}
            | Self::UserErased { .. } => Vec::new(),
        }
    }
}

/// Why a command to a user is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such user; register them first")]
    NotRegistered,
    #[error("this user is registered already; rename them or change their email instead")]
    AlreadyRegistered,
    #[error("this user was erased and nothing more can happen to them; register the person as a new user")]
    Erased,
    #[error("this user is deactivated; reactivate them first")]
    Deactivated,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
    #[error("Daybook keeps this id for itself and nobody is registered under it; choose another")]
    ReservedId,
    #[error("email ends in @invalid, which is kept for erased users; give the address that reaches them")]
    ReservedHost,
    #[error("oauth_id needs oauth_provider; say where the person signs in")]
    ProviderMissing,
    #[error("role_id names no role in use; define one or choose another")]
    RoleNotInUse,
    #[error("department_id names no department in use; enter one or choose another")]
    DepartmentNotInUse,
    #[error("a user has at most {max} {what} at a time; take one away first")]
    TooMany { what: &'static str, max: usize },
    #[error(
        "this is the last active person with the permission * in the tenant; give somebody else a role with it first"
    )]
    LastAdministrator,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotRegistered => Class::Missing,
            Self::AlreadyRegistered
            | Self::Erased
            | Self::Deactivated
            | Self::Unfit { .. }
            | Self::ReservedId
            | Self::ReservedHost
            | Self::ProviderMissing
            | Self::RoleNotInUse
            | Self::DepartmentNotInUse
            | Self::TooMany { .. }
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
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::ReservedHost => Some("email".to_owned()),
            Self::ProviderMissing => Some("oauth_provider".to_owned()),
            Self::RoleNotInUse => Some("role_id".to_owned()),
            Self::DepartmentNotInUse => Some("department_id".to_owned()),
            Self::NotRegistered
            | Self::AlreadyRegistered
            | Self::Erased
            | Self::Deactivated
            | Self::ReservedId
            | Self::TooMany { .. }
            | Self::LastAdministrator => None,
        }
    }
}

#[cfg(test)]
mod tests;
