//! An issue from its first alert to its end, and what an investigation may say in between.

mod archive;
mod investigation;
mod persons;

use dod_skills::finding::Outcome;
use domain::text::Unfit;
use domain::{Facts, SYSTEM};
use identity::user::{self, User};
use rehearsal::given::{Given, drawn, given, long, state, takes};
use serde_json::json;

use super::*;
use crate::alert::{self, Alert, AlertStatus};
use crate::skill::Skill;
use domain::register::{Change, Register};

const FIRST: Uuid = Uuid::from_u128(0xa1);
const SECOND: Uuid = Uuid::from_u128(0xa2);
const BINDING: Uuid = Uuid::from_u128(0xb1);
const LOG: Uuid = Uuid::from_u128(0x10);
const SKILL: Uuid = Uuid::from_u128(0x5c);
const BEN: Uuid = Uuid::from_u128(0xbe);
/// 2026-03-01T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_366_400_000_000_000);

fn brief(severity: Severity) -> Brief {
    Brief {
        source: "Prometheus".to_owned(),
        alert_type: "DiskFull".to_owned(),
        severity,
        title: "Disk is full".to_owned(),
        description: None,
        labels: BTreeMap::new(),
        receiver_im: None,
        is_flapping: false,
        received_at: NOON,
        body_until: None,
    }
}

fn skill() -> Skill {
    Skill {
        name: "Disk".to_owned(),
        problem_description: "The disk is full.".to_owned(),
        sop: "Look at it.".to_owned(),
    }
}

