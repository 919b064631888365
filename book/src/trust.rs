//! What a decision rests on.

/// How far a decision may rest on something else than the book. The append checks every sequence,
/// so trust costs at most another round; and no refusal rests on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A stream that is not cached is taken to be new, which spares creating commands a round trip; and to have no events
    /// a fact that had none of late, or that bears the id of a new stream, since what is about a thing comes after it.
    Guess,
    Cache,
    /// A state that is cached, if the book has no later event of its stream: after a lost race, so that who loses often does
    /// not read a long history each time.
    Current,
    Book,
    /// As the book has it, and sealed fields that do not open are taken for erased ones: nothing but an erasure may
    /// rest on that, which needs none of them.
    Unopened,
}

impl Trust {
    /// What to rest on next, after a refusal.
    pub fn less(self) -> Self {
        match self {
            Self::Guess => Self::Cache,
            Self::Cache | Self::Current | Self::Book | Self::Unopened => Self::Book,
        }
    }

    /// What to rest on next, after a stream was found to have moved.
    pub fn after_race(self) -> Self {
        match self {
            Self::Guess | Self::Cache | Self::Current => Self::Current,
            Self::Book | Self::Unopened => Self::Book,
        }
    }

    /// Whether the book is asked now.
    pub fn is_of_the_book(self) -> bool {
        matches!(self, Self::Book | Self::Unopened)
    }
}
