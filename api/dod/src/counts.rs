//! `GET /v1/dod/intake`: what came in of late and what became of it, source by source, what was refused at the door, and how
//! much of it all is kept.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::App;
use http::auth::By;
use http::bounds::StoredBytes;
use http::extract::{self, Parameters};
use http::problem::Problem;
use http::query::read::{self, Plan};
use http::query::{Source, answer};
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::refused::{Count, Reason, Refusals};
use crate::room::{self, Fill};

/// Its address.
pub const ADDRESS: &str = "/v1/dod/intake";
/// Needed to see it.
pub const READ: &str = "dod.deliveries.read";
/// What is counted of the past, in hours.
pub const COUNTED_HOURS: i32 = 24;
/// Sources that are shown, the first by their names.
pub const SOURCES_MAX: i64 = 1_000;

const COUNTS: &str = include_str!("counts.sql");
/// Row-level security leaves the tenant's own row.
const STORED: &str = "select bodies, bytes from dod.stored_bodies";

/// Shows it.
///
/// # Errors
/// [`Problem`].
pub async fn show(
    State(app): State<App>,
    by: By,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    by.require_unbound()?;
    by.require(READ)?;
    let source = Source::of(&app.contexts, "dod", "deliveries")?;
    let after = extract::after(&app, &headers, &mut parameters).await?;
    parameters.finish(["Daybook-After"])?;
    let query = || {
        let mut arguments = PgArguments::default();
        let bound = arguments.add(COUNTED_HOURS).and_then(|()| arguments.add(SOURCES_MAX));
        debug_assert!(bound.is_ok(), "numbers can always be sent");
        QueryBuilder::<Postgres>::with_arguments(COUNTS, arguments)
    };
    let read = read::rows(&app, source.context, by.bearer, after, Plan::OfValues, query).await?;
    let refused = app.of::<Refusals>()?.of(by.tenant);
    let sources = read.rows.iter().map(|row| counted(row, &refused));
    let sources = sources.collect::<Result<Vec<Value>, sqlx::Error>>()?;
    let of_tenant = || QueryBuilder::<Postgres>::new(STORED);
    let kept = read::rows(&app, source.context, by.bearer, after, Plan::OfValues, of_tenant).await?;
    let stored = stored(kept.rows.first(), app.of::<StoredBytes>()?.of_tenant_max)?;
    let shown = json!({ "hours": COUNTED_HOURS, "sources": sources, "stored": stored });
    Ok(answer(shown.to_string(), read.posted))
}

/// How much is kept of what came in, and how much may be.
fn stored(row: Option<&PgRow>, limit: u64) -> Result<Value, sqlx::Error> {
    let number = |name: &str| row.map_or(Ok(0), |row| row.try_get::<i64, _>(name));
    let bytes = number("bytes")?.max(0).unsigned_abs();
    let warning = match Fill::of(bytes, limit) {
        Fill::Free => None,
        Fill::Warned => Some(
            "Bodies take most of the room that they may. Have them kept for less time, or have the limit raised, before \
             senders are sent away.",
        ),
        Fill::Full => Some(
            "Bodies take all the room that they may: senders that try again are told to, and of others the alerts are kept and \
             the bodies are not. Have bodies kept for less time, or have the limit raised.",
        ),
    };
    Ok(json!({
        "bodies": number("bodies")?,
        "bytes": bytes,
        "limit": limit,
        "share": room::share(bytes, limit),
        "warning": warning,
    }))
}

fn counted(row: &PgRow, refused: &[(Uuid, Reason, Count)]) -> Result<Value, sqlx::Error> {
    let source_id: Uuid = row.try_get("source_id")?;
    let refused: Map<String, Value> = refused
        .iter()
        .filter(|(of, _, _)| *of == source_id)
        .map(|(_, reason, count)| {
            let told = json!({ "times": count.times, "last_at": count.last_at });
            (reason.word().to_owned(), told)
        })
        .collect();
    let number = |name: &str| row.try_get::<i64, _>(name);
    Ok(json!({
        "source_id": source_id,
        "name": row.try_get::<String, _>("name")?,
        "received": number("received")?,
        "recognised": number("recognised")?,
        "unmapped": number("unmapped")?,
        "unreadable": number("unreadable")?,
        "waiting": number("waiting")?,
        "alerts": number("alerts")?,
        "last_received_at": row.try_get::<Option<DateTime<Utc>>, _>("last_received_at")?,
        "refused": refused,
    }))
}
