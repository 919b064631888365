//! Reads the book in order of position. Positions have no gaps, so `position > n` misses nothing.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::Recorded;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::append::EVENT_BYTES_MAX;
use crate::bus::message::Signing;
use crate::pools::answered;
use crate::texts::{self, Place};
use crate::{BookError, Vault};

/// Events read at once.
pub const PAGE_EVENTS_MAX: i64 = 50_000;
/// Bytes of payloads and metadata read at once; the first event of a page comes whatever it weighs.
pub const PAGE_BYTES_MAX: usize = 8 << 20;

/// Events of one stream read at once.
pub const STREAM_EVENTS_MAX: i64 = 1_000;

/// Events looked through at once for those of some kinds.
const SCAN_EVENTS_MAX: i64 = 20_000;

/// A stretch of the book, looked through for some of its events.
#[derive(Debug)]
pub struct Stretch {
    pub events: Vec<Recorded<String>>,
    /// The last position that was looked at.
    pub to: i64,
}

macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "select position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                    payload::text as payload, metadata::text as metadata, recorded_at
             from book.events ",
            $rest
        )
    };
}

/// Events with the weight of each and all before it, in this order, as far as the last condition holds.
macro_rules! weighed {
    ($order:literal, $also:literal, $from:literal, $fits:literal) => {
        concat!(
            "select * from (
                 select e.*, sum(octet_length(payload) + octet_length(metadata))
                     over (order by ",
            $order,
            " rows unbounded preceding) as bytes
                 from (
                     select position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type,
                            event_version, payload::text as payload, metadata::text as metadata, recorded_at",
            $also,
            " from ",
            $from,
            ") e
             ) e
             where ",
            $fits
        )
    };
}

/// A reader of the book. Sealed fields come opened, or null once their person was erased; those that do not
/// open come null, too, and are named in the event's metadata. Texts come sealed, see [`Tail::with_texts`].
///
/// A clone is another reader: it finds out by itself how large the events are where it reads, so that one that goes
/// through large events makes no other read in small portions.
#[derive(Debug)]
pub struct Tail {
    pool: PgPool,
    vault: Vault,
    /// How many events to ask for at most. Large ones come in runs, and the server weighs all that it is
    /// asked for.
    fitting: AtomicI64,
    /// The same for events of some kinds.
    fitting_of_types: AtomicI64,
}

impl Clone for Tail {
    fn clone(&self) -> Self {
        Self::new(self.pool.clone(), self.vault.clone())
    }
}

impl Tail {
    #[must_use]
    pub fn new(pool: PgPool, vault: Vault) -> Self {
        Self {
            pool,
            vault,
            fitting: AtomicI64::new(PAGE_EVENTS_MAX),
            fitting_of_types: AtomicI64::new(PAGE_EVENTS_MAX),
        }
    }

    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The kinds of streams that the book has, by their names. Each is found by one step along the index of streams.
    ///
    /// # Errors
    /// The database's error.
    pub async fn kinds(&self) -> Result<Vec<String>, BookError> {
        let asking = sqlx::query_scalar(
            "with recursive kinds as (
                 (select aggregate_type as kind from book.events order by aggregate_type limit 1)
                 union all
                 select (select e.aggregate_type from book.events e where e.aggregate_type > kinds.kind
                         order by e.aggregate_type limit 1)
                 from kinds where kinds.kind is not null)
             select kind from kinds where kind is not null order by kind",
        )
        .fetch_all(&self.pool);
        answered(async { Ok::<_, BookError>(asking.await?) }).await
    }

    /// What tells messages that mirror this incarnation of the book from all others.
    ///
    /// # Errors
    /// When the book has no key of the bus yet; the database's error.
    pub(crate) async fn signing(&self, incarnation: &str) -> Result<Signing, BookError> {
        let secrets = answered(self.vault.secrets().bus()).await?;
        Ok(Signing::of(incarnation, &secrets))
    }

    /// At most `limit` events after `position`, in order, and no more than [`PAGE_BYTES_MAX`]. Fewer
    /// than `limit` do not say that the book ends there; none does.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn after(&self, position: i64, limit: i64) -> Result<Vec<Recorded<String>>, BookError> {
        self.opened(self.sealed_after(position, limit).await?).await
    }

    /// As [`Tail::after`], with sealed fields left as they are stored.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn sealed_after(&self, position: i64, limit: i64) -> Result<Vec<Recorded<String>>, BookError> {
        let fitting = self.fitting.load(Ordering::Relaxed);
        let asked = limit.min(fitting);
        let reading = sqlx::query(weighed!(
            "position",
            "",
            "book.events where position > $1 order by position limit $3",
            "bytes <= $2 or position = $1 + 1"
        ))
        .bind(position)
        .bind(PAGE_BYTES_MAX as i64)
        .bind(asked)
        .fetch_all(&self.pool);
        self.weighed(fitting, asked, reading).await
    }

    /// The events that such a statement finds; how much they weigh says how many to ask for next time.
    async fn weighed(
        &self,
        fitting: i64,
        asked: i64,
        reading: impl Future<Output = Result<Vec<PgRow>, sqlx::Error>>,
    ) -> Result<Vec<Recorded<String>>, BookError> {
        let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
        let bytes: i64 = rows.last().map_or(Ok(0), |row| row.try_get("bytes"))?;
        self.fitting.store(
            next_fitting(fitting, asked, rows.len() as i64, bytes),
            Ordering::Relaxed,
        );
        rows.iter().map(recorded).collect()
    }

    /// The events at the first of these positions, in the order of `positions`: as many as weigh no more than
    /// [`PAGE_BYTES_MAX`], and at least the first whatever it weighs. The caller asks again for the rest.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn at(&self, positions: &[i64]) -> Result<Vec<Recorded<String>>, BookError> {
        let fitting = self.fitting.load(Ordering::Relaxed);
        let asked = positions.len().min(usize::try_from(fitting).unwrap_or(usize::MAX));
        let reading = sqlx::query(weighed!(
            "ord",
            ", ord",
            "unnest($1::bigint[]) with ordinality p(at, ord) join book.events on position = p.at order by ord",
            "bytes <= $2 or ord = 1"
        ))
        .bind(&positions[..asked])
        .bind(PAGE_BYTES_MAX as i64)
        .fetch_all(&self.pool);
        self.opened(self.weighed(fitting, asked as i64, reading).await?).await
    }

    /// Events of one stream after a sequence and up to a position, in order: at most
    /// [`STREAM_EVENTS_MAX`], which weigh no more than [`PAGE_BYTES_MAX`] unless it is one alone. None when
    /// there are no more.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn stream(
        &self,
        aggregate_type: &str,
        id: Uuid,
        after: i64,
        until: i64,
    ) -> Result<Vec<Recorded<String>>, BookError> {
        let fitting = self.fitting.load(Ordering::Relaxed);
        let asked = STREAM_EVENTS_MAX.min(fitting);
        let reading = sqlx::query(weighed!(
            "sequence",
            "",
            "book.events where aggregate_type = $3 and aggregate_id = $4 and sequence > $1 and position <= $5
             order by sequence limit $6",
            "bytes <= $2 or sequence = $1 + 1"
        ))
        .bind(after)
        .bind(PAGE_BYTES_MAX as i64)
        .bind(aggregate_type)
        .bind(id.to_string())
        .bind(until)
        .bind(asked)
        .fetch_all(&self.pool);
        self.opened(self.weighed(fitting, asked, reading).await?).await
    }

    /// The first event of a stream; `None` when it has none.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn first(&self, aggregate_type: &str, id: Uuid) -> Result<Option<Recorded<String>>, BookError> {
        let reading = sqlx::query(select_events!(
            "where aggregate_type = $1 and aggregate_id = $2 and sequence = 1"
        ))
        .bind(aggregate_type)
        .bind(id.to_string())
        .fetch_optional(&self.pool);
        let row = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
        let first = row.iter().map(recorded).collect::<Result<_, _>>()?;
        Ok(self.opened(first).await?.pop())
    }

    /// Events of these kinds of streams after `position` and up to `end`, in order and as they are stored, and how far
    /// the book was looked through for them. At most `limit`, which weigh no more than [`PAGE_BYTES_MAX`] but for
    /// the last of them.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn of_types(&self, position: i64, end: i64, types: &[String], limit: i64) -> Result<Stretch, BookError> {
        let end = end.min(position + SCAN_EVENTS_MAX);
        if end <= position {
            return Ok(Stretch {
                events: Vec::new(),
                to: position,
            });
        }
        let fitting = self.fitting_of_types.load(Ordering::Relaxed);
        let asked = limit.min(fitting);
        // An event is left out when those before it weigh too much: so what came tells whether any was.
        let reading = sqlx::query(
            "select f.last, e.* from (select book.last_position() as last) f left join (
                 select e.*, coalesce(sum(octet_length(payload) + octet_length(metadata))
                     over (order by position rows between unbounded preceding and 1 preceding), 0) as bytes_before
                 from (
                     select position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type,
                            event_version, payload::text as payload, metadata::text as metadata, recorded_at
                     from book.events where position > $1 and position <= $2 and aggregate_type = any($3)
                     order by position limit $4
                 ) e
             ) e on e.bytes_before <= $5
             order by e.position",
        )
        .bind(position)
        .bind(end)
        .bind(types)
        .bind(asked)
        .bind(PAGE_BYTES_MAX as i64)
        .fetch_all(&self.pool);
        let mut rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
        // What was not there for this very question was not looked at, whoever knows of it: the database may have been
        // restored, or another server may have taken its place.
        let seen: i64 = rows.first().map_or(Ok(0), |row| row.try_get("last"))?;
        let end = end.min(seen).max(position);
        rows.retain(|row| {
            row.try_get::<Option<i64>, _>("position")
                .is_ok_and(|position| position.is_some())
        });
        let bytes = rows.last().map_or(Ok(0), weight)?;
        let came = rows.len() as i64;
        self.fitting_of_types
            .store(next_fitting(fitting, asked, came, bytes), Ordering::Relaxed);
        let events: Vec<Recorded<String>> = rows.iter().map(recorded).collect::<Result<_, _>>()?;
        let to = match events.last() {
            Some(last) if came == asked || bytes > PAGE_BYTES_MAX as i64 => last.position,
            Some(_) | None => end,
        };
        Ok(Stretch { events, to })
    }

    /// The last position of the book; 0 when it is empty.
    ///
    /// # Errors
    /// The database's error.
    pub async fn end(&self) -> Result<i64, BookError> {
        let asking = sqlx::query_scalar("select book.last_position()").fetch_one(&self.pool);
        answered(async { Ok(asking.await?) }).await
    }

    /// Opens the sealed fields of events that came from elsewhere, the bus for one. What does not open is
    /// no error here, so that it concerns nobody but who needs it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn opened(&self, mut events: Vec<Recorded<String>>) -> Result<Vec<Recorded<String>>, BookError> {
        let sealed = events
            .iter()
            .flat_map(|recorded| recorded.metadata.sealed.values().copied());
        answered(self.vault.learn(sealed.collect::<Vec<_>>())).await?;
        for recorded in &mut events {
            if recorded.metadata.sealed.is_empty() {
                continue;
            }
            let Ok(mut payload) = serde_json::from_str::<Value>(&recorded.event) else {
                recorded.metadata.unopened = recorded.metadata.sealed.keys().cloned().collect();
                continue;
            };
            let opening = self
                .vault
                .open(recorded.event_id, &mut payload, &recorded.metadata.sealed);
            recorded.metadata.unopened.extend(answered(opening).await?.unopened);
            recorded.event = payload.to_string();
        }
        Ok(events)
    }

    /// The same events with their texts opened, for a person: nobody else needs them. Struck ones are null.
    ///
    /// # Errors
    /// The database's error.
    pub async fn with_texts(&self, mut events: Vec<Recorded<String>>) -> Result<Vec<Recorded<String>>, BookError> {
        answered(texts::open_events(&self.pool, &self.vault, &mut events)).await?;
        Ok(events)
    }

    /// Opens the texts in what a person of this tenant is about to be shown, see [`Place`].
    ///
    /// # Errors
    /// The database's error.
    pub async fn open_texts(&self, tenant: Uuid, places: &mut [Place<'_>]) -> Result<(), BookError> {
        answered(texts::open(&self.pool, &self.vault, tenant, places)).await
    }
}

