//! Sealed settings: secrets of a tenant (tokens, passwords, keys of signatures) under keys of its own.
//!
//! The edge seals a secret before the command is decided ([`Settings::seal`], [`Settings::seal_at`]), and before the
//! command's body is hashed. So events, states, rows, logs, dumps and the bus hold the sealed text alone, and a decision
//! refuses any other ([`domain::setting::is_sealed`]). What acts outside opens it ([`Settings::open`]) and shows it to
//! nobody; people recognise it by its fingerprint ([`domain::setting::shown`]).
//!
//! The same secret in the same place is the same sealed text, under one key: a command that is sent again is the same
//! command, and a setting that is set again has not changed.
//!
//! # Keys
//! A tenant has one key or, while they are rotated, several; the sealed text names its own. [`Settings::rotate`] makes a
//! new one, which all secrets are sealed under from then on; [`Settings::reseal`] moves each that there is. Once nothing
//! in force names the former key, an event destroys it ([`domain::Erase::Key`]), and what it sealed in former events and
//! backups does not open any more. Keys of a tenant that is deleted go with all its others.

mod error;
mod secret;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use book::Vault;
use book::keys::{Listed, Named, OwnKey};
use domain::setting::{self, PLACE_BYTES_MAX, SECRET_BYTES_MAX, SealedSetting};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroize as _;

pub use error::SettingError;
pub use secret::Secret;

/// What the keys are for, as `book.keys` has it.
const PURPOSE: &str = "settings";
const FINGERPRINTS: &str = "fingerprints of settings";
const FINGERPRINT_BYTES: usize = 4;

/// Seals and opens secrets.
#[derive(Debug, Clone)]
pub struct Settings {
    vault: Vault,
}

impl Settings {
    /// Over a vault whose pool is one of `daybook_writer`.
    #[must_use]
    pub const fn new(vault: Vault) -> Self {
        Self { vault }
    }

    /// Seals a secret for a place, the only one where it opens: context, kind and id of the stream, and the field, such as
    /// `sample.jar/0190.../token`. The first secret of a tenant makes its key.
    ///
    /// # Errors
    /// When the secret is empty, too long or sealed already, the tenant is deleted, or the book fails.
    pub async fn seal(&self, tenant: Uuid, place: &str, secret: &str) -> Result<String, SettingError> {
        check(place, secret)?;
        let key = self.latest(tenant).await?;
        sealed(tenant, place, &key, secret.as_bytes())
    }

    /// Seals the secret that stands at a JSON pointer (`/token`) of a body, in place; `false` when nothing or null does.
    ///
    /// # Errors
    /// As [`Settings::seal`], and when what stands there is no text. The body is as it was then.
    pub async fn seal_at(
        &self,
        tenant: Uuid,
        place: &str,
        body: &mut Value,
        pointer: &str,
    ) -> Result<bool, SettingError> {
        let Some(value) = body.pointer_mut(pointer).filter(|value| !value.is_null()) else {
            return Ok(false);
        };
        let Value::String(text) = value else {
            return Err(SettingError::NoText(pointer.to_owned()));
        };
        let sealed = self.seal(tenant, place, text).await?;
        std::mem::replace(text, sealed).zeroize();
        Ok(true)
    }

    /// Opens a secret for whoever is about to use it.
    ///
    /// # Errors
    /// When the text is no sealed secret, was sealed for another place or tenant, or its key is destroyed; when the book
    /// fails.
    pub async fn open(&self, tenant: Uuid, place: &str, text: &str) -> Result<Secret, SettingError> {
        let sealed = SealedSetting::parse(text).ok_or(SettingError::NotSealed)?;
        let key = self.vault.own_key(tenant, sealed.key).await?;
        let key = key.ok_or(SettingError::Gone)?;
        let cipher = BASE64.decode(sealed.cipher).map_err(|_| SettingError::NotSealed)?;
        let plain = key.open(PURPOSE, &bound_to(tenant, place), &cipher);
        let plain = plain.ok_or(SettingError::OtherPlace)?;
        // It stands beside the cipher, where somebody may have changed it.
        if fingerprint(place, &key, &plain) != sealed.fingerprint {
            return Err(SettingError::OtherPlace);
        }
        Secret::of(&plain).ok_or(SettingError::NotSealed)
    }

