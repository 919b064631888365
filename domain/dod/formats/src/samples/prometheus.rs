//! Alertmanager and Grafana.

use super::{Expected, Sample, expected, json};
use crate::Format::{Alertmanager, AlertmanagerApi, Grafana, GrafanaLegacy};
use crate::Severity::{Critical, High, Low, Medium};
use crate::Signal::{Firing, NoData, Resolved};

pub(super) const SAMPLES: &[Sample] = &[
    json(
        "alertmanager: a group that fires and clears",
        Alertmanager,
        r#"{"version":"4","groupKey":"{}:{alertname=\"HighErrorRate\"}","truncatedAlerts":0,"receiver":"daybook","status":"firing",
  "groupLabels":{"alertname":"HighErrorRate"},"commonLabels":{"alertname":"HighErrorRate","job":"web","severity":"critical"},
  "commonAnnotations":{},"externalURL":"http://alertmanager.example:9093",
  "alerts":[
    {"status":"firing","labels":{"alertname":"HighErrorRate","instance":"web-1:9090","job":"web","severity":"critical"},
     "annotations":{"summary":"Errors on web-1 above 5 %","description":"7.3 % of requests fail.","runbook_url":"https://runbooks.example/errors"},
     "startsAt":"2026-03-01T11:58:00.123456789Z","endsAt":"0001-01-01T00:00:00Z",
     "generatorURL":"http://prometheus.example:9090/graph?g0.expr=errors","fingerprint":"c0ffee0123456789"},
    {"status":"resolved","labels":{"alertname":"HighErrorRate","instance":"web-2:9090","job":"web","severity":"critical"},
     "annotations":{},"startsAt":"2026-03-01T11:40:00Z","endsAt":"2026-03-01T11:59:00Z","value":9007199254740993}
  ]}"#,
        &[
            expected(Firing, Critical, "c0ffee0123456789", "Errors on web-1 above 5 %"),
            expected(Resolved, Critical, "8e8d2cf1a6ae6d0d", "HighErrorRate"),
        ],
    ),
    json(
        "alertmanager: the watchdog",
        Alertmanager,
        r#"{"version":"4","groupKey":"{}:{}","receiver":"daybook","status":"firing","groupLabels":{},"commonLabels":{},
  "commonAnnotations":{},"externalURL":"http://alertmanager.example","alerts":[
    {"status":"firing","labels":{"alertname":"Watchdog","severity":"none"},"annotations":{"summary":"Alerting works."},
     "startsAt":"2026-02-01T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]}"#,
        &[Expected {
            signal: Firing,
            severity: Low,
            dedup_key: Some("448881ef475b9b26"),
            title: "Alerting works.",
            is_heartbeat: true,
        }],
    ),
    json(
        "alertmanager: version 3",
        Alertmanager,
        r#"{"version":"3","groupKey":18446744073709551615,"receiver":"r","status":"firing","groupLabels":{},"commonLabels":{},
  "commonAnnotations":{},"externalURL":"http://am","alerts":[
    {"status":"firing","labels":{"alertname":"DiskFull","device":"/dev/sda1","severity":"warning"},"annotations":{},
     "startsAt":"2026-03-01T10:00:00+02:00","endsAt":"0001-01-01T00:00:00Z"}]}"#,
        &[expected(Firing, Medium, "4323a28cce6dc357", "DiskFull")],
    ),
    json(
        "alertmanager: what prometheus posts",
        AlertmanagerApi,
        r#"[{"labels":{"alertname":"NodeDown","instance":"db-1","empty":""},"annotations":{"title":"db-1 is down"},
   "startsAt":"2026-03-01T11:00:00Z","endsAt":"2026-03-01T12:04:00Z","generatorURL":"http://prometheus.example/graph"},
  {"labels":{"alertname":"NodeDown","instance":"db-2"},"startsAt":"2026-03-01T11:00:00Z","endsAt":"2026-03-01T11:50:00Z"}]"#,
        &[
            expected(Firing, Medium, "7cfb446300be4a09", "db-1 is down"),
            expected(Resolved, Medium, "7d05446300c69e8e", "NodeDown"),
        ],
    ),
    json(
        "grafana: a rule fires, another has no data",
        Grafana,
        r#"{"receiver":"daybook","status":"firing","orgId":1,"groupLabels":{"alertname":"CPU"},"commonLabels":{},"commonAnnotations":{},
  "externalURL":"https://grafana.example/","version":"1","groupKey":"{}/{}:{alertname=\"CPU\"}","truncatedAlerts":2,
  "title":"[FIRING:2] CPU","state":"alerting","message":"**Firing**","appVersion":"12.1.0","alerts":[
    {"status":"firing","labels":{"alertname":"CPU","host":"a","severity":"high"},"annotations":{"summary":"CPU of a is busy"},
     "startsAt":"2026-03-01T11:55:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.example/alerting/grafana/x/view",
     "fingerprint":"1111111111111111","silenceURL":"https://grafana.example/alerting/silence/new","dashboardURL":"https://grafana.example/d/1",
     "panelURL":"https://grafana.example/d/1?viewPanel=2","values":{"B":97.50,"C":1},"valueString":"[ var='B' value=97.5 ]","orgId":1},
    {"status":"firing","labels":{"alertname":"DatasourceNoData","rulename":"CPU","datasource_uid":"u"},"annotations":{},
     "startsAt":"2026-03-01T11:57:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"2222222222222222","values":null}
  ]}"#,
        &[
            expected(Firing, High, "1111111111111111", "CPU of a is busy"),
            expected(NoData, Medium, "2222222222222222", "DatasourceNoData"),
        ],
    ),
    json(
        "grafana: a rule of the alerting before",
        GrafanaLegacy,
        r#"{"title":"[Alerting] Queue is long","ruleId":7,"ruleName":"Queue is long","ruleUrl":"https://grafana.example/d/q","state":"alerting",
  "message":"Look at the consumers.","imageUrl":"https://grafana.example/img.png","evalMatches":[{"metric":"depth","value":12345678901234567890,"tags":null}],
  "tags":{"severity":"critical"},"orgId":3,"dashboardId":2,"panelId":1}"#,
        &[expected(Firing, Critical, "3:7", "[Alerting] Queue is long")],
    ),
    json(
        "grafana: the same rule is well again",
        GrafanaLegacy,
        r#"{"title":"[OK] Queue is long","ruleId":7,"ruleName":"Queue is long","ruleUrl":"https://grafana.example/d/q","state":"ok",
  "evalMatches":[],"tags":{"severity":"critical"},"orgId":3}"#,
        &[expected(Resolved, Critical, "3:7", "[OK] Queue is long")],
    ),
    json(
        "grafana: a rule of the alerting before that is pending",
        GrafanaLegacy,
        r#"{"title":"[Pending] Queue","ruleId":7,"ruleName":"Queue","state":"pending","orgId":3,"tags":{}}"#,
        &[],
    ),
];
