//! What a process costs that has nothing to do, and how much of Postgres a few of them take.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgPool};
use tests::process::Process;
use tests::{Database, Ledger, service, until};
use uuid::Uuid;

const ALL: &str = "api,relay,projector,policy,reactor";
const WAIT: Duration = Duration::from_secs(60);
/// Statements of an idle process per second, at most.
const STATEMENTS_PER_SECOND_MAX: f64 = 20.0;
/// How often it is counted, at most.
const WINDOWS: usize = 3;

/// How many transactions the database has had, each a statement of something that is idle. Asked from another
/// database, so that it is not one of them.
async fn transactions(server: &mut PgConnection, database: &str) -> i64 {
    sqlx::query_scalar("select xact_commit + xact_rollback from pg_stat_database where datname = $1")
        .bind(database)
        .fetch_one(server)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_with_all_roles_asks_postgres_less_than_twenty_things_a_second() {
    let database = Database::create().await;
    let name = database.name.clone();
    let process = Process::start(&database.url(), &tests::setting("NATS_URL"), &name, ALL).await;
    let mut server = PgConnection::connect(&tests::setting("DATABASE_URL")).await.unwrap();
    let leads = || async { process.leads("projector cloudwatcher").await.then_some(()) };
    until("the projector's lead", WAIT, leads).await;
    // What it asks when it starts is none of it: the statistics come in up to ten seconds late, and later on a machine that has
    // much else to do. So the first window may have some of that, and what it asks all the time is in each of them.
    let begin = transactions(&mut server, &name).await + 400;
    while transactions(&mut server, &name).await < begin {
        tokio::task::yield_now().await;
    }
    let mut calmest = f64::INFINITY;
    for _ in 0..WINDOWS {
        let (started, begin) = (Instant::now(), transactions(&mut server, &name).await);
        let mut end = begin;
        while end < begin + 150 {
            tokio::task::yield_now().await;
            end = transactions(&mut server, &name).await;
        }
        let per_second = (end - begin) as f64 / started.elapsed().as_secs_f64();
        println!("{per_second:.1} statements a second");
        calmest = calmest.min(per_second);
        if calmest < STATEMENTS_PER_SECOND_MAX {
            break;
        }
    }
    assert!(calmest < STATEMENTS_PER_SECOND_MAX, "{calmest:.1} statements a second");
    process.kill();
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_take_no_more_connections_than_is_said_and_lead_by_one_session_each() {
    let database = Database::create().await;
    let (url, nats, stream) = (database.url(), tests::setting("NATS_URL"), database.name.clone());
    let mut processes = Vec::new();
    for _ in 0..3 {
        processes.push(Process::start(&url, &nats, &stream, ALL).await);
    }
    let admin = service::administrator(&database, &processes[0].url, Uuid::new_v4()).await;
    let ledger = Ledger::over(database, &nats).await;
    let pool = &ledger.pools.owner;
    let reads = (0..300).map(|n| {
        let admin = admin.at(&processes[n % 3].url);
        async move { admin.get("/v1/cloudwatcher/users").await.ok() }
    });
    futures::future::join_all(reads).await;
    // Each process has a name of its own at the server; the test itself is `daybook`.
    let sessions = "select count(*) from pg_stat_activity where datname = current_database()
                    and backend_type = 'client backend' and application_name <> 'daybook'";
    let taken = count(pool, sessions).await;
    println!("{taken} connections of three processes");
    let contexts = u32::try_from(tests::tables().len()).unwrap();
    let most = 3 * i64::from(book::pools::connections_max(contexts));
    assert!((3..=most).contains(&taken), "{taken} connections");
    let leading = "select count(distinct pid) from pg_locks where locktype = 'advisory' and granted
                   and database = (select oid from pg_database where datname = current_database())";
    let leading = count(pool, leading).await;
    assert!((1..=3).contains(&leading), "{leading} sessions lead");
}
