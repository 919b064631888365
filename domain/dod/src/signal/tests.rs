//! What is told of one thing, in any order and any number of times.

mod ends;
mod order;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::{Observation, Severity};
use domain::Facts;
use proptest::prelude::*;
use rehearsal::given::{given, state};
use std::collections::BTreeMap;

use super::*;
use crate::source::{self, Source};

const SOURCE: Uuid = Uuid::from_u128(0x50);
/// 2026-01-05T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_614_400_000_000_000);

fn stream() -> Uuid {
    Signal::stream(SOURCE, "disk")
}

fn told(signal: Said, event_id: &str, starts_at: Option<i64>) -> Observation {
    Observation {
        event_id: event_id.to_owned(),
        dedup_key: "disk".to_owned(),
        signal,
        severity: Severity::High,
        original_severity: Some("page".to_owned()),
        is_severity_presumed: false,
        alert_type: "DiskFull".to_owned(),
        title: "Disk is full".to_owned(),
        description: None,
        labels: BTreeMap::new(),
        starts_at: starts_at.map(|minutes| NOON + TimeDelta::minutes(minutes)),
        ends_at: None,
        said_at: None,
        links: Vec::new(),
        is_heartbeat: false,
        raw: Some("{}".to_owned()),
    }
}

fn observe(observation: Observation, minutes: i64) -> Command {
    Command::Observe {
        source_id: SOURCE,
        delivery_id: Uuid::from_u128(0xd),
        receiver_im: None,
        observation: Box::new(observation),
        received_at: NOON + TimeDelta::minutes(minutes),
    }
}

fn facts() -> Facts {
    source_with(serde_json::json!({ "name": "Prometheus" }))
}

fn source_with(settings: serde_json::Value) -> Facts {
    let settings = serde_json::from_value(settings);
    let entered = source::Event::SourceEntered(settings.unwrap());
    Facts::default().with(SOURCE, state::<Source>([entered]))
}

/// What happens when these are told one after the other, a minute apart.
fn happens(tellings: impl IntoIterator<Item = Observation>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (minute, observation) in (0_i64..).zip(tellings) {
        let decided = given::<Signal>(events.clone())
            .on(stream())
            .with_facts(facts())
            .at(NOON + TimeDelta::minutes(minute))
            .when(observe(observation, minute));
        events.extend(decided.events());
    }
    events
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Into::into).collect()
}

#[test]
fn what_fires_is_an_alert_until_it_is_over_and_then_another_one() {
    let events = happens([
        told(Said::Firing, "1", Some(0)),
        told(Said::Firing, "2", Some(0)),
        told(Said::Resolved, "3", Some(0)),
        told(Said::Firing, "4", Some(3)),
    ]);
    assert_eq!(
        names(&events),
        ["SignalFired", "SignalRepeated", "SignalCleared", "SignalFired"]
    );
    let alerts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::SignalFired { alert_id, episode, .. } => Some((*alert_id, *episode)),
            _ => None,
        })
        .collect();
    assert_eq!(
        alerts,
        [(Signal::alert_id(stream(), 1), 1), (Signal::alert_id(stream(), 2), 2)]
    );
}

#[test]
fn a_repeat_of_a_telling_changes_nothing() {
    let events = happens([
        told(Said::Firing, "1", Some(0)),
        told(Said::Firing, "1", Some(0)),
        told(Said::Resolved, "2", Some(0)),
        told(Said::Resolved, "2", Some(0)),
        told(Said::Firing, "1", Some(0)),
    ]);
    assert_eq!(names(&events), ["SignalFired", "SignalCleared"]);
}

#[test]
fn no_data_counts_as_firing_and_an_acknowledgement_opens_nothing() {
    assert_eq!(names(&happens([told(Said::NoData, "1", None)])), ["SignalFired"]);
    assert_eq!(happens([told(Said::Acknowledged, "1", None)]), []);
}

/// What is said of how bad it is, by the repeats among these.
fn restated(events: &[Event]) -> Vec<Option<(Severity, String)>> {
    let repeats = events.iter().filter_map(|event| match event {
        Event::SignalRepeated { restated, .. } => Some(restated),
        _ => None,
    });
    let said = |now: &Option<Box<Restated>>| now.as_ref().map(|now| (now.severity, now.title.clone()));
    repeats.map(said).collect()
}

