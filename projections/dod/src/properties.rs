//! Whatever senders tell and people do, the rows satisfy what the tables demand.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use dod::alert::Alert;
use dod::delivery::Delivery;
use dod::issue::Issue;
use dod::message::Message;
use dod::signal::Signal;
use dod::source::Source;
use domain::{AnyEvent, Contexts, Decider, Recorded, SYSTEM, Sending};
use identity::user::User;
use proptest::prelude::*;
use rehearsal::{Occasion, Rehearsal, sending};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::CONTEXT;

const TENANT: Uuid = Uuid::from_u128(0x7e);
const PERSON: Uuid = Uuid::from_u128(0x9e);
const SOURCE: Uuid = Uuid::from_u128(0x50);
const DELIVERY: Uuid = Uuid::from_u128(0xde);
/// Things that the source tells of.
const KEYS: u8 = 4;

const OF_ALERT: [&str; 6] = [
    "acknowledge",
    "resolve",
    "mark-false-positive",
    "ignore",
    "reopen",
    "assign",
];
const OF_ISSUE: [&str; 6] = [
    "start",
    "resolve",
    "mark-false-positive",
    "mark-unable-to-resolve",
    "reopen",
    "assign",
];

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Wish {
    /// The source tells of something, firing or over.
    Told { key: u8, is_firing: bool },
    /// Somebody commands the latest alert of something, or its issue.
    Asked { key: u8, of_issue: bool, command: u8 },
    /// The latest alert of something is archived, with its issue if it has one.
    Archived { key: u8 },
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => (0..KEYS, any::<bool>()).prop_map(|(key, is_firing)| Wish::Told { key, is_firing }),
        3 => (0..KEYS, any::<bool>(), 0..6_u8).prop_map(|(key, of_issue, command)| Wish::Asked { key, of_issue, command }),
        1 => (0..KEYS).prop_map(|key| Wish::Archived { key }),
    ]
}

/// A valid past: wishes go through the real decisions and policies; what is refused does not happen.
struct Past {
    book: Rehearsal,
    minute: i64,
}

impl Past {
    fn of(wishes: Vec<Wish>) -> Vec<Recorded<AnyEvent>> {
        let contexts = Contexts::new(&[&identity::CONTEXT, &dod::CONTEXT]).unwrap();
        let mut past = Self {
            book: Rehearsal::new(contexts, TENANT),
            minute: 0,
        };
        past.ask::<User>(
            PERSON,
            PERSON,
            json!({"register": {"email": "ada@example.com", "name": "Ada"}}),
        );
        past.ask::<Source>(PERSON, SOURCE, json!({"enter": {"name": "prometheus"}}));
        let enclosed = json!({"content_type": null, "receiver_im": null, "received_at": past.now()});
        let receive = json!({"receive": {"source_id": SOURCE, "token_id": SOURCE, "enclosed": enclosed,
            "body": {"text": "{}"}, "object": null, "sha256": "0".repeat(64), "bytes": 2}});
        past.ask::<Delivery>(SYSTEM, DELIVERY, receive);
        wishes.into_iter().for_each(|wish| past.grant(wish));
        let events = past.book.events().iter();
        events
            .filter_map(|recorded| {
                let event = CONTEXT.decode(recorded).unwrap()?;
                Some(recorded.clone().map(|_| event))
            })
            .collect()
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(self.minute)
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Told { key, is_firing } => {
                let stream = Signal::stream(SOURCE, &key.to_string());
                let signal = if is_firing { "firing" } else { "resolved" };
                let observation = json!({"event_id": self.minute.to_string(), "dedup_key": key.to_string(),
                    "signal": signal, "severity": "high", "original_severity": null, "alert_type": format!("type {}", key / 2),
                    "title": "Disk is full", "description": null, "labels": {"key": key.to_string()}, "starts_at": null,
                    "ends_at": null, "links": [], "is_heartbeat": false, "raw": "{\"a\": 1e9}"});
                let observe = json!({"observe": {"source_id": SOURCE, "delivery_id": DELIVERY, "receiver_im": "ops",
                    "observation": observation, "received_at": self.now()}});
                self.ask::<Signal>(SYSTEM, stream, observe);
            }
            Wish::Asked { key, of_issue, command } => {
                let stream = Signal::stream(SOURCE, &key.to_string());
                let signal: Signal = self.book.state(stream).unwrap();
                let alert_id = Signal::alert_id(stream, signal.episodes);
                let alert: Alert = self.book.state(alert_id).unwrap();
                let issue_id = alert.opened().and_then(|opened| opened.issue_id);
                let name = |commands: [&'static str; 6]| commands[usize::from(command)];
                let body = |name: &str| match name {
                    "assign" => json!({name: {"user_id": PERSON}}),
                    _ => json!({name: {}}),
                };
                match (of_issue, issue_id) {
                    (true, Some(issue_id)) => self.ask::<Issue>(PERSON, issue_id, body(name(OF_ISSUE))),
                    (true, None) => {}
                    (false, _) => self.ask::<Alert>(PERSON, alert_id, body(name(OF_ALERT))),
                }
            }
            Wish::Archived { key } => self.archive(key),
        }
    }

