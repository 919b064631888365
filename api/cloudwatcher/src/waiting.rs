//! Devices that wait for their responses. However many wait, the book is looked through once, and only
//! those whose request was answered look at the table again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use book::BookError;
use book::pools::answered;
use book::worker::pause;
use cloudwatcher::request::DeviceRequest;
use domain::Decider as _;
use projections::{Context, Posted};
use sqlx::{PgPool, Row as _};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use http::auth::token::Bearer;
use http::problem::Problem;
use http::shares::{Share, Shares};

/// Devices that wait at one process at one time.
pub const WAITS_MAX: u64 = 5_000;
/// The events that a waiting device waits for.
pub const ENDS: [&str; 3] = ["RequestCompleted", "RequestFailed", "RequestArchived"];

/// Events that are looked through at once.
const SCAN_EVENTS_MAX: i64 = 20_000;
/// Between two looks at the book, in milliseconds: so long is what happens gathered.
const PAUSE_MS: u64 = 10;
/// Before the next look when one failed, in milliseconds.
const BACKOFF_MS: u64 = 500;
/// How long the tables may lag behind a response before they are asked about again, in seconds.
const POSTED_SECONDS: u64 = 5;

/// The requests that somebody waits for. Clones share them.
#[derive(Debug, Clone)]
pub struct Waiting(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waits: Mutex<Waits>,
    /// Told when somebody begins to wait.
    begun: Notify,
    places: Arc<Shares>,
}

#[derive(Debug, Default)]
struct Waits {
    /// Each is told the position of the event that ended the request.
    of_request: HashMap<Uuid, watch::Sender<i64>>,
    /// Up to here the book was looked through for all that wait.
    seen: i64,
}

/// A place among those who wait, given back when dropped.
#[derive(Debug)]
pub struct Place {
    all: Waiting,
    _share: Share,
}

/// One wait; it ends when dropped.
#[derive(Debug)]
pub struct Wait {
    request: Uuid,
    /// Until the wait ends.
    told: Option<watch::Receiver<i64>>,
    place: Place,
}

impl Default for Waiting {
    fn default() -> Self {
        Self(Arc::new(Inner {
            waits: Mutex::default(),
            begun: Notify::new(),
            places: Shares::new("waits", "devices that may wait for responses", WAITS_MAX),
        }))
    }
}

impl Waiting {
    /// Takes a place for somebody who is going to wait, before anything is asked of the database for them.
    ///
    /// # Errors
    /// 429 when this user, or their tenant, has too many waits, 503 when too many wait at all.
    pub fn place(&self, by: Bearer) -> Result<Place, Problem> {
        Ok(Place {
            all: self.clone(),
            _share: self.0.places.take(by, 1)?,
        })
    }

    /// How many requests somebody waits for.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.waits().of_request.len()
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From where on the book is to be looked through; `None` while nobody waits.
    fn from(&self) -> Option<i64> {
        let waits = self.waits();
        (!waits.of_request.is_empty()).then_some(waits.seen)
    }

    /// Tells those who wait for these requests, which are all that ended between these positions.
    fn tell(&self, from: i64, to: i64, ended: &[(Uuid, i64)]) {
        let mut waits = self.waits();
        // Somebody may have come meanwhile who wants an earlier stretch looked through as well.
        if waits.seen == from {
            waits.seen = to;
        }
        for (request, position) in ended {
            if let Some(told) = waits.of_request.get(request) {
                told.send_replace(*position);
            }
        }
    }
}

impl Place {
    /// Begins to wait for what happens to a request after `position`. Whoever then looks at tables that are
    /// posted up to there misses nothing.
    #[must_use]
    pub fn begin(self, request: Uuid, position: i64) -> Wait {
        let told = {
            let mut waits = self.all.waits();
            waits.seen = if waits.of_request.is_empty() {
                position
            } else {
                waits.seen.min(position)
            };
            waits.of_request.entry(request).or_default().subscribe()
        };
        self.all.0.begun.notify_one();
        Wait {
            request,
            told: Some(told),
            place: self,
        }
    }
}

impl Wait {
    /// Returns when the request may have its response: in tables that are posted up to this position.
    pub async fn told(&mut self) -> Option<i64> {
        let told = self.told.as_mut()?;
        // The sender lives as long as this wait.
        let _ = told.changed().await;
        Some(*told.borrow())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = self.place.all.waits();
        // Gone before the others are counted: of two that end together one must find that it is the last.
        self.told = None;
        let others = waits
            .of_request
            .get(&self.request)
            .map_or(0, watch::Sender::receiver_count);
        if others == 0 {
            waits.of_request.remove(&self.request);
        }
    }
}

/// The sources that the follower reads.
pub struct Means {
    pub pool: PgPool,
    pub posted: Posted,
    pub context: &'static Context,
    /// The last position of the book, as it grows.
    pub end: watch::Receiver<i64>,
}

