//! Reads the book in order of position. Positions have no gaps, so `position > n` misses nothing.

use domain::Recorded;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::{BookError, Vault, facts};

/// Events read at once.
pub const PAGE_EVENTS_MAX: i64 = 50_000;

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

/// A reader of the book. Sealed fields come opened, or null once their person was erased.
#[derive(Debug, Clone)]
pub struct Tail {
    pool: PgPool,
    vault: Vault,
}

impl Tail {
    #[must_use]
    pub fn new(pool: PgPool, vault: Vault) -> Self {
        Self { pool, vault }
    }

    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// At most `limit` events after `position`, in order.
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
        let rows = sqlx::query(select_events!("where position > $1 order by position limit $2"))
            .bind(position)
            .bind(limit.min(PAGE_EVENTS_MAX))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(recorded).collect()
    }

    /// The events at these positions, in order of position.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn at(&self, positions: &[i64]) -> Result<Vec<Recorded<String>>, BookError> {
        let rows = sqlx::query(select_events!("where position = any($1) order by position"))
            .bind(positions)
            .fetch_all(&self.pool)
            .await?;
        self.opened(rows.iter().map(recorded).collect::<Result<_, _>>()?).await
    }

    /// The events of one stream from a position on, in order.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn stream(
        &self,
        aggregate_type: &str,
        id: Uuid,
        from_position: i64,
    ) -> Result<Vec<Recorded<String>>, BookError> {
        let rows = sqlx::query(select_events!(
            "where aggregate_type = $1 and aggregate_id = $2 and position >= $3 order by sequence"
        ))
        .bind(aggregate_type)
        .bind(id.to_string())
        .bind(from_position)
        .fetch_all(&self.pool)
        .await?;
        self.opened(rows.iter().map(recorded).collect::<Result<_, _>>()?).await
    }

    /// At most `limit` events of these kinds of streams after `position`, in order, and how far the
    /// book was looked through for them.
    ///
    /// # Errors
    /// The database's error, or a stored event that cannot be read.
    pub async fn of_types(&self, position: i64, types: &[&str], limit: i64) -> Result<Stretch, BookError> {
        let end = self.end().await?.min(position + SCAN_EVENTS_MAX);
        if end <= position {
            return Ok(Stretch {
                events: Vec::new(),
                to: position,
            });
        }
        let rows = sqlx::query(select_events!(
            "where position > $1 and position <= $2 and aggregate_type = any($3) order by position limit $4"
        ))
        .bind(position)
        .bind(end)
        .bind(types)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let events = self
            .opened(rows.iter().map(recorded).collect::<Result<_, _>>()?)
            .await?;
        let to = match events.last() {
            Some(last) if events.len() as i64 == limit => last.position,
            _ => end,
        };
        Ok(Stretch { events, to })
    }

    /// The last position of the book; 0 when it is empty.
    ///
    /// # Errors
    /// The database's error.
    pub async fn end(&self) -> Result<i64, BookError> {
        Ok(sqlx::query_scalar("select book.last_position()")
            .fetch_one(&self.pool)
            .await?)
    }

    /// Opens the sealed fields of events that came from elsewhere, the bus for one.
    ///
    /// # Errors
    /// The vault's error.
    pub async fn opened(&self, mut events: Vec<Recorded<String>>) -> Result<Vec<Recorded<String>>, BookError> {
        for recorded in &mut events {
            if !recorded.metadata.sealed.is_empty() {
                let payload = std::mem::take(&mut recorded.event);
                recorded.event = facts::opened(&self.vault, recorded.event_id, payload, &recorded.metadata).await?;
            }
        }
        Ok(events)
    }
}

fn recorded(row: &PgRow) -> Result<Recorded<String>, BookError> {
    let stream: &str = row.try_get("aggregate_id")?;
    let metadata: domain::Metadata = serde_json::from_str(row.try_get("metadata")?)?;
    let recorded_at = row.try_get("recorded_at")?;
    Ok(Recorded {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        tenant_id: row.try_get("tenant_id")?,
        aggregate_type: row.try_get("aggregate_type")?,
        stream: stream
            .parse()
            .map_err(|_| BookError::Broken(format!("a stream is called {stream}, which is no uuid")))?,
        sequence: row.try_get("sequence")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        at: metadata.occurred_at.unwrap_or(recorded_at),
        recorded_at,
        metadata,
        event: row.try_get("payload")?,
    })
}
