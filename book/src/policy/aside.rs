//! Reacts to what waits (`policy/waiting.rs`), beside what comes: tenant by tenant in turns, and of each tenant in the book's
//! order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Recorded, Standing};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tracing::{error, info};
use uuid::Uuid;

use super::{CHECK_SECONDS, Lead, PolicyWorker, by_stream, carry_out, in_order, timer, unpanicked};
use crate::pools::answered;
use crate::{BookError, tenants};

/// Tenants that are reacted for at one time.
const TENANTS_AT_ONCE: usize = 4;
/// Streams of one tenant whose events are reacted to at one time; one stream's in order.
const STREAMS_AT_ONCE: usize = 16;
/// Events of one tenant between two of its turns.
const TURN_EVENTS_MAX: i64 = 256;

type Queue = mpsc::UnboundedSender<Uuid>;

/// What became of a turn.
struct Turn {
    tenant: Uuid,
    done: usize,
    /// Whether it goes on at its next turn: it is not over, and the tenant is active.
    goes_on: bool,
}

/// Tenants that take turns, each with how many events were reacted to since it does.
type Turns = Mutex<BTreeMap<Uuid, usize>>;

impl PolicyWorker {
    /// Reacts to what waits until it is to stop.
    pub(super) async fn catch_up(&self, lead: Lead<'_>) -> Result<(), BookError> {
        let turns = Turns::default();
        let (queue, queued) = mpsc::unbounded_channel();
        // Side by side: a turn that is not gone on with would keep what it holds from whoever looks.
        tokio::try_join!(
            self.find_waiting(lead, &turns, queue.clone()),
            self.take_turns(lead, &turns, queue, queued)
        )?;
        Ok(())
    }

    /// Lines up the tenants for which something waits.
    async fn find_waiting(&self, lead: Lead<'_>, turns: &Turns, queue: Queue) -> Result<(), BookError> {
        let every = Duration::from_secs(CHECK_SECONDS);
        while !lead.stop.is_cancelled() {
            let lined_up = lock(turns).keys().copied().collect();
            for tenant in lead.waiting.ready(&self.pool, self.policy.name(), &lined_up).await? {
                lock(turns).insert(tenant, 0);
                // Whoever takes turns ends at the same time.
                let _ = queue.send(tenant);
            }
            tokio::select! {
                () = lead.waiting.more(every) => {}
                () = lead.stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Gives tenants their turns; who has had one goes to the end of the line. Nothing is given up while it is under way.
    async fn take_turns(
        &self,
        lead: Lead<'_>,
        turns: &Turns,
        queue: Queue,
        mut queued: mpsc::UnboundedReceiver<Uuid>,
    ) -> Result<(), BookError> {
        let policy = self.policy.name();
        let mut running = FuturesUnordered::new();
        loop {
            let is_over = lead.stop.is_cancelled();
            tokio::select! {
                Some(tenant) = queued.recv(), if !is_over && running.len() < TENANTS_AT_ONCE => {
                    running.push(self.turn_of(tenant, lead));
                }
                Some(turn) = running.next() => {
                    let Turn { tenant, done, goes_on } = turn?;
                    let mut turns = lock(turns);
                    let all = turns.get(&tenant).copied().unwrap_or_default() + done;
                    if goes_on {
                        turns.insert(tenant, all);
                        let _ = queue.send(tenant);
                    } else {
                        turns.remove(&tenant);
                        info!(policy, %tenant, done = all, "reacted to what had waited for its turn");
                    }
                }
                () = lead.stop.cancelled(), if running.is_empty() => return Ok(()),
            }
        }
    }

    async fn turn_of(&self, tenant: Uuid, lead: Lead<'_>) -> Result<Turn, BookError> {
        let policy = self.policy.name();
        let asking = sqlx::query_scalar(
            "select position from book.missed where policy = $1 and tenant_id = $2 and waits order by position limit $3",
        )
        .bind(policy)
        .bind(tenant)
        .bind(TURN_EVENTS_MAX)
        .fetch_all(&self.pool);
        let positions: Vec<i64> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
        let events = match &positions[..] {
            [] => Vec::new(),
            positions => self.reading.tail().at(positions).await?,
        };
        let events = events.into_iter().map(Arc::new).collect();
        let reacting = by_stream(events).map(|events| self.react_late(events, lead));
        let reacted: Vec<Result<Late, BookError>> = futures::stream::iter(reacting)
            .buffer_unordered(STREAMS_AT_ONCE)
            .collect()
            .await;
        let mut late = Late::default();
        for reacted in reacted {
            late.add(reacted?);
        }
        lead.lease.check()?;
        let timers = in_order(late.timers);
        timer::make_good(&self.pool, policy, &late.events, &timers).await?;
        let done = late.events.len();
        let goes_on = !late.waits_on && lead.waiting.go_on(&self.pool, policy, tenant).await?;
        Ok(Turn { tenant, done, goes_on })
    }

    /// Reacts to events of one stream, in order, as long as their tenant is active.
    async fn react_late(&self, events: Vec<Arc<Recorded<String>>>, lead: Lead<'_>) -> Result<Late, BookError> {
        let mut late = Late::default();
        for recorded in events {
            if lead.stop.is_cancelled() {
                return Err(BookError::Abandoned);
            }
            // It waits on, until a program leads that reads it.
            if !self.is_read(&recorded) {
                late.waits_on = true;
                return Ok(late);
            }
            match unpanicked(carry_out(&self.book, self.policy, &recorded, None, Some(lead), None)).await {
                Ok(reacted) => late.reacted(&recorded, reacted.timers),
                Err(BookError::Suspended) => {
                    late.waits_on = true;
                    return Ok(late);
                }
                Err(error) if error.is_transient() => return Err(error),
                // Its fields do not open any more, and nothing is ever done for it.
                Err(_) if tenants::standing(&self.pool, recorded.tenant_id).await? == Standing::Deleted => {
                    late.reacted(&recorded, Vec::new());
                }
                Err(error) => self.fails(&recorded, &error).await?,
            }
        }
        Ok(late)
    }

    /// Notes that what waited cannot be done for another reason.
    async fn fails(&self, recorded: &Recorded<String>, error: &BookError) -> Result<(), BookError> {
        let (policy, position) = (self.policy.name(), recorded.position);
        error!(policy, position, %error, "could not react to an event that had waited; it is kept for another try");
        let noting =
            sqlx::query("update book.missed set waits = false, error = $3 where policy = $1 and event_id = $2")
                .bind(policy)
                .bind(recorded.event_id)
                .bind(error.to_string())
                .execute(&self.pool);
        answered(async { Ok::<_, BookError>(noting.await?) }).await?;
        self.reading.has_missed().await;
        Ok(())
    }
}

fn lock(turns: &Turns) -> MutexGuard<'_, BTreeMap<Uuid, usize>> {
    turns.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was reacted to, and what is to become of timers.
#[derive(Debug, Default)]
struct Late {
    events: Vec<Uuid>,
    timers: Vec<(i64, timer::Timer)>,
    /// Whether some of it must wait on: the tenant is not active, or only a newer program knows of it.
    waits_on: bool,
}

impl Late {
    fn reacted(&mut self, recorded: &Recorded<String>, timers: Vec<timer::Timer>) {
        self.events.push(recorded.event_id);
        let position = recorded.position;
        self.timers.extend(timers.into_iter().map(|timer| (position, timer)));
    }

    fn add(&mut self, other: Self) {
        self.events.extend(other.events);
        self.timers.extend(other.timers);
        self.waits_on |= other.waits_on;
    }
}
