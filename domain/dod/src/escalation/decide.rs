//! What happens when a command meets an escalation.

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::Severity;
use domain::{Asking, Decider, FactRef, Facts, Request, moment};
use identity::user::User;
use uuid::Uuid;

use super::{Command, Escalation, Event, Refusal, StoppedHow, UnderWay};
use crate::alert::{Alert, AlertStatus, Brief};
use crate::archive;
use crate::conditions::Subject;
use crate::escalation_policy::{EscalationPolicies, EscalationStep};
use crate::issue::{Issue, IssueStatus, Opened, Remembered};
use crate::message::{Notice, Tells};
use crate::silence::{Silences, Silencing};

impl Decider for Escalation {
    const TYPE: &'static str = "dod.escalation";
    const CREATES: &'static str = "begin";
    const BORROWS_ID: bool = true;
    const ONLY_DAYBOOK: &'static [&'static str] = &["begin", "worsen", "resume", "look", "take-step", "archive"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let issue_id = issue_of(request.command);
        if Self::stream(issue_id) != request.stream {
            return Err(Refusal::OtherStream);
        }
        if let Command::Archive { archive, sha256, .. } = request.command {
            return self.archived(issue_id, archive, sha256);
        }
        if self.is_archived {
            return Err(Refusal::Archived);
        }
        let issue = request.facts.get::<Issue>(issue_id).and_then(Issue::opened);
        let now = Now {
            issue_id,
            issue: issue.ok_or(Refusal::NoIssue)?,
            request,
        };
        Ok(match request.command {
            Command::Begin { .. } => self.begin(&now).into_iter().collect(),
            // What is under way goes by the steps that it began with, unless another policy holds for what it is now.
            Command::Worsen { .. } => self
                .begin(&now)
                .filter(|begun| self.is_other(begun))
                .into_iter()
                .collect(),
            Command::Resume { .. } if self.under_way.is_some() => Vec::new(),
            Command::Resume { .. } => self.begin(&now).into_iter().collect(),
            Command::Look { alert_id, .. } => self.look(&now, *alert_id),
            Command::TakeStep { round, step, .. } => self.take_step(&now, *round, *step).into_iter().collect(),
            Command::Archive { .. } => Vec::new(),
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::EscalationBegun {
                round,
                policy_id,
                policy_name,
                steps,
                begun_at,
                ..
            } => {
                self.round = *round;
                self.under_way = Some(UnderWay {
                    policy_id: *policy_id,
                    policy_name: policy_name.clone(),
                    steps: steps.clone(),
                    since: *begun_at,
                    taken: 0,
                });
            }
            Event::EscalationStepTaken {
                log_id,
                receiver_im,
                notice,
                next_at,
                ..
            } => {
                self.logs.push(*log_id);
                self.told
                    .extend(receiver_im.iter().filter(|_| notice.is_some()).cloned());
                match (&mut self.under_way, next_at) {
                    (Some(under_way), Some(_)) => under_way.taken += 1,
                    (under_way, _) => *under_way = None,
                }
            }
            Event::EscalationPostponed { log_id, next_at, .. } => {
                self.logs.push(*log_id);
                if let Some(under_way) = &mut self.under_way
                    && let Some(due_at) = under_way.due_at(under_way.taken)
                {
                    under_way.since += *next_at - due_at;
                }
            }
            Event::EscalationStopped { .. } => self.under_way = None,
            Event::EscalationEndTold { .. } => self.told.clear(),
            Event::EscalationArchived { .. } => {
                self.is_archived = true;
                self.logs.clear();
            }
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let issue_id = issue_of(asking.command);
        if matches!(asking.command, Command::Archive { .. }) {
            return Vec::new();
        }
        let mut reads = vec![FactRef::of::<Issue>(issue_id)];
        if let Some(issue) = asking.facts.get::<Issue>(issue_id).and_then(Issue::opened) {
            let remembered = issue.remembered.iter().map(|remembered| remembered.alert_id);
            reads.extend(remembered.map(FactRef::of::<Alert>));
        }
        match asking.command {
            Command::Begin { .. } | Command::Worsen { .. } | Command::Resume { .. } => {
                let policies = EscalationPolicies::only_stream(asking.tenant);
                reads.push(FactRef::of::<EscalationPolicies>(policies));
            }
            Command::Look { alert_id, .. } => reads.extend(alert_id.map(FactRef::of::<Alert>)),
            Command::TakeStep { .. } => {
                reads.push(FactRef::of::<Silences>(Silences::only_stream(asking.tenant)));
                let step = self.under_way.as_ref().and_then(UnderWay::next);
                reads.extend(step.and_then(|step| step.assign_to).map(FactRef::of::<User>));
            }
            Command::Archive { .. } => {}
        }
        reads
    }
}

fn issue_of(command: &Command) -> Uuid {
    match command {
        Command::Begin { issue_id }
        | Command::Worsen { issue_id }
        | Command::Resume { issue_id }
        | Command::Look { issue_id, .. }
        | Command::TakeStep { issue_id, .. }
        | Command::Archive { issue_id, .. } => *issue_id,
    }
}

impl UnderWay {
    /// The step that is taken next.
    fn next(&self) -> Option<&EscalationStep> {
        self.steps.get(self.taken)
    }
}

impl Escalation {
    fn archived(&self, issue_id: Uuid, archive: &str, sha256: &str) -> Result<Vec<Event>, Refusal> {
        archive::check(archive, sha256).map_err(|(field, unfit)| Refusal::Unfit { field, unfit })?;
        if self.is_archived {
            return Ok(Vec::new());
        }
        if self.round == 0 {
            return Err(Refusal::NotBegun);
        }
        let event = |(part, parts, (logs, _))| Event::EscalationArchived {
            issue_id,
            archive: archive.to_owned(),
            sha256: sha256.to_owned(),
            part,
            parts,
            logs,
        };
        let portions = archive::portions(&self.logs, &[]);
        Ok(archive::numbered(portions).map(event).collect())
    }

    fn begin(&self, now: &Now<'_>) -> Option<Event> {
        if now.stops(None).is_some() {
            return None;
        }
        let Now { request, .. } = now;
        let policies = EscalationPolicies::only_stream(request.tenant);
        let policies = request.facts.get::<EscalationPolicies>(policies)?;
        let policy = policies.policy_for(&subject(&now.issue.brief, now.issue))?;
        let first = policy.steps.first()?;
        Some(Event::EscalationBegun {
            issue_id: now.issue_id,
            round: self.round + 1,
            policy_id: policy.policy_id,
            policy_name: policy.name.clone(),
            steps: policy.steps.clone(),
            begun_at: request.at,
            next_at: moment::after(request.at, TimeDelta::minutes(first.after_minutes.into())),
        })
    }

    /// Whether that is by another policy than what is under way.
    fn is_other(&self, begun: &Event) -> bool {
        let under_way = self.under_way.as_ref().map(|under_way| under_way.policy_id);
        match begun {
            Event::EscalationBegun { policy_id, .. } => under_way != Some(*policy_id),
            _ => true,
        }
    }

    fn look(&self, now: &Now<'_>, alert_id: Option<Uuid>) -> Vec<Event> {
        let stopped = self.under_way.as_ref().and_then(|_| self.stopped(now, alert_id));
        let tells = match now.issue.status {
            IssueStatus::Resolved => Some(Tells::Resolved),
            IssueStatus::FalsePositive => Some(Tells::FalsePositive),
            IssueStatus::Analyzing | IssueStatus::InProgress | IssueStatus::UnableToResolve => None,
        };
        // Its own receiver is told anyway.
        let others = self
            .told
            .iter()
            .filter(|told| now.issue.brief.receiver_im.as_ref() != Some(told));
        let receivers: Vec<String> = others.cloned().collect();
        let told = tells
            .filter(|_| !receivers.is_empty())
            .map(|tells| Event::EscalationEndTold {
                issue_id: now.issue_id,
                receivers,
                notice: Box::new(Notice::of(tells, now.issue, now.request.at)),
            });
        stopped.into_iter().chain(told).collect()
    }

    fn stopped(&self, now: &Now<'_>, alert_id: Option<Uuid>) -> Option<Event> {
        now.stops(alert_id).map(|how| Event::EscalationStopped {
            issue_id: now.issue_id,
            round: self.round,
            how,
        })
    }

    /// A timer may fire when its step was taken, or another time has begun: then nothing happens.
    fn take_step(&self, now: &Now<'_>, round: u32, step: u32) -> Option<Event> {
        let under_way = self.under_way.as_ref().filter(|_| self.round == round)?;
        let place = usize::try_from(step).ok()?.checked_sub(1)?;
        let next = under_way.next().filter(|_| under_way.taken == place)?;
        // Also when nobody has told it yet: whoever sees to the issue is not overtaken by a timer.
        if let Some(stopped) = self.stopped(now, None) {
            return Some(stopped);
        }
        let Now { issue_id, request, .. } = *now;
        if under_way.due_at(place)? > request.at {
            return None;
        }
        let which = format!("Step {step} of {} of {}", under_way.steps.len(), under_way.policy_name);
        if let Some(silencing) = now.silencing() {
            return Some(Event::EscalationPostponed {
                issue_id,
                log_id: request.ids.draw(),
                round,
                step,
                content: format!(
                    "{which} waits: a {} keeps the alerts of the issue quiet.",
                    silencing.kind
                ),
                silence_id: silencing.id,
                // A moment later, so that the silence is over by whatever clock.
                next_at: silencing.ends_at + TimeDelta::seconds(1),
            });
        }
        let is_person = |user_id: &Uuid| request.facts.get::<User>(*user_id).is_some_and(User::is_active_person);
        let assigned_to = next.assign_to.filter(is_person);
        let tells = next.receiver_im.is_some();
        Some(Event::EscalationStepTaken {
            issue_id,
            log_id: request.ids.draw(),
            round,
            step,
            content: format!("{which}: {}", done(next, assigned_to)),
            receiver_im: next.receiver_im.clone(),
            notice: tells.then(|| Box::new(Notice::of(Tells::Escalated, now.issue, request.at))),
            assigned_to,
            next_at: under_way.due_at(place + 1),
        })
    }
}

/// What a step does, in a sentence.
fn done(step: &EscalationStep, assigned_to: Option<Uuid>) -> String {
    let minutes = step.after_minutes;
    let told = step
        .receiver_im
        .as_ref()
        .map(|receiver_im| format!("{receiver_im} is told"));
    let given = match (step.assign_to, assigned_to) {
        (Some(_), Some(_)) => Some("the issue is assigned".to_owned()),
        (Some(_), None) => Some("the user to assign it to is not active any more".to_owned()),
        (None, _) => None,
    };
    let parts: Vec<String> = told.into_iter().chain(given).collect();
    format!(
        "nobody has seen to the issue for {minutes} minutes; {}.",
        parts.join(", ")
    )
}

/// The issue as it is now, and what else a decision rests on.
struct Now<'a> {
    issue_id: Uuid,
    issue: &'a Opened,
    request: &'a Request<'a, Command>,
}

