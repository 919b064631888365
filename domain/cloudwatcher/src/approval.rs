//! The approval of one order, level by level: who is asked, who decided, and for exactly which content.
//! Feeds `order_approvals` and `order_history` of document 001_eec75370b5eea864.
//!
//! The stream's id is the order's id, and its state is about the order's latest revision. Who may decide
//! is judged when they decide, not when they were asked.

mod ask;
mod became;
mod decide;
mod entitled;
mod evolve;
mod refusal;
pub mod route;
mod split;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use became::{ASKED_REMEMBERED_MAX, Asks, Became, End, Over, STOOD_IN_FOR_MAX};
pub use refusal::Refusal;

use domain::event::Stored;
use domain::{DecodeError, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Approval>("approvals");

/// Characters of the notes of a decision.
pub const NOTES_CHARS_MAX: usize = 2_000;
/// Orders among which a split is looked for: the newest of the drafter's that share a supplier.
pub const SPLIT_ORDERS_MAX: usize = 100;

/// The life of an approval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Approval {
    #[default]
    Unasked,
    Pending(Pending),
    Granted {
        asked: Asked,
        /// The levels, the first one first; none when none was needed.
        decided: Vec<DecidedLevel>,
    },
    Rejected {
        asked: Asked,
        /// Nobody when there was nobody to ask.
        by: Option<Uuid>,
    },
    /// The order was cancelled or has moved on.
    Voided(Asked),
}

/// The submission that approval was asked for, fixed for a revision, and what became of what was asked for it and
/// for those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub revision: i32,
    pub content_hash: String,
    /// As it was submitted.
    pub order_total: Decimal,
    pub currency: String,
    pub department_id: Uuid,
    pub drafted_by: Uuid,
    pub submitted_by: Uuid,
    /// Levels that are needed.
    pub levels: i32,
    pub deadline_hours: i32,
    /// Other orders that this one may have been split from.
    pub split_with: Vec<Uuid>,
    /// When this revision was submitted.
    #[serde(default)]
    pub asked_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub asks: Asks,
}

/// An approval that is not decided yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub asked: Asked,
    /// The levels decided so far, the first one first.
    pub decided: Vec<DecidedLevel>,
    /// The level that is asked for now. Absent only between two events of one decision.
    pub open: Option<OpenLevel>,
}

/// A level that was approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecidedLevel {
    pub ask_id: Uuid,
    pub level: i32,
    pub department_id: Uuid,
    pub by: Uuid,
    /// The named approver, when somebody decided in their place.
    pub on_behalf_of: Option<Uuid>,
}

/// A level that somebody is asked to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenLevel {
    pub ask_id: Uuid,
    pub level: i32,
    /// The department whose manager is asked.
    pub department_id: Uuid,
    pub approver_id: Uuid,
    /// Whether they are asked because the policy names them for where the tree of departments ends.
    #[serde(default)]
    pub is_top: bool,
    pub due_at: DateTime<Utc>,
    /// Who was asked before and let the deadline pass; a level is escalated once.
    pub escalated_from: Option<Uuid>,
    /// Whether this ask was recorded as overdue.
    pub overdue: bool,
}

/// The answer of an approval about one revision of its order, with exactly one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was asked for that revision and content, or it is void.
    None,
    Pending,
    Granted {
        approved_by: Option<Uuid>,
    },
    Rejected {
        by: Option<Uuid>,
    },
}

impl Approval {
    /// The verdict on exactly this revision with exactly this content.
    #[must_use]
    pub fn verdict(&self, revision: i32, content_hash: &str) -> Verdict {
        let is_asked = |asked: &Asked| asked.revision == revision && asked.content_hash == content_hash;
        if !self.asked().is_some_and(is_asked) {
            return Verdict::None;
        }
        match self {
            Self::Unasked | Self::Voided(_) => Verdict::None,
            Self::Pending(_) => Verdict::Pending,
            Self::Granted { decided, .. } => Verdict::Granted {
                approved_by: decided.last().map(|last| last.by),
            },
            Self::Rejected { by, .. } => Verdict::Rejected { by: *by },
        }
    }