    /// Makes a new key, which the tenant's secrets are sealed under from now on, and says its id. The same request makes no
    /// second one.
    ///
    /// # Errors
    /// When the tenant is deleted, or that request's key was destroyed since; when the book fails.
    pub async fn rotate(&self, tenant: Uuid, request: Uuid) -> Result<Uuid, SettingError> {
        let id = Uuid::new_v5(&setting::keys_owner(tenant), request.as_bytes());
        Ok(self.made(tenant, id).await?.ok_or(SettingError::NoKey)?.id)
    }

    /// The secret, sealed under the latest key; `None` when it is so already.
    ///
    /// # Errors
    /// As [`Settings::open`] and [`Settings::seal`].
    pub async fn reseal(&self, tenant: Uuid, place: &str, text: &str) -> Result<Option<String>, SettingError> {
        let secret = self.open(tenant, place, text).await?;
        let resealed = self.seal(tenant, place, secret.expose()).await?;
        Ok((resealed != text).then_some(resealed))
    }

    /// The keys of a tenant that are not destroyed, the latest last. One that nothing in force is sealed under may go.
    ///
    /// # Errors
    /// When the book fails.
    pub async fn keys(&self, tenant: Uuid) -> Result<Vec<Listed>, SettingError> {
        let owner = setting::keys_owner(tenant);
        Ok(self.vault.own_keys(tenant, owner, PURPOSE).await?)
    }

    /// The key that is sealed under. Asked each time, since another process may have rotated a moment ago.
    async fn latest(&self, tenant: Uuid) -> Result<OwnKey, SettingError> {
        if let Some(latest) = self.keys(tenant).await?.last()
            && let Some(key) = self.vault.own_key(tenant, latest.id).await?
        {
            return Ok(key);
        }
        // All who seal a tenant's first secret at once make the same.
        let first = Uuid::new_v5(&setting::keys_owner(tenant), b"first");
        if let Some(key) = self.made(tenant, first).await? {
            return Ok(key);
        }
        self.made(tenant, Uuid::now_v7()).await?.ok_or(SettingError::NoKey)
    }

    async fn made(&self, tenant: Uuid, id: Uuid) -> Result<Option<OwnKey>, SettingError> {
        let named = Named {
            id,
            owner: setting::keys_owner(tenant),
            purpose: PURPOSE,
        };
        Ok(self.vault.own_key_or_new(tenant, named).await?)
    }
}

fn check(place: &str, secret: &str) -> Result<(), SettingError> {
    if place.is_empty() || place.len() > PLACE_BYTES_MAX {
        return Err(SettingError::BadPlace(place.len()));
    }
    if secret.is_empty() {
        return Err(SettingError::Empty);
    }
    if secret.len() > SECRET_BYTES_MAX {
        return Err(SettingError::TooLong(secret.len()));
    }
    match setting::has_any(secret) {
        true => Err(SettingError::SealedAlready),
        false => Ok(()),
    }
}

fn sealed(tenant: Uuid, place: &str, key: &OwnKey, secret: &[u8]) -> Result<String, SettingError> {
    let cipher = key.seal(PURPOSE, &bound_to(tenant, place), secret)?;
    let text = SealedSetting {
        key: key.id,
        fingerprint: &fingerprint(place, key, secret),
        cipher: &BASE64.encode(cipher),
    };
    Ok(text.to_string())
}

/// Of the place, too: who may set one secret cannot find out by trying whether it is another.
fn fingerprint(place: &str, key: &OwnKey, secret: &[u8]) -> String {
    let digest = key.digest(FINGERPRINTS, &[place.as_bytes(), secret]);
    hex::encode(&digest[..FINGERPRINT_BYTES])
}

fn bound_to(tenant: Uuid, place: &str) -> Vec<u8> {
    [tenant.as_bytes(), place.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_bounds() {
        let longest = "x".repeat(SECRET_BYTES_MAX);
        assert!(check("sample.jar/1/token", &longest).is_ok());
        for (place, secret) in [
            ("", "secret"),
            (&*"p".repeat(PLACE_BYTES_MAX + 1), "secret"),
            ("sample.jar/1/token", ""),
            ("sample.jar/1/token", &*(longest + "x")),
            ("sample.jar/1/token", "⟦setting:"),
        ] {
            assert!(check(place, secret).is_err(), "{place} {secret}");
        }
    }
}
