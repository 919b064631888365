//! What the book holds for ever is pinned to files: one stored event per variant, and one history
//! that meets every variant. `UPDATE_GOLDEN=1 cargo test -p domain` writes the events that are
//! missing, never over one that is there, and the history anew.

mod approvals;
mod devices;
mod fulfilment;
mod history;
mod ledger;
mod stock;
mod transfers;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::{self, Stored as StoredEvent, Versioned as _};
use crate::{AnyEvent, Decider};

/// Who asked for what the files hold; they have no metadata.
const ACTOR: Uuid = Uuid::from_u128(0xac);

/// A kind of stream with the names of its events, and the way through decode and encode.
struct Stored {
    aggregate_type: &'static str,
    event_types: Vec<&'static str>,
    version: fn(&str) -> &'static str,
    again: fn(&StoredEvent<'_>) -> Value,
}

fn stored<D: Decider>() -> Stored {
    Stored {
        aggregate_type: D::TYPE,
        event_types: D::Event::NAMES.to_vec(),
        version: D::Event::version,
        again: |stored| {
            let payload = event::encode(&event::decode::<D::Event>(stored).unwrap()).unwrap();
            serde_json::from_str(&payload).unwrap()
        },
    }
}

macro_rules! stored_kinds {
    ($($kind:ident = $module:ty => $plural:literal,)+) => {
        fn all() -> Vec<Stored> {
            vec![$(stored::<$module>()),+]
        }
    };
}

crate::each_aggregate!(stored_kinds);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// What the file of an event as it is stored today holds; an absent one is made from the golden
/// history on request.
fn golden(aggregate_type: &str, event_type: &str, version: &str) -> Value {
    let path = folder().join(format!("{aggregate_type}.{event_type}.v{version}.json"));
    if updating() && !path.exists() {
        let history = history::written();
        let first = history
            .iter()
            .find(|stored| stored["aggregate_type"] == aggregate_type && stored["event_type"] == event_type);
        let first = first.unwrap_or_else(|| panic!("the golden history has no {aggregate_type} {event_type}"));
        let kept = ["aggregate_type", "stream", "event_type", "event_version", "payload"];
        let kept: serde_json::Map<_, _> = kept.iter().map(|&key| (key.to_owned(), first[key].clone())).collect();
        fs::write(&path, pretty(&Value::Object(kept))).unwrap();
    }
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes missing files", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_event_ever_stored_reads_and_writes_as_it_did() {
    for kind in all() {
        for event_type in kind.event_types {
            let version = (kind.version)(event_type);
            let golden = golden(kind.aggregate_type, event_type, version);
            assert_eq!(golden["aggregate_type"], kind.aggregate_type);
            assert_eq!(golden["event_type"], event_type);
            assert_eq!(golden["event_version"], version);
            let again = (kind.again)(&StoredEvent {
                event_type,
                version,
                payload: &golden["payload"].to_string(),
                actor: ACTOR,
            });
            assert_eq!(again, golden["payload"], "{} {event_type}", kind.aggregate_type);
        }
    }
}

#[test]
fn every_version_ever_stored_is_read() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("history.json") {
            continue;
        }
        let golden: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (event_type, version) = (text(&golden["event_type"]), text(&golden["event_version"]));
        let stored = StoredEvent {
            event_type: &event_type,
            version: &version,
            payload: &golden["payload"].to_string(),
            actor: ACTOR,
        };
        let event = AnyEvent::decode(&text(&golden["aggregate_type"]), &stored).unwrap();
        assert!(event.is_some(), "{} is of no kind", path.display());
        let name = format!("{}.{event_type}.v{version}.json", text(&golden["aggregate_type"]));
        assert!(path.ends_with(&name), "{} should be called {name}", path.display());
    }
}

#[test]
fn every_golden_event_is_still_one_of_the_book() {
    let known: BTreeSet<String> = all()
        .iter()
        .flat_map(|stored| {
            stored
                .event_types
                .iter()
                .map(move |name| format!("{}.{name}.v", stored.aggregate_type))
        })
        .collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = known.iter().any(|stem| name.starts_with(stem));
        assert!(
            is_known || name == "history.json",
            "{name} names no event; stored names are not renamed"
        );
    }
}

#[test]
fn the_history_is_what_the_deciders_make_of_it() {
    let written = Value::Array(history::written());
    let path = folder().join("history.json");
    if updating() {
        fs::write(&path, pretty(&written)).unwrap();
    }
    let golden: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let (written, golden) = (pretty(&written), pretty(&golden));
    assert!(
        written == golden,
        "golden/history.json differs; UPDATE_GOLDEN=1 writes it anew, as a decision"
    );
}

#[test]
fn the_history_meets_every_event() {
    let met: BTreeSet<(String, String)> = history::written()
        .iter()
        .map(|stored| (text(&stored["aggregate_type"]), text(&stored["event_type"])))
        .collect();
    for stored in all() {
        for event_type in stored.event_types {
            let event = (stored.aggregate_type.to_owned(), event_type.to_owned());
            assert!(met.contains(&event), "the golden history has no {event:?}");
        }
    }
}

#[test]
fn positions_sequences_and_times_of_the_history_run_without_gaps() {
    let mut sequences = std::collections::BTreeMap::new();
    let mut last = String::new();
    for (n, stored) in (1..).zip(history::written()) {
        assert_eq!(stored["position"], json!(n));
        // An order and its approval go by the same id.
        let stream = (stored["aggregate_type"].to_string(), stored["stream"].to_string());
        let sequence = sequences.entry(stream).or_insert(0);
        *sequence += 1;
        assert_eq!(stored["sequence"], json!(*sequence));
        let at = text(&stored["recorded_at"]);
        assert!(last <= at, "{at}");
        last = at;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
