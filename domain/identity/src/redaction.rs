//! Texts that were struck: a note or a reason that must not be read any more, without a person being erased for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use domain::text::{self, Unfit};
use domain::{Class, Decider, Erase, Refuse, Request, event, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Redaction>("redactions");

/// Characters of the name of a kind of stream, and of a field.
pub const NAME_CHARS_MAX: usize = 100;

/// Whether a text was struck. The stream's id is the text's, see [`event::text_id`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redaction {
    #[default]
    Unborn,
    Struck,
}

/// A text, named by the event that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The kind of stream, as events name it: `context.aggregate`. At most 100 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub aggregate_type: String,
    /// The stream's id.
    pub stream: Uuid,
    /// The event's place in the stream, from 1.
    #[schemars(range(min = 1))]
    pub sequence: i64,
    /// The field of the event's payload, or `@reason` for the reason that the command was given; that one stands with
    /// the first event of the command. At most 100 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub field: String,
}

impl Text {
    /// Whether it names a place where a text can be.
    ///
    /// # Errors
    /// [`Refusal::Unfit`].
    pub fn check(&self) -> Result<(), Refusal> {
        for (field, name) in [("aggregate_type", &self.aggregate_type), ("field", &self.field)] {
            text::required(name, NAME_CHARS_MAX).map_err(|unfit| Refusal::Unfit { field, unfit })?;
        }
        if self.sequence < 1 {
            let unfit = Unfit::Form("must be a place in the stream, from 1");
            return Err(Refusal::Unfit {
                field: "sequence",
                unfit,
            });
        }
        Ok(())
    }

    /// The id under which the text's key is kept, and the stream of its redaction.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let event_id = event::event_id(&self.aggregate_type, self.stream, self.sequence);
        event::text_id(event_id, &self.field)
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Strikes one text for good, wherever it is shown. `Daybook-Reason` says why.
    Redact(Text),
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    /// Why is in the event's metadata, a text like any other.
    TextRedacted {
        aggregate_type: String,
        stream: Uuid,
        sequence: i64,
        field: String,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a text is not struck.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a text is struck for a reason; say it in Daybook-Reason")]
    ReasonMissing,
    #[error("the redaction of that text is {id}; send the command there, or leave the id out")]
    OtherText { id: Uuid },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::ReasonMissing | Self::OtherText { .. } | Self::Unfit { .. } => Class::Refused,
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
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::ReasonMissing | Self::OtherText { .. } => None,
        }
    }
}

impl Decider for Redaction {
    const TYPE: &'static str = "identity.redaction";
    const CREATES: &'static str = "redact";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Command::Redact(text) = request.command;
        text.check()?;
        // Never the id of a person or of anything else that has a key: it is made of a text's name alone.
        if request.stream != text.id() {
            return Err(Refusal::OtherText { id: text.id() });
        }
        if request.reason.is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Refusal::ReasonMissing);
        }
        Ok(match self {
            Self::Struck => Vec::new(),
            Self::Unborn => vec![Event::TextRedacted {
                aggregate_type: text.aggregate_type.clone(),
                stream: text.stream,
                sequence: text.sequence,
                field: text.field.clone(),
            }],
        })
    }

    fn evolve(&mut self, event: &Event) {
        let Event::TextRedacted { .. } = event;
        *self = Self::Struck;
    }

    fn stream_of(_tenant: Uuid, command: &Command) -> Option<Uuid> {
        let Command::Redact(text) = command;
        Some(text.id())
    }

    fn erases(stream: Uuid, event: &Event) -> Vec<Erase> {
        let Event::TextRedacted { .. } = event;
        vec![Erase::Key(stream)]
    }
}

#[cfg(test)]
mod tests;
