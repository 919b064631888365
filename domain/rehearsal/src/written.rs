//! What follows from the commands and events of a context, in files that are written and not kept by hand: whoever adds
//! one reads the difference. Each of these is a rule, of which [`crate::rules!`] makes a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use domain::fact::AnyState;
use domain::{Aggregate, Context, SYSTEM};
use schemars::SchemaGenerator;
use serde_json::Value;
use uuid::Uuid;

use crate::chronicle::History;
use crate::offering::STRANGER;
use crate::{folding, golden, schemas};

/// That the file `offers.txt` says what each state of the story offers, see [`offers`].
///
/// # Panics
/// When it says otherwise.
pub fn what_each_state_offers_is_written_down(context: &Context, history: &History, folder: &Path) {
    golden::held(&folder.join("offers.txt"), &offers(context, history));
}

/// That the file `open.txt` says which texts of events lie in the book as they are, see [`open`].
///
/// # Panics
/// When there is one that it does not name, or that is sealed by now.
pub fn what_events_say_in_the_open_is_written_down(context: &Context, history: &History, folder: &Path) {
    golden::held(&folder.join("open.txt"), &open(context, history));
}

/// What every kind offers after each event of the story: to somebody of whom the story does not tell and, of what Daybook
/// alone sends, to Daybook.
///
/// # Panics
/// When an event cannot be read.
#[must_use]
pub fn offers(context: &Context, history: &History) -> String {
    let mut text = String::new();
    for kind in context.aggregates {
        let _ = writeln!(text, "{}", kind.aggregate_type);
        for (after, offers) in offered(kind, history) {
            for offered in offers {
                let _ = writeln!(text, "  {after}: {offered}");
            }
        }
    }
    text
}

/// The commands that a kind offers, by the event that led to the state.
fn offered(kind: &Aggregate, history: &History) -> BTreeMap<String, BTreeSet<String>> {
    let mut offers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let names = schemas::names(kind);
    let mut note = |after: &str, stream: Uuid, state: &AnyState| {
        let is_offered = |name: &&String| {
            let by = match kind.only_daybook.contains(&name.as_str()) {
                true => SYSTEM,
                false => STRANGER,
            };
            kind.offers(state, name, stream, &history.asker(by)).is_ok()
        };
        let offered: Vec<&str> = names.iter().filter(is_offered).map(String::as_str).collect();
        offers.entry(after.to_owned()).or_default().insert(offered.join(" "));
    };
    for (of, events) in folding::streams(&history.contexts, &history.events) {
        if of != kind {
            continue;
        }
        let (stream, mut state) = (events[0].stream, kind.unborn());
        note("nothing", stream, &state);
        for event in events {
            state = folding::decoded(kind, event).evolved(state).unwrap();
            note(&event.event_type, stream, &state);
        }
    }
    offers
}

/// The texts of events that lie in the book as they are: neither sealed, since they tell who a person is, nor kept as what
/// somebody wrote. Words out of a few, ids and times are none.
///
/// # Panics
/// When an event of the story cannot be read.
#[must_use]
pub fn open(context: &Context, history: &History) -> String {
    let mut text = String::new();
    for kind in context.aggregates {
        let hidden = hidden(kind, history);
        let schema = kind.event_schema(&mut SchemaGenerator::default()).to_value();
        for event_type in kind.events {
            let mut open = BTreeSet::new();
            let variants = schema["oneOf"].as_array().into_iter().flatten();
            let fields = variants.filter_map(|variant| variant["properties"].get(event_type));
            fields.for_each(|fields| open_texts(fields, &schema, "", 0, &mut open));
            let is_hidden = |path: &str| hidden.iter().any(|(of, field)| of == event_type && *field == top(path));
            open.retain(|path| !is_hidden(path));
            if !open.is_empty() {
                let open = Vec::from_iter(open).join(" ");
                let _ = writeln!(text, "{} {event_type}: {open}", kind.aggregate_type);
            }
        }
    }
    text
}

/// The fields of events that are sealed or kept as texts, each with the event's name.
fn hidden(kind: &Aggregate, history: &History) -> BTreeSet<(String, &'static str)> {
    let of_kind = history
        .events
        .iter()
        .filter(|event| event.aggregate_type == kind.aggregate_type);
    let hidden = of_kind.flat_map(|recorded| {
        let event = folding::decoded(kind, recorded);
        let sealed = event.sealed(recorded.stream).into_iter().map(|(field, _)| field);
        let fields: Vec<&'static str> = sealed.chain(event.texts()).collect();
        fields.into_iter().map(|field| (recorded.event_type.clone(), field))
    });
    hidden.collect()
}

/// The top-level field that a path begins with.
fn top(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// Schemas within schemas after which there is nothing new: a schema may refer to itself.
const DEPTH_MAX: usize = 12;

/// The paths to all texts below a schema that may say anything, and to JSON of any form.
fn open_texts(schema: &Value, root: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    if depth > DEPTH_MAX {
        return;
    }
    let mut look = |schema: &Value, path: &str| open_texts(schema, root, path, depth + 1, found);
    if let Some(place) = schema["$ref"].as_str() {
        let referred = place.strip_prefix('#').and_then(|place| root.pointer(place));
        return look(referred.unwrap_or(&Value::Null), path);
    }
    let Some(keywords) = schema.as_object() else {
        // A schema that is `true` takes anything.
        if *schema == Value::Bool(true) {
            found.insert(path.to_owned());
        }
        return;
    };
    for either in ["anyOf", "oneOf", "allOf"] {
        for schema in schema[either].as_array().into_iter().flatten() {
            look(schema, path);
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let below = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        look(schema, &below);
    }
    let lists = ["items", "additionalProperties"].into_iter();
    for inner in lists.filter_map(|list| schema.get(list)) {
        if inner.is_object() || !path.is_empty() && *inner == Value::Bool(true) {
            look(inner, &format!("{path}[]"));
        }
    }
    let is_type = |kind: &str| match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|of| of == kind),
        of => of == kind,
    };
    let is_free = ["format", "enum", "const", "pattern"]
        .iter()
        .all(|keyword| !keywords.contains_key(*keyword));
    let says_nothing = keywords
        .keys()
        .all(|keyword| ["description", "default", "title"].contains(&keyword.as_str()));
    if is_type("string") && is_free || says_nothing {
        found.insert(path.to_owned());
    }
}
