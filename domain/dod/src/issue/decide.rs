//! What happens when a command meets an issue.

use dod_formats::Severity;
use domain::register::Register;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Claim, ClaimChange, Decider, Erase, FactRef, Request, SYSTEM, Sealed};
use identity::user::User;
use uuid::Uuid;

use super::{
    ALERT, ALERTS_MAX, Brief, CONCLUSION_CHARS_MAX, CONTENT_CHARS_MAX, Command, EVIDENCE_BYTES_MAX, Event, Issue,
    IssueStatus, METADATA_BYTES_MAX, Opened, REMEMBERED_MAX, Refusal, STEPS_MAX, erased,
};
use crate::alert::{Alert, Restated};
use crate::archive;
use crate::skill::Skill;

impl Decider for Issue {
    const TYPE: &'static str = "dod.issue";
    const CREATES: &'static str = "bind";
    const CLAIMS: &'static [Claim] = &[ALERT];
    const ONLY_DAYBOOK: &'static [&'static str] = &[
        "bind",
        "note-alert-ended",
        "note-alert-restated",
        "note-alert-reopened",
        "note-match",
        "note-step",
        "conclude",
        "drop-evidence",
        "archive",
    ];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        match (self, request.command) {
            (Self::Unopened, Command::Bind { alert_id }) => Ok(open(*alert_id, alert(*alert_id, request)?, request)),
            (Self::Unopened, _) => Err(Refusal::NotOpened),
            // What an investigation looked at goes in its time, wherever the issue is.
            (Self::Archived { has_evidence }, Command::DropEvidence {}) => {
                let dropped = has_evidence.then_some(Event::IssueEvidenceDropped {});
                Ok(dropped.into_iter().collect())
            }
            (Self::Archived { .. }, Command::Archive { .. }) => Ok(Vec::new()),
            (Self::Archived { .. }, _) => Err(Refusal::Archived),
            (Self::Opened(opened), Command::Archive { archive, sha256 }) => opened.archived(archive, sha256),
            (Self::Opened(opened), Command::Bind { alert_id }) => {
                opened.bind(*alert_id, alert(*alert_id, request)?, request)
            }
            (Self::Opened(opened), Command::NoteAlertEnded { alert_id, with_issue }) => {
                opened.alert_ended(*alert_id, *with_issue, request)
            }
            (
                Self::Opened(opened),
                Command::NoteAlertRestated {
                    alert_id,
                    from,
                    restated,
                },
            ) => opened.alert_restated(*alert_id, *from, restated, request),
            (Self::Opened(opened), Command::NoteAlertReopened { alert_id }) => opened.alert_reopened(*alert_id),
            (Self::Opened(opened), Command::NoteMatch { .. } | Command::NoteStep { .. } | Command::Conclude { .. }) => {
                opened.investigated(request)
            }
            (Self::Opened(opened), Command::DropEvidence {}) => {
                let dropped = opened.has_evidence.then_some(Event::IssueEvidenceDropped {});
                Ok(dropped.into_iter().collect())
            }
            (Self::Opened(opened), _) => opened.handled(request),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolved(event);
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Bind { alert_id } => vec![FactRef::of::<Alert>(*alert_id)],
            Command::Assign { user_id } => vec![FactRef::of::<User>(*user_id)],
            Command::NoteMatch {
                skill_id: Some(skill_id),
                ..
            } => vec![FactRef::of::<Register<Skill>>(*skill_id)],
            _ => Vec::new(),
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        match event {
            Event::IssueAlertBound { alert_id, .. } => {
                ClaimChange::between(Vec::new(), vec![(ALERT, alert_id.to_string())])
            }
            _ => Vec::new(),
        }
    }

    fn erases(stream: Uuid, event: &Event) -> Vec<Erase> {
        erased(stream, event)
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        let opened = match (self, command) {
            (Self::Unopened, "bind") => return Ok(()),
            (Self::Unopened, _) => return Err(Refusal::NotOpened),
            (Self::Archived { .. }, "archive" | "drop-evidence") => return Ok(()),
            (Self::Archived { .. }, _) => return Err(Refusal::Archived),
            (Self::Opened(opened), _) => opened,
        };
        let status = opened.status;
        match command {
            "assign" | "start" | "mark-unable-to-resolve" if !opened.is_open() => Err(Refusal::Ended { status }),
            "resolve" if status == IssueStatus::FalsePositive => Err(Refusal::Ended { status }),
            "mark-false-positive" if status == IssueStatus::Resolved => Err(Refusal::Ended { status }),
            "reopen" if opened.is_open() => Err(Refusal::NotEnded { status }),
            "correct" if !opened.is_concluded() => Err(Refusal::NotConcluded),
            "investigate" if !opened.investigation.is_over => Err(Refusal::UnderWay),
            "archive" => opened.archivable(),
            _ => Ok(()),
        }
    }
}

