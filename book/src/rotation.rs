//! Wrapping all keys anew while processes serve, and giving the bus another key.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgPool};
use tracing::warn;
use uuid::Uuid;

use crate::bus::mirror::MESSAGE_AGE_DAYS_MAX;
use crate::master;
use crate::secrets::ring::{Ring, bridge_to, named, ring, unwrapped, wrapped_under};
use crate::secrets::{BUS, LATEST_SECONDS_MAX, ROWS, Row, WRAPPING};
use crate::{BookError, MasterKey};

/// Keys wrapped anew by one statement.
const BATCH_KEYS: i64 = 1_000;
/// How long after the new wrapping key came a process may still wrap with the former one, in seconds: what it knows may
/// be as old as [`LATEST_SECONDS_MAX`], and it may take a moment to write. What an append brings that is sent again for
/// longer stays wrapped by the former one, by which it is read as before; the next rotation takes it along.
const FORMER_SECONDS_MAX: u64 = 2 * LATEST_SECONDS_MAX + 2;
/// How much longer than messages stay on the bus their former key is accepted, in hours: clocks differ.
const ACCEPTED_MARGIN_HOURS: i32 = 1;

/// What came of wrapping all keys anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The generation of the wrapping key that has wrapped them.
    pub generation: i32,
    /// Keys of persons and texts that this run wrapped anew.
    pub keys: u64,
    /// Whether an earlier run had begun it.
    pub resumed: bool,
}

/// One generation of a key of the book, as the operator sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub name: String,
    pub generation: i32,
    pub created_at: chrono::DateTime<chrono::Utc>,
    pub accepted_until: Option<chrono::DateTime<chrono::Utc>>,
    /// How many keys of persons and texts it has wrapped, if it is a wrapping key.
    pub wraps: i64,
}

crate::from_row!(Listed {
    name,
    generation,
    created_at,
    accepted_until,
    wraps
});

/// Puts `next` in the place of `master`, and wraps every key anew under a wrapping key that `next` alone wraps. The pool
/// must be one of the database's owner. Processes go on with what they know; whichever dies, this one included, it is
/// begun again with the same two keys and goes on where it was.
///
/// # Errors
/// [`BookError::Key`] when neither is the book's, or both are the same; the database's error.
pub async fn rotate(pool: &PgPool, master: &MasterKey, next: &MasterKey) -> Result<Rotated, BookError> {
    if master.own().check == next.own().check {
        return Err(BookError::Key(
            "DAYBOOK_MASTER_KEY_NEXT is the master key already; give a new one",
        ));
    }
    let mut connection = pool.acquire().await?.detach();
    let resumed = !replace(&mut connection, master, next).await?;
    let began = Instant::now();
    let (ring, generation) = latest(&mut connection, next).await?;
    let mut keys = wrap_all(&mut connection, &ring, generation).await?;
    // Until nobody wraps with the former key any more, some may come behind.
    let rest = Duration::from_secs(FORMER_SECONDS_MAX).saturating_sub(began.elapsed());
    tokio::time::sleep(rest).await;
    loop {
        let more = wrap_all(&mut connection, &ring, generation).await?;
        keys += more;
        if more == 0 {
            break;
        }
    }
    // Nobody follows any more: who leaves the former master key in some backup leaves nothing that opens these.
    sqlx::query("update book.secrets set bridge = null where bridge is not null")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(Rotated {
        generation,
        keys,
        resumed,
    })
}

