//! Keys of persons: fields that tell who somebody is are sealed under a key that can be destroyed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::Erase;
use rand::RngCore as _;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::master::{ClaimKey, KEY_BYTES, NONCE_BYTES};
use crate::secrets::Secrets;
use crate::{BookError, MasterKey};

/// Keys of persons kept in memory.
const CACHED_KEYS_MAX: u64 = 50_000;
/// How long another process may go on reading a person whose key was destroyed, in seconds. It counts from when the
/// key was read, also for what was opened with the key, or for what is new and was sealed with it.
pub const PERSONAL_SECONDS_MAX: u64 = 5;

/// Seals and opens fields, with a short memory of keys.
#[derive(Debug, Clone)]
pub struct Vault {
    pool: PgPool,
    secrets: Secrets,
    keys: moka::future::Cache<Uuid, Option<Key>>,
}

/// What came of opening an event's sealed fields.
#[derive(Debug, Default)]
pub struct Opened {
    /// Until when the plain values may be remembered, if there are any.
    pub until: Option<Instant>,
    /// The fields that did not open, and are null now.
    pub unopened: Vec<String>,
}

#[derive(Clone)]
struct Key {
    cipher: Arc<Aes256Gcm>,
    /// Until when this process may remember the key, and what it knows through it.
    until: Instant,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Vault {
    /// A vault that reads keys through `pool`; sealing needs one of `daybook_writer`.
    #[must_use]
    pub fn new(pool: PgPool, master: MasterKey) -> Self {
        let keys = moka::future::Cache::builder()
            .max_capacity(CACHED_KEYS_MAX)
            .time_to_live(Duration::from_secs(PERSONAL_SECONDS_MAX))
            .build();
        let secrets = Secrets::new(pool.clone(), master);
        Self { pool, secrets, keys }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The keys of the book itself.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The key of the digests that the book keeps of unique values.
    ///
    /// # Errors
    /// [`BookError::Key`] when the master key is not the book's; the database's error.
    pub async fn claim_key(&self) -> Result<ClaimKey, BookError> {
        self.secrets.claims().await
    }

    /// Makes sure that the master key is the one that this book was made with, or that its keys were wrapped with last.
    /// The pool must be one of `daybook_writer`.
    ///
    /// # Errors
    /// [`BookError::Key`] when it is another one; the database's error.
    pub async fn verify(&self) -> Result<(), BookError> {
        self.secrets.verify().await
    }

    /// Makes sure that keys which are made from now on are wrapped by the latest wrapping key.
    ///
    /// # Errors
    /// When the book's keys cannot be read.
    pub(crate) async fn ready(&self) -> Result<(), BookError> {
        self.secrets.look().await
    }

    /// Encrypts the named fields of an event about to be appended; says which it sealed, and until when their plain
    /// values may be remembered.
    ///
    /// # Errors
    /// When the database fails, or the key of a person was destroyed: what is new about an erased
    /// person must not be written. Also when it is gone without a trace and the person is `known`, by their stream: another
    /// one would open nothing of what was sealed before.
    pub async fn seal(
        &self,
        tenant: Uuid,
        event_id: Uuid,
        known: Option<Uuid>,
        payload: &mut Value,
        fields: &[(&'static str, Uuid)],
    ) -> Result<(BTreeMap<String, Uuid>, Option<Instant>), BookError> {
        let (mut sealed, mut until) = (BTreeMap::new(), None);
        for (field, subject) in fields {
            let Some(value) = payload.get_mut(*field).filter(|value| !value.is_null()) else {
                continue;
            };
            let key = match known == Some(*subject) {
                true => self.key(*subject).await?.ok_or(NO_KEY)?,
                false => self.key_or_new(tenant, *subject).await?,
            };
            until = earlier(until, Some(key.until));
            let mut nonce = [0; NONCE_BYTES];
            rand::rng().fill_bytes(&mut nonce);
            let plain = serde_json::to_vec(value)?;
            let cipher = key
                .cipher
                .encrypt(
                    Nonce::from_slice(&nonce),
                    Payload {
                        msg: &plain,
                        aad: &bound_to(event_id, field),
                    },
                )
                .map_err(|_| BookError::Key("a field could not be sealed"))?;
            *value = Value::String(BASE64.encode([&nonce[..], &cipher].concat()));
            sealed.insert((*field).to_owned(), *subject);
        }
        Ok((sealed, until))
    }

    /// Decrypts the sealed fields of a stored event; a field whose key is destroyed becomes null. So does
    /// one whose key or whose bytes are not what they were: those are named in the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        &self,
        event_id: Uuid,
        payload: &mut Value,
        sealed: &BTreeMap<String, Uuid>,
    ) -> Result<Opened, BookError> {
        let mut opened = Opened::default();
        for (field, subject) in sealed {
            let Some(value) = payload.get_mut(field) else { continue };
            let unsealed = match self.key(*subject).await {
                Ok(None) => Some(Value::Null),
                Ok(Some(key)) => {
                    opened.until = earlier(opened.until, Some(key.until));
                    plain(&key, &bound_to(event_id, field), value)
                }
                Err(BookError::Key(_)) => None,
                Err(error) => return Err(error),
            };
            *value = unsealed.unwrap_or_else(|| {
                opened.unopened.push(field.clone());
                Value::Null
            });
        }
        Ok(opened)
    }

    /// Forgets in this process at once what was destroyed.
    pub async fn forget(&self, destroyed: &Erase) {
        match *destroyed {
            Erase::Key(subject) => self.keys.invalidate(&subject).await,
            // Whose texts the others belong to is not known here, and such an erasure is rare.
            Erase::Person(_) => self.keys.invalidate_all(),
        }
    }

    /// Reads those of these keys that are not known with one question, for whoever is about to open much.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn learn(&self, subjects: impl IntoIterator<Item = Uuid> + Send) -> Result<(), BookError> {
        let unknown = subjects.into_iter().filter(|subject| !self.keys.contains_key(subject));
        let unknown: BTreeSet<Uuid> = unknown.collect();
        // One is read as soon when it is needed.
        if unknown.len() < 2 {
            return Ok(());
        }
        let until = Instant::now() + Duration::from_secs(PERSONAL_SECONDS_MAX);
        let read: Vec<(Uuid, Option<Vec<u8>>)> =
            sqlx::query_as("select subject, wrapped from book.keys where subject = any($1)")
                .bind(unknown.into_iter().collect::<Vec<_>>())
                .fetch_all(&self.pool)
                .await?;
        for (subject, wrapped) in read {
            // What does not unwrap is told by whoever needs it.
            let unwrapped = wrapped.map(|wrapped| self.unwrap(subject, &wrapped)).transpose();
            if let Ok(cipher) = unwrapped {
                let key = cipher.map(|cipher| Key { cipher, until });
                self.keys.insert(subject, key).await;
            }
        }
        Ok(())
    }

    async fn key(&self, subject: Uuid) -> Result<Option<Key>, BookError> {
        // The key may have been long on its way into the memory that lets go of it by itself.
        let in_time = |key: &Option<Key>| key.as_ref().is_none_or(|key| Instant::now() < key.until);
        if let Some(key) = self.keys.get(&subject).await.filter(in_time) {
            return Ok(key);
        }
        let until = Instant::now() + Duration::from_secs(PERSONAL_SECONDS_MAX);
        let wrapped: Option<Option<Vec<u8>>> = sqlx::query_scalar("select wrapped from book.keys where subject = $1")
            .bind(subject)
            .fetch_optional(&self.pool)
            .await?;
        let is_known = wrapped.is_some();
        let key = match wrapped.flatten() {
            Some(wrapped) => Some(Key {
                cipher: self.unwrap_surely(subject, &wrapped).await?,
                until,
            }),
            None => None,
        };
        // That there is none yet is not remembered: it may be made a moment later, here or elsewhere.
        if is_known {
            self.keys.insert(subject, key.clone()).await;
        }
        Ok(key)
    }

    async fn key_or_new(&self, tenant: Uuid, subject: Uuid) -> Result<Key, BookError> {
        if let Some(key) = self.key(subject).await? {
            return Ok(key);
        }
        self.ready().await?;
        let mut bytes = [0; KEY_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        // Another process may have made the key meanwhile; then that one is used.
        sqlx::query("insert into book.keys (subject, tenant_id, wrapped) values ($1, $2, $3) on conflict do nothing")
            .bind(subject)
            .bind(tenant)
            .bind(self.wrap(subject, &bytes)?)
            .execute(&self.pool)
            .await?;
        self.keys.invalidate(&subject).await;
        self.key(subject).await?.ok_or(NO_KEY)
    }

    /// For whoever is [`Vault::ready`].
    pub(crate) fn wrap(&self, subject: Uuid, key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, BookError> {
        self.secrets.wrap(subject.as_bytes(), key)
    }

    /// A wrapped key, if that is known which wrapped it.
    pub(crate) fn unwrap(&self, subject: Uuid, wrapped: &[u8]) -> Result<Arc<Aes256Gcm>, BookError> {
        self.secrets.unwrap(subject.as_bytes(), wrapped).map(cipher)
    }

    /// As [`Vault::unwrap`], and the book's keys are read again where that helps.
    pub(crate) async fn unwrap_surely(&self, subject: Uuid, wrapped: &[u8]) -> Result<Arc<Aes256Gcm>, BookError> {
        self.secrets
            .unwrap_surely(subject.as_bytes(), wrapped)
            .await
            .map(cipher)
    }
}

/// Nothing more is written of somebody.
const NO_KEY: BookError = BookError::Key(
    "this person was erased, or the database was restored without their key; nothing more can be recorded of them unless a \
     backup of book.keys brings it back",
);

fn cipher(key: [u8; KEY_BYTES]) -> Arc<Aes256Gcm> {
    Arc::new(Aes256Gcm::new(&key.into()))
}

/// The earlier of two times, where there are any.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// What was sealed; `None` when it does not open.
fn plain(key: &Key, bound_to: &[u8], sealed: &Value) -> Option<Value> {
    let bytes = BASE64.decode(sealed.as_str()?).ok()?;
    let (nonce, msg) = bytes.split_at_checked(NONCE_BYTES)?;
    let payload = Payload { msg, aad: bound_to };
    let plain = key.cipher.decrypt(Nonce::from_slice(nonce), payload).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// A sealed value opens only in the event and field that it was sealed for.
pub(crate) fn bound_to(event_id: Uuid, field: &str) -> Vec<u8> {
    [event_id.as_bytes(), field.as_bytes()].concat()
}

/// 256 random bits.
#[must_use]
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
