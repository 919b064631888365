//! Secrets go where whoever entered them said, and nowhere else.

use serde_json::{Value, json};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use crate::house::{Source, rows, service, service_that_reaches};

/// A host that refuses everything, and says back what it was sent.
async fn echo() -> String {
    let refuse = async |headers: HeaderMap| (StatusCode::FORBIDDEN, format!("no: {:?}", headers.get("authorization")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await });
    base
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_says_back_of_a_secret_is_kept_nowhere() {
    let base = echo().await;
    let service = service_that_reaches(std::slice::from_ref(&base)).await;
    let admin = &service.admin;
    let receiver = json!({
        "name": "On call", "receiver_im": "on-call", "im_type": "slack", "destination_id": "C1", "api_base": base,
        "bot_token": "correct horse/battery=staple",
    });
    admin.post("/v1/dod/receivers", &receiver).await.ok();
    let source = Source::entered(admin, json!({"name": "Prometheus", "receiver_im": "on-call"})).await;
    let body = json!({"title": "Disk is full", "severity": "high"}).to_string();
    let (status, told) = source
        .deliver(&service, "", "application/json", body.into_bytes())
        .await;
    assert_eq!(status, 202, "{told}");
    let is_refused = |page: &Value| {
        page["rows"]
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["because"].is_string()))
    };
    let messages = admin.until("/v1/dod/messages", is_refused).await;
    let because = messages["rows"][0]["because"].as_str().unwrap();
    assert!(because.contains("[hidden]"), "{because}");
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let payloads =
        "select coalesce(string_agg(payload::text, ' '), '') from book.events where event_type = 'MessageRefused'";
    let kept: String = sqlx::query_scalar(payloads).fetch_one(&pool).await.unwrap();
    assert!(kept.contains("[hidden]"), "{kept}");
    for part in ["correct", "horse", "battery", "staple"] {
        assert!(!because.contains(part) && !kept.contains(part), "{part}: {because}");
    }
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_left_out_goes_nowhere_else() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let configuration = json!({
        "config_type": "general", "config_key": "metrics-token", "config_value": "plugh", "hosts": ["metrics.example.com"],
    });
    let receiver = json!({
        "name": "On call", "receiver_im": "on-call", "im_type": "slack", "bot_token": "xoxb-plugh", "destination_id": "C1",
    });
    for (kind, entry, secret, field, elsewhere) in [
        (
            "configurations",
            configuration,
            "config_value",
            "hosts",
            json!(["elsewhere.example.com"]),
        ),
        (
            "receivers",
            receiver,
            "bot_token",
            "api_base",
            json!("https://elsewhere.example.com"),
        ),
    ] {
        let entered = admin.post(&format!("/v1/dod/{kind}"), &entry).await;
        let stream = entered.ok()["stream"].as_str().unwrap().to_owned();
        let amend = format!("/v1/dod/{kind}/{stream}/amend");
        let table = if kind == "receivers" { "im_receivers" } else { kind };
        let row = format!("/v1/dod/{table}/{stream}");

        // Left out, both stay; the address alone stays what it is.
        let mut amended = entry.clone();
        amended.as_object_mut().unwrap().remove(secret);
        admin.post(&amend, &amended).await.ok();
        amended[field] = elsewhere.clone();
        let refused = admin.post(&amend, &amended).await.problem(400);
        assert_eq!(refused["field"], field, "{refused}");
        assert!(refused.to_string().contains("send both"), "{refused}");

        // What Daybook itself does with a secret follows from its name, and from the platform.
        for (field, other) in [
            ("config_key", "public-url"),
            ("config_type", "slack"),
            ("im_type", "lark"),
        ] {
            let mut renamed = entry.clone();
            if renamed
                .as_object_mut()
                .unwrap()
                .insert(field.to_owned(), json!(other))
                .is_none()
            {
                continue;
            }
            renamed.as_object_mut().unwrap().remove(secret);
            let refused = admin.post(&amend, &renamed).await.problem(400);
            assert_eq!(refused["field"], field, "{refused}");
        }

        // Whoever has the secret says where it goes.
        amended[secret] = json!("xyzzy");
        let position = admin.post(&amend, &amended).await.position();
        let row = admin.get_after(&row, position).await.ok();
        assert_eq!(row[field], elsewhere, "{row}");
        assert!(!row.to_string().contains("xyzzy"), "{row}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_gets_a_secret_for_its_host_alone() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let token = json!({
        "config_type": "general", "config_key": "metrics-token", "config_value": "plugh", "hosts": ["metrics.example.com"],
    });
    admin.post("/v1/dod/configurations", &token).await.ok();
    for name in ["elsewhere", "metrics"] {
        let tool = json!({"name": name, "type": "mcp", "config": {
            "kind": "http", "base_url": format!("https://{name}.example.com"), "read_only": true,
            "headers": {"Authorization": {"configuration": "general/metrics-token", "prefix": "Bearer "}},
        }});
        admin.post("/v1/dod/tools", &tool).await.ok();
    }
    let skill = json!({
        "name": "Disk is full", "problem_description": "A disk is full.",
        "sop": "1. get elsewhere /api expect status 200\n2. get metrics /api expect status 200\nconclude real issue: see to it\n",
    });
    let skill = admin.post("/v1/dod/skills", &skill).await.ok()["stream"].clone();
    let binding = json!({"alert_pattern": "disk", "pattern_kind": "keyword", "field": "title", "skill_id": skill});
    let bound = admin.post("/v1/dod/bindings", &binding).await.position();
    admin.get_after("/v1/dod/alert_skill_bindings", bound).await.ok();

    let source = Source::entered(admin, json!({ "name": "Anything" })).await;
    let alert = json!({ "title": "The disk is full", "severity": "high" }).to_string();
    source
        .deliver(&service, "", "application/json", alert.into_bytes())
        .await;
    let concluded = |page: &Value| rows(page).iter().any(|row| !row["ai_conclusion"].is_null());
    admin.until("/v1/dod/issues", concluded).await;
    let logs = admin
        .get("/v1/dod/issue_logs?log_type=tool_called&order=created_at.asc")
        .await
        .ok();
    let found: Vec<&str> = rows(&logs).iter().map(|log| log["content"].as_str().unwrap()).collect();
    let [elsewhere, metrics] = found[..] else {
        panic!("{logs}")
    };
    let withheld = "general/metrics-token may not be sent to";
    assert!(
        elsewhere.contains(&format!("{withheld} elsewhere.example.com")),
        "{elsewhere}"
    );
    // That host is not there; it was asked for.
    assert!(!metrics.contains(withheld), "{metrics}");
    service.end().await;
}
