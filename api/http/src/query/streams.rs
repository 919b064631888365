//! Which stream a row shows, and at which sequence it was when the row was read: what `If-Match` needs, without another
//! request.

use std::borrow::Cow;

use domain::Aggregate;
use projections::Context;
use projections::table::{ColumnKind, Table};
use serde_json::json;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::Source;
use crate::app::App;
use crate::context::Contexts;

/// The field of a row that tells its stream; no column is called so.
pub const STREAM: &str = "@stream";

/// The kind of stream whose id is the key of the table's rows: one of the table's own context, or of the prelude, that says
/// that it is shown there. `None` where rows are parts of streams, or made of several.
#[must_use]
pub fn shown_in(contexts: &Contexts, context: &Context, table: &Table) -> Option<&'static Aggregate> {
    let [key] = table.posted_by() else { return None };
    table.column(key).filter(|column| column.kind == ColumnKind::Uuid)?;
    let is_it = |kind: &&'static Aggregate| {
        let name = kind
            .shown_in
            .map_or_else(|| kind.plural.replace('-', "_"), str::to_owned);
        let is_read = context.aggregate(kind.aggregate_type).is_some();
        is_read && kind.part.is_none() && name == table.name
    };
    // Its own context's come first.
    let own = |kind: &&'static Aggregate| kind.context() == table.context;
    let kinds = || contexts.decisions().aggregates().filter(is_it);
    kinds().find(own).or_else(|| kinds().next())
}

/// The kind of streams that rows tell of, if they do.
pub type Shows = Option<&'static Aggregate>;

/// As [`shown_in`], of rows that are to tell it.
pub fn told(app: &App, source: Source, is_told: bool) -> Shows {
    is_told
        .then(|| shown_in(&app.contexts, source.context, source.table))
        .flatten()
}

/// Adds to rows, each as JSON text, which stream each shows and the last sequence of it that the tables were posted to when the
/// rows were read. An event that leaves its row as it was counts, too; one that the row does not show yet does not, nor do those of
/// a stream that is parked: an If-Match from a row that is behind is refused. Answers the sequence of the last of them, too.
///
/// # Errors
/// When the rows were read without their streams.
pub fn add(shows: Shows, read: &[PgRow], rows: &mut [Cow<'_, str>]) -> Result<Option<i64>, sqlx::Error> {
    let Some(kind) = shows else { return Ok(None) };
    let mut last = None;
    for (text, row) in rows.iter_mut().zip(read) {
        let (id, sequence): (Option<Uuid>, Option<i64>) = (row.try_get("stream")?, row.try_get("sequence")?);
        let Some((id, sequence)) = id.zip(sequence) else {
            continue;
        };
        let stream = json!({ "type": kind.aggregate_type, "id": id, "sequence": sequence });
        // A row is an object with at least one column, unless nothing but this is selected.
        if let Some(columns) = text.strip_suffix('}') {
            let comma = if columns.ends_with('{') { "" } else { "," };
            *text = Cow::Owned(format!("{columns}{comma}\"{STREAM}\":{stream}}}"));
            last = Some(sequence);
        }
    }
    Ok(last)
}
