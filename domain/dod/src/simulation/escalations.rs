//! Issues that nobody sees to, over time.

use dod_formats::Severity;
use identity::user::User;

use super::*;
use crate::escalation::{self, Escalation};
use crate::escalation_policy::{self, EscalationPolicies};
use crate::message::{Notice, Tells, Wanted};

const CLEO: Uuid = Uuid::from_u128(0xc1e0);

fn policy(policy_id: Option<Uuid>, steps: serde_json::Value) -> Sending {
    let set = json!({"set-policy": {
        "policy_id": policy_id, "name": "Nights", "when": [{"field": "severity", "op": "equal", "value": "critical"}],
        "steps": steps,
    }});
    let command: escalation_policy::Command = serde_json::from_value(set).unwrap();
    let stream = EscalationPolicies::only_stream(TENANT);
    Sending::of::<EscalationPolicies>(stream, command)
}

/// The second are told after ten minutes, the boss after thirty, and Cleo is given the issue then.
fn world() -> World {
    let mut world = World::usual();
    for (person, name) in [(BEN, "ben"), (CLEO, "cleo")] {
        let register = json!({"register": {"name": name, "email": format!("{name}@example.com")}});
        let sending = Sending::of::<User>(person, serde_json::from_value(register).unwrap());
        assert!(world.asks(BEN, sending));
    }
    let steps = json!([
        {"after_minutes": 10, "receiver_im": "second"},
        {"after_minutes": 30, "receiver_im": "boss", "assign_to": CLEO},
    ]);
    world.does(policy(None, steps));
    world
}

impl World {
    fn issue(&self) -> (Uuid, issue::Opened) {
        self.issues().remove(0)
    }

    /// The latest that a receiver is told of the only issue, and how often it was told.
    fn told(&self, receiver_im: &str) -> Option<(u32, Tells)> {
        let stream = Message::stream(self.issue().0, receiver_im);
        let message: Message = self.book.state(stream).unwrap();
        let told = |wanted: &Wanted| (wanted.revision, wanted.notice.tells);
        message.wanted().map(told)
    }

    fn on_issue(&mut self, by: Uuid, command: issue::Command) {
        let issue = self.issue().0;
        assert!(
            self.asks(by, Sending::of::<Issue>(issue, command.clone())),
            "{command:?}"
        );
    }

    /// What happened to escalations.
    fn escalated(&self) -> Vec<&str> {
        let events = self.book.events().iter();
        let of_kind = events.filter(|event| event.aggregate_type == Escalation::TYPE);
        of_kind.map(|event| event.event_type.as_str()).collect()
    }
}

#[test]
fn what_nobody_sees_to_is_told_step_by_step_and_each_step_once() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    world.passes(9);
    assert_eq!(world.told("second"), None);
    world.passes(1);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    // More alerts join, and begin nothing anew.
    world.comes(&told([2], "firing", 10));
    world.passes(19);
    assert_eq!((world.told("boss"), world.issue().1.assigned_to), (None, None));
    world.passes(1);
    assert_eq!(world.told("boss"), Some((1, Tells::Escalated)));
    assert_eq!(world.issue().1.assigned_to, Some(CLEO));
    world.passes(10_000);
    assert_eq!(
        world.escalated(),
        ["EscalationBegun", "EscalationStepTaken", "EscalationStepTaken"]
    );
    // Those who were called learn of the end, and once.
    world.on_issue(BEN, issue::Command::Resolve { conclusion: None });
    assert_eq!(world.told("second"), Some((2, Tells::Resolved)));
    assert_eq!(world.told("boss"), Some((2, Tells::Resolved)));
}

