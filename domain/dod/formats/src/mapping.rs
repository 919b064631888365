//! A tenant's rule for JSON that nobody knows: where in it the words of an alert are.
//!
//! A place is a JSON pointer (`/monitor/name`); a text is a pointer or a template (`{/monitor/name} on {/host}`). With
//! `each`, places are within one element of that list; `^/a/b` is always from the top of the body.

mod template;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Reading, tags_of};
use crate::json::Node;
use crate::note::NoteKind;
use crate::{Signal, digest};
use template::{Rendering, Template, pointer};

/// Characters of a pointer or a template.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Steps of a pointer, and places that a template names.
pub const STEPS_MAX: usize = 16;
pub const PLACES_MAX: usize = 16;
/// Labels that a mapping makes.
pub const LABELS_MAX: usize = 64;
/// Words for firing, and words for resolved.
pub const WORDS_MAX: usize = 32;

/// Where in a body the words of an alert are.
// Stored for ever, within a source's settings. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Which bodies it is for. Absent: all in which its title is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// A pointer to the list whose elements are the alerts; empty when the body itself is the list. Absent: the body is
    /// one alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// The title: a pointer or a template. An element in which it is not found is left out, with a note.
    pub title: String,
    /// What kind of alert it is. Absent, or not found: the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_type: Option<String>,
    /// The sender's word for the severity; the source's words and those of everybody tell what it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The sender's word for the state. Absent, or not found: firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Words of the state that mean firing, beside those that everybody knows. Upper and lower case are alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firing: Vec<String>,
    /// Words of the state that mean resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolved: Vec<String>,
    /// What makes two tellings one alert. Absent, or not found: type, title and labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// What makes two tellings the same. Absent: the start with the text, else every delivery tells anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What else the alert says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// When it ended. Without a state, an alert whose end is past is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// A link to where the alert is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Labels by their names, each a pointer or a template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// A pointer to an object, or a list of `name:value`, whose members become labels too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
}

/// A body that a mapping is for: at a place of it there is a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// From the top of the body.
    pub pointer: String,
    /// The text, number or truth that is there.
    pub equals: String,
}

