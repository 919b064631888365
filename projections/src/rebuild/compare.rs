//! Comparing: the new tables against the live ones at exactly the same position of the book.

use std::cmp::Ordering;

use futures::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};

use super::{Phase, Work, load};
use crate::error::PostError;
use crate::forget;
use crate::generation::execute;
use crate::poster::Poster;
use crate::sql;

/// Differing rows that are shown per table.
const EXAMPLES_MAX: usize = 20;

/// A table in which the new generation differs from the live one.
#[derive(Debug, Clone)]
pub struct Difference {
    pub table: String,
    pub live_rows: i64,
    pub new_rows: i64,
    /// Rows that one of them lacks or that differ.
    pub differing: i64,
    /// The first of them, by key.
    pub examples: Vec<RowDifference>,
    /// Columns that only one of them has; they were left out.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct RowDifference {
    pub key: String,
    /// The row as Postgres writes it; `None` when it is not there.
    pub live: Option<String>,
    pub new: Option<String>,
}

pub(super) struct Compared {
    pub rows: Vec<(String, i64)>,
    pub differences: Vec<Difference>,
}

/// Posts the new generation to where a snapshot sees the live one, and compares table by table. Without a live one it
/// counts the rows of the new one alone.
pub(super) async fn compare(
    work: &Work<'_>,
    connection: &mut PgConnection,
    poster: &mut Poster,
) -> Result<Compared, PostError> {
    let live = work.live(connection).await?;
    if live.is_some_and(|live| work.is_caught_up_with(&live)) {
        // What is deleted there may still be here, and the other way round.
        forget::deleted(connection, work.context, work.context.name).await?;
    }
    // Its own: whoever fails while it reads gives it up with whatever is under way.
    let mut live_connection = work.pools.projector.acquire().await?.detach();
    let mut snapshot = live_connection
        .begin_with("begin isolation level repeatable read, read only")
        .await?;
    // Rows that the book does not say are none to compare with, nor such as are missing.
    let live = work
        .live(&mut snapshot)
        .await?
        .filter(|live| work.is_caught_up_with(live));
    if let Some(live) = &live {
        load::post_until(work, connection, poster, live.position, Phase::Loading).await?;
    }
    forget::deleted(connection, work.context, &poster.generation.schema).await?;
    work.told(Phase::Comparing, poster.generation.position, poster.generation.position);
    // Checksums read whole tables, which the connection's settings for posting would avoid.
    execute(connection, "set enable_seqscan = on").await?;
    let mut compared = Compared {
        rows: Vec::new(),
        differences: Vec::new(),
    };
    for (table, key) in tables(work) {
        let sides = Sides {
            live: live.as_ref().map(|live| live.schema.as_str()),
            new: &poster.generation.schema,
            table,
            key,
        };
        compare_table(&mut snapshot, connection, &sides, &mut compared).await?;
        work.told(Phase::Comparing, poster.generation.position, poster.generation.position);
    }
    execute(connection, "set enable_seqscan = off").await?;
    snapshot.rollback().await?;
    Ok(compared)
}

/// Every table of a generation with what tells its rows apart.
fn tables(work: &Work<'_>) -> Vec<(&'static str, &'static [&'static str])> {
    let declared = work.context.all_tables().map(|table| (table.name, table.posted_by()));
    declared
        .chain([(sql::CHANGES, ["table_name", "key", "position"].as_slice())])
        .collect()
}

/// The schemas of both, and one table of them.
struct Sides<'a> {
    /// `None` while nothing is live.
    live: Option<&'a str>,
    new: &'a str,
    table: &'static str,
    key: &'static [&'static str],
}