impl Now<'_> {
    fn facts(&self) -> &Facts {
        self.request.facts
    }

    /// Why nothing more is to be done, if that is so.
    fn stops(&self, alert_id: Option<Uuid>) -> Option<StoppedHow> {
        if !self.issue.is_open() {
            return Some(StoppedHow::Ended);
        }
        let remembered = self.issue.remembered.iter().map(|remembered| remembered.alert_id);
        let worst = self.worst();
        // Whoever looks at something lesser has not said that they look at the worst.
        let is_acknowledged = |alert_id| {
            let alert = self.facts().get::<Alert>(alert_id).and_then(Alert::opened);
            alert.is_some_and(|alert| alert.status == AlertStatus::Investigating && alert.brief.severity >= worst)
        };
        let is_seen_to = self.issue.is_seen_to || remembered.chain(alert_id).any(is_acknowledged);
        is_seen_to.then_some(StoppedHow::SeenTo)
    }

    /// The worst of its alerts that are not over; as bad as it ever was where it does not remember all of them.
    fn worst(&self) -> Severity {
        let remembered = self.issue.remembered.iter();
        let is_on = |of: &&Remembered| self.issue.alerts.get(&of.alert_id).is_some_and(|is_over| !is_over);
        let on: Vec<Severity> = remembered.filter(is_on).map(|of| of.brief.severity).collect();
        match on.len() == self.issue.alerts_open {
            true => on.into_iter().max().unwrap_or(self.issue.severity),
            false => self.issue.severity,
        }
    }

    /// The silence by which nobody is to be told of the issue now: all of its alerts that are not over are kept quiet, as
    /// far as the issue remembers them. Of several the one that ends first.
    fn silencing(&self) -> Option<Silencing> {
        let silences = Silences::only_stream(self.request.tenant);
        let silences = self.facts().get::<Silences>(silences)?;
        let at: DateTime<Utc> = self.request.at;
        let remembered = self.issue.remembered.iter();
        let is_on = |alert_id: &Uuid| self.issue.alerts.get(alert_id).is_some_and(|is_over| !is_over);
        let mut briefs: Vec<&Brief> = remembered
            .filter(|remembered| is_on(&remembered.alert_id))
            .map(|remembered| &remembered.brief)
            .collect();
        if briefs.is_empty() {
            briefs.push(&self.issue.brief);
        }
        let silencing = |brief| silences.silencing(&subject(brief, self.issue), at);
        let all: Option<Vec<Silencing>> = briefs.into_iter().map(silencing).collect();
        all?.into_iter().min_by_key(|silencing| silencing.ends_at)
    }
}

/// An alert of the issue as conditions see it, as bad as the worst.
fn subject<'a>(brief: &'a Brief, issue: &Opened) -> Subject<'a> {
    Subject {
        source: &brief.source,
        // No condition looks at it.
        source_id: Uuid::nil(),
        alert_type: &brief.alert_type,
        severity: issue.severity,
        title: &brief.title,
        description: brief.description.as_deref(),
        labels: &brief.labels,
    }
}
