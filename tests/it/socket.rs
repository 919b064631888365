//! What a connection may take of a process, and whom its requests are of.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use daybook::Role;
use reqwest::Method;
use serde_json::json;
use tests::process::Process;
use tests::service::{administrator, config, http};
use tests::{Client, Database, Service, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits::{answer, head};

const ROWS: &str = "/v1/cloudwatcher/suppliers";
const WAIT: Duration = Duration::from_secs(30);
/// An answer of hundreds of kilobytes for which nobody needs a token.
const LARGE: &str = "GET /v1/openapi.json HTTP/1.1\r\nHost: daybook\r\n\r\n";
/// The connections of a process (`api/src/listen.rs`).
const CONNECTIONS_MAX: usize = 10_000;

async fn process(database: &Database) -> Process {
    let nats = tests::setting("NATS_URL");
    Process::start(&database.url(), &nats, &database.name, "api,relay,projector").await
}

/// A connection from one of the addresses of this machine.
async fn from(address: &str, url: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0))?;
    // Whoever does not read has little room for what comes.
    socket.set_recv_buffer_size(16 * 1024)?;
    socket.connect(url.trim_start_matches("http://").parse().unwrap()).await
}

/// Reads to the end of a connection, in order or not.
async fn ended(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_heads_end_in_ten_seconds() {
    let database = Database::create().await;
    let process = process(&database).await;
    let admin = administrator(&database, &process.url, Uuid::new_v4()).await;
    admin.get(ROWS).await.ok();
    let started = Instant::now();
    let half = "GET /v1/cloudwatcher/suppliers HTTP/1.1\r\nHost: day";
    let open = async || {
        let mut stream = from("127.0.0.2", &process.url).await.ok()?;
        stream.write_all(half.as_bytes()).await.ok()?;
        Some(stream)
    };
    let mut streams = Vec::new();
    // More than the half of all that one address may have; where few files may be open, as many as can be.
    for _ in 0..CONNECTIONS_MAX / 2 + 100 {
        streams.extend(open().await);
    }
    let opened = started.elapsed();
    // Whoever comes from elsewhere is served meanwhile.
    let asked = Instant::now();
    admin.get(ROWS).await.ok();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let metrics = http().get(format!("{}/metrics", process.url)).send().await.unwrap();
    let refused = counted(&metrics.text().await.unwrap(), "daybook_connections_refused_total");
    assert!(refused > 0, "{} connections of one address were taken", streams.len());
    // The last one was refused, or is as old as the rest by now.
    for stream in &mut streams {
        let left = (opened + Duration::from_secs(13)).saturating_sub(started.elapsed());
        let left = left.max(Duration::from_secs(1));
        tokio::time::timeout(left, ended(stream)).await.expect("its end");
    }
    assert!(started.elapsed() > Duration::from_secs(9), "{:?}", started.elapsed());
    // All of them may be had again.
    let mut stream = open().await.expect("a connection");
    stream.write_all(b"book\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 401);
    process.kill();
}

/// The value of a metric without labels; 0 of one that is not there.
fn counted(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_not_read_is_ended() {
    let database = Database::create().await;
    let process = process(&database).await;
    let unread = async || {
        let metrics = http().get(format!("{}/metrics", process.url)).send().await.unwrap();
        counted(&metrics.text().await.unwrap(), "daybook_connections_unread_total")
    };
    let (mut idle, mut slow) = (
        from("127.0.0.2", &process.url).await.unwrap(),
        from("127.0.0.2", &process.url).await.unwrap(),
    );
    // Many answers: more than what lies in the kernel of either side.
    let many = LARGE.repeat(40);
    idle.write_all(many.as_bytes()).await.unwrap();
    slow.write_all(many.as_bytes()).await.unwrap();
    let started = Instant::now();
    let reading = async {
        // Slowly: that is what is tried.
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        let (mut buffer, mut read) = (vec![0; 32 * 1024], 0);
        while started.elapsed() < Duration::from_secs(16) {
            pace.tick().await;
            read += slow.read_exact(&mut buffer).await.expect("who reads is written to");
        }
        read
    };
    let ending = async {
        let look = || async { (unread().await == 1).then_some(()) };
        until("the end of the writer that is not read", WAIT, look).await;
        started.elapsed()
    };
    let (read, took) = tokio::join!(reading, ending);
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(14)).contains(&took),
        "{took:?}"
    );
    assert!(read > 1 << 20, "{read} bytes");
    assert_eq!(unread().await, 1, "who reads slowly, but reads, is not ended");
    // What is left for the one that was ended is what had been sent, and not all of it.
    let mut rest = 0;
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = idle.read(&mut buffer).await {
        rest += read;
    }
    assert!(rest < 8 << 20, "{rest} bytes");
    process.kill();
}

/// Enters a supplier over this connection; the address that the log has for it.
async fn entered_over(mut stream: TcpStream, admin: &Client, headers: &str) -> String {
    let supplier = Uuid::now_v7();
    let body = json!({"name": supplier.to_string()}).to_string();
    let headers = format!(
        "{headers}Content-Type: application/json\r\nContent-Length: {}\r\n",
        body.len()
    );
    let head = head(admin, "POST", &format!("{ROWS}/{supplier}/enter"), &headers);
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    answer(&mut stream).await.ok();
    let log = admin
        .get(&format!("/v1/streams/cloudwatcher/supplier/{supplier}"))
        .await
        .ok();
    let ip = log["events"][0]["ip"].as_str();
    ip.unwrap_or_else(|| panic!("{log}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forwarded_address_is_audited() {
    let roles = vec![Role::Api, Role::Relay, Role::Projector];
    let service = Service::configured(Database::create().await, roles, |config| {
        config.proxies = vec!["127.0.0.3".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let (admin, url) = (&service.admin, &service.url);
    let proxied = "X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.1.2.3\r\n";
    let proxy = from("127.0.0.3", url).await.unwrap();
    assert_eq!(entered_over(proxy, admin, proxied).await, "198.51.100.7");
    let proxy = from("127.0.0.3", url).await.unwrap();
    assert_eq!(entered_over(proxy, admin, "").await, "127.0.0.3");
    // Nobody else is believed.
    let stranger = from("127.0.0.2", url).await.unwrap();
    assert_eq!(entered_over(stranger, admin, proxied).await, "127.0.0.2");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_has_its_own_listener() {
    let database = Database::create().await;
    let mut config = config(&database.url(), &database.name);
    config.listen_health = Some("127.0.0.1:0".parse().unwrap());
    let stop = CancellationToken::new();
    let roles = vec![Role::Api, Role::Relay, Role::Projector];
    let running = daybook::serve(config, database.contexts.clone(), roles, stop.clone())
        .await
        .unwrap();
    let main = format!("http://{}", running.address);
    let health = format!("http://{}", running.health.unwrap());
    let client = http();
    let status = async |url: String| client.get(url).send().await.unwrap().status().as_u16();
    let look = || async { (status(format!("{health}/health/ready")).await == 200).then_some(()) };
    until("readiness", WAIT, look).await;
    let mut told = Vec::new();
    for url in [&health, &main] {
        for path in ["/health/live", "/health/ready", "/metrics", "/v1/openapi.json"] {
            told.push(status(format!("{url}{path}")).await);
        }
    }
    assert_eq!(told, [200, 200, 200, 404, 200, 200, 404, 200]);

    // While requests drain it goes on, and says that nobody should send more.
    let admin = administrator(&database, &main, Uuid::new_v4()).await;
    let mut under_way = from("127.0.0.1", &main).await.unwrap();
    let begun = head(
        &admin,
        "POST",
        ROWS,
        "Content-Type: application/json\r\nContent-Length: 16\r\n",
    );
    under_way
        .write_all(format!("{begun}{{\"name\":").as_bytes())
        .await
        .unwrap();
    // It is under way once another one after it was answered.
    admin.send(admin.request(Method::GET, ROWS)).await.ok();
    stop.cancel();
    let look = || async {
        let ready = client.get(format!("{health}/health/ready")).send().await.unwrap();
        let is_503 = ready.status() == 503;
        let text = ready.text().await.unwrap();
        (is_503 && text.contains("the process is stopping")).then_some(())
    };
    until("a process that says it stops", WAIT, look).await;
    under_way.write_all(b" \"Acme\"}").await.unwrap();
    answer(&mut under_way).await.ok();
    running.ended().await;
}
