//! The feed between a bus that may lie and a book that does not.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::Config;
use book::bus::BusConfig;
use book::{Feed, MasterKey, Tail, Vault};
use futures::StreamExt as _;
use projections::{Posted, Projector, rebuild};
use sqlx::PgPool;
use tests::{Ledger, until};

use crate::relay::{enter, follow, mirrored, mirrored_as};

const WAIT: Duration = Duration::from_secs(20);

fn jetstream(client: async_nats::Client) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(client)
}

/// A message as a relay publishes it.
#[derive(Clone)]
struct Message {
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
}

/// The messages that a relay would make of the book so far. It makes them in a stream with a name of its own, because the
/// server removes a deleted stream's files in the background and cannot make one of the same name until it has.
async fn messages(ledger: &Ledger, end: u64) -> Vec<Message> {
    let name = &ledger.database.name;
    let elsewhere = format!("{name}_elsewhere");
    let mut config = BusConfig::new(&tests::setting("NATS_URL"), &elsewhere, name);
    config.stream_bytes_max = tests::ledger::STREAM_BYTES_MAX;
    let bus = book::Bus::connect(config).await.unwrap();
    let stop = ledger.stop.child_token();
    let relay = book::relay::Relay::new(ledger.tail.clone(), bus, ledger.book.committed());
    let relay = tokio::spawn(relay.run(stop.clone()));
    let stream = mirrored_as(&elsewhere, end).await;
    let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
    let taken = consumer.messages().await.unwrap().take(end as usize);
    let taken: Vec<_> = taken.map(Result::unwrap).collect().await;
    stop.cancel();
    relay.await.unwrap();
    let client = tests::nats(&tests::setting("NATS_URL")).await.unwrap();
    jetstream(client).delete_stream(&elsewhere).await.unwrap();
    let message = |message: async_nats::jetstream::Message| Message {
        subject: message.subject.to_string(),
        headers: message.headers.clone().unwrap(),
        payload: message.payload.to_vec(),
    };
    taken.into_iter().map(message).collect()
}

/// A stream that passes for the relay's and holds what the test puts there; some of it is lost again.
async fn forged(ledger: &Ledger, messages: &[&Message], lost: std::ops::RangeInclusive<u64>) {
    let jetstream = jetstream(tests::nats(&tests::setting("NATS_URL")).await.unwrap());
    let incarnation = book::bus::incarnation(ledger.tail.pool()).await.unwrap();
    let stream = jetstream
        .create_stream(Config {
            name: ledger.database.name.clone(),
            subjects: vec![format!("{}.>", ledger.database.name)],
            metadata: [("daybook-incarnation".to_owned(), incarnation)].into(),
            max_bytes: tests::ledger::STREAM_BYTES_MAX,
            ..Config::default()
        })
        .await
        .unwrap();
    for message in messages {
        // Without the relay's guards, which would refuse what this test is about.
        let mut plain = HeaderMap::new();
        for (name, values) in message
            .headers
            .iter()
            .filter(|(name, _)| !AsRef::<str>::as_ref(name).starts_with("Nats-"))
        {
            values
                .iter()
                .for_each(|value| plain.append(name.clone(), value.clone()));
        }
        let sent = jetstream.publish_with_headers(message.subject.clone(), plain, message.payload.clone().into());
        sent.await.unwrap().await.unwrap();
    }
    for sequence in lost {
        stream.delete_message(sequence).await.unwrap();
    }
}

