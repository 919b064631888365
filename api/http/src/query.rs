//! `GET /v1/{context}/{table}` and what lies below: rows, one row, a row in the past, its history.

pub mod changed;
pub mod cursor;
pub mod filter;
pub mod named;
pub mod order;
pub mod past;
pub mod read;
pub mod sql;
pub mod streams;
pub mod texts;
pub mod value;

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::entry::{escaped, unescaped};
use projections::Context;
use projections::table::{Scope, Table};
use sqlx::Row as _;

use crate::app::App;
use crate::auth::principal::ALL_DEPARTMENTS;
use crate::auth::{By, Principal};
use crate::context::Contexts;
use crate::extract::{self, POSITION, Parameters, Path};
use crate::problem::Problem;
use cursor::Cursor;
use filter::Query;
use read::{Plan, Read};
use sql::Reader;
use value::Value;

/// How long a read waits for a position to be posted, in seconds.
pub const POSTED_SECONDS_MAX: u64 = 5;

/// The permission that reading a table needs.
#[must_use]
pub fn may_read(table: &Table) -> String {
    format!("{}.{}.read", table.context, table.name)
}

/// The permission that seeing its masked columns needs.
#[must_use]
pub fn sees_masked(table: &Table) -> String {
    format!("{}.{}.unmasked", table.context, table.name)
}

/// A table that is being read, with its context.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    pub context: &'static Context,
    pub table: &'static Table,
}

impl Source {
    /// The table that a URL means.
    ///
    /// # Errors
    /// 404 that lists those that there are.
    pub fn of(contexts: &Contexts, context: &str, name: &str) -> Result<Self, Problem> {
        let Some(context) = contexts.tables_of(context) else {
            let known = contexts.tables();
            return Err(Problem::not_found(format!("context {context:?} with tables"))
                .allowed(known.map(|context| context.name)));
        };
        // `part-variants` takes commands and `part_variants` is their table: the URL takes both.
        let name = &name.replace('-', "_");
        let names = context.all_tables().map(|table| table.name);
        context
            .table(name)
            .map(|table| Self { context, table })
            .ok_or_else(|| Problem::not_found(format!("table {name:?} in {}", context.name)).allowed(names))
    }

    /// The principal as a reader of it.
    ///
    /// # Errors
    /// 403 when they may not read it at all.
    pub fn reader(&self, by: &Principal) -> Result<Reader, Problem> {
        by.require_unbound()?;
        by.require(&may_read(self.table))?;
        if matches!(self.table.scope, Scope::Whole) {
            by.require(ALL_DEPARTMENTS)?;
        }
        Ok(self.reader_of(by))
    }

    /// As [`Source::reader`], of somebody who may read it for another reason.
    fn reader_of(&self, by: &Principal) -> Reader {
        Reader {
            tenant: by.tenant,
            context: self.context,
            departments: (!by.sees_all_departments()).then(|| by.departments.clone()),
            unmasked: self.table.masked.is_empty() || by.permits(&sees_masked(self.table)),
        }
    }

    /// The values of a key as it stands in the URL; those of several columns are parted by slashes.
    ///
    /// # Errors
    /// 400, naming the column.
    pub fn key(&self, text: &str) -> Result<Vec<Value>, Problem> {
        let count = self.table.key.len();
        let parts: Option<Vec<Cow<'_, str>>> = match self.table.escapes_key() {
            true => text.split('/').map(unescaped).collect(),
            false => Some(text.splitn(count, '/').map(Cow::Borrowed).collect()),
        };
        let Some(parts) = parts.filter(|parts| parts.len() == count) else {
            let detail = format!("the key of {} is {}", self.table.name, self.table.key.join("/"));
            return Err(Problem::bad_value("key", detail));
        };
        let columns = self.table.key.iter().filter_map(|name| self.table.column(name));
        columns
            .zip(parts)
            .map(|(column, part)| Value::parse(column, &part))
            .collect()
    }

    /// The key of these values as histories have it.
    pub(crate) fn key_text(&self, values: &[Value]) -> String {
        let parts = values.iter().map(Value::text);
        match self.table.escapes_key() {
            true => parts
                .map(|part| escaped(&part).into_owned())
                .collect::<Vec<_>>()
                .join("/"),
            false => parts.collect::<Vec<_>>().join("/"),
        }
    }
}

