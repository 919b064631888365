//! What an event does beyond its stream: keys that it destroys, and how a tenant stands.

use uuid::Uuid;

/// Keys to destroy, of the tenant that the event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    /// The key of a person, and those of every text that they wrote, or of what was sealed in their name.
    Person(Uuid),
    /// One key: that of a text, or of something else that is sealed under a key of its own.
    Key(Uuid),
}

/// Whether a tenant works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// It reads; its commands are refused and its timers wait, until it is active again.
    Suspended,
    /// For good: its keys are destroyed once this is said.
    Deleted,
}

impl Standing {
    /// The word for it, as the book stores it.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// What the book means by a word; none when it is not one of these.
    #[must_use]
    pub fn of_stored(word: &str) -> Option<Self> {
        let all = [Self::Active, Self::Suspended, Self::Deleted];
        all.into_iter().find(|standing| standing.stored() == word)
    }
}
