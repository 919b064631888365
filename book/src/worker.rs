//! Workers: of all that run under one name, one leads and the others stand by.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::lease::{Lease, Leases};

/// Between attempts while something keeps failing, in milliseconds.
const BACKOFF_MS_MIN: u64 = 250;
const BACKOFF_MS_MAX: u64 = 5_000;
/// How often a worker that stands by says that it is there, in seconds.
const STANDBY_SECONDS: u64 = 1;
/// How long a leader may take for one turn unless it says otherwise, in seconds.
pub const TURN_SECONDS_MAX: u64 = 30;

/// What a worker says of itself, for health checks.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    /// Whether it holds the lead; a standby does not.
    pub leading: bool,
    /// How far in the book it is, when it last looked; 0 before it ever led.
    pub position: i64,
    /// How many events of the book came after, when it last looked.
    pub lag: i64,
    /// What it has set aside because it could not be done: parked streams, missed reactions.
    pub set_aside: usize,
    /// The position of an event that only a newer program can work on, and when it was last met: the worker stops
    /// before it, and meets it again and again until such a program leads.
    pub stopped_before: Option<(i64, Instant)>,
    /// How often it has failed, panicked or hung in a row.
    pub failures: u32,
    /// Of what it tries outside: how many attempts have failed in a row, and since when.
    pub failing: Option<(u32, Instant)>,
    /// When it began to lead, until that has gone well for a while.
    led_since: Option<Instant>,
    /// When it last got through its loop.
    pub last_beat: Instant,
}

/// Where a worker says how it does.
#[derive(Debug)]
pub struct Beat(watch::Sender<Status>);

impl Default for Beat {
    fn default() -> Self {
        Self(watch::Sender::new(Status {
            leading: false,
            position: 0,
            lag: 0,
            set_aside: 0,
            stopped_before: None,
            failures: 0,
            failing: None,
            led_since: None,
            last_beat: Instant::now(),
        }))
    }
}

impl Beat {
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.subscribe()
    }

    /// Says that it is alive, and what has changed.
    pub fn beat(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| {
            status.last_beat = Instant::now();
            let is_well = |since: &Instant| since.elapsed() > Duration::from_millis(2 * BACKOFF_MS_MAX);
            if status.led_since.as_ref().is_some_and(is_well) {
                status.failures = 0;
                status.led_since = None;
            }
            change(status);
        });
    }

    /// Counts failures, without a sign of life.
    fn fails(&self, count: impl FnOnce(u32) -> u32) {
        self.0.send_modify(|status| status.failures = count(status.failures));
    }

    /// Waits until there was no beat for so long.
    async fn silent(&self, limit: Duration) {
        loop {
            let last = self.0.borrow().last_beat;
            tokio::time::sleep_until((last + limit).into()).await;
            if self.0.borrow().last_beat == last {
                return;
            }
        }
    }
}

/// What a leader does.
pub trait Work: Send {
    type Error: Display + Send;

    /// Works until `stop`, or until the lead is lost, which it has to look for before it writes. Returns
    /// early only with an error, which may pass when tried again. It beats once in every turn; it is given up,
    /// wherever it is, when it does not within [`Work::turn_limit`], and when its lead is gone.
    fn lead(
        &mut self,
        lease: &Lease,
        beat: &Beat,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// How long one turn may take.
    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }

    /// Told when it does not lead any more, however that came.
    fn stood_down(&mut self) {}
}

/// Leads or stands by until `stop`. What panics is begun again like what fails.
pub async fn run<W: Work>(mut work: W, name: String, leases: Leases, beat: Beat, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    while let Some(lease) = stand_by(&leases, &name, &beat, &stop).await {
        info!(worker = name, "leads");
        let began = Instant::now();
        let outcome = lead(&mut work, &lease, &beat, &stop).await;
        lease.give_back().await;
        let Err(ended) = outcome else { continue };
        if stop.is_cancelled() {
            return;
        }
        ended.tell(&name);
        let went_well = backoff.went_well(began);
        beat.fails(|failures| if went_well { 1 } else { failures + 1 });
        backoff.wait(began, &stop).await;
    }
}

