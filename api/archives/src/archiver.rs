//! Who takes what is old out of the tables: files first, then commands.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use book::lead::Leadership;
use book::pools::{answered, answered_within};
use book::{Book, BookError, Envelope, ExecuteError, Repeat};
use chrono::{DateTime, Utc};
use domain::SYSTEM;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::folder::Folder;
use crate::kind::{Archives, Kind};
use crate::manifest::{Cursor, Kept, Manifest, Member};
use crate::select::{self, Batch};

/// Commands on their way at one time.
const AT_ONCE: usize = 32;
/// How long the rows of one archive may take to be read, in seconds.
const READ_SECONDS_MAX: u64 = 120;

/// Why things could not be archived. What was begun is gone on with at the next run.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(
        "the folder of archives (DAYBOOK_ARCHIVE) failed at {path}: {error}; Daybook's user must be able to read and write it"
    )]
    Io { path: PathBuf, error: std::io::Error },
    #[error("the manifest {path} cannot be read: {error}")]
    Manifest { path: PathBuf, error: serde_json::Error },
    #[error(
        "archive {name} is damaged: {detail}; put its file back from a backup, for what has left the tables may be in it alone \
         ({things} that have not are still there)"
    )]
    Damaged {
        name: String,
        things: &'static str,
        detail: String,
    },
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
    /// What became of things, by the words for them.
    of: BTreeMap<&'static str, Left>,
}

/// What became of things of one kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Those that left the tables.
    pub archived: usize,
    /// Those that stay, because something changed or referred to them meanwhile.
    pub kept: usize,
}

impl Report {
    /// What became of the things of this kind.
    #[must_use]
    pub fn of(&self, kind: &Kind) -> Left {
        self.of.get(kind.things).copied().unwrap_or_default()
    }
}

/// The things of one tenant that a run would take.
#[derive(Debug, Clone)]
pub struct Due {
    pub kind: &'static Kind,
    pub tenant: Uuid,
    /// They came to rest before.
    pub before: DateTime<Utc>,
    pub count: i64,
}

/// Takes what is old out of the tables of a context.
#[derive(Debug, Clone)]
pub struct Archiver {
    archives: &'static Archives,
    /// Runs as daybook_projector, which sees the rows of every tenant.
    pool: PgPool,
    book: Book,
    folder: PathBuf,
}

/// A tenant whose turn comes again and again until nothing of it is due.
struct Turn {
    tenant: Uuid,
    before: DateTime<Utc>,
    after: Cursor,
}

impl Archiver {
    #[must_use]
    pub fn new(archives: &'static Archives, pool: PgPool, book: Book, folder: PathBuf) -> Self {
        Self {
            archives,
            pool,
            book,
            folder,
        }
    }

