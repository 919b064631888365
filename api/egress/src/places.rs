//! Places for calls under way: so many in the process, fewer for one tenant, and fewer yet the fuller it is, so that
//! targets that hang cost their own tenant its places and others none.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Overload;

/// How long a call waits for a place, in seconds, within the time that it may take.
const WAIT_SECONDS_MAX: u64 = 5;
/// Calls of one tenant that wait.
pub const WAITING_OF_TENANT_MAX: usize = 32;
/// Calls that wait in all.
pub const WAITING_MAX: usize = 1_024;

/// The places of a process.
#[derive(Debug)]
pub struct Places {
    all: usize,
    of_tenant: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    tenants: HashMap<Uuid, Tenant>,
    /// The tenants with calls that wait, in the order of their turns.
    turns: VecDeque<Uuid>,
}

#[derive(Debug, Default)]
struct Tenant {
    held: usize,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    tenant: Uuid,
}

impl Places {
    pub fn new(all: usize, of_tenant: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_tenant,
            held: Mutex::default(),
        })
    }

    /// A place for a call of the tenant, when one is free for it soon.
    ///
    /// # Errors
    /// [`Overload`], when too many wait already or none got free in time.
    pub async fn take(self: &Arc<Self>, tenant: Uuid, until: Instant) -> Result<Place, Overload> {
        let waits = {
            let mut held = self.held();
            // Whoever waits goes first.
            if held.tenants.get(&tenant).is_none_or(|tenant| tenant.waiting.is_empty()) && self.has(&held, tenant) {
                return Ok(self.give(&mut held, tenant));
            }
            held.forget_those_gone();
            let waiting = |tenant: &Tenant| tenant.waiting.len();
            if held.tenants.values().map(waiting).sum::<usize>() >= WAITING_MAX {
                return Err(Overload::AllWait);
            }
            if held
                .tenants
                .get(&tenant)
                .is_some_and(|its| waiting(its) >= WAITING_OF_TENANT_MAX)
            {
                return Err(Overload::TenantWaits);
            }
            let (sender, receiver) = oneshot::channel();
            held.tenants.entry(tenant).or_default().waiting.push_back(sender);
            if !held.turns.contains(&tenant) {
                held.turns.push_back(tenant);
            }
            receiver
        };
        let until = until.min(Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX));
        match tokio::time::timeout_at(until, waits).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Overload::NoPlace),
        }
    }

    /// Whether the tenant may hold one more. Its first needs a free place alone. The others need the more free ones the
    /// more it holds, so that no tenant takes the last place besides others, and many that hang leave some to those that
    /// come after.
    fn has(&self, held: &Held, tenant: Uuid) -> bool {
        let free = self.all - held.all;
        let its = held.tenants.get(&tenant).map_or(0, |tenant| tenant.held);
        match its {
            0 => free > 0,
            its => its < self.of_tenant && its * self.all < free * self.of_tenant,
        }
    }

    fn give(self: &Arc<Self>, held: &mut Held, tenant: Uuid) -> Place {
        held.all += 1;
        held.tenants.entry(tenant).or_default().held += 1;
        Place {
            places: Arc::clone(self),
            tenant,
        }
    }

    fn give_back(self: &Arc<Self>, tenant: Uuid) {
        let mut given = Vec::new();
        {
            let mut held = self.held();
            held.all -= 1;
            if let Some(its) = held.tenants.get_mut(&tenant) {
                its.held -= 1;
            }
            held.forget_those_gone();
            // Whoever gets nothing keeps its turn; whoever gets a place goes to the end.
            let (mut passed, mut served) = (VecDeque::new(), VecDeque::new());
            for next in std::mem::take(&mut held.turns) {
                if self.has(&held, next)
                    && let Some(sender) = held.tenants.get_mut(&next).and_then(|its| its.waiting.pop_front())
                {
                    given.push((sender, self.give(&mut held, next)));
                    served.push_back(next);
                } else {
                    passed.push_back(next);
                }
            }
            passed.append(&mut served);
            held.turns = passed;
        }
        // Without the lock: a place that nobody waits for any more is given back at once.
        for (sender, place) in given {
            drop(sender.send(place));
        }
    }

    /// Nothing between the changes of one lock can fail halfway.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn forget_those_gone(&mut self) {
        for tenant in self.tenants.values_mut() {
            tenant.waiting.retain(|sender| !sender.is_closed());
        }
        self.tenants
            .retain(|_, tenant| tenant.held > 0 || !tenant.waiting.is_empty());
        let tenants = &self.tenants;
        self.turns
            .retain(|tenant| tenants.get(tenant).is_some_and(|its| !its.waiting.is_empty()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.tenant);
    }
}

#[cfg(test)]
mod tests;
