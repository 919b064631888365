//! From command to receipt: load, decide, append, and again when the race was lost.

use std::sync::Arc;
use std::time::Duration;

use domain::{Contexts, DecodeError, SYSTEM, Undecided};
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::answer::same_body;
use crate::append::{self, Outcome};
use crate::appender::Appender;
use crate::cache::Cache;
use crate::draft::{Draft, Sealing};
use crate::holders::Holders;
use crate::pace::{Pace, Paced, Sender};
use crate::pools::answered;
use crate::progress::Progress;
use crate::step::{self, Circumstances};
use crate::stream::Streams;
use crate::trust::Trust;
use crate::turns::Turns;
use crate::{BookError, MasterKey, Step, Vault};

pub use crate::answer::{Answer, Envelope, ExecuteError, Repeat, StreamAnswer};
pub use crate::step::Refusal;

/// How often a command is decided anew after it lost a race, before the caller is told to retry.
pub(crate) const RACES_MAX: usize = 20;
/// How often it is while others of this process go on writing what it reads; then it takes its turn with them, if it reads no
/// more than so many streams. Many read what is written once, and they need not wait for each other.
const RACES_FREE: usize = 2;
const READ_TURNS_MAX: usize = 16;

/// Why a command is decided anew.
enum Lost {
    /// A stream moved: one that it writes, or one of those that it read.
    Race { read: Vec<(&'static str, Uuid)> },
    /// Two of its streams want one value, by what is cached.
    Value,
}

/// The writing side of the book. Clones share one appender, one cache and one set of turns.
#[derive(Debug, Clone)]
pub struct Book(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub pool: PgPool,
    contexts: Contexts,
    pub streams: Streams,
    pub vault: Vault,
    appender: Appender,
    pub cache: Cache,
    pub holders: Holders,
    turns: Turns,
    pace: Pace,
    committed: Arc<Notify>,
    written: watch::Sender<i64>,
    progress: Progress,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

impl Book {
    /// A book over a pool of `daybook_writer`, of these contexts' streams; starts its appender.
    #[must_use]
    pub fn new(pool: PgPool, master: MasterKey, contexts: Contexts) -> Self {
        let pace = Pace::of(&contexts);
        Self(Arc::new(Inner {
            contexts,
            streams: Streams::new(pool.clone()),
            vault: Vault::new(pool.clone(), master),
            appender: Appender::start(&pool),
            pace,
            cache: Cache::default(),
            holders: Holders::new(pool.clone()),
            turns: Turns::default(),
            committed: Arc::new(Notify::new()),
            written: watch::Sender::new(0),
            progress: Progress::default(),
            pool,
        }))
    }

    /// The contexts whose streams it knows.
    #[must_use]
    pub fn contexts(&self) -> &Contexts {
        &self.0.contexts
    }

    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// How fast this process may append.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.0.pace.clone()
    }

    /// Told after every commit of this process; the relay listens.
    #[must_use]
    pub fn committed(&self) -> Arc<Notify> {
        self.0.committed.clone()
    }

    /// The last position that this process wrote, as it grows; 0 before it wrote any.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<i64> {
        self.0.written.subscribe()
    }

    /// Whether the master key was replaced while this process could not follow: it has to be restarted with the new one.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.vault.secrets().is_behind()
    }

    /// For how long no command got through although some came, and how many are under way; `None` while all is well.
    #[must_use]
    pub fn stalled(&self) -> Option<(Duration, usize)> {
        self.0.progress.stalled()
    }

    /// Waits as long as commands to these kinds of streams have to while the tables of their contexts are late. Whoever
    /// reads what a command is let through on waits here first and then executes it by [`Book::execute_paced`]: what
    /// was read would be old by the time that the command has waited. A repeat of what was accepted does not wait: it
    /// writes nothing.
    ///
    /// # Errors
    /// [`BookError::Overloaded`] when too many wait already; the database's error.
    pub async fn keep_pace(
        &self,
        envelope: &Envelope,
        kinds: impl Iterator<Item = &'static str>,
    ) -> Result<Paced, BookError> {
        let pace = &self.0.pace;
        let Some(slowed) = pace.slows(sender(envelope), kinds.map(context)) else {
            return Ok(pace.unneeded());
        };
        if envelope.repeat == Repeat::Asked {
            let receipt = answered(append::receipt(&self.0.pool, envelope.command_id)).await?;
            if receipt.is_some() {
                return Ok(pace.unneeded());
            }
        }
        slowed.wait().await
    }

    /// Carries out the steps as one: all are appended or none. A client that hangs up never leaves a transaction
    /// half done: once the appender has the command it is carried out to its end; before that, whoever stops
    /// waiting gives it up, so that what is sent next under the same key is not overtaken by it.
    ///
    /// # Errors
    /// [`ExecuteError`]; nothing was written, except that after [`BookError::Unavailable`] it may have been.
    pub async fn execute(&self, envelope: Envelope, steps: Vec<Step>) -> Result<Answer, ExecuteError> {
        self.carry_out(envelope, steps, None).await
    }

