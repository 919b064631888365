//! Reactors: effects outside happen at least once and their outcomes once, in order, whatever dies.

mod caller;
mod deaths;
mod letters;
mod order;
mod outside;

use std::time::{Duration, Instant};

use book::{Envelope, Step};
use chrono::Utc;
use domain::Decider as _;
use identity::tenant::{self, Tenant};
use sqlx::PgPool;
use tests::{Ledger, until};
use uuid::Uuid;

use crate::policies::count;
use caller::{Caller, NAME, READS, ground, label, label_of, labels, works};
use outside::{Outside, Reply};

const WAIT: Duration = Duration::from_secs(60);

const REACTIONS: &str = "select count(*) from book.reactions";
const WAITING: &str = "select count(*) from book.reactions where not dead";
const DEAD: &str = "select count(*) from book.reactions where dead";

/// Waits until a question about the database has this answer.
async fn becomes(pool: &PgPool, question: &str, wanted: i64) {
    let look = async || (count(pool, question).await == wanted).then_some(());
    until(question, WAIT, look).await;
}

/// Waits until everything that was to be done is done or dead.
async fn at_rest(ledger: &Ledger) {
    let open = "select count(*) from book.reactors r where r.position < book.last_position()
                    or exists (select from book.reactions where not dead)";
    becomes(&ledger.pools.owner, open, 0).await;
}

fn numbers(labels: &[String], lane: &str) -> Vec<usize> {
    let of_lane = labels.iter().filter(|label| label.split(':').nth(1) == Some(lane));
    of_lane
        .map(|label| label.rsplit(':').next().unwrap().parse().unwrap())
        .collect()
}

async fn ends(ledger: &Ledger, working: impl IntoIterator<Item = caller::Working>) {
    ledger.stop.cancel();
    for working in working {
        working.task.await.unwrap();
    }
}

async fn stands(ledger: &Ledger, tenant: Uuid, command: tenant::Command) {
    let step = Step::of::<Tenant>(tenant, None, command);
    ledger
        .book
        .execute(Envelope::once(tenant, domain::SYSTEM, Utc::now()), vec![step])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_done_for_a_suspended_tenant_waits_and_of_a_deleted_one_is_dropped() {
    let outside = Outside::answering(|call, _| if call.n == 0 { Reply::Dead } else { Reply::Done }).await;
    let ledger = ground().await;
    let pool = &ledger.pools.owner;
    let [first, second] = [Uuid::new_v4(), Uuid::new_v4()];
    for tenant in [first, second] {
        let name = "A company".to_owned();
        stands(&ledger, tenant, tenant::Command::Create { name }).await;
        label_of(&ledger, tenant, "do:a:x:0").await;
    }
    let working = works(&ledger, Caller::of(&outside));
    becomes(pool, DEAD, 2).await;
    working.dies().await;
    for tenant in [first, second] {
        label_of(&ledger, tenant, "do:a:x:1").await;
        stands(&ledger, tenant, tenant::Command::Suspend {}).await;
    }
    let working = works(&ledger, Caller::of(&outside));
    label(&ledger, "do:a:x:2").await;
    let out = async || (labels(pool, "out").await == ["out:a:x:2"]).then_some(());
    until("the effect for another tenant", WAIT, out).await;
    // That it is done is noted after its outcome.
    becomes(pool, WAITING, 2).await;
    assert_eq!(count(pool, DEAD).await, 2);
    stands(&ledger, second, tenant::Command::Delete {}).await;
    becomes(
        pool,
        &format!("select count(*) from book.reactions where tenant_id = '{second}'"),
        0,
    )
    .await;
    stands(&ledger, first, tenant::Command::Resume {}).await;
    becomes(pool, WAITING, 0).await;
    assert_eq!(count(pool, DEAD).await, 1);
    let ones: Vec<Uuid> = outside
        .calls()
        .iter()
        .filter(|call| call.n == 1)
        .map(|call| call.tenant)
        .collect();
    assert_eq!(ones, [first], "nothing was done for the tenant that is deleted");
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reactor_that_is_new_to_a_book_leaves_its_past_alone() {
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    sqlx::query("delete from book.reactors")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    label(&ledger, "do:a:x:0").await;
    reactors::register(&ledger.pools.writer, NAME, READS).await.unwrap();
    label(&ledger, "do:a:x:1").await;
    let working = works(&ledger, Caller::of(&outside));
    at_rest(&ledger).await;
    let numbers: Vec<usize> = outside.calls().iter().map(|call| call.n).collect();
    assert_eq!(numbers, [1]);
    ends(&ledger, [working]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_stops_before_what_only_a_newer_one_reads() {
    let outside = Outside::answering(|_, _| Reply::Done).await;
    let ledger = ground().await;
    let pool = &ledger.pools.owner;
    reactors::register(&ledger.pools.writer, NAME, &["sample.jar", Tenant::TYPE])
        .await
        .unwrap();
    label(&ledger, "do:a:x:0").await;
    let name = "A company".to_owned();
    stands(&ledger, ledger.tenant, tenant::Command::Create { name }).await;
    let unread = count(pool, "select max(position) from book.events").await;
    label(&ledger, "do:a:x:1").await;
    let working = works(&ledger, Caller::of(&outside));
    let stopped = async || working.status.borrow().stopped_before.map(|(position, _)| position);
    assert_eq!(until("its stopping", WAIT, stopped).await.0, unread);
    becomes(pool, "select position from book.reactors", unread - 1).await;
    assert!(outside.calls().iter().all(|call| call.n == 0));
    // A newer one takes over, for which that is nothing to react to.
    sqlx::query("update book.reactors set kinds = '{sample.jar}'")
        .execute(pool)
        .await
        .unwrap();
    becomes(pool, REACTIONS, 0).await;
    let calls = async || (outside.calls().len() == 2).then_some(());
    until("both calls", WAIT, calls).await;
    ends(&ledger, [working]).await;
}

/// How many tasks one process has done in a second that cost nothing outside.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a figure, not a rule"]
async fn tasks_in_a_second() {
    const TASKS: i64 = 10_000;
    for (tenants, lanes) in [(1, 10_000), (20, 10_000), (20, 100)] {
        let ledger = ground().await;
        let pool = &ledger.pools.owner;
        let tenants: Vec<Uuid> = (0..tenants).map(|_| Uuid::new_v4()).collect();
        let ledger_ref = &ledger;
        let labelling = (0..TASKS).map(|n| {
            let tenant = tenants[usize::try_from(n).unwrap() % tenants.len()];
            async move { label_of(ledger_ref, tenant, &format!("do:{}:x:{n}", n % lanes)).await }
        });
        use futures::StreamExt as _;
        futures::stream::iter(labelling)
            .buffer_unordered(64)
            .collect::<Vec<i64>>()
            .await;
        let began = Instant::now();
        let working = works(&ledger, Caller::to(None));
        at_rest(&ledger).await;
        let seconds = began.elapsed().as_secs_f64();
        let rate = TASKS as f64 / seconds;
        println!("{} tenants, {lanes} lanes: {rate:.0} tasks/s", tenants.len());
        assert_eq!(count(pool, REACTIONS).await, 0);
        ends(&ledger, [working]).await;
    }
}
