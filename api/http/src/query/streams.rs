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
use crate::problem::Problem;

/// The field of a row that tells its stream; no column is called so.
pub const STREAM: &str = "@stream";

/// The kind of stream whose id is the key of the table's rows: one of the table's own context, or of the prelude, that says
/// that it is shown there. `None` where rows are parts of streams, or made of several.
#[must_use]
pub fn shown_in(contexts: &Contexts, context: &Context, table: &Table) -> Option<&'static Aggregate> {
    let [key] = table.key else { return None };
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

/// Adds to rows, each as JSON text, which stream each shows and its last sequence at the checkpoint that the rows were read
/// at. An event that leaves its row as it was counts, too; one that the row does not show yet does not: an If-Match from a row
/// that is behind is refused. Answers the sequence of the last of them, too.
///
/// # Errors
/// The failure of the book.
pub async fn add(
    app: &App,
    source: Source,
    read: &[PgRow],
    rows: &mut [Cow<'_, str>],
    posted: i64,
) -> Result<Option<i64>, Problem> {
    let Some(kind) = shown_in(&app.contexts, source.context, source.table) else {
        return Ok(None);
    };
    let ids: Vec<Option<Uuid>> = read.iter().map(|row| row.try_get("stream")).collect::<Result<_, _>>()?;
    let known: Vec<Uuid> = ids.iter().copied().flatten().collect();
    let sequences = app.tail.sequences(kind.aggregate_type, &known, posted).await?;
    let mut last = None;
    for (row, id) in rows.iter_mut().zip(ids) {
        let Some((id, sequence)) = id.and_then(|id| Some((id, *sequences.get(&id)?))) else {
            continue;
        };
        let stream = json!({ "type": kind.aggregate_type, "id": id, "sequence": sequence });
        // A row is an object with at least one column, unless nothing but this is selected.
        if let Some(columns) = row.strip_suffix('}') {
            let comma = if columns.ends_with('{') { "" } else { "," };
            *row = Cow::Owned(format!("{columns}{comma}\"{STREAM}\":{stream}}}"));
            last = Some(sequence);
        }
    }
    Ok(last)
}
