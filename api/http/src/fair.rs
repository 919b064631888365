//! Turns at what only a few can do at one time: reading the log, asking the tables.
//!
//! Whoever waits is served in rounds: one of each tenant that waits, and of a tenant one of each user. So it is not the
//! number of somebody's requests that says how soon others are served. A tenant never has all turns at once, nor a user
//! all of their tenant's: what takes long leaves some to others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::auth::token::Bearer;
use crate::problem::{self, Problem};

/// How many may wait for a turn; more are refused.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    pub of_user: usize,
    pub of_tenant: usize,
    /// How long each of them waits at most.
    pub patience: Duration,
}

/// So many turns at one time, given in rounds.
#[derive(Debug)]
pub struct Queues {
    /// The name in metrics.
    name: &'static str,
    /// What one waits for, in a sentence: `to read the log`.
    purpose: &'static str,
    of_tenant_max: usize,
    of_user_max: usize,
    waiting: Waiting,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Tenants of which somebody waits or has a turn.
    tenants: HashMap<Uuid, Tenant>,
    /// Those of which somebody waits, the next one first.
    rounds: VecDeque<Uuid>,
}

#[derive(Debug, Default)]
struct Tenant {
    under_way: usize,
    waiting: usize,
    users: HashMap<Uuid, User>,
    /// Users who wait, the next one first.
    rounds: VecDeque<Uuid>,
}

#[derive(Debug, Default)]
struct User {
    under_way: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// The right to go ahead, given back when dropped.
#[derive(Debug)]
pub struct Turn {
    of: Arc<Queues>,
    by: Bearer,
}

/// Somebody in the queue. Dropped, they have left it; a turn that they were given meanwhile goes to the next.
struct Waiter {
    of: Arc<Queues>,
    by: Bearer,
    called: oneshot::Receiver<()>,
    is_served: bool,
}

impl Queues {
    #[must_use]
    pub fn new(name: &'static str, purpose: &'static str, turns: usize, waiting: Waiting) -> Arc<Self> {
        Arc::new(Self {
            name,
            purpose,
            of_tenant_max: (turns - turns / 4).max(1),
            of_user_max: (turns / 2).max(1),
            waiting,
            state: Mutex::new(State {
                free: turns,
                tenants: HashMap::new(),
                rounds: VecDeque::new(),
            }),
        })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// 429 when too many requests of the user or the tenant wait already; 503 when it takes too long.
    pub async fn turn(self: &Arc<Self>, by: Bearer) -> Result<Turn, Problem> {
        let mut waiter = match self.enter(by)? {
            Ok(turn) => return Ok(turn),
            Err(waiter) => waiter,
        };
        match tokio::time::timeout(self.waiting.patience, &mut waiter.called).await {
            Ok(Ok(())) => {
                waiter.is_served = true;
                Ok(Turn { of: self.clone(), by })
            }
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("daybook_turns_refused_total", "name" => self.name).increment(1);
                let detail = format!("too many others wait {}; try again in a moment", self.purpose);
                Err(Problem::new(problem::OVERLOADED, detail))
            }
        }
    }

    /// The name in metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Requests that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().tenants.values().map(|tenant| tenant.waiting).sum()
    }

    /// A turn at once, or a place in the queue.
    fn enter(self: &Arc<Self>, by: Bearer) -> Result<Result<Turn, Waiter>, Problem> {
        let mut state = self.lock();
        let may_go = state.free > 0 && state.may_go(by, self);
        let State { free, tenants, rounds } = &mut *state;
        let tenant = tenants.entry(by.tenant).or_default();
        let (of_tenant, user) = (tenant.waiting, tenant.users.entry(by.user).or_default());
        if may_go && user.waiting.is_empty() {
            user.under_way += 1;
            tenant.under_way += 1;
            *free -= 1;
            return Ok(Ok(Turn { of: self.clone(), by }));
        }
        if user.waiting.len() >= self.waiting.of_user {
            return Err(self.too_many("you have"));
        }
        if of_tenant >= self.waiting.of_tenant {
            state.forget(by);
            return Err(self.too_many("your tenant has"));
        }
        let (call, called) = oneshot::channel();
        if user.waiting.is_empty() {
            tenant.rounds.push_back(by.user);
        }
        user.waiting.push_back(call);
        if of_tenant == 0 {
            rounds.push_back(by.tenant);
        }
        tenant.waiting += 1;
        Ok(Err(Waiter {
            of: self.clone(),
            by,
            called,
            is_served: false,
        }))
    }

