//! Retention: closed requests of devices that are old leave the tables, and are kept in an archive.
//!
//! First the rows of up to a thousand requests are written to a file, with a manifest that says what is to
//! be archived; only when both are on the disk is each request commanded to be archived; and only when each
//! command is answered is the manifest closed. Whoever dies anywhere between goes on from the manifest: the
//! commands' ids are derived from the archive's name and the request, so that nothing is done twice, and
//! nothing leaves the tables that is not in a file. A command says at which event of its request the rows
//! were read, so what changed meanwhile stays, and is archived by a later run.

pub mod command;
mod folder;
mod select;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use book::lead::Leadership;
use book::lease::Lease;
use book::pools::{answered, answered_within};
use book::worker::{Beat, Work, pause};
use book::{Book, BookError, Envelope, ExecuteError, Step};
use chrono::{DateTime, Utc};
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::request::{Command, DeviceRequest};
use domain::SYSTEM;
use domain::register::Register;
use futures::StreamExt as _;
use http::crew::Worker;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use folder::{Folder, Kept, Manifest, Member};
use select::Cursor;

/// The worker that archives what is due, now and then.
pub static WORKER: Worker = Worker {
    name: "archive",
    lock: "daybook archive",
    start: |crew| {
        let archiver = Archiver::new(crew.pools.projector.clone(), crew.book.clone(), crew.archive.clone());
        crew.lead(&WORKER, ArchiveWorker { archiver });
    },
};
/// The name of the lock under which one of all processes archives at a time.
const RUN_LOCK_NAME: &str = "daybook archive run";
/// Requests of one archive.
pub const BATCH_REQUESTS_MAX: i64 = 1_000;
/// Commands on their way at one time.
const AT_ONCE: usize = 32;
/// Between two runs, in seconds.
const RUN_SECONDS: u64 = 3_600;
/// How long the rows of one archive may take to be read, in seconds.
const READ_SECONDS_MAX: u64 = 120;
/// How often a worker that waits looks whether it still leads, in seconds.
const CHECK_SECONDS: u64 = 2;

/// Why requests could not be archived. What was begun is gone on with at the next run.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: std::io::Error },
    #[error("the manifest {path} cannot be read: {error}")]
    Manifest { path: PathBuf, error: serde_json::Error },
    #[error(
        "archive {name} is damaged: {detail}; the requests that its manifest lists as not archived are still in the tables"
    )]
    Damaged { name: String, detail: String },
    #[error("another process archives at this moment")]
    Busy,
    #[error("the lead was lost")]
    LeadLost,
}

/// The result of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// The archives that are complete now.
    pub archives: Vec<String>,
    /// Requests that left the tables.
    pub archived: usize,
    /// Requests that stay, because something changed or referred to them meanwhile.
    pub kept: usize,
}

/// The requests of one tenant that a run would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub tenant: Uuid,
    /// Requests that have not changed since.
    pub before: DateTime<Utc>,
    pub requests: i64,
}

/// Takes old requests out of the tables.
#[derive(Debug, Clone)]
pub struct Archiver {
    /// Runs as daybook_projector, which sees the rows of every tenant.
    pool: PgPool,
    book: Book,
    folder: Folder,
}

impl Archiver {
    #[must_use]
    pub fn new(pool: PgPool, book: Book, folder: PathBuf) -> Self {
        Self {
            pool,
            book,
            folder: Folder::new(folder),
        }
    }