    /// What is archived.
    #[must_use]
    pub fn kinds(&self) -> &'static [&'static Kind] {
        self.archives.kinds
    }

    /// What a run would take out of the tables now.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub async fn due(&self) -> Result<Vec<Due>, ArchiveError> {
        let mut due = Vec::new();
        for &kind in self.archives.kinds {
            for tenant in self.read(select::tenants(&self.pool, kind)).await? {
                let before = self.before(kind, tenant).await?;
                let count = self.read(select::count(&self.pool, kind, tenant, before)).await?;
                due.push(Due {
                    kind,
                    tenant,
                    before,
                    count,
                });
            }
        }
        Ok(due)
    }

    /// Goes on with what was begun, then archives what is due, until it is done or to stop.
    ///
    /// # Errors
    /// [`ArchiveError::Busy`] when another process does so; any other.
    pub async fn run(&self, stop: &CancellationToken) -> Result<Report, ArchiveError> {
        let alone = Leadership::try_take(&self.pool, self.archives.lock).await?;
        let Some(mut alone) = alone else {
            return Err(ArchiveError::Busy);
        };
        let outcome = self.alone(&mut alone, stop).await;
        alone.release().await;
        outcome
    }

    async fn alone(&self, alone: &mut Leadership, stop: &CancellationToken) -> Result<Report, ArchiveError> {
        let mut report = Report::default();
        for &kind in self.archives.kinds {
            for manifest in self.folder(kind).pending().await? {
                self.finish(kind, manifest, &mut report).await?;
            }
        }
        let mut failed = None;
        for &kind in self.archives.kinds {
            let one_failed = self.in_turns(kind, alone, stop, &mut report).await?;
            failed = failed.or(one_failed);
        }
        failed.map_or(Ok(report), Err)
    }

    /// Archives what is due of one kind, an archive of each tenant at a time, so that nobody waits for the end of a large
    /// one. Where something of a tenant cannot be read the others go on; the first such error is the answer.
    async fn in_turns(
        &self,
        kind: &'static Kind,
        alone: &mut Leadership,
        stop: &CancellationToken,
        report: &mut Report,
    ) -> Result<Option<ArchiveError>, ArchiveError> {
        let mut failed = None;
        let mut pass = |tenant: Uuid, error: ArchiveError| {
            warn!(%tenant, error = %error, things = kind.things, "nothing of this tenant can be archived");
            failed.get_or_insert(error);
        };
        let mut turns = VecDeque::new();
        for tenant in self.read(select::tenants(&self.pool, kind)).await? {
            match self.before(kind, tenant).await {
                Ok(before) => turns.push_back(Turn {
                    tenant,
                    before,
                    after: Cursor::default(),
                }),
                Err(error) => pass(tenant, error),
            }
        }
        while let Some(mut turn) = turns.pop_front() {
            if stop.is_cancelled() {
                break;
            }
            if !alone.holds().await {
                return Err(ArchiveError::LeadLost);
            }
            let reading = select::batch(&self.pool, kind, turn.tenant, turn.before, &turn.after);
            match self.read(reading).await {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    turn.after = batch.last.clone();
                    self.archive(kind, turn.tenant, batch, alone, report).await?;
                    turns.push_back(turn);
                }
                Err(error) => pass(turn.tenant, error),
            }
        }
        Ok(failed)
    }

    /// Writes one archive, and has its things leave.
    async fn archive(
        &self,
        kind: &'static Kind,
        tenant: Uuid,
        batch: Batch,
        alone: &mut Leadership,
        report: &mut Report,
    ) -> Result<(), ArchiveError> {
        let folder = self.folder(kind);
        let manifest = folder.keep(tenant, batch).await?;
        // Compressing took a while: whoever archives by now sweeps away what is not begun.
        if !alone.holds().await {
            return Err(ArchiveError::LeadLost);
        }
        folder.begin(&manifest).await?;
        self.finish(kind, manifest, report).await
    }

    fn folder(&self, kind: &'static Kind) -> Folder {
        Folder::new(self.folder.clone(), kind)
    }

    /// A reading of the tables, if it comes in time.
    async fn read<T>(&self, reading: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, ArchiveError> {
        let limit = Duration::from_secs(READ_SECONDS_MAX);
        answered_within(limit, async { Ok(reading.await?) }).await
    }

    /// The time before which things of a tenant must have come to rest, by the database's clock.
    async fn before(&self, kind: &Kind, tenant: Uuid) -> Result<DateTime<Utc>, ArchiveError> {
        let kept_for = (kind.kept_for)(&self.book, tenant).await?;
        let asking = sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pool);
        let now: DateTime<Utc> = answered(async { Ok::<_, ArchiveError>(asking.await?) }).await?;
        Ok(now - kept_for)
    }

    /// Sends the commands of a manifest, and closes it once each is answered.
    async fn finish(
        &self,
        kind: &'static Kind,
        mut manifest: Manifest,
        report: &mut Report,
    ) -> Result<(), ArchiveError> {
        let folder = self.folder(kind);
        folder.verify(&manifest).await?;
        let sendings: Vec<_> = manifest
            .members()
            .map(|member| self.leave(kind, &manifest, member))
            .collect();
        let outcomes: Vec<Result<Option<Kept>, ArchiveError>> =
            futures::stream::iter(sendings).buffered(AT_ONCE).collect().await;
        let kept: Vec<Option<Kept>> = outcomes.into_iter().collect::<Result<_, _>>()?;
        manifest.kept = Some(kept.into_iter().flatten().collect());
        let (archived, kept) = manifest.outcome();
        folder.close(&manifest).await?;
        info!(
            archive = manifest.name,
            archived,
            kept,
            things = kind.things,
            "archived what is old"
        );
        let left = report.of.entry(kind.things).or_default();
        left.archived += archived;
        left.kept += kept;
        report.archives.push(manifest.name);
        Ok(())
    }

    /// Takes one thing out of the tables; says why it stays if it does.
    async fn leave(&self, kind: &Kind, manifest: &Manifest, member: &Member) -> Result<Option<Kept>, ArchiveError> {
        let steps = (kind.steps)(manifest, member);
        let outcome = self.book.execute(envelope(manifest, member), steps).await;
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
                if (kind.has_left)(&self.book, manifest.tenant_id, member.id).await? {
                    return Ok(None);
                }
                error.to_string()
            }
            Err(ExecuteError::Contended) => return Err(BookError::Overloaded.into()),
            Err(ExecuteError::Book(error)) => return Err(error.into()),
        };
        Ok(Some(Kept { id: member.id, why }))
    }
}

/// Of the same archive and thing always the same command.
fn envelope(manifest: &Manifest, member: &Member) -> Envelope {
    let of_archive = Uuid::new_v5(&manifest.tenant_id, manifest.name.as_bytes());
    let body = format!("{}/{}/{}", manifest.name, manifest.sha256, member.sequence);
    Envelope {
        tenant: manifest.tenant_id,
        actor: SYSTEM,
        command_id: Uuid::new_v5(&of_archive, member.id.as_bytes()),
        repeat: Repeat::Asked,
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
