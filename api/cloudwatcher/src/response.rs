//! `GET /v1/cloudwatcher/requests/{id}/response`, and the same as server-sent events: how a device gets, and
//! waits for, the response to its request.
//!
//! What it gets never changes once it is there: whether the device has it already is not a part of it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use book::BookError;
use chrono::Utc;
use cloudwatcher::RequestStatus;
use cloudwatcher::request::{AGGREGATE, DeviceRequest, Event as Received};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, Postgres, QueryBuilder, Row as _};
use tokio::time::Instant;
use uuid::Uuid;

use domain::Decider as _;
use http::app::App;
use http::auth::By;
use http::extract::{self, Parameters, Path};
use http::problem::Problem;
use http::query::read::Plan;
use http::query::{Source, read};

use super::waiting::Wait;

/// Needed to get the responses to requests.
pub const READ: &str = "cloudwatcher.responses.read";
/// How long a device may wait in one request, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// How soon a device that did not wait should ask again, in seconds.
const RETRY_SECONDS: u64 = 1;
/// Between comments that keep an idle connection open, in seconds.
const KEEP_ALIVE_SECONDS: u64 = 15;
/// How soon a client comes back after the stream ended without a response, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// How often an idle stream looks whether its reader may still read, in seconds.
const RECHECK_SECONDS: u64 = 15;
/// How long the tables may take to come to where the book was when somebody began to wait, in seconds.
const POSTED_SECONDS: u64 = 5;

/// The answer that a device gets.
#[derive(Debug, Serialize)]
struct Answered {
    request_id: Uuid,
    response_id: Uuid,
    /// How the request ended: `completed` or `failed`.
    status: String,
    ai_processed: bool,
    /// As the table has it, so that it is the same however often it is asked for.
    content: Box<RawValue>,
}

enum Found {
    Response(Answered),
    /// Not yet.
    Open(String),
}

/// The response to a request, waiting for it if asked to.
///
/// # Errors
/// [`Problem`].
pub async fn wait(
    State(app): State<App>,
    mut by: By,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    by.require(READ)?;
    let request = extract::uuid("id", &id)?;
    let seconds = parameters.take("wait")?.map_or(Ok(0), |text| seconds(&text))?;
    let after = extract::after(&app, &headers, &mut parameters).await?;
    parameters.finish(["wait", "Daybook-After"])?;
    // Nobody waits beyond their token.
    let token = (by.until - Utc::now()).to_std().unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(seconds).min(token);
    let found = match begun(&app, &by, request, after, seconds > 0).await? {
        (Found::Open(_), Some(mut wait)) => {
            by.leave();
            let found = next(&app, &by, request, &mut wait, until).await?;
            may_read(&app, &mut by).await?;
            found
        }
        (found, _) => found,
    };
    Ok(match found {
        Found::Response(answered) => Json(answered).into_response(),
        Found::Open(status) => {
            let mut response = (StatusCode::ACCEPTED, Json(json!({ "status": status }))).into_response();
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            response
        }
    })
}

/// The response to a request as the one event of a stream.
///
/// # Errors
/// [`Problem`].
pub async fn stream(
    State(app): State<App>,
    mut by: By,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    by.require(READ)?;
    let request = extract::uuid("id", &id)?;
    parameters.finish::<&str>([])?;
    let (found, wait) = begun(&app, &by, request, None, true).await?;
    if wait.is_some() {
        by.leave();
    }
    let live = Live {
        app,
        by,
        request,
        stage: Stage::Beginning { found, wait },
    };
    let events = futures::stream::unfold(live, |mut live| async move {
        live.next().await.map(|event| (Ok::<_, Infallible>(event), live))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_SECONDS));
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

/// The stream of one device.
struct Live {
    app: App,
    by: By,
    request: Uuid,
    stage: Stage,
}

enum Stage {
    Beginning { found: Found, wait: Option<Wait> },
    Ready(Answered),
    Waiting(Wait),
    Ended,
}

impl Live {
    /// The next event to send; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Beginning { found, wait } => {
                self.stage = match (found, wait) {
                    (Found::Response(answered), _) => Stage::Ready(answered),
                    (Found::Open(_), Some(wait)) => Stage::Waiting(wait),
                    (Found::Open(_), None) => Stage::Ended,
                };
                // Says at once that the stream is open, and how soon to come back should it break.
                Some(Event::default().retry(Duration::from_millis(RETRY_MS)))
            }
            Stage::Ready(answered) => told(&answered),
            Stage::Waiting(mut wait) => loop {
                let until = Instant::now() + Duration::from_secs(RECHECK_SECONDS);
                match next(&self.app, &self.by, self.request, &mut wait, until).await {
                    Ok(Found::Response(answered)) if self.may_read().await => return told(&answered),
                    Ok(Found::Open(_)) if !self.app.stop.is_cancelled() && self.may_read().await => {}
                    Ok(Found::Response(_) | Found::Open(_)) | Err(_) => return None,
                }
            },
            Stage::Ended => None,
        }
    }

    /// Whether the token is still good and its user may still read responses.
    async fn may_read(&mut self) -> bool {
        may_read(&self.app, &mut self.by).await.is_ok()
    }
}

/// That the user may read responses still, after a wait: they may be deactivated since, or have lost a role.
async fn may_read(app: &App, by: &mut By) -> Result<(), Problem> {
    by.look_again(app).await?;
    by.require(READ)
}

fn told(answered: &Answered) -> Option<Event> {
    Event::default().event("response").json_data(answered).ok()
}