/// Takes the events after a position out of the book; what is returned puts them back.
pub async fn hidden(ledger: &Ledger, after: i64) -> impl AsyncFnOnce() {
    let sql = format!(
        "create table kept as select * from book.events where position > {after};
         alter table book.events disable trigger user;
         delete from book.events where position > {after};
         alter table book.events enable trigger user"
    );
    sqlx::raw_sql(&sql).execute(&ledger.pools.owner).await.unwrap();
    let pool = ledger.pools.owner.clone();
    async move || {
        let sql = "insert into book.events select * from kept order by position; drop table kept";
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
}

/// A tail that does not see the book beyond a position until what is returned is called, while all others do: what it
/// says of later events it can only have from the bus.
async fn short_sighted(ledger: &Ledger, after: i64) -> (Tail, impl AsyncFnOnce()) {
    let sql = format!(
        "create table shown as select {after}::bigint as position;
         grant select on shown to public;
         alter table book.events enable row level security;
         create policy shown on book.events for select to public using (
             coalesce(current_setting('daybook.sight', true), '') <> 'short' or position <= (select position from shown))"
    );
    sqlx::raw_sql(&sql).execute(&ledger.pools.owner).await.unwrap();
    let sight = [("role", "daybook_projector"), ("daybook.sight", "short")];
    let pool = PgPool::connect_with(ledger.database.options.clone().options(sight))
        .await
        .unwrap();
    let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    let tail = Tail::new(pool.clone(), Vault::new(pool, master));
    let owner = ledger.pools.owner.clone();
    let show = async move || {
        let sql = "update shown set position = 1000000";
        sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    };
    (tail, show)
}

/// A tail that can be cut off from the book.
async fn severable(ledger: &Ledger) -> (PgPool, Tail) {
    let options = ledger.database.options.clone().options([("role", "daybook_projector")]);
    let pool = PgPool::connect_with(options).await.unwrap();
    let master = MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    (pool.clone(), Tail::new(pool.clone(), Vault::new(pool, master)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_has_caught_up_reads_the_bus_and_not_the_book() {
    let ledger = Ledger::open().await;
    let relay = ledger.relay();
    enter(&ledger, 20).await;
    mirrored(&ledger, 20).await;
    until("a connection to the bus", WAIT, || async {
        ledger.bus.is_connected().then_some(())
    })
    .await;
    let (pool, tail) = severable(&ledger).await;
    let mut feed = Feed::new(tail, ledger.bus.clone(), 0);
    follow(&mut feed, 0, 20).await;
    // Having caught up it turns to the bus, which has nothing new.
    assert!(feed.next(100).await.unwrap().is_empty());
    // Whatever comes from here on cannot have come from the book.
    pool.close().await;
    enter(&ledger, 300).await;
    mirrored(&ledger, 320).await;
    let mut position = 20;
    let reading = async {
        while position < 320 {
            // An error is an attempt to read the book, which a silent bus causes.
            for event in feed.next(100).await.unwrap_or_default() {
                position += 1;
                assert_eq!(event.position, position);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, reading).await.expect("the bus has it all");
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_middle_of_the_bus_is_filled_from_the_book_at_its_place() {
    for limit in [3, 7, 1_000] {
        let ledger = Ledger::open().await;
        enter(&ledger, 40).await;
        let messages = messages(&ledger, 40).await;
        forged(&ledger, &messages.iter().collect::<Vec<_>>(), 11..=25).await;
        let shown = hidden(&ledger, 5).await;
        let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
        // It has read all that there is of the book, and follows the bus, which is ahead.
        follow(&mut feed, 0, 5).await;
        follow(&mut feed, 5, 10).await;
        shown().await;
        let mut position = 10;
        let reading = async {
            while position < 40 {
                for event in feed.next(limit).await.unwrap() {
                    position += 1;
                    assert_eq!(event.position, position, "pages of {limit}");
                    let stored = &ledger.tail.at(&[position]).await.unwrap()[0];
                    assert_eq!((event.event_id, &event.event), (stored.event_id, &stored.event));
                }
            }
        };
        tokio::time::timeout(WAIT, reading).await.expect("the feed goes on");
    }
}

/// No message is lost.
const NONE: std::ops::RangeInclusive<u64> = std::ops::RangeInclusive::new(1, 0);

/// Posts what a forged bus and the true book say; the tables must equal a fold of the book.
async fn posts_truly(ledger: &Ledger, messages: &[&Message], lost: std::ops::RangeInclusive<u64>) {
    let context = &cloudwatcher_tables::CONTEXT;
    let end = ledger.tail.end().await.unwrap();
    forged(ledger, messages, lost).await;
    let (tail, shown) = short_sighted(ledger, 5).await;
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let (pools, bus) = (ledger.pools.clone(), ledger.bus.clone());
    let projector = Projector::new(context, pools, tail, bus, posted.clone()).unwrap();
    let stop = ledger.stop.child_token();
    let worker = tokio::spawn(projector.run(stop.clone()));
    // Beyond what its tail sees, so this came from the bus.
    assert!(posted.wait(context, 8, WAIT).await.unwrap());
    shown().await;
    assert!(posted.wait(context, end, WAIT).await.unwrap());
    let report = rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
        .await
        .unwrap();
    assert!(report.compared && report.same_code, "{report:?}");
    assert!(report.differences.is_empty(), "{:?}", report.differences);
    stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_equal_a_fold_of_the_book_when_the_bus_has_lost_its_middle() {
    let ledger = Ledger::open().await;
    enter(&ledger, 40).await;
    let messages = messages(&ledger, 40).await;
    posts_truly(&ledger, &messages.iter().collect::<Vec<_>>(), 9..=30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_equal_a_fold_of_the_book_when_the_bus_repeats_an_event_at_another_place() {
    let ledger = Ledger::open().await;
    enter(&ledger, 40).await;
    let messages = messages(&ledger, 40).await;
    let mut repeated: Vec<&Message> = messages.iter().collect();
    repeated.insert(12, &messages[11]);
    repeated.insert(20, &messages[3]);
    posts_truly(&ledger, &repeated, NONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_equal_a_fold_of_the_book_when_the_bus_has_events_out_of_order() {
    let ledger = Ledger::open().await;
    enter(&ledger, 40).await;
    let messages = messages(&ledger, 40).await;
    let mut disordered: Vec<&Message> = messages.iter().collect();
    disordered[8..30].reverse();
    posts_truly(&ledger, &disordered, NONE).await;
}