/// How many events to ask for at most from now on, after so many were asked for and came.
fn next_fitting(fitting: i64, asked: i64, came: i64, bytes: i64) -> i64 {
    let cut = came < asked && bytes + EVENT_BYTES_MAX as i64 > PAGE_BYTES_MAX as i64;
    let next = if cut {
        came * 2
    } else if asked == fitting && came == asked {
        fitting * 2
    } else {
        fitting
    };
    next.clamp(1, PAGE_EVENTS_MAX)
}

/// What a row and all before it weigh, in bytes.
fn weight(last: &PgRow) -> Result<i64, sqlx::Error> {
    let (payload, metadata): (&str, &str) = (last.try_get("payload")?, last.try_get("metadata")?);
    Ok(last.try_get::<i64, _>("bytes_before")? + (payload.len() + metadata.len()) as i64)
}

/// What stands in for metadata, or the name of a stream, that cannot be read: nobody decodes such an event, and
/// nothing is made of it but a parked stream or a missed reaction. Its neighbours are read as ever.
fn unreadable(tenant_id: Uuid) -> domain::Metadata {
    domain::Metadata {
        tenant_id,
        unopened: vec![domain::event::UNREADABLE_METADATA.to_owned()],
        ..domain::Metadata::default()
    }
}

fn recorded(row: &PgRow) -> Result<Recorded<String>, BookError> {
    let stream: &str = row.try_get("aggregate_id")?;
    let tenant_id = row.try_get("tenant_id")?;
    let mut metadata = serde_json::from_str(row.try_get("metadata")?).unwrap_or_else(|_| unreadable(tenant_id));
    let event_id: Uuid = row.try_get("event_id")?;
    let stream = stream.parse().unwrap_or_else(|_| {
        metadata = unreadable(tenant_id);
        // A name of its own, so that two such streams are not one.
        Uuid::new_v5(&event_id, stream.as_bytes())
    });
    let recorded_at = row.try_get("recorded_at")?;
    Ok(Recorded {
        position: row.try_get("position")?,
        event_id,
        tenant_id,
        aggregate_type: row.try_get("aggregate_type")?,
        stream,
        sequence: row.try_get("sequence")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        at: metadata.occurred_at.unwrap_or(recorded_at),
        recorded_at,
        metadata,
        event: row.try_get("payload")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_events_are_asked_for_in_small_numbers_until_small_ones_come_again() {
        let full = PAGE_BYTES_MAX as i64;
        assert_eq!(next_fitting(PAGE_EVENTS_MAX, 1_000, 32, full), 64);
        assert_eq!(next_fitting(64, 64, 32, full), 64);
        assert_eq!(next_fitting(64, 64, 64, 10_000), 128);
        // What the caller or the end of the book bounds says nothing of sizes.
        assert_eq!(next_fitting(64, 1, 1, 100), 64);
        assert_eq!(next_fitting(64, 64, 3, 100), 64);
        assert_eq!(
            next_fitting(PAGE_EVENTS_MAX, PAGE_EVENTS_MAX, PAGE_EVENTS_MAX, 100),
            PAGE_EVENTS_MAX
        );
    }
}
