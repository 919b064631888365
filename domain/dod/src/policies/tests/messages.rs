//! From an issue to whoever is told of it.

use dod_skills::investigation::Conclusion;

use super::*;
use crate::issue::{self, Issue, IssueStatus};
use crate::message::{self, Message, Notice, Tells};
use crate::policies::Messages;

fn bound(n: u128) -> issue::Event {
    issue::Event::IssueAlertBound {
        binding_id: Uuid::from_u128(n),
        alert_id: Uuid::from_u128(n),
        severity: Severity::High,
        brief: None,
        is_flapping: false,
        worsens: false,
    }
}

fn opened(brief: Brief) -> issue::Event {
    issue::Event::IssueOpened {
        brief: Box::new(brief),
        opened_at: NOON,
    }
}

fn notice(tells: Tells, alerts: u32) -> Notice {
    let brief = brief();
    Notice {
        tells,
        title: brief.title,
        severity: brief.severity,
        source: brief.source,
        alert_type: brief.alert_type,
        alerts,
        alerts_open: alerts,
        description: brief.description,
        labels: brief.labels.into_iter().collect(),
        conclusion: None,
        is_real_issue: None,
        links: Vec::new(),
        opened_at: NOON,
        told_at: NOON,
        is_flapping: false,
    }
}

fn wants(notice: Notice) -> Vec<Reaction> {
    let want = message::Command::Want {
        issue_id: STREAM,
        receiver_im: "ops".to_owned(),
        notice: Box::new(notice),
    };
    vec![send::<Message>(Message::stream(STREAM, "ops"), want)]
}

/// What is told when this happens to an issue with so many alerts.
fn told(alerts: u128, event: Option<issue::Event>) -> Vec<Reaction> {
    let events = std::iter::once(opened(brief()))
        .chain((1..=alerts).map(bound))
        .chain(event);
    react::<Issue>(&Messages, events)
}

#[test]
fn the_first_alert_is_told() {
    assert_eq!(told(1, None), wants(notice(Tells::Opened, 1)));
}

#[test]
fn more_alerts_are_told_when_they_are_ten_a_hundred_and_a_thousand() {
    for alerts in [10, 100, 1_000] {
        let grown = notice(Tells::Grown, u32::try_from(alerts).unwrap());
        assert_eq!(told(alerts, None), wants(grown));
    }
    for alerts in [2, 9, 11, 99, 101, 999, 1_001] {
        assert_eq!(told(alerts, None), [], "{alerts}");
    }
}

#[test]
fn what_is_concluded_is_told_with_its_words() {
    let concluded = issue::Event::IssueConcluded {
        log_id: SOURCE,
        round: 1,
        conclusion: Box::new(Conclusion {
            text: "Real issue: It is full.".to_owned(),
            is_real_issue: Some(true),
            evidence: Vec::new(),
            unknown: Vec::new(),
        }),
        status: IssueStatus::InProgress,
    };
    let told_of = Notice {
        conclusion: Some("Real issue: It is full.".to_owned()),
        is_real_issue: Some(true),
        ..notice(Tells::Concluded, 1)
    };
    assert_eq!(told(1, Some(concluded)), wants(told_of));
}

#[test]
fn ends_and_beginnings_are_told() {
    let (conclusion, resolved_at) = (None, NOON);
    for (event, tells) in [
        (
            issue::Event::IssueResolved {
                by_itself: true,
                conclusion: None,
                resolved_at,
            },
            Tells::Resolved,
        ),
        (
            issue::Event::IssueMarkedFalsePositive {
                conclusion,
                resolved_at,
            },
            Tells::FalsePositive,
        ),
        (issue::Event::IssueMarkedUnableToResolve {}, Tells::UnableToResolve),
        (issue::Event::IssueReopened { by_itself: true }, Tells::Reopened),
    ] {
        let told_of = Notice {
            is_real_issue: (tells == Tells::FalsePositive).then_some(false),
            ..notice(tells, 1)
        };
        assert_eq!(told(1, Some(event)), wants(told_of));
    }
}

