//! What is expected, over time.

use super::*;
use crate::expectation::{self, Expectations};
use crate::heartbeat::{self, Heartbeat};

/// Something is expected of the source every hour.
fn expect(when: serde_json::Value) -> Sending {
    let expect = json!({"expect": {"expectation": {
        "name": "Backup", "source_id": SOURCE, "when": when, "every_minutes": 60, "grace_minutes": 10,
        "severity": "critical",
    }}});
    let command: expectation::Command = serde_json::from_value(expect).unwrap();
    Sending::of::<Expectations>(Expectations::only_stream(TENANT), command)
}

fn done() -> serde_json::Value {
    json!([{"field": "alert_type", "op": "equal", "value": "BackupDone"}])
}

fn backup(status: &str) -> String {
    json!({"title": "The backup is done", "alert_type": "BackupDone", "severity": "none", "dedup_key": "backup",
        "status": status})
    .to_string()
}

impl World {
    /// The alerts of what is missing.
    fn missing(&self) -> Vec<AlertStatus> {
        let alerts = self.alerts().into_iter();
        let missing = alerts.filter(|(_, alert)| alert.brief.alert_type == heartbeat::MISSING);
        missing.map(|(_, alert)| alert.status).collect()
    }
}

#[test]
fn what_was_never_heard_is_missing_after_the_first_period() {
    let mut world = World::usual();
    world.does(expect(done()));
    world.passes(69);
    assert_eq!(world.missing(), []);
    world.passes(1);
    assert_eq!(world.missing(), [AlertStatus::Open]);
    let (issue_id, issue) = world.issues().remove(0);
    assert_eq!(issue.brief.alert_type, heartbeat::MISSING);
    let message: Message = world.book.state(Message::stream(issue_id, "ops")).unwrap();
    assert_eq!(message.wanted().unwrap().notice.title, "Backup is missing");
    world.passes(1_000);
    assert_eq!(world.missing(), [AlertStatus::Open]);
}

#[test]
fn what_comes_in_time_is_not_missing_and_ends_what_was() {
    let mut world = World::usual();
    world.does(expect(done()));
    for _ in 0..5 {
        world.passes(60);
        world.comes(&backup("firing"));
    }
    assert_eq!(world.missing(), []);
    world.passes(70);
    assert_eq!(world.missing(), [AlertStatus::Open]);
    world.passes(100);
    world.comes(&backup("firing"));
    assert_eq!(world.missing(), [AlertStatus::Resolved]);
    let missing = world.issues().into_iter().map(|(_, issue)| issue);
    let missing = missing.filter(|issue| issue.brief.alert_type == heartbeat::MISSING);
    assert!(missing.map(|issue| issue.status).eq([IssueStatus::Resolved]));
    // The next time it is another alert.
    world.passes(70);
    assert_eq!(world.missing(), [AlertStatus::Resolved, AlertStatus::Open]);
}

#[test]
fn only_what_is_meant_counts() {
    let mut world = World::usual();
    world.does(expect(done()));
    world.passes(40);
    world.comes(&told([1], "firing", 0));
    world.comes(&backup("resolved"));
    world.passes(30);
    assert_eq!(world.missing(), [AlertStatus::Open]);
}

#[test]
fn without_conditions_any_delivery_that_is_understood_counts() {
    let mut world = World::usual();
    world.does(expect(json!([])));
    world.passes(40);
    world.comes("<html>");
    world.passes(29);
    world.comes(&told([1], "resolved", 0));
    world.passes(60);
    assert_eq!(world.missing(), []);
    world.passes(10);
    assert_eq!(world.missing(), [AlertStatus::Open]);
}

#[test]
fn a_watchdog_that_is_ignored_counts_as_heard() {
    let mut world = World::usual();
    let watchdog = json!([{"field": "alert_type", "op": "equal", "value": "Watchdog"}]);
    world.does(expect(watchdog));
    let mut samples = samples::all().into_iter();
    let watchdog = samples
        .find(|sample| sample.name == "alertmanager: the watchdog")
        .unwrap();
    for _ in 0..3 {
        world.passes(50);
        world.comes(watchdog.body);
    }
    assert_eq!(world.alert_statuses(), [AlertStatus::Ignored]);
    world.passes(70);
    assert_eq!(world.missing(), [AlertStatus::Open]);
}

#[test]
fn what_is_parsed_again_is_not_heard_again() {
    let mut world = World::usual();
    world.does(expect(done()));
    let delivery = world.comes(&backup("firing"));
    world.passes(65);
    world.does(Sending::of::<Delivery>(delivery, delivery::Command::ParseAgain {}));
    world.passes(5);
    assert_eq!(world.missing(), [AlertStatus::Open]);
}

#[test]
fn what_is_not_expected_any_more_is_not_missing_any_more() {
    let mut world = World::usual();
    world.does(expect(done()));
    world.passes(70);
    assert_eq!(world.missing(), [AlertStatus::Open]);
    let expectations = Expectations::only_stream(TENANT);
    let now: Expectations = world.book.state(expectations).unwrap();
    let expectation_id: Uuid = serde_json::from_value(json!(now)["set"][0][0].clone()).unwrap();
    let drop = expectation::Command::Drop { expectation_id };
    world.does(Sending::of::<Expectations>(expectations, drop));
    assert_eq!(world.missing(), [AlertStatus::Resolved]);
    let heartbeat = Heartbeat::stream(expectations, expectation_id);
    assert!(world.timers.values().all(|(_, sending)| sending.stream != heartbeat));
}

#[test]
fn what_comes_all_the_time_leaves_few_events() {
    let mut world = World::usual();
    world.does(expect(json!([])));
    for _ in 0..60 {
        world.passes(1);
        world.comes(&told([1], "firing", 0));
    }
    let events = world.book.events().iter();
    let of_kind = events.filter(|event| event.aggregate_type == Heartbeat::TYPE);
    assert!(of_kind.count() <= 13);
}
