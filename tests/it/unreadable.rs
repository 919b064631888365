//! Events that no program of Daybook wrote: they stop nothing but their own stream, and everything says so.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use tests::{Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(40);

async fn owner(service: &Service) -> PgPool {
    PgPool::connect_with(service.database.options.clone()).await.unwrap()
}

/// Puts an event at the end of the book as it could come from another hand.
async fn write(owner: &PgPool, aggregate_id: &str, event_type: &str, metadata: &str) -> i64 {
    sqlx::query_scalar(
        "insert into book.events
         select book.last_position() + 1, gen_random_uuid(), tenant_id, 'cloudwatcher.order', $1, 1, $2, '1', '{}', $3::json,
                clock_timestamp()
         from book.events order by position limit 1 returning position",
    )
    .bind(aggregate_id)
    .bind(event_type)
    .bind(metadata)
    .fetch_one(owner)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_read_stops_no_policy_no_relay_and_no_log() {
    let service = Service::start().await;
    let (admin, owner) = (&service.admin, owner(&service).await);
    let stream = Uuid::now_v7().to_string();
    let first = write(&owner, &stream, "OrderDrafted", "{}").await;
    write(&owner, "not-a-uuid", "OrderDrafted", "{}").await;
    write(
        &owner,
        &Uuid::now_v7().to_string(),
        "has space",
        r#"{"sealed": "nonsense"}"#,
    )
    .await;
    let later = admin.post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
    let location = later.headers["location"].to_str().unwrap().to_owned();
    let position = later.position();
    // Tables, policies and the bus go on beyond them.
    admin.get_after(&location, position).await.ok();
    let policies = async || {
        let behind = "select count(*) from book.policies where position < $1";
        let behind: i64 = sqlx::query_scalar(behind)
            .bind(position)
            .fetch_one(&owner)
            .await
            .unwrap();
        (behind == 0).then_some(())
    };
    until("the policies' going on", WAIT, policies).await;
    let relay = async || {
        let health = admin.get("/health/ready").await.json();
        (health["workers"]["relay"]["position"].as_i64() >= Some(position)).then_some(())
    };
    until("the relay's going on", WAIT, relay).await;
    // It is noted where it was missed, and shown where it is.
    let missed: i64 = sqlx::query_scalar("select count(*) from book.missed where position = $1")
        .bind(first)
        .fetch_one(&owner)
        .await
        .unwrap();
    assert!(missed > 0, "a policy that reads orders has missed it");
    let log = admin.get("/v1/events?limit=500").await.ok();
    let shown = log["events"].as_array().unwrap();
    let unreadable = shown.iter().filter(|event| event["unopened"] == json!(["metadata"]));
    assert!(shown.len() > 4 && unreadable.count() <= 3, "{log}");
    owner.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_to_be_erased_is_erased_also_when_a_field_does_not_open() {
    let service = Service::start().await;
    let (admin, owner) = (&service.admin, owner(&service).await);
    let user = Uuid::now_v7();
    let one = format!("/v1/identity/users/{user}");
    let body = json!({"name": "Grace", "email": "grace@example.com"});
    admin.post(&format!("{one}/register"), &body).await.ok();
    let renamed = admin.post(&format!("{one}/rename"), &json!({"name": "Hopper"})).await;
    let row = format!("/v1/cloudwatcher/users/{user}");
    admin.get_after(&row, renamed.position()).await.ok();
    let spoil = format!(
        "begin; alter table book.events disable trigger events_are_append_only;
         update book.events set payload = jsonb_set(payload::jsonb, '{{name}}', '\"c3BvaWxlZA==\"')::json
         where aggregate_id = '{user}' and event_type = 'UserRenamed';
         alter table book.events enable trigger events_are_append_only; commit"
    );
    sqlx::raw_sql(&spoil).execute(&owner).await.unwrap();
    // Another process, which has nothing in memory: it can decide nothing else about this person.
    let (running, url, stop) = service.beside(vec![daybook::Role::Api]).await;
    let elsewhere = admin.at(&url);
    elsewhere
        .post(&format!("{one}/rename"), &json!({"name": "Ada"}))
        .await
        .problem(500);
    // A dry run of the erasure comes as far, and erases nobody.
    let erase = elsewhere.request(reqwest::Method::POST, &format!("{one}/erase"));
    let would = elsewhere
        .send(erase.header("Daybook-Dry-Run", "true").json(&json!({})))
        .await
        .ok();
    assert_eq!(would["streams"][0]["events"], json!(["UserErased"]));
    let keys = "select count(*) from book.keys where subject = $1 and wrapped is not null";
    let keys: i64 = sqlx::query_scalar(keys).bind(user).fetch_one(&owner).await.unwrap();
    assert_eq!(keys, 1);
    let erased = elsewhere.post(&format!("{one}/erase"), &json!({})).await;
    let position = erased.position();
    erased.ok();
    let key: Option<Vec<u8>> = sqlx::query_scalar("select wrapped from book.keys where subject = $1")
        .bind(user)
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(key, None, "the key is destroyed");
    let shown = admin.get_after(&row, position).await.ok();
    assert_eq!(shown["name"], "erased");
    stop.cancel();
    running.ended().await;
    owner.close().await;
    service.end().await;
}
