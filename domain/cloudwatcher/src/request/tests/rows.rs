//! Metadata, files and decisions.

use super::*;
use crate::{CloudProvider, FileType};
use rehearsal::given::drawn;
use rust_decimal::Decimal;

fn annotate(metadata: Metadata) -> Command {
    Command::Annotate { metadata }
}

fn numbered(keys: std::ops::Range<usize>) -> Metadata {
    keys.map(|n| (format!("key-{n}"), String::new())).collect()
}

fn attach(file_type: FileType) -> Command {
    Command::AttachFile {
        file_type,
        cloud_provider: CloudProvider::GoogleDrive,
        cloud_path: "/photos/1.jpg".to_owned(),
        file_size_bytes: Some(9_000_000_000),
        uploaded_at: None,
    }
}

fn attached(file_type: FileType, response_id: Option<Uuid>) -> Event {
    Event::RequestFileAttached {
        file_id: drawn(0),
        file_type,
        response_id,
        cloud_provider: CloudProvider::GoogleDrive,
        cloud_path: "/photos/1.jpg".to_owned(),
        file_size_bytes: Some(9_000_000_000),
        uploaded_at: None,
    }
}

fn decide(confidence: &str) -> Command {
    serde_json::from_value(json!({"record-decision": {
        "agent_name": "PartsSpecialist", "decision_type": "selection", "decision_value": "filter",
        "reasoning": {"seen": 3}, "confidence_score": confidence,
    }}))
    .unwrap()
}

#[test]
fn annotating_sets_what_is_new_and_keeps_the_rest() {
    let first = NewRequest {
        metadata: metadata([("app_version", "1"), ("network_type", "4g")]),
        ..sent(json!(1))
    };
    let given = || given::<DeviceRequest>([received_with(first.clone(), NOON)]);
    given()
        .when(annotate(metadata([
            ("app_version", "2"),
            ("network_type", "4g"),
            ("model", "x"),
        ])))
        .then([Event::RequestAnnotated {
            metadata: metadata([("app_version", "2"), ("model", "x")]),
        }]);
    given().when(annotate(metadata([("app_version", "1")]))).then([]);
}

#[test]
fn a_request_has_at_most_fifty_keys_of_metadata() {
    let first = NewRequest {
        metadata: numbered(0..49),
        ..sent(json!(1))
    };
    let given = || given::<DeviceRequest>([received_with(first.clone(), NOON)]);
    assert_eq!(given().when(annotate(numbered(48..50))).events().len(), 1);
    given()
        .when(annotate(numbered(49..51)))
        .refused(Refusal::TooMuchMetadata);
    given()
        .when(annotate(numbered(0..51)))
        .refused(Refusal::TooMuchMetadata);
}

#[test]
fn metadata_fits_its_columns_and_its_event() {
    let given = || given::<DeviceRequest>([received()]);
    let too_long = |chars, max| unfit("metadata", Unfit::TooLong { chars, max });
    given()
        .when(annotate(metadata([(long(101).as_str(), "")])))
        .refused(too_long(101, 100));
    given()
        .when(annotate(metadata([("a", long(4_001).as_str())])))
        .refused(too_long(4_001, 4_000));
    given()
        .when(annotate(metadata([("a", "\0")])))
        .refused(unfit("metadata", Unfit::Nul));
    let large: Metadata = (0..20).map(|n| (format!("{n:02}"), long(2_000))).collect();
    let bytes = canonical::text(&json!(large)).len();
    given().when(annotate(large)).refused(unfit(
        "metadata",
        Unfit::TooLarge {
            bytes,
            max: METADATA_BYTES_MAX,
        },
    ));
}

#[test]
fn a_file_belongs_to_the_request_or_to_its_response() {
    given::<DeviceRequest>([received()])
        .when(attach(FileType::Request))
        .then([attached(FileType::Request, None)]);
    given::<DeviceRequest>([received(), begun()])
        .when(attach(FileType::Response))
        .then([attached(FileType::Response, Some(response_id()))]);
    given::<DeviceRequest>([received()])
        .when(attach(FileType::Response))
        .refused(Refusal::NoResponse);
}

