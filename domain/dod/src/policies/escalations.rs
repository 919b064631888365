//! From an issue that nobody sees to, step by step, to those who are told of it.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};
use uuid::Uuid;

use crate::alert::{self, Alert};
use crate::escalation::{self, Escalation};
use crate::issue::{self, Issue, IssueStatus};
use crate::message::{self, Message, Notice};

/// Begins, times and stops escalations, and does what their steps say.
#[derive(Debug)]
pub struct Escalations;

impl Policy for Escalations {
    fn name(&self) -> &'static str {
        "dod-escalations"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Issue::TYPE, Alert::TYPE, Escalation::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        match (recorded.of::<Alert>(), recorded.of::<Issue>()) {
            (Some(event), _) => sees_to(event) || leaves(event),
            (_, Some(issue::Event::IssueAlertBound { .. })) => true,
            (_, _) => false,
        }
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let recorded = seen.recorded;
        if let Some(event) = recorded.of::<Issue>() {
            return of_issue(event, seen).into_iter().collect();
        }
        if let Some(event) = recorded.of::<Alert>() {
            let issue_id = seen
                .state::<Alert>()
                .and_then(Alert::opened)
                .and_then(|alert| alert.issue_id);
            let reaction = issue_id.and_then(|issue_id| match (sees_to(event), leaves(event)) {
                (true, _) => Some(look(issue_id, Some(recorded.stream))),
                (false, true) => Some(resume(issue_id)),
                (false, false) => None,
            });
            return reaction.into_iter().collect();
        }
        match recorded.of::<Escalation>() {
            Some(event) => of_escalation(event, recorded.stream),
            None => Vec::new(),
        }
    }
}

/// Whether it says that somebody sees to the alert. One that joins an issue may have been acknowledged before.
fn sees_to(event: &alert::Event) -> bool {
    matches!(
        event,
        alert::Event::AlertAcknowledged { .. }
            | alert::Event::AlertAssigned { .. }
            | alert::Event::AlertJoinedIssue { .. }
    )
}

/// Whether it says that nobody sees to the alert any more.
fn leaves(event: &alert::Event) -> bool {
    matches!(event, alert::Event::AlertUnacknowledged {})
}

fn of_issue(event: &issue::Event, seen: &Seen<'_>) -> Option<Reaction> {
    let issue_id = seen.recorded.stream;
    match event {
        // Not when it opens: then it does not know its alert yet.
        issue::Event::IssueAlertBound { worsens, .. } => {
            let now = seen.state::<Issue>().and_then(Issue::opened)?;
            let worsened = || worsens.then(|| worsen(issue_id));
            (now.alerts.len() == 1).then(|| begin(issue_id)).or_else(worsened)
        }
        issue::Event::IssueAlertRestated { worsens: true, .. } => Some(worsen(issue_id)),
        issue::Event::IssueReopened { .. } => Some(begin(issue_id)),
        issue::Event::IssueAssigned { by_itself: false, .. }
        | issue::Event::IssueStarted {}
        | issue::Event::IssueResolved { .. }
        | issue::Event::IssueMarkedFalsePositive { .. }
        | issue::Event::IssueMarkedUnableToResolve {}
        | issue::Event::IssueConcluded {
            status: IssueStatus::FalsePositive,
            ..
        } => Some(look(issue_id, None)),
        _ => None,
    }
}

fn of_escalation(event: &escalation::Event, stream: Uuid) -> Vec<Reaction> {
    match event {
        escalation::Event::EscalationBegun {
            issue_id,
            round,
            next_at,
            ..
        } => vec![wait(*issue_id, stream, *round, 1, *next_at)],
        escalation::Event::EscalationStepTaken {
            issue_id,
            round,
            step,
            receiver_im,
            notice,
            assigned_to,
            next_at,
            ..
        } => {
            let told = receiver_im.as_ref().zip(notice.as_ref());
            let told = told.map(|(receiver_im, notice)| want(*issue_id, receiver_im, notice));
            let given = assigned_to.map(|user_id| {
                let assign = issue::Command::Assign { user_id };
                Reaction::send(vec![Sending::of::<Issue>(*issue_id, assign)])
            });
            let next = next_at.map(|next_at| wait(*issue_id, stream, *round, step + 1, next_at));
            told.into_iter().chain(given).chain(next).collect()
        }
        escalation::Event::EscalationPostponed {
            issue_id,
            round,
            step,
            next_at,
            ..
        } => vec![wait(*issue_id, stream, *round, *step, *next_at)],
        escalation::Event::EscalationStopped { .. } => vec![Reaction::Forget { timer: timer(stream) }],
        escalation::Event::EscalationEndTold {
            issue_id,
            receivers,
            notice,
        } => {
            let told = |receiver_im: &String| want(*issue_id, receiver_im, notice);
            receivers.iter().map(told).collect()
        }
        _ => Vec::new(),
    }
}

fn begin(issue_id: Uuid) -> Reaction {
    to(issue_id, escalation::Command::Begin { issue_id })
}

fn worsen(issue_id: Uuid) -> Reaction {
    to(issue_id, escalation::Command::Worsen { issue_id })
}

fn resume(issue_id: Uuid) -> Reaction {
    to(issue_id, escalation::Command::Resume { issue_id })
}

fn look(issue_id: Uuid, alert_id: Option<Uuid>) -> Reaction {
    to(issue_id, escalation::Command::Look { issue_id, alert_id })
}

fn to(issue_id: Uuid, command: escalation::Command) -> Reaction {
    Reaction::send(vec![Sending::of::<Escalation>(Escalation::stream(issue_id), command)])
}

fn want(issue_id: Uuid, receiver_im: &str, notice: &Notice) -> Reaction {
    let want = message::Command::Want {
        issue_id,
        receiver_im: receiver_im.to_owned(),
        notice: Box::new(notice.clone()),
    };
    let stream = Message::stream(issue_id, receiver_im);
    Reaction::send(vec![Sending::of::<Message>(stream, want)])
}

fn wait(issue_id: Uuid, stream: Uuid, round: u32, step: u32, due_at: DateTime<Utc>) -> Reaction {
    let take = escalation::Command::TakeStep { issue_id, round, step };
    Reaction::Wait {
        timer: timer(stream),
        due_at,
        sending: Sending::of::<Escalation>(stream, take),
    }
}

/// The timer of the next step: an escalation has one.
fn timer(stream: Uuid) -> Uuid {
    Uuid::new_v5(&stream, b"step")
}
