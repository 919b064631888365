//! What one or more alerts are about: how it is looked into, what comes of it, and who sees to it. Feeds `issues`,
//! `issue_alert_bindings` and `issue_logs` of document 002_292caa697ae18d8c.

mod decide;
mod evolve;
mod refusal;

use std::collections::BTreeMap;
use std::ops::Not;

use chrono::{DateTime, Utc};
use dod_formats::Severity;
use dod_skills::evidence::Evidence;
use dod_skills::finding::Finding;
use dod_skills::investigation::Conclusion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use refusal::Refusal;

use crate::alert::{Brief, Restated};
use crate::archive::{ARCHIVE_CHARS_MAX, SHA256_CHARS};
use domain::{Claim, Erase, Sealed, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Issue>("issues");

/// An alert belongs to one issue.
pub const ALERT: Claim = Claim::new("dod.issue_alert_bindings.alert_id");

/// Alerts of one issue; those beyond open another one.
pub const ALERTS_MAX: usize = 10_000;
/// Alerts whose details the issue itself remembers for its investigation, the first ones.
pub const REMEMBERED_MAX: usize = 20;
/// Steps of one investigation.
pub const STEPS_MAX: u32 = 50;
/// Characters of a conclusion that a person writes.
pub const CONCLUSION_CHARS_MAX: usize = 8_000;
/// Characters of what a step says.
pub const CONTENT_CHARS_MAX: usize = 8_000;
/// Bytes of what a step says beside that, as JSON.
pub const METADATA_BYTES_MAX: usize = 32 << 10;
/// Bytes of what an investigation looks at, as JSON: sealed, it takes a third more.
pub const EVIDENCE_BYTES_MAX: usize = 120 << 10;

/// Where an issue stands, in the document's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IssueStatus {
    /// It is looked into.
    Analyzing,
    /// It is real as far as anybody knows, and not over.
    InProgress,
    Resolved,
    FalsePositive,
    /// Nobody could find out, or do anything about it.
    UnableToResolve,
}

/// What a step of an investigation is, in the document's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LogType {
    SkillMatched,
    ToolCalled,
    Reasoning,
    Conclusion,
}

/// How it was found which skill an issue calls for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MatchedBy {
    Binding,
    Similarity,
    Nothing,
}

/// The life of an issue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Issue {
    #[default]
    Unopened,
    Opened(Box<Opened>),
    /// Its rows are in an archive and gone from the tables. It is still known, so that nothing more joins it.
    Archived {
        /// Whether what an investigation looked at can still be read.
        has_evidence: bool,
    },
}

/// An issue as later decisions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    pub status: IssueStatus,
    /// Whether a person said so last: that stays when it is looked into anew.
    pub is_decided_by_person: bool,
    pub brief: Brief,
    pub severity: Severity,
    pub opened_at: DateTime<Utc>,
    /// All of its alerts, each with whether it is over.
    pub alerts: BTreeMap<Uuid, bool>,
    /// Those that are not over.
    pub alerts_open: usize,
    /// Whether one of them flapped when it joined.
    pub is_flapping: bool,
    /// What the first of them say.
    pub remembered: Vec<Remembered>,
    pub assigned_to: Option<Uuid>,
    /// Whether somebody was given it by a person, or has said that they see to it, since it was last opened.
    pub is_seen_to: bool,
    pub investigation: Investigation,
    /// Whether what an investigation looked at can still be read.
    pub has_evidence: bool,
    /// Whether no person has ended it: its alerts are over, or the investigation says that there is none.
    pub ended_by_itself: bool,
    pub conclusion: Option<String>,
    pub is_real_issue: Option<bool>,
    /// Whether a person has said that: what is concluded later does not change it.
    #[serde(default)]
    pub is_corrected: bool,
    /// The rows that go when it does, beside its own.
    pub rows: Rows,
}

/// The ids of the rows that an archived issue leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// Those that say which alerts belong to it.
    pub bindings: Vec<Uuid>,
    /// Its log, but for what escalations have written there.
    pub logs: Vec<Uuid>,
}

/// What the issue remembers of one of its alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    pub alert_id: Uuid,
    pub brief: Brief,
}

/// How far an investigation got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Investigation {
    /// How many have begun, this one included; the first is 1.
    pub round: u32,
    /// Which skill it follows; absent while nobody has looked.
    pub matched: Option<Matched>,
    pub findings: Vec<Finding>,
    pub is_over: bool,
}

/// Which skill was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    pub skill_id: Option<Uuid>,
    pub by: MatchedBy,
    /// Absent once it is erased.
    pub evidence: Option<Box<Evidence>>,
    pub sop: Option<String>,
}