/// Follows the book for those who wait, until `stop`. While nobody waits it asks for nothing.
pub async fn follow(waiting: Waiting, means: Means, stop: CancellationToken) {
    loop {
        let begun = waiting.0.begun.notified();
        let Some(from) = waiting.from() else {
            tokio::select! {
                () = begun => continue,
                () = stop.cancelled() => return,
            }
        };
        // Followed only while somebody waits: whoever holds a receiver has every commit looked at.
        let mut end = means.end.clone();
        let to = (*end.borrow_and_update()).min(from + SCAN_EVENTS_MAX);
        if to <= from {
            tokio::select! {
                _ = end.changed() => {}
                () = begun => {}
                () = stop.cancelled() => return,
            }
            continue;
        }
        match ended(&means, from, to, &stop).await {
            Ok(ended) => waiting.tell(from, to, &ended),
            Err(error) => {
                warn!(error = %error, "the book cannot be looked through for devices that wait");
                pause(&stop, Duration::from_millis(BACKOFF_MS)).await;
            }
        }
        pause(&stop, Duration::from_millis(PAUSE_MS)).await;
        if stop.is_cancelled() {
            return;
        }
    }
}

/// The requests that ended between two positions, once the tables say so.
async fn ended(means: &Means, from: i64, to: i64, stop: &CancellationToken) -> Result<Vec<(Uuid, i64)>, BookError> {
    let reading = sqlx::query(
        "select position, aggregate_id::uuid as request from book.events
         where position > $1 and position <= $2 and aggregate_type = $3 and event_type = any($4) order by position",
    )
    .bind(from)
    .bind(to)
    .bind(DeviceRequest::TYPE)
    .bind(ENDS.as_slice())
    .fetch_all(&means.pool);
    let rows = answered(async { Ok::<_, BookError>(reading.await?) }).await?;
    let Some(last) = rows.last() else {
        return Ok(Vec::new());
    };
    let last: i64 = last.try_get("position")?;
    let timeout = Duration::from_secs(POSTED_SECONDS);
    while !means.posted.wait_surely(means.context, last, timeout).await? && !stop.is_cancelled() {
        warn!(
            position = last,
            "the tables have not posted a response for {POSTED_SECONDS} s"
        );
    }
    rows.iter()
        .map(|row| Ok((row.try_get("request")?, row.try_get("position")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Uuid = Uuid::from_u128(1);
    const BEARER: Bearer = Bearer {
        tenant: Uuid::from_u128(8),
        user: Uuid::from_u128(9),
    };

    fn begun(waiting: &Waiting, by: Bearer, request: Uuid, position: i64) -> Wait {
        waiting.place(by).unwrap().begin(request, position)
    }

    fn is_told(wait: &Wait) -> bool {
        wait.told.as_ref().unwrap().has_changed().unwrap()
    }

    #[test]
    fn those_who_wait_for_what_ended_are_told_and_no_others() {
        let waiting = Waiting::default();
        let waits = [REQUEST, REQUEST, Uuid::from_u128(2)].map(|request| begun(&waiting, BEARER, request, 10));
        waiting.tell(10, 20, &[(REQUEST, 17)]);
        assert_eq!(waits.each_ref().map(is_told), [true, true, false]);
        assert_eq!(waiting.from(), Some(20));
    }

    #[test]
    fn whoever_knows_less_of_the_book_has_it_looked_through_again() {
        let waiting = Waiting::default();
        let _first = begun(&waiting, BEARER, REQUEST, 10);
        waiting.tell(10, 20, &[]);
        let _second = begun(&waiting, BEARER, REQUEST, 15);
        assert_eq!(waiting.from(), Some(15));
        // What was under way since 20 says nothing of 15 to 20.
        waiting.tell(20, 30, &[]);
        assert_eq!(waiting.from(), Some(15));
    }

    #[test]
    fn nobody_is_left_when_all_have_gone() {
        let waiting = Waiting::default();
        let (first, second) = (
            begun(&waiting, BEARER, REQUEST, 10),
            begun(&waiting, BEARER, REQUEST, 10),
        );
        drop(first);
        assert_eq!((waiting.requests(), waiting.from()), (1, Some(10)));
        drop(second);
        assert_eq!((waiting.requests(), waiting.from()), (0, None));
        assert_eq!(waiting.0.places.held(), 0);
    }

    #[test]
    fn waits_that_end_together_leave_nothing_behind() {
        let waiting = Waiting::default();
        for _ in 0..500 {
            let waits: Vec<_> = (0..4).map(|_| begun(&waiting, BEARER, REQUEST, 10)).collect();
            let together = std::sync::Barrier::new(waits.len());
            std::thread::scope(|scope| {
                for wait in waits {
                    let together = &together;
                    scope.spawn(move || {
                        together.wait();
                        drop(wait);
                    });
                }
            });
            assert_eq!(waiting.requests(), 0);
        }
    }

    #[test]
    fn no_user_takes_the_places_of_all() {
        let waiting = Waiting::default();
        let mut waits = Vec::new();
        let refused = loop {
            match waiting.place(BEARER) {
                Ok(place) => waits.push(place.begin(REQUEST, 10)),
                Err(problem) => break problem,
            }
        };
        assert_eq!(refused.body()["status"], 429);
        assert!((1_000..2_000).contains(&waits.len()), "{}", waits.len());
        let other = Bearer {
            tenant: Uuid::from_u128(7),
            ..BEARER
        };
        let _other = begun(&waiting, other, REQUEST, 10);
        waits.pop();
        waits.push(begun(&waiting, BEARER, REQUEST, 10));
        drop(waits);
        assert_eq!(waiting.0.places.held(), 1);
    }

    #[test]
    fn what_ends_a_wait_is_an_event_of_requests() {
        use domain::event::Versioned as _;
        let names = <DeviceRequest as domain::Decider>::Event::NAMES;
        assert!(ENDS.iter().all(|end| names.contains(end)), "{names:?}");
    }
}