/// The alert that is to join.
fn alert<'a>(alert_id: Uuid, request: &Request<'a, Command>) -> Result<&'a Brief, Refusal> {
    let alert = request.facts.get::<Alert>(alert_id).and_then(Alert::opened);
    alert.map(|alert| &alert.brief).ok_or(Refusal::NoAlert)
}

/// Whether the tenant has such a skill, or had it: what was found may be struck before it is noted.
fn is_skill(skill_id: Uuid, request: &Request<'_, Command>) -> bool {
    let skill = request.facts.get::<Register<Skill>>(skill_id);
    skill.is_some_and(|skill| !matches!(skill, Register::Unborn))
}

fn open(alert_id: Uuid, brief: &Brief, request: &Request<'_, Command>) -> Vec<Event> {
    vec![
        Event::IssueOpened {
            brief: Box::new(brief.clone()),
            opened_at: request.at,
        },
        Event::IssueAlertBound {
            binding_id: request.ids.draw(),
            alert_id,
            severity: brief.severity,
            brief: None,
            is_flapping: brief.is_flapping,
            worsens: false,
        },
        Event::InvestigationBegun {
            round: 1,
            status: IssueStatus::Analyzing,
        },
    ]
}

impl Opened {
    /// Whether an investigation or a person has said what it is.
    fn is_concluded(&self) -> bool {
        self.conclusion.is_some() || self.is_real_issue.is_some()
    }

    /// Whether it may leave: it is over in every way.
    fn archivable(&self) -> Result<(), Refusal> {
        match self.is_open() || self.alerts_open > 0 {
            true => Err(Refusal::NotOver),
            false => Ok(()),
        }
    }

    fn archived(&self, archive: &str, sha256: &str) -> Result<Vec<Event>, Refusal> {
        archive::check(archive, sha256).map_err(|(field, unfit)| Refusal::Unfit { field, unfit })?;
        self.archivable()?;
        let portions = archive::portions(&self.rows.bindings, &self.rows.logs);
        let event = |(part, parts, (bindings, logs))| Event::IssueArchived {
            archive: archive.to_owned(),
            sha256: sha256.to_owned(),
            part,
            parts,
            bindings,
            logs,
        };
        Ok(archive::numbered(portions).map(event).collect())
    }

    fn bind(&self, alert_id: Uuid, brief: &Brief, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        if self.alerts.contains_key(&alert_id) {
            return Ok(Vec::new());
        }
        if self.alerts.len() >= ALERTS_MAX {
            return Err(Refusal::TooManyAlerts);
        }
        let remembers = self.remembered.len() < REMEMBERED_MAX;
        let worsens = brief.severity > self.severity;
        let mut events = vec![Event::IssueAlertBound {
            binding_id: request.ids.draw(),
            alert_id,
            severity: brief.severity,
            brief: remembers.then(|| Box::new(brief.clone())),
            is_flapping: brief.is_flapping,
            worsens,
        }];
        if self.reopens(worsens) {
            events.push(Event::IssueReopened { by_itself: true });
        }
        Ok(events)
    }

    fn alert_restated(
        &self,
        alert_id: Uuid,
        from: Severity,
        restated: &Restated,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        match self.alerts.get(&alert_id) {
            None => return Err(Refusal::NotBound),
            Some(true) => return Ok(Vec::new()),
            Some(false) => {}
        }
        let worsens = restated.severity > self.severity;
        let first = self.remembered.first().map(|first| first.alert_id);
        let mut events = vec![Event::IssueAlertRestated {
            log_id: request.ids.draw(),
            alert_id,
            restated: Box::new(restated.clone()),
            content: format!("An alert went from {from} to {}: {}", restated.severity, restated.title),
            is_first: first == Some(alert_id),
            worsens,
        }];
        if self.reopens(worsens) {
            events.push(Event::IssueReopened { by_itself: true });
        }
        Ok(events)
    }

