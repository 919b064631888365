//! The key that signs seals, and the public part by which they are checked. Ed25519.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rand::RngCore as _;

use crate::BookError;

/// Signs seals. Lives outside of the database, in the environment or a file of the process that seals, and never in
/// a log.
#[derive(Clone)]
pub struct SealKey(SigningKey);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// When there are not exactly so many.
    pub fn from_hex(digits: &str) -> Result<Self, BookError> {
        let seed = bytes(digits).ok_or(BookError::Key("the key of seals must be 64 hexadecimal digits"))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// What [`SealKey::from_hex`] reads: the secret itself.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.to_bytes())
    }

    /// What others check its seals by. It names the key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// The public part of a [`SealKey`]: 64 hexadecimal digits, by which the key is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// As it is stored; it need not be a key at all.
    pub(super) fn stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        // Strictly: a signature that some would take and others not is none.
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = BookError;

    fn from_str(digits: &str) -> Result<Self, BookError> {
        let wrong = BookError::Key("a public key of seals is 64 hexadecimal digits, as `daybook seal key` prints them");
        match bytes(digits) {
            Some(bytes) if VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak()) => Ok(Self(bytes)),
            Some(_) | None => Err(wrong),
        }
    }
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    hex::decode(digits.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_shown_to_nobody() {
        let key = SealKey::generate();
        let read = SealKey::from_hex(&format!("{}\n", key.to_hex())).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
        assert!(!format!("{key:?}").contains(&key.to_hex()));
        for wrong in ["", "5eed", &"0".repeat(63), &"g".repeat(64)] {
            assert!(
                SealKey::from_hex(wrong).is_err() && wrong.parse::<PublicKey>().is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_first_vector_of_rfc_8032_is_signed_as_it_says() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let key = SealKey::from_hex(seed).unwrap();
        assert_eq!(key.public().to_string(), public);
        let signature = key.sign(b"");
        assert!(hex::encode(signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901"));
        assert!(key.public().has_signed(b"", &signature));
        assert!(!key.public().has_signed(b"a", &signature));
        assert!(!SealKey::generate().public().has_signed(b"", &signature));
    }

    #[test]
    fn what_is_no_key_has_signed_nothing() {
        // Of small order: everything would pass as signed by it.
        assert!(
            "0100000000000000000000000000000000000000000000000000000000000000"
                .parse::<PublicKey>()
                .is_err()
        );
        assert!(!PublicKey::stored([0; 32]).has_signed(b"", &[0; 64]));
        assert!(!PublicKey::stored([0xff; 32]).has_signed(b"", &[0; 64]));
    }
}