#[test]
fn another_severity_is_said_once_with_what_comes_with_it() {
    let at = |severity, event_id: &str, title: &str| Observation {
        severity,
        title: title.to_owned(),
        ..told(Said::Firing, event_id, Some(0))
    };
    let events = happens([
        at(Severity::High, "1", "Disk is full"),
        at(Severity::High, "2", "Disk is full, 91 %"),
        at(Severity::Critical, "3", "Disk is full, 99 %"),
        at(Severity::Critical, "4", "Disk is full, 99 %"),
        at(Severity::Low, "5", "Disk is filling"),
    ]);
    let expected = [
        None,
        Some((Severity::Critical, "Disk is full, 99 %".to_owned())),
        None,
        Some((Severity::Low, "Disk is filling".to_owned())),
    ];
    assert_eq!(restated(&events), expected);
}

#[test]
fn a_severity_that_nobody_said_changes_nothing() {
    let presumed = Observation {
        severity: Severity::Low,
        is_severity_presumed: true,
        ..told(Said::Firing, "2", Some(0))
    };
    assert_eq!(restated(&happens([told(Said::Firing, "1", Some(0)), presumed])), [None]);
}

#[test]
fn another_severity_of_an_acknowledgement_or_of_what_came_in_before_says_nothing() {
    let low = |signal, event_id: &str, began| Observation {
        severity: Severity::Low,
        ..told(signal, event_id, began)
    };
    let events = happens([
        told(Said::Firing, "1", Some(5)),
        low(Said::Acknowledged, "2", None),
        low(Said::Firing, "3", Some(4)),
    ]);
    assert_eq!(restated(&events), [None, None]);
    // Its body came in before one that was heard of earlier.
    let events = happens([told(Said::Firing, "1", None), told(Said::Firing, "2", None)]);
    assert_eq!(restated(&then(&events, low(Said::Firing, "3", None), 0)), [None]);
    let later = restated(&then(&events, low(Said::Firing, "3", None), 2));
    assert_eq!(later, [Some((Severity::Low, "Disk is full".to_owned()))]);
}

#[test]
fn the_third_time_within_an_hour_it_flaps() {
    let mut tellings = Vec::new();
    for n in 0..3 {
        tellings.push(told(Said::Firing, &format!("f{n}"), Some(10 * n)));
        tellings.push(told(Said::Resolved, &format!("r{n}"), Some(10 * n)));
    }
    let flapping: Vec<bool> = happens(tellings).iter().filter_map(flaps).collect();
    assert_eq!(flapping, [false, false, true]);
}

fn flaps(event: &Event) -> Option<bool> {
    match event {
        Event::SignalFired { is_flapping, .. } => Some(*is_flapping),
        _ => None,
    }
}

#[test]
fn what_is_told_under_another_key_is_refused() {
    let refused = given::<Signal>([])
        .with_facts(facts())
        .when(observe(told(Said::Firing, "1", None), 0));
    refused.refused(Refusal::OtherKey);
}

#[test]
fn a_signal_of_no_source_is_refused() {
    let refused = given::<Signal>([])
        .on(stream())
        .when(observe(told(Said::Firing, "1", None), 0));
    refused.refused(Refusal::NoSource);
}

/// A person has closed the first alert so many minutes after noon.
fn closed(minutes: i64) -> Event {
    Event::SignalReleased {
        alert_id: Signal::alert_id(stream(), 1),
        closed_at: NOON + TimeDelta::minutes(minutes),
    }
}

/// What happens when this comes so many minutes after noon, after those.
fn then(events: &[Event], observation: Observation, minutes: i64) -> Vec<Event> {
    let decided = given::<Signal>(events.to_vec()).on(stream()).with_facts(facts());
    let at = NOON + TimeDelta::minutes(minutes);
    decided.at(at).when(observe(observation, minutes)).events()
}

#[test]
fn an_alert_that_a_person_has_closed_is_let_go_once() {
    let mut events = happens([told(Said::Firing, "1", Some(0))]);
    let release = || Command::Release {
        alert_id: Signal::alert_id(stream(), 1),
        closed_at: NOON + TimeDelta::minutes(2),
    };
    let asked = |events: &[Event]| given::<Signal>(events.to_vec()).on(stream()).when(release()).events();
    assert_eq!(asked(&events), [closed(2)]);
    events.push(closed(2));
    assert_eq!(asked(&events), []);
}

