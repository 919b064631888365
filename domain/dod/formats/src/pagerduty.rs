//! PagerDuty's Events API v2, with Daybook in PagerDuty's place: what tools send, and what they are answered.
//!
//! Key: the sender's `dedup_key`, within its routing key. A trigger without one is a new alert each time.

pub(crate) mod webhook;

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::content::Unreadable;
use crate::draft::{Draft, Reading, labels_of};
use crate::json::{Document, Object};
use crate::note::NoteKind;
use crate::observation::LINKS_MAX;
use crate::{Signal, digest};

/// Characters of a summary and of a key, as senders know them.
pub const SUMMARY_CHARS_MAX: usize = 1_024;
pub const DEDUP_KEY_CHARS_MAX: usize = 255;

/// An event that is worth an answer of success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which source it is for. A secret.
    pub routing_key: String,
    /// To be answered: the sender's own, or the one that was made for its alert.
    pub dedup_key: String,
}

/// Looks whether an event is one, before it is taken in. `received_at` must be the delivery's: of it the key is made
/// when the sender gives none.
///
/// # Errors
/// What is wrong with it, a sentence each, for the `errors` of the answer.
pub fn check(body: &[u8], received_at: DateTime<Utc>) -> Result<Accepted, Vec<String>> {
    let document = Document::read(body).map_err(|unreadable| vec![unreadable.to_string()])?;
    let object = object(&document)?;
    let mut errors = Vec::new();
    let routing_key = object.text("routing_key");
    if routing_key.is_none() {
        errors.push("routing_key is missing; send the key of the integration".to_string());
    }
    let action = object.text("event_action").unwrap_or_default();
    let key = object.text("dedup_key");
    match action.as_str() {
        "trigger" => errors.extend(check_payload(object.object("payload"))),
        "acknowledge" | "resolve" if key.is_none() => {
            errors.push(format!(
                "dedup_key is missing; {action} needs the key of the alert that it is about"
            ));
        }
        "acknowledge" | "resolve" => {}
        _ => errors.push("event_action must be one of trigger, acknowledge, resolve".to_string()),
    }
    if key
        .as_ref()
        .is_some_and(|key| key.chars().count() > DEDUP_KEY_CHARS_MAX)
    {
        errors.push(format!(
            "dedup_key has more than {DEDUP_KEY_CHARS_MAX} characters; send a shorter one"
        ));
    }
    match routing_key {
        Some(routing_key) if errors.is_empty() => {
            let dedup_key = key.unwrap_or_else(|| made_key(&object, received_at));
            Ok(Accepted { routing_key, dedup_key })
        }
        _ => Err(errors),
    }
}

fn check_payload(payload: Option<Object<'_>>) -> Vec<String> {
    let Some(payload) = payload else {
        return vec!["payload is missing; a trigger needs one".to_string()];
    };
    let mut errors = Vec::new();
    for name in ["summary", "source", "severity"] {
        if payload.text(name).is_none() {
            errors.push(format!("payload.{name} is missing or empty"));
        }
    }
    if payload
        .text("summary")
        .is_some_and(|summary| summary.chars().count() > SUMMARY_CHARS_MAX)
    {
        errors.push(format!(
            "payload.summary has more than {SUMMARY_CHARS_MAX} characters; send a shorter one"
        ));
    }
    // Clients send it with a capital.
    let severity = payload.text("severity").map(|word| word.to_lowercase());
    if severity.is_some_and(|word| !["critical", "error", "warning", "info"].contains(&word.as_str())) {
        errors.push("payload.severity must be one of critical, error, warning, info".to_string());
    }
    errors
}

/// The same for a change event: context that is kept and is no alert. Gives the routing key.
///
/// # Errors
/// What is wrong with it, a sentence each.
pub fn check_change(body: &[u8]) -> Result<String, Vec<String>> {
    let document = Document::read(body).map_err(|unreadable| vec![unreadable.to_string()])?;
    let object = object(&document)?;
    let mut errors = Vec::new();
    if object
        .object("payload")
        .and_then(|payload| payload.text("summary"))
        .is_none()
    {
        errors.push("payload.summary is missing or empty".to_string());
    }
    match object.text("routing_key") {
        Some(routing_key) if errors.is_empty() => Ok(routing_key),
        Some(_) => Err(errors),
        None => {
            errors.insert(0, "routing_key is missing; send the key of the integration".to_string());
            Err(errors)
        }
    }
}

