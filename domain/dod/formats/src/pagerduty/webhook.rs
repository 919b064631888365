//! What PagerDuty itself sends: webhooks v3. Key: the incident. A telling: the event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::Signal;
use crate::draft::{Draft, Reading, shown};
use crate::json::Object;
use crate::note::NoteKind;

pub(crate) fn is_webhook(object: &Object<'_>) -> bool {
    object
        .object("event")
        .is_some_and(|event| event.has("event_type") && event.has("data"))
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let Some(event) = object.object("event") else { return };
    let kind = event.text("event_type").unwrap_or_default();
    let data = event.object("data");
    let signal = match kind.as_str() {
        // A new priority is told of an open incident alone.
        "incident.triggered" | "incident.reopened" | "incident.priority_updated" => Signal::Firing,
        "incident.acknowledged" => Signal::Acknowledged,
        "incident.unacknowledged" => Signal::Unacknowledged,
        "incident.resolved" => Signal::Resolved,
        _ => {
            let text = format!("The event {} changes no alert's state; nothing to tell.", shown(&kind));
            reading.note(NoteKind::OtherEvent, text);
            return;
        }
    };
    let Some((data, incident)) = data.and_then(|data| data.text("id").map(|id| (data, id))) else {
        reading.note(NoteKind::NotAnAlert, "The event names no incident and is left out.");
        return;
    };
    let named = |name: &str| data.object(name).and_then(|object| object.first(&["summary", "name"]));
    let mut labels = BTreeMap::new();
    for (name, value) in [
        ("service", named("service")),
        ("escalation_policy", named("escalation_policy")),
        ("urgency", data.text("urgency")),
        ("number", data.text("number")),
        ("incident_key", data.text("incident_key")),
    ] {
        labels.extend(value.map(|value| (name.to_string(), value)));
    }
    let occurred_at = reading.time(&event, &["occurred_at"]);
    let created_at = reading.time(&data, &["created_at"]);
    let service = named("service");
    reading.tell(Draft {
        event: event.text("id"),
        title: data.text("title").or_else(|| service.clone()),
        alert_type: service.or_else(|| Some("pagerduty_incident".to_string())),
        key: Some(incident),
        signal: Some(signal),
        word: named("priority").or_else(|| data.text("urgency")),
        labels,
        starts_at: created_at.or(occurred_at.filter(|_| signal == Signal::Firing)),
        ends_at: occurred_at.filter(|_| signal == Signal::Resolved),
        said_at: occurred_at,
        links: data
            .text("html_url")
            .map(|url| ("PagerDuty", url))
            .into_iter()
            .collect(),
        raw: Cow::Borrowed(event.node.text()),
        ..Draft::default()
    });
}
