//! A year later: what is over leaves the tables.

use domain::{Decider as _, SYSTEM};
use rehearsal::chronicle::TENANT;
use rehearsal::{Chronicle, sending};
use serde_json::{Value, json};
use uuid::Uuid;

use super::alerts::as_id;
use super::story::ADA;
use crate::alert::Alert;
use crate::escalation::Escalation;
use crate::issue::Issue;
use crate::message::Message;
use crate::retention::{CLOSED_DAYS, Retention};
use crate::signal::Signal;

/// The receiver that both issues were told to.
const RECEIVER_IM: &str = "devops-slack";

/// An issue leaves with its message and its alert, another one with its escalation, too, and a heartbeat by itself.
pub(super) fn archived(chronicle: &mut Chronicle, issue: Uuid, escalated: Uuid, heartbeat: Uuid) {
    let of = |chronicle: &Chronicle, issue| as_id(&chronicle.named(issue, "alert_id"));
    let alerts = [issue, escalated].map(|issue| of(chronicle, issue));
    chronicle.later(24 * i64::from(CLOSED_DAYS)).by(SYSTEM);
    for alert in alerts {
        chronicle.send::<Alert>(alert, json!({"drop-raw": {}}));
    }
    let archive = |name: &str| json!({"archive": {"archive": name, "sha256": "0123456789abcdef".repeat(4)}});
    let by_issue = archive("dod.issues.1");
    for (issue, alert) in [issue, escalated].into_iter().zip(alerts) {
        let mut of_escalation = by_issue.clone();
        of_escalation["archive"]["issue_id"] = json!(issue);
        let message = sending::<Message>(Message::stream(issue, RECEIVER_IM), &by_issue);
        let escalation = sending::<Escalation>(Escalation::stream(issue), &of_escalation);
        let rest = [sending::<Issue>(issue, &by_issue), sending::<Alert>(alert, &by_issue)];
        let is_escalated = issue == escalated;
        let all: Vec<_> = [message]
            .into_iter()
            .chain(is_escalated.then_some(escalation))
            .chain(rest)
            .collect();
        chronicle.carry_out(&all, None);
    }
    chronicle.send::<Alert>(heartbeat, archive("dod.alerts.1"));
    let (signal, archived_at): (Uuid, Value) = (
        as_id(&chronicle.named(heartbeat, "signal_id")),
        chronicle.named(heartbeat, "archived_at"),
    );
    let release = json!({"release": {"alert_id": heartbeat, "closed_at": archived_at}});
    chronicle.send::<Signal>(signal, release);
    let longer = json!({"set": {"body_days": 30, "closed_days": 2 * CLOSED_DAYS}});
    chronicle
        .by(ADA)
        .send::<Retention>(Retention::only_stream(TENANT), longer);
}
