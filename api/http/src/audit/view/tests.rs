use super::*;
use crate::sample;
use domain::{Decider as _, Metadata};
use serde_json::json;

fn recorded() -> Recorded<String> {
    let person = Uuid::from_u128(1);
    let sealed = [("email".to_owned(), person)].into();
    Recorded {
        position: 1,
        event_id: Uuid::nil(),
        tenant_id: Uuid::nil(),
        aggregate_type: "identity.user".to_owned(),
        stream: person,
        sequence: 1,
        event_type: "UserRegistered".to_owned(),
        event_version: "1".to_owned(),
        metadata: Metadata {
            sealed,
            ip: Some("10.0.0.1".to_owned()),
            ..Metadata::default()
        },
        at: Utc::now(),
        recorded_at: Utc::now(),
        event: r#"{"email":"ada@example.com","oauth_provider":null}"#.to_owned(),
    }
}

fn sight(personal: bool) -> Sight {
    Sight {
        personal,
        hidden: hidden(sample::contexts().decisions(), |_| personal),
        contexts: sample::contexts().decisions().clone(),
    }
}

#[test]
fn whoever_may_not_read_personal_data_sees_that_it_is_sealed() {
    let seen = shown(recorded(), &sight(false));
    assert_eq!(seen.payload.value()["email"], Value::Null);
    assert_eq!((seen.sealed, seen.ip), (vec!["email".to_owned()], None));
}

#[test]
fn an_address_is_for_those_who_may_read_personal_data() {
    let event = json!({"from_address": "192.0.2.7", "purpose": "tea"});
    let began = Recorded {
        aggregate_type: sample::Visit::TYPE.to_owned(),
        event_type: "VisitBegan".to_owned(),
        event: event.to_string(),
        metadata: Metadata::default(),
        ..recorded()
    };
    let seen = |personal| shown(began.clone(), &sight(personal)).payload.value().clone();
    assert_eq!(seen(true), event);
    assert_eq!(seen(false), json!({"from_address": null, "purpose": "tea"}));
}

#[test]
fn whoever_may_read_personal_data_sees_it() {
    assert_eq!(
        shown(recorded(), &sight(true)).payload.value()["email"],
        "ada@example.com"
    );
}
