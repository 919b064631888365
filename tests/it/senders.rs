//! Senders who leave, and keys that are sent twice: a refusal is final, whatever was sent before.

use std::time::Duration;

use book::{Envelope, Step};
use cloudwatcher::supplier::Supplier;
use domain::register::{Command, Register};
use serde_json::json;
use sqlx::PgPool;
use tests::{Ledger, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(20);

fn enter(stream: Uuid) -> Vec<Step> {
    let supplier: Supplier = serde_json::from_value(json!({"name": "Acme"})).unwrap();
    vec![Step::of::<Register<Supplier>>(stream, None, Command::Enter(supplier))]
}

fn strike(stream: Uuid) -> Vec<Step> {
    vec![Step::of::<Register<Supplier>>(stream, None, Command::Strike {})]
}

fn envelope(ledger: &Ledger) -> Envelope {
    Envelope {
        repeat: book::Repeat::Asked,
        ..ledger.envelope()
    }
}

/// Holds the book's lock, so that what is handed to the appender stays there.
async fn hold(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

/// Waits until so many appends wait for the book's lock.
async fn waiting(pool: &PgPool, appends: i64) {
    let look = || async {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database()
                       and wait_event = 'advisory' and query like '%book.append%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap();
        (waiting == appends).then_some(())
    };
    until("appends on their way", WAIT, look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_sender_left_before_the_appender_had_it_is_given_up() {
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    let stream = Uuid::now_v7();
    let held = hold(pool).await;
    // The first has the stream's turn and waits for the lock; the second waits for the turn.
    let book = ledger.book.clone();
    let first = tokio::spawn({
        let (book, envelope) = (book.clone(), envelope(&ledger));
        async move { book.execute(envelope, enter(stream)).await }
    });
    waiting(pool, 1).await;
    let left = envelope(&ledger);
    let second = book.execute(left.clone(), strike(stream));
    assert!(tokio::time::timeout(Duration::from_millis(300), second).await.is_err());
    held.rollback().await.unwrap();
    first.await.unwrap().unwrap();
    // Another command on the stream comes after whatever the second still does.
    let last = book
        .execute(envelope(&ledger), strike(Uuid::now_v7()))
        .await
        .expect_err("nothing to strike");
    drop(last);
    let amended: Supplier = serde_json::from_value(json!({"name": "Acme Bolts"})).unwrap();
    let amend = vec![Step::of::<Register<Supplier>>(
        stream,
        None,
        Command::Amend(amended.into()),
    )];
    book.execute(envelope(&ledger), amend).await.expect("it is not struck");
    let events: i64 = sqlx::query_scalar("select count(*) from book.events where aggregate_id = $1")
        .bind(stream.to_string())
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(events, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sending_under_a_key_waits_for_the_first_and_is_answered_as_it_was() {
    let ledger = Ledger::open().await;
    let pool = &ledger.pools.owner;
    let stream = Uuid::now_v7();
    let held = hold(pool).await;
    let (book, sent) = (ledger.book.clone(), envelope(&ledger));
    let sending = |book: book::Book, envelope: Envelope| async move { book.execute(envelope, enter(stream)).await };
    // The first sender leaves when the appender has its command already.
    let first = tokio::time::timeout(Duration::from_millis(500), sending(book.clone(), sent.clone()));
    let (first, ()) = tokio::join!(first, waiting(pool, 1));
    assert!(first.is_err(), "the first is held");
    let second = tokio::spawn(sending(book.clone(), sent.clone()));
    let other = tokio::spawn(sending(book.clone(), envelope(&ledger)));
    held.rollback().await.unwrap();
    let answer = second.await.unwrap().expect("the answer that the first would have got");
    assert_eq!(answer.position, 1);
    other.await.unwrap().expect_err("it is entered already");
    assert_eq!(ledger.tail.end().await.unwrap(), 1);
}
