//! From a signal that fires to the issue that its alert joins, and alerts that persons and time see to.

use domain::SYSTEM;
use rehearsal::chronicle::id;
use rehearsal::{Chronicle, sending};
use serde_json::{Value, json};
use uuid::Uuid;

use super::deliveries::{Sent, comes, observe, sample_comes};
use super::settings::MONITORS;
use super::story::BEN;
use crate::alert::Alert;
use crate::group::Group;
use crate::issue::Issue;
use crate::signal::Signal;

/// The alert of a signal that has just fired.
pub(super) fn open(chronicle: &mut Chronicle, signal: Uuid) -> Uuid {
    let named = |field: &str| chronicle.named(signal, field);
    let alert = as_id(&named("alert_id"));
    let observation = named("observation");
    let brief = json!({
        "source": named("source"), "alert_type": observation["alert_type"], "severity": observation["severity"],
        "title": observation["title"], "description": observation["description"], "labels": observation["labels"],
        "receiver_im": named("receiver_im"), "is_flapping": named("is_flapping"), "received_at": named("received_at"),
    });
    let open = json!({
        "signal_id": signal, "source_id": named("source_id"), "delivery_id": named("delivery_id"), "brief": brief,
        "original_severity": observation["original_severity"], "starts_at": observation["starts_at"],
        "links": observation["links"], "raw": named("raw"), "is_heartbeat": observation["is_heartbeat"],
    });
    chronicle.by(SYSTEM).send::<Alert>(alert, json!({"open": open}));
    alert
}

/// An alert joins the issue of its group.
pub(super) fn join(chronicle: &mut Chronicle, alert: Uuid) -> Uuid {
    let group = as_id(&chronicle.named(alert, "group_id"));
    let window_minutes = chronicle.named(alert, "window_minutes");
    let join = json!({"join": {"alert_id": alert, "window_minutes": window_minutes}});
    chronicle.by(SYSTEM).send::<Group>(group, join);
    let issue = as_id(&chronicle.named(group, "issue_id"));
    let bind = sending::<Issue>(issue, &json!({"bind": {"alert_id": alert}}));
    let note = sending::<Alert>(alert, &json!({"note-issue": {"issue_id": issue}}));
    chronicle.carry_out(&[bind, note], None);
    issue
}

/// Its issue hears that an alert is over.
pub(super) fn ended(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid) {
    let note = json!({"note-alert-ended": {"alert_id": alert}});
    chronicle.by(SYSTEM).send::<Issue>(issue, note);
}

/// Its issue hears that an alert is not over any more.
pub(super) fn reopened(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid) {
    let note = json!({"note-alert-reopened": {"alert_id": alert}});
    chronicle.by(SYSTEM).send::<Issue>(issue, note);
}

/// The signal lets an alert go that somebody has closed.
pub(super) fn released(chronicle: &mut Chronicle, signal: Uuid, alert: Uuid) {
    let closed_at = chronicle.named(alert, "resolved_at");
    let release = json!({"release": {"alert_id": alert, "closed_at": closed_at}});
    chronicle.by(SYSTEM).send::<Signal>(signal, release);
}

/// What a signal that has just cleared says of its alert.
pub(super) fn clear(chronicle: &mut Chronicle, signal: Uuid) -> Uuid {
    let alert = as_id(&chronicle.named(signal, "alert_id"));
    let (cleared_at, expired) = (
        chronicle.named(signal, "cleared_at"),
        chronicle.named(signal, "expired"),
    );
    let clear = json!({"clear": {"cleared_at": cleared_at, "expired": expired}});
    chronicle.by(SYSTEM).send::<Alert>(alert, clear);
    alert
}

/// One of which nothing more is heard, and one that a person closes.
pub(super) fn one_by_one(chronicle: &mut Chronicle) {
    let came = sample_comes(chronicle, id(20, 30), MONITORS, "mapped: a tenant's own monitor");
    let signal = observe(chronicle, &came, 0);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    let expire = json!({"expire": {"alert_id": alert, "source_id": MONITORS}});
    chronicle.later(1).by(SYSTEM).send::<Signal>(signal, expire);
    clear(chronicle, signal);
    ended(chronicle, issue, alert);

    let came = sample_comes(chronicle, id(20, 31), MONITORS, "generic: the shape of Grafana OnCall");
    let signal = observe(chronicle, &came, 0);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    chronicle
        .by(BEN)
        .send::<Alert>(alert, json!({"acknowledge": {}}))
        .send_because::<Alert>(alert, json!({"resolve": {}}), "It is up again.");
    ended(chronicle, issue, alert);
    released(chronicle, signal, alert);
}

/// One that gets worse and is then acknowledged where it comes from, which is taken back.
pub(super) fn worse(chronicle: &mut Chronicle) {
    let said = |action: &str, severity: &str, summary: &str| {
        json!({
            "routing_key": "R0", "event_action": action, "dedup_key": "srv02/disk",
            "payload": {"summary": summary, "source": "srv02", "severity": severity},
        })
        .to_string()
    };
    let comes = |chronicle: &mut Chronicle, n, text: &str| {
        let came = comes(chronicle, id(20, n), MONITORS, &Sent::json(text));
        observe(chronicle, &came, 0)
    };
    let signal = comes(chronicle, 50, &said("trigger", "warning", "The disk of srv02 fills"));
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    comes(chronicle, 51, &said("trigger", "critical", "The disk of srv02 is full"));
    let restated = chronicle.named(signal, "restated");
    let restate = json!({"restate": {"source_id": MONITORS, "restated": restated}});
    let from = chronicle.named(alert, "brief")["severity"].clone();
    let note = json!({"note-alert-restated": {"alert_id": alert, "from": from, "restated": restated}});
    chronicle
        .by(SYSTEM)
        .send::<Alert>(alert, restate)
        .send::<Issue>(issue, note);
    comes(
        chronicle,
        52,
        &said("acknowledge", "critical", "The disk of srv02 is full"),
    );
    chronicle
        .send::<Alert>(alert, json!({"follow-sender": {"acknowledged": true}}))
        .by(BEN)
        .send::<Alert>(alert, json!({"unacknowledge": {}}));
}

pub(super) fn as_id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}
