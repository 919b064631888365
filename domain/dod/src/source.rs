//! Where alerts come from: what is known of a sender, and the tokens by which its requests are let in. Feeds
//! `webhook_sources`, which document 002_292caa697ae18d8c lacks.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::Rules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::VariantNames;
use uuid::Uuid;

use self::settings::{FLAP_COUNT_DEFAULT, FLAP_MINUTES_DEFAULT};
use domain::aggregate::Unparsed;
use domain::amendment::Amendment;
use domain::faults::{Fault, Faults};
use domain::misread::Misread;
use domain::object::is_sha256;
use domain::text::Unfit;
use domain::{Asker, Claim, ClaimChange, Class, Decider, Refuse, Request, stored_by_variant};

mod settings;

pub use settings::{
    AUTO_RESOLVE_MINUTES_MAX, FLAP_COUNT_MAX, FLAP_COUNT_MIN, FLAP_MINUTES_MAX, HEADER_CHARS_MAX,
    HEARTBEAT_MINUTES_MAX, MAPPINGS_MAX, NAME_CHARS_MAX, Overload, SEVERITIES_MAX, SEVERITY_CHARS_MAX,
    SNS_TOPIC_CHARS_MAX, SNS_TOPICS_MAX, Settings, Signature, SignatureScheme,
};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Source>("sources");

/// No two sources have the same, whatever its case.
pub const NAME: Claim = Claim::new("dod.webhook_sources.name");

/// Tokens of a source that are good: the one in use, and the one that comes in its place.
pub const TOKENS_MAX: usize = 2;
/// Hexadecimal digits of a digest: SHA-256.
const DIGEST_CHARS: usize = 64;

/// The life of a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Source {
    #[default]
    Unborn,
    Entered(Known),
    /// It is out of use: nothing that it sends is let in. Its settings and tokens are there for when it is entered again.
    Struck(Known),
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    settings: Settings,
    /// Token id to token; those that are good.
    tokens: BTreeMap<Uuid, Token>,
}

/// A token by which requests are let in. Only a digest of it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Token {
    /// SHA-256 of the token, lower-case hex.
    #[serde(skip_serializing, default)]
    digest: String,
}

/// When an alert counts as one that flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flapping {
    /// Changes between firing and resolved.
    pub flips: u32,
    /// Within so many minutes.
    pub minutes: u32,
}

impl Source {
    /// Whether requests are let in.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Entered(_))
    }

    /// The id of the good token of this digest (SHA-256, lower-case hex); none of a source that is struck.
    #[must_use]
    pub fn token(&self, digest: &str) -> Option<Uuid> {
        let Self::Entered(known) = self else {
            return None;
        };
        let mut tokens = known.tokens.iter();
        tokens.find(|(_, token)| token.digest == digest).map(|(id, _)| *id)
    }

    /// What was entered last, also of one that is struck since.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.known().map(|known| &known.settings)
    }

    /// The source's name; empty where it was never entered.
    #[must_use]
    pub fn name(&self) -> &str {
        self.settings().map_or("", |settings| &settings.name)
    }

    /// The receiver that is told where the request names none.
    #[must_use]
    pub fn receiver_im(&self) -> Option<&str> {
        self.settings()?.receiver_im.as_deref()
    }

    /// When an alert of this source counts as one that flaps.
    #[must_use]
    pub fn flapping(&self) -> Flapping {
        let settings = self.settings();
        let flips = settings.map_or(FLAP_COUNT_DEFAULT, |settings| settings.flap_count);
        let minutes = settings.map_or(FLAP_MINUTES_DEFAULT, |settings| settings.flap_minutes);
        Flapping {
            flips: flips.unsigned_abs(),
            minutes: minutes.unsigned_abs(),
        }
    }

    /// How long after it was last heard of an alert is resolved.
    #[must_use]
    pub fn auto_resolve(&self) -> Option<TimeDelta> {
        self.settings()?.auto_resolve_minutes.map(minutes)
    }

    /// How its bodies are read.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.settings().map(Settings::rules).unwrap_or_default()
    }

    /// What its requests are answered when there are more than Daybook takes.
    #[must_use]
    pub fn overload(&self) -> Overload {
        self.settings().map_or(Overload::Retry5xx, Settings::overload)
    }

    /// How long the source may send no heartbeat.
    #[must_use]
    pub fn heartbeat(&self) -> Option<TimeDelta> {
        self.settings()?.heartbeat_minutes.map(minutes)
    }

    fn known(&self) -> Option<&Known> {
        match self {
            Self::Unborn => None,
            Self::Entered(known) | Self::Struck(known) => Some(known),
        }
    }
}