async fn compare_table(
    live: &mut PgConnection,
    new: &mut PgConnection,
    sides: &Sides<'_>,
    compared: &mut Compared,
) -> Result<(), PostError> {
    let table = sides.table;
    let new_columns = columns(new, sides.new, table).await?;
    let live_columns = match sides.live {
        Some(schema) => columns(live, schema, table).await?,
        None => Vec::new(),
    };
    let both: Vec<String> = new_columns
        .iter()
        .filter(|column| live_columns.contains(column))
        .cloned()
        .collect();
    let only_one: Vec<String> = new_columns
        .iter()
        .chain(&live_columns)
        .filter(|column| !both.contains(column))
        .cloned()
        .collect();
    let measured = if both.is_empty() { &new_columns } else { &both };
    let new_sum = checksum(new, sides.new, table, measured);
    let live_sum = async {
        match sides.live {
            Some(schema) if !both.is_empty() => checksum(live, schema, table, &both).await,
            _ => Ok((0, 0)),
        }
    };
    // Both to their end, also when one fails: a connection is not given up in the middle of a statement.
    let (new_sum, live_sum) = tokio::join!(new_sum, live_sum);
    let ((new_rows, new_sum), (live_rows, live_sum)) = (new_sum?, live_sum?);
    compared.rows.push((table.to_owned(), new_rows));
    let is_equal = (live_rows, live_sum) == (new_rows, new_sum);
    let Some(schema) = sides.live.filter(|_| !only_one.is_empty() || !is_equal) else {
        return Ok(());
    };
    let (differing, examples) = match both.is_empty() {
        true => (new_rows, Vec::new()),
        // New columns alone: the sums of the others say that no row differs.
        false if is_equal => (0, Vec::new()),
        false => differing_rows((live, schema), new, sides, &both).await?,
    };
    let table = table.to_owned();
    compared.differences.push(Difference {
        table,
        live_rows,
        new_rows,
        differing,
        examples,
        columns: only_one,
    });
    Ok(())
}

/// Walks both tables by key.
async fn differing_rows(
    (live, live_schema): (&mut PgConnection, &str),
    new: &mut PgConnection,
    sides: &Sides<'_>,
    columns: &[String],
) -> Result<(i64, Vec<RowDifference>), PostError> {
    let live_query = sql::rows_by_key(live_schema, sides.table, sides.key, columns);
    let new_query = sql::rows_by_key(sides.new, sides.table, sides.key, columns);
    let mut live_rows = sqlx::query(&live_query).fetch(live);
    let mut new_rows = sqlx::query(&new_query).fetch(new);
    let (mut differing, mut examples) = (0, Vec::new());
    let mut differ = |key: String, live: Option<String>, new: Option<String>| {
        differing += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(RowDifference { key, live, new });
        }
    };
    let mut old = next(&mut live_rows).await?;
    let mut fresh = next(&mut new_rows).await?;
    loop {
        match (old.take(), fresh.take()) {
            (None, None) => return Ok((differing, examples)),
            (Some((key, row)), None) => {
                differ(key, Some(row), None);
                old = next(&mut live_rows).await?;
            }
            (None, Some((key, row))) => {
                differ(key, None, Some(row));
                fresh = next(&mut new_rows).await?;
            }
            (Some((key, live)), Some((new_key, new))) => match key.cmp(&new_key) {
                Ordering::Equal => {
                    if live != new {
                        differ(key, Some(live), Some(new));
                    }
                    old = next(&mut live_rows).await?;
                    fresh = next(&mut new_rows).await?;
                }
                Ordering::Less => {
                    differ(key, Some(live), None);
                    (old, fresh) = (next(&mut live_rows).await?, Some((new_key, new)));
                }
                Ordering::Greater => {
                    differ(new_key, None, Some(new));
                    (old, fresh) = (Some((key, live)), next(&mut new_rows).await?);
                }
            },
        }
    }
}

async fn next(
    rows: &mut (impl Stream<Item = Result<PgRow, sqlx::Error>> + Unpin),
) -> Result<Option<(String, String)>, sqlx::Error> {
    rows.try_next()
        .await?
        .map(|row| Ok((row.try_get("key")?, row.try_get("row")?)))
        .transpose()
}

async fn checksum(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    columns: &[String],
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(&sql::checksum(schema, table, columns))
        .fetch_one(connection)
        .await
}

/// The table's columns in alphabetical order, as text if Postgres cannot hash their type; none when
/// there is no such table.
async fn columns(connection: &mut PgConnection, schema: &str, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select case when t.typname in ('json', 'xml', 'vector', 'point') then a.attname || '::text' else a.attname::text end
         from pg_attribute a join pg_type t on t.oid = a.atttypid
         where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attname",
    )
    .bind(sql::name(schema, table))
    .fetch_all(connection)
    .await
}
