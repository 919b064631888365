//! Alerts that belong together by a rule of correlation, and the issue that they join: the one before, or a new one.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::{Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

use crate::issue::{ALERTS_MAX, Issue};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Group>("groups");

/// The issue of late.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub latest: Option<Latest>,
}

/// The issue that an alert of the group joined last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    pub issue_id: Uuid,
    /// When an alert joined it last.
    pub joined_at: DateTime<Utc>,
    /// How many have joined it. The issue hears of them later, each by itself, so in a storm it does not know yet that it is
    /// full.
    pub alerts: usize,
}

/// What can be asked of a group; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Has an alert join the issue of its group.
    Join {
        /// The alert.
        alert_id: Uuid,
        /// Minutes after the last alert within which another one joins the same issue; at least 1.
        window_minutes: u32,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    AlertGrouped {
        alert_id: Uuid,
        issue_id: Uuid,
        /// Whether the issue is a new one.
        is_new: bool,
        joined_at: DateTime<Utc>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a group is refused: no rule forbids one.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("window_minutes must be at least 1")]
    NoWindow,
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

impl Decider for Group {
    const TYPE: &'static str = "dod.group";
    const CREATES: &'static str = "join";
    const ONLY_DAYBOOK: &'static [&'static str] = &["join"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Command::Join {
            alert_id,
            window_minutes,
        } = request.command;
        if *window_minutes == 0 {
            return Err(Refusal::NoWindow);
        }
        let window = TimeDelta::minutes((*window_minutes).into());
        let latest = self.latest.as_ref().filter(|latest| {
            let issue = request.facts.get::<Issue>(latest.issue_id);
            // Absent for as long as nobody has told it of its first alert.
            let takes_more = issue.is_none_or(Issue::takes_more);
            takes_more && latest.alerts < ALERTS_MAX && request.at - latest.joined_at <= window
        });
        Ok(vec![Event::AlertGrouped {
            alert_id: *alert_id,
            issue_id: latest.map_or_else(|| request.ids.draw(), |latest| latest.issue_id),
            is_new: latest.is_none(),
            joined_at: request.at,
        }])
    }

    fn evolve(&mut self, event: &Event) {
        let Event::AlertGrouped {
            issue_id, joined_at, ..
        } = event;
        let before = self.latest.as_ref().filter(|latest| latest.issue_id == *issue_id);
        self.latest = Some(Latest {
            issue_id: *issue_id,
            joined_at: *joined_at,
            alerts: before.map_or(0, |latest| latest.alerts) + 1,
        });
    }

    fn reads(&self, _asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let latest = self.latest.iter().map(|latest| FactRef::of::<Issue>(latest.issue_id));
        latest.collect()
    }
}

#[cfg(test)]
mod tests;
