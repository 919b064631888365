//! Which issue an alert joins.

use domain::Facts;
use rehearsal::given::{Given, drawn, given, state};

use super::*;
use crate::alert::Brief;
use crate::issue;

const FIRST: Uuid = Uuid::from_u128(0xa1);
const SECOND: Uuid = Uuid::from_u128(0xa2);
const ISSUE: Uuid = Uuid::from_u128(0x15);
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_366_400_000_000_000);

fn grouped(alert_id: Uuid, issue_id: Uuid, is_new: bool, minutes: i64) -> Event {
    Event::AlertGrouped {
        alert_id,
        issue_id,
        is_new,
        joined_at: NOON + TimeDelta::minutes(minutes),
    }
}

fn join(alert_id: Uuid) -> Command {
    Command::Join {
        alert_id,
        window_minutes: 30,
    }
}

/// A group whose first alert joined at noon, so many minutes later.
fn after(minutes: i64) -> Given<Group> {
    given::<Group>([grouped(FIRST, ISSUE, true, 0)]).at(NOON + TimeDelta::minutes(minutes))
}

fn bound(alert_id: Uuid) -> issue::Event {
    issue::Event::IssueAlertBound {
        binding_id: alert_id,
        alert_id,
        severity: dod_formats::Severity::High,
        brief: None,
        is_flapping: false,
        worsens: false,
    }
}

/// The issue with its first alert, and what happened then.
fn issue(then: impl IntoIterator<Item = issue::Event>) -> Facts {
    let brief = Brief {
        source: "Prometheus".to_owned(),
        alert_type: "DiskFull".to_owned(),
        severity: dod_formats::Severity::High,
        title: "Disk is full".to_owned(),
        description: None,
        labels: Default::default(),
        receiver_im: None,
        is_flapping: false,
        received_at: NOON,
        body_until: None,
    };
    let opened = issue::Event::IssueOpened {
        brief: Box::new(brief),
        opened_at: NOON,
    };
    let events = [opened, bound(FIRST)].into_iter().chain(then);
    Facts::default().with(ISSUE, state::<Issue>(events))
}

fn resolved(by_itself: bool) -> issue::Event {
    issue::Event::IssueResolved {
        by_itself,
        conclusion: None,
        resolved_at: NOON,
    }
}

#[test]
fn the_first_alert_of_a_group_opens_an_issue() {
    given::<Group>([])
        .at(NOON)
        .when(join(FIRST))
        .then([grouped(FIRST, drawn(0), true, 0)]);
}

#[test]
fn an_alert_joins_the_issue_within_the_window_and_not_after() {
    let facts = || issue([]);
    after(30)
        .with_facts(facts())
        .when(join(SECOND))
        .then([grouped(SECOND, ISSUE, false, 30)]);
    after(31)
        .with_facts(facts())
        .when(join(SECOND))
        .then([grouped(SECOND, drawn(0), true, 31)]);
}

#[test]
fn the_window_begins_anew_with_each_alert() {
    let events = [grouped(FIRST, ISSUE, true, 0), grouped(SECOND, ISSUE, false, 25)];
    given::<Group>(events)
        .with_facts(issue([]))
        .at(NOON + TimeDelta::minutes(50))
        .when(join(FIRST))
        .then([grouped(FIRST, ISSUE, false, 50)]);
}

#[test]
fn an_alert_joins_an_issue_that_nobody_has_told_of_its_first_one_yet() {
    after(1).when(join(SECOND)).then([grouped(SECOND, ISSUE, false, 1)]);
}

#[test]
fn what_a_person_has_ended_takes_no_more() {
    let none = issue::Event::IssueMarkedFalsePositive {
        conclusion: None,
        resolved_at: NOON,
    };
    for ended in [resolved(false), none] {
        after(1)
            .with_facts(issue([ended]))
            .when(join(SECOND))
            .then([grouped(SECOND, drawn(0), true, 1)]);
    }
}

#[test]
fn what_is_archived_takes_no_more() {
    let archived = issue::Event::IssueArchived {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
        part: 1,
        parts: 1,
        bindings: Vec::new(),
        logs: Vec::new(),
    };
    after(1)
        .with_facts(issue([resolved(true), archived]))
        .when(join(SECOND))
        .then([grouped(SECOND, drawn(0), true, 1)]);
}

#[test]
fn what_has_ended_by_itself_or_baffles_everybody_takes_more() {
    let unable = issue::Event::IssueMarkedUnableToResolve {};
    for then in [resolved(true), unable] {
        after(1)
            .with_facts(issue([then]))
            .when(join(SECOND))
            .then([grouped(SECOND, ISSUE, false, 1)]);
    }
}

#[test]
fn what_is_full_takes_no_more() {
    let bind = |n: usize| bound(Uuid::from_u128(0x1000 + n as u128));
    let full = |alerts: usize| issue((1..alerts).map(bind));
    after(1)
        .with_facts(full(issue::ALERTS_MAX - 1))
        .when(join(SECOND))
        .then([grouped(SECOND, ISSUE, false, 1)]);
    after(1)
        .with_facts(full(issue::ALERTS_MAX))
        .when(join(SECOND))
        .then([grouped(SECOND, drawn(0), true, 1)]);
}

#[test]
fn what_is_full_takes_no_more_though_it_has_heard_of_none_of_them() {
    let grouped = |n: usize| grouped(Uuid::from_u128(0x1000 + n as u128), ISSUE, n == 0, 0);
    let storm = |alerts: usize| given::<Group>((0..alerts).map(grouped)).at(NOON).when(join(SECOND));
    storm(issue::ALERTS_MAX - 1).then([super::tests::grouped(SECOND, ISSUE, false, 0)]);
    storm(issue::ALERTS_MAX).then([super::tests::grouped(SECOND, drawn(0), true, 0)]);
}

#[test]
fn there_is_no_group_without_a_time() {
    given::<Group>([])
        .when(Command::Join {
            alert_id: FIRST,
            window_minutes: 0,
        })
        .refused(Refusal::NoWindow);
}
