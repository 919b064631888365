//! Which things are to leave the tables, and their rows.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Connection as _, PgPool, Row as _};
use uuid::Uuid;

use crate::kind::{Kind, Part, parked};
use crate::manifest::{Along, Cursor, Member};

/// With so many bytes of lines a batch is full; one thing more may go beyond them.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Things that go into one archive.
#[derive(Debug)]
pub struct Batch {
    /// One JSON object per line.
    pub lines: Vec<u8>,
    pub members: Vec<Member>,
    pub counts: Map<String, Value>,
    /// The tables were posted up to here.
    pub position: i64,
    pub first: Cursor,
    pub last: Cursor,
}

/// The tenants that have things which are over.
pub async fn tenants(pool: &PgPool, kind: &Kind) -> Result<Vec<Uuid>, sqlx::Error> {
    let Kind {
        context, table, over, ..
    } = kind;
    let text = format!("select distinct r.tenant_id from {context}.{table} r where {over} order by 1");
    let found = sqlx::query_scalar(&text).persistent(false).fetch_all(pool).await;
    match found {
        // Before a projector made the first generation there is nothing to archive.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "42P01" || code == "3F000") => {
            Ok(Vec::new())
        }
        found => found,
    }
}

/// How many things of a tenant are due.
pub async fn count(pool: &PgPool, kind: &Kind, tenant: Uuid, before: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    let (context, table, due) = (kind.context, kind.table, due(kind));
    sqlx::query_scalar(&format!("select count(*) from {context}.{table} r where {due}"))
        .bind(tenant)
        .bind(before)
        .persistent(false)
        .fetch_one(pool)
        .await
}

/// The next things that are due, with all their rows; `None` when there are none. Fewer than the kind allows when their
/// rows are long.
pub async fn batch(
    pool: &PgPool,
    kind: &'static Kind,
    tenant: Uuid,
    before: DateTime<Utc>,
    after: &Cursor,
) -> Result<Option<Batch>, sqlx::Error> {
    // Rows and checkpoint of one moment: they tell at which event of its stream each row stands.
    // On a connection of its own: who is given up in the middle of it must not leave a transaction to somebody else.
    let mut connection = pool.acquire().await?.detach();
    let mut moment = connection
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let position: i64 =
        sqlx::query_scalar("select position from book.generations where context = $1 and state = 'live'")
            .bind(kind.context)
            .fetch_one(&mut *moment)
            .await?;
    let text = rows_of_things(kind);
    let mut rows = sqlx::query(&text)
        .bind(tenant)
        .bind(before)
        .bind(after.created_at)
        .bind(after.id)
        .bind(kind.at_most)
        .bind(position)
        .fetch(&mut *moment);
    let mut batch: Option<Batch> = None;
    while let Some(row) = rows.try_next().await? {
        let place = cursor(kind, &row)?;
        let batch = batch.get_or_insert_with(|| Batch::begun(kind, position, place.clone()));
        batch.add(kind, &row, place)?;
        if batch.lines.len() >= BATCH_BYTES {
            break;
        }
    }
    drop(rows);
    moment.commit().await?;
    Ok(batch)
}

/// Those of tenant `$1` that are over and have come to rest before `$2`, and of which nothing is parked.
fn due(kind: &Kind) -> String {
    let (over, due) = (kind.over, (kind.due)());
    let parked_thing = parked(kind.context, kind.aggregate_type, "r.id");
    let parts = kind.parts.iter().filter_map(|part| {
        let Part { table, of, .. } = part;
        let parked_part = parked(kind.context, part.aggregate_type?, "c.id");
        Some(format!(
            " and not exists (select from {}.{table} c where {of} and {parked_part})",
            kind.context
        ))
    });
    let parts: String = parts.collect();
    format!("r.tenant_id = $1 and {over} and {due} and not {parked_thing}{parts}")
}

/// The due things in order, each as one JSON object with its parts. One with events that the tables do not show yet is left
/// for a later run: it may have been archived a moment ago.
fn rows_of_things(kind: &Kind) -> String {
    let Kind {
        context,
        table,
        thing,
        ordered_by,
        aggregate_type,
        ..
    } = kind;
    let due = due(kind);
    let (mut line, mut columns, mut joins, mut unseen) = (String::new(), String::new(), String::new(), String::new());
    for part in kind.parts {
        let Part {
            name,
            table,
            of,
            order,
            is_one,
            ..
        } = part;
        let shown = if *is_one { "rows -> 0" } else { "rows" };
        line += &format!(", '{name}', p_{name}.{shown}");
        columns += &format!(", jsonb_array_length(p_{name}.rows) as n_{name}");
        let mut streams = String::new();
        if let Some(aggregate_type) = part.aggregate_type {
            let sequence = sequence(aggregate_type, "c.id");
            streams = format!(
                ", coalesce(jsonb_agg(jsonb_build_object('type', '{aggregate_type}', 'id', c.id, 'sequence', {sequence})
                                      order by {order}), '[]') as streams"
            );
            columns += &format!(", p_{name}.streams as s_{name}");
            unseen += &format!(
                " and not exists (
                      select from {context}.{table} c
                      join book.events e on e.aggregate_type = '{aggregate_type}' and e.aggregate_id = c.id::text
                      where {of} and e.position > $6)"
            );
        }
        joins += &format!(
            " cross join lateral (
                  select coalesce(jsonb_agg(to_jsonb(c) - 'tenant_id' order by {order}), '[]') as rows{streams}
                  from {context}.{table} c where {of}) p_{name}"
        );
    }
    let sequence = sequence(aggregate_type, "r.id");
    format!(
        "select r.id, r.{ordered_by}, {sequence} as sequence,
                jsonb_build_object('{thing}', to_jsonb(r) - 'tenant_id'{line})::text as line{columns}
         from {context}.{table} r{joins}
         where {due} and (r.{ordered_by}, r.id) > ($3, $4)
           and not exists (
               select from book.events e
               where e.aggregate_type = '{aggregate_type}' and e.aggregate_id = r.id::text and e.position > $6){unseen}
         order by r.{ordered_by}, r.id limit $5"
    )
}

