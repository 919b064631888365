//! JSON or a form of whoever writes their own: at least a title or a summary. The shapes of GoAlert (`summary`,
//! `details`, `action`, `dedup`, `meta`) and of Grafana OnCall (`alert_uid`, `title`, `state`, `message`) are among it.
//!
//! Key: the sender's own, else type, title and labels; as in GoAlert, a summary's details belong to it.

use std::borrow::Cow;

use crate::draft::{Draft, Reading, tags_of};
use crate::json::Object;
use crate::{Signal, digest};

const TITLE: &[&str] = &["title", "summary"];
const STATUS: &[&str] = &["status", "state", "action"];
const KEY: &[&str] = &["dedup_key", "dedup", "alert_uid", "fingerprint"];
const DESCRIPTION: &[&str] = &["description", "details", "message", "text"];

pub(crate) fn is_generic(object: &Object<'_>) -> bool {
    object.first(TITLE).is_some() || (object.has("alert_uid") && object.text("message").is_some())
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let draft = draft(object, reading);
    reading.tell(draft);
}

/// What an object's members say of an alert, as far as they are there.
pub(crate) fn draft<'a>(object: &Object<'a>, reading: &mut Reading<'_>) -> Draft<'a> {
    let title = object
        .first(TITLE)
        .or_else(|| object.text("message").filter(|_| object.has("alert_uid")));
    let starts_at = reading.time(object, &["starts_at", "startsAt", "timestamp", "time"]);
    let ends_at = reading.time(object, &["ends_at", "endsAt"]);
    let signal = match object.first(STATUS) {
        Some(word) => reading.state(&word),
        None if ends_at.is_some_and(|ends_at| ends_at <= reading.received_at) => Signal::Resolved,
        None => Signal::Firing,
    };
    let mut labels = std::collections::BTreeMap::new();
    for name in ["tags", "meta", "labels"] {
        labels.extend(object.get(name).map(tags_of).unwrap_or_default());
    }
    if let Some(source) = object.text("source") {
        labels.entry("source".to_string()).or_insert(source);
    }
    let key = object.first(KEY).or_else(|| {
        let summary = object.text("summary").filter(|_| !object.has("title"))?;
        Some(digest::of([
            "summary",
            &summary,
            &object.text("details").unwrap_or_default(),
        ]))
    });
    let mut links = Vec::new();
    for (names, title) in [
        (&["url", "link", "link_to_upstream_details"][..], "Source"),
        (&["runbook_url"][..], "Runbook"),
        (&["image_url"][..], "Image"),
    ] {
        links.extend(object.first(names).map(|url| (title, url)));
    }
    let dated = starts_at.is_some() || ends_at.is_some();
    Draft {
        // With a time of its own the same text is the same telling; without one it may well be the next alert.
        event: object
            .text("event_id")
            .or_else(|| dated.then(|| digest::of(["generic", object.node.text()]))),
        key,
        signal: Some(signal),
        word: object
            .first(&["severity", "priority", "level"])
            .or_else(|| labels.get("severity").cloned()),
        alert_type: object
            .first(&["alert_type", "alertname"])
            .or_else(|| labels.get("alertname").cloned()),
        title,
        description: object.first(DESCRIPTION),
        labels,
        starts_at,
        ends_at,
        links,
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    }
}
