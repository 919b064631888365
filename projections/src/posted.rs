//! How far each context is posted, for those who wait to read their own writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgPool;
use tokio::sync::{Mutex, watch};

use crate::context::Context;

/// How often the checkpoint is read while another process posts, in milliseconds.
const POLL_MS: u64 = 5;

/// How long the database may take to say where a checkpoint is, in seconds.
const CHECKPOINT_SECONDS_MAX: u64 = 8;

/// The checkpoints as this process knows them. Clones share them.
#[derive(Debug, Clone)]
pub struct Posted(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    contexts: BTreeMap<&'static str, Progress>,
}

#[derive(Debug)]
struct Progress {
    position: watch::Sender<i64>,
    /// Whether this process posts the context, so that nothing needs to be asked.
    here: AtomicBool,
    /// One of those who wait asks for all of them.
    polling: Mutex<()>,
}

impl Posted {
    /// How far these contexts are posted. `pool` runs as daybook_projector.
    #[must_use]
    pub fn new(pool: PgPool, contexts: &[&'static Context]) -> Self {
        let progress = || Progress {
            position: watch::Sender::new(0),
            here: AtomicBool::new(false),
            polling: Mutex::new(()),
        };
        let contexts = contexts.iter().map(|context| (context.name, progress())).collect();
        Self(Arc::new(Inner { pool, contexts }))
    }

    /// Waits until the context is posted up to `position`; `false` when `timeout` came first.
    ///
    /// # Errors
    /// The database's error.
    pub async fn wait(&self, context: &Context, position: i64, timeout: Duration) -> Result<bool, sqlx::Error> {
        let Some(progress) = self.0.contexts.get(context.name) else {
            return Ok(false);
        };
        let mut seen = progress.position.subscribe();
        let waiting = async {
            while *seen.borrow_and_update() < position {
                // Looks itself once in a while: the lead may pass to another process meanwhile.
                let told = Duration::from_millis(if progress.here.load(Ordering::Relaxed) {
                    20 * POLL_MS
                } else {
                    0
                });
                if tokio::time::timeout(told, seen.changed()).await.is_err() {
                    self.poll(context, progress).await?;
                    let _ = tokio::time::timeout(Duration::from_millis(POLL_MS), seen.changed()).await;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(timeout, waiting).await {
            Ok(outcome) => outcome.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// As [`Posted::wait`], and the checkpoint is seen in the database, not remembered: a crash of the
    /// database may have taken back what was remembered.
    ///
    /// # Errors
    /// The database's error.
    pub async fn wait_surely(&self, context: &Context, position: i64, timeout: Duration) -> Result<bool, sqlx::Error> {
        let until = Instant::now() + timeout;
        while self
            .wait(context, position, until.saturating_duration_since(Instant::now()))
            .await?
        {
            let posted = self.checkpoint(context).await?;
            if posted >= position {
                return Ok(true);
            }
            self.shown(context, posted);
        }
        Ok(false)
    }

    /// Told by whoever saw the tables at this checkpoint after they had waited for a later one: it is
    /// forgotten that there ever was a later one.
    pub fn shown(&self, context: &Context, position: i64) {
        if let Some(progress) = self.0.contexts.get(context.name) {
            progress.position.send_replace(position);
        }
    }

    /// Told by the projector of this process.
    pub(crate) fn advanced(&self, context: &Context, position: i64) {
        if let Some(progress) = self.0.contexts.get(context.name) {
            progress.here.store(true, Ordering::Relaxed);
            progress.position.send_replace(position);
        }
    }

    /// Another process may post from now on.
    pub(crate) fn stood_down(&self, context: &Context) {
        if let Some(progress) = self.0.contexts.get(context.name) {
            progress.here.store(false, Ordering::Relaxed);
        }
    }

    async fn poll(&self, context: &Context, progress: &Progress) -> Result<(), sqlx::Error> {
        let Ok(_alone) = progress.polling.try_lock() else {
            return Ok(());
        };
        let position = self.checkpoint(context).await?;
        progress.position.send_replace(position);
        Ok(())
    }

    async fn checkpoint(&self, context: &Context) -> Result<i64, sqlx::Error> {
        let asking = sqlx::query_scalar("select book.posted($1)")
            .bind(context.name)
            .fetch_one(&self.0.pool);
        let limit = Duration::from_secs(CHECKPOINT_SECONDS_MAX);
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }
}
