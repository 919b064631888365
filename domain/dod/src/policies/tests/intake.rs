//! From a body to what is told of each alert in it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Sealed;
use domain::object::ObjectRef;

use super::*;
use crate::delivery::{Body, Command, Delivery, Enclosed, Event};
use crate::policies::Intake;
use crate::signal::{self, Signal};

fn received(object: Option<ObjectRef>) -> Event {
    Event::DeliveryReceived {
        source_id: SOURCE,
        token_id: SOURCE,
        enclosed: Enclosed {
            received_at: NOON,
            ..Enclosed::default()
        },
        body: Sealed::Open(object.is_none().then(|| Body::of(b"{}"))),
        object,
        sha256: String::new(),
        bytes: 2,
        body_until: NOON + TimeDelta::days(7),
        kept_bytes: Some(2),
        is_counted: true,
        is_brief: false,
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        sha256: String::new(),
        bytes: 2,
        key: None,
    }
}

fn recognised() -> Event {
    Event::DeliveryRecognised {
        round: 0,
        format: "generic".to_owned(),
        alerts: 1,
        notes: Vec::new(),
        recognised_at: NOON,
        body_until: None,
    }
}

fn recognise() -> Reaction {
    send::<Delivery>(STREAM, Command::Recognise { body: None })
}

fn drops() -> Reaction {
    drops_at(NOON + TimeDelta::days(7))
}

fn drops_at(due_at: DateTime<Utc>) -> Reaction {
    Reaction::Wait {
        timer: Uuid::new_v5(&STREAM, b"body"),
        due_at,
        sending: Sending::of::<Delivery>(STREAM, Command::DropBody {}),
    }
}

#[test]
fn a_body_is_recognised_now_and_dropped_when_its_time_has_come() {
    assert_eq!(react::<Delivery>(&Intake, [received(None)]), [recognise(), drops()]);
}

#[test]
fn what_is_recognised_with_a_time_of_its_own_is_dropped_then() {
    let sooner = NOON + TimeDelta::hours(1);
    let Event::DeliveryRecognised {
        round,
        format,
        alerts,
        notes,
        recognised_at,
        ..
    } = recognised()
    else {
        unreachable!("it is recognised");
    };
    let brief = Event::DeliveryRecognised {
        round,
        format,
        alerts,
        notes,
        recognised_at,
        body_until: Some(sooner),
    };
    assert_eq!(
        react::<Delivery>(&Intake, [received(Some(object())), brief]),
        [drops_at(sooner)]
    );
}

#[test]
fn a_body_in_the_object_store_is_recognised_by_whoever_brings_it() {
    assert_eq!(react::<Delivery>(&Intake, [received(Some(object()))]), [drops()]);
    let again = Event::DeliveryParsedAgain { round: 1 };
    assert_eq!(
        react::<Delivery>(&Intake, [received(Some(object())), recognised(), again]),
        []
    );
}

#[test]
fn a_body_that_is_here_is_recognised_again() {
    let again = || Event::DeliveryParsedAgain { round: 1 };
    assert_eq!(
        react::<Delivery>(&Intake, [received(None), recognised(), again()]),
        [recognise()]
    );
    let dropped = [
        received(None),
        recognised(),
        Event::DeliveryBodyDropped { bytes: None },
        again(),
    ];
    assert_eq!(react::<Delivery>(&Intake, dropped), []);
}

#[test]
fn each_alert_is_told_to_its_signal() {
    let other = Observation {
        dedup_key: "cpu".to_owned(),
        ..observation()
    };
    let told = Event::AlertsRecognised {
        round: 0,
        source_id: SOURCE,
        receiver_im: Some("ops".to_owned()),
        first: 0,
        alerts: Sealed::Open(vec![observation(), other.clone()]),
        received_at: NOON,
    };
    let observe = |observation: Observation| {
        let command = signal::Command::Observe {
            source_id: SOURCE,
            delivery_id: STREAM,
            receiver_im: Some("ops".to_owned()),
            observation: Box::new(observation.clone()),
            received_at: NOON,
        };
        send::<Signal>(Signal::stream(SOURCE, &observation.dedup_key), command)
    };
    assert_eq!(
        react::<Delivery>(&Intake, [received(None), told]),
        [observe(observation()), observe(other)]
    );
    let erased = Event::AlertsRecognised {
        round: 0,
        source_id: SOURCE,
        receiver_im: None,
        first: 0,
        alerts: Sealed::Erased,
        received_at: NOON,
    };
    assert_eq!(react::<Delivery>(&Intake, [received(None), erased]), []);
}

#[test]
fn the_rest_leads_to_nothing() {
    let unreadable = Event::DeliveryUnreadable {
        round: 0,
        reason: "It is empty.".to_owned(),
        recognised_at: NOON,
    };
    let confirmed = Event::SubscriptionConfirmed {
        topic_arn: "arn".to_owned(),
        confirmed_at: NOON,
    };
    for event in [
        recognised(),
        unreadable,
        confirmed,
        Event::DeliveryBodyDropped { bytes: None },
    ] {
        assert_eq!(react::<Delivery>(&Intake, [received(None), event]), []);
    }
}
