//! Folds, by stories that the golden history does not tell.

mod issues;
mod stored_bodies;

use chrono::{DateTime, TimeDelta, Utc};
use dod::alert::{self, Alert, AlertStatus, Brief, ResolvedHow};
use dod::correlation::{self, Correlations};
use dod::embedding::{self, Embedding};
use dod::issue::{self, Issue, IssueStatus};
use dod::member::{self, Member, MemberRole};
use dod::message::{self, Message, Notice, Tells};
use dod::signal::{self, Signal};
use dod::skill::Skill;
use dod_formats::{Observation, Severity};
use domain::register::{Change, Register};
use domain::{AnyEvent, Metadata, Recorded, SYSTEM, Sealed};
use identity::tenant::{self, Tenant};
use identity::user::{self, User};
use serde_json::json;
use uuid::Uuid;

use super::alerts::AlertRow;
use super::issues::IssueRow;
use super::messages::{MessageRow, MessageStatus};
use super::rules::CorrelationRuleRow;
use super::skills::SkillRow;
use super::standing::Standing;
use super::tenants::{TenantRow, TenantStatus};
use super::users::UserRow;
use projections::cell::{Cell as _, Vector, Word};
use projections::fold::{FoldError, Project};

const TENANT: Uuid = Uuid::from_u128(0x7);
const SIGNAL: Uuid = Uuid::from_u128(0x51);
const ALERT: Uuid = Uuid::from_u128(0xa1);
const SOURCE: Uuid = Uuid::from_u128(0x50);
const DELIVERY: Uuid = Uuid::from_u128(0xde);
const ISSUE: Uuid = Uuid::from_u128(0x15);
const PERSON: Uuid = Uuid::from_u128(0x9e);

