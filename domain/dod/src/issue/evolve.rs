//! What an issue is after each of its events.

use super::{Event, Investigation, Issue, IssueStatus, Matched, Opened, REMEMBERED_MAX, Remembered, Rows};

impl Issue {
    pub(super) fn evolved(&mut self, event: &Event) {
        match (&mut *self, event) {
            (_, Event::IssueOpened { brief, opened_at }) => {
                *self = Self::Opened(Box::new(Opened {
                    status: IssueStatus::Analyzing,
                    is_decided_by_person: false,
                    severity: brief.severity,
                    brief: (**brief).clone(),
                    opened_at: *opened_at,
                    alerts: Default::default(),
                    alerts_open: 0,
                    is_flapping: false,
                    remembered: Vec::new(),
                    assigned_to: None,
                    is_seen_to: false,
                    investigation: Investigation::default(),
                    has_evidence: false,
                    ended_by_itself: false,
                    conclusion: None,
                    is_real_issue: None,
                    is_corrected: false,
                    rows: Rows::default(),
                }));
            }
            (Self::Opened(opened), Event::IssueArchived { .. }) => {
                *self = Self::Archived {
                    has_evidence: opened.has_evidence,
                };
            }
            (Self::Opened(opened), event) => opened.evolved(event),
            (Self::Archived { has_evidence }, Event::IssueEvidenceDropped {}) => *has_evidence = false,
            (Self::Unopened | Self::Archived { .. }, _) => {}
        }
    }
}

impl Opened {
    fn evolved(&mut self, event: &Event) {
        self.rows.evolved(event);
        match event {
            Event::IssueOpened { .. } | Event::IssueArchived { .. } => {}
            Event::IssueAlertBound {
                alert_id,
                severity,
                brief,
                is_flapping,
                ..
            } => {
                self.is_flapping |= *is_flapping;
                self.alerts.insert(*alert_id, false);
                self.alerts_open += 1;
                self.severity = self.severity.max(*severity);
                let first = || self.alerts.len() == 1;
                let brief = brief.as_deref().or_else(|| first().then_some(&self.brief));
                if let Some(brief) = brief.cloned()
                    && self.remembered.len() < REMEMBERED_MAX
                {
                    self.remembered.push(Remembered {
                        alert_id: *alert_id,
                        brief,
                    });
                }
            }
            Event::IssueAlertRestated {
                alert_id,
                restated,
                is_first,
                ..
            } => {
                self.severity = self.severity.max(restated.severity);
                let remembered = self.remembered.iter_mut().find(|of| of.alert_id == *alert_id);
                let first = is_first.then_some(&mut self.brief);
                for brief in remembered.map(|of| &mut of.brief).into_iter().chain(first) {
                    brief.restate(restated);
                }
            }
            Event::IssueAlertEnded { alert_id } => {
                self.alerts.insert(*alert_id, true);
                self.alerts_open = self.alerts_open.saturating_sub(1);
            }
            Event::IssueAlertReopened { alert_id } => {
                self.alerts.insert(*alert_id, false);
                self.alerts_open += 1;
            }
            Event::InvestigationBegun { round, status } => {
                self.investigation = Investigation {
                    round: *round,
                    ..Investigation::default()
                };
                self.status = *status;
                // What it has said before is open again.
                self.ended_by_itself &= !self.is_open();
            }
            Event::IssueSkillMatched {
                skill_id,
                by,
                evidence,
                sop,
                ..
            } => {
                self.has_evidence |= evidence.open().is_some();
                self.investigation.matched = Some(Matched {
                    skill_id: *skill_id,
                    by: *by,
                    evidence: evidence.open().cloned(),
                    sop: sop.clone(),
                });
            }
            Event::InvestigationStepTaken { finding, .. } => self.investigation.findings.push((**finding).clone()),
            Event::IssueConcluded { conclusion, status, .. } => {
                self.investigation.is_over = true;
                // What a person has called none meanwhile did not end by itself.
                self.ended_by_itself |= self.is_open() && *status == IssueStatus::FalsePositive;
                self.status = *status;
                self.conclusion = Some(conclusion.text.clone());
                if !self.is_corrected {
                    self.is_real_issue = conclusion.is_real_issue;
                }
            }
            Event::IssueAssigned { user_id, by_itself } => {
                self.assigned_to = Some(*user_id);
                self.is_seen_to |= !by_itself;
            }
            Event::IssueStarted {} => {
                self.status = IssueStatus::InProgress;
                self.is_decided_by_person = true;
                self.is_seen_to = true;
            }
            Event::IssueResolved { by_itself, .. } => {
                self.status = IssueStatus::Resolved;
                self.ended_by_itself = *by_itself;
                self.is_decided_by_person = !by_itself;
            }
            Event::IssueMarkedFalsePositive { .. } => {
                self.is_real_issue = Some(false);
                self.status = IssueStatus::FalsePositive;
                self.ended_by_itself = false;
                self.is_decided_by_person = true;
            }
            Event::IssueMarkedUnableToResolve {} => {
                self.status = IssueStatus::UnableToResolve;
                self.is_decided_by_person = true;
                self.is_seen_to = true;
            }
            Event::IssueReopened { .. } => {
                if self.status == IssueStatus::FalsePositive && !self.is_corrected {
                    self.is_real_issue = None;
                }
                self.ended_by_itself = false;
                self.is_decided_by_person = false;
                self.is_seen_to = false;
                self.status = match self.investigation.is_over {
                    true => IssueStatus::InProgress,
                    false => IssueStatus::Analyzing,
                };
            }
            Event::IssueCorrected { is_real_issue, .. } => {
                self.is_real_issue = Some(*is_real_issue);
                self.is_corrected = true;
            }
            Event::IssueEvidenceDropped {} => {
                self.has_evidence = false;
                if let Some(matched) = &mut self.investigation.matched {
                    matched.evidence = None;
                }
            }
        }
    }
}

impl Rows {
    fn evolved(&mut self, event: &Event) {
        match event {
            Event::IssueAlertBound { binding_id, .. } => self.bindings.push(*binding_id),
            Event::IssueSkillMatched { log_id, .. }
            | Event::InvestigationStepTaken { log_id, .. }
            | Event::IssueConcluded { log_id, .. }
            | Event::IssueAlertRestated { log_id, .. }
            | Event::IssueCorrected { log_id, .. } => self.logs.push(*log_id),
            _ => {}
        }
    }
}
