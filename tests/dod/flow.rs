//! From a body that a sender delivers to a concluded issue and a message in the right channel.

use dod_messages::stand_in::StandIn;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::proxy::{Proxy, Way};
use tests::{Client, Database, Service, until};
use uuid::Uuid;

use crate::house::{ROLES, Source, WAIT, alertmanager, rows, service, slack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_becomes_an_issue_that_is_investigated_told_and_ends_with_it() {
    let stand_in = StandIn::start().await.unwrap();
    let service = service(&[&stand_in]).await;
    let admin = &service.admin;
    slack(admin, "devops-slack", &stand_in).await;
    let skill = json!({
        "name": "Disk is full",
        "problem_description": "A filesystem has no space left.",
        "sop": "# Disk is full\n\n1. check label instance is db-1\n2. check severity at least high\nconclude real issue: the disk of a database is full\n",
    });
    let skill = admin.post("/v1/dod/skills", &skill).await.ok();
    let skill_id = skill["stream"].clone();
    let binding =
        json!({ "alert_pattern": "DiskFull", "pattern_kind": "keyword", "field": "alert_type", "skill_id": skill_id });
    let bound = admin.post("/v1/dod/bindings", &binding).await;
    assert_eq!(bound.status, 200, "{}", bound.text);
    admin
        .get_after("/v1/dod/alert_skill_bindings", bound.position())
        .await
        .ok();
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;

    let firing = alertmanager("DiskFull", "db-1", "firing", "2026-01-05T12:00:00Z");
    let (status, told) = source
        .deliver(&service, "?receiver_im=devops-slack", "application/json", firing)
        .await;
    assert_eq!(status, 202, "{told}");
    let concluded = |page: &Value| rows(page).iter().any(|row| !row["ai_conclusion"].is_null());
    let issues = admin.until("/v1/dod/issues", concluded).await;
    let issue = &rows(&issues)[0];
    assert_eq!(issue["status"], "in_progress", "{issue}");
    assert_eq!(issue["is_real_issue"], true, "{issue}");
    assert_eq!(issue["skill_id"], skill_id, "{issue}");
    let id = issue["id"].as_str().unwrap();
    let logs = admin
        .get(&format!("/v1/dod/issue_logs?issue_id={id}&order=created_at.asc"))
        .await
        .ok();
    let types: Vec<&str> = rows(&logs)
        .iter()
        .map(|log| log["log_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["skill_matched", "reasoning", "reasoning", "conclusion"],
        "{logs}"
    );
    let told = async || (stand_in.received().iter().any(|message| message.arrived)).then_some(());
    until("a message in Slack", WAIT, told).await;

    // The same again changes nothing; its end ends the issue.
    let again = alertmanager("DiskFull", "db-1", "firing", "2026-01-05T12:00:00Z");
    source.deliver(&service, "", "application/json", again).await;
    let over = alertmanager("DiskFull", "db-1", "resolved", "2026-01-05T12:00:00Z");
    let (status, _) = source.deliver(&service, "", "application/json", over).await;
    assert_eq!(status, 202);
    let resolved = |page: &Value| rows(page).iter().all(|row| row["status"] == "resolved");
    admin.until("/v1/dod/issues", resolved).await;
    let alerts = admin.until("/v1/dod/alerts", resolved).await;
    assert_eq!(rows(&alerts).len(), 1, "{alerts}");
    assert_eq!(stand_in.faults(), []);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_finds_its_address_and_what_lies_beside_it_shows_no_token() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let alert =
        json!([{ "labels": { "alertname": "Up", "severity": "critical" }, "startsAt": "2026-01-05T12:00:00Z" }]);
    let body = || alert.to_string().into_bytes();
    let (status, told) = source
        .deliver(&service, "/api/v2/alerts", "application/json", body())
        .await;
    assert_eq!(status, 202, "{told}");
    admin.until("/v1/dod/alerts", |page| rows(page).len() == 1).await;
    let token = source.path.rsplit('/').next().unwrap();
    for beside in ["/api/v1/alerts", "/", "/x", "/x/y", "/api/v2/alerts/"] {
        let (status, told) = source.deliver(&service, beside, "application/json", body()).await;
        assert!(status.is_client_error(), "{beside}: {status} {told}");
        assert!(!told.to_string().contains(token), "{beside}: {told}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_alert_is_refused_before_it_is_taken_or_said_to_be_unreadable_afterwards() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Anything" })).await;
    let image = source.deliver(&service, "", "image/png", vec![1, 2, 3]).await;
    assert_eq!(image.0, 415, "{}", image.1);
    let large = source
        .deliver(&service, "", "application/json", vec![b' '; (1 << 20) + 1])
        .await;
    assert_eq!(large.0, 413, "{}", large.1);
    let nobody = Source {
        path: format!("/v1/dod/webhooks/{}", "x".repeat(32)),
    };
    let unknown = nobody.deliver(&service, "", "application/json", b"{}".to_vec()).await;
    assert_eq!(unknown.0, 401, "{}", unknown.1);
    let source = Source::entered(admin, json!({ "name": "Something" })).await;
    let (status, _) = source.deliver(&service, "", "application/json", b"{".to_vec()).await;
    assert_eq!(status, 202, "what it is meant to be is found out afterwards");
    let unreadable = |page: &Value| rows(page).iter().any(|row| row["status"] == "unreadable");
    admin.until("/v1/dod/deliveries", unreadable).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_is_counted_apart_and_can_be_looked_for() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Something" })).await;
    for body in [json!({ "title": "Known" }), json!({ "nobody": "knows this" })] {
        let body = body.to_string().into_bytes();
        let (status, told) = source.deliver(&service, "", "application/json", body).await;
        assert_eq!(status, 202, "{told}");
    }
    let both = |page: &Value| rows(page).iter().filter(|row| row["status"] == "recognised").count() == 2;
    admin.until("/v1/dod/deliveries", both).await;
    let unmapped = admin.get("/v1/dod/deliveries?format=unmapped").await.ok();
    let formats: Vec<&Value> = rows(&unmapped).iter().map(|row| &row["format"]).collect();
    assert_eq!(formats, ["unmapped"], "{unmapped}");
    let intake = admin.get("/v1/dod/intake").await.ok();
    let counts = &intake["sources"][0];
    let counted = ["received", "recognised", "unmapped", "unreadable", "waiting"].map(|name| counts[name].as_i64());
    assert_eq!(counted, [2, 1, 1, 0, 0].map(Some), "{intake}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_event_of_version_two_is_said_in_its_words() {
    let service = service(&[]).await;
    let source = Source::entered(&service.admin, json!({ "name": "Scripts" })).await;
    let routing_key = source.path.rsplit('/').next().unwrap();
    let enqueue = Source {
        path: "/v1/dod/v2/enqueue".to_owned(),
    };
    let payload = json!({ "summary": "x".repeat(1_025), "source": "db-1", "severity": "fatal" });
    let event = json!({ "routing_key": routing_key, "event_action": "trigger", "payload": payload });
    let (status, told) = enqueue
        .deliver(&service, "", "application/json", event.to_string().into_bytes())
        .await;
    assert_eq!(status, 400, "{told}");
    assert_eq!(told["status"], "invalid event", "{told}");
    let errors = told["errors"].to_string();
    assert!(
        errors.contains("payload.summary") && errors.contains("payload.severity"),
        "{told}"
    );
    let is_counted = |intake: &Value| {
        let mut sources = intake["sources"].as_array().unwrap().iter();
        sources.any(|of| of["refused"]["invalid"]["times"] == 1)
    };
    service.admin.until("/v1/dod/intake", is_counted).await;
    service.end().await;
}

/// Whether health says so, which does without the store.
async fn is_store_in_trouble(admin: &Client) -> bool {
    let ready = admin.get("/health/ready").await.ok();
    ready["degraded"].to_string().contains("the object store did not take")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_is_told_that_a_server_does_not_answer_and_is_taken_once_it_does() {
    let database = Database::create().await;
    let (proxy, url) = Proxy::to_url(&database.url()).await;
    let service = Service::configured(database, ROLES.into(), |config| {
        config.database_url = Some(url.as_str().into());
    })
    .await;
    let source = Source::entered(&service.admin, json!({ "name": "Prometheus" })).await;
    let deliver = async |title: &str| {
        let body = json!({ "title": title }).to_string().into_bytes();
        source.deliver(&service, "", "application/json", body).await
    };
    assert_eq!(deliver("before").await.0, 202);
    proxy.set(Way::Cut);
    let (status, told) = deliver("meanwhile").await;
    assert_eq!(
        (status, &told["type"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("/problems/unavailable")),
        "{told}"
    );
    assert!(told["detail"].as_str().unwrap().contains("does not answer"), "{told}");
    proxy.set(Way::Open);
    let taken = async || (deliver("after").await.0 == 202).then_some(());
    until("a body that is taken", WAIT, taken).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_that_no_store_takes_is_refused_and_counted_at_its_source() {
    let folder = std::env::temp_dir().join(format!("daybook-objects-{}", Uuid::new_v4()));
    let place = folder.to_str().unwrap().to_owned();
    let service = Service::configured(Database::create().await, ROLES.into(), |config| {
        config.objects = Some(place)
    })
    .await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let body = json!({ "title": "Large", "description": "x".repeat(300 << 10) }).to_string();
    let deliver = async || {
        let body = body.clone().into_bytes();
        source.deliver(&service, "", "application/json", body).await
    };
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let (status, told) = deliver().await;
    assert_eq!(status, 503, "{told}");
    assert!(
        told["detail"].as_str().unwrap().contains("cannot be stored now"),
        "{told}"
    );
    let counted = |intake: &Value| intake["sources"][0]["refused"]["unstored"]["times"] == 1;
    admin.until("/v1/dod/intake", counted).await;
    assert!(is_store_in_trouble(admin).await);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    let (status, told) = deliver().await;
    assert_eq!(status, 202, "{told}");
    assert!(!is_store_in_trouble(admin).await);
    service.end().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_lies_in_the_store_and_is_parsed_all_the_same() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let body = json!({ "title": "Large", "description": "x".repeat(300 << 10) }).to_string();
    let (status, told) = source
        .deliver(&service, "", "application/json", body.into_bytes())
        .await;
    assert_eq!(status, 202, "{told}");
    let recognised = |page: &Value| rows(page).iter().any(|row| row["status"] == "recognised");
    let deliveries = admin.until("/v1/dod/deliveries", recognised).await;
    assert_eq!(rows(&deliveries)[0]["is_stored"], true, "{deliveries}");
    let opened = |page: &Value| !rows(page).is_empty();
    let alerts = admin.until("/v1/dod/alerts", opened).await;
    assert_eq!(rows(&alerts)[0]["title"], "Large");
    service.end().await;
}
