//! Bodies as each sender's description has them, with what must be found in them, and a day of alerts to order. For
//! tests and for the demonstration; nothing here was copied from anybody's system.

mod cloud;
mod made;
mod own;
mod paging;
mod prometheus;
mod watching;

use chrono::{DateTime, Utc};

use crate::{Delivered, Format, Mapping, Recognised, Rules, Severity, Signal, Unreadable};

pub use made::{Day, alertmanager, alertmanager_group, day, noisy};

/// One body with what is to be found in it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub name: &'static str,
    pub format: Format,
    pub content_type: Option<&'static str>,
    /// Names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
    pub query: &'static [(&'static str, &'static str)],
    pub body: &'static str,
    /// The alerts in the order of the body. None: a note or a subscription is all there is.
    pub expect: &'static [Expected],
    pub is_subscription: bool,
}

/// What is to be found of one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub signal: Signal,
    pub severity: Severity,
    /// Absent: a digest.
    pub dedup_key: Option<&'static str>,
    pub title: &'static str,
    pub is_heartbeat: bool,
}

/// All of them, every format at least once.
pub fn all() -> Vec<Sample> {
    [
        prometheus::SAMPLES,
        cloud::SAMPLES,
        paging::SAMPLES,
        watching::SAMPLES,
        own::SAMPLES,
    ]
    .concat()
}

/// When the samples were received: 2026-03-01 12:00 UTC.
pub fn received_at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_366_400, 0).unwrap_or_default()
}

/// The rules under which samples are read: the format is found out, and one tenant's mapping is there.
pub fn rules() -> Rules {
    Rules {
        mappings: vec![mapping()],
        ..Rules::default()
    }
}

/// A mapping as a tenant makes it for a monitor of their own.
pub fn mapping() -> Mapping {
    let text = |text: &str| Some(text.to_string());
    Mapping {
        when: Some(crate::mapping::When {
            pointer: "/kind".into(),
            equals: "probe".into(),
        }),
        each: text("/checks"),
        title: "{/check} failed on {/target/host}".into(),
        alert_type: text("/check"),
        severity: text("/weight"),
        status: text("/outcome"),
        firing: vec!["red".into()],
        resolved: vec!["green".into()],
        dedup_key: text("{^/site}:{/check}:{/target/host}"),
        description: text("/detail"),
        starts_at: text("/since"),
        labels: [
            ("site".to_string(), "^/site".to_string()),
            ("host".to_string(), "/target/host".to_string()),
        ]
        .into(),
        ..Mapping::default()
    }
}

impl Sample {
    pub fn headers(&self) -> Vec<(String, String)> {
        owned(self.headers)
    }

    pub fn query(&self) -> Vec<(String, String)> {
        owned(self.query)
    }

    /// Reads the sample under some rules, as it was received then.
    ///
    /// # Errors
    /// As `recognise`.
    pub fn recognise(&self, rules: &Rules) -> Result<Recognised, Unreadable> {
        self.recognise_body(self.body.as_bytes(), rules)
    }

    /// Reads another body as if it had come in the sample's place.
    ///
    /// # Errors
    /// As `recognise`.
    pub fn recognise_body(&self, body: &[u8], rules: &Rules) -> Result<Recognised, Unreadable> {
        let (headers, query) = (self.headers(), self.query());
        let delivered = Delivered {
            content_type: self.content_type,
            headers: &headers,
            query: &query,
            body,
            received_at: received_at(),
        };
        crate::recognise(&delivered, rules)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

const JSON: Option<&str> = Some("application/json");

const fn json(name: &'static str, format: Format, body: &'static str, expect: &'static [Expected]) -> Sample {
    Sample {
        name,
        format,
        content_type: JSON,
        headers: &[],
        query: &[],
        body,
        expect,
        is_subscription: false,
    }
}

const fn expected(signal: Signal, severity: Severity, dedup_key: &'static str, title: &'static str) -> Expected {
    Expected {
        signal,
        severity,
        dedup_key: Some(dedup_key),
        title,
        is_heartbeat: false,
    }
}

const fn digested(signal: Signal, severity: Severity, title: &'static str) -> Expected {
    Expected {
        signal,
        severity,
        dedup_key: None,
        title,
        is_heartbeat: false,
    }
}
