//! Keys of the book itself (`book.secrets`): the one that wraps all others, that of claims, those of the bus.
//!
//! The master key wraps one key, the book's wrapping key, and that one wraps every other. A process needs the master key
//! when it starts and never again: a wrapping key that comes later, under whichever master key, is opened by the one
//! before it as long as the bridge between the two stands. So all keys can be wrapped anew while processes serve
//! ([`crate::rotation`]).

pub(crate) mod ring;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use uuid::Uuid;

use crate::master::{self, ClaimKey, Derived, KEY_BYTES};
use crate::{BookError, MasterKey};
use ring::{MISFIT, Ring, named, ring, unwrapped, wrapped_under};

/// How long keys that were read are believed to be the latest, in seconds.
pub(crate) const LATEST_SECONDS_MAX: u64 = 5;
pub(crate) const WRAPPING: &str = "wrapping";
pub(crate) const CLAIMS: &str = "claims";
pub(crate) const BUS: &str = "bus";

/// One generation of a key of the book.
#[derive(Clone)]
pub struct Secret {
    pub generation: i32,
    pub bytes: [u8; KEY_BYTES],
    /// Until when it is accepted; `None` for the one in use.
    pub until: Option<Instant>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "secret of generation {}", self.generation)
    }
}

/// The keys of one book as a process knows them. Clones share what is known.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    pool: PgPool,
    master: MasterKey,
    known: Arc<Mutex<Known>>,
    /// One reads them at a time.
    reading: Arc<tokio::sync::Mutex<()>>,
    is_behind: Arc<AtomicBool>,
}

struct Known {
    read_at: Option<Instant>,
    /// The wrapping keys by generation; the latest wraps. Before they were read, what a book begins with.
    ring: Ring,
    claims: Option<ClaimKey>,
    /// The latest first.
    bus: Vec<Secret>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

/// A row of `book.secrets`.
pub(crate) struct Row {
    pub name: String,
    pub generation: i32,
    pub wrapped: Vec<u8>,
    pub bridge: Option<Vec<u8>>,
    /// For how many seconds it is accepted yet.
    pub seconds: Option<f64>,
}

crate::from_row!(Row {
    name,
    generation,
    wrapped,
    bridge,
    seconds
});

pub(crate) const ROWS: &str = "select name, generation, wrapped, bridge,
       extract(epoch from accepted_until - clock_timestamp())::float8 as seconds
from book.secrets order by name, generation desc";

impl Secrets {
    pub fn new(pool: PgPool, master: MasterKey) -> Self {
        Self {
            pool,
            known: Arc::new(Mutex::new(Known::before(&master))),
            master,
            reading: Arc::default(),
            is_behind: Arc::default(),
        }
    }

    /// Makes sure that the master key is the one that this book was made with, or that its keys were wrapped with last,
    /// and that the book has keys of its own. The pool must be one of `daybook_writer`.
    ///
    /// # Errors
    /// [`BookError::Key`] when it is another one; the database's error.
    pub async fn verify(&self) -> Result<(), BookError> {
        let noted = match self.noted().await? {
            Some(noted) => noted,
            None => self.note().await?,
        };
        let Some(master) = self.master.each().find(|master| master.is_of(&noted)) else {
            return Err(BookError::Key(
                "DAYBOOK_MASTER_KEY is not the one that this database was made with, or its keys were wrapped with last",
            ));
        };
        self.begin(master).await?;
        self.read().await
    }

