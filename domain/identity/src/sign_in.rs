//! When a person signed in: a stream beside the user's own, which therefore stays as short as what happened to
//! the user. Feeds `users.last_login` of document 001_eec75370b5eea864 (schema `cloudwatcher`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::user::{Refusal, User};
use domain::{Asking, Decider, FactRef, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<SignIns>("sign-ins");

/// The sign-ins of one person. The stream's id is the user's. No decision depends on an earlier one, so that
/// nothing of them is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIns {}

/// What can be asked of the sign-ins of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Records that an active user signed in, now. The id in the URL is the user's.
    Record {},
}

// Stored for ever. Add variants; do not rename or reuse them. Whatever is added says nothing of the person but times:
// it is not sealed, and stays when they are erased.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    SignedIn {},
}

stored_by_variant!(Event);

impl domain::Event for Event {}

impl Decider for SignIns {
    const TYPE: &'static str = "identity.sign-in";
    const CREATES: &'static str = "record";
    const BORROWS_ID: bool = true;
    /// Every event does: of those before it, nothing matters.
    const CARRIES_FORWARD: Option<&'static str> = Some("SignedIn");
    type Command = Command;
    type Event = Event;
    /// Why a user may not sign in is told in the words in which everything else is refused to them.
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Command::Record {} = request.command;
        match request.facts.get::<User>(request.stream) {
            None | Some(User::Unborn) => Err(Refusal::NotRegistered),
            Some(User::Erased) => Err(Refusal::Erased),
            Some(user) if !user.is_active() => Err(Refusal::Deactivated),
            Some(User::Registered(_)) => Ok(vec![Event::SignedIn {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let Event::SignedIn {} = event;
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        vec![FactRef::of::<User>(asking.stream)]
    }
}

#[cfg(test)]
mod tests;
