//! How long a tenant keeps what senders have delivered, and what came of it: one stream per tenant.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::text::{self, Unfit};
use domain::{Asker, Class, Decider, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Retention>("retentions");

/// Days until a body is dropped, unless the tenant says otherwise.
pub const BODY_DAYS: i32 = 90;
/// Days until a body is dropped at the latest.
pub const BODY_DAYS_MAX: i32 = 365;
/// Days until what is over leaves the tables, unless the tenant says otherwise.
pub const CLOSED_DAYS: i32 = 365;
/// Days until what is over leaves the tables at the latest.
pub const CLOSED_DAYS_MAX: i32 = 3_650;

/// How long things of a tenant are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    body_days: Option<i32>,
    closed_days: Option<i32>,
}

impl Retention {
    /// For how long alerts and issues that are over stay in the tables, by what is set for their tenant, if anything is.
    #[must_use]
    pub fn closed_for(retention: Option<&Self>) -> TimeDelta {
        let days = retention
            .and_then(|retention| retention.closed_days)
            .unwrap_or(CLOSED_DAYS);
        TimeDelta::days(days.into())
    }

    /// Until when a body is kept that came in then, by what is set for its tenant, if anything is.
    #[must_use]
    pub fn body_until(retention: Option<&Self>, received_at: DateTime<Utc>) -> DateTime<Utc> {
        let days = retention.and_then(|retention| retention.body_days).unwrap_or(BODY_DAYS);
        received_at + TimeDelta::days(days.into())
    }
}

/// What can be asked of a tenant's retention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Says how long bodies are kept that come in from now on, and how long what is over stays in the tables.
    Set {
        /// Days after which a body is dropped, and with it what its alerts show of it: 1 to 365.
        #[schemars(range(min = 1, max = BODY_DAYS_MAX))]
        body_days: i32,
        /// Days after which alerts that are closed and issues that have ended leave the tables for an archive, and not
        /// before their bodies are dropped: 1 to 3,650; 365 when absent. It holds also for what is there.
        #[serde(default)]
        #[schemars(range(min = 1, max = CLOSED_DAYS_MAX))]
        closed_days: Option<i32>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    RetentionSet {
        body_days: i32,
        /// Absent where it is the usual time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed_days: Option<i32>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a retention is not set.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a tenant's retention is one stream and its id is {id}; send the command there")]
    OnePerTenant { id: Uuid },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
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
        match self {
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::OnePerTenant { .. } => None,
        }
    }
}

impl Decider for Retention {
    const TYPE: &'static str = "dod.retention";
    const CREATES: &'static str = "set";
    const ONE_PER_TENANT: bool = true;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Self::in_place(request.tenant, request.stream).map_err(|id| Refusal::OnePerTenant { id })?;
        let Command::Set { body_days, closed_days } = request.command;
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        text::within(*body_days, 1, BODY_DAYS_MAX).map_err(unfit("body_days"))?;
        if let Some(closed_days) = closed_days {
            text::within(*closed_days, 1, CLOSED_DAYS_MAX).map_err(unfit("closed_days"))?;
        }
        let is_new = self.body_days != Some(*body_days) || self.closed_days != *closed_days;
        let set = is_new.then_some(Event::RetentionSet {
            body_days: *body_days,
            closed_days: *closed_days,
        });
        Ok(set.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        let Event::RetentionSet { body_days, closed_days } = event;
        self.body_days = Some(*body_days);
        self.closed_days = *closed_days;
    }

    fn offers(&self, _command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        Self::in_place(asker.tenant, stream).map_err(|id| Refusal::OnePerTenant { id })
    }
}

#[cfg(test)]
mod tests;
