//! Workers and their leads: one leads, whatever dies, hangs or panics, and nothing stops for good.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use book::relay::Relay;
use book::worker::{self, Beat, Work};
use book::{BookError, Lease, Leases};
use sqlx::PgPool;
use tests::{Ledger, until};
use tokio_util::sync::CancellationToken;

use crate::relay::{enter, mirrored};

const WAIT: Duration = Duration::from_secs(20);

/// What a test's worker does on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Panics,
    Hangs,
    Works,
}

/// Does the first of these the first time it leads, the next one the next time, and the last one ever after.
#[derive(Debug, Clone)]
struct Actor {
    turns: &'static [Turn],
    led: Arc<AtomicUsize>,
    stood_down: Arc<AtomicUsize>,
}

impl Actor {
    fn new(turns: &'static [Turn]) -> Self {
        Self {
            turns,
            led: Arc::default(),
            stood_down: Arc::default(),
        }
    }

    fn next(&self) -> Turn {
        let turn = self.led.fetch_add(1, Ordering::Relaxed);
        self.turns[turn.min(self.turns.len() - 1)]
    }
}

impl Work for Actor {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        match self.next() {
            Turn::Panics => panic!("on purpose"),
            Turn::Hangs => std::future::pending().await,
            Turn::Works => {
                while !stop.is_cancelled() {
                    lease.check()?;
                    beat.beat(|status| status.position = 1);
                    worker::pause(stop, Duration::from_millis(50)).await;
                }
                Ok(())
            }
        }
    }

    fn turn_limit(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn stood_down(&mut self) {
        self.stood_down.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_panics_or_hangs_stands_down_and_is_begun_again() {
    let ledger = Ledger::open().await;
    let actor = Actor::new(&[Turn::Panics, Turn::Hangs, Turn::Works]);
    let beat = Beat::default();
    let status = beat.status();
    let leases = Leases::start(&ledger.pools.projector);
    let (stop, name) = (ledger.stop.clone(), "an actor".to_owned());
    let running = tokio::spawn(worker::run(actor.clone(), name, leases, beat, stop));
    let works = || async { (status.borrow().leading && status.borrow().position == 1).then_some(()) };
    until("the third attempt works", WAIT, works).await;
    assert_eq!(actor.led.load(Ordering::Relaxed), 3);
    assert_eq!(actor.stood_down.load(Ordering::Relaxed), 2);
    ledger.stop.cancel();
    running.await.unwrap();
    assert_eq!(actor.stood_down.load(Ordering::Relaxed), 3);
    assert!(!status.borrow().leading);
}

/// A relay that panics when it leads for the first time.
struct Startled {
    relay: Relay,
    panicked: bool,
}

impl Work for Startled {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        if !std::mem::replace(&mut self.panicked, true) {
            panic!("on purpose");
        }
        self.relay.lead(lease, beat, stop).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_panics_goes_on_and_the_bus_lacks_nothing() {
    let ledger = Ledger::open().await;
    let relay = Startled {
        relay: Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed()),
        panicked: false,
    };
    let leases = Leases::start(&ledger.pools.projector);
    let (stop, name) = (ledger.stop.clone(), "a relay that panics".to_owned());
    let running = tokio::spawn(worker::run(relay, name, leases, Beat::default(), stop));
    enter(&ledger, 30).await;
    let stream = mirrored(&ledger, 30).await;
    assert_eq!(stream.cached_info().state.messages, 30);
    ledger.stop.cancel();
    running.await.unwrap();
}

/// The sessions that hold advisory locks, and how many locks they hold.
async fn leads(pool: &PgPool) -> (HashSet<i32>, usize) {
    let held: Vec<i32> = sqlx::query_scalar(
        "select pid from pg_locks where locktype = 'advisory' and granted
         and database = (select oid from pg_database where datname = current_database())",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let locks = held.len();
    (held.into_iter().collect(), locks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leads_of_a_process_rest_on_one_session_and_another_process_takes_all_of_them_when_it_ends() {
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    let (first, second) = (
        Leases::start(&ledger.pools.projector),
        Leases::start(&ledger.pools.projector),
    );
    let names = ["a", "b", "c"];
    let taken = futures::future::join_all(names.map(|name| first.take(name))).await;
    let (sessions, locks) = leads(pool).await;
    assert_eq!((sessions.len(), locks), (1, 3));
    // Two of one process lead as little as two of different ones.
    let again = tokio::time::timeout(Duration::from_millis(600), first.take("a")).await;
    assert!(again.is_err(), "the same lead twice in one process");
    let other = second.clone();
    let waiting = tokio::spawn(async move { futures::future::join_all(names.map(|name| other.take(name))).await });
    for session in sessions {
        sqlx::query("select pg_terminate_backend($1)")
            .bind(session)
            .execute(pool)
            .await
            .unwrap();
    }
    let moved = tokio::time::timeout(WAIT, waiting)
        .await
        .expect("the other process leads")
        .unwrap();
    for lease in &taken {
        tokio::time::timeout(WAIT, lease.lost())
            .await
            .expect("it is known to be lost");
        assert!(!lease.holds());
    }
    assert!(moved.iter().all(Lease::holds));
    // Given back, they are free for whoever asks next; a lease that is lost gives nothing back.
    drop(taken);
    for lease in moved {
        lease.give_back().await;
    }
    let back = tokio::time::timeout(WAIT, first.take("a"))
        .await
        .expect("the lead is free");
    assert!(back.holds());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_lead_is_begun_again_when_it_panics_or_ends() {
    let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let begin = || {
        let (begun, stop) = (begun.clone(), stop.clone());
        async move {
            match begun.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("on purpose"),
                1 => {}
                _ => stop.cancelled().await,
            }
        }
    };
    let keeping = worker::keep("something", &stop, begin);
    let ending = async {
        let third = || async { (begun.load(Ordering::Relaxed) == 3).then_some(()) };
        until("a third attempt", WAIT, third).await;
        stop.cancel();
    };
    tokio::join!(keeping, ending);
    assert_eq!(begun.load(Ordering::Relaxed), 3);
}
