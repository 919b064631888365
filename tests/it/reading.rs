//! Reads: they never go back behind a position that was asked for, and their pages are bounded in bytes.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use book::bus::BusConfig;
use book::{Bus, MasterKey, Pools, Tail, Vault};
use daybook::Role;
use http::query::read::ROWS_BYTES_MAX;
use projections::history::TOLD_BYTES_MAX;
use projections::{Posted, Projector};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::ledger::MASTER_KEY;
use tests::process::{Process, Servers};
use tests::service::Reply;
use tests::{Client, Database, Service, service, until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";
const REQUESTS: &str = "/v1/cloudwatcher/requests";

fn context() -> &'static projections::Context {
    &cloudwatcher_tables::CONTEXT
}

/// The checkpoint that an answer says it was read at; 0 when it says none.
fn read_at(reply: &Reply) -> i64 {
    let header = reply.headers.get("daybook-position");
    header.map_or(0, |value| value.to_str().unwrap().parse().unwrap())
}

/// A projector of this test alone, which it can end.
struct Posting {
    worker: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl Posting {
    async fn begin(database: &Database, pools: &Pools) -> Self {
        let vault = Vault::new(pools.projector.clone(), MasterKey::from_hex(MASTER_KEY).unwrap());
        let tail = Tail::new(pools.projector.clone(), vault);
        let nats = tests::setting("NATS_URL");
        let bus = Bus::connect(BusConfig::new(&nats, &database.name, &database.name))
            .await
            .unwrap();
        let posted = Posted::new(pools.projector.clone(), &tests::tables());
        let projector = Projector::new(context(), pools.clone(), tail, bus, posted).unwrap();
        let stop = CancellationToken::new();
        let worker = tokio::spawn(projector.run(stop.clone()));
        Self { worker, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
    }
}

/// Takes back all that was posted, as a crash of the database takes back what had not reached the disk.
async fn take_back(owner: &PgPool) {
    let tables: Vec<String> = context()
        .all_tables()
        .map(|table| format!("cloudwatcher.{}", table.name))
        .chain(["cloudwatcher.changes".to_owned()])
        .collect();
    let statements = format!(
        "begin; update book.generations set position = 0; truncate {}; commit",
        tables.join(", ")
    );
    sqlx::raw_sql(&statements).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_waits_for_its_position_again_when_a_crash_has_taken_the_checkpoint_back() {
    let service = Service::over(Database::create().await, vec![Role::Api]).await;
    let admin = &service.admin;
    let pools = Pools::connect(&service.database.options).await.unwrap();
    let posting = Posting::begin(&service.database, &pools).await;
    let supplier = Uuid::now_v7();
    let one = format!("{SUPPLIERS}/{supplier}");
    admin.post(&format!("{one}/enter"), &json!({"name": "Acme"})).await.ok();
    let body = json!({"device_id": "truck-7", "request_type": "get_parts", "payload": {}});
    let received = admin.post(REQUESTS, &body).await;
    let request = received.json()["stream"].as_str().unwrap().to_owned();
    let respond = format!("{REQUESTS}/{request}");
    admin.post(&format!("{respond}/begin"), &json!({})).await.ok();
    let body = json!({"content": {"answer": 42}});
    admin.post(&format!("{respond}/respond"), &body).await.ok();
    let waiting = json!({"device_id": "truck-8", "request_type": "get_parts", "payload": {}});
    admin.post(REQUESTS, &waiting).await.ok();
    let last = admin
        .post(&format!("{one}/amend"), &json!({"name": "Acme Ltd"}))
        .await
        .position();
    let reads = [
        (one.clone(), "Acme Ltd"),
        (format!("{SUPPLIERS}?name=eq.Acme%20Ltd"), "Acme Ltd"),
        (format!("{one}/history"), "Acme Ltd"),
        (format!("{one}?at={last}"), "Acme Ltd"),
        (format!("{REQUESTS}/pending?device_id=truck-8"), "truck-8"),
        (format!("{respond}/response"), "42"),
        ("/v1/cloudwatcher/approvals/inbox".to_owned(), "asks"),
    ];
    // From here on the process remembers that all this was posted.
    for (path, told) in &reads {
        let reply = admin.get_after(path, last).await;
        assert!(
            reply.status == 200 && reply.text.contains(told),
            "{path}: {}",
            reply.text
        );
    }
    posting.end().await;
    take_back(&pools.owner).await;

    // Whoever asks for nothing is told what there is, and no more.
    let reply = admin.get(SUPPLIERS).await;
    assert_eq!((read_at(&reply), reply.ok()["rows"].as_array().unwrap().len()), (0, 0));
    // Nobody posts: no read may answer with what there is.
    let early = admin.get_after(&one, last).await.problem(503);
    assert_eq!(early["type"], "/problems/not-yet-posted", "{early}");
    let asked = reads.iter().map(|(path, told)| async move {
        let reply = admin.get_after(path, last).await;
        assert!(
            reply.status == 200 && reply.text.contains(told),
            "{path}: {}",
            reply.text
        );
        if !path.ends_with("/response") {
            assert!(read_at(&reply) >= last, "{path}: {:?}", reply.headers);
        }
    });
    let again = Posting::begin(&service.database, &pools);
    let (_, posting) = tokio::join!(futures::future::join_all(asked), again);
    posting.end().await;
    pools.close().await;
    service.end().await;
}

/// What each client was last told of its own row: the position and the name.
type Told = Arc<Mutex<HashMap<Uuid, (i64, String)>>>;

/// Changes a row of its own again and again, until told to end; failures are just passed over.
async fn changing(client: Client, told: Told, done: Arc<AtomicBool>) {
    let row = Uuid::now_v7();
    let mut command = "enter";
    for n in 0.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("Acme {n}");
        let request = client.request(reqwest::Method::POST, &format!("{SUPPLIERS}/{row}/{command}"));
        let Ok(answer) = request.json(&json!({"name": name})).send().await else {
            tokio::task::yield_now().await;
            continue;
        };
        // A command whose answer was lost may have happened; then the row is there to be amended.
        if answer.status() == 409 {
            command = "amend";
        }
        let is_done = answer.status() == 200;
        if let Some(position) = answer
            .json::<Value>()
            .await
            .ok()
            .filter(|_| is_done)
            .and_then(|answer| answer["position"].as_i64())
        {
            command = "amend";
            told.lock().unwrap().insert(row, (position, name));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_shows_an_older_row_after_postgres_was_killed() {
    const KILLS: usize = 2;
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let process = Process::start(
        &database.url(),
        &servers.nats_url,
        &database.name,
        "api,relay,projector",
    )
    .await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    for _ in 0..KILLS {
        let (told, done) = (Told::default(), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..8)
            .map(|_| tokio::spawn(changing(admin.clone(), told.clone(), done.clone())))
            .collect();
        let enough = || async {
            let told = told.lock().unwrap();
            (told.len() == 8 && told.values().all(|(_, name)| name.as_str() > "Acme 2")).then_some(())
        };
        until("commands", WAIT, enough).await;
        servers.kill("postgres");
        done.store(true, Ordering::Relaxed);
        futures::future::join_all(clients).await;
        servers.restart();
        let told: Vec<_> = told.lock().unwrap().clone().into_iter().collect();
        // From the first answer on, none may be older than what was acknowledged.
        let number = |name: &str| name.trim_start_matches("Acme ").parse::<u32>().unwrap();
        for (row, (position, name)) in &told {
            let look = || async {
                let reply = admin.get_after(&format!("{SUPPLIERS}/{row}"), *position).await;
                match reply.status.as_u16() {
                    200 => Some(reply),
                    503 => None,
                    _ => panic!("a row that was acknowledged is not there: {}", reply.text),
                }
            };
            let (reply, _) = until("a read", WAIT, look).await;
            assert!(read_at(&reply) >= *position, "{:?}", reply.headers);
            let shown = reply.ok()["name"].as_str().unwrap().to_owned();
            assert!(number(&shown) >= number(name), "{shown} is older than {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_comes_in_pages_that_together_tell_all_of_it() {
    const AMENDS: usize = 45;
    let service = Service::start().await;
    let admin = &service.admin;
    let one = format!("{SUPPLIERS}/{}", Uuid::now_v7());
    let mut position = admin
        .post(&format!("{one}/enter"), &json!({"name": "Acme"}))
        .await
        .position();
    for n in 0..AMENDS {
        let body = json!({"name": format!("Acme {n}")});
        position = admin.post(&format!("{one}/amend"), &body).await.position();
    }
    let whole = admin
        .get_after(&format!("{one}/history?limit=500"), position)
        .await
        .ok();
    assert_eq!(whole["changes"].as_array().unwrap().len(), AMENDS + 1, "{whole}");
    assert_eq!(whole["next"], Value::Null);
    let mut told = Vec::new();
    let mut next = Some("0".to_owned());
    while let Some(after) = next {
        let page = admin.get(&format!("{one}/history?limit=7&after={after}")).await.ok();
        let changes = page["changes"].as_array().unwrap();
        assert!((1..=7).contains(&changes.len()), "{page}");
        told.extend(changes.clone());
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(&told, whole["changes"].as_array().unwrap());
    let past_the_end = admin
        .get(&format!("{one}/history?after={}", i64::MAX))
        .await
        .problem(422);
    assert_eq!(past_the_end["field"], "after", "{past_the_end}");
    let beyond = admin.get(&format!("{one}/history?after={position}")).await.ok();
    assert_eq!(beyond, json!({"changes": [], "next": null}));
    for wrong in ["limit=0", "limit=501", "limit=x", "after=-1", "after=x", "since=1"] {
        admin.get(&format!("{one}/history?{wrong}")).await.problem(400);
    }
    // A member of one department sees as much of it as they see of the row.
    let member = service.person(&["cloudwatcher.suppliers.read"], &[]).await;
    let seen = member.get(&format!("{one}/history?limit=3")).await.ok();
    assert_eq!(seen["changes"].as_array().unwrap().len(), 3, "{seen}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_histories_are_bounded_in_bytes_and_nothing_is_left_out() {
    const ROWS: usize = 100;
    const CONTENT_BYTES: usize = 120 << 10;
    /// What an answer has besides what is counted.
    const SLACK_BYTES: usize = 1 << 20;
    const AMENDS: usize = 300;
    let service = Service::start().await;
    let admin = &service.admin;
    let mut position = 0;
    for _ in 0..ROWS {
        let one = format!("{REQUESTS}/{}", Uuid::now_v7());
        let body = json!({"device_id": "truck-1", "request_type": "get_parts", "payload": {}});
        admin.post(&format!("{one}/receive"), &body).await.ok();
        admin.post(&format!("{one}/begin"), &json!({})).await.ok();
        let body = json!({"content": "x".repeat(CONTENT_BYTES)});
        position = admin.post(&format!("{one}/respond"), &body).await.position();
    }
    let list = "/v1/cloudwatcher/responses?limit=200";
    let (mut rows, mut pages, mut next) = (BTreeSet::new(), 0, String::new());
    loop {
        let reply = admin.get_after(&format!("{list}{next}"), position).await;
        assert!(
            reply.text.len() <= ROWS_BYTES_MAX + SLACK_BYTES,
            "{} bytes",
            reply.text.len()
        );
        let page = reply.ok();
        rows.extend(page["rows"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        pages += 1;
        match page["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    assert_eq!(rows.len(), ROWS);
    assert!((2..ROWS).contains(&pages), "{pages}");

    let one = format!("/v1/cloudwatcher/parts/{}", Uuid::now_v7());
    let body =
        |n: usize| json!({"part_code": "P-1", "name": "bolt", "description": format!("{n}{}", "𝄞".repeat(3_990))});
    admin.post(&format!("{one}/enter"), &body(0)).await.ok();
    for n in 1..=AMENDS {
        position = admin.post(&format!("{one}/amend"), &body(n)).await.position();
    }
    let (mut told, mut pages, mut next) = (0, 0, Some("0".to_owned()));
    while let Some(after) = next {
        let reply = admin
            .get_after(&format!("{one}/history?limit=500&after={after}"), position)
            .await;
        assert!(
            reply.text.len() <= TOLD_BYTES_MAX + SLACK_BYTES,
            "{} bytes",
            reply.text.len()
        );
        let page = reply.ok();
        told += page["changes"].as_array().unwrap().len();
        pages += 1;
        next = page["next"].as_str().map(str::to_owned);
    }
    assert!(told == AMENDS + 1 && pages > 1, "{told} changes in {pages} pages");
    // More than one page of the stream, folded page by page.
    let id = one.rsplit('/').next().unwrap();
    let state = admin
        .get(&format!("/v1/streams/cloudwatcher/part/{id}/state"))
        .await
        .ok();
    assert_eq!(state["sequence"], AMENDS + 1, "{}", state["sequence"]);
    let before = admin
        .get(&format!("/v1/streams/cloudwatcher/part/{id}/state?at={}", position - 1))
        .await
        .ok();
    assert_eq!(before["sequence"], AMENDS, "{}", before["sequence"]);
    service.end().await;
}
