//! Context `dod`: alerts, the issues that they join, and what is known of solving them. Document 002_292caa697ae18d8c.

pub mod delivery;
pub mod signal;

pub mod alert;
pub mod escalation;
pub mod group;
pub mod heartbeat;
pub mod issue;
pub mod message;

pub mod conditions;
pub mod correlation;
pub mod escalation_policy;
pub mod expectation;
pub mod silence;

pub mod configuration;
pub mod receiver;
pub mod retention;
pub mod source;

pub mod binding;
pub mod embedding;
pub mod skill;
pub mod tool;

pub mod member;
pub mod token;

pub mod policies;

pub mod archive;
mod secret;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod simulation;

use domain::Context;

/// The document's kinds of streams, and what they lead to by themselves.
pub static CONTEXT: Context = Context {
    name: "dod",
    aggregates: &[
        source::AGGREGATE,
        token::AGGREGATE,
        delivery::AGGREGATE,
        signal::AGGREGATE,
        alert::AGGREGATE,
        group::AGGREGATE,
        issue::AGGREGATE,
        message::AGGREGATE,
        escalation::AGGREGATE,
        heartbeat::AGGREGATE,
        member::AGGREGATE,
        member::holders::AGGREGATE,
        correlation::AGGREGATE,
        silence::AGGREGATE,
        escalation_policy::AGGREGATE,
        expectation::AGGREGATE,
        receiver::AGGREGATE,
        configuration::AGGREGATE,
        retention::AGGREGATE,
        skill::AGGREGATE,
        embedding::AGGREGATE,
        binding::AGGREGATE,
        tool::AGGREGATE,
    ],
    policies: &[
        &policies::Intake,
        &policies::Alerts,
        &policies::Messages,
        &policies::Escalations,
        &policies::Heartbeats,
        &policies::Members,
    ],
    history: include_str!("../golden/history.json"),
};
