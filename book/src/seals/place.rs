//! Where sealed events and those that are there part, and how.

use std::collections::HashMap;

use super::Digest;
use super::leaves::Leaf;

/// The first place at which the book is not what was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The event at the position is another than the one that was sealed.
    Changed { position: i64 },
    /// The events that were sealed from one position to another are gone, whether or not later ones have moved up.
    Deleted { from: i64, to: i64 },
    /// An event is at the position that was not there.
    Inserted { position: i64 },
    /// The event that was sealed at the position is at another one now.
    Reordered { position: i64, now_at: i64 },
}

/// The first difference between the leaves that were sealed from a position on, and the events that are there from that
/// position on, in order. Both may reach beyond the seal that is wrong: the more, the better a place is told where events
/// have moved. `None` when all that was sealed is there, and nothing else.
pub(super) fn first(from: i64, sealed: &[Digest], found: &[Leaf]) -> Option<Place> {
    let to = from + sealed.len() as i64 - 1;
    let mut rows = found.iter();
    for (position, digest) in (from..).zip(sealed) {
        let Some(row) = rows.next() else {
            return Some(Place::Deleted { from: position, to });
        };
        if row.position < position {
            return Some(Place::Inserted { position: row.position });
        }
        if row.position > position {
            let to = (row.position - 1).min(to);
            return Some(Place::Deleted { from: position, to });
        }
        if row.digest != *digest {
            return Some(moved(position, *digest, *row, (from, sealed), found));
        }
    }
    // A second event at a position, which the primary key would not let be.
    let rest = rows.find(|row| row.position <= to);
    rest.map(|row| Place::Inserted { position: row.position })
}

/// What became of the event that was sealed at the position, where another one is now.
fn moved(position: i64, sealed_here: Digest, here: Leaf, (from, sealed): (i64, &[Digest]), found: &[Leaf]) -> Place {
    let now_at: HashMap<Digest, i64> = found.iter().map(|leaf| (leaf.digest, leaf.position)).collect();
    let was_at = (from..).zip(sealed).find(|(_, digest)| **digest == here.digest);
    match (now_at.get(&sealed_here), was_at) {
        (Some(&now_at), Some(_)) => Place::Reordered { position, now_at },
        (Some(_), None) => Place::Inserted { position },
        // What is here was sealed further on: all before that is gone.
        (None, Some((was_at, _))) => Place::Deleted {
            from: position,
            to: (was_at - 1).max(position),
        },
        (None, None) => Place::Changed { position },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(events: &str) -> Vec<Digest> {
        events.bytes().map(|event| [event; 32]).collect()
    }

    /// Events from position 11 on; a dot is a position where none is.
    fn found(events: &str) -> Vec<Leaf> {
        let at = (11..).zip(events.bytes()).filter(|(_, event)| *event != b'.');
        at.map(|(position, event)| Leaf {
            position,
            digest: [event; 32],
        })
        .collect()
    }

    fn place(was: &str, is: &str) -> Option<Place> {
        first(11, &sealed(was), &found(is))
    }

    #[test]
    fn nothing_is_told_of_what_is_as_it_was_sealed() {
        assert_eq!(place("abcd", "abcd"), None);
        // What comes after the seal is none of its business.
        assert_eq!(place("abcd", "abcdxyz"), None);
    }

    #[test]
    fn the_first_place_is_named_and_what_was_done_there() {
        assert_eq!(place("abcd", "aXcY"), Some(Place::Changed { position: 12 }));
        assert_eq!(place("abcd", "abcX"), Some(Place::Changed { position: 14 }));
        assert_eq!(place("abcd", "a..d"), Some(Place::Deleted { from: 12, to: 13 }));
        assert_eq!(place("abcd", "ab"), Some(Place::Deleted { from: 13, to: 14 }));
        assert_eq!(place("abcd", ""), Some(Place::Deleted { from: 11, to: 14 }));
        assert_eq!(place("abcd", "....xyz"), Some(Place::Deleted { from: 11, to: 14 }));
        let swapped = Place::Reordered {
            position: 12,
            now_at: 14,
        };
        assert_eq!(place("abcd", "adcb"), Some(swapped));
    }

    #[test]
    fn a_deletion_or_an_insertion_is_known_also_when_later_events_have_moved() {
        assert_eq!(place("abcd", "acd"), Some(Place::Deleted { from: 12, to: 12 }));
        assert_eq!(place("abcd", "acdx"), Some(Place::Deleted { from: 12, to: 12 }));
        assert_eq!(place("abcde", "aexy"), Some(Place::Deleted { from: 12, to: 14 }));
        assert_eq!(place("abcd", "aXbcd"), Some(Place::Inserted { position: 12 }));
        assert_eq!(place("abcd", "Xabcd"), Some(Place::Inserted { position: 11 }));
        // The last of a seal: known by what was sealed after it, or is there after it.
        assert_eq!(place("abcde", "abce"), Some(Place::Deleted { from: 14, to: 14 }));
        assert_eq!(place("abcd", "abcXd"), Some(Place::Inserted { position: 14 }));
    }

    #[test]
    fn an_event_where_none_can_be_was_inserted() {
        let mut twice = found("abcd");
        twice.insert(2, twice[1]);
        assert_eq!(
            first(11, &sealed("abcd"), &twice),
            Some(Place::Inserted { position: 12 })
        );
        let mut after = found("abcd");
        after.push(after[3]);
        assert_eq!(
            first(11, &sealed("abcd"), &after),
            Some(Place::Inserted { position: 14 })
        );
        let mut before = found("abcd");
        before.insert(
            0,
            Leaf {
                position: 0,
                digest: [0; 32],
            },
        );
        assert_eq!(
            first(11, &sealed("abcd"), &before),
            Some(Place::Inserted { position: 0 })
        );
    }
}
