//! Tellings that are taken in the order in which their sender said them.

use super::*;

/// As told, at this second by the sender's own clock.
fn said(signal: Said, event_id: &str, second: i64, severity: Severity) -> Observation {
    Observation {
        said_at: Some(NOON + TimeDelta::seconds(second)),
        severity,
        ..told(signal, event_id, Some(0))
    }
}

#[test]
fn what_was_said_before_the_latest_says_nothing_of_now() {
    let low = |signal, event_id, second| said(signal, event_id, second, Severity::Low);
    // It began once, and each came in the order of this list.
    let events = happens([
        said(Said::Firing, "1", 1, Severity::High),
        low(Said::Unacknowledged, "5", 5),
        said(Said::Firing, "3", 3, Severity::Critical),
        low(Said::Acknowledged, "4", 4),
        low(Said::Resolved, "2", 2),
    ]);
    assert_eq!(names(&events), ["SignalFired", "SignalRepeated", "SignalRepeated"]);
    assert_eq!(state::<Signal>(events.clone()).current.unwrap().severity, Severity::Low);
    let ends = happens([
        low(Said::Firing, "1", 1),
        low(Said::Resolved, "9", 9),
        low(Said::Firing, "7", 7),
    ]);
    assert_eq!(names(&ends), ["SignalFired", "SignalCleared"]);
    // It came back though it says when it first began.
    let again = happens([
        low(Said::Firing, "1", 1),
        low(Said::Resolved, "2", 2),
        low(Said::Firing, "3", 3),
    ]);
    assert_eq!(names(&again), ["SignalFired", "SignalCleared", "SignalFired"]);
}

#[test]
fn an_acknowledgement_that_comes_before_what_it_is_of_is_not_lost() {
    let of = |signal, event_id, second| said(signal, event_id, second, Severity::High);
    let events = happens([of(Said::Acknowledged, "2", 2), of(Said::Firing, "1", 1)]);
    assert_eq!(names(&events), ["SignalFired", "SignalRepeated"]);
    let Event::SignalFired { observation, .. } = &events[0] else {
        panic!("it fires");
    };
    assert_eq!(observation.signal, Said::Acknowledged);
    // Nor is one taken for it that comes after the end.
    let over = happens([
        of(Said::Firing, "1", 1),
        of(Said::Resolved, "3", 3),
        of(Said::Acknowledged, "2", 2),
    ]);
    assert_eq!(names(&over), ["SignalFired", "SignalCleared"]);
}

#[test]
fn who_acknowledges_with_another_severity_says_that_too() {
    let acknowledged = Observation {
        severity: Severity::Critical,
        ..told(Said::Acknowledged, "2", Some(0))
    };
    let events = happens([told(Said::Firing, "1", Some(0)), acknowledged]);
    assert!(
        matches!(&events[1], Event::SignalRepeated { restated: Some(now), .. } if now.severity == Severity::Critical)
    );
}

proptest! {
    #[test]
    fn of_what_is_said_at_its_times_the_latest_holds(
        tellings in prop::collection::btree_map(0_i64..20, any::<bool>(), 1..12).prop_map(Vec::from_iter).prop_shuffle(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut sent = tellings.clone();
        sent.extend(again.iter().map(|index| *index.get(&tellings)));
        let observations = sent.iter().map(|&(second, is_over)| {
            let signal = if is_over { Said::Resolved } else { Said::Firing };
            said(signal, &second.to_string(), second, Severity::High)
        });
        let signal = state::<Signal>(happens(observations));
        let latest = tellings.iter().max().map(|(_, is_over)| !is_over);
        prop_assert_eq!(Some(signal.current.is_some()), latest, "{:?}", sent);
        let fired = tellings.iter().any(|(_, is_over)| !is_over);
        prop_assert_eq!(signal.episodes > 0, fired, "{:?}", sent);
    }
}
