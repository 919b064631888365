//! Daybook as a client sees it: HTTP, with workers, over a database of its own.

use std::net::IpAddr;
use std::time::Duration;

use clap::Parser;
use daybook::{Config, Role, Running};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ledger::MASTER_KEY;
use crate::{Database, documented};

/// How long a test waits for what policies do.
const UNTIL_MAX: Duration = Duration::from_secs(60);

/// How long a client keeps a connection that it does not use.
const IDLE: Duration = Duration::from_secs(5);

pub const SECRET: &str = "a secret of tests, and of tests alone: 0123456789";
pub const ISSUER: &str = "daybook-tests";
pub const AUDIENCE: &str = "daybook";

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A running service and the tenant whose people the test plays.
#[derive(Debug)]
pub struct Service {
    pub url: String,
    pub tenant: Uuid,
    /// An administrator: permission `*`.
    pub admin: Client,
    stop: CancellationToken,
    running: Option<Running>,
    pub database: Database,
}

impl Service {
    /// All roles in this process.
    pub async fn start() -> Self {
        Self::of(crate::contexts()).await
    }

    /// As [`Service::start`], of other contexts than those of the program.
    pub async fn of(contexts: http::Contexts) -> Self {
        Self::over(
            Database::of(contexts).await,
            vec![Role::Api, Role::Relay, Role::Projector, Role::Policy],
        )
        .await
    }

    pub async fn over(database: Database, roles: Vec<Role>) -> Self {
        Self::configured(database, roles, |_| {}).await
    }

    /// With other settings than most tests have.
    pub async fn configured(database: Database, roles: Vec<Role>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(&database.url(), &database.name);
        change(&mut config);
        let stop = CancellationToken::new();
        let reacts = roles.contains(&Role::Policy);
        let running = daybook::serve(config, database.contexts.clone(), roles, stop.clone())
            .await
            .expect("the service starts");
        let url = format!("http://{}", running.address);
        let tenant = Uuid::new_v4();
        let admin = administrator(&database, &url, tenant).await;
        if reacts {
            database.settled().await;
        }
        Self {
            url,
            tenant,
            admin,
            stop,
            running: Some(running),
            database,
        }
    }

    /// Another process over the same database and bus.
    pub async fn beside(&self, roles: Vec<Role>) -> (Running, String, CancellationToken) {
        let stop = CancellationToken::new();
        let config = config(&self.database.url(), &self.database.name);
        let running = daybook::serve(config, self.database.contexts.clone(), roles, stop.clone())
            .await
            .expect("the second service starts");
        let url = format!("http://{}", running.address);
        (running, url, stop)
    }

    /// A new user of the tenant with these permissions, in these departments.
    pub async fn person(&self, permissions: &[&str], departments: &[Uuid]) -> Client {
        person(&self.admin, self.tenant, permissions, departments).await
    }

    /// Whoever operates the installation: registered with no tenant, and told by the token alone.
    pub fn operator(&self) -> Client {
        let nobody = Client::new(&self.url, Uuid::new_v4(), Uuid::new_v4());
        let mut claims = claims(nobody.tenant, nobody.user);
        claims["daybook_operator"] = json!(true);
        nobody.with_token(&token(&claims))
    }

    /// The administrator of another tenant of the same service.
    pub async fn start_tenant(service: &Self) -> Client {
        administrator(&service.database, &service.url, Uuid::new_v4()).await
    }

