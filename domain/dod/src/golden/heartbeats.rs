//! What is expected to come, and does or does not.

use domain::{Decider as _, SYSTEM};
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};
use serde_json::{Value, json};
use uuid::Uuid;

use super::alerts::{ended, join};
use super::deliveries::{Sent, comes};
use super::settings::MONITORS;
use super::story::BEN;
use crate::alert::Alert;
use crate::expectation::Expectations;
use crate::heartbeat::Heartbeat;

/// The backup of every 58 minutes: heard, missed, heard again, and excused once. Another one is not expected any more.
pub(super) fn expected(chronicle: &mut Chronicle) {
    let [backup, old_backup] = ["Backup", "Old backup"].map(|name| {
        let done = json!([{"field": "alert_type", "op": "equal", "value": "BackupDone"}]);
        let expectation = json!({"name": name, "source_id": MONITORS, "when": done, "every_minutes": 58});
        let expect = json!({"expect": {"expectation": expectation}});
        chronicle.by(BEN).send::<Expectations>(all(), expect);
        let expectation_id: Uuid = serde_json::from_value(chronicle.named(all(), "expectation_id")).unwrap();
        let expectation = chronicle.named(all(), "expectation");
        let terms = json!({"expectation_id": expectation_id, "expectation": expectation});
        let watch = json!({"watch": {"terms": terms}});
        let heartbeat = Heartbeat::stream(all(), expectation_id);
        chronicle.by(SYSTEM).send::<Heartbeat>(heartbeat, watch);
        (expectation_id, heartbeat)
    });
    let (_, backup) = backup;
    let (old_expectation, old_backup) = old_backup;
    let drop = json!({"drop": {"expectation_id": old_expectation}});
    chronicle
        .by(BEN)
        .send::<Expectations>(all(), drop)
        .by(SYSTEM)
        .send::<Heartbeat>(old_backup, json!({"unwatch": {}}));
    hear(chronicle, backup, id(20, 41));

    chronicle
        .later(1)
        .by(SYSTEM)
        .send::<Heartbeat>(backup, json!({"look": {}}));
    let named = |field: &str| chronicle.named(backup, field);
    let alert: Uuid = serde_json::from_value(named("alert_id")).unwrap();
    let open = json!({"open": {
        "signal_id": backup, "source_id": MONITORS, "delivery_id": backup, "brief": named("brief"),
        "original_severity": null, "starts_at": named("since"), "links": [], "raw": null, "is_heartbeat": false,
    }});
    chronicle.send::<Alert>(alert, open);
    let issue = join(chronicle, alert);
    hear(chronicle, backup, id(20, 42));
    let heard_at = chronicle.named(backup, "heard_at");
    let clear = json!({"clear": {"cleared_at": heard_at, "expired": false}});
    chronicle.by(SYSTEM).send::<Alert>(alert, clear);
    ended(chronicle, issue, alert);
    chronicle
        .later(8)
        .by(SYSTEM)
        .send::<Heartbeat>(backup, json!({"look": {}}));
}

fn hear(chronicle: &mut Chronicle, backup: Uuid, delivery: Uuid) {
    let body: Value = json!({"title": "The backup is done", "alert_type": "BackupDone", "dedup_key": "backup"});
    comes(chronicle, delivery, MONITORS, &Sent::json(&body.to_string()));
    let received_at = chronicle.named(delivery, "received_at");
    let hear = json!({"hear": {"received_at": received_at, "delivery_id": delivery}});
    chronicle.by(SYSTEM).send::<Heartbeat>(backup, hear);
}

fn all() -> Uuid {
    Expectations::only_stream(TENANT)
}
