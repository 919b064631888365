//! Tokens: whatever is not quite right about one is refused, in the same words.

use serde_json::json;
use tests::Service;
use tests::service::{claims, token};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_token_is_refused() {
    let service = Service::start().await;
    let admin = &service.admin;
    let good = claims(service.tenant, admin.user);
    let now = chrono::Utc::now().timestamp();
    let mut bad: Vec<(String, String)> = Vec::new();
    for claim in ["iss", "aud", "exp", "nbf", "sub", "tenant"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(claim);
        bad.push((format!("without {claim}"), token(&claims)));
        for wrong in [json!("wrong"), json!(null), json!(""), json!({}), json!(-1)] {
            let mut claims = good.clone();
            claims[claim] = wrong.clone();
            bad.push((format!("{claim} {wrong}"), token(&claims)));
        }
    }
    for (claim, value) in [("exp", now - 60), ("nbf", now + 600), ("exp", 0)] {
        let mut claims = good.clone();
        claims[claim] = json!(value);
        bad.push((format!("{claim} {value}"), token(&claims)));
    }
    let signed = token(&good);
    let parts: Vec<&str> = signed.split('.').collect();
    bad.push(("no signature".into(), format!("{}.{}.", parts[0], parts[1])));
    bad.push(("two parts".into(), format!("{}.{}", parts[0], parts[1])));
    bad.push(("a cut signature".into(), signed[..signed.len() - 2].to_owned()));
    bad.push(("empty".into(), String::new()));
    bad.push(("garbage".into(), "a.b.c".into()));
    bad.push(("huge".into(), "x".repeat(20_000)));
    for nobody in [domain::SYSTEM, Uuid::nil(), Uuid::max()] {
        let register = format!("/v1/identity/users/{nobody}/register");
        let person = json!({"name": "Daybook", "email": "daybook@example.com"});
        let reply = admin.post(&register, &person).await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{nobody}: {}", reply.text);
        bad.push((format!("sub {nobody}"), token(&claims(service.tenant, nobody))));
    }
    for (name, reason) in bad.iter().map(|(name, token)| (name, token)) {
        let reply = admin.with_token(reason).get("/v1/cloudwatcher/orders").await;
        assert_eq!(reply.status, 401, "{name}: {}", reply.text);
        assert!(reply.headers.contains_key("www-authenticate"), "{name}");
        assert_eq!(reply.problem(401)["type"], "/problems/unauthenticated", "{name}");
    }
    assert!(bad.len() >= 40, "{}", bad.len());
    admin
        .with_token(&token(&claims(service.tenant, Uuid::now_v7())))
        .get("/v1/cloudwatcher/orders")
        .await
        .problem(403);
    admin.get("/v1/cloudwatcher/orders").await.ok();
    service.end().await;
}
