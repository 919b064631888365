//! Context `dod`: document 002_292caa697ae18d8c as read tables.

pub mod standing;

pub mod tenants;
pub mod users;

pub mod receivers;
pub mod retentions;
pub mod sources;

pub mod configurations;
pub mod skills;
pub mod tools;

pub mod rules;

pub mod alerts;
pub mod deliveries;
pub mod escalations;
pub mod heartbeats;
pub mod issue_logs;
pub mod issues;
pub mod messages;
pub mod stored_bodies;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use dod::{
    alert, binding, configuration, correlation, delivery, embedding, escalation, escalation_policy, heartbeat, issue,
    member, message, receiver, retention, signal, silence, skill, source, tool,
};
use identity::{sign_in, tenant, user};

use projections::context::Context;
use projections::projection::{Projection, of};

/// Posted from the shared identity and from the context's own aggregates.
pub static CONTEXT: Context = Context {
    name: "dod",
    ddl: include_str!("../../../migrations/read/dod.sql"),
    reads: &[
        tenant::AGGREGATE,
        user::AGGREGATE,
        sign_in::AGGREGATE,
        member::AGGREGATE,
        source::AGGREGATE,
        receiver::AGGREGATE,
        configuration::AGGREGATE,
        retention::AGGREGATE,
        skill::AGGREGATE,
        embedding::AGGREGATE,
        binding::AGGREGATE,
        tool::AGGREGATE,
        correlation::AGGREGATE,
        silence::AGGREGATE,
        escalation_policy::AGGREGATE,
        delivery::AGGREGATE,
        signal::AGGREGATE,
        alert::AGGREGATE,
        issue::AGGREGATE,
        message::AGGREGATE,
        escalation::AGGREGATE,
        heartbeat::AGGREGATE,
    ],
    tables: TABLES,
    audit: None,
    loads: |_| 0,
    history: dod::CONTEXT.history,
    departments: None,
};

/// Parents before their children.
static TABLES: &[&dyn Projection] = &[
    &of::<tenants::TenantRow>(),
    &of::<users::UserRow>(),
    &of::<receivers::ReceiverRow>(),
    &of::<configurations::ConfigurationRow>(),
    &of::<retentions::RetentionRow>(),
    &of::<tools::ToolRow>(),
    &of::<skills::SkillRow>(),
    &of::<skills::AlertSkillBindingRow>(),
    &of::<rules::CorrelationRuleRow>(),
    &of::<rules::SilenceRow>(),
    &of::<escalations::EscalationPolicyRow>(),
    &of::<sources::SourceRow>(),
    &of::<sources::TokenRow>(),
    &of::<heartbeats::HeartbeatRow>(),
    &of::<deliveries::DeliveryRow>(),
    &of::<stored_bodies::StoredBodiesRow>(),
    &of::<alerts::AlertRow>(),
    &of::<issues::IssueRow>(),
    &of::<issues::IssueAlertBindingRow>(),
    &of::<issue_logs::IssueLogRow>(),
    &of::<messages::MessageRow>(),
    &of::<escalations::EscalationRow>(),
];

/// A count as its column holds it.
fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