#[test]
fn what_goes_on_after_a_person_closed_it_is_another_alert_once_the_sender_says_so_again() {
    for began in [Some(0), None] {
        let events = [happens([told(Said::Firing, "1", began)]), vec![closed(10)]].concat();
        let fires = |event_id: &str, minutes| names(&then(&events, told(Said::Firing, event_id, began), minutes));
        // What says something new counts at once, unless it came before the person had spoken.
        assert_eq!(fires("2", 9), [""; 0]);
        assert_eq!(fires("2", 10), ["SignalFired"]);
        // A repeat may be that of the other of a pair, or of a sender that has not noticed yet.
        assert_eq!(fires("1", 9), [""; 0]);
        assert_eq!(fires("1", 14), [""; 0]);
        assert_eq!(fires("1", 15), ["SignalFired"]);
        let acknowledged = told(Said::Acknowledged, "3", began);
        assert_eq!(then(&events, acknowledged, 60), []);
    }
}

#[test]
fn what_goes_on_after_a_person_closed_it_opens_one_alert_however_often_a_pair_of_senders_says_so() {
    let mut events = [happens([told(Said::Firing, "1", Some(0))]), vec![closed(10)]].concat();
    for minutes in [11, 11, 15, 15, 16, 16] {
        let happened = then(&events, told(Said::Firing, "1", Some(0)), minutes);
        events.extend(happened);
    }
    assert_eq!(names(&events), ["SignalFired", "SignalReleased", "SignalFired"]);
}

#[test]
fn what_began_before_what_a_person_closed_opens_another_alert_only_if_it_goes_on() {
    let events = [happens([told(Said::Firing, "2", Some(5))]), vec![closed(10)]].concat();
    let late = |minutes| names(&then(&events, told(Said::Firing, "1", Some(0)), minutes));
    assert_eq!(late(11), [""; 0]);
    assert_eq!(late(15), ["SignalFired"]);
    // What began since is another matter.
    assert_eq!(
        names(&then(&events, told(Said::Firing, "3", Some(10)), 11)),
        ["SignalFired"]
    );
}

#[test]
fn what_a_person_closed_and_its_sender_has_ended_does_not_come_back_by_a_late_repeat() {
    for began in [Some(0), None] {
        let mut events = [happens([told(Said::Firing, "1", began)]), vec![closed(10)]].concat();
        // An end that came before the person closed it is of what was before, when it says no beginning.
        if began.is_none() {
            assert_eq!(then(&events, told(Said::Resolved, "0", None), 9), []);
        }
        let over = then(&events, told(Said::Resolved, "2", began), 11);
        assert_eq!(names(&over), ["SignalClearedUnseen"]);
        events.extend(over);
        assert_eq!(then(&events, told(Said::Firing, "1", began), 60), []);
        // Without a beginning, what came in before may still be heard of.
        let again = then(&events, told(Said::Resolved, "3", began), 60);
        assert_eq!(names(&again), began.map_or(vec!["SignalClearedUnseen"], |_| Vec::new()));
        let next = told(Said::Firing, "4", began.map(|_| 30));
        assert_eq!(names(&then(&events, next, 60)), ["SignalFired"]);
    }
}

#[test]
fn what_goes_on_though_a_person_closes_it_again_and_again_does_not_flap() {
    let mut events = happens([told(Said::Firing, "1", Some(0))]);
    for minutes in [10, 20, 30] {
        let alert_id = state::<Signal>(events.clone()).current.unwrap().alert_id;
        events.push(Event::SignalReleased {
            alert_id,
            closed_at: NOON + TimeDelta::minutes(minutes),
        });
        events.extend(then(&events, told(Said::Firing, "1", Some(0)), minutes + 6));
    }
    let flapping: Vec<bool> = events.iter().filter_map(flaps).collect();
    assert_eq!(flapping, [false; 4]);
}

#[test]
fn a_repeat_tells_that_it_goes_on_where_alerts_end_of_which_nothing_is_heard() {
    let mut events = happens([told(Said::Firing, "1", Some(0))]);
    let observed = |events: &[Event], minutes| {
        let source = source_with(serde_json::json!({ "name": "Prometheus", "auto_resolve_minutes": 60 }));
        let decided = given::<Signal>(events.to_vec()).on(stream()).with_facts(source);
        decided
            .when(observe(told(Said::Firing, "1", Some(0)), minutes))
            .events()
    };
    assert_eq!(observed(&events, 0), []);
    let repeated = observed(&events, 50);
    assert_eq!(names(&repeated), ["SignalRepeated"]);
    events.extend(repeated);

    let alert_id = Signal::alert_id(stream(), 1);
    let expired = |minutes| {
        let source = source_with(serde_json::json!({ "name": "Prometheus", "auto_resolve_minutes": 60 }));
        let decided = given::<Signal>(events.clone()).on(stream()).with_facts(source);
        let at = NOON + TimeDelta::minutes(minutes);
        let expire = Command::Expire {
            alert_id,
            source_id: SOURCE,
        };
        names(&decided.at(at).when(expire).events())
    };
    assert_eq!(expired(60), [""; 0]);
    assert_eq!(expired(110), ["SignalCleared"]);
}

