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

use dod::alert::Alert;
use dod::escalation::Escalation;
use dod::issue::Issue;
use dod::{
    alert, binding, configuration, correlation, delivery, embedding, escalation, escalation_policy, heartbeat, issue,
    member, message, receiver, retention, signal, silence, skill, source, tool,
};
use domain::AnyEvent;
use identity::{sign_in, tenant, user};
use uuid::Uuid;

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
    loads,
    history: dod::CONTEXT.history,
    departments: None,
};

/// A row of an alert, and one of an issue's log: what they say at length and in parts.
const ALERT_BYTES_MAX: usize = 64 << 10;
const LOG_BYTES_MAX: usize = 64 << 10;
/// A row that says which alert belongs to an issue.
const BINDING_BYTES_MAX: usize = 256;

fn loads(event: &AnyEvent) -> usize {
    let of_logs = |logs: &[Uuid]| logs.len() * LOG_BYTES_MAX;
    if let Some(alert::Event::AlertArchived { .. }) = event.of::<Alert>() {
        return ALERT_BYTES_MAX;
    }
    if let Some(issue::Event::IssueArchived { bindings, logs, .. }) = event.of::<Issue>() {
        return bindings.len() * BINDING_BYTES_MAX + of_logs(logs);
    }
    match event.of::<Escalation>() {
        Some(escalation::Event::EscalationArchived { logs, .. }) => of_logs(logs),
        Some(_) | None => 0,
    }
}

/// Parents before their children; but what is deleted along with its parent comes before it, so that no cascade ever fires.
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
    &of::<issues::IssueAlertBindingRow>(),
    &of::<issue_logs::IssueLogRow>(),
    &of::<messages::MessageRow>(),
    &of::<escalations::EscalationRow>(),
    &of::<alerts::AlertRow>(),
    &of::<issues::IssueRow>(),
];

/// A count as its column holds it.
fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
