//! Policies and timers: each does what it should exactly once, whatever dies.

pub mod acting;
mod fair;
mod overdue;
mod reading;
mod rolling;

use std::time::Duration;

use book::worker::{self, Beat};
use book::{Leases, policy, timers};
use cloudwatcher::order::Order;
use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use domain::register::Register;
use identity::department::Department;
use identity::user::User;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::process::Process;
use tests::{Ledger, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

/// Something to order, and who approves it; the drafter is the ledger's actor.
pub struct Goods {
    pub department: Uuid,
    pub supplier: Uuid,
    pub part: Uuid,
}

pub async fn goods(ledger: &Ledger) -> Goods {
    let goods = Goods {
        department: Uuid::now_v7(),
        supplier: Uuid::now_v7(),
        part: Uuid::now_v7(),
    };
    let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
    ledger.does::<User>(ledger.actor, command(register)).await;
    let manager_id = ledger.approver().await;
    let enter = json!({"enter": {"name": "Workshop", "manager_id": manager_id}});
    ledger
        .does::<Register<Department>>(goods.department, command(enter))
        .await;
    ledger
        .does::<Register<Supplier>>(goods.supplier, command(json!({"enter": {"name": "Acme"}})))
        .await;
    let enter = json!({"enter": {"part_code": "P-1", "name": "bolt"}});
    ledger.does::<Register<Part>>(goods.part, command(enter)).await;
    goods
}

pub fn command<C: serde::de::DeserializeOwned>(json: Value) -> C {
    serde_json::from_value(json).expect("a command")
}

pub async fn submitted(ledger: &Ledger, goods: &Goods) -> Uuid {
    let order = Uuid::now_v7();
    let item = json!({"part_id": goods.part, "supplier_id": goods.supplier, "quantity": 1, "unit_price": "1.00"});
    let draft = json!({"draft": {"department_id": goods.department, "currency": "EUR", "items": [item]}});
    ledger.does::<Order>(order, command(draft)).await;
    ledger.does::<Order>(order, command(json!({"submit": {}}))).await;
    order
}

/// Waits until the policy has reacted to the whole book, its own events included.
pub async fn caught_up(pool: &PgPool) {
    tests::database::policies_caught_up(pool, WAIT).await;
}

pub async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_killed_fifty_times_asks_for_every_approval_once() {
    const ORDERS: usize = 500;
    const KILLS: usize = 50;
    let ledger = Ledger::open().await;
    let goods = goods(&ledger).await;
    let nats = tests::setting("NATS_URL");
    let pool = &ledger.pools.owner;
    let submitting = async {
        for _ in 0..ORDERS {
            submitted(&ledger, &goods).await;
        }
    };
    let killing = async {
        for _ in 0..KILLS {
            let before = count(pool, "select min(position) from book.policies").await;
            let worker = Process::start(&ledger.database.url(), &nats, &ledger.database.name, "policy").await;
            // Killed in the middle of something, or at the end of the book when there is nothing left.
            while count(pool, "select min(position) from book.policies").await == before
                && count(pool, "select book.last_position()").await > before
            {
                tokio::task::yield_now().await;
            }
            worker.kill();
        }
    };
    tokio::join!(submitting, killing);
    let worker = Process::start(&ledger.database.url(), &nats, &ledger.database.name, "policy").await;
    caught_up(pool).await;
    let asked = "select count(*) from book.events where event_type = ";
    let orders = ORDERS as i64;
    for event in ["ApprovalAsked", "LevelAsked", "SubmissionNoted"] {
        assert_eq!(count(pool, &format!("{asked} '{event}'")).await, orders, "{event}");
    }
    let streams = "select count(distinct aggregate_id) from book.events where event_type = 'ApprovalAsked'";
    assert_eq!(count(pool, streams).await, orders);
    assert_eq!(
        count(pool, "select count(*) from book.timers").await,
        orders,
        "a timer for each"
    );
    assert_eq!(count(pool, "select count(*) from book.missed").await, 0);
    worker.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_timers_that_fell_due_meanwhile_fire_once_each() {
    const TIMERS: i64 = 10_000;
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    policy::register(pool, &tests::policies()).await.unwrap();
    // Each enters a supplier of its own, so what fired twice or not at all is seen in the book.
    sqlx::query(
        "insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position, correlation_id,
                                  aggregate_type, aggregate_id, command)
         select gen_random_uuid(), $1, $2, now() - interval '1 day' * n / 1000, gen_random_uuid(), 1, gen_random_uuid(),
                'cloudwatcher.supplier', gen_random_uuid(), json_build_object('enter', json_build_object('name', 'Acme ' || n))
         from generate_series(1, $3) n",
    )
    .bind(tests::policies()[0].name())
    .bind(ledger.tenant)
    .bind(TIMERS)
    .execute(pool)
    .await
    .unwrap();
    let fired = "select count(*) from book.events where event_type = 'SupplierEntered'";
    // Workers die in the middle, one after the other; two run at a time.
    for killed_at in [500, 2_000, 5_000] {
        let workers = [ledger.policies(), ledger.policies()];
        while count(pool, fired).await < killed_at {
            tokio::task::yield_now().await;
        }
        workers.iter().flatten().for_each(tokio::task::JoinHandle::abort);
    }
    let timers = ledger.timer_worker(&cloudwatcher::CONTEXT);
    let (name, leases) = (
        timers::lock_name(&cloudwatcher::CONTEXT),
        Leases::start(&ledger.pools.writer),
    );
    let worker = tokio::spawn(worker::run(timers, name, leases, Beat::default(), ledger.stop.clone()));
    let look = async || (count(pool, "select count(*) from book.timers").await == 0).then_some(());
    until("all timers' firing", WAIT, look).await;
    assert_eq!(count(pool, fired).await, TIMERS);
    let once =
        "select count(*) from (select from book.events group by aggregate_type, aggregate_id having count(*) > 1) s";
    assert_eq!(count(pool, once).await, 0, "none fired twice");
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_new_to_a_book_leaves_its_past_alone() {
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    let goods = goods(&ledger).await;
    submitted(&ledger, &goods).await;
    sqlx::query("delete from book.policies").execute(pool).await.unwrap();
    policy::register(pool, &tests::policies()).await.unwrap();
    let workers = ledger.policies();
    let later = submitted(&ledger, &goods).await;
    caught_up(pool).await;
    let asked: Vec<String> =
        sqlx::query_scalar("select aggregate_id from book.events where event_type = 'ApprovalAsked'")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(asked, [later.to_string()]);
    ledger.stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_policy_cannot_read_is_kept_and_the_next_are_reacted_to() {
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    let goods = goods(&ledger).await;
    // What no program of today writes: an event of a version to come.
    sqlx::query(
        "insert into book.events
         select book.last_position() + 1, gen_random_uuid(), tenant_id, 'cloudwatcher.order', gen_random_uuid()::text, 1,
                'OrderDrafted', '99', '{}', metadata, recorded_at
         from book.events limit 1",
    )
    .execute(pool)
    .await
    .unwrap();
    let workers = ledger.policies();
    let order = submitted(&ledger, &goods).await;
    caught_up(pool).await;
    let progress = policy::missed::progress(&ledger.pools.writer, None).await.unwrap();
    let policy = tests::policies()[0];
    let [missed] = &progress.iter().find(|of| of.policy == policy.name()).unwrap().missed[..] else {
        panic!("{progress:?}")
    };
    assert!(missed.error.contains("version 99"), "{missed:?}");
    let writer = &ledger.pools.writer;
    let again = policy::missed::retry(writer, &ledger.book, &ledger.tail, policy, None).await;
    assert!(again.is_err(), "it still cannot be read, and is still kept");
    let kept = "select count(*) from book.missed where policy = 'order-approvals'";
    assert_eq!(count(pool, kept).await, 1);
    let asked: Vec<String> =
        sqlx::query_scalar("select aggregate_id from book.events where event_type = 'ApprovalAsked'")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(asked, [order.to_string()]);
    ledger.stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
}
