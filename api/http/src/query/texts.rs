//! Texts in rows: tables keep them sealed, and they are opened for who reads a page of them.

use std::borrow::Cow;

use book::texts::{self, Place};
use projections::table::Table;
use serde_json::{Map, Value};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;

/// The rows of a page as JSON text, those of `table` with their texts opened: one question for all of them.
///
/// # Errors
/// The failure of the database.
pub async fn rows<'a>(
    app: &App,
    tenant: Uuid,
    table: &'static Table,
    rows: &'a [PgRow],
) -> Result<Vec<Cow<'a, str>>, Problem> {
    let mut json: Vec<Cow<'a, str>> = Vec::with_capacity(rows.len());
    let mut with_texts = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let text: &str = row.try_get("row")?;
        if !table.texts.is_empty() && texts::has_any(text) {
            let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| Problem::internal(&error))?;
            with_texts.push((index, fields));
        }
        json.push(Cow::Borrowed(text));
    }
    let places = with_texts.iter_mut().flat_map(|(_, fields)| places(table, fields));
    let mut places: Vec<_> = places.collect();
    app.tail.open_texts(tenant, &mut places).await?;
    for (index, fields) in with_texts {
        json[index] = Cow::Owned(Value::Object(fields).to_string());
    }
    Ok(json)
}

/// Where a row of the table has texts: in the columns that say so, and nowhere else, whatever stands there.
pub fn places<'a>(table: &'static Table, row: &'a mut Map<String, Value>) -> impl Iterator<Item = Place<'a>> {
    let cells = row
        .iter_mut()
        .filter(move |(column, _)| table.texts.contains(&column.as_str()));
    cells.map(|(_, value)| Place::Json(value))
}