    async fn noted(&self) -> Result<Option<Vec<u8>>, BookError> {
        Ok(sqlx::query_scalar("select check_value from book.master_key")
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Notes which master key the book is made with.
    async fn note(&self) -> Result<Vec<u8>, BookError> {
        let master = self.master.own();
        // A book from before there was a check: only who opens its keys may say what they open with.
        let any: Option<(Uuid, Vec<u8>)> =
            sqlx::query_as("select subject, wrapped from book.keys where wrapped is not null limit 1")
                .fetch_optional(&self.pool)
                .await?;
        if let Some((subject, wrapped)) = any
            && master::unwrap(&master.wrapping, subject.as_bytes(), &wrapped).is_none()
        {
            return Err(MISFIT);
        }
        sqlx::query("insert into book.master_key (check_value) values ($1) on conflict do nothing")
            .bind(master.first_check.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(self.noted().await?.unwrap_or_default())
    }

    /// Makes the keys that the book lacks: those of wrapping and of claims as former versions derive them, so that
    /// what they wrapped and claimed stays so, and a first one of the bus. Others may do so at the same time.
    async fn begin(&self, master: &Derived) -> Result<(), BookError> {
        let there: Vec<String> = sqlx::query_scalar("select distinct name from book.secrets")
            .fetch_all(&self.pool)
            .await?;
        let lacks = |name: &str| !there.iter().any(|there| there == name);
        if lacks(WRAPPING) {
            let wrapped = master::wrap(&master.secrets, &named(WRAPPING, 1), &master.wrapping)?;
            self.keep(WRAPPING, wrapped).await?;
        }
        if lacks(CLAIMS) || lacks(BUS) {
            self.read().await?;
            for (name, key) in [(CLAIMS, master.claims.0), (BUS, master::random())] {
                if lacks(name) {
                    let wrapped = self.locked().wrap(&named(name, 1), &key)?;
                    self.keep(name, wrapped).await?;
                }
            }
        }
        Ok(())
    }

    async fn keep(&self, name: &str, wrapped: Vec<u8>) -> Result<(), BookError> {
        sqlx::query("insert into book.secrets (name, generation, wrapped) values ($1, 1, $2) on conflict do nothing")
            .bind(name)
            .bind(wrapped)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The key of claims.
    ///
    /// # Errors
    /// [`BookError::Key`] when the master key is not the book's; the database's error.
    pub async fn claims(&self) -> Result<ClaimKey, BookError> {
        let known = |this: &Self| this.locked().claims.clone();
        if let Some(key) = known(self) {
            return Ok(key);
        }
        self.read().await?;
        if known(self).is_none() {
            // Nobody has started over this book since it could have one.
            self.verify().await?;
        }
        known(self).ok_or(MISFIT)
    }

    /// The keys of the bus that are accepted, the one in use first.
    ///
    /// # Errors
    /// When there is none yet; the database's error.
    pub async fn bus(&self) -> Result<Vec<Secret>, BookError> {
        if let Err(error) = self.look().await
            && self.locked().bus.is_empty()
        {
            return Err(error);
        }
        match self.locked().bus.clone() {
            none if none.is_empty() => Err(BookError::Key(
                "the book has no key of the bus yet; it is made when a process of this version starts",
            )),
            keys => Ok(keys),
        }
    }

    /// Wraps the key of a person or a text, as the bytes that `book.keys` has of it. For whoever has made sure by
    /// [`Secrets::look`] that the latest wrapping key is known.
    ///
    /// # Errors
    /// When it cannot be wrapped.
    pub fn wrap(&self, bound_to: &[u8], key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, BookError> {
        let known = self.locked();
        match known.latest()? {
            // As former versions do, and read.
            (1, latest) => master::wrap(latest, bound_to, key),
            _ => known.wrap(bound_to, key),
        }
    }

    /// A key that [`Secrets::wrap`] has wrapped, if that is known which wrapped it.
    ///
    /// # Errors
    /// [`BookError::Key`] when it is none; [`BookError::NewerKeys`] when what wrapped it is not known.
    pub fn unwrap(&self, bound_to: &[u8], wrapped: &[u8]) -> Result<[u8; KEY_BYTES], BookError> {
        self.locked().unwrap(bound_to, wrapped)
    }

    /// As [`Secrets::unwrap`], and the keys are read again where that helps.
    ///
    /// # Errors
    /// [`BookError::Key`] when it is none; [`BookError::NewerKeys`] when only processes that start now can open it;
    /// the database's error.
    pub async fn unwrap_surely(&self, bound_to: &[u8], wrapped: &[u8]) -> Result<[u8; KEY_BYTES], BookError> {
        let is_read = self.locked().read_at.is_some();
        match self.unwrap(bound_to, wrapped) {
            Ok(key) => Ok(key),
            Err(BookError::Key(_)) if is_read => Err(MISFIT),
            Err(_) => {
                self.read().await?;
                // All that there are by now are known.
                self.unwrap(bound_to, wrapped).map_err(|error| match error {
                    BookError::NewerKeys => MISFIT,
                    error => error,
                })
            }
        }
    }

    /// Reads the keys again unless they were read a moment ago.
    ///
    /// # Errors
    /// When they do not unwrap; the database's error.
    pub async fn look(&self) -> Result<(), BookError> {
        let is_old = |known: &Known| {
            let read_at = known.read_at;
            read_at.is_none_or(|at| at.elapsed() > Duration::from_secs(LATEST_SECONDS_MAX))
        };
        if is_old(&self.locked()) {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&self) -> Result<(), BookError> {
        let asked = Instant::now();
        let _alone = self.reading.lock().await;
        // Somebody else has read them while this one waited.
        if self.locked().read_at.is_some_and(|at| at > asked) {
            return Ok(());
        }
        let began = Instant::now();
        let rows: Vec<Row> = sqlx::query_as(ROWS).fetch_all(&self.pool).await?;
        let learnt = self.locked().learn(&self.master, &rows, began);
        let is_behind = matches!(learnt, Err(BookError::NewerKeys));
        self.is_behind.store(is_behind, Ordering::Relaxed);
        learnt
    }

    /// Whether the master key was replaced while this process could not follow: then it opens and seals nothing until it
    /// is restarted with the new one.
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        // Nothing that panics happens while it is locked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// What is known before anything was read.
    fn before(master: &MasterKey) -> Self {
        Self {
            read_at: None,
            ring: [(1, master.own().wrapping)].into(),
            claims: None,
            bus: Vec::new(),
        }
    }

    /// Takes in what was read at `now`.
    fn learn(&mut self, master: &MasterKey, rows: &[Row], now: Instant) -> Result<(), BookError> {
        // What a book begins with is not what this one has now.
        let known = match self.read_at {
            Some(_) => self.ring.clone(),
            None => Ring::new(),
        };
        self.ring = ring(master, rows, &known)?;
        let of = |name: &'static str| rows.iter().filter(move |row| row.name == name);
        let opened = |row: &Row| self.unwrap(&named(&row.name, row.generation), &row.wrapped);
        let claims = of(CLAIMS).next().map(opened).transpose()?.map(ClaimKey);
        let accepted = of(BUS).filter(|row| row.seconds.is_none_or(|seconds| seconds > 0.0));
        let secret = |row: &Row| {
            let until = row.seconds.map(|seconds| now + Duration::from_secs_f64(seconds));
            opened(row).map(|bytes| Secret {
                generation: row.generation,
                bytes,
                until,
            })
        };
        let bus = accepted.map(secret).collect::<Result<_, _>>()?;
        (self.claims, self.bus, self.read_at) = (claims, bus, Some(now));
        Ok(())
    }

    fn latest(&self) -> Result<(i32, &[u8; KEY_BYTES]), BookError> {
        let latest = self.ring.last_key_value().ok_or(MISFIT)?;
        Ok((*latest.0, latest.1))
    }

    fn wrap(&self, bound_to: &[u8], key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, BookError> {
        let (generation, latest) = self.latest()?;
        wrapped_under(generation, latest, bound_to, key)
    }

    fn unwrap(&self, bound_to: &[u8], wrapped: &[u8]) -> Result<[u8; KEY_BYTES], BookError> {
        unwrapped(&self.ring, bound_to, wrapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn master(digits: &str) -> MasterKey {
        MasterKey::from_hex(&digits.repeat(16)).unwrap()
    }

    pub(super) fn row(name: &str, generation: i32, wrapped: Vec<u8>) -> Row {
        Row {
            name: name.to_owned(),
            generation,
            wrapped,
            bridge: None,
            seconds: None,
        }
    }

    #[test]
    fn keys_of_the_bus_are_accepted_for_as_long_as_they_are() {
        let master = master("5eed");
        let under = |name: &str, generation, key| {
            let wrapped = wrapped_under(1, &master.own().wrapping, &named(name, generation), key).unwrap();
            row(name, generation, wrapped)
        };
        let until = |seconds, row| Row {
            seconds: Some(seconds),
            ..row
        };
        let rows = [
            under(BUS, 3, &[3; KEY_BYTES]),
            until(60.0, under(BUS, 2, &[2; KEY_BYTES])),
            until(-1.0, under(BUS, 1, &[1; KEY_BYTES])),
            under(CLAIMS, 1, &[9; KEY_BYTES]),
        ];
        let (mut known, now) = (Known::before(&master), Instant::now());
        known.learn(&master, &rows, now).unwrap();
        assert_eq!(known.claims, Some(ClaimKey([9; KEY_BYTES])));
        let bus: Vec<_> = known.bus.iter().map(|key| (key.generation, key.until)).collect();
        assert_eq!(bus, [(3, None), (2, Some(now + Duration::from_secs(60)))]);
    }
}