    fn alert_ended(
        &self,
        alert_id: Uuid,
        with_issue: bool,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        match self.alerts.get(&alert_id) {
            None => Err(Refusal::NotBound),
            Some(true) => Ok(Vec::new()),
            Some(false) => {
                let mut events = vec![Event::IssueAlertEnded { alert_id }];
                if self.alerts_open == 1 && self.is_open() && !with_issue {
                    events.push(Event::IssueResolved {
                        by_itself: true,
                        conclusion: None,
                        resolved_at: request.at,
                    });
                }
                Ok(events)
            }
        }
    }

    fn alert_reopened(&self, alert_id: Uuid) -> Result<Vec<Event>, Refusal> {
        match self.alerts.get(&alert_id) {
            None => Err(Refusal::NotBound),
            Some(false) => Ok(Vec::new()),
            Some(true) => {
                let mut events = vec![Event::IssueAlertReopened { alert_id }];
                // A person has opened it: that is their latest word, whoever has ended the issue.
                if !self.is_open() {
                    events.push(Event::IssueReopened { by_itself: true });
                }
                Ok(events)
            }
        }
    }

    /// What an investigator says.
    fn investigated(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let now = &self.investigation;
        let check = |round: u32, metadata: Option<&serde_json::Value>| {
            if round != now.round || now.is_over {
                return Err(Refusal::OtherRound);
            }
            let fits = metadata.map_or(Ok(()), |metadata| text::json(metadata, METADATA_BYTES_MAX));
            fits.map_err(|unfit| Refusal::Unfit {
                field: "metadata",
                unfit,
            })
        };
        Ok(vec![match request.command {
            Command::NoteMatch {
                round,
                skill_id,
                by,
                why,
                evidence,
                sop,
                metadata,
            } => {
                check(*round, Some(metadata))?;
                if now.matched.is_some() {
                    return Err(Refusal::AlreadyMatched);
                }
                if skill_id.is_some_and(|skill_id| !is_skill(skill_id, request)) {
                    return Err(Refusal::NoSkill);
                }
                let bytes = serde_json::to_vec(evidence).map_or(usize::MAX, |json| json.len());
                if bytes > EVIDENCE_BYTES_MAX {
                    return Err(Refusal::Unfit {
                        field: "evidence",
                        unfit: Unfit::TooLarge {
                            bytes,
                            max: EVIDENCE_BYTES_MAX,
                        },
                    });
                }
                text::required(why, CONTENT_CHARS_MAX).map_err(|unfit| Refusal::Unfit { field: "why", unfit })?;
                Event::IssueSkillMatched {
                    log_id: request.ids.draw(),
                    round: *round,
                    skill_id: *skill_id,
                    by: *by,
                    why: why.clone(),
                    evidence: Sealed::Open(evidence.clone()),
                    sop: sop.clone(),
                    metadata: metadata.clone(),
                }
            }
            Command::NoteStep {
                round,
                finding,
                log_type,
                metadata,
            } => {
                check(*round, Some(metadata))?;
                if now.matched.is_none() {
                    return Err(Refusal::NotMatched);
                }
                let taken = u32::try_from(now.findings.len()).unwrap_or(u32::MAX);
                if taken >= STEPS_MAX {
                    return Err(Refusal::TooManySteps);
                }
                if now.findings.iter().any(|before| before.step >= finding.step) {
                    return Err(Refusal::OtherStep);
                }
                Event::InvestigationStepTaken {
                    log_id: request.ids.draw(),
                    round: *round,
                    finding: finding.clone(),
                    log_type: *log_type,
                    metadata: metadata.clone(),
                }
            }
            Command::Conclude { round, conclusion } => {
                check(*round, None)?;
                // One that broke off before says only that: otherwise nothing would ever end it.
                let says_nothing = conclusion.is_real_issue.is_none() && conclusion.evidence.is_empty();
                if now.matched.is_none() && !says_nothing {
                    return Err(Refusal::NotMatched);
                }
                Event::IssueConcluded {
                    log_id: request.ids.draw(),
                    round: *round,
                    conclusion: conclusion.clone(),
                    status: self.concluded(conclusion.is_real_issue),
                }
            }
            _ => return Err(Refusal::OtherStep),
        }])
    }

    /// Where it stands once that is concluded: what a person or its alerts have said before stays.
    fn concluded(&self, is_real_issue: Option<bool>) -> IssueStatus {
        match (self.status, is_real_issue) {
            (IssueStatus::Analyzing, Some(true)) => IssueStatus::InProgress,
            (IssueStatus::Analyzing, Some(false)) => IssueStatus::FalsePositive,
            (IssueStatus::Analyzing, None) => IssueStatus::UnableToResolve,
            (status, _) => status,
        }
    }

