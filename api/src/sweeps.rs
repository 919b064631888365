//! What nobody needs any more, and no event takes away: objects that no event names, and whatever deleted tenants have left.
//!
//! It may be cut short at any point: what is gone then is what was to go, and the next round does the rest.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::future::ready;
use std::time::{Duration, Instant};

use book::worker::{Beat, Work, pause};
use book::{Book, BookError, Lease, Tail, tenants};
use domain::Standing;
use http::Contexts;
use objects::{ObjectError, Objects, Usage};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

/// The lead of whoever sweeps.
pub const LOCK: &str = "daybook sweeps";
/// Between sweeps of objects that no event names, in hours.
pub const SWEEP_HOURS: u64 = 6;
/// How old an object is at least that is swept, in hours: its event may still be on its way.
pub const SWEPT_HOURS_MIN: u64 = 24;
/// Between looks for what deleted tenants have left, in minutes.
pub const DELETED_MINUTES: u64 = 10;
/// How long one turn may take, in seconds: all objects of a tenant are looked at.
const TURN_SECONDS_MAX: u64 = 4 * 3_600;

/// Sweeps, for all contexts.
#[derive(Debug)]
pub struct Sweeps {
    pub contexts: Contexts,
    /// A pool of `daybook_writer`.
    pub pool: PgPool,
    pub book: Book,
    pub tail: Tail,
    pub objects: Objects,
}

impl Work for Sweeps {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut swept: Option<Instant> = None;
        while !stop.is_cancelled() {
            lease.check()?;
            self.forget_deleted(lease, beat).await?;
            if swept.is_none_or(|swept| swept.elapsed() >= Duration::from_secs(SWEEP_HOURS * 3_600)) {
                self.sweep(lease, beat).await?;
                swept = Some(Instant::now());
            }
            beat.beat(|_| {});
            pause(stop, Duration::from_secs(DELETED_MINUTES * 60)).await;
        }
        Ok(())
    }

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(TURN_SECONDS_MAX)
    }
}

impl Sweeps {
    /// Removes what deleted tenants have left: objects, timers, reactions and effects that wait or failed.
    async fn forget_deleted(&self, lease: &Lease, beat: &Beat) -> Result<(), BookError> {
        let waiting = tenants::forget_waiting(&self.pool).await?;
        let effects = reactors::deleted::forget(&self.pool).await?;
        if waiting + effects > 0 {
            info!(waiting, effects, "dropped what waited for deleted tenants");
        }
        for tenant in self.that_stand(|standing| standing == Standing::Deleted).await? {
            lease.check()?;
            match self.objects.delete_tenant(tenant).await {
                Ok(removed) => count(tenant, "tenant", removed),
                Err(error) => warn!(%tenant, %error, "the objects of a deleted tenant could not be removed"),
            }
            beat.beat(|_| {});
        }
        Ok(())
    }

    /// Removes the objects that no event names, of every tenant that is not deleted.
    async fn sweep(&self, lease: &Lease, beat: &Beat) -> Result<(), BookError> {
        if let Some(unknown) = self.unknown_kind().await? {
            // A newer program, or one with more contexts, knows what its events name.
            warn!(
                kind = unknown,
                "no objects are swept: the book has events of a kind that this program does not know"
            );
            return Ok(());
        }
        for tenant in self.that_stand(|standing| standing != Standing::Deleted).await? {
            lease.check()?;
            match self.sweep_tenant(tenant).await {
                Ok(removed) => count(tenant, "orphan", removed),
                Err(error) => warn!(%tenant, %error, "the objects of a tenant could not be swept"),
            }
            beat.beat(|_| {});
        }
        Ok(())
    }

    async fn sweep_tenant(&self, tenant: Uuid) -> Result<Usage, ObjectError> {
        // Before any object is looked at: one that is named later was put later, and is too young.
        let mut named = HashSet::new();
        for find in self.contexts.iter().filter_map(|context| context.objects) {
            named.extend(find(&self.book, tenant).await?);
        }
        let named = &named;
        let named_of = |mut names: Vec<String>| {
            names.retain(|name| named.contains(name));
            ready(Ok::<HashSet<String>, Infallible>(names.into_iter().collect()))
        };
        let age = Duration::from_secs(SWEPT_HOURS_MIN * 3_600);
        Ok(self.objects.sweep(tenant, age, named_of).await?.removed)
    }

    /// The tenants of this book that have anything in the store and stand so. Of others nothing is known here: they may be
    /// another book's.
    async fn that_stand(&self, so: impl Fn(Standing) -> bool) -> Result<Vec<Uuid>, BookError> {
        let known = self.book.tenants().await?.into_iter();
        let known: BTreeMap<Uuid, Standing> = known.map(|known| (known.tenant, known.standing)).collect();
        let mut stored = match self.objects.tenants().await {
            Ok(stored) => stored,
            Err(error) => {
                warn!(%error, "the object store cannot be looked through");
                return Ok(Vec::new());
            }
        };
        stored.retain(|tenant| known.get(tenant).is_some_and(|standing| so(*standing)));
        Ok(stored)
    }

    async fn unknown_kind(&self) -> Result<Option<String>, BookError> {
        let kinds = self.tail.kinds().await?;
        let is_unknown = |kind: &String| self.contexts.aggregate(kind).is_none();
        Ok(kinds.into_iter().find(is_unknown))
    }
}

fn count(tenant: Uuid, why: &'static str, removed: Usage) {
    if removed.objects == 0 {
        return;
    }
    metrics::counter!("daybook_objects_removed_total", "why" => why).increment(removed.objects);
    metrics::counter!("daybook_objects_removed_bytes_total", "why" => why).increment(removed.bytes);
    info!(%tenant, why, objects = removed.objects, bytes = removed.bytes, "removed objects");
}