/// The sequence of the last event of a stream that the tables show.
fn sequence(aggregate_type: &str, id: &str) -> String {
    format!(
        "(select max(e.sequence) from book.events e
          where e.aggregate_type = '{aggregate_type}' and e.aggregate_id = {id}::text and e.position <= $6)"
    )
}

fn cursor(kind: &Kind, row: &PgRow) -> Result<Cursor, sqlx::Error> {
    Ok(Cursor {
        created_at: row.try_get(kind.ordered_by)?,
        id: row.try_get("id")?,
    })
}

impl Batch {
    fn begun(kind: &Kind, position: i64, first: Cursor) -> Self {
        let counted = std::iter::once(kind.things).chain(kind.parts.iter().map(|part| part.counted));
        Self {
            lines: Vec::new(),
            members: Vec::new(),
            counts: counted.map(|counted| (counted.to_owned(), 0.into())).collect(),
            position,
            last: first.clone(),
            first,
        }
    }

    fn add(&mut self, kind: &Kind, row: &PgRow, place: Cursor) -> Result<(), sqlx::Error> {
        self.last = place;
        let line: &str = row.try_get("line")?;
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.push(b'\n');
        self.count(kind.things, 1);
        let mut along = Vec::new();
        for part in kind.parts {
            let name = part.name;
            let rows: i32 = row.try_get(&*format!("n_{name}"))?;
            self.count(part.counted, rows.into());
            if part.aggregate_type.is_some() {
                let Json(streams): Json<Vec<Along>> = row.try_get(&*format!("s_{name}"))?;
                along.extend(streams);
            }
        }
        self.members.push(Member {
            id: row.try_get("id")?,
            sequence: row.try_get("sequence")?,
            along,
        });
        Ok(())
    }

    fn count(&mut self, counted: &str, rows: i64) {
        if let Some(count) = self.counts.get_mut(counted) {
            *count = (count.as_i64().unwrap_or_default() + rows).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use book::{BookError, Step};
    use chrono::TimeDelta;
    use futures::FutureExt as _;

    use super::*;

    static THINGS: Kind = Kind {
        context: "sample",
        things: "boxes",
        thing: "box",
        table: "boxes",
        ordered_by: "entered_at",
        aggregate_type: "sample.box",
        over: "r.is_shut",
        due: || "r.shut_at < $2".to_owned(),
        parts: &[Part {
            name: "labels",
            counted: "labels",
            table: "labels",
            of: "c.box_id = r.id",
            order: "c.id",
            is_one: false,
            aggregate_type: Some("sample.label"),
        }],
        at_most: 10,
        kept_for: |_, _| async { Ok::<_, BookError>(TimeDelta::days(1)) }.boxed(),
        steps: |_, _| Vec::<Step>::new(),
        has_left: |_, _, _| async { Ok::<_, BookError>(false) }.boxed(),
    };

    #[test]
    fn a_thing_is_asked_for_with_its_parts_and_with_the_streams_that_leave_along_with_it() {
        let text = rows_of_things(&THINGS);
        for asked in [
            "'box', to_jsonb(r) - 'tenant_id', 'labels', p_labels.rows)",
            "r.tenant_id = $1 and r.is_shut and r.shut_at < $2",
            "k.aggregate_type = 'sample.box' and k.aggregate_id = r.id",
            "k.aggregate_type = 'sample.label' and k.aggregate_id = c.id",
            "from sample.labels c where c.box_id = r.id) p_labels",
            "order by r.entered_at, r.id limit $5",
        ] {
            assert!(text.contains(asked), "{asked}: {text}");
        }
    }

    #[test]
    fn counts_come_in_the_order_in_which_the_kind_names_its_parts() {
        let mut batch = Batch::begun(&THINGS, 1, Cursor::default());
        batch.count("labels", 3);
        batch.count("boxes", 1);
        assert_eq!(
            serde_json::to_string(&batch.counts).unwrap(),
            r#"{"boxes":1,"labels":3}"#
        );
    }
}
