//! Wrapping keys: which wraps what, and how each is opened by the master key or by another.

use std::collections::BTreeMap;

use super::{Row, WRAPPING};
use crate::master::{self, KEY_BYTES, NONCE_BYTES};
use crate::{BookError, MasterKey};

/// The bytes of a key that a wrapping key has wrapped, behind the generation of that one.
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const TAG_BYTES: usize = 16;
const GENERATION_BYTES: usize = 4;

/// Wrapping keys by generation; the latest wraps.
pub(crate) type Ring = BTreeMap<i32, [u8; KEY_BYTES]>;

/// Some key of the database is not what this master key makes of it.
pub(crate) const MISFIT: BookError =
    BookError::Key("a key does not unwrap; is DAYBOOK_MASTER_KEY the one this database was made with?");

/// A secret's name, as what it is wrapped as.
pub(crate) fn named(name: &str, generation: i32) -> Vec<u8> {
    format!("{name}/{generation}").into_bytes()
}

/// The name of the bridge to a wrapping key.
pub(crate) fn bridge_to(generation: i32) -> Vec<u8> {
    named("bridge", generation)
}

/// A key under a wrapping key, which it names before it.
pub(crate) fn wrapped_under(
    generation: i32,
    under: &[u8; KEY_BYTES],
    bound_to: &[u8],
    key: &[u8; KEY_BYTES],
) -> Result<Vec<u8>, BookError> {
    let wrapped = master::wrap(under, bound_to, key)?;
    Ok([&generation.to_be_bytes()[..], &wrapped].concat())
}

/// Which wrapping key has wrapped this; `None` when none has. The first one names itself in secrets alone: former
/// versions read what it wraps of others.
pub(crate) fn generation(wrapped: &[u8]) -> Option<i32> {
    match wrapped.len() {
        WRAPPED_BYTES => Some(1),
        _ => named_generation(wrapped),
    }
}

fn named_generation(wrapped: &[u8]) -> Option<i32> {
    let named = wrapped.first_chunk::<GENERATION_BYTES>();
    named
        .filter(|_| wrapped.len() == GENERATION_BYTES + WRAPPED_BYTES)
        .map(|named| i32::from_be_bytes(*named))
}

/// A key that one of these has wrapped.
pub(crate) fn unwrapped(ring: &Ring, bound_to: &[u8], wrapped: &[u8]) -> Result<[u8; KEY_BYTES], BookError> {
    let generation = generation(wrapped).ok_or(MISFIT)?;
    let under = ring.get(&generation).ok_or(BookError::NewerKeys)?;
    let cipher = &wrapped[wrapped.len() - WRAPPED_BYTES..];
    master::unwrap(under, bound_to, cipher).ok_or(MISFIT)
}

/// The wrapping keys among these rows, opened by the master key, by each other, or by what is known already.
///
/// # Errors
/// [`BookError::NewerKeys`] when some key is known and the latest cannot be opened; [`BookError::Key`] when none can.
pub(crate) fn ring(master: &MasterKey, rows: &[Row], known: &Ring) -> Result<Ring, BookError> {
    let mut ring = known.clone();
    // The latest first, as they are ordered: each opens the one before it.
    let rows: Vec<&Row> = rows.iter().filter(|row| row.name == WRAPPING).collect();
    let Some(latest) = rows.first() else {
        // Nobody has started over this book since it could have one: then it is what former versions wrap with.
        ring.insert(1, master.own().wrapping);
        return Ok(ring);
    };
    // Once for each, in case that they can be opened in the order in which they came alone.
    for _ in &rows {
        for row in &rows {
            if ring.contains_key(&row.generation) {
                continue;
            }
            let name = named(WRAPPING, row.generation);
            let by_master = || {
                let mut each = master.each();
                each.find_map(|master| master::unwrap(&master.secrets, &name, &row.wrapped))
            };
            let by_later = || {
                unwrapped(&ring, &name, &row.wrapped)
                    .ok()
                    .filter(|_| names_another(row))
            };
            let by_bridge = || unwrapped(&ring, &bridge_to(row.generation), row.bridge.as_deref()?).ok();
            if let Some(key) = by_master().or_else(by_later).or_else(by_bridge) {
                ring.insert(row.generation, key);
            }
        }
    }
    match ring.contains_key(&latest.generation) {
        true => Ok(ring),
        false if ring.is_empty() => Err(MISFIT),
        false => Err(BookError::NewerKeys),
    }
}

