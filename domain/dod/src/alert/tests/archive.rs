//! How an alert leaves the tables.

use super::*;
use crate::issue::{self, Issue};

fn archive() -> Command {
    Command::Archive {
        archive: "dod.alerts.1".to_owned(),
        sha256: "ab".repeat(32),
    }
}

fn archived(goes_on: bool) -> Event {
    Event::AlertArchived {
        archive: "dod.alerts.1".to_owned(),
        sha256: "ab".repeat(32),
        archived_at: NOON,
        signal_id: SIGNAL,
        goes_on,
    }
}

/// An alert in this state whose body is dropped.
fn without_body(status: AlertStatus, then: impl IntoIterator<Item = Event>) -> Given<Alert> {
    let past = past(status).into_iter().chain([Event::AlertRawDropped {}]);
    given::<Alert>(past.chain(then)).by(SYSTEM).at(NOON)
}

fn joined() -> Event {
    Event::AlertJoinedIssue { issue_id: ISSUE }
}

/// Its issue, which has left or has not.
fn issue(is_archived: bool) -> Facts {
    let opened = issue::Event::IssueOpened {
        brief: Box::new(brief()),
        opened_at: NOON,
    };
    let archived = issue::Event::IssueArchived {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
        part: 1,
        parts: 1,
        bindings: Vec::new(),
        logs: Vec::new(),
    };
    let events = [opened].into_iter().chain(is_archived.then_some(archived));
    Facts::default().with(ISSUE, state::<Issue>(events))
}

#[test]
fn only_what_is_over_is_archived_and_what_nobody_has_called_over_goes_on_as_another_alert() {
    for status in STATES {
        let decided = without_body(status, []).when(archive()).outcome();
        let expected = match status {
            AlertStatus::Open | AlertStatus::Investigating => Err(Refusal::NotOver { status }),
            AlertStatus::Resolved => Ok(vec![archived(false)]),
            AlertStatus::FalsePositive | AlertStatus::Ignored => Ok(vec![archived(true)]),
        };
        assert_eq!(decided, expected, "{status}");
    }
    for status in [AlertStatus::FalsePositive, AlertStatus::Ignored] {
        without_body(status, [over_at_noon()])
            .when(archive())
            .then([archived(false)]);
    }
}

#[test]
fn what_a_body_says_of_an_alert_goes_before_the_alert_does() {
    given::<Alert>(past(AlertStatus::Resolved))
        .by(SYSTEM)
        .when(archive())
        .refused(Refusal::HasBody);
}

#[test]
fn an_alert_of_an_issue_leaves_with_that_or_after_it() {
    let of_issue = || without_body(AlertStatus::Resolved, [joined()]);
    of_issue().when(archive()).refused(Refusal::OfIssue);
    of_issue()
        .with_facts(issue(false))
        .when(archive())
        .refused(Refusal::OfIssue);
    of_issue()
        .with_facts(issue(true))
        .when(archive())
        .then([archived(false)]);
}

#[test]
fn nobody_opens_an_alert_again_whose_issue_is_archived() {
    for (is_archived, outcome) in [
        (false, Ok(vec![Event::AlertReopened {}])),
        (true, Err(Refusal::IssueArchived)),
    ] {
        let reopened = without_body(AlertStatus::FalsePositive, [joined()])
            .by(BEN)
            .with_facts(issue(is_archived))
            .when(Command::Reopen {})
            .outcome();
        assert_eq!(reopened, outcome);
    }
}

#[test]
fn nothing_happens_to_an_archived_alert() {
    let is_over = || without_body(AlertStatus::Resolved, [archived(false)]);
    is_over().when(archive()).then([]);
    is_over().when(open(false)).refused(Refusal::AlreadyOpened);
    for command in [
        clear(false),
        Command::EndSilence {},
        Command::DropRaw {},
        Command::NoteIssue { issue_id: ISSUE },
        Command::EndWithIssue { false_positive: false },
        Command::Acknowledge {},
        Command::Assign { user_id: BEN },
        Command::Resolve {},
        Command::MarkFalsePositive {},
        Command::Ignore {},
        Command::Reopen {},
    ] {
        is_over().when(command).refused(Refusal::Archived);
    }
    assert_eq!(is_over().offered(), ["archive"]);
    let past = past(AlertStatus::Resolved).into_iter().chain([archived(false)]);
    let archived = state::<Alert>(past);
    assert!(archived.is_archived() && archived.opened().is_none());
}

#[test]
fn an_archive_is_named_with_its_hash() {
    let nameless = Command::Archive {
        archive: String::new(),
        sha256: "ab".repeat(32),
    };
    without_body(AlertStatus::Resolved, [])
        .when(nameless)
        .refused(Refusal::Unfit {
            field: "archive",
            unfit: domain::text::Unfit::Empty,
        });
}
