//! What people send who write it themselves, and what nobody knows.

use super::{Sample, digested, expected, json};
use crate::Format::{Generic, Mapped, Unmapped};
use crate::Severity::{Critical, High, Low, Medium};
use crate::Signal::{Firing, Resolved};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

pub(super) const SAMPLES: &[Sample] = &[
    json(
        "generic: one alert",
        Generic,
        r#"{"title":"Backup is late","status":"firing","severity":"major","alert_type":"backup","source":"cron","description":"Last one: yesterday.","dedup_key":"backup/db-1","labels":{"host":"db-1","size":9007199254740993,"ratio":1e400},
  "starts_at":"2026-03-01T11:00:00Z","url":"https://jobs.example/9"}"#,
        &[expected(Firing, High, "backup/db-1", "Backup is late")],
    ),
    json(
        "generic: a list, one of it without a title",
        Generic,
        r#"[{"title":"A","severity":"P1"},{"headline":"B"},{"summary":"C","status":"ok","priority":5,"dedup":"c"},7]"#,
        &[digested(Firing, Critical, "A"), expected(Resolved, Low, "c", "C")],
    ),
    json(
        "generic: the shape of GoAlert",
        Generic,
        r#"{"summary":"Disk","details":"of db-1","action":"close","meta":{"team":"core"}}"#,
        &[digested(Resolved, Medium, "Disk")],
    ),
    Sample {
        content_type: FORM,
        ..json(
            "generic: the same as a form",
            Generic,
            "summary=Disk+is+full%21&details=of+db-1&dedup=disk",
            &[expected(Firing, Medium, "disk", "Disk is full!")],
        )
    },
    Sample {
        content_type: None,
        query: &[("summary", "Disk is full"), ("action", "close"), ("dedup", "disk")],
        ..json(
            "generic: the same in the query",
            Generic,
            "",
            &[expected(Resolved, Medium, "disk", "Disk is full")],
        )
    },
    Sample {
        content_type: FORM,
        ..json(
            "generic: JSON that a client calls a form",
            Generic,
            r#"{"title":"T","dedup_key":"t"}"#,
            &[expected(Firing, Medium, "t", "T")],
        )
    },
    json(
        "generic: the shape of Grafana OnCall",
        Generic,
        r#"{"alert_uid":"08d6891a","title":"The whole system is down","image_url":"https://img.example/a.png","state":"alerting","link_to_upstream_details":"https://en.example/","message":"It fell over."}"#,
        &[expected(Firing, Medium, "08d6891a", "The whole system is down")],
    ),
    json(
        "mapped: a tenant's own monitor",
        Mapped,
        r#"{"kind":"probe","site":"eu","checks":[{"check":"tls","weight":"warn","outcome":"RED","target":{"host":"a.example"},"since":1772366000,"detail":"expires soon"},{"check":"dns","outcome":"green","target":{"host":"b.example"}},{"outcome":"red"}]}"#,
        &[
            expected(Firing, Medium, "eu:tls:a.example", "tls failed on a.example"),
            expected(Resolved, Medium, "eu:dns:b.example", "dns failed on b.example"),
        ],
    ),
    json(
        "unmapped: nobody's",
        Unmapped,
        r#"{"foo":{"bar":[1,2,9007199254740993]},"baz":null}"#,
        &[],
    ),
    json("unmapped: a number", Unmapped, "9007199254740993", &[]),
    json("an empty list", Generic, "[]", &[]),
];
