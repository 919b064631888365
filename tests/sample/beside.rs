//! Contexts side by side: what one lacks is no other's. `cloudwatcher` stands for those of the program.

use std::cell::Cell;
use std::time::Duration;

use daybook::{Role, Running};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::{administrator, config};
use tests::{Client, Database, until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::context;

const WAIT: Duration = Duration::from_secs(60);

/// A process that serves the contexts of the program, and `sample` after them.
struct Served {
    running: Running,
    url: String,
    stop: CancellationToken,
}

impl Served {
    async fn start(database: &Database) -> Self {
        let stop = CancellationToken::new();
        let roles = vec![Role::Api, Role::Relay, Role::Projector, Role::Policy];
        let config = config(&database.url(), &database.name);
        let running = daybook::serve(config, context::added(), roles, stop.clone())
            .await
            .unwrap();
        let url = format!("http://{}", running.address);
        Self { running, url, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.ended().await;
    }
}

/// Waits until the process is ready.
async fn ready(admin: &Client) {
    let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
    until("the process to be ready", WAIT, ready).await;
}

fn names(health: &Value, list: &str, what: &str) -> bool {
    let words = health[list].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).any(|words| words.contains(what))
}

async fn labels(admin: &Client, label: &str) -> i64 {
    let jar = admin.post("/v1/sample/jars", &json!({ "label": label })).await;
    assert_eq!(jar.status, 200, "{}", jar.text);
    jar.position()
}

async fn supplies(admin: &Client, name: &str) -> i64 {
    let supplier = admin.post("/v1/cloudwatcher/suppliers", &json!({ "name": name })).await;
    assert_eq!(supplier.status, 200, "{}", supplier.text);
    supplier.position()
}

/// The value of a gauge of one context; `None` before it was ever set.
async fn gauge(admin: &Client, name: &str, context: &str) -> Option<f64> {
    let metrics = admin.get("/metrics").await.text;
    let start = format!("{name}{{context=\"{context}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok())
}

/// As if another version had made the live tables of all contexts.
async fn made_by_another_version(pool: &PgPool) {
    sqlx::query("update book.generations set fingerprint = 'another version' where state = 'live'")
        .execute(pool)
        .await
        .unwrap();
}

/// Whether the live tables of a context are its second generation, which this version made.
async fn is_rebuilt(pool: &PgPool, context: &str) -> Option<()> {
    let live = "select true from book.generations where context = $1 and state = 'live' and generation = 2";
    let live: Option<bool> = sqlx::query_scalar(live)
        .bind(context)
        .fetch_optional(pool)
        .await
        .unwrap();
    live.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_one_context_that_stand_still_slow_and_stop_no_other() {
    let database = Database::create().await;
    let served = Served::start(&database).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    ready(&admin).await;
    admin.get_after("/v1/sample/jars", labels(&admin, "A").await).await.ok();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table sample.jars in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    labels(&admin, "B").await;
    // Its own commands wait, and are accepted.
    let slowed = async || {
        labels(&admin, &Uuid::new_v4().to_string()).await;
        let wait = gauge(&admin, "daybook_append_wait_seconds", "sample").await;
        wait.filter(|wait| *wait > 0.0).map(|_| ())
    };
    until("its being slowed", WAIT, slowed).await;
    let waited = Cell::new((0.0, 0.0));
    // Those of the other context do not, and what they do is read at once, while its tables become later and later.
    let late = async || {
        let position = supplies(&admin, "Acme").await;
        let row = admin.get_after("/v1/cloudwatcher/suppliers?limit=1", position).await;
        assert_eq!(row.status, 200, "{}", row.text);
        labels(&admin, &Uuid::new_v4().to_string()).await;
        let [own, others] = ["sample", "cloudwatcher"].map(|of| gauge(&admin, "daybook_append_wait_seconds", of));
        let before = waited.get();
        waited.set((before.0 + own.await.unwrap(), before.1 + others.await.unwrap()));
        let reply = admin.get("/health/ready").await;
        let health = reply.json();
        assert_eq!(reply.status, 200, "{health}");
        assert!(!names(&health, "degraded", "cloudwatcher"), "{health}");
        assert_eq!(health["contexts"]["cloudwatcher"]["tables"], "own");
        assert_eq!(health["contexts"]["sample"]["begun"], true);
        names(&health, "degraded", "sample is").then_some(())
    };
    until("the sample's being late", WAIT, late).await;
    let (own, others) = waited.get();
    // On a busy machine the others' tables are a moment late themselves.
    assert!(others < own / 2.0, "waits of {others} s beside {own} s");
    held.rollback().await.unwrap();
    let position = labels(&admin, "C").await;
    let caught_up = async || {
        let row = admin.get_after("/v1/sample/jars?label=eq.C", position).await;
        row.status.is_success().then_some(())
    };
    until("the sample's catching up", WAIT, caught_up).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_in_service_stays_so_when_a_context_becomes_another_versions() {
    let database = Database::create().await;
    let served = Served::start(&database).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    ready(&admin).await;
    made_by_another_version(&pool).await;
    let reply = admin.get("/health/ready").await;
    let health = reply.json();
    assert_eq!(reply.status, 200, "{health}");
    for context in context::added().tables().map(|tables| tables.name) {
        let told = format!("the tables of {context} are another version's");
        assert!(names(&health, "degraded", &told), "{health}");
        assert_eq!(health["contexts"][context]["tables"], "another-versions");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_deploy_contexts_are_rebuilt_one_after_another_in_the_order_of_the_list() {
    let database = Database::create().await;
    let served = Served::start(&database).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    labels(&admin, "A").await;
    let last = supplies(&admin, "Acme").await;
    for table in ["/v1/sample/jars", "/v1/cloudwatcher/suppliers"] {
        admin.get_after(table, last).await.ok();
    }
    served.end().await;
    made_by_another_version(&pool).await;
    // Two processes of the new version start at once.
    let (one, other) = tokio::join!(Served::start(&database), Served::start(&database));
    for served in [&one, &other] {
        let admin = admin.at(&served.url);
        ready(&admin).await;
        for (table, rows) in [("/v1/sample/jars", 1), ("/v1/cloudwatcher/suppliers", 1)] {
            let page = admin.get_after(table, last).await.ok();
            assert_eq!(page["rows"].as_array().map(Vec::len), Some(rows), "{page}");
        }
    }
    let made: Vec<(String, i64)> =
        sqlx::query_as("select context, generation from book.generations where state = 'live' order by swapped_at")
            .fetch_all(&pool)
            .await
            .unwrap();
    let added = context::added();
    let all: Vec<(String, i64)> = added.tables().map(|tables| (tables.name.to_owned(), 2)).collect();
    assert_eq!(made, all);
    let overlapping: i64 = sqlx::query_scalar(
        "select count(*) from book.generations a, book.generations b
         where a.state = 'live' and b.state = 'live' and a.swapped_at < b.swapped_at and b.created_at < a.swapped_at",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(overlapping, 0, "one was begun before the one before it was swapped in");
    one.end().await;
    other.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_whose_rebuild_fails_keeps_no_other_waiting_and_is_rebuilt_once_it_can_be() {
    let database = Database::create().await;
    let served = Served::start(&database).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    ready(&admin).await;
    served.end().await;
    made_by_another_version(&pool).await;
    let fails = "create function public.fail() returns event_trigger language plpgsql as $$ begin
            if exists (select from pg_event_trigger_ddl_commands() where object_identity like 'cloudwatcher_g%') then
                raise 'no room';
            end if;
        end $$;
        create event trigger fail on ddl_command_end when tag in ('CREATE SCHEMA') execute function public.fail()";
    sqlx::raw_sql(fails).execute(&pool).await.unwrap();
    let served = Served::start(&database).await;
    let admin = admin.at(&served.url);
    until("the sample's rebuild", WAIT, async || is_rebuilt(&pool, "sample").await).await;
    // The one that is rebuilt is posted; the other one's commands are accepted all the same.
    supplies(&admin, "Acme").await;
    let position = labels(&admin, "A").await;
    let posted = async || {
        let row = admin.get_after("/v1/sample/jars?label=eq.A", position).await;
        row.status.is_success().then_some(())
    };
    until("the sample's being posted", WAIT, posted).await;
    assert!(is_rebuilt(&pool, "cloudwatcher").await.is_none());
    // A process that starts waits for it a while yet, and names it alone.
    let health = admin.get("/health/ready").await.json();
    assert_eq!(health["contexts"]["sample"]["begun"], true, "{health}");
    assert!(
        names(&health, "problems", "the tables of cloudwatcher are another version's"),
        "{health}"
    );
    assert!(!names(&health, "problems", "sample"), "{health}");
    sqlx::raw_sql("drop event trigger fail").execute(&pool).await.unwrap();
    until("the other's rebuild", WAIT, async || {
        is_rebuilt(&pool, "cloudwatcher").await
    })
    .await;
    ready(&admin).await;
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_hangs_in_another_hand_keeps_no_other_context_waiting() {
    let database = Database::create().await;
    let served = Served::start(&database).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    ready(&admin).await;
    served.end().await;
    made_by_another_version(&pool).await;
    // As somebody who rebuilds by hand holds it, and does not get on.
    let mut hangs = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('daybook rebuild cloudwatcher', 0))")
        .execute(&mut *hangs)
        .await
        .unwrap();
    let served = Served::start(&database).await;
    let admin = admin.at(&served.url);
    until("the sample's rebuild", WAIT, async || is_rebuilt(&pool, "sample").await).await;
    assert!(is_rebuilt(&pool, "cloudwatcher").await.is_none());
    hangs.rollback().await.unwrap();
    until("the other's rebuild", WAIT, async || {
        is_rebuilt(&pool, "cloudwatcher").await
    })
    .await;
    ready(&admin).await;
    served.end().await;
}
