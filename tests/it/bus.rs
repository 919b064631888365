//! What integrators may rely on: messages that stay, consumers that come back where they were.

mod forged;
mod integrator;
mod open;

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull, push};
use async_nats::jetstream::stream::{Config, Info, Stream};
use async_nats::jetstream::{self, Context};
use book::bus::BusConfig;
use book::{Bus, Feed};
use futures::StreamExt as _;
use tests::process::Servers;
use tests::proxy::{Proxy, Silence, Which};
use tests::{Database, Ledger, until};

use crate::relay::{enter, follow};

const WAIT: Duration = Duration::from_secs(60);
/// What is promised for a connection that goes silent.
const HALF_OPEN_RECOVERS_WITHIN: Duration = Duration::from_secs(20);
/// Events with which a stream made anew begins.
const REFILL_EVENTS: i64 = 100_000;

async fn jetstream(nats_url: &str) -> Context {
    jetstream::new(tests::nats(nats_url).await.unwrap())
}

/// The stream once a relay says that it is whole and it ends at this position. Restarts may come between.
async fn whole(nats_url: &str, ledger: &Ledger, position: i64) -> Stream {
    let look = || async {
        let client = tests::nats(nats_url).await.ok()?;
        let stream = jetstream::new(client).get_stream(&ledger.database.name).await.ok()?;
        let info = stream.cached_info();
        let whole = info.config.metadata.contains_key("daybook-incarnation");
        (whole && info.state.last_sequence == position as u64).then_some(stream)
    };
    until("a whole stream", WAIT, look).await.0
}

/// First, last and number of messages, and when the stream was made.
fn shape(info: &Info) -> (u64, u64, u64, String) {
    let (state, made) = (&info.state, info.created.to_string());
    (state.first_sequence, state.last_sequence, state.messages, made)
}

/// A durable consumer of an integrator, as its operator makes it.
fn durable(ledger: &Ledger, name: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        description: Some("posts to the ledger of Acme".to_owned()),
        filter_subject: format!("{}.>", ledger.database.name),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(45),
        max_ack_pending: 321,
        metadata: [("owner".to_owned(), "acme".to_owned())].into(),
        ..Default::default()
    }
}

/// Takes so many messages, each of which must follow the one before, and acknowledges them or not.
async fn take(consumer: &PullConsumer, from: i64, to: i64, acknowledge: bool) {
    let mut position = from;
    let taking = async {
        while position < to {
            let batch = consumer.fetch().max_messages((to - position) as usize).messages().await;
            let Ok(mut batch) = batch else { continue };
            while let Some(message) = batch.next().await {
                let message = message.unwrap();
                position += 1;
                assert_eq!(message.info().unwrap().stream_sequence, position as u64);
                if acknowledge {
                    message.double_ack().await.unwrap();
                }
            }
        }
    };
    tokio::time::timeout(WAIT, taking).await.expect("the consumer has them");
}

/// Waits until Postgres knows what a consumer acknowledged; `None` is for one that is forgotten.
async fn noted(ledger: &Ledger, name: &str, acknowledged: Option<i64>) {
    let look = || async {
        let noted: Option<i64> = sqlx::query_scalar("select acknowledged from book.bus_consumers where name = $1")
            .bind(name)
            .fetch_optional(&ledger.pools.owner)
            .await
            .unwrap();
        (noted == acknowledged).then_some(())
    };
    until("what a consumer acknowledged", WAIT, look).await;
}