/// A page of rows.
///
/// # Errors
/// [`Problem`].
pub async fn list(
    State(app): State<App>,
    by: By,
    Path((context, name)): Path<(String, String)>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let source = Source::of(&app.contexts, &context, &name)?;
    let reader = source.reader(&by)?;
    let after = extract::after(&app, &headers, &mut parameters).await?;
    app.unmark(&mut parameters)?;
    let query = Query::parse(source.table, parameters)?;
    if !reader.unmasked && query.asked_by().any(|column| source.table.masked.contains(&column)) {
        // A reader who may filter by what they cannot see, can see it.
        return Err(by.missing("this", &sees_masked(source.table)));
    }

    if let Some(since) = query.changed.clone() {
        return changed::list(&app, &by, source, reader, query, since, after).await;
    }
    let limit = usize::try_from(query.limit).unwrap_or_default();
    let (order, shows) = (query.order.to_string(), streams::told(&app, source, query.streams));
    let plan = Plan::OfValues.of_page(query.limit);
    let read = read::rows(&app, source.context, by.bearer, after, plan, move || {
        sql::page(source.table, &query, shows, &reader)
    })
    .await?;
    let mut rows = texts::rows(&app, by.tenant, source.table, &read.rows).await?;
    streams::add(shows, &read.rows, &mut rows)?;
    let json = rows_and_next(&read, &rows, limit, |place| app.marked(Cursor::write(&order, place)))?;
    Ok(answer(json, read.posted))
}

/// A page as JSON, from the rows of a statement that asked for one more, each as JSON text, and its `place` in the order.
fn rows_and_next(
    read: &Read,
    rows: &[Cow<'_, str>],
    limit: usize,
    cursor: impl FnOnce(Vec<Option<String>>) -> String,
) -> Result<String, sqlx::Error> {
    let mut json = String::from("{\"rows\":[");
    let shown = &read.rows[..read.rows.len().min(limit)];
    for (index, row) in rows.iter().take(limit).enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(row);
    }
    json.push_str("],\"next\":");
    let has_more = read.is_cut || read.rows.len() > limit;
    match shown.last().filter(|_| has_more) {
        Some(last) => json.push_str(&serde_json::Value::from(cursor(last.try_get("place")?)).to_string()),
        None => json.push_str("null"),
    }
    json.push('}');
    Ok(json)
}

/// One row: as it stands, or with `?at=` as it stood.
///
/// # Errors
/// [`Problem`].
pub async fn row(
    State(app): State<App>,
    by: By,
    Path((context, name, key)): Path<(String, String, String)>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let source = Source::of(&app.contexts, &context, &name)?;
    let reader = source.reader(&by)?;
    let values = source.key(&key)?;
    let key = source.key_text(&values);
    let after = extract::after(&app, &headers, &mut parameters).await?;
    let (columns, is_told) = filter::columns(source.table, parameters.take("select")?)?;
    let at = parameters.take("at")?;
    parameters.finish(["select", "at", "Daybook-After"])?;
    if let Some(at) = at {
        let past = past::Past {
            columns: &columns,
            at: &at,
            after,
        };
        return past::row_at(&app, &by, source, &reader, &key, past).await;
    }
    let shows = streams::told(&app, source, is_told);
    let read = read::rows(&app, source.context, by.bearer, after, Plan::OfValues, move || {
        sql::row(source.table, &columns, &values, shows, &reader)
    })
    .await?;
    let mut rows = texts::rows(&app, by.tenant, source.table, &read.rows).await?;
    let sequence = streams::add(shows, &read.rows, &mut rows)?;
    let row = rows.into_iter().next().ok_or_else(|| no_row(source, &key))?;
    let mut response = answer(row.into_owned(), read.posted);
    let etag = sequence.and_then(|sequence| HeaderValue::try_from(format!("\"{sequence}\"")).ok());
    response.headers_mut().extend(etag.map(|etag| (header::ETAG, etag)));
    Ok(response)
}

/// The answer to an address below a row's: `history`.
///
/// # Errors
/// [`Problem`].
pub async fn below(
    State(app): State<App>,
    by: By,
    Path((context, name, key, word)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    if word != "history" {
        return Err(Problem::not_found(format!("{word:?} of a row")).allowed(["history"]));
    }
    let source = Source::of(&app.contexts, &context, &name)?;
    let reader = source.reader(&by)?;
    let values = source.key(&key)?;
    let posted = extract::after(&app, &headers, &mut parameters).await?;
    app.unmark(&mut parameters)?;
    let page = past::Page::take(&app, &mut parameters).await?;
    parameters.finish(["limit", "after", "Daybook-After"])?;
    past::history(&app, &by, source, reader, values, page, posted).await
}

/// The same words for a row that does not exist and for one that is out of sight.
#[must_use]
pub fn no_row(source: Source, key: &str) -> Problem {
    Problem::not_found(format!("row {key} in {}.{}", source.table.context, source.table.name))
}

/// JSON with the position that it stands for, if that is known.
#[must_use]
pub fn answer(json: String, posted: i64) -> Response {
    let mut response = Body::from(json).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if posted > 0 {
        response.headers_mut().insert(POSITION, HeaderValue::from(posted));
    }
    response
}
