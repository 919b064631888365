//! The bus as the book's mirror: sequence = position, whatever happens to relays and to NATS.

use std::time::Duration;

use book::bus::BusConfig;
use book::relay::Relay;
use book::{Bus, Feed};
use cloudwatcher::supplier::Supplier;
use domain::register::{Command, Register};
use futures::StreamExt as _;
use tests::{Ledger, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

pub async fn enter(ledger: &Ledger, suppliers: u128) {
    let entries = (0..suppliers).map(|n| {
        let supplier = Supplier {
            name: format!("Acme {n}"),
            contact_email: None,
            contact_phone: None,
            website: None,
            lead_time_days: None,
            is_preferred: false,
        };
        ledger.does::<Register<Supplier>>(Uuid::now_v7(), Command::Enter(supplier))
    });
    futures::future::join_all(entries).await;
}

/// A stream on the bus; none until a relay has made it.
async fn stream(name: &str) -> Option<async_nats::jetstream::stream::Stream> {
    let client = tests::nats(&tests::setting("NATS_URL")).await.unwrap();
    async_nats::jetstream::new(client).get_stream(name).await.ok()
}

/// The stream, once it mirrors the book up to `position`.
pub async fn mirrored(ledger: &Ledger, position: u64) -> async_nats::jetstream::stream::Stream {
    mirrored_as(&ledger.database.name, position).await
}

/// As [`mirrored`], of a stream that is not called like the database.
pub async fn mirrored_as(name: &str, position: u64) -> async_nats::jetstream::stream::Stream {
    let look = async || {
        let stream = stream(name).await?;
        let info = stream.cached_info();
        let is_whole = info.config.metadata.contains_key("daybook-incarnation");
        (is_whole && info.state.last_sequence == position).then_some(stream)
    };
    until("a relay's mirroring the book", WAIT, look).await.0
}

/// Reads from the feed until `position`; every event must follow the one before.
pub async fn follow(feed: &mut Feed, from: i64, to: i64) {
    let mut position = from;
    let reading = async {
        while position < to {
            for event in feed.next(100).await.unwrap() {
                position += 1;
                assert_eq!(event.position, position);
            }
        }
    };
    tokio::time::timeout(WAIT, reading).await.expect("the feed goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_mirror_the_book_once_and_the_standby_takes_over() {
    let ledger = Ledger::open().await;
    let relay = || Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
    let (first, second) = (relay(), relay());
    let (first_status, second_status) = (first.status(), second.status());
    let first = tokio::spawn(first.run(ledger.stop.clone()));
    // The one that is ended below must be the one that publishes.
    let leads = || async { first_status.borrow().leading.then_some(()) };
    until("the first relay's lead", WAIT, leads).await;
    let second = tokio::spawn(second.run(ledger.stop.clone()));
    enter(&ledger, 200).await;
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 200).await;
    mirrored(&ledger, 200).await;
    assert!(first_status.borrow().leading && !second_status.borrow().leading);
    assert_eq!(second_status.borrow().position, 0, "the stand-by published nothing");
    // Aborted like a killed process: nothing is released but by the end of its connection.
    first.abort();
    enter(&ledger, 200).await;
    follow(&mut feed, 200, 400).await;
    let leads = || async { second_status.borrow().leading.then_some(()) };
    let (_, took) = until("the second relay's lead", WAIT, leads).await;
    assert!(took < Duration::from_secs(10), "{took:?}");

    let stream = mirrored(&ledger, 400).await;
    let mut messages = stream
        .create_consumer(async_nats::jetstream::consumer::pull::OrderedConfig::default())
        .await
        .unwrap()
        .messages()
        .await
        .unwrap();
    for event in ledger.tail.after(0, 400).await.unwrap() {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!(message.info().unwrap().stream_sequence, event.position as u64);
        assert_eq!(message.payload, event.event.as_bytes());
        let id = message.headers.as_ref().unwrap().get("ce-id").unwrap().as_str();
        assert_eq!(id, event.event_id.to_string());
    }
    ledger.stop.cancel();
    second.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_bus_loses_nothing_and_is_made_anew_at_the_same_positions() {
    let ledger = Ledger::open().await;
    let relay = ledger.relay();
    enter(&ledger, 50).await;
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 50).await;
    let client = tests::nats(&tests::setting("NATS_URL")).await.unwrap();
    let _ = async_nats::jetstream::new(client)
        .delete_stream(&ledger.database.name)
        .await;
    enter(&ledger, 50).await;
    follow(&mut feed, 50, 100).await;
    mirrored(&ledger, 100).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_was_restored_in_its_place_begins_a_new_history_and_the_bus_has_no_event_of_the_former_one() {
    // Shorter than the stream, as long as it, and longer by then.
    for since in [0, 10, 15] {
        let ledger = Ledger::open().await;
        enter(&ledger, 20).await;
        let stop = ledger.stop.child_token();
        let relay = Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
        let relay = tokio::spawn(relay.run(stop.clone()));
        mirrored(&ledger, 20).await;
        stop.cancel();
        relay.await.unwrap();
        let pool = ledger.tail.pool();
        let before = book::bus::incarnation(pool).await.unwrap();
        sqlx::raw_sql(
            "alter table book.events disable trigger user;
             delete from book.events where position > 10;
             alter table book.events enable trigger user",
        )
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
        enter(&ledger, since).await;
        let relay = ledger.relay();
        let end = 10 + u64::try_from(since).unwrap();
        let stream = mirrored_anew(&ledger, end, &before).await;
        for position in 1..=end {
            let message = stream.get_raw_message(position).await.unwrap();
            let event = &ledger.tail.at(&[position.cast_signed()]).await.unwrap()[0];
            let id = message.headers.get("ce-id").unwrap().as_str();
            assert_eq!(id, event.event_id.to_string(), "{position} of {end}");
        }
        let now = book::bus::incarnation(pool).await.unwrap();
        assert_ne!(now, before);
        ledger.stop.cancel();
        relay.await.unwrap();
    }
}

/// As [`mirrored`], of a stream of another history.
async fn mirrored_anew(ledger: &Ledger, position: u64, former: &str) -> async_nats::jetstream::stream::Stream {
    let look = async || {
        let stream = stream(&ledger.database.name).await?;
        let info = stream.cached_info();
        let of = info.config.metadata.get("daybook-incarnation");
        let is_whole = of.is_some_and(|incarnation| incarnation != former);
        (is_whole && info.state.last_sequence == position).then_some(stream)
    };
    until("a relay's mirroring the restored book", WAIT, look).await.0
}

#[tokio::test]
async fn the_server_refuses_what_a_zombie_relay_would_publish() {
    let ledger = Ledger::open().await;
    let relay = ledger.relay();
    enter(&ledger, 10).await;
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 10).await;
    mirrored(&ledger, 10).await;
    let client = tests::nats(&tests::setting("NATS_URL")).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let refused = async {
        loop {
            let late = async_nats::jetstream::message::PublishMessage::build()
                .payload("late".into())
                .expected_last_sequence(7);
            let Ok(acknowledgement) = jetstream
                .send_publish(format!("{}.zombie", ledger.database.name), late)
                .await
            else {
                continue;
            };
            if let Err(error) = acknowledgement.await
                && error.to_string().contains("wrong last")
            {
                return;
            }
        }
    };
    tokio::time::timeout(WAIT, refused)
        .await
        .expect("a guard names the wrong sequence");
    mirrored(&ledger, 10).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test]
async fn a_feed_without_a_bus_reads_the_book() {
    let ledger = Ledger::over(tests::Database::create().await, "nats://nobody:nothing@127.0.0.1:1").await;
    enter(&ledger, 25).await;
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 25).await;
    enter(&ledger, 5).await;
    follow(&mut feed, 25, 30).await;
}

