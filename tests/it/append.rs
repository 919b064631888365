//! The book under many writers: every command is answered exactly once and truly.

mod batches;
mod races;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use book::{Book, Envelope, ExecuteError, MasterKey, Step};
use cloudwatcher::part::{PART_CODE, Part};
use cloudwatcher::supplier::Supplier;
use domain::register::{Command, Register};
use sqlx::Row as _;
use tests::Ledger;
use uuid::Uuid;

type Suppliers = Register<Supplier>;
type Parts = Register<Part>;

fn supplier(name: &str) -> Supplier {
    Supplier {
        name: name.to_owned(),
        contact_email: None,
        contact_phone: None,
        website: None,
        lead_time_days: None,
        is_preferred: false,
    }
}

fn part(code: &str) -> Part {
    Part {
        part_code: code.to_owned(),
        name: "bolt".to_owned(),
        description: None,
        category: None,
        unit_of_measure: "unit".to_owned(),
    }
}

/// Positions are 1..n, each stream's sequences are 1..m, no command's events are there twice.
async fn assert_book_is_whole(ledger: &Ledger) {
    let (count, last): (i64, i64) = sqlx::query_as("select count(*), coalesce(max(position), 0) from book.events")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(count, last, "positions have no gaps");
    let broken: Vec<String> = sqlx::query_scalar(
        "select aggregate_id from book.events group by aggregate_type, aggregate_id
         having min(sequence) <> 1 or max(sequence) <> count(*)",
    )
    .fetch_all(&ledger.pools.owner)
    .await
    .unwrap();
    assert!(broken.is_empty(), "sequences have gaps: {broken:?}");
    let disordered: i64 = sqlx::query_scalar(
        "select count(*) from (
             select sequence - lag(sequence) over (partition by aggregate_type, aggregate_id order by position) as step,
                    recorded_at < lag(recorded_at) over (order by position) as back from book.events) s
         where step <> 1 or back",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(disordered, 0, "order and time go forward");
}

async fn events_by_command(ledger: &Ledger) -> HashMap<Uuid, i64> {
    sqlx::query("select (metadata->>'command_id')::uuid as command, count(*) as events from book.events group by 1")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get("command"), row.get("events")))
        .collect()
}

