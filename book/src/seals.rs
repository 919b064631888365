//! Seals: what shows that the book was changed behind Daybook's back.
//!
//! The sealer follows the book's end. For every [`SEAL_EVENTS_MAX`] events, or after [`SEAL_SECONDS_MAX`] seconds for
//! fewer, it makes a digest of each event as it is stored (`leaves.rs`), chains them to all that came before, and signs
//! that with a key which the database never sees (`key.rs`). [`verify`] reads the book again and names the first place
//! that is not what was sealed. What was exported before (`exported.rs`) shows also what no seal in the database can: that
//! book and seals were made anew together.
//!
//! Seals say nothing of keys of persons and texts, so that an erasure leaves them as they are; nor of tables, which are
//! rebuilt from the book.

pub mod exported;
pub mod finding;
pub mod key;
mod leaves;
pub mod place;
pub mod sealer;
mod store;
pub mod verify;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

pub use exported::Exported;
pub use finding::Finding;
pub use key::{PublicKey, SealKey};
pub use leaves::FORMATS;
pub use sealer::{Sealer, Sealing};
pub use verify::verify;

/// Events of one seal.
pub const SEAL_EVENTS_MAX: i64 = 1_000;
/// How long an event waits for its seal while fewer have come, in seconds.
pub const SEAL_SECONDS_MAX: u64 = 10;

/// What the chain begins with, before the first seal.
const BEFORE_ALL: Digest = [0; 32];

/// The first words of what is hashed: no digest of one kind can pass for one of another. Stored for ever.
const CHAIN_WORDS: &[u8] = b"daybook chain 1\n";
const SIGNED_WORDS: &[u8] = b"daybook seal 1\n";

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// One seal, as it is stored and exported; without its leaves, which only tell where in it something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// 1, 2, 3, ...
    pub number: i64,
    /// The first and the last position that it covers.
    pub from: i64,
    pub to: i64,
    /// Which of [`FORMATS`] its leaves are made by.
    pub format: i16,
    /// The incarnation of the book that was sealed: another one after a restore or a fail-over.
    pub history: String,
    /// The digest over the leaves.
    pub root: Digest,
    /// By the sealer's clock, which may jump: it proves nothing.
    pub sealed_at: DateTime<Utc>,
    /// The key that signed it.
    pub key: PublicKey,
    /// The digest over all of the above and the chain of the seal before.
    pub chain: Digest,
    /// Over the chain.
    pub signature: [u8; 64],
}

/// Events that follow one another, as a seal covers them.
#[derive(Debug)]
struct Stretch {
    from: i64,
    to: i64,
    format: i16,
    root: Digest,
}

impl Seal {
    /// Seals a stretch that begins right after `former`.
    fn make(key: &SealKey, former: Option<&Self>, stretch: &Stretch, history: &str, now: DateTime<Utc>) -> Self {
        let mut seal = Self {
            number: former.map_or(1, |former| former.number + 1),
            from: stretch.from,
            to: stretch.to,
            format: stretch.format,
            history: history.to_owned(),
            root: stretch.root,
            // As Postgres keeps it, so that what is read is what was signed.
            sealed_at: now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now),
            key: key.public(),
            chain: BEFORE_ALL,
            signature: [0; 64],
        };
        seal.chain = seal.chained(former);
        seal.signature = key.sign(&seal.signed());
        seal
    }

    /// Whether it continues `former` (`None`: the beginning), and nothing of it was changed since its chain was made.
    /// Says nothing of who made it.
    #[must_use]
    pub fn follows(&self, former: Option<&Self>) -> bool {
        self.number == former.map_or(1, |former| former.number + 1)
            && self.from == former.map_or(1, |former| former.to + 1)
            && self.to >= self.from
            && self.chain == self.chained(former)
    }

    /// Whether the key that it names has signed its chain, and with that all that came before.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.key.has_signed(&self.signed(), &self.signature)
    }

    fn chained(&self, former: Option<&Self>) -> Digest {
        let mut hash = Sha256::new();
        hash.update(CHAIN_WORDS);
        hash.update(former.map_or(BEFORE_ALL, |former| former.chain));
        for number in [self.number, self.from, self.to, self.sealed_at.timestamp_micros()] {
            hash.update(number.to_be_bytes());
        }
        hash.update(self.format.to_be_bytes());
        hash.update((self.history.len() as u64).to_be_bytes());
        hash.update(&self.history);
        hash.update(self.root);
        hash.update(self.key.as_bytes());
        hash.finalize().into()
    }

    fn signed(&self) -> Vec<u8> {
        [SIGNED_WORDS, &self.chain].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch {
            from,
            to,
            format: 1,
            root: [7; 32],
        }
    }

    #[test]
    fn a_seal_follows_the_one_before_it_and_no_other() {
        let (key, now) = (SealKey::generate(), Utc::now());
        let first = Seal::make(&key, None, &stretch(1, 10), "a", now);
        let second = Seal::make(&key, Some(&first), &stretch(11, 20), "a", now);
        let third = Seal::make(&key, Some(&second), &stretch(21, 30), "a", now);
        assert!(first.follows(None) && second.follows(Some(&first)) && third.follows(Some(&second)));
        assert!(!second.follows(None) && !third.follows(Some(&first)) && !first.follows(Some(&first)));
        assert!([&first, &second, &third].iter().all(|seal| seal.is_signed()));
        let other = Seal::make(&key, None, &stretch(1, 10), "b", now);
        assert!(!second.follows(Some(&other)));
    }

    #[test]
    fn whatever_of_a_seal_is_changed_it_does_not_follow_or_is_not_signed() {
        let (key, now) = (SealKey::generate(), Utc::now());
        let former = Seal::make(&key, None, &stretch(1, 10), "a", now);
        let seal = Seal::make(&key, Some(&former), &stretch(11, 20), "a", now);
        let changes: [fn(&mut Seal); 9] = [
            |seal| seal.number += 1,
            |seal| seal.from += 1,
            |seal| seal.to += 1,
            |seal| seal.format += 1,
            |seal| seal.history.push('b'),
            |seal| seal.root[31] ^= 1,
            |seal| seal.sealed_at += TimeDelta::microseconds(1),
            |seal| seal.key = SealKey::generate().public(),
            |seal| seal.chain[0] ^= 1,
        ];
        for change in changes {
            let mut changed = seal.clone();
            change(&mut changed);
            assert!(!changed.follows(Some(&former)), "{changed:?}");
        }
        let mut changed = seal.clone();
        changed.signature[0] ^= 1;
        assert!(changed.follows(Some(&former)) && !changed.is_signed());
        // Made anew by whoever has no key: it follows, and nobody has signed it.
        changed = seal;
        changed.root[0] ^= 1;
        changed.chain = changed.chained(Some(&former));
        assert!(changed.follows(Some(&former)) && !changed.is_signed());
    }
}
