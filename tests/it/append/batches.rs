//! What the database is sent, and what it refuses: events beyond the limit, batches of which one fails, other roles.

use std::time::Duration;

use book::append::{self, Append, EVENT_BYTES_MAX, NewEvent, NewKey, Outcome, Seen};
use book::appender::{Appender, BATCHES_IN_FLIGHT};
use book::{BookError, Envelope, ExecuteError, Step};
use domain::register::Command;
use tests::{Ledger, until};
use uuid::Uuid;

use super::{Suppliers, assert_book_is_whole, supplier};

#[tokio::test]
async fn an_event_beyond_the_limit_is_refused_by_its_size_and_one_at_the_limit_is_not() {
    let ledger = Ledger::open().await;
    let enter = |filling: usize| {
        let envelope = Envelope {
            traceparent: Some("x".repeat(filling)),
            ..ledger.envelope()
        };
        let step = Step::of::<Suppliers>(Uuid::now_v7(), None, Command::Enter(supplier("Acme")));
        ledger.book.execute(envelope, vec![step])
    };
    enter(0).await.unwrap();
    let bytes: i32 =
        sqlx::query_scalar("select octet_length(payload::text) + octet_length(metadata::text) from book.events")
            .fetch_one(&ledger.pools.owner)
            .await
            .unwrap();
    let room = EVENT_BYTES_MAX - bytes as usize;
    let (refused, accepted) = tokio::join!(enter(room + 1), enter(room));
    let Err(ExecuteError::Book(BookError::EventTooLarge { bytes })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(bytes, EVENT_BYTES_MAX + 1);
    assert_eq!(accepted.unwrap().position, 2);
}

/// An append of one event with this payload, as the book would make it of a decision.
fn appending(ledger: &Ledger, payload: &str) -> Append {
    let stream = Uuid::now_v7();
    let seen = Seen {
        aggregate_type: "cloudwatcher.supplier",
        stream,
        sequence: 0,
        writes: true,
    };
    let event = NewEvent {
        aggregate_type: "cloudwatcher.supplier",
        stream,
        sequence: 1,
        event_id: Uuid::now_v7(),
        event_type: "SupplierEntered".to_owned(),
        event_version: "1".to_owned(),
        payload: payload.to_owned(),
        metadata: "{}".to_owned(),
    };
    Append {
        command_id: Uuid::now_v7(),
        tenant: ledger.tenant,
        body_hash: [0; 32],
        answer: "[]".to_owned(),
        seen: vec![seen],
        events: vec![event],
        claims: Vec::new(),
        keys: Vec::new(),
        erased: Vec::new(),
        standing: None,
    }
}

#[tokio::test]
async fn a_command_that_makes_the_database_fail_fails_alone_and_its_neighbours_in_the_batch_are_written() {
    let ledger = Ledger::open().await;
    let appender = Appender::start(&ledger.pools.writer);
    // While another holds the book's lock, two batches are on their way and all else gathers into the third.
    let mut held = ledger.pools.owner.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *held)
        .await
        .unwrap();
    let mut appends: Vec<_> = (0..BATCHES_IN_FLIGHT).map(|_| appending(&ledger, "{}")).collect();
    appends.extend((0..20).map(|n| appending(&ledger, if n == 7 { "no json" } else { "{}" })));
    let mut outcomes = tokio::task::JoinSet::new();
    for (index, append) in appends.into_iter().enumerate() {
        let appender = appender.clone();
        outcomes.spawn(async move { (index, appender.append(append).await) });
        if index < BATCHES_IN_FLIGHT {
            let look = || async { (waiting(&ledger).await == index as i64 + 1).then_some(()) };
            until("a batch on its way", Duration::from_secs(10), look).await;
        }
    }
    // The twenty are queued once their tasks have run: this runtime has one thread.
    tokio::task::yield_now().await;
    held.rollback().await.unwrap();
    while let Some(outcome) = outcomes.join_next().await {
        match outcome.unwrap() {
            (index, Err(error)) => {
                assert_eq!(index, BATCHES_IN_FLIGHT + 7, "{error}");
                assert!(matches!(error, BookError::Database(_)), "{error:?}");
            }
            (index, Ok(outcome)) => {
                assert_ne!(index, BATCHES_IN_FLIGHT + 7);
                assert!(matches!(outcome, Outcome::Appended(_)), "{outcome:?}");
            }
        }
    }
    assert_eq!(ledger.tail.end().await.unwrap(), (BATCHES_IN_FLIGHT + 19) as i64);
    assert_book_is_whole(&ledger).await;
    // Each of the third batch was written by itself, at a time of its own; a batch shares one.
    let times: i64 = sqlx::query_scalar("select count(distinct recorded_at) from book.events")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert!(times >= 19, "{times}");
}

