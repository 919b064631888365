//! Bodies that come while their tenant's take all the room that they may.

use super::*;

fn brief(object: Option<ObjectRef>, body: Option<Body>) -> Command {
    Command::Receive {
        source_id: SOURCE,
        token_id: TOKEN,
        enclosed: enclosed(),
        body,
        object,
        sha256: sha256(),
        bytes: 2,
        is_brief: true,
    }
}

fn received_briefly() -> Event {
    Event::DeliveryReceived {
        source_id: SOURCE,
        token_id: TOKEN,
        enclosed: enclosed(),
        body: Sealed::Open(None),
        object: Some(object()),
        sha256: sha256(),
        bytes: 2,
        body_until: samples::received_at() + TimeDelta::days(90),
        kept_bytes: Some(2 + enclosed().bytes() as u64),
        is_counted: true,
        is_brief: true,
    }
}

/// What is recognised in a body that was received so.
fn recognised_in(receipt: Event, body: &str) -> Vec<Event> {
    let recognise = Command::Recognise {
        body: Some(Body::of(body.as_bytes())),
    };
    given_in_use([receipt]).when(recognise).events()
}

#[test]
fn the_book_itself_keeps_nothing_of_such_a_body() {
    given_in_use([])
        .when(brief(Some(object()), None))
        .then([received_briefly()]);
    for (object, body) in [(None, Some(Body::of(b"{}"))), (Some(object()), Some(Body::of(b"{}")))] {
        given_in_use([]).when(brief(object, body)).refused(Refusal::Body);
    }
}

#[test]
fn its_alerts_show_no_part_of_it_and_a_note_says_why() {
    let body = r#"{"title":"Disk","severity":"high"}"#;
    let events = recognised_in(received_briefly(), body);
    let [
        Event::AlertsRecognised { alerts, .. },
        Event::DeliveryRecognised { notes, body_until, .. },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    let alerts = alerts.open().unwrap();
    assert_eq!((&*alerts[0].title, &alerts[0].raw), ("Disk", &None));
    assert!(notes[0].contains("took all the room"), "{notes:?}");
    assert!(notes[0].contains("60 minutes"), "{notes:?}");
    let kept = body_until.unwrap() - AT;
    assert_eq!(kept, TimeDelta::minutes(BRIEF_BODY_MINUTES));

    // Any other body says so of nothing.
    let usual = received(enclosed(), None, Some(object()));
    let events = recognised_in(usual, body);
    let [
        Event::AlertsRecognised { alerts, .. },
        Event::DeliveryRecognised { notes, body_until, .. },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert!(alerts.open().unwrap()[0].raw.is_some());
    assert_eq!((notes.len(), body_until), (0, &None));
}

#[test]
fn what_nobody_understands_stays_as_long_as_any_other() {
    let events = recognised_in(received_briefly(), r#"{"pump": 7}"#);
    let Some(Event::DeliveryRecognised {
        format,
        body_until,
        notes,
        ..
    }) = events.last()
    else {
        panic!("{events:?}");
    };
    assert_eq!((&**format, body_until), ("unmapped", &None));
    assert!(notes[0].contains("until it is understood"), "{notes:?}");
    let events = recognised_in(received_briefly(), "<html>");
    assert!(matches!(&events[..], [Event::DeliveryUnreadable { .. }]), "{events:?}");
}

#[test]
fn a_body_of_before_bodies_were_counted_is_dropped_without_a_count() {
    let Event::DeliveryReceived {
        source_id,
        token_id,
        enclosed,
        body,
        object,
        sha256,
        bytes,
        body_until,
        ..
    } = holding("{}")
    else {
        unreachable!("it was received");
    };
    let former = Event::DeliveryReceived {
        source_id,
        token_id,
        enclosed,
        body,
        object,
        sha256,
        bytes,
        body_until,
        kept_bytes: None,
        is_counted: false,
        is_brief: false,
    };
    given_in_use([former.clone()])
        .when(Command::DropBody {})
        .then([Event::DeliveryBodyDropped { bytes: None }]);
    given_in_use([former, Event::DeliveryBodyDropped { bytes: None }])
        .when(Command::DropBody {})
        .then([]);
}

#[test]
fn what_was_not_known_then_is_not_stored_now() {
    for (event, absent) in [
        (holding("{}"), "is_brief"),
        (recognised(), "body_until"),
        (Event::DeliveryBodyDropped { bytes: None }, "bytes"),
    ] {
        let stored = serde_json::to_string(&event).unwrap();
        assert!(!stored.contains(absent), "{stored}");
    }
}
