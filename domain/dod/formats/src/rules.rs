//! What a tenant decides of how its senders are understood.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::{self, Judged};
use crate::{Mapping, Severity};

/// How the bodies of one source are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// The tenant's own words for severities, in lower case. They are asked before the words that everybody knows.
    pub severities: BTreeMap<String, Severity>,
    /// The format of the source. Absent: it is found out, body by body. A body that is plainly of another format is
    /// read as what it is, with a note.
    pub format: Option<Format>,
    /// How JSON of no known format is read: the first mapping that fits is taken.
    pub mappings: Vec<Mapping>,
    /// The severity of an alert whose sender gives none, or a word that nobody knows. Absent: medium.
    pub default_severity: Option<Severity>,
}

impl Rules {
    /// How bad it is where a sender says this word, or none: by the tenant's own words, then by everybody's. What a format
    /// tells besides (a number of Zabbix) is not asked.
    #[must_use]
    pub fn severity(&self, word: Option<&str>) -> Severity {
        let judged = word.map(|word| words::severity(word, self));
        match judged {
            Some(Judged::As(severity)) => severity,
            Some(Judged::Heartbeat) => Severity::Low,
            Some(Judged::NotKnown) | None => self.presumed(),
        }
    }

    /// The severity of what says none, or a word that nobody knows.
    pub(crate) fn presumed(&self) -> Severity {
        self.default_severity.unwrap_or(Severity::Medium)
    }
}

/// Whose words a body is in.
// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Format {
    /// The webhook of Alertmanager, versions 3 and 4.
    Alertmanager,
    /// What Prometheus pushes to Alertmanager's API v2.
    AlertmanagerApi,
    /// Unified alerting of Grafana.
    Grafana,
    /// The alerting that Grafana had before version 8.
    GrafanaLegacy,
    /// Amazon SNS, with or without a CloudWatch alarm in it, and alarms that EventBridge passes on.
    Cloudwatch,
    Datadog,
    /// What tools send to PagerDuty's Events API v2.
    PagerdutyEvents,
    /// What PagerDuty itself sends, webhooks v3.
    PagerdutyWebhook,
    Sentry,
    Opsgenie,
    Zabbix,
    /// CloudEvents 1.0 whose data is of no other format.
    Cloudevents,
    /// JSON or a form with at least a title or a summary.
    Generic,
    /// JSON that a mapping of the tenant reads.
    Mapped,
    /// JSON that nobody knows: the delivery keeps it.
    Unmapped,
}