#[tokio::test]
async fn a_key_that_is_there_without_its_event_is_made_anew_and_its_neighbours_in_the_batch_get_theirs() {
    let ledger = Ledger::open().await;
    let (author, [first, left_over, foreign, last]) = (Uuid::now_v7(), [0; 4].map(|_| Uuid::now_v7()));
    // As after the book was restored and its keys were not; and a name that is another tenant's.
    for (subject, tenant) in [(left_over, ledger.tenant), (foreign, Uuid::now_v7())] {
        sqlx::query(
            "insert into book.keys (subject, tenant_id, wrapped, author, field) values ($1, $2, 'old', $3, 'note')",
        )
        .bind(subject)
        .bind(tenant)
        .bind(author)
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    }
    let batch = [first, left_over, foreign, last].map(|subject| {
        let key = NewKey {
            subject,
            wrapped: b"new".to_vec(),
            author,
            field: "note".to_owned(),
        };
        Append {
            keys: vec![key],
            ..appending(&ledger, "{}")
        }
    });
    let mut connection = ledger.pools.writer.acquire().await.unwrap();
    let outcomes = append::append(&mut connection, &batch).await.unwrap();
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Appended(_))),
        "{outcomes:?}"
    );
    let kept: Vec<(Uuid, Vec<u8>)> =
        sqlx::query_as("select subject, wrapped from book.keys where author = $1 order by subject")
            .bind(author)
            .fetch_all(&ledger.pools.owner)
            .await
            .unwrap();
    let key = |subject, wrapped: &[u8]| (subject, wrapped.to_vec());
    let mut expected = [
        key(first, b"new"),
        key(left_over, b"new"),
        key(foreign, b"old"),
        key(last, b"new"),
    ];
    expected.sort();
    assert_eq!(kept, expected);
    assert_eq!(ledger.tail.end().await.unwrap(), 4);
    assert_book_is_whole(&ledger).await;
}

/// Appends that wait for the book's lock.
async fn waiting(ledger: &Ledger) -> i64 {
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event = 'advisory' and query like '%book.append%'";
    sqlx::query_scalar(waiting)
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn nobody_rewrites_the_book_and_no_role_does_another_ones_work() {
    let ledger = Ledger::open().await;
    ledger
        .does::<Suppliers>(Uuid::now_v7(), Command::Enter(supplier("Acme")))
        .await;
    for statement in [
        "update book.events set sequence = 2",
        "delete from book.events",
        "truncate book.events",
    ] {
        for pool in [
            &ledger.pools.owner,
            &ledger.pools.writer,
            &ledger.pools.projector,
            &ledger.pools.reader,
        ] {
            assert!(sqlx::query(statement).execute(pool).await.is_err(), "{statement}");
        }
    }
    let insert = "insert into book.events select position + 1, event_id, tenant_id, aggregate_type, aggregate_id,
                  sequence + 1, event_type, event_version, payload, metadata, recorded_at from book.events";
    assert!(
        sqlx::query(insert).execute(&ledger.pools.writer).await.is_err(),
        "the function is the only way in"
    );
    assert!(
        sqlx::query("select * from book.events")
            .execute(&ledger.pools.reader)
            .await
            .is_err()
    );
    assert!(
        sqlx::query("select * from book.receipts")
            .execute(&ledger.pools.projector)
            .await
            .is_err()
    );
}
