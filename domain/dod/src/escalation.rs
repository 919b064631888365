//! What is done step by step while nobody sees to an issue. Feeds `escalations`, which document 002_292caa697ae18d8c does
//! not know, and its `issue_logs`.
//!
//! The steps are those of the policy that held when the issue opened or was reopened. Somebody who acknowledges one of its
//! alerts, or is given or starts the issue, stops them; so does its end. What Daybook itself assigns stops nothing.

mod decide;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::archive::{ARCHIVE_CHARS_MAX, SHA256_CHARS};
use crate::escalation_policy::EscalationStep;
use crate::message::Notice;
use domain::text::Unfit;
use domain::{Class, Refuse, moment, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Escalation>("escalations");

/// The escalation of an issue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// How often it has begun.
    round: u32,
    under_way: Option<UnderWay>,
    /// The receivers that steps have told, and nobody of the end yet.
    told: BTreeSet<String>,
    /// The ids of what it wrote into the log of its issue.
    logs: Vec<Uuid>,
    /// Whether its rows are in the archive of its issue, and gone from the tables.
    is_archived: bool,
}

/// An escalation that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnderWay {
    policy_id: Uuid,
    policy_name: String,
    steps: Vec<EscalationStep>,
    /// From when on the minutes of the steps count: a silence moves it.
    since: DateTime<Utc>,
    /// Steps that were taken.
    taken: usize,
}

impl UnderWay {
    /// When the step of this place, counted from 0, is due; none beyond the last.
    fn due_at(&self, place: usize) -> Option<DateTime<Utc>> {
        let step = self.steps.get(place)?;
        Some(moment::after(self.since, TimeDelta::minutes(step.after_minutes.into())))
    }
}

impl Escalation {
    /// The stream of the escalation of an issue.
    #[must_use]
    pub fn stream(issue_id: Uuid) -> Uuid {
        Uuid::new_v5(&issue_id, b"escalation")
    }
}

/// Why an escalation has stopped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StoppedHow {
    /// Somebody sees to the issue.
    SeenTo,
    /// The issue has ended.
    Ended,
}

/// What can be asked of an escalation; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Begins, or begins anew, by the policy that holds now. Nothing happens without one, or when somebody sees to the
    /// issue already.
    Begin {
        /// The issue.
        issue_id: Uuid,
    },
    /// Begins where nothing is under way: an alert has joined that is worse than those before, and there may be a policy for
    /// that.
    Worsen {
        /// The issue.
        issue_id: Uuid,
    },
    /// Begins anew where nothing is under way: nobody sees to an alert of it any more.
    Resume {
        /// The issue.
        issue_id: Uuid,
    },
    /// Looks whether somebody sees to the issue, or it has ended.
    Look {
        /// The issue.
        issue_id: Uuid,
        /// The alert of it that something happened to; absent when it happened to the issue.
        alert_id: Option<Uuid>,
    },
    /// Takes a step that is due.
    TakeStep {
        /// The issue.
        issue_id: Uuid,
        /// Which time it has begun, from 1.
        round: u32,
        /// The step, counted from 1.
        step: u32,
    },
    /// Takes the rows of the escalation out of the tables together with its issue: they are in an archive.
    Archive {
        /// The issue.
        issue_id: Uuid,
        /// The archive that has the escalation. At most 200 characters.
        #[schemars(length(min = 1, max = ARCHIVE_CHARS_MAX))]
        archive: String,
        /// SHA-256 of the archive's content before it was compressed, in lower-case hex.
        #[schemars(length(equal = SHA256_CHARS))]
        sha256: String,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    EscalationBegun {
        issue_id: Uuid,
        /// Which time it has begun, from 1.
        round: u32,
        policy_id: Uuid,
        policy_name: String,
        steps: Vec<EscalationStep>,
        begun_at: DateTime<Utc>,
        next_at: DateTime<Utc>,
    },
    EscalationStepTaken {
        issue_id: Uuid,
        log_id: Uuid,
        round: u32,
        /// The step, counted from 1.
        step: u32,
        /// What was done, in a sentence.
        content: String,
        receiver_im: Option<String>,
        /// What the receiver is told; absent when there is none.
        notice: Option<Box<Notice>>,
        /// Absent as well when the step's user is no active person any more.
        assigned_to: Option<Uuid>,
        /// When the next step is due; absent after the last.
        next_at: Option<DateTime<Utc>>,
    },
    /// The step waits until the alerts of the issue are not silenced any more.
    EscalationPostponed {
        issue_id: Uuid,
        log_id: Uuid,
        round: u32,
        step: u32,
        content: String,
        silence_id: Uuid,
        next_at: DateTime<Utc>,
    },
    EscalationStopped {
        issue_id: Uuid,
        round: u32,
        how: StoppedHow,
    },
    /// Those that were told beside the issue's own receiver are told of its end.
    EscalationEndTold {
        issue_id: Uuid,
        receivers: Vec<String>,
        notice: Box<Notice>,
    },
    /// Its rows leave the tables: of the log of its issue those that it wrote, and its own with the last of the events, where
    /// there are so many that one cannot name them.
    EscalationArchived {
        issue_id: Uuid,
        archive: String,
        /// SHA-256, lower-case hex, of the archive's content before it was compressed.
        sha256: String,
        /// Which of the events it is, from 1, and how many there are.
        part: u32,
        parts: u32,
        logs: Vec<Uuid>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to an escalation is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("the escalation of this issue has another id")]
    OtherStream,
    #[error("there is no such issue")]
    NoIssue,
    #[error("this escalation is archived together with its issue, and nothing more can happen to it")]
    Archived,
    #[error("there is no escalation of this issue that could be archived")]
    NotBegun,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::OtherStream | Self::Archived | Self::NotBegun | Self::Unfit { .. } => Class::Refused,
            Self::NoIssue => Class::Missing,
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
            Self::OtherStream | Self::NoIssue | Self::Archived | Self::NotBegun => None,
        }
    }
}

#[cfg(test)]
mod tests;
