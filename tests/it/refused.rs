//! The security log: who was refused what and why, for machines to read.

use std::time::Duration;

use serde_json::{Value, json};
use tests::process::Process;
use tests::service::{self, claims, token};
use tests::{Client, Database, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(20);

/// The lines of the process's security log so far.
fn told(process: &Process) -> Vec<Value> {
    let lines = process.log();
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "daybook::security").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_logged_with_who_what_and_why_and_without_secrets() {
    let database = Database::create().await;
    let nats = tests::setting("NATS_URL");
    let environment = [("DAYBOOK_LOG_FORMAT", "json"), ("RUST_LOG", "info")];
    let process = Process::start_with(&database.url(), &nats, &database.name, "api", &environment).await;
    let admin = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    let person = service::person(&admin, admin.tenant, &["cloudwatcher.part.enter"], &[]).await;

    // What must not be in any line: a token, a parameter, a body.
    let good = token(&claims(admin.tenant, admin.user));
    let signed_otherwise = good[..good.len() - 6].to_owned() + "AAAAAA";
    let marked = "marker-7f3a9c";
    let nobody = admin.with_token(&signed_otherwise);
    nobody
        .get(&format!("/v1/cloudwatcher/parts?name={marked}"))
        .await
        .problem(401);
    let body = json!({"name": marked});
    person.post("/v1/cloudwatcher/suppliers", &body).await.problem(403);
    let stranger = Client::new(&process.url, admin.tenant, Uuid::now_v7());
    stranger.get("/v1/cloudwatcher/parts").await.problem(403);
    // Refused for what it is, and nothing for this log.
    admin.get("/v1/cloudwatcher/nothing").await.problem(404);

    let all = async || (told(&process).len() >= 3).then(|| told(&process));
    let (lines, _) = until("three lines", WAIT, all).await;
    assert_eq!(lines.len(), 3, "{lines:?}");
    let fields = |n: usize| lines[n]["fields"].as_object().cloned().unwrap_or_default();
    let (unknown, unpermitted, unregistered) = (fields(0), fields(1), fields(2));
    for (line, status, kind) in [
        (&unknown, 401, "/problems/unauthenticated"),
        (&unpermitted, 403, "/problems/forbidden"),
        (&unregistered, 403, "/problems/not-registered"),
    ] {
        assert_eq!(
            (&line["status"], &line["kind"]),
            (&json!(status), &json!(kind)),
            "{line:?}"
        );
        assert_eq!(line["from"], "127.0.0.1", "{line:?}");
        assert!(line["request_id"].is_string() && line["left_out"] == 0, "{line:?}");
    }
    assert!(unknown["why"].as_str().unwrap().contains("signature"), "{unknown:?}");
    assert!(
        !unknown.contains_key("user") && !unpermitted.contains_key("why"),
        "{lines:?}"
    );
    assert_eq!(unpermitted["user"], person.user.to_string());
    assert_eq!(unpermitted["tenant"], admin.tenant.to_string());
    assert_eq!(unpermitted["permission"], "cloudwatcher.supplier.enter");
    assert_eq!(unpermitted["method"], "POST");
    assert_eq!(unpermitted["route"], "/v1/{context}/{name}");
    assert_eq!(unregistered["user"], stranger.user.to_string());
    let log = process.log();
    for secret in [marked, &good, &signed_otherwise, &person.token] {
        assert!(!log.contains(secret), "{secret}");
    }

    let metrics = admin.get("/metrics").await.text;
    for line in [
        "daybook_refused_total{status=\"401\",kind=\"unauthenticated\"} 1",
        "daybook_refused_total{status=\"403\",kind=\"forbidden\"} 1",
        "daybook_refused_total{status=\"403\",kind=\"not-registered\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing: {metrics}");
    }
}
