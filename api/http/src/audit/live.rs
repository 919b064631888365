//! `GET /v1/events/stream`: the log as it grows, as server-sent events.
//!
//! One loop over positions from the book serves the past and the present alike, so there is no seam
//! between them. The id of an event is its position and the mark of the history that it is in; `Last-Event-ID` goes on
//! after it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tokio::sync::watch;
use tracing::warn;

use super::events::{Asked, FILTERS};
use super::log::{self, Range, Size, Wanted};
use super::view::shown;
use crate::app::App;
use crate::auth::By;
use crate::command::headers::only;
use crate::extract::{self, Parameters};
use crate::mark::Mark;
use crate::problem::Problem;
use crate::shares::Share;

/// What is read for one client at once: of those who read nothing, no more is kept.
const AT_ONCE: Size = Size {
    events: 64,
    bytes: 64 << 10,
    // Whoever has passed much is told so, and goes on at once.
    patience: Duration::ZERO,
};
/// A client is told how far the log is once so many positions have passed without an event for it: coming back, it need
/// not look at them again.
const PASSED_MAX: i64 = 1_000;
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
    mark: watch::Receiver<Mark>,
    _place: Share,
}

/// # Errors
/// [`Problem`].
pub async fn follow(
    State(app): State<App>,
    mut by: By,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    super::sight(&app, &by)?;
    let asked = Asked::take(&mut parameters)?;
    let after = parameters.take("after")?;
    parameters.finish(FILTERS.into_iter().chain(["after"]))?;
    let wanted = asked.wanted(&app, &by).await?;
    let resumed = only(&headers, &LAST_EVENT_ID)?.map(String::from_utf8_lossy);
    let place = app.bounds.event_streams.take(by.bearer, 1)?;
    by.leave();
    // Both are looked at, whichever holds.
    let mut position = None;
    for (name, text) in [("after", after.map(Into::into)), ("Last-Event-ID", resumed)] {
        if let Some(text) = text {
            position = Some(began_at(&app, name, &text).await?);
        }
    }
    let position = match position {
        Some(position) => position,
        None => app.end_now().await?,
    };
    let mut ready = VecDeque::new();
    let first = Event::default().retry(Duration::from_millis(RETRY_MS));
    ready.push_back((position, first.id(app.marked(position))));
    let mut mark = app.mark.clone();
    mark.mark_unchanged();
    let live = Live {
        mark,
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

/// The position after which a stream goes on.
async fn began_at(app: &App, name: &str, text: &str) -> Result<i64, Problem> {
    let position = extract::position(name, app.unmarked(name, text)?)?;
    app.reached(name, position).await?;
    Ok(position)
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
            // In another history nothing follows from what was sent.
            let is_former = self.mark.has_changed().unwrap_or(true);
            if is_former || self.app.stop.is_cancelled() || !self.may_read().await {
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
        self.by.look_again(&self.app).await.is_ok() && super::sight(&self.app, &self.by).is_ok()
    }

    /// Reads on from the book, at most one search far.
    async fn fill(&mut self, end: i64) -> Result<(), Problem> {
        let (app, tenant) = (&self.app, self.wanted.tenant);
        if app.recent.is_silent(&app.tail, tenant, self.position, end).await? {
            self.position = end;
            if end - self.sent >= PASSED_MAX {
                self.passed();
            } else {
                self.sent = end;
            }
            return Ok(());
        }
        let sight = super::sight(&self.app, &self.by)?;
        let range = Range {
            above: self.position,
            upto: end,
        };
        let found = log::search(&self.app, &self.by, &self.wanted, range, false, AT_ONCE).await?;
        self.position = found.rest.map_or(end, |rest| rest.above);
        let none = found.events.is_empty();
        for recorded in found.events {
            let position = recorded.position;
            let event = Event::default()
                .id(self.app.marked(position))
                .json_data(shown(recorded, &sight))
                .map_err(|error| Problem::internal(&error))?;
            self.ready.push_back((position, event));
        }
        if none {
            self.passed();
        }
        self.read_at = Instant::now();
        Ok(())
    }

    /// Nothing to show, but a client that comes back need not look at all this again.
    fn passed(&mut self) {
        self.read_at = Instant::now();
        let passed = Event::default().id(self.app.marked(self.position));
        self.ready.push_back((self.position, passed));
    }
}
