//! Zabbix: its media types have no body of their own, so members are looked for under the names of our template and of
//! the media types that people have. Times of Zabbix have no zone; an epoch is taken.
//!
//! Key: trigger and host, else the problem. Old media types name both only within a link.

use std::borrow::Cow;

use crate::draft::{Draft, Reading, tags_of};
use crate::json::Object;
use crate::{Severity, Signal, words};

const TRIGGER: &[&str] = &["triggerId", "trigger_id", "triggerid"];
const EVENT: &[&str] = &["id", "event_id", "eventId", "eventid", "problem_id"];
const HOST: &[&str] = &["host", "host_host", "host_name", "hostname"];
const NAME: &[&str] = &["name", "event_name", "alert_subject", "trigger_name", "subject"];
const SEVERITY: &[&str] = &["severity", "event_severity", "trigger_severity"];
const SEVERITY_NUMBER: &[&str] = &["nseverity", "event_nseverity"];
const STATUS: &[&str] = &["status", "event_status", "trigger_status"];
const VALUE: &[&str] = &["value", "event_value", "trigger_value"];
const UPDATE: &[&str] = &["update_action", "event_update_action"];
const MESSAGE: &[&str] = &["message", "alert_message", "event_opdata", "opdata", "description"];
const LINK: &[&str] = &["link", "url", "zabbix_link", "event_url", "zabbix_url"];
const TIME: &[&str] = &["timestamp", "event_timestamp", "time", "event_time"];

pub(crate) fn is_zabbix(object: &Object<'_>, is_fixed: bool) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| object.has(name));
    let is_problem = has(TRIGGER)
        || (has(EVENT) && (has(&["event_value", "event_nseverity", "nseverity"]) || linked(object).is_some()));
    let is_known = is_problem && (has(STATUS) || has(VALUE) || has(SEVERITY));
    is_known || (is_fixed && has(NAME))
}

pub(crate) fn read(object: &Object<'_>, reading: &mut Reading<'_>) {
    let mut text = |names: &[&str]| reading.expanded(object.first(names));
    let [trigger, event, host, name] = [TRIGGER, EVENT, HOST, NAME].map(&mut text);
    let [word, number, status, value] = [SEVERITY, SEVERITY_NUMBER, STATUS, VALUE].map(&mut text);
    let [update, acknowledged, message, link, time] =
        [UPDATE, &["event_ack", "ack"], MESSAGE, LINK, TIME].map(&mut text);
    let linked = linked(object).unwrap_or_default();
    let trigger = trigger.or(linked.trigger);
    let event = event.or(linked.event);

    let signal = state(
        status,
        value.as_deref(),
        update.as_deref(),
        acknowledged.as_deref(),
        reading,
    );
    let key = match (&trigger, &host, &event) {
        (Some(trigger), host, _) => Some(format!("{trigger}:{}", host.clone().unwrap_or_default())),
        (None, _, Some(event)) => Some(format!("event:{event}")),
        (None, Some(_), None) | (None, None, None) => None,
    };
    let mut labels = object
        .get("tags")
        .or_else(|| object.get("event_tags"))
        .filter(|node| !node.scalar().is_some_and(|text| words::is_not_expanded(&text)))
        .map(tags)
        .unwrap_or_default();
    for (name, value) in [("host", &host), ("trigger_id", &trigger), ("event_id", &event)] {
        if let Some(value) = value {
            labels.entry(name.to_string()).or_insert_with(|| value.clone());
        }
    }
    let at = time.and_then(|time| reading.moment(&time));
    // An update of a problem is told anew each time; a problem and its end are told once each.
    let is_update = update.is_some_and(|update| !update.trim().is_empty());
    let telling = event.filter(|_| !is_update).map(|event| format!("{event}/{signal}"));
    reading.tell(Draft {
        key,
        event: telling,
        signal: Some(signal),
        severity: number.as_deref().and_then(numbered),
        word: word.or(number),
        title: name.clone(),
        alert_type: name,
        description: message,
        labels,
        starts_at: at.filter(|_| signal != Signal::Resolved),
        ends_at: at.filter(|_| signal == Signal::Resolved),
        links: link
            .filter(|link| link.starts_with("http"))
            .map(|url| ("Zabbix", url))
            .into_iter()
            .collect(),
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}

fn state(
    status: Option<String>,
    value: Option<&str>,
    update: Option<&str>,
    acknowledged: Option<&str>,
    reading: &mut Reading<'_>,
) -> Signal {
    let told = match (value, status) {
        (Some("0"), _) => Signal::Resolved,
        (Some("1"), _) | (None, None) => Signal::Firing,
        (_, Some(status)) => reading.state(&status),
        (Some(value), None) => reading.state(value),
    };
    if told != Signal::Firing {
        return told;
    }
    let update = update.unwrap_or_default().to_lowercase();
    if update.contains("unacknowledged") {
        Signal::Unacknowledged
    } else if update.contains("unsuppressed") {
        Signal::Firing
    } else if update.contains("suppressed") {
        Signal::Suppressed
    } else if update.contains("acknowledged") || acknowledged.is_some_and(|word| word.eq_ignore_ascii_case("yes")) {
        Signal::Acknowledged
    } else {
        Signal::Firing
    }
}

// Zabbix counts from the least; everybody else from the worst.
fn numbered(number: &str) -> Option<Severity> {
    Some(match number.trim() {
        "0" | "1" => Severity::Low,
        "2" | "3" => Severity::Medium,
        "4" => Severity::High,
        "5" => Severity::Critical,
        _ => return None,
    })
}

// The macro for tags as JSON puts a list into a text.
fn tags(node: crate::json::Node<'_>) -> std::collections::BTreeMap<String, String> {
    let text = node.string().filter(|text| text.trim_start().starts_with(['[', '{']));
    let document = text
        .as_deref()
        .and_then(|text| crate::json::Document::read(text.as_bytes()).ok());
    match document.as_ref().and_then(|document| document.root().ok()) {
        Some(list) => tags_of(list),
        None => tags_of(node),
    }
}

#[derive(Default)]
struct Linked {
    trigger: Option<String>,
    event: Option<String>,
}

fn linked(object: &Object<'_>) -> Option<Linked> {
    let link = object.first(LINK)?;
    let linked = Linked {
        trigger: number_after(&link, "triggerid=").or_else(|| number_after(&link, "triggerids%5B%5D=")),
        event: number_after(&link, "eventid="),
    };
    (linked.trigger.is_some() || linked.event.is_some()).then_some(linked)
}

fn number_after(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(name)?.1;
    let end = rest
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(rest.len());
    (end > 0).then(|| rest[..end].to_string())
}