/// Puts the next master key in the former one's place, in one transaction; `false` when it was there already.
async fn replace(connection: &mut PgConnection, master: &MasterKey, next: &MasterKey) -> Result<bool, BookError> {
    let mut transaction = connection.begin().await?;
    let noted = locked(&mut transaction).await?;
    if noted == next.own().check {
        return Ok(false);
    }
    if !master.own().is_of(&noted) {
        return Err(BookError::Key(
            "neither DAYBOOK_MASTER_KEY nor DAYBOOK_MASTER_KEY_NEXT is the key of this database",
        ));
    }
    let rows: Vec<Row> = sqlx::query_as(ROWS).fetch_all(&mut *transaction).await?;
    let ring = ring(master, &rows, &Ring::new())?;
    let (&former, former_key) = ring.last_key_value().ok_or(NOT_BEGUN)?;
    if !rows.iter().any(|row| row.name == WRAPPING) {
        return Err(NOT_BEGUN);
    }
    let (generation, key) = (former + 1, master::random());
    for row in &rows {
        let name = named(&row.name, row.generation);
        let secret = match ring.get(&row.generation) {
            Some(&wrapping) if row.name == WRAPPING => wrapping,
            _ => unwrapped(&ring, &name, &row.wrapped)?,
        };
        sqlx::query("update book.secrets set wrapped = $3, bridge = null where name = $1 and generation = $2")
            .bind(&row.name)
            .bind(row.generation)
            .bind(wrapped_under(generation, &key, &name, &secret)?)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("insert into book.secrets (name, generation, wrapped, bridge) values ($1, $2, $3, $4)")
        .bind(WRAPPING)
        .bind(generation)
        .bind(master::wrap(&next.own().secrets, &named(WRAPPING, generation), &key)?)
        .bind(wrapped_under(former, former_key, &bridge_to(generation), &key)?)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("update book.master_key set check_value = $1")
        .bind(next.own().check.as_slice())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

const NOT_BEGUN: BookError =
    BookError::Key("the book has no keys of its own yet; they are made when a process of this version starts");

/// What the book notes of its master key. Nobody else rotates meanwhile.
async fn locked(transaction: &mut PgConnection) -> Result<Vec<u8>, BookError> {
    let noted = sqlx::query_scalar("select check_value from book.master_key for update")
        .fetch_optional(transaction)
        .await?;
    noted.ok_or(NOT_BEGUN)
}

async fn latest(connection: &mut PgConnection, master: &MasterKey) -> Result<(Ring, i32), BookError> {
    let rows: Vec<Row> = sqlx::query_as(ROWS).fetch_all(connection).await?;
    let ring = ring(master, &rows, &Ring::new())?;
    let generation = ring.last_key_value().map(|(&generation, _)| generation);
    Ok((ring, generation.ok_or(NOT_BEGUN)?))
}

/// Wraps anew all keys of persons and texts that another wrapping key has wrapped; how many. One that is destroyed
/// meanwhile stays so.
async fn wrap_all(connection: &mut PgConnection, ring: &Ring, generation: i32) -> Result<u64, BookError> {
    let latest = ring.get(&generation).ok_or(NOT_BEGUN)?;
    let (mut wrapped, mut after) = (0, Uuid::nil());
    loop {
        let former: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
            "select subject, wrapped from book.keys
             where subject > $1 and wrapped is not null
               and (octet_length(wrapped) <> $2 or substring(wrapped from 1 for 4) <> $3)
             order by subject limit $4",
        )
        .bind(after)
        .bind(i32::try_from(wrapped_under(generation, latest, b"", latest)?.len()).unwrap_or(i32::MAX))
        .bind(generation.to_be_bytes().as_slice())
        .bind(BATCH_KEYS)
        .fetch_all(&mut *connection)
        .await?;
        let Some((last, _)) = former.last() else {
            return Ok(wrapped);
        };
        after = *last;
        let (mut subjects, mut formerly, mut anew) = (Vec::new(), Vec::new(), Vec::new());
        for (subject, key) in former {
            // It opened before no more than now, and keeps no other from being wrapped.
            let Ok(opened) = unwrapped(ring, subject.as_bytes(), &key) else {
                warn!(%subject, "a key does not unwrap by any wrapping key, and stays as it is");
                continue;
            };
            anew.push(wrapped_under(generation, latest, subject.as_bytes(), &opened)?);
            subjects.push(subject);
            formerly.push(key);
        }
        let updated = sqlx::query(
            "update book.keys k set wrapped = n.anew
             from unnest($1::uuid[], $2::bytea[], $3::bytea[]) n(subject, former, anew)
             where k.subject = n.subject and k.wrapped = n.former",
        )
        .bind(subjects)
        .bind(formerly)
        .bind(anew)
        .execute(&mut *connection)
        .await?;
        wrapped += updated.rows_affected();
    }
}

/// Gives the bus another key. Messages under the former one are accepted until the last of them is of age; with
/// `at_once` they are not from now on, and the relay makes the stream anew. The pool must be one of the database's owner.
///
/// # Errors
/// [`BookError::Key`] when the master key is not the book's; the database's error.
pub async fn rotate_bus(pool: &PgPool, master: &MasterKey, at_once: bool) -> Result<i32, BookError> {
    let mut transaction = pool.begin().await?;
    let noted = locked(&mut transaction).await?;
    if !master.each().any(|master| master.is_of(&noted)) {
        return Err(BookError::Key("DAYBOOK_MASTER_KEY is not the key of this database"));
    }
    let (ring, wrapping) = latest(&mut transaction, master).await?;
    let under = ring.get(&wrapping).ok_or(NOT_BEGUN)?;
    let former: Option<i32> = sqlx::query_scalar("select max(generation) from book.secrets where name = $1")
        .bind(BUS)
        .fetch_one(&mut *transaction)
        .await?;
    let generation = former.ok_or(NOT_BEGUN)? + 1;
    let hours = match at_once {
        true => 0,
        false => i32::try_from(24 * MESSAGE_AGE_DAYS_MAX).unwrap_or(i32::MAX - 1) + ACCEPTED_MARGIN_HOURS,
    };
    // Those that nobody accepts any more open nothing.
    sqlx::query("delete from book.secrets where name = $1 and accepted_until < clock_timestamp()")
        .bind(BUS)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "update book.secrets
         set accepted_until = least(accepted_until, clock_timestamp() + make_interval(hours => $2)) where name = $1",
    )
    .bind(BUS)
    .bind(hours)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("insert into book.secrets (name, generation, wrapped) values ($1, $2, $3)")
        .bind(BUS)
        .bind(generation)
        .bind(wrapped_under(
            wrapping,
            under,
            &named(BUS, generation),
            &master::random(),
        )?)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(generation)
}

/// The keys of the book that there are, without what they are.
///
/// # Errors
/// The database's error.
pub async fn list(pool: &PgPool) -> Result<Vec<Listed>, BookError> {
    Ok(sqlx::query_as(
        "select s.name, s.generation, s.created_at, s.accepted_until,
                case when s.name = 'wrapping' then (
                    select count(*) from book.keys k
                    where k.wrapped is not null
                      and case octet_length(k.wrapped) when 60 then 1
                          else ('x' || encode(substring(k.wrapped from 1 for 4), 'hex'))::bit(32)::int end = s.generation
                ) else 0 end as wraps
         from book.secrets s order by s.name, s.generation",
    )
    .fetch_all(pool)
    .await?)
}
