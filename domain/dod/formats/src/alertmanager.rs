//! Alertmanager: its webhook (versions 3 and 4) and what Prometheus posts to its API v2.
//!
//! Key: the fingerprint. A telling: fingerprint, start and state, so that the repeats of a group and the doubles of a
//! highly available pair are one. Each alert's own state counts, not its group's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::Signal;
use crate::draft::{Draft, Reading, labels_of};
use crate::json::Object;
use crate::note::NoteKind;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The fingerprint of a set of labels, as Alertmanager has it: FNV-1a of 64 bits over the names and values in the order
/// of the names, a byte 0xff behind each, as 16 hexadecimal digits.
pub fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    let hash = texts.fold(OFFSET_BASIS, |hash, text| {
        text.bytes()
            .chain([0xff])
            .fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    });
    format!("{hash:016x}")
}

pub(crate) fn is_webhook(object: &Object<'_>) -> bool {
    let is_group = ["groupKey", "groupLabels", "commonLabels", "receiver"]
        .iter()
        .any(|name| object.has(name));
    is_group && object.get("alerts").is_some_and(|alerts| alerts.is_array())
}

/// Whether an object is an alert as it is posted to the API: labels, and no words of its own.
pub(crate) fn is_posted(object: &Object<'_>) -> bool {
    object.object("labels").is_some() && !object.has("title") && !object.has("summary")
}

pub(crate) fn read_webhook(object: &Object<'_>, reading: &mut Reading<'_>) {
    let Some(alerts) = object.get("alerts") else { return };
    truncated(object, reading);
    let group = Group {
        status: object.text("status"),
        external_url: object.text("externalURL"),
    };
    let alerts = reading.elements(alerts);
    if alerts.is_empty() {
        reading.note(NoteKind::NoAlerts, "The group holds no alert.");
    }
    for (place, alert) in (0..).zip(alerts) {
        reading.place = Some(place);
        match alert.object() {
            Some(alert) => read_alert(&alert, &group, reading),
            None => reading.note(
                NoteKind::NotAnAlert,
                "An element of alerts is no object and is left out.",
            ),
        }
    }
    reading.place = None;
}

/// Notes the alerts that the sender says it left out.
pub(crate) fn truncated(object: &Object<'_>, reading: &mut Reading<'_>) {
    if let Some(count) = object.text("truncatedAlerts").filter(|count| count != "0") {
        let text = format!("The sender left {count} alerts of the group out; raise its max_alerts or split the group.");
        reading.note(NoteKind::TruncatedBySender, text);
    }
}

struct Group {
    status: Option<String>,
    external_url: Option<String>,
}

fn read_alert(alert: &Object<'_>, group: &Group, reading: &mut Reading<'_>) {
    let Found {
        mut draft, fingerprint, ..
    } = found(alert, reading);
    let word = alert.text("status").or_else(|| group.status.clone());
    let signal = match word {
        Some(word) => reading.state(&word),
        None => past(draft.ends_at, reading),
    };
    draft.signal = Some(signal);
    draft.event = draft
        .starts_at
        .map(|starts_at| telling(&fingerprint, starts_at, signal));
    draft
        .links
        .extend(group.external_url.clone().map(|url| ("Alertmanager", url)));
    reading.tell(draft);
}

/// An alert that is posted to the API: it is sent again while it fires, and has ended when its end has passed.
pub(crate) fn read_posted(alert: &Object<'_>, reading: &mut Reading<'_>) {
    let Found {
        mut draft, fingerprint, ..
    } = found(alert, reading);
    let signal = past(draft.ends_at, reading);
    draft.signal = Some(signal);
    draft.event = draft
        .starts_at
        .map(|starts_at| telling(&fingerprint, starts_at, signal));
    reading.tell(draft);
}

fn past(ends_at: Option<DateTime<Utc>>, reading: &Reading<'_>) -> Signal {
    match ends_at {
        Some(ends_at) if ends_at <= reading.received_at => Signal::Resolved,
        _ => Signal::Firing,
    }
}

pub(crate) fn telling(fingerprint: &str, starts_at: DateTime<Utc>, signal: Signal) -> String {
    format!("{fingerprint}/{}/{signal}", starts_at.timestamp_micros())
}

/// What an alert of Alertmanager's shape says, its state aside.
pub(crate) struct Found<'a> {
    pub(crate) draft: Draft<'a>,
    pub(crate) fingerprint: String,
    pub(crate) name: Option<String>,
}

pub(crate) fn found<'a>(alert: &Object<'a>, reading: &mut Reading<'_>) -> Found<'a> {
    // An empty label is to Prometheus one that is not there.
    let mut labels = alert
        .object("labels")
        .map(|labels| labels_of(&labels))
        .unwrap_or_default();
    labels.retain(|_, value| !value.is_empty());
    let notes = alert.object("annotations");
    let note = |names: &[&str]| notes.as_ref().and_then(|notes| notes.first(names));
    let fingerprint = alert.text("fingerprint").unwrap_or_else(|| fingerprint(&labels));
    let name = labels.get("alertname").cloned();
    let word = ["severity", "priority", "level"]
        .iter()
        .find_map(|label| labels.get(*label))
        .cloned();

    let mut links = Vec::new();
    links.extend(
        note(&["runbook_url", "runbook"])
            .filter(|url| url.starts_with("http"))
            .map(|url| ("Runbook", url)),
    );
    links.extend(alert.text("dashboardURL").map(|url| ("Dashboard", url)));
    links.extend(alert.text("panelURL").map(|url| ("Panel", url)));
    links.extend(alert.text("generatorURL").map(|url| ("Source", url)));
    links.extend(alert.text("silenceURL").map(|url| ("Silence", url)));
    links.extend(alert.text("imageURL").map(|url| ("Image", url)));

    let draft = Draft {
        key: Some(fingerprint.clone()),
        is_heartbeat: name.as_deref() == Some("Watchdog"),
        title: note(&["summary", "title"]).or_else(|| name.clone()),
        description: note(&["description", "message"]),
        starts_at: reading.time(alert, &["startsAt"]),
        ends_at: reading.time(alert, &["endsAt"]),
        alert_type: name.clone(),
        word,
        labels,
        links,
        raw: Cow::Borrowed(alert.node.text()),
        ..Draft::default()
    };
    Found {
        draft,
        fingerprint,
        name,
    }
}