    /// The department of the order; `None` before approval is asked for.
    #[must_use]
    pub fn department_id(&self) -> Option<Uuid> {
        self.asked().map(|asked| asked.department_id)
    }

    /// Whether this person had a part in it: drafted, submitted, was asked, decided.
    fn concerns(&self, user: Uuid) -> bool {
        let involved = |asked: &Asked| asked.drafted_by == user || asked.submitted_by == user;
        let decided = |levels: &[DecidedLevel]| levels.iter().any(|level| level.people().any(|one| one == user));
        self.asked()
            .is_some_and(|asked| involved(asked) || asked.asks.concern(user))
            || match self {
                Self::Unasked | Self::Voided(_) => false,
                Self::Pending(pending) => {
                    decided(&pending.decided) || pending.open.as_ref().is_some_and(|open| open.approver_id == user)
                }
                Self::Granted { decided: levels, .. } => decided(levels),
                Self::Rejected { by, .. } => *by == Some(user),
            }
    }

    /// The submission that was asked for last; `None` before that.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Unasked => None,
            Self::Pending(Pending { asked, .. })
            | Self::Granted { asked, .. }
            | Self::Rejected { asked, .. }
            | Self::Voided(asked) => Some(asked),
        }
    }
}

/// What can be asked of an approval. Its id is the order's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Asks for approval of an order that waits for it; Daybook sends it by itself when an order is
    /// submitted. Nothing happens when that revision was asked for already.
    Ask {
        /// The order's revision; from 1.
        #[schemars(range(min = 1))]
        revision: i32,
        /// When it was submitted; now when absent or in the future.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitted_at: Option<DateTime<Utc>>,
    },
    /// Approves the level that is asked for now: as the named manager, or in the place of one who
    /// delegated to you. Not for an order that you drafted, submitted or decided another level of.
    Approve {
        /// The revision that you looked at, which must be the order's latest.
        #[schemars(range(min = 1))]
        revision: i32,
        /// Notes on the decision. At most 2,000 characters.
        #[serde(default)]
        #[schemars(length(max = NOTES_CHARS_MAX))]
        notes: Option<String>,
    },
    /// Rejects the order at the level that is asked for now, by the rules of `approve`. The order becomes a
    /// draft again.
    Reject {
        /// The revision that you looked at, which must be the order's latest.
        #[schemars(range(min = 1))]
        revision: i32,
        /// The reason for the rejection. At most 2,000 characters.
        #[schemars(length(min = 1, max = NOTES_CHARS_MAX))]
        notes: String,
    },
    /// Asks the next manager above because the deadline has passed; Daybook sends it by itself. A level
    /// moves up once, and nothing is approved by waiting.
    Escalate {
        /// The ask that is overdue; nothing happens when it is no longer open.
        ask_id: Uuid,
    },
    /// Asks somebody else because the named person no longer manages the department (or is no longer named by the policy,
    /// where that is why they were asked), is no longer active or has lost the permission `orders.approve`.
    Reassign {},
    /// Ends an approval whose order was cancelled or has moved on; Daybook sends it by itself.
    Void {
        /// Who cancelled the order.
        #[serde(default)]
        by: Option<Uuid>,
        /// When they did; now when absent or in the future.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancelled_at: Option<DateTime<Utc>>,
    },
}

