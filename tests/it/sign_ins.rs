//! Signing in is recorded beside the user, not with them.

use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

async fn record(admin: &Client, user: Uuid) -> tests::service::Reply {
    admin
        .post(&format!("/v1/identity/sign-ins/{user}/record"), &json!({}))
        .await
}

async fn sequence(admin: &Client, stream: &str) -> i64 {
    let events = admin.get(&format!("/v1/streams/identity/{stream}")).await.ok();
    let events = events["events"].as_array().unwrap();
    events.last().map_or(0, |event| event["sequence"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_streams_do_not_grow_with_sign_ins_and_the_last_one_shows() {
    let service = Service::start().await;
    let admin = &service.admin;
    let user = service.person(&[], &[]).await.user;
    let before = sequence(admin, &format!("user/{user}")).await;
    let row = format!("/v1/cloudwatcher/users/{user}");
    let mut last = Value::Null;
    for n in 1..=3 {
        let reply = record(admin, user).await;
        let answer = reply.json();
        assert_eq!(
            (&answer["sequence"], &answer["events"]),
            (&json!(n), &json!(["SignedIn"]))
        );
        let shown = admin.get_after(&row, reply.position()).await.ok();
        assert!(shown["last_login"].is_string(), "{shown}");
        assert_ne!(shown["last_login"], last);
        last = shown["last_login"].clone();
    }
    assert_eq!(sequence(admin, &format!("user/{user}")).await, before);
    assert_eq!(sequence(admin, &format!("sign-in/{user}")).await, 3);
    let history = admin.get(&format!("{row}/history")).await.ok();
    assert!(history.to_string().contains("SignedIn"), "{history}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_sign_in_is_told_why_and_the_old_command_says_where_it_went() {
    let service = Service::start().await;
    let admin = &service.admin;
    let user = service.person(&[], &[]).await.user;
    let old = format!("/v1/identity/users/{user}/sign-in");
    let told = admin.post(&old, &json!({})).await.problem(404);
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("POST /v1/identity/sign-ins/{user_id}/record"),
        "{detail}"
    );
    let unknown = record(admin, Uuid::now_v7()).await.problem(404);
    assert_eq!(unknown["detail"], "there is no such user; register them first");
    let stranger = Service::start_tenant(&service).await;
    let foreign = record(&stranger, user).await.problem(404);
    assert_eq!(
        (&foreign["type"], &foreign["detail"]),
        (&unknown["type"], &unknown["detail"])
    );
    for (command, rule) in [("deactivate", "deactivated"), ("erase", "erased")] {
        record_ok_until(admin, user, command).await;
        let refused = record(admin, user).await.problem(422);
        assert_eq!(refused["rule"], rule, "{refused}");
    }
    let row = format!("/v1/cloudwatcher/users/{user}");
    let shown = admin.until(&row, |row| row["name"] == "erased").await;
    assert_eq!(shown["last_login"], Value::Null);
    service.end().await;
}

async fn record_ok_until(admin: &Client, user: Uuid, command: &str) {
    let path = format!("/v1/identity/users/{user}");
    if command == "erase" {
        admin.post(&format!("{path}/reactivate"), &json!({})).await.ok();
    }
    record(admin, user).await.ok();
    admin.post(&format!("{path}/{command}"), &json!({})).await.ok();
}
