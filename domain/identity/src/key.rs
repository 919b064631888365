//! A key by which a service signs in, in the place of a token of an identity provider: a device, or an integration. It
//! speaks for a user of the tenant, whose roles say what it may do. Only a digest of it is kept.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::user::{SERVICE, User};
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Claim, ClaimChange, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Key>("keys");

/// No two keys that are good have the same, whatever its case.
pub const NAME: Claim = Claim::new("identity.keys.name");

/// Characters of a key's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Characters of the id of a device.
pub const DEVICE_ID_CHARS_MAX: usize = 255;
/// How long a key may be good, in days.
pub const DAYS_MAX: i64 = 731;
/// How often it is noted that a key is used, in hours.
pub const USED_HOURS: i64 = 1;
/// Hexadecimal digits of a digest: SHA-256.
const DIGEST_CHARS: usize = 64;

/// The life of a key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Key {
    #[default]
    Unissued,
    Issued(Issued),
    /// It is good for nothing any more.
    Revoked,
}

/// A key that is good until it expires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    pub name: String,
    /// Whom it speaks for.
    pub user_id: Uuid,
    /// SHA-256 of the key, lower-case hex.
    #[serde(skip_serializing, default)]
    pub digest: String,
    /// The only device that it is for, if it is bound to one.
    pub device_id: Option<String>,
    pub expires_at: DateTime<Utc>,
    /// When it was noted last that somebody used it.
    pub used_at: Option<DateTime<Utc>>,
    pub issued_by: Uuid,
}

/// What can be asked of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Issues a key that Daybook has drawn.
    Issue {
        /// What it is for; unique among the tenant's keys that are good, without regard to case. At most 100 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// The active user of the provider `service` for whom it speaks.
        user_id: Uuid,
        /// SHA-256 of the key, lower-case hex.
        #[schemars(length(min = DIGEST_CHARS, max = DIGEST_CHARS))]
        digest: String,
        /// The device that it is bound to: with it, nothing can be done in the name of another. At most 255 characters.
        #[serde(default)]
        #[schemars(length(min = 1, max = DEVICE_ID_CHARS_MAX))]
        device_id: Option<String>,
        /// When it ends to be good, at most 731 days from now.
        expires_at: DateTime<Utc>,
        /// Who asked for it.
        issued_by: Uuid,
    },
    /// Ends the key; nothing happens when it has ended.
    Revoke {},
    /// Notes that somebody used the key; at most once an hour.
    NoteUse {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    KeyIssued {
        name: String,
        user_id: Uuid,
        digest: String,
        #[serde(default)]
        device_id: Option<String>,
        expires_at: DateTime<Utc>,
        issued_by: Uuid,
    },
    KeyUsed {
        at: DateTime<Utc>,
    },
    KeyRevoked {},
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a key is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such key; issue one first")]
    NotIssued,
    #[error("this key was issued already; issue a new one")]
    AlreadyIssued,
    #[error("this key is revoked; issue a new one")]
    Revoked,
    #[error(
        "user_id names no active user of the provider {SERVICE:?}: keys speak for services alone, and for no person; register \
         one, or choose another"
    )]
    NoService,
    #[error("expires_at must lie in the future, and at most {DAYS_MAX} days from now")]
    Expiry,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotIssued => Class::Missing,
            Self::AlreadyIssued | Self::Revoked | Self::NoService | Self::Expiry | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        let field = match self {
            Self::NoService => "user_id",
            Self::Expiry => "expires_at",
            Self::Unfit { field, .. } => field,
            Self::NotIssued | Self::AlreadyIssued | Self::Revoked => return None,
        };
        Some(field.to_owned())
    }
}

impl Decider for Key {
    const TYPE: &'static str = "identity.key";
    const CREATES: &'static str = "issue";
    const CLAIMS: &'static [Claim] = &[NAME];
    /// The key itself is shown to whoever asked for it, and only then: nobody else may say what its digest is.
    const ONLY_DAYBOOK: &'static [&'static str] = &["issue", "note-use"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Ok(vec![match (self, request.command) {
            (
                Key::Unissued,
                Command::Issue {
                    name,
                    user_id,
                    digest,
                    device_id,
                    expires_at,
                    issued_by,
                },
            ) => {
                let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
                text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
                if let Some(device_id) = device_id {
                    text::required(device_id, DEVICE_ID_CHARS_MAX).map_err(unfit("device_id"))?;
                }
                let is_digest = digest.len() == DIGEST_CHARS && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
                if !is_digest {
                    return Err(unfit("digest")(Unfit::Form("must be SHA-256 in hexadecimal")));
                }
                if *expires_at <= request.at || *expires_at > request.at + TimeDelta::days(DAYS_MAX) {
                    return Err(Refusal::Expiry);
                }
                if !request.facts.get::<User>(*user_id).is_some_and(User::is_service) {
                    return Err(Refusal::NoService);
                }
                Event::KeyIssued {
                    name: name.clone(),
                    user_id: *user_id,
                    digest: digest.clone(),
                    device_id: device_id.clone(),
                    expires_at: *expires_at,
                    issued_by: *issued_by,
                }
            }
            (Key::Issued(_) | Key::Revoked, Command::Issue { .. }) => return Err(Refusal::AlreadyIssued),
            (Key::Unissued, _) => return Err(Refusal::NotIssued),

            (Key::Issued(_), Command::Revoke {}) => Event::KeyRevoked {},
            (Key::Revoked, Command::Revoke {}) => return Ok(Vec::new()),

            (Key::Issued(now), Command::NoteUse {}) => {
                let since = now.used_at.map(|used_at| request.at - used_at);
                if since.is_some_and(|since| since < TimeDelta::hours(USED_HOURS)) {
                    return Ok(Vec::new());
                }
                Event::KeyUsed { at: request.at }
            }
            (Key::Revoked, Command::NoteUse {}) => return Err(Refusal::Revoked),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (
                _,
                Event::KeyIssued {
                    name,
                    user_id,
                    digest,
                    device_id,
                    expires_at,
                    issued_by,
                },
            ) => {
                *self = Key::Issued(Issued {
                    name: name.clone(),
                    user_id: *user_id,
                    digest: digest.clone(),
                    device_id: device_id.clone(),
                    expires_at: *expires_at,
                    used_at: None,
                    issued_by: *issued_by,
                });
            }
            (Key::Issued(now), Event::KeyUsed { at }) => now.used_at = Some(*at),
            (_, Event::KeyRevoked {}) => *self = Key::Revoked,
            (Key::Unissued | Key::Revoked, Event::KeyUsed { .. }) => {}
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Issue { user_id, .. } => vec![FactRef::of::<User>(*user_id)],
            _ => Vec::new(),
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let claim = |name: &str| vec![(NAME, name.to_lowercase())];
        let before = match self {
            Key::Issued(now) => claim(&now.name),
            Key::Unissued | Key::Revoked => Vec::new(),
        };
        match event {
            Event::KeyIssued { name, .. } => ClaimChange::between(before, claim(name)),
            Event::KeyRevoked {} => ClaimChange::between(before, Vec::new()),
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Key::Unissued, "issue") => Ok(()),
            (Key::Unissued, _) => Err(Refusal::NotIssued),
            (Key::Issued(_) | Key::Revoked, "issue") => Err(Refusal::AlreadyIssued),
            (Key::Revoked, "note-use") => Err(Refusal::Revoked),
            (Key::Issued(_) | Key::Revoked, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
