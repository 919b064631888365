//! What is under way, of whom, and how much more of each may begin.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

use crate::outcome::Ended;
use crate::reactor::Bounds;
use crate::taking::Begun;

/// The tasks under way. All are given up when this is dropped.
#[derive(Debug)]
pub struct Running {
    bounds: Bounds,
    set: JoinSet<Ended>,
    /// The tenant of each.
    of: HashMap<Uuid, Uuid>,
    last_tenant: Uuid,
}

impl Running {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            set: JoinSet::new(),
            of: HashMap::new(),
            last_tenant: Uuid::nil(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub fn room(&self) -> usize {
        self.bounds.at_once.max(1).saturating_sub(self.of.len())
    }

    /// The tasks that are under way, or whose end is not written down.
    pub fn ids(&self) -> Vec<Uuid> {
        self.of.keys().copied().collect()
    }

    /// The tenants of which nothing more may begin.
    pub fn full(&self) -> Vec<Uuid> {
        let shares = self.shares();
        let is_full = |tenant: &Uuid| !shares.may_begin(*tenant);
        shares.of.keys().copied().filter(is_full).collect()
    }

    /// The tenant whose turn was last.
    pub fn last_tenant(&self) -> Uuid {
        self.last_tenant
    }

    pub fn shares(&self) -> Shares {
        let mut of = HashMap::new();
        for tenant in self.of.values() {
            *of.entry(*tenant).or_insert(0) += 1;
        }
        Shares {
            bounds: self.bounds,
            all: self.of.len(),
            of,
        }
    }

    /// Has an attempt go on beside the others.
    pub fn begin(&mut self, begun: &Begun, attempt: impl Future<Output = Ended> + Send + 'static) {
        self.of.insert(begun.id, begun.tenant);
        self.last_tenant = begun.tenant;
        self.set.spawn(attempt);
    }

    /// Waits for the next that ends; for ever while there is none.
    pub async fn next(&mut self) -> Result<Ended, JoinError> {
        match self.set.join_next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }

    /// One that has ended by now.
    pub fn ended(&mut self) -> Option<Result<Ended, JoinError>> {
        self.set.try_join_next()
    }

    /// The end of this one is written down.
    pub fn settled(&mut self, id: Uuid) {
        self.of.remove(&id);
    }

    /// Gives all up that are under way, and returns once none goes on: those that have ended before.
    pub async fn give_up(&mut self) -> Vec<Ended> {
        self.set.abort_all();
        let mut ended = Vec::new();
        while let Some(one) = self.set.join_next().await {
            ended.extend(one.ok());
        }
        ended
    }
}

/// How many more of each tenant may begin.
#[derive(Debug, Clone)]
pub struct Shares {
    bounds: Bounds,
    all: usize,
    of: HashMap<Uuid, usize>,
}

impl Shares {
    /// Whether one more of this tenant may begin. A tenant always has one place while any is free, and beyond that at most
    /// half of what the others leave.
    fn may_begin(&self, tenant: Uuid) -> bool {
        let at_once = self.bounds.at_once.max(1);
        let own = self.of.get(&tenant).copied().unwrap_or(0);
        let share = at_once.saturating_sub(self.all - own) / 2;
        self.all < at_once && own < share.min(self.bounds.per_tenant).max(1)
    }

    /// As [`Shares::may_begin`], and if so it counts.
    pub fn take(&mut self, tenant: Uuid) -> bool {
        let may_begin = self.may_begin(tenant);
        if may_begin {
            self.all += 1;
            *self.of.entry(tenant).or_insert(0) += 1;
        }
        may_begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_tenant_has_half_of_what_the_others_leave_free_and_always_one_place() {
        let bounds = Bounds {
            at_once: 16,
            per_tenant: 6,
            limit: Duration::from_secs(1),
        };
        let mut shares = Running::new(bounds).shares();
        let mut taken = |tenant: u128| {
            let mut count = 0;
            while shares.take(Uuid::from_u128(tenant)) {
                count += 1;
            }
            count
        };
        // Of 16 half would be 8, but no tenant has more than 6; of the 10 left 5, of 5 left 2, then one each.
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(&mut taken), [6, 5, 2, 1, 1, 1, 0]);
    }
}
