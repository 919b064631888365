//! Half-open connections and processes that stand still, with real processes: what waits for an answer that
//! never comes gives up in time, and one process alone recovers from it by itself.

use std::time::{Duration, Instant};

use book::appender::BATCHES_IN_FLIGHT;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tests::process::Process;
use tests::proxy::{Proxy, Silence, Which};
use tests::{Client, Database, Ledger, service, until};
use uuid::Uuid;

use crate::policies::{Goods, goods, submitted};

/// What is promised, for every part of a process, from the moment at which a connection falls silent.
const RECOVERY_MAX: Duration = Duration::from_secs(20);
/// When a test gives up, so that it can say how long it takes.
const WAIT: Duration = Duration::from_secs(75);
/// When a client gives an attempt up, and sends it again under its key.
const PATIENCE: Duration = Duration::from_secs(5);
const ROLES: &str = "api,relay,projector,policy";
const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";

/// A process with all roles, its ways to the servers, and the book as somebody else sees it.
struct Alone {
    process: Process,
    postgres: Proxy,
    nats: Proxy,
    admin: Client,
    goods: Goods,
    ledger: Ledger,
}

/// How long it took each part of the process to work again.
#[derive(Debug)]
struct Recovered {
    command: Duration,
    read: Duration,
    policy: Duration,
    timer: Duration,
    bus: Duration,
    ready: Duration,
}

impl Recovered {
    fn slowest(&self) -> Duration {
        [self.command, self.read, self.policy, self.timer, self.bus, self.ready]
            .into_iter()
            .max()
            .unwrap()
    }
}

impl Alone {
    async fn start() -> Self {
        let database = Database::create().await;
        let nats_url = tests::setting("NATS_URL");
        let (postgres, url) = Proxy::to_url(&database.url()).await;
        let (nats, way) = Proxy::to_url(&nats_url).await;
        let process = Process::start(&url, &way, &database.name, ROLES).await;
        let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        let ledger = Ledger::over(database, &nats_url).await;
        let goods = goods(&ledger).await;
        let alone = Self {
            process,
            postgres,
            nats,
            admin,
            goods,
            ledger,
        };
        alone.works("at first").await;
        alone
    }

    fn pool(&self) -> &PgPool {
        &self.ledger.pools.owner
    }

    async fn works(&self, after: &str) -> Recovered {
        self.works_since(after, Instant::now()).await
    }

    /// Waits until every part of the process works, each by something that is new.
    async fn works_since(&self, after: &str, since: Instant) -> Recovered {
        let entered = async {
            let supplier = Uuid::now_v7();
            let position = self.entered(supplier).await;
            let command = since.elapsed();
            let row = format!("{SUPPLIERS}/{supplier}");
            until("a read of what was entered", WAIT, async || {
                let read = self.admin.request(Method::GET, &row).header("Daybook-After", position);
                let reply = read.timeout(PATIENCE).send().await.ok()?;
                (reply.status() == 200).then_some(())
            })
            .await;
            (command, since.elapsed())
        };
        let ((command, read), policy, timer, bus, ready) = tokio::join!(
            entered,
            self.reacts(since),
            self.fires(since),
            self.mirrors(since),
            self.is_ready(since)
        );
        let recovered = Recovered {
            command,
            read,
            policy,
            timer,
            bus,
            ready,
        };
        println!("{after}: {recovered:?}");
        recovered
    }

    /// Enters a supplier as a client does that sends again under its key, and says at which position.
    async fn entered(&self, supplier: Uuid) -> i64 {
        let enter = async || {
            let request = self
                .admin
                .request(Method::POST, &format!("{SUPPLIERS}/{supplier}/enter"));
            let request = request
                .header("Idempotency-Key", supplier.to_string())
                .timeout(PATIENCE);
            let reply = request
                .json(&json!({"name": format!("Acme {supplier}")}))
                .send()
                .await
                .ok()?;
            if reply.status() != 200 {
                return None;
            }
            reply.json::<serde_json::Value>().await.ok()?["position"].as_i64()
        };
        until("an accepted command", WAIT, enter).await.0
    }