/// A book of so many events, of which one was decided.
async fn swollen(ledger: &Ledger, events: i64) {
    enter(ledger, 1).await;
    sqlx::query(
        "insert into book.events
         select e.position + n, gen_random_uuid(), e.tenant_id, e.aggregate_type, gen_random_uuid()::text, e.sequence,
                e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at
         from book.events e, generate_series(1, $1) n where e.position = 1 order by n",
    )
    .bind(events - 1)
    .execute(&ledger.pools.owner)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_restarts_of_nats_orderly_or_not() {
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let mut ledger = Ledger::over(database, &servers.nats_url).await;
    // Room for all of it, so that what is gone is lost.
    let name = ledger.database.name.clone();
    ledger.bus = Bus::connect(BusConfig::new(&servers.nats_url, &name, &name))
        .await
        .unwrap();
    // More than a stream made anew begins with: this one begins in the middle of the book.
    let mut end = REFILL_EVENTS + 50;
    swollen(&ledger, end).await;
    let (relay, began) = (ledger.relay(), Instant::now());
    let stream = whole(&servers.nats_url, &ledger, end).await;
    println!("a stream of {REFILL_EVENTS} events was made in {:?}", began.elapsed());
    let (first, _, messages, made) = shape(stream.cached_info());
    assert_eq!((first, messages), (51, REFILL_EVENTS as u64));
    assert_eq!(stream.cached_info().config.first_sequence, None);
    for orderly in [true, false, true, false] {
        if orderly {
            servers.stop("nats");
        } else {
            servers.kill("nats");
        }
        servers.restart();
        let before = whole(&servers.nats_url, &ledger, end).await;
        assert_eq!(
            shape(before.cached_info()),
            (51, end as u64, (end - 50) as u64, made.clone()),
            "after a restart, in order: {orderly}"
        );
        enter(&ledger, 5).await;
        end += 5;
        let after = whole(&servers.nats_url, &ledger, end).await;
        assert_eq!(shape(after.cached_info()).3, made, "nobody made it anew");
    }
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_lost_its_data_comes_back_with_each_consumer_where_it_had_acknowledged() {
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let ledger = Ledger::over(database, &servers.nats_url).await;
    let relay = ledger.relay();
    enter(&ledger, 60).await;
    let stream = whole(&servers.nats_url, &ledger, 60).await;
    let behind = stream.create_consumer(durable(&ledger, "behind")).await.unwrap();
    take(&behind, 0, 30, true).await;
    // Given, and not acknowledged.
    take(&behind, 30, 35, false).await;
    let new = pull::Config {
        deliver_policy: DeliverPolicy::New,
        ..durable(&ledger, "new")
    };
    stream.create_consumer(new).await.unwrap();
    noted(&ledger, "behind", Some(30)).await;
    noted(&ledger, "new", Some(60)).await;

    // Its messages, then everything that NATS had, after an orderly end and after a crash.
    let (mut acknowledged, mut end) = (30, 60);
    for all in [false, true] {
        if all {
            servers.kill("nats");
            servers.wipe_nats();
        } else {
            servers.stop("nats");
            servers.lose_messages();
        }
        enter(&ledger, 10).await;
        end += 10;
        servers.restart();
        let stream = whole(&servers.nats_url, &ledger, end).await;
        let mut behind: PullConsumer = stream.get_consumer("behind").await.unwrap();
        let config = behind.info().await.unwrap().config.clone();
        assert_eq!(config.filter_subject, format!("{}.>", ledger.database.name));
        assert_eq!(
            (config.ack_wait, config.max_ack_pending),
            (Duration::from_secs(45), 321)
        );
        assert_eq!(config.metadata.get("owner").map(String::as_str), Some("acme"));
        // Every event from the first that it had not acknowledged on, none left out.
        take(&behind, acknowledged, acknowledged + 15, true).await;
        acknowledged += 15;
        noted(&ledger, "behind", Some(acknowledged)).await;
        let new: PullConsumer = stream.get_consumer("new").await.unwrap();
        take(&new, end - 10, end, true).await;
        noted(&ledger, "new", Some(end)).await;
    }
    let stream = whole(&servers.nats_url, &ledger, end).await;
    take(&stream.get_consumer("behind").await.unwrap(), acknowledged, end, true).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_its_owner_deleted_does_not_come_back_and_its_neighbour_does() {
    let ledger = Ledger::open().await;
    let nats_url = tests::setting("NATS_URL");
    let relay = ledger.relay();
    enter(&ledger, 20).await;
    let stream = whole(&nats_url, &ledger, 20).await;
    for name in ["deleted", "kept"] {
        let consumer = stream.create_consumer(durable(&ledger, name)).await.unwrap();
        take(&consumer, 0, 5, true).await;
        noted(&ledger, name, Some(5)).await;
    }
    let pushed = push::Config {
        durable_name: Some("pushed".to_owned()),
        deliver_subject: format!("pushed.{}", ledger.database.name),
        deliver_policy: DeliverPolicy::New,
        filter_subjects: vec![
            format!("{}.a.>", ledger.database.name),
            format!("{}.b.>", ledger.database.name),
        ],
        ..Default::default()
    };
    stream.create_consumer(pushed).await.unwrap();
    noted(&ledger, "pushed", Some(20)).await;
    stream.delete_consumer("deleted").await.unwrap();
    noted(&ledger, "deleted", None).await;
    jetstream(&nats_url)
        .await
        .delete_stream(&ledger.database.name)
        .await
        .unwrap();
    let stream = whole(&nats_url, &ledger, 20).await;
    take(&stream.get_consumer("kept").await.unwrap(), 5, 20, true).await;
    assert!(stream.consumer_info("deleted").await.is_err());
    let pushed = stream.consumer_info("pushed").await.unwrap().config;
    assert_eq!(pushed.deliver_subject, Some(format!("pushed.{}", ledger.database.name)));
    assert_eq!(pushed.filter_subjects.len(), 2);
    ledger.stop.cancel();
    relay.await.unwrap();
}

/// Makes a stream as a relay does that dies before it has finished it.
async fn half_made(ledger: &Ledger, config: Config) -> Stream {
    let jetstream = jetstream(&tests::setting("NATS_URL")).await;
    let config = Config {
        name: ledger.database.name.clone(),
        subjects: vec![format!("{}.>", ledger.database.name)],
        max_bytes: tests::ledger::STREAM_BYTES_MAX,
        ..config
    };
    jetstream.create_stream(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_relay_died_while_it_made_it_is_no_mirror_and_is_finished() {
    let nats_url = tests::setting("NATS_URL");
    // Not purged yet, purged, and with a beginning that is not to be.
    for (began, purged) in [(7, None), (7, Some(8)), (7, Some(5))] {
        let ledger = Ledger::open().await;
        enter(&ledger, 20).await;
        let incarnation = book::bus::incarnation(ledger.tail.pool()).await.unwrap();
        let metadata = [
            ("daybook-filling".to_owned(), incarnation),
            ("daybook-began".to_owned(), began.to_string()),
        ];
        let config = Config {
            metadata: metadata.into(),
            ..Config::default()
        };
        let half = half_made(&ledger, config).await;
        if let Some(sequence) = purged {
            half.purge().sequence(sequence).await.unwrap();
        }
        // It is none to read from.
        let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
        follow(&mut feed, 0, 20).await;
        let relay = ledger.relay();
        let stream = whole(&nats_url, &ledger, 20).await;
        let info = stream.cached_info();
        let continued = purged == Some(8);
        assert_eq!(info.created == half.cached_info().created, continued, "{purged:?}");
        let first = if continued { 8 } else { 1 };
        assert_eq!((info.state.first_sequence, info.state.messages), (first, 21 - first));
        assert!(info.config.deny_purge);
        enter(&ledger, 5).await;
        whole(&nats_url, &ledger, 25).await;
        ledger.stop.cancel();
        relay.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_a_former_version_is_replaced_and_its_consumers_stay_where_they_are() {
    let ledger = Ledger::open().await;
    let nats_url = tests::setting("NATS_URL");
    let relay = book::relay::Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
    let stop = ledger.stop.child_token();
    enter(&ledger, 20).await;
    let incarnation = book::bus::incarnation(ledger.tail.pool()).await.unwrap();
    let config = Config {
        metadata: [("daybook-incarnation".to_owned(), incarnation)].into(),
        first_sequence: Some(1),
        ..Config::default()
    };
    let former = half_made(&ledger, config).await;
    let jetstream = jetstream(&nats_url).await;
    // As a former version published them: without a code.
    for event in ledger.tail.sealed_after(0, 20).await.unwrap() {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("ce-id", event.event_id.to_string());
        let subject = format!("{}.an.event", ledger.database.name);
        let publishing = jetstream.publish_with_headers(subject, headers, event.event.into());
        publishing.await.unwrap().await.unwrap();
    }
    let consumer = former.create_consumer(durable(&ledger, "acme")).await.unwrap();
    take(&consumer, 0, 12, true).await;
    let relay = tokio::spawn(relay.run(stop.clone()));
    let look = || async {
        let stream = whole(&nats_url, &ledger, 20).await;
        (stream.cached_info().config.first_sequence.is_none()).then_some(stream)
    };
    let (stream, _) = until("a stream without a first sequence", WAIT, look).await;
    take(&stream.get_consumer("acme").await.unwrap(), 12, 20, true).await;
    stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_messages_came_of_age_is_left_as_it_is() {
    let ledger = Ledger::open().await;
    let nats_url = tests::setting("NATS_URL");
    let relay = ledger.relay();
    enter(&ledger, 20).await;
    let stream = whole(&nats_url, &ledger, 20).await;
    let made = stream.cached_info().created;
    let jetstream = jetstream(&nats_url).await;
    let config = Config {
        max_age: Duration::from_secs(1),
        duplicate_window: Duration::from_secs(1),
        ..stream.cached_info().config.clone()
    };
    jetstream.update_stream(config).await.unwrap();
    let aged = || async {
        let state = stream.get_info().await.ok()?.state;
        (state.messages == 0).then_some(())
    };
    until("the end of all messages", WAIT, aged).await;
    // Noted by a relay that has looked at the empty stream since.
    stream.create_consumer(durable(&ledger, "late")).await.unwrap();
    noted(&ledger, "late", Some(20)).await;
    enter(&ledger, 5).await;
    let stream = whole(&nats_url, &ledger, 25).await;
    assert_eq!(stream.cached_info().created, made);
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_nats_slows_no_command_and_mirrors_the_book_all_the_same() {
    let (proxy, url) = Proxy::to_url(&tests::setting("NATS_URL")).await;
    let ledger = Ledger::over(Database::create().await, &url).await;
    let nats_url = tests::setting("NATS_URL");
    proxy.delay(Duration::from_millis(400));
    let relay = ledger.relay();
    let began = Instant::now();
    for _ in 0..20 {
        enter(&ledger, 5).await;
    }
    // Twenty round trips to NATS would take 16 s.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 100).await;
    whole(&nats_url, &ledger, 100).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_nats_delays_no_command_and_no_feed_for_long_and_recovers_by_itself() {
    let (proxy, url) = Proxy::to_url(&tests::setting("NATS_URL")).await;
    let ledger = Ledger::over(Database::create().await, &url).await;
    let nats_url = tests::setting("NATS_URL");
    let relay = ledger.relay();
    enter(&ledger, 20).await;
    whole(&nats_url, &ledger, 20).await;
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 20).await;
    // Having caught up it turns to the bus.
    assert!(feed.next(100).await.unwrap().is_empty());

    assert_eq!(proxy.half_open(Which::Present, Silence::Both), 1);
    let began = Instant::now();
    let mut position = 20;
    while began.elapsed() < Duration::from_secs(5) {
        let one = Instant::now();
        enter(&ledger, 1).await;
        follow(&mut feed, position, position + 1).await;
        position += 1;
        assert!(
            one.elapsed() < Duration::from_secs(4),
            "event {position}: {:?}",
            one.elapsed()
        );
    }
    assert!(position > 25, "the feed went on from the book, to {position}");
    whole(&nats_url, &ledger, position).await;
    let took = began.elapsed();
    assert!(took < HALF_OPEN_RECOVERS_WITHIN, "{took:?}");
    println!("NATS half-open: commands and feed went on, the stream was whole again after {took:?}");
    enter(&ledger, 10).await;
    follow(&mut feed, position, position + 10).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}
