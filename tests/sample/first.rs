//! The first generation of a context that joins a book of many events: it is loaded, and nobody's until it is there.

use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use tests::service::administrator;
use tests::{Client, Database, until};
use uuid::Uuid;

use crate::context;
use crate::running::{Served, WAIT, names, ready};

/// More events than a first generation is posted from one by one.
const EVENTS: i64 = 50_001;
/// The lock that whoever makes an index waits for.
const HELD: i64 = 4_711;

/// Many events of a kind that nobody reads.
async fn filled(pool: &PgPool) {
    let end = number(pool, "select book.last_position()").await;
    sqlx::query(
        "insert into book.events
         select $1 + n, gen_random_uuid(), gen_random_uuid(), 'elsewhere.thing', gen_random_uuid()::text, 1,
                'ThingHappened', '1', '{}', json_build_object('actor', gen_random_uuid(),
                'correlation_id', gen_random_uuid(), 'command_id', gen_random_uuid()), now()
         from generate_series(1, $2) n",
    )
    .bind(end)
    .bind(EVENTS)
    .execute(pool)
    .await
    .unwrap();
}

/// Has rebuilds of the sample wait in the middle of their indexes until the transaction ends.
async fn indexes_wait(pool: &PgPool) -> Transaction<'static, Postgres> {
    let waits = format!(
        "create function public.wait() returns event_trigger language plpgsql as $$ begin
             if exists (select from pg_event_trigger_ddl_commands() where object_identity like 'sample_g%') then
                 perform pg_advisory_xact_lock_shared({HELD});
             end if;
         end $$;
         create event trigger wait on ddl_command_end when tag in ('CREATE INDEX') execute function public.wait()"
    );
    sqlx::raw_sql(&waits).execute(pool).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(HELD)
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

async fn number(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// That the process waits for the sample's tables, posts none of them, and serves none.
async fn waits_for_the_sample(admin: &Client) {
    let reply = admin.get("/health/ready").await;
    let health = reply.json();
    assert_eq!(reply.status, 503, "{health}");
    assert!(names(&health, "problems", "sample has no tables yet"), "{health}");
    let tables = &health["contexts"]["sample"];
    let told = (&tables["tables"], &tables["begun"], &tables["rebuild"]);
    assert_eq!(told, (&json!("none"), &json!(false), &json!("indexing")), "{health}");
    assert_eq!(health["workers"]["projector sample"]["leading"], false, "{health}");
    admin.get("/v1/sample/jars").await.problem(503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_generation_that_is_loaded_is_read_posted_and_waited_for_by_nobody_but_as_one_that_is_not_there() {
    let database = Database::create().await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    filled(&pool).await;
    let held = indexes_wait(&pool).await;
    let one = Served::of(&database, context::added()).await;
    let admin = administrator(&database, &one.url, Uuid::new_v4()).await;
    let indexing = async || {
        let health = admin.get("/health/ready").await.json();
        (health["contexts"]["sample"]["rebuild"] == "indexing").then_some(())
    };
    until("the sample's indexes", WAIT, indexing).await;
    let other = Served::of(&database, context::added()).await;
    let admins = [admin.clone(), admin.at(&other.url)];
    // Commands rest on the book alone.
    let position = admin
        .post("/v1/sample/jars", &json!({"label": "Nuts"}))
        .await
        .position();
    // The step takes its time, and says so.
    let beats = "select coalesce(max(beats), 0) from book.rebuilds where context = 'sample' and phase = 'indexing'";
    let before = number(&pool, beats).await;
    until("beats in the middle of a step", WAIT, async || {
        (number(&pool, beats).await >= before + 2).then_some(())
    })
    .await;
    for admin in &admins {
        waits_for_the_sample(admin).await;
    }
    let live = "select count(*) from book.generations where context = 'sample' and state = 'live'";
    assert_eq!(number(&pool, live).await, 0);

    // The process ends in the middle, and the other one begins anew.
    one.end().await;
    held.rollback().await.unwrap();
    let admin = &admins[1];
    ready(admin).await;
    let rows = admin.get_after("/v1/sample/jars", position).await.ok();
    assert_eq!(rows["rows"].as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(number(&pool, live).await, 1);
    // Nothing is kept of what was begun: there is nothing to go back to.
    let all = "select count(*) from book.generations where context = 'sample'";
    assert_eq!(number(&pool, all).await, 1);
    let under_way = "select count(*) from book.rebuilds where context = 'sample' and phase is not null";
    until("the end of the rebuild", WAIT, async || {
        (number(&pool, under_way).await == 0).then_some(())
    })
    .await;
    other.end().await;
}
