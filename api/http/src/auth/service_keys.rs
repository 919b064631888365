//! Keys of services, in place of tokens: `daybook_`, the id of the key's stream, `_`, and 256 random bits. The book has
//! the SHA-256 of the whole, which is compared: how long that takes tells nothing of the key.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use book::{Book, Envelope, Step};
use chrono::{DateTime, Utc};
use domain::SYSTEM;
use identity::key::{Command, Issued, Key, USED_HOURS};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tracing::debug;
use uuid::Uuid;

use super::changes::Changes;
use super::remembered::{Read, Remembered};
use super::token::{BadToken, Bearer, Verified};
use crate::problem::Problem;

/// The beginning of every key.
pub const PREFIX: &str = "daybook_";
const CACHED_KEYS_MAX: u64 = 50_000;
/// Keys that are read of the book at one time.
const READINGS_MAX: usize = 2;

/// A key that was drawn, to be shown to whoever asked for it and to be kept by nobody else.
pub struct Drawn {
    /// Of its stream.
    pub id: Uuid,
    pub key: String,
    pub digest: String,
}

/// Draws a key.
#[must_use]
pub fn draw() -> Drawn {
    let id = Uuid::now_v7();
    let key = format!(
        "{PREFIX}{}_{}",
        id.simple(),
        URL_SAFE_NO_PAD.encode(book::vault::random())
    );
    Drawn {
        digest: digest(&key),
        id,
        key,
    }
}

fn digest(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

/// The id of the stream of a key, if it has the form of one.
fn id(key: &str) -> Option<Uuid> {
    let (id, _) = key.strip_prefix(PREFIX)?.split_once('_')?;
    Uuid::try_parse(id)
        .ok()
        .filter(|parsed| parsed.simple().to_string() == id)
}

/// What a request has shown: a token, or a key in the place of one.
#[derive(Debug)]
pub struct Shown {
    pub verified: Verified,
    /// The key.
    pub key: Option<Uuid>,
    /// The only device that the key is for, if it is bound to one.
    pub device: Option<Arc<str>>,
}

/// A key as the book knows it.
#[derive(Debug)]
struct Known {
    tenant: Uuid,
    issued: Issued,
}

/// The keys of late.
#[derive(Debug)]
pub struct ServiceKeys {
    book: Book,
    known: Remembered<Uuid, Option<Arc<Known>>>,
    /// Keys that are read at one time: whoever tries out what is none takes no more connections than these.
    reading: Semaphore,
    /// As many of those that were good of late, so that they do not wait for whoever tries out.
    reading_good: Semaphore,
    good: Mutex<HashSet<Uuid>>,
    /// When this process noted last that a key is used.
    noted: Mutex<HashMap<Uuid, Instant>>,
}

impl ServiceKeys {
    #[must_use]
    pub fn new(book: Book, changes: Arc<Changes>) -> Self {
        Self {
            book,
            known: Remembered::new(changes, CACHED_KEYS_MAX),
            reading: Semaphore::new(READINGS_MAX),
            reading_good: Semaphore::new(READINGS_MAX),
            good: Mutex::default(),
            noted: Mutex::default(),
        }
    }

    /// Who shows a key.
    ///
    /// # Errors
    /// [`BadToken::Key`] for a key that is none, is revoked or has expired; the failure of the book.
    pub async fn verify(&self, key: &str) -> Result<Result<Shown, BadToken>, Problem> {
        let Some(id) = id(key) else {
            return Ok(Err(BadToken::Key));
        };
        let known = self.known.get(id, || self.read(id)).await?;
        let now = Utc::now();
        let is_good = |known: &Arc<Known>| known.issued.digest == digest(key) && now < known.issued.expires_at;
        let Some(known) = known.filter(is_good) else {
            return Ok(Err(BadToken::Key));
        };
        {
            let mut good = self.were_good();
            if good.len() as u64 >= CACHED_KEYS_MAX && !good.contains(&id) {
                good.clear();
            }
            good.insert(id);
        }
        self.note(id, &known);
        let Known { tenant, issued } = &*known;
        let verified = Verified {
            bearer: Bearer {
                tenant: *tenant,
                user: issued.user_id,
            },
            until: issued.expires_at,
            is_operator: false,
        };
        Ok(Ok(Shown {
            verified,
            key: Some(id),
            device: issued.device_id.as_deref().map(Arc::from),
        }))
    }

    /// Whether a key that was shown before is good still.
    ///
    /// # Errors
    /// The failure of the book.
    pub async fn is_good(&self, id: Uuid) -> Result<bool, Problem> {
        let known = self.known.get(id, || self.read(id)).await?;
        Ok(known.is_some_and(|known| Utc::now() < known.issued.expires_at))
    }

    async fn read(&self, id: Uuid) -> Result<Read<Option<Arc<Known>>>, Problem> {
        let reading = match self.were_good().contains(&id) {
            true => &self.reading_good,
            false => &self.reading,
        };
        // It is never closed.
        let _permit = reading.acquire().await;
        let found = self.book.of_whom::<Key>(id).await?;
        let value = found.and_then(|(tenant, key)| match &*key {
            Key::Issued(issued) => Some(Arc::new(Known {
                tenant,
                issued: issued.clone(),
            })),
            Key::Unissued | Key::Revoked => None,
        });
        Ok(Read {
            value,
            streams: vec![id],
        })
    }

    fn were_good(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it noted that a key is used, if that was not done of late. The request does not wait for it.
    fn note(&self, id: Uuid, known: &Known) {
        let every = Duration::from_secs(3_600 * USED_HOURS.unsigned_abs());
        let is_new = |used_at: DateTime<Utc>| (Utc::now() - used_at).to_std().is_ok_and(|since| since >= every);
        if !known.issued.used_at.is_none_or(is_new) {
            return;
        }
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(&id).is_some_and(|at| at.elapsed() < every) {
                return;
            }
            if noted.len() as u64 >= CACHED_KEYS_MAX {
                noted.clear();
            }
            noted.insert(id, Instant::now());
        }
        let (book, tenant) = (self.book.clone(), known.tenant);
        tokio::spawn(async move {
            let envelope = Envelope::once(tenant, SYSTEM, Utc::now());
            let step = Step::of::<Key>(id, None, Command::NoteUse {});
            // Revoked meanwhile, or its tenant is suspended: then it is not noted.
            if let Err(error) = book.execute(envelope, vec![step]).await {
                debug!(key = %id, %error, "the use of a key is not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_stream_and_is_another_each_time() {
        let (one, other) = (draw(), draw());
        assert_eq!(id(&one.key), Some(one.id));
        assert_ne!((&one.key, &one.digest), (&other.key, &other.digest));
        assert_eq!(one.digest, digest(&one.key));
        assert_eq!(one.key.len(), PREFIX.len() + 32 + 1 + 43);
    }

    #[test]
    fn whatever_is_not_of_the_form_names_no_stream() {
        let drawn = draw();
        let upper = format!("{PREFIX}{}_x", drawn.id.simple().to_string().to_uppercase());
        let dashed = format!("{PREFIX}{}_x", drawn.id);
        for text in ["", PREFIX, "daybook_x_y", "daybook_", "other_1_2", &upper, &dashed] {
            assert_eq!(id(text), None, "{text}");
        }
    }
}
