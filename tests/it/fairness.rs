//! What one person does reaches nobody else: places, bytes and turns have fair shares, and whatever names a place in
//! the book has to be in it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use daybook::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Database, Service};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::limits::head;

const WAIT: Duration = Duration::from_secs(20);
const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";
const STREAM: &str = "/v1/events/stream";

/// The administrator of another tenant, who is served whatever the others do.
async fn neighbour(service: &Service) -> Client {
    Service::start_tenant(service).await
}

async fn held(service: &Service, pool: &str) -> f64 {
    gauge(service, "shares_held", pool).await
}

async fn gauge(service: &Service, gauge: &str, name: &str) -> f64 {
    let metrics = service.admin.get("/metrics").await.text;
    let start = format!("daybook_{gauge}{{name=\"{name}\"}} ");
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(&start)?.parse().ok());
    values.next().expect("a pool is measured")
}

/// Connections on each of which a request was begun whose body does not end.
async fn begun(service: &Service, client: &Client, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::new();
    for _ in 0..count {
        let address = service.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).await.unwrap();
        let headers = "Content-Type: application/json\r\nContent-Length: 10\r\n";
        let head = head(client, "POST", SUPPLIERS, headers);
        connection.write_all(format!("{head}{{").as_bytes()).await.unwrap();
        all.push(connection);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_a_role_holds_no_place() {
    let service = Service::start().await;
    let nobody = service.person(&[], &[]).await;
    let anybody = service.person(&["cloudwatcher.supplier.enter"], &[]).await;
    let _stalled = begun(&service, &anybody, 20).await;
    // Who may send it is listened to, and holds a place meanwhile.
    tests::until("places held", WAIT, async || {
        (held(&service, "requests").await >= 20.0).then_some(())
    })
    .await;
    let _refused = begun(&service, &nobody, 50).await;
    neighbour(&service)
        .await
        .post(SUPPLIERS, &json!({"name": "Acme"}))
        .await
        .ok();
    tests::until("no more places held", WAIT, async || {
        (held(&service, "requests").await <= 20.0).then_some(())
    })
    .await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_beyond_the_end_names_the_end() {
    let service = Service::start().await;
    let admin = &service.admin;
    let one = format!("{SUPPLIERS}/{}", Uuid::now_v7());
    let end = admin
        .post(&format!("{one}/enter"), &json!({"name": "Acme"}))
        .await
        .position();
    let stream = one.replace(SUPPLIERS, "/v1/streams/cloudwatcher/supplier");
    let beyond = end + 1;
    for (path, header) in [
        (one.clone(), Some("Daybook-After")),
        (format!("{one}?Daybook-After={beyond}"), None),
        (format!("{SUPPLIERS}?Daybook-After={beyond}"), Some("Daybook-After")),
        (format!("{one}/history?Daybook-After={beyond}"), None),
        (format!("{one}?at={beyond}"), None),
        (format!("{stream}/state?at={beyond}"), None),
        (format!("{stream}?after={beyond}"), None),
        (format!("/v1/events?after={beyond}"), None),
        (format!("{STREAM}?after={beyond}"), None),
        (STREAM.to_owned(), Some("Last-Event-ID")),
        // The parameter is looked at although the header is the one that holds.
        (format!("{STREAM}?after={beyond}"), Some("Last-Event-ID")),
    ] {
        let mut request = admin.request(Method::GET, &path);
        if let Some(name) = header {
            request = request.header(name, beyond.to_string());
        }
        let problem = admin.send(request).await.problem(422);
        assert_eq!(problem["type"], "/problems/beyond-end", "{path}: {problem}");
        assert_eq!(problem["end"], end, "{path}: {problem}");
    }
    let request = admin.request(Method::GET, &format!("{one}?Daybook-After=1"));
    let differ = admin.send(request.header("Daybook-After", "2")).await.problem(400);
    assert_eq!(differ["field"], "Daybook-After", "{differ}");
    let huge = admin.get(&format!("{one}?Daybook-After=9000000000000000000")).await;
    assert_eq!(huge.problem(422)["end"], end);
    // What another process wrote a moment ago is asked of the database.
    let (running, url, stop) = service.beside(vec![daybook::Role::Api]).await;
    let elsewhere = admin
        .at(&url)
        .post(SUPPLIERS, &json!({"name": "Acme 2"}))
        .await
        .position();
    admin.get_after(&one, elsewhere).await.ok();
    stop.cancel();
    running.ended().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_a_former_history_is_refused() {
    let service = Service::start().await;
    let admin = &service.admin;
    let mut position = 0;
    for n in 0..3 {
        position = admin
            .post(SUPPLIERS, &json!({"name": format!("Acme {n}")}))
            .await
            .position();
    }
    let next = async |path: &str| {
        let page = admin.get_after(path, position).await.ok();
        page["next"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {page}"))
            .to_owned()
    };
    let (rows, events) = (format!("{SUPPLIERS}?limit=1"), "/v1/events?limit=1");
    let (of_rows, of_events) = (next(&rows).await, next(events).await);
    for path in [
        format!("{rows}&after={of_rows}"),
        format!("{events}&before={of_events}"),
    ] {
        admin.get(&path).await.ok();
    }
    let live = |id: &str| {
        admin
            .request(Method::GET, STREAM)
            .header("Last-Event-ID", id.to_owned())
    };
    let mut open = live(&position.to_string()).send().await.unwrap();
    let first = open.chunk().await.unwrap().unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    let id = first
        .lines()
        .find_map(|line| line.strip_prefix("id:"))
        .unwrap()
        .trim()
        .to_owned();
    assert!(id.starts_with(&format!("{position}.")), "{first}");

    // As a restore leaves it behind.
    let owner = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    sqlx::query("update book.incarnation set id = gen_random_uuid()")
        .execute(&owner)
        .await
        .unwrap();
    owner.close().await;
    let (former, _) = tests::until("the other history to be seen", WAIT, async || {
        let reply = admin.get(&format!("{rows}&after={of_rows}")).await;
        (reply.status == StatusCode::CONFLICT).then_some(reply)
    })
    .await;
    let problem = former.problem(409);
    assert_eq!(problem["type"], "/problems/former-history", "{problem}");
    admin.get(&format!("{events}&before={of_events}")).await.problem(409);
    let resumed = live(&id).send().await.unwrap();
    assert_eq!(resumed.status(), StatusCode::CONFLICT);
    // What was open ends; begun anew, it goes on.
    let ended = async { while open.chunk().await.ok().flatten().is_some() {} };
    tokio::time::timeout(WAIT, ended).await.expect("the stream ends");
    assert_eq!(
        live(&position.to_string()).send().await.unwrap().status(),
        StatusCode::OK
    );
    let anew = next(&rows).await;
    assert_ne!(anew, of_rows);
    admin.get(&format!("{rows}&after={anew}")).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_streams_of_one_user_leave_room() {
    let service = Service::start().await;
    let greedy = service.person(&["audit.read"], &[]).await;
    let mut open = Vec::new();
    let refused = loop {
        let response = greedy.request(Method::GET, STREAM).send().await.unwrap();
        if response.status() != StatusCode::OK {
            break response;
        }
        open.push(response);
        assert!(open.len() < 1_000, "one user has all");
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    let problem: Value = refused.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("event streams"),
        "{problem}"
    );
    let other = neighbour(&service).await;
    for client in [&service.admin, &other] {
        let response = client.request(Method::GET, STREAM).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    // Those that end are free again.
    open.truncate(10);
    tests::until("room", WAIT, async || {
        (held(&service, "event_streams").await < 20.0).then_some(())
    })
    .await;
    assert_eq!(
        greedy.request(Method::GET, STREAM).send().await.unwrap().status(),
        StatusCode::OK
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_weighed_before_it_is_parsed() {
    let service = Service::start().await;
    let admin = &service.admin;
    let request = |values: usize| {
        let payload = vec![json!({}); values];
        json!({"device_id": "truck-1", "request_type": "report", "payload": payload})
    };
    let problem = admin
        .post("/v1/cloudwatcher/requests", &request(25_000))
        .await
        .problem(413);
    assert_eq!(problem["type"], "/problems/too-large", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("values"), "{problem}");
    admin.post("/v1/cloudwatcher/requests", &request(9_000)).await.ok();
    // As large as it may be for some commands, and not for this one.
    let name = "x".repeat(100 << 10);
    let problem = admin.post(SUPPLIERS, &json!({"name": name})).await.problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("65536"), "{problem}");
    assert!(held(&service, "body_bytes").await < 1.0);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_of_one_tenant_keep_no_other_from_the_log() {
    const SEARCHES: usize = 300;
    const WAITING: f64 = 60.0;
    let service = Service::over(Database::create().await, vec![Role::Api]).await;
    // Connections of one address wait for each other.
    let other = neighbour(&service).await.coming_from(IpAddr::from([127, 0, 0, 2]));
    // Each event that is looked at takes a while.
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    sqlx::raw_sql(
        "alter table book.events enable row level security;
         create policy slow on book.events for select to public
             using (current_user <> 'daybook_projector' or pg_sleep(0.005) is not null)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let search = || {
        let (admin, answered) = (service.admin.clone(), answered.clone());
        tokio::spawn(async move {
            let status = admin
                .get("/v1/events?actor=00000000-0000-4000-8000-00000000dead")
                .await
                .status;
            answered.fetch_add(usize::from(status == StatusCode::OK), Ordering::Relaxed);
            status
        })
    };
    let searches: Vec<_> = (0..SEARCHES).map(|_| search()).collect();
    let waits = async || (gauge(&service, "turns_waiting", "log").await >= WAITING).then_some(());
    tests::until("reads of the log that wait", WAIT, waits).await;
    let before = answered.load(Ordering::Relaxed);
    let history = other.get("/v1/events?limit=1").await;
    let meanwhile = answered.load(Ordering::Relaxed) - before;
    assert_eq!(history.status, StatusCode::OK, "{}", history.text);
    let mut allowed = 0;
    for search in searches {
        let status = search.await.unwrap();
        assert!(
            [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS].contains(&status),
            "{status}"
        );
        allowed += usize::from(status == StatusCode::OK);
    }
    assert!(allowed as f64 >= WAITING, "{allowed}");
    assert!((meanwhile as f64) < WAITING / 2.0, "{meanwhile} that waited came first");
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_quiet_log_is_told_how_far_others_have_come_and_waits_again() {
    let service = Service::over(Database::create().await, vec![Role::Api]).await;
    let other = neighbour(&service).await;
    service.admin.post(SUPPLIERS, &json!({"name": "Acme"})).await.ok();
    let mut live = other.request(Method::GET, STREAM).send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    // For longer than what was read is kept for who does not take it.
    let opened = Instant::now();
    let is_old = async || (opened.elapsed() > Duration::from_millis(1_500)).then_some(());
    tests::until("a stream that was read a while ago", WAIT, is_old).await;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    // At once, as for a process that stood still meanwhile.
    sqlx::query(
        "insert into book.events
         select book.last_position() + n, gen_random_uuid(), tenant_id, aggregate_type, gen_random_uuid()::text, 1,
                event_type, event_version, payload, metadata, recorded_at
         from book.events, generate_series(1, 1500) n where event_type = 'SupplierEntered'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let end: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&pool)
        .await
        .unwrap();
    let (told, mut seen) = (format!("id: {end}."), String::new());
    let reading = async {
        while !seen.contains(&told) {
            let chunk = live.chunk().await.unwrap().expect("it goes on");
            seen.push_str(core::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(WAIT, reading).await.expect("it is told");
    assert!(!seen.contains("SupplierEntered"), "{seen}");
    pool.close().await;
    service.end().await;
}
