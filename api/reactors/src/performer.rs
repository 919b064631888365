//! The worker of a reactor: reads the book, writes down what is to be done, and has it done.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use book::lease::Lease;
use book::pools::answered;
use book::worker::{Beat, Work};
use book::{Book, BookError, End, Tail};
use domain::Recorded;
use sqlx::PgPool;
use tokio::task::JoinError;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};
use uuid::Uuid;

use crate::attempt::Attempt;
use crate::checkpoint::Checkpoint;
use crate::doing::Lead;
use crate::outcome::{self, Ended};
use crate::planned::plan;
use crate::reactor::Reactor;
use crate::running::Running;
use crate::taking::{self, AHEAD_SECONDS};
use crate::telling::Telling;

/// Events that are read at once.
const PAGE_EVENTS_MAX: i64 = 1_000;
/// Tasks that are written down at once, but for those of one event.
const PAGE_TASKS_MAX: usize = 5_000;
/// How often the checkpoint is written while nothing is to be done, in seconds.
const CHECK_SECONDS: u64 = 1;
/// How long a look at the book holds off the next one, in milliseconds: what is done outside takes longer.
const PAUSE_MS: u64 = 25;
/// How often it is counted what waits, and dropped what is of deleted tenants, in seconds.
const TIDY_SECONDS: u64 = 10;
/// Rows of deleted tenants that are dropped at once.
const DROPPED_MAX: i64 = 10_000;
/// After something that passes has failed, in milliseconds.
const RETRY_MS: u64 = 250;
/// How long effects that are under way may go on once it is time to stop, in seconds: less than a process gives its workers.
const STOP_SECONDS_MAX: u64 = 6;
/// How long one turn may take, in seconds: longer than the questions to the database that it asks.
const TURN_SECONDS_MAX: u64 = 60;

/// Why a reactor does not go on for now.
#[derive(Debug, thiserror::Error)]
pub enum ReactorError {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(
        "reactor {reactor} stops before position {position}: a newer program reads {kind} for it, and this one does not; \
         run the newer one"
    )]
    NewerNeeded {
        reactor: &'static str,
        position: i64,
        kind: String,
    },
    #[error(
        "reactor {reactor} is not at {position} in term {term} any more, or reads more kinds by now: whoever leads looks anew"
    )]
    Over {
        reactor: &'static str,
        position: i64,
        term: i64,
    },
    #[error("the engine of reactors has a defect: {0}")]
    Defect(#[from] JoinError),
}

impl From<sqlx::Error> for ReactorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Book(error.into())
    }
}

impl ReactorError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Book(error) => error.is_transient(),
            Self::NewerNeeded { .. } | Self::Over { .. } | Self::Defect(_) => false,
        }
    }
}

/// The worker of one reactor. Of all that run, one leads.
pub struct Performer<R> {
    reactor: Arc<R>,
    pool: PgPool,
    book: Book,
    tail: Tail,
    end: End,
    telling: Telling,
}

impl<R: Reactor> fmt::Debug for Performer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performer")
            .field("reactor", &self.reactor.name())
            .finish_non_exhaustive()
    }
}

impl<R: Reactor> Performer<R> {
    /// `pool` must be one of `daybook_writer`.
    #[must_use]
    pub fn new(reactor: R, pool: PgPool, book: Book, tail: Tail, end: End) -> Self {
        Self {
            reactor: Arc::new(reactor),
            pool,
            book,
            tail,
            end,
            telling: Telling::default(),
        }
    }
}

