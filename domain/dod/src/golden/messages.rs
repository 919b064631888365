//! What receivers are told of an issue.

use chrono::TimeDelta;
use dod_skills::investigation::Conclusion;
use domain::SYSTEM;
use rehearsal::Chronicle;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::message::Message;

/// How an issue stands when somebody is told of it.
pub(super) struct Stands<'a> {
    pub(super) tells: &'a str,
    /// Its alerts, and those that are not over.
    pub(super) alerts: (u32, u32),
    pub(super) concluded: Option<&'a Conclusion>,
}

/// The receiver that the first alert names is told of its issue.
pub(super) fn tell(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid, stands: &Stands<'_>) -> Uuid {
    told(chronicle, issue, alert, stands, "want")
}

/// As [`tell`], of an up or down of an alert that flaps.
pub(super) fn hold(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid, stands: &Stands<'_>) -> Uuid {
    told(chronicle, issue, alert, stands, "hold")
}

/// What waited is told when the time has come.
pub(super) fn tell_held(chronicle: &mut Chronicle, message: Uuid) {
    let quiet_until = chronicle.named(message, "quiet_until");
    let tell = json!({"tell-held": {"quiet_until": quiet_until}});
    chronicle.later(1).by(SYSTEM).send::<Message>(message, tell);
}

fn told(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid, stands: &Stands<'_>, command: &str) -> Uuid {
    let brief = chronicle.named(alert, "brief");
    let receiver_im = brief["receiver_im"].as_str().unwrap();
    let labels: Vec<(&String, &Value)> = brief["labels"].as_object().unwrap().iter().collect();
    let notice = json!({
        "tells": stands.tells, "title": brief["title"], "severity": brief["severity"], "source": brief["source"],
        "alert_type": brief["alert_type"], "alerts": stands.alerts.0, "alerts_open": stands.alerts.1,
        "description": brief["description"], "labels": labels,
        "conclusion": stands.concluded.map(|conclusion| &conclusion.text),
        "is_real_issue": stands.concluded.and_then(|conclusion| conclusion.is_real_issue),
        "links": [], "opened_at": chronicle.named(issue, "opened_at"),
        "told_at": chronicle.next() - TimeDelta::seconds(90), "is_flapping": command == "hold",
    });
    let message = Message::stream(issue, receiver_im);
    let tell = json!({command: {"issue_id": issue, "receiver_im": receiver_im, "notice": notice}});
    chronicle.by(SYSTEM).send::<Message>(message, tell);
    message
}

/// The receiver's place has taken the latest revision.
pub(super) fn sent(chronicle: &mut Chronicle, message: Uuid, receiver_id: Uuid, place: Option<Value>) {
    let revision = chronicle.named(message, "revision");
    let note = json!({"note-sent": {"revision": revision, "receiver_id": receiver_id, "place": place}});
    chronicle.by(SYSTEM).send::<Message>(message, note);
}

/// The receiver's place will never take the latest revision.
pub(super) fn refused(chronicle: &mut Chronicle, message: Uuid, because: &str) {
    let revision = chronicle.named(message, "revision");
    let note = json!({"note-refused": {"revision": revision, "because": because}});
    chronicle.by(SYSTEM).send::<Message>(message, note);
}
