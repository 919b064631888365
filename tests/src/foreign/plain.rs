//! The goods of plain kinds, made of their lists: samples of each, and the calls of their operations.

use std::collections::BTreeMap;

use domain::Aggregate;
use domain::entry::{self, Key, Plain, Reference, Sampled, Value as Cell};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Operation, Reach};
use crate::Service;

/// Samples of the plain kinds of a context: of each two that are in use, and what makes another. Kinds whose references lead
/// elsewhere than to plain kinds have goods made by hand.
#[derive(Debug, Default)]
pub struct Samples {
    /// By the word for many of them.
    made: BTreeMap<&'static str, Made>,
}

#[derive(Debug)]
struct Made {
    list: &'static Plain,
    /// The keys as they stand in URLs: one that is looked at and amended, and one that is struck.
    keys: [String; 2],
    streams: Vec<String>,
    /// Bodies that enter others, of the owner's and of another tenant's: nothing of theirs is there.
    another: Sampled,
}

impl Samples {
    /// Enters two of each kind, parents before what refers to them.
    pub async fn made(service: &Service, kinds: impl Iterator<Item = &'static Aggregate>) -> Self {
        let mut samples = Self::default();
        for (kind, list) in kinds.filter_map(|kind| Some((kind, kind.plain?))) {
            let mut keys = Vec::new();
            let mut streams = Vec::new();
            for n in [1, 2] {
                let path = format!("/v1/{}/{}", list.context, kind.plural);
                let body = entry::sample(list, n, &|reference| samples.named(reference));
                let reply = service.admin.post(&path, &Value::Object(body)).await;
                assert_eq!(reply.status, 200, "{kind:?}: {}", reply.text);
                let location = reply.headers["location"].to_str().unwrap();
                keys.push(location.rsplit('/').next().unwrap().to_owned());
                let stream = reply.json()["stream"].as_str().map(str::to_owned);
                streams.extend(stream);
            }
            let another = entry::sample(list, 3, &|reference| samples.named(reference));
            let [one, other] = [keys.remove(0), keys.remove(0)];
            let made = Made {
                list,
                keys: [one, other],
                streams,
                another,
            };
            samples.made.insert(kind.plural, made);
        }
        samples
    }

    fn named(&self, reference: &Reference) -> Option<Cell> {
        let made = self.made.values().find(|made| made.list.kind == reference.kind)?;
        let key = percent_encoding::percent_decode_str(&made.keys[0]).decode_utf8().ok()?;
        Some(match made.list.key {
            Key::Id(_) => Cell::Uuid(key.parse().ok()?),
            Key::Number(_) => Cell::Whole(key.parse().ok()?),
            Key::Fields(_) => Cell::Text(key.into_owned()),
        })
    }

    /// The call that tries an operation of a plain kind; none of another kind's.
    pub fn call(&self, operation: Operation<'_>) -> Option<Call> {
        let words = operation.words();
        let name = words.get(2)?.replace('_', "-");
        let made = self.made.get(name.as_str())?;
        let at = |key: &str| operation.path.replace("{id}", key).replace("{key}", key);
        let sent = |key: &str, body: Value, reach, statuses| Some(operation.at(at(key), Some(body), reach, statuses));
        let is_own = !matches!(made.list.key, Key::Id(_));
        match (operation.method, &words[3..]) {
            ("get", []) => Some(operation.at(at(""), None, Reach::Tenant, [200; 3])),
            ("get", [_, ..]) => Some(operation.at(at(&made.keys[0]), None, Reach::Tenant, [200, 404, 200])),
            // What another tenant refers to is not there.
            ("post", []) => {
                let refers = made
                    .list
                    .fields
                    .iter()
                    .any(|field| made.another.contains_key(field.name) && field.spec.reference.is_some());
                let other = if refers { 422 } else { 200 };
                sent("", Value::Object(made.another.clone()), Reach::New, [200, other, 403])
            }
            // Its own key makes an entry of the tenant's own; an id that is another's is taken.
            ("post", [_, "enter"]) => {
                let body = entry::sample(made.list, 4, &|reference| self.named(reference));
                let (key, owner) = match made.list.key {
                    Key::Id(_) => (Uuid::from_u128(0x904).to_string(), 200),
                    Key::Number(_) => ("904".to_owned(), 422),
                    Key::Fields(_) => (key_of(made.list, &body), 200),
                };
                let refers = body.keys().any(|name| {
                    made.list
                        .field(name)
                        .is_some_and(|field| field.spec.reference.is_some())
                });
                let other = if refers { 422 } else { owner };
                let reach = if is_own || owner == 200 {
                    Reach::New
                } else {
                    Reach::Tenant
                };
                sent(&key, Value::Object(body), reach, [owner, other, 403])
            }
            ("post", [_, "amend"]) => {
                let (field, value) = amended(made.list)?;
                sent(&made.keys[0], json!({ field: value }), Reach::Tenant, [200, 404, 403])
            }
            ("post", [_, _]) => sent(&made.keys[1], json!({}), Reach::Tenant, [200, 404, 403]),
            _ => None,
        }
    }

    /// Whether the rows of this table are samples.
    pub fn are_in(&self, table: &str) -> bool {
        self.made.values().any(|made| made.list.table == table)
    }

    /// The streams of the samples, which nobody outside the tenant may see.
    pub fn secrets(&self) -> Vec<String> {
        self.made.values().flat_map(|made| made.streams.clone()).collect()
    }
}

/// The key of the entry with this body, as it stands in a URL.
fn key_of(list: &Plain, body: &Sampled) -> String {
    let value = |field: &entry::Field| match &body[field.name] {
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => Cell::Whole(number.as_i64().unwrap()),
        other => panic!("{other} is of no key"),
    };
    let values: Vec<Cell> = list
        .fields
        .iter()
        .map(|field| if list.is_key(field) { value(field) } else { Cell::Null })
        .collect();
    let key = list.key_text(&values).unwrap();
    utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string()
}

/// A field that may be amended, and a value that the first sample has not.
fn amended(list: &Plain) -> Option<(&'static str, Value)> {
    let mut fields = list.fields.iter().filter(|field| {
        let spec = field.spec;
        !(spec.stays || spec.is_home || spec.reference.is_some() || list.is_key(field))
    });
    fields.find_map(|field| {
        let (one, other) = (entry::fitting(field, 1), entry::fitting(field, 9));
        (one != other).then_some((field.name, other))
    })
}