#[test]
fn an_alert_that_is_worse_calls_for_a_policy_that_those_before_did_not() {
    let mut world = world();
    let of = |host: &str, severity: &str| {
        let labels = [("alertname", "DiskFull"), ("severity", severity), ("instance", host)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        samples::alertmanager_group([labels.into()], "firing", NOON)
    };
    world.comes(&of("host-1", "warning"));
    world.passes(5);
    assert_eq!(world.escalated(), [""; 0]);
    world.comes(&of("host-2", "critical"));
    assert_eq!(world.issue().1.alerts.len(), 2);
    assert_eq!(world.escalated(), ["EscalationBegun"]);
    // Minutes count from then, and one that is as bad begins nothing anew.
    world.passes(9);
    world.comes(&of("host-3", "critical"));
    assert_eq!(world.told("second"), None);
    world.passes(1);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationStepTaken"]);
}

#[test]
fn a_problem_that_gets_worse_is_told_anew_and_calls_for_a_policy_until_its_sender_acknowledges_it() {
    let mut world = world();
    let said = |action: &str, severity: &str, summary: &str| {
        json!({
            "routing_key": "R0", "event_action": action, "dedup_key": "srv02/disk",
            "payload": {"summary": summary, "source": "srv02", "severity": severity},
        })
        .to_string()
    };
    world.comes(&said("trigger", "warning", "It fills"));
    world.passes(5);
    assert_eq!(world.escalated(), [""; 0]);
    world.comes(&said("trigger", "critical", "It is full"));
    world.comes(&said("trigger", "critical", "It is full"));
    let (alert, issue) = (world.alerts()[0].1.clone(), world.issue().1);
    assert_eq!(
        (alert.brief.severity, alert.brief.title),
        (Severity::Critical, "It is full".to_owned())
    );
    assert_eq!(
        (issue.severity, issue.brief.title),
        (Severity::Critical, "It is full".to_owned())
    );
    assert_eq!(world.told("ops"), Some((2, Tells::Worsened)));
    assert_eq!(world.escalated(), ["EscalationBegun"]);

    world.comes(&said("acknowledge", "critical", "It is full"));
    assert_eq!(world.alert_statuses(), [AlertStatus::Investigating]);
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationStopped"]);
    // What gets better is said of it, and nobody is called for that; the issue is as bad as it ever was.
    world.passes(1);
    world.comes(&said("trigger", "info", "It is better"));
    assert_eq!(world.alerts()[0].1.brief.severity, Severity::Low);
    assert_eq!(world.issue().1.severity, Severity::Critical);
    assert_eq!(world.told("ops"), Some((2, Tells::Worsened)));
}

#[test]
fn whoever_acknowledges_the_lesser_has_not_seen_to_what_is_worse() {
    let mut world = world();
    let said = |action: &str, host: &str, severity: &str| {
        json!({
            "routing_key": "R0", "event_action": action, "dedup_key": host,
            "payload": {"summary": "It is full", "source": host, "class": "disk", "severity": severity},
        })
        .to_string()
    };
    world.comes(&said("trigger", "srv01", "info"));
    world.passes(1);
    world.comes(&said("acknowledge", "srv01", "info"));
    world.passes(1);
    world.comes(&said("trigger", "srv02", "critical"));
    assert_eq!(world.issue().1.alerts.len(), 2);
    assert_eq!(world.escalated(), ["EscalationBegun"]);
    // What is worst now is what people are told, for as long as it is.
    let labels = |world: &World| Notice::of(Tells::Worsened, &world.issue().1, NOON).labels;
    let names = |labels: Vec<(String, String)>, host: &str| labels.iter().any(|(_, value)| value == host);
    assert!(names(labels(&world), "srv02"));
    world.passes(10);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    world.comes(&said("acknowledge", "srv02", "critical"));
    let stopped = ["EscalationBegun", "EscalationStepTaken", "EscalationStopped"];
    assert_eq!(world.escalated(), stopped);
    world.comes(&said("resolve", "srv02", "critical"));
    assert!(names(labels(&world), "srv01"));
}

#[test]
fn what_gets_worse_goes_by_the_policy_that_holds_for_it_then() {
    let mut world = world();
    let set = json!({"set-policy": {
        "name": "Days", "when": [{"field": "severity", "op": "equal", "value": "medium"}],
        "steps": [{"after_minutes": 60, "receiver_im": "office"}],
    }});
    let stream = EscalationPolicies::only_stream(TENANT);
    let set = Sending::of::<EscalationPolicies>(stream, serde_json::from_value(set).unwrap());
    world.does(set);
    let of = |host: &str, severity: &str| {
        let labels = [("alertname", "DiskFull"), ("severity", severity), ("instance", host)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        samples::alertmanager_group([labels.into()], "firing", NOON)
    };
    world.comes(&of("host-1", "warning"));
    world.passes(5);
    world.comes(&of("host-2", "critical"));
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationBegun"]);
    world.passes(10);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    world.passes(60);
    assert_eq!(world.told("office"), None);
}

#[test]
fn a_step_that_is_fired_twice_is_taken_once() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    let issue_id = world.issue().0;
    world.passes(10);
    for (round, step) in [(1, 1), (0, 1), (2, 1), (1, 0), (1, 3)] {
        let take = escalation::Command::TakeStep { issue_id, round, step };
        world.daybook_does(Sending::of::<Escalation>(Escalation::stream(issue_id), take));
    }
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationStepTaken"]);
}

#[test]
fn whoever_sees_to_an_issue_stops_its_escalation() {
    let acknowledge: fn(&mut World) = |world| {
        let (alert, _) = world.alerts()[0];
        world.does(Sending::of::<Alert>(alert, alert::Command::Acknowledge {}));
    };
    let assign_alert: fn(&mut World) = |world| {
        let (alert, _) = world.alerts()[0];
        world.does(Sending::of::<Alert>(alert, alert::Command::Assign { user_id: BEN }));
    };
    let assign: fn(&mut World) = |world| world.on_issue(BEN, issue::Command::Assign { user_id: BEN });
    let start: fn(&mut World) = |world| world.on_issue(BEN, issue::Command::Start {});
    let resolve: fn(&mut World) = |world| world.on_issue(BEN, issue::Command::Resolve { conclusion: None });
    let none: fn(&mut World) = |world| world.on_issue(BEN, issue::Command::MarkFalsePositive { conclusion: None });
    let unable: fn(&mut World) = |world| world.on_issue(BEN, issue::Command::MarkUnableToResolve {});
    let over: fn(&mut World) = |world| _ = world.comes(&told([1], "resolved", 0));
    for (nth, sees_to) in [acknowledge, assign_alert, assign, start, resolve, none, unable, over]
        .into_iter()
        .enumerate()
    {
        let mut world = world();
        world.comes(&told([1], "firing", 0));
        world.passes(15);
        sees_to(&mut world);
        let timers = world
            .timers
            .values()
            .filter(|(_, sending)| sending.stream == Escalation::stream(world.issue().0));
        assert_eq!(timers.count(), 0, "{nth}");
        world.passes(1_000);
        let stopped = world.escalated().contains(&"EscalationStopped");
        assert!(stopped, "{nth}: {:?}", world.escalated());
        assert_eq!(world.told("boss"), None, "{nth}");
    }
}

#[test]
fn what_nobody_sees_to_any_more_is_escalated_anew() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    let (alert, _) = world.alerts()[0];
    world.does(Sending::of::<Alert>(alert, alert::Command::Acknowledge {}));
    world.passes(100);
    assert_eq!(world.told("second"), None);
    world.does(Sending::of::<Alert>(alert, alert::Command::Unacknowledge {}));
    assert_eq!(
        world.escalated(),
        ["EscalationBegun", "EscalationStopped", "EscalationBegun"]
    );
    world.passes(10);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    // What is under way is not begun again, and who sees to the issue itself is not overruled.
    world.daybook_does(Sending::of::<Escalation>(
        Escalation::stream(world.issue().0),
        escalation::Command::Resume {
            issue_id: world.issue().0,
        },
    ));
    world.does(Sending::of::<Alert>(alert, alert::Command::Assign { user_id: BEN }));
    world.on_issue(BEN, issue::Command::Start {});
    world.does(Sending::of::<Alert>(alert, alert::Command::Unacknowledge {}));
    let begun = world
        .escalated()
        .iter()
        .filter(|name| **name == "EscalationBegun")
        .count();
    assert_eq!(begun, 2);
    world.passes(1_000);
    assert_eq!(world.told("boss"), None);
}

