//! The master key: what all other keys are wrapped by, directly or through the book's wrapping key.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use domain::Claim;
use hmac::{Hmac, Mac};
use rand::RngCore as _;
use sha2::Sha256;
use uuid::Uuid;

use crate::BookError;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
const HMAC_BLOCK_BYTES: usize = 64;

/// The key that wraps all others. Lives in the environment, never in the database or a log.
#[derive(Clone)]
pub struct MasterKey {
    own: Derived,
    /// The one that takes its place, or that it has taken the place of.
    other: Option<Box<Derived>>,
}

/// What is derived from one master key.
#[derive(Clone)]
pub(crate) struct Derived {
    /// Wraps the book's wrapping key.
    pub secrets: [u8; KEY_BYTES],
    /// The first wrapping key of a book that begins with this master key. Former versions wrap with nothing else.
    pub wrapping: [u8; KEY_BYTES],
    /// The key of claims of a book that begins with this master key.
    pub claims: ClaimKey,
    /// What a book notes that began with it.
    pub first_check: [u8; KEY_BYTES],
    /// What a book notes whose keys were wrapped anew by it: a former version, which would derive other claims from it,
    /// does not know this and refuses to start.
    pub check: [u8; KEY_BYTES],
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// When there are not exactly so many.
    pub fn from_hex(digits: &str) -> Result<Self, BookError> {
        let bytes: [u8; KEY_BYTES] = hex::decode(digits.trim())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(BookError::Key("the master key must be 64 hexadecimal digits"))?;
        let derive = |purpose: &[u8]| digest(&bytes, &[purpose]);
        let own = Derived {
            secrets: derive(b"daybook secrets"),
            wrapping: derive(b"daybook wrapping key"),
            claims: ClaimKey(derive(b"daybook claim digests")),
            first_check: derive(b"daybook master key check"),
            check: derive(b"daybook master key check, rotated"),
        };
        Ok(Self { own, other: None })
    }

    /// This one or that one, whichever the book knows: for the time in which one takes the other's place.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.other = Some(Box::new(other.own));
        self
    }

    /// The key of claims of a book that begins with this master key.
    #[must_use]
    pub fn claim_key(&self) -> ClaimKey {
        self.own.claims.clone()
    }

    pub(crate) fn own(&self) -> &Derived {
        &self.own
    }

    /// Each that it may be.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Derived> {
        std::iter::once(&self.own).chain(self.other.as_deref())
    }
}

impl Derived {
    /// Whether it is the master key of a book that has noted this.
    pub fn is_of(&self, noted: &[u8]) -> bool {
        noted == self.first_check || noted == self.check
    }
}

/// The key of the digests that the book keeps of unique values.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimKey(pub(crate) [u8; KEY_BYTES]);

impl std::fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClaimKey")
    }
}

impl ClaimKey {
    /// What the book keeps of a claimed value: enough to compare, too little to tell.
    #[must_use]
    pub fn digest(&self, tenant: Uuid, claim: Claim, value: &str) -> Vec<u8> {
        let parts = [tenant.as_bytes(), claim.stored().as_bytes(), b"\0", value.as_bytes()];
        digest(&self.0, &parts).to_vec()
    }
}

/// HMAC-SHA256 under a key, to be fed.
pub(crate) fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to the hash's block; done here, the constructor cannot fail.
    let mut block = [0; HMAC_BLOCK_BYTES];
    block[..KEY_BYTES].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}

pub(crate) fn digest(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut mac = mac(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A new key, or whatever else nobody may guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A key encrypted under another, to be unwrapped as what it is named in `bound_to` alone: nonce, then cipher.
pub(crate) fn wrap(under: &[u8; KEY_BYTES], bound_to: &[u8], key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, BookError> {
    let nonce: [u8; NONCE_BYTES] = random();
    let payload = Payload {
        msg: key,
        aad: bound_to,
    };
    let cipher = Aes256Gcm::new(under.into())
        .encrypt(Nonce::from_slice(&nonce), payload)
        .map_err(|_| BookError::Key("a key could not be wrapped"))?;
    Ok([&nonce[..], &cipher].concat())
}

/// The key that was wrapped; `None` when it was not wrapped under this key, or not as this.
pub(crate) fn unwrap(under: &[u8; KEY_BYTES], bound_to: &[u8], wrapped: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let (nonce, msg) = wrapped.split_at_checked(NONCE_BYTES)?;
    let payload = Payload { msg, aad: bound_to };
    let key = Aes256Gcm::new(under.into())
        .decrypt(Nonce::from_slice(nonce), payload)
        .ok()?;
    key.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_under_its_own_key_and_as_itself_alone() {
        let (one, other, key) = ([1; KEY_BYTES], [2; KEY_BYTES], [3; KEY_BYTES]);
        let wrapped = wrap(&one, b"claims/1", &key).unwrap();
        assert_eq!(unwrap(&one, b"claims/1", &wrapped), Some(key));
        assert_eq!(unwrap(&other, b"claims/1", &wrapped), None);
        assert_eq!(unwrap(&one, b"claims/2", &wrapped), None);
        assert_eq!(unwrap(&one, b"claims/1", &wrapped[1..]), None);
        assert_eq!(unwrap(&one, b"claims/1", b"short"), None);
    }

    #[test]
    fn each_purpose_of_a_master_key_has_a_key_of_its_own() {
        let master = MasterKey::from_hex(&"5eed".repeat(16)).unwrap();
        let Derived {
            secrets,
            wrapping,
            claims: ClaimKey(claims),
            first_check,
            check,
        } = master.own();
        let all = [secrets, wrapping, claims, first_check, check];
        let distinct: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
