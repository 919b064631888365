//! Two of everything, as processes of their own, and one of each killed under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use tests::process::Process;
use tests::{Client, Database, Ledger, service, until};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::faults::{Sent, load, progress, settle, supplier};

const WAIT: Duration = Duration::from_secs(30);
/// How long a stand-by may take.
const TAKE_OVER_MAX: Duration = Duration::from_secs(10);
const RELAY: &str = "relay";
const PROJECTOR: &str = "projector cloudwatcher";
/// Where the second API's clients begin to count their commands.
const SECOND_KEY: u32 = 10_000_000;

/// Of two processes, the one whose worker leads and the one that stands by.
async fn leader(first: Process, second: Process, worker: &str) -> (Process, Process) {
    let look = || async {
        let leads = (first.leads(worker).await, second.leads(worker).await);
        (leads.0 != leads.1).then_some(leads.0)
    };
    match until("the lead of one", WAIT, look).await.0 {
        true => (first, second),
        false => (second, first),
    }
}

/// Kills the leader; the other one takes over in time, and did nothing before.
async fn takes_over(leader: Process, standby: &Process, worker: &str) {
    let (led, stood) = (leader.health().await, standby.health().await);
    let (led, stood) = (&led["workers"][worker], &stood["workers"][worker]);
    assert_eq!(
        (&led["leading"], &stood["leading"]),
        (&true.into(), &false.into()),
        "{led} {stood}"
    );
    assert!(led["position"].as_i64() > Some(0), "the leader has worked: {led}");
    assert_eq!(stood["position"], 0, "the stand-by has not: {stood}");
    leader.kill();
    let look = || async { standby.leads(worker).await.then_some(()) };
    let (_, took) = until("the stand-by's lead", WAIT, look).await;
    println!("the {worker} of the other process leads after {took:?}");
    assert!(took < TAKE_OVER_MAX, "the stand-by took {took:?}");
}

/// How far the tables are behind the book.
async fn behind(pool: &PgPool) -> i64 {
    let lag = "select book.last_position() - position from book.generations where context = 'cloudwatcher' and state = 'live'";
    sqlx::query_scalar(lag).fetch_one(pool).await.unwrap()
}

/// Who holds the lock of a worker; never more than one session.
async fn holders(pool: &PgPool, lock: &str) -> i64 {
    let held = "select count(*) from pg_locks where locktype = 'advisory' and granted
                and database = (select oid from pg_database where datname = current_database())
                and (classid::bigint << 32) | objid::bigint = hashtextextended($1, 0)";
    sqlx::query_scalar(held).bind(lock).fetch_one(pool).await.unwrap()
}

/// Ends the leading projector while a page waits to write a row and the book runs ahead of it.
async fn projector_dies_within_a_page(leader: Process, standby: &Process, pool: &PgPool) {
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table cloudwatcher.suppliers in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let look = || async {
        let waiting =
            "select count(*) from pg_locks where not granted and relation = 'cloudwatcher.suppliers'::regclass";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap();
        (waiting == 1 && behind(pool).await >= 50).then_some(())
    };
    until("a page in the middle, and fifty events after it", WAIT, look).await;
    assert!(leader.leads(PROJECTOR).await);
    takes_over(leader, standby, PROJECTOR).await;
    assert_eq!(holders(pool, PROJECTOR_LOCK).await, 1);
    held.rollback().await.unwrap();
}

const PROJECTOR_LOCK: &str = "daybook projector cloudwatcher";

/// Ends an API while its appends wait for the book's lock: they will be written, and nobody told.
async fn api_dies_before_it_replies(
    api: Process,
    other: &Process,
    done: &AtomicBool,
    clients: Vec<JoinHandle<()>>,
    pool: &PgPool,
) {
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *held)
        .await
        .unwrap();
    let look = || async {
        let waiting = "select count(distinct application_name) from pg_stat_activity
                       where application_name in ($1, $2) and wait_event = 'advisory' and query like '%book.append%'";
        let waiting = sqlx::query_scalar(waiting)
            .bind(&api.application)
            .bind(&other.application);
        let waiting: i64 = waiting.fetch_one(pool).await.unwrap();
        (waiting == 2).then_some(())
    };
    until("appends of both processes on the way", WAIT, look).await;
    done.store(true, Ordering::Relaxed);
    api.kill();
    held.rollback().await.unwrap();
    futures::future::join_all(clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_relays_projectors_and_apis_one_of_each_is_killed_and_the_others_go_on_where_it_was() {
    let database = Database::create().await;
    let (url, nats, stream) = (database.url(), tests::setting("NATS_URL"), database.name.clone());
    let process = |roles: &'static str| Process::start(&url, &nats, &stream, roles);
    let (api, other_api, relay, other_relay, projector, other_projector) = tokio::join!(
        process("api"),
        process("api"),
        process("relay"),
        process("relay"),
        process("projector"),
        process("projector")
    );
    let admin = service::administrator(&database, &api.url, Uuid::new_v4()).await;
    let other_admin: Client = admin.at(&other_api.url);
    let ledger = Ledger::over(database, &nats).await;
    let pool = &ledger.pools.owner;

    let (sent, other_sent) = (Sent::default(), Sent::default());
    let (done, other_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let clients = load(&admin, &sent, &done, 0);
    let other_clients = load(&other_admin, &other_sent, &other_done, SECOND_KEY);
    progress(&sent, 50).await;
    progress(&other_sent, 50).await;
    let (projector, other_projector) = leader(projector, other_projector, PROJECTOR).await;
    let (relay, other_relay) = leader(relay, other_relay, RELAY).await;

    takes_over(relay, &other_relay, RELAY).await;
    progress(&sent, 50).await;
    projector_dies_within_a_page(projector, &other_projector, pool).await;
    progress(&sent, 50).await;
    progress(&other_sent, 50).await;
    api_dies_before_it_replies(api, &other_api, &done, clients, pool).await;
    progress(&other_sent, 50).await;
    other_done.store(true, Ordering::Relaxed);
    futures::future::join_all(other_clients).await;

    // What was on its way is in the book, though no answer said so.
    let unanswered: Vec<String> = {
        let sent = sent.lock().unwrap();
        let unanswered = sent.iter().filter(|(_, position)| position.is_none());
        unanswered.map(|(key, _)| supplier(*key).0.to_string()).collect()
    };
    let look = || async {
        let written = "select count(*) from book.events where aggregate_id = any($1)";
        let written: i64 = sqlx::query_scalar(written)
            .bind(&unanswered)
            .fetch_one(pool)
            .await
            .unwrap();
        (written > 0).then_some(())
    };
    until("a command that was written and not answered", WAIT, look).await;

    let others = std::mem::take(&mut *other_sent.lock().unwrap());
    sent.lock().unwrap().extend(others);
    settle(&other_admin, &ledger, &sent).await;
    let end = ledger.tail.end().await.unwrap() as u64;
    let mirror = crate::relay::mirrored(&ledger, end).await;
    let state = &mirror.cached_info().state;
    assert_eq!(
        (state.first_sequence, state.messages),
        (1, end),
        "one message for each event"
    );
    assert_eq!(holders(pool, PROJECTOR_LOCK).await, 1);
    assert!(other_projector.leads(PROJECTOR).await && other_relay.leads(RELAY).await);
}