/// A first look at a request, and, if it is open, a wait that misses nothing after it.
async fn begun(
    app: &App,
    by: &By,
    request: Uuid,
    after: Option<i64>,
    waits: bool,
) -> Result<(Found, Option<Wait>), Problem> {
    if !waits {
        return Ok((look(app, by, request, after).await?.0, None));
    }
    // First: whoever has their share of waits is told so before the database is asked anything.
    let place = app.of::<super::waiting::Waiting>()?.place(by.bearer)?;
    let source = Source::of(&app.contexts, "cloudwatcher", "responses")?;
    let position = *app.end.borrow();
    // What lags longer shows later what was in the book already: that is to be told as well.
    let timeout = Duration::from_secs(POSTED_SECONDS);
    app.posted.wait(source.context, position, timeout).await?;
    let (found, posted) = look(app, by, request, after).await?;
    let wait = match found {
        Found::Response(_) => None,
        // From what the tables showed on, so that nothing is missed between the two.
        Found::Open(_) => Some(place.begin(request, position.min(posted))),
    };
    Ok((found, wait))
}

/// Waits for the response; what is still open when the time has come is open.
async fn next(app: &App, by: &By, request: Uuid, wait: &mut Wait, until: Instant) -> Result<Found, Problem> {
    loop {
        let told = tokio::select! {
            position = wait.told() => position,
            () = tokio::time::sleep_until(until) => return Ok(look(app, by, request, None).await?.0),
            () = app.stop.cancelled() => return Ok(look(app, by, request, None).await?.0),
        };
        if let (Found::Response(answered), _) = look(app, by, request, told).await? {
            return Ok(Found::Response(answered));
        }
    }
}

/// Looks at the tables, posted up to `after`, and says up to where they are; at the book for a request that
/// they do not have yet, or not any more.
async fn look(app: &App, by: &By, request: Uuid, after: Option<i64>) -> Result<(Found, i64), Problem> {
    let context = Source::of(&app.contexts, "cloudwatcher", "responses")?.context;
    let device = by.device.as_deref().map(str::to_owned);
    let query = move || {
        let mut arguments = PgArguments::default();
        let bound = arguments.add(request).and_then(|()| arguments.add(device.clone()));
        debug_assert!(bound.is_ok(), "ids can always be sent");
        QueryBuilder::<Postgres>::with_arguments(
            "select r.status, p.id, p.ai_processed, p.content::text as content
             from cloudwatcher.requests r left join cloudwatcher.responses p on p.request_id = r.id
             where r.id = $1 and ($2::text is null or r.device_id = $2)",
            arguments,
        )
    };
    let read = read::rows(app, context, by.bearer, after, Plan::OfStatement, query).await?;
    let found = match read.rows.first() {
        Some(row) => found(request, row)?,
        None => unposted(app, by, request).await?,
    };
    Ok((found, read.posted))
}

fn found(request: Uuid, row: &PgRow) -> Result<Found, Problem> {
    let status: String = row.try_get("status")?;
    let is_closed = [RequestStatus::Completed, RequestStatus::Failed].map(|status| status.to_string());
    let content: Option<String> = row.try_get("content")?;
    let Some(content) = content.filter(|_| is_closed.contains(&status)) else {
        return Ok(Found::Open(status));
    };
    Ok(Found::Response(Answered {
        request_id: request,
        response_id: row.try_get("id")?,
        status,
        ai_processed: row.try_get("ai_processed")?,
        content: RawValue::from_string(content).map_err(|error| Problem::internal(&error))?,
    }))
}

/// A request without a row: not posted yet, archived, or not there.
async fn unposted(app: &App, by: &By, request: Uuid) -> Result<Found, Problem> {
    if !is_of_its_device(app, by, request).await? {
        return Err(Problem::not_found(format!("request {request}")));
    }
    let state = app.book.state::<DeviceRequest>(by.tenant, request).await?;
    match state.as_deref() {
        Some(DeviceRequest::Live(..)) => Ok(Found::Open(RequestStatus::Pending.to_string())),
        Some(DeviceRequest::Archived(_)) => Err(Problem::not_found(format!(
            "response to request {request} any more; it is archived"
        ))),
        Some(DeviceRequest::Unreceived) | None => Err(Problem::not_found(format!("request {request}"))),
    }
}

/// Whether a request is of the device that the asker's key is bound to, if it is bound to one. Without a row, only the
/// first event tells.
async fn is_of_its_device(app: &App, by: &By, request: Uuid) -> Result<bool, Problem> {
    let Some(device) = &by.device else {
        return Ok(true);
    };
    let first = app.tail.first(DeviceRequest::TYPE, request).await?;
    let Some(first) = first.filter(|first| first.tenant_id == by.tenant) else {
        return Ok(false);
    };
    let received = AGGREGATE.decode(&first.stored()).map_err(BookError::from)?;
    let of = received.of::<DeviceRequest>();
    Ok(matches!(of, Some(Received::RequestReceived { device_id, .. }) if **device == **device_id))
}

/// `30s` or `30`.
fn seconds(text: &str) -> Result<u64, Problem> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits
        .parse()
        .ok()
        .filter(|seconds| plain && *seconds <= WAIT_SECONDS_MAX);
    seconds.ok_or_else(|| {
        Problem::bad_value(
            "wait",
            format!("wait must be whole seconds from 0 to {WAIT_SECONDS_MAX}, such as 30s"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_waits_whole_seconds_and_at_most_a_minute() {
        for (text, wanted) in [("0", 0), ("0s", 0), ("30s", 30), ("60", 60)] {
            assert_eq!(seconds(text).unwrap(), wanted, "{text}");
        }
        for text in ["", "s", "61", "-1", "1.5s", "+5", "30m", "99999999999999999999"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
