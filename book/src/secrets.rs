//! Keys of the book itself (`book.secrets`): the one that wraps all others, that of claims, those of the bus.
//!
//! The master key wraps one key, the book's wrapping key, and that one wraps every other. A process needs the master key
//! when it starts and never again: a wrapping key that comes later, under whichever master key, is opened by the one
//! before it as long as the bridge between the two stands. So all keys can be wrapped anew while processes serve
//! ([`crate::rotation`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use uuid::Uuid;

use crate::master::{self, ClaimKey, Derived, KEY_BYTES, NONCE_BYTES};
use crate::{BookError, MasterKey};

/// How long keys that were read are believed to be the latest, in seconds.
pub(crate) const LATEST_SECONDS_MAX: u64 = 5;
/// The bytes of a key that a wrapping key has wrapped, behind the generation of that one.
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const TAG_BYTES: usize = 16;
const GENERATION_BYTES: usize = 4;

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
}

struct Known {
    read_at: Option<Instant>,
    /// The wrapping keys by generation; the latest wraps. Before they were read, what a book begins with.
    ring: BTreeMap<i32, [u8; KEY_BYTES]>,
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
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    pub name: String,
    pub generation: i32,
    pub wrapped: Vec<u8>,
    pub bridge: Option<Vec<u8>>,
    /// For how many seconds it is accepted yet.
    pub seconds: Option<f64>,
}

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
                self.unwrap(bound_to, wrapped)
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
        self.locked().learn(&self.master, &rows, began)
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
            None => BTreeMap::new(),
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

/// Some key of the database is not what this master key makes of it.
const MISFIT: BookError =
    BookError::Key("a key does not unwrap; is DAYBOOK_MASTER_KEY the one this database was made with?");

/// A secret's name, as what it is wrapped as.
pub(crate) fn named(name: &str, generation: i32) -> Vec<u8> {
    format!("{name}/{generation}").into_bytes()
}

/// The name of the bridge to a wrapping key.
pub(crate) fn bridge_to(generation: i32) -> Vec<u8> {
    named("bridge", generation)
}

/// A key under a wrapping key, which it names before it.
pub(crate) fn wrapped_under(
    generation: i32,
    under: &[u8; KEY_BYTES],
    bound_to: &[u8],
    key: &[u8; KEY_BYTES],
) -> Result<Vec<u8>, BookError> {
    let wrapped = master::wrap(under, bound_to, key)?;
    Ok([&generation.to_be_bytes()[..], &wrapped].concat())
}

/// Which wrapping key has wrapped this; `None` when none has. The first one names itself in secrets alone: former
/// versions read what it wraps of others.
pub(crate) fn generation(wrapped: &[u8]) -> Option<i32> {
    match wrapped.len() {
        WRAPPED_BYTES => Some(1),
        _ => named_generation(wrapped),
    }
}

fn named_generation(wrapped: &[u8]) -> Option<i32> {
    let named = wrapped.first_chunk::<GENERATION_BYTES>();
    named
        .filter(|_| wrapped.len() == GENERATION_BYTES + WRAPPED_BYTES)
        .map(|named| i32::from_be_bytes(*named))
}

/// A key that one of these has wrapped.
pub(crate) fn unwrapped(
    ring: &BTreeMap<i32, [u8; KEY_BYTES]>,
    bound_to: &[u8],
    wrapped: &[u8],
) -> Result<[u8; KEY_BYTES], BookError> {
    let generation = generation(wrapped).ok_or(MISFIT)?;
    let under = ring.get(&generation).ok_or(BookError::NewerKeys)?;
    let cipher = &wrapped[wrapped.len() - WRAPPED_BYTES..];
    master::unwrap(under, bound_to, cipher).ok_or(MISFIT)
}

/// The wrapping keys among these rows, opened by the master key, by each other, or by what is known already.
///
/// # Errors
/// [`BookError::NewerKeys`] when some key is known and the latest cannot be opened; [`BookError::Key`] when none can.
pub(crate) fn ring(
    master: &MasterKey,
    rows: &[Row],
    known: &BTreeMap<i32, [u8; KEY_BYTES]>,
) -> Result<BTreeMap<i32, [u8; KEY_BYTES]>, BookError> {
    let mut ring = known.clone();
    // The latest first, as they are ordered: each opens the one before it.
    let rows: Vec<&Row> = rows.iter().filter(|row| row.name == WRAPPING).collect();
    let Some(latest) = rows.first() else {
        // Nobody has started over this book since it could have one: then it is what former versions wrap with.
        ring.insert(1, master.own().wrapping);
        return Ok(ring);
    };
    // Once for each, in case that they can be opened in the order in which they came alone.
    for _ in &rows {
        for row in &rows {
            if ring.contains_key(&row.generation) {
                continue;
            }
            let name = named(WRAPPING, row.generation);
            let by_master = || {
                let mut each = master.each();
                each.find_map(|master| master::unwrap(&master.secrets, &name, &row.wrapped))
            };
            let by_later = || {
                unwrapped(&ring, &name, &row.wrapped)
                    .ok()
                    .filter(|_| names_another(row))
            };
            let by_bridge = || unwrapped(&ring, &bridge_to(row.generation), row.bridge.as_deref()?).ok();
            if let Some(key) = by_master().or_else(by_later).or_else(by_bridge) {
                ring.insert(row.generation, key);
            }
        }
    }
    match ring.contains_key(&latest.generation) {
        true => Ok(ring),
        false if ring.is_empty() => Err(MISFIT),
        false => Err(BookError::NewerKeys),
    }
}

