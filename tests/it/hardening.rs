//! What went wrong once, or could have: large events, silent connections, wrong keys, other versions.

use std::time::Duration;

use book::{Book, Envelope, ExecuteError, Feed, MasterKey, Pools, Step};
use cloudwatcher::part::Part;
use cloudwatcher::request::DeviceRequest;
use cloudwatcher::supplier::Supplier;
use domain::register::{Command, Register};
use identity::role::Role;
use identity::user::User;
use projections::{Posted, Projector, rebuild};
use reqwest::Method;
use serde_json::{Value, json};
use tests::proxy::{Proxy, Silence, Which};
use tests::{Database, Ledger, Service};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

fn context() -> &'static projections::Context {
    &cloudwatcher_tables::CONTEXT
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn supplier(name: &str) -> Command<Supplier> {
    Command::Enter(parsed(json!({ "name": name })))
}

fn part(code: &str) -> Part {
    parsed(json!({"part_code": code, "name": "bolt"}))
}

/// Another process's book over the same database.
fn other_book(ledger: &Ledger) -> Book {
    Book::new(
        ledger.pools.writer.clone(),
        MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap(),
        tests::decisions(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_large_events_are_cut_by_bytes_and_a_rebuild_posts_them_all() {
    const EVENTS: usize = 120;
    const PAYLOAD_BYTES: usize = 110 << 10;
    let ledger = Ledger::open().await;
    let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
    ledger.does::<User>(ledger.actor, parsed(register)).await;
    for n in 0..EVENTS {
        let receive = json!({"receive": {
            "device_id": "truck-1", "request_type": "get_parts", "payload": n.to_string().repeat(PAYLOAD_BYTES / 3),
        }});
        ledger.does::<DeviceRequest>(Uuid::now_v7(), parsed(receive)).await;
    }
    let end = ledger.tail.end().await.unwrap();
    let (mut position, mut pages) = (0, 0);
    while position < end {
        let page = ledger.tail.after(position, 1_000).await.unwrap();
        let bytes: usize = page.iter().map(|recorded| recorded.event.len()).sum();
        assert!(bytes <= book::tail::PAGE_BYTES_MAX, "{bytes} bytes in one page");
        for recorded in page {
            position += 1;
            assert_eq!(recorded.position, position);
        }
        pages += 1;
    }
    assert!(pages > 1);
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let projector = Projector::new(
        context(),
        ledger.pools.clone(),
        ledger.tail.clone(),
        ledger.bus.clone(),
        posted.clone(),
    );
    let worker = tokio::spawn(projector.unwrap().run(ledger.stop.clone()));
    assert!(posted.wait(context(), end, WAIT).await.unwrap());
    let report = rebuild::rebuild(&ledger.pools, &ledger.tail, context(), false, &|_| {})
        .await
        .unwrap();
    assert!(report.differences.is_empty(), "{report:?}");
    let rows: i64 = sqlx::query_scalar("select count(*) from cloudwatcher.requests")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(rows, EVENTS as i64);
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_waiting_for_a_feed_loses_no_event() {
    let ledger = Ledger::open().await;
    let relay = ledger.relay();
    for n in 0..5 {
        ledger
            .does::<Register<Supplier>>(Uuid::now_v7(), supplier(&format!("Acme {n}")))
            .await;
    }
    for patience in 1..60 {
        let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
        let mut position = 0;
        let mut limit = Duration::from_micros(patience * 250);
        while position < 5 {
            if let Ok(page) = tokio::time::timeout(limit, feed.next(1_000)).await {
                for recorded in page.unwrap() {
                    position += 1;
                    assert_eq!(recorded.position, position, "after {limit:?}");
                }
            }
            limit = WAIT;
        }
    }
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_read_for_those_who_may_send_it_and_must_be_readable_for_ever() {
    let service = Service::start().await;
    let buyer = service.person(&["cloudwatcher.request.receive"], &[]).await;
    let raw = |path: &'static str, body: String| {
        let request = buyer
            .request(Method::POST, path)
            .header("content-type", "application/json");
        buyer.send(request.body(body))
    };
    raw("/v1/cloudwatcher/parts", "{".to_owned()).await.problem(403);
    raw("/v1/cloudwatcher/requests", "{".to_owned()).await.problem(400);
    let receive = |payload: String| format!(r#"{{"device_id": "a", "request_type": "b", "payload": {payload}}}"#);
    let nested = |levels: usize| receive("[".repeat(levels) + &"]".repeat(levels));
    raw("/v1/cloudwatcher/requests", nested(65)).await.problem(422);
    let magic = r#"{"$serde_json::private::RawValue": "[[1]]"}"#;
    raw("/v1/cloudwatcher/requests", receive(magic.to_owned()))
        .await
        .problem(400);
    let reply = raw("/v1/cloudwatcher/requests", nested(64)).await;
    let (position, stream) = (reply.position(), reply.json()["stream"].as_str().unwrap().to_owned());
    reply.ok();
    let path = format!("/v1/cloudwatcher/requests/{stream}");
    service.admin.get_after(&path, position).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_used_again_after_its_receipt_is_gone_makes_something_new() {
    let service = Service::start().await;
    let admin = &service.admin;
    let body = json!({"name": "Acme"});
    let enter = || {
        let request = admin.request(Method::POST, "/v1/cloudwatcher/suppliers");
        admin.send(request.header("Idempotency-Key", "k-1").json(&body))
    };
    let (first, again) = tokio::join!(enter(), enter());
    assert_eq!(first.text, again.text, "a repeat is answered as the first was");
    assert_eq!(first.headers["location"], again.headers["location"]);
    let pools = Pools::connect(&service.database.options).await.unwrap();
    sqlx::query("delete from book.receipts")
        .execute(&pools.writer)
        .await
        .unwrap();
    let later = enter().await;
    let location = later.headers["location"].clone();
    assert_ne!(first.headers["location"], location);
    let position = later.position();
    let made = later.ok();
    assert!(location.to_str().unwrap().ends_with(made["stream"].as_str().unwrap()));
    admin.get_after(location.to_str().unwrap(), position).await.ok();
    pools.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_id_draws_other_ids_once_its_receipt_is_gone() {
    let ledger = Ledger::open().await;
    let role = Uuid::now_v7();
    ledger
        .does::<Role>(role, parsed(json!({"define": {"name": "buyer", "permissions": ["*"]}})))
        .await;
    let envelope = Envelope {
        repeat: book::Repeat::Asked,
        ..ledger.envelope()
    };
    for n in 0..2 {
        let user = Uuid::now_v7();
        let register = json!({"register": {"name": "Ada", "email": format!("ada{n}@example.com")}});
        ledger.does::<User>(user, parsed(register)).await;
        let assign = || {
            vec![Step::of::<User>(
                user,
                None,
                parsed(json!({"assign-role": {"role_id": role}})),
            )]
        };
        let answer = ledger.book.execute(envelope.clone(), assign()).await.unwrap();
        assert_eq!(ledger.book.execute(envelope.clone(), assign()).await.unwrap(), answer);
        sqlx::query("delete from book.receipts")
            .execute(&ledger.pools.writer)
            .await
            .unwrap();
    }
    let ids: Vec<String> = sqlx::query_scalar(
        "select distinct payload->>'assignment_id' from book.events where payload->>'assignment_id' is not null",
    )
    .fetch_all(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_register_an_erased_user_again_is_refused_by_a_process_that_has_not_seen_the_erasure() {
    let ledger = Ledger::open().await;
    let user = Uuid::now_v7();
    let register = || parsed(json!({"register": {"name": "Ada", "email": "ada@example.com"}}));
    ledger.does::<User>(user, register()).await;
    ledger.does::<User>(user, parsed(json!({"erase": {}}))).await;
    let steps = vec![Step::of::<User>(user, None, register())];
    match other_book(&ledger).execute(ledger.envelope(), steps).await {
        Err(ExecuteError::Refused(refusal)) => assert_eq!(refusal.rule, "erased"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_those_of_the_whole_command() {
    let ledger = Ledger::open().await;
    let (a, b, c) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let step = |stream, command| Step::of::<Register<Part>>(stream, None, command);
    let both = vec![
        step(a, Command::Enter(part("P-1"))),
        step(b, Command::Enter(part("P-1"))),
    ];
    let clash = ledger.book.execute(ledger.envelope(), both).await;
    assert!(matches!(clash, Err(ExecuteError::Claimed { .. })), "{clash:?}");
    let passed_on = vec![
        step(a, Command::Enter(part("P-1"))),
        step(a, Command::Amend(part("P-2").into())),
        step(b, Command::Enter(part("P-1"))),
    ];
    ledger.book.execute(ledger.envelope(), passed_on).await.unwrap();
    let taken = ledger
        .book
        .execute(ledger.envelope(), vec![step(c, Command::Enter(part("P-1")))])
        .await;
    assert!(matches!(taken, Err(ExecuteError::Claimed { .. })), "{taken:?}");
}

#[tokio::test]
async fn a_process_of_the_former_version_may_still_append() {
    let ledger = Ledger::open().await;
    let refused: Option<String> = sqlx::query_scalar(
        "select max(outcome) from book.append(array[gen_random_uuid()], array[gen_random_uuid()], array['x'::bytea],
             array['[]'], array[0], '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
             '{}', '{}', '{}', '{}', '{}', '{}')",
    )
    .fetch_one(&ledger.pools.writer)
    .await
    .unwrap();
    assert_eq!(refused, None);
    let (overloads, open_to_readers): (i64, bool) = sqlx::query_as(
        "select count(*), bool_or(has_function_privilege('daybook_reader', oid, 'execute'))
         from pg_proc where pronamespace = 'book'::regnamespace and proname = 'append'",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!((overloads, open_to_readers), (2, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_another_master_key_does_not_start() {
    let service = Service::start().await;
    let mut config = tests::service::config(&service.database.url(), &service.database.name);
    config.master_key = Some("0123".repeat(16).as_str().into());
    let pools = Pools::connect(&service.database.options).await.unwrap();
    for book_knows in [true, false] {
        if !book_knows {
            // As in a book from before there was a check value: then its keys tell.
            sqlx::query("delete from book.master_key")
                .execute(&pools.owner)
                .await
                .unwrap();
        }
        let refused = daybook::serve(
            config.clone(),
            tests::contexts(),
            vec![daybook::Role::Api],
            Default::default(),
        )
        .await;
        let error = refused.expect_err("a refusal").to_string();
        assert!(error.contains("DAYBOOK_MASTER_KEY"), "{error}");
    }
    let (running, _, stop) = service.beside(vec![daybook::Role::Api]).await;
    stop.cancel();
    running.ended().await;
    pools.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_cut_short_leaves_no_generation_without_its_keys() {
    let ledger = Ledger::open().await;
    let statements = "drop schema cloudwatcher cascade; delete from book.generations;
        create function public.crash() returns event_trigger language plpgsql as $$ begin raise 'crash'; end $$;
        create event trigger crash on ddl_command_start when tag in ('CREATE INDEX') execute function public.crash()";
    sqlx::raw_sql(statements).execute(&ledger.pools.owner).await.unwrap();
    let ensure = || rebuild::ensure_live(&ledger.pools, &ledger.tail, context(), &|_| {});
    assert!(ensure().await.is_err());
    sqlx::raw_sql("drop event trigger crash")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    ensure().await.unwrap();
    let indexes: i64 = sqlx::query_scalar("select count(*) from pg_indexes where schemaname = 'cloudwatcher'")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    let tables: i64 = sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'cloudwatcher'")
        .fetch_one(&ledger.pools.owner)
        .await
        .unwrap();
    assert!(indexes > tables, "{indexes} indexes on {tables} tables");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_waits_for_whoever_holds_the_checkpoint() {
    let ledger = Ledger::open().await;
    ledger
        .does::<Register<Supplier>>(Uuid::now_v7(), supplier("Acme"))
        .await;
    let mut holder = ledger.pools.projector.begin().await.unwrap();
    sqlx::query("select from book.generations for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    let (pools, tail) = (ledger.pools.clone(), ledger.tail.clone());
    let rebuilding = tokio::spawn(async move {
        rebuild::rebuild(&pools, &tail, context(), true, &|_| {})
            .await
            .map(|_| ())
    });
    let mut attempts = std::collections::HashSet::new();
    let waiting = async {
        while attempts.len() < 2 && !rebuilding.is_finished() {
            let attempt: Option<chrono::DateTime<chrono::Utc>> = sqlx::query_scalar(
                "select xact_start from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_optional(&ledger.pools.owner)
            .await
            .unwrap();
            attempts.extend(attempt);
        }
    };
    tokio::time::timeout(WAIT, waiting).await.expect("the swap waits twice");
    holder.rollback().await.unwrap();
    rebuilding.await.unwrap().unwrap();
    assert_eq!(attempts.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_another_version_took_and_left_are_taken_back() {
    let service = Service::start().await;
    let admin = &service.admin;
    let enter =
        |name: &'static str| async move { admin.post("/v1/cloudwatcher/suppliers", &json!({ "name": name })).await };
    let position = enter("Acme").await.position();
    admin.get_after("/v1/cloudwatcher/suppliers", position).await.ok();
    let pools = Pools::connect(&service.database.options).await.unwrap();
    // As if an older process had gone back to its tables, and then ended.
    let taken = "update book.generations set generation = generation + 10, fingerprint = 'of another version'
                 where state = 'live'";
    sqlx::query(taken).execute(&pools.owner).await.unwrap();
    let later = enter("Bolts").await;
    let location = later.headers["location"].to_str().unwrap().to_owned();
    let position = later.position();
    let posted = async { while !admin.get_after(&location, position).await.status.is_success() {} };
    tokio::time::timeout(WAIT, posted)
        .await
        .expect("the tables are posted again");
    pools.close().await;
    service.end().await;
}

/// Pools whose way to the database can fall silent.
async fn apart(database: &Database) -> (Pools, Proxy) {
    let target = format!("{}:{}", database.options.get_host(), database.options.get_port());
    let proxy = Proxy::to(target).await;
    let options = database.options.clone().host("127.0.0.1").port(proxy.port);
    (Pools::new(&options), proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_over_a_connection_that_fell_silent_is_sent_again_over_another() {
    let ledger = Ledger::open().await;
    let (pools, proxy) = apart(&ledger.database).await;
    let book = Book::new(
        pools.writer.clone(),
        MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap(),
        tests::decisions(),
    );
    let enter = |name: &str| vec![Step::of::<Register<Supplier>>(Uuid::now_v7(), None, supplier(name))];
    book.execute(ledger.envelope(), enter("Acme")).await.unwrap();
    assert!(proxy.half_open(Which::Present, Silence::Both) > 0);
    let answer = tokio::time::timeout(Duration::from_secs(20), book.execute(ledger.envelope(), enter("Bolts"))).await;
    assert_eq!(answer.expect("an answer in time").unwrap().position, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_falls_silent_in_the_middle_of_a_call_leaves_its_pool() {
    let database = Database::create().await;
    let (pools, proxy) = apart(&database).await;
    let pool = &pools.owner;
    let calls = (0..pool.options().get_max_connections()).map(|_| sqlx::query("select pg_sleep(600)").execute(pool));
    let silent = async {
        let asleep = "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and datname = $1
                      and pid <> pg_backend_pid()";
        let server = sqlx::PgPool::connect_with(database.options.clone()).await.unwrap();
        let all = i64::from(pool.options().get_max_connections());
        while sqlx::query_scalar::<_, i64>(asleep)
            .bind(&database.name)
            .fetch_one(&server)
            .await
            .unwrap()
            < all
        {}
        proxy.half_open(Which::Present, Silence::Both);
        server.close().await;
    };
    tokio::select! {
        _ = futures::future::join_all(calls) => panic!("the calls sleep"),
        () = silent => {}
    }
    let answering = async { while sqlx::query("select 1").execute(pool).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), answering)
        .await
        .expect("the pool connects anew");
}

#[tokio::test]
async fn no_setting_of_the_database_changes_how_the_book_reads() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let setting = format!(
        "alter database {} set default_transaction_isolation = 'serializable'",
        database.name
    );
    sqlx::raw_sql(&setting).execute(&pools.owner).await.unwrap();
    pools.close().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    for pool in [&pools.owner, &pools.writer, &pools.projector, &pools.reader] {
        let isolation: String = sqlx::query_scalar("select current_setting('transaction_isolation')")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(isolation, "read committed");
        let idle: String = sqlx::query_scalar("show tcp_keepalives_idle")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(idle, "10");
    }
    pools.close().await;
}

#[tokio::test]
async fn a_migration_that_was_cut_short_is_made_good_by_the_next() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    // As a process leaves it that dies while the index is made.
    let cut_short = "update pg_index set indisvalid = false where indexrelid = 'book.receipts_by_time'::regclass;
                     update _sqlx_migrations set success = false where version = 8";
    sqlx::raw_sql(cut_short).execute(&pools.owner).await.unwrap();
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    let is_whole: (bool, bool) = sqlx::query_as(
        "select (select indisvalid from pg_index where indexrelid = 'book.receipts_by_time'::regclass),
                (select bool_and(success) from _sqlx_migrations)",
    )
    .fetch_one(&pools.owner)
    .await
    .unwrap();
    assert_eq!(is_whole, (true, true));
    pools.close().await;
}

#[tokio::test]
async fn a_database_that_a_newer_program_migrated_is_migrated_and_served() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'of a newer program', true, '\\x00', 1)";
    sqlx::raw_sql(newer).execute(&pools.owner).await.unwrap();
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    pools.close().await;
    let service = Service::over(database, vec![daybook::Role::Api]).await;
    service.end().await;
}
