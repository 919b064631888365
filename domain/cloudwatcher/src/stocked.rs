//! What stock says of a part, a variant or a location that it refers to: whether a part was ever stocked, and the stock keys
//! that reordering is suggested of. Kept so that what is struck or amended meets what refers to it; feeds no table.

mod carry;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::stock::StockKey;
pub use carry::{EVENTS_CARRIED_MIN, SUGGESTIONS_CARRIED_MAX, SUGGESTIONS_PER_EVENT};
use domain::{Class, Decider, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Stocked>("stocked");

/// Stock keys of one part, variant or location that reordering is suggested of at one time. Of more it is not noted: their
/// suggestions end with the next move.
pub const SUGGESTED_MAX: usize = 10_000;

/// What stock says of one part, variant or location. The stream's id is that of the part, variant or location.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stocked {
    is_stocked: bool,
    suggested: BTreeSet<StockKey>,
    /// Events since everything was carried forward last.
    #[serde(skip)]
    events: u32,
}

impl Stocked {
    /// Whether there is a record of it, or was one.
    #[must_use]
    pub fn is_stocked(&self) -> bool {
        self.is_stocked
    }

    /// The stock keys with an open suggestion to reorder.
    pub fn suggested(&self) -> impl Iterator<Item = &StockKey> {
        self.suggested.iter()
    }
}

/// What can be asked of it; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Notes that a record of it was opened.
    NoteOpened {},
    /// Notes that reordering is suggested of a stock key.
    NoteSuggested {
        /// The stock key.
        stock: StockKey,
    },
    /// Notes that it is suggested no more.
    NoteAnswered {
        /// The stock key.
        stock: StockKey,
    },
    /// It is struck: whatever is suggested is to be looked at again.
    LookAgain {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    StockOpeningNoted {},
    StockSuggestionNoted {
        stock: StockKey,
    },
    StockSuggestionForgotten {
        stock: StockKey,
    },
    StockSuggestionsLookedAt {},
    /// Everything that matters of the events so far, so that loading can begin here.
    StockSuggestionsCarriedForward {
        is_stocked: bool,
        /// The first of them; the others are in the events that follow.
        suggested: Vec<StockKey>,
    },
    /// More of what is carried forward.
    StockSuggestionsCarriedOn {
        suggested: Vec<StockKey>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why nothing is noted.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("the stock key is not of this part, variant or location; note it where it is")]
    OtherStock,
    #[error("{SUGGESTED_MAX} stock keys are noted already; answer some of their suggestions")]
    TooManySuggestions,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::OtherStock | Self::TooManySuggestions => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        Some("stock".to_owned())
    }
}

impl Decider for Stocked {
    const TYPE: &'static str = "cloudwatcher.stocked";
    const CREATES: &'static str = "note-opened";
    const BORROWS_ID: bool = true;
    /// Of no one department: a part lies in several.
    const SCOPED: bool = true;
    const CARRIES_FORWARD: Option<&'static str> = Some("StockSuggestionsCarriedForward");
    const ONLY_DAYBOOK: &'static [&'static str] = &["note-opened", "note-suggested", "note-answered", "look-again"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let happens = match *request.command {
            Command::NoteOpened {} => (!self.is_stocked).then_some(Event::StockOpeningNoted {}),
            Command::NoteSuggested { stock } if !is_of(&stock, request.stream) => return Err(Refusal::OtherStock),
            Command::NoteSuggested { stock } if self.suggested.contains(&stock) => None,
            Command::NoteSuggested { .. } if self.suggested.len() >= SUGGESTED_MAX => {
                return Err(Refusal::TooManySuggestions);
            }
            Command::NoteSuggested { stock } => Some(Event::StockSuggestionNoted { stock }),
            Command::NoteAnswered { stock } => self
                .suggested
                .contains(&stock)
                .then_some(Event::StockSuggestionForgotten { stock }),
            Command::LookAgain {} => (!self.suggested.is_empty()).then_some(Event::StockSuggestionsLookedAt {}),
        };
        let Some(happens) = happens else {
            return Ok(Vec::new());
        };
        let carried = self.carried(&happens);
        Ok(std::iter::once(happens).chain(carried).collect())
    }

    fn evolve(&mut self, event: &Event) {
        self.evolved(event);
    }
}

impl Stocked {
    fn evolved(&mut self, event: &Event) {
        self.events += 1;
        match event {
            Event::StockOpeningNoted {} => self.is_stocked = true,
            Event::StockSuggestionNoted { stock } => _ = self.suggested.insert(*stock),
            Event::StockSuggestionForgotten { stock } => _ = self.suggested.remove(stock),
            Event::StockSuggestionsLookedAt {} => {}
            Event::StockSuggestionsCarriedForward { is_stocked, suggested } => {
                *self = Self {
                    is_stocked: *is_stocked,
                    suggested: suggested.iter().copied().collect(),
                    events: 0,
                };
            }
            Event::StockSuggestionsCarriedOn { suggested } => self.suggested.extend(suggested),
        }
    }
}

/// Whether the stock key names it.
fn is_of(stock: &StockKey, id: Uuid) -> bool {
    stock.part_id == id || stock.variant_id == Some(id) || stock.location_id == id
}

#[cfg(test)]
mod tests;
