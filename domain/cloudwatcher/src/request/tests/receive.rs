//! What makes two requests one.

use super::*;
use crate::device_policy::DevicePolicy;
use crate::request::identity::Window;
use domain::Facts;
use domain::register::{OnePerTenant, Register};
use rehearsal::given::TENANT;

/// The length of the window in these tests.
const WINDOW_MINUTES: i32 = 60;

fn keyed(payload: Value) -> NewRequest {
    NewRequest {
        request_key: Some("r-1".to_owned()),
        ..sent(payload)
    }
}

fn id() -> Uuid {
    DeviceRequest::keyed(TENANT, "truck-001", "r-1")
}

fn policy() -> Facts {
    let policy = DevicePolicy {
        dedup_window_minutes: WINDOW_MINUTES,
        ..DevicePolicy::default()
    };
    Facts::default().with(DevicePolicy::stream(TENANT), Register::Entered(policy))
}

fn hash() -> String {
    canonical::hash(&json!({"part": 1}))
}

fn window(payload_hash: &str) -> Window<'_> {
    Window {
        tenant: TENANT,
        device_id: "truck-001",
        request_type: "get_parts",
        payload_hash,
        minutes: WINDOW_MINUTES,
    }
}

/// What an equal request is taken for that comes at `at` when one was received at [`NOON`], half a window
/// into a span or at its very beginning.
fn again(at: DateTime<Utc>) -> Result<usize, Refusal> {
    let hash = hash();
    let (first, second) = (window(&hash).stream(NOON), window(&hash).stream(at));
    if first == second {
        return Err(Refusal::AlreadyReceived);
    }
    let before = state::<DeviceRequest>([received()]);
    given::<DeviceRequest>([])
        .on(second)
        .at(at)
        .with_facts(policy().with(first, before))
        .when(Command::Receive(sent(json!({"part": 1}))))
        .outcome()
        .map(|events| events.len())
}

#[test]
fn a_key_makes_the_id() {
    given::<DeviceRequest>([])
        .on(id())
        .at(NOON)
        .when(Command::Receive(keyed(json!(1))))
        .then([received_with(keyed(json!(1)), NOON)]);
    given::<DeviceRequest>([])
        .when(Command::Receive(keyed(json!(1))))
        .refused(Refusal::KeyedElsewhere { id: id() });
    let command = Command::Receive(keyed(json!(1)));
    assert_eq!(DeviceRequest::stream_of(TENANT, &command), Some(id()));
}

#[test]
fn devices_and_tenants_have_keys_of_their_own() {
    let ids = [
        id(),
        DeviceRequest::keyed(TENANT, "truck-002", "r-1"),
        DeviceRequest::keyed(Uuid::from_u128(0x70), "truck-001", "r-1"),
        // Where the device ends and the key begins counts.
        DeviceRequest::keyed(TENANT, "truck-00", "1r-1"),
    ];
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len());
}

