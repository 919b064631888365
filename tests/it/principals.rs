//! Who asks is read from the book once for all their requests, and again when they were changed.

use std::time::{Duration, Instant};

use http::auth::principal::CACHED_PRINCIPAL_SECONDS_MAX;
use serde_json::json;
use tests::{Client, Service};

const ORDERS: &str = "/v1/cloudwatcher/orders?limit=1";
/// Requests of one user at one time.
const AT_ONCE: usize = 30;

/// How often this process has read a principal from the book.
async fn read(service: &Service) -> u64 {
    let metrics = format!("{}/metrics", service.url);
    let shown = tests::service::http().get(&metrics).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    let line = shown
        .lines()
        .find_map(|line| line.strip_prefix("daybook_principals_read_total "));
    line.unwrap().parse().unwrap()
}

async fn rename(admin: &Client, whom: &Client) {
    let path = format!("/v1/identity/users/{}/rename", whom.user);
    let name = uuid::Uuid::now_v7().to_string();
    admin.post(&path, &json!({"name": name})).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_user_makes_that_user_be_read_once_for_all_their_requests_and_nobody_else() {
    let service = Service::start().await;
    let admin = &service.admin;
    let ada = service.person(&["cloudwatcher.orders.read"], &[]).await;
    let ben = service.person(&["cloudwatcher.orders.read"], &[]).await;
    // After some seconds everybody is read anew, which a slow machine must not mistake for the change.
    let in_time = Duration::from_secs(CACHED_PRINCIPAL_SECONDS_MAX);
    loop {
        let begun = Instant::now();
        for client in [admin, &ada, &ben] {
            rename(admin, client).await;
        }
        for client in [admin, &ada, &ben] {
            client.get(ORDERS).await;
        }
        let before = read(&service).await;
        rename(admin, &ada).await;
        let requests = (0..AT_ONCE).flat_map(|_| [ada.get(ORDERS), ben.get(ORDERS)]);
        for reply in futures::future::join_all(requests).await {
            reply.ok();
        }
        let after = read(&service).await;
        if begun.elapsed() < in_time {
            assert_eq!(after - before, 1, "of {} requests", 2 * AT_ONCE);
            break;
        }
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_process_takes_away_is_gone_at_the_next_request() {
    let service = Service::start().await;
    let admin = &service.admin;
    let ada = service.person(&["cloudwatcher.orders.read"], &[]).await;
    ada.get(ORDERS).await.ok();
    let roles = format!("/v1/cloudwatcher/user_roles?user_id=eq.{}", ada.user);
    let held = admin.until(&roles, |held| {
        held["rows"].as_array().is_some_and(|rows| rows.len() == 1)
    });
    let role = held.await["rows"][0]["role_id"].as_str().unwrap().to_owned();
    let permission = json!({"permission": "cloudwatcher.orders.read"});
    for _ in 0..10 {
        admin
            .post(&format!("/v1/identity/roles/{role}/revoke"), &permission)
            .await
            .ok();
        ada.get(ORDERS).await.problem(403);
        admin
            .post(&format!("/v1/identity/roles/{role}/grant"), &permission)
            .await
            .ok();
        ada.get(ORDERS).await.ok();
    }
    let deactivate = format!("/v1/identity/users/{}/deactivate", ada.user);
    admin.post(&deactivate, &json!({})).await.ok();
    ada.get(ORDERS).await.problem(403);
    service.end().await;
}
