//! Keys of services: shown once, good until they expire or are revoked, and for one device alone if they are bound to one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Client, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
const KEYS: &str = "/v1/identity/keys";
const REQUESTS: &str = "/v1/cloudwatcher/requests";

/// A user of the provider `service` with these permissions.
async fn robot(service: &Service, permissions: &[&str]) -> Uuid {
    let admin = &service.admin;
    let [robot, role] = std::array::from_fn(|_| Uuid::now_v7());
    let email = format!("{}@example.com", robot.simple());
    for (path, body) in [
        (
            format!("users/{robot}/register"),
            json!({"name": "Robot", "email": email, "oauth_provider": "service"}),
        ),
        (
            format!("roles/{role}/define"),
            json!({"name": role.simple().to_string(), "permissions": permissions}),
        ),
        (format!("users/{robot}/assign-role"), json!({"role_id": role})),
    ] {
        admin.post(&format!("/v1/identity/{path}"), &body).await.ok();
    }
    robot
}

fn asked(robot: Uuid, name: &str, expires_at: DateTime<Utc>) -> Value {
    json!({"name": name, "user_id": robot, "expires_at": expires_at})
}

fn later() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(30)
}

fn request(device: &str) -> Value {
    json!({"device_id": device, "request_type": "get_parts", "payload": {}})
}