impl Issue {
    /// The issue once it is opened, for as long as it is in the tables.
    #[must_use]
    pub fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Unopened | Self::Archived { .. } => None,
            Self::Opened(opened) => Some(opened),
        }
    }

    /// Whether its rows are in an archive alone.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        matches!(self, Self::Archived { .. })
    }

    /// Whether another alert may join it: it is not over, or no person has said that it is.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        match self {
            Self::Unopened => true,
            Self::Archived { .. } => false,
            Self::Opened(opened) => {
                let is_open = opened.is_open() || opened.ended_by_itself;
                is_open && opened.alerts.len() < ALERTS_MAX
            }
        }
    }
}

impl Opened {
    /// Whether it opens again when another alert joins it, or one of it says something worse: what an investigation has
    /// called none was not what it is now.
    fn reopens(&self, worsens: bool) -> bool {
        let is_over = self.status == IssueStatus::Resolved || (worsens && self.status == IssueStatus::FalsePositive);
        is_over && self.ended_by_itself
    }

    /// The alert that people are told of it by: its first, unless one that is not over is worse, as far as it remembers them.
    #[must_use]
    pub fn face(&self) -> &Brief {
        let is_on = |of: &&Remembered| self.alerts.get(&of.alert_id).is_some_and(|is_over| !is_over);
        let worse = self.remembered.iter().filter(is_on).map(|of| &of.brief);
        let worse = worse.filter(|brief| brief.severity > self.brief.severity);
        // Of several the first.
        worse.rev().max_by_key(|brief| brief.severity).unwrap_or(&self.brief)
    }

    /// Whether nobody and nothing has ended it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(
            self.status,
            IssueStatus::Analyzing | IssueStatus::InProgress | IssueStatus::UnableToResolve
        )
    }
}

