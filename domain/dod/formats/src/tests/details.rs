use std::collections::BTreeMap;

use super::*;
use crate::observation::{LABELS_BYTES_MAX, LABELS_MAX, RAW_BYTES_MAX, TITLE_CHARS_MAX};
use crate::samples::{alertmanager, day, mapping, noisy, rules};
use crate::{ALERTS_MAX, Format, Mapping, Severity, Signal, Unreadable, pagerduty};

#[test]
fn alerts_beyond_a_thousand_are_counted_in_a_note() {
    let recognised = read(&alertmanager(
        ALERTS_MAX + 7,
        &[("alertname", "A")],
        "firing",
        received_at(),
    ));
    assert_eq!(recognised.observations.len(), ALERTS_MAX);
    assert_eq!(kinds(&recognised), [NoteKind::AlertsCut]);
    assert!(recognised.notes[0].text.starts_with("7 alerts"));
}

#[test]
fn a_repeat_of_a_group_is_the_same_telling_and_its_end_another() {
    let of = |status: &str| {
        read(&alertmanager(1, &[("alertname", "A")], status, received_at()))
            .observations
            .remove(0)
    };
    assert_eq!(of("firing").event_id, of("firing").event_id);
    assert_ne!(of("firing").event_id, of("resolved").event_id);
    assert_eq!(of("firing").dedup_key, of("resolved").dedup_key);
}

