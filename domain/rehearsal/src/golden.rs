//! Stored events are pinned to files, a folder for each context: one stored event per variant and
//! version, and one history that meets every variant. With `UPDATE_GOLDEN=1` in the environment the tests write the
//! events that are missing, never over one that is there, and the history anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use domain::event::Stored;
use domain::{Aggregate, Context};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::chronicle::History;

/// Who asked for what the files hold; they have no metadata.
const ACTOR: Uuid = Uuid::from_u128(0xac);

/// A context's own files, beside its own history as the deciders make it today. Each method is a rule, of which
/// [`crate::rules!`] makes a test, and panics when the rule is broken.
#[derive(Debug)]
pub struct Golden {
    context: &'static Context,
    folder: PathBuf,
    written: Vec<Value>,
}

impl Golden {
    /// The files of a context are in the folder `golden` of its crate, whose path is `manifest`
    /// (`env!("CARGO_MANIFEST_DIR")`).
    #[must_use]
    pub fn of(context: &'static Context, manifest: &str, history: &History) -> Self {
        Self {
            context,
            folder: Path::new(manifest).join("golden"),
            written: history.written(),
        }
    }

    /// # Panics
    /// When today's version of an event has no file, or is not read from it and written as it was.
    pub fn every_event_ever_stored_reads_and_writes_as_it_did(&self) {
        for kind in self.context.aggregates {
            for event_type in kind.events {
                let version = kind.version(event_type);
                let golden = self.stored_event(kind, event_type, version);
                assert_eq!(golden["aggregate_type"], kind.aggregate_type);
                assert_eq!(golden["event_type"], *event_type);
                assert_eq!(golden["event_version"], version);
                let payload = golden["payload"].to_string();
                let event = kind.decode(&stored(event_type, version, &payload)).unwrap();
                let again: Value = serde_json::from_str(&kind.encode(&event).unwrap().unwrap()).unwrap();
                assert_eq!(again, golden["payload"], "{kind:?} {event_type}");
            }
        }
    }

    /// # Panics
    /// When a file holds an event that cannot be read any more, or is not named for it.
    pub fn every_version_ever_stored_is_read(&self) {
        for path in self.files() {
            let golden: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let aggregate_type = text(&golden["aggregate_type"]);
            let (event_type, version) = (text(&golden["event_type"]), text(&golden["event_version"]));
            let mut kinds = self.context.aggregates.iter();
            let kind = kinds.find(|kind| kind.aggregate_type == aggregate_type);
            let kind = kind.unwrap_or_else(|| panic!("{} is of no kind of this context", path.display()));
            let payload = golden["payload"].to_string();
            if let Err(error) = kind.decode(&stored(&event_type, &version, &payload)) {
                panic!("{}: {error}", path.display());
            }
            let name = format!("{aggregate_type}.{event_type}.v{version}.json");
            assert!(path.ends_with(&name), "{} should be called {name}", path.display());
        }
    }

    /// # Panics
    /// When a file names an event that the context does not have.
    pub fn every_golden_event_is_still_one_of_the_book(&self) {
        let kinds = self.context.aggregates.iter();
        let known: BTreeSet<String> = kinds
            .flat_map(|kind| {
                let names = kind.events.iter();
                names.map(move |name| format!("{kind:?}.{name}.v"))
            })
            .collect();
        for path in self.files() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_known = known.iter().any(|stem| name.starts_with(stem));
            assert!(is_known, "{name} names no event; stored names are not renamed");
        }
    }

    /// # Panics
    /// When the file holds another history than the deciders make, or the context another one than the file.
    pub fn the_history_is_what_the_deciders_make_of_it(&self) {
        let written = pretty(&Value::Array(self.written.clone()));
        let path = self.folder.join("history.json");
        if updating() {
            fs::write(&path, &written).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == written,
            "{} differs; UPDATE_GOLDEN=1 writes it anew, as a decision",
            path.display()
        );
        assert!(
            updating() || self.context.history == written,
            "the history of {} is not that of its file",
            self.context.name
        );
    }

    /// # Panics
    /// When an event of the context is missing from its history.
    pub fn the_history_meets_every_event(&self) {
        let events = self.written.iter();
        let met: BTreeSet<(String, String)> = events
            .map(|stored| (text(&stored["aggregate_type"]), text(&stored["event_type"])))
            .collect();
        for kind in self.context.aggregates {
            for event_type in kind.events {
                let event = (kind.aggregate_type.to_owned(), (*event_type).to_owned());
                assert!(met.contains(&event), "the golden history has no {event:?}");
            }
        }
    }

    /// # Panics
    /// When a position or a place in a stream is left out, or time runs backwards.
    pub fn positions_sequences_and_times_of_the_history_run_without_gaps(&self) {
        let mut sequences = BTreeMap::new();
        let mut last = String::new();
        for (n, stored) in (1..).zip(&self.written) {
            assert_eq!(stored["position"], json!(n));
            // Streams of two kinds may go by the same id.
            let stream = (stored["aggregate_type"].to_string(), stored["stream"].to_string());
            let sequence = sequences.entry(stream).or_insert(0);
            *sequence += 1;
            assert_eq!(stored["sequence"], json!(*sequence));
            let at = text(&stored["recorded_at"]);
            assert!(last <= at, "{at}");
            last = at;
        }
    }

    /// The file of an event as it is stored today; an absent one is made from the history on request.
    fn stored_event(&self, kind: &Aggregate, event_type: &str, version: &str) -> Value {
        let path = self.folder.join(format!("{kind:?}.{event_type}.v{version}.json"));
        if updating() && !path.exists() {
            let mut events = self.written.iter();
            let first = events
                .find(|stored| stored["aggregate_type"] == kind.aggregate_type && stored["event_type"] == event_type);
            let first = first.unwrap_or_else(|| panic!("the golden history has no {kind:?} {event_type}"));
            let kept = ["aggregate_type", "stream", "event_type", "event_version", "payload"];
            let kept: serde_json::Map<_, _> = kept.iter().map(|&key| (key.to_owned(), first[key].clone())).collect();
            fs::write(&path, pretty(&Value::Object(kept))).unwrap();
        }
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; UPDATE_GOLDEN=1 writes missing files", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    /// The files of stored events.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_event =
            |path: &PathBuf| path.extension().is_some_and(|of| of == "json") && !path.ends_with("history.json");
        paths.filter(is_event).collect()
    }
}

/// That a file of a context says this; it is written anew on request.
///
/// # Panics
/// When it says something else, with the first line that is another.
pub(crate) fn held(path: &Path, text: &str) {
    if updating() {
        fs::write(path, text).unwrap();
    }
    let held = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().find(|line| !held.lines().any(|before| before == *line));
    let gone = held.lines().find(|line| !text.lines().any(|now| now == *line));
    assert!(
        held == text,
        "{} differs, by `{}`; UPDATE_GOLDEN=1 writes it anew, as a decision",
        path.display(),
        lines.or(gone).unwrap_or_default().trim()
    );
}

fn stored<'a>(event_type: &'a str, version: &'a str, payload: &'a str) -> Stored<'a> {
    Stored {
        event_type,
        version,
        payload,
        actor: ACTOR,
    }
}

pub fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