async fn listed(client: &Client) -> Vec<Value> {
    client.get(KEYS).await.ok()["keys"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_once_and_speaks_for_its_service_until_it_is_revoked_or_expires() {
    let service = Service::start().await;
    let (admin, robot) = (&service.admin, robot(&service, &["cloudwatcher.request.*"]).await);
    let issued = admin.post(KEYS, &asked(robot, "Truck", later())).await.ok();
    let key = issued["key"].as_str().unwrap();
    let id = issued["id"].as_str().unwrap().to_owned();
    let truck = admin.with_token(key);
    let me = truck.get("/v1/me").await.ok();
    assert_eq!(
        (&me["user"]["id"], &me["operator"]),
        (&json!(robot), &json!(false)),
        "{me}"
    );
    truck.post(REQUESTS, &request("any")).await.ok();
    truck
        .post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"}))
        .await
        .problem(403);

    // It is nowhere but with whoever got it.
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    // Its letters are those of base64url, the underscore one of them.
    let secret = key.splitn(3, '_').nth(2).unwrap();
    let kept = "select count(*) from book.events where strpos(payload::text, $1) > 0";
    let kept: i64 = sqlx::query_scalar(kept).bind(secret).fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 0);
    let state = admin.get(&format!("/v1/streams/identity/key/{id}/state")).await;
    assert!(!state.text.contains("digest") && state.status == 200, "{}", state.text);
    let used = async || listed(admin).await[0]["used_at"].is_string().then_some(());
    until("its use to be noted", WAIT, used).await;
    let noted = "select count(*) from book.events where event_type = 'KeyUsed'";
    truck.get("/v1/me").await.ok();
    assert_eq!(sqlx::query_scalar::<_, i64>(noted).fetch_one(&pool).await.unwrap(), 1);

    // Another secret, another stream, another form.
    let other = admin.post(KEYS, &asked(robot, "Van", later())).await.ok();
    let mixed = format!("daybook_{}_{secret}", other["id"].as_str().unwrap().replace('-', ""));
    let cut = &key[..key.len() - 1];
    for wrong in [
        &*mixed,
        cut,
        "daybook_",
        "daybook_1_2",
        &key.to_uppercase(),
        &format!("{key}x"),
    ] {
        let refused = admin.with_token(wrong).get("/v1/me").await.problem(401);
        assert_eq!(refused["type"], "/problems/unauthenticated", "{wrong}");
    }
    let taken = admin.post(KEYS, &asked(robot, "TRUCK", later())).await.problem(409);
    assert_eq!(taken["field"], "name", "{taken}");
    assert_eq!(
        listed(admin)
            .await
            .iter()
            .map(|key| key["name"].clone())
            .collect::<Vec<_>>(),
        ["Truck", "Van"]
    );

    let first = admin.get(&format!("{KEYS}?limit=1")).await.ok();
    let rest = admin
        .get(&format!("{KEYS}?after={}", first["next"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(
        (&first["keys"][0]["name"], &rest["keys"][0]["name"], &rest["next"]),
        (&json!("Truck"), &json!("Van"), &Value::Null)
    );
    for wrong in ["limit=0", "limit=201", "after=Van", "of=robot"] {
        admin.get(&format!("{KEYS}?{wrong}")).await.problem(400);
    }
    let from = "select metadata->>'ip' from book.events where event_type = 'KeyIssued' limit 1";
    assert_eq!(
        sqlx::query_scalar::<_, String>(from).fetch_one(&pool).await.unwrap(),
        "127.0.0.1"
    );

    // Revoked it is good for nothing at once, and its name is free.
    admin.post(&format!("{KEYS}/{id}/revoke"), &json!({})).await.ok();
    truck.get("/v1/me").await.problem(401);
    admin.post(KEYS, &asked(robot, "Truck", later())).await.ok();
    let soon = admin
        .post(KEYS, &asked(robot, "Brief", Utc::now() + TimeDelta::seconds(2)))
        .await
        .ok();
    let brief = admin.with_token(soon["key"].as_str().unwrap());
    let expired = async || (brief.get("/v1/me").await.status == 401).then_some(());
    until("its expiry", WAIT, expired).await;
    // A service that is deactivated has no use of its keys.
    let van = admin.with_token(other["key"].as_str().unwrap());
    van.get("/v1/me").await.ok();
    admin
        .post(&format!("/v1/identity/users/{robot}/deactivate"), &json!({}))
        .await
        .ok();
    van.get("/v1/me").await.problem(403);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_speaks_for_no_person_and_is_issued_once_for_whoever_may_have_it() {
    let service = Service::start().await;
    let (admin, robot) = (&service.admin, robot(&service, &["cloudwatcher.request.*"]).await);
    let clerk = service.person(&["identity.key.read"], &[]).await;
    let person = admin
        .post(KEYS, &asked(admin.user, "Ada's", later()))
        .await
        .problem(422);
    assert_eq!(person["rule"], "no-service", "{person}");
    let past = Utc::now() - TimeDelta::days(1);
    let expired = admin.post(KEYS, &asked(robot, "Old", past)).await.problem(422);
    assert_eq!(
        (&expired["rule"], &expired["field"]),
        (&json!("expiry"), &json!("expires_at"))
    );
    assert!(listed(&clerk).await.is_empty());
    let refused = clerk.post(KEYS, &asked(robot, "Truck", later())).await.problem(403);
    assert_eq!(refused["permission"], "identity.key.issue");
    for (unheeded, value) in [
        ("Idempotency-Key", "k"),
        ("If-Match", "\"1\""),
        ("Daybook-Reason", "so"),
    ] {
        let told = admin.request(reqwest::Method::POST, KEYS).header(unheeded, value);
        let refused = admin
            .send(told.json(&asked(robot, "Truck", later())))
            .await
            .problem(400);
        assert_eq!(refused["field"], unheeded, "{refused}");
    }
    // Nobody says what the digest of a key is.
    let own = json!({
        "name": "Own", "user_id": robot, "digest": "5eed".repeat(16), "expires_at": later(), "issued_by": admin.user,
    });
    let refused = admin
        .post(&format!("{KEYS}/{}/issue", Uuid::now_v7()), &own)
        .await
        .problem(403);
    assert_eq!(refused["rule"], "only-daybook", "{refused}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_bound_to_a_device_does_nothing_in_the_name_of_another() {
    let service = Service::start().await;
    let (admin, robot) = (&service.admin, robot(&service, &["cloudwatcher.*", "audit.read"]).await);
    let mut bound = asked(robot, "Truck 1", later());
    bound["device_id"] = json!("truck-001");
    let issued = admin.post(KEYS, &bound).await.ok();
    let truck = admin.with_token(issued["key"].as_str().unwrap());
    let own = truck.post(REQUESTS, &request("truck-001")).await.ok();
    let refused = truck.post(REQUESTS, &request("truck-002")).await.problem(403);
    assert_eq!(refused["type"], "/problems/foreign-device", "{refused}");
    let others = admin.post(REQUESTS, &request("truck-002")).await.ok();
    let response = |request: &Value| format!("{REQUESTS}/{}/response", request["stream"].as_str().unwrap());
    assert_eq!(truck.get(&response(&own)).await.status, 202);
    truck.get(&response(&others)).await.problem(404);
    for answered in [&own, &others] {
        let respond = response(answered).replace("response", "respond");
        let position = admin.post(&respond, &json!({"content": {"parts": 1}})).await.position();
        admin.get_after(&response(answered), position).await.ok();
    }
    assert_eq!(truck.get(&response(&own)).await.ok()["content"], json!({"parts": 1}));
    truck.get(&response(&others)).await.problem(404);
    truck.get(&format!("{}/stream", response(&others))).await.problem(404);
    // Nor is it told how the other's stands, or that its roles lack anything.
    let others = others["stream"].as_str().unwrap();
    truck
        .get(&format!("/v1/streams/cloudwatcher/request/{others}/commands"))
        .await
        .problem(403);
    let refused = truck
        .post("/v1/cloudwatcher/parts", &json!({"name": "bolt"}))
        .await
        .problem(403);
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("a key that is bound") && !detail.contains("your roles"),
        "{detail}"
    );
    // Its roles grant more, and a key for one device counts for none of it.
    let me = truck.get("/v1/me").await.ok();
    let permissions = me["permissions"].as_array().unwrap();
    assert_eq!(me["device"], "truck-001", "{me}");
    assert!(permissions.contains(&json!("cloudwatcher.request.receive")), "{me}");
    assert!(!permissions.contains(&json!("cloudwatcher.supplier.enter")), "{me}");
    for path in ["/v1/events", "/v1/cloudwatcher/requests", "/v1/cloudwatcher/responses"] {
        truck.get(path).await.problem(403);
    }
    truck
        .post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"}))
        .await
        .problem(403);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_log_that_a_key_has_opened_ends_when_it_is_revoked() {
    let service = Service::start().await;
    let (admin, robot) = (&service.admin, robot(&service, &["audit.read"]).await);
    let issued = admin.post(KEYS, &asked(robot, "Auditor", later())).await.ok();
    let auditor = admin.with_token(issued["key"].as_str().unwrap());
    let live = auditor.request(reqwest::Method::GET, "/v1/events/stream").send();
    let mut live = live.await.unwrap();
    assert_eq!(live.status(), 200);
    let mut seen = String::new();
    let supplier = async |name: &str| {
        let made = admin.post("/v1/cloudwatcher/suppliers", &json!({"name": name})).await;
        made.position()
    };
    supplier("Acme").await;
    while !seen.contains("SupplierEntered") {
        let chunk = tokio::time::timeout(WAIT, live.chunk()).await.expect("it is live");
        seen.push_str(core::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
    }
    let id = issued["id"].as_str().unwrap();
    admin.post(&format!("{KEYS}/{id}/revoke"), &json!({})).await.ok();
    let ending = async { while live.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    tokio::time::timeout(WAIT, ending).await.expect("it ends");
    service.end().await;
}