#[test]
fn what_its_sender_does_not_look_at_any_more_is_escalated_anew() {
    let mut world = world();
    let said = |kind: &str, second: u32| {
        json!({"event": {
            "id": format!("{kind}/{second}"), "event_type": format!("incident.{kind}"),
            "occurred_at": format!("2026-01-05T12:00:{second:02}Z"),
            "data": {"id": "Q1", "title": "It is full", "priority": {"summary": "P1"}, "created_at": "2026-01-05T12:00:00Z"},
        }})
        .to_string()
    };
    let status = |world: &World| world.alerts().last().unwrap().1.status;
    world.comes(&said("acknowledged", 1));
    world.comes(&said("triggered", 0));
    assert_eq!(status(&world), AlertStatus::Investigating);
    world.comes(&said("unacknowledged", 5));
    assert_eq!(status(&world), AlertStatus::Open);
    // What was said before that says nothing of now.
    world.comes(&said("acknowledged", 3));
    assert_eq!(status(&world), AlertStatus::Open);
    // It was in hand when its issue opened, and is not any more.
    assert_eq!(world.escalated(), ["EscalationBegun"]);
    world.comes(&said("resolved", 6));
    assert_eq!(status(&world), AlertStatus::Resolved);
    world.comes(&said("reopened", 8));
    assert_eq!((world.alerts().len(), status(&world)), (2, AlertStatus::Open));
    world.comes(&said("priority_updated", 7));
    world.comes(&said("resolved", 6));
    assert_eq!(status(&world), AlertStatus::Open);
    world.comes(&said("resolved", 9));
    assert_eq!((world.alerts().len(), status(&world)), (2, AlertStatus::Resolved));
}

