//! The bodies of the demo in the words of its senders.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::Sender;
use super::day::Trouble;

/// How Alertmanager and Grafana write that something has not ended.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A body that tells of one, and that it is over since then.
pub(super) fn one(trouble: &Trouble, over: Option<DateTime<Utc>>) -> Vec<u8> {
    let told = match trouble.what.sender {
        Sender::Prometheus => group(std::slice::from_ref(trouble), over),
        Sender::Grafana => grafana(trouble, over),
        Sender::Cloud => cloud(trouble, over),
        Sender::Zabbix => zabbix(trouble, over),
    };
    told.to_string().into_bytes()
}

/// As [`one`], of several of one kind, as Alertmanager tells of them.
pub(super) fn several(troubles: &[Trouble], over: Option<DateTime<Utc>>) -> Vec<u8> {
    group(troubles, over).to_string().into_bytes()
}

/// The sign of life of an Alertmanager that has been well since then.
pub(super) fn heartbeat(since: DateTime<Utc>) -> Vec<u8> {
    let alert = json!({
        "status": "firing",
        "labels": { "alertname": "Watchdog", "severity": "none" },
        "annotations": { "summary": "Alerts get through" },
        "startsAt": written(since),
        "endsAt": NEVER,
        "generatorURL": "https://prometheus.example/graph",
    });
    in_group("Watchdog", "firing", vec![alert]).to_string().into_bytes()
}

fn group(troubles: &[Trouble], over: Option<DateTime<Utc>>) -> Value {
    let status = if over.is_some() { "resolved" } else { "firing" };
    let alerts = troubles.iter().map(|trouble| {
        let what = trouble.what;
        json!({
            "status": status,
            "labels": {
                "alertname": what.alert_type, what.label: trouble.thing, "severity": what.severity, "env": trouble.env,
                what.measure: trouble.value.to_string(),
            },
            "annotations": { "summary": title(trouble), "runbook_url": "https://runbooks.example" },
            "startsAt": written(trouble.began_at),
            "endsAt": over.map_or_else(|| NEVER.to_owned(), written),
            "generatorURL": "https://prometheus.example/graph",
        })
    });
    let name = troubles.first().map_or("", |trouble| trouble.what.alert_type);
    in_group(name, status, alerts.collect())
}

fn in_group(name: &str, status: &str, alerts: Vec<Value>) -> Value {
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "truncatedAlerts": 0,
        "receiver": "daybook",
        "status": status,
        "groupLabels": { "alertname": name },
        "commonLabels": { "alertname": name },
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example",
        "alerts": alerts,
    })
}

/// A group as Grafana has it: with more about itself.
fn grafana(trouble: &Trouble, over: Option<DateTime<Utc>>) -> Value {
    let (state, word) = match over {
        None => ("alerting", "FIRING:1"),
        Some(_) => ("ok", "RESOLVED"),
    };
    let mut group = group(std::slice::from_ref(trouble), over);
    group["orgId"] = json!(1);
    group["version"] = json!("1");
    group["state"] = json!(state);
    group["title"] = json!(format!("[{word}] {}", trouble.what.alert_type));
    group["appVersion"] = json!("12.1.0");
    group["externalURL"] = json!("https://grafana.example/");
    group
}

fn cloud(trouble: &Trouble, over: Option<DateTime<Utc>>) -> Value {
    let what = trouble.what;
    json!({
        "title": title(trouble),
        "alert_type": what.alert_type,
        "severity": what.severity,
        "status": if over.is_some() { "resolved" } else { "firing" },
        "dedup_key": format!("{}/{}", what.alert_type, trouble.thing),
        "description": format!("{} is {}", what.measure, trouble.value),
        "labels": { what.label: trouble.thing, "env": trouble.env, what.measure: trouble.value.to_string() },
        "starts_at": written(trouble.began_at),
        "ends_at": over.map(written),
    })
}

fn zabbix(trouble: &Trouble, over: Option<DateTime<Utc>>) -> Value {
    let what = trouble.what;
    let tags =
        json!([{ "tag": "env", "value": trouble.env }, { "tag": what.measure, "value": trouble.value.to_string() }]);
    json!({
        "id": trouble.number.to_string(),
        "triggerId": format!("{}/{}", what.alert_type, trouble.thing),
        "name": title(trouble),
        "severity": what.severity,
        "status": if over.is_some() { "OK" } else { "PROBLEM" },
        "value": if over.is_some() { "0" } else { "1" },
        "host": trouble.thing,
        "tags": tags.to_string(),
        "timestamp": over.unwrap_or(trouble.began_at).timestamp().to_string(),
        "link": format!("https://zabbix.example/tr_events.php?eventid={}", trouble.number),
    })
}

fn title(trouble: &Trouble) -> String {
    let (before, behind) = trouble.what.title;
    format!("{before}{}{behind}", trouble.thing)
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