fn names_another(row: &Row) -> bool {
    named_generation(&row.wrapped).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::tests::{master, row};

    const FIRST: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const SECOND: [u8; KEY_BYTES] = [2; KEY_BYTES];

    /// The wrapping keys after a rotation from one master key to the next, the latest first.
    fn rotated(next: &MasterKey, with_bridge: bool) -> Vec<Row> {
        let wrapped = master::wrap(&next.own().secrets, &named(WRAPPING, 2), &SECOND).unwrap();
        let bridge = wrapped_under(1, &FIRST, &bridge_to(2), &SECOND).unwrap();
        let latest = Row {
            bridge: with_bridge.then_some(bridge),
            ..row(WRAPPING, 2, wrapped)
        };
        let former = wrapped_under(2, &SECOND, &named(WRAPPING, 1), &FIRST).unwrap();
        vec![latest, row(WRAPPING, 1, former)]
    }

    #[test]
    fn a_book_that_has_no_keys_yet_is_wrapped_as_former_versions_wrap() {
        let master = master("5eed");
        let ring = ring(&master, &[], &Ring::new()).unwrap();
        assert_eq!(ring, [(1, master.own().wrapping)].into());
    }

    #[test]
    fn whoever_starts_after_a_rotation_needs_the_next_master_key() {
        let (before, next) = (master("5eed"), master("f00d"));
        let rows = rotated(&next, true);
        let all: Ring = [(1, FIRST), (2, SECOND)].into();
        assert_eq!(ring(&next, &rows, &Ring::new()).unwrap(), all);
        assert_eq!(ring(&before.clone().or(next), &rows, &Ring::new()).unwrap(), all);
        assert!(matches!(ring(&before, &rows, &Ring::new()), Err(BookError::Key(_))));
    }

    #[test]
    fn whoever_started_before_a_rotation_follows_over_the_bridge_and_is_told_when_it_is_gone() {
        let (before, next) = (master("5eed"), master("f00d"));
        let known: Ring = [(1, FIRST)].into();
        let all: Ring = [(1, FIRST), (2, SECOND)].into();
        assert_eq!(ring(&before, &rotated(&next, true), &known).unwrap(), all);
        let too_late = ring(&before, &rotated(&next, false), &known);
        assert!(matches!(too_late, Err(BookError::NewerKeys)));
        // What is known already needs neither.
        assert_eq!(ring(&before, &rotated(&next, false), &all).unwrap(), all);
    }

    #[test]
    fn what_the_first_wrapping_key_wraps_is_read_with_and_without_its_name() {
        let ring: Ring = [(1, FIRST)].into();
        let plain = master::wrap(&FIRST, b"somebody", &[7; KEY_BYTES]).unwrap();
        let named = wrapped_under(1, &FIRST, b"somebody", &[7; KEY_BYTES]).unwrap();
        for wrapped in [&plain, &named] {
            assert_eq!(generation(wrapped), Some(1));
            assert_eq!(unwrapped(&ring, b"somebody", wrapped).unwrap(), [7; KEY_BYTES]);
            assert!(matches!(unwrapped(&ring, b"another", wrapped), Err(BookError::Key(_))));
        }
        let newer = wrapped_under(2, &SECOND, b"somebody", &[7; KEY_BYTES]).unwrap();
        assert!(matches!(
            unwrapped(&ring, b"somebody", &newer),
            Err(BookError::NewerKeys)
        ));
        assert!(matches!(unwrapped(&ring, b"somebody", b"?"), Err(BookError::Key(_))));
    }
}
