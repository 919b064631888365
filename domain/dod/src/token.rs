//! Which source a token is of: a sender shows nothing but a token, and names neither a tenant nor a source.
//!
//! The stream's id is derived from the token, so whoever shows the token finds the stream, and nobody finds the token in the
//! book. Whether it is good is said by the source, see [`crate::source`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use strum::VariantNames;
use uuid::Uuid;

use domain::{Asker, Class, Decider, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Token>("tokens");

/// Characters of a token: as many as a PagerDuty routing key has, which it stands in the place of. Each is one of 62, so
/// that nobody guesses one.
pub const TOKEN_CHARS: usize = 32;

/// What ids of tokens are derived in.
const TOKENS: Uuid = Uuid::from_u128(0x0da7_b00c_0000_4000_8000_0000_0000_0d0d);

/// The life of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    #[default]
    Unissued,
    Issued {
        source_id: Uuid,
    },
}

impl Token {
    /// The stream of a token; none of what has not the form of one.
    #[must_use]
    pub fn stream(token: &str) -> Option<Uuid> {
        let is_one = token.len() == TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_one.then(|| Uuid::new_v5(&TOKENS, token.as_bytes()))
    }

    /// What the source keeps of a token: SHA-256, lower-case hex.
    #[must_use]
    pub fn digest(token: &str) -> String {
        hex::encode(Sha256::digest(token))
    }

    /// The source that it is of.
    #[must_use]
    pub fn source_id(&self) -> Option<Uuid> {
        match self {
            Self::Unissued => None,
            Self::Issued { source_id } => Some(*source_id),
        }
    }
}

/// What can be asked of a token; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Says which source the token is of.
    Issue {
        /// The source.
        source_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    WebhookTokenIssued { source_id: Uuid },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a token is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("this token was issued already; issue a new one")]
    AlreadyIssued,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl Decider for Token {
    const TYPE: &'static str = "dod.token";
    const CREATES: &'static str = "issue";
    const BORROWS_ID: bool = true;
    const ONLY_DAYBOOK: &'static [&'static str] = &["issue"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Command::Issue { source_id } = request.command;
        match self {
            Self::Unissued => Ok(vec![Event::WebhookTokenIssued { source_id: *source_id }]),
            Self::Issued { .. } => Err(Refusal::AlreadyIssued),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let Event::WebhookTokenIssued { source_id } = event;
        *self = Self::Issued { source_id: *source_id };
    }

    fn offers(&self, _command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match self {
            Self::Unissued => Ok(()),
            Self::Issued { .. } => Err(Refusal::AlreadyIssued),
        }
    }
}

#[cfg(test)]
mod tests {
    use rehearsal::given::given;

    use super::*;

    const SOURCE: Uuid = Uuid::from_u128(0x50);
    const OTHER: Uuid = Uuid::from_u128(0x51);

    fn issued() -> Event {
        Event::WebhookTokenIssued { source_id: SOURCE }
    }

    #[test]
    fn a_token_is_of_the_source_that_it_was_issued_for() {
        given::<Token>([])
            .when(Command::Issue { source_id: SOURCE })
            .then([issued()]);
        let token = rehearsal::given::state::<Token>([issued()]);
        assert_eq!(token.source_id(), Some(SOURCE));
        assert_eq!(Token::default().source_id(), None);
    }

    #[test]
    fn a_token_is_issued_once() {
        for source_id in [SOURCE, OTHER] {
            given::<Token>([issued()])
                .when(Command::Issue { source_id })
                .refused(Refusal::AlreadyIssued);
        }
    }

    #[test]
    fn only_a_digest_is_kept_of_a_token() {
        // As `printf a | sha256sum` says.
        let digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
        assert_eq!(Token::digest("a"), digest);
    }

    #[test]
    fn a_token_leads_to_one_stream_and_what_is_none_to_nothing() {
        let token = "a1".repeat(TOKEN_CHARS / 2);
        assert_eq!(Token::stream(&token), Token::stream(&token));
        assert_ne!(Token::stream(&token), Token::stream(&"a2".repeat(TOKEN_CHARS / 2)));
        for other in ["", "short", &"a".repeat(TOKEN_CHARS + 1), &"-".repeat(TOKEN_CHARS)] {
            assert_eq!(Token::stream(other), None, "{other}");
        }
    }
}
