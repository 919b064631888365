//! The life of requests of devices: answered, failed, decided on by agents, repeated, archived; and how
//! devices are connected.

use serde_json::json;
use uuid::Uuid;

use super::history::{BEN, CLEO, TRUCK_ASKS, TRUCK_REPORTS};
use crate::device_connection::DeviceConnection;
use crate::device_policy::DevicePolicy;
use crate::request::DeviceRequest;
use domain::SYSTEM;
use domain::register::{OnePerTenant, Register};
use rehearsal::Chronicle;
use rehearsal::chronicle::{TENANT, id};

const PHOTO: Uuid = id(8, 3);
const ONLINE: Uuid = id(11, 1);
const POLLED: Uuid = id(11, 2);

pub(super) fn devices(chronicle: &mut Chronicle) {
    policy(chronicle);
    connections(chronicle);
    answered(chronicle);
    failed(chronicle);
    archived(chronicle);
}

fn policy(chronicle: &mut Chronicle) {
    let policy = DevicePolicy::stream(TENANT);
    chronicle
        .by(BEN)
        .send::<Register<DevicePolicy>>(policy, json!({"enter": {}}))
        .send::<Register<DevicePolicy>>(
            policy,
            json!({"amend": {"dedup_window_minutes": 60, "retention_days": 30}}),
        )
        .send::<Register<DevicePolicy>>(policy, json!({"strike": {}}));
}

fn connections(chronicle: &mut Chronicle) {
    chronicle
        .by(CLEO)
        .send::<DeviceConnection>(
            ONLINE,
            json!({"connect": {
                "device_id": "truck-001", "user_id": CLEO, "connection_type": "websocket", "ip_address": "192.0.2.7",
            }}),
        )
        .send::<DeviceConnection>(
            POLLED,
            json!({"connect": {"device_id": "truck-002", "connection_type": "polling", "ip_address": "2001:db8::7"}}),
        )
        .send::<DeviceConnection>(ONLINE, json!({"disconnect": {}}));
}

/// Begun, decided on, answered and delivered; an order answers it as well.
fn answered(chronicle: &mut Chronicle) {
    chronicle
        .by(BEN)
        .send::<DeviceRequest>(TRUCK_ASKS, json!({"begin": {}}))
        .send::<DeviceRequest>(TRUCK_ASKS, json!({"annotate": {"metadata": {"app_version": "2.1.0"}}}))
        .send::<DeviceRequest>(
            TRUCK_ASKS,
            json!({"record-decision": {
                "agent_name": "PartsSpecialist", "decision_type": "selection", "decision_value": "PART-FILTER-01",
                "reasoning": {"seen": ["PART-FILTER-01"]}, "confidence_score": 0.85,
            }}),
        )
        .send::<DeviceRequest>(
            TRUCK_ASKS,
            json!({"respond": {
                "content": {"parts": ["PART-FILTER-01"]}, "ai_processed": true, "metadata": {"model": "small"},
            }}),
        )
        .by(CLEO)
        .send::<DeviceRequest>(TRUCK_ASKS, json!({"deliver": {}}));
}

/// Taken and given back, forgotten, taken from somebody, and failed.
fn failed(chronicle: &mut Chronicle) {
    let begin = json!({"begin": {}});
    chronicle
        .by(CLEO)
        .send::<DeviceRequest>(TRUCK_REPORTS, begin.clone())
        .send::<DeviceRequest>(TRUCK_REPORTS, begin.clone())
        .send::<DeviceRequest>(TRUCK_REPORTS, json!({"release": {}}))
        .send::<DeviceRequest>(TRUCK_REPORTS, begin.clone())
        .later(1)
        .by(SYSTEM)
        .send::<DeviceRequest>(TRUCK_REPORTS, json!({"lapse": {}}))
        .by(CLEO)
        .send::<DeviceRequest>(TRUCK_REPORTS, begin)
        .by(BEN)
        .send::<DeviceRequest>(TRUCK_REPORTS, json!({"take-over": {}}))
        .send::<DeviceRequest>(TRUCK_REPORTS, json!({"fail": {"error": "there is nothing to update"}}));
}

/// Sent with a key, with files, and later taken out of the tables.
fn archived(chronicle: &mut Chronicle) {
    let request = DeviceRequest::keyed(TENANT, "truck-001", "photo-7");
    let attach = |file_type: &str, path: &str| {
        json!({"attach-file": {
            "file_type": file_type, "cloud_provider": "google-drive", "cloud_path": path, "file_size_bytes": 1_048_576,
        }})
    };
    chronicle
        .by(CLEO)
        .send::<DeviceRequest>(
            request,
            json!({"receive": {
                "device_id": "truck-001", "request_type": "report_damage", "payload": {"part": "door"},
                "request_key": "photo-7", "metadata": {"device_model": "Pad 3", "network_type": "4g"},
            }}),
        )
        .send::<DeviceRequest>(request, attach("request", "/damages/7.jpg"));
    let file = chronicle.named(request, "file_id");
    chronicle
        .send::<DeviceRequest>(
            request,
            json!({"mark-file": {"file_id": file, "sync_status": "synced"}}),
        )
        .by(BEN)
        .send::<DeviceRequest>(
            request,
            json!({"respond": {"content": {"ticket": 12}, "metadata": {"desk": "north"}}}),
        )
        .send::<DeviceRequest>(request, attach("response", "/tickets/12.pdf"));
    // One that stays, with a file and an attribute.
    chronicle
        .by(CLEO)
        .send::<DeviceRequest>(
            PHOTO,
            json!({"receive": {
                "device_id": "truck-002", "request_type": "report_damage", "payload": {"part": "mirror"},
                "metadata": {"device_model": "Pad 2"},
            }}),
        )
        .send::<DeviceRequest>(PHOTO, attach("request", "/damages/8.jpg"))
        .by(SYSTEM)
        .send::<DeviceRequest>(
            request,
            json!({"archive": {"archive": "requests-1", "sha256": "0123456789abcdef".repeat(4)}}),
        );
}
