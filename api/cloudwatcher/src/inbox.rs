//! `GET /v1/cloudwatcher/approvals/inbox`: what waits for one's decision, what is due first coming first.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use book::texts::Place;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, Postgres, QueryBuilder, Row as _};

use http::app::App;
use http::auth::By;
use http::extract::{self, Parameters};
use http::problem::Problem;
use http::query::read::{self, Plan};
use http::query::{Source, answer};

/// Needed to decide, and so to see what waits for one's decision.
pub const APPROVE: &str = "cloudwatcher.approval.approve";
/// Asks of a page.
pub const PAGE_ASKS: i64 = 50;
pub const PAGE_ASKS_MAX: i64 = 200;

const OPEN: &str = include_str!("inbox.sql");

/// The asks that wait for the person who asks: those that name them, and those that they may decide in another's place.
///
/// # Errors
/// [`Problem`].
pub async fn list(
    State(app): State<App>,
    by: By,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    by.require(APPROVE)?;
    let source = Source::of(&app.contexts, "cloudwatcher", "order_approvals")?;
    let limit = parameters.limit(PAGE_ASKS, PAGE_ASKS_MAX)?;
    app.unmark(&mut parameters)?;
    let after = parameters.take("after")?.map(|text| cursor(&text)).transpose()?;
    let posted = extract::after(&app, &headers, &mut parameters).await?;
    parameters.finish(["limit", "after", "Daybook-After"])?;
    let user = by.user;
    let query = move || {
        let mut arguments = PgArguments::default();
        let (due_at, position) = after.unzip();
        let bound = arguments
            .add(user)
            .and_then(|()| arguments.add(due_at))
            .and_then(|()| arguments.add(position))
            // One more than asked for tells whether there is another page.
            .and_then(|()| arguments.add(limit + 1));
        debug_assert!(bound.is_ok(), "ids, times and numbers can always be sent");
        QueryBuilder::<Postgres>::with_arguments(OPEN, arguments)
    };
    let read = read::rows(&app, source.context, by.bearer, posted, Plan::OfValues, query).await?;
    let rows = &read.rows;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown = rows.get(..page).unwrap_or(rows);
    let has_more = read.is_cut || rows.len() > page;
    let next = match shown.last() {
        Some(last) if has_more => Some(app.marked(format_args!(
            "{}_{}",
            last.try_get::<DateTime<Utc>, _>("due_at")?
                .to_rfc3339_opts(SecondsFormat::Micros, true),
            last.try_get::<i64, _>("position")?
        ))),
        Some(_) | None => None,
    };
    let mut asks: Vec<Value> = shown
        .iter()
        .map(|row| row.try_get("ask"))
        .collect::<Result<_, sqlx::Error>>()?;
    let notes = asks.iter_mut().filter_map(|ask| ask.get_mut("note")).map(Place::Json);
    app.tail.open_texts(by.tenant, &mut notes.collect::<Vec<_>>()).await?;
    Ok(answer(json!({ "asks": asks, "next": next }).to_string(), read.posted))
}

/// A place in the list, as `next` gave it: the time and position of the last ask.
fn cursor(text: &str) -> Result<(DateTime<Utc>, i64), Problem> {
    let parsed = text.split_once('_').and_then(|(due_at, position)| {
        let due_at = DateTime::parse_from_rfc3339(due_at).ok()?.to_utc();
        Some((due_at, position.parse().ok()?))
    });
    parsed.ok_or_else(|| {
        let detail = "after must be what `next` said on the page before; leave it out to start over";
        Problem::bad_value("after", detail)
    })
}
