//! Who looks at an alert, here or where it comes from, and who does not any more.

use super::*;

#[test]
fn whoever_acknowledges_looks_into_what_is_open() {
    let [resolved, none, ignored] = over();
    leads_to(
        || Command::Acknowledge {},
        [
            Ok(Some(Event::AlertAcknowledged { by_sender: false })),
            Ok(None),
            resolved,
            none,
            ignored,
        ],
    );
}

#[test]
fn what_nobody_looks_at_any_more_is_open_again_and_given_to_nobody() {
    let [resolved, none, ignored] = over();
    leads_to(
        || Command::Unacknowledge {},
        [
            Ok(None),
            Ok(Some(Event::AlertUnacknowledged {})),
            resolved,
            none,
            ignored,
        ],
    );
    let events = [
        opened(AlertStatus::Open, None),
        Event::AlertAssigned { user_id: BEN },
        Event::AlertUnacknowledged {},
    ];
    let alert = state::<Alert>(events);
    let now = alert.opened().unwrap();
    assert_eq!((now.status, now.assigned_to), (AlertStatus::Open, None));
}

#[test]
fn what_the_sender_takes_back_is_what_it_said_and_not_what_a_person_did() {
    let says = |acknowledged| move || Command::FollowSender { acknowledged };
    let acknowledged = Ok(Some(Event::AlertAcknowledged { by_sender: true }));
    leads_to(says(true), [acknowledged, Ok(None), Ok(None), Ok(None), Ok(None)]);
    leads_to(says(false), [Ok(None), Ok(None), Ok(None), Ok(None), Ok(None)]);
    let opened = || opened(AlertStatus::Open, None);
    let by_sender = || Event::AlertAcknowledged { by_sender: true };
    let by_person = || Event::AlertAcknowledged { by_sender: false };
    given::<Alert>([opened(), by_sender()])
        .when(says(false)())
        .then([Event::AlertUnacknowledged {}]);
    // Whoever says so here as well keeps it, and whoever it was given to.
    given::<Alert>([opened(), by_sender()])
        .when(Command::Acknowledge {})
        .then([by_person()]);
    for theirs in [by_person(), Event::AlertAssigned { user_id: BEN }] {
        given::<Alert>([opened(), by_sender(), theirs])
            .when(says(false)())
            .then([]);
    }
}

#[test]
fn what_is_open_is_assigned() {
    let assigned = || Ok(Some(Event::AlertAssigned { user_id: BEN }));
    let [resolved, none, ignored] = over();
    leads_to(
        || Command::Assign { user_id: BEN },
        [assigned(), assigned(), resolved, none, ignored],
    );
}

#[test]
fn an_alert_is_assigned_once_to_the_same_and_only_to_who_works_there() {
    let events = || [opened(AlertStatus::Open, None), Event::AlertAssigned { user_id: BEN }];
    given::<Alert>(events())
        .with_facts(people())
        .when(Command::Assign { user_id: BEN })
        .then([]);
    in_state(AlertStatus::Open)
        .when(Command::Assign { user_id: SOURCE })
        .refused(Refusal::NoPerson);
    assert_eq!(
        state::<Alert>(events()).opened().unwrap().status,
        AlertStatus::Investigating
    );
}
