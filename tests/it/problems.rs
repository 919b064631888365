//! A problem tells what is wrong and what would be right, and its type is an address that says more.

use http::problem::TABLE;
use reqwest::Method;
use serde_json::{Value, json};
use tests::service::Reply;
use tests::{Client, Service};
use uuid::Uuid;

const SUPPLIERS: &str = "/v1/cloudwatcher/suppliers";

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

async fn send(client: &Client, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let mut request = client.request(Method::POST, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.json(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_reused_for_another_if_match_is_told_to_be_that() {
    let service = Service::start().await;
    let (admin, acme) = (&service.admin, json!({"name": "Acme"}));
    let enter = format!("{SUPPLIERS}/{}/enter", Uuid::now_v7());
    let first = send(admin, &enter, &[("Idempotency-Key", "k"), ("If-Match", "0")], &acme).await;
    first.ok();
    for other in [
        vec![("Idempotency-Key", "k")],
        vec![("Idempotency-Key", "k"), ("If-Match", "1")],
    ] {
        let problem = send(admin, &enter, &other, &acme).await.problem(409);
        assert_eq!(problem["type"], "/problems/key-reused");
        let told = "this Idempotency-Key was used for another command, body or If-Match; use a new key";
        assert_eq!(detail(&problem), told);
    }
    let amend = enter.replace("enter", "amend");
    let moved = send(admin, &amend, &[("If-Match", "7")], &acme).await.problem(412);
    let told = "the stream is at sequence 1, not at 7; look at it again, then send If-Match: \"1\"";
    assert_eq!((detail(&moved), &moved["sequence"]), (told, &json!(1)));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_value_is_told_with_the_field_that_has_it() {
    let service = Service::start().await;
    let admin = &service.admin;
    let part = json!({"part_code": "P-1", "name": "bolt"});
    let part = admin.post("/v1/cloudwatcher/parts", &part).await.ok()["stream"].clone();
    let variant = json!({"part_id": part, "variant_code": "V-1", "variant_name": "long"});
    let role = json!({"name": "buyer", "permissions": []});
    let user = |email: &str| json!({"name": "Bo", "email": email});
    for (path, body, field) in [
        ("/v1/cloudwatcher/part-variants", variant, "variant_code"),
        ("/v1/identity/roles", role, "name"),
        ("/v1/identity/users", user("bo@example.com"), "email"),
    ] {
        admin.post(path, &body).await.ok();
        let problem = admin.post(path, &body).await.problem(409);
        assert_eq!(
            (&problem["type"], &problem["field"]),
            (&json!("/problems/claimed"), &json!(field)),
            "{problem}"
        );
    }
    // A command that changes one field of many.
    let other = admin.post("/v1/identity/users", &user("cy@example.com")).await.ok()["stream"].clone();
    let change = format!("/v1/identity/users/{}/change-email", other.as_str().unwrap());
    let problem = admin
        .post(&change, &json!({"email": "bo@example.com"}))
        .await
        .problem(409);
    assert_eq!(problem["field"], "email", "{problem}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_who_can_change_that() {
    let service = Service::start().await;
    let admin = &service.admin;
    let gone = service.person(&["*"], &[]).await;
    let deactivate = format!("/v1/identity/users/{}/deactivate", gone.user);
    admin.post(&deactivate, &json!({})).await.ok();
    let nobody = Client::new(&service.url, service.tenant, Uuid::new_v4());
    let powerless = service.person(&[], &[]).await;
    for client in [gone, nobody, powerless] {
        let problem = client.get(SUPPLIERS).await.problem(403);
        assert!(detail(&problem).contains("ask an administrator"), "{problem}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_type_of_every_problem_is_an_address_that_tells_what_it_means() {
    let service = Service::start().await;
    let anybody = service.admin.with_token("");
    for kind in TABLE {
        let path = format!("/problems/{}", kind.name);
        let told = anybody.get(&path).await.ok();
        let expected = json!({
            "type": path, "title": kind.title, "status": kind.status.as_u16(), "meaning": kind.meaning,
        });
        assert_eq!(told, expected);
    }
    for aggregate in tests::decisions().aggregates() {
        let rules = (aggregate.rules)();
        assert!(!rules.is_empty(), "{}", aggregate.aggregate_type);
        for rule in rules {
            let path = format!("/problems/{}/{rule}", aggregate.aggregate_type);
            let told = anybody.get(&path).await.ok();
            assert_eq!((&told["type"], &told["rule"]), (&json!(path), &json!(rule)));
        }
    }
    // Those that were met.
    let admin = &service.admin;
    let enter = format!("{SUPPLIERS}/{}/enter", Uuid::now_v7());
    admin.post(&enter, &json!({"name": "Acme"})).await.ok();
    let request = json!({"device_id": "d", "request_type": "get_parts", "request_key": "k", "payload": "a"});
    admin.post("/v1/cloudwatcher/requests", &request).await.ok();
    let mut other = request.clone();
    other["payload"] = json!("b");
    for (met, status) in [
        (admin.post(&enter, &json!({"name": "Acme"})).await, 422),
        (admin.post("/v1/cloudwatcher/requests", &other).await, 409),
        (anybody.get(SUPPLIERS).await, 401),
        (admin.get("/nowhere").await, 404),
    ] {
        let problem = met.problem(status);
        let told = anybody.get(problem["type"].as_str().unwrap()).await.ok();
        assert_eq!(told["type"], problem["type"]);
    }
    for unknown in [
        "/problems/unheard-of",
        "/problems/identity.user/unheard-of",
        "/problems/identity.nobody/erased",
        "/problems/cloudwatcher.order/no-route",
    ] {
        let problem = anybody.get(unknown).await.problem(404);
        assert_ne!(problem["allowed"], Value::Null, "{problem}");
    }
    service.end().await;
}