#[test]
fn what_sentry_says_of_an_issue_that_was_seen_before_begins_at_no_other_time() {
    let of = |action: &str| {
        let issue = r#"{"id":"7","title":"E","web_url":"https://sentry.example/7","firstSeen":"2026-02-01T11:59:00Z"}"#;
        let body = format!(r#"{{"action":"{action}","actor":{{"type":"user"}},"data":{{"issue":{issue}}}}}"#);
        read(&body).observations.remove(0)
    };
    assert!(of("created").starts_at.is_some());
    for action in ["resolved", "unresolved", "archived"] {
        assert_eq!(of(action).starts_at, None, "{action}");
    }
}

#[test]
fn a_body_without_a_time_of_its_own_tells_anew_each_time_it_is_received() {
    let body = br#"{"title":"Disk is full"}"#;
    let at = |received_at| {
        let delivered = Delivered {
            content_type: None,
            headers: &[],
            query: &[],
            body,
            received_at,
        };
        crate::recognise(&delivered, &Rules::default())
            .unwrap()
            .observations
            .remove(0)
    };
    let (first, next) = (at(received_at()), at(received_at() + chrono::TimeDelta::seconds(1)));
    assert_ne!(first.event_id, next.event_id);
    assert_eq!(first.dedup_key, next.dedup_key);
}

#[test]
fn what_is_told_of_one_alert_twice_in_a_body_is_two_tellings_of_one() {
    let told = |severity: &str| format!(r#"{{"title":"Disk","dedup_key":"disk","severity":"{severity}"}}"#);
    let body = format!("[{},{},{}]", told("low"), told("critical"), told("low"));
    let ids = || -> Vec<String> {
        let recognised = read(&body);
        let keys: Vec<&str> = recognised
            .observations
            .iter()
            .map(|told| told.dedup_key.as_str())
            .collect();
        assert_eq!(keys, [keys[0]; 3]);
        recognised.observations.into_iter().map(|told| told.event_id).collect()
    };
    let first = ids();
    assert!(
        first[0] != first[1] && first[1] != first[2] && first[0] != first[2],
        "{first:?}"
    );
    assert_eq!(first, ids(), "whoever parses it again finds the same");
}

#[test]
fn a_severity_is_presumed_where_none_is_said_that_is_known() {
    let presumed = |severity: &str| {
        let body = format!(r#"{{"title":"Disk","dedup_key":"disk"{severity}}}"#);
        read(&body).observations.remove(0).is_severity_presumed
    };
    assert!(presumed(""));
    assert!(presumed(r#","severity":"SEV-0""#));
    assert!(!presumed(r#","severity":"critical""#));
}

#[test]
fn a_new_priority_of_an_incident_is_told() {
    let event = |kind: &str, priority: &str| {
        let body = format!(
            r#"{{"event":{{"id":"{kind}","event_type":"incident.{kind}","resource_type":"incident","occurred_at":"2026-03-01T12:00:00Z",
                "data":{{"id":"PX","type":"incident","title":"Down","priority":{{"summary":"{priority}"}}}}}}}}"#
        );
        read(&body).observations.remove(0)
    };
    let (before, after) = (event("triggered", "P3"), event("priority_updated", "P1"));
    assert_eq!((after.signal, after.severity), (Signal::Firing, Severity::Critical));
    assert!(before.severity < after.severity);
    assert_eq!(before.dedup_key, after.dedup_key);
}

#[test]
fn two_alarms_of_one_name_are_two_alerts() {
    let alarm = |account: &str, region: &str| {
        let body = format!(
            r#"{{"AlarmName":"cpu","NewStateValue":"ALARM","AWSAccountId":"{account}","Region":"{region}","StateChangeTime":"2026-03-01T11:00:00.000+0000"}}"#
        );
        read(&body).observations.remove(0).dedup_key
    };
    assert_eq!(alarm("1", "eu"), alarm("1", "eu"));
    assert!(alarm("1", "eu") != alarm("2", "eu") && alarm("1", "eu") != alarm("1", "us"));
}

#[test]
fn a_summary_is_told_apart_by_its_details_and_a_title_by_its_labels() {
    let key = |body: &str| read(body).observations.remove(0).dedup_key;
    assert_ne!(
        key(r#"{"summary":"disk","details":"a"}"#),
        key(r#"{"summary":"disk","details":"b"}"#)
    );
    assert_eq!(
        key(r#"{"summary":"disk","details":"a"}"#),
        key(r#"{"summary":"disk","details":"a","action":"close"}"#)
    );
    assert_ne!(
        key(r#"{"title":"disk","labels":{"host":"a"}}"#),
        key(r#"{"title":"disk","labels":{"host":"b"}}"#)
    );
    assert_eq!(
        key(r#"{"title":"disk","description":"97 %"}"#),
        key(r#"{"title":"disk","description":"98 %"}"#)
    );
}

#[test]
fn what_is_cut_says_so() {
    let labels: Vec<String> = (0..200)
        .map(|number| format!("\"l{number}\":\"{}\"", "v".repeat(100)))
        .collect();
    let body = format!(
        r#"{{"title":"{}","description":"{}","labels":{{{}}},"dedup_key":"{}","url":"javascript:alert(1)","starts_at":"yesterday","severity":"dreadful","status":"odd","blob":"{}"}}"#,
        "t".repeat(TITLE_CHARS_MAX + 1),
        "d".repeat(17 << 10),
        labels.join(","),
        "k".repeat(256),
        "b".repeat(RAW_BYTES_MAX),
    );
    let recognised = read(&body);
    let observation = &recognised.observations[0];
    assert_eq!(observation.title.chars().count(), TITLE_CHARS_MAX);
    assert!(observation.dedup_key.starts_with("sha256:") && observation.raw.is_none() && observation.links.is_empty());
    assert!(observation.labels.len() <= LABELS_MAX);
    let bytes: usize = observation
        .labels
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(bytes <= LABELS_BYTES_MAX && bytes > 12_000);
    assert_eq!(
        (observation.signal, observation.severity),
        (Signal::Firing, Severity::Medium)
    );
    assert_eq!(observation.original_severity.as_deref(), Some("dreadful"));
    let mut kinds = kinds(&recognised);
    kinds.sort_by_key(|kind| <&str>::from(*kind));
    let expected = [
        NoteKind::KeyDigested,
        NoteKind::LabelsCut,
        NoteKind::LinkDropped,
        NoteKind::RawDropped,
        NoteKind::SeverityNotKnown,
        NoteKind::StatusNotKnown,
        NoteKind::TextCut,
        NoteKind::TextCut,
        NoteKind::TimeNotUnderstood,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn one_large_label_does_not_take_the_others_with_it() {
    let body = format!(
        r#"{{"title":"t","labels":{{"a":"{}","b":"1"}}}}"#,
        "x".repeat(LABELS_BYTES_MAX + 1)
    );
    let recognised = read(&body);
    assert_eq!(
        recognised.observations[0].labels,
        BTreeMap::from([("b".to_string(), "1".to_string())])
    );
}

#[test]
fn notes_are_as_many_as_are_kept_and_the_last_counts_the_rest() {
    let body = format!("[{}]", vec!["7"; 100].join(","));
    let recognised = read(&body);
    assert_eq!(recognised.notes.len(), crate::note::NOTES_MAX);
    let last = recognised.notes.last().unwrap();
    assert_eq!(last.kind, NoteKind::NotesCut);
    assert!(last.text.starts_with("69 more"), "{}", last.text);
    assert!(recognised.notes[1].to_string().starts_with("Alert 2: "));
}

#[test]
fn texts_that_no_database_keeps_are_mended_in_what_is_told_and_in_the_raw() {
    let recognised = read("{\"title\":\"a\\u0000b\u{202e}c\\ud800\",\"labels\":{\"k\\u0000\":\"v\nw\"}}");
    let observation = &recognised.observations[0];
    assert_eq!(observation.title, "a\u{fffd}bc\u{fffd}");
    assert_eq!(observation.labels["k\u{fffd}"], "v\nw");
    assert_eq!(kinds(&recognised), [NoteKind::TextMended]);
    let raw: serde_json::Value = serde_json::from_str(observation.raw.as_deref().unwrap()).unwrap();
    assert_eq!(raw["labels"]["k\u{fffd}"], "v\nw");
}

#[test]
fn a_number_that_no_database_holds_stays_in_the_delivery() {
    let recognised = read(r#"[{"title":"a","n":1e400},{"title":"b","n":1e999999}]"#);
    assert!(recognised.observations[0].raw.is_some() && recognised.observations[1].raw.is_none());
    assert_eq!(kinds(&recognised), [NoteKind::RawDropped]);
}

#[test]
fn of_equal_members_the_last_counts() {
    let observation = read(r#"{"title":"first","title":"last","dedup_key":"a","dedup_key":null}"#)
        .observations
        .remove(0);
    assert_eq!(observation.title, "last");
    assert_ne!(observation.dedup_key, "a");
}

#[test]
fn levels_within_each_other_have_an_end() {
    let body = format!(r#"{{"title":"t","x":{}1{}}}"#, "[".repeat(64), "]".repeat(64));
    let delivered = Delivered {
        content_type: None,
        headers: &[],
        query: &[],
        body: body.as_bytes(),
        received_at: received_at(),
    };
    assert_eq!(
        crate::recognise(&delivered, &Rules::default()),
        Err(Unreadable::TooDeep { levels_max: 64 })
    );
}

#[test]
fn a_heartbeat_is_quiet_whatever_the_tenants_words_are() {
    let watchdog = sample("alertmanager: the watchdog");
    let words = [("none".to_string(), Severity::Critical)].into();
    let rules = Rules {
        severities: words,
        default_severity: Some(Severity::Critical),
        ..Rules::default()
    };
    let observation = watchdog.recognise(&rules).unwrap().observations.remove(0);
    assert!(observation.is_heartbeat && observation.severity == Severity::Low);
    assert_eq!(observation.original_severity.as_deref(), Some("none"));
    assert!(read(r#"{"title":"alive","severity":"heartbeat"}"#).observations[0].is_heartbeat);
}

#[test]
fn the_tenants_word_and_default_decide_the_severity() {
    let rules = Rules {
        severities: [
            ("page".to_string(), Severity::Critical),
            ("disaster".to_string(), Severity::High),
        ]
        .into(),
        default_severity: Some(Severity::Low),
        ..Rules::default()
    };
    let of = |body: &str| read_by(body, &rules).observations.remove(0).severity;
    assert_eq!(of(r#"{"title":"a","severity":"Page"}"#), Severity::Critical);
    assert_eq!(of(r#"{"title":"a"}"#), Severity::Low);
    assert_eq!(of(r#"{"title":"a","severity":"odd"}"#), Severity::Low);
    assert_eq!(
        sample("zabbix: a problem").recognise(&rules).unwrap().observations[0].severity,
        Severity::High
    );
}

#[test]
fn times_of_opsgenie_are_understood_in_their_units() {
    let created = sample("opsgenie: an alert is created")
        .recognise(&rules())
        .unwrap()
        .observations
        .remove(0);
    assert_eq!(created.starts_at.unwrap().to_rfc3339(), "2026-03-01T11:56:31.104+00:00");
    let closed = sample("opsgenie: the alert is closed")
        .recognise(&rules())
        .unwrap()
        .observations
        .remove(0);
    assert_eq!(closed.ends_at.unwrap().to_rfc3339(), "2026-03-01T11:58:13.166002+00:00");
}

#[test]
fn what_a_sender_did_not_fill_in_is_absent_with_a_note() {
    for name in [
        "datadog: a test with nothing filled in",
        "zabbix: a test with nothing filled in",
    ] {
        let recognised = sample(name).recognise(&rules()).unwrap();
        assert!(
            kinds(&recognised).iter().all(|kind| *kind == NoteKind::NotExpanded),
            "{name}: {:?}",
            recognised.notes
        );
        let observation = &recognised.observations[0];
        assert!(
            observation.labels.values().all(|value| !value.contains(['$', '{'])),
            "{name}: {:?}",
            observation.labels
        );
        assert!(observation.starts_at.is_none() && observation.original_severity.is_none());
    }
}

#[test]
fn a_time_of_zabbix_has_no_zone_and_is_none() {
    let recognised = sample("zabbix: a problem").recognise(&rules()).unwrap();
    assert_eq!(recognised.observations[0].starts_at, None);
    assert_eq!(kinds(&recognised), [NoteKind::TimeWithoutZone]);
}

#[test]
fn an_events_answer_names_the_key_that_the_alert_gets() {
    for name in [
        "pagerduty events: a trigger",
        "pagerduty events: a trigger without a key",
    ] {
        let sample = sample(name);
        let accepted = pagerduty::check(sample.body.as_bytes(), received_at()).unwrap();
        assert_eq!(accepted.routing_key, "0123456789abcdef0123456789abcdef");
        assert_eq!(
            accepted.dedup_key,
            sample.recognise(&rules()).unwrap().observations[0].dedup_key
        );
    }
    let keyless = sample("pagerduty events: a trigger without a key").body.as_bytes();
    let at = |millis| {
        pagerduty::check(keyless, received_at() + chrono::TimeDelta::milliseconds(millis))
            .unwrap()
            .dedup_key
    };
    assert_ne!(at(0), at(1), "without a key each event is a new alert");
}

#[test]
fn an_event_that_is_none_is_told_everything_that_is_wrong() {
    let errors = |body: &str| pagerduty::check(body.as_bytes(), received_at()).unwrap_err();
    assert_eq!(errors("{").len(), 1);
    assert_eq!(errors("[]").len(), 1);
    assert_eq!(
        errors(r#"{"event_action":"trigger","payload":{"severity":"bad"}}"#).len(),
        4
    );
    assert_eq!(errors(r#"{"routing_key":"k","event_action":"resolve"}"#).len(), 1);
    assert_eq!(errors(r#"{"routing_key":"k","event_action":"Explode"}"#).len(), 1);
    let long = format!(
        r#"{{"routing_key":"k","event_action":"resolve","dedup_key":"{}"}}"#,
        "x".repeat(256)
    );
    assert_eq!(errors(&long).len(), 1);
    let change = sample("pagerduty events: a change");
    assert_eq!(
        pagerduty::check_change(change.body.as_bytes()).unwrap(),
        "0123456789abcdef0123456789abcdef"
    );
    assert_eq!(pagerduty::check_change(b"{}").unwrap_err().len(), 2);
    assert_eq!(kinds(&change.recognise(&rules()).unwrap()), [NoteKind::ChangeEvent]);
}

#[test]
fn a_cloud_event_without_what_it_needs_is_refused() {
    let event = sample("cloudevents: one event");
    let broken = event.body.replace("\"id\"", "\"identifier\"");
    let refused = event.recognise_body(broken.as_bytes(), &rules());
    assert_eq!(refused, Err(Unreadable::NotCloudEvent { missing: "id" }));
}

#[test]
fn a_mapping_says_which_of_its_fields_cannot_be_used() {
    assert_eq!(mapping().check(), Ok(()));
    let field = |change: &dyn Fn(&mut Mapping)| {
        let mut mapping = mapping();
        change(&mut mapping);
        mapping.check().unwrap_err().0
    };
    assert_eq!(field(&|mapping| mapping.title = String::new()), "title");
    assert_eq!(field(&|mapping| mapping.each = Some("checks".into())), "each");
    assert_eq!(field(&|mapping| mapping.url = Some("{/a".into())), "url");
    assert_eq!(field(&|mapping| mapping.firing.push(" ".into())), "firing");
    assert_eq!(field(&|mapping| mapping.resolved.push("Red".into())), "resolved");
    assert_eq!(
        field(&|mapping| drop(mapping.labels.insert(String::new(), "/a".into()))),
        "labels"
    );
    assert_eq!(field(&|mapping| mapping.tags = Some("/~".into())), "tags");
    // What no table can keep.
    assert_eq!(field(&|mapping| mapping.title = "a\0b".into()), "title");
    let nul = |mapping: &mut Mapping| drop(mapping.labels.insert("a\0".into(), "/a".into()));
    assert_eq!(field(&nul), "labels");
}

#[test]
fn a_mapping_leaves_out_what_has_no_title_and_says_so() {
    let sample = sample("mapped: a tenant's own monitor");
    let recognised = sample.recognise(&rules()).unwrap();
    assert_eq!(
        recognised
            .notes
            .iter()
            .map(|note| (note.kind, note.alert))
            .collect::<Vec<_>>(),
        [(NoteKind::NotAnAlert, Some(2))]
    );
    assert_eq!(recognised.observations[0].labels["site"], "eu");
    assert_eq!(sample.recognise(&Rules::default()).unwrap().format, Format::Unmapped);
}

#[test]
fn a_day_of_alerts_is_the_same_each_time_and_ends_well() {
    let made = day(received_at(), 40, 3);
    assert_eq!(made, day(received_at(), 40, 3));
    assert_eq!(made.len(), 240);
    let mut last = BTreeMap::new();
    for delivery in &made {
        let observation = read(&delivery.body).observations.remove(0);
        last.insert(observation.dedup_key, observation.signal);
    }
    assert_eq!(last.len(), 40);
    assert!(last.values().all(|signal| *signal == Signal::Resolved));
    assert_eq!(noisy(received_at(), "Flaps", 72).len(), 72);
}
