//! What happens when a command meets an alert.

use domain::{Asker, Asking, Decider, Erase, FactRef, Request, Sealed};
use identity::user::User;
use uuid::Uuid;

use super::{Alert, AlertStatus, Brief, Command, Event, Opened, Refusal, ResolvedHow, Restated, erased};
use crate::archive;
use crate::conditions::Subject;
use crate::correlation::Correlations;
use crate::issue::Issue;
use crate::retention::Retention;
use crate::silence::{Silences, Silencing};

impl Decider for Alert {
    const TYPE: &'static str = "dod.alert";
    const CREATES: &'static str = "open";
    const ONLY_DAYBOOK: &'static [&'static str] = &[
        "open",
        "clear",
        "restate",
        "follow-sender",
        "note-issue",
        "end-with-issue",
        "end-silence",
        "drop-raw",
        "archive",
    ];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let opened = match (self, request.command) {
            (Self::Unopened, Command::Open { .. }) => return Ok(open(request).into_iter().collect()),
            (Self::Unopened, _) => return Err(Refusal::NotOpened),
            (Self::Opened(_) | Self::Archived, Command::Open { .. }) => return Err(Refusal::AlreadyOpened),
            (Self::Archived, Command::Archive { .. }) => return Ok(Vec::new()),
            (Self::Archived, _) => return Err(Refusal::Archived),
            (Self::Opened(opened), _) => opened,
        };
        let ended = Err(Refusal::Ended { status: opened.status });
        Ok(vec![match (opened.status, request.command) {
            (AlertStatus::Resolved, Command::Clear { .. }) => return Ok(Vec::new()),
            // What a person has said stays.
            (_, Command::Clear { cleared_at, .. }) if opened.is_ended_by_person() => {
                let over = (!opened.is_over).then_some(Event::AlertSignalOver { over_at: *cleared_at });
                return Ok(over.into_iter().collect());
            }
            (_, Command::Clear { cleared_at, expired }) => Event::AlertResolved {
                how: if *expired {
                    ResolvedHow::Timeout
                } else {
                    ResolvedHow::Sender
                },
                resolved_at: *cleared_at,
            },

            (AlertStatus::Resolved, Command::Restate { .. }) => return Ok(Vec::new()),
            (_, Command::Restate { source_id, restated }) => return Ok(opened.restated(*source_id, restated, request)),

            (_, Command::EndSilence {}) => {
                let now = subject(opened.source_id, &opened.brief);
                return Ok(opened.looks(&now, request).into_iter().collect());
            }

            (_, Command::DropRaw {}) => {
                let dropped = opened.has_raw.then_some(Event::AlertRawDropped {});
                return Ok(dropped.into_iter().collect());
            }

            (_, Command::NoteIssue { issue_id }) => {
                let is_new = opened.issue_id.is_none();
                let joined = is_new.then_some(Event::AlertJoinedIssue { issue_id: *issue_id });
                return Ok(joined.into_iter().collect());
            }
            (AlertStatus::Open | AlertStatus::Investigating, Command::EndWithIssue { false_positive: true }) => {
                Event::AlertMarkedFalsePositive {}
            }
            (AlertStatus::Open | AlertStatus::Investigating, Command::EndWithIssue { false_positive: false }) => {
                Event::AlertResolved {
                    how: ResolvedHow::Issue,
                    resolved_at: request.at,
                }
            }
            (_, Command::EndWithIssue { .. }) => return Ok(Vec::new()),

            (AlertStatus::Open, Command::Acknowledge {}) => Event::AlertAcknowledged { by_sender: false },
            (AlertStatus::Investigating, Command::Unacknowledge {}) => Event::AlertUnacknowledged {},
            // It is theirs from now on, whatever becomes of what the sender said.
            (AlertStatus::Investigating, Command::Acknowledge {}) if opened.is_acknowledged_by_sender => {
                Event::AlertAcknowledged { by_sender: false }
            }
            (AlertStatus::Investigating, Command::Acknowledge {}) | (AlertStatus::Open, Command::Unacknowledge {}) => {
                return Ok(Vec::new());
            }
            (_, Command::Acknowledge {} | Command::Unacknowledge {}) => return ended,

            (AlertStatus::Open, Command::FollowSender { acknowledged: true }) => {
                Event::AlertAcknowledged { by_sender: true }
            }
            (AlertStatus::Investigating, Command::FollowSender { acknowledged: false })
                if opened.is_acknowledged_by_sender =>
            {
                Event::AlertUnacknowledged {}
            }
            (_, Command::FollowSender { .. }) => return Ok(Vec::new()),

            (AlertStatus::Open | AlertStatus::Investigating, Command::Assign { user_id }) => {
                if opened.assigned_to == Some(*user_id) {
                    return Ok(Vec::new());
                }
                if !request.facts.get::<User>(*user_id).is_some_and(User::is_active_person) {
                    return Err(Refusal::NoPerson);
                }
                Event::AlertAssigned { user_id: *user_id }
            }
            (_, Command::Assign { .. }) => return ended,

            (AlertStatus::Resolved, Command::Resolve {})
            | (AlertStatus::FalsePositive, Command::MarkFalsePositive {}) => return Ok(Vec::new()),
            (AlertStatus::Ignored, Command::Ignore {}) if opened.is_ignored_by_person => return Ok(Vec::new()),
            (AlertStatus::Open | AlertStatus::Investigating | AlertStatus::Ignored, Command::Resolve {}) => {
                Event::AlertResolved {
                    how: ResolvedHow::Person,
                    resolved_at: request.at,
                }
            }
            (AlertStatus::Open | AlertStatus::Investigating | AlertStatus::Ignored, Command::MarkFalsePositive {}) => {
                Event::AlertMarkedFalsePositive {}
            }
            (AlertStatus::Open | AlertStatus::Investigating | AlertStatus::Ignored, Command::Ignore {}) => {
                Event::AlertIgnored {}
            }
            (_, Command::Resolve {} | Command::MarkFalsePositive {} | Command::Ignore {}) => return ended,

            (AlertStatus::FalsePositive | AlertStatus::Ignored, Command::Reopen {}) if !opened.is_over => {
                if opened.is_heartbeat {
                    return Err(Refusal::Heartbeat);
                }
                // Of very many alerts of an issue some leave after it, and none may be without one that is open.
                if opened.is_issue_archived(request) {
                    return Err(Refusal::IssueArchived);
                }
                Event::AlertReopened {}
            }
            // Its signal was let go, or is over.
            (AlertStatus::FalsePositive | AlertStatus::Ignored | AlertStatus::Resolved, Command::Reopen {}) => {
                return Err(Refusal::Over);
            }
            (AlertStatus::Open | AlertStatus::Investigating, Command::Reopen {}) => {
                return Err(Refusal::NotEnded { status: opened.status });
            }
            (_, Command::Archive { archive, sha256 }) => opened.archived(archive, sha256, request)?,
            (_, Command::Open { .. }) => return Err(Refusal::AlreadyOpened),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (
                _,
                Event::AlertOpened {
                    status,
                    signal_id,
                    brief,
                    is_heartbeat,
                    group_id,
                    window_minutes,
                    silence_id,
                    silence_ends_at,
                    source_id,
                    raw,
                    ..
                },
            ) => {
                *self = Self::Opened(Box::new(Opened {
                    status: *status,
                    signal_id: *signal_id,
                    source_id: *source_id,
                    group_id: *group_id,
                    window_minutes: *window_minutes,
                    silence_id: *silence_id,
                    silence_ends_at: *silence_ends_at,
                    is_heartbeat: *is_heartbeat,
                    is_ignored_by_person: false,
                    is_over: false,
                    has_raw: raw.open().is_some_and(Option::is_some),
                    assigned_to: None,
                    is_acknowledged_by_sender: false,
                    issue_id: None,
                    brief: (**brief).clone(),
                }));
            }
            (Self::Opened(_), Event::AlertArchived { .. }) => *self = Self::Archived,
            (Self::Opened(opened), event) => opened.evolve(event),
            (Self::Unopened | Self::Archived, _) => {}
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Open { .. } => vec![
                FactRef::of::<Correlations>(Correlations::only_stream(asking.tenant)),
                FactRef::of::<Silences>(Silences::only_stream(asking.tenant)),
                FactRef::of::<Retention>(Retention::only_stream(asking.tenant)),
            ],
            Command::Restate { .. } | Command::EndSilence {} => {
                vec![FactRef::of::<Silences>(Silences::only_stream(asking.tenant))]
            }
            Command::Assign { user_id } => vec![FactRef::of::<User>(*user_id)],
            Command::Reopen {} | Command::Archive { .. } => {
                let issue_id = self.opened().and_then(|opened| opened.issue_id);
                issue_id.map(FactRef::of::<Issue>).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn erases(stream: Uuid, event: &Event) -> Vec<Erase> {
        erased(stream, event)
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        let opened = match (self, command) {
            (Self::Unopened, "open") => return Ok(()),
            (Self::Unopened, _) => return Err(Refusal::NotOpened),
            (Self::Opened(_) | Self::Archived, "open") => return Err(Refusal::AlreadyOpened),
            (Self::Archived, "archive") => return Ok(()),
            (Self::Archived, _) => return Err(Refusal::Archived),
            (Self::Opened(opened), _) => opened,
        };
        let status = opened.status;
        match (status, command) {
            (_, "archive") => opened.archivable(),
            (AlertStatus::Open | AlertStatus::Investigating, "reopen") => Err(Refusal::NotEnded { status }),
            (AlertStatus::Open | AlertStatus::Investigating, _) => Ok(()),
            (AlertStatus::Resolved, "reopen") => Err(Refusal::Over),
            (AlertStatus::FalsePositive | AlertStatus::Ignored, "reopen") if opened.is_over => Err(Refusal::Over),
            (AlertStatus::FalsePositive | AlertStatus::Ignored, "reopen") if opened.is_heartbeat => {
                Err(Refusal::Heartbeat)
            }
            (AlertStatus::FalsePositive | AlertStatus::Ignored, "reopen") => Ok(()),
            (AlertStatus::Resolved, "resolve")
            | (AlertStatus::FalsePositive, "mark-false-positive")
            | (AlertStatus::Ignored, "ignore" | "resolve" | "mark-false-positive") => Ok(()),
            (
                _,
                "clear" | "restate" | "follow-sender" | "note-issue" | "end-with-issue" | "end-silence" | "drop-raw",
            ) => Ok(()),
            (_, _) => Err(Refusal::Ended { status }),
        }
    }
}

impl Opened {
    /// Whether a person has said what stays until its signal is over: that it is none, or that nobody is to be bothered.
    fn is_ended_by_person(&self) -> bool {
        self.status == AlertStatus::FalsePositive || self.is_ignored_by_person
    }

    /// Looks whether a silence holds for it as it is now, where one keeps it quiet: what comes of that.
    fn looks(&self, now: &Subject<'_>, request: &Request<'_, Command>) -> Option<Event> {
        // One that shows that its sender lives is quiet in any case.
        let is_kept_quiet = self.status == AlertStatus::Ignored && !self.is_heartbeat;
        let silence_id = self.silence_id.filter(|_| is_kept_quiet)?;
        match silencing(now, request) {
            None => Some(Event::AlertSilenceEnded {}),
            Some(silencing) if silencing.id == silence_id && Some(silencing.ends_at) == self.silence_ends_at => None,
            Some(silencing) => Some(Event::AlertKeptQuiet {
                silence_id: silencing.id,
                silence_ends_at: silencing.ends_at,
            }),
        }
    }

    /// No silence keeps it quiet any more.
    fn leave_silence(&mut self) {
        (self.silence_id, self.silence_ends_at) = (None, None);
    }

    /// What comes of another severity: nothing where it is known.
    fn restated(&self, source_id: Uuid, restated: &Restated, request: &Request<'_, Command>) -> Vec<Event> {
        if self.brief.severity == restated.severity {
            return Vec::new();
        }
        let mut events = vec![Event::AlertRestated {
            from: self.brief.severity,
            restated: Box::new(restated.clone()),
        }];
        let mut brief = self.brief.clone();
        brief.restate(restated);
        events.extend(self.looks(&subject(source_id, &brief), request));
        events
    }

    /// Whether it belongs to an issue that is archived.
    fn is_issue_archived(&self, request: &Request<'_, Command>) -> bool {
        let issue = self.issue_id.and_then(|issue_id| request.facts.get::<Issue>(issue_id));
        issue.is_some_and(Issue::is_archived)
    }

    /// Whether it may leave, as far as it knows itself.
    fn archivable(&self) -> Result<(), Refusal> {
        match self.status {
            status @ (AlertStatus::Open | AlertStatus::Investigating) => Err(Refusal::NotOver { status }),
            AlertStatus::Resolved | AlertStatus::FalsePositive | AlertStatus::Ignored if self.has_raw => {
                Err(Refusal::HasBody)
            }
            AlertStatus::Resolved | AlertStatus::FalsePositive | AlertStatus::Ignored => Ok(()),
        }
    }

    fn archived(&self, archive: &str, sha256: &str, request: &Request<'_, Command>) -> Result<Event, Refusal> {
        archive::check(archive, sha256).map_err(|(field, unfit)| Refusal::Unfit { field, unfit })?;
        self.archivable()?;
        if self.issue_id.is_some() && !self.is_issue_archived(request) {
            return Err(Refusal::OfIssue);
        }
        Ok(Event::AlertArchived {
            archive: archive.to_owned(),
            sha256: sha256.to_owned(),
            archived_at: request.at,
            signal_id: self.signal_id,
            goes_on: self.status != AlertStatus::Resolved && !self.is_over,
        })
    }

    fn evolve(&mut self, event: &Event) {
        self.status = match event {
            Event::AlertOpened { .. } | Event::AlertArchived { .. } => return,
            Event::AlertRestated { restated, .. } => {
                self.brief.restate(restated);
                return;
            }
            Event::AlertSignalOver { .. } => {
                self.is_over = true;
                return;
            }
            Event::AlertRawDropped {} => {
                self.has_raw = false;
                return;
            }
            Event::AlertJoinedIssue { issue_id } => {
                self.issue_id = Some(*issue_id);
                return;
            }
            Event::AlertKeptQuiet {
                silence_id,
                silence_ends_at,
            } => {
                (self.silence_id, self.silence_ends_at) = (Some(*silence_id), Some(*silence_ends_at));
                return;
            }
            Event::AlertSilenceEnded {} => {
                self.leave_silence();
                AlertStatus::Open
            }
            Event::AlertAcknowledged { by_sender } => {
                self.is_acknowledged_by_sender = *by_sender;
                AlertStatus::Investigating
            }
            Event::AlertAssigned { user_id } => {
                self.assigned_to = Some(*user_id);
                self.is_acknowledged_by_sender = false;
                AlertStatus::Investigating
            }
            Event::AlertUnacknowledged {} => {
                self.assigned_to = None;
                self.is_acknowledged_by_sender = false;
                AlertStatus::Open
            }
            Event::AlertResolved { .. } => AlertStatus::Resolved,
            Event::AlertMarkedFalsePositive {} => AlertStatus::FalsePositive,
            Event::AlertIgnored {} => {
                self.leave_silence();
                AlertStatus::Ignored
            }
            Event::AlertReopened {} => {
                self.leave_silence();
                AlertStatus::Open
            }
        };
        self.is_ignored_by_person = matches!(event, Event::AlertIgnored {});
    }
}

/// An alert as rules and silences see it.
fn subject(source_id: Uuid, brief: &Brief) -> Subject<'_> {
    Subject {
        source: &brief.source,
        source_id,
        alert_type: &brief.alert_type,
        severity: brief.severity,
        title: &brief.title,
        description: brief.description.as_deref(),
        labels: &brief.labels,
    }
}

/// The silence that keeps such an alert quiet now.
fn silencing(subject: &Subject<'_>, request: &Request<'_, Command>) -> Option<Silencing> {
    let silences = request.facts.get::<Silences>(Silences::only_stream(request.tenant))?;
    silences.silencing(subject, request.at)
}

fn open(request: &Request<'_, Command>) -> Option<Event> {
    let Command::Open {
        signal_id,
        source_id,
        delivery_id,
        brief,
        original_severity,
        starts_at,
        links,
        raw,
        is_heartbeat,
    } = request.command
    else {
        return None;
    };
    let subject = subject(*source_id, brief);
    let none = Correlations::default();
    let correlation = request
        .facts
        .get::<Correlations>(Correlations::only_stream(request.tenant));
    let grouping = correlation.unwrap_or(&none).group(request.tenant, &subject);
    let silencing = silencing(&subject, request);
    let is_quiet = *is_heartbeat || silencing.is_some();
    let retention = request.facts.get::<Retention>(Retention::only_stream(request.tenant));
    let brief = Brief {
        body_until: Some(Retention::body_until(retention, brief.received_at)),
        ..(**brief).clone()
    };
    Some(Event::AlertOpened {
        status: if is_quiet {
            AlertStatus::Ignored
        } else {
            AlertStatus::Open
        },
        signal_id: *signal_id,
        source_id: *source_id,
        delivery_id: *delivery_id,
        brief: Box::new(brief),
        original_severity: original_severity.clone(),
        starts_at: *starts_at,
        links: links.clone(),
        raw: Sealed::Open(raw.clone()),
        is_heartbeat: *is_heartbeat,
        rule_id: grouping.rule_id,
        group_key: grouping.key,
        group_id: grouping.group_id,
        window_minutes: u32::try_from(grouping.window.num_minutes()).unwrap_or(u32::MAX),
        silence_id: silencing.as_ref().map(|silencing| silencing.id),
        silence_ends_at: silencing.map(|silencing| silencing.ends_at),
    })
}
