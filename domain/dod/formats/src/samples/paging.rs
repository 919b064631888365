//! PagerDuty from both sides, and Opsgenie.

use super::{Sample, digested, expected, json};
use crate::Format::{Opsgenie, PagerdutyEvents, PagerdutyWebhook};
use crate::Severity::{Critical, High, Medium};
use crate::Signal::{Acknowledged, Firing, Resolved, Unacknowledged};

pub(super) const SAMPLES: &[Sample] = &[
    json(
        "pagerduty events: a trigger",
        PagerdutyEvents,
        r#"{"routing_key":"0123456789abcdef0123456789abcdef","event_action":"trigger","dedup_key":"srv01/HTTP","payload":{"summary":"HTTP on srv01 is down","source":"srv01","severity":"Error",
  "timestamp":"2026-03-01T11:59:00.000+0000","component":"nginx","group":"web","class":"http","custom_details":{"load":9007199254740993,"ratio":1.10,"nested":{"a":[1]}}},
  "images":[{"src":"https://img.example/a.png","href":"https://img.example","alt":"a"}],"links":[{"href":"https://nagios.example","text":"Nagios"}],"client":"Nagios","client_url":"https://nagios.example/"}"#,
        &[expected(Firing, High, "srv01/HTTP", "HTTP on srv01 is down")],
    ),
    json(
        "pagerduty events: a trigger without a key",
        PagerdutyEvents,
        r#"{"routing_key":"0123456789abcdef0123456789abcdef","event_action":"trigger","payload":{"summary":"Something","source":"x","severity":"critical"}}"#,
        &[digested(Firing, Critical, "Something")],
    ),
    json(
        "pagerduty events: an acknowledgement",
        PagerdutyEvents,
        r#"{"routing_key":"0123456789abcdef0123456789abcdef","event_action":"acknowledge","dedup_key":"srv01/HTTP"}"#,
        &[expected(Acknowledged, Medium, "srv01/HTTP", "srv01/HTTP")],
    ),
    json(
        "pagerduty events: an end",
        PagerdutyEvents,
        r#"{"routing_key":"0123456789abcdef0123456789abcdef","event_action":"resolve","dedup_key":"srv01/HTTP"}"#,
        &[expected(Resolved, Medium, "srv01/HTTP", "srv01/HTTP")],
    ),
    json(
        "pagerduty events: a change",
        PagerdutyEvents,
        r#"{"routing_key":"0123456789abcdef0123456789abcdef","payload":{"summary":"Build 7 was deployed","timestamp":"2026-03-01T11:59:00Z","source":"ci","custom_details":{}},"links":[]}"#,
        &[],
    ),
    json(
        "pagerduty webhook: an incident is triggered",
        PagerdutyWebhook,
        r#"{"event":{"id":"01BZ","event_type":"incident.triggered","resource_type":"incident","occurred_at":"2026-03-01T11:59:00.000Z","agent":null,"client":null,
  "data":{"id":"PGR0VU2","type":"incident","number":2,"title":"Shop is slow","status":"triggered","created_at":"2026-03-01T11:58:59Z","urgency":"high","html_url":"https://acme.pagerduty.com/incidents/PGR0VU2",
  "priority":{"summary":"P1","id":"x"},"service":{"id":"PF9","summary":"Shop"},"escalation_policy":{"summary":"Default"},"assignees":[]}}}"#,
        &[expected(Firing, Critical, "PGR0VU2", "Shop is slow")],
    ),
    json(
        "pagerduty webhook: the incident is resolved",
        PagerdutyWebhook,
        r#"{"event":{"id":"01C0","event_type":"incident.resolved","resource_type":"incident","occurred_at":"2026-03-01T12:00:00.000Z",
  "data":{"id":"PGR0VU2","title":"Shop is slow","status":"resolved","urgency":"high","priority":null,"service":{"summary":"Shop"}}}}"#,
        &[expected(Resolved, High, "PGR0VU2", "Shop is slow")],
    ),
    json(
        "pagerduty webhook: nobody looks at it any more",
        PagerdutyWebhook,
        r#"{"event":{"id":"01BZ2","event_type":"incident.unacknowledged","resource_type":"incident","occurred_at":"2026-03-01T11:59:30.000Z",
  "data":{"id":"PGR0VU2","title":"Shop is slow","status":"triggered","created_at":"2026-03-01T11:58:59Z","urgency":"high","service":{"summary":"Shop"}}}}"#,
        &[expected(Unacknowledged, High, "PGR0VU2", "Shop is slow")],
    ),
    json(
        "pagerduty webhook: a note",
        PagerdutyWebhook,
        r#"{"event":{"id":"01C1","event_type":"incident.annotated","resource_type":"incident","occurred_at":"2026-03-01T12:00:00Z","data":{"id":"n","content":"looking"}}}"#,
        &[],
    ),
    json(
        "opsgenie: an alert is created",
        Opsgenie,
        r#"{"source":{"name":"web","type":"API"},"alert":{"updatedAt":1772366193166002246,"tags":["db","eu"],"teams":["team1"],"recipients":["r"],"message":"Replica lags","username":"u","alertId":"052652ac-5d1c",
  "source":"postgres","alias":"replica-lag-db-1","tinyId":"23","createdAt":1772366191104,"userId":"x","entity":"db-1","priority":"P2"},"action":"Create","integrationId":"i","integrationName":"Daybook"}"#,
        &[expected(Firing, High, "replica-lag-db-1", "Replica lags")],
    ),
    json(
        "opsgenie: the alert is closed",
        Opsgenie,
        r#"{"source":{"name":"","type":"web"},"alert":{"updatedAt":1772366293166002247,"message":"Replica lags","alertId":"052652ac-5d1c","alias":"","tinyId":"23","createdAt":1772366191104,"priority":3},"action":"Close"}"#,
        &[expected(Resolved, Medium, "052652ac-5d1c", "Replica lags")],
    ),
    json(
        "opsgenie: an acknowledgement is taken back",
        Opsgenie,
        r#"{"alert":{"updatedAt":1772366283166002247,"message":"Replica lags","alertId":"052652ac-5d1c","alias":"replica-lag-db-1","createdAt":1772366191104,"priority":"P2"},"action":"UnAcknowledge"}"#,
        &[expected(Unacknowledged, High, "replica-lag-db-1", "Replica lags")],
    ),
    json(
        "opsgenie: a note",
        Opsgenie,
        r#"{"alert":{"message":"Replica lags","alertId":"052652ac-5d1c","alias":"a","note":"looking"},"action":"AddNote"}"#,
        &[],
    ),
];