    /// Somebody else submits an order; the process's policies ask for its approval.
    async fn reacts(&self, since: Instant) -> Duration {
        let order = submitted(&self.ledger, &self.goods).await;
        self.happens("ApprovalAsked", order).await;
        since.elapsed()
    }

    /// A timer has fallen due; the process fires it.
    async fn fires(&self, since: Instant) -> Duration {
        let supplier = Uuid::now_v7();
        let command = json!({"enter": {"name": format!("Timed {supplier}")}});
        sqlx::query(
            "insert into book.timers (timer_id, policy, tenant_id, due_at, event_id, position, correlation_id,
                                      aggregate_type, aggregate_id, command)
             values (gen_random_uuid(), $1, $2, now(), gen_random_uuid(), 1, gen_random_uuid(),
                     'cloudwatcher.supplier', $3, $4)",
        )
        .bind(tests::policies()[0].name())
        .bind(self.ledger.tenant)
        .bind(supplier)
        .bind(command)
        .execute(self.pool())
        .await
        .unwrap();
        self.happens("SupplierEntered", supplier).await;
        since.elapsed()
    }

    async fn happens(&self, event_type: &str, stream: Uuid) {
        until(event_type, WAIT, async || {
            let happened = "select exists (select from book.events where event_type = $1 and aggregate_id = $2)";
            let happened = sqlx::query_scalar(happened).bind(event_type).bind(stream.to_string());
            let happened: bool = happened.fetch_one(self.pool()).await.unwrap();
            happened.then_some(())
        })
        .await;
    }

    /// The bus has what the book had a moment ago.
    async fn mirrors(&self, since: Instant) -> Duration {
        let end = self.ledger.tail.end().await.unwrap() as u64;
        let client = tests::nats(&tests::setting("NATS_URL")).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        until("the bus's following", WAIT, async || {
            let stream = jetstream.get_stream(&self.ledger.database.name).await.ok()?;
            (stream.cached_info().state.last_sequence >= end).then_some(())
        })
        .await;
        since.elapsed()
    }

    async fn is_ready(&self, since: Instant) -> Duration {
        until("readiness", WAIT, async || {
            let asked = self.admin.request(Method::GET, "/health/ready").timeout(PATIENCE);
            (asked.send().await.ok()?.status() == 200).then_some(())
        })
        .await;
        since.elapsed()
    }

    /// Nothing was lost or doubled meanwhile, and the tables equal a fold of the book.
    async fn settles(self) {
        let (events, streams): (i64, i64) = sqlx::query_as(
            "select count(*), count(distinct aggregate_id) from book.events where event_type in ('SupplierEntered', 'ApprovalAsked')",
        )
        .fetch_one(self.pool())
        .await
        .unwrap();
        assert_eq!(events, streams, "each happened once");
        for context in tests::tables() {
            let (pools, tail) = (&self.ledger.pools, &self.ledger.tail);
            let report = projections::rebuild::rebuild(pools, tail, context, false, &|_| {})
                .await
                .unwrap();
            assert!(report.compared && report.differences.is_empty(), "{report:?}");
        }
        assert!(!self.process.log().contains("panicked"), "{}", self.process.log());
    }
}

