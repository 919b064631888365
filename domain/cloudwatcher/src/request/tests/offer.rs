//! The commands that a request offers in each state.

use super::*;
use domain::SYSTEM;
use rehearsal::given::Given;

/// The commands that these rules are about.
const RULED: [&str; 9] = [
    "begin",
    "release",
    "take-over",
    "annotate",
    "respond",
    "fail",
    "deliver",
    "attach-file",
    "record-decision",
];

fn past(events: Vec<Event>) -> Given<DeviceRequest> {
    given(events)
}

fn offered(past: &Given<DeviceRequest>) -> Vec<&'static str> {
    past.offered_of(&RULED)
}

#[test]
fn a_request_is_received_first_begun_and_answered_once() {
    assert_eq!(past(vec![]).offered(), ["receive"]);
    let open = [
        "begin",
        "release",
        "take-over",
        "annotate",
        "respond",
        "fail",
        "attach-file",
        "record-decision",
    ];
    assert_eq!(offered(&past(vec![received()])), open);
    assert_eq!(offered(&past(vec![received(), begun()])), open);
    assert_eq!(
        offered(&past(vec![received(), completed()])),
        ["annotate", "deliver", "attach-file", "record-decision"]
    );
    assert_eq!(
        offered(&past(vec![received(), failed()])),
        ["annotate", "attach-file", "record-decision"]
    );
}

#[test]
fn what_somebody_is_on_offers_others_to_take_it_over_and_not_to_answer_it() {
    let others = past(vec![received(), begun()]).by(Uuid::from_u128(0xb2));
    assert_eq!(
        offered(&others),
        ["take-over", "annotate", "attach-file", "record-decision"]
    );
    assert!(
        others
            .at(DateTime::UNIX_EPOCH + LEASE)
            .offered()
            .contains(&"begin".to_owned())
    );
}

#[test]
fn a_file_is_marked_once_there_is_one() {
    let attached: Event = serde_json::from_value(json!({"RequestFileAttached": {
        "file_id": response_id(), "file_type": "request", "cloud_provider": "local", "cloud_path": "/1",
    }}))
    .unwrap();
    let offers = |events: Vec<Event>| past(events).offered().contains(&"mark-file".to_owned());
    assert!(!offers(vec![received()]));
    assert!(offers(vec![received(), attached]));
}

#[test]
fn only_daybook_archives_and_only_what_is_answered() {
    let offers = |events: Vec<Event>, by| past(events).by(by).offered().contains(&"archive".to_owned());
    assert!(!offers(vec![received()], SYSTEM));
    assert!(offers(vec![received(), completed()], SYSTEM));
    assert!(!offers(vec![received(), completed()], rehearsal::given::BY));
    let archived: Event = serde_json::from_value(json!({"RequestArchived": {
        "archive": "requests-1", "sha256": "", "response_id": response_id(), "metadata": [], "response_metadata": [],
        "files": [],
    }}))
    .unwrap();
    assert_eq!(past(vec![received(), completed(), archived.clone()]).offered(), [""; 0]);
    assert_eq!(
        past(vec![received(), completed(), archived]).by(SYSTEM).offered(),
        ["archive"]
    );
}
