//! Settings of a tenant that nobody is shown: tokens and keys of other services. Feeds `configurations` of document
//! 002_292caa697ae18d8c.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::{self, SEALED_BYTES_MAX};
use domain::Claim;
use domain::faults::Faults;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<Configuration>>("configurations");

/// A tenant has one value under a type and key.
pub const KEY: Claim = Claim::new("dod.configurations.config_type+config_key");

/// Characters of a configuration's key.
pub const CONFIG_KEY_CHARS_MAX: usize = 255;
/// Hosts that a configuration names, and characters of each.
pub const HOSTS_MAX: usize = 20;
pub const HOST_CHARS_MAX: usize = 253;
/// Characters between two dots of a host's name.
const LABEL_CHARS_MAX: usize = 63;

/// A configuration as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// What it is for.
    pub config_type: ConfigType,
    /// What it is found by, unique within its type: letters, digits, `.`, `_` and `-`, at most 255.
    #[schemars(length(min = 1, max = CONFIG_KEY_CHARS_MAX))]
    pub config_key: String,
    /// The value, at most 4,096 bytes. It is sealed as it comes in and shown to nobody.
    #[schemars(length(min = 1, max = SEALED_BYTES_MAX), extend("x-sealed" = true))]
    pub config_value: String,
    /// The hosts that it may be sent to, as a tool's header or a model's key; to none when there are none. Names or addresses
    /// without scheme and port, at most 20. They change along with the value alone: who cannot enter it cannot send it
    /// elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = HOSTS_MAX))]
    pub hosts: Vec<String>,
}

impl Configuration {
    /// Whether its value may be sent to this host.
    #[must_use]
    pub fn may_go_to(&self, host: &str) -> bool {
        self.hosts.iter().any(|named| named.eq_ignore_ascii_case(host))
    }
}

/// What a configuration is for, in the document's words.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConfigType {
    Lark,
    Slack,
    General,
}

/// Whether a text is a key by which configurations are found.
///
/// # Errors
/// [`Unfit`], saying what is wrong with it.
pub fn check_key(key: &str) -> Result<(), Unfit> {
    text::required(key, CONFIG_KEY_CHARS_MAX)?;
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if key.bytes().all(is_in) {
        Ok(())
    } else {
        Err(Unfit::Form(
            "has other characters than letters, digits, dots, underscores and hyphens; write it as prometheus-token",
        ))
    }
}

fn check_hosts(hosts: &[String]) -> Result<(), Unfit> {
    if hosts.len() > HOSTS_MAX {
        return Err(Unfit::Form("has more than 20 hosts; name those that are meant"));
    }
    match hosts.iter().position(|host| !is_host(host)) {
        None => Ok(()),
        Some(place) => Err(Unfit::Inside(format!(
            "has no host at [{place}]; write names and addresses as they stand in URLs, without scheme, port, path and final dot, \
             such as metrics.example.com or [::1]"
        ))),
    }
}

/// Whether it is written as URLs have it: what is written in another way, 127.1 or `a.example.` with a dot, would never be met.
fn is_host(host: &str) -> bool {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let as_in_urls = url::Host::parse(host).map(|host| host.to_string());
    let is_met = as_in_urls.is_ok_and(|as_in_urls| as_in_urls.eq_ignore_ascii_case(host));
    let is_label = |label: &str| (1..=LABEL_CHARS_MAX).contains(&label.len());
    host.len() <= HOST_CHARS_MAX
        && host.bytes().all(is_in)
        && is_met
        && (host.starts_with('[') || host.split('.').all(is_label))
}

impl Entry for Configuration {
    const TYPE: &'static str = "dod.configuration";
    const NOUN: &'static str = "configuration";
    const ENTERED: &'static str = "ConfigurationEntered";
    const AMENDED: &'static str = "ConfigurationAmended";
    const STRUCK: &'static str = "ConfigurationStruck";
    const CLAIMS: &'static [Claim] = &[KEY];
    // The table has no column that says "not in use", so a struck configuration's row goes.
    const STRUCK_STAYS: bool = false;

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
            .at("config_key", check_key(&self.config_key))
            .at("hosts", check_hosts(&self.hosts))
            .at("config_value", secret::sealed(&self.config_value))
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(KEY, format!("{}/{}", self.config_type, self.config_key))]
    }
}

#[cfg(test)]
mod tests;
