//! A tenant whose bodies take all the room that they may.

use chrono::{DateTime, TimeDelta, Utc};
use dod::delivery::BRIEF_BODY_MINUTES;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Database, Service, until};

use crate::house::{ROLES, Source, WAIT, rows};

const INTAKE: &str = "/v1/dod/intake";
/// Bytes that the tenant's bodies may take.
const LIMIT: u64 = 100_000;

async fn service() -> Service {
    Service::configured(Database::create().await, ROLES.into(), |config| {
        config.stored_bytes = LIMIT
    })
    .await
}

/// A body of about so many bytes, which tells of one alert.
fn body(title: &str, bytes: usize) -> Vec<u8> {
    let told = json!({ "title": title, "severity": "high", "description": "x".repeat(bytes) });
    told.to_string().into_bytes()
}

/// What it is answered, and after how many seconds it is to be sent again.
async fn sent(service: &Service, source: &Source, body: Vec<u8>) -> (u16, Option<u64>, Value) {
    let url = format!("{}{}?team=pumps", service.url, source.path);
    let request = tests::service::http()
        .post(url)
        .header("Content-Type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    let seconds = answer
        .headers()
        .get(RETRY_AFTER)
        .map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), seconds, answer.json().await.unwrap())
}

/// The delivery of a body that is taken.
async fn taken(service: &Service, source: &Source, body: Vec<u8>) -> String {
    let (status, _, told) = sent(service, source, body).await;
    assert_eq!(status, 202, "{told}");
    told["delivery_id"].as_str().unwrap().to_owned()
}

async fn delivery(admin: &Client, id: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        let reply = admin.get(&format!("/v1/dod/deliveries/{id}")).await;
        (reply.status == 200).then(|| reply.json()).filter(&is_it)
    };
    until("a delivery as it is waited for", WAIT, look).await.0
}

/// Has the time of a body come.
async fn is_due(pool: &PgPool, id: &str) {
    let set = "update book.timers set due_at = now() where aggregate_type = 'dod.delivery' and aggregate_id = $1::uuid";
    // It is set with what its policy has done so far.
    let set = async || {
        let set = sqlx::query(set).bind(id).execute(pool).await.unwrap();
        (set.rows_affected() == 1).then_some(())
    };
    until("the timer of a body", WAIT, set).await;
}

