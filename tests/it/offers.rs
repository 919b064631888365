//! The commands that a stream takes: what is offered, to whom, and why not.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Service};
use uuid::Uuid;

async fn offers(client: &Client, user: Uuid) -> Value {
    client
        .get(&format!("/v1/streams/identity/user/{user}/commands"))
        .await
        .ok()
}

fn offer<'a>(offers: &'a Value, command: &str) -> &'a Value {
    let offers = offers["commands"].as_array().unwrap();
    offers.iter().find(|offer| offer["command"] == command).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_every_command_and_what_is_not_offered_is_refused_by_the_rule_that_is_named() {
    let service = Service::start().await;
    let (admin, user) = (&service.admin, Uuid::now_v7());
    let path = |command: &str| format!("/v1/identity/users/{user}/{command}");
    let register = json!({"name": "Grace", "email": "grace@example.com"});
    admin.post(&path("register"), &register).await.ok();

    let fresh = offers(admin, user).await;
    assert_eq!(
        (&fresh["aggregate_type"], &fresh["sequence"]),
        (&json!("identity.user"), &json!(1))
    );
    let contexts = tests::contexts();
    let kind = contexts.by_url("identity", "users").unwrap();
    let names: Vec<Value> = contexts.commands(kind).iter().map(|name| json!(name)).collect();
    let told = fresh["commands"].as_array().unwrap();
    assert_eq!(
        told.iter().map(|offer| offer["command"].clone()).collect::<Vec<_>>(),
        names
    );
    for offer in told {
        assert_eq!(offer["permitted"], true, "{offer}");
        assert_eq!(offer["offered"], offer["why_not"].is_null(), "{offer}");
    }
    let rename = offer(&fresh, "rename");
    assert_eq!(rename["offered"], true);
    // What Daybook alone sends has no address.
    let tenant = format!("/v1/streams/identity/tenant/{}/commands", service.tenant);
    assert_eq!(admin.get(&tenant).await.ok()["commands"], json!([]));
    let again = offer(&fresh, "register");
    let refused = admin.post(&path("register"), &register).await.problem(422);
    assert_eq!(
        (&again["why_not"]["rule"], &again["why_not"]["detail"]),
        (&refused["rule"], &refused["detail"])
    );

    // What happens moves the sequence, which is one for If-Match.
    let request = admin.request(Method::POST, &path("rename"));
    let renamed = request.header("If-Match", fresh["sequence"].to_string());
    admin.send(renamed.json(&json!({"name": "Hopper"}))).await.ok();
    admin.post(&path("erase"), &json!({})).await.ok();
    let erased = offers(admin, user).await;
    assert_eq!(erased["sequence"], 3);
    assert_eq!(offer(&erased, "rename")["offered"], false);
    let refused = admin
        .post(&path("rename"), &json!({"name": "Hopper"}))
        .await
        .problem(422);
    assert_eq!(offer(&erased, "rename")["why_not"]["rule"], refused["rule"]);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_somebody_may_not_send_is_not_offered_to_them() {
    let service = Service::start().await;
    let clerk = service.person(&["identity.user.rename"], &[]).await;
    let auditor = service.person(&["audit.read"], &[]).await;
    let nobody = service.person(&["identity.role.define"], &[]).await;
    let user = service.admin.user;
    let told = offers(&clerk, user).await;
    let (rename, register) = (offer(&told, "rename"), offer(&told, "register"));
    assert_eq!((&rename["permitted"], &rename["offered"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&register["permitted"], &register["offered"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(register["why_not"]["rule"], "missing-permission");
    let told = offers(&auditor, user).await;
    for offer in told["commands"].as_array().unwrap() {
        assert_eq!(
            (&offer["permitted"], &offer["offered"]),
            (&json!(false), &json!(false)),
            "{offer}"
        );
    }
    let path = format!("/v1/streams/identity/user/{user}/commands");
    let problem = nobody.get(&path).await.problem(403);
    assert_eq!(problem["permission"], "audit.read");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_there_or_another_tenants_offers_nothing() {
    let service = Service::start().await;
    let stranger = Service::start_tenant(&service).await;
    let path = |id: Uuid| format!("/v1/streams/identity/user/{id}/commands");
    stranger.get(&path(service.admin.user)).await.problem(404);
    stranger.get(&path(stranger.user)).await.ok();
    service.admin.get(&path(Uuid::now_v7())).await.problem(404);
    let unknown = format!("/v1/streams/identity/dancer/{}/commands", service.admin.user);
    let problem = service.admin.get(&unknown).await.problem(404);
    assert!(problem["allowed"].as_array().unwrap().contains(&json!("identity/user")));
    service
        .admin
        .get(&format!("{}?limit=1", path(service.admin.user)))
        .await
        .problem(400);
    service.end().await;
}