/// Fails for all that took too long, at once.
fn in_time(recovered: &[(String, Recovered)]) {
    let late: Vec<_> = recovered
        .iter()
        .filter(|(_, times)| times.slowest() > RECOVERY_MAX)
        .collect();
    assert!(late.is_empty(), "within {RECOVERY_MAX:?}: {late:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_alone_recovers_from_half_open_connections_to_postgres_within_twenty_seconds() {
    let alone = Alone::start().await;
    let mut recovered = Vec::new();
    for silence in [Silence::Both, Silence::ToServer, Silence::ToClient] {
        assert!(alone.postgres.half_open(Which::Present, silence) > 0);
        let after = format!("Postgres, all connections, {silence:?}");
        recovered.push((after.clone(), alone.works(&after).await));
    }
    alone.settles().await;
    in_time(&recovered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_one_role_that_fall_silent_hold_no_part_of_a_process_up_for_longer() {
    let alone = Alone::start().await;
    let mut recovered = Vec::new();
    for role in ["daybook_writer", "daybook_projector", "daybook_reader"] {
        alone
            .postgres
            .half_open(Which::greeted(&format!("role={role}")), Silence::Both);
        let after = format!("Postgres, connections of {role}");
        recovered.push((after.clone(), alone.works(&after).await));
    }
    alone.settles().await;
    in_time(&recovered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_connection_falls_silent_on_its_way_or_right_after_its_answer_stops_no_later_one() {
    let alone = Alone::start().await;
    let mut recovered = Vec::new();
    // What the client says last, the answer that it waits for, and what it would say once it has that.
    let once = [
        (Which::saying as fn(&str) -> Which, Silence::ToServer),
        (Which::saying, Silence::ToClient),
    ];
    // Each of the connections that appends go over, and one more.
    let after = [(Which::having_said as fn(&str) -> Which, Silence::ToServer); BATCHES_IN_FLIGHT + 1];
    for (n, (which, silence)) in once.into_iter().chain(after).enumerate() {
        let name = format!("number {n} is on its way");
        let which = which(&name);
        let silent = alone.postgres.silent();
        alone.postgres.half_open(which.clone(), silence);
        let since = Instant::now();
        let request = alone.admin.request(Method::POST, SUPPLIERS).timeout(PATIENCE);
        // Whether it is answered is not the question: it may be given up, but nobody after it.
        let _ = request.json(&json!({ "name": name })).send().await;
        until("silence", WAIT, async || {
            (alone.postgres.silent() > silent).then_some(())
        })
        .await;
        let heard = matches!(which, Which::HavingSaid(_));
        let after = format!(
            "Postgres, an append, {silence:?}{}",
            if heard { " after its answer" } else { "" }
        );
        recovered.push((after.clone(), alone.works_since(&after, since).await));
    }
    alone.settles().await;
    in_time(&recovered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_falls_silent_makes_nothing_later_than_twenty_seconds() {
    let alone = Alone::start().await;
    let mut recovered = Vec::new();
    for silence in [Silence::Both, Silence::ToServer, Silence::ToClient] {
        assert!(alone.nats.half_open(Which::Present, silence) > 0);
        let after = format!("NATS, all connections, {silence:?}");
        recovered.push((after.clone(), alone.works(&after).await));
    }
    alone.settles().await;
    in_time(&recovered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_a_little_late_only_make_a_process_slower() {
    let alone = Alone::start().await;
    for proxy in [&alone.postgres, &alone.nats] {
        proxy.delay(Duration::from_millis(20));
    }
    let recovered = alone.works("20 ms there and 20 ms back").await;
    assert!(recovered.slowest() < RECOVERY_MAX, "{recovered:?}");
    alone.settles().await;
}

/// How many of all workers the process leads.
async fn leads(process: &Process, all: &[String]) -> usize {
    let workers = process.health().await["workers"].clone();
    all.iter()
        .filter(|name| workers[name.as_str()]["leading"] == true)
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stands_still_is_replaced_within_twenty_seconds_and_does_nothing_twice_when_it_goes_on() {
    let alone = Alone::start().await;
    let (name, url) = (alone.ledger.database.name.clone(), alone.ledger.database.url());
    let health = alone.process.health().await;
    let all: Vec<String> = health["workers"].as_object().unwrap().keys().cloned().collect();
    let led = leads(&alone.process, &all).await;
    let standby = Process::start(&url, &tests::setting("NATS_URL"), &name, ROLES).await;
    // It stands still while it has something to do.
    let order = submitted(&alone.ledger, &alone.goods).await;
    alone.process.stop();
    let stopped = Instant::now();
    let others = Alone {
        admin: alone.admin.at(&standby.url),
        process: standby,
        ..alone
    };
    let recovered = others.works("a leader that stands still").await;
    others.happens("ApprovalAsked", order).await;
    let all_led = async || (leads(&others.process, &all).await >= led).then_some(());
    until("the stand-by's leads", WAIT, all_led).await;
    println!("the stand-by leads everything after {:?}", stopped.elapsed());
    alone.process.go_on();
    let led_none = async || (leads(&alone.process, &all).await == 0).then_some(());
    until("the former leader's standing down", WAIT, led_none).await;
    others.works("both go on").await;
    others.settles().await;
    in_time(&[("a leader that stands still".to_owned(), recovered)]);
}
