//! Ready means what the process serves.

use std::time::Duration;

use serde_json::{Value, json};
use tests::process::Process;
use tests::proxy::{Proxy, Way};
use tests::{Database, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(40);

fn names(health: &Value, list: &str, what: &str) -> bool {
    let words = health[list].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).any(|words| words.contains(what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_tables_are_degraded_and_take_no_process_out_of_service() {
    let service = Service::start().await;
    let (other, url, stop) = service.beside(vec![daybook::Role::Api]).await;
    let admin = &service.admin;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    for admin in [admin.clone(), admin.at(&url)] {
        let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
        until("both to be ready", WAIT, ready).await;
    }
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table cloudwatcher.suppliers in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let enter = |name: &str| {
        let (path, body) = (
            format!("/v1/cloudwatcher/suppliers/{}/enter", Uuid::now_v7()),
            json!({ "name": name }),
        );
        async move { admin.post(&path, &body).await }
    };
    enter("Acme").await.ok();
    for admin in [admin.clone(), admin.at(&url)] {
        let late = async || {
            let reply = admin.get("/health/ready").await;
            let health = reply.json();
            assert_eq!(reply.status, 200, "{health}");
            names(&health, "degraded", "behind the book").then_some(())
        };
        until("the tables' being late", WAIT, late).await;
    }
    // Commands go on all the while.
    let position = enter("Bolts").await.position();
    held.rollback().await.unwrap();
    let look = async || {
        let reply = admin.get_after("/v1/cloudwatcher/suppliers?limit=1", position).await;
        reply.status.is_success().then_some(())
    };
    until("the tables' catching up", WAIT, look).await;
    stop.cancel();
    other.ended().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_appends_do_not_get_through_is_not_ready_until_they_do() {
    let service = Service::start().await;
    let admin = &service.admin;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *held)
        .await
        .unwrap();
    let path = format!("/v1/cloudwatcher/suppliers/{}/enter", Uuid::now_v7());
    let body = json!({ "name": "Acme" });
    let sending = admin.post(&path, &body);
    let looking = async {
        let stalled = async || {
            // What is refused by reading alone does not show that anything can be written.
            let nothing = format!("/v1/cloudwatcher/suppliers/{}/strike", Uuid::now_v7());
            admin.post(&nothing, &json!({})).await.problem(404);
            let reply = admin.get("/health/ready").await;
            let is_told = names(&reply.json(), "problems", "no command has got through");
            (is_told && reply.status == 503).then_some(())
        };
        until("the stall", WAIT, stalled).await;
        held.rollback().await.unwrap();
        let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
        until("the end of the stall", WAIT, ready).await;
    };
    let (sent, ()) = tokio::join!(sending, looking);
    // It was sent again and again, and written once.
    assert!(sent.status == 200 || sent.status == 503, "{}", sent.text);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_nobody_relays_is_told_until_somebody_does() {
    let service = Service::over(tests::Database::create().await, vec![daybook::Role::Api]).await;
    let admin = &service.admin;
    let is_told = async || {
        let reply = admin.get("/health/ready").await;
        let health = reply.json();
        assert_eq!(reply.status, 200, "{health}");
        names(&health, "degraded", "nobody relays")
    };
    assert!(!is_told().await, "a moment without a leader is nothing to tell");
    until("its being told", WAIT, async || is_told().await.then_some(())).await;
    let (relay, _, stop) = service.beside(vec![daybook::Role::Relay]).await;
    until("somebody's relaying", WAIT, async || (!is_told().await).then_some(())).await;
    stop.cancel();
    relay.ended().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_nobody_fires_is_told() {
    let service = Service::over(tests::Database::create().await, vec![daybook::Role::Api]).await;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let set = |due: &str| {
        format!(
            "insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position, correlation_id,
                                      aggregate_type, aggregate_id, command)
             select gen_random_uuid(), name, gen_random_uuid(), clock_timestamp() {due}, gen_random_uuid(), 1,
                    gen_random_uuid(), 'elsewhere.thing', gen_random_uuid(), '{{}}' from book.policies"
        )
    };
    let is_told = async || {
        let reply = service.admin.get("/health/ready").await;
        let health = reply.json();
        assert_eq!(reply.status, 200, "{health}");
        names(&health, "degraded", "a timer of the policy")
    };
    sqlx::raw_sql(&set("+ interval '1 hour'")).execute(&pool).await.unwrap();
    assert!(!is_told().await);
    sqlx::raw_sql(&set("- interval '1 hour'")).execute(&pool).await.unwrap();
    assert!(is_told().await);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_waits_for_a_locked_table_is_told_so() {
    let service = Service::start().await;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("lock table cloudwatcher.suppliers in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let problem = service.admin.get("/v1/cloudwatcher/suppliers").await.problem(503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("holds a lock on a table"), "{problem}");
    held.rollback().await.unwrap();
    service.admin.get("/v1/cloudwatcher/suppliers").await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_outside_and_nobody_begins_is_degraded() {
    // Nobody here has the role that performs it.
    let service = Service::start().await;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let reactor = service.database.contexts.reactors().next().unwrap().name;
    let due = |minutes: i32| {
        let planning = sqlx::query(
            "insert into book.reactions
                 (reaction_id, reactor, tenant_id, event_id, position, place, key, lane, target, due_at, heads)
             values (gen_random_uuid(), $1, $2, gen_random_uuid(), 1, 1, 'key', gen_random_uuid(), 'target',
                     now() - make_interval(mins => $3), true)",
        );
        planning.bind(reactor).bind(service.tenant).bind(minutes).execute(&pool)
    };
    let told = format!("what the reactor {reactor} has to do was due");
    due(-1).await.unwrap();
    let health = service.admin.get("/health/ready").await.json();
    assert!(!names(&health, "degraded", &told), "{health}");
    due(5).await.unwrap();
    let reply = service.admin.get("/health/ready").await;
    assert!(names(&reply.json(), "degraded", &told), "{}", reply.text);
    assert_eq!(reply.status, 200, "it serves all the same");
    pool.close().await;
    service.end().await;
}

/// What `daybook health` ends with, asked of this address: whether it says that all is well, and its words.
async fn asked(listen: &str) -> (bool, String) {
    let output = tokio::process::Command::new(tests::setting("DAYBOOK_BIN"))
        .arg("health")
        .env("DAYBOOK_LISTEN", listen)
        .env_remove("RUST_LOG")
        .output()
        .await
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&words).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_health_says_whether_a_process_is_ready_and_why_it_is_not() {
    let database = Database::create().await;
    let (proxy, url) = Proxy::to_url(&database.url()).await;
    let nats = tests::setting("NATS_URL");
    let process = Process::start(&url, &nats, &database.name, "api,relay,projector").await;
    let listen = process.url.trim_start_matches("http://").to_owned();
    let ready = async || asked(&listen).await.0.then_some(());
    until("the process to be ready", WAIT, ready).await;
    // As an image has it: it listens on all addresses, and is asked on one.
    let everywhere = format!("0.0.0.0:{}", listen.rsplit(':').next().unwrap());
    let (is_ready, words) = asked(&everywhere).await;
    assert!(is_ready && words.starts_with("ready"), "{words}");
    proxy.set(Way::Cut);
    let unready = async || {
        let (is_ready, words) = asked(&listen).await;
        (!is_ready).then_some(words)
    };
    let (words, _) = until("the process not to be ready", WAIT, unready).await;
    assert!(words.contains("not ready: Postgres"), "{words}");
    process.kill();
    let (is_ready, words) = asked(&listen).await;
    assert!(!is_ready && words.contains("nobody answers"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_health_waits_for_nobody_who_takes_a_connection_and_says_nothing() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = silent.local_addr().unwrap().to_string();
    let (taken, (is_ready, words)) = tokio::join!(silent.accept(), asked(&listen));
    assert!(!is_ready && words.contains("has not answered within 10 s"), "{words}");
    drop(taken);
}
