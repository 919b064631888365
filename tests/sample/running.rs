//! A process that serves some contexts, and what it says of itself.

use std::time::Duration;

use daybook::{Role, Running};
use serde_json::Value;
use tests::service::config;
use tests::{Client, Database, until};
use tokio_util::sync::CancellationToken;

pub const WAIT: Duration = Duration::from_secs(60);

/// A process with every role that posts or serves.
pub struct Served {
    running: Running,
    pub url: String,
    stop: CancellationToken,
}

impl Served {
    pub async fn of(database: &Database, contexts: http::Contexts) -> Self {
        let stop = CancellationToken::new();
        let roles = vec![Role::Api, Role::Relay, Role::Projector, Role::Policy];
        let config = config(&database.url(), &database.name);
        let running = daybook::serve(config, contexts, roles, stop.clone()).await.unwrap();
        let url = format!("http://{}", running.address);
        Self { running, url, stop }
    }

    pub async fn end(self) {
        self.stop.cancel();
        self.running.ended().await;
    }
}

/// Waits until the process is ready.
pub async fn ready(admin: &Client) {
    let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
    until("the process to be ready", WAIT, ready).await;
}

/// Whether one of the words in this list is about that.
pub fn names(health: &Value, list: &str, what: &str) -> bool {
    let words = health[list].as_array().into_iter().flatten();
    words.filter_map(Value::as_str).any(|words| words.contains(what))
}
