//! History: which event put each value into a row, by folding the row's events again.

use std::collections::BTreeMap;

use book::{Pools, Tail};
use chrono::{DateTime, Utc};
use domain::Recorded;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::context::Context;
use crate::error::PostError;
use crate::fold::Unfolded;
use crate::projection::Retelling;
use crate::sql;

/// Events of a row that are read at once.
const EVENTS_MAX: usize = 1_000;

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

/// Everything that happened to a row of the live generation, in order. `None` when the context has no
/// such table or the key is none of it; empty when there never was such a row.
///
/// # Errors
/// The database's error, or an event that cannot be folded any more.
pub async fn history(
    pools: &Pools,
    tail: &Tail,
    context: &'static Context,
    table: &str,
    tenant_id: Uuid,
    key: &str,
) -> Result<Option<Vec<RowChange>>, PostError> {
    let mut before = None;
    let mut changes = Vec::new();
    let row = Row { table, tenant_id, key };
    let retold = retell(pools, tail, context, &row, i64::MAX, |recorded, after| {
        let columns = changed(before.as_ref(), after.as_ref());
        if !columns.is_empty() {
            changes.push(RowChange {
                position: recorded.position,
                event_id: recorded.event_id,
                at: recorded.at,
                by: recorded.metadata.actor,
                aggregate_type: recorded.aggregate_type.clone(),
                stream: recorded.stream,
                event_type: recorded.event_type.clone(),
                reason: recorded.metadata.reason.clone(),
                exists: after.is_some(),
                columns,
            });
        }
        before = after;
    });
    Ok(retold.await?.map(|()| changes))
}

/// The row as it was when the book had been posted up to `position`; `None` when there was none.
///
/// # Errors
/// As [`history`].
pub async fn row_at(
    pools: &Pools,
    tail: &Tail,
    context: &'static Context,
    table: &str,
    tenant_id: Uuid,
    key: &str,
    position: i64,
) -> Result<Option<Map<String, Value>>, PostError> {
    let mut row = None;
    retell(
        pools,
        tail,
        context,
        &Row { table, tenant_id, key },
        position,
        |_, after| row = after,
    )
    .await?;
    Ok(row)
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
        let recorded_at: DateTime<Utc> = sqlx::query_scalar("select recorded_at from book.events where position = $1")
            .bind(middle)
            .fetch_one(tail.pool())
            .await?;
        if recorded_at <= time {
            before = middle
        } else {
            after = middle
        }
    }
    Ok(before)
}

struct Row<'a> {
    table: &'a str,
    tenant_id: Uuid,
    key: &'a str,
}

/// Folds a row's events up to a position, telling each with the row after it.
async fn retell(
    pools: &Pools,
    tail: &Tail,
    context: &'static Context,
    row: &Row<'_>,
    until: i64,
    mut tell: impl FnMut(&Recorded<String>, Option<Map<String, Value>>),
) -> Result<Option<()>, PostError> {
    if let Some(audit) = context.audit.filter(|audit| audit.table().name == row.table) {
        // Such a row came with one event, and never changed.
        let mut connection = pools.projector.acquire().await?;
        let found = audit.find(&mut connection, context.name, row.key).await?;
        if let Some(found) = found.filter(|found| found.tenant_id == row.tenant_id && found.position <= until) {
            for recorded in tail.at(&[found.position]).await? {
                tell(&recorded, Some(found.row.clone()));
            }
        }
        return Ok(Some(()));
    }
    let Some(projection) = context.projection(row.table) else {
        return Ok(None);
    };
    let Some(mut retelling) = projection.retell(row.key) else {
        return Ok(None);
    };
    let positions: Vec<i64> = sqlx::query_scalar(&format!(
        "select position from {} where table_name = $1 and key = $2 and tenant_id = $3 and position <= $4 order by position",
        sql::name(context.name, sql::CHANGES)
    ))
    .bind(row.table)
    .bind(row.key)
    .bind(row.tenant_id)
    .bind(until)
    .fetch_all(&pools.projector)
    .await?;
    for some in positions.chunks(EVENTS_MAX) {
        for recorded in tail.at(some).await? {
            let after = fold(context, retelling.as_mut(), &recorded, row)?;
            tell(&recorded, after);
        }
    }
    Ok(Some(()))
}

fn fold(
    context: &Context,
    retelling: &mut dyn Retelling,
    recorded: &Recorded<String>,
    row: &Row<'_>,
) -> Result<Option<Map<String, Value>>, PostError> {
    let position = recorded.position;
    let decoded = context.decode(recorded);
    let decoded = decoded.map_err(|error| PostError::Unreadable {
        position,
        error: error.to_string(),
    })?;
    let Some(event) = decoded else { return Ok(None) };
    let table = context.table(row.table).map_or("", |table| table.name);
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
