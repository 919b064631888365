//! Bodies in, issues out: the policies of the context carried out over a book in memory until nothing is left to do.

mod archives;
mod escalations;
mod heartbeats;
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::samples;
use domain::object::ObjectRef;
use domain::{AnyCommand, Contexts, Decider, Reaction, SYSTEM, Sending};
use rehearsal::{Occasion, Rehearsal};
use serde_json::json;
use uuid::Uuid;

use crate::CONTEXT;
use crate::alert::{self, Alert, AlertStatus};
use crate::delivery::{self, BODY_WRITTEN_BYTES_MAX, Body, Content, Delivery, Enclosed};
use crate::issue::{self, Issue, IssueStatus};
use crate::message::{Message, Tells};
use crate::retention::BODY_DAYS;
use crate::signal::Signal;
use crate::silence::{self, Silences};
use crate::source::{self, Source};

const TENANT: Uuid = Uuid::from_u128(0x7);
const SOURCE: Uuid = Uuid::from_u128(0x50);
const BEN: Uuid = Uuid::from_u128(0xbe);
/// 2026-03-01T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_366_400_000_000_000);

/// A book with one source, and the timers that were set.
struct World {
    book: Rehearsal,
    at: DateTime<Utc>,
    timers: BTreeMap<Uuid, (DateTime<Utc>, Sending)>,
    deliveries: u128,
}

impl World {
    fn new(settings: serde_json::Value) -> Self {
        let contexts = Contexts::new(&[&identity::CONTEXT, &CONTEXT]).unwrap();
        let mut world = Self {
            book: Rehearsal::new(contexts, TENANT),
            at: NOON,
            timers: BTreeMap::new(),
            deliveries: 0,
        };
        let entered = source::Command::Enter(serde_json::from_value(settings).unwrap());
        world.does(Sending::of::<Source>(SOURCE, entered));
        world
    }

    fn usual() -> Self {
        Self::new(json!({"name": "Prometheus", "receiver_im": "ops"}))
    }

    /// Something is asked, and all happens that follows from it. Whether it was accepted.
    fn asks(&mut self, by: Uuid, sending: Sending) -> bool {
        let occasion = Occasion {
            by,
            at: self.at,
            reason: None,
        };
        let is_accepted = self.book.ask(&[sending], &occasion).is_ok();
        for timer in self.book.follow(CONTEXT.policies, self.at).unwrap() {
            match timer {
                Reaction::Wait { timer, due_at, sending } => _ = self.timers.insert(timer, (due_at, sending)),
                Reaction::Forget { timer } => _ = self.timers.remove(&timer),
                Reaction::Send { .. } => panic!("{timer:?} is left"),
            }
        }
        is_accepted
    }

    /// As [`World::asks`], of what must be accepted.
    #[track_caller]
    fn does(&mut self, sending: Sending) {
        assert!(self.asks(BEN, sending.clone()), "{sending:?}");
    }

    /// As [`World::does`], of what Daybook alone sends.
    #[track_caller]
    fn daybook_does(&mut self, sending: Sending) {
        assert!(self.asks(SYSTEM, sending.clone()), "{sending:?}");
    }

    /// Time goes by, and what is due happens when it is.
    fn passes(&mut self, minutes: i64) {
        let until = self.at + TimeDelta::minutes(minutes);
        loop {
            let due = self.timers.iter().filter(|(_, (due_at, _))| *due_at <= until);
            let Some((&timer, _)) = due.min_by_key(|(_, (due_at, _))| *due_at) else {
                break;
            };
            if let Some((due_at, sending)) = self.timers.remove(&timer) {
                self.at = self.at.max(due_at);
                self.asks(SYSTEM, sending);
            }
        }
        self.at = until;
    }