impl<R: Reactor> Work for Performer<R> {
    type Error = ReactorError;

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), ReactorError> {
        let over = CancellationToken::new();
        let reactor = self.reactor.name();
        let checkpoint = Checkpoint::begin(&self.pool, reactor, self.reactor.reads()).await?;
        let mut leading = Leading {
            _over: over.clone().drop_guard(),
            lead: Lead {
                hold: lease.hold(),
                over,
                reactor,
            },
            position: checkpoint.position,
            checkpoint,
            running: Running::new(self.reactor.bounds()),
            ended: Vec::new(),
            checked: Instant::now(),
            read_at: Instant::now(),
            due_at: None,
            tidied: None,
            failing: None,
            work: self,
        };
        let mut ending: Option<(Instant, Result<(), ReactorError>)> = None;
        loop {
            lease.check()?;
            beat.beat(|status| (status.position, status.failing) = (leading.position, leading.failing));
            if stop.is_cancelled() && ending.is_none() {
                ending = Some((Instant::now(), Ok(())));
            }
            let turn = match &ending {
                Some((since, _)) => leading.settle().await.map(|()| Next::before_the_end(since.elapsed())),
                None => leading.turn(beat).await,
            };
            let next = match turn {
                Ok(next) => next,
                // What is under way must not be done twice because the database was away for a moment.
                Err(error) if error.is_transient() => {
                    warn!(reactor, %error, "a turn failed, and is tried again");
                    Next {
                        wait: Duration::from_millis(RETRY_MS),
                        at_end: false,
                    }
                }
                Err(error @ ReactorError::NewerNeeded { .. }) if ending.is_none() => {
                    ending = Some((Instant::now(), Err(error)));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some((since, _)) = &ending
                && (leading.running.is_empty() || since.elapsed() >= Duration::from_secs(STOP_SECONDS_MAX))
            {
                break;
            }
            leading.wait(next, ending.is_none().then_some(stop)).await?;
        }
        leading.stop(lease).await?;
        ending.map_or(Ok(()), |(_, outcome)| outcome)
    }
}

/// When to look again.
struct Next {
    wait: Duration,
    /// Whether all of the book that is known was read, so that more of it is worth a look.
    at_end: bool,
}

impl Next {
    /// Until it is time to stop, which has been asked for so long.
    fn before_the_end(asked: Duration) -> Self {
        Self {
            wait: Duration::from_secs(STOP_SECONDS_MAX).saturating_sub(asked),
            at_end: false,
        }
    }
}

struct Leading<'a, R> {
    /// The first that is dropped: whatever goes on for a moment after that finds that it is over.
    _over: DropGuard,
    work: &'a Performer<R>,
    lead: Lead,
    checkpoint: Checkpoint,
    /// Everything up to here was read; the checkpoint follows.
    position: i64,
    running: Running,
    /// Attempts whose end is not written down yet.
    ended: Vec<Ended>,
    checked: Instant,
    /// When the book was looked at last.
    read_at: Instant,
    /// When it is time to look for what is due; `None` when that may have changed.
    due_at: Option<Instant>,
    tidied: Option<Instant>,
    /// How many attempts have failed since the last one that did not, and since when.
    failing: Option<(u32, Instant)>,
}