/// Keeps something going that needs no lead: when it ends before `stop`, or panics, it is begun again.
pub async fn keep<F: Future<Output = ()> + Send>(name: &str, stop: &CancellationToken, begin: impl Fn() -> F + Send) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let began = Instant::now();
        let outcome = AssertUnwindSafe(begin()).catch_unwind().await;
        if stop.is_cancelled() {
            return;
        }
        let ended = match outcome {
            Ok(()) => Ended::Failed("it ended".to_owned()),
            Err(panic) => Ended::Panicked(words(&*panic)),
        };
        ended.tell(name);
        backoff.wait(began, stop).await;
    }
}

/// Waits for the lead; `None` when it is time to stop.
async fn stand_by(leases: &Leases, name: &str, beat: &Beat, stop: &CancellationToken) -> Option<Lease> {
    let taking = leases.take(name);
    tokio::pin!(taking);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            lease = &mut taking => return Some(lease),
            () = tokio::time::sleep(Duration::from_secs(STANDBY_SECONDS)) => beat.beat(|status| {
                // Somebody else leads, and says how that goes.
                status.leading = false;
                (status.failures, status.lag, status.set_aside) = (0, 0, 0);
            }),
        }
    }
}

async fn lead<W: Work>(work: &mut W, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), Ended> {
    let limit = work.turn_limit();
    let leading = Leading::begin(work, beat);
    let led = AssertUnwindSafe(leading.work.lead(lease, beat, stop)).catch_unwind();
    tokio::select! {
        outcome = led => match outcome {
            Ok(outcome) => outcome.map_err(|error| Ended::Failed(error.to_string())),
            Err(panic) => Err(Ended::Panicked(words(&*panic))),
        },
        () = lease.lost() => Err(Ended::Failed("the session that held the lead is gone".to_owned())),
        // A process that was stopped finds itself silent when it goes on, and that it leads no more.
        () = beat.silent(limit) => Err(match lease.check() {
            Ok(()) => Ended::Hung(limit),
            Err(error) => Ended::Failed(error.to_string()),
        }),
    }
}

/// Somebody leads, and says so until this is dropped.
struct Leading<'a, W: Work> {
    work: &'a mut W,
    beat: &'a Beat,
}

impl<'a, W: Work> Leading<'a, W> {
    fn begin(work: &'a mut W, beat: &'a Beat) -> Self {
        beat.beat(|status| {
            status.leading = true;
            status.led_since = Some(Instant::now());
        });
        Self { work, beat }
    }
}

impl<W: Work> Drop for Leading<'_, W> {
    fn drop(&mut self) {
        self.work.stood_down();
        self.beat.beat(|status| {
            status.leading = false;
            status.led_since = None;
        });
    }
}

/// Why a worker does not go on.
enum Ended {
    Failed(String),
    Panicked(String),
    Hung(Duration),
}

impl Ended {
    fn tell(&self, worker: &str) {
        let how = match self {
            Self::Failed(error) => {
                warn!(worker, %error, "failed and will try again");
                "failed"
            }
            Self::Panicked(panic) => {
                error!(worker, panic, "panicked, which is a defect, and will try again");
                "panicked"
            }
            Self::Hung(limit) => {
                error!(
                    worker,
                    ?limit,
                    "was given up in the middle of a turn that did not end, and will try again"
                );
                "hung"
            }
        };
        metrics::counter!("daybook_worker_failures_total", "worker" => worker.to_owned(), "how" => how).increment(1);
    }
}

/// What a panic said.
#[must_use]
pub fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it said nothing".to_owned())
}

/// How long to wait before the next attempt: longer each time, until one went well for a while.
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(BACKOFF_MS_MIN))
    }
}

impl Backoff {
    /// Whether what began then did its work for a while.
    fn went_well(&self, began: Instant) -> bool {
        began.elapsed() > Duration::from_millis(2 * BACKOFF_MS_MAX)
    }

    async fn wait(&mut self, began: Instant, stop: &CancellationToken) {
        if self.went_well(began) {
            *self = Self::default();
        }
        pause(stop, self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(BACKOFF_MS_MAX));
    }
}

/// Waits, unless it is time to stop.
pub async fn pause(stop: &CancellationToken, time: Duration) {
    let _ = tokio::time::timeout(time, stop.cancelled()).await;
}
