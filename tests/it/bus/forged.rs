//! Messages that somebody else than Daybook has put on the bus, and tables that believed one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Stream;
use book::Feed;
use projections::{Posted, Projector, rebuild};
use serde_json::json;
use tests::{Ledger, Service, until};

use super::{WAIT, durable, jetstream, take, whole};
use crate::feed::hidden;
use crate::relay::{enter, follow};

/// How long a checkpoint is watched that must not move.
const STANDS: Duration = Duration::from_secs(2);

/// Publishes what looks like the event after the last message of a stream: its headers, moved on by one, and another
/// payload.
async fn forge(nats_url: &str, stream: &Stream) -> u64 {
    let last = stream.get_info().await.unwrap().state.last_sequence;
    let genuine = stream.get_raw_message(last).await.unwrap();
    let mut headers = HeaderMap::new();
    for (name, values) in genuine.headers.iter() {
        let name: &str = name.as_ref();
        if !name.starts_with("Nats-") {
            headers.insert(name, values[0].clone());
        }
    }
    headers.insert("daybook-position", (last + 1).to_string());
    headers.insert("ce-id", uuid::Uuid::new_v4().to_string());
    let payload = String::from_utf8(genuine.payload.to_vec()).unwrap();
    let payload = payload.replace("Acme", "Mallory");
    assert!(payload.contains("Mallory"), "{payload}");
    // Its connection is open until the answer has come.
    let context = jetstream(nats_url).await;
    let publishing = context
        .publish_with_headers(genuine.subject, headers, payload.into())
        .await;
    publishing.unwrap().await.unwrap().sequence
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_message_is_no_event() {
    let ledger = Ledger::open().await;
    let nats_url = tests::setting("NATS_URL");
    let relay = book::relay::Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
    let stop = ledger.stop.child_token();
    let relay = tokio::spawn(relay.run(stop.clone()));
    enter(&ledger, 5).await;
    let stream = whole(&nats_url, &ledger, 5).await;
    let made = stream.cached_info().created;
    let consumer = stream.create_consumer(durable(&ledger, "acme")).await.unwrap();
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, 5).await;
    // Having caught up it turns to the bus.
    assert!(feed.next(100).await.unwrap().is_empty());
    stop.cancel();
    relay.await.unwrap();

    // It takes the place of an event that is in the book a moment later, so that nothing but the message tells.
    assert_eq!(forge(&nats_url, &stream).await, 6);
    take(&consumer, 0, 6, true).await;
    enter(&ledger, 3).await;
    let mut position = 5;
    let reading = async {
        while position < 8 {
            for event in feed.next(100).await.unwrap() {
                position += 1;
                let stored = &ledger.tail.at(&[position]).await.unwrap()[0];
                assert_eq!((event.event_id, &event.event), (stored.event_id, &stored.event));
            }
        }
    };
    tokio::time::timeout(WAIT, reading).await.expect("the feed goes on");

    // The next relay finds it, and who had acknowledged it has the event in its place.
    let relay = ledger.relay();
    let anew = async || {
        let stream = whole(&nats_url, &ledger, 8).await;
        (stream.cached_info().created != made).then_some(stream)
    };
    let (stream, _) = until("a stream without the forged message", WAIT, anew).await;
    for position in 1..=8 {
        let stored = &ledger.tail.at(&[position]).await.unwrap()[0];
        let message = stream.get_raw_message(position as u64).await.unwrap();
        assert_eq!(message.payload, stored.event.as_bytes());
    }
    take(&stream.get_consumer("acme").await.unwrap(), 5, 8, true).await;
    ledger.stop.cancel();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forged_becomes_no_row_and_holds_up_no_event() {
    let service = Service::start().await;
    let nats_url = tests::setting("NATS_URL");
    let acme = json!({"name": "Acme"});
    let reply = service.admin.post("/v1/cloudwatcher/suppliers", &acme).await;
    let mut end = reply.position();
    reply.ok();
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    for n in 0..3 {
        let mirrored = async || {
            let stream = jetstream(&nats_url)
                .await
                .get_stream(&service.database.name)
                .await
                .ok()?;
            (stream.cached_info().state.last_sequence == end as u64).then_some(stream)
        };
        let (stream, _) = until("a mirror of the book", WAIT, mirrored).await;
        forge(&nats_url, &stream).await;
        let next = service
            .admin
            .post("/v1/cloudwatcher/suppliers", &json!({"name": format!("Acme {n}")}))
            .await;
        end = next.position();
        let rows = service.admin.get_after("/v1/cloudwatcher/suppliers", end).await.ok();
        let names: Vec<&str> = rows["rows"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|row| row["name"].as_str())
            .collect();
        assert_eq!(names.len(), n + 2, "{names:?}");
        assert!(names.iter().all(|name| name.starts_with("Acme")), "{names:?}");
        let beyond = "select count(*) from book.generations where position > book.last_position()";
        let beyond: i64 = sqlx::query_scalar(beyond).fetch_one(&pool).await.unwrap();
        assert_eq!(beyond, 0);
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_checkpoint_passes_the_end() {
    let ledger = Ledger::open().await;
    let nats_url = tests::setting("NATS_URL");
    let relay = book::relay::Relay::new(ledger.tail.clone(), ledger.bus.clone(), ledger.book.committed());
    let stop = ledger.stop.child_token();
    let relay = tokio::spawn(relay.run(stop.clone()));
    enter(&ledger, 10).await;
    whole(&nats_url, &ledger, 10).await;
    stop.cancel();
    relay.await.unwrap();
    // Daybook's own messages, of events that the book does not have: its end was lost.
    let shown = hidden(&ledger, 5).await;
    let context = &cloudwatcher_tables::CONTEXT;
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let (pools, tail, bus) = (ledger.pools.clone(), ledger.tail.clone(), ledger.bus.clone());
    let projector = Projector::new(context, pools, tail, bus, posted.clone()).unwrap();
    let stop = ledger.stop.child_token();
    let worker = tokio::spawn(projector.run(stop.clone()));
    assert!(posted.wait(context, 5, WAIT).await.unwrap());
    assert!(!posted.wait(context, 6, STANDS).await.unwrap());
    shown().await;
    assert!(posted.wait(context, 10, WAIT).await.unwrap());
    let report = rebuild::rebuild(&ledger.pools, &ledger.tail, context, true, &|_| {})
        .await
        .unwrap();
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_ahead_of_the_book_are_rebuilt() {
    let service = Service::start().await;
    let rows = "/v1/cloudwatcher/suppliers";
    let reply = service.admin.post(rows, &json!({"name": "Acme"})).await;
    let end = reply.position();
    service.admin.get_after(rows, end).await.ok();
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let live = "select generation, position from book.generations where context = 'cloudwatcher' and state = 'live'";
    let (former, _): (i64, i64) = sqlx::query_as(live).fetch_one(&pool).await.unwrap();
    // What a former version did when it believed a message.
    let believed = "begin;
        update cloudwatcher.suppliers set name = 'Mallory';
        update book.generations set position = position + 3 where context = 'cloudwatcher' and state = 'live';
        commit";
    sqlx::raw_sql(believed).execute(&pool).await.unwrap();
    let health = async || {
        let answer = service
            .admin
            .request(reqwest::Method::GET, "/health/ready")
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.json::<serde_json::Value>().await.unwrap())
    };
    // At once, whoever has noticed.
    let (status, told) = health().await;
    if told["contexts"]["cloudwatcher"]["ahead"] == true {
        assert_eq!(status, 503);
        assert!(
            told["problems"]
                .to_string()
                .contains("cloudwatcher are ahead of the book"),
            "{told}"
        );
    }
    let refused = AtomicUsize::new(0);
    let right = async || {
        let reply = service.admin.get(rows).await;
        if reply.status == 503 {
            refused.fetch_add(1, Ordering::Relaxed);
            assert_eq!(reply.problem(503)["type"], "/problems/not-yet-posted");
            return None;
        }
        let rows = reply.ok();
        assert_eq!(
            rows["rows"][0]["name"], "Acme",
            "a wrong row was told after {refused:?} refusals"
        );
        Some(())
    };
    until("rows of the book", WAIT, right).await;
    assert!(
        refused.load(Ordering::Relaxed) > 0,
        "wrong rows are not served while they are wrong"
    );
    let ready = async || {
        let (status, told) = health().await;
        (status == 200 && told["contexts"]["cloudwatcher"]["ahead"] == false).then_some(())
    };
    until("readiness", WAIT, ready).await;
    let (generation, position): (i64, i64) = sqlx::query_as(live).fetch_one(&pool).await.unwrap();
    assert!(generation > former && position <= end, "{generation} at {position}");
    // The next event is posted like any other.
    let next = service.admin.post(rows, &json!({"name": "Bolt"})).await.position();
    let rows = service.admin.get_after(rows, next).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
    // And nobody goes back to what was wrong.
    let marked: bool = sqlx::query_scalar(
        "select ahead_since is not null from book.generations where generation = $1 and context = 'cloudwatcher'",
    )
    .bind(former)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(marked);
    service.end().await;
}
