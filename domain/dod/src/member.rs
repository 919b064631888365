//! What a person may do in this context, in the document's three words: it follows from the permissions of their roles and is
//! entered by nobody, so that it cannot say other than what they may do. Feeds `users.role` of document
//! 002_292caa697ae18d8c.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::{Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};
use identity::role::Role;
use identity::user::User;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Member>("members");

/// What a person may do, in the document's words.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MemberRole {
    /// They read, if anything.
    #[default]
    Viewer,
    /// They see to alerts and issues.
    Member,
    /// They enter sources, receivers and configurations.
    Admin,
}

/// By what an administrator is known: whoever may do all of these.
const ADMIN: [&str; 3] = ["dod.configuration.enter", "dod.receiver.enter", "dod.source.enter"];
/// By what a member is known: whoever may do all of these.
const MEMBER: [&str; 2] = ["dod.alert.acknowledge", "dod.issue.resolve"];

/// What was found of a person last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    role: Option<MemberRole>,
}

/// What can be asked of a member; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Finds out what the person may do.
    Assess {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    MemberRoleFound { role: MemberRole },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why nothing is found.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such user")]
    NoUser,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl Decider for Member {
    const TYPE: &'static str = "dod.member";
    const CREATES: &'static str = "assess";
    const BORROWS_ID: bool = true;
    const ONLY_DAYBOOK: &'static [&'static str] = &["assess"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let user = request.facts.get::<User>(request.stream).ok_or(Refusal::NoUser)?;
        let roles: Vec<&Role> = user
            .roles()
            .filter_map(|role| request.facts.get::<Role>(role))
            .collect();
        let may = |permissions: &[&str]| {
            let granted = |permission: &&str| roles.iter().any(|role| role.permits(permission));
            permissions.iter().all(granted)
        };
        let role = match (may(&ADMIN), may(&MEMBER)) {
            (true, _) => MemberRole::Admin,
            (false, true) => MemberRole::Member,
            (false, false) => MemberRole::Viewer,
        };
        let is_so = self.role.unwrap_or_default() == role;
        Ok((!is_so)
            .then_some(Event::MemberRoleFound { role })
            .into_iter()
            .collect())
    }

    fn evolve(&mut self, event: &Event) {
        let Event::MemberRoleFound { role } = event;
        self.role = Some(*role);
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let user = asking.facts.get::<User>(asking.stream);
        let roles = user.into_iter().flat_map(User::roles).map(FactRef::of::<Role>);
        std::iter::once(FactRef::of::<User>(asking.stream))
            .chain(roles)
            .collect()
    }
}

/// Who has a role, so that whoever has it is looked at again when it changes.
pub mod holders {
    use std::collections::BTreeSet;

    use super::*;

    /// The kind as a value.
    pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Holders>("role-holders");

    /// Those who have the role.
    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    pub struct Holders(BTreeSet<Uuid>);

    impl Holders {
        /// The users.
        pub fn iter(&self) -> impl Iterator<Item = Uuid> + '_ {
            self.0.iter().copied()
        }
    }

    /// What can be asked of it; Daybook alone asks.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    pub enum Command {
        /// Somebody has the role from now on.
        Add {
            /// The user.
            user_id: Uuid,
        },
        /// Somebody has it no more.
        Remove {
            /// The user.
            user_id: Uuid,
        },
        /// The role permits something else: whoever has it is to be looked at again.
        LookAgain {},
    }

    // Stored for ever. Add variants; do not rename or reuse them.
    #[derive(
        Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
    )]
    pub enum Event {
        RoleHolderAdded { user_id: Uuid },
        RoleHolderRemoved { user_id: Uuid },
        RoleHoldersLookedAt {},
    }

    stored_by_variant!(Event);

    impl domain::Event for Event {}

    impl Decider for Holders {
        const TYPE: &'static str = "dod.role-holders";
        const CREATES: &'static str = "add";
        const BORROWS_ID: bool = true;
        const ONLY_DAYBOOK: &'static [&'static str] = &["add", "remove", "look-again"];
        type Command = Command;
        type Event = Event;
        type Refusal = Refusal;

        fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
            let happens = match request.command {
                Command::Add { user_id } => {
                    (!self.0.contains(user_id)).then_some(Event::RoleHolderAdded { user_id: *user_id })
                }
                Command::Remove { user_id } => self
                    .0
                    .contains(user_id)
                    .then_some(Event::RoleHolderRemoved { user_id: *user_id }),
                Command::LookAgain {} => (!self.0.is_empty()).then_some(Event::RoleHoldersLookedAt {}),
            };
            Ok(happens.into_iter().collect())
        }

        fn evolve(&mut self, event: &Event) {
            match event {
                Event::RoleHolderAdded { user_id } => _ = self.0.insert(*user_id),
                Event::RoleHolderRemoved { user_id } => _ = self.0.remove(user_id),
                Event::RoleHoldersLookedAt {} => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