    /// A body is delivered. A large one lies in the object store, from where it is brought.
    fn comes(&mut self, text: &str) -> Uuid {
        self.deliveries += 1;
        let stream = Uuid::from_u128(0xd000 + self.deliveries);
        let body = Body::of(text.as_bytes());
        let is_here = body.written_bytes() <= BODY_WRITTEN_BYTES_MAX;
        let object = || ObjectRef {
            sha256: "0b".repeat(32),
            bytes: text.len() as i64,
            key: Some(stream),
        };
        let receive = delivery::Command::Receive {
            source_id: SOURCE,
            token_id: SOURCE,
            enclosed: Enclosed {
                content_type: Some("application/json".to_owned()),
                received_at: self.at,
                ..Enclosed::default()
            },
            body: is_here.then(|| body.clone()),
            object: (!is_here).then(object),
            sha256: "0a".repeat(32),
            bytes: text.len() as u64,
            is_brief: false,
        };
        self.daybook_does(Sending::of::<Delivery>(stream, receive));
        if !is_here {
            let recognise = delivery::Command::Recognise { body: Some(body) };
            self.daybook_does(Sending::of::<Delivery>(stream, recognise));
        }
        stream
    }

    /// The streams of a kind, in the order of their beginning.
    fn streams<D: Decider>(&self) -> Vec<Uuid> {
        let of_kind = self
            .book
            .events()
            .iter()
            .filter(|event| event.aggregate_type == D::TYPE);
        let mut seen = BTreeSet::new();
        let streams = of_kind.map(|event| event.stream);
        streams.filter(|&stream| seen.insert(stream)).collect()
    }

    fn alerts(&self) -> Vec<(Uuid, alert::Opened)> {
        let state = |id: Uuid| (id, self.book.state::<Alert>(id).unwrap().opened().unwrap().clone());
        self.streams::<Alert>().into_iter().map(state).collect()
    }

    fn issues(&self) -> Vec<(Uuid, issue::Opened)> {
        let state = |id: Uuid| (id, self.book.state::<Issue>(id).unwrap().opened().unwrap().clone());
        self.streams::<Issue>().into_iter().map(state).collect()
    }

    fn alert_statuses(&self) -> Vec<AlertStatus> {
        self.alerts().iter().map(|(_, alert)| alert.status).collect()
    }

    fn issue_statuses(&self) -> Vec<IssueStatus> {
        self.issues().iter().map(|(_, issue)| issue.status).collect()
    }

    /// Events of what comes of signals.
    fn happened(&self) -> usize {
        let kinds = [Alert::TYPE, Issue::TYPE, Message::TYPE];
        let events = self.book.events().iter();
        events
            .filter(|event| kinds.contains(&event.aggregate_type.as_str()))
            .count()
    }
}

/// What Alertmanager sends of these hosts, of what began so many minutes after noon.
fn told(hosts: impl IntoIterator<Item = u32>, status: &str, began: i64) -> String {
    let sets = hosts.into_iter().map(|host| {
        BTreeMap::from([
            ("alertname".to_owned(), "DiskFull".to_owned()),
            ("severity".to_owned(), "critical".to_owned()),
            ("instance".to_owned(), format!("host-{host}")),
        ])
    });
    samples::alertmanager_group(sets, status, NOON + TimeDelta::minutes(began))
}

fn resolve_issue(issue: Uuid) -> Sending {
    Sending::of::<Issue>(issue, issue::Command::Resolve { conclusion: None })
}

#[test]
fn what_a_pair_of_senders_tells_twice_is_one_alert_of_one_issue_told_once() {
    let mut world = World::usual();
    world.comes(&told([1], "firing", 0));
    let happened = world.happened();
    world.comes(&told([1], "firing", 0));
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.happened(), happened);
    assert_eq!(world.alert_statuses(), [AlertStatus::Open]);
    let issues = world.issues();
    assert_eq!((issues.len(), issues[0].1.alerts.len()), (1, 1));
    let message = world
        .book
        .state::<Message>(Message::stream(issues[0].0, "ops"))
        .unwrap();
    assert_eq!(message.wanted().unwrap().revision, 1);
}