    /// As [`Book::execute`], for a command that has waited already.
    ///
    /// # Errors
    /// As [`Book::execute`].
    pub async fn execute_paced(
        &self,
        envelope: Envelope,
        steps: Vec<Step>,
        paced: Paced,
    ) -> Result<Answer, ExecuteError> {
        self.carry_out(envelope, steps, Some(paced)).await
    }

    async fn carry_out(
        &self,
        envelope: Envelope,
        steps: Vec<Step>,
        paced: Option<Paced>,
    ) -> Result<Answer, ExecuteError> {
        let book = self.clone();
        let left = CancellationToken::new();
        let _waits = left.clone().drop_guard();
        let carrying_out = async move {
            let inner = &book.0;
            inner
                .progress
                .told(inner.execute(&envelope, &steps, paced, &left).await)
        };
        match tokio::spawn(carrying_out).await {
            Ok(answer) => answer,
            Err(error) => Err(BookError::Broken(format!("deciding a command panicked: {error}")).into()),
        }
    }
}

impl Inner {
    async fn execute(
        &self,
        envelope: &Envelope,
        steps: &[Step],
        paced: Option<Paced>,
        left: &CancellationToken,
    ) -> Result<Answer, ExecuteError> {
        // Two sendings under one key are answered one after the other: a refusal of the second while the first
        // is on its way would be none.
        let _turn = match envelope.repeat {
            Repeat::Never => Vec::new(),
            Repeat::Seldom | Repeat::Asked => self.turns.take(vec![("command", envelope.command_id)]).await,
        };
        if envelope.repeat == Repeat::Asked
            && let Some(answer) = self.repeated(envelope).await?
        {
            return Ok(answer);
        }
        // Before it has a turn or has read anything: whoever waits here keeps nobody else waiting, and is overtaken by
        // nothing that its decision rests on.
        if paced.is_none() {
            let kinds = steps.iter().map(Step::aggregate_type);
            self.pace.wait(sender(envelope), kinds.map(context)).await?;
        }
        let own: Vec<_> = steps.iter().map(|step| (step.aggregate_type(), step.stream)).collect();
        let mut turns = self.turns.take(own.clone()).await;
        // Not the command's id: a key that is used again after its receipt is gone must not draw the ids
        // of the rows that it made before.
        let seed = Uuid::new_v4();
        let mut trust = Trust::Guess;
        let mut sealed = None;
        for race in 1..=RACES_MAX {
            return match self.attempt(envelope, steps, seed, trust, left).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(Lost::Value)) => {
                    trust = Trust::Book;
                    continue;
                }
                Ok(Err(Lost::Race { read })) => {
                    metrics::counter!("daybook_lost_races_total").increment(1);
                    trust = trust.after_race();
                    // What it reads is written all the time, maybe by this very process. The turns that it has are given up
                    // first, for all are taken in one order.
                    if race >= RACES_FREE && read.len() <= READ_TURNS_MAX {
                        drop(turns);
                        turns = self.turns.take([&own[..], &read].concat()).await;
                    }
                    continue;
                }
                // Neither a guess nor a cache may refuse: look closer, and decide again. A key that is
                // gone may belong to somebody whose erasure is not known here yet.
                Err(ExecuteError::Refused(_) | ExecuteError::Moved { .. } | ExecuteError::Book(BookError::Key(_)))
                    if !trust.is_of_the_book() =>
                {
                    trust = trust.less();
                    continue;
                }
                // Who is to be erased must not be kept by a field that does not open.
                Err(error @ ExecuteError::Book(BookError::Decode(DecodeError::Sealed(_))))
                    if trust != Trust::Unopened =>
                {
                    sealed = Some(error);
                    trust = Trust::Unopened;
                    continue;
                }
                Err(error) => {
                    let error = match trust {
                        Trust::Unopened => sealed.unwrap_or(error),
                        _ => error,
                    };
                    let may_repeat = match &error {
                        // It may be a repeat of one that was accepted a moment ago.
                        ExecuteError::Refused(_) | ExecuteError::Moved { .. } => true,
                        ExecuteError::Book(error) if error.is_transient() => false,
                        _ => envelope.repeat == Repeat::Seldom,
                    };
                    match may_repeat {
                        true => self.repeated(envelope).await?.ok_or(error),
                        false => Err(error),
                    }
                }
            };
        }
        Err(ExecuteError::Contended)
    }

    async fn repeated(&self, envelope: &Envelope) -> Result<Option<Answer>, ExecuteError> {
        if envelope.repeat == Repeat::Never {
            return Ok(None);
        }
        let receipt = answered(append::receipt(&self.pool, envelope.command_id)).await?;
        receipt.map(|receipt| same_body(envelope, &receipt)).transpose()
    }

    /// One round of load, decide and append.
    async fn attempt(
        &self,
        envelope: &Envelope,
        steps: &[Step],
        seed: Uuid,
        trust: Trust,
        left: &CancellationToken,
    ) -> Result<Result<Answer, Lost>, ExecuteError> {
        let draft = self
            .decide(envelope, steps, seed, trust, Sealing::Under(&self.vault))
            .await?;
        if left.is_cancelled() {
            return Err(BookError::Abandoned.into());
        }
        match draft.clash() {
            None => self.append(envelope, steps, draft).await,
            Some(claim) if trust.is_of_the_book() => Err(ExecuteError::Claimed { claim }),
            Some(_) => Ok(Err(Lost::Value)),
        }
    }

    /// What the steps lead to, one after the other.
    pub(crate) async fn decide(
        &self,
        envelope: &Envelope,
        steps: &[Step],
        seed: Uuid,
        trust: Trust,
        sealing: Sealing<'_>,
    ) -> Result<Draft, ExecuteError> {
        let mut draft = Draft::default();
        for (index, step) in steps.iter().enumerate() {
            let before = match draft.latest(step.aggregate_type(), step.stream) {
                Some(loaded) => loaded,
                None => self.own(envelope.tenant, step, trust).await?,
            };
            if let Some(expected) = step.if_match.filter(|&expected| expected != before.sequence) {
                return Err(ExecuteError::Moved {
                    expected,
                    sequence: before.sequence,
                });
            }
            let facts = Arc::new(self.all_facts(envelope, step, &before, &mut draft, trust).await?);
            let circumstances = Circumstances {
                tenant: envelope.tenant,
                stream: step.stream,
                sequence: before.sequence,
                by: envelope.actor,
                at: envelope.at,
                // Several steps of one command must not draw the same ids.
                seed: Uuid::new_v5(&seed, &index.to_be_bytes()),
                reason: envelope.reason.clone(),
                facts,
                together: step::beside(steps, index),
            };
            let decided = step.command.decide(&before.state, &circumstances).map_err(undecided)?;
            if trust == Trust::Unopened && decided.erased.is_empty() {
                return Err(BookError::Abandoned.into());
            }
            answered(draft.add(sealing, envelope, step, before, decided)).await?;
        }
        Ok(draft)
    }

    async fn append(
        &self,
        envelope: &Envelope,
        steps: &[Step],
        draft: Draft,
    ) -> Result<Result<Answer, Lost>, ExecuteError> {
        let (streams, after, append) = draft.finish(envelope)?;
        let erased = append.erased.clone();
        let read: Vec<_> = append
            .seen
            .iter()
            .map(|seen| (seen.aggregate_type, seen.stream))
            .collect();
        let under_way = self.progress.begin();
        let appended = self.appender.append(append).await?;
        drop(under_way);
        self.progress.made();
        match appended {
            Outcome::Appended(receipt) => {
                for (aggregate_type, stream, loaded) in after {
                    self.cache.put(aggregate_type, stream, loaded);
                }
                for erase in &erased {
                    self.vault.forget(erase).await;
                }
                if !erased.is_empty() {
                    for (aggregate_type, stream) in &read {
                        self.cache.forget(aggregate_type, *stream);
                    }
                }
                self.written.send_if_modified(|last| {
                    *last < receipt.position && {
                        *last = receipt.position;
                        true
                    }
                });
                self.committed.notify_waiters();
                Ok(Ok(Answer {
                    command_id: envelope.command_id,
                    is_repeat: false,
                    position: receipt.position,
                    recorded_at: receipt.recorded_at,
                    streams,
                }))
            }
            Outcome::Repeated(receipt) => {
                self.forget(steps);
                same_body(envelope, &receipt).map(Ok)
            }
            Outcome::Resent(receipt) => {
                self.forget(steps);
                let answer = same_body(envelope, &receipt)?;
                let is_repeat = false;
                Ok(Ok(Answer { is_repeat, ..answer }))
            }
            Outcome::Moved { .. } => Ok(Err(Lost::Race { read })),
            Outcome::Suspended => Err(ExecuteError::Suspended),
            Outcome::Claimed { claim } => Err(ExecuteError::Claimed { claim }),
        }
    }

    /// Forgets states that others have written on.
    fn forget(&self, steps: &[Step]) {
        for step in steps {
            self.cache.forget(step.aggregate_type(), step.stream);
        }
    }
}

fn undecided(undecided: Undecided) -> ExecuteError {
    match undecided {
        Undecided::Refused(refusal) => ExecuteError::Refused(refusal),
        Undecided::Unwritable(error) => BookError::Decode(error).into(),
        Undecided::Foreign(_) => BookError::Broken(undecided.to_string()).into(),
    }
}

/// In whose name a command is sent.
fn sender(envelope: &Envelope) -> Sender {
    Sender {
        tenant: envelope.tenant,
        is_daybook: envelope.actor == SYSTEM,
    }
}

/// The context of a kind of stream.
fn context(aggregate_type: &'static str) -> &'static str {
    aggregate_type.split_once('.').map_or("", |(context, _)| context)
}
