//! Who seals: sealers beside one another, processes with and without a key, and the command line.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use book::seals::{FORMATS, SEAL_EVENTS_MAX, SEAL_SECONDS_MAX, SealKey, Sealer, Sealing, sealer};
use book::worker::{self, Beat};
use book::{BookError, Leases, end};
use futures::{StreamExt as _, stream};
use serde_json::json;
use sqlx::PgPool;
use tests::{Database, Ledger, Service, until};
use tokio::process::Command;
use uuid::Uuid;

use super::{book, seal, tampers, verified};
use crate::relay::enter;

const WAIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sealers_one_seals_and_the_other_goes_on_after_it() {
    let (ledger, key) = book(1).await;
    let begin = async || Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap();
    let (mut first, mut second) = (begin().await, begin().await);
    enter(&ledger, 5).await;
    // Both believe that they lead.
    first.seal(10, &|| Ok(())).await.unwrap();
    let refused = second.seal(10, &|| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("another sealer was faster"), "{refused}");
    // One that has lost its lead while it read writes nothing.
    enter(&ledger, 5).await;
    let looks = AtomicU32::new(0);
    let lost = || match looks.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(()),
        _ => Err(BookError::LeadLost("seals".to_owned())),
    };
    let refused = first.seal(15, &lost).await.unwrap_err();
    assert!(matches!(refused, BookError::LeadLost(_)), "{refused}");
    let mut second = begin().await;
    assert_eq!(second.sealed(), 10);
    second.seal(15, &|| Ok(())).await.unwrap();
    let report = verified(&ledger, 1, &[key.public()], None).await.unwrap();
    assert_eq!((report.finding, report.seals, report.verified), (None, 3, 15));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stored_column_is_sealed_and_one_that_is_new_is_sealed_by_no_older_version() {
    let (ledger, key) = book(1).await;
    let pool = &ledger.pools.owner;
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = 'book.events'::regclass and attnum > 0 and not attisdropped order by attnum",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(
        columns,
        FORMATS.last().unwrap().columns,
        "a column that is new needs a new format"
    );
    let mut sealing = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap();
    enter(&ledger, 5).await;
    sqlx::raw_sql("alter table book.events add column colour text default 'blue'")
        .execute(pool)
        .await
        .unwrap();
    let refused = sealing.seal(10, &|| Ok(())).await.unwrap_err();
    assert!(refused.to_string().contains("this version would not seal"), "{refused}");
    let refused = Sealing::begin(&ledger.pools.projector, key.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("colour"), "{refused}");
    // Seals of before hold, and it is said what they say nothing of.
    let report = verified(&ledger, 1, &[key.public()], None).await.unwrap();
    assert_eq!(
        (report.finding, report.unsealed, report.uncovered),
        (None, 5, vec!["colour".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_a_key_seals_every_thousand_events_and_the_rest_after_ten_seconds() {
    let (key, began) = (SealKey::generate(), Instant::now());
    let roles = vec![daybook::Role::Api, daybook::Role::Relay];
    let with_key = |config: &mut daybook::Config| config.seal_key = Some(key.to_hex().as_str().into());
    let service = Service::configured(Database::create().await, roles, with_key).await;
    let (other, url, stop) = service.beside(vec![daybook::Role::Api]).await;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let enter = |n: u32| {
        let admin = service.admin.clone();
        let body = json!({"name": format!("Acme {n}")});
        async move { admin.post("/v1/cloudwatcher/suppliers", &body).await.ok() }
    };
    let entered: Vec<_> = stream::iter(0..1_000).map(enter).buffer_unordered(32).collect().await;
    assert_eq!(entered.len(), 1_000);
    let seals = async || -> Vec<(i64, i64)> {
        let asked = sqlx::query_as("select from_position, to_position from book.seals order by number");
        asked.fetch_all(&pool).await.unwrap()
    };
    let first = async || seals().await.first().copied();
    let (first, _) = until("the first seal", WAIT, first).await;
    // Sooner, if the machine took longer than that for a thousand events.
    let is_slow = began.elapsed() > Duration::from_secs(SEAL_SECONDS_MAX);
    assert!(first == (1, SEAL_EVENTS_MAX) || is_slow, "{first:?}");
    let asked = sqlx::query_scalar("select book.last_position()");
    let end: i64 = asked.fetch_one(&pool).await.unwrap();
    let whole = async || seals().await.last().is_some_and(|(_, to)| *to == end).then_some(());
    until("the seal of the rest", WAIT, whole).await;
    for url in [&service.url, &url] {
        let health = service.admin.at(url).get("/health/ready").await.json();
        assert_eq!(health["seals"]["state"], "on", "{health}");
        assert_eq!(health["seals"]["position"], end, "{health}");
    }
    let metrics = service.admin.get("/metrics").await.text;
    let is_told = metrics.contains("daybook_seals_on 1") && metrics.contains("daybook_seals_lag 0");
    assert!(is_told, "{metrics}");

    // Nobody can seal any more, and an hour has passed: all processes say so.
    let revoke = "revoke execute on function book.seal from daybook_projector";
    sqlx::raw_sql(revoke).execute(&pool).await.unwrap();
    enter(1_000).await;
    let hour = format!("update book.events set recorded_at = recorded_at - interval '1 hour' where position > {end}");
    tampers(&pool, &hour).await;
    let late = async || {
        let health = service.admin.at(&url).get("/health/ready").await.json();
        let is_told = health["degraded"].to_string().contains("are not sealed");
        (health["seals"]["state"] == "late" && is_told).then_some(())
    };
    until("the seals' being late", WAIT, late).await;
    stop.cancel();
    other.ended().await;
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_there_are_no_seals_and_health_says_so() {
    let service = Service::start().await;
    let health = service.admin.get("/health/ready").await.json();
    assert_eq!(health["seals"]["state"], "off", "{health}");
    assert!(!health["degraded"].to_string().contains("seal"), "{health}");
    let told = run(
        &service.database.url(),
        &["verify", "--public-key", &SealKey::generate().public().to_string()],
    )
    .await;
    assert!(told.contains("the book has no seals"), "{told}");
    service.end().await;
}

/// Runs the program to its end, and says what it printed and what it logged.
async fn run(database_url: &str, arguments: &[&str]) -> String {
    run_with(database_url, arguments, &[]).await
}

async fn run_with(database_url: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(tests::setting("DAYBOOK_BIN"))
        .args(arguments)
        .env("DATABASE_URL", database_url)
        .env("RUST_LOG", "warn")
        .env_remove("DAYBOOK_MASTER_KEY")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    match output.status.success() {
        true => told,
        false => format!("failed: {told}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_makes_a_key_exports_seals_and_verifies_without_any_other_secret() {
    let ledger = Ledger::open().await;
    let url = ledger.database.url();
    let folder = std::env::temp_dir().join(format!("daybook-{}", Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).unwrap();
    let (key_file, seals_file) = (folder.join("seal.key"), folder.join("seals.jsonl"));
    let (key_path, seals_path) = (key_file.to_str().unwrap(), seals_file.to_str().unwrap());
    let public = run(&url, &["seal", "key", key_path]).await;
    let public = public.trim();
    assert!(
        run(&url, &["seal", "key", key_path]).await.starts_with("failed"),
        "it is made once"
    );
    let key = SealKey::from_hex(&std::fs::read_to_string(&key_file).unwrap()).unwrap();
    assert_eq!(key.public().to_string(), public);
    for _ in 0..2 {
        enter(&ledger, 5).await;
        seal(&ledger, &key).await;
    }
    let exported = run(&url, &["seal", "export"]).await;
    assert_eq!(exported.lines().count(), 2, "{exported}");
    std::fs::write(&seals_file, &exported).unwrap();
    assert_eq!(
        run(&url, &["seal", "export", "--from", "6"]).await,
        exported.lines().nth(1).unwrap().to_owned() + "\n"
    );

    let good = run(&url, &["verify", "--public-key", public, "--seals", seals_path]).await;
    assert!(
        good.starts_with("10 events of 2 seals are as they were sealed"),
        "{good}"
    );
    assert!(good.contains(&format!("from seal 1 on the key is {public}")), "{good}");
    let part = run(&url, &["verify", "--public-key", public, "--from", "8"]).await;
    assert!(part.starts_with("5 events of 1 seals"), "{part}");
    // Where the key itself is, it need not be named.
    let (in_file, secret) = (("DAYBOOK_SEAL_KEY_FILE", key_path), key.to_hex());
    let set = ("DAYBOOK_SEAL_KEY", secret.as_str());
    for environment in [&[in_file][..], &[set]] {
        assert_eq!(run_with(&url, &["seal", "key"], environment).await.trim(), public);
        let good = run_with(&url, &["verify"], environment).await;
        assert!(good.starts_with("10 events of 2 seals"), "{good}");
    }
    let twice = run_with(&url, &["verify"], &[in_file, set]).await;
    assert!(twice.starts_with("failed") && !twice.contains(&secret), "{twice}");
    let unsaid = run(&url, &["verify"]).await;
    assert!(
        unsaid.starts_with("failed") && unsaid.contains("--public-key"),
        "{unsaid}"
    );
    tampers(
        &ledger.pools.owner,
        "update book.events set event_version = event_version || 'x' where position = 7",
    )
    .await;
    let bad = run(&url, &["verify", "--public-key", public]).await;
    assert!(
        bad.starts_with("failed") && bad.contains("position 7 was changed"),
        "{bad}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealer_that_dies_between_two_seals_is_followed_by_one_that_goes_on() {
    let (ledger, key) = (Ledger::open().await, SealKey::generate());
    let (watch, known) = end::Watch::new(ledger.tail.clone(), ledger.bus.clone(), &ledger.book);
    let stop = ledger.stop.clone();
    tokio::spawn(async move { watch.run(&stop).await });
    let start = || {
        let sealer = Sealer {
            pool: ledger.pools.projector.clone(),
            key: key.clone(),
            end: known.clone(),
        };
        let beat = Beat::default();
        let status = beat.status();
        let leases = Leases::start(&ledger.pools.projector);
        let lock = sealer::LOCK.to_owned();
        let running = tokio::spawn(worker::run(sealer, lock, leases, beat, ledger.stop.clone()));
        (running, status)
    };
    let (first, first_status) = start();
    let leads = || async { first_status.borrow().leading.then_some(()) };
    until("the first sealer's lead", WAIT, leads).await;
    let (second, second_status) = start();
    enter(&ledger, 1_000).await;
    let sealed = async |to: i64| {
        let look = async || {
            let asked = sqlx::query_scalar("select coalesce(max(to_position), 0) from book.seals");
            let sealed: i64 = asked.fetch_one(&ledger.pools.owner).await.unwrap();
            (sealed >= to).then_some(())
        };
        until("seals", WAIT, look).await;
    };
    sealed(1_000).await;
    assert!(!second_status.borrow().leading);
    first.abort();
    enter(&ledger, 1_000).await;
    sealed(2_000).await;
    assert!(second_status.borrow().leading);
    let report = verified(&ledger, 1, &[key.public()], None).await.unwrap();
    assert_eq!((report.finding, report.verified), (None, 2_000));
    ledger.stop.cancel();
    second.await.unwrap();
}
