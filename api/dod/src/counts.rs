//! `GET /v1/dod/intake`: what came in of late and what became of it, source by source, and what was refused at the door.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::App;
use http::auth::By;
use http::extract::{self, Parameters};
use http::problem::Problem;
use http::query::read::{self, Plan};
use http::query::{Source, answer};
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::refused::{Count, Reason, Refusals};

/// Its address.
pub const ADDRESS: &str = "/v1/dod/intake";
/// Needed to see it.
pub const READ: &str = "dod.deliveries.read";
/// What is counted of the past, in hours.
pub const COUNTED_HOURS: i32 = 24;
/// Sources that are shown, the first by their names.
pub const SOURCES_MAX: i64 = 1_000;

const COUNTS: &str = include_str!("counts.sql");

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
    let shown = json!({ "hours": COUNTED_HOURS, "sources": sources });
    Ok(answer(shown.to_string(), read.posted))
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
