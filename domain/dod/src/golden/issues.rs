//! Issues from their first alert to their end, and beyond it.

use chrono::{DateTime, Utc};
use dod_formats::samples;
use dod_skills::evidence::Evidence;
use dod_skills::investigation::{Action, Conclusion, Next, Run, evaluate_local, judge_http};
use dod_skills::sop;
use domain::{Decider as _, SYSTEM};
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};
use serde_json::json;
use uuid::Uuid;

use super::alerts::{clear, ended, join, open, released, reopened};
use super::deliveries::{Sent, comes, observe, sample, sample_comes};
use super::messages::{Stands, hold, refused, sent, tell, tell_held};
use super::settings::{DISK, DISK_SOP, ERRORS, ERRORS_SOP, LARK, MONITORS, PROMETHEUS, SLACK};
use super::story::{ADA, BEN, CLEO};
use crate::alert::Alert;
use crate::issue::Issue;
use crate::message::Message;
use crate::silence::Silences;

/// An investigation that is to come.
struct Looked<'a> {
    round: u32,
    skill: Option<(Uuid, &'a str)>,
    by: &'a str,
    why: &'a str,
    others: u32,
    /// What a tool answers.
    answer: &'a str,
}

/// An issue is looked into to the end, as the investigator does it.
fn investigate(chronicle: &mut Chronicle, issue: Uuid, alert: Uuid, looked: &Looked<'_>) -> Conclusion {
    let evidence = evidence(chronicle, alert, looked.others);
    let skill_id = looked.skill.map(|(skill_id, _)| skill_id);
    let text = looked.skill.map(|(_, sop)| sop);
    let found = json!({"note-match": {
        "round": looked.round, "skill_id": skill_id, "by": looked.by, "why": looked.why, "evidence": evidence,
        "sop": text, "metadata": {"candidates": []},
    }});
    chronicle.by(SYSTEM).send::<Issue>(issue, found);
    let sop = text.map(|text| sop::parse(text).unwrap());
    let run = Run::new(sop.as_ref(), &evidence);
    let mut findings = Vec::new();
    loop {
        let step = match run.next(&findings) {
            Next::Do(step) => step,
            Next::Conclude(conclusion) => {
                let conclude = json!({"conclude": {"round": looked.round, "conclusion": conclusion}});
                chronicle.send::<Issue>(issue, conclude);
                return conclusion;
            }
        };
        let (finding, log_type) = match &step.action {
            Action::Http(_) => (judge_http(&step, 200, looked.answer.as_bytes(), false), "tool_called"),
            Action::Local(_) => (evaluate_local(&step, &evidence), "reasoning"),
        };
        let taken = json!({"note-step": {
            "round": looked.round, "finding": finding, "log_type": log_type, "metadata": {"notes": step.notes},
        }});
        chronicle.send::<Issue>(issue, taken);
        findings.push(finding);
    }
}

fn evidence(chronicle: &Chronicle, alert: Uuid, others: u32) -> Evidence {
    let brief = chronicle.named(alert, "brief");
    let of_it = json!({"alert_type": brief["alert_type"], "title": brief["title"]});
    let evidence = json!({
        "as_of": chronicle.next(), "title": brief["title"], "description": brief["description"],
        "source": brief["source"], "alert_type": brief["alert_type"], "severity": brief["severity"],
        "labels": brief["labels"], "starts_at": chronicle.named(alert, "starts_at"), "raw": chronicle.named(alert, "raw"),
        "fired_at": [brief["received_at"]], "fired_since": null, "is_flapping": brief["is_flapping"],
        "others": vec![of_it; others as usize], "others_count": others, "corrections": [],
    });
    serde_json::from_value(evidence).unwrap()
}

