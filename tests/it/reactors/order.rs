//! Who waits for whom, and for how long.

use std::time::{Duration, Instant};

use reactors::Bounds;
use tests::until;
use uuid::Uuid;

use super::caller::{Caller, ground, label, label_of, labels, works};
use super::outside::{Call, Outside, Reply};
use super::{WAIT, at_rest, becomes, ends};
use crate::policies::count;

fn of_lane<'a>(calls: &'a [Call], lane: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.lane == lane).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_is_done_in_order_and_one_at_a_time_also_when_attempts_fail() {
    const EACH: usize = 12;
    // Every third fails at first.
    let outside = Outside::answering(|call, before| match call.n % 3 {
        0 if before == 0 => Reply::Fails,
        _ => Reply::Done,
    })
    .await;
    let ledger = ground().await;
    for n in 0..EACH {
        for lane in ["a", "b", "c"] {
            label(&ledger, &format!("do:{lane}:x:{n}")).await;
        }
    }
    let working = works(&ledger, Caller::of(&outside));
    at_rest(&ledger).await;
    let calls = outside.calls();
    for lane in ["a", "b", "c"] {
        let numbers: Vec<usize> = of_lane(&calls, lane).iter().map(|call| call.n).collect();
        let twice = |n: usize| if n.is_multiple_of(3) { vec![n, n] } else { vec![n] };
        let wanted: Vec<usize> = (0..EACH).flat_map(twice).collect();
        assert_eq!(
            numbers, wanted,
            "lane {lane}: who waits for another attempt is waited for"
        );
    }
    assert_eq!(outside.overlaps(), 0);
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_called_no_faster_than_its_rate_also_by_who_leads_next() {
    const TASKS: u32 = 5;
    const EVERY: Duration = Duration::from_secs(1);
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    for n in 0..TASKS {
        label(&ledger, &format!("do:{n}:rated:{n}")).await;
        label(&ledger, &format!("do:other:free:{n}")).await;
    }
    let caller = Caller {
        every: Some(EVERY),
        ..Caller::of(&outside)
    };
    let of = |target: &str| {
        let calls = outside.calls().into_iter();
        calls.filter(|call| call.target == target).collect::<Vec<Call>>()
    };
    let began = Instant::now();
    let mut working = works(&ledger, caller.clone());
    for after in 1..4 {
        let some = async || (of("rated").len() >= after).then_some(());
        until("some calls", WAIT, some).await;
        working.dies().await;
        working = works(&ledger, caller.clone());
    }
    at_rest(&ledger).await;
    let rated = of("rated");
    assert!(rated.len() >= TASKS as usize);
    // A call may be on its way for long, so the time between two says little.
    for (n, call) in (0..).zip(&rated) {
        let since = call.at - began;
        assert!(since >= EVERY * n, "call {n} after {since:?}");
    }
    assert!(
        of("free")[TASKS as usize - 1].at < rated[TASKS as usize - 1].at,
        "another target does not wait for it"
    );
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_wait_waits_with_all_that_goes_to_the_same_target_and_has_not_failed() {
    const AFTER: Duration = Duration::from_secs(2);
    let outside = Outside::answering(|call, before| match call.n {
        0 if before < 2 => Reply::After(AFTER),
        _ => Reply::Done,
    })
    .await;
    let ledger = ground().await;
    let working = works(&ledger, Caller::of(&outside));
    label(&ledger, "do:a:x:0").await;
    let told =
        async || (count(&ledger.pools.owner, "select count(*) from book.reaction_targets").await > 0).then_some(());
    until("its being told", WAIT, told).await;
    label(&ledger, "do:b:x:1").await;
    label(&ledger, "do:c:y:2").await;
    at_rest(&ledger).await;
    let calls = outside.calls();
    let first = of_lane(&calls, "a");
    assert_eq!(first.iter().map(|call| call.attempt).collect::<Vec<u32>>(), [1, 1, 1]);
    for (one, next) in first.iter().zip(&first[1..]) {
        assert!(next.at - one.at >= AFTER, "{:?}", next.at - one.at);
    }
    let since = |lane| of_lane(&calls, lane)[0].at - first[0].at;
    assert!(since("b") >= AFTER, "{:?}", since("b"));
    assert!(since("c") < AFTER, "another target is free: {:?}", since("c"));
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenants_target_that_hangs_holds_no_other_tenant() {
    let outside = Outside::answering(|call, _| {
        if call.target == "dumb" {
            Reply::Hangs
        } else {
            Reply::Done
        }
    })
    .await;
    let ledger = ground().await;
    let (pool, other) = (&ledger.pools.owner, Uuid::new_v4());
    for n in 0..60 {
        label(&ledger, &format!("do:{n}:dumb:{n}")).await;
    }
    let working = works(
        &ledger,
        Caller {
            bounds: Bounds {
                at_once: 8,
                per_tenant: 100,
                limit: WAIT,
            },
            ..Caller::of(&outside)
        },
    );
    let half = async || (outside.calls().len() == 4).then_some(());
    until("half of the places to be taken", WAIT, half).await;
    for n in 0..30 {
        label_of(&ledger, other, &format!("do:{n}:x:{n}")).await;
    }
    let done = format!("select count(*) from book.reactions where tenant_id = '{other}'");
    let read = async || (labels(pool, "out").await.len() == 30).then_some(());
    until("the other's effects", WAIT, read).await;
    becomes(pool, &done, 0).await;
    let hang = outside.calls().iter().filter(|call| call.target == "dumb").count();
    assert_eq!(hang, 4, "half of the places, and no more");
    working.dies().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_given_up_and_counts_as_an_attempt() {
    let outside = Outside::answering(|_, before| if before == 0 { Reply::Hangs } else { Reply::Done }).await;
    let ledger = ground().await;
    let mut caller = Caller::of(&outside);
    caller.bounds.limit = Duration::from_millis(300);
    let working = works(&ledger, caller);
    label(&ledger, "do:a:x:0").await;
    at_rest(&ledger).await;
    let attempts: Vec<u32> = outside.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2]);
    ends(&ledger, [working]).await;
}
