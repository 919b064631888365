//! The group-commit appender: one task per process that writes waiting appends together.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Claim;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::warn;
use uuid::Uuid;

use crate::BookError;
use crate::append::{self, Append, Outcome};
use crate::claims::Change;

/// Commands written in one round trip.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// Payload and metadata bytes written in one round trip; one command may exceed it alone.
pub const BATCH_BYTES_MAX: usize = 4 << 20;
/// Commands of this process waiting to be written; more are refused as overload.
pub const QUEUE_COMMANDS_MAX: usize = 8_192;
/// How long a batch whose outcome is unknown is sent again, in seconds.
const PATIENCE_SECONDS: u64 = 20;
/// Between two attempts, in milliseconds: at first, and once it has gone on for a while.
const RETRY_MS: u64 = 100;
const RETRY_MS_MAX: u64 = 1_000;
/// What Postgres says when it has no room, by SQLSTATE.
const DISK_FULL: &str = "53100";
const OUT_OF_MEMORY: &str = "53200";
/// How long the database may take to answer one attempt, in seconds. Then its connection is given up:
/// a connection that has gone silent would keep the batch for as long as the kernel hopes.
const ATTEMPT_SECONDS_MAX: u64 = 6;

/// How soon a batch may follow another that is on its way still, in milliseconds: each costs a commit, and a look at the book
/// by all who follow it, however many commands are in it.
const GATHER_MS: u64 = 4;
/// Where so many wait already, they go on their way without waiting for more.
const GATHER_COMMANDS: usize = 32;
/// Batches on their way at one time, each over a connection of its own: while the database writes one, the
/// next is made and sent. They may touch the same streams; the database's lock puts them in order and its
/// checks decide.
pub const BATCHES_IN_FLIGHT: usize = 2;

type Reply = oneshot::Sender<Result<Outcome, BookError>>;

struct Waiting {
    append: Append,
    reply: Reply,
    /// Given back once it is on its way.
    _place: OwnedSemaphorePermit,
}

/// A handle on the appender's queue.
#[derive(Debug, Clone)]
pub struct Appender {
    /// Without a limit of its own: whoever is in it has a place.
    queue: mpsc::UnboundedSender<Waiting>,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.append.command_id.fmt(f)
    }
}

impl Appender {
    /// Starts the task. It ends when every handle is dropped and the queue is written.
    #[must_use]
    pub fn start(pool: &PgPool) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let options = pool.connect_options().as_ref().clone();
        tokio::spawn(run(options, waiting));
        let places = Arc::new(Semaphore::new(QUEUE_COMMANDS_MAX));
        Self { queue, places }
    }

    /// Queues the append and waits for what became of it.
    ///
    /// # Errors
    /// [`BookError::Overloaded`] when the queue is full, [`BookError::Unavailable`] when the outcome
    /// stayed unknown, or the database's error.
    pub async fn append(&self, append: Append) -> Result<Outcome, BookError> {
        let (reply, outcome) = oneshot::channel();
        let place = self.places.clone().try_acquire_owned();
        let waiting = Waiting {
            append,
            reply,
            _place: place.map_err(|_| BookError::Overloaded)?,
        };
        self.queue.send(waiting).map_err(|_| BookError::Unavailable)?;
        outcome.await.map_err(|_| BookError::Unavailable)?
    }
}

async fn run(options: PgConnectOptions, mut queue: mpsc::UnboundedReceiver<Waiting>) {
    let mut waiting = VecDeque::new();
    let mut began = tokio::time::Instant::now();
    let (turns, mut free) = mpsc::channel(BATCHES_IN_FLIGHT);
    for _ in 0..BATCHES_IN_FLIGHT {
        let _ = turns.try_send(Line::to(options.clone()));
    }
    loop {
        let Some(line) = free.recv().await else {
            return;
        };
        if waiting.is_empty() {
            match queue.recv().await {
                Some(first) => waiting.push_back(first),
                None => return,
            }
        }
        // Whoever is alone does not wait, and nobody waits where enough have come.
        let gathered = began + Duration::from_millis(GATHER_MS);
        while free.len() + 1 < BATCHES_IN_FLIGHT && waiting.len() < GATHER_COMMANDS {
            match tokio::time::timeout_at(gathered, queue.recv()).await {
                Ok(Some(next)) => waiting.push_back(next),
                Ok(None) | Err(_) => break,
            }
        }
        began = tokio::time::Instant::now();
        // All of them: of what waits out of sight it is not known whose it is.
        while let Ok(next) = queue.try_recv() {
            waiting.push_back(next);
        }
        in_rounds(&mut waiting);
        let (appends, replies) = gather(&mut waiting);
        let turns = turns.clone();
        // However the task ends, the next batch gets the line.
        let mut turn = Turn { turns, line };
        tokio::spawn(async move {
            write_and_reply(&mut turn.line, appends, replies).await;
        });
    }
}