/// A real one: it is found by a binding, a tool is asked, people see to it and end it, and its alert ends with it.
pub(super) fn errors(chronicle: &mut Chronicle) -> Uuid {
    let name = "alertmanager: a group that fires and clears";
    let came = sample_comes(chronicle, id(20, 20), PROMETHEUS, name);
    let signal = observe(chronicle, &came, 0);
    observe(chronicle, &came, 1);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    let mut stands = Stands {
        tells: "opened",
        alerts: (1, 1),
        concluded: None,
    };
    let message = tell(chronicle, issue, alert, &stands);
    let place = || Some(json!({"im_id": "1772366400.000100", "channel": "C0123456789"}));
    sent(chronicle, message, SLACK, place());
    // The other of a pair of senders: nothing comes of it.
    sample_comes(chronicle, id(20, 21), PROMETHEUS, name);

    let conclusion = investigate(
        chronicle,
        issue,
        alert,
        &Looked {
            round: 1,
            skill: Some((ERRORS, ERRORS_SOP)),
            by: "binding",
            why: "The binding ^(High)?ErrorRate$ is found in alert_type.",
            others: 0,
            answer: r#"{"ratio": 0.073}"#,
        },
    );
    stands.tells = "concluded";
    stands.concluded = Some(&conclusion);
    tell(chronicle, issue, alert, &stands);
    refused(chronicle, message, "Slack answered channel_not_found; invite the bot.");
    chronicle.by(ADA).send::<Message>(message, json!({"send-again": {}}));
    sent(chronicle, message, SLACK, place());

    chronicle
        .by(BEN)
        .send::<Alert>(alert, json!({"acknowledge": {}}))
        .send::<Alert>(alert, json!({"assign": {"user_id": CLEO}}))
        .send::<Issue>(issue, json!({"assign": {"user_id": CLEO}}))
        .by(CLEO)
        .send::<Issue>(
            issue,
            json!({"resolve": {"conclusion": "The last deployment was rolled back."}}),
        )
        .by(SYSTEM)
        .send::<Alert>(alert, json!({"end-with-issue": {"false_positive": false}}));
    stands.tells = "resolved";
    tell(chronicle, issue, alert, &stands);
    sent(chronicle, message, SLACK, None);
    ended(chronicle, issue, alert);
    released(chronicle, signal, alert);
    issue
}

/// One that is kept quiet while somebody works there, and that nobody can tell anything of.
pub(super) fn maintenance(chronicle: &mut Chronicle) {
    // Until the next day, so that it is not over when it comes in.
    let body = sample("alertmanager: what prometheus posts").body;
    let body = body.replace("2026-03-01T12:04:00Z", "2026-03-02T12:04:00Z");
    let came = comes(chronicle, id(20, 22), PROMETHEUS, &Sent::json(&body));
    let signal = observe(chronicle, &came, 0);
    observe(chronicle, &came, 1);
    let alert = open(chronicle, signal);
    // It takes longer, and is over sooner than was thought then.
    let silences = Silences::only_stream(TENANT);
    let silence_id = chronicle.named(silences, "silence_id");
    let when = json!([{"field": "labels.instance", "op": "equal", "value": "db-1"}]);
    let longer = json!({"silence": {
        "silence_id": silence_id, "name": "db-1 gets a new disk", "kind": "maintenance", "when": when,
        "ends_at": chronicle.next() + chrono::TimeDelta::hours(12),
    }});
    chronicle
        .by(BEN)
        .send::<Silences>(silences, longer)
        .by(SYSTEM)
        .send::<Alert>(alert, json!({"end-silence": {}}))
        .later(6)
        .by(BEN)
        .send::<Silences>(silences, json!({"end": {"silence_id": silence_id}}))
        .by(SYSTEM)
        .send::<Alert>(alert, json!({"end-silence": {}}));
    let issue = join(chronicle, alert);
    let nothing = Looked {
        round: 1,
        skill: None,
        by: "nothing",
        why: "No binding fits, and no skill is near enough.",
        others: 0,
        answer: "",
    };
    investigate(chronicle, issue, alert, &nothing);
    chronicle
        .by(BEN)
        .send::<Issue>(issue, json!({"start": {}}))
        .send::<Issue>(issue, json!({"mark-unable-to-resolve": {}}))
        .send::<Issue>(
            issue,
            json!({"mark-false-positive": {"conclusion": "The new disk was not mounted yet."}}),
        )
        .by(SYSTEM)
        .send::<Alert>(alert, json!({"end-with-issue": {"false_positive": true}}));
    ended(chronicle, issue, alert);
    chronicle
        .by(BEN)
        .send::<Issue>(issue, json!({"reopen": {}}))
        .send::<Alert>(alert, json!({"reopen": {}}));
    reopened(chronicle, issue, alert);
    chronicle
        .by(BEN)
        .send::<Issue>(
            issue,
            json!({"correct": {"is_real_issue": true, "conclusion": "The new disk is broken as well."}}),
        )
        .send::<Issue>(issue, json!({"investigate": {}}));
    investigate(chronicle, issue, alert, &Looked { round: 2, ..nothing });
}

