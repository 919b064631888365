//! Bodies that the schema of a command describes.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How deep bodies are made that hold themselves.
const LEVELS_MAX: usize = 8;
pub(super) const ID: Uuid = Uuid::from_u128(0x0190_a3c4_7f00_7000_8000_1234_5678_90ab);

/// A value that a schema describes.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) value: Value,
    /// The field, by its path without places in lists, that has one word out of those which the schema lists.
    pub(super) word: Option<String>,
}

impl Sample {
    fn plain(value: Value) -> Self {
        Self { value, word: None }
    }

    /// It within a value, under a field of this name if it is one.
    fn within(self, name: Option<&str>, wrap: impl Fn(Value) -> Value) -> Self {
        let word = self.word.map(|word| match (name, word.as_str()) {
            (Some(name), "") => name.to_owned(),
            (Some(name), _) => format!("{name}.{word}"),
            (None, _) => word,
        });
        Self {
            value: wrap(self.value),
            word,
        }
    }
}

/// Values that a schema describes: the plainest first, then one for each word that a field may have.
pub(super) fn samples(schema: &Value, schemas: &Value, level: usize) -> Vec<Sample> {
    if level > LEVELS_MAX {
        return Vec::new();
    }
    let below = |schema: &Value| samples(schema, schemas, level + 1);
    if let Some(reference) = schema["$ref"].as_str() {
        return below(&schemas[reference.rsplit('/').next().unwrap()]);
    }
    if let Some(word) = schema.get("const") {
        return vec![word_of(word)];
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter(|word| !word.is_null()).map(word_of).collect();
    }
    let ways = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    if let Some(ways) = ways.or(schema["allOf"].as_array()) {
        return ways
            .iter()
            .filter(|way| way["type"] != "null")
            .flat_map(below)
            .collect();
    }
    let kind = schema["type"].as_str();
    let mut kinds = schema["type"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    match kind.or(kinds.find(|kind| *kind != "null")) {
        Some("object") => objects(schema, schemas, level),
        Some("array") => {
            let wrap = |item: Value| json!([item]);
            let items = below(&schema["items"]).into_iter().map(|item| item.within(None, wrap));
            let none = (schema["minItems"].as_u64().unwrap_or_default() == 0).then(|| Sample::plain(json!([])));
            none.into_iter().chain(items).collect()
        }
        Some("string") => strings(schema),
        Some("integer" | "number") => vec![Sample::plain(schema.get("minimum").cloned().unwrap_or(json!(1)))],
        Some("boolean") => vec![Sample::plain(json!(true))],
        _ => vec![Sample::plain(json!({}))],
    }
}

fn word_of(word: &Value) -> Sample {
    Sample {
        value: word.clone(),
        word: Some(String::new()),
    }
}

fn strings(schema: &Value) -> Vec<Sample> {
    if let Some(pattern) = schema["pattern"].as_str() {
        let inner = pattern.trim_start_matches("^(").trim_end_matches(")$");
        let is_word = |word: &&str| word.chars().all(|char| char.is_ascii_lowercase() || char == '_');
        let words: Vec<Sample> = inner
            .split('|')
            .filter(is_word)
            .map(|word| word_of(&json!(word)))
            .collect();
        if !words.is_empty() {
            return words;
        }
        return vec![Sample::plain(json!(if pattern.contains("\\d") { "1" } else { "a" }))];
    }
    let plain = match schema["format"].as_str() {
        Some("uuid") => ID.to_string(),
        Some("date-time") => "2026-01-31T08:00:00Z".to_owned(),
        Some("date") => "2026-01-31".to_owned(),
        Some(_) | None => "a".repeat(schema["minLength"].as_u64().unwrap_or(1).max(1) as usize),
    };
    vec![Sample::plain(json!(plain))]
}

fn objects(schema: &Value, schemas: &Value, level: usize) -> Vec<Sample> {
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let of_fields: Vec<(&String, Vec<Sample>)> = fields
        .iter()
        .map(|(name, field)| (name, samples(field, schemas, level + 1)))
        .collect();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let plainest = |name: &&String| required.iter().any(|field| field == name.as_str());
    let base: Map<String, Value> = of_fields
        .iter()
        .filter(|(name, _)| plainest(name))
        .filter_map(|(name, samples)| Some(((*name).clone(), samples.first()?.value.clone())))
        .collect();
    let mut all = vec![Sample::plain(Value::Object(base.clone()))];
    for (name, samples) in of_fields {
        let with = |value: Value| {
            let mut object = base.clone();
            object.insert(name.clone(), value);
            Value::Object(object)
        };
        all.extend(samples.into_iter().map(|sample| sample.within(Some(name), with)));
    }
    if schema["additionalProperties"].is_object() {
        let entries = samples(&schema["additionalProperties"], schemas, level + 1);
        all.extend(
            entries
                .into_iter()
                .map(|entry| entry.within(None, |value| json!({"a": value}))),
        );
    }
    all
}
