//! `GET /v1/dod/intake`: what came in of late and what became of it, source by source, and what was refused at the door.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use http::App;
use http::auth::By;
use http::extract::NoParameters;
use http::problem::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::refused::Refusals;

/// Its address.
pub const ADDRESS: &str = "/v1/dod/intake";
/// Needed to see it.
pub const READ: &str = "dod.deliveries.read";
/// What is counted of the past, in hours.
pub const COUNTED_HOURS: i32 = 24;

type Row = (Uuid, String, i64, i64, i64, i64, i64, Option<DateTime<Utc>>);

/// Shows it.
///
/// # Errors
/// [`Problem`].
pub async fn show(State(app): State<App>, by: By, _none: NoParameters) -> Result<Response, Problem> {
    by.require(READ)?;
    let _turn = app.bounds.tables.turn(by.bearer).await?;
    let asking = sqlx::query_as::<_, Row>(
        "select s.id, s.name,
                count(d.id), count(d.id) filter (where d.status = 'recognised'),
                count(d.id) filter (where d.status = 'unreadable'), count(d.id) filter (where d.status = 'received'),
                coalesce(sum(d.alerts), 0)::bigint, max(d.received_at)
         from dod.webhook_sources s
         left join dod.deliveries d on d.source_id = s.id and d.tenant_id = s.tenant_id
             and d.received_at > now() - make_interval(hours => $2)
         where s.tenant_id = $1
         group by s.id, s.name order by s.name limit 1000",
    )
    .bind(by.tenant)
    .bind(COUNTED_HOURS)
    .fetch_all(&app.pools.projector);
    let rows = book::pools::answered(async { Ok::<_, book::BookError>(asking.await?) }).await?;
    let refused = app.of::<Refusals>()?.of(by.tenant);
    let sources: Vec<Value> = rows
        .into_iter()
        .map(
            |(id, name, received, recognised, unreadable, waiting, alerts, last_at)| {
                let refused: serde_json::Map<String, Value> = refused
                    .iter()
                    .filter(|(source_id, _, _)| *source_id == id)
                    .map(|(_, reason, count)| {
                        let told = json!({ "times": count.times, "last_at": count.last_at });
                        (reason.word().to_owned(), told)
                    })
                    .collect();
                json!({
                    "source_id": id,
                    "name": name,
                    "received": received,
                    "recognised": recognised,
                    "unreadable": unreadable,
                    "waiting": waiting,
                    "alerts": alerts,
                    "last_received_at": last_at,
                    "refused": refused,
                })
            },
        )
        .collect();
    Ok(Json(json!({ "hours": COUNTED_HOURS, "sources": sources })).into_response())
}
