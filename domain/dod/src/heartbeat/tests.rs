//! Decisions about one heartbeat; its course is shown by `simulation/heartbeats.rs`.

use dod_formats::Severity;
use domain::SYSTEM;
use rehearsal::given::{Given, STREAM, given, state};

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn terms() -> Box<Terms> {
    Box::new(Terms {
        expectation_id: STREAM,
        expectation: Expectation {
            name: "Backup".to_owned(),
            source_id: STREAM,
            when: Vec::new(),
            every_minutes: 60,
            grace_minutes: 10,
            severity: Severity::High,
            receiver_im: None,
        },
    })
}

/// Since midnight, so that it is due at minute 70.
fn watched() -> Event {
    Event::HeartbeatWatched {
        terms: terms(),
        due_at: at(70),
    }
}

fn heard(minutes: i64) -> Event {
    Event::HeartbeatHeard {
        terms: terms(),
        heard_at: at(minutes),
        delivery_id: STREAM,
        due_at: at(minutes + 70),
        episodes: 0,
        ended_alert_id: None,
    }
}

fn hear(minutes: i64) -> Command {
    Command::Hear {
        received_at: at(minutes),
        delivery_id: STREAM,
    }
}

fn now(events: impl IntoIterator<Item = Event>, minutes: i64) -> Given<Heartbeat> {
    given::<Heartbeat>(events).by(SYSTEM).at(at(minutes))
}

#[test]
fn what_was_heard_says_all_that_matters() {
    let state_of = |events: Vec<Event>| state::<Heartbeat>(events);
    assert_eq!(state_of(vec![watched(), heard(5)]), state_of(vec![heard(5)]));
    assert_eq!(Heartbeat::CARRIES_FORWARD, Some(<&str>::from(heard(5))));
}

#[test]
fn it_is_missed_when_it_is_due_and_not_before() {
    now([watched()], 69).when(Command::Look {}).then([]);
    let missed = now([watched()], 70).when(Command::Look {}).events();
    let [
        Event::HeartbeatMissed {
            episode: 1,
            brief,
            since,
            ..
        },
    ] = &missed[..]
    else {
        panic!("{missed:?}");
    };
    assert_eq!((*since, brief.alert_type.as_str()), (at(70), MISSING));
    // A timer that fires again finds it so.
    let again = [watched(), missed[0].clone()];
    now(again, 71).when(Command::Look {}).then([]);
    // It was heard since the timer was set.
    now([watched(), heard(30)], 70).when(Command::Look {}).then([]);
}

#[test]
fn a_timer_that_is_late_itself_excuses_it_for_a_period() {
    let excused = Event::HeartbeatExcused { due_at: at(270) };
    now([watched()], 200).when(Command::Look {}).then([excused.clone()]);
    let missed = now([watched(), excused], 270).when(Command::Look {}).events();
    assert!(matches!(missed[..], [Event::HeartbeatMissed { .. }]), "{missed:?}");
}

#[test]
fn what_comes_late_or_twice_says_nothing_new() {
    now([watched(), heard(30)], 40).when(hear(30)).then([]);
    now([watched(), heard(30)], 40).when(hear(20)).then([]);
    now([watched(), heard(30)], 40).when(hear(35)).then([heard(35)]);
}

#[test]
fn a_clock_that_was_ahead_does_not_keep_it_alive() {
    // Its sender's delivery is of a time to come: it counts as now.
    now([watched()], 40).when(hear(5_000)).then([heard(40)]);
    // It was noted by a clock that was ahead: what comes now counts.
    now([watched(), heard(5_000)], 40).when(hear(39)).then([heard(39)]);
    let ahead: Heartbeat = state([watched(), heard(5_000)]);
    assert!(ahead.notes(at(39), at(40)));
}

#[test]
fn what_came_before_it_was_missed_does_not_end_it() {
    let missed = || Event::HeartbeatMissed {
        alert_id: STREAM,
        episode: 1,
        source_id: STREAM,
        brief: Box::new(Brief {
            source: String::new(),
            alert_type: MISSING.to_owned(),
            severity: Severity::High,
            title: "Backup is missing".to_owned(),
            description: None,
            labels: BTreeMap::new(),
            receiver_im: None,
            is_flapping: false,
            received_at: at(70),
            body_until: None,
        }),
        since: at(70),
    };
    now([watched(), missed()], 90).when(hear(5)).then([]);
    let ended = now([watched(), missed()], 90).when(hear(85)).events();
    let [
        Event::HeartbeatHeard {
            ended_alert_id,
            episodes: 1,
            ..
        },
    ] = &ended[..]
    else {
        panic!("{ended:?}");
    };
    assert_eq!(*ended_alert_id, Some(STREAM));
}

#[test]
fn what_comes_all_the_time_is_noted_now_and_then() {
    let now: Heartbeat = state([watched(), heard(30)]);
    assert!(!now.notes(at(34), at(34)));
    assert!(now.notes(at(35), at(35)));
    assert!(!Heartbeat::default().notes(at(35), at(35)));
    let never: Heartbeat = state([watched()]);
    assert!(never.notes(at(1), at(1)));
}

#[test]
fn what_nobody_expects_is_not_heard() {
    now([], 1).when(hear(1)).refused(Refusal::NotWatched);
    let unwatched = Event::HeartbeatUnwatched {
        ended_alert_id: None,
        unwatched_at: at(2),
    };
    now([watched()], 2).when(Command::Unwatch {}).then([unwatched.clone()]);
    now([watched(), unwatched], 3)
        .when(Command::Look {})
        .refused(Refusal::NotWatched);
}
