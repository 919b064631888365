//! From an issue to whoever is told of it.

use domain::{AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};

use crate::issue::{self, Issue, Opened};
use crate::message::{self, Message, Notice, Tells};

/// Numbers of alerts at which it is told that more and more join.
const GROWN_AT: [usize; 3] = [10, 100, 1_000];

/// Tells the receiver that the first alert of an issue named.
#[derive(Debug)]
pub struct Messages;

impl Policy for Messages {
    fn name(&self) -> &'static str {
        "dod-messages"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Issue::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        recorded.of::<Issue>().is_some_and(|event| {
            matches!(
                event,
                issue::Event::IssueAlertBound { .. }
                    | issue::Event::IssueConcluded { .. }
                    | issue::Event::IssueResolved { .. }
                    | issue::Event::IssueMarkedFalsePositive { .. }
                    | issue::Event::IssueMarkedUnableToResolve {}
                    | issue::Event::IssueReopened { .. }
            )
        })
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
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
        let want = message::Command::Want {
            issue_id,
            receiver_im: receiver_im.clone(),
            notice: Box::new(Notice::of(tells, now, seen.recorded.at)),
        };
        let stream = Message::stream(issue_id, receiver_im);
        vec![Reaction::send(vec![Sending::of::<Message>(stream, want)])]
    }
}

fn tells(event: &issue::Event, now: &Opened) -> Option<Tells> {
    match event {
        issue::Event::IssueAlertBound { .. } if now.alerts.len() == 1 => Some(Tells::Opened),
        issue::Event::IssueAlertBound { .. } => GROWN_AT.contains(&now.alerts.len()).then_some(Tells::Grown),
        issue::Event::IssueConcluded { .. } => Some(Tells::Concluded),
        issue::Event::IssueResolved { .. } => Some(Tells::Resolved),
        issue::Event::IssueMarkedFalsePositive { .. } => Some(Tells::FalsePositive),
        issue::Event::IssueMarkedUnableToResolve {} => Some(Tells::UnableToResolve),
        issue::Event::IssueReopened { .. } => Some(Tells::Reopened),
        _ => None,
    }
}
