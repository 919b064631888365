//! What the answers to commands tell whoever has sent them.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

use crate::house::{Source, rows, service, slack};
use dod_messages::stand_in::StandIn;

/// The commands that make something new, each with the field that names it in its stream, if many are there.
fn new_things(source_id: &str, skill_id: &str) -> Vec<(&'static str, Option<&'static str>, Value)> {
    let when = json!([{"field": "severity", "op": "equal", "value": "low"}]);
    let receiver =
        json!({"name": "Ops", "receiver_im": "ops", "im_type": "slack", "bot_token": "xoxb-1", "destination_id": "C1"});
    let tool = json!({"name": "prometheus", "description": "Asks.", "type": "mcp", "config": {
        "kind": "http", "base_url": "https://prometheus.example.com", "read_only": true}});
    let binding =
        json!({"alert_pattern": "DiskFull", "pattern_kind": "keyword", "field": "title", "skill_id": skill_id});
    vec![
        ("sources", None, json!({"name": "Another"})),
        ("receivers", None, receiver),
        (
            "configurations",
            None,
            json!({"config_type": "general", "config_key": "k", "config_value": "v"}),
        ),
        ("tools", None, tool),
        ("bindings", None, binding),
        (
            "correlations",
            Some("rule_id"),
            json!({"name": "By team", "by": ["labels.team"], "window_minutes": 10}),
        ),
        (
            "silences",
            Some("silence_id"),
            json!({"name": "Known", "when": when, "ends_at": chrono::Utc::now() + chrono::TimeDelta::days(1)}),
        ),
        (
            "escalation-policies",
            Some("policy_id"),
            json!({"name": "Nights", "steps": [{"after_minutes": 5, "receiver_im": "ops"}]}),
        ),
        (
            "expectations",
            Some("expectation_id"),
            json!({"expectation": {"name": "Backup", "source_id": source_id, "every_minutes": 60}}),
        ),
        ("retentions", None, json!({"body_days": 30})),
    ]
}