/// Three of one kind, in a body that lies in the object store: they join one issue, which is taken for none.
pub(super) fn storm(chronicle: &mut Chronicle) {
    let labels = [
        ("alertname", "DiskFull"),
        ("env", "staging"),
        ("job", "node"),
        ("severity", "warning"),
    ];
    let starts_at: DateTime<Utc> = chronicle.next();
    let body = samples::alertmanager(3, &labels, "firing", starts_at);
    let came = comes(chronicle, id(20, 23), PROMETHEUS, &Sent::json(&body).stored());
    let over = samples::alertmanager(3, &labels, "resolved", starts_at);
    let told: Vec<(Uuid, Uuid, Uuid)> = (0..came.observations.len())
        .map(|place| {
            let signal = observe(chronicle, &came, place);
            let alert = open(chronicle, signal);
            (signal, alert, join(chronicle, alert))
        })
        .collect();
    let [(signal, resolved, issue), (of_none, none, same), (_, ignored, too)] = told[..] else {
        panic!("the body has three alerts");
    };
    assert_eq!([issue, issue], [same, too]);
    let conclusion = investigate(
        chronicle,
        issue,
        resolved,
        &Looked {
            round: 1,
            skill: Some((DISK, DISK_SOP)),
            by: "similarity",
            why: "The text of the skill is the nearest.",
            others: 2,
            answer: "",
        },
    );
    let stands = Stands {
        tells: "concluded",
        alerts: (3, 3),
        concluded: Some(&conclusion),
    };
    tell(chronicle, issue, resolved, &stands);
    chronicle
        .by(BEN)
        .send::<Issue>(
            issue,
            json!({"correct": {"is_real_issue": true, "conclusion": "Staging matters today."}}),
        )
        .send::<Alert>(resolved, json!({"resolve": {}}));
    ended(chronicle, issue, resolved);
    released(chronicle, signal, resolved);
    chronicle
        .by(BEN)
        .send::<Alert>(none, json!({"mark-false-positive": {}}));
    ended(chronicle, issue, none);
    // Its sender says that it is over, which changes nothing of what Ben said.
    let came = comes(chronicle, id(20, 28), PROMETHEUS, &Sent::json(&over));
    assert_eq!(observe(chronicle, &came, 1), of_none);
    clear(chronicle, of_none);
    chronicle.by(BEN).send::<Alert>(ignored, json!({"ignore": {}}));
    ended(chronicle, issue, ignored);
    chronicle.by(BEN).send::<Alert>(ignored, json!({"reopen": {}}));
    reopened(chronicle, issue, ignored);
}

/// One that is over by itself and comes back within the hour, again and again.
pub(super) fn comes_back(chronicle: &mut Chronicle) {
    let came = sample_comes(chronicle, id(20, 24), MONITORS, "pagerduty events: a trigger");
    let signal = observe(chronicle, &came, 0);
    let alert = open(chronicle, signal);
    let issue = join(chronicle, alert);
    let mut stands = Stands {
        tells: "opened",
        alerts: (1, 1),
        concluded: None,
    };
    let message = tell(chronicle, issue, alert, &stands);
    refused(chronicle, message, "Lark answered 19021: the signature does not match.");
    let came = sample_comes(chronicle, id(20, 25), MONITORS, "pagerduty events: an acknowledgement");
    observe(chronicle, &came, 0);
    let came = sample_comes(chronicle, id(20, 26), MONITORS, "pagerduty events: an end");
    observe(chronicle, &came, 0);
    clear(chronicle, signal);
    ended(chronicle, issue, alert);
    stands.tells = "resolved";
    stands.alerts = (1, 0);
    tell(chronicle, issue, alert, &stands);
    sent(chronicle, message, LARK, None);

    let later = sample("pagerduty events: a trigger")
        .body
        .replace("11:59:00.000", "12:29:00.000");
    let came = comes(chronicle, id(20, 27), MONITORS, &Sent::json(&later));
    observe(chronicle, &came, 0);
    let again = open(chronicle, signal);
    assert_eq!(join(chronicle, again), issue);
    stands.tells = "reopened";
    stands.alerts = (2, 1);
    tell(chronicle, issue, alert, &stands);

    let ends = |chronicle: &mut Chronicle, delivery, alert| {
        let came = sample_comes(chronicle, delivery, MONITORS, "pagerduty events: an end");
        observe(chronicle, &came, 0);
        clear(chronicle, signal);
        ended(chronicle, issue, alert);
    };
    ends(chronicle, id(20, 32), again);
    stands.tells = "resolved";
    stands.alerts = (2, 0);
    tell(chronicle, issue, alert, &stands);
    let later = later.replace("12:29:00.000", "12:49:00.000");
    let came = comes(chronicle, id(20, 33), MONITORS, &Sent::json(&later));
    observe(chronicle, &came, 0);
    let flapping = open(chronicle, signal);
    assert_eq!(join(chronicle, flapping), issue);
    stands.tells = "reopened";
    stands.alerts = (3, 1);
    hold(chronicle, issue, alert, &stands);
    ends(chronicle, id(20, 34), flapping);
    stands.tells = "resolved";
    stands.alerts = (3, 0);
    hold(chronicle, issue, alert, &stands);
    tell_held(chronicle, message);
}
