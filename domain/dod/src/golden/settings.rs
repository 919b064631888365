//! Where alerts come from, who is told of them, and what is known of solving them.

use dod_skills::{lexical, vectors};
use domain::register::Register;
use domain::{Decider as _, SYSTEM};
use rehearsal::chronicle::{TENANT, id};
use rehearsal::{Chronicle, sending};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::story::{ADA, BEN};
use crate::binding::Binding;
use crate::configuration::Configuration;
use crate::correlation::Correlations;
use crate::embedding::Embedding;
use crate::receiver::Receiver;
use crate::retention::Retention;
use crate::secret::sample as secret;
use crate::silence::Silences;
use crate::skill::Skill;
use crate::source::Source;
use crate::token::Token;
use crate::tool::Tool;

pub(super) const PROMETHEUS: Uuid = id(3, 1);
pub(super) const MONITORS: Uuid = id(3, 2);
const GRAFANA: Uuid = id(3, 3);
const OLD_NAGIOS: Uuid = id(3, 4);
pub(super) const SLACK: Uuid = id(4, 1);
pub(super) const LARK: Uuid = id(4, 2);
const OLD_CHANNEL: Uuid = id(4, 3);
const SLACK_TOKEN: Uuid = id(5, 1);
const METRICS_TOKEN: Uuid = id(5, 2);
const LARK_SECRET: Uuid = id(5, 3);
const METRICS: Uuid = id(6, 1);
const DEPLOYMENTS: Uuid = id(6, 2);
const SCRIPT: Uuid = id(6, 3);
pub(super) const ERRORS: Uuid = id(7, 1);
pub(super) const DISK: Uuid = id(7, 2);
const OLD_SKILL: Uuid = id(7, 3);
const BY_TYPE: Uuid = id(8, 1);
const BY_WORD: Uuid = id(8, 2);

/// What is to be done when requests fail.
pub(super) const ERRORS_SOP: &str = "# Requests fail

Look at what was deployed last; roll back first, find out later.

1. check label job is web
2. check severity at least high
3. get metrics /api/v1/errors?instance={label instance} expect json /ratio > 0.05

- if all steps hold conclude real issue: Requests fail; roll the last deployment back.
- if step 3 is unknown conclude unknown: The metrics did not answer; look at the dashboard.
- conclude false positive: The errors are over.
";

/// What is to be done when a disk is full.
pub(super) const DISK_SOP: &str = "# A disk is full

The batch job fills /var every first of the month.

1. check label env is production
   - if it fails conclude false positive: Only production disks matter at night.
2. check more than 1 alerts in this issue

- conclude real issue: Free space on the host.
";

const DISK_NAME: &str = "Disk is full";
const DISK_PROBLEM: &str = "A filesystem is out of space, or will be soon: DiskFull, HostDiskFillsSoon.";

pub(super) fn settings(chronicle: &mut Chronicle) {
    configurations(chronicle);
    receivers(chronicle);
    sources(chronicle);
    tools(chronicle);
    skills(chronicle);
    rules(chronicle);
}

fn configurations(chronicle: &mut Chronicle) {
    let entered = |config_type: &str, key: &str, fingerprint: &str| json!({"config_type": config_type, "config_key": key, "config_value": secret(fingerprint)});
    chronicle
        .by(ADA)
        .send::<Register<Configuration>>(SLACK_TOKEN, enter(&entered("slack", "bot-token", "00000001")))
        .send::<Register<Configuration>>(METRICS_TOKEN, enter(&entered("general", "metrics-token", "00000002")))
        .send::<Register<Configuration>>(METRICS_TOKEN, amend(&entered("general", "metrics-token", "00000003")))
        .send::<Register<Configuration>>(LARK_SECRET, enter(&entered("lark", "app-secret", "00000004")))
        .send::<Register<Configuration>>(LARK_SECRET, json!({"strike": {}}))
        .send::<Retention>(Retention::only_stream(TENANT), json!({"set": {"body_days": 30}}));
}

