//! What alerts are about, and which ones belong to it.

use chrono::{DateTime, Utc};
use dod::issue::{Event, Issue, IssueStatus, MatchedBy};
use dod_formats::Severity;
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

use crate::count;

row! {
    /// What one or more alerts are about. An archived issue's row is gone, and so are those of all that belongs to it.
    IssueRow = dod.issues
    key {
        /// The issue's id.
        id: Uuid,
    }
    columns {
        /// The user whom it is given to.
        assigned_to: Option<Uuid>,
        /// Nobody: Daybook itself makes issues of alerts.
        created_by: Option<Uuid>,
        /// The skill that its latest investigation follows; null when none was found.
        skill_id: Option<Uuid>,
        /// How that was found: `binding`, `similarity`, `nothing`; null while nobody has looked.
        matched_by: Option<Word<MatchedBy>>,
        /// What its first alert says, in a line.
        title: String,
        /// What its first alert says, at length.
        description: Option<String>,
        /// The type of its first alert.
        alert_type: String,
        /// The source of its first alert.
        source: String,
        /// The receiver that is told of it.
        receiver_im: Option<String>,
        /// How bad the worst of its alerts ever was: `critical`, `high`, `medium`, `low`.
        severity: Word<Severity>,
        /// Where it stands: `analyzing`, `in_progress`, `resolved`, `false_positive`, `unable_to_resolve`.
        status: Word<IssueStatus>,
        /// How many alerts belong to it.
        alerts: i32,
        /// How many of them are not over.
        alerts_open: i32,
        /// How many investigations have begun.
        rounds: i32,
        /// What the latest investigation that came to its end says.
        ai_conclusion: Option<String>,
        /// When it came to its end; null while one is under way.
        concluded_at: Option<DateTime<Utc>>,
        /// Whether it is a real issue; null when that is not known. What a person says of it counts.
        is_real_issue: Option<bool>,
        /// What it was, in the words of who ended it.
        resolution: Option<String>,
        /// What it was, in the words of who corrected the investigation.
        correction: Option<String>,
        /// When it was last corrected.
        corrected_at: Option<DateTime<Utc>>,
        /// The user who last corrected it.
        corrected_by: Option<Uuid>,
        /// The user who ended it; null when its alerts or the investigation did.
        resolved_by: Option<Uuid>,
        /// When it was opened.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
        /// When it ended; null while it has not.
        resolved_at: Option<DateTime<Utc>>,
    }
    generated {}
    find { id, assigned_to, created_by, skill_id, alert_type, severity, status, created_at }
    scope { Scope::Tenant }
    masked {}
    texts { resolution, correction }
}

impl Project for IssueRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Issue>() {
            Some(Event::InvestigationStepTaken { .. } | Event::IssueEvidenceDropped {}) | None => Vec::new(),
            // What belongs to it goes before it.
            Some(Event::IssueArchived { part, parts, .. }) if part < parts => Vec::new(),
            Some(_) => vec![recorded.stream],
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Issue>() else {
            return Ok(row);
        };
        if let Event::IssueOpened { brief, opened_at } = event {
            return Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                assigned_to: None,
                created_by: None,
                skill_id: None,
                matched_by: None,
                title: brief.title.clone(),
                description: brief.description.clone(),
                alert_type: brief.alert_type.clone(),
                source: brief.source.clone(),
                receiver_im: brief.receiver_im.clone(),
                severity: Word(brief.severity),
                status: Word(IssueStatus::Analyzing),
                alerts: 0,
                alerts_open: 0,
                rounds: 0,
                ai_conclusion: None,
                concluded_at: None,
                is_real_issue: None,
                resolution: None,
                correction: None,
                corrected_at: None,
                corrected_by: None,
                resolved_by: None,
                created_at: *opened_at,
                updated_at: recorded.at,
                resolved_at: None,
            }));
        }
        let row = existing(row)?;
        if let Event::IssueArchived { .. } = event {
            return Ok(None);
        }
        Ok(Some(Self {
            updated_at: recorded.at,
            ..row.after(event, recorded)
        }))
    }
}

