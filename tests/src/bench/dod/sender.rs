//! Four senders of alerts: 2,000 label sets, each told of by one of them, in bodies of its own form.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

pub const SENDERS: usize = 4;
/// Different label sets.
pub const SETS: u64 = 2_000;
/// Kinds of alerts; those of one kind and sender are one issue.
const TYPES: u64 = 100;
/// One body in so many tells of something new, ...
const NEW_ONE_IN: u64 = 10;
/// ... and two, that something is over: so many others began since.
const OVER_AFTER: u64 = 20;

/// The n-th body and the number of its sender. Of ten one tells of something new, two that it is over, the others of what
/// fires still.
pub fn body(began_at: DateTime<Utc>, n: u64) -> (usize, Vec<u8>) {
    let round = n / NEW_ONE_IN;
    let told = match n % NEW_ONE_IN {
        0 => Told::firing(round),
        // Twice, as pairs of senders do.
        3 | 7 if round >= OVER_AFTER => Told {
            is_over: true,
            ..Told::firing(round - OVER_AFTER)
        },
        place => Told::firing(round.saturating_sub(place % 5)),
    };
    let written = told.written(began_at).to_string();
    (told.sender(), written.into_bytes())
}

/// What a body tells of.
#[derive(Clone, Copy)]
struct Told {
    /// The how manyth that fired.
    episode: u64,
    is_over: bool,
}

impl Told {
    fn firing(episode: u64) -> Self {
        Self {
            episode,
            is_over: false,
        }
    }

    fn set(self) -> u64 {
        self.episode % SETS
    }

    fn sender(self) -> usize {
        usize::try_from(self.set()).unwrap_or_default() % SENDERS
    }

    fn written(self, began_at: DateTime<Utc>) -> Value {
        let set = self.set();
        let (kind, host) = (format!("Bench{}", set % TYPES), format!("host-{set}"));
        // Of each set the next time begins later than the one before.
        let at = began_at + TimeDelta::milliseconds(i64::try_from(self.episode).unwrap_or_default());
        let starts_at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let ends_at = (at + TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Millis, true);
        let status = if self.is_over { "resolved" } else { "firing" };
        let labels =
            json!({ "alertname": kind, "instance": host, "severity": "high", "zone": format!("zone-{}", set % 7) });
        let group = |version: &str| {
            let alert = json!({
                "status": status, "labels": labels, "annotations": { "summary": format!("{kind} on {host}") },
                "startsAt": starts_at, "endsAt": if self.is_over { ends_at.as_str() } else { "0001-01-01T00:00:00Z" },
                "generatorURL": "https://prometheus.example/graph",
            });
            json!({
                "version": version, "groupKey": "{}", "receiver": "daybook", "status": status, "groupLabels": {},
                "commonLabels": {}, "commonAnnotations": {}, "externalURL": "https://alerts.example", "alerts": [alert],
            })
        };
        match self.sender() {
            0 => group("4"),
            1 => {
                let mut group = group("1");
                group["orgId"] = json!(1);
                group["state"] = json!("alerting");
                group
            }
            2 => json!({
                "title": format!("{kind} on {host}"), "alert_type": kind, "severity": "high", "status": status,
                "dedup_key": host, "labels": labels, "starts_at": starts_at,
            }),
            _ => json!({
                "id": self.episode.to_string(), "triggerId": set.to_string(), "name": kind, "host": host,
                "severity": "High", "status": if self.is_over { "OK" } else { "PROBLEM" },
                "value": if self.is_over { "0" } else { "1" }, "timestamp": at.timestamp().to_string(),
            }),
        }
    }
}
