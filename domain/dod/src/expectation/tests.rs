use std::collections::BTreeMap;

use super::*;
use crate::conditions::{Field, Op};
use crate::source;
use domain::Facts;
use rehearsal::given::{Given, TENANT, drawn, given, long, state};
use serde_json::json;

const EXPECTED: Uuid = Uuid::from_u128(0xe1);
const SOURCE: Uuid = Uuid::from_u128(0x50);

fn expectations(events: impl IntoIterator<Item = Event>) -> Given<Expectations> {
    let settings = serde_json::from_value(json!({"name": "Prometheus"})).unwrap();
    let source = state::<Source>([source::Event::SourceEntered(settings)]);
    given::<Expectations>(events)
        .on(Expectations::only_stream(TENANT))
        .with_facts(Facts::default().with(SOURCE, source))
}

fn expectation(every_minutes: i32) -> Expectation {
    Expectation {
        name: "Backup".to_owned(),
        source_id: SOURCE,
        when: vec![Condition::new(Field::AlertType, Op::Equal, "BackupDone")],
        every_minutes,
        grace_minutes: 5,
        severity: Severity::High,
        receiver_im: None,
    }
}

fn expect(expectation_id: impl Into<Option<Uuid>>, expectation: Expectation) -> Command {
    Command::Expect {
        expectation_id: expectation_id.into(),
        expectation: Box::new(expectation),
    }
}

fn set(expectation_id: Uuid, expectation: Expectation) -> Event {
    Event::ExpectationSet {
        expectation_id,
        expectation: Box::new(expectation),
    }
}

#[test]
fn an_expectation_gets_an_id_and_is_replaced_and_dropped_by_it() {
    let before = || set(EXPECTED, expectation(60));
    expectations([])
        .when(expect(None, expectation(60)))
        .then([set(drawn(0), expectation(60))]);
    expectations([])
        .when(expect(EXPECTED, expectation(60)))
        .refused(Refusal::NoSuchExpectation);
    expectations([before()])
        .when(expect(EXPECTED, expectation(60)))
        .then([]);
    expectations([before()])
        .when(expect(EXPECTED, expectation(30)))
        .then([set(EXPECTED, expectation(30))]);
    let drop = || Command::Drop {
        expectation_id: EXPECTED,
    };
    let dropped = || Event::ExpectationDropped {
        expectation_id: EXPECTED,
    };
    expectations([before()]).when(drop()).then([dropped()]);
    expectations([before(), dropped()])
        .when(drop())
        .refused(Refusal::NoSuchExpectation);
}

#[test]
fn what_is_left_out_is_usual() {
    let command: Command = serde_json::from_value(json!({"expect": {
        "expectation": {"name": "Prometheus", "source_id": SOURCE, "every_minutes": 5},
    }}))
    .unwrap();
    let Command::Expect { expectation, .. } = command else {
        panic!("it expects");
    };
    assert_eq!((expectation.grace_minutes, expectation.severity), (5, Severity::High));
}

#[test]
fn an_expectation_is_of_a_source_in_use_and_within_its_bounds() {
    let refused = |expectation: Expectation| expectations([]).when(expect(None, expectation)).outcome().unwrap_err();
    let nobody = Expectation {
        source_id: EXPECTED,
        ..expectation(60)
    };
    assert_eq!(refused(nobody), Refusal::NoSource);
    for every_minutes in [0, EVERY_MINUTES_MAX + 1] {
        let field = refused(expectation(every_minutes)).field();
        assert_eq!(field.as_deref(), Some("expectation.every_minutes"));
    }
    for grace_minutes in [0, GRACE_MINUTES_MAX + 1] {
        let refusal = refused(Expectation {
            grace_minutes,
            ..expectation(60)
        });
        assert_eq!(refusal.field().as_deref(), Some("expectation.grace_minutes"));
    }
    let long_name = Expectation {
        name: long(NAME_CHARS_MAX + 1),
        ..expectation(60)
    };
    assert_eq!(refused(long_name).field().as_deref(), Some("expectation.name"));
    let bad = Expectation {
        when: vec![Condition::new(Field::Title, Op::Matches, "(")],
        ..expectation(60)
    };
    assert!(matches!(refused(bad), Refusal::Condition { .. }));
}

#[test]
fn a_tenant_has_a_hundred_at_most() {
    let full = (0..100).map(|n| set(Uuid::from_u128(0x1000 + n), expectation(60)));
    expectations(full)
        .when(expect(None, expectation(60)))
        .refused(Refusal::TooManyExpectations);
}

#[test]
fn an_expectation_is_met_by_what_its_conditions_name_or_by_anything() {
    let labels = BTreeMap::new();
    let subject = |alert_type| Subject {
        source: "Prometheus",
        source_id: SOURCE,
        alert_type,
        severity: Severity::Low,
        title: "Done",
        description: None,
        labels: &labels,
    };
    let named = expectation(60);
    assert!(named.is_met(&[subject("Other"), subject("BackupDone")]));
    assert!(!named.is_met(&[subject("Other")]));
    assert!(!named.is_met(&[]));
    let any = Expectation {
        when: Vec::new(),
        ..named
    };
    assert!(any.is_met(&[]));
}

#[test]
fn another_stream_is_refused() {
    let id = Expectations::only_stream(TENANT);
    given::<Expectations>([])
        .when(Command::Drop {
            expectation_id: EXPECTED,
        })
        .refused(Refusal::OnePerTenant { id });
}