impl IssueRow {
    fn after(self, event: &Event, recorded: &Recorded<AnyEvent>) -> Self {
        match event {
            Event::IssueAlertBound { severity, .. } => Self {
                severity: Word(self.severity.0.max(*severity)),
                alerts: self.alerts.saturating_add(1),
                alerts_open: self.alerts_open.saturating_add(1),
                ..self
            },
            Event::IssueAlertRestated { restated, is_first, .. } => {
                let (title, description) = match is_first {
                    true => (restated.title.clone(), restated.description.clone()),
                    false => (self.title, self.description),
                };
                Self {
                    severity: Word(self.severity.0.max(restated.severity)),
                    title,
                    description,
                    ..self
                }
            }
            Event::IssueAlertEnded { .. } => Self {
                alerts_open: self.alerts_open.saturating_sub(1),
                ..self
            },
            Event::IssueAlertReopened { .. } => Self {
                alerts_open: self.alerts_open.saturating_add(1),
                ..self
            },
            Event::InvestigationBegun { round, status } => Self {
                rounds: count(*round),
                concluded_at: None,
                skill_id: None,
                matched_by: None,
                ..self.stands(*status, recorded)
            },
            Event::IssueSkillMatched { skill_id, by, .. } => Self {
                skill_id: *skill_id,
                matched_by: Some(Word(*by)),
                ..self
            },
            Event::IssueConcluded { conclusion, status, .. } => Self {
                ai_conclusion: Some(conclusion.text.clone()),
                // What a person has said of it counts.
                is_real_issue: match self.corrected_at {
                    Some(_) => self.is_real_issue,
                    None => conclusion.is_real_issue,
                },
                concluded_at: Some(recorded.at),
                ..self.stands(*status, recorded)
            },
            Event::IssueAssigned { user_id, .. } => Self {
                assigned_to: Some(*user_id),
                ..self
            },
            Event::IssueStarted {} => self.stands(IssueStatus::InProgress, recorded),
            Event::IssueResolved {
                by_itself,
                conclusion,
                resolved_at,
            } => Self {
                status: Word(IssueStatus::Resolved),
                resolution: conclusion.clone(),
                resolved_by: actor(recorded).filter(|_| !by_itself),
                resolved_at: Some(*resolved_at),
                ..self
            },
            Event::IssueMarkedFalsePositive {
                conclusion,
                resolved_at,
            } => Self {
                status: Word(IssueStatus::FalsePositive),
                is_real_issue: Some(false),
                resolution: conclusion.clone(),
                resolved_by: actor(recorded),
                resolved_at: Some(*resolved_at),
                ..self
            },
            Event::IssueMarkedUnableToResolve {} => self.stands(IssueStatus::UnableToResolve, recorded),
            Event::IssueReopened { .. } => {
                let status = match self.concluded_at {
                    Some(_) => IssueStatus::InProgress,
                    None => IssueStatus::Analyzing,
                };
                let was_none = self.status == Word(IssueStatus::FalsePositive) && self.corrected_at.is_none();
                let is_real_issue = self.is_real_issue.filter(|_| !was_none);
                Self {
                    is_real_issue,
                    ..self.stands(status, recorded)
                }
            }
            Event::IssueCorrected {
                is_real_issue,
                conclusion,
                ..
            } => Self {
                is_real_issue: Some(*is_real_issue),
                correction: conclusion.clone(),
                corrected_at: Some(recorded.at),
                corrected_by: actor(recorded),
                ..self
            },
            Event::IssueOpened { .. }
            | Event::InvestigationStepTaken { .. }
            | Event::IssueEvidenceDropped {}
            | Event::IssueArchived { .. } => self,
        }
    }

    /// The row with this status; what says how it ended goes when it has not.
    fn stands(self, status: IssueStatus, recorded: &Recorded<AnyEvent>) -> Self {
        let row = Self {
            status: Word(status),
            ..self
        };
        match status {
            IssueStatus::Resolved | IssueStatus::FalsePositive => Self {
                resolved_at: row.resolved_at.or(Some(recorded.at)),
                ..row
            },
            IssueStatus::Analyzing | IssueStatus::InProgress | IssueStatus::UnableToResolve => Self {
                resolution: None,
                resolved_by: None,
                resolved_at: None,
                ..row
            },
        }
    }
}

row! {
    /// An alert that belongs to an issue. It belongs to no other. Once the issue is archived the row is gone.
    IssueAlertBindingRow = dod.issue_alert_bindings
    key {
        /// The binding's id.
        id: Uuid,
    }
    columns {
        /// The issue.
        issue_id: Uuid,
        /// The alert; unique.
        alert_id: Uuid,
        /// When it joined.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, issue_id, alert_id, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for IssueAlertBindingRow {
    const APPENDS: bool = true;
    const TAKES: Option<fn(&Recorded<AnyEvent>) -> bool> =
        Some(|recorded| matches!(recorded.of::<Issue>(), Some(Event::IssueArchived { .. })));

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Issue>() {
            Some(Event::IssueAlertBound { binding_id, .. }) => vec![*binding_id],
            Some(Event::IssueArchived { bindings, .. }) => bindings.clone(),
            Some(_) | None => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let alert_id = match recorded.of::<Issue>() {
            Some(Event::IssueAlertBound { alert_id, .. }) => alert_id,
            Some(Event::IssueArchived { .. }) => return existing(row).map(|_| None),
            Some(_) | None => return Ok(row),
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            issue_id: recorded.stream,
            alert_id: *alert_id,
            created_at: recorded.at,
        }))
    }
}
