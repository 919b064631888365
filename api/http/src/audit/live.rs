//! `GET /v1/events/stream`: the log as it grows, as server-sent events.
//!
//! One loop over positions from the book serves the past and the present alike, so there is no seam
//! between them. The id of an event is its position; `Last-Event-ID` goes on after it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use chrono::Utc;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tracing::warn;

use super::events::{FILTERS, wanted};
use super::log::{self, PAGE_EVENTS_MAX, Range, Wanted};
use super::view::shown;
use crate::app::App;
use crate::auth::By;
use crate::command::headers::only;
use crate::extract::{self, Parameters};
use crate::problem::{self, Problem};

/// Between comments that keep a quiet connection open, in seconds.
const KEEP_ALIVE_SECONDS: u64 = 15;
/// How soon a client comes back after the stream ended, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// How often a quiet stream looks whether its reader may still read, in seconds.
const RECHECK_SECONDS: u64 = 5;
/// How long what was read for a client may wait for it, in seconds. A person may be erased meanwhile, or the reader lose
/// the right to read; so what a slow client has not taken by then is read anew.
const READY_SECONDS_MAX: u64 = 1;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The stream of one client.
struct Live {
    app: App,
    by: By,
    wanted: Wanted,
    /// Everything up to here was sent or is in `ready`.
    position: i64,
    /// Everything up to here was sent.
    sent: i64,
    /// The events to send next, with the positions up to which the log is sent then.
    ready: VecDeque<(i64, Event)>,
    /// When the log was read last.
    read_at: Instant,
    end: watch::Receiver<i64>,
    _place: OwnedSemaphorePermit,
}

/// # Errors
/// [`Problem`].
pub async fn follow(
    State(app): State<App>,
    by: By,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    super::sight(&app, &by)?;
    let wanted = wanted(by.tenant, &mut parameters)?;
    let after = parameters
        .take("after")?
        .map(|text| extract::position("after", &text))
        .transpose()?;
    parameters.finish(FILTERS.into_iter().chain(["after"]))?;
    let resumed = only(&headers, &LAST_EVENT_ID)?.map(String::from_utf8_lossy);
    let resumed = resumed
        .map(|text| extract::position("Last-Event-ID", &text))
        .transpose()?;
    let place = app.event_streams.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        Problem::new(
            problem::OVERLOADED,
            "too many event streams are open; try again in a moment",
        )
    })?;
    let position = match resumed.or(after) {
        Some(position) => position,
        None => app.tail.end().await?,
    };
    let mut ready = VecDeque::new();
    let first = Event::default().retry(Duration::from_millis(RETRY_MS));
    ready.push_back((position, first.id(position.to_string())));
    let live = Live {
        end: app.end.clone(),
        app,
        by,
        wanted,
        position,
        sent: position,
        ready,
        read_at: Instant::now(),
        _place: place,
    };
    let events = stream::unfold(live, |mut live| async move {
        live.next().await.map(|event| (Ok::<_, Infallible>(event), live))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_SECONDS));
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

impl Live {
    /// The next event to send; `None` ends the stream, and the client comes back where it was.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.read_at.elapsed() > Duration::from_secs(READY_SECONDS_MAX) && !self.ready.is_empty() {
                self.ready.clear();
                self.position = self.sent;
            }
            if let Some((position, event)) = self.ready.pop_front() {
                self.sent = position;
                return Some(event);
            }
            if self.app.stop.is_cancelled() || !self.may_read().await {
                return None;
            }
            let end = *self.end.borrow_and_update();
            if end > self.position {
                if let Err(problem) = self.fill(end).await {
                    warn!(
                        status = problem.status.as_u16(),
                        "an event stream ends because the log cannot be read"
                    );
                    return None;
                }
                continue;
            }
            tokio::select! {
                changed = self.end.changed() => changed.ok()?,
                () = tokio::time::sleep(Duration::from_secs(RECHECK_SECONDS)) => {}
                () = self.app.stop.cancelled() => return None,
            }
        }
    }

    /// Whether the token is still good and its user still an auditor.
    async fn may_read(&mut self) -> bool {
        if Utc::now() > self.by.until {
            return false;
        }
        match self.app.principals.of(self.by.bearer).await {
            Ok(principal) => {
                self.by.principal = principal;
                super::sight(&self.app, &self.by).is_ok()
            }
            Err(_) => false,
        }
    }

    /// Reads on from the book, at most one search far.
    async fn fill(&mut self, end: i64) -> Result<(), Problem> {
        let sight = super::sight(&self.app, &self.by)?;
        let range = Range {
            above: self.position,
            upto: end,
        };
        let _turn = self.app.log_read().await?;
        let found = log::search(&self.app, &self.by, &self.wanted, range, false, PAGE_EVENTS_MAX).await?;
        self.position = found.rest.map_or(end, |rest| rest.above);
        let none = found.events.is_empty();
        for recorded in found.events {
            let position = recorded.position;
            let event = Event::default()
                .id(position.to_string())
                .json_data(shown(recorded, &sight))
                .map_err(|error| Problem::internal(&error))?;
            self.ready.push_back((position, event));
        }
        if none {
            // Nothing to show, but a client that comes back need not look at all this again.
            let passed = Event::default().id(self.position.to_string());
            self.ready.push_back((self.position, passed));
        }
        self.read_at = Instant::now();
        Ok(())
    }
}
