//! Rules that are tried on the past before they are saved.

use reqwest::Method;
use serde_json::{Value, json};
use tests::service::Reply;
use tests::{Client, Service};

use crate::house::{Source, service};

/// What a dry run of a command answers that is tried on this span.
async fn tried(client: &Client, path: &str, body: &Value, span: &str) -> Reply {
    let request = client.request(Method::POST, path).json(body);
    let request = request.header("Daybook-Dry-Run", "true").header("Daybook-Span", span);
    client.send(request).await
}

/// The titles of the alerts that would go another way, by the alphabet: those of one body open in any order.
fn changed(rehearsal: &Value) -> Vec<&str> {
    let changed = rehearsal["changed"].as_array().unwrap().iter();
    let mut titles: Vec<&str> = changed.map(|alert| alert["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles
}

/// A service to which four alerts have come, and the id of their source.
async fn four_alerts() -> (Service, String) {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source = Source::entered(admin, json!({ "name": "Anything" })).await;
    let alert = |title: &str, alert_type: &str, team: &str, severity: &str| json!({ "title": title, "alert_type": alert_type, "severity": severity, "labels": { "team": team } });
    let alerts = json!([
        alert("Disk of db-1 is full", "DiskFull", "data", "page"),
        alert("Disk of db-2 is full", "DiskFull", "data", "ticket"),
        alert("Queue grows", "QueueGrows", "data", "ticket"),
        alert("Certificate expires", "CertificateExpires", "web", "ticket"),
    ]);
    let body = alerts.to_string().into_bytes();
    let (status, told) = source.deliver(&service, "", "application/json", body).await;
    assert_eq!(status, 202, "{told}");
    let in_issues = |page: &Value| page["rows"].as_array().unwrap().len() == 3;
    admin.until("/v1/dod/issues", in_issues).await;
    let alerts = admin
        .until("/v1/dod/alerts", |page| page["rows"].as_array().unwrap().len() == 4)
        .await;
    let source_id = alerts["rows"][0]["source_id"].as_str().unwrap().to_owned();
    (service, source_id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_says_which_alerts_of_the_past_would_have_gone_another_way_and_changes_nothing() {
    let (service, source_id) = four_alerts().await;
    let admin = &service.admin;
    let skill = json!({ "name": "Full disks", "problem_description": "A disk is full.", "sop": "check severity at least low\n" });
    let entered = admin.post("/v1/dod/skills", &skill).await;
    let skill_id = entered.json()["stream"].as_str().unwrap().to_owned();
    admin.get_after("/v1/dod/skills", entered.position()).await.ok();

    let binding = json!({ "alert_pattern": "disk", "pattern_kind": "keyword", "field": "title", "skill_id": skill_id });
    let told = tried(admin, "/v1/dod/bindings", &binding, "1..").await.ok();
    let rehearsal = &told["rehearsal"];
    assert_eq!(
        (&rehearsal["alerts"], &rehearsal["ended_by"], &rehearsal["left_out"]),
        (&json!(4), &json!("span"), &json!(0)),
        "{told}"
    );
    assert_eq!(changed(rehearsal), ["Disk of db-1 is full", "Disk of db-2 is full"]);
    let first = &rehearsal["changed"][0];
    assert_eq!(
        (&first["before"]["skill_id"], &first["after"]["skill"]),
        (&Value::Null, &json!("Full disks")),
        "{first}"
    );
    let alert = admin.get(first["link"].as_str().unwrap()).await.ok();
    assert_eq!(alert["title"], first["title"], "the link leads to it");

    let rule = json!({ "name": "by team", "by": ["labels.team"], "window_minutes": 30 });
    let told = tried(admin, "/v1/dod/correlations", &rule, "1..").await.ok();
    let rehearsal = &told["rehearsal"];
    assert_eq!(rehearsal["issues"], json!({ "before": 3, "after": 2 }), "{told}");
    assert_eq!(changed(rehearsal).len(), 4, "{told}");
    let all = rehearsal["changed"].as_array().unwrap().iter();
    let opens = all.filter(|changed| changed["after"]["opens_issue"] == true).count();
    assert_eq!(opens, 2, "one for each team: {told}");

    let silence = json!({
        "name": "known",
        "when": [{ "field": "labels.team", "op": "equal", "value": "web" }],
        "ends_at": chrono::Utc::now() + chrono::TimeDelta::hours(1),
    });
    let told = tried(admin, "/v1/dod/silences", &silence, "1..").await.ok();
    let rehearsal = &told["rehearsal"];
    assert_eq!(changed(rehearsal), ["Certificate expires"], "{told}");
    assert_eq!(rehearsal["changed"][0]["after"]["ignored"], true, "{told}");

    let settings = json!({ "name": "Anything", "severities": { "page": "critical" }, "default_severity": "medium" });
    let told = tried(admin, &format!("/v1/dod/sources/{source_id}/amend"), &settings, "1..")
        .await
        .ok();
    let rehearsal = &told["rehearsal"];
    assert_eq!(changed(rehearsal), ["Disk of db-1 is full"], "{told}");
    assert_eq!(rehearsal["changed"][0]["before"]["severity"], "medium", "{told}");
    assert_eq!(rehearsal["changed"][0]["after"]["severity"], "critical", "{told}");

    for nothing in ["alert_skill_bindings", "correlation_rules", "silences"] {
        let rows = admin.get(&format!("/v1/dod/{nothing}")).await.ok();
        assert_eq!(rows["rows"], json!([]), "{nothing}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_is_one_of_the_book_and_for_those_who_may_read_alerts() {
    let (service, _) = four_alerts().await;
    let admin = &service.admin;
    let rule = json!({ "name": "by team", "by": ["labels.team"], "window_minutes": 30 });
    let path = "/v1/dod/correlations";
    let beyond = tried(admin, path, &rule, "1..99999999").await;
    assert_eq!(beyond.status, 422, "{}", beyond.text);
    let end = beyond.json()["end"].as_i64().unwrap();
    let whole = tried(admin, path, &rule, &format!("1..{end}")).await.ok();
    assert_eq!(
        (&whole["rehearsal"]["alerts"], &whole["rehearsal"]["to"]),
        (&json!(4), &json!(end)),
        "{whole}"
    );
    let before = tried(admin, path, &rule, "1..2").await.ok();
    assert_eq!(before["rehearsal"]["alerts"], 0, "{before}");
    let by_time = tried(admin, path, &rule, "2020-01-01T00:00:00Z..").await.ok();
    assert_eq!(by_time["rehearsal"]["alerts"], 4, "{by_time}");

    let skill = json!({ "name": "Full disks", "problem_description": "A disk is full.", "sop": "check severity at least low\n" });
    for (what, path, body, span) in [
        ("words that are no span", path, &rule, "yesterday"),
        ("what is not tried", "/v1/dod/skills", &skill, "1.."),
    ] {
        let refused = tried(admin, path, body, span).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["field"]),
            (400, &json!("Daybook-Span")),
            "{what}: {}",
            refused.text
        );
    }
    let carried_out = admin
        .request(Method::POST, path)
        .json(&rule)
        .header("Daybook-Span", "1..");
    assert_eq!(admin.send(carried_out).await.status, 400);

    let writer = service.person(&["dod.correlation.set-rule"], &[]).await;
    let refused = tried(&writer, path, &rule, "1..").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["permission"]),
        (403, &json!("dod.alerts.read")),
        "{}",
        refused.text
    );
    let reader = service
        .person(&["dod.correlation.set-rule", "dod.alerts.read"], &[])
        .await;
    let told = tried(&reader, path, &rule, "1..").await.ok();
    assert_eq!(
        (&told["rehearsal"]["alerts"], &told["events"]),
        (&json!(4), &Value::Null),
        "{told}"
    );
    // Another tenant's alerts are nobody else's.
    let other = Service::start_tenant(&service).await;
    let told = tried(&other, path, &rule, "1..").await.ok();
    assert_eq!(told["rehearsal"]["alerts"], 0, "{told}");
    service.end().await;
}
