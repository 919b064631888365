//! One attempt: the effect, and what becomes of the task.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use book::worker::words;
use book::{Book, BookError};
use domain::{AnyEvent, Recorded};
use futures::FutureExt as _;
use tracing::{debug, error, warn};

use crate::doing::{Doing, Lead};
use crate::outcome::Outcome;
use crate::planned::{follows, read};
use crate::reactor::{Done, Reactor};
use crate::taking::Begun;
use crate::telling::Telling;

/// Attempts in a row of which nothing is heard, because the process ended, before that is put down to the task.
pub const CUTS_MAX: u32 = 10;
/// How long something waits that could not be tried, in seconds.
const PUT_OFF_SECONDS: u64 = 1;
/// How long what only a newer program can read waits for one, in seconds.
const NEWER_SECONDS: u64 = 10;

/// What an attempt has at hand.
#[derive(Debug)]
pub struct Attempt<R> {
    pub reactor: std::sync::Arc<R>,
    pub book: Book,
    pub lead: Lead,
    pub telling: Telling,
    pub begun: Begun,
    /// None when the book has no such event.
    pub recorded: Option<Recorded<String>>,
}

/// How an effect ended that is not simply done.
enum Failed {
    /// It did, or the outside said so.
    Attempt {
        after: Option<Duration>,
        because: String,
        counts: bool,
        holds_target: bool,
    },
    /// It was not tried, or it is unknown what came of it, for a reason that passes by itself.
    PutOff {
        because: String,
    },
    Dead {
        because: String,
    },
}

impl<R: Reactor> Attempt<R> {
    pub async fn outcome(&self) -> Outcome {
        let (how, outcome) = self.begin().await;
        let reactor = self.reactor.name();
        metrics::counter!("daybook_reaction_attempts_total", "reactor" => reactor, "outcome" => how).increment(1);
        let (id, position) = (self.begun.id, self.begun.position);
        match &outcome {
            Outcome::Done | Outcome::Told(_) => {}
            // The other side has said when it can be had: that is no failure.
            Outcome::Again {
                because,
                holds_target: true,
                ..
            } => debug!(reactor, %id, position, because, "an effect waits for its target"),
            Outcome::Again { because, attempts, .. } => {
                if let Some(withheld) = self.telling.line(Instant::now()) {
                    warn!(reactor, %id, position, attempts, because, withheld, "an attempt at an effect failed; there will be another");
                }
            }
            Outcome::Dead { because, .. } => {
                error!(reactor, %id, position, because, "an effect cannot be had; it is kept as a dead letter");
            }
        }
        outcome
    }

    async fn begin(&self) -> (&'static str, Outcome) {
        let Some(recorded) = &self.recorded else {
            return ("dead", self.dead("the book has no event at its position".to_owned()));
        };
        let recorded = match read(self.book.contexts(), recorded) {
            Ok(recorded) => recorded,
            Err(unread) if unread.needs_newer() => {
                warn!(reactor = self.reactor.name(), position = self.begun.position, %unread, "an effect waits for a newer program");
                return ("put_off", self.put_off(unread.to_string(), NEWER_SECONDS));
            }
            Err(unread) => return ("dead", self.dead(unread.to_string())),
        };
        let Some(key) = &self.begun.key else {
            return match follows(&*self.reactor, &recorded) {
                Ok(planned) => ("told", Outcome::Told(planned)),
                Err(why) => ("dead", self.dead(why)),
            };
        };
        if let Err(lost) = self.lead.check() {
            return ("put_off", self.put_off(lost.to_string(), PUT_OFF_SECONDS));
        }
        let doing = self.doing(&recorded, key);
        let began = Instant::now();
        let (how, failed) = if self.begun.cuts < CUTS_MAX {
            let (how, failed) = self.effect(&doing).await;
            let seconds = began.elapsed().as_secs_f64();
            metrics::histogram!("daybook_reaction_seconds", "reactor" => self.reactor.name()).record(seconds);
            (how, failed)
        } else {
            let because = format!("the process ended {CUTS_MAX} times while it was performed");
            ("dead", Some(Failed::Dead { because }))
        };
        match failed.map(|failed| self.verdict(failed, began.elapsed())) {
            None => (how, Outcome::Done),
            Some(Outcome::Dead { attempts, because }) => self.give_up(&doing, attempts, because, how).await,
            Some(outcome) => (how, outcome),
        }
    }

