//! What senders deliver, and what is recognised in it.

use chrono::{DateTime, Utc};
use dod_formats::samples::{self, Sample};
use dod_formats::{Delivered, Observation, Rules, Severity};
use domain::SYSTEM;
use rehearsal::Chronicle;
use rehearsal::chronicle::id;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::alerts;
use super::settings::{MONITORS, PROMETHEUS};
use super::story::ADA;
use crate::alert::Alert;
use crate::delivery::{Body, Delivery};
use crate::issue::Issue;
use crate::retention::BODY_DAYS;
use crate::signal::Signal;

const WATCHDOG: Uuid = id(20, 1);
const UNREADABLE: Uuid = id(20, 2);
const NOBODYS: Uuid = id(20, 3);

/// What came in and was recognised.
pub(super) struct Came {
    pub(super) source_id: Uuid,
    pub(super) observations: Vec<Observation>,
    delivery: Uuid,
    received_at: DateTime<Utc>,
}

/// What a sender sends.
pub(super) struct Sent<'a> {
    content_type: Option<&'a str>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: &'a str,
    /// Whether the body lies in the object store.
    is_stored: bool,
}

impl<'a> Sent<'a> {
    pub(super) fn json(body: &'a str) -> Self {
        Self {
            content_type: Some("application/json"),
            headers: Vec::new(),
            query: Vec::new(),
            body,
            is_stored: false,
        }
    }

    pub(super) fn stored(self) -> Self {
        Self {
            is_stored: true,
            ..self
        }
    }

    fn sample(sample: &Sample) -> Self {
        Self {
            content_type: sample.content_type,
            headers: sample.headers(),
            query: sample.query(),
            body: sample.body,
            is_stored: false,
        }
    }
}

pub(super) fn sample(name: &str) -> Sample {
    let mut samples = samples::all().into_iter();
    let sample = samples.find(|sample| sample.name == name);
    sample.unwrap_or_else(|| panic!("there is no sample {name}"))
}

/// A body comes in and is recognised.
pub(super) fn comes(chronicle: &mut Chronicle, delivery: Uuid, source_id: Uuid, sent: &Sent<'_>) -> Came {
    let received_at = receive(chronicle, delivery, source_id, sent);
    let body = sent.is_stored.then(|| Body::of(sent.body.as_bytes()));
    chronicle.send::<Delivery>(delivery, json!({"recognise": {"body": body}}));
    let delivered = Delivered {
        content_type: sent.content_type,
        headers: &sent.headers,
        query: &sent.query,
        body: sent.body.as_bytes(),
        received_at,
    };
    let recognised = dod_formats::recognise(&delivered, &rules(source_id)).unwrap();
    Came {
        source_id,
        observations: recognised.observations,
        delivery,
        received_at,
    }
}

/// As [`comes`], of one of the samples.
pub(super) fn sample_comes(chronicle: &mut Chronicle, delivery: Uuid, source_id: Uuid, name: &str) -> Came {
    comes(chronicle, delivery, source_id, &Sent::sample(&sample(name)))
}

fn receive(chronicle: &mut Chronicle, delivery: Uuid, source_id: Uuid, sent: &Sent<'_>) -> DateTime<Utc> {
    let received_at = chronicle.by(SYSTEM).next();
    let sha256 = hex::encode(Sha256::digest(sent.body));
    let bytes = sent.body.len();
    let object = sent
        .is_stored
        .then(|| json!({"sha256": hex::encode(Sha256::digest(&sha256)), "bytes": bytes, "key": Uuid::new_v5(&delivery, b"body")}));
    let body = (!sent.is_stored).then(|| Body::of(sent.body.as_bytes()));
    let token_id = chronicle.named(source_id, "token_id");
    let enclosed = json!({
        "content_type": sent.content_type, "headers": sent.headers, "query": sent.query, "receiver_im": null,
        "received_at": received_at,
    });
    let receive = json!({
        "source_id": source_id, "token_id": token_id, "enclosed": enclosed, "body": body, "object": object,
        "sha256": sha256, "bytes": bytes,
    });
    chronicle.send::<Delivery>(delivery, json!({"receive": receive}));
    received_at
}

