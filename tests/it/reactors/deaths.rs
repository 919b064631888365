//! Who dies, is killed or asked to stop, wherever that is.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tests::{Ledger, until};
use uuid::Uuid;

use super::caller::{self, Caller, Point, ground, label, labels, works};
use super::outside::{Call, Outside, Reply};
use super::{REACTIONS, WAIT, WAITING, at_rest, becomes, ends, numbers};
use crate::policies::count;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_before_or_after_an_effect_or_its_outcome_leaves_it_to_be_done_again_under_the_same_id() {
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    let pool = &ledger.pools.owner;
    for (n, (point, calls)) in [
        (Point::BeforeTheEffect, 1),
        (Point::AfterTheEffect, 2),
        (Point::AfterTheOutcome, 2),
    ]
    .into_iter()
    .enumerate()
    {
        let dying = Caller {
            dies_at: Some(point),
            ..Caller::of(&outside)
        };
        let reached = dying.reached.clone();
        let working = works(&ledger, dying);
        label(&ledger, &format!("do:a:x:{n}")).await;
        let there = async || reached.load(Ordering::Relaxed).then_some(());
        until("the point", WAIT, there).await;
        working.dies().await;
        let cut = "select count(*) from book.reactions where cuts = 1 and attempts = 0";
        assert_eq!(count(pool, cut).await, 1, "{point:?}: it is still to be done");

        let working = works(&ledger, Caller::of(&outside));
        becomes(pool, REACTIONS, 0).await;
        working.dies().await;
        let made: Vec<Call> = outside.calls().into_iter().filter(|call| call.n == n).collect();
        let ids: BTreeSet<Uuid> = made.iter().map(|call| call.id).collect();
        assert_eq!((made.len(), ids.len()), (calls, 1), "{point:?}");
        assert!(made.iter().all(|call| call.attempt == 1), "none has failed");
        assert_eq!(labels(pool, "out").await.len(), n + 1, "{point:?}: one outcome");
    }
}

/// A process of its own that performs; killed when dropped.
struct Performing(Child);

impl Performing {
    fn start(ledger: &Ledger, outside: &Outside) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "reactors::deaths::a_process_that_performs_until_it_is_killed",
                "--ignored",
            ])
            .env("REACTORS_DATABASE", ledger.database.url())
            .env("REACTORS_ADDRESS", outside.address.to_string())
            .env("REACTORS_STREAM", &ledger.database.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Performing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the next test as a process of its own"]
async fn a_process_that_performs_until_it_is_killed() {
    let of = |name: &str| std::env::var(name).expect("the test that starts it says over what");
    let address = of("REACTORS_ADDRESS").parse().unwrap();
    caller::performs_over(&of("REACTORS_DATABASE"), address, &of("REACTORS_STREAM")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_killed_twenty_times_do_everything_at_least_once_and_each_outcome_comes_once_and_in_order() {
    const TASKS: usize = 400;
    const LANES: usize = 16;
    const KILLS: usize = 20;
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    let pool = &ledger.pools.owner;
    // Of two one leads; the leader is killed, the other takes over, and a third one stands by.
    let mut standing = Performing::start(&ledger, &outside);
    let mut made = 0;
    for kill in 0..KILLS {
        while made < TASKS * (kill + 1) / KILLS {
            label(&ledger, &format!("do:{}:x:{made}", made % LANES)).await;
            made += 1;
        }
        let before = outside.calls().len();
        let killed = std::mem::replace(&mut standing, Performing::start(&ledger, &outside));
        let calls = async || (outside.calls().len() > before || count(pool, WAITING).await == 0).then_some(());
        until("another call", WAIT, calls).await;
        drop(killed);
    }
    at_rest(&ledger).await;
    let ids: BTreeSet<Uuid> = outside.calls().iter().map(|call| call.id).collect();
    assert_eq!(ids.len(), TASKS, "each was done");
    let outcomes = labels(pool, "out").await;
    assert_eq!(outcomes.len(), TASKS, "and has one outcome");
    for lane in 0..LANES {
        let numbers = numbers(&outcomes, &lane.to_string());
        assert!(numbers.is_sorted(), "lane {lane} in order: {numbers:?}");
    }
    let terms = count(pool, "select term from book.reactors").await;
    assert!(terms > 5, "leads have changed: {terms}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_to_stop_lets_what_is_under_way_end() {
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    let pool = &ledger.pools.owner;
    let working = works(
        &ledger,
        Caller {
            dies_at: Some(Point::AfterTheEffect),
            ..Caller::of(&outside)
        },
    );
    label(&ledger, "do:a:x:0").await;
    let called = async || (outside.calls().len() == 1).then_some(());
    until("the call", WAIT, called).await;
    let asked = Instant::now();
    ends(&ledger, [working]).await;
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "a process gives its workers no longer"
    );
    let given_back = "select count(*) from book.reactions where cuts = 0 and attempts = 0 and heads";
    assert_eq!(
        count(pool, given_back).await,
        1,
        "what did not end is not counted against it"
    );
}
