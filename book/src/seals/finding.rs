//! What a verification finds, in words for an operator or an auditor.

use std::fmt;

use super::place::Place;
use super::{PublicKey, Seal};

/// The first thing that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An event was changed, deleted, inserted or moved.
    Event { seal: Covers, place: Place },
    /// The book ends before what was sealed last.
    CutOff { end: i64, sealed: i64 },
    /// Events of a seal are not what was sealed, and its leaves, which would say which ones, are not either.
    Events(Covers),
    /// Between events that are not sealed yet one is missing, or one is where none can be.
    Unsealed { position: i64, found: i64 },
    /// There is no seal of this number, although later ones are there.
    SealMissing { number: i64 },
    /// A seal does not continue the one before it: one of its columns was changed, or something before it was made anew.
    SealChanged(Covers),
    /// A seal is signed by a key that is not among those to trust.
    UnknownKey { seal: Covers, key: PublicKey },
    /// The key that a seal names has not signed it.
    NotSigned { seal: Covers, key: PublicKey },
    /// A seal is not the one that was exported.
    Rewritten {
        seal: Covers,
        exported: Covers,
        restored: bool,
    },
    /// A seal that was exported is not in the book.
    ExportedMissing { exported: Covers, sealed: i64 },
    /// A seal that was exported is not signed by a key to trust: the file is not what Daybook exported.
    ExportedNotSigned { exported: Covers, key: PublicKey },
    /// The exported seals do not continue one another.
    ExportedChanged(Covers),
}

/// A seal and the positions that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covers {
    pub number: i64,
    pub from: i64,
    pub to: i64,
}

impl From<&Seal> for Covers {
    fn from(seal: &Seal) -> Self {
        Self {
            number: seal.number,
            from: seal.from,
            to: seal.to,
        }
    }
}

impl fmt::Display for Covers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seal {} (positions {} to {})", self.number, self.from, self.to)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { position } => write!(f, "position {position} was changed"),
            Self::Deleted { from, to } if from == to => write!(f, "position {from} was deleted"),
            Self::Deleted { from, to } => write!(f, "positions {from} to {to} were deleted"),
            Self::Inserted { position } => write!(f, "position {position} was inserted"),
            Self::Reordered { position, now_at } => write!(
                f,
                "events were reordered: what was at position {position} is at {now_at} now"
            ),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { seal, place } => write!(f, "{place}; {seal} was made over something else"),
            Self::CutOff { end, sealed } => write!(
                f,
                "the book was cut off: it ends at position {end}, and was sealed up to {sealed}"
            ),
            Self::Events(seal) => write!(
                f,
                "events of {seal} were changed, and its leaves too, so that nothing says which ones"
            ),
            Self::Unsealed { position, found } => write!(
                f,
                "after what is sealed position {found} comes where {position} should be: an event was deleted or inserted \
                 before it was sealed"
            ),
            Self::SealMissing { number } => write!(f, "seal {number} was deleted"),
            Self::SealChanged(seal) => write!(
                f,
                "{seal} was changed: it does not continue the seal before it as it says"
            ),
            Self::UnknownKey { seal, key } => write!(
                f,
                "{seal} is signed by the key {key}, which you have not named: it was made by somebody else, or --public-key \
                 for it is missing"
            ),
            Self::NotSigned { seal, key } => write!(f, "{seal} was made anew: the key {key} has not signed it"),
            Self::Rewritten {
                seal,
                exported,
                restored: false,
            } => write!(
                f,
                "the book or its seals were made anew: {seal} is not the {exported} that was exported"
            ),
            Self::Rewritten {
                seal,
                exported,
                restored: true,
            } => write!(
                f,
                "the book went on otherwise: {seal} is not the {exported} that was exported, and is of another history. The \
                 database was restored to a point before it, or a standby took over that had not received it"
            ),
            Self::ExportedMissing { exported, sealed } => write!(
                f,
                "the book was cut off: {exported} was exported and is not there, seals end at position {sealed}"
            ),
            Self::ExportedNotSigned { exported, key } => write!(
                f,
                "the exported {exported} is not signed by a key that you have named, but by {key} at most: the file was \
                 changed, or --public-key is missing"
            ),
            Self::ExportedChanged(exported) => write!(
                f,
                "the exported {exported} does not continue the line before it: the file was changed"
            ),
        }
    }
}