async fn stream(admin: &Client, plural: &str, body: &Value) -> String {
    let made = admin.post(&format!("/v1/dod/{plural}"), body).await.ok();
    made["stream"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_names_what_was_made_and_leads_to_where_it_is_shown() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source_id = stream(admin, "sources", &json!({"name": "Prometheus"})).await;
    let skill = json!({"name": "Disk", "problem_description": "It is full.", "sop": "Look at it.\n"});
    let skill_id = stream(admin, "skills", &skill).await;
    for (plural, field, body) in new_things(&source_id, &skill_id) {
        let answer = admin.post(&format!("/v1/dod/{plural}"), &body).await;
        assert_eq!(answer.status, 200, "{plural}: {}", answer.text);
        let told = answer.json();
        let made = match field {
            Some(field) => &told["ids"][field],
            None => &told["stream"],
        };
        let made: Uuid = made
            .as_str()
            .unwrap_or_else(|| panic!("{plural}: {told}"))
            .parse()
            .unwrap();
        let location = answer
            .headers
            .get("location")
            .map(|location| location.to_str().unwrap());
        // Whether it comes is followed by a heartbeat, which has an id of its own.
        assert_eq!(location.is_none(), plural == "expectations", "{plural}: {location:?}");
        if let Some(location) = location {
            let row = admin.get_after(location, answer.position()).await.ok();
            assert_eq!(row["id"], made.to_string(), "{location}: {row}");
        }
        // The same again under its id is about the same thing.
        if let (Some(field), Some(id)) = (field, told["stream"].as_str()) {
            let mut changed = body.clone();
            changed[field] = json!(made);
            match plural {
                "expectations" => changed["expectation"]["name"] = json!("Changed"),
                _ => changed["name"] = json!("Changed"),
            }
            let command = ["set-rule", "silence", "set-policy", "expect"];
            let command = command.iter().find(|command| dod_has(plural, command)).unwrap();
            let again = admin
                .post(&format!("/v1/dod/{plural}/{id}/{command}"), &changed)
                .await
                .ok();
            assert_eq!(again["ids"], json!({ field: made }), "{plural}");
        }
    }
    service.end().await;
}

fn dod_has(plural: &str, command: &str) -> bool {
    let contexts = tests::contexts();
    let kind = contexts.by_url("dod", plural).unwrap();
    contexts.commands(kind).iter().any(|known| known == command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_names_a_receiver_that_is_not_there_is_warned_until_it_is() {
    let stand_in = StandIn::start().await.unwrap();
    let service = service(&[&stand_in]).await;
    let admin = &service.admin;
    let source = json!({"name": "Prometheus", "receiver_im": "ops"});
    let policy = json!({"name": "Nights", "steps": [
        {"after_minutes": 5, "assign_to": admin.user}, {"after_minutes": 9, "receiver_im": "ops"}]});
    let told = "names ops, and no receiver in use is called so: nobody is told there until one is entered";
    let dry = admin
        .request(Method::POST, "/v1/dod/sources")
        .header("Daybook-Dry-Run", "true");
    let would = admin.send(dry.json(&source)).await.ok();
    assert_eq!(would["warnings"], json!([format!("receiver_im {told}")]));
    let entered = admin.post("/v1/dod/sources", &source).await.ok();
    assert_eq!(entered["warnings"], json!([format!("receiver_im {told}")]));
    let set = admin.post("/v1/dod/escalation-policies", &policy).await.ok();
    assert_eq!(set["warnings"], json!([format!("steps[1].receiver_im {told}")]));
    slack(admin, "ops", &stand_in).await;
    let set = admin.post("/v1/dod/escalation-policies", &policy).await.ok();
    assert_eq!(set.get("warnings"), None, "{set}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_enters_a_tool_is_warned_of_secrets_that_would_not_be_sent() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let tool = json!({"name": "prometheus", "type": "mcp", "config": {
        "kind": "http", "base_url": "https://metrics.example.com/api", "read_only": true,
        "headers": {"Authorization": {"configuration": "general/metrics", "prefix": "Bearer "}, "X-Scope-OrgID": "ops"}}});
    // It would tell which configurations there are.
    let clerk = service.person(&["dod.tool.enter"], &[]).await;
    let dry = clerk
        .request(Method::POST, "/v1/dod/tools")
        .header("Daybook-Dry-Run", "true");
    let would = clerk.send(dry.json(&tool)).await.ok();
    assert!(would["warnings"].as_array().is_none_or(Vec::is_empty), "{would}");
    let entered = admin.post("/v1/dod/tools", &tool).await.ok();
    let warned = |told: &str| {
        json!([format!(
            "config.headers.Authorization: {told}; until then nothing is asked of the tool"
        )])
    };
    let missing = "there is no configuration general/metrics; enter it, with hosts that name metrics.example.com";
    assert_eq!(entered["warnings"], warned(missing));
    let amend = format!("/v1/dod/tools/{}/amend", entered["stream"].as_str().unwrap());
    let secret = |host: &str| json!({"config_type": "general", "config_key": "metrics", "config_value": "s3cr3t", "hosts": [host]});
    let configuration = stream(admin, "configurations", &secret("other.example.com")).await;
    let amended = admin.post(&amend, &tool).await.ok();
    let elsewhere = "the configuration general/metrics may not be sent to metrics.example.com; whoever has its value amends it \
                     with that and with hosts that name metrics.example.com";
    assert_eq!(amended["warnings"], warned(elsewhere));
    let path = format!("/v1/dod/configurations/{configuration}/amend");
    admin.post(&path, &secret("Metrics.example.com")).await.ok();
    let amended = admin.post(&amend, &tool).await.ok();
    assert_eq!(amended.get("warnings"), None, "{amended}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_go_unheeded_of_tokens_and_webhooks_is_refused() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let source_id = stream(admin, "sources", &json!({"name": "Prometheus"})).await;
    let tokens = format!("/v1/dod/sources/{source_id}/tokens");
    for (header, value) in [
        ("Idempotency-Key", "once"),
        ("If-Match", "1"),
        ("Daybook-Reason", "new sender"),
    ] {
        let issuing = admin
            .request(Method::POST, &tokens)
            .header(header, value)
            .json(&json!({}));
        let problem = admin.send(issuing).await.problem(400);
        assert_eq!(problem["field"], header, "{problem}");
    }
    let source = Source::entered(admin, json!({"name": "Another"})).await;
    let shown = rows(&admin.get("/v1/dod/webhook_tokens").await.ok()).len();
    assert!(shown <= 1, "none of those that were refused was issued");
    let event = json!({"routing_key": token(&source.path), "event_action": "trigger",
        "payload": {"summary": "Full", "source": "db-1", "severity": "critical"}});
    for (path, body) in [
        (source.path.as_str(), json!({"title": "Full"})),
        ("/v1/dod/v2/enqueue", event),
    ] {
        let url = format!("{}{path}", service.url);
        let trying = tests::service::http()
            .post(url)
            .header("Daybook-Dry-Run", "true")
            .json(&body);
        let answer = trying.send().await.unwrap();
        assert_eq!(answer.status(), 400, "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["field"], "Daybook-Dry-Run", "{problem}");
    }
    assert_eq!(received(&service).await, 0);
    service.end().await;
}

fn token(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Deliveries that are in the book.
async fn received(service: &Service) -> i64 {
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let counting = "select count(*) from book.events where event_type = 'DeliveryReceived'";
    let count = sqlx::query_scalar(counting).fetch_one(&pool).await.unwrap();
    pool.close().await;
    count
}
