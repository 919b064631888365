//! The settings of a source, as somebody enters them.

use std::collections::{BTreeMap, BTreeSet};

use dod_formats::{Format, Mapping, Rules, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::receiver::{self, RECEIVER_IM_CHARS_MAX};
use crate::secret::{self, SEALED_BYTES_MAX};
use domain::faults::Faults;
use domain::text::{self, Unfit};

/// Characters of a source's name, as the column of an alert's source holds them.
pub const NAME_CHARS_MAX: usize = 100;
/// Topics of SNS from which a source takes messages, and characters of each one's ARN.
pub const SNS_TOPICS_MAX: usize = 50;
pub const SNS_TOPIC_CHARS_MAX: usize = 512;
/// Words of a sender that a source's map of severities knows, and characters of each.
pub const SEVERITIES_MAX: usize = 100;
pub const SEVERITY_CHARS_MAX: usize = 100;
/// Mappings of a source.
pub const MAPPINGS_MAX: usize = 20;
/// Minutes after which an alert is resolved of which nothing more was heard: up to thirty days.
pub const AUTO_RESOLVE_MINUTES_MAX: i32 = 43_200;
/// Minutes without a heartbeat after which the source itself is an alert: up to a week.
pub const HEARTBEAT_MINUTES_MAX: i32 = 10_080;
/// Changes between firing and resolved that make an alert one that flaps.
pub const FLAP_COUNT_MIN: i32 = 2;
pub const FLAP_COUNT_MAX: i32 = 100;
/// Minutes within which they count: up to a day.
pub const FLAP_MINUTES_MAX: i32 = 1_440;
/// Characters of the name of a header.
pub const HEADER_CHARS_MAX: usize = 100;

pub(super) const FLAP_COUNT_DEFAULT: i32 = 3;
pub(super) const FLAP_MINUTES_DEFAULT: i32 = 60;

/// Where alerts come from, as it is entered.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What alerts name as their source; unique without regard to case. At most 100 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// Whose words its requests are in; found out request by request when absent.
    #[serde(default)]
    #[schemars(schema_with = "format_schema")]
    pub format: Option<Format>,
    /// The receiver that is told of its alerts where the request names none, by its `receiver_im`.
    #[serde(default)]
    #[schemars(length(min = 1, max = RECEIVER_IM_CHARS_MAX))]
    pub receiver_im: Option<String>,
    /// How its requests prove that they are its own, besides the token. Not checked when absent.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// The ARNs of the SNS topics whose subscriptions are confirmed and whose messages are taken. At most 50.
    #[serde(default)]
    #[schemars(length(max = SNS_TOPICS_MAX))]
    pub sns_topics: Vec<String>,
    /// The sender's own words for severities, upper and lower case alike, each with what is meant by it. They go before
    /// the words that are known everywhere. At most 100.
    #[serde(default)]
    #[schemars(length(max = SEVERITIES_MAX))]
    pub severities: BTreeMap<String, Severity>,
    /// The severity of an alert that says none, or a word that is not known.
    #[serde(default)]
    pub default_severity: Option<Severity>,
    /// How JSON that nobody knows is read: the first mapping that fits is taken. At most 20.
    #[serde(default)]
    #[schemars(length(max = MAPPINGS_MAX))]
    pub mappings: Vec<Mapping>,
    /// Minutes after which an alert is resolved of which nothing more was heard: 1 to 43,200. Never when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = AUTO_RESOLVE_MINUTES_MAX))]
    pub auto_resolve_minutes: Option<i32>,
    /// Minutes without a heartbeat after which the source itself is an alert: 1 to 10,080. None is expected when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = HEARTBEAT_MINUTES_MAX))]
    pub heartbeat_minutes: Option<i32>,
    /// Changes between firing and resolved, within `flap_minutes`, that make an alert one that flaps, of which nobody is
    /// told each time: 2 to 100; 3 when absent.
    #[serde(default = "flap_count")]
    #[schemars(range(min = FLAP_COUNT_MIN, max = FLAP_COUNT_MAX))]
    pub flap_count: i32,
    /// Minutes within which changes count as flapping: 1 to 1,440; 60 when absent.
    #[serde(default = "flap_minutes")]
    #[schemars(range(min = 1, max = FLAP_MINUTES_MAX))]
    pub flap_minutes: i32,
    /// What its requests are answered when there are more than Daybook takes; as its format needs it when absent.
    #[serde(default)]
    pub overload: Option<Overload>,
}