fn names_another(row: &Row) -> bool {
    named_generation(&row.wrapped).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(digits: &str) -> MasterKey {
        MasterKey::from_hex(&digits.repeat(16)).unwrap()
    }

    fn row(name: &str, generation: i32, wrapped: Vec<u8>) -> Row {
        Row {
            name: name.to_owned(),
            generation,
            wrapped,
            bridge: None,
            seconds: None,
        }
    }

    const FIRST: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const SECOND: [u8; KEY_BYTES] = [2; KEY_BYTES];

    /// The wrapping keys after a rotation from one master key to the next, the latest first.
    fn rotated(next: &MasterKey, with_bridge: bool) -> Vec<Row> {
        let wrapped = master::wrap(&next.own().secrets, &named(WRAPPING, 2), &SECOND).unwrap();
        let bridge = wrapped_under(1, &FIRST, &bridge_to(2), &SECOND).unwrap();
        let latest = Row {
            bridge: with_bridge.then_some(bridge),
            ..row(WRAPPING, 2, wrapped)
        };
        let former = wrapped_under(2, &SECOND, &named(WRAPPING, 1), &FIRST).unwrap();
        vec![latest, row(WRAPPING, 1, former)]
    }

    #[test]
    fn a_book_that_has_no_keys_yet_is_wrapped_as_former_versions_wrap() {
        let master = master("5eed");
        let ring = ring(&master, &[], &BTreeMap::new()).unwrap();
        assert_eq!(ring, [(1, master.own().wrapping)].into());
    }

    #[test]
    fn whoever_starts_after_a_rotation_needs_the_next_master_key() {
        let (before, next) = (master("5eed"), master("f00d"));
        let rows = rotated(&next, true);
        let all: BTreeMap<_, _> = [(1, FIRST), (2, SECOND)].into();
        assert_eq!(ring(&next, &rows, &BTreeMap::new()).unwrap(), all);
        assert_eq!(ring(&before.clone().or(next), &rows, &BTreeMap::new()).unwrap(), all);
        assert!(matches!(ring(&before, &rows, &BTreeMap::new()), Err(BookError::Key(_))));
    }

    #[test]
    fn whoever_started_before_a_rotation_follows_over_the_bridge_and_is_told_when_it_is_gone() {
        let (before, next) = (master("5eed"), master("f00d"));
        let known: BTreeMap<_, _> = [(1, FIRST)].into();
        let all: BTreeMap<_, _> = [(1, FIRST), (2, SECOND)].into();
        assert_eq!(ring(&before, &rotated(&next, true), &known).unwrap(), all);
        let too_late = ring(&before, &rotated(&next, false), &known);
        assert!(matches!(too_late, Err(BookError::NewerKeys)));
        // What is known already needs neither.
        assert_eq!(ring(&before, &rotated(&next, false), &all).unwrap(), all);
    }

    #[test]
    fn what_the_first_wrapping_key_wraps_is_read_with_and_without_its_name() {
        let ring: BTreeMap<_, _> = [(1, FIRST)].into();
        let plain = master::wrap(&FIRST, b"somebody", &[7; KEY_BYTES]).unwrap();
        let named = wrapped_under(1, &FIRST, b"somebody", &[7; KEY_BYTES]).unwrap();
        for wrapped in [&plain, &named] {
            assert_eq!(generation(wrapped), Some(1));
            assert_eq!(unwrapped(&ring, b"somebody", wrapped).unwrap(), [7; KEY_BYTES]);
            assert!(matches!(unwrapped(&ring, b"another", wrapped), Err(BookError::Key(_))));
        }
        let newer = wrapped_under(2, &SECOND, b"somebody", &[7; KEY_BYTES]).unwrap();
        assert!(matches!(
            unwrapped(&ring, b"somebody", &newer),
            Err(BookError::NewerKeys)
        ));
        assert!(matches!(unwrapped(&ring, b"somebody", b"?"), Err(BookError::Key(_))));
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