/// The way to the database for one batch at a time: connected when it is needed, given up once it does not
/// answer. A pool would ask a connection how it is before it lets it go, and wait for the answer without end.
struct Line {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Line {
    fn to(options: PgConnectOptions) -> Self {
        Self {
            options,
            connection: None,
        }
    }
}

/// Gives the line to the next batch.
struct Turn {
    turns: mpsc::Sender<Line>,
    line: Line,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let line = Line {
            options: self.line.options.clone(),
            connection: self.line.connection.take(),
        };
        let _ = self.turns.try_send(line);
    }
}

async fn write_and_reply(line: &mut Line, appends: Vec<Append>, replies: Vec<Reply>) {
    metrics::histogram!("daybook_append_batch_commands").record(appends.len() as f64);
    let started = Instant::now();
    let outcomes = write(line, &appends).await;
    metrics::histogram!("daybook_append_seconds").record(started.elapsed().as_secs_f64());
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        // Whoever waited may be gone; the receipt keeps the answer.
        let _ = reply.send(outcome);
    }
}

/// Puts what waits into rounds, one command of each tenant in each, so that nobody waits for all that another tenant has
/// sent before. A tenant's commands keep their order, and no two tenants' touch each other.
fn in_rounds(waiting: &mut VecDeque<Waiting>) {
    let first = waiting.front().map(|first| first.append.tenant);
    if waiting.iter().all(|next| Some(next.append.tenant) == first) {
        return;
    }
    let mut lanes: Vec<VecDeque<Waiting>> = Vec::new();
    let mut lane_of: HashMap<Uuid, usize> = HashMap::new();
    for next in waiting.drain(..) {
        let lane = *lane_of.entry(next.append.tenant).or_insert(lanes.len());
        if lane == lanes.len() {
            lanes.push(VecDeque::new());
        }
        lanes[lane].push_back(next);
    }
    while !lanes.is_empty() {
        waiting.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
        lanes.retain(|lane| !lane.is_empty());
    }
}

/// Takes from the front what can be written together; the rest keeps its order.
fn gather(waiting: &mut VecDeque<Waiting>) -> (Vec<Append>, Vec<Reply>) {
    let mut touched = Touched::default();
    let mut bytes = 0;
    let (mut appends, mut replies, mut later) = (Vec::new(), Vec::new(), VecDeque::new());
    while appends.len() < BATCH_COMMANDS_MAX
        && let Some(next) = waiting.pop_front()
    {
        let size = next
            .append
            .events
            .iter()
            .map(|event| event.payload.len() + event.metadata.len())
            .sum::<usize>();
        let room = appends.is_empty() || bytes + size <= BATCH_BYTES_MAX;
        if room && touched.admits(&next.append) {
            bytes += size;
            touched.add(&next.append);
            appends.push(next.append);
            replies.push(next.reply);
        } else {
            // What waits keeps its turn: nothing that touches it may overtake it.
            touched.add(&next.append);
            later.push_back(next);
        }
    }
    later.append(waiting);
    *waiting = later;
    (appends, replies)
}