    /// The requests that a run would take out of the tables now.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn due(&self) -> Result<Vec<Due>, ArchiveError> {
        let mut due = Vec::new();
        for tenant in self.tenants().await? {
            let before = self.before(tenant).await?;
            let requests = self.read(select::count(&self.pool, tenant, before)).await?;
            due.push(Due {
                tenant,
                before,
                requests,
            });
        }
        Ok(due)
    }

    /// Goes on with what was begun, then archives what is due, until it is done or to stop.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`] when another process does so; any other.
    pub async fn run(&self, stop: &CancellationToken) -> Result<Report, ArchiveError> {
        let alone = Leadership::try_take(&self.pool, RUN_LOCK_NAME).await?;
        let Some(mut alone) = alone else {
            return Err(ArchiveError::Busy);
        };
        let outcome = self.alone(&mut alone, stop).await;
        alone.release().await;
        outcome
    }

    async fn alone(&self, alone: &mut Leadership, stop: &CancellationToken) -> Result<Report, ArchiveError> {
        let mut report = Report::default();
        for manifest in self.folder.pending().await? {
            self.finish(manifest, &mut report).await?;
        }
        for tenant in self.tenants().await? {
            let before = self.before(tenant).await?;
            let mut after = Cursor::default();
            while !stop.is_cancelled() {
                if !alone.holds().await {
                    return Err(ArchiveError::LeadLost);
                }
                let reading = select::batch(&self.pool, tenant, before, &after, BATCH_REQUESTS_MAX);
                let Some(batch) = self.read(reading).await? else {
                    break;
                };
                after = batch.last.clone();
                let manifest = self.folder.keep(tenant, batch).await?;
                // Compressing took a while: whoever archives by now sweeps away what is not begun.
                if !alone.holds().await {
                    return Err(ArchiveError::LeadLost);
                }
                self.folder.begin(&manifest).await?;
                self.finish(manifest, &mut report).await?;
            }
        }
        Ok(report)
    }

    async fn tenants(&self) -> Result<Vec<Uuid>, ArchiveError> {
        self.read(select::tenants(&self.pool)).await
    }

    /// A reading of the tables, if it comes in time.
    async fn read<T>(&self, reading: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, ArchiveError> {
        let limit = Duration::from_secs(READ_SECONDS_MAX);
        answered_within(limit, async { Ok(reading.await?) }).await
    }

    /// The time before which requests of a tenant must have had their last change, by the database's clock.
    async fn before(&self, tenant: Uuid) -> Result<DateTime<Utc>, ArchiveError> {
        let policy = self
            .book
            .now::<Register<DevicePolicy>>(tenant, DevicePolicy::stream(tenant))
            .await?;
        let asking = sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pool);
        let now: DateTime<Utc> = answered(async { Ok::<_, ArchiveError>(asking.await?) }).await?;
        Ok(now - DevicePolicy::of(policy.as_deref()).retention())
    }

    /// Sends the commands of a manifest, and closes it once each is answered.
    async fn finish(&self, mut manifest: Manifest, report: &mut Report) -> Result<(), ArchiveError> {
        self.folder.verify(&manifest).await?;
        let sendings: Vec<_> = manifest
            .requests
            .iter()
            .map(|member| self.archive(&manifest, member))
            .collect();
        let outcomes: Vec<Result<Option<Kept>, ArchiveError>> =
            futures::stream::iter(sendings).buffered(AT_ONCE).collect().await;
        let kept: Vec<Option<Kept>> = outcomes.into_iter().collect::<Result<_, _>>()?;
        manifest.kept = Some(kept.into_iter().flatten().collect());
        let (archived, kept) = manifest.outcome();
        self.folder.close(&manifest).await?;
        info!(archive = manifest.name, archived, kept, "archived requests");
        report.archived += archived;
        report.kept += kept;
        report.archives.push(manifest.name);
        Ok(())
    }

    /// Takes one request out of the tables; says why it stays if it does.
    async fn archive(&self, manifest: &Manifest, member: &Member) -> Result<Option<Kept>, ArchiveError> {
        let command = Command::Archive {
            archive: manifest.name.clone(),
            sha256: manifest.sha256.clone(),
        };
        let step = Step::of::<DeviceRequest>(member.id, Some(member.sequence), command);
        let outcome = self.book.execute(envelope(manifest, member), vec![step]).await;
        let why = match outcome {
            Ok(_) => return Ok(None),
            Err(ExecuteError::Refused(refusal)) => refusal.detail,
            Err(
                error @ (ExecuteError::Claimed { .. }
                | ExecuteError::NotFound { .. }
                | ExecuteError::KeyReused
                | ExecuteError::Suspended),
            ) => error.to_string(),
            // Also when this very command took effect so long ago that its receipt is gone.
            Err(error @ ExecuteError::Moved { .. }) => {
                if self.is_archived(manifest.tenant_id, member.id).await? {
                    return Ok(None);
                }
                error.to_string()
            }
            Err(ExecuteError::Contended) => return Err(BookError::Overloaded.into()),
            Err(ExecuteError::Book(error)) => return Err(error.into()),
        };
        Ok(Some(Kept { id: member.id, why }))
    }

    async fn is_archived(&self, tenant: Uuid, request: Uuid) -> Result<bool, ArchiveError> {
        let state = self.book.now::<DeviceRequest>(tenant, request).await?;
        Ok(state.is_some_and(|state| state.is_archived()))
    }
}

/// Of the same archive and request always the same command.
fn envelope(manifest: &Manifest, member: &Member) -> Envelope {
    let of_archive = Uuid::new_v5(&manifest.tenant_id, manifest.name.as_bytes());
    let body = format!("{}/{}/{}", manifest.name, manifest.sha256, member.sequence);
    Envelope {
        tenant: manifest.tenant_id,
        actor: SYSTEM,
        command_id: Uuid::new_v5(&of_archive, member.id.as_bytes()),
        repeatable: true,
        body_hash: Sha256::digest(body).into(),
        correlation_id: of_archive,
        causation_id: None,
        reason: None,
        ip: None,
        traceparent: None,
        at: Utc::now(),
        occurred_at: None,
    }
}

/// The worker that archives at once and then every hour. Of all that run, one leads.
#[derive(Debug)]
pub struct ArchiveWorker {
    pub archiver: Archiver,
}

impl Work for ArchiveWorker {
    type Error = ArchiveError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), ArchiveError> {
        while !stop.is_cancelled() {
            let run = self.archiver.run(stop);
            tokio::pin!(run);
            // A long run is alive none the less.
            let outcome = loop {
                tokio::select! {
                    outcome = &mut run => break outcome,
                    () = tokio::time::sleep(Duration::from_secs(CHECK_SECONDS)) => beat.beat(|_| {}),
                }
            };
            match outcome {
                Ok(report) => info!(
                    archived = report.archived,
                    kept = report.kept,
                    "looked for old requests"
                ),
                Err(ArchiveError::Busy) => info!("another process archives"),
                Err(error) => warn!(error = %error, "old requests could not be archived; trying again in an hour"),
            }
            for _ in 0..RUN_SECONDS / CHECK_SECONDS {
                if stop.is_cancelled() {
                    return Ok(());
                }
                beat.beat(|_| {});
                lease.check()?;
                pause(stop, Duration::from_secs(CHECK_SECONDS)).await;
            }
        }
        Ok(())
    }
}
