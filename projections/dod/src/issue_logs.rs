//! What was found out about issues, step by step.

use chrono::{DateTime, Utc};
use dod::escalation::{self, Escalation};
use dod::issue::{Event, Issue, LogType};
use dod_skills::finding::{Finding, Outcome};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

row! {
    /// A step of an investigation, what a person said of it, that an alert went from one severity to another, or what was done
    /// because nobody saw to the issue. Once the issue is archived the row is gone.
    IssueLogRow = dod.issue_logs
    key {
        /// The step's id.
        id: Uuid,
    }
    columns {
        /// The issue.
        issue_id: Uuid,
        /// What the step is: `skill_matched`, `tool_called`, `reasoning`, `conclusion`.
        log_type: Word<LogType>,
        /// What was found, in sentences.
        content: String,
        /// The same in parts, by the kind of step.
        metadata: Option<Value>,
        /// Which investigation of the issue it belongs to, from 1; null when it belongs to none.
        round: Option<i32>,
        /// The user who said it; null when Daybook itself found it.
        user_id: Option<Uuid>,
        /// When it was found.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, issue_id, log_type, created_at }
    scope { Scope::Tenant }
    masked {}
    texts { content }
}

impl Project for IssueLogRow {
    const APPENDS: bool = true;
    const TAKES: Option<fn(&Recorded<AnyEvent>) -> bool> = Some(|recorded| taken(recorded).is_some());

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        if let Some(taken) = taken(recorded) {
            return taken.to_vec();
        }
        if let Some(
            Event::IssueSkillMatched { log_id, .. }
            | Event::InvestigationStepTaken { log_id, .. }
            | Event::IssueConcluded { log_id, .. }
            | Event::IssueAlertRestated { log_id, .. }
            | Event::IssueCorrected { log_id, .. },
        ) = recorded.of::<Issue>()
        {
            return vec![*log_id];
        }
        match recorded.of::<Escalation>() {
            Some(
                escalation::Event::EscalationStepTaken { log_id, .. }
                | escalation::Event::EscalationPostponed { log_id, .. },
            ) => vec![*log_id],
            Some(_) | None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        if taken(recorded).is_some() {
            return existing(row).map(|_| None);
        }
        let of_issue = recorded.of::<Issue>().and_then(|event| found(event, recorded.stream));
        let Some(found) = of_issue.or_else(|| recorded.of::<Escalation>().and_then(escalated)) else {
            return Ok(row);
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            issue_id: found.issue_id,
            log_type: Word(found.log_type),
            content: found.content,
            metadata: Some(found.metadata).filter(|metadata| !metadata.is_null()),
            round: found.round.map(count),
            user_id: actor(recorded).filter(|_| found.round.is_none()),
            created_at: recorded.at,
        }))
    }
}

/// The rows that an event takes away, if it does.
fn taken(recorded: &Recorded<AnyEvent>) -> Option<&[Uuid]> {
    let of_issue = match recorded.of::<Issue>() {
        Some(Event::IssueArchived { logs, .. }) => Some(logs),
        Some(_) | None => None,
    };
    let of_escalation = match recorded.of::<Escalation>() {
        Some(escalation::Event::EscalationArchived { logs, .. }) => Some(logs),
        Some(_) | None => None,
    };
    of_issue.or(of_escalation).map(Vec::as_slice)
}

/// What an event tells of an issue.
struct Found {
    issue_id: Uuid,
    log_type: LogType,
    content: String,
    metadata: Value,
    round: Option<u32>,
}

/// What was done because nobody saw to it: the document has no word for it.
fn escalated(event: &escalation::Event) -> Option<Found> {
    match event {
        escalation::Event::EscalationStepTaken {
            issue_id,
            round,
            step,
            content,
            receiver_im,
            assigned_to,
            ..
        } => Some(Found {
            issue_id: *issue_id,
            log_type: LogType::Reasoning,
            content: content.clone(),
            metadata: json!({ "escalation": round, "step": step, "receiver_im": receiver_im, "assigned_to": assigned_to }),
            round: None,
        }),
        escalation::Event::EscalationPostponed {
            issue_id,
            round,
            step,
            content,
            silence_id,
            next_at,
            ..
        } => Some(Found {
            issue_id: *issue_id,
            log_type: LogType::Reasoning,
            content: content.clone(),
            metadata: json!({ "escalation": round, "step": step, "silence_id": silence_id, "next_at": next_at }),
            round: None,
        }),
        _ => None,
    }
}

fn found(event: &Event, issue_id: Uuid) -> Option<Found> {
    Some(match event {
        Event::IssueSkillMatched {
            round, why, metadata, ..
        } => Found {
            issue_id,
            log_type: LogType::SkillMatched,
            content: why.clone(),
            metadata: metadata.clone(),
            round: Some(*round),
        },
        Event::InvestigationStepTaken {
            round,
            finding,
            log_type,
            metadata,
            ..
        } => Found {
            issue_id,
            log_type: *log_type,
            content: sentence(finding),
            metadata: metadata.clone(),
            round: Some(*round),
        },
        Event::IssueConcluded { round, conclusion, .. } => Found {
            issue_id,
            log_type: LogType::Conclusion,
            content: conclusion.text.clone(),
            metadata: json!({
                "is_real_issue": conclusion.is_real_issue,
                "evidence": conclusion.evidence,
                "unknown": conclusion.unknown,
            }),
            round: Some(*round),
        },
        // The document has no word for it.
        Event::IssueAlertRestated {
            alert_id,
            restated,
            content,
            ..
        } => Found {
            issue_id,
            log_type: LogType::Reasoning,
            content: content.clone(),
            metadata: json!({ "alert_id": alert_id, "severity": restated.severity }),
            round: None,
        },
        Event::IssueCorrected {
            is_real_issue,
            conclusion,
            ..
        } => Found {
            issue_id,
            log_type: LogType::Conclusion,
            content: conclusion.clone().unwrap_or_default(),
            metadata: json!({ "is_real_issue": is_real_issue }),
            round: None,
        },
        _ => return None,
    })
}

fn sentence(finding: &Finding) -> String {
    let outcome = match finding.outcome {
        Outcome::Held => "holds",
        Outcome::Failed => "does not hold",
        Outcome::CouldNotKnow => "could not be known",
    };
    format!("{}: {outcome}. {}", finding.check, finding.seen)
}
