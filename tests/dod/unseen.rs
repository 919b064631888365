//! An issue that nobody sees to, from a body that a sender delivers to a message for those who are called next.

use std::time::Duration;

use dod::escalation_policy::EscalationPolicies;
use dod_messages::stand_in::StandIn;
use domain::Decider as _;
use serde_json::{Value, json};
use tests::until;

use crate::house::{Source, alertmanager, service, slack};

/// The step comes after a minute.
const WAIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_next_is_called_when_nobody_sees_to_an_issue_and_learns_of_its_end() {
    let stand_in = StandIn::start().await.unwrap();
    let service = service(&[&stand_in]).await;
    let admin = &service.admin;
    slack(admin, "first", &stand_in).await;
    slack(admin, "second", &stand_in).await;
    let stream = EscalationPolicies::only_stream(service.tenant);
    let steps = json!([
        {"after_minutes": 1, "receiver_im": "second", "assign_to": admin.user},
        {"after_minutes": 10_000, "receiver_im": "first"},
    ]);
    let path = format!("/v1/dod/escalation-policies/{stream}/set-policy");
    admin.post(&path, &json!({"name": "Nights", "steps": steps})).await.ok();
    let source = Source::entered(admin, json!({"name": "Prometheus"})).await;

    let firing = alertmanager("DiskFull", "db-1", "firing", "2026-01-05T12:00:00Z");
    let (status, told) = source
        .deliver(&service, "?receiver_im=first", "application/json", firing)
        .await;
    assert_eq!(status, 202, "{told}");
    let told = |state: &str| {
        let told = stand_in.received().into_iter();
        let told = told.filter(|message| message.arrived && message.channel == "second");
        told.filter(|message| message.state.as_deref() == Some(state)).count()
    };
    until("a call to the second", WAIT, async || {
        (told("escalated") > 0).then_some(())
    })
    .await;
    let assigned = |page: &Value| page["rows"][0]["assigned_to"] == json!(admin.user);
    let issues = admin.until("/v1/dod/issues", assigned).await;
    let id = issues["rows"][0]["id"].as_str().unwrap();
    let is_told = |page: &Value| {
        let logs = page["rows"].as_array().unwrap().iter();
        logs.filter(|log| log["metadata"]["step"] == 1 && log["metadata"]["receiver_im"] == "second")
            .count()
            == 1
    };
    admin
        .until(&format!("/v1/dod/issue_logs?issue_id={id}&log_type=reasoning"), is_told)
        .await;
    let waits = |page: &Value| page["rows"][0]["status"] == "under_way" && page["rows"][0]["steps_taken"] == 1;
    admin.until("/v1/dod/escalations", waits).await;

    admin
        .post(&format!("/v1/dod/issues/{id}/resolve"), &json!({}))
        .await
        .ok();
    let ended = |page: &Value| page["rows"][0]["status"] == "ended" && page["rows"][0]["next_at"].is_null();
    admin.until("/v1/dod/escalations", ended).await;
    until("the end for the second", WAIT, async || {
        (told("resolved") > 0).then_some(())
    })
    .await;
    assert_eq!(told("escalated"), 1);
    assert_eq!(stand_in.faults(), []);
    service.end().await;
}