#[test]
fn a_timer_does_not_overtake_whoever_sees_to_the_issue() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    let issue_id = world.issue().0;
    // The policy is late: it has not looked yet.
    let occasion = Occasion {
        by: BEN,
        at: world.at,
        reason: None,
    };
    let start = Sending::of::<Issue>(issue_id, issue::Command::Start {});
    world.book.ask(&[start], &occasion).unwrap();
    let take = escalation::Command::TakeStep {
        issue_id,
        round: 1,
        step: 1,
    };
    world.daybook_does(Sending::of::<Escalation>(Escalation::stream(issue_id), take));
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationStopped"]);
}

#[test]
fn what_was_acknowledged_before_its_issue_opened_is_not_escalated() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    let (alert, _) = world.alerts()[0];
    world.does(Sending::of::<Alert>(alert, alert::Command::Acknowledge {}));
    let issue_id = world.issue().0;
    let begin = escalation::Command::Begin { issue_id };
    world.daybook_does(Sending::of::<Escalation>(Escalation::stream(issue_id), begin));
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationStopped"]);
}

#[test]
fn what_is_reopened_begins_anew() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    world.passes(5);
    world.on_issue(BEN, issue::Command::Assign { user_id: BEN });
    world.on_issue(BEN, issue::Command::Resolve { conclusion: None });
    world.passes(100);
    world.on_issue(BEN, issue::Command::Reopen {});
    world.passes(10);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    world.passes(20);
    assert_eq!(world.told("boss"), Some((1, Tells::Escalated)));
}

#[test]
fn what_is_under_way_goes_by_the_steps_that_it_began_with() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    let stream = EscalationPolicies::only_stream(TENANT);
    let policies: EscalationPolicies = world.book.state(stream).unwrap();
    let policy_id: Uuid = serde_json::from_value(json!(policies)["policies"][0]["policy_id"].clone()).unwrap();
    let steps = json!([{"after_minutes": 1, "receiver_im": "nobody"}]);
    world.does(policy(Some(policy_id), steps));
    world.passes(2);
    assert_eq!(world.told("nobody"), None);
    let drop = escalation_policy::Command::DropPolicy { policy_id };
    world.does(Sending::of::<EscalationPolicies>(stream, drop));
    world.passes(8);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
}

#[test]
fn what_is_silenced_is_escalated_when_the_silence_is_over() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    world.passes(5);
    world.does(silenced(60));
    world.passes(54);
    assert_eq!(world.told("second"), None);
    assert_eq!(world.escalated(), ["EscalationBegun", "EscalationPostponed"]);
    world.passes(2);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
    // The next one comes as long after it as it would have.
    world.passes(19);
    assert_eq!(world.told("boss"), None);
    world.passes(2);
    assert_eq!(world.told("boss"), Some((1, Tells::Escalated)));
}

#[test]
fn an_issue_with_an_alert_that_is_not_silenced_is_escalated() {
    let mut world = world();
    world.comes(&told([1, 3], "firing", 0));
    world.does(silenced(60));
    world.passes(10);
    assert_eq!(world.told("second"), Some((1, Tells::Escalated)));
}

#[test]
fn an_issue_that_no_policy_is_for_is_not_escalated() {
    let mut world = world();
    world.comes(&told([1], "firing", 0).replace("critical", "warning"));
    world.passes(1_000);
    assert_eq!(world.escalated(), Vec::<&str>::new());
}

#[test]
fn a_user_who_has_left_is_given_nothing() {
    let mut world = world();
    world.comes(&told([1], "firing", 0));
    world.does(Sending::of::<User>(
        CLEO,
        serde_json::from_value(json!({"deactivate": {}})).unwrap(),
    ));
    world.passes(30);
    assert_eq!(world.told("boss"), Some((1, Tells::Escalated)));
    assert_eq!(world.issue().1.assigned_to, None);
}