fn envelope(ledger: &Ledger, command_id: Uuid) -> Envelope {
    Envelope {
        command_id,
        repeat: book::Repeat::Asked,
        ..ledger.envelope()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_in_two_processes_are_each_answered_once_and_truly() {
    const WRITERS: u128 = 64;
    const COMMANDS: u128 = 25;
    let ledger = Ledger::open().await;
    // A second book has its own appender, cache and turns, as another process would.
    let other = Book::new(
        ledger.pools.writer.clone(),
        MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap(),
        tests::decisions(),
    );
    for n in 0..5 {
        ledger
            .does::<Suppliers>(Uuid::from_u128(10 + n), Command::Enter(supplier("first")))
            .await;
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let book = if writer % 2 == 0 {
            ledger.book.clone()
        } else {
            other.clone()
        };
        let base = ledger.envelope();
        writers.spawn(async move {
            let mut answers = Vec::new();
            for n in 0..COMMANDS {
                // Neighbouring writers share command ids, streams and part codes.
                let command_id = Uuid::from_u128(1_000_000 + (writer / 2) * 1_000 + n);
                let envelope = Envelope {
                    command_id,
                    repeat: book::Repeat::Asked,
                    ..base.clone()
                };
                let step = if n % 3 == 0 {
                    Step::of::<Parts>(
                        Uuid::from_u128(5_000 + writer * 100 + n),
                        None,
                        Command::Enter(part(&format!("P-{}-{n}", writer % 8))),
                    )
                } else {
                    let stream = Uuid::from_u128(10 + n % 5);
                    Step::of::<Suppliers>(
                        stream,
                        None,
                        Command::Amend(supplier(&format!("{}-{n}", writer / 2)).into()),
                    )
                };
                answers.push((command_id, book.execute(envelope, vec![step]).await));
            }
            answers
        });
    }
    let mut accepted: HashMap<Uuid, (i64, usize)> = HashMap::new();
    let mut answered = 0;
    while let Some(answers) = writers.join_next().await {
        for (command, answer) in answers.unwrap() {
            answered += 1;
            match answer {
                Ok(answer) => {
                    let events = answer.streams[0].events.len();
                    let told = accepted.entry(command).or_insert((answer.position, events));
                    assert_eq!(
                        *told,
                        (answer.position, events),
                        "a repeat is answered as the first was"
                    );
                }
                Err(ExecuteError::Claimed { .. }) => {}
                Err(error) => panic!("command {command}: {error:?}"),
            }
        }
    }
    assert_eq!(answered, (WRITERS * COMMANDS) as usize);
    // Every amendment is accepted: 16 of each pair of writers. Of the codes, 8 by 9, each has a winner,
    // and no command wins more than two.
    let commands = |n: fn(u128) -> bool| {
        let commands = accepted.keys().map(|command| (command.as_u128() - 1_000_000) % 1_000);
        commands.filter(|number| n(*number)).count()
    };
    assert_eq!(commands(|n| n % 3 != 0), 16 * WRITERS as usize / 2);
    assert!(
        (36..=72).contains(&commands(|n| n % 3 == 0)),
        "{}",
        commands(|n| n % 3 == 0)
    );
    let stored = events_by_command(&ledger).await;
    for (command, (_, events)) in &accepted {
        assert_eq!(
            stored.get(command).copied().unwrap_or(0),
            *events as i64,
            "{command} wrote what it was told"
        );
    }
    let ours = stored.keys().filter(|command| command.as_u128() < 10_000_000);
    assert!(
        ours.clone().all(|command| accepted.contains_key(command)),
        "no event of a refused command"
    );
    assert_book_is_whole(&ledger).await;
    let codes: i64 = sqlx::query_scalar(
        "select count(*) - count(distinct payload->>'part_code') from book.events where event_type = 'PartEntered'",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(codes, 0, "a claimed code is entered once");
    let entered: i64 = sqlx::query_scalar("select count(*) from book.events where event_type = 'PartEntered'")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(entered as usize, commands(|n| n % 3 == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_command_gets_the_same_answer_and_another_body_a_refusal() {
    let ledger = Ledger::open().await;
    let command_id = Uuid::now_v7();
    let stream = Uuid::now_v7();
    let send = |body_hash: [u8; 32]| {
        let envelope = Envelope {
            body_hash,
            ..envelope(&ledger, command_id)
        };
        ledger.book.execute(
            envelope,
            vec![Step::of::<Suppliers>(stream, None, Command::Enter(supplier("Acme")))],
        )
    };
    let answers = futures::future::join_all((0..100).map(|_| send([1; 32]))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    assert!(matches!(send([2; 32]).await, Err(ExecuteError::KeyReused)));
    assert_eq!(ledger.tail.end().await.unwrap(), 1);
}

#[tokio::test]
async fn a_claim_is_taken_once_and_free_again_after_it_moved() {
    let ledger = Ledger::open().await;
    let codes = (0..50).map(|_| {
        let step = Step::of::<Parts>(Uuid::now_v7(), None, Command::Enter(part("ONE")));
        ledger.book.execute(ledger.envelope(), vec![step])
    });
    let answers = futures::future::join_all(codes).await;
    let winner = answers.iter().find_map(|answer| answer.as_ref().ok()).unwrap().streams[0].stream;
    let taken = |answer: &Result<_, _>| matches!(answer, Err(ExecuteError::Claimed { claim }) if *claim == PART_CODE);
    assert_eq!(answers.iter().filter(|answer| taken(answer)).count(), 49);
    ledger.does::<Parts>(winner, Command::Amend(part("TWO").into())).await;
    ledger.does::<Parts>(Uuid::now_v7(), Command::Enter(part("ONE"))).await;
}

#[tokio::test]
async fn a_cache_that_another_process_made_stale_never_refuses() {
    let ledger = Ledger::open().await;
    let other = Book::new(
        ledger.pools.writer.clone(),
        MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap(),
        tests::decisions(),
    );
    let stream = Uuid::now_v7();
    ledger.does::<Suppliers>(stream, Command::Enter(supplier("Acme"))).await;
    let strike = Step::of::<Suppliers>(stream, None, Command::Strike {});
    other.execute(ledger.envelope(), vec![strike]).await.unwrap();
    // The first book still remembers the entry as entered, so that entering it again looks wrong.
    ledger
        .does::<Suppliers>(stream, Command::Enter(supplier("Acme again")))
        .await;
}

#[tokio::test]
async fn steps_of_one_command_stand_or_fall_together() {
    let ledger = Ledger::open().await;
    let (good, bad) = (Uuid::now_v7(), Uuid::now_v7());
    let steps = vec![
        Step::of::<Suppliers>(good, None, Command::Enter(supplier("Acme"))),
        Step::of::<Suppliers>(bad, None, Command::Strike {}),
    ];
    assert!(matches!(
        ledger.book.execute(ledger.envelope(), steps).await,
        Err(ExecuteError::Refused(_))
    ));
    assert_eq!(ledger.tail.end().await.unwrap(), 0);
    let steps = vec![
        Step::of::<Suppliers>(good, None, Command::Enter(supplier("Acme"))),
        Step::of::<Suppliers>(bad, None, Command::Enter(supplier("Bolts"))),
        Step::of::<Suppliers>(good, None, Command::Strike {}),
    ];
    let answer = ledger.book.execute(ledger.envelope(), steps).await.unwrap();
    assert_eq!(answer.position, 3);
    assert_book_is_whole(&ledger).await;
}

#[tokio::test]
async fn if_match_meets_the_sequence_or_nothing_happens() {
    let ledger = Ledger::open().await;
    let stream = Uuid::now_v7();
    ledger.does::<Suppliers>(stream, Command::Enter(supplier("Acme"))).await;
    let amend = |if_match| {
        let step = Step::of::<Suppliers>(stream, Some(if_match), Command::Amend(supplier("Acme Ltd").into()));
        ledger.book.execute(ledger.envelope(), vec![step])
    };
    assert!(matches!(
        amend(4).await,
        Err(ExecuteError::Moved {
            expected: 4,
            sequence: 1
        })
    ));
    assert_eq!(amend(1).await.unwrap().streams[0].sequence, 2);
}

#[tokio::test]
async fn an_open_snapshot_and_a_long_foreign_transaction_neither_slow_nor_stall_the_book() {
    let ledger = Ledger::open().await;
    let mut snapshot = ledger.pools.owner.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read")
        .execute(&mut *snapshot)
        .await
        .unwrap();
    sqlx::query("select count(*) from book.events")
        .execute(&mut *snapshot)
        .await
        .unwrap();
    let mut foreign = ledger.pools.owner.begin().await.unwrap();
    sqlx::query("create table elsewhere as select pg_current_xact_id()")
        .execute(&mut *foreign)
        .await
        .unwrap();

    let rate = |round: u128| {
        let ledger = &ledger;
        async move {
            let started = Instant::now();
            for n in 0..200 {
                let stream = Uuid::from_u128(round * 1_000 + n);
                let answer = ledger.does::<Suppliers>(stream, Command::Enter(supplier("Acme"))).await;
                let page = ledger.tail.after(answer.position - 1, 1).await.unwrap();
                assert_eq!(
                    page[0].stream, stream,
                    "the tail sees an event as soon as it is acknowledged"
                );
            }
            started.elapsed()
        }
    };
    rate(0).await;
    let with = rate(1).await;
    rate(2).await;
    drop(snapshot);
    drop(foreign);
    let without = rate(3).await;
    // A head row updated under a snapshot decays tenfold and more; noise of a shared machine does not.
    assert!(
        with < without * 4 + Duration::from_millis(200),
        "{with:?} with, {without:?} without"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_hang_up_leave_no_transaction_open_and_no_half_command() {
    let ledger = Ledger::open().await;
    let mut clients = Vec::new();
    for n in 0..1_000_u128 {
        let stream = Uuid::from_u128(1 + n);
        let step = Step::of::<Suppliers>(stream, None, Command::Enter(supplier("Acme")));
        let (book, envelope) = (ledger.book.clone(), envelope(&ledger, Uuid::from_u128(1_000_000 + n)));
        let (begun, beginning) = tokio::sync::oneshot::channel();
        let client = tokio::spawn(async move {
            let mut answer = Box::pin(book.execute(envelope, vec![step]));
            // Once it was polled the command is on its way.
            let first = futures::poll!(answer.as_mut());
            let _ = begun.send(());
            match first {
                std::task::Poll::Ready(answer) => answer,
                std::task::Poll::Pending => answer.await,
            }
        });
        beginning.await.unwrap();
        client.abort();
        clients.push(client);
    }
    let ends = futures::future::join_all(clients).await;
    let hung_up = ends
        .iter()
        .filter(|end| end.as_ref().is_err_and(tokio::task::JoinError::is_cancelled));
    let hung_up = hung_up.count();
    assert!(hung_up >= 900, "only {hung_up} hung up before they were answered");
    // What the appender had is carried out with nobody waiting for it, the others are given up: whoever asks again
    // with the same id learns what became of the command, which happens once.
    for n in 0..1_000_u128 {
        let step = Step::of::<Suppliers>(Uuid::from_u128(1 + n), None, Command::Enter(supplier("Acme")));
        let answer = ledger
            .book
            .execute(envelope(&ledger, Uuid::from_u128(1_000_000 + n)), vec![step])
            .await
            .unwrap();
        assert_eq!(answer.streams[0].sequence, 1);
    }
    assert_eq!(ledger.tail.end().await.unwrap(), 1_000);
    let open: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(open, 0);
    assert_book_is_whole(&ledger).await;
}
