//! What an investigation may look at without asking anybody: the alert, its history, its issue, and what persons said before.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dod_formats::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Times of firing that are looked at, other alerts of an issue, and corrections. More of them are cut by [`Evidence::bounded`].
pub const FIRED_AT_MAX: usize = 1_000;
pub const OTHERS_MAX: usize = 200;
pub const CORRECTIONS_MAX: usize = 20;

/// What is known at one time. An investigation that is taken up again needs the same evidence, so it is kept with it.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The time of the investigation, which "24h" counts back from.
    pub as_of: DateTime<Utc>,
    /// The alert's title.
    pub title: String,
    /// What else it says.
    pub description: Option<String>,
    /// The name of its source.
    pub source: String,
    /// What kind of alert it is.
    pub alert_type: String,
    /// How bad it is.
    pub severity: Severity,
    /// Its labels, by their names.
    pub labels: BTreeMap<String, String>,
    /// Since when it is so, as its sender says.
    pub starts_at: Option<DateTime<Utc>>,
    /// The part of the body that is about this alert, JSON text; absent when it was not kept.
    pub raw: Option<String>,
    /// When the alert fired, this time included, the latest first. At most 1,000.
    pub fired_at: Vec<DateTime<Utc>>,
    /// Since when its history is whole. What is asked of the time before cannot be known. Absent when nothing was left out.
    pub fired_since: Option<DateTime<Utc>>,
    /// Whether it fires again and again.
    pub is_flapping: bool,
    /// Other alerts of the same issue. At most 200.
    pub others: Vec<OtherAlert>,
    /// How many others there are, those that are not listed included.
    pub others_count: u32,
    /// What persons said of alerts of this type before, the latest first. At most 20.
    pub corrections: Vec<Correction>,
}

/// Another alert of the issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherAlert {
    /// What kind of alert it is.
    pub alert_type: String,
    /// Its title.
    pub title: String,
}

/// What a person said of an earlier conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// When.
    pub at: DateTime<Utc>,
    /// Who, as people call them.
    pub by: String,
    /// Absent when the person could not tell either.
    pub is_real_issue: Option<bool>,
    /// What they said.
    pub text: String,
}

impl Evidence {
    /// The evidence with its lists in their order and cut to their bounds. What was cut counts as not known.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.fired_at.sort_unstable_by(|a, b| b.cmp(a));
        if self.fired_at.len() > FIRED_AT_MAX {
            self.fired_at.truncate(FIRED_AT_MAX);
            self.fired_since = self.fired_since.max(self.fired_at.last().copied());
        }
        self.others_count = self
            .others_count
            .max(u32::try_from(self.others.len()).unwrap_or(u32::MAX));
        self.others.truncate(OTHERS_MAX);
        self.corrections
            .sort_by_key(|correction| std::cmp::Reverse(correction.at));
        self.corrections.truncate(CORRECTIONS_MAX);
        self
    }
}
