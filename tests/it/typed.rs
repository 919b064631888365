//! The command line: ids that stand for nothing are refused, and nothing of what is printed does anything to a terminal.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tests::Service;
use tests::service::{AUDIENCE, ISSUER, SECRET};
use tokio::process::Command;
use uuid::Uuid;

/// Runs the program over the service's database to its end.
async fn run(service: &Service, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(tests::setting("DAYBOOK_BIN"))
        .args(arguments)
        .envs([
            ("DATABASE_URL", service.database.url().as_str()),
            ("DAYBOOK_MASTER_KEY", tests::ledger::MASTER_KEY),
            ("DAYBOOK_JWT_SECRET", SECRET),
            ("DAYBOOK_JWT_ISSUER", ISSUER),
            ("DAYBOOK_JWT_AUDIENCE", AUDIENCE),
            ("RUST_LOG", "warn"),
        ])
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

/// What the program says when it will not.
async fn refused(service: &Service, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(service, arguments, environment).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?}: {told}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    told
}

async fn printed(service: &Service, arguments: &[&str]) -> String {
    let output = run(service, arguments, &[]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_stand_for_nothing_and_kinds_that_do_not_exist_are_refused() {
    let service = Service::start().await;
    let nil = Uuid::nil().to_string();
    let daybooks_own = domain::SYSTEM.to_string();
    let stream = format!("identity.user/{nil}");
    for arguments in [
        &["roles", "--tenant", &nil][..],
        &["token", "--admin", "--tenant", &nil],
        &["token", "--user", &nil],
        &["token", "--user", &daybooks_own],
        &["events", "--stream", &nil],
        &["events", "--only-tenant", &nil],
        &["unpark", "cloudwatcher", &stream],
    ] {
        refused(&service, arguments, &[]).await;
    }
    refused(&service, &["roles"], &[("DAYBOOK_TENANT", nil.as_str())]).await;
    let someone = Uuid::now_v7().to_string();
    for arguments in [
        &["roles", "--tenant", &someone][..],
        &["bi", "--login", "reports_of_nobody", "--tenant", &someone],
    ] {
        let told = refused(&service, arguments, &[]).await;
        assert!(
            told.contains(&format!("there is no tenant {someone}")),
            "{arguments:?}: {told}"
        );
    }
    for arguments in [&["archive", "--dry-run"][..], &["dod", "archive", "--dry-run"]] {
        assert_eq!(printed(&service, arguments).await, "nothing is due\n", "{arguments:?}");
    }
    for kind in ["order", "cloudwatcher.orders", "nothing.order"] {
        let told = refused(&service, &["unpark", "cloudwatcher", &format!("{kind}/{someone}")], &[]).await;
        assert!(told.contains(&format!("there is no kind of stream {kind}")), "{told}");
        assert!(told.contains("cloudwatcher.order,"), "those that there are: {told}");
    }
    let good = printed(
        &service,
        &["unpark", "cloudwatcher", &format!("cloudwatcher.order/{someone}")],
    )
    .await;
    assert_eq!(good, "0 posted, 0 still parked\n");
    printed(&service, &["token", "--user", &someone]).await;
    let unpark = json!({"context": "cloudwatcher", "aggregate_type": "cloudwatcher.orders"});
    let problem = service.admin.post("/v1/admin/unpark", &unpark).await.problem(400);
    assert_eq!(problem["field"], "aggregate_type");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_data_says_does_nothing_to_a_terminal() {
    let service = Service::start().await;
    let admin = &service.admin;
    let control = json!({"name": "A\u{9b}2Jda"});
    let path = format!("/v1/identity/users/{}/rename", admin.user);
    let problem = admin.post(&path, &control).await.problem(422);
    assert_eq!(problem["field"], "name");
    // These are letters' companions in some scripts, and so are accepted.
    let name = "A\u{202e}da\u{2028}Lovelace\u{200d}";
    admin.post(&path, &json!({"name": name})).await.ok();
    let device = json!({"device_id": "truck-1", "request_type": "ping", "payload": {"\u{9b}2J": "\u{1b}[2J\u{85}"}});
    admin.post("/v1/cloudwatcher/requests", &device).await.ok();
    let text = printed(&service, &["events", "--personal"]).await;
    let lines = printed(&service, &["events", "--personal", "--json"]).await;
    for told in [&text, &lines] {
        let hidden = |c: &char| c.is_control() && *c != '\n' || ['\u{202e}', '\u{2028}', '\u{200d}'].contains(c);
        assert_eq!(told.chars().find(hidden), None, "{told}");
        assert!(told.contains(r"A\u202eda\u2028Lovelace\u200d"), "{told}");
        assert!(told.contains(r"\u009b2J"), "{told}");
    }
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let says = |said: &Value| events.iter().any(|event| event.to_string().contains(&said.to_string()));
    assert!(says(&json!(name)) && says(&device["payload"]), "the same JSON: {lines}");
    service.end().await;
}