    fn too_many(&self, whose: &str) -> Problem {
        metrics::counter!("daybook_turns_refused_total", "name" => self.name).increment(1);
        let purpose = self.purpose;
        let detail = format!("{whose} too many requests that wait {purpose} already; send fewer at once");
        Problem::new(problem::TOO_MANY, detail).retry_after(1)
    }

    fn end(&self, by: Bearer) {
        let mut state = self.lock();
        state.free += 1;
        if let Some(tenant) = state.tenants.get_mut(&by.tenant) {
            tenant.under_way -= 1;
            if let Some(user) = tenant.users.get_mut(&by.user) {
                user.under_way -= 1;
            }
        }
        state.forget(by);
        while state.call_next(self) {}
    }

    /// Takes somebody out of the queue who waits no longer.
    fn leave(&self, by: Bearer) {
        let mut state = self.lock();
        let State { tenants, rounds, .. } = &mut *state;
        if let Some(tenant) = tenants.get_mut(&by.tenant)
            && let Some(user) = tenant.users.get_mut(&by.user)
        {
            let before = user.waiting.len();
            user.waiting.retain(|call| !call.is_closed());
            tenant.waiting -= before - user.waiting.len();
            if user.waiting.is_empty() {
                tenant.rounds.retain(|user| *user != by.user);
            }
            if tenant.waiting == 0 {
                rounds.retain(|tenant| *tenant != by.tenant);
            }
        }
        state.forget(by);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_go(&self, by: Bearer, queues: &Queues) -> bool {
        let Some(tenant) = self.tenants.get(&by.tenant) else {
            return true;
        };
        let of_user = tenant.users.get(&by.user).map_or(0, |user| user.under_way);
        tenant.under_way < queues.of_tenant_max && of_user < queues.of_user_max
    }

    /// Gives a free turn to the next who may have one; false when there is none.
    fn call_next(&mut self, queues: &Queues) -> bool {
        if self.free == 0 {
            return false;
        }
        for _ in 0..self.rounds.len() {
            let Some(id) = self.rounds.pop_front() else { break };
            let Some(tenant) = self.tenants.get_mut(&id) else {
                continue;
            };
            let called = tenant.under_way < queues.of_tenant_max && tenant.call_next(queues.of_user_max);
            if tenant.waiting > 0 {
                self.rounds.push_back(id);
            }
            if called {
                self.free -= 1;
                return true;
            }
        }
        false
    }

    /// Keeps nothing of those who neither wait nor have a turn.
    fn forget(&mut self, by: Bearer) {
        let Some(tenant) = self.tenants.get_mut(&by.tenant) else {
            return;
        };
        let is_gone = |user: &User| user.under_way == 0 && user.waiting.is_empty();
        if tenant.users.get(&by.user).is_some_and(is_gone) {
            tenant.users.remove(&by.user);
        }
        if tenant.users.is_empty() {
            self.tenants.remove(&by.tenant);
        }
    }
}

impl Tenant {
    fn call_next(&mut self, of_user_max: usize) -> bool {
        for _ in 0..self.rounds.len() {
            let Some(id) = self.rounds.pop_front() else { break };
            let Some(user) = self.users.get_mut(&id) else { continue };
            let mut is_called = false;
            while user.under_way < of_user_max
                && !is_called
                && let Some(call) = user.waiting.pop_front()
            {
                self.waiting -= 1;
                // Whoever has left does not take the turn along.
                is_called = call.send(()).is_ok();
            }
            if is_called {
                user.under_way += 1;
                self.under_way += 1;
            }
            if !user.waiting.is_empty() {
                self.rounds.push_back(id);
            }
            if is_called {
                return true;
            }
        }
        false
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.end(self.by);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        self.called.close();
        match self.called.try_recv() {
            // Called at the very moment of leaving.
            Ok(()) => self.of.end(self.by),
            Err(_) => self.of.leave(self.by),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Waiting = Waiting {
        of_user: 64,
        of_tenant: 256,
        patience: Duration::from_secs(5),
    };

    fn by(tenant: u128, user: u128) -> Bearer {
        Bearer {
            tenant: Uuid::from_u128(tenant),
            user: Uuid::from_u128(user),
        }
    }

    fn queues(turns: usize) -> Arc<Queues> {
        Queues::new("test", "for a test", turns, WAITING)
    }

    /// Somebody who waits, and is known to.
    async fn waiting(queues: &Arc<Queues>, by: Bearer) -> tokio::task::JoinHandle<Result<Turn, Problem>> {
        let before = queues.waiting();
        let (of, task) = (queues.clone(), by);
        let task = tokio::spawn(async move { of.turn(task).await });
        while queues.waiting() == before {
            tokio::task::yield_now().await;
        }
        task
    }

    fn nothing_is_kept(queues: &Queues, turns: usize) {
        let state = queues.lock();
        assert!(state.tenants.is_empty() && state.rounds.is_empty(), "{state:?}");
        assert_eq!(state.free, turns);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_are_served_in_rounds_of_tenants_and_of_their_users() {
        let queues = queues(1);
        let mut turn = queues.turn(by(9, 9)).await.unwrap();
        let mut tasks = Vec::new();
        for (tenant, user) in [(1, 1), (1, 1), (1, 2), (2, 1), (1, 1), (3, 1)] {
            tasks.push(((tenant, user), waiting(&queues, by(tenant, user)).await));
        }
        let mut order = Vec::new();
        while !tasks.is_empty() {
            drop(turn);
            while !tasks.iter().any(|(_, task)| task.is_finished()) {
                tokio::task::yield_now().await;
            }
            let at = tasks.iter().position(|(_, task)| task.is_finished()).unwrap();
            let (who, task) = tasks.remove(at);
            turn = task.await.unwrap().unwrap();
            order.push(who);
        }
        assert_eq!(order, [(1, 1), (2, 1), (3, 1), (1, 2), (1, 1), (1, 1)]);
        drop(turn);
        nothing_is_kept(&queues, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_user_and_no_tenant_has_all_turns() {
        let queues = queues(4);
        let _of_user = [
            queues.turn(by(1, 1)).await.unwrap(),
            queues.turn(by(1, 1)).await.unwrap(),
        ];
        let third = waiting(&queues, by(1, 1)).await;
        let _of_tenant = queues.turn(by(1, 2)).await.unwrap();
        let fourth = waiting(&queues, by(1, 3)).await;
        let _other = queues.turn(by(2, 1)).await.unwrap();
        assert!(!third.is_finished() && !fourth.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_leaves_takes_no_turn_along() {
        let queues = queues(1);
        let turn = queues.turn(by(1, 1)).await.unwrap();
        let leaves = waiting(&queues, by(2, 1)).await;
        let stays = waiting(&queues, by(3, 1)).await;
        leaves.abort();
        assert!(leaves.await.is_err());
        drop(turn);
        drop(stays.await.unwrap().unwrap());
        nothing_is_kept(&queues, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_called_while_leaving_passes_the_turn_on() {
        let queues = queues(1);
        let turn = queues.turn(by(1, 1)).await.unwrap();
        let Ok(Err(leaves)) = queues.enter(by(2, 1)) else {
            panic!("there is no turn")
        };
        let stays = waiting(&queues, by(3, 1)).await;
        drop(turn);
        drop(leaves);
        drop(stays.await.unwrap().unwrap());
        nothing_is_kept(&queues, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_and_a_queue_is_bounded() {
        let queues = queues(1);
        let turn = queues.turn(by(1, 1)).await.unwrap();
        let mut waits = Vec::new();
        for _ in 0..WAITING.of_user {
            waits.push(waiting(&queues, by(1, 1)).await);
        }
        assert_eq!(queues.turn(by(1, 1)).await.unwrap_err().body()["status"], 429);
        for wait in waits {
            assert_eq!(wait.await.unwrap().unwrap_err().body()["status"], 503);
        }
        drop(turn);
        nothing_is_kept(&queues, 1);
    }
}