/// What is counted, and what there is to be counted: bodies, and what came along with them.
async fn counted(pool: &PgPool, service: &Service) -> ((i64, i64), (i64, i64)) {
    let both = "select s.bodies, s.bytes, count(d.id), coalesce(sum(d.bytes), 0)::bigint,
            coalesce(sum((e.payload ->> 'kept_bytes')::bigint), 0)::bigint
        from dod.stored_bodies s left join dod.deliveries d on d.tenant_id = s.tenant_id and not d.is_dropped
            left join book.events e on e.position = d.position
        where s.id = $1 group by s.id, s.bodies, s.bytes";
    let asking = sqlx::query_as(both).bind(service.tenant).fetch_one(pool);
    let (bodies, bytes, there, of_bodies, kept): (i64, i64, i64, i64, i64) = asking.await.unwrap();
    assert!(kept > of_bodies, "{kept} with {of_bodies} of bodies");
    ((bodies, bytes), (there, kept))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_there_is_no_room_whoever_sends_again_keeps_the_body_and_of_others_the_alert_is_kept() {
    let service = service().await;
    let admin = &service.admin;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let patient = Source::entered(admin, json!({ "name": "Patient" })).await;
    let hasty = Source::entered(admin, json!({ "name": "Hasty", "overload": "always_take" })).await;
    let shown = admin.get(INTAKE).await.ok();
    let nothing = json!({ "bodies": 0, "bytes": 0, "limit": LIMIT, "share": 0.0, "warning": null });
    assert_eq!(shown["stored"], nothing, "{shown}");

    let first = taken(&service, &patient, body("First", 85_000)).await;
    let warned = |shown: &Value| {
        shown["stored"]["warning"]
            .as_str()
            .is_some_and(|told| told.contains("most of"))
    };
    let shown = admin.until(INTAKE, warned).await;
    assert_eq!(shown["stored"]["bodies"], 1, "{shown}");
    let second = taken(&service, &patient, body("Second", 20_000)).await;
    let is_full = |shown: &Value| shown["stored"]["share"].as_f64().unwrap() >= 1.0;
    let shown = admin.until(INTAKE, is_full).await;
    assert!(
        shown["stored"]["warning"].as_str().unwrap().contains("all the room"),
        "{shown}"
    );

    // Its senders find out within seconds.
    let refused = async || {
        let (status, seconds, told) = sent(&service, &patient, body("Meanwhile", 10)).await;
        (status != 202).then_some((status, seconds, told))
    };
    let (status, seconds, told) = until("a refusal for want of room", WAIT, refused).await.0;
    assert_eq!((status, seconds), (503, Some(60)), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("all the room"), "{told}");
    let counts = |shown: &Value| {
        let mut sources = shown["sources"].as_array().unwrap().iter();
        sources.any(|source| source["name"] == "Patient" && source["refused"]["full"]["times"].as_u64() >= Some(1))
    };
    admin.until(INTAKE, counts).await;

    let brief = taken(&service, &hasty, body("Disk is full", 10)).await;
    let recognised = |row: &Value| row["status"] == "recognised";
    let row = delivery(admin, &brief, recognised).await;
    assert_eq!(
        (&row["is_stored"], &row["is_dropped"]),
        (&json!(true), &json!(false)),
        "{row}"
    );
    assert!(row["notes"][0].as_str().unwrap().contains("took all the room"), "{row}");
    let is_told = |page: &Value| rows(page).iter().any(|alert| alert["title"] == "Disk is full");
    let are_told = |page: &Value| is_told(page) && rows(page).iter().any(|alert| alert["title"] == "Second");
    let alerts = admin.until("/v1/dod/alerts", are_told).await;
    let of = |title: &str| rows(&alerts).iter().find(|alert| alert["title"] == title).unwrap();
    assert!(of("Disk is full")["raw_payload"].is_null(), "{alerts}");
    assert!(!of("Second")["raw_payload"].is_null(), "{alerts}");

    // It goes within the hour, once all was told that it says; the others stay as long as they would.
    let due = "select due_at from book.timers where aggregate_type = 'dod.delivery' and aggregate_id = $1::uuid";
    let left = async |id: &str| {
        let due_at = sqlx::query_scalar::<_, DateTime<Utc>>(due)
            .bind(id)
            .fetch_optional(&pool);
        due_at.await.unwrap().map(|due_at| due_at - Utc::now())
    };
    let within_the_hour = async || {
        let left = left(&brief).await?;
        (left <= TimeDelta::minutes(BRIEF_BODY_MINUTES)).then_some(())
    };
    until("a timer within the hour", WAIT, within_the_hour).await;
    assert!(left(&first).await.unwrap() > TimeDelta::days(80));
    is_due(&pool, &brief).await;
    delivery(admin, &brief, |row| row["is_dropped"] == true).await;
    let alerts = admin.get("/v1/dod/alerts").await.ok();
    assert!(is_told(&alerts), "{alerts}");

    // What is dropped makes room.
    is_due(&pool, &second).await;
    is_due(&pool, &first).await;
    let has_room = |shown: &Value| shown["stored"]["warning"].is_null();
    admin.until(INTAKE, has_room).await;
    let taken_again = async || (sent(&service, &patient, body("Third", 10)).await.0 == 202).then_some(());
    until("room for whoever sends again", WAIT, taken_again).await;
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_is_what_there_is_and_comes_to_the_same_when_it_is_posted_anew() {
    let service = service().await;
    let admin = &service.admin;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let other = Service::start_tenant(&service).await;
    let theirs = Source::entered(&other, json!({ "name": "Prometheus" })).await;
    let mut deliveries = Vec::new();
    for number in 0..6 {
        deliveries.push(taken(&service, &source, body(&format!("Pump {number}"), 100 * number)).await);
    }
    taken(&service, &theirs, body("Theirs", 1_000)).await;
    for id in &deliveries {
        delivery(admin, id, |row| row["status"] == "recognised").await;
    }
    for id in &deliveries[..3] {
        is_due(&pool, id).await;
        delivery(admin, id, |row| row["is_dropped"] == true).await;
    }
    let shown = admin.get("/v1/dod/stored_bodies").await.ok();
    assert_eq!(
        (rows(&shown).len(), &rows(&shown)[0]["bodies"]),
        (1, &json!(3)),
        "{shown}"
    );
    let of_others = other.get("/v1/dod/stored_bodies").await.ok();
    assert_eq!(rows(&of_others)[0]["bodies"], 1, "{of_others}");

    let (counted, there) = counted(&pool, &service).await;
    assert_eq!(counted, there);
    assert_eq!(counted.0, 3);
    let row = rows(&shown)[0].clone();
    let operator = service.operator();
    let rebuild = "/v1/admin/rebuild/dod";
    // It compares, and refuses when any row differs.
    let done = async || {
        // Whoever sweeps what was dropped may be at work on the same tables.
        if operator.post(rebuild, &json!({})).await.status != 202 {
            return None;
        }
        let ended = async || {
            let rebuild = operator.get(rebuild).await.ok();
            (rebuild["state"] != "running").then_some(rebuild)
        };
        let rebuilt = until("the end of the rebuild", WAIT, ended).await.0;
        (rebuilt["error"] != "dod is being rebuilt already").then_some(rebuilt)
    };
    let rebuilt = until("the rebuild", WAIT, done).await.0;
    assert_eq!(rebuilt["state"], "done", "{rebuilt}");
    let anew = admin.get("/v1/dod/stored_bodies").await.ok();
    assert_eq!(rows(&anew), &[row], "{anew}");
    pool.close().await;
    service.end().await;
}