    /// As the archiver does it: bodies are dropped before, and what refers to an issue leaves before it.
    fn archive(&mut self, key: u8) {
        let stream = Signal::stream(SOURCE, &key.to_string());
        let signal: Signal = self.book.state(stream).unwrap();
        let alert_id = Signal::alert_id(stream, signal.episodes);
        let alert: Alert = self.book.state(alert_id).unwrap();
        let issue_id = alert.opened().and_then(|opened| opened.issue_id);
        let issue = issue_id.map(|issue_id| self.book.state::<Issue>(issue_id).unwrap());
        let of_issue = issue.as_ref().and_then(Issue::opened);
        let alerts = of_issue.map_or(vec![alert_id], |opened| opened.alerts.keys().copied().collect());
        for &alert in &alerts {
            self.ask::<Alert>(SYSTEM, alert, json!({"drop-raw": {}}));
        }
        let archive = json!({"archive": {"archive": "dod.issues.1", "sha256": "0".repeat(64)}});
        let of_issue = issue_id.map(|issue_id| {
            [
                sending::<Message>(Message::stream(issue_id, "ops"), &archive),
                sending::<Issue>(issue_id, &archive),
            ]
        });
        let of_alerts = alerts.iter().map(|&alert| sending::<Alert>(alert, &archive));
        let all: Vec<Sending> = of_issue.into_iter().flatten().chain(of_alerts).collect();
        self.ask_all(SYSTEM, &all);
    }

    fn ask<D: Decider>(&mut self, by: Uuid, stream: Uuid, command: Value) {
        self.ask_all(by, &[sending::<D>(stream, &command)]);
    }

    fn ask_all(&mut self, by: Uuid, sendings: &[Sending]) {
        self.minute += 1;
        let at = self.now();
        let occasion = Occasion { by, at, reason: None };
        if self.book.ask(sendings, &occasion).is_ok() {
            self.book.follow(dod::CONTEXT.policies, at).unwrap();
        }
    }
}

type Tables = Vec<(&'static str, Vec<Map<String, Value>>)>;

fn tables(events: &[Recorded<AnyEvent>]) -> Tables {
    CONTEXT.folded(events).unwrap()
}

fn rows<'a>(tables: &'a Tables, name: &str) -> &'a [Map<String, Value>] {
    let found = tables.iter().find(|(table, _)| *table == name);
    found.map_or(&[], |(_, rows)| rows)
}

/// Every reference and unique key of the DDL that does not hold, as a sentence. The tenant, which rows do not show, is one.
fn broken(tables: &Tables) -> Vec<String> {
    let mut broken = Vec::new();
    for line in CONTEXT
        .whole_ddl()
        .lines()
        .filter(|line| line.starts_with("alter table"))
    {
        let table = line.split_whitespace().nth(2).unwrap();
        let listed = line.split_once('(').unwrap().1.split(')').next().unwrap();
        let columns: Vec<&str> = listed.split(", ").filter(|column| *column != "tenant_id").collect();
        let keys = rows(tables, table).iter();
        let keys = keys.map(|row| columns.iter().map(|column| &row[*column]).collect::<Vec<_>>());
        if line.contains(" unique ") {
            let mut seen = BTreeSet::new();
            let twice = keys.filter(|key| !seen.insert(json!(key).to_string()));
            broken.extend(twice.map(|key| format!("{table} has {columns:?} twice: {key:?}")));
        } else if let [column] = columns[..] {
            let parent = line.split_once("references ").unwrap().1.split(' ').next().unwrap();
            let is_there = |id: &Value| rows(tables, parent).iter().any(|row| row["id"] == *id);
            let orphans = keys.map(|key| key[0]).filter(|id| !id.is_null() && !is_there(id));
            broken.extend(orphans.map(|id| format!("{table}.{column} names no {parent}: {id}")));
        }
    }
    broken
}

