//! Read tables are made from the book: whoever leaves them out of a backup, or loses them, gets them back.

use std::time::Duration;

use book::{MasterKey, Pools, Tail, Vault};
use daybook::Role;
use projections::rebuild::{self, RebuildError};
use serde_json::{Value, json};
use tests::{Client, Database, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

fn context() -> &'static projections::Context {
    &cloudwatcher_tables::CONTEXT
}

fn names(health: &Value, list: &str, what: &str) -> bool {
    let words = health[list].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).any(|words| words.contains(what))
}

async fn enter(admin: &Client, name: &str) -> i64 {
    let path = format!("/v1/cloudwatcher/suppliers/{}/enter", Uuid::now_v7());
    admin.post(&path, &json!({ "name": name })).await.position()
}

/// How many suppliers there are, once the tables show the book up to a position.
async fn suppliers(admin: &Client, position: i64) -> usize {
    let read = async || {
        let reply = admin.get_after("/v1/cloudwatcher/suppliers", position).await;
        reply.status.is_success().then(|| reply.json())
    };
    let (rows, _) = until("the tables' being there again", WAIT, read).await;
    rows["rows"].as_array().unwrap().len()
}

/// Loses what a backup leaves out that was made with `pg_dump --exclude-schema 'cloudwatcher*'`.
async fn left_out(pools: &Pools) {
    let schemas: Vec<String> =
        sqlx::query_scalar("select nspname::text from pg_namespace where nspname like 'cloudwatcher%'")
            .fetch_all(&pools.owner)
            .await
            .unwrap();
    for schema in schemas {
        sqlx::raw_sql(&format!("drop schema {schema} cascade"))
            .execute(&pools.owner)
            .await
            .unwrap();
    }
}

async fn parked(pools: &Pools) -> i64 {
    sqlx::query_scalar("select count(*) from book.parked")
        .fetch_one(&pools.owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_a_backup_left_out_are_waited_for_and_rebuilt() {
    let service = Service::over(Database::create().await, vec![Role::Api, Role::Relay]).await;
    let admin = &service.admin;
    let pools = Pools::connect(&service.database.options).await.unwrap();
    let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
    until("the first process", WAIT, ready).await;
    enter(admin, "Acme").await;
    left_out(&pools).await;
    daybook::migrate(&pools.owner, &service.database.contexts)
        .await
        .unwrap();

    // Nobody makes them: who starts waits for them, and who served goes on without.
    let (reader, url, stop_reader) = service.beside(vec![Role::Api]).await;
    let started = admin.at(&url);
    let reply = started.get("/health/ready").await;
    let health = reply.json();
    assert_eq!(reply.status, 503, "{health}");
    assert!(names(&health, "problems", "cloudwatcher has no tables"), "{health}");
    let tables = &health["contexts"]["cloudwatcher"];
    assert_eq!(
        (&tables["tables"], &tables["lag_seconds"]),
        (&json!("none"), &Value::Null)
    );
    let reply = admin.get("/health/ready").await;
    let health = reply.json();
    assert_eq!(reply.status, 200, "{health}");
    assert!(names(&health, "degraded", "cloudwatcher has no tables"), "{health}");
    started.get("/v1/cloudwatcher/suppliers").await.problem(503);
    let position = enter(admin, "Bolts").await;

    let (projector, _, stop_projector) = service.beside(vec![Role::Projector]).await;
    assert_eq!(suppliers(&started, position).await, 2);
    let ready = async || (started.get("/health/ready").await.status == 200).then_some(());
    until("the second process", WAIT, ready).await;

    // One that is lost while a projector posts is no stream's fault.
    sqlx::raw_sql("drop table cloudwatcher.suppliers cascade")
        .execute(&pools.owner)
        .await
        .unwrap();
    let position = enter(admin, "Cogs").await;
    assert_eq!(suppliers(&started, position).await, 3);
    assert_eq!(parked(&pools).await, 0);
    // And all of them, while nothing happens.
    left_out(&pools).await;
    assert_eq!(suppliers(&started, position).await, 3);

    for (process, stop) in [(projector, stop_projector), (reader, stop_reader)] {
        stop.cancel();
        process.ended().await;
    }
    pools.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_a_backup_left_out_are_rebuilt_by_hand() {
    let service = Service::over(Database::create().await, vec![Role::Api]).await;
    let pools = Pools::connect(&service.database.options).await.unwrap();
    let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
    enter(&service.admin, "Acme").await;
    // With one to go back to, which is left out, too.
    rebuild::rebuild(&pools, &tail, context(), false, &|_| {})
        .await
        .unwrap();
    left_out(&pools).await;
    let nothing = rebuild::rollback(&pools, &tail, context()).await.unwrap_err();
    assert!(matches!(nothing, RebuildError::NothingRetired { .. }), "{nothing}");
    let report = rebuild::rebuild(&pools, &tail, context(), false, &|_| {})
        .await
        .unwrap();
    assert!(!report.compared && report.differences.is_empty(), "{report:?}");
    let position = tail.end().await.unwrap();
    assert_eq!(suppliers(&service.admin, position).await, 1);
    let again = rebuild::rebuild(&pools, &tail, context(), false, &|_| {})
        .await
        .unwrap();
    assert!(again.compared && again.differences.is_empty(), "{again:?}");
    pools.close().await;
    service.end().await;
}
