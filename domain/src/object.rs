//! Content too large for an event: it lies in the object store, and the event names it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes of one object.
pub const OBJECT_BYTES_MAX: usize = 32 << 20;
/// Hexadecimal digits of SHA-256.
const SHA256_CHARS: usize = 64;

/// What an event keeps of content that lies in the object store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// The SHA-256 of what lies there, in lower-case hexadecimal digits: of the content itself or, if it is sealed, of the
    /// sealed bytes, which tell nothing of it.
    #[schemars(length(equal = SHA256_CHARS))]
    pub sha256: String,
    /// Bytes of the content.
    pub bytes: i64,
    /// The key that it is sealed under, if it is. Who destroys it ([`crate::Erase::Key`]) erases the content, wherever
    /// there are copies of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Uuid>,
}

impl ObjectRef {
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it can name an object.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        is_sha256(&self.sha256) && usize::try_from(self.bytes).is_ok_and(|bytes| bytes <= OBJECT_BYTES_MAX)
    }
}

/// Whether a text is a SHA-256 as objects are named by: such a one leads out of no folder.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == SHA256_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_and_a_size_within_bounds_name_an_object() {
        let good = ObjectRef {
            sha256: "0a".repeat(32),
            bytes: OBJECT_BYTES_MAX as i64,
            key: None,
        };
        assert!(good.is_well_formed());
        for sha256 in [
            "",
            "..",
            &*"0A".repeat(32),
            &*"0a".repeat(31),
            &*("../".repeat(21) + "a"),
        ] {
            let bad = ObjectRef {
                sha256: sha256.to_owned(),
                ..good.clone()
            };
            assert!(!bad.is_well_formed(), "{sha256}");
        }
        for bytes in [-1, OBJECT_BYTES_MAX as i64 + 1] {
            assert!(!ObjectRef { bytes, ..good.clone() }.is_well_formed(), "{bytes}");
        }
    }

    #[test]
    fn a_reference_is_stored_as_it_always_was() {
        let key = Uuid::from_u128(7);
        for (key, stored) in [
            (None, format!(r#"{{"sha256":"{}","bytes":5}}"#, "0a".repeat(32))),
            (
                Some(key),
                format!(r#"{{"sha256":"{}","bytes":5,"key":"{key}"}}"#, "0a".repeat(32)),
            ),
        ] {
            let object = ObjectRef {
                sha256: "0a".repeat(32),
                bytes: 5,
                key,
            };
            assert_eq!(serde_json::to_string(&object).unwrap(), stored);
            assert_eq!(serde_json::from_str::<ObjectRef>(&stored).unwrap(), object);
        }
    }
}
