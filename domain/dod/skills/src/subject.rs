//! What is looked at of an alert, and the names of its parts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use dod_formats::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Characters of a label's name within a field's name.
pub const LABEL_NAME_CHARS_MAX: usize = 255;

/// The parts of an alert that patterns and procedures read.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub title: &'a str,
    /// Empty when the sender gave none.
    pub description: &'a str,
    pub source: &'a str,
    pub alert_type: &'a str,
    pub severity: Severity,
    pub labels: &'a BTreeMap<String, String>,
}

/// Which part of an alert a pattern is held against.
// Stored for ever, within events, as the text that `Display` gives. Add variants; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Title,
    Description,
    Source,
    AlertType,
    Severity,
    /// The value of one label: `labels.team`.
    Label(String),
    /// Each of the others by itself, with every label's value.
    Any,
}

/// A field that there is not. The message names those that there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be title, description, source, alert_type, severity, any, or labels. followed by a label's name of at most \
     {LABEL_NAME_CHARS_MAX} characters, as in labels.team"
)]
pub struct UnknownField;

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        Ok(match text {
            "title" => Field::Title,
            "description" => Field::Description,
            "source" => Field::Source,
            "alert_type" => Field::AlertType,
            "severity" => Field::Severity,
            "any" => Field::Any,
            _ => Field::Label(
                text.strip_prefix("labels.")
                    .filter(|name| is_label_name(name))
                    .ok_or(UnknownField)?
                    .into(),
            ),
        })
    }
}

fn is_label_name(name: &str) -> bool {
    !name.trim().is_empty() && !name.chars().any(char::is_control) && name.chars().nth(LABEL_NAME_CHARS_MAX).is_none()
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Title => f.write_str("title"),
            Field::Description => f.write_str("description"),
            Field::Source => f.write_str("source"),
            Field::AlertType => f.write_str("alert_type"),
            Field::Severity => f.write_str("severity"),
            Field::Label(name) => write!(f, "labels.{name}"),
            Field::Any => f.write_str("any"),
        }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Field {
    fn schema_name() -> Cow<'static, str> {
        "Field".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Which part of an alert a pattern is held against: title, description, source, alert_type, severity, \
                any, or labels. followed by a label's name.",
            "pattern": "^(title|description|source|alert_type|severity|any|labels\\..{1,255})$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_as_it_is_written() {
        for text in [
            "title",
            "description",
            "source",
            "alert_type",
            "severity",
            "any",
            "labels.team",
            "labels.a.b c",
        ] {
            let field: Field = text.parse().unwrap();
            assert_eq!(field.to_string(), text);
            let json = serde_json::to_string(&field).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Field>(&json).unwrap(), field);
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_refused() {
        let long = format!("labels.{}", "x".repeat(LABEL_NAME_CHARS_MAX + 1));
        for text in [
            "",
            "Title",
            "label.team",
            "labels",
            "labels.",
            "labels. ",
            "labels.a\nb",
            "raw",
            &long,
        ] {
            assert_eq!(text.parse::<Field>(), Err(UnknownField), "{text:?}");
        }
    }
}
