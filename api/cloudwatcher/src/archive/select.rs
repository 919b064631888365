//! Which requests are to leave the tables, and their rows.

use chrono::{DateTime, Utc};
use cloudwatcher::request::DeviceRequest;
use domain::Decider as _;
use futures::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgPool, Row as _};
use uuid::Uuid;

use super::folder::{Counts, Member};

/// Closed before `$2`, its response the same since, referred to by nothing that stays, and not parked: the rows
/// of a parked request may lack what happened to it.
fn due() -> String {
    format!(
        "r.tenant_id = $1 and r.status in ('completed', 'failed') and r.created_at < $2 and r.updated_at < $2
         and not exists (select from cloudwatcher.responses p where p.request_id = r.id and p.updated_at >= $2)
         and not exists (select from cloudwatcher.orders o where o.request_id = r.id)
         and not exists (select from cloudwatcher.agent_decisions d where d.request_id = r.id)
         and not exists (
             select from book.parked k join book.generations g using (context, generation)
             where context = 'cloudwatcher' and g.state = 'live'
               and k.aggregate_type = '{}' and k.aggregate_id = r.id)",
        DeviceRequest::TYPE
    )
}

/// With so many bytes of lines a batch is full; one request more may go beyond them.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// A request's place in the order in which requests are archived.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    pub created_at: DateTime<Utc>,
    pub id: Uuid,
}

/// Requests that go into one archive.
#[derive(Debug)]
pub struct Batch {
    /// One JSON object per line.
    pub lines: Vec<u8>,
    pub members: Vec<Member>,
    pub counts: Counts,
    /// The tables were posted up to here.
    pub position: i64,
    pub first: Cursor,
    pub last: Cursor,
}

/// The tenants that have closed requests.
pub async fn tenants(pool: &PgPool) -> Result<Vec<Uuid>, sqlx::Error> {
    let found = sqlx::query_scalar(
        "select distinct tenant_id from cloudwatcher.requests where status in ('completed', 'failed') order by 1",
    )
    .fetch_all(pool)
    .await;
    match found {
        // Before a projector made the first generation there is nothing to archive.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "42P01" || code == "3F000") => {
            Ok(Vec::new())
        }
        found => found,
    }
}

/// How many requests of a tenant are due.
pub async fn count(pool: &PgPool, tenant: Uuid, before: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let due = due();
    sqlx::query_scalar(&format!("select count(*) from cloudwatcher.requests r where {due}"))
        .bind(tenant)
        .bind(before)
        .fetch_one(pool)
        .await
}

/// The next requests that are due, with all their rows; `None` when there are none. Fewer than `limit` when
/// their rows are long.
pub async fn batch(
    pool: &PgPool,
    tenant: Uuid,
    before: DateTime<Utc>,
    after: &Cursor,
    limit: i64,
) -> Result<Option<Batch>, sqlx::Error> {
    // Rows and checkpoint of one moment: they tell at which event of its request each row stands.
    // On a connection of its own: who is given up in the middle of it must not leave a transaction to somebody else.
    let mut connection = pool.acquire().await?.detach();
    let mut moment = connection
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let position: i64 =
        sqlx::query_scalar("select position from book.generations where context = 'cloudwatcher' and state = 'live'")
            .fetch_one(&mut *moment)
            .await?;
    let text = rows_of_requests();
    let mut rows = sqlx::query(&text)
        .bind(tenant)
        .bind(before)
        .bind(after.created_at)
        .bind(after.id)
        .bind(limit)
        .bind(position)
        .bind(DeviceRequest::TYPE)
        .fetch(&mut *moment);
    let mut batch: Option<Batch> = None;
    while let Some(row) = rows.try_next().await? {
        let place = cursor(&row)?;
        let batch = batch.get_or_insert_with(|| Batch::begun(position, place.clone()));
        batch.add(&row, place)?;
        if batch.lines.len() >= BATCH_BYTES {
            break;
        }
    }
    drop(rows);
    moment.commit().await?;
    Ok(batch)
}

/// The due requests in order, each as one JSON object with its children. One with events that the tables do
/// not show yet is left for a later run: it may have been archived a moment ago.
fn rows_of_requests() -> String {
    let due = due();
    format!(
        "select r.id, r.created_at,
                (select max(e.sequence) from book.events e
                 where e.aggregate_type = $7 and e.aggregate_id = r.id::text and e.position <= $6) as sequence,
                jsonb_build_object(
                    'request', to_jsonb(r) - 'tenant_id', 'metadata', m.rows, 'response', p.row,
                    'response_metadata', n.rows, 'files', f.rows)::text as line,
                jsonb_array_length(m.rows) as metadata, (p.row is not null)::int as responses,
                jsonb_array_length(n.rows) as response_metadata, jsonb_array_length(f.rows) as files
         from cloudwatcher.requests r
         cross join lateral (
             select coalesce(jsonb_agg(to_jsonb(c) - 'tenant_id' order by c.key), '[]') as rows
             from cloudwatcher.request_metadata c where c.request_id = r.id) m
         left join lateral (
             select c.id, to_jsonb(c) - 'tenant_id' as row from cloudwatcher.responses c where c.request_id = r.id) p on true
         cross join lateral (
             select coalesce(jsonb_agg(to_jsonb(c) - 'tenant_id' order by c.key), '[]') as rows
             from cloudwatcher.response_metadata c where c.response_id = p.id) n
         cross join lateral (
             select coalesce(jsonb_agg(to_jsonb(c) - 'tenant_id' order by c.position), '[]') as rows
             from cloudwatcher.cloud_file_refs c where c.request_id = r.id) f
         where {due} and (r.created_at, r.id) > ($3, $4)
           and not exists (
               select from book.events e
               where e.aggregate_type = $7 and e.aggregate_id = r.id::text and e.position > $6)
         order by r.created_at, r.id limit $5"
    )
}

fn cursor(row: &PgRow) -> Result<Cursor, sqlx::Error> {
    Ok(Cursor {
        created_at: row.try_get("created_at")?,
        id: row.try_get("id")?,
    })
}

impl Batch {
    fn begun(position: i64, first: Cursor) -> Self {
        Self {
            lines: Vec::new(),
            members: Vec::new(),
            counts: Counts::default(),
            position,
            last: first.clone(),
            first,
        }
    }

    fn add(&mut self, row: &PgRow, place: Cursor) -> Result<(), sqlx::Error> {
        self.last = place;
        let line: &str = row.try_get("line")?;
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.push(b'\n');
        self.members.push(Member {
            id: row.try_get("id")?,
            sequence: row.try_get("sequence")?,
        });
        let counted = |name: &str| row.try_get::<i32, _>(name).map(i64::from);
        self.counts.requests += 1;
        self.counts.metadata += counted("metadata")?;
        self.counts.responses += counted("responses")?;
        self.counts.response_metadata += counted("response_metadata")?;
        self.counts.files += counted("files")?;
        Ok(())
    }
}
