//! Seals in the database.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::leaves::{Format, in_time};
use super::{PublicKey, Seal};
use crate::BookError;

/// Seals read at once.
pub const PAGE_SEALS_MAX: i64 = 1_000;

/// What came of appending a seal.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Sealed,
    /// It does not follow the last one, or is of events that are not there.
    Moved,
    /// `book.events` has columns that the seal would not cover.
    OtherColumns,
}

macro_rules! select_seals {
    ($rest:literal) => {
        concat!(
            "select number, from_position, to_position, format, history, root, sealed_at, key, chain, signature
             from book.seals ",
            $rest
        )
    };
}

/// Opens a connection of one's own, to be given up with whatever is under way on it.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, BookError> {
    // The book lies in the order of its positions: whatever the planner believes of a table that it has not looked at
    // yet, rows are to come from the first one on, and not once all are sorted.
    let options = options.clone().options([("enable_sort", "off"), ("jit", "off")]);
    in_time(async { Ok(PgConnection::connect_with(&options).await?) }).await
}

/// The last seals, at most so many, the latest first.
pub async fn last(connection: &mut PgConnection, seals: i64) -> Result<Vec<Seal>, BookError> {
    let asking = sqlx::query(select_seals!("order by number desc limit $1"))
        .bind(seals)
        .fetch_all(connection);
    read(asking).await
}

/// Seals after a number and up to another one, in order: at most [`PAGE_SEALS_MAX`].
pub async fn page(connection: &mut PgConnection, after: i64, to: i64) -> Result<Vec<Seal>, BookError> {
    let asking = sqlx::query(select_seals!(
        "where number > $1 and number <= $2 order by number limit $3"
    ))
    .bind(after)
    .bind(to)
    .bind(PAGE_SEALS_MAX)
    .fetch_all(connection);
    read(asking).await
}

/// The seal that covers a position, if there is one.
pub async fn covering(connection: &mut PgConnection, position: i64) -> Result<Option<Seal>, BookError> {
    let asking = sqlx::query(select_seals!("where to_position >= $1 order by to_position limit 1"))
        .bind(position)
        .fetch_all(connection);
    Ok(read(asking).await?.pop())
}

/// The position before the first seal after this one that is of another format; `None` when all later ones are of it.
pub async fn before_other_format(
    connection: &mut PgConnection,
    number: i64,
    format: i16,
) -> Result<Option<i64>, BookError> {
    let asking = sqlx::query_scalar("select min(from_position) - 1 from book.seals where number > $1 and format <> $2")
        .bind(number)
        .bind(format)
        .fetch_one(connection);
    in_time(async { Ok(asking.await?) }).await
}

/// The leaves of a seal, one after another; `None` when there is no such seal.
pub async fn leaves(connection: &mut PgConnection, number: i64) -> Result<Option<Vec<u8>>, BookError> {
    let asking = sqlx::query_scalar("select leaves from book.seals where number = $1")
        .bind(number)
        .fetch_optional(connection);
    in_time(async { Ok(asking.await?) }).await
}

/// The columns of `book.events` that the format does not cover.
pub async fn uncovered(connection: &mut PgConnection, format: &Format) -> Result<Vec<String>, BookError> {
    let asking = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = 'book.events'::regclass and attnum > 0 and not attisdropped and attname <> all ($1)
         order by attnum",
    )
    .bind(format.columns)
    .fetch_all(connection);
    in_time(async { Ok(asking.await?) }).await
}

/// When an event was recorded, if it is there.
pub async fn recorded_at(connection: &mut PgConnection, position: i64) -> Result<Option<DateTime<Utc>>, BookError> {
    let asking = sqlx::query_scalar("select recorded_at from book.events where position = $1")
        .bind(position)
        .fetch_optional(connection);
    in_time(async { Ok(asking.await?) }).await
}

/// The last position of the book.
pub async fn end(connection: &mut PgConnection) -> Result<i64, BookError> {
    let asking = sqlx::query_scalar("select book.last_position()").fetch_one(connection);
    in_time(async { Ok(asking.await?) }).await
}

/// Appends a seal.
pub async fn append(
    connection: &mut PgConnection,
    seal: &Seal,
    format: &Format,
    leaves: &[u8],
) -> Result<Outcome, BookError> {
    let asking = sqlx::query_scalar("select book.seal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(seal.number)
        .bind(seal.from)
        .bind(seal.to)
        .bind(seal.format)
        .bind(format.columns)
        .bind(&seal.history)
        .bind(&seal.root[..])
        .bind(seal.sealed_at)
        .bind(&seal.key.as_bytes()[..])
        .bind(&seal.chain[..])
        .bind(&seal.signature[..])
        .bind(leaves)
        .fetch_one(connection);
    let outcome: String = in_time(async { Ok(asking.await?) }).await?;
    match outcome.as_str() {
        "sealed" => Ok(Outcome::Sealed),
        "moved" => Ok(Outcome::Moved),
        "columns" => Ok(Outcome::OtherColumns),
        _ => Err(BookError::Broken(format!(
            "book.seal says {outcome}, which this version does not know"
        ))),
    }
}

async fn read(asking: impl Future<Output = Result<Vec<PgRow>, sqlx::Error>>) -> Result<Vec<Seal>, BookError> {
    let rows = in_time(async { Ok(asking.await?) }).await?;
    rows.iter().map(seal).collect()
}

fn seal(row: &PgRow) -> Result<Seal, BookError> {
    Ok(Seal {
        number: row.try_get("number")?,
        from: row.try_get("from_position")?,
        to: row.try_get("to_position")?,
        format: row.try_get("format")?,
        history: row.try_get("history")?,
        root: bytes(row, "root")?,
        sealed_at: row.try_get("sealed_at")?,
        key: PublicKey::stored(bytes(row, "key")?),
        chain: bytes(row, "chain")?,
        signature: bytes(row, "signature")?,
    })
}

/// So many bytes, as a check of the table has it.
fn bytes<const N: usize>(row: &PgRow, column: &str) -> Result<[u8; N], BookError> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes
        .try_into()
        .map_err(|_| BookError::Broken(format!("{column} of a seal has {} bytes", bytes.len())))
}