fn minutes(minutes: i32) -> TimeDelta {
    TimeDelta::minutes(minutes.into())
}

/// What can be asked of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Takes the source into use; also again after it was struck, and then its tokens are good again.
    Enter(Settings),
    /// Changes the fields that are named and leaves the others as they are; null takes a field away. Its tokens stay.
    Amend(Amendment<Settings>),
    /// Takes the source out of use: nothing that it sends is let in. Its alerts stay.
    Strike {},
    /// Issues a token that Daybook has drawn.
    IssueToken {
        /// SHA-256 of the token, lower-case hex.
        #[schemars(length(min = DIGEST_CHARS, max = DIGEST_CHARS))]
        digest: String,
        /// Who asked for it.
        issued_by: Uuid,
    },
    /// Ends a token: requests with it are refused from then on.
    RetireToken {
        /// The token, by its id.
        token_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    SourceEntered(Settings),
    SourceAmended(Settings),
    SourceStruck {},
    SourceTokenIssued {
        token_id: Uuid,
        digest: String,
        issued_by: Uuid,
        issued_at: DateTime<Utc>,
    },
    SourceTokenRetired {
        token_id: Uuid,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a source is not changed.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such source; enter it first")]
    NotEntered,
    #[error("this source is entered already; amend it instead")]
    AlreadyEntered,
    #[error("this source is struck; enter it again first")]
    Struck,
    #[error("this source has {TOKENS_MAX} tokens that are good, the one in use and the next one; retire one first")]
    TooManyTokens,
    #[error("token_id names no token of this source that is good; look at webhook_tokens")]
    NoSuchToken,
    #[error("{}", .0.detail)]
    Misread(Misread),
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl From<Misread> for Refusal {
    fn from(misread: Misread) -> Self {
        Self::Misread(misread)
    }
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotEntered => Class::Missing,
            Self::AlreadyEntered
            | Self::Struck
            | Self::TooManyTokens
            | Self::NoSuchToken
            | Self::Misread(_)
            | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::NoSuchToken => Some("token_id".to_owned()),
            Self::Misread(misread) => Some(misread.field.clone()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::NotEntered | Self::AlreadyEntered | Self::Struck | Self::TooManyTokens => None,
        }
    }
}

impl Decider for Source {
    const TYPE: &'static str = "dod.source";
    const CREATES: &'static str = "enter";
    const SHOWN_IN: Option<&'static str> = Some("webhook_sources");
    const CLAIMS: &'static [Claim] = &[NAME];
    /// The token itself is shown to whoever asked for it, and only then: nobody else may say what its digest is.
    const ONLY_DAYBOOK: &'static [&'static str] = &["issue-token"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn read(command: &Value) -> Result<Command, Unparsed> {
        Amendment::<Settings>::read(command)
    }

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Ok(match (self, request.command) {
            (Self::Unborn | Self::Struck(_), Command::Enter(settings)) => {
                settings.check().first().map_err(unfit)?;
                vec![Event::SourceEntered(settings.clone())]
            }
            (Self::Entered(_), Command::Enter(_)) => return Err(Refusal::AlreadyEntered),
            (Self::Unborn, _) => return Err(Refusal::NotEntered),

            (Self::Entered(known), Command::Amend(amendment)) => match amendment.onto(&known.settings)? {
                amended if amended == known.settings => Vec::new(),
                amended => {
                    Faults::of_amending(&known.settings, &amended, Settings::check)
                        .first()
                        .map_err(unfit)?;
                    vec![Event::SourceAmended(amended)]
                }
            },
            (Self::Struck(_), Command::Amend(_) | Command::IssueToken { .. }) => return Err(Refusal::Struck),

            (Self::Entered(_), Command::Strike {}) => vec![Event::SourceStruck {}],
            (Self::Struck(_), Command::Strike {}) => Vec::new(),

            (Self::Entered(known), Command::IssueToken { digest, issued_by }) => {
                check_digest(digest)?;
                if known.tokens.values().any(|token| token.digest == *digest) {
                    return Ok(Vec::new());
                }
                if known.tokens.len() >= TOKENS_MAX {
                    return Err(Refusal::TooManyTokens);
                }
                vec![Event::SourceTokenIssued {
                    token_id: request.ids.draw(),
                    digest: digest.clone(),
                    issued_by: *issued_by,
                    issued_at: request.at,
                }]
            }
            (Self::Entered(known) | Self::Struck(known), Command::RetireToken { token_id }) => {
                if !known.tokens.contains_key(token_id) {
                    return Err(Refusal::NoSuchToken);
                }
                vec![Event::SourceTokenRetired { token_id: *token_id }]
            }
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SourceEntered(settings) | Event::SourceAmended(settings) => {
                let tokens = match std::mem::take(self) {
                    Self::Unborn => BTreeMap::new(),
                    Self::Entered(known) | Self::Struck(known) => known.tokens,
                };
                let settings = settings.clone();
                *self = Self::Entered(Known { settings, tokens });
            }
            Event::SourceStruck {} => {
                *self = match std::mem::take(self) {
                    Self::Unborn => Self::Unborn,
                    Self::Entered(known) | Self::Struck(known) => Self::Struck(known),
                };
            }
            Event::SourceTokenIssued { token_id, digest, .. } => {
                let token = Token { digest: digest.clone() };
                if let Self::Entered(known) | Self::Struck(known) = self {
                    known.tokens.insert(*token_id, token);
                }
            }
            Event::SourceTokenRetired { token_id } => {
                if let Self::Entered(known) | Self::Struck(known) = self {
                    known.tokens.remove(token_id);
                }
            }
        }
    }

    fn body_bytes_max(command: &str) -> usize {
        match command {
            // With very many topics, severities and mappings.
            "enter" | "amend" => 256 << 10,
            _ => domain::decider::BODY_BYTES_MAX,
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let claim = |settings: &Settings| vec![(NAME, settings.name.to_lowercase())];
        match event {
            Event::SourceEntered(settings) | Event::SourceAmended(settings) => {
                // One that is struck keeps its row, and so its name.
                ClaimChange::between(self.settings().map(claim).unwrap_or_default(), claim(settings))
            }
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Unborn, "enter") => Ok(()),
            (Self::Unborn, _) => Err(Refusal::NotEntered),
            (Self::Entered(_), "enter") => Err(Refusal::AlreadyEntered),
            (Self::Struck(_), "amend" | "issue-token") => Err(Refusal::Struck),
            (Self::Entered(known) | Self::Struck(known), "retire-token") if known.tokens.is_empty() => {
                Err(Refusal::NoSuchToken)
            }
            _ => Ok(()),
        }
    }
}

fn unfit(Fault { field, why: unfit, .. }: Fault<Unfit>) -> Refusal {
    Refusal::Unfit { field, unfit }
}

fn check_digest(digest: &str) -> Result<(), Refusal> {
    if is_sha256(digest) {
        return Ok(());
    }
    let unfit = Unfit::Form("must be SHA-256 in lower-case hexadecimal");
    Err(Refusal::Unfit { field: "digest", unfit })
}

#[cfg(test)]
mod tests;
