//! The words for what happens to orders.

use std::fmt;
use std::sync::LazyLock;

use cloudwatcher::{approval, order};
use domain::event::Versioned as _;
use serde::de::{self, Deserialize, Deserializer, EnumAccess, Visitor};

/// What happened to an order, or to its approval, in a word. It follows from the name of the event, which is stored for
/// ever, and so it stays the same, too.
// Shown in `order_history.event_type`, and asked for there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened(&'static str);

/// The document's own words for events that are called otherwise.
const RENAMED: [(&str, &str); 2] = [("OrderDrafted", "created"), ("OrderPlaced", "ordered")];

/// Every event that the history tells of, with its word.
static TOLD: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let names = [order::Event::NAMES, approval::Event::NAMES].concat();
    names.into_iter().map(|name| (name, word(name))).collect()
});

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| TOLD.iter().map(|(_, word)| word.as_str()).collect());

impl Happened {
    /// The word for an event of an order or of its approval, by the event's name.
    #[must_use]
    pub fn of(event_type: &'static str) -> Self {
        let mut told = TOLD.iter();
        let word = told.find(|(name, _)| *name == event_type);
        Self(word.map_or(event_type, |(_, word)| word.as_str()))
    }

    /// The same as the beginning of a sentence: `Items received`.
    pub(super) fn said(self) -> String {
        let mut letters = self.0.chars();
        let first = letters.next().into_iter().map(|first| first.to_ascii_uppercase());
        let rest = letters.map(|letter| if letter == '-' { ' ' } else { letter });
        first.chain(rest).collect()
    }
}

/// The name without that of the order, in kebab case.
fn word(event_type: &str) -> String {
    if let Some((_, word)) = RENAMED.iter().find(|(name, _)| *name == event_type) {
        return (*word).to_owned();
    }
    let name = event_type.strip_prefix("Order").unwrap_or(event_type);
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

impl From<Happened> for &'static str {
    fn from(happened: Happened) -> Self {
        happened.0
    }
}

/// As an enum of its words would be, so that the document lists them.
impl<'de> Deserialize<'de> for Happened {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Happened", &WORDS, Word)
    }
}

struct Word;

impl<'de> Visitor<'de> for Word {
    type Value = Happened;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word for what happened")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Happened, A::Error> {
        let (given, _) = data.variant::<String>()?;
        let word = WORDS.iter().find(|word| **word == given);
        let unknown = || de::Error::unknown_variant(&given, &WORDS);
        word.copied().map(Happened).ok_or_else(unknown)
    }
}
