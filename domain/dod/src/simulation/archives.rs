//! What leaves the tables a year later, and what comes of the same afterwards.

use super::*;
use crate::retention::CLOSED_DAYS;

const YEAR_MINUTES: i64 = CLOSED_DAYS as i64 * 24 * 60;

fn sending<D: Decider>(stream: Uuid, command: serde_json::Value) -> Sending {
    let command = serde_json::from_value::<D::Command>(command).unwrap();
    Sending::to(stream, AnyCommand::of::<D>(command))
}

fn archive() -> serde_json::Value {
    json!({"archive": {"archive": "dod.issues.1", "sha256": "0".repeat(64)}})
}

impl World {
    /// An issue is archived as the archiver does it: with its message before it and its alerts after it.
    fn archives(&mut self, issue_id: Uuid) -> bool {
        let issue = self.book.state::<Issue>(issue_id).unwrap();
        let alerts = issue
            .opened()
            .map(|opened| opened.alerts.keys().copied().collect::<Vec<_>>());
        let mut together = vec![
            sending::<Message>(Message::stream(issue_id, "ops"), archive()),
            sending::<Issue>(issue_id, archive()),
        ];
        together.extend(
            alerts
                .unwrap()
                .into_iter()
                .map(|alert| sending::<Alert>(alert, archive())),
        );
        let occasion = Occasion {
            by: SYSTEM,
            at: self.at,
            reason: None,
        };
        let is_accepted = self.book.ask(&together, &occasion).is_ok();
        self.book.follow(CONTEXT.policies, self.at).unwrap();
        is_accepted
    }

    /// Issues that are still in the tables.
    fn issues_left(&self) -> Vec<Uuid> {
        let is_there = |id: &Uuid| !self.book.state::<Issue>(*id).unwrap().is_archived();
        self.streams::<Issue>().into_iter().filter(is_there).collect()
    }
}

#[test]
fn what_comes_back_after_its_issue_is_archived_is_another_alert_of_another_issue() {
    let mut world = World::usual();
    world.comes(&told([1, 2], "firing", 0));
    let (first, _) = world.issues()[0];
    assert!(!world.archives(first), "it goes on");
    world.comes(&told([1, 2], "resolved", 0));
    assert!(!world.archives(first), "what the body says is there");
    world.passes(YEAR_MINUTES);
    assert!(world.archives(first));
    assert!(world.issues_left().is_empty());
    assert!(!world.asks(BEN, sending::<Issue>(first, json!({"reopen": {}}))));

    world.comes(&told([1], "firing", YEAR_MINUTES));
    let [another] = world.issues_left()[..] else {
        panic!("{:?}", world.issues_left());
    };
    let issue = world.book.state::<Issue>(another).unwrap();
    assert_eq!(issue.opened().unwrap().alerts.len(), 1);
}

#[test]
fn what_was_called_none_and_goes_on_is_called_anew_once_that_is_archived() {
    let mut world = World::usual();
    world.comes(&told([1], "firing", 0));
    let (first, _) = world.issues()[0];
    world.does(Sending::of::<Issue>(
        first,
        issue::Command::MarkFalsePositive { conclusion: None },
    ));
    world.passes(YEAR_MINUTES);
    // Told again and again, it is what the person has called none.
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.streams::<Alert>().len(), 1);
    assert!(world.archives(first));
    // Its sender says something that it has not said before.
    world.passes(10);
    world.comes(&told([1], "firing", YEAR_MINUTES));
    assert_eq!(world.streams::<Alert>().len(), 2);
    assert_eq!(world.issues_left().len(), 1);
}

#[test]
fn an_issue_and_its_alerts_leave_together_or_not_at_all() {
    let mut world = World::usual();
    world.comes(&told([1, 2], "firing", 0));
    let (first, _) = world.issues()[0];
    world.does(Sending::of::<Issue>(
        first,
        issue::Command::MarkFalsePositive { conclusion: None },
    ));
    world.passes(YEAR_MINUTES);
    let alerts = world.streams::<Alert>();
    // One of them is opened again in that moment, and the issue with it.
    world.does(Sending::of::<Alert>(alerts[0], alert::Command::Reopen {}));
    assert!(!world.archives(first));
    assert_eq!(world.alerts().len(), 2);
    assert_eq!(world.issues_left(), [first]);
}
