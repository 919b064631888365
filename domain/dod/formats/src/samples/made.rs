//! Alerts to order: groups of Alertmanager as large as one likes, and a day of them.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::alertmanager::fingerprint;
use crate::json::{object_of, quoted};

/// A group of Alertmanager: `count` alerts, told apart by their `instance`, with some labels in common.
pub fn alertmanager(count: usize, labels: &[(&str, &str)], status: &str, starts_at: DateTime<Utc>) -> String {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let sets = (0..count).map(|number| {
        let mut labels = labels.clone();
        labels.insert("instance".to_string(), format!("host-{number}:9100"));
        labels
    });
    alertmanager_group(sets, status, starts_at)
}

/// A group of Alertmanager of the given sets of labels.
pub fn alertmanager_group(
    sets: impl IntoIterator<Item = BTreeMap<String, String>>,
    status: &str,
    starts_at: DateTime<Utc>,
) -> String {
    let starts = starts_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let ends = match status {
        "resolved" => (starts_at + TimeDelta::minutes(5)).to_rfc3339_opts(SecondsFormat::Millis, true),
        _ => "0001-01-01T00:00:00Z".to_string(),
    };
    let alerts: Vec<String> = sets
        .into_iter()
        .map(|labels| {
            let name = labels.get("alertname").map_or("Alert", String::as_str);
            let instance = labels.get("instance").map_or("somewhere", String::as_str);
            let summary = quoted(&format!("{name} on {instance}"));
            let texts = object_of(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            format!(
                "{{\"status\":{},\"labels\":{texts},\"annotations\":{{\"summary\":{summary},\"description\":\"Look at it.\"}},\
                 \"startsAt\":{},\"endsAt\":{},\"generatorURL\":\"http://prometheus.example/graph\",\"fingerprint\":{}}}",
                quoted(status),
                quoted(&starts),
                quoted(&ends),
                quoted(&fingerprint(&labels)),
            )
        })
        .collect();
    format!(
        "{{\"version\":\"4\",\"groupKey\":\"{{}}:{{}}\",\"truncatedAlerts\":0,\"receiver\":\"daybook\",\"status\":{},\
         \"groupLabels\":{{}},\"commonLabels\":{{}},\"commonAnnotations\":{{}},\
         \"externalURL\":\"http://alertmanager.example\",\"alerts\":[{}]}}",
        quoted(status),
        alerts.join(",")
    )
}

/// A body of a day, and when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub at: DateTime<Utc>,
    pub body: String,
}

/// A day of alerts: each of `alerts` fires and clears `turns` times, spread evenly, in the order of arrival. The same
/// arguments give the same day.
pub fn day(from: DateTime<Utc>, alerts: usize, turns: usize) -> Vec<Day> {
    const NAMES: [(&str, &str); 4] = [
        ("HighLatency", "critical"),
        ("DiskFilling", "warning"),
        ("PodRestarts", "info"),
        ("ErrorRate", "high"),
    ];
    let rounds = turns.max(1) as i64;
    let between = TimeDelta::seconds(86_400 / rounds);
    let mut day: Vec<Day> = (0..alerts)
        .flat_map(|number| (0..rounds).map(move |round| (number, round)))
        .flat_map(|(number, round)| {
            let (name, severity) = NAMES[number % NAMES.len()];
            let labels = BTreeMap::from([
                ("alertname".to_string(), name.to_string()),
                ("severity".to_string(), severity.to_string()),
                ("instance".to_string(), format!("host-{number}")),
            ]);
            let shift = between * (number as i32 % 97) / 200;
            let starts_at = from + between * round as i32 + shift;
            let fires = alertmanager_group([labels.clone()], "firing", starts_at);
            let clears = alertmanager_group([labels], "resolved", starts_at);
            [
                Day {
                    at: starts_at,
                    body: fires,
                },
                Day {
                    at: starts_at + between / 2,
                    body: clears,
                },
            ]
        })
        .collect();
    day.sort_by_key(|delivery| delivery.at);
    day
}

/// One alert that flips `flips` times in a day, firing first.
pub fn noisy(from: DateTime<Utc>, name: &str, flips: usize) -> Vec<Day> {
    let between = TimeDelta::seconds(86_400 / flips.max(1) as i64);
    let labels = BTreeMap::from([
        ("alertname".to_string(), name.to_string()),
        ("severity".to_string(), "warning".to_string()),
        ("instance".to_string(), "host-0".to_string()),
    ]);
    (0..flips)
        .map(|flip| {
            let at = from + between * flip as i32;
            let (status, starts_at) = match flip % 2 {
                0 => ("firing", at),
                _ => ("resolved", at - between),
            };
            Day {
                at,
                body: alertmanager_group([labels.clone()], status, starts_at),
            }
        })
        .collect()
}