fn receivers(chronicle: &mut Chronicle) {
    let slack = json!({
        "name": "On call", "receiver_im": "devops-slack", "im_type": "slack",
        "bot_token": secret("00000005"), "destination_id": "C0123456789",
    });
    let mut louder = slack.clone();
    louder["min_severity"] = json!("medium");
    chronicle
        .send::<Register<Receiver>>(SLACK, enter(&slack))
        .send::<Register<Receiver>>(SLACK, amend(&louder))
        .send::<Register<Receiver>>(
            LARK,
            enter(&json!({
                "name": "Platform team", "receiver_im": "platform-lark", "im_type": "lark",
                "webhook_url": secret("00000006"), "webhook_host": "https://open.larksuite.com",
                "sign_secret": secret("00000007"),
            })),
        )
        .send::<Register<Receiver>>(
            OLD_CHANNEL,
            enter(&json!({
                "name": "Old channel", "receiver_im": "old", "im_type": "slack",
                "webhook_url": secret("00000008"), "webhook_host": "https://hooks.slack.com",
            })),
        )
        .send::<Register<Receiver>>(OLD_CHANNEL, json!({"strike": {}}));
}

fn sources(chronicle: &mut Chronicle) {
    chronicle
        .send::<Source>(PROMETHEUS, enter(&json!({"name": "Prometheus"})))
        .send::<Source>(
            PROMETHEUS,
            amend(&json!({
                "name": "Prometheus", "receiver_im": "devops-slack", "severities": {"page": "critical"},
                "default_severity": "medium", "heartbeat_minutes": 15, "flap_count": 4, "flap_minutes": 120,
                "overload": "retry_5xx",
            })),
        )
        .send::<Source>(
            MONITORS,
            enter(&json!({
                "name": "Monitors", "receiver_im": "platform-lark", "auto_resolve_minutes": 30,
                "mappings": [dod_formats::samples::mapping()],
                "sns_topics": ["arn:aws:sns:eu-west-1:123456789012:alarms"],
            })),
        )
        .send::<Source>(
            GRAFANA,
            enter(&json!({
                "name": "Grafana", "format": "grafana",
                "signature": {"scheme": "grafana", "secret": secret("00000009"), "timestamp_header": "X-Grafana-Time"},
            })),
        )
        .send::<Source>(
            OLD_NAGIOS,
            enter(&json!({"name": "Nagios", "format": "pagerduty_events"})),
        );
    token(chronicle, PROMETHEUS, "a");
    let first = chronicle.named(PROMETHEUS, "token_id");
    chronicle
        .by(ADA)
        .send::<Source>(PROMETHEUS, json!({"retire-token": {"token_id": first}}));
    token(chronicle, PROMETHEUS, "b");
    token(chronicle, MONITORS, "c");
    token(chronicle, OLD_NAGIOS, "d");
    chronicle.by(ADA).send::<Source>(OLD_NAGIOS, json!({"strike": {}}));
}

/// A token is issued: the source knows it, and so does whoever is shown it.
fn token(chronicle: &mut Chronicle, source_id: Uuid, letter: &str) {
    let token = letter.repeat(crate::token::TOKEN_CHARS);
    let digest = Token::digest(&token);
    let known = sending::<Source>(source_id, &json!({"issue-token": {"digest": digest, "issued_by": ADA}}));
    let found = sending::<Token>(
        Token::stream(&token).unwrap(),
        &json!({"issue": {"source_id": source_id}}),
    );
    chronicle.by(SYSTEM).carry_out(&[known, found], None);
}

fn tools(chronicle: &mut Chronicle) {
    let headers = json!({"Authorization": {"configuration": "general/metrics-token", "prefix": "Bearer "}});
    let metrics = json!({
        "name": "metrics", "type": "mcp",
        "config": {"kind": "http", "base_url": "https://metrics.example", "headers": headers, "read_only": true},
    });
    let mut told = metrics.clone();
    told["description"] = json!("What is measured, for a quarter of a year.");
    chronicle
        .by(ADA)
        .send::<Register<Tool>>(METRICS, enter(&metrics))
        .send::<Register<Tool>>(METRICS, amend(&told))
        .send::<Register<Tool>>(
            DEPLOYMENTS,
            enter(&json!({
                "name": "deployments", "type": "mcp",
                "config": {"transport": "http", "url": "https://deployments.example/mcp"},
            })),
        )
        .send::<Register<Tool>>(
            SCRIPT,
            enter(&json!({
                "name": "free space", "type": "custom_code",
                "config": {"language": "javascript", "code": "return 1;"},
            })),
        )
        .send::<Register<Tool>>(SCRIPT, json!({"strike": {}}));
}

