//! History: which event put each value into a row, by folding the row's events again.

use std::collections::BTreeMap;

use book::pools::answered;
use book::{BookError, Pools, Tail};
use chrono::{DateTime, Utc};
use domain::Recorded;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::context::Context;
use crate::error::{PostError, caught};
use crate::fold::Unfolded;
use crate::projection::Retelling;
use crate::sql;

/// Changes of a row that are looked up at once.
const CHANGES_MAX: i64 = 1_000;
/// Bytes of changes that are told at once, as JSON; the first is told whatever it weighs.
pub const TOLD_BYTES_MAX: usize = 1 << 20;

/// What one event changed in a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowChange {
    pub position: i64,
    pub event_id: Uuid,
    pub at: DateTime<Utc>,
    /// The user who asked for it, or [`domain::SYSTEM`].
    pub by: Uuid,
    pub aggregate_type: String,
    pub stream: Uuid,
    pub event_type: String,
    /// When it happened, where that was before: history that was brought in.
    pub occurred_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    /// Whether the row is there after the event.
    pub exists: bool,
    /// The columns that it changed.
    pub columns: BTreeMap<String, CellChange>,
}

/// A column's value before and after an event; null where there was, or is, no row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    pub old: Value,
    pub new: Value,
}

/// A part of a row's history.
#[derive(Debug, Default)]
pub struct Page {
    /// In order of position.
    pub changes: Vec<RowChange>,
    /// The position of the last of them, when there may be more behind it.
    pub next: Option<i64>,
    /// Whether there ever was such a row, by then.
    pub exists: bool,
    /// The checkpoint that all this was told at.
    pub posted: i64,
}

/// Which row is meant.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a> {
    pub context: &'static Context,
    pub table: &'a str,
    pub tenant_id: Uuid,
    pub key: &'a str,
}

/// What happened to a row of the live generation after position `after`: at most `limit` changes, and no more
/// than [`TOLD_BYTES_MAX`]. The row's earlier events are folded again for it, a few at a time.
///
/// # Errors
/// The database's error, or an event that cannot be folded any more.
pub async fn page(pools: &Pools, tail: &Tail, row: RowRef<'_>, after: i64, limit: usize) -> Result<Page, PostError> {
    let (mut page, mut before, mut bytes) = (Page::default(), None, 0);
    page.posted = retell(pools, tail, row, i64::MAX, |recorded, now| {
        page.exists = true;
        let columns = changed(before.as_ref(), now.as_ref());
        let (is_told, exists) = (recorded.position > after && !columns.is_empty(), now.is_some());
        before = now;
        if !is_told {
            return Go::On;
        }
        let change = RowChange {
            position: recorded.position,
            event_id: recorded.event_id,
            at: recorded.at,
            by: recorded.metadata.actor,
            aggregate_type: recorded.aggregate_type.clone(),
            stream: recorded.stream,
            event_type: recorded.event_type.clone(),
            occurred_at: recorded.metadata.occurred_at,
            reason: recorded.metadata.reason.clone(),
            exists,
            columns,
        };
        bytes += serde_json::to_string(&change).map_or(0, |json| json.len());
        let is_full = page.changes.len() >= limit || (bytes > TOLD_BYTES_MAX && !page.changes.is_empty());
        if is_full {
            page.next = page.changes.last().map(|last| last.position);
            return Go::Enough;
        }
        page.changes.push(change);
        Go::On
    })
    .await?;
    Ok(page)
}

/// The row as it was when the book had been posted up to `until`, and the checkpoint that this was told at;
/// `None` when there was none.
///
/// # Errors
/// As [`page`].
pub async fn row_at(
    pools: &Pools,
    tail: &Tail,
    row: RowRef<'_>,
    until: i64,
) -> Result<(Option<Map<String, Value>>, i64), PostError> {
    let mut found = None;
    let posted = retell(pools, tail, row, until, |_, now| {
        found = now;
        Go::On
    })
    .await?;
    Ok((found, posted))
}

/// The row as it is, or as it was when it went; `None` when there never was such a row.
///
/// # Errors
/// As [`page`].
pub async fn last_seen(pools: &Pools, tail: &Tail, row: RowRef<'_>) -> Result<Option<Map<String, Value>>, PostError> {
    let mut last = None;
    retell(pools, tail, row, i64::MAX, |_, now| {
        last = now.or(last.take());
        Go::On
    })
    .await?;
    Ok(last)
}

/// The last position that was recorded at `time` or before; 0 when the book began later. The book's
/// time never goes backwards and positions have no gaps, so halving finds it without an index.
///
/// # Errors
/// The database's error.
pub async fn position_at(tail: &Tail, time: DateTime<Utc>) -> Result<i64, PostError> {
    let (mut before, mut after) = (0, tail.end().await? + 1);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let asking = sqlx::query_scalar("select recorded_at from book.events where position = $1")
            .bind(middle)
            .fetch_one(tail.pool());
        let recorded_at: DateTime<Utc> = answered(async { Ok::<_, PostError>(asking.await?) }).await?;
        if recorded_at <= time {
            before = middle
        } else {
            after = middle
        }
    }
    Ok(before)
}

