//! Sentry: webhooks of its integration platform, and of the plugin before it.
//!
//! Key: the issue, so that its end closes what its event opened; of a metric alert its incident. What a body is, its
//! header says, else its members.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::Signal;
use crate::content::header;
use crate::draft::{Draft, Reading, shown, tags_of};
use crate::json::Object;
use crate::note::NoteKind;

pub(crate) fn is_sentry(object: &Object<'_>, reading: &Reading<'_>) -> bool {
    header(reading.headers, "sentry-hook-resource").is_some() || is_legacy(object) || subject(object).is_some()
}

fn is_legacy(object: &Object<'_>) -> bool {
    object.has("project") && object.object("event").is_some() && (object.has("culprit") || object.has("level"))
}

// What the body is about, by its members.
fn subject(object: &Object<'_>) -> Option<&'static str> {
    let data = object.object("data")?;
    if !object.has("action") {
        return None;
    }
    let is_signed_by_sentry = object.has("installation") || object.has("actor");
    ["metric_alert", "issue", "event", "error"].into_iter().find(|name| {
        data.object(name).is_some_and(|about| {
            is_signed_by_sentry || about.has("web_url") || about.has("shortId") || about.has("alert_rule")
        })
    })
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let resource = header(reading.headers, "sentry-hook-resource").map(str::to_string);
    let data = object.object("data");
    let about = |name: &str| data.as_ref().and_then(|data| data.object(name));
    if let Some(metric) = about("metric_alert") {
        return metric_alert(object, &metric, reading);
    }
    if let Some(event) = about("event").or_else(|| about("error")) {
        return event_alert(object, &event, reading);
    }
    if let Some(issue) = about("issue") {
        return issue_changed(object, &issue, reading);
    }
    if is_legacy(object) {
        return legacy(object, reading);
    }
    let resource = resource.unwrap_or_default();
    let text = format!("The resource {} tells of no alert; nothing to tell.", shown(&resource));
    reading.note(NoteKind::OtherEvent, text);
}

fn event_alert(object: &Object<'_>, event: &Object<'_>, reading: &mut Reading<'_>) {
    let rule = object.object("data").and_then(|data| data.text("triggered_rule"));
    let event_id = event.text("event_id");
    let mut labels = event.get("tags").map(tags_of).unwrap_or_default();
    add(&mut labels, "culprit", event.text("culprit"));
    add(&mut labels, "platform", event.text("platform"));
    add(&mut labels, "project", event.text("project"));
    add(&mut labels, "rule", rule.clone());
    let key = event.text("issue_id").or_else(|| event.text("groupID"));
    let starts_at = reading.time(event, &["datetime", "timestamp"]);
    let telling = event_id.map(|id| format!("{id}/{}", rule.clone().unwrap_or_default()));
    reading.tell(Draft {
        event: telling,
        key,
        signal: Some(Signal::Firing),
        word: event.text("level"),
        title: event.first(&["title", "message"]).or_else(|| rule.clone()),
        alert_type: rule.or_else(|| kind_of_error(event)),
        description: event
            .object("metadata")
            .and_then(|metadata| metadata.text("value"))
            .or_else(|| event.text("message")),
        labels,
        starts_at,
        links: event
            .first(&["web_url", "url"])
            .map(|url| ("Sentry", url))
            .into_iter()
            .collect(),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn issue_changed(object: &Object<'_>, issue: &Object<'_>, reading: &mut Reading<'_>) {
    let action = object.text("action").unwrap_or_default();
    let signal = match action.as_str() {
        "created" | "unresolved" | "triggered" => Signal::Firing,
        "resolved" => Signal::Resolved,
        "ignored" | "archived" => Signal::Suppressed,
        _ => {
            let text = format!(
                "The action {} changes no issue's state; nothing to tell.",
                shown(&action)
            );
            reading.note(NoteKind::OtherEvent, text);
            return;
        }
    };
    let mut labels = BTreeMap::new();
    add(&mut labels, "culprit", issue.text("culprit"));
    add(&mut labels, "short_id", issue.text("shortId"));
    add(&mut labels, "platform", issue.text("platform"));
    add(
        &mut labels,
        "project",
        issue
            .object("project")
            .and_then(|project| project.first(&["slug", "name"])),
    );
    // When it was seen first of all, which is when its alert begins for one that is new, and for no other.
    let starts_at = (action == "created")
        .then(|| reading.time(issue, &["firstSeen"]))
        .flatten();
    let request = header(reading.headers, "request-id").map(str::to_string);
    reading.tell(Draft {
        event: request,
        key: issue.text("id"),
        signal: Some(signal),
        word: issue.text("level"),
        title: issue.text("title"),
        alert_type: kind_of_error(issue),
        description: issue.object("metadata").and_then(|metadata| metadata.text("value")),
        labels,
        starts_at,
        links: issue
            .first(&["web_url", "permalink"])
            .map(|url| ("Sentry", url))
            .into_iter()
            .collect(),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn metric_alert(object: &Object<'_>, metric: &Object<'_>, reading: &mut Reading<'_>) {
    let data = object.object("data");
    let text = |name: &str| data.as_ref().and_then(|data| data.text(name));
    let action = object.text("action").unwrap_or_default();
    let signal = reading.state(&action);
    let rule = metric.object("alert_rule");
    let name = rule.as_ref().and_then(|rule| rule.text("name"));
    let incident = metric.first(&["id", "identifier"]);
    let starts_at = reading.time(metric, &["date_started", "date_created"]);
    let ends_at = reading.time(metric, &["date_closed"]);
    let mut labels = BTreeMap::new();
    add(&mut labels, "alert_rule", name.clone());
    add(
        &mut labels,
        "aggregate",
        rule.as_ref().and_then(|rule| rule.text("aggregate")),
    );
    add(&mut labels, "query", rule.as_ref().and_then(|rule| rule.text("query")));
    reading.tell(Draft {
        // From warning to critical is a telling of its own.
        event: incident.as_ref().zip(starts_at).map(|(id, at)| {
            let ended = ends_at.map_or(0, |at| at.timestamp_micros());
            format!("metric_alert:{id}/{action}/{}/{ended}", at.timestamp_micros())
        }),
        key: incident.map(|id| format!("metric_alert:{id}")),
        signal: Some(signal),
        word: (signal != Signal::Resolved).then_some(action),
        title: text("description_title")
            .or_else(|| metric.text("title"))
            .or_else(|| name.clone()),
        alert_type: name,
        description: text("description_text"),
        labels,
        starts_at,
        ends_at,
        links: text("web_url").map(|url| ("Sentry", url)).into_iter().collect(),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn legacy(object: &Object<'_>, reading: &mut Reading<'_>) {
    let event = object.object("event");
    let text = |name: &str| event.as_ref().and_then(|event| event.text(name));
    let mut labels = event
        .as_ref()
        .and_then(|event| event.get("tags"))
        .map(tags_of)
        .unwrap_or_default();
    add(&mut labels, "culprit", object.text("culprit"));
    add(&mut labels, "project", object.first(&["project_slug", "project"]));
    let times = &["datetime", "timestamp", "received"];
    let starts_at = event.as_ref().and_then(|event| reading.time(event, times));
    let title = text("title")
        .or_else(|| object.text("message"))
        .or_else(|| object.text("culprit"));
    reading.tell(Draft {
        event: text("event_id").or_else(|| text("id")),
        key: object.text("id"),
        signal: Some(Signal::Firing),
        word: object.text("level"),
        title,
        alert_type: event.as_ref().and_then(kind_of_error),
        description: object.text("message"),
        labels,
        starts_at,
        links: object.text("url").map(|url| ("Sentry", url)).into_iter().collect(),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn kind_of_error(about: &Object<'_>) -> Option<String> {
    about
        .object("metadata")
        .and_then(|metadata| metadata.text("type"))
        .or_else(|| about.first(&["issueType", "type"]))
}

fn add(labels: &mut BTreeMap<String, String>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        labels.entry(name.to_string()).or_insert(value);
    }
}
