//! Opsgenie: webhooks of its alerts' actions. Key: the alias, else the alert. `createdAt` is in milliseconds,
//! `updatedAt` in nanoseconds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::Signal;
use crate::draft::{Draft, Reading, labels_of, shown};
use crate::json::Object;
use crate::note::NoteKind;
use crate::observation::LABELS_MAX;

pub(crate) fn is_opsgenie(object: &Object<'_>) -> bool {
    object.has("action")
        && object
            .object("alert")
            .is_some_and(|alert| alert.has("alertId") || alert.has("tinyId"))
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let Some(alert) = object.object("alert") else { return };
    let action = object.text("action").unwrap_or_default();
    let signal = match action.to_lowercase().as_str() {
        // A new priority is told of an open alert alone.
        "create" | "snoozeended" | "updatepriority" => Signal::Firing,
        "acknowledge" => Signal::Acknowledged,
        "unacknowledge" => Signal::Unacknowledged,
        "close" | "delete" => Signal::Resolved,
        "snooze" => Signal::Suppressed,
        _ => {
            let text = format!(
                "The action {} changes no alert's state; nothing to tell.",
                shown(&action)
            );
            reading.note(NoteKind::OtherEvent, text);
            return;
        }
    };
    let id = alert.text("alertId").or_else(|| alert.text("tinyId"));
    let updated = alert.text("updatedAt");
    let updated_at = updated.as_deref().and_then(|time| reading.moment(time));
    let mut labels = alert
        .object("details")
        .map(|details| labels_of(&details))
        .unwrap_or_default();
    add(&mut labels, "entity", alert.text("entity"));
    add(&mut labels, "source", alert.text("source"));
    add(&mut labels, "tiny_id", alert.text("tinyId"));
    add(&mut labels, "integration", object.text("integrationName"));
    add(&mut labels, "tags", joined(&alert, "tags"));
    add(&mut labels, "teams", joined(&alert, "teams"));
    let starts_at = reading.time(&alert, &["createdAt"]);
    reading.tell(Draft {
        event: id
            .as_ref()
            .zip(updated)
            .map(|(id, updated)| format!("{id}/{action}/{updated}")),
        key: alert.text("alias").or(id),
        signal: Some(signal),
        word: alert.text("priority"),
        title: alert.text("message"),
        alert_type: alert
            .first(&["entity", "source"])
            .or_else(|| object.text("integrationName")),
        description: alert.text("description"),
        labels,
        starts_at,
        ends_at: updated_at.filter(|_| signal == Signal::Resolved),
        said_at: updated_at,
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn joined(alert: &Object<'_>, name: &str) -> Option<String> {
    let (elements, _) = alert.get(name)?.array(LABELS_MAX)?;
    let words: Vec<String> = elements
        .into_iter()
        .filter_map(|node| {
            node.scalar()
                .map(Cow::into_owned)
                .or_else(|| node.object()?.first(&["name", "id"]))
        })
        .collect();
    (!words.is_empty()).then(|| words.join(","))
}

fn add(labels: &mut BTreeMap<String, String>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        labels.entry(name.to_string()).or_insert(value);
    }
}
