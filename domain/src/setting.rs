//! Sealed settings as decisions see them: a secret of a tenant (a token, a password) that was sealed before the command
//! was decided. Here is its form alone; nothing here seals or opens.
//!
//! A decision refuses a secret that is not sealed, so that no way around the edge brings one into the book.

use uuid::Uuid;

/// Bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 4_096;
/// Bytes of the name of the place that a secret is sealed for.
pub const PLACE_BYTES_MAX: usize = 512;
/// Bytes of a sealed secret at most, as text.
pub const SEALED_BYTES_MAX: usize =
    BEGINS.len() + ID_CHARS + 1 + FINGERPRINT_CHARS + 1 + (SECRET_BYTES_MAX + ADDED_BYTES).div_ceil(3) * 4 + ENDS.len();

/// A sealed secret is this, the id of its key, a colon, its fingerprint, a colon, nonce and cipher in base64, and [`ENDS`].
const BEGINS: &str = "⟦setting:";
const ENDS: &str = "⟧";
/// Characters of an id.
const ID_CHARS: usize = 36;
const FINGERPRINT_CHARS: usize = 8;
/// Bytes of the nonce and of what the cipher is longer than the secret.
const ADDED_BYTES: usize = 12 + 16;

/// The parts of a sealed secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSetting<'a> {
    /// The key of its tenant that it is sealed under.
    pub key: Uuid,
    /// Eight hexadecimal digits by which people recognise a secret: the same for the same secret in the same place, until
    /// it is sealed under another key. They tell nothing of the secret.
    pub fingerprint: &'a str,
    /// Nonce and cipher, in base64.
    pub cipher: &'a str,
}

impl<'a> SealedSetting<'a> {
    /// Takes a sealed secret apart; `None` when the text is anything else. Whether it opens, only its key tells.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > SEALED_BYTES_MAX {
            return None;
        }
        let inner = text.strip_prefix(BEGINS)?.strip_suffix(ENDS)?;
        let mut parts = inner.splitn(3, ':');
        let (id, fingerprint, cipher) = (parts.next()?, parts.next()?, parts.next()?);
        let key: Uuid = id.parse().ok()?;
        // One way to write each: the same secret is the same text.
        let is_written_so = key.as_hyphenated().to_string() == id
            && fingerprint.len() == FINGERPRINT_CHARS
            && fingerprint
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && is_base64(cipher);
        is_written_so.then_some(Self {
            key,
            fingerprint,
            cipher,
        })
    }
}

impl std::fmt::Display for SealedSetting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (key, fingerprint, cipher) = (self.key, self.fingerprint, self.cipher);
        write!(f, "{BEGINS}{key}:{fingerprint}:{cipher}{ENDS}")
    }
}

/// Whether a text is a sealed secret and nothing else.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    SealedSetting::parse(text).is_some()
}

/// Whether there may be a sealed secret in a text, or what looks like one: nobody may enter that as a secret.
#[must_use]
pub fn has_any(text: &str) -> bool {
    text.contains(BEGINS)
}

/// What people are shown in the place of a sealed secret; `None` when the text is none.
#[must_use]
pub fn shown(text: &str) -> Option<String> {
    SealedSetting::parse(text).map(|sealed| format!("secret {}", sealed.fingerprint))
}

/// The owner of the keys of a tenant's settings, and the id of the first of them. Erasing it as
/// [`crate::Erase::Person`] destroys all of them, as [`crate::Erase::Key`] a single one.
#[must_use]
pub fn keys_owner(tenant: Uuid) -> Uuid {
    Uuid::new_v5(&tenant, b"settings")
}

/// Base64 with padding, of at least what every cipher has.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len() - digits.len() <= 2
        && text.len().is_multiple_of(4)
        && text.len() >= ADDED_BYTES.div_ceil(3) * 4
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bytes: usize) -> String {
        let padding = (bytes.div_ceil(3) * 4, bytes % 3);
        let cipher = match padding {
            (chars, 0) => "A".repeat(chars),
            (chars, 1) => "A".repeat(chars - 2) + "==",
            (chars, _) => "A".repeat(chars - 1) + "=",
        };
        let (key, fingerprint, cipher) = (Uuid::from_u128(7), "0123abcd", cipher.as_str());
        SealedSetting {
            key,
            fingerprint,
            cipher,
        }
        .to_string()
    }

    #[test]
    fn a_sealed_secret_is_known_by_its_form_up_to_the_longest() {
        for bytes in [1, 2, 3, SECRET_BYTES_MAX] {
            let text = sealed(bytes + ADDED_BYTES);
            let parsed = SealedSetting::parse(&text).unwrap();
            assert_eq!((parsed.key, parsed.fingerprint), (Uuid::from_u128(7), "0123abcd"));
            assert_eq!(parsed.to_string(), text);
            assert!(text.len() <= SEALED_BYTES_MAX);
        }
        assert_eq!(sealed(SECRET_BYTES_MAX + ADDED_BYTES).len(), SEALED_BYTES_MAX);
        assert!(!is_sealed(&sealed(SECRET_BYTES_MAX + ADDED_BYTES + 3)));
    }

    #[test]
    fn what_is_not_wholly_a_sealed_secret_is_none() {
        let good = sealed(3 + ADDED_BYTES);
        assert!(is_sealed(&good));
        for (from, to) in [
            ("⟦setting:", "⟦text:"),
            ("⟧", ""),
            ("⟧", "⟧ "),
            ("⟦", " ⟦"),
            ("0123abcd", "0123ABCD"),
            ("0123abcd", "0123abc"),
            ("0123abcd", "0123abcde"),
            ("00000000-0000", "00000000_0000"),
            (
                "00000000-0000-0000-0000-000000000007",
                "00000000000000000000000000000007",
            ),
            ("AAAA", "AA:A"),
            ("AAAA", "AA A"),
            ("AAAA", "AAA"),
            ("=", "==="),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from} is not in it");
            assert!(!is_sealed(&bad), "{bad}");
        }
        for bad in ["", "xoxb-a-token", "⟦setting:⟧", "⟦setting:::⟧"] {
            assert!(!is_sealed(bad), "{bad}");
        }
    }

    #[test]
    fn people_are_shown_the_fingerprint_alone() {
        assert_eq!(shown(&sealed(40 + ADDED_BYTES)).unwrap(), "secret 0123abcd");
        assert_eq!(shown("xoxb-a-token"), None);
        assert!(has_any("Bearer ⟦setting:") && !has_any("⟦text:"));
    }
}