#[test]
fn what_is_told_and_asked_reaches_the_tables() {
    let told = |key, is_firing| Wish::Told { key, is_firing };
    let asked = |of_issue| Wish::Asked {
        key: 0,
        of_issue,
        command: 1,
    };
    let wishes = vec![
        told(0, true),
        told(0, true),
        told(1, true),
        told(1, false),
        asked(false),
        asked(true),
        told(0, true),
    ];
    let tables = tables(&Past::of(wishes));
    for (table, at_least) in [
        ("alerts", 3),
        ("issues", 1),
        ("issue_alert_bindings", 2),
        ("messages", 1),
        ("deliveries", 1),
    ] {
        assert!(
            rows(&tables, table).len() >= at_least,
            "{table}: {:?}",
            rows(&tables, table)
        );
    }
    let counts: Vec<&Value> = rows(&tables, "alerts").iter().map(|row| &row["count"]).collect();
    assert!(counts.contains(&&json!(2)), "{counts:?}");
    let resolved = rows(&tables, "alerts")
        .iter()
        .find(|row| row["resolved_by"] == json!(PERSON));
    assert_eq!(resolved.unwrap()["raw_payload"], json!({"a": 1e9}));
}

#[test]
fn what_is_archived_leaves_no_row_behind_and_comes_back_as_something_else() {
    let told = |key, is_firing| Wish::Told { key, is_firing };
    let mut wishes = vec![
        told(0, true),
        told(1, true),
        told(2, true),
        told(0, false),
        told(1, false),
    ];
    let before = Past::of(wishes.clone());
    wishes.push(Wish::Archived { key: 0 });
    let archived = Past::of(wishes.clone());
    let count = |events: &[Recorded<AnyEvent>], name: &str| rows(&tables(events), name).len();
    for (table, left) in [
        ("alerts", (3, 1)),
        ("issues", (2, 1)),
        ("issue_alert_bindings", (3, 1)),
        ("messages", (2, 1)),
    ] {
        assert_eq!((count(&before, table), count(&archived, table)), left, "{table}");
    }
    wishes.push(told(0, true));
    assert_eq!(count(&Past::of(wishes), "issues"), 2);

    // The signal of one of them is parked, and would bring the row back.
    let (_, posted): (Vec<_>, Vec<_>) = archived.into_iter().partition(|event| event.of::<Signal>().is_some());
    let unfolded = CONTEXT.folded(&posted).unwrap_err();
    assert!(unfolded.to_string().contains("un-park"), "{unfolded}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_valid_history_folds_to_rows_that_the_tables_accept(wishes in prop::collection::vec(wish(), 0..60)) {
        let events = Past::of(wishes);
        // Between events too, because a page may end anywhere.
        for end in (1..events.len()).step_by(7).chain([events.len()]) {
            let tables = tables(&events[..end]);
            prop_assert_eq!(broken(&tables), Vec::<String>::new());
            prop_assert_eq!(rows(&tables, "tenants").len(), 1);
        }
    }

    #[test]
    fn alerts_come_to_the_same_when_their_signals_were_parked(mut wishes in prop::collection::vec(wish(), 0..60)) {
        // Of an archived one the alert is parked, too.
        wishes.retain(|wish| !matches!(wish, Wish::Archived { .. }));
        let events = Past::of(wishes);
        let (parked, posted): (Vec<_>, Vec<_>) = events.iter().cloned().partition(|recorded| recorded.of::<Signal>().is_some());
        let (live, late) = (tables(&events), tables(&[posted, parked].concat()));
        prop_assert_eq!(rows(&live, "alerts"), rows(&late, "alerts"));
    }

    #[test]
    fn an_issue_counts_the_alerts_that_are_bound_to_it(wishes in prop::collection::vec(wish(), 0..60)) {
        let tables = tables(&Past::of(wishes));
        for issue in rows(&tables, "issues") {
            let bound = rows(&tables, "issue_alert_bindings").iter().filter(|binding| binding["issue_id"] == issue["id"]);
            prop_assert_eq!(json!(bound.count()), issue["alerts"].clone());
        }
    }
}
