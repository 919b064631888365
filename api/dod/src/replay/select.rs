//! Which bodies are parsed again.

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use sqlx::PgPool;
use uuid::Uuid;

/// Bodies that are looked up at one time.
const PAGE_BODIES_MAX: i64 = 2_000;

/// What came of a body the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    /// Nothing can be made of it
    Unreadable,
    /// It is JSON that nobody knows
    Unmapped,
    /// It was understood
    Recognised,
}

/// What is chosen; what is absent excludes nothing.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The first position, and the last one.
    pub from: i64,
    pub to: i64,
    pub since: Option<DateTime<Utc>>,
    pub source: Option<Uuid>,
    pub status: Option<Status>,
}

/// A body that is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub tenant_id: Uuid,
    pub id: Uuid,
    /// Where it came into the book.
    pub position: i64,
}

book::from_row!(Found {
    tenant_id,
    id,
    position
});

/// What of a source is chosen.
#[derive(Debug, Clone)]
pub struct OfSource {
    pub tenant_id: Uuid,
    pub source_id: Uuid,
    pub name: Option<String>,
    pub bodies: i64,
    pub unreadable: i64,
    pub unmapped: i64,
}

book::from_row!(OfSource {
    tenant_id,
    source_id,
    name,
    bodies,
    unreadable,
    unmapped
});

// One that is being parsed is not parsed by former rules, and one whose body is gone cannot be.
const CHOSEN: &str = "d.status <> 'received' and not d.is_dropped and d.position between $1 and $2
      and ($3::timestamptz is null or d.received_at >= $3) and ($4::uuid is null or d.source_id = $4)
      and ($5::text is null or case d.status when 'unreadable' then 'unreadable'
               else case d.format when 'unmapped' then 'unmapped' else 'recognised' end end = $5)";

impl Chosen {
    /// How many bodies are chosen, source by source.
    ///
    /// # Errors
    /// The database's error.
    pub async fn counted(&self, pool: &PgPool) -> Result<Vec<OfSource>, sqlx::Error> {
        let text = format!(
            "select d.tenant_id, d.source_id, max(s.name) as name, count(*) as bodies,
                    count(*) filter (where d.status = 'unreadable') as unreadable,
                    count(*) filter (where d.format = 'unmapped') as unmapped
             from dod.deliveries d left join dod.webhook_sources s on s.id = d.source_id
             where {CHOSEN} group by d.tenant_id, d.source_id order by min(d.position)"
        );
        self.bound(sqlx::query_as(&text)).fetch_all(pool).await
    }

    /// The next ones from the first position on, in the order in which they came in.
    ///
    /// # Errors
    /// The database's error.
    pub async fn page(&self, pool: &PgPool) -> Result<Vec<Found>, sqlx::Error> {
        let text = format!(
            "select d.tenant_id, d.id, d.position from dod.deliveries d where {CHOSEN}
             order by d.position limit {PAGE_BODIES_MAX}"
        );
        self.bound(sqlx::query_as(&text)).fetch_all(pool).await
    }

    fn bound<'q, T>(
        &self,
        query: sqlx::query::QueryAs<'q, sqlx::Postgres, T, sqlx::postgres::PgArguments>,
    ) -> sqlx::query::QueryAs<'q, sqlx::Postgres, T, sqlx::postgres::PgArguments> {
        let status = self.status.map(|status| match status {
            Status::Unreadable => "unreadable",
            Status::Unmapped => "unmapped",
            Status::Recognised => "recognised",
        });
        query
            .bind(self.from)
            .bind(self.to)
            .bind(self.since)
            .bind(self.source)
            .bind(status)
            // A rebuild may have put other tables in the place of these between two pages.
            .persistent(false)
    }
}
