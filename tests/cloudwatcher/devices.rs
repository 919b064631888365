//! Devices over HTTP: a request takes effect once however often it is sent, and its response can be waited for.

mod archive;
mod desk;
mod mass;
mod wait;

use std::time::Duration;

use cloudwatcher::request::DeviceRequest;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

const REQUESTS: &str = "/v1/cloudwatcher/requests";

fn sent(payload: &Value) -> Value {
    json!({"device_id": "truck-001", "request_type": "get_parts", "payload": payload})
}

fn keyed(key: &str, payload: &Value) -> Value {
    let mut sent = sent(payload);
    sent["request_key"] = json!(key);
    sent
}

/// Receives what must be received, and says its id.
async fn received(client: &Client, body: &Value) -> Uuid {
    client.post(REQUESTS, body).await.ok()["stream"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// What must be the same in every answer to one request.
fn told(reply: &Reply) -> (u16, String, Option<String>, Option<String>) {
    let header = |name: &str| {
        let value = reply.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    (
        reply.status.as_u16(),
        reply.text.clone(),
        header("etag"),
        header("location"),
    )
}

async fn events(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from book.events where aggregate_type = 'cloudwatcher.request'")
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn pool(service: &Service) -> PgPool {
    PgPool::connect_with(service.database.options.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_received_once_under_its_key_and_every_sending_gets_the_first_answer() {
    let service = Service::start().await;
    let (device, pool) = (&service.admin, pool(&service).await);
    let first = told(&device.post(REQUESTS, &keyed("r-1", &json!({"a": 1, "b": 2}))).await);
    assert_eq!(first.0, 200, "{first:?}");

    let reordered: Value = serde_json::from_str(r#"{"b":2,"a":1}"#).unwrap();
    let again = device.post(REQUESTS, &keyed("r-1", &reordered)).await;
    assert_eq!(told(&again), first);
    // Another user of the same device, after the receipt was swept.
    let colleague = service.person(&["cloudwatcher.request.receive"], &[]).await;
    sqlx::query("delete from book.receipts").execute(&pool).await.unwrap();
    for _ in 0..2 {
        let again = colleague.post(REQUESTS, &keyed("r-1", &reordered)).await;
        assert_eq!(told(&again), first);
    }
    // Its address answers the same.
    let id = first.3.clone().unwrap();
    let again = device
        .post(&format!("{id}/receive"), &keyed("r-1", &json!({"a": 1, "b": 2})))
        .await;
    assert_eq!((again.status.as_u16(), &again.text), (200, &first.1));

    let problem = device
        .post(REQUESTS, &keyed("r-1", &json!({"a": 2})))
        .await
        .problem(409);
    assert_eq!(problem["type"], "/problems/cloudwatcher.request/request-key-reused");
    assert_eq!(problem["field"], "request_key");
    assert_eq!(events(&pool).await, 1);

    let elsewhere = format!("{REQUESTS}/{}/receive", Uuid::now_v7());
    let problem = device.post(&elsewhere, &keyed("r-1", &json!(1))).await.problem(422);
    assert_eq!(problem["rule"], "keyed-elsewhere");
    // Another tenant's device may have the same name and use the same key.
    let other = Service::start_tenant(&service).await;
    assert_ne!(told(&other.post(REQUESTS, &keyed("r-1", &json!(1))).await).1, first.1);
    assert_eq!(events(&pool).await, 2);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_an_equal_request_is_a_repeat_within_the_window() {
    let service = Service::start().await;
    let (device, pool) = (&service.admin, pool(&service).await);
    let first = told(&device.post(REQUESTS, &sent(&json!({"part": 1}))).await);
    let mut with_metadata = sent(&json!({"part": 1}));
    with_metadata["metadata"] = json!({"network_type": "4g"});
    assert_eq!(told(&device.post(REQUESTS, &with_metadata).await), first);
    assert_ne!(
        told(&device.post(REQUESTS, &sent(&json!({"part": 2}))).await).1,
        first.1
    );
    assert_eq!(events(&pool).await, 2);

    // A shorter window holds from now on; what was received a window ago is no repeat any more.
    let policy = json!({"dedup_window_minutes": 1});
    device.post("/v1/cloudwatcher/device-policies", &policy).await.ok();
    let now = told(&device.post(REQUESTS, &sent(&json!({"part": 1}))).await);
    assert_ne!(now.1, first.1);
    // The clock stands at whichever second: in this window or the next, the repeat is one.
    assert_eq!(told(&device.post(REQUESTS, &sent(&json!({"part": 1}))).await), now);

    // An Idempotency-Key is the sender's own way, and is kept apart.
    let by_key = async |key: &str, part: i32| {
        let request = device
            .request(reqwest::Method::POST, REQUESTS)
            .header("Idempotency-Key", key)
            .json(&sent(&json!({ "part": part })));
        device.send(request).await
    };
    let third = told(&by_key("k-1", 3).await);
    assert_eq!(told(&by_key("k-1", 3).await), third);
    assert_eq!(told(&by_key("k-2", 3).await), third);
    assert_eq!(by_key("k-1", 4).await.problem(409)["type"], "/problems/key-reused");
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_received_at_the_end_of_a_span_is_repeated_at_the_beginning_of_the_next() {
    use chrono::{TimeDelta, Utc};
    use cloudwatcher::request::identity::Window;
    use cloudwatcher::request::{Command, DeviceRequest, NewRequest};

    let service = Service::start().await;
    let device = &service.admin;
    let new: NewRequest = serde_json::from_value(sent(&json!({"part": 1}))).unwrap();
    let payload_hash = domain::canonical::hash(new.payload.value());
    let window = Window {
        tenant: service.tenant,
        device_id: &new.device_id,
        request_type: &new.request_type,
        payload_hash: &payload_hash,
        minutes: 1_440,
    };
    // As another process received it whose clock is a window behind, less a minute.
    let before = Utc::now() - TimeDelta::minutes(1_439);
    let pools = book::Pools::connect(&service.database.options).await.unwrap();
    let master = book::MasterKey::from_hex(tests::ledger::MASTER_KEY).unwrap();
    let book = book::Book::new(pools.writer.clone(), master, tests::decisions());
    let envelope = book::Envelope::once(service.tenant, device.user, before);
    let step = book::Step::of::<DeviceRequest>(window.stream(before), None, Command::Receive(new.clone()));
    let first = book.execute(envelope, vec![step]).await.unwrap();

    let again = device.post(REQUESTS, &sent(&json!({"part": 1}))).await.ok();
    assert_eq!(
        again,
        json!({
            "stream": window.stream(before), "sequence": 1, "position": first.position,
            "command_id": first.command_id, "events": ["RequestReceived"],
        })
    );
    pools.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sendings_at_once_are_one_request() {
    let service = Service::start().await;
    let (device, pool) = (&service.admin, pool(&service).await);
    let (other, url, stop) = service.beside(vec![daybook::Role::Api]).await;
    for body in [keyed("r-1", &json!({"n": 1})), sent(&json!({"n": 2}))] {
        let before = events(&pool).await;
        let sendings = (0..100).map(|n| {
            let device = if n % 2 == 0 { device.clone() } else { device.at(&url) };
            let body = body.clone();
            tokio::spawn(async move { told(&device.post(REQUESTS, &body).await) })
        });
        let answers: Vec<_> = futures::future::join_all(sendings).await;
        let first = answers[0].as_ref().unwrap();
        assert_eq!(first.0, 200, "{first:?}");
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
        assert_eq!(events(&pool).await, before + 1);
    }
    stop.cancel();
    other.ended().await;
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_what_is_still_under_way_is_told_to_come_back() {
    let service = Service::start().await;
    let (device, pool) = (service.admin.clone(), pool(&service).await);
    // The append waits for the book's lock.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *held)
        .await
        .unwrap();
    let body = keyed("r-1", &json!(1));
    let first = {
        let (device, body) = (device.clone(), body.clone());
        tokio::spawn(async move { told(&device.post(REQUESTS, &body).await) })
    };
    let waiting = "select exists (select from pg_stat_activity where datname = current_database()
                   and wait_event = 'advisory' and query like '%book.append%')";
    tests::until("the append on its way", Duration::from_secs(10), async || {
        let waiting: bool = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
        waiting.then_some(())
    })
    .await;
    let again = device.post(REQUESTS, &body).await;
    assert_eq!(again.headers["retry-after"], "1");
    assert_eq!(again.problem(409)["type"], "/problems/in-progress");
    held.rollback().await.unwrap();
    let first = first.await.unwrap();
    assert_eq!(told(&device.post(REQUESTS, &body).await), first);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_with_metadata_files_decisions_and_shown_in_the_tables() {
    let service = Service::start().await;
    let device = &service.admin;
    let mut body = keyed("r-1", &json!({"part": 1}));
    body["metadata"] = json!({"app_version": "2.1.0", "network_type": "4g"});
    let id = received(device, &body).await;
    let path = |command: &str| format!("{REQUESTS}/{id}/{command}");
    device.post(&path("begin"), &json!({})).await.ok();
    device
        .post(&path("annotate"), &json!({"metadata": {"network_type": "wifi"}}))
        .await
        .ok();
    let file =
        json!({"file_type": "response", "cloud_provider": "sharepoint", "cloud_path": "/a.pdf", "file_size_bytes": 7});
    device.post(&path("attach-file"), &file).await.ok();
    let decision = json!({
        "agent_name": "Router", "decision_type": "routing", "decision_value": "north", "confidence_score": "0.75",
    });
    device.post(&path("record-decision"), &decision).await.ok();
    let respond =
        json!({"content": {"b": [1.50, "é"], "a": null}, "ai_processed": true, "metadata": {"model": "small"}});
    device.post(&path("respond"), &respond).await.ok();
    let position = device.post(&path("deliver"), &json!({})).await.position();
    let rows = async |query: String| {
        let rows = device
            .get_after(&format!("/v1/cloudwatcher/{query}"), position)
            .await
            .ok();
        rows["rows"].clone()
    };
    let request = rows("requests?request_key=r-1&device_id=truck-001".to_owned()).await;
    assert_eq!(
        (&request[0]["id"], &request[0]["status"]),
        (&json!(id), &json!("completed"))
    );
    let metadata = rows(format!("request_metadata?request_id={id}&order=key.asc")).await;
    assert_eq!(
        [&metadata[0]["value"], &metadata[1]["value"]],
        ["2.1.0", "wifi"],
        "{metadata}"
    );
    let response = rows(format!("responses?request_id={id}")).await;
    assert_eq!(
        (&response[0]["status"], &response[0]["ai_processed"]),
        (&json!("delivered"), &json!(true))
    );
    let response = response[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        rows(format!("response_metadata?response_id={response}")).await[0]["key"],
        "model"
    );
    let files = rows(format!("cloud_file_refs?response_id={response}")).await;
    assert_eq!(
        (&files[0]["sync_status"], &files[0]["file_size_bytes"]),
        (&json!("pending"), &json!(7))
    );
    let decisions = rows(format!("agent_decisions?request_id={id}")).await;
    assert_eq!(decisions[0]["confidence_score"], "0.75");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_shown_to_those_who_may_see_it() {
    let service = Service::start().await;
    let connection = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/device-connections/{connection}");
    let connect = json!({"device_id": "truck-001", "connection_type": "websocket", "ip_address": "2001:db8::7"});
    service.admin.post(&format!("{path}/connect"), &connect).await.ok();
    let position = service
        .admin
        .post(&format!("{path}/disconnect"), &json!({}))
        .await
        .position();
    let row = format!("/v1/cloudwatcher/device_connections/{connection}");
    let seen = service.admin.get_after(&row, position).await.ok();
    assert_eq!(seen["ip_address"], "2001:db8::7");
    assert!(seen["session_duration_seconds"].as_i64().unwrap() < 60, "{seen}");
    let reader = service.person(&["cloudwatcher.device_connections.read"], &[]).await;
    assert_eq!(reader.get_after(&row, position).await.ok()["ip_address"], Value::Null);
    // Nor is it in the book for those who may read that, and no personal data.
    let auditor = service.person(&["audit.read", "departments.all"], &[]).await;
    let stream = format!("/v1/streams/cloudwatcher/device-connection/{connection}");
    for path in [stream.as_str(), "/v1/events?type=DeviceConnected"] {
        let seen = service.admin.get(path).await.ok();
        assert_eq!(
            seen["events"][0]["payload"]["ip_address"], "2001:db8::7",
            "{path}: {seen}"
        );
        let seen = auditor.get(path).await.ok();
        let payload = &seen["events"][0]["payload"];
        assert_eq!(
            (&payload["device_id"], &payload["ip_address"]),
            (&json!("truck-001"), &Value::Null),
            "{path}: {seen}"
        );
    }
    let state = auditor.get(&format!("{stream}/state")).await;
    assert!(
        state.status == 200 && !state.text.contains("2001:db8::7"),
        "{}",
        state.text
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_derived_from_what_a_device_will_send_cannot_be_taken_before() {
    let service = Service::start().await;
    let admin = &service.admin;
    let other = Service::start_tenant(&service).await;
    let key = json!({"device_id": "truck-001", "request_type": "get_parts", "request_key": "k", "payload": {}});
    let bare = json!({"device_id": "truck-001", "request_type": "get_parts", "payload": {}});
    let theirs = DeviceRequest::keyed(service.tenant, "truck-001", "k");
    let receive = |id: Uuid| format!("/v1/cloudwatcher/requests/{id}/receive");
    for (body, rule) in [(&bare, "derived-id"), (&key, "keyed-elsewhere")] {
        let refused = other.post(&receive(theirs), body).await.problem(422);
        assert_eq!(refused["rule"], rule, "{refused}");
        let dry = other.request(reqwest::Method::POST, &receive(theirs));
        let refused = other
            .send(dry.header("Daybook-Dry-Run", "true").json(body))
            .await
            .problem(422);
        assert_eq!(refused["rule"], rule, "{refused}");
    }
    let received = admin.post("/v1/cloudwatcher/requests", &key).await.ok();
    assert_eq!(received["stream"], json!(theirs));
    // What is there is there, for its tenant; and one's own is one's own, by whatever name it is sent.
    let refused = admin.post(&receive(theirs), &bare).await.problem(409);
    assert_eq!(refused["rule"], "id-reused", "{refused}");
    let first = admin.post("/v1/cloudwatcher/requests", &bare).await.ok();
    let own: Uuid = first["stream"].as_str().unwrap().parse().unwrap();
    assert_eq!(admin.post(&receive(own), &bare).await.ok(), first);
    let refused = other.post(&receive(own), &bare).await.problem(422);
    assert_eq!(refused["rule"], "derived-id", "{refused}");
    service.end().await;
}
