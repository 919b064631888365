//! What a client is told when it asks too often, too much, or while a server does not answer.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use daybook::Role;
use reqwest::Method;
use serde_json::json;
use tests::proxy::{Proxy, Way};
use tests::service::Reply;
use tests::{Client, Database, Service, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

const ROWS: &str = "/v1/cloudwatcher/suppliers";
const WAIT: Duration = Duration::from_secs(30);
/// Longer than any request may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn roles() -> Vec<Role> {
    vec![Role::Api, Role::Relay, Role::Projector]
}

/// The seconds that an answer asks to wait for; its problem must be of this type.
#[track_caller]
fn wait_asked(reply: Reply, status: u16, r#type: &str) -> u64 {
    let seconds = reply
        .headers
        .get("retry-after")
        .map(|value| value.to_str().unwrap().parse().unwrap());
    let problem = reply.problem(status);
    assert_eq!(problem["type"], r#type, "{problem}");
    seconds.expect("an answer that says when to come again")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_too_often_is_told_when_to_come_again_and_others_are_not_held_up() {
    let service = Service::configured(Database::create().await, roles(), |config| {
        config.rate_per_second = NonZeroU32::new(2).unwrap();
    })
    .await;
    let (admin, other) = (&service.admin, Service::start_tenant(&service).await);
    let mut refused = Vec::new();
    for _ in 0..12 {
        let reply = admin.get(ROWS).await;
        if reply.status != 200 {
            refused.push(reply);
        }
    }
    assert!((2..=8).contains(&refused.len()), "{} of 12 refused", refused.len());
    for reply in refused {
        assert_eq!(wait_asked(reply, 429, "/problems/too-many-requests"), 1);
    }
    other.get(ROWS).await.ok();
    // A command that is refused so does nothing, and counts as nothing.
    let enter = || {
        let request = admin.request(Method::POST, ROWS).header("Idempotency-Key", "once");
        admin.send(request.json(&json!({"name": "Acme"})))
    };
    let look = || async {
        let reply = enter().await;
        if reply.status == 429 {
            None
        } else {
            Some(reply.position())
        }
    };
    let (position, took) = until("a turn", WAIT, look).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let last: i64 = sqlx::query_scalar("select book.last_position()")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(position, last);
    pool.close().await;
    service.end().await;
}

/// A service whose way to Postgres goes through a proxy.
pub async fn apart() -> (Service, Proxy) {
    let database = Database::create().await;
    let (proxy, url) = Proxy::to_url(&database.url()).await;
    let service = Service::configured(database, roles(), |config| {
        config.database_url = Some(url.as_str().into());
    })
    .await;
    (service, proxy)
}

fn enter(client: &Client, supplier: Uuid) -> reqwest::RequestBuilder {
    client
        .request(Method::POST, &format!("{ROWS}/{supplier}/enter"))
        .header("Idempotency-Key", supplier.to_string())
        .timeout(PATIENCE)
        .json(&json!({"name": "Acme"}))
}

/// Waits until reads, commands and health are as ever; the command happened once, however often it was sent.
async fn recovers(service: &Service, supplier: Uuid) {
    let admin = &service.admin;
    let look = || async {
        let reply = admin.send(enter(admin, supplier)).await;
        (reply.status == 200).then(|| reply.position())
    };
    let (position, _) = until("an accepted command", WAIT, look).await;
    let look = || async { (admin.get_after(ROWS, position).await.status == 200).then_some(()) };
    until("a read of what the command did", WAIT, look).await;
    let look = || async { (admin.get("/health/ready").await.status == 200).then_some(()) };
    until("readiness", WAIT, look).await;
    let rows = admin.get(&format!("{ROWS}?id=eq.{supplier}")).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1, "{rows}");
    let history = admin.get(&format!("{ROWS}/{supplier}/history")).await.ok();
    assert_eq!(
        history.to_string().matches("\"SupplierEntered\"").count(),
        1,
        "{history}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_everybody_is_asked_to_come_again_and_served_once_it_is_back() {
    let (service, proxy) = apart().await;
    let admin = &service.admin;
    admin.get(ROWS).await.ok();
    proxy.set(Way::Cut);
    let supplier = Uuid::now_v7();
    let started = Instant::now();
    let (read, health) = tokio::join!(admin.get(ROWS), admin.get("/health/ready"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(wait_asked(read, 503, "/problems/unavailable"), 1);
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["postgres"], false, "{}", health.text);
    assert_eq!(admin.get("/health/live").await.status, 200);
    // By now the book is asked again who the user is.
    let look = || async {
        let reply = admin.send(enter(admin, supplier)).await;
        assert_eq!(wait_asked(reply, 503, "/problems/unavailable"), 1);
        (started.elapsed() > Duration::from_secs(6)).then_some(())
    };
    until("a refused command of a user who is not remembered", PATIENCE, look).await;
    proxy.set(Way::Open);
    recovers(&service, supplier).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_hangs_and_a_body_that_stalls_hold_nobody_up_for_more_than_the_longest_request() {
    let (service, proxy) = apart().await;
    let admin = &service.admin;
    admin.get(ROWS).await.ok();
    let mut stalled = TcpStream::connect(service.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = head(
        admin,
        "POST",
        ROWS,
        "Content-Length: 100\r\nContent-Type: application/json\r\n",
    );
    stalled
        .write_all(format!("{head}{{\"name\": ").as_bytes())
        .await
        .unwrap();
    let stalled = async { answer(&mut stalled).await };
    let supplier = Uuid::now_v7();
    let started = Instant::now();
    proxy.set(Way::Frozen);
    let (stalled, command, read) = tokio::join!(
        stalled,
        admin.send(enter(admin, supplier)),
        admin.send(admin.request(Method::GET, ROWS).timeout(PATIENCE))
    );
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    for reply in [stalled, command, read] {
        assert_eq!(wait_asked(reply, 503, "/problems/unavailable"), 1);
    }
    proxy.set(Way::Open);
    recovers(&service, supplier).await;
    let beyond = admin.get_after(ROWS, 1_000_000).await.problem(422);
    assert_eq!(beyond["type"], "/problems/beyond-end", "{beyond}");
    service.end().await;
}

/// A head that is surely too large: the server looks at its size between two reads.
const HEAD_BYTES: usize = 300_000;

/// The head of a request; `headers` are whole lines.
pub fn head(client: &Client, method: &str, path: &str, headers: &str) -> String {
    let token = &client.token;
    format!("{method} {path} HTTP/1.1\r\nHost: daybook\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
}

/// Reads one answer off a connection: its head, and as much of a body as it announces.
pub async fn answer(stream: &mut TcpStream) -> Reply {
    let reading = async {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let count = stream.read(&mut buffer).await.expect("the connection stands");
            bytes.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert!(count > 0, "the connection ended within a head: {text:?}");
                continue;
            };
            let mut lines = head.lines();
            let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let headers: reqwest::header::HeaderMap = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| {
                    (
                        name.parse::<reqwest::header::HeaderName>().unwrap(),
                        value.parse().unwrap(),
                    )
                })
                .collect();
            let length = headers
                .get("content-length")
                .map_or(0, |value| value.to_str().unwrap().parse().unwrap());
            if body.len() >= length {
                return Reply {
                    status,
                    headers,
                    text: body[..length].to_owned(),
                };
            }
            assert!(count > 0, "the connection ended within a body: {text:?}");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_too_large_or_of_another_kind_is_refused_and_the_next_one_is_not() {
    let service = Service::start().await;
    let admin = &service.admin;
    let connect = || async {
        TcpStream::connect(service.url.trim_start_matches("http://"))
            .await
            .unwrap()
    };
    let refused = |reply: Reply, status: u16, r#type: &str| {
        let problem = reply.problem(status);
        assert_eq!(problem["type"], r#type, "{problem}");
        assert!(
            problem["request_id"].is_string() && problem["instance"].is_string(),
            "{problem}"
        );
    };
    let json = "Content-Type: application/json\r\n";

    // Announced, and refused though not a byte of it came.
    let mut stream = connect().await;
    stream
        .write_all(head(admin, "POST", ROWS, &format!("{json}Content-Length: 2000000000\r\n")).as_bytes())
        .await
        .unwrap();
    refused(answer(&mut stream).await, 413, "/problems/too-large");
    // Not announced, and without an end: refused once it is too large.
    let mut stream = connect().await;
    stream
        .write_all(head(admin, "POST", ROWS, &format!("{json}Transfer-Encoding: chunked\r\n")).as_bytes())
        .await
        .unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, " ".repeat(64 * 1024));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    refused(answer(&mut stream).await, 413, "/problems/too-large");

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "application/jsonp",
    ] {
        let request = admin
            .request(Method::POST, ROWS)
            .header("content-type", kind)
            .body("{\"name\": \"Acme\"}");
        refused(admin.send(request).await, 415, "/problems/media-type");
    }
    let untyped = admin.request(Method::POST, ROWS).body("{\"name\": \"Acme\"}");
    refused(admin.send(untyped).await, 415, "/problems/media-type");

    // Heads are refused before there is a request that could have a problem: the status says it all.
    let long = |size: usize| "x".repeat(size);
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (name, head) in [
        (
            "a large header",
            head(admin, "GET", ROWS, &format!("x-large: {}\r\n", long(HEAD_BYTES))),
        ),
        ("many headers", head(admin, "GET", ROWS, &many)),
        (
            "a long address",
            head(admin, "GET", &format!("{ROWS}?x={}", long(HEAD_BYTES)), ""),
        ),
    ] {
        let mut stream = connect().await;
        // The server may close before it has read all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let reply = answer(&mut stream).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (431, ""), "{name}");
    }
    let parameters: String = (0..60).map(|n| format!("&id=eq.{n}")).collect();
    refused(
        admin.get(&format!("{ROWS}?limit=1{parameters}")).await,
        400,
        "/problems/malformed",
    );
    let key = admin.request(Method::POST, ROWS).header("Idempotency-Key", long(1_000));
    let problem = admin.send(key.json(&json!({"name": "Acme"}))).await.problem(400);
    assert_eq!(problem["field"], "Idempotency-Key", "{problem}");

    let rows = admin.get(ROWS).await.ok();
    assert_eq!(rows["rows"], json!([]), "nothing of all this was entered");
    let position = admin.post(ROWS, &json!({"name": "Acme"})).await.position();
    admin.get_after(ROWS, position).await.ok();
    service.end().await;
}
