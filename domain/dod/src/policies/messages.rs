//! From an issue to whoever is told of it.

use chrono::{DateTime, Utc};
use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};
use uuid::Uuid;

use crate::issue::{self, Issue, Opened};
use crate::message::{self, Message, Notice, Tells};

/// Numbers of alerts at which it is told that more and more join.
const GROWN_AT: [usize; 3] = [10, 100, 1_000];

/// Tells the receiver that the first alert of an issue named. Once an alert of it flaps, its ups and downs wait for each other.
#[derive(Debug)]
pub struct Messages;

impl Policy for Messages {
    fn name(&self) -> &'static str {
        "dod-messages"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Issue::TYPE, Message::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        recorded.of::<Issue>().is_some_and(|event| {
            matches!(
                event,
                issue::Event::IssueAlertBound { .. }
                    | issue::Event::IssueAlertRestated { .. }
                    | issue::Event::IssueConcluded { .. }
                    | issue::Event::IssueResolved { .. }
                    | issue::Event::IssueMarkedFalsePositive { .. }
                    | issue::Event::IssueMarkedUnableToResolve {}
                    | issue::Event::IssueReopened { .. }
            )
        })
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        if let Some(message::Event::MessageQuieted { quiet_until }) = seen.recorded.of::<Message>() {
            return vec![tell_held(seen.recorded.stream, *quiet_until)];
        }
        let Some(event) = seen.recorded.of::<Issue>() else {
            return Vec::new();
        };
        let Some(now) = seen.state::<Issue>().and_then(Issue::opened) else {
            return Vec::new();
        };
        let (Some(tells), Some(receiver_im)) = (tells(event, now), &now.brief.receiver_im) else {
            return Vec::new();
        };
        let issue_id = seen.recorded.stream;
        let stream = Message::stream(issue_id, receiver_im);
        let receiver_im = receiver_im.clone();
        let notice = Box::new(Notice::of(tells, now, seen.recorded.at));
        let tell = match now.is_flapping && is_up_or_down(event) {
            true => message::Command::Hold {
                issue_id,
                receiver_im,
                notice,
            },
            false => message::Command::Want {
                issue_id,
                receiver_im,
                notice,
            },
        };
        vec![Reaction::send(vec![Sending::of::<Message>(stream, tell)])]
    }
}

fn tells(event: &issue::Event, now: &Opened) -> Option<Tells> {
    match event {
        issue::Event::IssueAlertBound { .. } if now.alerts.len() == 1 => Some(Tells::Opened),
        issue::Event::IssueAlertBound { worsens: true, .. }
        | issue::Event::IssueAlertRestated { worsens: true, .. } => Some(Tells::Worsened),
        issue::Event::IssueAlertBound { .. } => GROWN_AT.contains(&now.alerts.len()).then_some(Tells::Grown),
        issue::Event::IssueConcluded { .. } => Some(Tells::Concluded),
        issue::Event::IssueResolved { .. } => Some(Tells::Resolved),
        issue::Event::IssueMarkedFalsePositive { .. } => Some(Tells::FalsePositive),
        issue::Event::IssueMarkedUnableToResolve {} => Some(Tells::UnableToResolve),
        issue::Event::IssueReopened { .. } => Some(Tells::Reopened),
        _ => None,
    }
}

/// Whether it follows from alerts alone. What a person or an investigation says is told at once, and so is what is worse
/// than ever.
fn is_up_or_down(event: &issue::Event) -> bool {
    matches!(
        event,
        issue::Event::IssueAlertBound { worsens: false, .. }
            | issue::Event::IssueResolved { by_itself: true, .. }
            | issue::Event::IssueReopened { by_itself: true }
    )
}

/// What waits is told when the time has come.
fn tell_held(message: Uuid, quiet_until: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&message, b"held"),
        due_at: quiet_until,
        sending: Sending::of::<Message>(message, message::Command::TellHeld { quiet_until }),
    }
}
