use super::*;
use domain::SYSTEM;
use rehearsal::given::{STREAM, given, long};

const ORDER: Uuid = Uuid::from_u128(0x10);

fn note() -> Text {
    Text {
        aggregate_type: "shop.order".to_owned(),
        stream: ORDER,
        sequence: 3,
        field: "note".to_owned(),
    }
}

fn redacted() -> Event {
    Event::TextRedacted {
        aggregate_type: "shop.order".to_owned(),
        stream: ORDER,
        sequence: 3,
        field: "note".to_owned(),
    }
}

#[test]
fn a_text_is_struck_for_a_reason() {
    let of = || given::<Redaction>([]).on(note().id());
    of().because("it names a customer")
        .when(Command::Redact(note()))
        .then([redacted()]);
    of().when(Command::Redact(note())).refused(Refusal::ReasonMissing);
    of().because("  ")
        .when(Command::Redact(note()))
        .refused(Refusal::ReasonMissing);
}

#[test]
fn a_text_that_is_struck_is_struck_once() {
    given::<Redaction>([redacted()])
        .on(note().id())
        .because("again")
        .when(Command::Redact(note()))
        .then([]);
}

#[test]
fn the_stream_is_that_of_the_text_whoever_asks() {
    for by in [Uuid::from_u128(0xb), SYSTEM] {
        given::<Redaction>([])
            .on(STREAM)
            .by(by)
            .because("it names a customer")
            .when(Command::Redact(note()))
            .refused(Refusal::OtherText { id: note().id() });
    }
    assert_eq!(Redaction::stream_of(ORDER, &Command::Redact(note())), Some(note().id()));
}

#[test]
fn the_key_that_goes_is_that_of_the_text() {
    assert_eq!(Redaction::erases(note().id(), &redacted()), [Erase::Key(note().id())]);
    let event_id = event::event_id("shop.order", ORDER, 3);
    assert_eq!(note().id(), event::text_id(event_id, "note"));
}

#[test]
fn a_text_is_named_within_limits() {
    let refused = |text: Text, field: &'static str| {
        let outcome = given::<Redaction>([])
            .on(text.id())
            .because("so")
            .when(Command::Redact(text))
            .outcome();
        let is_it = matches!(outcome, Err(Refusal::Unfit { field: at, .. }) if at == field);
        assert!(is_it, "{field}: {outcome:?}");
    };
    let name = String::new;
    refused(
        Text {
            aggregate_type: name(),
            ..note()
        },
        "aggregate_type",
    );
    refused(
        Text {
            field: name(),
            ..note()
        },
        "field",
    );
    refused(
        Text {
            field: long(NAME_CHARS_MAX + 1),
            ..note()
        },
        "field",
    );
    refused(Text { sequence: 0, ..note() }, "sequence");
}
