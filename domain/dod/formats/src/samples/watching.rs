//! Sentry and Zabbix.

use super::{Sample, digested, expected, json};
use crate::Format::{Sentry, Zabbix};
use crate::Severity::{Critical, High, Low, Medium};
use crate::Signal::{Acknowledged, Firing, Resolved, Unacknowledged};

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        headers: &[
            ("sentry-hook-resource", "event_alert"),
            ("sentry-hook-timestamp", "1772366400"),
            ("request-id", "r-1"),
        ],
        ..json(
            "sentry: a rule is triggered by an event",
            Sentry,
            r#"{"action":"triggered","actor":{"id":"sentry","name":"Sentry","type":"application"},"installation":{"uuid":"u"},"data":{"event":{"event_id":"e4874d664c3540c1a32eab185f12c5ab","issue_id":"1170820242","title":"ReferenceError: heck is not defined",
  "culprit":"?(<anonymous>)","level":"error","platform":"javascript","project":1,"datetime":"2026-03-01T11:59:00.000000Z","metadata":{"type":"ReferenceError","value":"heck is not defined"},"tags":[["browser","Chrome 75"],["level","error"]],
  "web_url":"https://sentry.example/issues/1170820242/events/e4874/"},"triggered_rule":"Very important errors"}}"#,
            &[expected(
                Firing,
                High,
                "1170820242",
                "ReferenceError: heck is not defined",
            )],
        )
    },
    Sample {
        headers: &[("sentry-hook-resource", "issue"), ("request-id", "r-2")],
        ..json(
            "sentry: the issue is resolved",
            Sentry,
            r#"{"action":"resolved","installation":{"uuid":"u"},"data":{"issue":{"id":"1170820242","shortId":"IPE-1","title":"ReferenceError: heck is not defined","culprit":"?","level":"error","status":"resolved",
  "count":"42","project":{"id":"1","name":"ipe","slug":"ipe"},"firstSeen":"2026-03-01T11:59:00.000000Z","web_url":"https://sentry.example/issues/1170820242/"}},"actor":{"type":"user","id":1,"name":"c"}}"#,
            &[expected(
                Resolved,
                High,
                "1170820242",
                "ReferenceError: heck is not defined",
            )],
        )
    },
    Sample {
        headers: &[("sentry-hook-resource", "issue")],
        ..json(
            "sentry: the issue is assigned",
            Sentry,
            r#"{"action":"assigned","installation":{"uuid":"u"},"data":{"issue":{"id":"1170820242","title":"x","level":"error"}},"actor":{"type":"user"}}"#,
            &[],
        )
    },
    json(
        "sentry: a metric alert, without its header",
        Sentry,
        r#"{"action":"critical","actor":{"id":"sentry"},"installation":{"uuid":"u"},"data":{"metric_alert":{"id":"17","identifier":"5","title":"Too many errors","date_started":"2026-03-01T11:00:00Z","date_closed":null,"status":20,
  "alert_rule":{"id":"3","name":"Too many errors","aggregate":"count()","query":"level:error"},"projects":["ipe"]},"description_text":"1000 events in the last 10 minutes","description_title":"Critical: Too many errors","web_url":"https://sentry.example/alerts/5/"}}"#,
        &[expected(
            Firing,
            Critical,
            "metric_alert:17",
            "Critical: Too many errors",
        )],
    ),
    Sample {
        headers: &[("sentry-hook-resource", "installation")],
        ..json(
            "sentry: an installation",
            Sentry,
            r#"{"action":"created","installation":{"uuid":"u"},"data":{"installation":{"status":"installed","uuid":"u"}},"actor":{"type":"user"}}"#,
            &[],
        )
    },
    json(
        "sentry: the plugin before",
        Sentry,
        r#"{"project":"shop","project_name":"Shop","culprit":"views.cart","level":"warning","url":"https://sentry.example/i/9","logger":null,"message":"Cart is slow","id":"9",
  "event":{"event_id":"f0","tags":[["env","prod"]],"title":"Slow: Cart","metadata":{"title":"x"}}}"#,
        &[expected(Firing, Medium, "9", "Slow: Cart")],
    ),
    json(
        "zabbix: a problem",
        Zabbix,
        r#"{"id":"774","triggerId":"15001","name":"Free disk space is low on db-1","severity":"Disaster","status":"PROBLEM","value":"1","tags":"[{\"tag\":\"scope\",\"value\":\"capacity\"},{\"tag\":\"db\",\"value\":\"\"}]",
  "update_action":"","event_ack":"No","host":"db-1","time":"2026.03.01 11:59:00","link":"https://zabbix.example/tr_events.php?triggerid=15001&eventid=774"}"#,
        &[expected(
            Firing,
            Critical,
            "15001:db-1",
            "Free disk space is low on db-1",
        )],
    ),
    json(
        "zabbix: the problem is acknowledged",
        Zabbix,
        r#"{"id":"774","triggerId":"15001","name":"Free disk space is low on db-1","severity":"Average","status":"PROBLEM","value":"1","update_action":"acknowledged, commented","event_ack":"Yes","host":"db-1"}"#,
        &[expected(
            Acknowledged,
            Medium,
            "15001:db-1",
            "Free disk space is low on db-1",
        )],
    ),
    json(
        "zabbix: the acknowledgement is taken back",
        Zabbix,
        r#"{"id":"774","triggerId":"15001","name":"Free disk space is low on db-1","severity":"Average","status":"PROBLEM","value":"1","update_action":"unacknowledged","event_ack":"No","host":"db-1"}"#,
        &[expected(
            Unacknowledged,
            Medium,
            "15001:db-1",
            "Free disk space is low on db-1",
        )],
    ),
    json(
        "zabbix: the problem is over",
        Zabbix,
        r#"{"id":"774","triggerId":"15001","name":"Free disk space is low on db-1","severity":"Information","status":"OK","value":"0","host":"db-1","timestamp":"1772366400"}"#,
        &[expected(Resolved, Low, "15001:db-1", "Free disk space is low on db-1")],
    ),
    json(
        "zabbix: a media type with numbers for severities and the trigger in a link",
        Zabbix,
        r#"{"event_id":"775","event_value":"1","event_nseverity":"5","event_name":"Host is gone","event_source":"0","zabbix_link":"https://zabbix.example/tr_events.php?triggerid=15002&eventid=775"}"#,
        &[expected(Firing, Critical, "15002:", "Host is gone")],
    ),
    json(
        "zabbix: a test with nothing filled in",
        Zabbix,
        r#"{"id":"{EVENT.ID}","triggerId":"{TRIGGER.ID}","name":"Test of the media type","severity":"{EVENT.SEVERITY}","status":"{EVENT.STATUS}","value":"{EVENT.VALUE}","tags":"{EVENT.TAGSJSON}","host":"{HOST.HOST}","time":"{DATE} {TIME}","link":"{$ZABBIX.URL}"}"#,
        &[digested(Firing, Medium, "Test of the media type")],
    ),
];