fn skills(chronicle: &mut Chronicle) {
    let errors = |problem: &str| json!({"name": "Requests fail", "problem_description": problem, "sop": ERRORS_SOP});
    chronicle
        .by(BEN)
        .send::<Register<Skill>>(ERRORS, enter(&errors("Requests fail.")))
        .send::<Register<Skill>>(ERRORS, amend(&errors("Requests fail: HighErrorRate, ErrorRate.")))
        .send::<Register<Skill>>(
            DISK,
            enter(&json!({"name": DISK_NAME, "problem_description": DISK_PROBLEM, "sop": DISK_SOP})),
        )
        .send::<Register<Skill>>(
            OLD_SKILL,
            enter(&json!({"name": "Call somebody", "problem_description": "Everything.", "sop": "Call Ada."})),
        )
        .send::<Register<Skill>>(OLD_SKILL, json!({"strike": {}}))
        .send::<Register<Binding>>(BY_TYPE, enter(&bound("HighErrorRate", 0)))
        .send::<Register<Binding>>(BY_TYPE, amend(&bound("^(High)?ErrorRate$", 10)))
        .send::<Register<Binding>>(BY_WORD, enter(&bound("errors", 5)))
        .send::<Register<Binding>>(BY_WORD, json!({"strike": {}}));
    let text = vectors::text_of_skill(DISK_NAME, DISK_PROBLEM);
    let note = json!({"note": {
        "model": lexical::MODEL,
        "text_sha256": hex::encode(Sha256::digest(&text)),
        "vector": lexical::embed(&text),
    }});
    chronicle.by(SYSTEM).send::<Embedding>(DISK, note);
}

fn bound(pattern: &str, priority: i32) -> Value {
    json!({
        "alert_pattern": pattern, "pattern_kind": "regex", "field": "alert_type", "skill_id": ERRORS,
        "priority": priority,
    })
}

fn rules(chronicle: &mut Chronicle) {
    let correlations = Correlations::only_stream(TENANT);
    let silences = Silences::only_stream(TENANT);
    let ends_at = chronicle.next() + chrono::TimeDelta::hours(8);
    let is = |field: &str, value: &str| json!([{"field": field, "op": "equal", "value": value}]);
    chronicle
        .by(BEN)
        .send::<Correlations>(
            correlations,
            json!({"set-rule": {"name": "By job", "by": ["labels.job", "alert_type"], "window_minutes": 60, "priority": 10}}),
        )
        .send::<Correlations>(
            correlations,
            json!({"set-rule": {
                "name": "Everything of the test bench", "when": is("labels.env", "test"), "window_minutes": 10,
            }}),
        );
    let rule_id = chronicle.named(correlations, "rule_id");
    chronicle
        .send::<Correlations>(correlations, json!({"drop-rule": {"rule_id": rule_id}}))
        .send::<Silences>(
            silences,
            json!({"silence": {"name": "The bench", "when": is("labels.env", "test"), "ends_at": ends_at}}),
        );
    let silence_id = chronicle.named(silences, "silence_id");
    chronicle
        .send::<Silences>(silences, json!({"end": {"silence_id": silence_id}}))
        .send::<Silences>(
            silences,
            json!({"silence": {
                "name": "db-1 gets a new disk", "comment": "Ben does it.", "kind": "maintenance",
                "when": is("labels.instance", "db-1"), "ends_at": ends_at,
            }}),
        );
}

pub(super) fn farewells(chronicle: &mut Chronicle) {
    chronicle
        .by(ADA)
        .send::<Source>(
            OLD_NAGIOS,
            enter(&json!({"name": "Nagios", "format": "pagerduty_events"})),
        )
        .send::<Source>(OLD_NAGIOS, json!({"strike": {}}));
}

fn enter(entry: &Value) -> Value {
    json!({"enter": entry})
}

fn amend(entry: &Value) -> Value {
    json!({"amend": entry})
}