/// Why an approval ended without a decision, or its decision no longer counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum WhyVoid {
    /// The order was changed and submitted again.
    Resubmitted,
    OrderCancelled,
    /// The order no longer waits for this approval nor rests on it.
    OrderMovedOn,
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    ApprovalAsked {
        revision: i32,
        content_hash: String,
        /// In the order's currency.
        order_total: Decimal,
        currency: String,
        department_id: Uuid,
        drafted_by: Uuid,
        submitted_by: Uuid,
        /// Levels that are needed: 0 to 5. Also 0 when the policy does not know the currency.
        levels: i32,
        /// Hours that each approver has.
        deadline_hours: i32,
        /// Earlier orders of the drafter within seven days that, together with this one, buy for so much of one supplier
        /// that it would need more levels than each of them needs alone; those that an approver was shown before, for
        /// as many levels, are left out. A remark for the approver: it blocks nothing.
        split_with: Vec<Uuid>,
        /// When the order was submitted; absent in events of a time when they did not say so, as below.
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    LevelAsked {
        ask_id: Uuid,
        /// From 1.
        level: i32,
        /// The department whose manager is asked.
        department_id: Uuid,
        approver_id: Uuid,
        due_at: DateTime<Utc>,
        /// Who was asked before and let the deadline pass.
        #[serde(default)]
        escalated_from: Option<Uuid>,
        /// This and the following say what the approver is asked about, as `ApprovalAsked` has it.
        revision: i32,
        order_total: Decimal,
        currency: String,
        split_with: Vec<Uuid>,
        /// Whether they are asked because the policy names them for where the tree of departments ends; then the
        /// department is the topmost.
        #[serde(default)]
        is_top: bool,
    },
    LevelApproved {
        ask_id: Uuid,
        level: i32,
        by: Uuid,
        /// The named approver, when `by` decided in their place.
        #[serde(default)]
        on_behalf_of: Option<Uuid>,
        #[serde(default)]
        notes: Option<String>,
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    /// A `LevelAsked` of the same level follows.
    LevelEscalated {
        ask_id: Uuid,
        level: i32,
        from: Uuid,
        to: Uuid,
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    /// The named person may no longer decide; a `LevelAsked` of the same level follows.
    LevelReassigned {
        ask_id: Uuid,
        level: i32,
        from: Uuid,
        to: Uuid,
        /// Who had it reassigned.
        #[serde(default)]
        by: Option<Uuid>,
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    /// The deadline has passed and nobody above is left to ask. The ask stays open.
    ApprovalOverdue {
        ask_id: Uuid,
        level: i32,
        approver_id: Uuid,
    },
    ApprovalGranted {
        revision: i32,
        content_hash: String,
        /// Who approved the last level; nobody when no level is needed.
        #[serde(default)]
        approved_by: Option<Uuid>,
    },
    ApprovalRejected {
        revision: i32,
        /// The ask that was rejected; none when there was nobody to ask.
        #[serde(default)]
        ask_id: Option<Uuid>,
        #[serde(default)]
        level: Option<i32>,
        #[serde(default)]
        by: Option<Uuid>,
        /// The named approver, when `by` decided in their place.
        #[serde(default)]
        on_behalf_of: Option<Uuid>,
        /// Empty once they were struck.
        #[serde(deserialize_with = "domain::text::or_struck")]
        notes: String,
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
    ApprovalVoided {
        /// The asks that no longer count: those that were approved in this revision, and the open one.
        ask_ids: Vec<Uuid>,
        revision: i32,
        why: WhyVoid,
        /// Who submitted the order again, or cancelled it.
        #[serde(default)]
        by: Option<Uuid>,
        /// When they did.
        #[serde(default)]
        at: Option<DateTime<Utc>>,
    },
}

stored_by_variant!(Event {
    ApprovalAsked => "2",
    LevelAsked => "2",
    LevelApproved => "2",
    LevelEscalated => "2",
    LevelReassigned => "2",
    ApprovalRejected => "2",
    ApprovalVoided => "2",
});

impl domain::Event for Event {
    fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::LevelApproved { .. } | Self::ApprovalRejected { .. } => vec!["notes"],
            _ => Vec::new(),
        }
    }

    fn upcast(stored: &Stored<'_>) -> Result<(String, String), DecodeError> {
        match (stored.event_type, stored.version) {
            // Until version 2 managers alone were asked.
            ("LevelAsked", "1") => Ok((stored.event_type.to_owned(), stored.payload.to_owned())),
            // Until version 2 they did not say when, nor who was behind it: it stands in their metadata alone.
            (
                "ApprovalAsked" | "LevelApproved" | "LevelEscalated" | "LevelReassigned" | "ApprovalRejected"
                | "ApprovalVoided",
                "1",
            ) => Ok((stored.event_type.to_owned(), stored.payload.to_owned())),
            _ => Err(stored.unknown()),
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
