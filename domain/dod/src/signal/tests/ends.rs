//! Ends, and what they end: whichever of the two is heard of first.

use super::*;

#[test]
fn an_end_that_comes_before_its_beginning_makes_it_an_alert_that_is_over() {
    for began in [Some(0), None] {
        let ended_at = NOON + TimeDelta::seconds(30);
        let fires = told(Said::Firing, "1", began);
        let ends = Observation {
            ends_at: Some(ended_at),
            ..told(Said::Resolved, "2", began)
        };
        let mut events = then(&[], ends.clone(), 2);
        assert_eq!(names(&events), ["SignalClearedUnseen"]);
        events.extend(then(&events, fires.clone(), 1));
        assert_eq!(names(&events), ["SignalClearedUnseen", "SignalFired", "SignalCleared"]);
        assert!(
            matches!(&events[2], Event::SignalCleared { cleared_at, expired: false, .. } if *cleared_at == ended_at)
        );
        assert_eq!(state::<Signal>(events.clone()).current, None);
        // Neither of them comes to anything again, however often and late it is told.
        for again in [fires, ends] {
            assert_eq!(then(&events, again, 2), [], "{began:?}");
        }
    }
}

#[test]
fn a_beginning_and_an_end_of_which_one_says_when_it_began_are_put_in_order_by_when_they_came() {
    for (began, ended) in [(Some(-5), None), (None, Some(-5))] {
        let unseen = then(&[], told(Said::Resolved, "2", ended), 2);
        let fires = told(Said::Firing, "1", began);
        let late = then(&unseen, fires.clone(), 1);
        assert_eq!(names(&late), ["SignalFired", "SignalCleared"], "{began:?}");
        // It came minutes later, and says nothing of being over.
        assert_eq!(names(&then(&unseen, fires, 4)), ["SignalFired"], "{began:?}");
    }
}

#[test]
fn what_comes_side_by_side_without_any_order_is_over_whichever_is_read_first() {
    let at = |events: &[Event], observation, milliseconds| {
        let received_at = NOON + TimeDelta::milliseconds(milliseconds);
        let mut command = observe(observation, 0);
        let Command::Observe {
            received_at: received, ..
        } = &mut command
        else {
            unreachable!("it observes")
        };
        *received = received_at;
        let decided = given::<Signal>(events.to_vec()).on(stream()).with_facts(facts());
        decided.at(NOON + TimeDelta::seconds(9)).when(command).events()
    };
    let (fires, ends) = (told(Said::Firing, "1", None), told(Said::Resolved, "2", None));
    let begun = at(&[], fires.clone(), 1);
    assert_eq!(names(&at(&begun, ends.clone(), 0)), ["SignalCleared"]);
    let ended = at(&[], ends.clone(), 0);
    assert_eq!(
        names(&at(&ended, fires.clone(), SIDE_BY_SIDE_MS)),
        ["SignalFired", "SignalCleared"]
    );
    assert_eq!(names(&at(&ended, fires.clone(), SIDE_BY_SIDE_MS + 1)), ["SignalFired"]);
    let begun = at(&[], fires, SIDE_BY_SIDE_MS + 1);
    assert_eq!(at(&begun, ends, 0), []);
}

#[test]
fn an_end_that_knows_an_earlier_beginning_ends_what_began_before_it_ended() {
    let ends = |minutes: i64| Observation {
        ends_at: Some(NOON + TimeDelta::minutes(minutes)),
        ..told(Said::Resolved, "2", Some(0))
    };
    let fires = happens([told(Said::Firing, "1", Some(2))]);
    assert_eq!(names(&then(&fires, ends(3), 4)), ["SignalCleared"]);
    assert_eq!(names(&then(&fires, ends(2), 4)), ["SignalClearedUnseen"]);
}

#[test]
fn an_end_that_came_first_ends_only_what_nothing_before_it_has_ended() {
    for began in [Some(0), None] {
        let events = happens([told(Said::Firing, "1", began), told(Said::Resolved, "2", began)]);
        let later = told(Said::Resolved, "4", began.map(|began| began + 9));
        let events = [events.clone(), then(&events, later, 9)].concat();
        assert_eq!(names(&events)[2..], ["SignalClearedUnseen"]);
        // Another of the pair, of what is over since the second minute.
        assert_eq!(then(&events, told(Said::Firing, "3", began), 1), [], "{began:?}");
        let fires = then(&events, told(Said::Firing, "5", began.map(|began| began + 9)), 8);
        assert_eq!(names(&fires), ["SignalFired", "SignalCleared"], "{began:?}");
    }
}

#[test]
fn what_came_in_before_its_end_and_is_heard_of_after_it_does_not_last_though_neither_says_a_beginning() {
    let at = |minute, events: &[Event], observation| then(events, observation, minute);
    let mut events = at(2, &[], told(Said::Resolved, "2", None));
    // What comes in later is another one, and so it is after an end that ended something.
    events.extend(at(3, &events, told(Said::Firing, "3", None)));
    events.extend(at(5, &events, told(Said::Resolved, "4", None)));
    assert_eq!(names(&events), ["SignalClearedUnseen", "SignalFired", "SignalCleared"]);
    assert_eq!(at(4, &events, told(Said::Firing, "5", None)), []);
    assert_eq!(names(&at(6, &events, told(Said::Firing, "6", None))), ["SignalFired"]);
}

#[test]
fn the_end_of_what_was_before_does_not_end_what_is_now() {
    let events = happens([told(Said::Firing, "3", Some(5)), told(Said::Resolved, "2", Some(2))]);
    assert_eq!(names(&events), ["SignalFired", "SignalClearedUnseen"]);
    assert!(state::<Signal>(events).current.is_some());
}

#[test]
fn the_end_of_what_was_before_counts_also_once_a_person_has_closed_what_is_now() {
    let mut events = happens([told(Said::Firing, "3", Some(5)), told(Said::Resolved, "2", Some(2))]);
    events.push(closed(9));
    let decided = given::<Signal>(events).on(stream()).with_facts(facts());
    decided.when(observe(told(Said::Firing, "1", Some(0)), 9)).then([]);
}

#[test]
fn an_end_of_what_never_fired_opens_nothing_and_is_noted_once() {
    let events = happens([told(Said::Resolved, "1", None), told(Said::Resolved, "1", None)]);
    assert_eq!(names(&events), ["SignalClearedUnseen"]);
}

#[test]
fn an_end_without_a_beginning_ends_nothing_that_began_after_it_came() {
    let events = happens([told(Said::Resolved, "1", None), told(Said::Firing, "2", None)]);
    assert_eq!(names(&events), ["SignalClearedUnseen", "SignalFired"]);
    let again = |minutes| {
        let decided = given::<Signal>(events.clone()).on(stream()).with_facts(facts());
        names(&decided.when(observe(told(Said::Resolved, "3", None), minutes)).events())
    };
    assert_eq!(again(0), [""; 0]);
    assert_eq!(again(1), ["SignalCleared"]);
}