#[test]
fn the_same_key_must_say_the_same() {
    let again = |sent| {
        given::<DeviceRequest>([received_with(keyed(json!({"a": 1, "b": 2})), NOON)])
            .on(id())
            .when(Command::Receive(sent))
    };
    let reordered: Value = serde_json::from_str(r#"{ "b": 2, "a": 1 }"#).unwrap();
    again(keyed(reordered)).refused(Refusal::AlreadyReceived);
    again(keyed(json!({"a": 1}))).refused(Refusal::KeyReused);
    again(NewRequest {
        request_type: "get_stock".to_owned(),
        ..keyed(json!({"a": 1, "b": 2}))
    })
    .refused(Refusal::KeyReused);
    again(NewRequest {
        metadata: metadata([("app_version", "2")]),
        ..keyed(json!({"a": 1, "b": 2}))
    })
    .refused(Refusal::KeyReused);
}

#[test]
fn an_id_that_was_chosen_must_say_the_same_but_for_metadata() {
    let again = |sent| given::<DeviceRequest>([received()]).when(Command::Receive(sent));
    again(sent(json!({"part": 1}))).refused(Refusal::AlreadyReceived);
    again(NewRequest {
        metadata: metadata([("network_type", "4g")]),
        ..sent(json!({"part": 1}))
    })
    .refused(Refusal::AlreadyReceived);
    again(sent(json!({"part": 2}))).refused(Refusal::IdReused);
}

#[test]
fn an_archived_request_is_still_repeated() {
    let archived = Event::RequestArchived {
        archive: "a".to_owned(),
        sha256: "0".repeat(64),
        response_id: response_id(),
        metadata: BTreeSet::new(),
        response_metadata: BTreeSet::new(),
        files: BTreeSet::new(),
    };
    let again = |payload| {
        given::<DeviceRequest>([received_with(keyed(json!(1)), NOON), completed(), archived.clone()])
            .on(id())
            .when(Command::Receive(keyed(payload)))
    };
    again(json!(1)).refused(Refusal::AlreadyReceived);
    again(json!(2)).refused(Refusal::KeyReused);
}

#[test]
fn without_a_key_an_equal_request_is_a_repeat_until_the_window_ends() {
    let hash = hash();
    let minutes = i64::from(WINDOW_MINUTES);
    let repeat = Err(Refusal::Repeats {
        id: window(&hash).stream(NOON),
    });
    // NOON begins a span of sixty minutes, so the next hour is the same span and the one after a neighbour.
    assert_eq!(again(NOON + TimeDelta::minutes(59)), Err(Refusal::AlreadyReceived));
    assert_eq!(again(NOON + TimeDelta::minutes(minutes)), Ok(1));
    // A clock that runs behind names the span before.
    assert_eq!(again(NOON - TimeDelta::minutes(1)), repeat);
    assert_eq!(again(NOON - TimeDelta::minutes(minutes)), Ok(1));
}

#[test]
fn the_window_slides_from_the_first_receipt_on() {
    let hash = hash();
    let half = TimeDelta::minutes(30);
    let first = window(&hash).stream(NOON + half);
    let before = state::<DeviceRequest>([received_with(sent(json!({"part": 1})), NOON + half)]);
    let at = |at: DateTime<Utc>| {
        given::<DeviceRequest>([])
            .on(window(&hash).stream(at))
            .at(at)
            .with_facts(policy().with(first, before.clone()))
            .when(Command::Receive(sent(json!({"part": 1}))))
            .outcome()
            .map(|events| events.len())
    };
    let nearly = NOON + half + TimeDelta::milliseconds(3_599_999);
    assert_eq!(at(nearly), Err(Refusal::Repeats { id: first }));
    assert_eq!(at(NOON + half + TimeDelta::minutes(60)), Ok(1));
}

#[test]
fn another_payload_device_or_type_is_another_request() {
    let (hash, other) = (hash(), canonical::hash(&json!({"part": 2})));
    let here = window(&hash);
    let others = [
        window(&other),
        Window {
            device_id: "truck-002",
            ..here
        },
        Window {
            request_type: "get_stock",
            ..here
        },
        Window { minutes: 120, ..here },
    ];
    for other in others {
        assert_ne!(other.stream(NOON), here.stream(NOON));
    }
}

#[test]
fn a_request_under_a_chosen_id_repeats_nothing_but_itself() {
    let hash = hash();
    let before = state::<DeviceRequest>([received()]);
    given::<DeviceRequest>([])
        .at(NOON)
        .with_facts(policy().with(window(&hash).stream(NOON), before))
        .when(Command::Receive(sent(json!({"part": 1}))))
        .then([received()]);
}

#[test]
fn what_was_received_before_there_were_windows_is_no_repeat() {
    let hash = hash();
    let received = match received() {
        Event::RequestReceived {
            device_id,
            request_type,
            payload,
            payload_hash,
            request_key,
            metadata,
            received_at: _,
        } => Event::RequestReceived {
            device_id,
            request_type,
            payload,
            payload_hash,
            request_key,
            metadata,
            received_at: None,
        },
        other => panic!("{other:?}"),
    };
    assert!(!window(&hash).repeats(&state([received]), NOON));
}
