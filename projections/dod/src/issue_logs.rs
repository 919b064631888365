//! What was found out about issues, step by step.

use chrono::{DateTime, Utc};
use dod::issue::{Event, Issue, LogType};
use dod_skills::finding::{Finding, Outcome};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor};
use projections::row;
use projections::table::Scope;

use crate::count;

row! {
    /// A step of an investigation, or what a person said of it.
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
        /// Which investigation of the issue it belongs to, from 1; null when it is what a person said.
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

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Issue>() {
            Some(
                Event::IssueSkillMatched { log_id, .. }
                | Event::InvestigationStepTaken { log_id, .. }
                | Event::IssueConcluded { log_id, .. }
                | Event::IssueCorrected { log_id, .. },
            ) => vec![*log_id],
            Some(_) | None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(found) = recorded.of::<Issue>().and_then(found) else {
            return Ok(row);
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            issue_id: recorded.stream,
            log_type: Word(found.log_type),
            content: found.content,
            metadata: Some(found.metadata).filter(|metadata| !metadata.is_null()),
            round: found.round.map(count),
            user_id: actor(recorded).filter(|_| found.round.is_none()),
            created_at: recorded.at,
        }))
    }
}

/// What an event tells of an investigation.
struct Found {
    log_type: LogType,
    content: String,
    metadata: Value,
    round: Option<u32>,
}

fn found(event: &Event) -> Option<Found> {
    Some(match event {
        Event::IssueSkillMatched {
            round, why, metadata, ..
        } => Found {
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
            log_type: *log_type,
            content: sentence(finding),
            metadata: metadata.clone(),
            round: Some(*round),
        },
        Event::IssueConcluded { round, conclusion, .. } => Found {
            log_type: LogType::Conclusion,
            content: conclusion.text.clone(),
            metadata: json!({
                "is_real_issue": conclusion.is_real_issue,
                "evidence": conclusion.evidence,
                "unknown": conclusion.unknown,
            }),
            round: Some(*round),
        },
        Event::IssueCorrected {
            is_real_issue,
            conclusion,
            ..
        } => Found {
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