    fn doing<'a>(&'a self, recorded: &'a Recorded<AnyEvent>, key: &'a str) -> Doing<'a> {
        Doing {
            id: self.begun.id,
            tenant: self.begun.tenant,
            recorded,
            key,
            target: &self.begun.target,
            attempt: self.begun.attempts + 1,
            round: self.begun.round,
            book: &self.book,
            lead: &self.lead,
        }
    }

    /// The effect itself, in its time.
    async fn effect(&self, doing: &Doing<'_>) -> (&'static str, Option<Failed>) {
        let limit = self.reactor.bounds().limit;
        match caught(limit, async { self.reactor.perform(doing).await }).await {
            Caught::Ended(Ok(Done::Done)) => ("done", None),
            Caught::Ended(Ok(Done::Again {
                after,
                because,
                counts,
                holds_target,
            })) => (
                "again",
                Some(Failed::Attempt {
                    after,
                    because,
                    counts,
                    holds_target,
                }),
            ),
            Caught::Ended(Ok(Done::Dead { because })) => ("dead", Some(Failed::Dead { because })),
            Caught::Ended(Err(error)) if error.is_transient() || matches!(error, BookError::Suspended) => {
                let because = error.to_string();
                ("put_off", Some(Failed::PutOff { because }))
            }
            Caught::Ended(Err(error)) => {
                let because = error.to_string();
                ("dead", Some(Failed::Dead { because }))
            }
            Caught::Late => {
                let because = format!("it took longer than {} s", limit.as_secs_f64());
                let failed = Failed::Attempt {
                    after: None,
                    because,
                    counts: true,
                    holds_target: false,
                };
                ("late", Some(failed))
            }
            // Trying again would only panic again.
            Caught::Panicked(words) => {
                let because = format!("it panicked, which is a defect of this program: {words}");
                ("panicked", Some(Failed::Dead { because }))
            }
        }
    }

    /// What becomes of the task by its schedule.
    fn verdict(&self, failed: Failed, took: Duration) -> Outcome {
        let (after, because, counts, holds_target) = match failed {
            Failed::Dead { because } => return self.dead(because),
            Failed::PutOff { because } => return self.put_off(because, PUT_OFF_SECONDS),
            Failed::Attempt {
                after,
                because,
                counts,
                holds_target,
            } => (after, because, counts, holds_target),
        };
        let schedule = self.reactor.schedule();
        let attempts = self.begun.attempts + u32::from(counts);
        let after = after.unwrap_or_else(|| schedule.delay(attempts.max(1)));
        if attempts >= schedule.attempts_max.max(1) {
            let because = format!("{because}; all {attempts} attempts have failed");
            return Outcome::Dead { attempts, because };
        }
        let age = self.begun.age.saturating_add(took);
        if age.saturating_add(after) > schedule.age_max {
            let because = format!(
                "{because}; another attempt in {} s would be later than {} s after the first",
                after.as_secs(),
                schedule.age_max.as_secs()
            );
            return Outcome::Dead { attempts, because };
        }
        Outcome::Again {
            attempts,
            after,
            because,
            holds_target,
        }
    }

    /// Has the reactor tell of it before it is a dead letter.
    async fn give_up(
        &self,
        doing: &Doing<'_>,
        attempts: u32,
        because: String,
        how: &'static str,
    ) -> (&'static str, Outcome) {
        let telling = async { self.reactor.gave_up(doing, &because).await };
        match caught(self.reactor.bounds().limit, telling).await {
            Caught::Ended(Ok(())) => {}
            Caught::Ended(Err(error)) if error.is_transient() || matches!(error, BookError::Suspended) => {
                return (
                    "put_off",
                    self.put_off(format!("{because}; then {error}"), PUT_OFF_SECONDS),
                );
            }
            Caught::Ended(Err(error)) => self.untold(&error.to_string()),
            Caught::Late => self.untold("it took too long"),
            Caught::Panicked(words) => self.untold(&words),
        }
        (how, Outcome::Dead { attempts, because })
    }

    fn untold(&self, why: &str) {
        let (reactor, id) = (self.reactor.name(), self.begun.id);
        error!(reactor, %id, why, "the reactor could not tell that it gave an effect up; the dead letter alone does");
    }

    fn dead(&self, because: String) -> Outcome {
        let attempts = self.begun.attempts + 1;
        Outcome::Dead { attempts, because }
    }

    fn put_off(&self, because: String, seconds: u64) -> Outcome {
        Outcome::Again {
            attempts: self.begun.attempts,
            after: Duration::from_secs(seconds),
            because,
            holds_target: false,
        }
    }
}

enum Caught<T> {
    Ended(T),
    Late,
    Panicked(String),
}

/// What something ends in that may panic, or not end.
async fn caught<T>(limit: Duration, doing: impl Future<Output = T>) -> Caught<T> {
    match tokio::time::timeout(limit, AssertUnwindSafe(doing).catch_unwind()).await {
        Ok(Ok(ended)) => Caught::Ended(ended),
        Ok(Err(panic)) => Caught::Panicked(words(&*panic)),
        Err(_) => Caught::Late,
    }
}
