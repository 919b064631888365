//! Commands that lose races: to writers of what they read, to another process, and to their own repeats.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use book::{Book, Envelope, ExecuteError, MasterKey, Repeat, Step};
use domain::FactRef;
use domain::register::Command;
use tests::Ledger;
use uuid::Uuid;

use super::{Parts, Suppliers, assert_book_is_whole, part, supplier};
use crate::policies::acting::asked;

/// A book with an appender, a cache and turns of its own, as another process would have.
fn another(ledger: &Ledger) -> Book {
    Book::new(
        ledger.pools.writer.clone(),
        MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap(),
        tests::decisions(),
    )
}

/// Enters a part, which rests on this supplier as it stands.
fn resting_on(supplier: Uuid, code: usize) -> Step {
    Step {
        witnesses: vec![FactRef::of::<Suppliers>(supplier)],
        ..Step::of::<Parts>(Uuid::now_v7(), None, Command::Enter(part(&format!("P-{code}"))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reads_a_stream_that_is_written_all_the_time_takes_its_turn_with_those_who_write_it() {
    const WRITERS: usize = 16;
    const READERS: usize = 50;
    let ledger = Arc::new(Ledger::open().await);
    let busy = Uuid::now_v7();
    ledger.does::<Suppliers>(busy, Command::Enter(supplier("Acme"))).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writers = (0..WRITERS).map(|writer| {
        let (ledger, is_over) = (ledger.clone(), is_over.clone());
        tokio::spawn(async move {
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let amended = Command::Amend(supplier(&format!("Acme {writer} {n}")).into());
                ledger.does::<Suppliers>(busy, amended).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for n in 0..READERS {
        let answer = ledger.book.execute(ledger.envelope(), vec![resting_on(busy, n)]).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_book_is_whole(&ledger).await;
}

#[tokio::test]
async fn a_fact_that_had_no_events_is_seen_as_soon_as_another_process_gives_it_some() {
    let ledger = Ledger::open().await;
    let (other, unborn) = (another(&ledger), Uuid::now_v7());
    let rests = async |code| {
        let answer = ledger
            .book
            .execute(ledger.envelope(), vec![resting_on(unborn, code)])
            .await;
        answer.unwrap().position
    };
    // Twice, so that the second rests on what is remembered.
    assert_eq!((rests(1).await, rests(2).await), (1, 2));
    let enter = Step::of::<Suppliers>(unborn, None, Command::Enter(supplier("Acme")));
    other.execute(ledger.envelope(), vec![enter]).await.unwrap();
    assert_eq!((rests(3).await, rests(4).await), (4, 5));
    // A command that wants it to be there is not refused because it was not.
    let amended = Command::Amend(supplier("Acme again").into());
    ledger.does::<Suppliers>(unborn, amended).await;
    assert_book_is_whole(&ledger).await;
}

#[tokio::test]
async fn what_bears_the_id_of_a_new_stream_is_guessed_to_be_new_without_a_question_and_never_wrongly() {
    let ledger = Ledger::open().await;
    // How the book asks for facts.
    let reads = "carries";
    let entered = async |id: Uuid, code: usize| {
        let step = Step {
            witnesses: vec![FactRef::of::<Suppliers>(id)],
            ..Step::of::<Parts>(id, None, Command::Enter(part(&format!("P-{code}"))))
        };
        ledger.book.execute(ledger.envelope(), vec![step]).await.unwrap();
    };
    let before = asked(&ledger, reads).await;
    for code in 0..3 {
        entered(Uuid::now_v7(), code).await;
    }
    assert_eq!(asked(&ledger, reads).await, before);
    // Another process has given it events: the append finds out, and it is read after all.
    let known = Uuid::now_v7();
    let enter = Step::of::<Suppliers>(known, None, Command::Enter(supplier("Acme")));
    another(&ledger).execute(ledger.envelope(), vec![enter]).await.unwrap();
    entered(known, 3).await;
    assert!(asked(&ledger, reads).await > before);
    assert_book_is_whole(&ledger).await;
}

#[tokio::test]
async fn what_daybook_sends_again_gets_its_first_answer_though_it_is_not_looked_for() {
    let ledger = Ledger::open().await;
    let other = another(&ledger);
    let (stream, code) = (Uuid::now_v7(), "ONE");
    let sent = async |book: &Book, id: u128, body: u8, step: Step| {
        let envelope = Envelope {
            command_id: Uuid::from_u128(id),
            repeat: Repeat::Seldom,
            body_hash: [body; 32],
            ..ledger.envelope()
        };
        book.execute(envelope, vec![step]).await
    };
    let enter = || Step::of::<Parts>(stream, None, Command::Enter(part(code)));
    let first = sent(&ledger.book, 1, 1, enter()).await.unwrap();
    // It would be refused by now: the part is there, its code is taken, and somebody has struck it since.
    assert_eq!(sent(&ledger.book, 1, 1, enter()).await.unwrap(), first);
    assert_eq!(sent(&other, 1, 1, enter()).await.unwrap(), first);
    let elsewhere = Step::of::<Parts>(Uuid::now_v7(), None, Command::Enter(part(code)));
    assert_eq!(sent(&other, 1, 1, elsewhere.clone()).await.unwrap(), first);
    // What would be accepted again is not.
    let amend = || Step::of::<Parts>(stream, None, Command::Amend(part("TWO").into()));
    let amended = sent(&ledger.book, 2, 2, amend()).await.unwrap();
    assert_eq!(sent(&ledger.book, 2, 2, amend()).await.unwrap(), amended);
    assert_eq!(sent(&other, 2, 2, amend()).await.unwrap(), amended);
    // Another body under the same id is none.
    assert!(matches!(
        sent(&other, 2, 3, amend()).await,
        Err(ExecuteError::KeyReused)
    ));
    assert!(matches!(
        sent(
            &other,
            3,
            1,
            Step::of::<Parts>(Uuid::now_v7(), None, Command::Enter(part("TWO")))
        )
        .await,
        Err(ExecuteError::Claimed { .. })
    ));
    assert_eq!(ledger.tail.end().await.unwrap(), amended.position);
    assert_book_is_whole(&ledger).await;
}