#[test]
fn the_rest_is_not_told() {
    for event in [
        issue::Event::IssueAlertEnded { alert_id: SOURCE },
        issue::Event::IssueStarted {},
        issue::Event::IssueAssigned {
            user_id: SOURCE,
            by_itself: false,
        },
        issue::Event::InvestigationBegun {
            round: 2,
            status: IssueStatus::Analyzing,
        },
    ] {
        assert_eq!(told(1, Some(event)), []);
    }
}

/// What is told when this happens to an issue in which an alert flaps.
fn told_of_flapping(event: Option<issue::Event>) -> message::Command {
    let mut flapping = bound(1);
    if let issue::Event::IssueAlertBound { is_flapping, .. } = &mut flapping {
        *is_flapping = true;
    }
    let events = [opened(brief()), flapping].into_iter().chain(event);
    let reactions = react::<Issue>(&Messages, events);
    let [Reaction::Send { sendings, .. }] = &reactions[..] else {
        panic!("{reactions:?}");
    };
    sendings[0].command.typed::<Message>().unwrap().clone()
}

#[test]
fn ups_and_downs_of_an_alert_that_flaps_wait_and_nothing_else_does() {
    let resolved = |by_itself| issue::Event::IssueResolved {
        by_itself,
        conclusion: None,
        resolved_at: NOON,
    };
    let reopened = |by_itself| issue::Event::IssueReopened { by_itself };
    for (event, expected) in [
        (None, Tells::Opened),
        (Some(resolved(true)), Tells::Resolved),
        (Some(reopened(true)), Tells::Reopened),
    ] {
        let message::Command::Hold { notice, .. } = told_of_flapping(event) else {
            panic!("{expected} is told at once");
        };
        assert_eq!((notice.tells, notice.is_flapping), (expected, true));
    }
    for event in [
        resolved(false),
        reopened(false),
        issue::Event::IssueMarkedUnableToResolve {},
    ] {
        let told = told_of_flapping(Some(event.clone()));
        let message::Command::Want { notice, .. } = told else {
            panic!("{event:?} waits");
        };
        assert!(notice.is_flapping);
    }
}

#[test]
fn what_waits_is_told_when_the_time_has_come() {
    let told = notice(Tells::Opened, 1);
    let wanted = message::Event::MessageWanted {
        issue_id: SOURCE,
        receiver_im: "ops".to_owned(),
        revision: 1,
        notice: Box::new(told.clone()),
    };
    let quieted = message::Event::MessageQuieted { quiet_until: NOON };
    let tell_held = message::Command::TellHeld { quiet_until: NOON };
    let waits = Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"held"),
        due_at: NOON,
        sending: Sending::of::<Message>(STREAM, tell_held),
    };
    assert_eq!(react::<Message>(&Messages, [wanted.clone(), quieted]), [waits]);
    let held = message::Event::MessageHeld { notice: Box::new(told) };
    assert_eq!(react::<Message>(&Messages, [wanted.clone()]), []);
    assert_eq!(react::<Message>(&Messages, [wanted, held]), []);
}

#[test]
fn nobody_is_told_where_no_receiver_is_named() {
    let brief = Brief {
        receiver_im: None,
        ..brief()
    };
    assert_eq!(react::<Issue>(&Messages, [opened(brief), bound(1)]), []);
}

#[test]
fn what_is_told_is_bounded() {
    let labels = (0..20).map(|n| (format!("l{n:02}"), String::new()));
    let brief = Brief {
        description: Some("é".repeat(5_000)),
        labels: labels.collect(),
        ..brief()
    };
    let reactions = react::<Issue>(&Messages, [opened(brief), bound(1)]);
    let [Reaction::Send { sendings, .. }] = &reactions[..] else {
        panic!("{reactions:?}");
    };
    let Some(message::Command::Want { notice, .. }) = sendings[0].command.typed::<Message>() else {
        panic!("{sendings:?}");
    };
    let described = notice.description.as_ref().unwrap().chars().count();
    assert_eq!((described, notice.labels.len()), (4_000, 12));
}
