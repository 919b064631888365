//! A fresh process with two tenants: the victim, and one whose people are hostile and have much in the book.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use uuid::Uuid;

use super::wire;
use crate::process::Process;
use crate::service::{self, person};
use crate::{Client, Database, setting};

/// Events of the hostile tenant that a search has to go through.
const EVENTS: usize = 20_000;
/// Its requests and responses, each almost as large as may be.
const LARGE: usize = 80;
const LARGE_BYTES: usize = 100 * 1024;
/// Commands that are sent at one time to fill the book.
const AT_ONCE: usize = 64;
/// Users among whom they are divided, since each may send so many a second.
const FILLERS: usize = 8;
/// Users of whom each waits, and searches.
pub const MANY: usize = 5;
/// As in production: tests allow more.
const RATE_PER_SECOND: &str = "2000";

pub struct Stage {
    pub hostile: Arc<Hostile>,
    pub victim: Victim,
    pub process: Process,
    // Dropped last: the process still has connections to it.
    _database: Database,
}

/// The people of the hostile tenant.
pub struct Hostile {
    pub url: String,
    /// Registered, and without a role.
    pub nobody: Client,
    /// May read suppliers.
    pub reader: Client,
    /// May read responses.
    pub collector: Client,
    /// May read the log, each of them.
    pub auditors: Vec<Client>,
    /// May wait for responses, each of them.
    pub devices: Vec<Client>,
    /// May send requests and enter suppliers.
    pub sender: Client,
    /// A request that nobody answers.
    pub open_request: Uuid,
}

/// Somebody of the other tenant, who only wants to work.
#[derive(Debug, Clone)]
pub struct Victim {
    pub url: String,
    pub tenant: Uuid,
    pub user: Uuid,
    pub supplier: Uuid,
    pub open_request: Uuid,
}

impl Stage {
    pub async fn open() -> Self {
        let database = Database::create().await;
        let process = Process::start_with(
            &database.url(),
            &setting("NATS_URL"),
            &database.name,
            "api,relay,projector,policy",
            &[("DAYBOOK_RATE_PER_SECOND", RATE_PER_SECOND), ("RUST_LOG", "error")],
        )
        .await;
        let victim = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        let hostile = service::administrator(&database, &process.url, Uuid::new_v4()).await;
        Self {
            victim: Victim::settle(&victim).await,
            hostile: Arc::new(Hostile::gather(&hostile).await),
            process,
            _database: database,
        }
    }
}

impl Victim {
    async fn settle(admin: &Client) -> Self {
        let mut suppliers = Vec::new();
        for _ in 0..100 {
            let supplier = Uuid::now_v7();
            let enter = format!("/v1/cloudwatcher/suppliers/{supplier}/enter");
            suppliers.push((
                supplier,
                admin
                    .post(&enter, &json!({"name": supplier.to_string()}))
                    .await
                    .position(),
            ));
        }
        let (supplier, position) = suppliers.pop().expect("suppliers");
        admin
            .get_after("/v1/cloudwatcher/suppliers?limit=1", position)
            .await
            .ok();
        Self {
            url: admin.url.clone(),
            tenant: admin.tenant,
            user: admin.user,
            supplier,
            open_request: ask(admin, "of the victim", "short").await,
        }
    }
}

impl Hostile {
    async fn gather(admin: &Client) -> Self {
        let of = async |permissions: &[&str]| {
            let somebody = person(admin, admin.tenant, permissions, &[]).await;
            somebody.coming_from(wire::ADDRESS.into())
        };
        let many = async |permissions: &[&str]| {
            let mut all = Vec::new();
            for _ in 0..MANY {
                all.push(of(permissions).await);
            }
            all
        };
        let hostile = Self {
            url: admin.url.clone(),
            nobody: nobody(admin).await,
            reader: of(&["cloudwatcher.suppliers.read"]).await,
            collector: of(&["cloudwatcher.responses.read"]).await,
            auditors: many(&["audit.read", "departments.all"]).await,
            devices: many(&["cloudwatcher.responses.read"]).await,
            sender: of(&["cloudwatcher.request.receive", "cloudwatcher.supplier.enter"]).await,
            open_request: ask(admin, "of nobody's interest", "short").await,
        };
        fill(admin).await;
        hostile
    }
}

/// A user who is registered, and no more.
async fn nobody(admin: &Client) -> Client {
    let user = Uuid::now_v7();
    let register = format!("/v1/identity/users/{user}/register");
    let body = json!({"name": "Nobody", "email": format!("{}@example.com", user.simple())});
    admin.post(&register, &body).await.ok();
    Client::new(&admin.url, admin.tenant, user).coming_from(wire::ADDRESS.into())
}

/// Sends a request of a device; its id.
async fn ask(admin: &Client, key: &str, payload: &str) -> Uuid {
    let body = json!({
        "device_id": "truck-1", "request_key": key, "request_type": "get_parts", "payload": {"text": payload},
    });
    let answer = admin.post("/v1/cloudwatcher/requests", &body).await.ok();
    let stream = answer["stream"].as_str().expect("a stream");
    stream.parse().expect("an id")
}

/// Much that is large, then much that is small, until the tables show it.
async fn fill(admin: &Client) {
    let text = "x".repeat(LARGE_BYTES);
    for n in 0..LARGE {
        let request = ask(admin, &format!("large {n}"), &text).await;
        let respond = format!("/v1/cloudwatcher/requests/{request}/respond");
        admin.post(&respond, &json!({"content": {"text": text}})).await.ok();
    }
    let mut fillers = Vec::new();
    for _ in 0..FILLERS {
        fillers.push(person(admin, admin.tenant, &["cloudwatcher.supplier.enter"], &[]).await);
    }
    let enter = |n: usize| {
        let filler = &fillers[n % FILLERS];
        async move {
            let name = json!({"name": Uuid::new_v4().to_string()});
            loop {
                let reply = filler.post("/v1/cloudwatcher/suppliers", &name).await;
                if reply.status != 429 && reply.status != 503 {
                    return reply.position();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let positions = futures::stream::iter(0..EVENTS).map(enter).buffer_unordered(AT_ONCE);
    let last = positions.fold(0, async |last: i64, position| last.max(position)).await;
    // The wait for tables is bounded by the service, so ask until they are there.
    while admin.get_after("/v1/cloudwatcher/suppliers?limit=1", last).await.status != 200 {}
}