fn at(second: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// An event of a stream, at its place in the book and as many seconds after the beginning.
fn recorded(position: i64, stream: Uuid, sequence: i64, by: Uuid, event: AnyEvent) -> Recorded<AnyEvent> {
    Recorded {
        position,
        event_id: Uuid::from_u128(u128::try_from(position).unwrap()),
        tenant_id: TENANT,
        aggregate_type: String::new(),
        stream,
        sequence,
        event_type: String::new(),
        event_version: "1".to_owned(),
        metadata: Metadata {
            actor: by,
            ..Metadata::default()
        },
        at: at(position),
        recorded_at: at(position),
        event,
    }
}

fn folded<R: Project>(key: &R::Key, events: &[Recorded<AnyEvent>]) -> Result<Option<R>, FoldError> {
    let mine = events.iter().filter(|recorded| R::keys(recorded).contains(key));
    mine.into_iter()
        .try_fold(None, |row, recorded| R::fold(row, key, recorded))
}

fn row<R: Project>(key: &R::Key, events: &[Recorded<AnyEvent>]) -> R {
    folded(key, events).unwrap().unwrap()
}

fn brief() -> Brief {
    Brief {
        source: "prometheus".to_owned(),
        alert_type: "DiskFull".to_owned(),
        severity: Severity::High,
        title: "Disk is full".to_owned(),
        description: None,
        labels: [("host".to_owned(), "db-1".to_owned())].into(),
        receiver_im: Some("ops".to_owned()),
        is_flapping: false,
        received_at: at(0),
        body_until: None,
    }
}

fn fired() -> AnyEvent {
    let Brief {
        alert_type,
        severity,
        title,
        labels,
        ..
    } = brief();
    AnyEvent::new::<Signal>(signal::Event::SignalFired {
        alert_id: ALERT,
        episode: 2,
        source_id: SOURCE,
        source: "prometheus".to_owned(),
        delivery_id: DELIVERY,
        receiver_im: Some("ops".to_owned()),
        observation: Box::new(Observation {
            event_id: "1".to_owned(),
            dedup_key: "key".to_owned(),
            signal: dod_formats::Signal::Firing,
            severity,
            original_severity: Some("page".to_owned()),
            is_severity_presumed: false,
            alert_type,
            title,
            description: None,
            labels,
            starts_at: Some(at(-60)),
            ends_at: None,
            said_at: None,
            links: Vec::new(),
            is_heartbeat: false,
            raw: None,
        }),
        raw: Sealed::Erased,
        is_flapping: false,
        received_at: at(0),
        expires_at: None,
    })
}

fn repeated(received_at: DateTime<Utc>) -> AnyEvent {
    AnyEvent::new::<Signal>(signal::Event::SignalRepeated {
        alert_id: ALERT,
        source_id: SOURCE,
        event_id: "2".to_owned(),
        delivery_id: DELIVERY,
        said: dod_formats::Signal::Firing,
        severity: Severity::High,
        starts_at: None,
        received_at,
        expires_at: None,
        said_at: None,
        restated: None,
    })
}

fn opened(raw: Sealed<Option<String>>) -> AnyEvent {
    AnyEvent::new::<Alert>(alert::Event::AlertOpened {
        status: AlertStatus::Open,
        signal_id: SIGNAL,
        source_id: SOURCE,
        delivery_id: DELIVERY,
        brief: Box::new(brief()),
        original_severity: Some("page".to_owned()),
        starts_at: Some(at(-60)),
        links: Vec::new(),
        raw,
        is_heartbeat: false,
        rule_id: None,
        group_key: "source=prometheus".to_owned(),
        group_id: Uuid::from_u128(0x60),
        window_minutes: 30,
        silence_id: None,
        silence_ends_at: None,
    })
}

fn of_alert(position: i64, sequence: i64, by: Uuid, event: alert::Event) -> Recorded<AnyEvent> {
    recorded(position, ALERT, sequence, by, AnyEvent::new::<Alert>(event))
}

#[test]
fn what_is_told_again_before_the_alert_is_opened_is_counted() {
    let told = [
        recorded(1, SIGNAL, 3, SYSTEM, fired()),
        recorded(2, SIGNAL, 4, SYSTEM, repeated(at(9))),
    ];
    let before: AlertRow = row(&ALERT, &told);
    assert_eq!((before.count, before.status.0), (2, AlertStatus::Open));
    let sent = Sealed::Open(Some(r#"{"n": 9007199254740993}"#.to_owned()));
    let events = [&told[..], &[recorded(3, ALERT, 1, SYSTEM, opened(sent))]].concat();
    let after: AlertRow = row(&ALERT, &events);
    assert_eq!((after.count, after.last_seen_at, after.position), (2, at(9), 1));
    assert_eq!(after.dedup_key.as_deref(), Some("key"));
    assert_eq!(
        after.raw_payload.unwrap().json(),
        json!({"n": 9_007_199_254_740_993_u64})
    );
    assert_eq!(after.labels["host"], "db-1");
}

#[test]
fn a_row_of_two_streams_is_the_same_in_whatever_order_they_are_posted() {
    let signal = [
        recorded(1, SIGNAL, 3, SYSTEM, fired()),
        recorded(3, SIGNAL, 4, SYSTEM, repeated(at(9))),
    ];
    let resolved = alert::Event::AlertResolved {
        how: ResolvedHow::Person,
        resolved_at: at(4),
    };
    let alert = [
        recorded(2, ALERT, 1, SYSTEM, opened(Sealed::Open(None))),
        of_alert(4, 2, PERSON, resolved),
    ];
    let first: AlertRow = row(&ALERT, &[&signal[..], &alert[..]].concat());
    let last: AlertRow = row(&ALERT, &[&alert[..], &signal[..]].concat());
    assert_eq!(first, last);
    assert_eq!(
        (first.status.0, first.resolved_by),
        (AlertStatus::Resolved, Some(PERSON))
    );
    assert_eq!((first.count, first.position, first.created_at), (2, 1, at(1)));
}

#[test]
fn what_is_told_of_an_alert_that_is_not_there_parks_nothing() {
    let events = [recorded(1, SIGNAL, 4, SYSTEM, repeated(at(9)))];
    assert_eq!(folded::<AlertRow>(&ALERT, &events), Ok(None));
}

#[test]
fn a_body_that_jsonb_does_not_hold_stays_readable_and_an_erased_one_is_null() {
    let raw = r#"{"a": "\u0000"}"#.to_owned();
    let sent = [recorded(1, ALERT, 1, SYSTEM, opened(Sealed::Open(Some(raw.clone()))))];
    assert_eq!(row::<AlertRow>(&ALERT, &sent).raw_payload.unwrap().json(), json!(raw));
    let erased = [recorded(1, ALERT, 1, SYSTEM, opened(Sealed::Erased))];
    assert_eq!(row::<AlertRow>(&ALERT, &erased).raw_payload, None);
}

#[test]
fn what_a_body_said_is_gone_once_it_is_dropped_whether_its_key_was_read_before_or_not() {
    let dropped = || of_alert(3, 2, SYSTEM, alert::Event::AlertRawDropped {});
    let signal = || recorded(1, SIGNAL, 3, SYSTEM, fired());
    let after = |raw| {
        let opened = recorded(2, ALERT, 1, SYSTEM, opened(raw));
        row::<AlertRow>(&ALERT, &[signal(), opened, dropped()])
    };
    let live = after(Sealed::Open(Some("{}".to_owned())));
    assert_eq!(live.raw_payload, None);
    assert_eq!(after(Sealed::Erased), live);
    // The signal was parked meanwhile.
    let opened = recorded(2, ALERT, 1, SYSTEM, opened(Sealed::Open(Some("{}".to_owned()))));
    assert_eq!(row::<AlertRow>(&ALERT, &[opened, dropped(), signal()]), live);
}

#[test]
fn what_a_person_said_of_an_alert_stays_once_its_signal_is_over() {
    let over = || of_alert(3, 3, SYSTEM, alert::Event::AlertSignalOver { over_at: at(7) });
    let after = |event| {
        let opened = recorded(1, ALERT, 1, SYSTEM, opened(Sealed::Open(None)));
        row::<AlertRow>(&ALERT, &[opened, of_alert(2, 2, PERSON, event), over()])
    };
    let none = after(alert::Event::AlertMarkedFalsePositive {});
    assert_eq!(
        (none.status.0, none.resolved_by),
        (AlertStatus::FalsePositive, Some(PERSON))
    );
    assert_eq!((none.resolved_at, none.resolved_how), (Some(at(2)), None));
    let ignored = after(alert::Event::AlertIgnored {});
    assert_eq!((ignored.status.0, ignored.resolved_by), (AlertStatus::Ignored, None));
    assert_eq!((ignored.resolved_at, ignored.silence_id), (Some(at(7)), None));
}

#[test]
fn only_a_person_who_ends_an_alert_is_named_and_nobody_once_it_is_open_again() {
    let opened = recorded(1, ALERT, 1, SYSTEM, opened(Sealed::Open(None)));
    let given = of_alert(2, 2, PERSON, alert::Event::AlertAssigned { user_id: PERSON });
    let none = of_alert(3, 3, PERSON, alert::Event::AlertMarkedFalsePositive {});
    let again = of_alert(4, 4, PERSON, alert::Event::AlertReopened {});
    let events = [opened, given, none, again];
    let row = |count: usize| row::<AlertRow>(&ALERT, &events[..count]);
    assert_eq!(
        (row(2).assigned_to, row(2).acknowledged_at),
        (Some(PERSON), Some(at(2)))
    );
    assert_eq!((row(3).resolved_by, row(3).resolved_at), (Some(PERSON), Some(at(3))));
    assert_eq!((row(4).resolved_by, row(4).resolved_at), (None, None));
    assert_eq!((row(4).status.0, row(4).assigned_to), (AlertStatus::Open, Some(PERSON)));
    let by_sender = alert::Event::AlertResolved {
        how: ResolvedHow::Sender,
        resolved_at: at(2),
    };
    let ended = [events[0].clone(), of_alert(2, 2, SYSTEM, by_sender)];
    assert_eq!(self::row::<AlertRow>(&ALERT, &ended).resolved_by, None);
}

fn registered() -> AnyEvent {
    AnyEvent::new::<User>(user::Event::UserRegistered {
        email: Sealed::Open("ada@example.com".to_owned()),
        name: Sealed::Open("Ada".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    })
}

#[test]
fn a_tenant_is_there_from_its_first_person_on_and_has_a_name_once_it_is_named() {
    let of_tenant = |position, event| recorded(position, TENANT, 1, SYSTEM, AnyEvent::new::<Tenant>(event));
    let events = [
        recorded(1, PERSON, 1, SYSTEM, registered()),
        of_tenant(
            2,
            tenant::Event::TenantCreated {
                name: "Acme".to_owned(),
            },
        ),
        of_tenant(3, tenant::Event::TenantSuspended {}),
    ];
    assert_eq!(row::<TenantRow>(&TENANT, &events[..1]).name, TENANT.to_string());
    let named: TenantRow = row(&TENANT, &events);
    assert_eq!((named.name.as_str(), named.status.0), ("Acme", TenantStatus::Suspended));
    assert_eq!((named.position, named.created_at), (1, at(1)));
    // Its first person was parked.
    let late: TenantRow = row(&TENANT, &[&events[1..2], &events[..1]].concat());
    assert_eq!((late.name.as_str(), late.position), ("Acme", 1));
}

#[test]
fn what_happens_to_a_tenant_all_the_time_does_not_touch_its_row() {
    let deactivated = AnyEvent::new::<User>(user::Event::UserDeactivated {});
    assert_eq!(
        TenantRow::keys(&recorded(2, PERSON, 2, SYSTEM, deactivated)),
        Vec::<Uuid>::new()
    );
    assert_eq!(
        TenantRow::keys(&recorded(2, SIGNAL, 1, SYSTEM, fired())),
        Vec::<Uuid>::new()
    );
}

#[test]
fn a_person_views_until_more_is_found_and_an_erased_one_says_nothing() {
    let found = member::Event::MemberRoleFound {
        role: MemberRole::Admin,
    };
    let erased = user::Event::UserErased {
        unassigned: Vec::new(),
        left: Vec::new(),
    };
    let events = [
        recorded(1, PERSON, 1, SYSTEM, registered()),
        recorded(2, PERSON, 1, SYSTEM, AnyEvent::new::<Member>(found)),
        recorded(3, PERSON, 2, SYSTEM, AnyEvent::new::<User>(erased)),
    ];
    assert_eq!(row::<UserRow>(&PERSON, &events[..1]).role.0, MemberRole::Viewer);
    assert_eq!(row::<UserRow>(&PERSON, &events[..2]).role.0, MemberRole::Admin);
    let gone: UserRow = row(&PERSON, &events);
    assert_eq!(
        (gone.status.0, gone.name.as_deref()),
        (Standing::Inactive, Some("erased"))
    );
    assert!(!gone.email.contains("ada"));
}

#[test]
fn a_rule_that_is_changed_keeps_who_first_set_it_and_one_that_is_dropped_is_gone() {
    let rule_id = Uuid::from_u128(0x4);
    let set = |priority| correlation::Event::CorrelationRuleSet {
        rule_id,
        name: "by host".to_owned(),
        when: Vec::new(),
        by: Vec::new(),
        window_minutes: 5,
        priority,
    };
    let of_rules = |sequence, by, event| {
        let event = AnyEvent::new::<Correlations>(event);
        recorded(sequence, Uuid::from_u128(1), sequence, by, event)
    };
    let events = [
        of_rules(1, PERSON, set(0)),
        of_rules(2, SYSTEM, set(7)),
        of_rules(3, PERSON, correlation::Event::CorrelationRuleDropped { rule_id }),
    ];
    let changed: CorrelationRuleRow = row(&rule_id, &events[..2]);
    assert_eq!((changed.created_by, changed.created_at), (Some(PERSON), at(1)));
    assert_eq!((changed.priority, changed.updated_at), (7, at(2)));
    assert_eq!(folded::<CorrelationRuleRow>(&rule_id, &events), Ok(None));
}

#[test]
fn a_skill_keeps_its_vector_and_says_when_it_is_of_another_text() {
    let id = Uuid::from_u128(0x5c);
    let skill = |name: &str| Skill {
        name: name.to_owned(),
        problem_description: "The disk is full.".to_owned(),
        sop: "Look.".to_owned(),
    };
    let of_skill =
        |position, change| recorded(position, id, position, PERSON, AnyEvent::new::<Register<Skill>>(change));
    let embedded = embedding::Event::SkillEmbedded {
        model: "lexical".to_owned(),
        text_sha256: skill("Disk").text_sha256(),
        vector: vec![0.5; 3],
    };
    let events = [
        of_skill(1, Change::Entered(skill("Disk"))),
        recorded(2, id, 1, SYSTEM, AnyEvent::new::<Embedding>(embedded)),
        of_skill(3, Change::Amended(skill("Disks"))),
    ];
    let is_current = |row: &SkillRow| row.embedding_text_sha256.as_ref() == Some(&row.text_sha256);
    let before: SkillRow = row(&id, &events[..2]);
    assert!(is_current(&before));
    assert_eq!(before.embedding, Some(Vector(vec![0.5; 3])));
    let after: SkillRow = row(&id, &events);
    assert!(!is_current(&after));
    assert_eq!((after.embedding, after.created_by), (before.embedding, Some(PERSON)));
}
