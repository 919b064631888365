//! What is common to all that leaves the tables for an archive: how the archive is named, and how many rows one event takes.

use domain::text::{self, Unfit};
use uuid::Uuid;

/// Characters of the name of an archive.
pub const ARCHIVE_CHARS_MAX: usize = 200;
/// Characters of a SHA-256 in hexadecimal.
pub const SHA256_CHARS: usize = 64;
/// Rows whose ids stand in one event: what leaves with more of them leaves by several.
pub const ROWS_OF_EVENT_MAX: usize = 500;

/// Refuses a name or a hash that no archive has.
///
/// # Errors
/// The field that does not fit, and why.
pub(crate) fn check(archive: &str, sha256: &str) -> Result<(), (&'static str, Unfit)> {
    text::required(archive, ARCHIVE_CHARS_MAX).map_err(|unfit| ("archive", unfit))?;
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match sha256.len() == SHA256_CHARS && sha256.bytes().all(is_digit) {
        true => Ok(()),
        false => Err(("sha256", Unfit::Form("must be a SHA-256 in lower-case hexadecimal"))),
    }
}

/// Rows of two tables, cut into what the events of one leaving name: each at most [`ROWS_OF_EVENT_MAX`], and one event where
/// there are none.
pub(crate) fn portions(first: &[Uuid], second: &[Uuid]) -> Vec<(Vec<Uuid>, Vec<Uuid>)> {
    let of = first.iter().map(|&id| (id, true));
    let all: Vec<(Uuid, bool)> = of.chain(second.iter().map(|&id| (id, false))).collect();
    let portion = |rows: &[(Uuid, bool)]| {
        let those = |wanted: bool| {
            rows.iter()
                .filter(move |(_, is_first)| *is_first == wanted)
                .map(|(id, _)| *id)
        };
        (those(true).collect(), those(false).collect())
    };
    match all.is_empty() {
        true => vec![(Vec::new(), Vec::new())],
        false => all.chunks(ROWS_OF_EVENT_MAX).map(portion).collect(),
    }
}

/// Which of so many events of one leaving this is, from 1: its place among them, and their number.
pub(crate) fn numbered<T>(portions: Vec<T>) -> impl Iterator<Item = (u32, u32, T)> {
    let parts = u32::try_from(portions.len()).unwrap_or(u32::MAX);
    (1..).zip(portions).map(move |(part, rows)| (part, parts, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_a_name_and_a_hash() {
        let (name, hash) = ("dod.issues.1", "0123456789abcdef".repeat(4));
        assert_eq!(check(name, &hash), Ok(()));
        assert_eq!(check("", &hash).unwrap_err().0, "archive");
        assert_eq!(check(&"x".repeat(201), &hash).unwrap_err().0, "archive");
        for hash in ["", &"g".repeat(64), &"A".repeat(64), &"0".repeat(63)] {
            assert_eq!(check(name, hash).unwrap_err().0, "sha256");
        }
    }

    #[test]
    fn many_rows_leave_by_several_events_and_none_by_one() {
        let ids = |range: std::ops::Range<u128>| range.map(Uuid::from_u128).collect::<Vec<_>>();
        assert_eq!(portions(&[], &[]), [(vec![], vec![])]);
        assert_eq!(portions(&ids(0..1), &ids(1..3)), [(ids(0..1), ids(1..3))]);
        let cut = portions(&ids(0..501), &ids(501..1_001));
        let lengths: Vec<_> = cut.iter().map(|(first, second)| (first.len(), second.len())).collect();
        assert_eq!(lengths, [(500, 0), (1, 499), (0, 1)]);
        let places: Vec<_> = numbered(cut).map(|(part, parts, _)| (part, parts)).collect();
        assert_eq!(places, [(1, 3), (2, 3), (3, 3)]);
    }
}
