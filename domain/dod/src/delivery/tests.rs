//! What becomes of a body, from its coming to its going.

mod brief;
mod recognised;

use chrono::TimeDelta;
use dod_formats::samples;
use domain::text::Unfit;
use domain::{Decider as _, Facts, SYSTEM};
use rehearsal::given::{Given, TENANT, given, long, state};
use serde_json::json;

use super::*;
use crate::receiver::RECEIVER_IM_CHARS_MAX;
use crate::retention::{self, Retention};
use crate::source::{self, Source};

const SOURCE: Uuid = Uuid::from_u128(0x50);
const TOKEN: Uuid = Uuid::from_u128(0x70);
const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn source(events: impl IntoIterator<Item = source::Event>) -> Facts {
    Facts::default().with(SOURCE, state::<Source>(events))
}

fn entered(settings: serde_json::Value) -> source::Event {
    source::Event::SourceEntered(serde_json::from_value(settings).unwrap())
}

fn in_use() -> Facts {
    let settings = json!({"name": "Prometheus", "receiver_im": "ops", "mappings": [samples::mapping()]});
    source([entered(settings)])
}

fn sha256() -> String {
    "0a".repeat(32)
}

fn enclosed() -> Enclosed {
    Enclosed {
        content_type: Some("application/json".to_owned()),
        received_at: samples::received_at(),
        ..Enclosed::default()
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        sha256: sha256(),
        bytes: 2,
        key: Some(Uuid::from_u128(0x4e)),
    }
}

fn receive(enclosed: Enclosed, body: Option<Body>, object: Option<ObjectRef>) -> Command {
    Command::Receive {
        source_id: SOURCE,
        token_id: TOKEN,
        enclosed,
        body,
        object,
        sha256: sha256(),
        bytes: 2,
        is_brief: false,
    }
}

fn received(enclosed: Enclosed, body: Option<Body>, object: Option<ObjectRef>) -> Event {
    Event::DeliveryReceived {
        source_id: SOURCE,
        token_id: TOKEN,
        kept_bytes: Some(2 + enclosed.bytes() as u64),
        enclosed,
        body: Sealed::Open(body),
        object,
        sha256: sha256(),
        bytes: 2,
        body_until: samples::received_at() + TimeDelta::days(90),
        is_counted: true,
        is_brief: false,
    }
}

fn holding(body: &str) -> Event {
    received(enclosed(), Some(Body::of(body.as_bytes())), None)
}

fn recognise() -> Command {
    Command::Recognise { body: None }
}

fn recognised() -> Event {
    Event::DeliveryRecognised {
        round: 0,
        format: "generic".to_owned(),
        alerts: 0,
        notes: Vec::new(),
        recognised_at: AT,
        body_until: None,
    }
}

fn dropped() -> Event {
    Event::DeliveryBodyDropped { bytes: Some(2) }
}

/// A delivery of which everything is known that a decision asks for.
fn given_in_use(events: impl IntoIterator<Item = Event>) -> Given<Delivery> {
    given::<Delivery>(events).with_facts(in_use())
}

#[test]
fn a_body_is_received_before_anything_is_understood_of_it() {
    let body = Some(Body::of(b"no JSON at all"));
    given_in_use([])
        .when(receive(enclosed(), body.clone(), None))
        .then([received(enclosed(), body, None)]);
    given_in_use([])
        .when(receive(enclosed(), None, Some(object())))
        .then([received(enclosed(), None, Some(object()))]);
}

#[test]
fn a_body_is_received_once() {
    given_in_use([holding("{}")])
        .when(receive(enclosed(), Some(Body::of(b"{}")), None))
        .refused(Refusal::AlreadyReceived);
}

#[test]
fn nothing_is_received_of_a_source_that_is_not_in_use() {
    let struck = source([entered(json!({"name": "Nagios"})), source::Event::SourceStruck {}]);
    for facts in [Facts::default(), struck] {
        given::<Delivery>([])
            .with_facts(facts)
            .when(receive(enclosed(), Some(Body::of(b"{}")), None))
            .refused(Refusal::NoSource);
    }
}

