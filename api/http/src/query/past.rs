//! Rows as they were: folded again from the events that touched them.

use axum::response::Response;
use book::texts::Place;
use domain::exact;
use futures::future::BoxFuture;
use projections::table::{Column, Scope, Table};
use projections::{Context, PostError, history};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::read::{self, Plan};
use super::sql::{self, Reader};
use super::{Source, answer, no_row, value};
use crate::app::App;
use crate::auth::Principal;
use crate::extract::{self, Parameters};
use crate::moment::Moment;
use crate::problem::Problem;

type Row = Map<String, Value>;

/// Changes of one page of a row's history, unless asked otherwise and at most.
pub const PAGE_CHANGES: i64 = 50;
pub const PAGE_CHANGES_MAX: i64 = 500;

/// Which part of a row's history is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Only what happened after this position.
    after: i64,
    limit: usize,
}

impl Page {
    /// # Errors
    /// 400, naming the parameter; 422 when it goes on after a position that the book has not reached.
    pub async fn take(app: &App, parameters: &mut Parameters) -> Result<Self, Problem> {
        let limit = parameters.limit(PAGE_CHANGES, PAGE_CHANGES_MAX)?;
        let after = parameters.take("after")?;
        let after = after.map_or(Ok(0), |text| extract::position("after", &text))?;
        app.reached("after", after).await?;
        let limit = usize::try_from(limit).unwrap_or_default();
        Ok(Self { after, limit })
    }
}

/// A question about a row as it was.
#[derive(Debug)]
pub struct Past<'a> {
    pub columns: &'a [&'static Column],
    /// A position or a time.
    pub at: &'a str,
    /// The position that must have been posted besides.
    pub after: Option<i64>,
}

/// The row as it stood at a position or time.
///
/// # Errors
/// 404 when there was none, or none that the principal may see.
pub async fn row_at(
    app: &App,
    by: &Principal,
    source: Source,
    reader: &Reader,
    key: &str,
    past: Past<'_>,
) -> Result<Response, Problem> {
    let position = Moment::parse("at", past.at)?.position(app, by.bearer(), "at").await?;
    // What is not posted yet cannot be told.
    let wanted = past.after.map_or(position, |after| after.max(position));
    let read = || async move {
        let _turn = app.log_turn(by.bearer()).await?;
        let row = meant(source.context, source.table, by.tenant, key);
        Ok(history::row_at(&app.pools, &app.tail.clone(), row, position).await?)
    };
    let (row, _) = read::posted(app, source.context, Some(wanted), read).await?;
    let mut row = row.ok_or_else(|| no_row(source, key))?;
    let turn = app.log_turn(by.bearer()).await?;
    if !is_visible(app, by, source.table, &row).await? {
        return Err(no_row(source, key));
    }
    drop(turn);
    let mut texts: Vec<_> = super::texts::places(source.table, &mut row).collect();
    app.tail.open_texts(by.tenant, &mut texts).await?;
    let shown = past.columns.iter().map(|column| {
        let masked = !reader.unmasked && source.table.masked.contains(&column.name);
        let value = row.get(column.name).filter(|_| !masked).cloned().unwrap_or(Value::Null);
        (column.name.to_owned(), value)
    });
    Ok(answer(exact::text(&Value::Object(shown.collect())), position))
}

/// A part of what happened to a row, with the old and new values of the columns that each event changed.
///
/// # Errors
/// 404 when there never was such a row, or none that the principal may see.
pub async fn history(
    app: &App,
    by: &Principal,
    source: Source,
    reader: Reader,
    key: Vec<value::Value>,
    page: Page,
    posted: Option<i64>,
) -> Result<Response, Problem> {
    let (context, table, text) = (source.context, source.table, source.key_text(&key));
    let row = meant(context, table, by.tenant, &text);
    let read = || async move {
        let _turn = app.log_turn(by.bearer()).await?;
        let page = history::page(&app.pools, &app.tail.clone(), row, page.after, page.limit).await?;
        let posted = page.posted;
        Ok((page, posted))
    };
    let (mut history, posted) = read::posted(app, context, posted, read).await?;
    let unmasked = reader.unmasked;
    if !history.exists || !is_in_sight(app, by, source, reader, key).await? {
        return Err(no_row(source, &text));
    }
    if !unmasked {
        let masked = |column: &str| table.masked.contains(&column);
        for cell in history
            .changes
            .iter_mut()
            .flat_map(|change| &mut change.columns)
            .filter(|(column, _)| masked(column))
        {
            (cell.1.old, cell.1.new) = (Value::Null, Value::Null);
        }
    }
    let mut texts: Vec<Place<'_>> = Vec::new();
    for change in &mut history.changes {
        texts.push(Place::Words(&mut change.reason));
        let cells = change.columns.iter_mut();
        let cells = cells.filter(|(column, _)| table.texts.contains(&column.as_str()));
        texts.extend(cells.flat_map(|(_, cell)| [Place::Json(&mut cell.old), Place::Json(&mut cell.new)]));
    }
    app.tail.open_texts(by.tenant, &mut texts).await?;
    let json = json!({ "changes": history.changes, "next": history.next.map(|position| app.marked(position)) });
    Ok(answer(exact::text(&json), posted))
}

fn meant<'a>(context: &'static Context, table: &'static Table, tenant_id: Uuid, key: &'a str) -> history::RowRef<'a> {
    history::RowRef {
        context,
        table: table.name,
        tenant_id,
        key,
    }
}

/// Whether a row is in sight, or was when it went.
async fn is_in_sight(
    app: &App,
    by: &Principal,
    source: Source,
    reader: Reader,
    key: Vec<value::Value>,
) -> Result<bool, Problem> {
    if by.sees_all_departments() {
        return Ok(true);
    }
    let (table, text) = (source.table, source.key_text(&key));
    let columns: Vec<_> = table.key.iter().filter_map(|name| table.column(name)).collect();
    let there = read::rows(app, source.context, by.bearer(), None, Plan::OfValues, move || {
        sql::row(table, &columns, &key, None, &reader)
    });
    if !there.await?.rows.is_empty() {
        return Ok(true);
    }
    let _turn = app.log_turn(by.bearer()).await?;
    let row = meant(source.context, table, by.tenant, &text);
    match history::last_seen(&app.pools, &app.tail.clone(), row).await? {
        Some(row) => is_visible(app, by, table, &row).await,
        None => Ok(false),
    }
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
                let (Some(parent), Some(id)) = (app.contexts.table(table.context, parent), id(row, column)) else {
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

async fn folded(
    app: &App,
    table: &'static Table,
    tenant: Uuid,
    key: &str,
    position: i64,
) -> Result<Option<Row>, Problem> {
    let Some(context) = app.contexts.tables_of(table.context) else {
        return Ok(None);
    };
    let row = meant(context, table, tenant, key);
    Ok(history::row_at(&app.pools, &app.tail.clone(), row, position).await?.0)
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
