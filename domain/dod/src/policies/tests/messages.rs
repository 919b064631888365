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
        assert_eq!(told(1, Some(event)), wants(notice(tells, 1)));
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
        issue::Event::InvestigationBegun { round: 2 },
    ] {
        assert_eq!(told(1, Some(event)), []);
    }
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
