//! Pools that all draw on and nobody may empty: requests under way, streams, bytes in flight.
//!
//! What somebody may hold of a pool depends on what is free: a tenant at most as much as it leaves to the others, and a
//! user at most as much as that leaves to the tenant's other users. So one tenant alone comes to a half, one user alone
//! to a third, and whoever comes new finds room. Nobody waits here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::auth::token::Bearer;
use crate::problem::{self, Problem};

/// How soon somebody who was refused may ask again, in seconds.
const RETRY_SECONDS: u64 = 1;
/// A pool of which less than one part in so many is free is full: whoever is refused then has not taken too much.
const FULL_PARTS: u64 = 8;

/// A pool with fair shares.
#[derive(Debug)]
pub struct Shares {
    /// The name in metrics.
    name: &'static str,
    /// The word for its units in sentences: `requests under way`.
    units: &'static str,
    total: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    tenants: HashMap<Uuid, OfTenant>,
}

#[derive(Debug, Default)]
struct OfTenant {
    all: u64,
    users: HashMap<Uuid, u64>,
}

/// Whose share is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spent {
    User,
    Tenant,
    /// The pool is full, whoever filled it.
    All,
}

/// Units that somebody holds, given back when dropped.
#[derive(Debug)]
pub struct Share {
    of: Arc<Shares>,
    by: Bearer,
    amount: u64,
}

impl Shares {
    #[must_use]
    pub fn new(name: &'static str, units: &'static str, total: u64) -> Arc<Self> {
        Arc::new(Self {
            name,
            units,
            total,
            held: Mutex::default(),
        })
    }

    /// Takes units for somebody.
    ///
    /// # Errors
    /// 429 when they, or their tenant, hold their share already; 503 when the pool is full.
    pub fn take(self: &Arc<Self>, by: Bearer, amount: u64) -> Result<Share, Problem> {
        self.hold(by, amount)?;
        Ok(Share {
            of: self.clone(),
            by,
            amount,
        })
    }

    /// The name in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Units that are held, by all.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.lock().all
    }

    fn hold(&self, by: Bearer, amount: u64) -> Result<(), Problem> {
        let held = self.lock().hold(self.total, by, amount);
        held.map_err(|spent| self.refused(spent))
    }

    fn refused(&self, spent: Spent) -> Problem {
        metrics::counter!("daybook_shares_refused_total", "name" => self.name).increment(1);
        let (units, whose) = match spent {
            Spent::User => (self.units, "you have"),
            Spent::Tenant => (self.units, "your tenant has"),
            Spent::All => {
                let detail = format!("there are too many {}; try again in a moment", self.units);
                return Problem::new(problem::OVERLOADED, detail);
            }
        };
        let detail = format!("{whose} a fair share of the {units} already; wait until some have ended");
        Problem::new(problem::TOO_MANY, detail).retry_after(RETRY_SECONDS)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn hold(&mut self, total: u64, by: Bearer, amount: u64) -> Result<(), Spent> {
        let free = total.saturating_sub(self.all);
        let tenant = self.tenants.get(&by.tenant);
        let of_tenant = tenant.map_or(0, |tenant| tenant.all);
        let of_user = tenant
            .and_then(|tenant| tenant.users.get(&by.user))
            .copied()
            .unwrap_or(0);
        let spent = if of_tenant.saturating_add(amount) > free {
            Some(Spent::Tenant)
        } else if of_user.saturating_add(amount) > free - of_tenant {
            Some(Spent::User)
        } else {
            None
        };
        if let Some(spent) = spent {
            return Err(if free < total / FULL_PARTS { Spent::All } else { spent });
        }
        self.all += amount;
        let tenant = self.tenants.entry(by.tenant).or_default();
        tenant.all += amount;
        *tenant.users.entry(by.user).or_default() += amount;
        Ok(())
    }

    fn give_back(&mut self, by: Bearer, amount: u64) {
        self.all -= amount;
        let Some(tenant) = self.tenants.get_mut(&by.tenant) else {
            return;
        };
        tenant.all -= amount;
        if let Some(user) = tenant.users.get_mut(&by.user) {
            *user -= amount;
            if *user == 0 {
                tenant.users.remove(&by.user);
            }
        }
        if tenant.all == 0 && tenant.users.is_empty() {
            self.tenants.remove(&by.tenant);
        }
    }
}

impl Share {
    /// Takes more units.
    ///
    /// # Errors
    /// As [`Shares::take`]; those that it holds it keeps.
    pub fn grow(&mut self, more: u64) -> Result<(), Problem> {
        self.of.hold(self.by, more)?;
        self.amount += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.lock().give_back(self.by, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(tenant: u128, user: u128) -> Bearer {
        Bearer {
            tenant: Uuid::from_u128(tenant),
            user: Uuid::from_u128(user),
        }
    }

    fn pool(total: u64) -> Arc<Shares> {
        Shares::new("test", "units", total)
    }

    /// As many single units as somebody gets.
    fn all_of(shares: &Arc<Shares>, by: Bearer) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(by, 1).ok()).collect()
    }

    #[test]
    fn one_user_alone_gets_a_third_and_one_tenant_alone_a_half() {
        let shares = pool(1_200);
        let one = all_of(&shares, by(1, 1));
        assert_eq!(one.len(), 400);
        let others: Vec<_> = (2..100).map(|user| all_of(&shares, by(1, user))).collect();
        let of_tenant = one.len() + others.iter().map(Vec::len).sum::<usize>();
        assert!((590..=600).contains(&of_tenant), "{of_tenant}");
    }

    #[test]
    fn whoever_comes_new_finds_room_while_one_person_holds_all_that_they_can() {
        let shares = pool(1_200);
        let _greedy = all_of(&shares, by(1, 1));
        assert!(!all_of(&shares, by(1, 2)).is_empty(), "another user of the tenant");
        let _tenant: Vec<_> = (2..100).map(|user| all_of(&shares, by(1, user))).collect();
        assert!(all_of(&shares, by(2, 1)).len() >= 200, "another tenant");
    }

    #[test]
    fn those_who_have_their_share_hear_so_and_those_who_find_the_pool_full_as_well() {
        let shares = pool(1_200);
        let status = |problem: Problem| problem.body()["status"].as_u64().unwrap();
        let _greedy = all_of(&shares, by(1, 1));
        assert_eq!(status(shares.take(by(1, 1), 1).unwrap_err()), 429);
        let _tenants: Vec<_> = (1..40)
            .flat_map(|tenant| (1..40).map(move |user| by(tenant, user)))
            .map(|by| all_of(&shares, by))
            .collect();
        assert_eq!(status(shares.take(by(99, 1), 1_000).unwrap_err()), 503);
    }

    #[test]
    fn what_is_dropped_is_free_again_and_nothing_is_kept_of_who_held_it() {
        let shares = pool(1_200);
        let mut share = shares.take(by(1, 1), 100).unwrap();
        share.grow(200).unwrap();
        assert_eq!(shares.held(), 300);
        assert!(share.grow(200).is_err());
        assert_eq!(shares.held(), 300, "what is refused changes nothing");
        drop(share);
        assert_eq!(shares.held(), 0);
        assert!(shares.lock().tenants.is_empty());
    }
}
