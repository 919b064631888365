//! Alerts that a silence keeps quiet, when somebody ends it, prolongs it or has it mean others.

use chrono::{TimeDelta, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::Service;

use crate::house::{Source, alertmanager, rows, service};

/// Where a tenant sets its first silence; what comes later goes to the stream of it.
const SILENCES: &str = "/v1/dod/silences";

fn silence(id: Option<&str>, alert_type: &str, hours: i64) -> Value {
    let mut silence = json!({
        "name": "Work on the disks", "when": [{"field": "alert_type", "op": "equal", "value": alert_type}],
        "ends_at": Utc::now() + TimeDelta::hours(hours),
    });
    if let Some(id) = id {
        silence["silence_id"] = json!(id);
    }
    silence
}

/// A silence of an hour, an alert that it keeps quiet, and the ids of both; the address of the tenant's silences.
async fn kept_quiet(service: &Service) -> (String, String, String) {
    let admin = &service.admin;
    let silenced = admin.post(SILENCES, &silence(None, "DiskFull", 1)).await.ok();
    let silence_id = silenced["ids"]["silence_id"].as_str().unwrap().to_owned();
    let stream = silenced["stream"].as_str().unwrap();
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let firing = alertmanager("DiskFull", "db-1", "firing", "2026-01-05T12:00:00Z");
    let (status, told) = source.deliver(service, "", "application/json", firing).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{told}");
    let alerts = admin.until("/v1/dod/alerts", is_ignored).await;
    let alert = &rows(&alerts)[0];
    assert_eq!(
        (&alert["status"], &alert["silence_id"]),
        (&json!("ignored"), &json!(silence_id)),
        "{alert}"
    );
    let alert_id = alert["id"].as_str().unwrap().to_owned();
    (format!("{SILENCES}/{stream}"), silence_id, alert_id)
}

fn is_ignored(page: &Value) -> bool {
    rows(page).first().is_some_and(|alert| alert["status"] == "ignored")
}

fn is_open(page: &Value) -> bool {
    rows(page)[0]["status"] == "open" && !rows(page)[0]["issue_id"].is_null()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silence_kept_quiet_opens_as_soon_as_somebody_ends_it() {
    let service = service(&[]).await;
    let (silences, silence_id, _) = kept_quiet(&service).await;
    let end = json!({ "silence_id": silence_id });
    service.admin.post(&format!("{silences}/end"), &end).await.ok();
    service.admin.until("/v1/dod/alerts", is_open).await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silence_does_not_mean_any_more_opens_and_what_it_means_for_longer_stays_quiet() {
    let service = service(&[]).await;
    let admin = &service.admin;
    let (silences, silence_id, alert_id) = kept_quiet(&service).await;
    let amend = async |alert_type: &str, hours: i64| {
        let amended = silence(Some(&silence_id), alert_type, hours);
        admin.post(&format!("{silences}/silence"), &amended).await.ok();
    };
    amend("DiskFull", 48).await;
    let told = |page: &Value| !page["events"].as_array().unwrap().is_empty();
    let told = admin.until("/v1/events?type=AlertKeptQuiet", told).await;
    let told = told["events"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["stream"], json!(alert_id), "{told:?}");
    let alerts = admin.get("/v1/dod/alerts").await.ok();
    assert_eq!(rows(&alerts)[0]["status"], "ignored", "{alerts}");
    amend("BackupLate", 48).await;
    admin.until("/v1/dod/alerts", is_open).await;
    service.end().await;
}
