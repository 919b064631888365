//! Rows as they were: folded again from the events that touched them.

use std::collections::BTreeMap;

use axum::response::Response;
use futures::future::BoxFuture;
use projections::history::{self, RowChange};
use projections::table::{Column, Scope, Table};
use projections::{PostError, context};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::sql::Sight;
use super::{Source, answer, no_row};
use crate::app::App;
use crate::auth::Principal;
use crate::moment::Moment;
use crate::problem::Problem;

type Row = Map<String, Value>;

/// The row as it stood at a position or time.
///
/// # Errors
/// 404 when there was none, or none that the principal may see.
pub async fn row_at(
    app: &App,
    by: &Principal,
    source: Source,
    sight: &Sight,
    key: &str,
    columns: &[&'static Column],
    at: &str,
) -> Result<Response, Problem> {
    let position = Moment::parse("at", at)?.position(app).await?;
    // What is not posted yet cannot be told.
    source.wait(app, Some(position)).await?;
    let _turn = app.log_read().await?;
    let row = folded(app, source.table, by.tenant, key, position)
        .await?
        .ok_or_else(|| no_row(source, key))?;
    if !is_visible(app, by, source.table, &row).await? {
        return Err(no_row(source, key));
    }
    let shown = columns.iter().map(|column| {
        let masked = !sight.unmasked && source.table.masked.contains(&column.name);
        let value = row.get(column.name).filter(|_| !masked).cloned().unwrap_or(Value::Null);
        (column.name.to_owned(), value)
    });
    Ok(answer(Value::Object(shown.collect()).to_string(), position))
}

/// Everything that happened to a row, with the old and new values of the columns that each event changed.
///
/// # Errors
/// 404 when there never was such a row, or none that the principal may see.
pub async fn history(app: &App, by: &Principal, source: Source, sight: &Sight, key: &str) -> Result<Response, Problem> {
    let posted = app.posted.position(source.context);
    let (context, table) = (source.context, source.table);
    let _turn = app.log_read().await?;
    let changes = history::history(&app.pools, &app.tail, context, table.name, by.tenant, key).await?;
    let mut changes = changes.unwrap_or_default();
    if changes.is_empty() || !is_visible(app, by, table, &last_seen(&changes)).await? {
        return Err(no_row(source, key));
    }
    if !sight.unmasked {
        let masked = |column: &str| table.masked.contains(&column);
        for cell in changes
            .iter_mut()
            .flat_map(|change| &mut change.columns)
            .filter(|(column, _)| masked(column))
        {
            (cell.1.old, cell.1.new) = (Value::Null, Value::Null);
        }
    }
    Ok(answer(json!({ "changes": changes }).to_string(), posted))
}

/// The row after its last change, or before it when that took the row away.
fn last_seen(changes: &[RowChange]) -> Row {
    let mut row: BTreeMap<&String, &Value> = BTreeMap::new();
    for change in changes {
        row.extend(
            change
                .columns
                .iter()
                .map(|(column, cell)| (column, if change.exists { &cell.new } else { &cell.old })),
        );
    }
    row.into_iter()
        .map(|(column, value)| (column.clone(), value.clone()))
        .collect()
}

/// Whether a row lies in the principal's scope, by the row's own values, for it may be gone by now.
fn is_visible<'a>(
    app: &'a App,
    by: &'a Principal,
    table: &'static Table,
    row: &'a Row,
) -> BoxFuture<'a, Result<bool, Problem>> {
    Box::pin(async move {
        if by.sees_all_departments() {
            return Ok(true);
        }
        match table.scope {
            Scope::Tenant => Ok(true),
            Scope::Whole => Ok(false),
            Scope::Department(column) => match id(row, column) {
                Some(department) => app.principals.reaches(by, department).await,
                None => Ok(false),
            },
            Scope::Through { column, parent } => {
                let (Some(parent), Some(id)) = (super::table(table.context, parent), id(row, column)) else {
                    return Ok(false);
                };
                match folded(app, parent, by.tenant, &id.to_string(), i64::MAX).await? {
                    Some(above) => is_visible(app, by, parent, &above).await,
                    None => Ok(false),
                }
            }
        }
    })
}

fn id(row: &Row, column: &str) -> Option<Uuid> {
    row.get(column)?.as_str()?.parse().ok()
}

async fn folded(app: &App, table: &Table, tenant: Uuid, key: &str, position: i64) -> Result<Option<Row>, Problem> {
    let Some(context) = context(table.context) else {
        return Ok(None);
    };
    Ok(history::row_at(&app.pools, &app.tail, context, table.name, tenant, key, position).await?)
}

impl From<PostError> for Problem {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Sql { source, .. } | PostError::Database(source) => source.into(),
            PostError::Book(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
