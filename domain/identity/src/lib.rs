//! People and what they may do: shared by every context, posted into each one's own tables.

pub mod administrators;
pub mod department;
pub mod key;
pub mod redaction;
pub mod role;
pub mod sign_in;
pub mod tenant;
pub mod user;

#[cfg(test)]
mod golden;

use domain::Context;

/// The prelude of all contexts: who there is, and what they may do.
pub static CONTEXT: Context = Context {
    name: "identity",
    aggregates: &[
        user::AGGREGATE,
        sign_in::AGGREGATE,
        role::AGGREGATE,
        department::AGGREGATE,
        tenant::AGGREGATE,
        key::AGGREGATE,
        redaction::AGGREGATE,
    ],
    policies: &[],
    history: include_str!("../golden/history.json"),
};
