//! How an issue leaves the tables.

use super::*;
use crate::archive::ROWS_OF_EVENT_MAX;

fn archive() -> Command {
    Command::Archive {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
    }
}

fn archived(part: u32, parts: u32, bindings: Vec<Uuid>, logs: Vec<Uuid>) -> Event {
    Event::IssueArchived {
        archive: "dod.issues.1".to_owned(),
        sha256: "ab".repeat(32),
        part,
        parts,
        bindings,
        logs,
    }
}

/// An issue that has ended with its only alert, and what happened then.
fn over(then: impl IntoIterator<Item = Event>) -> Given<Issue> {
    let ends = [matched(1), ended(FIRST), resolved(true)];
    issue(ends.into_iter().chain(then)).by(SYSTEM)
}

#[test]
fn an_archived_issue_names_every_row_that_it_leaves() {
    let step = Event::InvestigationStepTaken {
        log_id: Uuid::from_u128(0x11),
        round: 1,
        finding: finding(1),
        log_type: LogType::Reasoning,
        metadata: json!({}),
    };
    let concluded = concluded(1, Some(true), IssueStatus::InProgress);
    let corrected = Event::IssueCorrected {
        log_id: Uuid::from_u128(0x12),
        alert_type: "DiskFull".to_owned(),
        is_real_issue: false,
        conclusion: None,
    };
    let logs = vec![LOG, Uuid::from_u128(0x11), LOG, Uuid::from_u128(0x12)];
    issue([matched(1), step, concluded, ended(FIRST), resolved(true), corrected])
        .by(SYSTEM)
        .when(archive())
        .then([archived(1, 1, vec![BINDING], logs)]);
}

#[test]
fn what_is_too_much_for_one_event_leaves_by_several() {
    let many = || (1..=ROWS_OF_EVENT_MAX).map(|n| Uuid::from_u128(0x1000 + n as u128));
    let binds = many().map(|alert_id| Event::IssueAlertBound {
        binding_id: alert_id,
        alert_id,
        severity: Severity::Medium,
        brief: None,
        is_flapping: false,
        worsens: false,
    });
    let past: Vec<Event> = binds.chain(many().map(ended)).collect();
    let bindings: Vec<Uuid> = std::iter::once(BINDING).chain(many()).collect();
    let (first, rest) = bindings.split_at(ROWS_OF_EVENT_MAX);
    over(past).when(archive()).then([
        archived(1, 2, first.to_vec(), vec![]),
        archived(2, 2, rest.to_vec(), vec![LOG]),
    ]);
}

#[test]
fn only_what_has_ended_with_all_of_its_alerts_is_archived() {
    for past in [
        vec![],
        vec![Event::IssueStarted {}],
        vec![Event::IssueMarkedUnableToResolve {}, ended(FIRST)],
        vec![none(None)],
        vec![ended(FIRST), resolved(true), reopened(false)],
    ] {
        issue(past).by(SYSTEM).when(archive()).refused(Refusal::NotOver);
    }
    issue([ended(FIRST), none(None)])
        .by(SYSTEM)
        .when(archive())
        .then([archived(1, 1, vec![BINDING], vec![])]);
}

#[test]
fn nothing_happens_to_an_archived_issue_and_no_alert_joins_it() {
    let is_over = || over([archived(1, 1, vec![BINDING], vec![LOG])]);
    is_over().when(archive()).then([]);
    for command in [
        bind(SECOND),
        Command::NoteAlertEnded {
            alert_id: FIRST,
            with_issue: false,
        },
        Command::NoteAlertReopened { alert_id: FIRST },
        note_match(1),
        note_step(1, 1),
        conclude(1, None),
        Command::Assign { user_id: BEN },
        Command::Start {},
        resolve(None),
        Command::MarkFalsePositive { conclusion: None },
        Command::MarkUnableToResolve {},
        Command::Reopen {},
        Command::Investigate {},
    ] {
        is_over().when(command).refused(Refusal::Archived);
    }
    assert_eq!(is_over().offered(), ["drop-evidence", "archive"]);
    let archived = state::<Issue>([opened(), ended(FIRST), resolved(true), archived(1, 1, vec![], vec![])]);
    assert!(archived.is_archived() && archived.opened().is_none() && !archived.takes_more());
}

#[test]
fn what_an_investigation_looked_at_goes_in_its_time_from_an_archived_issue_too() {
    let is_over = |then: Option<Event>| over([archived(1, 1, vec![BINDING], vec![LOG])].into_iter().chain(then));
    is_over(None)
        .when(Command::DropEvidence {})
        .then([Event::IssueEvidenceDropped {}]);
    is_over(Some(Event::IssueEvidenceDropped {}))
        .when(Command::DropEvidence {})
        .then([]);
}