/// What can be asked of an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Has an alert join the issue; the first one opens it.
    Bind {
        /// The alert; of no other issue.
        alert_id: Uuid,
    },
    /// Notes that an alert of the issue is over.
    NoteAlertEnded {
        /// The alert.
        alert_id: Uuid,
        /// Whether it ended because the issue did: then it says nothing of an issue that was opened again meanwhile.
        #[serde(default)]
        with_issue: bool,
    },
    /// Notes that an alert of the issue says otherwise than before how bad it is; nothing happens once the alert is over.
    NoteAlertRestated {
        /// The alert.
        alert_id: Uuid,
        /// How bad it was, for the log.
        from: Severity,
        /// What it says now.
        restated: Box<Restated>,
    },
    /// Notes that an alert of the issue is not over any more.
    NoteAlertReopened {
        /// The alert.
        alert_id: Uuid,
    },
    /// Notes which skill the investigation follows, and why.
    NoteMatch {
        /// The investigation, counted from 1; the one under way.
        round: u32,
        /// The skill, also one that was struck since; absent when none was found.
        skill_id: Option<Uuid>,
        /// How it was found.
        by: MatchedBy,
        /// Why it is that one, or none, in sentences. At most 8,000 characters.
        #[schemars(length(min = 1, max = CONTENT_CHARS_MAX))]
        why: String,
        /// What the investigation looks at; kept, so that it goes on with the same after a crash. What persons said
        /// before is not among it. As JSON at most 120 KiB.
        evidence: Box<Evidence>,
        /// The procedure that it follows, if there is one.
        sop: Option<String>,
        /// What else is known of the choice. At most 32 KiB.
        metadata: Value,
    },
    /// Notes what a step of the investigation has found.
    NoteStep {
        /// The investigation, counted from 1; the one under way.
        round: u32,
        /// What was checked and what was seen; of a later step than those before.
        finding: Box<Finding>,
        /// What the step did.
        log_type: LogType,
        /// What else is known of the step. At most 32 KiB.
        metadata: Value,
    },
    /// Ends the investigation.
    Conclude {
        /// The investigation, counted from 1; the one under way.
        round: u32,
        /// What it is, and what that rests on.
        conclusion: Box<Conclusion>,
    },
    /// Drops what investigations have looked at, which quotes what bodies said; what they found stays.
    DropEvidence {},
    /// Gives the issue to somebody.
    Assign {
        /// An active person of the tenant.
        user_id: Uuid,
    },
    /// Says that somebody works on the issue; nothing happens when a person said so before.
    Start {},
    /// Ends the issue: what it was about is mended.
    Resolve {
        /// What it was, in one's own words. At most 8,000 characters.
        #[serde(default)]
        #[schemars(length(max = CONCLUSION_CHARS_MAX))]
        conclusion: Option<String>,
    },
    /// Ends the issue: there was none.
    MarkFalsePositive {
        /// Why, in one's own words. At most 8,000 characters.
        #[serde(default)]
        #[schemars(length(max = CONCLUSION_CHARS_MAX))]
        conclusion: Option<String>,
    },
    /// Says that nobody can find out or do anything about it.
    MarkUnableToResolve {},
    /// Opens the issue again after it was ended.
    Reopen {},
    /// Says otherwise than the investigation did: the next one about the same type of alert is shown it.
    Correct {
        /// Whether it is a real issue.
        is_real_issue: bool,
        /// What it was, in one's own words. At most 8,000 characters.
        #[schemars(length(min = 1, max = CONCLUSION_CHARS_MAX))]
        conclusion: String,
    },
    /// Looks into the issue anew, by the skills and bindings of now. Where it stands changes with it, unless a person has said
    /// where, or all of its alerts are over.
    Investigate {},
    /// Takes the rows of an issue that has ended, and whose alerts are all over, out of the tables: they are in an archive.
    Archive {
        /// The archive that has the issue. At most 200 characters.
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
    IssueOpened {
        brief: Box<Brief>,
        opened_at: DateTime<Utc>,
    },
    IssueAlertBound {
        binding_id: Uuid,
        alert_id: Uuid,
        severity: Severity,
        /// Absent once the issue remembers enough of them.
        brief: Option<Box<Brief>>,
        /// Whether it fires again and again.
        is_flapping: bool,
        /// Whether it is worse than all that were there.
        #[serde(default, skip_serializing_if = "Not::not")]
        worsens: bool,
    },
    /// An alert of it says otherwise than before how bad it is.
    IssueAlertRestated {
        log_id: Uuid,
        alert_id: Uuid,
        restated: Box<Restated>,
        /// What it came to, in a sentence.
        content: String,
        /// Whether it is the one that the issue has its title from.
        is_first: bool,
        /// Whether it is worse than all alerts of the issue were.
        worsens: bool,
    },
    IssueAlertEnded {
        alert_id: Uuid,
    },
    IssueAlertReopened {
        alert_id: Uuid,
    },
    InvestigationBegun {
        round: u32,
        /// Where the issue stands from then on.
        status: IssueStatus,
    },
    IssueSkillMatched {
        log_id: Uuid,
        round: u32,
        skill_id: Option<Uuid>,
        by: MatchedBy,
        why: String,
        evidence: Sealed<Box<Evidence>>,
        sop: Option<String>,
        metadata: Value,
    },
    InvestigationStepTaken {
        log_id: Uuid,
        round: u32,
        finding: Box<Finding>,
        log_type: LogType,
        metadata: Value,
    },
    IssueConcluded {
        log_id: Uuid,
        round: u32,
        conclusion: Box<Conclusion>,
        status: IssueStatus,
    },
    IssueAssigned {
        user_id: Uuid,
        /// Whether nobody asked for it: an escalation says so.
        by_itself: bool,
    },
    IssueStarted {},
    IssueResolved {
        /// Whether it ended because its alerts did.
        by_itself: bool,
        conclusion: Option<String>,
        resolved_at: DateTime<Utc>,
    },
    IssueMarkedFalsePositive {
        conclusion: Option<String>,
        resolved_at: DateTime<Utc>,
    },
    IssueMarkedUnableToResolve {},
    IssueReopened {
        /// Whether another alert joined it, or a person has opened one of its alerts again.
        by_itself: bool,
    },
    IssueCorrected {
        log_id: Uuid,
        alert_type: String,
        is_real_issue: bool,
        conclusion: Option<String>,
    },
    IssueEvidenceDropped {},
    /// Its rows leave the tables; those of other tables by their ids, and its own with the last of the events, where there
    /// are so many that one cannot name them.
    IssueArchived {
        archive: String,
        /// SHA-256, lower-case hex, of the archive's content before it was compressed.
        sha256: String,
        /// Which of the events it is, from 1, and how many there are.
        part: u32,
        parts: u32,
        bindings: Vec<Uuid>,
        logs: Vec<Uuid>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    const PERSONAL: bool = true;

    // In the name of the issue: it may quote what its alerts' bodies say.
    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        match self {
            Self::IssueSkillMatched { .. } => vec![("evidence", stream)],
            _ => Vec::new(),
        }
    }

    // What a person wrote goes with them.
    fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::IssueResolved { .. } | Self::IssueMarkedFalsePositive { .. } | Self::IssueCorrected { .. } => {
                vec!["conclusion"]
            }
            _ => Vec::new(),
        }
    }
}

/// What the keys of what investigations looked at are destroyed by.
fn erased(stream: Uuid, event: &Event) -> Vec<Erase> {
    match event {
        Event::IssueEvidenceDropped {} => vec![Erase::Person(stream)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
