//! A tenant that is told of alerts: a source with a token, a receiver whose messages a stand-in takes.

use std::process::Stdio;
use std::time::Duration;

use daybook::Role;
use dod_messages::stand_in::StandIn;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Client, Database, Service};

/// All roles, since what follows from an alert takes all of them.
pub const ROLES: [Role; 5] = [Role::Api, Role::Relay, Role::Projector, Role::Policy, Role::Reactor];

/// How long a test waits for what Daybook does by itself.
pub const WAIT: Duration = Duration::from_secs(60);

/// The rows of a page.
pub fn rows(page: &Value) -> &Vec<Value> {
    page["rows"].as_array().unwrap()
}

/// A service that may call what listens on this machine.
pub async fn service(reaches: &[&StandIn]) -> Service {
    let bases: Vec<String> = reaches.iter().map(|stand_in| stand_in.base()).collect();
    service_that_reaches(&bases).await
}

/// A service that may call these addresses of this machine.
pub async fn service_that_reaches(bases: &[String]) -> Service {
    let database = Database::create().await;
    let port = |base: &String| Some(base.rsplit_once(':')?.1.split('/').next()?.to_owned());
    let ports: Vec<String> = bases.iter().filter_map(port).collect();
    Service::configured(database, ROLES.into(), |config| {
        config.egress_private_networks = Some("127.0.0.0/8".to_owned());
        config.egress_plain_http = Some("127.0.0.0/8".to_owned());
        config.egress_ports = Some(ports.join(","));
    })
    .await
}

/// A source of this name and settings, and its address.
pub struct Source {
    pub path: String,
}

impl Source {
    pub async fn entered(admin: &Client, settings: Value) -> Self {
        let entered = admin.post("/v1/dod/sources", &settings).await.ok();
        let id = entered["streams"][0]["stream"]
            .as_str()
            .or(entered["stream"].as_str())
            .unwrap()
            .to_owned();
        let shown = admin
            .post(&format!("/v1/dod/sources/{id}/tokens"), &json!({}))
            .await
            .ok();
        Self {
            path: shown["path"].as_str().unwrap().to_owned(),
        }
    }

    /// Delivers a body as a sender does: without any other proof than the token.
    pub async fn deliver(
        &self,
        service: &Service,
        query: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> (StatusCode, Value) {
        let sender = tests::service::http();
        let url = format!("{}{}{query}", service.url, self.path);
        let request = sender
            .request(Method::POST, url)
            .header("Content-Type", content_type)
            .body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// A receiver that a stand-in of Slack takes messages for.
pub async fn slack(admin: &Client, receiver_im: &str, slack: &StandIn) {
    let webhook = slack.slack_webhook(receiver_im);
    let receiver =
        json!({ "name": receiver_im, "receiver_im": receiver_im, "im_type": "slack", "webhook_url": webhook });
    admin.post("/v1/dod/receivers", &receiver).await.ok();
}

/// One alert as Alertmanager tells it.
pub fn alertmanager(name: &str, instance: &str, status: &str, starts_at: &str) -> Vec<u8> {
    let labels = json!({ "alertname": name, "instance": instance, "severity": "critical" });
    let alert = json!({
        "status": status,
        "labels": labels,
        "annotations": { "summary": format!("{name} on {instance}") },
        "startsAt": starts_at,
        "endsAt": if status == "resolved" { "2026-01-05T12:30:00Z" } else { "0001-01-01T00:00:00Z" },
        "generatorURL": "http://prometheus.example/graph",
    });
    json!({
        "version": "4",
        "groupKey": "{}",
        "status": status,
        "receiver": "daybook",
        "groupLabels": {},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": [alert],
    })
    .to_string()
    .into_bytes()
}

/// What the program says to these arguments over a database; the test fails when the program does.
pub async fn program(database: &Database, arguments: &[&str]) -> String {
    program_with(database, arguments, &[]).await
}

/// As [`program`], with these settings besides.
pub async fn program_with(database: &Database, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let output = tokio::process::Command::new(tests::setting("DAYBOOK_BIN"))
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .env("DAYBOOK_MASTER_KEY", tests::ledger::MASTER_KEY)
        .env("RUST_LOG", "warn")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}{complaint}");
    told
}
