//! How policies read the book, and what reading and waiting cost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use book::append::EVENT_BYTES_MAX;
use book::policy::missed;
use book::tail::PAGE_BYTES_MAX;
use cloudwatcher::order::Order;
use cloudwatcher::supplier::Supplier;
use domain::register::Register;
use domain::{Decider as _, FactRef, Seen};
use tests::{Ledger, until};
use uuid::Uuid;

use super::acting::{Acting, asked, echo, echo_of, echoes, position, register, supplier, work};
use super::{WAIT, count, goods, submitted};

const SUPPLIERS: &[&str] = &["cloudwatcher.supplier"];
/// What only policies ask when they read the book together or alone.
const READING: &str = "bytes_before";

static JUMPY: Acting = Acting {
    name: "jumpy",
    reads: SUPPLIERS,
    wants_state: false,
    react: |seen| {
        let event = format!("{:?}", seen.recorded.of::<Register<Supplier>>());
        assert!(!event.contains("Boo"), "on purpose");
        echo(seen)
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_reaction_panics_is_missed_and_the_others_are_reacted_to() {
    let ledger = Ledger::open().await;
    register(&ledger, &[&JUMPY]).await;
    let (first, _) = supplier(&ledger, "Acme").await;
    let (_, missed_at) = supplier(&ledger, "Boo").await;
    let (last, end) = supplier(&ledger, "Zeta").await;
    let (worker, status) = work(&ledger, &JUMPY, &ledger.reading(&[&JUMPY]));
    let past = async || (position(&ledger, &JUMPY).await >= end).then_some(());
    until("the policy's going on", WAIT, past).await;
    let mut all = echoes(&ledger).await;
    all.sort();
    let mut expected = [echo_of(first), echo_of(last)];
    expected.sort();
    assert_eq!(all, expected);
    let told = async || (status.borrow().set_aside == 1).then_some(());
    until("that it says so", WAIT, told).await;
    assert!(status.borrow().leading, "it leads all the while");

    let (writer, book) = (&ledger.pools.writer, &ledger.book);
    let again = missed::retry(writer, book, &ledger.tail, &JUMPY, None).await;
    assert!(again.unwrap_err().to_string().contains("on purpose"));
    let told = missed::progress(writer, None).await.unwrap();
    let told = told.into_iter().find(|told| told.policy == "jumpy").unwrap();
    assert_eq!(told.missed.len(), 1);
    assert_eq!(told.missed[0].position, missed_at);
    assert!(told.missed[0].error.contains("panicked"), "{told:?}");
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test]
async fn what_is_read_for_policies_at_once_is_bounded_in_bytes_and_nothing_is_left_out() {
    const EVENTS: i64 = 120;
    let ledger = Ledger::open().await;
    // Every third is of another kind; 240 KiB each.
    sqlx::query(
        "insert into book.events
         select n, gen_random_uuid(), $1, case n % 3 when 0 then 'cloudwatcher.part' else 'cloudwatcher.supplier' end,
                gen_random_uuid()::text, 1, 'SupplierEntered', '1', json_build_object('name', repeat('x', 240 * 1024)),
                json_build_object('actor', $1, 'correlation_id', $1, 'command_id', $1), now()
         from generate_series(1, $2) n",
    )
    .bind(ledger.tenant)
    .bind(EVENTS)
    .execute(&ledger.pools.owner)
    .await
    .unwrap();
    let kinds = ["cloudwatcher.supplier".to_owned()];
    let (mut seen, mut to, mut pages) = (Vec::new(), 0, 0);
    while to < EVENTS {
        let stretch = ledger.tail.of_types(to, EVENTS, &kinds, 1_000).await.unwrap();
        let bytes: usize = stretch.events.iter().map(|event| event.event.len()).sum();
        assert!(bytes <= PAGE_BYTES_MAX + EVENT_BYTES_MAX, "{bytes}");
        assert!(stretch.to > to, "it goes on");
        assert!(stretch.events.iter().all(|event| event.position <= stretch.to));
        seen.extend(stretch.events.iter().map(|event| event.position));
        to = stretch.to;
        pages += 1;
    }
    let all: Vec<i64> = (1..=EVENTS).filter(|position| position % 3 != 0).collect();
    assert_eq!(seen, all);
    assert!(pages > 2, "{pages}");
}

#[tokio::test]
async fn who_reads_large_events_makes_nobody_else_read_in_small_portions() {
    const LARGE: i64 = 64;
    const SMALL: i64 = 400;
    let ledger = Ledger::open().await;
    sqlx::query(
        "insert into book.events
         select n, gen_random_uuid(), $1, 'cloudwatcher.supplier', gen_random_uuid()::text, 1, 'SupplierEntered', '1',
                json_build_object('name', repeat('x', case when n <= $2 then 240 * 1024 else 1 end)),
                json_build_object('actor', $1, 'correlation_id', $1, 'command_id', $1), now()
         from generate_series(1, $2 + $3) n",
    )
    .bind(ledger.tenant)
    .bind(LARGE)
    .bind(SMALL)
    .execute(&ledger.pools.owner)
    .await
    .unwrap();
    let kinds = ["cloudwatcher.supplier".to_owned()];
    let (end, large) = (LARGE + SMALL, ledger.tail.clone());
    assert!(large.after(0, end).await.unwrap().len() < 64);
    assert!(large.of_types(0, end, &kinds, end).await.unwrap().events.len() < 64);
    let small = ledger.tail.clone();
    assert_eq!(small.after(LARGE, SMALL).await.unwrap().len() as i64, SMALL);
    let found = small.of_types(LARGE, end, &kinds, SMALL).await.unwrap();
    assert_eq!(found.events.len() as i64, SMALL);
}

static SEEN: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

static WATCHERS: [Acting; 3] = [
    Acting {
        name: "first-watcher",
        reads: SUPPLIERS,
        wants_state: false,
        react: |_| {
            SEEN[0].fetch_add(1, Ordering::Relaxed);
            Vec::new()
        },
    },
    Acting {
        name: "second-watcher",
        reads: &["identity.department", "cloudwatcher.supplier"],
        wants_state: false,
        react: |_| {
            SEEN[1].fetch_add(1, Ordering::Relaxed);
            Vec::new()
        },
    },
    Acting {
        name: "third-watcher",
        reads: SUPPLIERS,
        wants_state: false,
        react: |_| {
            SEEN[2].fetch_add(1, Ordering::Relaxed);
            Vec::new()
        },
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reading_of_the_book_feeds_all_policies_of_a_process() {
    const EVENTS: usize = 20;
    let ledger = Ledger::open().await;
    register(&ledger, &[&WATCHERS[0], &WATCHERS[1], &WATCHERS[2]]).await;
    let reading = ledger.reading(&[&WATCHERS[0], &WATCHERS[1], &WATCHERS[2]]);
    let workers: Vec<_> = WATCHERS
        .iter()
        .map(|watcher| work(&ledger, watcher, &reading))
        .collect();
    let lead = async || workers.iter().all(|(_, status)| status.borrow().leading).then_some(());
    until("all lead", WAIT, lead).await;
    let begin = asked(&ledger, READING).await;
    for n in 1..=EVENTS {
        supplier(&ledger, &format!("Acme {n}")).await;
        let seen = async || SEEN.iter().all(|seen| seen.load(Ordering::Relaxed) == n).then_some(());
        until("all three see it", WAIT, seen).await;
    }
    let readings = asked(&ledger, READING).await - begin;
    assert!(
        readings <= EVENTS as i64,
        "{readings} readings of {EVENTS} events for three"
    );
    ledger.stop.cancel();
    for (worker, _) in workers {
        worker.await.unwrap();
    }
}

static IS_STUCK: AtomicBool = AtomicBool::new(true);
static HEEDED: AtomicUsize = AtomicUsize::new(0);

static STUCK: Acting = Acting {
    name: "stuck",
    reads: SUPPLIERS,
    wants_state: false,
    react: |seen| {
        tokio::task::block_in_place(|| {
            while IS_STUCK.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        });
        echo(seen)
    },
};

static HEEDFUL: Acting = Acting {
    name: "heedful",
    reads: SUPPLIERS,
    wants_state: false,
    react: |_| {
        HEEDED.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_policy_that_is_stuck_holds_no_other_up_and_goes_on_where_it_was() {
    const EVENTS: usize = 30;
    let ledger = Ledger::open().await;
    register(&ledger, &[&STUCK, &HEEDFUL]).await;
    let reading = ledger.reading(&[&STUCK, &HEEDFUL]);
    let workers = [work(&ledger, &STUCK, &reading), work(&ledger, &HEEDFUL, &reading)];
    for n in 1..=EVENTS {
        supplier(&ledger, &format!("Acme {n}")).await;
    }
    let heeded = async || (HEEDED.load(Ordering::Relaxed) == EVENTS).then_some(());
    until("the other policy's reactions", WAIT, heeded).await;
    assert_eq!(echoes(&ledger).await.len(), 0);
    IS_STUCK.store(false, Ordering::Relaxed);
    let echoed = async || (echoes(&ledger).await.len() == EVENTS).then_some(());
    until("the reactions of the one that was stuck", WAIT, echoed).await;
    ledger.stop.cancel();
    for (worker, _) in workers {
        worker.await.unwrap();
    }
}

static STATES: Mutex<Vec<(Uuid, i64, serde_json::Value)>> = Mutex::new(Vec::new());

static FOLLOWER: Acting = Acting {
    name: "follower",
    reads: &[Order::TYPE],
    wants_state: true,
    react: |seen: &Seen<'_>| {
        let state = serde_json::to_value(seen.state::<Order>().expect("it wants states")).expect("JSON");
        let (stream, sequence) = (seen.recorded.stream, seen.recorded.sequence);
        STATES.lock().unwrap().push((stream, sequence, state));
        Vec::new()
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_folds_states_forward_and_sees_what_loading_them_gives() {
    let ledger = Ledger::open().await;
    register(&ledger, &[&FOLLOWER]).await;
    let goods = goods(&ledger).await;
    for _ in 0..5 {
        submitted(&ledger, &goods).await;
    }
    let loads = asked(&ledger, "carries").await;
    let (worker, _) = work(&ledger, &FOLLOWER, &ledger.reading(&[&FOLLOWER]));
    let events = count(
        &ledger.pools.owner,
        "select count(*) from book.events where aggregate_type = 'cloudwatcher.order'",
    )
    .await;
    let seen = async || (STATES.lock().unwrap().len() as i64 == events).then_some(());
    until("all events are seen", WAIT, seen).await;
    assert_eq!(asked(&ledger, "carries").await, loads, "no stream is loaded");
    let states = STATES.lock().unwrap().clone();
    for (stream, sequence, state) in states {
        let fact = FactRef::of::<Order>(stream);
        let loaded = ledger.book.state_at(ledger.tenant, fact, sequence).await.unwrap();
        let loaded = loaded.unwrap().downcast::<Order>().unwrap();
        assert_eq!(serde_json::to_value(&*loaded).unwrap(), state, "{stream} at {sequence}");
    }
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_policies_and_idle_timers_ask_the_database_at_most_once_a_second_each() {
    const LOOKS: i64 = 6;
    let ledger = Ledger::open().await;
    let workers = ledger.policies();
    let led = async || (count(&ledger.pools.owner, "select min(term) from book.policies").await > 0).then_some(());
    until("all policies are led", WAIT, led).await;
    let policies = "bytes_before|book\\.policies|book\\.missed";
    let timers = "book\\.timers";
    let (started, begin) = (
        Instant::now(),
        (asked(&ledger, policies).await, asked(&ledger, timers).await),
    );
    // Each context has timers of its own.
    let contexts = ledger.database.contexts.decisions().iter();
    let contexts = contexts.filter(|context| !context.policies.is_empty()).count() as i64;
    let looked = async || (asked(&ledger, timers).await >= begin.1 + LOOKS * contexts).then_some(());
    until("the timers' looks", WAIT, looked).await;
    let seconds = started.elapsed().as_secs_f64();
    assert!(
        seconds >= LOOKS as f64 - 1.5,
        "{LOOKS} looks for timers in {seconds:.1} s"
    );
    let asked = asked(&ledger, policies).await - begin.0;
    assert!(
        asked as f64 <= seconds * contexts as f64,
        "{asked} questions of policies in {seconds:.1} s"
    );
    ledger.stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
}
