//! A flood of one tenant is its own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dod_formats::samples;
use serde_json::json;
use sqlx::PgPool;
use tests::{Service, until};

use crate::house::{Source, WAIT, alertmanager, service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_in_one_tenant_keeps_no_alert_of_another_waiting() {
    const BODIES: u32 = 3;
    const ALERTS: u32 = 120;
    let service = service(&[]).await;
    let other = Service::start_tenant(&service).await;
    let stormy = Source::entered(&service.admin, json!({ "name": "Prometheus" })).await;
    let quiet = Source::entered(&other, json!({ "name": "Prometheus" })).await;
    for body in 0..BODIES {
        let sets = (0..ALERTS).map(|host| {
            BTreeMap::from([
                ("alertname".to_owned(), format!("Storm{body}")),
                ("severity".to_owned(), "critical".to_owned()),
                ("instance".to_owned(), format!("host-{host}")),
            ])
        });
        let storm = samples::alertmanager_group(sets, "firing", DateTime::<Utc>::UNIX_EPOCH);
        let (status, told) = stormy
            .deliver(&service, "", "application/json", storm.into_bytes())
            .await;
        assert_eq!(status, 202, "{told}");
    }
    let alert = alertmanager("DiskFull", "db-1", "firing", "2026-01-05T12:00:00Z");
    let (status, told) = quiet.deliver(&service, "", "application/json", alert).await;
    assert_eq!(status, 202, "{told}");

    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let all = i64::from(BODIES * ALERTS);
    let joined = "select count(*) from book.events where event_type = 'AlertJoinedIssue' and tenant_id = $1";
    let before = "select count(*) from book.events e where e.event_type = 'AlertJoinedIssue' and e.tenant_id = $1
                  and e.position < (select min(position) from book.events
                                    where event_type = 'AlertJoinedIssue' and tenant_id <> $1)";
    let count = async |query: &str| -> i64 {
        let counting = sqlx::query_scalar(query).bind(service.tenant);
        counting.fetch_one(&pool).await.unwrap()
    };
    let done = async || (count(joined).await == all).then_some(());
    until("the storm's end", WAIT, done).await;
    let before = count(before).await;
    assert!(before < all / 2, "{before} of {all} alerts of the storm came first");
    pool.close().await;
    service.end().await;
}