    pub async fn end(mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.ended().await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The settings of a test's service.
pub fn config(database_url: &str, stream: &str) -> Config {
    let mut config = Settings::parse_from(arguments(stream)).config;
    keep_secret(&mut config, database_url);
    config
}

/// What is secret of them, which no argument says.
pub fn keep_secret(config: &mut Config, database_url: &str) {
    config.database_url = Some(database_url.into());
    config.nats_url = Some(crate::setting("NATS_URL").as_str().into());
    config.master_key = Some(MASTER_KEY.into());
    config.jwt_secret = Some(SECRET.into());
    // Tests have one login for all roles, that of the owner of their databases.
    config.unsafe_settings = true;
}

/// The rest as arguments of the program, whose name is the first of them.
pub fn arguments(stream: &str) -> Vec<String> {
    let arguments = [
        "daybook",
        "--listen",
        "127.0.0.1:0",
        "--jwt-issuer",
        ISSUER,
        "--jwt-audience",
        AUDIENCE,
        "--nats-stream",
        stream,
        "--nats-prefix",
        stream,
        "--nats-stream-bytes",
        &crate::ledger::STREAM_BYTES_MAX.to_string(),
        "--rate-per-second",
        "1000000",
        "--objects",
        &objects(),
    ];
    arguments.map(str::to_owned).into()
}

/// Where large content of tests lies: content of one tenant is no other's.
fn objects() -> String {
    let folder = std::env::temp_dir().join("daybook-objects-of-tests");
    folder.display().to_string()
}

/// One person at the API.
#[derive(Debug, Clone)]
pub struct Client {
    pub url: String,
    pub user: Uuid,
    pub tenant: Uuid,
    pub token: String,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The JSON of an answer that must be 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// The problem of an answer that must have this status.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let content_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("application/problem+json"), "{}", self.text);
        let problem = self.json();
        assert!(
            problem["type"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
        problem
    }

    pub fn position(&self) -> i64 {
        self.json()["position"].as_i64().expect("an answer names its position")
    }
}

impl Client {
    pub fn new(url: &str, tenant: Uuid, user: Uuid) -> Self {
        let http = http();
        Self {
            url: url.to_owned(),
            user,
            tenant,
            token: token(&claims(tenant, user)),
            http,
        }
    }

    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// The same person at another address of this machine.
    pub fn coming_from(&self, address: IpAddr) -> Self {
        Self {
            http: http_from(Some(address)),
            ..self.clone()
        }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    /// A request to a whole address, in nobody's name: senders of alerts show what they have in the address.
    pub fn sending(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.post(url)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let (http, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = http.execute(request).await.expect("the service answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the answer ends");
        documented::tells(&method, &path, status, &text);
        Reply { status, headers, text }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    /// Reads what a command at `position` has done.
    pub async fn get_after(&self, path: &str, position: i64) -> Reply {
        self.send(self.request(Method::GET, path).header("Daybook-After", position))
            .await
    }

    /// Reads again and again until the answer is what is waited for: what policies do comes by itself.
    pub async fn until(&self, path: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let look = async || {
            let seen = self.get(path).await.ok();
            is_it(&seen).then_some(seen)
        };
        crate::until(&format!("{path} as it is waited for"), UNTIL_MAX, look)
            .await
            .0
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }
}

/// A client of HTTP without certificates: the service is on this machine.
pub fn http() -> reqwest::Client {
    http_from(None)
}

/// As [`http`], from this address of the machine.
fn http_from(address: Option<IpAddr>) -> reqwest::Client {
    // The service in this process may have chosen the provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .local_address(address)
        .timeout(Duration::from_secs(30))
        // Sooner than the service ends idle connections, so that no request meets one that is just being ended.
        .pool_idle_timeout(IDLE)
        .tls_certs_only([])
        .build()
        .expect("a client")
}

pub fn claims(tenant: Uuid, user: Uuid) -> Value {
    let now = chrono::Utc::now().timestamp();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": user, "tenant": tenant, "nbf": now - 5, "iat": now, "exp": now + 3_600,
    })
}

pub fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
}

/// The first administrator cannot be registered over HTTP: nobody may yet. As on a new installation,
/// the book is written directly.
pub async fn administrator(database: &Database, url: &str, tenant: Uuid) -> Client {
    use book::{Book, Envelope, MasterKey, Pools, Step};
    use identity::{role, tenant as company, user};

    let pools = Pools::connect(&database.options).await.expect("the database answers");
    let book = Book::new(
        pools.writer.clone(),
        MasterKey::from_hex(MASTER_KEY).expect("a key"),
        database.contexts.decisions().clone(),
    );
    let (admin, role) = (Uuid::now_v7(), Uuid::now_v7());
    let define = serde_json::from_value(json!({"define": {"name": "admin", "permissions": ["*"]}})).expect("define");
    let register = json!({"register": {"name": "Ada", "email": format!("ada@{}.example", tenant.simple())}});
    let register = serde_json::from_value(register).expect("register");
    let assign = serde_json::from_value(json!({"assign-role": {"role_id": role}})).expect("assign");
    let create = serde_json::from_value(json!({"create": {"name": "A company"}})).expect("create");
    let steps = vec![
        Step::of::<company::Tenant>(tenant, None, create),
        Step::of::<role::Role>(role, None, define),
        Step::of::<user::User>(admin, None, register),
        Step::of::<user::User>(admin, None, assign),
    ];
    let envelope = Envelope::once(tenant, domain::SYSTEM, chrono::Utc::now());
    book.execute(envelope, steps)
        .await
        .expect("the administrator is registered");
    pools.close().await;
    Client::new(url, tenant, admin)
}

/// A new user of the administrator's tenant with these permissions, in these departments.
pub async fn person(admin: &Client, tenant: Uuid, permissions: &[&str], departments: &[Uuid]) -> Client {
    let (user, role) = (Uuid::now_v7(), Uuid::now_v7());
    let role_body = json!({"name": role.simple().to_string(), "permissions": permissions});
    admin
        .post(&format!("/v1/identity/roles/{role}/define"), &role_body)
        .await
        .ok();
    let user_body = json!({"name": "Somebody", "email": format!("{}@example.com", user.simple())});
    admin
        .post(&format!("/v1/identity/users/{user}/register"), &user_body)
        .await
        .ok();
    admin
        .post(
            &format!("/v1/identity/users/{user}/assign-role"),
            &json!({"role_id": role}),
        )
        .await
        .ok();
    for department in departments {
        let body = json!({"department_id": department});
        admin
            .post(&format!("/v1/identity/users/{user}/join-department"), &body)
            .await
            .ok();
    }
    Client::new(&admin.url, tenant, user)
}