#[test]
fn what_expired_and_goes_on_is_another_alert_at_once_and_a_repeat_of_it_nothing() {
    let source = || source_with(serde_json::json!({ "name": "Prometheus", "auto_resolve_minutes": 1 }));
    let at = |events: &[Event], seconds: i64, command: Command| {
        let decided = given::<Signal>(events.to_vec()).on(stream()).with_facts(source());
        decided.at(NOON + TimeDelta::seconds(seconds)).when(command).events()
    };
    let fires = |seconds: i64| Command::Observe {
        source_id: SOURCE,
        delivery_id: Uuid::from_u128(0xd),
        receiver_im: None,
        observation: Box::new(told(Said::Firing, "1", Some(0))),
        received_at: NOON + TimeDelta::seconds(seconds),
    };
    let expire = |episode| Command::Expire {
        alert_id: Signal::alert_id(stream(), episode),
        source_id: SOURCE,
    };
    let mut events = at(&[], 0, fires(0));
    // Heard again within the minute: the minute begins anew.
    events.extend(at(&events, 35, fires(35)));
    assert_eq!(names(&events), ["SignalFired", "SignalRepeated"]);
    assert_eq!(at(&events, 60, expire(1)), []);
    events.extend(at(&events, 95, expire(1)));
    events.extend(at(&events, 120, fires(120)));
    assert_eq!(names(&events[2..]), ["SignalCleared", "SignalFired"]);
    assert_eq!(at(&events, 121, fires(121)), []);
    // Its sender's own word for the end is one.
    let resolved = Command::Observe {
        source_id: SOURCE,
        delivery_id: Uuid::from_u128(0xd),
        receiver_im: None,
        observation: Box::new(told(Said::Resolved, "2", Some(0))),
        received_at: NOON + TimeDelta::seconds(130),
    };
    events.extend(at(&events, 130, resolved));
    assert_eq!(at(&events, 600, fires(600)), []);
}

#[test]
fn a_repeat_is_noted_now_and_then() {
    let mut events = happens([told(Said::Firing, "1", Some(0))]);
    assert_eq!(then(&events, told(Said::Firing, "1", Some(0)), 4), []);
    let repeated = then(&events, told(Said::Firing, "1", Some(0)), 5);
    assert_eq!(names(&repeated), ["SignalRepeated"]);
    events.extend(repeated);
    assert_eq!(then(&events, told(Said::Firing, "1", Some(0)), 9), []);
}

#[test]
fn a_repeat_of_what_was_before_does_not_keep_alive_what_is_now() {
    let events = happens([
        told(Said::Firing, "1", Some(0)),
        told(Said::Resolved, "2", Some(0)),
        told(Said::Firing, "3", Some(2)),
    ]);
    let source = source_with(serde_json::json!({ "name": "Prometheus", "auto_resolve_minutes": 60 }));
    let decided = given::<Signal>(events).on(stream()).with_facts(source);
    decided.when(observe(told(Said::Firing, "1", Some(0)), 30)).then([]);
}

/// What should come of it, written as a person would say it: of the beginnings that were told and are not known to be over,
/// there is an alert when the latest is later than the latest end.
fn should_fire(tellings: &[(i64, bool)]) -> bool {
    let latest = |over: bool| {
        let of_kind = tellings.iter().filter(|(_, is_over)| *is_over == over);
        of_kind.map(|(began, _)| *began).max()
    };
    latest(false) > latest(true)
}

proptest! {
    #[test]
    fn the_order_and_number_of_tellings_do_not_matter(
        tellings in prop::collection::vec((0_i64..6, any::<bool>()), 1..12),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut sent = tellings.clone();
        sent.extend(again.iter().map(|index| *index.get(&tellings)));
        let observations = sent.iter().map(|&(began, is_over)| {
            let signal = if is_over { Said::Resolved } else { Said::Firing };
            told(signal, &format!("{began}/{is_over}"), Some(began))
        });
        let signal = state::<Signal>(happens(observations));
        prop_assert_eq!(signal.current.is_some(), should_fire(&tellings), "{:?}", sent);
        // Whatever fired is an alert, also if its end was faster.
        let fired = tellings.iter().any(|(_, is_over)| !is_over);
        prop_assert_eq!(signal.episodes > 0, fired, "{:?}", sent);
    }
}