/// The rules of a source, as its settings have them.
fn rules(source_id: Uuid) -> Rules {
    if source_id == MONITORS {
        return samples::rules();
    }
    Rules {
        severities: [("page".to_owned(), Severity::Critical)].into(),
        default_severity: Some(Severity::Medium),
        ..Rules::default()
    }
}

/// The signal is told what was recognised at this place of the body.
pub(super) fn observe(chronicle: &mut Chronicle, came: &Came, place: usize) -> Uuid {
    let observation = &came.observations[place];
    let signal = Signal::stream(came.source_id, &observation.dedup_key);
    let receiver_im: Value = chronicle.named(came.delivery, "receiver_im");
    let observe = json!({
        "source_id": came.source_id, "delivery_id": came.delivery, "receiver_im": receiver_im,
        "observation": observation, "received_at": came.received_at,
    });
    chronicle.by(SYSTEM).send::<Signal>(signal, json!({"observe": observe}));
    signal
}

/// A heartbeat, whose alert it is, a body that nobody can read, one that nobody knows, and what each sender calls an alert.
pub(super) fn told_and_not_told(chronicle: &mut Chronicle) -> Uuid {
    let came = sample_comes(chronicle, WATCHDOG, PROMETHEUS, "alertmanager: the watchdog");
    let signal = observe(chronicle, &came, 0);
    let heartbeat = alerts::open(chronicle, signal);

    receive(chronicle, UNREADABLE, MONITORS, &Sent::json("<html>Bad Gateway</html>"));
    chronicle
        .send::<Delivery>(UNREADABLE, json!({"recognise": {}}))
        .by(ADA)
        .send::<Delivery>(UNREADABLE, json!({"parse-again": {}}))
        .by(SYSTEM)
        .send::<Delivery>(UNREADABLE, json!({"recognise": {}}));
    sample_comes(chronicle, NOBODYS, MONITORS, "unmapped: nobody's");
    for (n, topic, refused) in [
        (1, "alarms", None),
        (
            2,
            "orders",
            Some("The topic is none of the source's sns_topics; enter it there."),
        ),
    ] {
        let handshake = sample("sns: the handshake")
            .body
            .replace("111122223333:alarms", &format!("123456789012:{topic}"));
        comes(chronicle, id(21, n), MONITORS, &Sent::json(&handshake));
        let topic_arn = format!("arn:aws:sns:eu-west-1:123456789012:{topic}");
        let note = json!({"note-subscription": {"topic_arn": topic_arn, "refused": refused}});
        chronicle.send::<Delivery>(id(21, n), note);
    }

    let fires = [
        "grafana: a rule fires, another has no data",
        "sentry: a rule is triggered by an event",
    ];
    for (n, name) in (10..).zip(fires) {
        let came = sample_comes(chronicle, id(20, n), MONITORS, name);
        for place in 0..came.observations.len() {
            let signal = observe(chronicle, &came, place);
            let alert = alerts::open(chronicle, signal);
            alerts::join(chronicle, alert);
        }
    }
    heartbeat
}

/// A quarter of a year later bodies are dropped, and with them what they said of alerts, and what quotes it.
pub(super) fn dropped(chronicle: &mut Chronicle, heartbeat: Uuid, issue: Uuid) {
    chronicle
        .later(24 * i64::from(BODY_DAYS))
        .by(SYSTEM)
        .send::<Delivery>(WATCHDOG, json!({"drop-body": {}}))
        .send::<Alert>(heartbeat, json!({"drop-raw": {}}))
        .send::<Issue>(issue, json!({"drop-evidence": {}}))
        .send::<Delivery>(UNREADABLE, json!({"drop-body": {}}));
}
