//! How senders prove that a body is theirs: HMAC-SHA256 over it, compared in constant time. SNS signs with RSA: see `sns`.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::header;

/// How far a signed time may be from ours: an older body is somebody's replay.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);
/// Signatures that one header may hold while a secret is changed.
pub const SIGNATURES_MAX: usize = 16;

/// The header in which Grafana signs unless it is told otherwise.
pub const GRAFANA_HEADER: &str = "x-grafana-alerting-signature";

/// A way of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// In hexadecimal over the body, or over time, colon and body where a header for the time is configured there.
    Grafana {
        #[serde(default)]
        header: Option<String>,
        #[serde(default)]
        timestamp_header: Option<String>,
    },
    /// In hexadecimal over the body, in `Sentry-Hook-Signature`.
    Sentry,
    /// As `v1=` and hexadecimal over the body, several with commas, in `X-PagerDuty-Signature`.
    Pagerduty,
    /// As `v0=` and hexadecimal over `v0:`, time, colon and body, in `X-Slack-Signature`.
    Slack,
    /// In hexadecimal over the body, with or without `sha256=` before it, in a header of one's choice.
    HmacSha256 { header: String },
    /// The secret itself in a header of one's choice, for senders that cannot sign.
    SharedSecret { header: String },
}

/// Why a body is not believed. Each sentence says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum BadSignature {
    #[error("the header {header} is missing; make the sender sign with the secret of the source")]
    Missing { header: String },
    #[error("the header {header} holds no signature of this scheme; choose the scheme that the sender has")]
    Malformed { header: String },
    #[error("the signature is not of this body and secret; give the sender and the source the same secret")]
    Wrong,
    #[error("the signed time is more than {} minutes from now; set the sender's clock, or send anew", CLOCK_SKEW.num_minutes())]
    Stale,
}

impl Scheme {
    /// The headers to keep for it, in lower case.
    pub fn headers(&self) -> Vec<String> {
        let lower = |name: &String| name.to_ascii_lowercase();
        match self {
            Scheme::Grafana {
                header,
                timestamp_header,
            } => {
                let header = header.as_ref().map_or_else(|| GRAFANA_HEADER.to_string(), lower);
                [Some(header), timestamp_header.as_ref().map(lower)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Scheme::Sentry => vec!["sentry-hook-signature".to_string()],
            Scheme::Pagerduty => vec!["x-pagerduty-signature".to_string()],
            Scheme::Slack => vec!["x-slack-signature".to_string(), "x-slack-request-timestamp".to_string()],
            Scheme::HmacSha256 { header } | Scheme::SharedSecret { header } => vec![lower(header)],
        }
    }
}

/// Whether a body was signed with a secret. `headers` have names in lower case.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    scheme: &Scheme,
    secret: &[u8],
    headers: &[(String, String)],
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), BadSignature> {
    let names = scheme.headers();
    let value = |place: usize| -> Result<(&str, &str), BadSignature> {
        let name = names.get(place).map(String::as_str).unwrap_or_default();
        let missing = || BadSignature::Missing {
            header: name.to_string(),
        };
        header(headers, name)
            .map(|value| (name, value.trim()))
            .ok_or_else(missing)
    };
    let (name, given) = value(0)?;
    match scheme {
        Scheme::Grafana {
            timestamp_header: Some(_),
            ..
        } => {
            let (_, time) = value(1)?;
            check(secret, &[time.as_bytes(), b":", body], given, &[""], name)?;
            fresh(time, now)
        }
        Scheme::Slack => {
            let (_, time) = value(1)?;
            check(secret, &[b"v0:", time.as_bytes(), b":", body], given, &["v0="], name)?;
            fresh(time, now)
        }
        Scheme::Grafana {
            timestamp_header: None, ..
        }
        | Scheme::Sentry => check(secret, &[body], given, &[""], name),
        Scheme::HmacSha256 { .. } => check(secret, &[body], given, &["sha256=", ""], name),
        Scheme::Pagerduty => {
            let signatures = given
                .split(',')
                .map(str::trim)
                .filter(|one| one.starts_with("v1="))
                .take(SIGNATURES_MAX);
            let mut outcome = Err(BadSignature::Malformed {
                header: name.to_string(),
            });
            for signature in signatures {
                outcome = check(secret, &[body], signature, &["v1="], name);
                if outcome.is_ok() {
                    break;
                }
            }
            outcome
        }
        Scheme::SharedSecret { .. } => {
            let bearer = given.strip_prefix("Bearer ").unwrap_or(given);
            // The digests are compared under a key, so that how long it takes says nothing of the secret.
            check(
                secret,
                &[&Sha256::digest(secret)],
                &hex::encode(mac(secret, &[&Sha256::digest(bearer)]).finalize().into_bytes()),
                &[""],
                name,
            )
        }
    }
}

// `mac` gives one of 32 bytes; `verify_slice` compares in constant time.
fn check(secret: &[u8], parts: &[&[u8]], given: &str, prefixes: &[&str], name: &str) -> Result<(), BadSignature> {
    let malformed = || BadSignature::Malformed {
        header: name.to_string(),
    };
    let digits = prefixes
        .iter()
        .find_map(|prefix| given.strip_prefix(prefix))
        .ok_or_else(malformed)?;
    let signature = hex::decode(digits).map_err(|_| malformed())?;
    mac(secret, parts)
        .verify_slice(&signature)
        .map_err(|_| BadSignature::Wrong)
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A key longer than a block is its digest by definition; a shorter one is filled with zeros. So no key is refused.
    let key: [u8; 64] = {
        let mut block = [0_u8; 64];
        if secret.len() > block.len() {
            block[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            block[..secret.len()].copy_from_slice(secret);
        }
        block
    };
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&key.into());
    for part in parts {
        mac.update(part);
    }
    mac
}

fn fresh(time: &str, now: DateTime<Utc>) -> Result<(), BadSignature> {
    let at = crate::moment::read(time).at().ok_or(BadSignature::Stale)?;
    match (now - at).abs() <= CLOCK_SKEW {
        true => Ok(()),
        false => Err(BadSignature::Stale),
    }
}