/// The routing key of whatever was sent, where it says one.
#[must_use]
pub fn routing_key(body: &[u8]) -> Option<String> {
    let document = Document::read(body).ok()?;
    object(&document).ok()?.text("routing_key")
}

fn object<'d>(document: &'d Document<'_>) -> Result<Object<'d>, Vec<String>> {
    let root = document
        .root()
        .map_err(|unreadable: Unreadable| vec![unreadable.to_string()])?;
    root.object()
        .ok_or_else(|| vec!["the body is no object; send one event".to_string()])
}

// Two events that are equal to the letter are two alerts, so the time is in it.
fn made_key(object: &Object<'_>, received_at: DateTime<Utc>) -> String {
    digest::of([
        "pagerduty",
        object.node.text(),
        &received_at.timestamp_micros().to_string(),
    ])
}

pub(crate) fn is_event(object: &Object<'_>) -> bool {
    let is_change = object.has("routing_key") && object.has("payload");
    (object.has("event_action") && (object.has("routing_key") || object.has("payload"))) || is_change
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let payload = object.object("payload");
    let summary = payload.as_ref().and_then(|payload| payload.text("summary"));
    let Some(action) = object.text("event_action") else {
        let text = format!(
            "A change, no alert: {}",
            summary.unwrap_or_else(|| "without a summary.".to_string())
        );
        reading.note(NoteKind::ChangeEvent, text);
        return;
    };
    let key = object.text("dedup_key");
    let signal = match action.to_lowercase().as_str() {
        "trigger" => Signal::Firing,
        "acknowledge" => Signal::Acknowledged,
        "resolve" => Signal::Resolved,
        _ => reading.state(&action),
    };
    if key.is_none() && matches!(signal, Signal::Acknowledged | Signal::Resolved) {
        reading.note(
            NoteKind::NotAnAlert,
            format!("{signal} without a dedup_key is about no alert and is left out."),
        );
        return;
    }
    let text = |name: &str| payload.as_ref().and_then(|payload| payload.text(name));
    let mut labels = payload
        .as_ref()
        .and_then(|payload| payload.object("custom_details"))
        .map(|details| labels_of(&details))
        .unwrap_or_default();
    for name in ["source", "component", "group", "class"] {
        if let Some(value) = text(name) {
            labels.insert(name.to_string(), value);
        }
    }
    labels.extend(object.text("client").map(|client| ("client".to_string(), client)));
    let starts_at = payload
        .as_ref()
        .and_then(|payload| reading.time(payload, &["timestamp"]));
    let key = key.unwrap_or_else(|| made_key(object, reading.received_at));
    reading.tell(Draft {
        event: starts_at.map(|_| digest::of([key.as_str(), object.node.text()])),
        title: text("summary").or_else(|| Some(key.clone())),
        alert_type: ["class", "component", "group", "source"]
            .iter()
            .find_map(|name| text(name)),
        key: Some(key),
        signal: Some(signal),
        word: text("severity"),
        description: payload
            .as_ref()
            .and_then(|payload| payload.object("custom_details")?.text("description")),
        labels,
        starts_at: starts_at.filter(|_| signal != Signal::Resolved),
        links: links(object),
        // The routing key is a secret: it ends here.
        raw: Cow::Owned(object.without("routing_key")),
        ..Draft::default()
    });
}

fn links(object: &Object<'_>) -> Vec<(&'static str, String)> {
    let mut links = Vec::new();
    links.extend(object.text("client_url").map(|url| ("Client", url)));
    for (list, title, member) in [("links", "Link", "href"), ("images", "Image", "src")] {
        let elements = object
            .get(list)
            .and_then(|list| list.array(LINKS_MAX))
            .unwrap_or_default()
            .0;
        let urls = elements.into_iter().filter_map(|node| node.object()?.text(member));
        links.extend(urls.map(|url| (title, url)));
    }
    links
}
