//! The object store: content too large for an event, by its SHA-256, in a folder or a bucket of S3.
//!
//! An object is put before the event that names it ([`domain::object::ObjectRef`]), and is on the disk by then. It lies
//! under its tenant and the SHA-256 of the bytes that lie there, so that whoever looks after the store can hold each
//! against its name without any key. An object that tells something is sealed ([`Sealing::Sealed`]): its name is a digest
//! of sealed bytes, and neither it nor its equality with another's confirms a guess. What is not sealed goes by the digest
//! of its content: for what everybody may know.
//!
//! Who erases sealed content has an event destroy its key; backups of the store are worthless from then on. The bytes
//! themselves leave by [`Objects::delete`] after the owner's event, or by a sweep of what no event names
//! ([`Objects::sweep`]).
//!
//! Putting the same again is putting it once, and mends what was damaged.

mod bucket;
mod error;
mod folder;
mod named;
mod place;
mod store;
mod sweep;
mod trouble;

use book::Vault;
use book::keys::{Named, OwnKey};
use bytes::Bytes;
use domain::object::{OBJECT_BYTES_MAX, ObjectRef};
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use error::ObjectError;
pub use named::named;
pub use place::{AtBucket, Place};
pub use sweep::{ORPHAN_HOURS_MIN, Orphan, Swept, Usage, Verified};

use store::Store;
use trouble::Trouble;

/// What the keys are for, as `book.keys` has it.
const PURPOSE: &str = "objects";
/// The first byte of what is sealed: how the rest is to be read.
const FORMAT: u8 = 1;
/// How much longer than its content a sealed object is: format, nonce, tag.
const SEALED_BYTES: u64 = 1 + 12 + 16;

/// Whether content is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// As it is: for what everybody may know.
    Plain,
    Sealed {
        /// The id of the key, for this content alone unless several are erased together. It is made if it never was.
        key: Uuid,
        /// Who takes the key along when they are erased: a person, or the stream that the content belongs to.
        owner: Uuid,
    },
}

/// The store as a process knows it. Clones share it.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Store,
    vault: Vault,
    trouble: Trouble,
}

impl Objects {
    /// Opens the store. A folder is made when it is not there; one that cannot be written to is an error now, not at the
    /// first upload. The vault's pool is one of `daybook_writer`.
    ///
    /// # Errors
    /// When the place cannot be used.
    pub async fn open(place: &Place, vault: Vault) -> Result<Self, ObjectError> {
        let store = Store::open(place).await?;
        Ok(Self {
            store,
            vault,
            trouble: Trouble::default(),
        })
    }

    /// Keeps content, and says by what an event names it. It is on the disk when this returns, or not at all.
    ///
    /// # Errors
    /// When it is too large, its key or owner is erased, the tenant is deleted, there is no room, or the store or the book
    /// fails.
    pub async fn put(&self, tenant: Uuid, content: Bytes, sealing: Sealing) -> Result<ObjectRef, ObjectError> {
        if content.len() > OBJECT_BYTES_MAX {
            return Err(ObjectError::TooLarge(content.len()));
        }
        let bytes = content.len() as i64;
        let key = match sealing {
            Sealing::Plain => None,
            Sealing::Sealed { key, owner } => {
                let named = Named {
                    id: key,
                    owner,
                    purpose: PURPOSE,
                };
                let made = self.vault.own_key_or_new(tenant, named).await?;
                Some(made.ok_or(ObjectError::Erased)?)
            }
        };
        let id = key.as_ref().map(|key| key.id);
        let (sha256, stored) = blocking(move || {
            let stored = match key {
                Some(key) => sealed(tenant, &key, &content)?,
                None => content,
            };
            Ok((sha256(&stored), stored))
        })
        .await?;
        let put = self.store.put(tenant, &sha256, stored).await;
        self.trouble.note(&put);
        put?;
        Ok(ObjectRef { sha256, bytes, key: id })
    }

