//! Who reads what a device says, and who is on its request.

use chrono::{TimeDelta, Utc};
use reqwest::Method;

use super::archive::Past;
use super::*;

/// What those need who answer.
const DESK: [&str; 6] = [
    "cloudwatcher.request.begin",
    "cloudwatcher.request.release",
    "cloudwatcher.request.respond",
    "cloudwatcher.requests.read",
    "cloudwatcher.requests.unmasked",
    "cloudwatcher.responses.read",
];

const NUMBERS: [&str; 3] = [
    "0.1000000000000000055",
    "12345678901234567890.123",
    "-0.30000000000000000001",
];

/// Receives this text as a payload.
async fn receives(client: &Client, key: &str, payload: &str) -> (Uuid, i64) {
    let body =
        format!(r#"{{"device_id":"truck-001","request_type":"measure","request_key":"{key}","payload":{payload}}}"#);
    let request = client.request(Method::POST, REQUESTS);
    let reply = client
        .send(request.header("content-type", "application/json").body(body))
        .await;
    let position = reply.position();
    (reply.ok()["stream"].as_str().unwrap().parse().unwrap(), position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_devices_come_back_with_each_digit_in_row_event_history_and_response() {
    let service = Service::start().await;
    let admin = &service.admin;
    let payload = format!("[{}]", NUMBERS.join(","));
    let (id, position) = receives(admin, "exact", &payload).await;
    let one = format!("{REQUESTS}/{id}");
    for path in [
        one.clone(),
        format!("{one}?at={position}"),
        format!("{one}/history"),
        format!("{REQUESTS}?device_id=truck-001"),
        format!("/v1/events/{position}"),
    ] {
        let reply = admin.get_after(&path, position).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        for number in NUMBERS {
            assert!(reply.text.contains(number), "{path}: {}", reply.text);
        }
    }
    // Too large for any float: the event has it as it was sent, a row writes it out.
    let (large, position) = receives(admin, "large", "{\"n\": 1e400}").await;
    let event = admin.get(&format!("/v1/events/{position}")).await.text;
    assert!(event.contains("1e400"), "{event}");
    let row = admin.get_after(&format!("{REQUESTS}/{large}"), position).await.text;
    assert!(row.contains(&format!("1{}", "0".repeat(400))), "{row}");

    let answer = format!(r#"{{"content":{payload}}}"#);
    let respond = admin.request(Method::POST, &format!("{one}/respond"));
    admin
        .send(respond.header("content-type", "application/json").body(answer))
        .await
        .ok();
    let answered = admin.get(&format!("{one}/response?wait=5s")).await.text;
    assert!(NUMBERS.iter().all(|number| answered.contains(*number)), "{answered}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_reads_what_the_device_says_and_nobody_else_does() {
    let service = Service::start().await;
    let (id, position) = receives(&service.admin, "said", "{\"part\": \"door\"}").await;
    let desk = service.person(&DESK, &[]).await;
    let looks = service.person(&["cloudwatcher.requests.read"], &[]).await;
    let one = format!("{REQUESTS}/{id}");
    for path in [
        one.clone(),
        format!("{one}?at={position}"),
        format!("{one}/history"),
        REQUESTS.to_owned(),
    ] {
        assert!(desk.get_after(&path, position).await.text.contains("door"), "{path}");
        let seen = looks.get_after(&path, position).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text);
        assert!(!seen.text.contains("door"), "{path}: {}", seen.text);
    }
    let row = looks.get(&one).await.ok();
    assert_eq!(row["payload"], Value::Null);
    let known = service.admin.get("/v1/permissions").await.text;
    assert!(known.contains("cloudwatcher.requests.unmasked"), "{known}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_says_is_masked_in_the_log_as_in_the_tables() {
    let service = Service::start().await;
    let (id, position) = receives(&service.admin, "pin", r#"{"pin":"4711"}"#).await;
    let reads = ["audit.read", "cloudwatcher.requests.read", "departments.all"];
    let auditor = service.person(&reads, &[]).await;
    let sees = service
        .person(&[&reads[..], &["cloudwatcher.requests.unmasked"]].concat(), &[])
        .await;
    let hash = auditor.get_after(&format!("{REQUESTS}/{id}"), position).await.ok()["payload_hash"].clone();
    assert_eq!(hash, Value::Null);
    for path in [
        format!("/v1/events/{position}"),
        "/v1/events?type=RequestReceived".to_owned(),
        format!("/v1/streams/cloudwatcher/request/{id}"),
        format!("/v1/streams/cloudwatcher/request/{id}/state"),
    ] {
        let told = auditor.get(&path).await;
        assert_eq!(told.status, 200, "{path}: {}", told.text);
        assert!(!told.text.contains("4711"), "{path}: {}", told.text);
        assert!(!told.text.contains("\"payload_hash\":\""), "{path}: {}", told.text);
    }
    let told = sees.get(&format!("/v1/events/{position}")).await.text;
    assert!(told.contains("4711") && told.contains("\"payload_hash\":\""), "{told}");
    let guess = format!("{REQUESTS}?payload_hash=eq.{}", "0".repeat(64));
    assert_ne!(auditor.get(&guess).await.status, 200);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_at_a_time_is_on_a_request_and_the_others_are_told_who_and_until_when() {
    let service = Service::start().await;
    let (id, _) = receives(&service.admin, "one", "1").await;
    let (tina, tom) = (service.person(&DESK, &[]).await, service.person(&DESK, &[]).await);
    let path = |command: &str| format!("{REQUESTS}/{id}/{command}");
    let position = tom.post(&path("begin"), &json!({})).await.position();
    let row = tina.get_after(&format!("{REQUESTS}/{id}"), position).await.ok();
    assert_eq!(
        (&row["status"], &row["taken_by"]),
        (&json!("processing"), &json!(tom.user))
    );
    for (command, body) in [
        ("begin", json!({})),
        ("respond", json!({"content": 1})),
        ("release", json!({})),
    ] {
        let problem = tina.post(&path(command), &body).await.problem(422);
        let detail = problem["detail"].as_str().unwrap().to_owned();
        // The row's microseconds are those of a second in the sentence.
        let until = &row["taken_until"].as_str().unwrap()[..19];
        assert!(
            detail.contains(&tom.user.to_string()) && detail.contains(until),
            "{detail}"
        );
    }
    tina.post(&path("take-over"), &json!({})).await.problem(403);
    let position = service.admin.post(&path("take-over"), &json!({})).await.position();
    let row = tina.get_after(&format!("{REQUESTS}/{id}"), position).await.ok();
    assert_eq!(row["taken_by"], json!(service.admin.user));
    tom.post(&path("respond"), &json!({"content": 1})).await.problem(422);
    let position = service.admin.post(&path("release"), &json!({})).await.position();
    let row = tina.get_after(&format!("{REQUESTS}/{id}"), position).await.ok();
    assert_eq!((&row["status"], &row["taken_by"]), (&json!("pending"), &Value::Null));
    tina.post(&path("begin"), &json!({})).await.ok();
    let position = tina.post(&path("respond"), &json!({"content": 1})).await.position();
    let row = tina.get_after(&format!("{REQUESTS}/{id}"), position).await.ok();
    assert_eq!((&row["status"], &row["taken_by"]), (&json!("completed"), &Value::Null));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_forgot_is_pending_again_by_itself() {
    let past = Past::open().await;
    let ago = Utc::now() - TimeDelta::hours(1);
    let id = past.request("forgotten", ago, vec![json!({"begin": {}})]).await;
    past.posted().await;
    let admin = &past.service.admin;
    let row = admin
        .until(&format!("{REQUESTS}/{id}"), |row| row["status"] == "pending")
        .await;
    assert_eq!((&row["taken_by"], &row["taken_until"]), (&Value::Null, &Value::Null));
    let events = admin.get(&format!("/v1/streams/cloudwatcher/request/{id}")).await.text;
    assert!(events.contains("RequestLapsed"), "{events}");
    past.service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_rows_for_those_who_may_read_them() {
    let service = Service::start().await;
    let admin = &service.admin;
    let enter = json!({"currencies": [{"currency": "EUR", "thresholds": ["100.00"]}]});
    admin.post("/v1/cloudwatcher/approval-policies", &enter).await.ok();
    let policy = admin
        .post("/v1/cloudwatcher/device-policies", &json!({"retention_days": 30}))
        .await;
    let stream = policy.json()["stream"].as_str().unwrap().to_owned();
    // What is not named stays, and null is back to what it is when absent.
    let amend = format!("/v1/cloudwatcher/device-policies/{stream}/amend");
    admin.post(&amend, &json!({"lease_minutes": 5})).await.ok();
    let position = admin.post(&amend, &json!({"retention_days": null})).await.position();
    let reader = service
        .person(
            &[
                "cloudwatcher.approval_policies.read",
                "cloudwatcher.device_policies.read",
            ],
            &[],
        )
        .await;
    let row = reader
        .get_after(&format!("/v1/cloudwatcher/device_policies/{stream}"), position)
        .await
        .ok();
    assert_eq!((&row["lease_minutes"], &row["retention_days"]), (&json!(5), &json!(90)));
    let rows = reader.get("/v1/cloudwatcher/approval_policies").await.text;
    assert!(rows.contains("100.00") && rows.contains("deadline_hours"), "{rows}");
    let nobody = service.person(&["cloudwatcher.requests.read"], &[]).await;
    for table in ["approval_policies", "device_policies", "stock_policies"] {
        nobody.get(&format!("/v1/cloudwatcher/{table}")).await.problem(403);
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_amendment_that_names_a_name_leaves_manager_and_department_above() {
    let service = Service::start().await;
    let admin = &service.admin;
    let enter = |body: Value| async move {
        let entered = admin.post("/v1/identity/departments", &body).await.ok();
        entered["stream"].as_str().unwrap().to_owned()
    };
    let above = enter(json!({"name": "Company"})).await;
    let below = enter(json!({"name": "Store", "parent_id": above, "manager_id": admin.user})).await;
    let amend = format!("/v1/identity/departments/{below}/amend");
    let position = admin.post(&amend, &json!({"name": "Shop"})).await.position();
    let path = format!("/v1/cloudwatcher/departments/{below}");
    let row = admin.get_after(&path, position).await.ok();
    assert_eq!(
        (&row["name"], &row["parent_id"], &row["manager_id"]),
        (&json!("Shop"), &json!(above), &json!(admin.user))
    );
    let position = admin.post(&amend, &json!({"manager_id": null})).await.position();
    let row = admin.get_after(&path, position).await.ok();
    assert_eq!((&row["parent_id"], &row["manager_id"]), (&json!(above), &Value::Null));
    for (body, field) in [
        (json!({"name": null}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"nmae": "Shop"}), "nmae"),
    ] {
        let problem = admin.post(&amend, &body).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().starts_with(field), "{problem}");
    }
    service.end().await;
}
