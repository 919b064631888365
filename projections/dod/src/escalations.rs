//! What is done when nobody sees to an issue: what is set, and how far it got.

use chrono::{DateTime, Utc};
use dod::escalation::{Escalation, Event, StoppedHow};
use dod::escalation_policy::{self, EscalationPolicies};
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

row! {
    /// A policy of escalation: who is told when nobody sees to an issue. A policy that was dropped is gone.
    EscalationPolicyRow = dod.escalation_policies
    key {
        /// The policy's id.
        id: Uuid,
    }
    columns {
        /// What people call it.
        name: String,
        /// The issues that it is for: those for whose first alert all of these hold.
        conditions: Value,
        /// Policies of a higher priority are asked first, and among equals the older.
        priority: i32,
        /// What is done, the earliest first: `after_minutes`, `receiver_im`, `assign_to`.
        steps: Value,
        /// The user who first set it; null when Daybook itself did.
        created_by: Option<Uuid>,
        /// When it was first set.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, priority, created_at }
    scope { Scope::Tenant }
    masked {}
}

// As rules are.
impl Project for EscalationPolicyRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<EscalationPolicies>() {
            Some(
                escalation_policy::Event::EscalationPolicySet { policy_id, .. }
                | escalation_policy::Event::EscalationPolicyDropped { policy_id },
            ) => vec![*policy_id],
            None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<EscalationPolicies>() else {
            return Ok(row);
        };
        match event {
            escalation_policy::Event::EscalationPolicySet {
                policy_id: _,
                name,
                when,
                priority,
                steps,
            } => {
                let first = (recorded.position, recorded.at, actor(recorded));
                let came = row.map_or(first, |row| (row.position, row.created_at, row.created_by));
                let (position, created_at, created_by) = came;
                Ok(Some(Self {
                    tenant_id: recorded.tenant_id,
                    position,
                    id,
                    name: name.clone(),
                    conditions: json!(when),
                    priority: *priority,
                    steps: json!(steps),
                    created_by,
                    created_at,
                    updated_at: recorded.at,
                }))
            }
            escalation_policy::Event::EscalationPolicyDropped { .. } => existing(row).map(|_| None),
        }
    }
}

/// How far an escalation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationStatus {
    /// Steps are still to come.
    UnderWay,
    /// All of its steps were taken.
    Exhausted,
    /// Somebody sees to the issue.
    SeenTo,
    /// The issue has ended.
    Ended,
}

impl From<EscalationStatus> for &'static str {
    fn from(status: EscalationStatus) -> Self {
        match status {
            EscalationStatus::UnderWay => "under_way",
            EscalationStatus::Exhausted => "exhausted",
            EscalationStatus::SeenTo => "seen_to",
            EscalationStatus::Ended => "ended",
        }
    }
}

row! {
    /// The escalation of an issue that nobody sees to, by the steps that held then. It goes with the issue once
    /// that is archived.
    EscalationRow = dod.escalations
    key {
        /// The escalation's id.
        id: Uuid,
    }
    columns {
        /// The issue.
        issue_id: Uuid,
        /// The policy that it began by; it may have changed since.
        policy_id: Uuid,
        /// What that was called.
        policy_name: String,
        /// How often it has begun: once, and again each time that the issue is reopened, calls for another policy as it
        /// gets worse, or is not seen to any more.
        round: i32,
        /// How far it is: `under_way`, `exhausted` when all steps were taken, `seen_to`, `ended`.
        status: Word<EscalationStatus>,
        /// What is done, the earliest first: `after_minutes`, `receiver_im`, `assign_to`.
        steps: Value,
        /// How many steps were taken.
        steps_taken: i32,
        /// When the next step is due; null when there is none.
        next_at: Option<DateTime<Utc>>,
        /// When it first began.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, issue_id, status, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for EscalationRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Escalation>() {
            Some(Event::EscalationEndTold { .. }) | None => Vec::new(),
            // What it wrote into the log goes before it.
            Some(Event::EscalationArchived { part, parts, .. }) if part < parts => Vec::new(),
            Some(_) => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Escalation>() else {
            return Ok(row);
        };
        if let Event::EscalationBegun {
            issue_id,
            round,
            policy_id,
            policy_name,
            steps,
            next_at,
            ..
        } = event
        {
            let first = (recorded.position, recorded.at);
            let (position, created_at) = row.map_or(first, |row| (row.position, row.created_at));
            return Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position,
                id,
                issue_id: *issue_id,
                policy_id: *policy_id,
                policy_name: policy_name.clone(),
                round: count(*round),
                status: Word(EscalationStatus::UnderWay),
                steps: json!(steps),
                steps_taken: 0,
                next_at: Some(*next_at),
                created_at,
                updated_at: recorded.at,
            }));
        }
        let row = existing(row)?;
        if let Event::EscalationArchived { .. } = event {
            return Ok(None);
        }
        Ok(Some(Self {
            updated_at: recorded.at,
            ..row.after(event)
        }))
    }
}

impl EscalationRow {
    fn after(self, event: &Event) -> Self {
        match event {
            Event::EscalationStepTaken { step, next_at, .. } => Self {
                status: Word(match next_at {
                    Some(_) => EscalationStatus::UnderWay,
                    None => EscalationStatus::Exhausted,
                }),
                steps_taken: count(*step),
                next_at: *next_at,
                ..self
            },
            Event::EscalationPostponed { next_at, .. } => Self {
                next_at: Some(*next_at),
                ..self
            },
            Event::EscalationStopped { how, .. } => Self {
                status: Word(match how {
                    StoppedHow::SeenTo => EscalationStatus::SeenTo,
                    StoppedHow::Ended => EscalationStatus::Ended,
                }),
                next_at: None,
                ..self
            },
            Event::EscalationBegun { .. } | Event::EscalationEndTold { .. } | Event::EscalationArchived { .. } => self,
        }
    }
}