#[test]
fn a_body_is_in_one_place_and_of_one_size() {
    let both = receive(enclosed(), Some(Body::of(b"{}")), Some(object()));
    let neither = receive(enclosed(), None, None);
    let large = Body::Text("a".repeat(BODY_WRITTEN_BYTES_MAX));
    let large = receive(enclosed(), Some(large), None);
    let broken = receive(enclosed(), Some(Body::Base64("%".to_owned())), None);
    for command in [both, neither, large, broken] {
        given_in_use([]).when(command).refused(Refusal::Body);
    }
    let text = "a".repeat(BODY_WRITTEN_BYTES_MAX - r#"{"text":""}"#.len());
    let fits = receive(enclosed(), Some(Body::Text(text)), None);
    assert_eq!(given_in_use([]).when(fits).events().len(), 1);
}

#[test]
fn an_object_larger_than_a_body_may_be_is_refused() {
    let of = |size: usize| Command::Receive {
        source_id: SOURCE,
        token_id: TOKEN,
        enclosed: enclosed(),
        body: None,
        object: Some(object()),
        sha256: sha256(),
        bytes: size as u64,
        is_brief: false,
    };
    given_in_use([]).when(of(BODY_BYTES_MAX + 1)).refused(Refusal::Body);
    assert_eq!(given_in_use([]).when(of(BODY_BYTES_MAX)).events().len(), 1);
}

#[test]
fn the_digest_is_one() {
    for sha256 in ["0a".repeat(31), "0g".repeat(32)] {
        let command = Command::Receive {
            source_id: SOURCE,
            token_id: TOKEN,
            enclosed: enclosed(),
            body: Some(Body::of(b"{}")),
            object: None,
            sha256,
            bytes: 2,
            is_brief: false,
        };
        given_in_use([]).when(command).refused(Refusal::Unfit {
            field: "sha256",
            unfit: Unfit::Form("must be SHA-256 in lower-case hexadecimal"),
        });
    }
}

#[test]
fn what_comes_along_is_bounded_in_number_and_size() {
    let pair = |size: usize| ("x".to_owned(), "y".repeat(size));
    let many = Enclosed {
        headers: vec![pair(1); HEADERS_MAX],
        query: vec![pair(1)],
        ..enclosed()
    };
    let large = Enclosed {
        query: vec![pair(HEADERS_BYTES_MAX)],
        ..enclosed()
    };
    for (enclosed, bytes) in [(many, 2 * (HEADERS_MAX + 1)), (large, HEADERS_BYTES_MAX + 1)] {
        let command = receive(enclosed, Some(Body::of(b"{}")), None);
        given_in_use([]).when(command).refused(Refusal::Unfit {
            field: "enclosed",
            unfit: Unfit::TooLarge {
                bytes,
                max: HEADERS_BYTES_MAX,
            },
        });
    }
    let named = Enclosed {
        receiver_im: Some(long(RECEIVER_IM_CHARS_MAX + 1)),
        ..enclosed()
    };
    let command = receive(named, Some(Body::of(b"{}")), None);
    given_in_use([]).when(command).refused(Refusal::Unfit {
        field: "receiver_im",
        unfit: Unfit::TooLong {
            chars: RECEIVER_IM_CHARS_MAX + 1,
            max: RECEIVER_IM_CHARS_MAX,
        },
    });
}

#[test]
fn nothing_can_be_asked_of_what_never_came() {
    let note = Command::NoteSubscription {
        topic_arn: "arn".to_owned(),
        refused: None,
    };
    for command in [recognise(), Command::ParseAgain {}, Command::DropBody {}, note] {
        given_in_use([]).when(command).refused(Refusal::NotReceived);
    }
}

#[test]
fn a_body_in_the_object_store_has_to_come_along() {
    let stored = received(enclosed(), None, Some(object()));
    given_in_use([stored]).when(recognise()).refused(Refusal::BodyElsewhere);
}

#[test]
fn a_body_that_is_here_is_the_one_that_is_read() {
    let command = Command::Recognise {
        body: Some(Body::of(br#"{"title":"Another"}"#)),
    };
    let events = given_in_use([holding(r#"{"title":"Disk"}"#)]).when(command).events();
    let [Event::AlertsRecognised { alerts, .. }, _] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(alerts.open().unwrap()[0].title, "Disk");
}

#[test]
fn what_is_recognised_is_not_recognised_again_by_itself() {
    given_in_use([holding("{}"), recognised()]).when(recognise()).then([]);
}

#[test]
fn a_delivery_of_a_source_that_is_struck_meanwhile_is_recognised_all_the_same() {
    let struck = source([entered(json!({"name": "Nagios"})), source::Event::SourceStruck {}]);
    let decided = given::<Delivery>([holding(r#"{"title":"Disk"}"#)]).with_facts(struck);
    assert_eq!(decided.when(recognise()).events().len(), 2);
    given::<Delivery>([holding("{}")])
        .when(recognise())
        .refused(Refusal::NoSource);
}

#[test]
fn what_was_parsed_is_parsed_again_when_somebody_asks() {
    let again = Event::DeliveryParsedAgain { round: 1 };
    given_in_use([holding("{}"), recognised()])
        .when(Command::ParseAgain {})
        .then([again.clone()]);
    let events = given_in_use([holding(r#"{"title":"Disk"}"#), recognised(), again])
        .when(recognise())
        .events();
    let rounds: Vec<u32> = events
        .iter()
        .filter_map(|event| match event {
            Event::AlertsRecognised { round, .. } | Event::DeliveryRecognised { round, .. } => Some(*round),
            _ => None,
        })
        .collect();
    assert_eq!(rounds, [1, 1]);
}

#[test]
fn what_is_being_parsed_is_not_parsed_again() {
    given_in_use([holding("{}")])
        .when(Command::ParseAgain {})
        .refused(Refusal::UnderWay);
}

#[test]
fn what_came_of_a_subscription_is_noted_when_it_is_new() {
    let note = |topic_arn: &str, refused: Option<&str>| Command::NoteSubscription {
        topic_arn: topic_arn.to_owned(),
        refused: refused.map(str::to_owned),
    };
    let received = || given_in_use([holding("{}"), recognised()]);
    received().when(note("arn", None)).then([Event::SubscriptionConfirmed {
        topic_arn: "arn".to_owned(),
        confirmed_at: AT,
    }]);
    received()
        .when(note("arn", Some("It is of another source.")))
        .then([Event::SubscriptionRefused {
            topic_arn: "arn".to_owned(),
            because: "It is of another source.".to_owned(),
        }]);
    let refused = Event::SubscriptionRefused {
        topic_arn: "arn".to_owned(),
        because: "It is of another source.".to_owned(),
    };
    let confirmed = Event::SubscriptionConfirmed {
        topic_arn: "arn".to_owned(),
        confirmed_at: AT,
    };
    let known = |events: &[Event]| {
        let past = [holding("{}"), recognised()].into_iter();
        given_in_use(past.chain(events.iter().cloned()))
    };
    let why = Some("It is of another source.");
    // What is known makes no event; what is new does, also when it was so before.
    let confirmed_after = [refused.clone(), confirmed.clone()];
    for (events, refused) in [(&confirmed_after[..1], why), (&confirmed_after[..], None)] {
        known(events).when(note("arn", refused)).then([]);
    }
    known(&confirmed_after).when(note("arn", why)).then([refused.clone()]);
    known(&confirmed_after[..1])
        .when(note("arn", None))
        .then([confirmed.clone()]);
    assert_eq!(known(&[confirmed]).when(note("another arn", None)).events().len(), 1);
    received().when(note("", None)).refused(Refusal::Unfit {
        field: "topic_arn",
        unfit: Unfit::Empty,
    });
    let (chars, max) = (NOTE_CHARS_MAX + 1, NOTE_CHARS_MAX);
    received()
        .when(note("arn", Some(&long(chars))))
        .refused(Refusal::Unfit {
            field: "refused",
            unfit: Unfit::TooLong { chars, max },
        });
}

#[test]
fn a_body_is_dropped_once_and_then_cannot_be_parsed() {
    given_in_use([holding("{}"), recognised()])
        .when(Command::DropBody {})
        .then([dropped()]);
    let gone = || [holding("{}"), recognised(), dropped()];
    given_in_use(gone()).when(Command::DropBody {}).then([]);
    given_in_use(gone())
        .when(Command::ParseAgain {})
        .refused(Refusal::BodyDropped);
    given_in_use([holding("{}"), dropped()])
        .when(recognise())
        .refused(Refusal::BodyDropped);
}

#[test]
fn dropping_a_body_destroys_what_it_was_sealed_with() {
    let stream = Uuid::from_u128(0xd);
    assert_eq!(erased(stream, &dropped()), [Erase::Person(stream)]);
    assert_eq!(erased(stream, &holding("{}")), []);
    let body = received(enclosed(), None, None);
    assert_eq!(domain::Event::sealed_apart(&body, stream), [("body", stream)]);
}

#[test]
fn a_body_whose_key_is_gone_counts_as_dropped() {
    let gone = Event::DeliveryReceived {
        source_id: SOURCE,
        token_id: TOKEN,
        enclosed: enclosed(),
        body: Sealed::Erased,
        object: None,
        sha256: sha256(),
        bytes: 2,
        body_until: samples::received_at(),
        kept_bytes: None,
        is_counted: true,
        is_brief: false,
    };
    given_in_use([gone.clone()])
        .when(recognise())
        .refused(Refusal::BodyDropped);
    // It is counted until its time has come, and then no more.
    given_in_use([gone.clone()])
        .when(Command::DropBody {})
        .then([dropped()]);
    given_in_use([gone, dropped()]).when(Command::DropBody {}).then([]);
}

#[test]
fn bytes_come_back_as_they_came() {
    for bytes in [&b"{\"a\":1}"[..], b"\xff\x00", b"a\0b", b""] {
        let body = Body::of(bytes);
        assert_eq!(body.bytes().as_deref(), Some(bytes));
        assert!(!matches!(&body, Body::Text(text) if text.contains('\0')));
    }
}

#[test]
fn a_body_is_kept_as_long_as_its_tenant_says_when_it_comes_in() {
    let set = state::<Retention>([retention::Event::RetentionSet {
        body_days: 7,
        closed_days: None,
    }]);
    let receive = receive(enclosed(), Some(Body::of(b"{}")), None);
    let facts = in_use().with(Retention::only_stream(TENANT), set);
    let events = given::<Delivery>([])
        .by(SYSTEM)
        .with_facts(facts)
        .when(receive)
        .events();
    let [Event::DeliveryReceived { body_until, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*body_until, samples::received_at() + TimeDelta::days(7));
}
