//! Timers of several contexts, and of programs one after the other.

use std::time::Duration;

use book::timers::{self, TimerWorker};
use book::worker::{self, Beat, Status};
use book::{Leases, policy};
use domain::Context;
use sqlx::postgres::PgPoolOptions;
use tests::{Ledger, until};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::acting::Acting;
use super::{WAIT, count};

static LATE_POLICY: Acting = Acting {
    name: "late-timers",
    reads: &["cloudwatcher.supplier"],
    wants_state: false,
    react: |_| Vec::new(),
};
static EARLY_POLICY: Acting = Acting {
    name: "early-timers",
    reads: &["cloudwatcher.supplier"],
    wants_state: false,
    react: |_| Vec::new(),
};

static LATE: Context = Context {
    name: "late",
    aggregates: &[],
    policies: &[&LATE_POLICY],
    history: "[]\n",
};
static EARLY: Context = Context {
    name: "early",
    aggregates: &[],
    policies: &[&EARLY_POLICY],
    history: "[]\n",
};

/// Sets timers of a policy that are overdue by so long. Each enters a supplier of its own.
async fn overdue(ledger: &Ledger, policy: &Acting, timers: i64, overdue: Duration) {
    overdue_of(ledger, policy, ledger.tenant, timers, overdue).await;
}

async fn overdue_of(ledger: &Ledger, policy: &Acting, tenant: Uuid, timers: i64, overdue: Duration) {
    sqlx::query(
        "insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position, correlation_id,
                                  aggregate_type, aggregate_id, command)
         select gen_random_uuid(), $1, $2, now() - make_interval(secs => $3), gen_random_uuid(), 1, gen_random_uuid(),
                'cloudwatcher.supplier', gen_random_uuid(), json_build_object('enter', json_build_object('name', $1 || n))
         from generate_series(1, $4) n",
    )
    .bind(policy.name)
    .bind(tenant)
    .bind(overdue.as_secs_f64())
    .bind(timers)
    .execute(&ledger.pools.owner)
    .await
    .unwrap();
}

async fn left(ledger: &Ledger, policy: &Acting) -> i64 {
    sqlx::query_scalar("select count(*) from book.timers where policy = $1")
        .bind(policy.name)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap()
}

async fn all_fired(ledger: &Ledger, policy: &Acting) {
    let none_left = async || (left(ledger, policy).await == 0).then_some(());
    until("the timers' firing", WAIT, none_left).await;
}

fn work(ledger: &Ledger, worker: TimerWorker, lock: String) -> (JoinHandle<()>, watch::Receiver<Status>) {
    let beat = Beat::default();
    let status = beat.status();
    let leases = Leases::start(&ledger.pools.writer);
    let working = worker::run(worker, lock, leases, beat, ledger.stop.child_token());
    (tokio::spawn(working), status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_of_one_context_that_fail_keep_none_of_another_waiting() {
    // More than are read at once.
    const LATE_TIMERS: i64 = 1_500;
    let ledger = Ledger::open().await;
    policy::register(&ledger.pools.owner, &[&LATE_POLICY, &EARLY_POLICY])
        .await
        .unwrap();
    overdue(&ledger, &LATE_POLICY, LATE_TIMERS, Duration::from_secs(3_600)).await;
    // None of them can be done with: each ends in an error that passes, and the worker begins again.
    let mut held = ledger.pools.owner.begin().await.unwrap();
    sqlx::query("select from book.timers for update")
        .execute(&mut *held)
        .await
        .unwrap();
    let impatient = ledger.database.options.clone();
    let impatient = impatient.options([("role", "daybook_writer"), ("lock_timeout", "50")]);
    let late = TimerWorker {
        pool: PgPoolOptions::new().connect_lazy_with(impatient),
        ..ledger.timer_worker(&LATE)
    };
    let (late, late_status) = work(&ledger, late, timers::lock_name(&LATE));
    let (early, early_status) = work(&ledger, ledger.timer_worker(&EARLY), timers::lock_name(&EARLY));
    for failures in 1..=3 {
        let failed = async || (late_status.borrow().failures >= failures).then_some(());
        until("the other context's failing", WAIT, failed).await;
        overdue(&ledger, &EARLY_POLICY, 20, Duration::ZERO).await;
        all_fired(&ledger, &EARLY_POLICY).await;
    }
    assert_eq!(left(&ledger, &LATE_POLICY).await, LATE_TIMERS);
    assert_eq!(early_status.borrow().failures, 0);
    held.rollback().await.unwrap();
    all_fired(&ledger, &LATE_POLICY).await;
    ledger.stop.cancel();
    late.await.unwrap();
    early.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_program_that_fires_the_same_timers_at_the_same_time_does_no_harm() {
    const TIMERS: i64 = 2_000;
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    policy::register(pool, &[&LATE_POLICY]).await.unwrap();
    overdue(&ledger, &LATE_POLICY, TIMERS, Duration::from_secs(60)).await;
    // Neither waits for the other: their locks have different names.
    let former = work(&ledger, ledger.timer_worker(&LATE), timers::FORMER_LOCK_NAME.to_owned());
    let newer = work(&ledger, ledger.timer_worker(&LATE), timers::lock_name(&LATE));
    all_fired(&ledger, &LATE_POLICY).await;
    let fired = "select count(*) from book.events where event_type = 'SupplierEntered'";
    assert_eq!(count(pool, fired).await, TIMERS);
    let streams = "select count(distinct aggregate_id) from book.events";
    assert_eq!(count(pool, streams).await, TIMERS, "none fired twice");
    assert_eq!(count(pool, "select count(*) from book.missed").await, 0);
    ledger.stop.cancel();
    for (worker, _) in [former, newer] {
        worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_many_overdue_timers_keeps_no_other_tenant_s_waiting() {
    const TIMERS: i64 = 3_000;
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    policy::register(pool, &[&LATE_POLICY]).await.unwrap();
    let other = Uuid::now_v7();
    overdue_of(&ledger, &LATE_POLICY, ledger.tenant, TIMERS, Duration::from_secs(3_600)).await;
    overdue_of(&ledger, &LATE_POLICY, other, 1, Duration::from_secs(1)).await;
    let (worker, _) = work(&ledger, ledger.timer_worker(&LATE), timers::lock_name(&LATE));
    all_fired(&ledger, &LATE_POLICY).await;
    let place = format!("select position from book.events where tenant_id = '{other}'");
    // It is among those that are fired first, side by side, though it was due last.
    let place = count(pool, &place).await;
    assert!(place <= 200, "it was fired as number {place}");
    ledger.stop.cancel();
    worker.await.unwrap();
}
