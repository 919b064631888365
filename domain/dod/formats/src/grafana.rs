//! Grafana: unified alerting, whose webhook is a wider sibling of Alertmanager's, and the alerting before it.
//!
//! Keys: the fingerprint; in the old one the organisation and the rule.

use std::borrow::Cow;

use crate::alertmanager::{self, Found};
use crate::draft::{Draft, Reading, labels_of};
use crate::json::Object;
use crate::note::NoteKind;
use crate::{Signal, words};

/// The names that Grafana gives an alert when the rule's own question got no answer.
const WITHOUT_DATA: [&str; 2] = ["DatasourceNoData", "DatasourceError"];

pub(crate) fn is_unified(object: &Object<'_>) -> bool {
    let is_group = alertmanager::is_webhook(object);
    is_group
        && (object.text("version").as_deref() == Some("1")
            || (object.has("orgId") && object.has("state"))
            || object.has("appVersion"))
}

pub(crate) fn is_legacy(object: &Object<'_>) -> bool {
    object.has("ruleId") && object.has("state") && !object.has("alerts")
}

pub(crate) fn read_unified(object: &Object<'_>, reading: &mut Reading<'_>) {
    let Some(alerts) = object.get("alerts") else { return };
    alertmanager::truncated(object, reading);
    let alerts = reading.elements(alerts);
    if alerts.is_empty() {
        reading.note(NoteKind::NoAlerts, "The group holds no alert.");
    }
    for (place, alert) in (0..).zip(alerts) {
        reading.place = Some(place);
        let Some(alert) = alert.object() else {
            reading.note(
                NoteKind::NotAnAlert,
                "An element of alerts is no object and is left out.",
            );
            continue;
        };
        let Found {
            mut draft,
            fingerprint,
            name,
        } = alertmanager::found(&alert, reading);
        let word = alert.text("status").or_else(|| object.text("status"));
        let signal = match word.map_or(Signal::Firing, |word| reading.state(&word)) {
            Signal::Firing if name.is_some_and(|name| WITHOUT_DATA.contains(&name.as_str())) => Signal::NoData,
            other => other,
        };
        draft.signal = Some(signal);
        draft.event = draft
            .starts_at
            .map(|starts_at| alertmanager::telling(&fingerprint, starts_at, signal));
        draft
            .links
            .extend(object.text("externalURL").map(|url| ("Grafana", url)));
        reading.tell(draft);
    }
    reading.place = None;
}

pub(crate) fn read_legacy(object: &Object<'_>, reading: &mut Reading<'_>) {
    let word = object.text("state").unwrap_or_default();
    if words::signal(&word).is_some() && word.eq_ignore_ascii_case("pending") {
        reading.note(
            NoteKind::OtherEvent,
            "The rule is pending: it fires when it stays so. Nothing to tell yet.",
        );
        return;
    }
    let signal = reading.state(&word);
    let mut labels = object.object("tags").map(|tags| labels_of(&tags)).unwrap_or_default();
    let word = labels.get("severity").or_else(|| labels.get("priority")).cloned();
    let matches = object
        .get("evalMatches")
        .and_then(|matches| matches.array(crate::observation::LABELS_MAX));
    for found in matches
        .into_iter()
        .flat_map(|(matches, _)| matches)
        .filter_map(|found| found.object())
    {
        if let (Some(metric), Some(value)) = (found.text("metric"), found.text("value")) {
            labels.entry(metric).or_insert(value);
        }
    }
    let rule = object.text("ruleId").unwrap_or_default();
    let organisation = object.text("orgId").unwrap_or_else(|| "1".to_string());
    let mut links = Vec::new();
    links.extend(object.text("ruleUrl").map(|url| ("Rule", url)));
    links.extend(object.text("imageUrl").map(|url| ("Image", url)));
    let name = object.text("ruleName");
    reading.tell(Draft {
        key: Some(format!("{organisation}:{rule}")),
        signal: Some(signal),
        word,
        title: object.text("title").or_else(|| name.clone()),
        alert_type: name,
        description: object.text("message"),
        labels,
        links,
        raw: Cow::Borrowed(object.node.text()),
        ..Draft::default()
    });
}
