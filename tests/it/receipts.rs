//! Receipts are deleted when they are old, unless Daybook may send their commands again.

use book::policy::missed;
use book::retention::{self, Swept};
use chrono::{DateTime, TimeDelta, Utc};
use cloudwatcher::order::Order;
use domain::{Decider, Policy};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::Ledger;
use uuid::Uuid;

use crate::policies::{Goods, caught_up, command, count, goods};

const OLD_DAYS: i32 = retention::RECEIPT_DAYS + 1;
/// Longer than a buyer's submissions are remembered.
const FORGOTTEN_DAYS: i64 = 10;

/// What notes submissions, and sets a timer for each approval that is asked for.
fn policy() -> &'static dyn Policy {
    tests::policies()[0]
}

/// An order that was submitted then; the position of its submission.
async fn submitted(ledger: &Ledger, goods: &Goods, at: DateTime<Utc>) -> i64 {
    let order = Uuid::now_v7();
    let item = json!({"part_id": goods.part, "supplier_id": goods.supplier, "quantity": 1, "unit_price": "1.00"});
    let draft = json!({"draft": {"department_id": goods.department, "currency": "EUR", "items": [item]}});
    asked::<Order>(ledger, order, draft, at).await;
    asked::<Order>(ledger, order, json!({"submit": {}}), at).await
}

async fn asked<D: Decider>(ledger: &Ledger, stream: Uuid, asked: Value, at: DateTime<Utc>) -> i64 {
    let mut envelope = ledger.envelope();
    (envelope.at, envelope.occurred_at) = (at, Some(at));
    let step = book::Step::of::<D>(stream, None, command(asked));
    ledger.book.execute(envelope, vec![step]).await.unwrap().position
}

/// Makes every receipt an old one.
async fn age(pool: &PgPool) {
    sqlx::query("update book.receipts set recorded_at = recorded_at - make_interval(days => $1)")
        .bind(OLD_DAYS)
        .execute(pool)
        .await
        .unwrap();
}

/// Notes that the policy could not react to the event at this position.
async fn miss(pool: &PgPool, position: i64) {
    sqlx::query(
        "insert into book.missed (policy, event_id, tenant_id, position, error)
         select $1, event_id, tenant_id, position, 'the connection was lost' from book.events where position = $2",
    )
    .bind(policy().name())
    .bind(position)
    .execute(pool)
    .await
    .unwrap();
}

/// The ledger, stopped once its policies have reacted to two submissions of one person, of which the first is
/// forgotten by now; and the position of the first.
async fn reacted() -> (Ledger, i64) {
    let ledger = Ledger::open().await;
    let goods = goods(&ledger).await;
    let workers = ledger.policies();
    let first = submitted(&ledger, &goods, Utc::now() - TimeDelta::days(FORGOTTEN_DAYS)).await;
    caught_up(&ledger.pools.owner).await;
    submitted(&ledger, &goods, Utc::now()).await;
    caught_up(&ledger.pools.owner).await;
    ledger.stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    // No reactor works here, and none is what receipts wait for.
    sqlx::query("update book.reactors set position = book.last_position()")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    (ledger, first)
}

async fn notes(pool: &PgPool) -> i64 {
    count(
        pool,
        "select count(*) from book.events where event_type = 'SubmissionNoted'",
    )
    .await
}

/// Receipts of commands that Daybook sent, and those of others.
async fn receipts(pool: &PgPool) -> (i64, i64) {
    // Their ids follow from what it reacted to, which is version 5; a command may make no event.
    let of_daybook = "select count(*) from book.receipts where substr(command_id::text, 15, 1) = '5'";
    let of_daybook = count(pool, of_daybook).await;
    (
        of_daybook,
        count(pool, "select count(*) from book.receipts").await - of_daybook,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_reaction_that_was_carried_out_takes_effect_once_however_late_it_is_retried() {
    let (ledger, first) = reacted().await;
    let (pool, writer) = (&ledger.pools.owner, &ledger.pools.writer);
    sqlx::query("delete from book.timers").execute(pool).await.unwrap();
    miss(pool, first).await;
    age(pool).await;
    let (sent, _) = receipts(pool).await;
    assert!(sent > 0);

    let swept = retention::sweep(writer).await.unwrap();
    assert_eq!(swept.kept, sent.unsigned_abs(), "{swept:?}");
    assert!(swept.kept_since.unwrap() < Utc::now() - TimeDelta::days(i64::from(retention::RECEIPT_DAYS)));
    assert_eq!(receipts(pool).await, (sent, 0), "what people sent goes");

    let (before, end) = (notes(pool).await, ledger.tail.end().await.unwrap());
    let retry = async || {
        missed::retry(writer, &ledger.book, &ledger.tail, policy(), None)
            .await
            .unwrap()
    };
    assert_eq!(retry().await, 1);
    assert_eq!((notes(pool).await, ledger.tail.end().await.unwrap()), (before, end));

    // Nothing refers to them any more. It was they alone that kept the note from being made twice.
    sqlx::query("delete from book.timers").execute(pool).await.unwrap();
    assert_eq!(retention::sweep(writer).await.unwrap().kept, 0);
    assert_eq!(receipts(pool).await, (0, 0));
    miss(pool, first).await;
    assert_eq!(retry().await, 1);
    assert_eq!(notes(pool).await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_stays_for_a_late_checkpoint_and_for_a_timer_that_was_set_before_it() {
    let (ledger, first) = reacted().await;
    let (pool, writer) = (&ledger.pools.owner, &ledger.pools.writer);
    age(pool).await;
    // The timers of both approvals wait: from what set the first of them on receipts may be needed. The note of the
    // first submission came before that or after it, as the two policies happened to react.
    let needed = "select count(*) from book.receipts
                  where substr(command_id::text, 15, 1) = '5' and position >= (select min(position) from book.timers)";
    let needed = count(pool, needed).await;
    assert!(needed > 0);
    let swept = retention::sweep(writer).await.unwrap();
    assert_eq!(swept.kept, needed.unsigned_abs(), "{swept:?}");
    assert_eq!(receipts(pool).await, (needed, 0));

    sqlx::query("delete from book.timers").execute(pool).await.unwrap();
    sqlx::query("update book.policies set floor = 0, position = $1 where name = $2")
        .bind(first)
        .bind(tests::policies()[1].name())
        .execute(pool)
        .await
        .unwrap();
    assert_eq!(retention::sweep(writer).await.unwrap().kept, swept.kept);
    sqlx::query("update book.policies set position = book.last_position()")
        .execute(pool)
        .await
        .unwrap();
    let deleted = swept.kept;
    let swept = retention::sweep(writer).await.unwrap();
    assert_eq!(
        swept,
        Swept {
            deleted,
            kept: 0,
            kept_since: None
        }
    );
}