#[test]
fn a_file_that_is_synced_was_uploaded() {
    let marked = |sync_status, uploaded_at| Event::RequestFileMarked {
        file_id: drawn(0),
        sync_status,
        uploaded_at,
    };
    let mark = |file_id, sync_status| Command::MarkFile { file_id, sync_status };
    let there = [received(), attached(FileType::Request, None)];
    given::<DeviceRequest>(there.clone())
        .at(NOON)
        .when(mark(drawn(0), SyncStatus::Synced))
        .then([marked(SyncStatus::Synced, Some(NOON))]);
    given::<DeviceRequest>(there.clone())
        .when(mark(drawn(0), SyncStatus::Failed))
        .then([marked(SyncStatus::Failed, None)]);
    given::<DeviceRequest>(there.clone())
        .when(mark(drawn(0), SyncStatus::Pending))
        .then([]);
    given::<DeviceRequest>(there.clone())
        .when(mark(drawn(1), SyncStatus::Synced))
        .refused(Refusal::NoSuchFile);
    let synced = there.into_iter().chain([marked(SyncStatus::Synced, Some(NOON))]);
    given::<DeviceRequest>(synced)
        .at(NOON + chrono::TimeDelta::hours(1))
        .when(mark(drawn(0), SyncStatus::Failed))
        .then([marked(SyncStatus::Failed, Some(NOON))]);
}

#[test]
fn files_have_limits() {
    let refused = |change: fn(&mut Value), refusal| {
        let mut attach = json!({"attach-file": {
            "file_type": "request", "cloud_provider": "sharepoint", "cloud_path": "/a",
        }});
        change(&mut attach["attach-file"]);
        given::<DeviceRequest>([received()])
            .when(serde_json::from_value(attach).unwrap())
            .refused(refusal);
    };
    refused(
        |file| file["cloud_path"] = json!("/".repeat(501)),
        unfit("cloud_path", Unfit::TooLong { chars: 501, max: 500 }),
    );
    refused(
        |file| file["file_size_bytes"] = json!(-1),
        unfit("file_size_bytes", Unfit::Negative),
    );
    refused(
        |file| file["uploaded_at"] = json!("0001-01-01T00:00:00Z"),
        unfit("uploaded_at", Unfit::Form("must lie in the years 2000 to 9999")),
    );
    let many = (0..FILES_MAX as u128).map(|n| Event::RequestFileAttached {
        file_id: Uuid::from_u128(n),
        file_type: FileType::Request,
        response_id: None,
        cloud_provider: CloudProvider::Local,
        cloud_path: "/a".to_owned(),
        file_size_bytes: None,
        uploaded_at: None,
    });
    given::<DeviceRequest>(std::iter::once(received()).chain(many))
        .when(attach(FileType::Request))
        .refused(Refusal::TooManyFiles);
}

#[test]
fn a_decision_says_how_sure_the_agent_is() {
    given::<DeviceRequest>([received(), completed()])
        .when(decide("0.8"))
        .then([Event::AgentDecisionRecorded {
            decision_id: drawn(0),
            agent_name: "PartsSpecialist".to_owned(),
            decision_type: "selection".to_owned(),
            decision_value: "filter".to_owned(),
            reasoning: Some(json!({"seen": 3}).into()),
            confidence_score: Some(Decimal::new(80, 2)),
        }]);
    for fit in ["0", "1", "1.00", "0.55"] {
        assert_eq!(
            given::<DeviceRequest>([received()]).when(decide(fit)).events().len(),
            1,
            "{fit}"
        );
    }
    for out in ["-0.01", "1.01", "0.555"] {
        given::<DeviceRequest>([received()]).when(decide(out)).refused(unfit(
            "confidence_score",
            Unfit::Form("must be from 0 to 1, with at most two decimals"),
        ));
    }
}

#[test]
fn a_request_has_at_most_a_thousand_decisions() {
    let recorded = match given::<DeviceRequest>([received()]).when(decide("1")).events().pop() {
        Some(recorded) => recorded,
        None => panic!("nothing was recorded"),
    };
    let many = std::iter::repeat_n(recorded, DECISIONS_MAX);
    given::<DeviceRequest>(std::iter::once(received()).chain(many))
        .when(decide("1"))
        .refused(Refusal::TooManyDecisions);
}