#[test]
fn an_end_that_overtakes_its_beginning_leaves_nothing_open() {
    let mut world = World::usual();
    world.comes(&told([1], "resolved", 0));
    assert_eq!(world.alerts(), []);
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved]);
    // The next time it fires, it does.
    world.passes(10);
    world.comes(&told([1], "firing", 10));
    world.comes(&told([1], "resolved", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved, AlertStatus::Open]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Analyzing]);
}

#[test]
fn a_storm_is_one_issue_of_which_is_told_when_it_grows() {
    let mut world = World::usual();
    world.comes(&told(0..200, "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Open; 200]);
    let issues = world.issues();
    let [(issue_id, issue)] = &issues[..] else {
        panic!("{} issues", issues.len());
    };
    assert_eq!((issue.alerts.len(), issue.alerts_open), (200, 200));
    assert_eq!(issue.remembered.len(), issue::REMEMBERED_MAX);
    let message = world.book.state::<Message>(Message::stream(*issue_id, "ops")).unwrap();
    let wanted = message.wanted().unwrap();
    assert_eq!((wanted.revision, wanted.notice.alerts), (3, 100));

    world.does(resolve_issue(*issue_id));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved; 200]);
}

#[test]
fn what_is_over_ends_its_issue_and_what_comes_back_reopens_it() {
    let mut world = World::usual();
    world.comes(&told([1, 2], "firing", 0));
    world.passes(5);
    world.comes(&told([1], "resolved", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved, AlertStatus::Open]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Analyzing]);
    world.comes(&told([2], "resolved", 0));
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved]);
    world.passes(5);
    world.comes(&told([1], "firing", 10));
    assert_eq!(world.issue_statuses(), [IssueStatus::Analyzing]);
    assert_eq!(world.issues()[0].1.alerts.len(), 3);
    // Much later it is another one.
    world.comes(&told([1], "resolved", 10));
    world.passes(40);
    world.comes(&told([1], "firing", 50));
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved, IssueStatus::Analyzing]);
}

#[test]
fn what_a_person_has_ended_stays_so_and_the_next_time_is_another_issue() {
    for is_none in [false, true] {
        let mut world = World::usual();
        world.comes(&told([1, 2], "firing", 0));
        let first = world.issues()[0].0;
        world.passes(1);
        let none = issue::Command::MarkFalsePositive { conclusion: None };
        world.does(match is_none {
            true => Sending::of::<Issue>(first, none),
            false => resolve_issue(first),
        });
        let ended = if is_none {
            AlertStatus::FalsePositive
        } else {
            AlertStatus::Resolved
        };
        assert_eq!(world.alert_statuses(), [ended; 2]);
        assert_eq!(world.issues()[0].1.alerts_open, 0);

        world.passes(1);
        world.comes(&told([1], "resolved", 0));
        world.comes(&told([1], "firing", 2));
        let issues = world.issues();
        assert_eq!(issues.len(), 2);
        assert_eq!(issues[1].1.status, IssueStatus::Analyzing);
        assert_eq!(issues[0].1.alerts.len(), 2);
    }
}

#[test]
fn a_person_who_resolves_the_last_alert_resolves_the_issue() {
    let mut world = World::usual();
    world.comes(&told([1], "firing", 0));
    let (alert_id, _) = world.alerts()[0];
    world.does(Sending::of::<Alert>(alert_id, alert::Command::Resolve {}));
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved]);
    let signal = world.book.state::<Signal>(world.alerts()[0].1.signal_id).unwrap();
    assert_eq!(signal.current, None);
}