/// The formats that a source may have: all but what Daybook calls a body that it does not know.
fn format_schema(generator: &mut SchemaGenerator) -> Schema {
    let unmapped: &str = Format::Unmapped.into();
    let mut format = Format::json_schema(generator).to_value();
    let ways = format.get_mut("oneOf").and_then(Value::as_array_mut);
    if let Some(ways) = ways {
        ways.retain(|way| way["const"] != unmapped);
    }
    json_schema!({ "anyOf": [format, { "type": "null" }] })
}

fn flap_count() -> i32 {
    FLAP_COUNT_DEFAULT
}

fn flap_minutes() -> i32 {
    FLAP_MINUTES_DEFAULT
}

/// How requests prove that they are their source's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Whose way of signing it is.
    pub scheme: SignatureScheme,
    /// The secret that both sides know. It is sealed as it comes in and shown to nobody.
    #[schemars(length(min = 1, max = SEALED_BYTES_MAX), extend("x-sealed" = true))]
    pub secret: String,
    /// The header with the signature or, of `shared_secret`, with the secret. Needed for `hmac_sha256` and `shared_secret`;
    /// of `grafana` the usual one when absent; the others know their own. At most 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = HEADER_CHARS_MAX))]
    pub header: Option<String>,
    /// The header with the time that Grafana signs along, for `grafana` alone. At most 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = HEADER_CHARS_MAX))]
    pub timestamp_header: Option<String>,
}

/// A way of signing requests. All but the last have HMAC-SHA256 over the body.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SignatureScheme {
    /// In hexadecimal, in `X-Grafana-Alerting-Signature`, over the time and the body where a time is signed along.
    Grafana,
    /// In hexadecimal, in `Sentry-Hook-Signature`.
    Sentry,
    /// As `v1=` and hexadecimal, several with commas, in `X-PagerDuty-Signature`.
    Pagerduty,
    /// In hexadecimal, with or without `sha256=` before it, in a header of your choice.
    HmacSha256,
    /// The secret itself, in a header of your choice: for senders that cannot sign.
    SharedSecret,
}

/// What a sender is answered whose request cannot be taken now.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Overload {
    /// 503: for senders that try again after a failure of the server, and not after 429.
    #[serde(rename = "retry_5xx")]
    #[strum(serialize = "retry_5xx")]
    Retry5xx,
    /// 429 with `Retry-After`: for senders that understand it.
    #[serde(rename = "retry_429")]
    #[strum(serialize = "retry_429")]
    Retry429,
    /// It is taken as long as there is room at all: for senders that try nothing again.
    AlwaysTake,
}

impl Settings {
    /// How bodies are read. The words for severities are in lower case there.
    pub(super) fn rules(&self) -> Rules {
        let words = self.severities.iter();
        Rules {
            severities: words.map(|(word, severity)| (word.to_lowercase(), *severity)).collect(),
            format: self.format,
            mappings: self.mappings.clone(),
            default_severity: self.default_severity,
        }
    }

    /// What its requests are answered when there are more than Daybook takes: as was entered, or as senders of its format
    /// take it. Of those that are not known here 5xx is understood by most.
    pub(super) fn overload(&self) -> Overload {
        let by_format = || match self.format {
            Some(Format::Grafana | Format::GrafanaLegacy | Format::Sentry) => Overload::AlwaysTake,
            Some(Format::PagerdutyEvents) => Overload::Retry429,
            Some(_) | None => Overload::Retry5xx,
        };
        self.overload.unwrap_or_else(by_format)
    }