/// What the commands of a batch, and those that wait before the next candidate, write and read.
#[derive(Default)]
struct Touched {
    commands: HashSet<Uuid>,
    written: HashSet<(&'static str, Uuid)>,
    read: HashSet<(&'static str, Uuid)>,
    claims: HashSet<(Uuid, Claim, Vec<u8>)>,
}

impl Touched {
    fn admits(&self, append: &Append) -> bool {
        let streams_free = append.seen.iter().all(|seen| {
            let stream = (seen.aggregate_type, seen.stream);
            !(self.written.contains(&stream) || seen.writes && self.read.contains(&stream))
        });
        let claim_free = |change: &Change| {
            !self
                .claims
                .contains(&(append.tenant, change.claim, change.digest.clone()))
        };
        streams_free && !self.commands.contains(&append.command_id) && append.claims.iter().all(claim_free)
    }

    fn add(&mut self, append: &Append) {
        self.commands.insert(append.command_id);
        for seen in &append.seen {
            let set = if seen.writes { &mut self.written } else { &mut self.read };
            set.insert((seen.aggregate_type, seen.stream));
        }
        self.claims.extend(
            append
                .claims
                .iter()
                .map(|change| (append.tenant, change.claim, change.digest.clone())),
        );
    }
}

/// Writes a batch, again and again while its outcome is unknown: receipts make that safe.
async fn write(line: &mut Line, appends: &[Append]) -> Vec<Result<Outcome, BookError>> {
    let started = Instant::now();
    let mut may_be_written = false;
    loop {
        let (what, error) = match attempt(line, appends).await {
            Ok(Ok(outcomes)) => {
                let heard = |outcome| match outcome {
                    Outcome::Repeated(receipt) if may_be_written => Outcome::Resent(receipt),
                    outcome => outcome,
                };
                return outcomes.into_iter().map(heard).map(Ok).collect();
            }
            Ok(Err(error)) if is_no_room(&error) => {
                warn!(%error, commands = appends.len(), "the database has no room left");
                return appends.iter().map(|_| Err(BookError::NoRoom)).collect();
            }
            Ok(Err(error)) if error.is_transient() => {
                may_be_written = true;
                ("the outcome of an append is unknown; sending it again", error)
            }
            Ok(Err(error)) if appends.len() == 1 => return vec![Err(error)],
            // One command made the database fail; its neighbours must not suffer.
            Ok(Err(_)) => {
                let mut outcomes = Vec::with_capacity(appends.len());
                for append in appends {
                    outcomes.push(alone(line, append).await);
                }
                return outcomes;
            }
            Err(error) => ("the database cannot be reached for an append; trying again", error),
        };
        if started.elapsed() > Duration::from_secs(PATIENCE_SECONDS) {
            return appends.iter().map(|_| Err(BookError::Unavailable)).collect();
        }
        warn!(%error, commands = appends.len(), "{what}");
        tokio::time::sleep(retry(started.elapsed())).await;
    }
}

/// How long to wait before the next attempt: the longer it has gone on, the longer.
fn retry(gone_on: Duration) -> Duration {
    let (least, most) = (Duration::from_millis(RETRY_MS), Duration::from_millis(RETRY_MS_MAX));
    (gone_on / 4).clamp(least, most)
}

/// Whether the server said for sure that it wrote nothing, because there is no room.
fn is_no_room(error: &BookError) -> bool {
    match error {
        BookError::Database(sqlx::Error::Database(error)) => error
            .code()
            .is_some_and(|code| [DISK_FULL, OUT_OF_MEMORY].contains(&&*code)),
        _ => false,
    }
}

/// Sends a batch once: what became of it, or why it was not sent. A connection that does not answer in time, or that
/// fails otherwise than by an answer, is closed on the spot.
async fn attempt(line: &mut Line, appends: &[Append]) -> Result<Result<Vec<Outcome>, BookError>, BookError> {
    let limit = Duration::from_secs(ATTEMPT_SECONDS_MAX);
    let mut connection = match line.connection.take() {
        Some(connection) => connection,
        None => tokio::time::timeout(limit, PgConnection::connect_with(&line.options))
            .await
            .map_err(|_| BookError::Unavailable)??,
    };
    let calling = append::append(&mut connection, appends);
    let Ok(outcomes) = tokio::time::timeout(limit, calling).await else {
        return Ok(Err(BookError::Unavailable));
    };
    let is_answer = match &outcomes {
        Ok(_) => true,
        Err(BookError::Database(error)) => matches!(error, sqlx::Error::Database(_)),
        Err(_) => false,
    };
    if is_answer {
        line.connection = Some(connection);
    }
    Ok(outcomes)
}

async fn alone(line: &mut Line, append: &Append) -> Result<Outcome, BookError> {
    Box::pin(write(line, std::slice::from_ref(append)))
        .await
        .pop()
        .unwrap_or(Err(BookError::Unavailable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::Seen;

    fn waiting(command: u128, seen: &[(u128, bool)]) -> (Waiting, oneshot::Receiver<Result<Outcome, BookError>>) {
        let (reply, outcome) = oneshot::channel();
        let seen = seen
            .iter()
            .map(|&(stream, writes)| Seen {
                aggregate_type: "a.b",
                stream: Uuid::from_u128(stream),
                sequence: 0,
                writes,
            })
            .collect();
        let append = Append {
            command_id: Uuid::from_u128(command),
            tenant: Uuid::nil(),
            body_hash: [0; 32],
            answer: String::new(),
            seen,
            events: Vec::new(),
            claims: Vec::new(),
            keys: Vec::new(),
            erased: Vec::new(),
            standing: None,
        };
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned();
        let waiting = Waiting {
            append,
            reply,
            _place: place.expect("a place is free"),
        };
        (waiting, outcome)
    }

    fn batches(commands: Vec<Waiting>) -> Vec<Vec<u128>> {
        let mut waiting = VecDeque::from(commands);
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            batches.push(
                gather(&mut waiting)
                    .0
                    .iter()
                    .map(|append| append.command_id.as_u128())
                    .collect(),
            );
        }
        batches
    }

    #[test]
    fn readers_of_one_fact_share_a_batch() {
        let (a, _a) = waiting(1, &[(10, true), (99, false)]);
        let (b, _b) = waiting(2, &[(11, true), (99, false)]);
        assert_eq!(batches(vec![a, b]), [[1, 2]]);
    }

    #[test]
    fn a_writer_never_shares_a_batch_with_a_reader_or_writer_of_its_stream() {
        let (a, _a) = waiting(1, &[(10, true), (99, false)]);
        let (b, _b) = waiting(2, &[(99, true)]);
        let (c, _c) = waiting(3, &[(99, false), (12, true)]);
        let (d, _d) = waiting(4, &[(13, true)]);
        assert_eq!(batches(vec![a, b, c, d]), [vec![1, 4], vec![2], vec![3]]);
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_order() {
        let (mut waiting, _replies): (VecDeque<_>, Vec<_>) = [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 3), (7, 2)]
            .map(|(command, tenant)| {
                let (mut next, reply) = waiting(command, &[(command, true)]);
                next.append.tenant = Uuid::from_u128(tenant);
                (next, reply)
            })
            .into_iter()
            .unzip();
        in_rounds(&mut waiting);
        let order: Vec<_> = waiting.iter().map(|next| next.append.command_id.as_u128()).collect();
        assert_eq!(order, [1, 4, 6, 2, 7, 3, 5]);
    }

    #[test]
    fn a_command_keeps_its_place_until_it_is_on_its_way() {
        let places = Arc::new(Semaphore::new(3));
        let mut queue: VecDeque<Waiting> = [(1, 10), (2, 10), (3, 11)]
            .into_iter()
            .map(|(command, stream)| {
                let place = places.clone().try_acquire_owned();
                Waiting {
                    _place: place.expect("a place is free"),
                    ..waiting(command, &[(stream, true)]).0
                }
            })
            .collect();
        assert_eq!(places.available_permits(), 0);
        assert_eq!(gather(&mut queue).0.len(), 2);
        assert_eq!(places.available_permits(), 2);
    }

    #[test]
    fn one_command_id_is_never_twice_in_a_batch() {
        let (a, _a) = waiting(1, &[(10, true)]);
        let (b, _b) = waiting(1, &[(11, true)]);
        assert_eq!(batches(vec![a, b]), [[1], [1]]);
    }
}
