//! Tokens of an identity provider whose keys change, disappear and cannot be fetched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use daybook::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tests::service::claims;
use tests::{Client, Database, Service, until};

// Made for tests; used nowhere else.
const EC: &[u8] = include_bytes!("../../api/http/src/auth/token/keys/ec.pem");
const ED: &[u8] = include_bytes!("../../api/http/src/auth/token/keys/ed.pem");
const KEYS: &str = include_str!("../../api/http/src/auth/token/keys/jwks.json");
const ROWS: &str = "/v1/cloudwatcher/suppliers";

/// An identity provider: what it serves can be changed, and it counts how often it was asked.
#[derive(Clone, Default)]
struct Provider {
    /// The ids of the keys that it publishes; none while it is out of order.
    published: Arc<Mutex<Option<Vec<&'static str>>>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(published: &[&'static str]) -> (Self, String) {
        let provider = Self::default();
        provider.publish(Some(published));
        let served = provider.clone();
        let route = axum::routing::get(move || {
            let served = served.clone();
            async move { served.answer() }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let router: axum::Router = axum::Router::new().route("/keys", route);
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, url)
    }

    fn publish(&self, published: Option<&[&'static str]>) {
        *self.published.lock().unwrap() = published.map(<[_]>::to_vec);
    }

    fn answer(&self) -> Result<axum::Json<Value>, StatusCode> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let published = self.published.lock().unwrap().clone().ok_or(StatusCode::BAD_GATEWAY)?;
        let set: Value = serde_json::from_str(KEYS).unwrap();
        let keys = set["keys"].as_array().unwrap().iter();
        let keys: Vec<&Value> = keys
            .filter(|key| published.iter().any(|kid| key["kid"] == *kid))
            .collect();
        Ok(axum::Json(json!({"keys": keys})))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until it was asked so often from now on.
    async fn asked_again(&self, times: usize) {
        let goal = self.asked() + times;
        let look = || async { (self.asked() >= goal).then_some(()) };
        until("another fetch of the key set", Duration::from_secs(20), look).await;
    }
}

async fn service(url: String, refresh_seconds: u64) -> Service {
    let roles = vec![Role::Api, Role::Relay, Role::Projector];
    Service::configured(Database::create().await, roles, |config| {
        config.jwt_secret = None;
        config.jwks_url = Some(url);
        // The provider of this test has no certificate.
        config.jwks_http = true;
        config.jwks_refresh_seconds = refresh_seconds.try_into().unwrap();
    })
    .await
}

/// The administrator with a token under this key, which need not be the one that the name says.
fn bearing(service: &Service, kid: &str, algorithm: Algorithm, key: &EncodingKey) -> Client {
    let mut header = Header::new(algorithm);
    header.kid = Some(kid.to_owned());
    let token = encode(&header, &claims(service.tenant, service.admin.user), key).unwrap();
    service.admin.with_token(&token)
}

fn by_ec(service: &Service) -> Client {
    bearing(service, "ec", Algorithm::ES256, &EncodingKey::from_ec_pem(EC).unwrap())
}

fn by_ed(service: &Service, kid: &str) -> Client {
    bearing(service, kid, Algorithm::EdDSA, &EncodingKey::from_ed_pem(ED).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_fetched_when_a_token_names_it_and_an_unknown_one_is_not_asked_for_at_every_request() {
    let (provider, url) = Provider::start(&["ec"]).await;
    let service = service(url, 300).await;
    let (old, new) = (by_ec(&service), by_ed(&service, "ed"));
    old.get(ROWS).await.ok();
    assert_eq!(provider.asked(), 1);
    // Nobody can make the service ask more often by tokens that name keys of their own invention.
    for n in 0..50 {
        by_ed(&service, &format!("unknown-{}", n % 5))
            .get(ROWS)
            .await
            .problem(401);
    }
    assert!(provider.asked() <= 2, "asked {} times", provider.asked());
    // A good key's name does not help a token that another key signed.
    by_ed(&service, "ec").get(ROWS).await.problem(401);
    new.get(ROWS).await.problem(401);
    old.get(ROWS).await.ok();

    provider.publish(Some(&["ed"]));
    let before = provider.asked();
    let look = || async { (new.get(ROWS).await.status == 200).then_some(()) };
    let (_, took) = until("the new key", Duration::from_secs(20), look).await;
    assert!(took < Duration::from_secs(12), "a new key works after {took:?}");
    assert_eq!(provider.asked(), before + 1, "one fetch brought it");
    old.get(ROWS).await.problem(401);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_provider_signs_nobody_out_and_a_removed_key_ends_with_the_next_refresh() {
    let (provider, url) = Provider::start(&["ec", "ed"]).await;
    let service = service(url, 1).await;
    let (ec, ed) = (by_ec(&service), by_ed(&service, "ed"));
    ec.get(ROWS).await.ok();
    provider.publish(None);
    provider.asked_again(3).await;
    ec.get(ROWS).await.ok();
    ed.get(ROWS).await.ok();
    // Of a key that is not known yet, nothing can be said now: come again.
    let unknown = by_ed(&service, "unknown").get(ROWS).await;
    assert!(unknown.headers.contains_key("retry-after"), "{unknown:?}");
    assert_eq!(unknown.problem(503)["type"], "/problems/unavailable");

    provider.publish(Some(&["ec"]));
    let look = || async { (ed.get(ROWS).await.status == 401).then_some(()) };
    let (_, took) = until("the end of the removed key", Duration::from_secs(20), look).await;
    assert!(
        took < Duration::from_secs(5),
        "a removed key works for another {took:?}"
    );
    ec.get(ROWS).await.ok();
    service.end().await;
}
