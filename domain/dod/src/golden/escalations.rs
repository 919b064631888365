//! An issue that nobody sees to for a while.

use domain::{Decider as _, SYSTEM};
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::alerts::{ended, join, open, released};
use super::deliveries::{Sent, comes, observe};
use super::settings::MONITORS;
use super::story::{BEN, CLEO};
use crate::alert::Alert;
use crate::escalation::Escalation;
use crate::escalation_policy::EscalationPolicies;
use crate::issue::Issue;
use crate::message::Message;
use crate::silence::Silences;

/// What is set: the second of two policies is dropped again.
pub(super) fn policies(chronicle: &mut Chronicle) {
    let stream = EscalationPolicies::only_stream(TENANT);
    let nights = json!({"set-policy": {
        "name": "Nights", "when": [{"field": "severity", "op": "equal", "value": "critical"}], "priority": 5,
        "steps": [
            {"after_minutes": 10, "receiver_im": "devops-slack"},
            {"after_minutes": 20, "receiver_im": "devops-slack", "assign_to": CLEO},
            {"after_minutes": 60, "receiver_im": "platform-lark"},
        ],
    }});
    let days = json!({"set-policy": {"name": "Days", "steps": [{"after_minutes": 60, "assign_to": BEN}]}});
    chronicle
        .by(BEN)
        .send::<EscalationPolicies>(stream, nights)
        .send::<EscalationPolicies>(stream, days);
    let policy_id = chronicle.named(stream, "policy_id");
    chronicle.send::<EscalationPolicies>(stream, json!({"drop-policy": {"policy_id": policy_id}}));
}

/// Its first step waits for a silence; two are taken before somebody starts, and those who were called learn of the end.
pub(super) fn unseen(chronicle: &mut Chronicle) -> Uuid {
    let body = json!({"title": "The door is open", "severity": "critical", "labels": {"room": "cellar"}});
    let came = comes(chronicle, id(20, 40), MONITORS, &Sent::json(&body.to_string()));
    let signal = observe(chronicle, &came, 0);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    let stream = Escalation::stream(issue);
    let to = |command: &str| json!({command: {"issue_id": issue}});
    chronicle.by(SYSTEM).send::<Escalation>(stream, to("begin"));

    let ends_at = chronicle.next() + chrono::TimeDelta::minutes(90);
    let room = json!([{"field": "labels.room", "op": "equal", "value": "cellar"}]);
    chronicle.by(BEN).send::<Silences>(
        Silences::only_stream(TENANT),
        json!({"silence": {"name": "Wine is delivered", "when": room, "ends_at": ends_at}}),
    );
    let step = |step: u32| json!({"take-step": {"issue_id": issue, "round": 1, "step": step}});
    chronicle.later(1).by(SYSTEM).send::<Escalation>(stream, step(1));
    chronicle.later(1).send::<Escalation>(stream, step(1));
    let message = want(chronicle, issue, "devops-slack");
    chronicle.by(SYSTEM).send::<Escalation>(stream, step(2));
    want(chronicle, issue, "devops-slack");
    chronicle
        .by(SYSTEM)
        .send::<Issue>(issue, json!({"assign": {"user_id": CLEO}}))
        .by(CLEO)
        .send::<Issue>(issue, json!({"start": {}}))
        .by(SYSTEM)
        .send::<Escalation>(stream, to("look"))
        .by(CLEO)
        .send::<Issue>(issue, json!({"resolve": {"conclusion": "It is shut."}}))
        .by(SYSTEM)
        .send::<Alert>(alert, json!({"end-with-issue": {"false_positive": false}}))
        .send::<Escalation>(stream, to("look"));
    assert_eq!(want(chronicle, issue, "devops-slack"), message);
    ended(chronicle, issue, alert);
    released(chronicle, signal, alert);
    issue
}

/// One of which nobody has been told yet.
pub(super) fn unseen_still(chronicle: &mut Chronicle) {
    let body = json!({"title": "The window is open", "severity": "critical", "labels": {"room": "attic"}});
    let came = comes(chronicle, id(20, 60), MONITORS, &Sent::json(&body.to_string()));
    let signal = observe(chronicle, &came, 0);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    let begin = json!({"begin": {"issue_id": issue}});
    chronicle
        .by(SYSTEM)
        .send::<Escalation>(Escalation::stream(issue), begin);
}

/// A receiver is told what the latest event of the escalation has for it.
fn want(chronicle: &mut Chronicle, issue: Uuid, receiver_im: &str) -> Uuid {
    let notice: Value = chronicle.named(Escalation::stream(issue), "notice");
    let message = Message::stream(issue, receiver_im);
    let want = json!({"want": {"issue_id": issue, "receiver_im": receiver_im, "notice": notice}});
    chronicle.by(SYSTEM).send::<Message>(message, want);
    message
}