#[test]
fn what_a_person_has_resolved_and_its_source_goes_on_telling_is_another_alert_of_another_issue() {
    let mut world = World::usual();
    world.comes(&told([1], "firing", 0));
    let first = world.issues()[0].0;
    world.passes(1);
    world.does(resolve_issue(first));
    // The other of a pair sends the same.
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved]);
    world.passes(5);
    world.comes(&told([1], "firing", 0));
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved, AlertStatus::Open]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved, IssueStatus::Analyzing]);
    world.comes(&told([1], "resolved", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved; 2]);
    world.passes(60);
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved; 2]);
}

#[test]
fn what_a_person_said_of_an_alert_stays_until_its_signal_is_over_and_afterwards() {
    for (says, stays) in [
        (alert::Command::MarkFalsePositive {}, AlertStatus::FalsePositive),
        (alert::Command::Ignore {}, AlertStatus::Ignored),
    ] {
        let mut world = World::usual();
        world.comes(&told([1], "firing", 0));
        let (alert_id, _) = world.alerts()[0];
        world.does(Sending::of::<Alert>(alert_id, says));
        world.passes(60);
        world.comes(&told([1], "firing", 0));
        assert_eq!(world.alert_statuses(), [stays]);
        world.comes(&told([1], "resolved", 0));
        assert_eq!(world.alert_statuses(), [stays]);
        let reopen = Sending::of::<Alert>(alert_id, alert::Command::Reopen {});
        assert!(!world.asks(BEN, reopen));
        world.comes(&told([1], "firing", 60));
        assert_eq!(world.alert_statuses(), [stays, AlertStatus::Open]);
    }
}

#[test]
fn what_a_person_ignores_during_a_silence_stays_so_after_it() {
    let mut world = World::usual();
    world.does(silenced(60));
    world.comes(&told([1, 2], "firing", 0));
    let (alert_id, _) = world.alerts()[0];
    world.does(Sending::of::<Alert>(alert_id, alert::Command::Ignore {}));
    world.passes(61);
    assert_eq!(world.alert_statuses(), [AlertStatus::Ignored, AlertStatus::Open]);
}

#[test]
fn an_alert_that_a_person_opens_again_opens_the_issue_that_was_called_none() {
    let mut world = World::usual();
    world.comes(&told([1], "firing", 0));
    let issue = world.issues()[0].0;
    let none = issue::Command::MarkFalsePositive { conclusion: None };
    world.does(Sending::of::<Issue>(issue, none));
    assert_eq!(world.issue_statuses(), [IssueStatus::FalsePositive]);
    let (alert_id, _) = world.alerts()[0];
    world.does(Sending::of::<Alert>(alert_id, alert::Command::Reopen {}));
    assert_eq!(world.alert_statuses(), [AlertStatus::Open]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Analyzing]);
}

#[test]
fn what_a_body_said_of_an_alert_goes_when_the_body_does_and_not_before() {
    let mut world = World::usual();
    let delivery = world.comes(&told([1], "firing", 0));
    let (alert_id, _) = world.alerts()[0];
    let is_there = |world: &World| {
        let body = world.book.state::<Delivery>(delivery).unwrap();
        let body = body.received().unwrap().content != Content::Dropped;
        let raw = world.book.state::<Alert>(alert_id).unwrap();
        (body, raw.opened().unwrap().has_raw)
    };
    world.passes(i64::from(BODY_DAYS) * 24 * 60 - 1);
    assert_eq!(is_there(&world), (true, true));
    world.passes(1);
    assert_eq!(is_there(&world), (false, false));
}

#[test]
fn an_alert_ends_when_nothing_more_is_heard_of_it_and_not_before() {
    let mut world = World::new(json!({"name": "Prometheus", "auto_resolve_minutes": 60}));
    world.comes(&told([1, 2], "firing", 0));
    world.passes(50);
    // The sender repeats to the letter what it has told of one of them.
    world.comes(&told([1], "firing", 0));
    world.passes(20);
    assert_eq!(world.alert_statuses(), [AlertStatus::Open, AlertStatus::Resolved]);
    world.passes(39);
    assert_eq!(world.alert_statuses(), [AlertStatus::Open, AlertStatus::Resolved]);
    world.passes(1);
    assert_eq!(world.alert_statuses(), [AlertStatus::Resolved; 2]);
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved]);
}