    /// The fields that cannot be stored or kept to.
    #[must_use]
    pub fn check(&self) -> Faults<Unfit> {
        let receiver_im = self.receiver_im.as_deref();
        let format = match self.format {
            Some(Format::Unmapped) => Err(Unfit::Form(
                "is unmapped, which is what Daybook calls what it does not know; leave it out",
            )),
            Some(_) | None => Ok(()),
        };
        let within = |value: Option<i32>, max| value.map_or(Ok(()), |value| text::within(value, 1, max));
        let auto_resolve_minutes = within(self.auto_resolve_minutes, AUTO_RESOLVE_MINUTES_MAX);
        let own = Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at("receiver_im", receiver_im.map_or(Ok(()), receiver::check_receiver_im));
        let signed = match &self.signature {
            Some(signature) => signature.check(own),
            None => own,
        };
        signed
            .at("format", format)
            .at("mappings", check_mappings(&self.mappings))
            .at("sns_topics", check_topics(&self.sns_topics))
            .at("severities", check_severities(&self.severities))
            .at("auto_resolve_minutes", auto_resolve_minutes)
            .at(
                "heartbeat_minutes",
                within(self.heartbeat_minutes, HEARTBEAT_MINUTES_MAX),
            )
            .at(
                "flap_count",
                text::within(self.flap_count, FLAP_COUNT_MIN, FLAP_COUNT_MAX),
            )
            .at("flap_minutes", within(Some(self.flap_minutes), FLAP_MINUTES_MAX))
    }
}

impl Signature {
    fn check(&self, faults: Faults<Unfit>) -> Faults<Unfit> {
        let header = match (self.scheme, &self.header) {
            (SignatureScheme::HmacSha256 | SignatureScheme::SharedSecret, None) => {
                Err(Unfit::Form("must say the header that has the signature or the secret"))
            }
            (SignatureScheme::Sentry | SignatureScheme::Pagerduty, Some(_)) => Err(Unfit::Form(
                "cannot be chosen: this sender has one of its own; leave it out",
            )),
            (_, Some(header)) => check_header(header),
            (_, None) => Ok(()),
        };
        let timestamp_header = match (self.scheme, &self.timestamp_header) {
            (_, None) => Ok(()),
            (SignatureScheme::Grafana, Some(header)) => check_header(header),
            (_, Some(_)) => Err(Unfit::Form("is known to grafana alone; leave it out")),
        };
        faults
            .at("signature.secret", secret::sealed(&self.secret))
            .at("signature.header", header)
            .at("signature.timestamp_header", timestamp_header)
    }
}

/// A name as HTTP has it: letters, digits and some signs.
fn check_header(header: &str) -> Result<(), Unfit> {
    text::required(header, HEADER_CHARS_MAX)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if header.bytes().all(is_token) {
        Ok(())
    } else {
        Err(Unfit::Form("must be the name of a header, such as X-Signature"))
    }
}

fn check_mappings(mappings: &[Mapping]) -> Result<(), Unfit> {
    if mappings.len() > MAPPINGS_MAX {
        return Err(Unfit::Form(
            "has more than 20 mappings; enter a source for each kind of body",
        ));
    }
    for (place, mapping) in mappings.iter().enumerate() {
        let told = |(field, reason)| Unfit::Inside(format!("[{place}].{field}: {reason}"));
        mapping.check().map_err(told)?;
    }
    Ok(())
}

fn check_topics(topics: &[String]) -> Result<(), Unfit> {
    if topics.len() > SNS_TOPICS_MAX {
        return Err(Unfit::Form(
            "names more than 50 topics; enter a source for each group of them",
        ));
    }
    let mut seen = BTreeSet::new();
    for topic in topics {
        text::required(topic, SNS_TOPIC_CHARS_MAX)?;
        if !is_topic(topic) {
            return Err(Unfit::Form(
                "has what is no ARN of an SNS topic; write each as arn:aws:sns:eu-west-1:123456789012:alarms",
            ));
        }
        if !seen.insert(topic) {
            return Err(Unfit::Form("names a topic twice; list each one once"));
        }
    }
    Ok(())
}

fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let is_word = |part: &str, more: &[u8]| {
        let is_in = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
        !part.is_empty() && part.bytes().all(is_in)
    };
    let ["arn", partition, "sns", region, account, name] = parts[..] else {
        return false;
    };
    partition.starts_with("aws")
        && is_word(partition, b"-")
        && is_word(region, b"-")
        && account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && is_word(name, b"-_.")
}

fn check_severities(severities: &BTreeMap<String, Severity>) -> Result<(), Unfit> {
    if severities.len() > SEVERITIES_MAX {
        return Err(Unfit::Form(
            "maps more than 100 words; leave out those that mean what they say",
        ));
    }
    let mut seen = BTreeSet::new();
    for word in severities.keys() {
        text::required(word, SEVERITY_CHARS_MAX)?;
        if !seen.insert(word.to_lowercase()) {
            return Err(Unfit::Form(
                "maps a word twice, for upper and lower case are alike; list each one once",
            ));
        }
    }
    Ok(())
}
