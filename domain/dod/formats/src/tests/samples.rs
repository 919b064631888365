use std::collections::BTreeSet;

use strum::VariantNames;

use super::*;
use crate::samples::{Expected, rules};
use crate::{Format, NoteKind, kind};

fn found(recognised: &Recognised) -> Vec<Expected> {
    let observations = recognised.observations.iter();
    observations
        .map(|observation| Expected {
            signal: observation.signal,
            severity: observation.severity,
            dedup_key: Some(String::leak(observation.dedup_key.clone())),
            title: String::leak(observation.title.clone()),
            is_heartbeat: observation.is_heartbeat,
        })
        .collect()
}

#[test]
fn every_sample_tells_exactly_its_alerts_with_its_format_found_out() {
    for sample in all() {
        let recognised = sample
            .recognise(&rules())
            .unwrap_or_else(|unreadable| panic!("{}: {unreadable}", sample.name));
        assert_eq!(
            recognised.format, sample.format,
            "{}: {:?}",
            sample.name, recognised.notes
        );
        let mut found = found(&recognised);
        for (one, expected) in found.iter_mut().zip(sample.expect) {
            if expected.dedup_key.is_none() {
                let key = one.dedup_key.take().unwrap_or_default();
                assert!(
                    key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{}: {key}",
                    sample.name
                );
            }
        }
        assert_eq!(found, sample.expect, "{}: {:?}", sample.name, recognised.notes);
        assert_eq!(
            recognised.subscription.is_some(),
            sample.is_subscription,
            "{}",
            sample.name
        );
    }
}

#[test]
fn a_fixed_format_finds_what_detection_finds() {
    for sample in all() {
        let detected = sample.recognise(&rules()).unwrap();
        let fixed = sample
            .recognise(&Rules {
                format: Some(sample.format),
                ..rules()
            })
            .unwrap();
        assert_eq!(fixed, detected, "{}", sample.name);
    }
}

#[test]
fn every_format_has_a_sample() {
    let formats: BTreeSet<&str> = all().iter().map(|sample| sample.format.into()).collect();
    assert_eq!(formats, Format::VARIANTS.iter().copied().collect::<BTreeSet<_>>());
}

#[test]
fn a_sample_without_alerts_says_why() {
    for sample in all() {
        let recognised = sample.recognise(&rules()).unwrap();
        let is_told = !recognised.observations.is_empty() || recognised.subscription.is_some();
        assert!(is_told || !recognised.notes.is_empty(), "{}", sample.name);
        assert!(kind(sample.content_type).is_ok(), "{}", sample.name);
    }
}

#[test]
fn events_and_keys_are_the_same_when_a_body_comes_again_and_events_of_a_body_differ() {
    for sample in all() {
        let (first, again) = (sample.recognise(&rules()).unwrap(), sample.recognise(&rules()).unwrap());
        assert_eq!(first, again, "{}", sample.name);
        let events: BTreeSet<_> = first
            .observations
            .iter()
            .map(|observation| &observation.event_id)
            .collect();
        assert_eq!(events.len(), first.observations.len(), "{}", sample.name);
    }
}

#[test]
fn a_raw_text_is_the_bodys_own_numbers_and_all() {
    for sample in all() {
        let recognised = sample.recognise(&rules()).unwrap();
        for observation in &recognised.observations {
            let Some(raw) = &observation.raw else {
                panic!("{}: no raw", sample.name)
            };
            let value: serde_json::Value = match serde_json::from_str(raw) {
                Ok(value) => value,
                // The one thing that a reader of floats refuses.
                Err(_) if raw.contains("1e400") => continue,
                Err(error) => panic!("{}: {error}: {raw}", sample.name),
            };
            assert!(value.is_object(), "{}", sample.name);
            let is_cut_from_it = sample.body.contains(raw.as_str())
                || sample
                    .body
                    .replace("\\\"", "\"")
                    .replace("\\\\", "\\")
                    .contains(raw.as_str());
            let is_rebuilt = raw.contains("event_action")
                || sample.name.contains("form")
                || sample.name.contains("query")
                || sample.name.contains("headers");
            assert!(is_cut_from_it || is_rebuilt, "{}: {raw}", sample.name);
        }
    }
    let raws: String = ["pagerduty events: a trigger", "generic: one alert", "sns: an alarm"]
        .map(|name| {
            sample(name).recognise(&rules()).unwrap().observations[0]
                .raw
                .clone()
                .unwrap()
        })
        .concat();
    for number in ["9007199254740993", "1.10", "1e400", "[9007199254740993.0]"] {
        assert!(raws.contains(number), "{number}");
    }
}

#[test]
fn a_routing_key_ends_where_it_is_read() {
    for sample in all()
        .into_iter()
        .filter(|sample| sample.format == Format::PagerdutyEvents)
    {
        let recognised = sample.recognise(&rules()).unwrap();
        let told = format!("{recognised:?}");
        assert!(sample.body.contains("0123456789abcdef0123456789abcdef"));
        assert!(!told.contains("0123456789abcdef0123456789abcdef"), "{}", sample.name);
    }
}

#[test]
fn a_body_of_another_format_than_the_sources_is_read_as_what_it_is_with_a_note() {
    let alertmanager = sample("alertmanager: a group that fires and clears");
    let rules = Rules {
        format: Some(Format::Sentry),
        ..rules()
    };
    let recognised = alertmanager.recognise(&rules).unwrap();
    assert_eq!(
        (recognised.format, recognised.observations.len()),
        (Format::Alertmanager, 2)
    );
    assert!(kinds(&recognised).contains(&NoteKind::AnotherFormat));
}

#[test]
fn what_is_stored_is_read_back() {
    for sample in all() {
        for observation in sample.recognise(&rules()).unwrap().observations {
            let stored = serde_json::to_string(&observation).unwrap();
            assert_eq!(
                serde_json::from_str::<crate::Observation>(&stored).unwrap(),
                observation
            );
        }
    }
    let rules = rules();
    assert_eq!(
        serde_json::from_str::<Rules>(&serde_json::to_string(&rules).unwrap()).unwrap(),
        rules
    );
    assert_eq!(serde_json::from_str::<Rules>("{}").unwrap(), Rules::default());
    assert!(serde_json::from_str::<Rules>(r#"{"formats":[]}"#).is_err());
}
