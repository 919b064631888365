//! How a request leaves the tables.

use super::*;
use domain::SYSTEM;
use rehearsal::given::{STREAM, drawn, takes};

fn archive() -> Command {
    Command::Archive {
        archive: "requests-2026-01".to_owned(),
        sha256: "ab".repeat(32),
    }
}

fn archived() -> Event {
    Event::RequestArchived {
        archive: "requests-2026-01".to_owned(),
        sha256: "ab".repeat(32),
        response_id: response_id(),
        metadata: BTreeSet::from(["app_version".to_owned()]),
        response_metadata: BTreeSet::from(["model".to_owned()]),
        files: BTreeSet::from([drawn(0)]),
    }
}

fn with_rows() -> Vec<Event> {
    let first = NewRequest {
        metadata: metadata([("app_version", "1")]),
        ..sent(json!(1))
    };
    let attached = json!({"RequestFileAttached": {
        "file_id": drawn(0), "file_type": "request", "cloud_provider": "local", "cloud_path": "/a",
    }});
    vec![
        received_with(first, NOON),
        serde_json::from_value(attached).unwrap(),
        completed(),
    ]
}

#[test]
fn an_archived_request_names_every_row_that_it_leaves_and_no_order_may_answer_it_any_more() {
    given::<DeviceRequest>(with_rows())
        .by(SYSTEM)
        .when(archive())
        .then([archived()])
        .claims([takes(ORDER, STREAM.to_string())]);
}

#[test]
fn a_request_is_archived_once() {
    given::<DeviceRequest>(with_rows().into_iter().chain([archived()]))
        .by(SYSTEM)
        .when(archive())
        .then([]);
}

#[test]
fn only_what_is_completed_or_failed_is_archived() {
    let refused = |events: Vec<Event>, status| {
        given::<DeviceRequest>(events)
            .by(SYSTEM)
            .when(archive())
            .refused(Refusal::NotClosed { status });
    };
    refused(vec![received()], RequestStatus::Pending);
    refused(vec![received(), begun()], RequestStatus::Processing);
    given::<DeviceRequest>([])
        .by(SYSTEM)
        .when(archive())
        .refused(Refusal::NotReceived);
}

#[test]
fn what_a_decision_refers_to_stays() {
    let decided = json!({"AgentDecisionRecorded": {
        "decision_id": drawn(1), "agent_name": "a", "decision_type": "b", "decision_value": "c",
    }});
    let decided: Event = serde_json::from_value(decided).unwrap();
    given::<DeviceRequest>(with_rows().into_iter().chain([decided]))
        .by(SYSTEM)
        .when(archive())
        .refused(Refusal::Referred);
}

#[test]
fn nothing_happens_to_an_archived_request() {
    for command in [
        Command::Begin {},
        respond(),
        fail(),
        Command::Deliver {},
        Command::Annotate {
            metadata: Metadata::new(),
        },
    ] {
        given::<DeviceRequest>(with_rows().into_iter().chain([archived()]))
            .when(command)
            .refused(Refusal::Archived);
    }
    let state = state::<DeviceRequest>(with_rows().into_iter().chain([archived()]));
    assert!(state.is_archived() && state.status().is_none());
}

#[test]
fn an_archive_is_named_with_its_hash() {
    let refused = |archive: &str, sha256: &str, refusal| {
        let archive = Command::Archive {
            archive: archive.to_owned(),
            sha256: sha256.to_owned(),
        };
        given::<DeviceRequest>(with_rows())
            .by(SYSTEM)
            .when(archive)
            .refused(refusal);
    };
    refused("", &"0".repeat(64), unfit("archive", Unfit::Empty));
    let form = Unfit::Form("must be a SHA-256 in lower-case hexadecimal");
    refused("a", &"0".repeat(63), unfit("sha256", form.clone()));
    refused("a", &"A".repeat(64), unfit("sha256", form));
}