impl Mapping {
    /// Whether it can be used.
    ///
    /// # Errors
    /// The field that cannot, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(when) = &self.when {
            pointer(&when.pointer).map_err(|reason| ("when.pointer", reason))?;
            bounded(&when.equals).map_err(|reason| ("when.equals", reason))?;
        }
        for (field, place) in [("each", &self.each), ("tags", &self.tags)] {
            if let Some(place) = place {
                pointer(place).map_err(|reason| (field, reason))?;
            }
        }
        Template::parse(&self.title).map_err(|reason| ("title", reason))?;
        for (field, text) in self.texts() {
            if let Some(text) = text {
                Template::parse(text).map_err(|reason| (field, reason))?;
            }
        }
        if self.labels.len() > LABELS_MAX {
            return Err((
                "labels",
                format!("has more than {LABELS_MAX} labels; map fewer, or use tags"),
            ));
        }
        for (name, text) in &self.labels {
            let reason = |reason: String| ("labels", format!("{}: {reason}", crate::draft::shown(name)));
            if name.trim().is_empty() || name.chars().count() > crate::draft::LABEL_NAME_CHARS_MAX {
                return Err(reason("a name has 1 to 255 characters".to_string()));
            }
            bounded(name).map_err(reason)?;
            Template::parse(text).map_err(reason)?;
        }
        for (field, words) in [("firing", &self.firing), ("resolved", &self.resolved)] {
            if words.len() > WORDS_MAX
                || words
                    .iter()
                    .any(|word| word.trim().is_empty() || bounded(word).is_err())
            {
                return Err((field, format!("holds at most {WORDS_MAX} words, none of them empty")));
            }
        }
        let both = self.firing.iter().find(|word| says(&self.resolved, word));
        match both {
            Some(word) => Err((
                "resolved",
                format!("has {} in common with firing; decide", crate::draft::shown(word)),
            )),
            None => Ok(()),
        }
    }

    fn texts(&self) -> [(&'static str, &Option<String>); 9] {
        [
            ("alert_type", &self.alert_type),
            ("severity", &self.severity),
            ("status", &self.status),
            ("dedup_key", &self.dedup_key),
            ("event_id", &self.event_id),
            ("description", &self.description),
            ("starts_at", &self.starts_at),
            ("ends_at", &self.ends_at),
            ("url", &self.url),
        ]
    }

    fn fits(&self, root: Node<'_>) -> bool {
        let is_meant = self.when.as_ref().is_none_or(|when| {
            let place = pointer(&when.pointer).ok();
            let found = place.and_then(|place| root.at(place.iter().map(String::as_str))?.scalar());
            found.is_some_and(|found| found == when.equals)
        });
        if !is_meant {
            return false;
        }
        match &self.each {
            Some(each) => self.list(each, root).is_some(),
            None => self.when.is_some() || Rendering::new(root).text(&self.title, root).is_some(),
        }
    }

    fn list<'a>(&self, each: &str, root: Node<'a>) -> Option<Node<'a>> {
        let place = pointer(each).ok()?;
        root.at(place.iter().map(String::as_str)).filter(|list| list.is_array())
    }

    fn read(&self, root: Node<'_>, reading: &mut Reading<'_>) {
        let mut rendering = Rendering::new(root);
        let Some(each) = &self.each else {
            return self.read_one(root, &mut rendering, reading);
        };
        let Some(list) = self.list(each, root) else { return };
        let elements = reading.elements(list);
        if elements.is_empty() {
            reading.note(NoteKind::NoAlerts, "The list that the mapping names is empty.");
        }
        for (place, element) in (0..).zip(elements) {
            reading.place = Some(place);
            self.read_one(element, &mut rendering, reading);
        }
        reading.place = None;
    }

    fn read_one(&self, node: Node<'_>, rendering: &mut Rendering<'_>, reading: &mut Reading<'_>) {
        let Some(title) = rendering.text(&self.title, node) else {
            reading.note(
                NoteKind::NotAnAlert,
                "The mapping finds no title in it; it is left out.",
            );
            return;
        };
        let mut text =
            |template: &Option<String>| template.as_ref().and_then(|template| rendering.text(template, node));
        let status = text(&self.status);
        let starts_at = text(&self.starts_at).and_then(|time| reading.moment(&time));
        let ends_at = text(&self.ends_at).and_then(|time| reading.moment(&time));
        let mut draft = Draft {
            key: text(&self.dedup_key),
            event: text(&self.event_id),
            word: text(&self.severity),
            alert_type: text(&self.alert_type),
            title: Some(title),
            description: text(&self.description),
            starts_at,
            ends_at,
            links: text(&self.url).map(|url| ("Source", url)).into_iter().collect(),
            raw: Cow::Borrowed(node.text()),
            ..Draft::default()
        };
        draft.signal = Some(match status {
            Some(word) if says(&self.firing, &word) => Signal::Firing,
            Some(word) if says(&self.resolved, &word) => Signal::Resolved,
            Some(word) => reading.state(&word),
            None if ends_at.is_some_and(|ends_at| ends_at <= reading.received_at) => Signal::Resolved,
            None => Signal::Firing,
        });
        if draft.event.is_none() && starts_at.is_some() {
            draft.event = Some(digest::of(["mapped", node.text()]));
        }
        if let Some(place) = self.tags.as_ref().and_then(|place| pointer(place).ok()) {
            draft.labels = node
                .at(place.iter().map(String::as_str))
                .map(tags_of)
                .unwrap_or_default();
        }
        for (name, template) in &self.labels {
            if let Some(value) = rendering.text(template, node) {
                draft.labels.insert(name.clone(), value);
            }
        }
        reading.tell(draft);
    }
}

fn says(words: &[String], word: &str) -> bool {
    let word = word.trim().to_lowercase();
    words.iter().any(|held| held.trim().to_lowercase() == word)
}

fn bounded(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("contains the character U+0000, which cannot be kept; leave it out".to_string());
    }
    match text.chars().count() > TEXT_CHARS_MAX {
        true => Err(format!("has more than {TEXT_CHARS_MAX} characters; make it shorter")),
        false => Ok(()),
    }
}

/// Whether any of the source's mappings is for a body.
pub(crate) fn fits(root: Node<'_>, reading: &Reading<'_>) -> bool {
    reading.rules.mappings.iter().any(|mapping| mapping.fits(root))
}

/// Reads a body by the first mapping that is for it. Says whether there was one.
pub(crate) fn read(root: Node<'_>, reading: &mut Reading<'_>) -> bool {
    let rules = reading.rules;
    let mapping = rules.mappings.iter().find(|mapping| mapping.fits(root));
    if let Some(mapping) = mapping {
        mapping.read(root, reading);
    }
    mapping.is_some()
}