#[tokio::test]
async fn a_relay_that_has_not_got_through_yet_is_behind_by_all_of_the_book() {
    let ledger = Ledger::over(tests::Database::create().await, "nats://nobody:nothing@127.0.0.1:1").await;
    enter(&ledger, 25).await;
    let relay = Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
    let status = relay.status();
    let relay = tokio::spawn(relay.run(ledger.stop.clone()));
    let told = || async { (status.borrow().lag == 25).then_some(()) };
    until("the relay's telling what the bus lacks", WAIT, told).await;
    assert!(status.borrow().leading && status.borrow().position == 0);
    ledger.stop.cancel();
    relay.await.unwrap();
}

/// Relays over a stream that may hold so many bytes until it mirrors the book; the stream as it is then.
async fn relayed(ledger: &Ledger, bytes: i64, position: u64) -> async_nats::jetstream::stream::Info {
    let (nats_url, name) = (tests::setting("NATS_URL"), &ledger.database.name);
    let mut config = BusConfig::new(&nats_url, name, name);
    config.stream_bytes_max = bytes;
    config.open = std::env::var_os("DAYBOOK_NATS_OPEN").is_some();
    let bus = Bus::connect(config).await.unwrap();
    let stop = ledger.stop.child_token();
    let relay = Relay::new(ledger.tail.clone(), bus, ledger.book.committed());
    let relay = tokio::spawn(relay.run(stop.clone()));
    let resized = async || {
        let info = mirrored(ledger, position).await.cached_info().clone();
        (info.config.max_bytes == bytes).then_some(info)
    };
    let (info, _) = until("the stream's size", WAIT, resized).await;
    stop.cancel();
    relay.await.unwrap();
    info
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_made_to_hold_what_is_configured_and_is_no_other_stream_for_that() {
    const SMALL: i64 = 20_000;
    let ledger = Ledger::open().await;
    enter(&ledger, 100).await;
    let full = relayed(&ledger, SMALL, 100).await;
    assert!(full.state.first_sequence > 1, "it holds what fits: {full:?}");
    // Larger, and so not full any more: what it lost is explained all the same, also to the next relay.
    for bytes in [
        tests::ledger::STREAM_BYTES_MAX,
        2 * SMALL,
        tests::ledger::STREAM_BYTES_MAX,
    ] {
        let now = relayed(&ledger, bytes, 100).await;
        assert_eq!(now.created, full.created);
        assert_eq!(now.state.first_sequence, full.state.first_sequence);
    }
    enter(&ledger, 5).await;
    let now = relayed(&ledger, tests::ledger::STREAM_BYTES_MAX, 105).await;
    assert_eq!(
        (now.created, now.state.first_sequence),
        (full.created, full.state.first_sequence)
    );
}
