//! What is recognised in bodies.

use dod_formats::samples::Sample;

use super::*;

fn delivered(sample: &Sample) -> Event {
    let enclosed = Enclosed {
        content_type: sample.content_type.map(str::to_owned),
        headers: sample.headers(),
        query: sample.query(),
        receiver_im: None,
        received_at: samples::received_at(),
    };
    received(enclosed, Some(Body::of(sample.body.as_bytes())), None)
}

#[test]
fn every_sample_is_recognised_as_what_it_is() {
    for sample in samples::all() {
        let events = given_in_use([delivered(&sample)]).when(recognise()).events();
        let mut told = Vec::new();
        for event in &events {
            match event {
                Event::AlertsRecognised {
                    alerts,
                    first,
                    source_id,
                    receiver_im,
                    ..
                } => {
                    assert_eq!((*first as usize, *source_id), (told.len(), SOURCE), "{}", sample.name);
                    assert_eq!(receiver_im.as_deref(), Some("ops"), "{}", sample.name);
                    told.extend(
                        alerts
                            .open()
                            .unwrap()
                            .iter()
                            .map(|alert| (alert.signal, alert.title.clone())),
                    );
                }
                Event::DeliveryRecognised { format, alerts, .. } => {
                    assert_eq!(format, &sample.format.to_string(), "{}", sample.name);
                    assert_eq!(*alerts as usize, sample.expect.len(), "{}", sample.name);
                }
                other => panic!("{}: {other:?}", sample.name),
            }
        }
        let expected: Vec<_> = sample
            .expect
            .iter()
            .map(|alert| (alert.signal, alert.title.to_owned()))
            .collect();
        assert_eq!(told, expected, "{}", sample.name);
    }
}

#[test]
fn the_receiver_that_the_request_names_goes_before_the_one_of_the_source() {
    let named = Enclosed {
        receiver_im: Some("platform".to_owned()),
        ..enclosed()
    };
    let body = Body::of(br#"{"title":"Disk"}"#);
    let events = given_in_use([received(named, Some(body), None)])
        .when(recognise())
        .events();
    let [Event::AlertsRecognised { receiver_im, .. }, _] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(receiver_im.as_deref(), Some("platform"));
}

#[test]
fn many_alerts_are_told_in_several_events_each_of_which_fits() {
    let labels = [("alertname", "DiskFull"), ("severity", "warning")];
    let body = samples::alertmanager(1_000, &labels, "firing", samples::received_at());
    let stored = received(enclosed(), None, Some(object()));
    let events = given_in_use([stored])
        .when(Command::Recognise {
            body: Some(Body::of(body.as_bytes())),
        })
        .events();
    let mut next = 0;
    for event in &events[..events.len() - 1] {
        let Event::AlertsRecognised { first, alerts, .. } = event else {
            panic!("{event:?}");
        };
        let alerts = alerts.open().unwrap();
        assert_eq!(*first, next);
        next += u32::try_from(alerts.len()).unwrap();
        let bytes: usize = alerts
            .iter()
            .map(|alert| serde_json::to_vec(alert).unwrap().len())
            .sum();
        assert!(bytes <= ALERTS_BYTES_MAX, "{bytes}");
    }
    assert_eq!(next, 1_000);
    assert!((4..40).contains(&events.len()), "{}", events.len());
    let Some(Event::DeliveryRecognised { alerts: 1_000, .. }) = events.last() else {
        panic!("{:?}", events.last());
    };
}

#[test]
fn one_alert_that_would_not_fit_is_told_without_its_part_of_the_body() {
    // Quotation marks take twice their room within a text, and that text is within another.
    let body = json!({"title": "Disk", "more": "\"".repeat(30_000)}).to_string();
    let events = given_in_use([received(enclosed(), Some(Body::of(body.as_bytes())), None)])
        .when(recognise())
        .events();
    let Some(Event::AlertsRecognised { alerts, .. }) = events.first() else {
        panic!("{events:?}");
    };
    let bytes = serde_json::to_vec(alerts).unwrap().len();
    assert!(bytes <= ALERTS_BYTES_MAX + 2, "{bytes}");
}

#[test]
fn a_body_that_nobody_can_read_says_why() {
    let events = given_in_use([holding("<html>")]).when(recognise()).events();
    let [Event::DeliveryUnreadable { round: 0, reason, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(reason.starts_with("the body is no JSON"), "{reason}");
}

#[test]
fn json_that_nobody_knows_is_recognised_with_a_note() {
    let events = given_in_use([holding(r#"{"foo":1}"#)]).when(recognise()).events();
    let [
        Event::DeliveryRecognised {
            format,
            alerts: 0,
            notes,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((format.as_str(), notes.len()), ("unmapped", 1));
    assert!(notes.iter().all(|note| note.chars().count() <= NOTE_CHARS_MAX));
}

#[test]
fn the_rules_of_today_hold_when_it_is_parsed_again() {
    let sample = samples::all()
        .into_iter()
        .find(|sample| sample.name.starts_with("mapped"))
        .unwrap();
    let without = source([entered(json!({"name": "Probes"}))]);
    let first = given::<Delivery>([delivered(&sample)])
        .with_facts(without)
        .when(recognise())
        .events();
    let [Event::DeliveryRecognised { alerts: 0, .. }] = &first[..] else {
        panic!("{first:?}");
    };
    let past = [delivered(&sample)]
        .into_iter()
        .chain(first)
        .chain([Event::DeliveryParsedAgain { round: 1 }]);
    let second = given_in_use(past).when(recognise()).events();
    let Some(Event::DeliveryRecognised {
        alerts: 2, round: 1, ..
    }) = second.last()
    else {
        panic!("{second:?}");
    };
}
