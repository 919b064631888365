//! Keys that are made of several texts, or that stand for one that is too long.

use sha2::{Digest, Sha256};

/// Hex digits of a digest that stands for a text.
const DIGITS: usize = 40;

/// The digest of some texts in their order. Texts that are joined differently give another digest.
pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(DIGITS);
    digits
}

/// A key that fits its column: itself, or `sha256:` and its digest. Says which.
pub(crate) fn bounded(key: String, chars_max: usize) -> (String, bool) {
    match key.chars().nth(chars_max) {
        None => (key, false),
        Some(_) => (format!("sha256:{}", of([key.as_str()])), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_joined_differently_are_told_apart() {
        assert_ne!(of(["a", "bc"]), of(["ab", "c"]));
        assert_ne!(of(["a"]), of(["a", ""]));
    }

    #[test]
    fn only_a_long_key_is_digested() {
        assert_eq!(bounded("é".repeat(255), 255).0, "é".repeat(255));
        let (key, digested) = bounded("é".repeat(256), 255);
        assert!(digested && key.starts_with("sha256:") && key.len() == 47);
    }
}