fn silenced(minutes: i64) -> Sending {
    let silence = json!({"silence": {
        "name": "Work", "when": [{"field": "labels.instance", "op": "matches", "value": "^host-[12]$"}],
        "ends_at": NOON + TimeDelta::minutes(minutes),
    }});
    let command: silence::Command = serde_json::from_value(silence).unwrap();
    Sending::to(Silences::only_stream(TENANT), AnyCommand::of::<Silences>(command))
}

#[test]
fn what_is_kept_quiet_joins_an_issue_only_if_it_goes_on_when_the_silence_is_over() {
    let mut world = World::usual();
    world.does(silenced(60));
    world.comes(&told([1, 2], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Ignored; 2]);
    assert_eq!(world.issues(), []);
    world.passes(30);
    world.comes(&told([2], "resolved", 0));
    world.passes(31);
    assert_eq!(world.alert_statuses(), [AlertStatus::Open, AlertStatus::Resolved]);
    let issues = world.issues();
    assert_eq!((issues.len(), issues[0].1.alerts.len()), (1, 1));
}

#[test]
fn a_heartbeat_is_an_alert_of_no_issue() {
    let mut world = World::usual();
    let mut samples = samples::all().into_iter();
    let watchdog = samples.find(|sample| sample.name == "alertmanager: the watchdog");
    world.comes(watchdog.unwrap().body);
    assert_eq!(world.alert_statuses(), [AlertStatus::Ignored]);
    assert_eq!(world.issues(), []);
}

#[test]
fn an_alert_that_flaps_is_told_every_half_hour_with_how_it_stands_and_nothing_is_lost() {
    let mut world = World::usual();
    let mut told_at: Vec<(u32, i64, Tells, bool)> = Vec::new();
    let mut look = |world: &World| {
        let (issue, _) = world.issues()[0];
        let message = world.book.state::<Message>(Message::stream(issue, "ops")).unwrap();
        let wanted = message.wanted().unwrap();
        if told_at.last().is_none_or(|(revision, ..)| *revision != wanted.revision) {
            let minute = (world.at - NOON).num_minutes();
            told_at.push((wanted.revision, minute, wanted.notice.tells, wanted.notice.is_flapping));
        }
    };
    // It fires every ten minutes, for five minutes each time.
    for minute in (0..80).step_by(10) {
        world.comes(&told([1], "firing", minute));
        look(&world);
        world.passes(5);
        look(&world);
        world.comes(&told([1], "resolved", minute));
        look(&world);
        world.passes(5);
        look(&world);
    }
    world.passes(240);
    look(&world);
    assert_eq!(world.issue_statuses(), [IssueStatus::Resolved]);
    let expected = [
        (1, 0, Tells::Opened, false),
        (2, 5, Tells::Resolved, false),
        (3, 10, Tells::Reopened, false),
        (4, 15, Tells::Resolved, false),
        (5, 20, Tells::Reopened, true),
        (6, 50, Tells::Resolved, true),
        (7, 80, Tells::Resolved, true),
    ];
    assert_eq!(told_at, expected);
    // Whoever ends it is heard at once.
    let issue = world.issues()[0].0;
    world.does(resolve_issue(issue));
    let message = world.book.state::<Message>(Message::stream(issue, "ops")).unwrap();
    assert_eq!(message.wanted().unwrap().revision, 8);
}

#[test]
fn what_nobody_can_read_harms_nothing() {
    let mut world = World::usual();
    world.comes("<html>");
    world.comes(r#"{"foo":1}"#);
    world.comes(&told([1], "firing", 0));
    assert_eq!(world.alert_statuses(), [AlertStatus::Open]);
}