/// All that a decision may ask of others: two alerts, a person and a skill.
fn facts() -> Facts {
    let registered = user::Event::UserRegistered {
        email: Sealed::Open("ben@example.com".to_owned()),
        name: Sealed::Open("Ben".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    };
    Facts::default()
        .with(FIRST, state::<Alert>([alert_opened(brief(Severity::Medium))]))
        .with(SECOND, state::<Alert>([alert_opened(brief(Severity::Critical))]))
        .with(BEN, state::<User>([registered]))
        .with(SKILL, state::<Register<Skill>>([Change::Entered(skill())]))
}

fn alert_opened(brief: Brief) -> alert::Event {
    alert::Event::AlertOpened {
        status: AlertStatus::Open,
        signal_id: FIRST,
        source_id: FIRST,
        delivery_id: FIRST,
        brief: Box::new(brief),
        original_severity: None,
        starts_at: None,
        links: Vec::new(),
        raw: Sealed::Open(None),
        is_heartbeat: false,
        rule_id: None,
        group_key: String::new(),
        group_id: FIRST,
        window_minutes: 30,
        silence_id: None,
        silence_ends_at: None,
    }
}

fn opened() -> Event {
    Event::IssueOpened {
        brief: Box::new(brief(Severity::Medium)),
        opened_at: NOON,
    }
}

fn bound(alert_id: Uuid) -> Event {
    Event::IssueAlertBound {
        binding_id: BINDING,
        alert_id,
        severity: Severity::Medium,
        brief: None,
        is_flapping: false,
        worsens: false,
    }
}

fn begun(round: u32) -> Event {
    Event::InvestigationBegun {
        round,
        status: IssueStatus::Analyzing,
    }
}

fn ended(alert_id: Uuid) -> Event {
    Event::IssueAlertEnded { alert_id }
}

fn reopened(by_itself: bool) -> Event {
    Event::IssueReopened { by_itself }
}

fn resolved(by_itself: bool) -> Event {
    Event::IssueResolved {
        by_itself,
        conclusion: None,
        resolved_at: NOON,
    }
}

fn none(conclusion: Option<&str>) -> Event {
    Event::IssueMarkedFalsePositive {
        conclusion: conclusion.map(str::to_owned),
        resolved_at: NOON,
    }
}

fn evidence() -> Evidence {
    let brief = brief(Severity::Medium);
    Evidence {
        as_of: NOON,
        title: brief.title,
        description: None,
        source: brief.source,
        alert_type: brief.alert_type,
        severity: brief.severity,
        labels: BTreeMap::new(),
        starts_at: None,
        raw: None,
        fired_at: vec![NOON],
        fired_since: None,
        is_flapping: false,
        others: Vec::new(),
        others_count: 0,
        corrections: Vec::new(),
    }
}

fn matched(round: u32) -> Event {
    Event::IssueSkillMatched {
        log_id: LOG,
        round,
        skill_id: Some(SKILL),
        by: MatchedBy::Binding,
        why: "It is bound.".to_owned(),
        evidence: Sealed::Open(Box::new(evidence())),
        sop: Some("Look at it.".to_owned()),
        metadata: json!({}),
    }
}

fn note_match(round: u32) -> Command {
    Command::NoteMatch {
        round,
        skill_id: Some(SKILL),
        by: MatchedBy::Binding,
        why: "It is bound.".to_owned(),
        evidence: Box::new(evidence()),
        sop: Some("Look at it.".to_owned()),
        metadata: json!({}),
    }
}

fn finding(step: u32) -> Box<Finding> {
    Box::new(Finding {
        step,
        check: "check label env is test".to_owned(),
        outcome: Outcome::Held,
        seen: "The label env is \"test\".".to_owned(),
    })
}

fn note_step(round: u32, step: u32) -> Command {
    Command::NoteStep {
        round,
        finding: finding(step),
        log_type: LogType::Reasoning,
        metadata: json!({}),
    }
}

fn step_taken(round: u32, step: u32) -> Event {
    Event::InvestigationStepTaken {
        log_id: LOG,
        round,
        finding: finding(step),
        log_type: LogType::Reasoning,
        metadata: json!({}),
    }
}

fn conclusion(is_real_issue: Option<bool>) -> Box<Conclusion> {
    Box::new(Conclusion {
        text: "Looked at.".to_owned(),
        is_real_issue,
        evidence: vec![1],
        unknown: Vec::new(),
    })
}

fn conclude(round: u32, is_real_issue: Option<bool>) -> Command {
    Command::Conclude {
        round,
        conclusion: conclusion(is_real_issue),
    }
}

fn concluded(round: u32, is_real_issue: Option<bool>, status: IssueStatus) -> Event {
    Event::IssueConcluded {
        log_id: LOG,
        round,
        conclusion: conclusion(is_real_issue),
        status,
    }
}

/// An issue with its first alert, under investigation, and what happened then.
fn issue(then: impl IntoIterator<Item = Event>) -> Given<Issue> {
    let begins = [opened(), bound(FIRST), begun(1)];
    given::<Issue>(begins.into_iter().chain(then))
        .with_facts(facts())
        .at(NOON)
}

fn unfit<T>(field: &'static str, unfit: Unfit) -> Result<T, Refusal> {
    Err(Refusal::Unfit { field, unfit })
}

fn resolve(conclusion: Option<&str>) -> Command {
    Command::Resolve {
        conclusion: conclusion.map(str::to_owned),
    }
}

fn bind(alert_id: Uuid) -> Command {
    Command::Bind { alert_id }
}

#[test]
fn the_first_alert_opens_the_issue_and_its_investigation() {
    let first = Event::IssueAlertBound {
        binding_id: drawn(0),
        alert_id: FIRST,
        severity: Severity::Medium,
        brief: None,
        is_flapping: false,
        worsens: false,
    };
    given::<Issue>([])
        .with_facts(facts())
        .at(NOON)
        .when(bind(FIRST))
        .then([opened(), first, begun(1)])
        .claims([takes(ALERT, FIRST.to_string())]);
}

#[test]
fn another_alert_joins_and_the_worst_of_them_counts() {
    let second = Event::IssueAlertBound {
        binding_id: drawn(0),
        alert_id: SECOND,
        severity: Severity::Critical,
        brief: Some(Box::new(brief(Severity::Critical))),
        is_flapping: false,
        worsens: true,
    };
    issue([]).when(bind(SECOND)).then([second.clone()]);
    let issue = state::<Issue>([opened(), bound(FIRST), begun(1), second]);
    let now = issue.opened().unwrap();
    assert_eq!((now.severity, now.alerts_open), (Severity::Critical, 2));
    let remembered: Vec<Uuid> = now.remembered.iter().map(|alert| alert.alert_id).collect();
    assert_eq!(remembered, [FIRST, SECOND]);
}

#[test]
fn an_alert_joins_once_and_only_one_that_there_is() {
    issue([]).when(bind(FIRST)).then([]);
    issue([]).when(bind(BEN)).refused(Refusal::NoAlert);
    given::<Issue>([]).when(bind(FIRST)).refused(Refusal::NoAlert);
}

#[test]
fn an_issue_notes_that_an_alert_of_it_flaps_also_when_it_remembers_no_more_of_them() {
    let mut flapping = brief(Severity::Low);
    flapping.is_flapping = true;
    let alert = state::<Alert>([alert_opened(flapping)]);
    let many = (0..REMEMBERED_MAX as u128).map(|n| bound(Uuid::from_u128(0x1000 + n)));
    let events = issue(many)
        .with_facts(facts().with(SECOND, alert))
        .when(bind(SECOND))
        .events();
    let [Event::IssueAlertBound { is_flapping: true, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    let flaps = |events: Vec<Event>| state::<Issue>(events).opened().unwrap().is_flapping;
    assert!(!flaps(vec![opened(), bound(FIRST)]));
    assert!(flaps(
        [vec![opened(), bound(FIRST)], events, vec![bound(BINDING)]].concat()
    ));
}

#[test]
fn only_the_first_alerts_are_remembered_with_what_they_say() {
    let many = (0..REMEMBERED_MAX).map(|n| Event::IssueAlertBound {
        binding_id: BINDING,
        alert_id: Uuid::from_u128(0x1000 + n as u128),
        severity: Severity::Low,
        brief: Some(Box::new(brief(Severity::Low))),
        is_flapping: false,
        worsens: false,
    });
    let events = issue(many).when(bind(SECOND)).events();
    let [Event::IssueAlertBound { brief: None, .. }] = &events[..] else {
        panic!("{events:?}");
    };
}

#[test]
fn an_issue_takes_so_many_alerts_and_no_more() {
    let many = |count: usize| (1..count).map(|n| bound(Uuid::from_u128(0x1000 + n as u128)));
    assert_eq!(issue(many(ALERTS_MAX - 1)).when(bind(SECOND)).events().len(), 1);
    issue(many(ALERTS_MAX))
        .when(bind(SECOND))
        .refused(Refusal::TooManyAlerts);
}

#[test]
fn the_end_of_the_last_alert_is_the_end_of_the_issue() {
    issue([bound(SECOND)])
        .when(Command::NoteAlertEnded {
            alert_id: FIRST,
            with_issue: false,
        })
        .then([ended(FIRST)]);
    issue([bound(SECOND), ended(FIRST)])
        .when(Command::NoteAlertEnded {
            alert_id: SECOND,
            with_issue: false,
        })
        .then([ended(SECOND), resolved(true)]);
    issue([ended(FIRST), resolved(true)])
        .when(Command::NoteAlertEnded {
            alert_id: FIRST,
            with_issue: false,
        })
        .then([]);
    issue([])
        .when(Command::NoteAlertEnded {
            alert_id: SECOND,
            with_issue: false,
        })
        .refused(Refusal::NotBound);
}

#[test]
fn an_issue_that_a_person_opens_again_is_not_ended_by_alerts_that_end_with_it() {
    let note = |with_issue| Command::NoteAlertEnded {
        alert_id: FIRST,
        with_issue,
    };
    let reopened = || issue([resolved(false), Event::IssueReopened { by_itself: false }]);
    reopened().when(note(true)).then([ended(FIRST)]);
    reopened().when(note(false)).then([ended(FIRST), resolved(true)]);
}

#[test]
fn the_end_of_an_alert_changes_nothing_of_an_issue_that_is_ended() {
    for over in [resolved(false), none(None)] {
        issue([over])
            .when(Command::NoteAlertEnded {
                alert_id: FIRST,
                with_issue: false,
            })
            .then([ended(FIRST)]);
    }
}

#[test]
fn what_has_ended_by_itself_goes_on_when_an_alert_does() {
    let over = || [ended(FIRST), resolved(true)];
    issue(over())
        .when(Command::NoteAlertReopened { alert_id: FIRST })
        .then([Event::IssueAlertReopened { alert_id: FIRST }, reopened(true)]);
    let events = issue(over()).when(bind(SECOND)).events();
    assert_eq!(events[1..], [reopened(true)]);
    issue([]).when(Command::NoteAlertReopened { alert_id: FIRST }).then([]);
    issue([])
        .when(Command::NoteAlertReopened { alert_id: SECOND })
        .refused(Refusal::NotBound);
}

#[test]
fn an_alert_that_a_person_opens_again_opens_its_issue_whoever_has_ended_that() {
    let by_investigation = concluded(1, Some(false), IssueStatus::FalsePositive);
    for over in [
        vec![resolved(true)],
        vec![resolved(false)],
        vec![none(None)],
        vec![matched(1), by_investigation],
    ] {
        let over = || [ended(FIRST)].into_iter().chain(over.clone());
        issue(over())
            .when(Command::NoteAlertReopened { alert_id: FIRST })
            .then([Event::IssueAlertReopened { alert_id: FIRST }, reopened(true)]);
    }
    issue([bound(SECOND), ended(FIRST)])
        .when(Command::NoteAlertReopened { alert_id: FIRST })
        .then([Event::IssueAlertReopened { alert_id: FIRST }]);
}

#[test]
fn a_reopened_issue_is_where_its_investigation_is() {
    let status = |events: Vec<Event>| {
        let begins = [opened(), bound(FIRST), begun(1)];
        let issue = state::<Issue>(begins.into_iter().chain(events));
        issue.opened().unwrap().status
    };
    let ends = [ended(FIRST), resolved(true), reopened(true)];
    assert_eq!(status(ends.to_vec()), IssueStatus::Analyzing);
    let looked = [matched(1), concluded(1, Some(true), IssueStatus::InProgress)];
    assert_eq!(
        status([looked.to_vec(), ends.to_vec()].concat()),
        IssueStatus::InProgress
    );
}

#[test]
fn nothing_can_be_asked_of_an_issue_that_was_never_opened() {
    for command in [Command::Start {}, Command::Reopen {}, conclude(1, None), resolve(None)] {
        given::<Issue>([]).when(command).refused(Refusal::NotOpened);
    }
}

#[test]
fn whoever_asks_is_offered_what_can_be_accepted() {
    assert_eq!(given::<Issue>([]).by(SYSTEM).offered(), ["bind"]);
    let open = [
        "assign",
        "start",
        "resolve",
        "mark-false-positive",
        "mark-unable-to-resolve",
    ];
    let after = ["reopen", "correct", "investigate"];
    let ruled = [&open[..], &after].concat();
    let offered = |past: Given<Issue>| past.offered_of(&ruled);
    assert_eq!(offered(issue([])), open);
    assert_eq!(offered(issue([resolved(false)])), ["resolve", "reopen"]);
    assert_eq!(
        offered(issue([none(None)])),
        ["mark-false-positive", "reopen", "correct"]
    );
    let over = [matched(1), concluded(1, None, IssueStatus::UnableToResolve)];
    let all: Vec<_> = open.into_iter().chain(["correct", "investigate"]).collect();
    assert_eq!(offered(issue(over)), all);
}

#[test]
fn what_an_investigation_looked_at_can_be_erased_and_what_persons_wrote_struck() {
    let stream = Uuid::from_u128(0x15);
    assert_eq!(domain::Event::sealed_apart(&matched(1), stream), [("evidence", stream)]);
    assert_eq!(domain::Event::texts(&resolved(false)), ["conclusion"]);
    let mut erased_match = matched(1);
    if let Event::IssueSkillMatched { evidence, .. } = &mut erased_match {
        *evidence = Sealed::Erased;
    }
    let issue = state::<Issue>([opened(), bound(FIRST), begun(1), erased_match]);
    let matched = issue.opened().unwrap().investigation.matched.clone().unwrap();
    assert_eq!((matched.skill_id, matched.evidence), (Some(SKILL), None));
}