/// Whether whoever is told wants to hear more.
enum Go {
    On,
    Enough,
}

/// Folds a row's events up to a position, telling each with the row after it, until that is enough. Answers the
/// earliest checkpoint that any of them were looked up at.
async fn retell(
    pools: &Pools,
    tail: &Tail,
    row: RowRef<'_>,
    until: i64,
    mut tell: impl FnMut(&Recorded<String>, Option<Map<String, Value>>) -> Go,
) -> Result<i64, PostError> {
    let context = row.context;
    if let Some(audit) = context.audit.filter(|audit| audit.table().name == row.table) {
        // Such a row came with one event, and never changed.
        let mut connection = pools.projector.acquire().await?;
        let (posted, _) = positions(&mut connection, row, 0, 0).await?;
        let found = audit.find(&mut connection, context.name, row.key).await?;
        if let Some(found) = found.filter(|found| found.tenant_id == row.tenant_id && found.position <= until) {
            for recorded in tail.at(&[found.position]).await? {
                tell(&recorded, Some(found.row.clone()));
            }
        }
        return Ok(posted);
    }
    let retelling = context
        .projection(row.table)
        .and_then(|projection| projection.retell(row.key));
    let Some(mut retelling) = retelling else {
        let mut connection = pools.projector.acquire().await?;
        return Ok(positions(&mut connection, row, 0, 0).await?.0);
    };
    let (mut checkpoint, mut told) = (i64::MAX, 0);
    loop {
        let mut connection = pools.projector.acquire().await?;
        let (posted, touched) = positions(&mut connection, row, told, until).await?;
        drop(connection);
        checkpoint = checkpoint.min(posted);
        let mut rest = touched.as_slice();
        while !rest.is_empty() {
            let some = tail.at(rest).await?;
            let Some(last) = some.last() else {
                return Err(BookError::Broken(format!("a change of {}/{} has no event", row.table, row.key)).into());
            };
            told = last.position;
            rest = &rest[some.len()..];
            for recorded in some {
                let after = caught(|| fold(retelling.as_mut(), &recorded, row))??;
                if let Go::Enough = tell(&recorded, after) {
                    return Ok(checkpoint);
                }
            }
        }
        if i64::try_from(touched.len()).is_ok_and(|touched| touched < CHANGES_MAX) {
            return Ok(checkpoint);
        }
    }
}

/// The checkpoint, and the positions of the next events that touched a row, as one statement sees both.
async fn positions(
    connection: &mut PgConnection,
    row: RowRef<'_>,
    after: i64,
    until: i64,
) -> Result<(i64, Vec<i64>), sqlx::Error> {
    sqlx::query_as(&format!(
        "select book.posted($1), array(
             select position from {} where table_name = $2 and key = $3 and tenant_id = $4
                 and position > $5 and position <= $6 order by position limit $7)",
        sql::name(row.context.name, sql::CHANGES)
    ))
    .bind(row.context.name)
    .bind(row.table)
    .bind(row.key)
    .bind(row.tenant_id)
    .bind(after)
    .bind(until)
    .bind(CHANGES_MAX)
    .fetch_one(connection)
    .await
}

fn fold(
    retelling: &mut dyn Retelling,
    recorded: &Recorded<String>,
    row: RowRef<'_>,
) -> Result<Option<Map<String, Value>>, PostError> {
    let position = recorded.position;
    let decoded = row.context.decode(recorded);
    let decoded = decoded.map_err(|error| PostError::Unreadable {
        position,
        error: error.to_string(),
    })?;
    let Some(event) = decoded else { return Ok(None) };
    let table = row.context.table(row.table).map_or("", |table| table.name);
    retelling.after(&recorded.clone().map(|_| event)).map_err(|source| {
        PostError::Fold(Unfolded {
            position,
            table,
            key: row.key.to_owned(),
            source,
        })
    })
}

fn changed(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> BTreeMap<String, CellChange> {
    let value = |row: Option<&Map<String, Value>>, column: &str| {
        row.and_then(|row| row.get(column)).cloned().unwrap_or(Value::Null)
    };
    let columns = before.or(after).into_iter().flat_map(Map::keys);
    columns
        .map(|column| {
            (
                column.clone(),
                CellChange {
                    old: value(before, column),
                    new: value(after, column),
                },
            )
        })
        // A row that comes or goes changes all of its columns, null ones too.
        .filter(|(_, cell)| before.is_none() || after.is_none() || cell.old != cell.new)
        .collect()
}