impl<R: Reactor> Leading<'_, R> {
    async fn turn(&mut self, beat: &Beat) -> Result<Next, ReactorError> {
        self.settle().await?;
        let read = self.read(beat).await?;
        if self
            .tidied
            .is_none_or(|tidied| tidied.elapsed() >= Duration::from_secs(TIDY_SECONDS))
        {
            let is_tidy = self.tidy(beat).await?;
            self.tidied = is_tidy.then(Instant::now);
        }
        let now = Instant::now();
        let wait = match self.due_at.filter(|due_at| *due_at > now) {
            Some(due_at) => due_at - now,
            None => {
                self.due_at = None;
                let wait = self.begin().await?;
                self.due_at = Some(Instant::now() + wait);
                wait
            }
        };
        let is_behind = self.position < self.work.end.position();
        Ok(Next {
            wait: if is_behind && read { Duration::ZERO } else { wait },
            at_end: !is_behind,
        })
    }

    /// Waits for whatever comes first: the end of an attempt, more of the book, the time, or the end.
    async fn wait(&mut self, next: Next, stop: Option<&CancellationToken>) -> Result<(), ReactorError> {
        let mut end = self.work.end.clone();
        let (pause, position) = (self.read_at + Duration::from_millis(PAUSE_MS), self.position);
        let goes_on = async {
            tokio::time::sleep_until(pause.into()).await;
            end.beyond(position).await;
        };
        tokio::select! {
            biased;
            ended = self.running.next() => {
                self.ended.push(ended?);
                while let Some(ended) = self.running.ended() {
                    self.ended.push(ended?);
                }
            }
            () = goes_on, if next.at_end => {}
            () = tokio::time::sleep(next.wait) => {}
            () = async { stop.map_or_else(CancellationToken::new, Clone::clone).cancelled().await } => {}
        }
        Ok(())
    }

    /// Writes down how attempts ended. They are kept until that is done.
    async fn settle(&mut self) -> Result<(), ReactorError> {
        outcome::write(&self.work.pool, &self.checkpoint, &self.ended).await?;
        if !self.ended.is_empty() {
            self.due_at = None;
        }
        for ended in self.ended.drain(..) {
            self.running.settled(ended.begun.id);
            self.failing = ended.outcome.failing(self.failing, Instant::now());
        }
        Ok(())
    }

    /// Reads a page of the book and writes down what follows from it; whether that brought the reactor on.
    async fn read(&mut self, beat: &Beat) -> Result<bool, ReactorError> {
        let (work, reactor) = (self.work, &*self.work.reactor);
        let (from, end) = (self.position, work.end.position());
        let (mut to, mut unread, mut planned) = (from, None, Vec::new());
        if end > from {
            self.read_at = Instant::now();
            let kinds = &self.checkpoint.kinds;
            let mut stretch = work.tail.of_types(from, end, kinds, PAGE_EVENTS_MAX).await?;
            let is_read = |event: &Recorded<String>| {
                let kind = event.aggregate_type.as_str();
                reactor.reads().contains(&kind) && work.book.contexts().aggregate(kind).is_some()
            };
            let readable = stretch.events.iter().take_while(|event| is_read(event)).count();
            unread = stretch.events.split_off(readable).into_iter().next();
            to = unread.as_ref().map_or(stretch.to, |unread| unread.position - 1);
            for recorded in work.tail.opened(stretch.events).await? {
                planned.extend(plan(reactor, work.book.contexts(), &recorded));
                if planned.len() >= PAGE_TASKS_MAX {
                    (to, unread) = (recorded.position, None);
                    break;
                }
            }
        }
        let is_time = self.checked.elapsed() >= Duration::from_secs(CHECK_SECONDS);
        if !planned.is_empty() || to > self.checkpoint.position && (is_time || unread.is_some()) {
            self.checkpoint.advance(&work.pool, to, &planned).await?;
            self.checked = Instant::now();
            if !planned.is_empty() {
                self.due_at = None;
            }
        }
        self.position = to;
        let (position, lag) = (self.position, (end - self.position).max(0));
        beat.beat(|status| (status.position, status.lag) = (position, lag));
        metrics::gauge!("daybook_reactor_lag", "reactor" => reactor.name()).set(lag as f64);
        let Some(unread) = unread else {
            beat.beat(|status| status.stopped_before = None);
            return Ok(position > from);
        };
        beat.beat(|status| status.stopped_before = Some((unread.position, Instant::now())));
        Err(ReactorError::NewerNeeded {
            reactor: reactor.name(),
            position: unread.position,
            kind: unread.aggregate_type,
        })
    }

    /// Begins what is due and there is room for; how long it is until more will be.
    async fn begin(&mut self) -> Result<Duration, ReactorError> {
        if self.running.room() == 0 {
            return Ok(Duration::from_secs(AHEAD_SECONDS));
        }
        let work = self.work;
        let soon = taking::due(&work.pool, &*work.reactor, &self.running).await?;
        let next = soon.next;
        let events = self.events(soon.due.iter().map(|begun| begun.position)).await?;
        self.lead.check()?;
        for begun in soon.begin(&work.pool, &self.checkpoint).await? {
            let attempt = Attempt {
                reactor: work.reactor.clone(),
                book: work.book.clone(),
                lead: self.lead.clone(),
                telling: work.telling.clone(),
                recorded: events.get(&begun.position).cloned(),
                begun: begun.clone(),
            };
            self.running.begin(&begun, async move {
                let outcome = attempt.outcome().await;
                let begun = attempt.begun;
                Ended { begun, outcome }
            });
        }
        Ok(next)
    }

    /// The events at these positions, as far as the book has them.
    async fn events(&self, at: impl Iterator<Item = i64>) -> Result<BTreeMap<i64, Recorded<String>>, ReactorError> {
        let mut positions: Vec<i64> = at.collect();
        positions.sort_unstable();
        positions.dedup();
        let mut events = BTreeMap::new();
        while !positions.is_empty() {
            let some = self.work.tail.at(&positions).await?;
            let Some(last) = some.last().map(|last| last.position) else {
                break;
            };
            positions.retain(|position| *position > last);
            events.extend(some.into_iter().map(|recorded| (recorded.position, recorded)));
        }
        Ok(events)
    }

    /// Drops what is to be done for deleted tenants and what rates are over, and counts the rest. Whether nothing more is
    /// to be dropped.
    async fn tidy(&mut self, beat: &Beat) -> Result<bool, ReactorError> {
        let reactor = self.checkpoint.reactor;
        let tidying = async {
            let mut transaction = self.work.pool.begin().await?;
            self.checkpoint.lock(&mut transaction).await?;
            let dropping = "delete from book.reactions where reaction_id in (
                                select r.reaction_id from book.tenants t join book.reactions r using (tenant_id)
                                where r.reactor = $1 and t.standing = 'deleted' limit $2)";
            let dropping = sqlx::query(dropping).bind(reactor).bind(DROPPED_MAX);
            let dropped = dropping.execute(&mut *transaction).await?;
            let over = "delete from book.reaction_targets
                        where reactor = $1 and free_at < clock_timestamp() - interval '1 minute'";
            sqlx::query(over).bind(reactor).execute(&mut *transaction).await?;
            transaction.commit().await?;
            let counting = "select (select count(*) from book.reactions where reactor = $1 and not dead),
                                   (select count(*) from book.reactions where reactor = $1 and dead)";
            let counts: (i64, i64) = sqlx::query_as(counting)
                .bind(reactor)
                .fetch_one(&self.work.pool)
                .await?;
            Ok::<_, ReactorError>((dropped.rows_affected(), counts))
        };
        let (dropped, (waiting, dead)) = answered(tidying).await?;
        if dropped > 0 {
            info!(reactor, dropped, "dropped what was to be done for deleted tenants");
        }
        metrics::gauge!("daybook_reactions", "reactor" => reactor, "status" => "waiting").set(waiting as f64);
        metrics::gauge!("daybook_reactions", "reactor" => reactor, "status" => "dead").set(dead as f64);
        beat.beat(|status| status.set_aside = usize::try_from(dead).unwrap_or_default());
        if waiting == 0 {
            // What failed is dead or dropped, and nothing is there that could go well.
            self.failing = None;
        }
        Ok(dropped < DROPPED_MAX.unsigned_abs())
    }

    /// Writes down what is known at the end, and gives back what is still under way.
    async fn stop(mut self, lease: &Lease) -> Result<(), ReactorError> {
        self.ended.extend(self.running.give_up().await);
        lease.check()?;
        self.settle().await?;
        let given_up: Vec<Uuid> = self.running.ids();
        if !given_up.is_empty() {
            outcome::give_back(&self.work.pool, &self.checkpoint, &given_up).await?;
        }
        if self.position > self.checkpoint.position {
            self.checkpoint.advance(&self.work.pool, self.position, &[]).await?;
        }
        Ok(())
    }
}