    /// Where it stands once it is looked into anew: what a person has said stays, and so does the end of all of its alerts.
    fn looked_into_anew(&self) -> IssueStatus {
        match self.status {
            status if self.is_decided_by_person => status,
            IssueStatus::Resolved => IssueStatus::Resolved,
            IssueStatus::Analyzing
            | IssueStatus::InProgress
            | IssueStatus::FalsePositive
            | IssueStatus::UnableToResolve => IssueStatus::Analyzing,
        }
    }

    /// What a person says.
    fn handled(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let status = self.status;
        // What was only found out by itself is said anew by a person, so that it stays.
        let is_said = |asked: IssueStatus| status == asked && self.is_decided_by_person;
        let open = || match self.is_open() {
            true => Ok(()),
            false => Err(Refusal::Ended { status }),
        };
        let happens = match request.command {
            Command::Assign { user_id } => {
                open()?;
                if !request.facts.get::<User>(*user_id).is_some_and(User::is_active_person) {
                    return Err(Refusal::NoPerson);
                }
                let by_itself = request.by == SYSTEM;
                // What a person says counts more, and it counts also where Daybook has said the same before.
                let changes = match by_itself {
                    true => !self.is_seen_to && self.assigned_to != Some(*user_id),
                    false => !self.is_seen_to || self.assigned_to != Some(*user_id),
                };
                changes.then_some(Event::IssueAssigned {
                    user_id: *user_id,
                    by_itself,
                })
            }
            Command::Start {} => {
                open()?;
                (!is_said(IssueStatus::InProgress)).then_some(Event::IssueStarted {})
            }
            Command::Resolve { conclusion } => {
                check_conclusion(conclusion.as_ref())?;
                match status {
                    IssueStatus::Resolved if self.is_decided_by_person => None,
                    IssueStatus::FalsePositive => return Err(Refusal::Ended { status }),
                    _ => Some(Event::IssueResolved {
                        by_itself: false,
                        conclusion: conclusion.clone(),
                        resolved_at: request.at,
                    }),
                }
            }
            Command::MarkFalsePositive { conclusion } => {
                check_conclusion(conclusion.as_ref())?;
                match status {
                    IssueStatus::FalsePositive if self.is_decided_by_person => None,
                    IssueStatus::Resolved => return Err(Refusal::Ended { status }),
                    _ => Some(Event::IssueMarkedFalsePositive {
                        conclusion: conclusion.clone(),
                        resolved_at: request.at,
                    }),
                }
            }
            Command::MarkUnableToResolve {} => {
                open()?;
                (!is_said(IssueStatus::UnableToResolve)).then_some(Event::IssueMarkedUnableToResolve {})
            }
            Command::Reopen {} if self.is_open() => return Err(Refusal::NotEnded { status }),
            Command::Reopen {} => Some(Event::IssueReopened { by_itself: false }),
            Command::Correct {
                is_real_issue,
                conclusion,
            } => {
                if !self.is_concluded() {
                    return Err(Refusal::NotConcluded);
                }
                text::required(conclusion, CONCLUSION_CHARS_MAX).map_err(|unfit| Refusal::Unfit {
                    field: "conclusion",
                    unfit,
                })?;
                Some(Event::IssueCorrected {
                    log_id: request.ids.draw(),
                    alert_type: self.brief.alert_type.clone(),
                    is_real_issue: *is_real_issue,
                    conclusion: Some(conclusion.clone()),
                })
            }
            Command::Investigate {} => {
                if !self.investigation.is_over {
                    return Err(Refusal::UnderWay);
                }
                Some(Event::InvestigationBegun {
                    round: self.investigation.round + 1,
                    status: self.looked_into_anew(),
                })
            }
            // What no person says.
            Command::Bind { .. }
            | Command::NoteAlertEnded { .. }
            | Command::NoteAlertRestated { .. }
            | Command::NoteAlertReopened { .. }
            | Command::NoteMatch { .. }
            | Command::NoteStep { .. }
            | Command::Conclude { .. }
            | Command::DropEvidence {}
            | Command::Archive { .. } => return Err(Refusal::OtherStep),
        };
        Ok(happens.into_iter().collect())
    }
}

fn check_conclusion(conclusion: Option<&String>) -> Result<(), Refusal> {
    text::optional(conclusion, CONCLUSION_CHARS_MAX).map_err(|unfit| Refusal::Unfit {
        field: "conclusion",
        unfit,
    })
}