    /// What an operator should know: that what was last put there was not taken, and why.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.told()
    }

    /// As [`Objects::put`], of what arrives in pieces; it is gathered in memory first.
    ///
    /// # Errors
    /// As [`Objects::put`], and the sender's own; when there is more of it than `bytes_max`.
    pub async fn put_stream<S, E>(
        &self,
        tenant: Uuid,
        pieces: S,
        bytes_max: usize,
        sealing: Sealing,
    ) -> Result<ObjectRef, ObjectError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut pieces = std::pin::pin!(pieces);
        let mut content = Vec::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| ObjectError::Broken(Box::new(error)))?;
            content.extend_from_slice(&piece);
            if content.len() > bytes_max.min(OBJECT_BYTES_MAX) {
                return Err(ObjectError::TooLarge(content.len()));
            }
        }
        self.put(tenant, content.into(), sealing).await
    }

    /// The content that an event names, exactly as it was put.
    ///
    /// # Errors
    /// When it is longer than `bytes_max`, missing, damaged or erased; when the store or the book fails.
    pub async fn get(&self, tenant: Uuid, object: &ObjectRef, bytes_max: usize) -> Result<Bytes, ObjectError> {
        let stored_bytes = stored_bytes(object)?;
        if object.bytes > i64::try_from(bytes_max).unwrap_or(i64::MAX) {
            return Err(ObjectError::LongerThanAsked {
                bytes: object.bytes,
                max: bytes_max,
            });
        }
        // First: who may not read it is not told whether it lies there.
        let key = match object.key {
            Some(key) => Some(self.vault.own_key(tenant, key).await?.ok_or(ObjectError::Erased)?),
            None => None,
        };
        let stored = self.store.get(tenant, &object.sha256, stored_bytes).await?;
        let named = object.sha256.clone();
        blocking(move || {
            if sha256(&stored) != named {
                return Err(ObjectError::Damaged(named));
            }
            match key {
                None => Ok(stored),
                Some(key) => opened(tenant, &key, &stored).ok_or(ObjectError::OtherKey(named)),
            }
        })
        .await
    }

    /// Whether what an event names lies there, in the right size. What is in it, only reading tells.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_there(&self, tenant: Uuid, object: &ObjectRef) -> Result<bool, ObjectError> {
        let bytes = stored_bytes(object)?;
        Ok(self.store.bytes(tenant, &object.sha256).await? == Some(bytes))
    }

    /// Those of the named objects that do not lie there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn missing<'a>(
        &self,
        tenant: Uuid,
        objects: impl IntoIterator<Item = &'a ObjectRef>,
    ) -> Result<Vec<&'a ObjectRef>, ObjectError> {
        let mut missing = Vec::new();
        for object in objects {
            if !self.is_there(tenant, object).await? {
                missing.push(object);
            }
        }
        Ok(missing)
    }

    /// Removes an object after the event of its owner that says so; whether there was one. For sealed content, whose key no
    /// other owner has. Content that is not sealed may be another's, too: that is left to the sweep.
    ///
    /// # Errors
    /// When the object is not sealed; when the store fails.
    pub async fn delete(&self, tenant: Uuid, object: &ObjectRef) -> Result<bool, ObjectError> {
        stored_bytes(object)?;
        match object.is_sealed() {
            true => self.store.delete(tenant, &object.sha256).await,
            false => Err(ObjectError::Shared),
        }
    }
}

/// Bytes of what lies there.
fn stored_bytes(object: &ObjectRef) -> Result<u64, ObjectError> {
    if !object.is_well_formed() {
        return Err(ObjectError::Malformed);
    }
    let bytes = object.bytes.unsigned_abs();
    Ok(match object.is_sealed() {
        true => bytes + SEALED_BYTES,
        false => bytes,
    })
}

fn sealed(tenant: Uuid, key: &OwnKey, content: &[u8]) -> Result<Bytes, ObjectError> {
    let sealed = key.seal(PURPOSE, tenant.as_bytes(), content)?;
    Ok([&[FORMAT][..], &sealed].concat().into())
}

fn opened(tenant: Uuid, key: &OwnKey, stored: &[u8]) -> Option<Bytes> {
    let sealed = stored.strip_prefix(&[FORMAT])?;
    let plain = key.open(PURPOSE, tenant.as_bytes(), sealed)?;
    Some(Bytes::copy_from_slice(&plain))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Digests, ciphers and disks would hold up whatever else this thread has to do.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, ObjectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ObjectError::Broken(Box::new(error))),
    }
}

#[cfg(test)]
mod tests;
