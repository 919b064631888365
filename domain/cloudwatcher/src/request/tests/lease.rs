//! One person at a time is on a request, for as long as their lease runs.

use super::*;
use crate::device_policy::DevicePolicy;
use domain::Facts;
use domain::register::{OnePerTenant, Register};
use rehearsal::given::{BY, TENANT};

const OTHER: Uuid = Uuid::from_u128(0xb2);

/// Begun at noon by whoever asks.
fn taken() -> Vec<Event> {
    vec![received(), begun_by(BY, NOON)]
}

fn held_off() -> Refusal {
    Refusal::Taken {
        by: BY,
        until: NOON + LEASE,
    }
}

#[test]
fn whoever_begins_a_request_has_it_to_themselves_until_the_lease_runs_out() {
    given::<DeviceRequest>([received()])
        .at(NOON)
        .when(Command::Begin {})
        .then([begun_by(BY, NOON)]);
    let last = NOON + LEASE - TimeDelta::seconds(1);
    for command in [Command::Begin {}, Command::Release {}, respond(), fail()] {
        given::<DeviceRequest>(taken())
            .by(OTHER)
            .at(last)
            .when(command)
            .refused(held_off());
    }
    given::<DeviceRequest>(taken())
        .at(last)
        .when(respond())
        .then([completed()]);
    let told = held_off().to_string();
    assert!(
        told.contains(&BY.to_string()) && told.contains("until 2026-01-05T12:30:00Z"),
        "{told}"
    );
}

#[test]
fn a_lease_ends_as_exactly_as_its_timer_and_its_row_keep_it() {
    given::<DeviceRequest>([received()])
        .at(NOON + TimeDelta::nanoseconds(1_999))
        .when(Command::Begin {})
        .then([begun_by(BY, NOON + TimeDelta::microseconds(1))]);
}

#[test]
fn a_lease_that_has_run_out_holds_nobody_off_also_before_it_is_taken_back() {
    let over = NOON + LEASE;
    given::<DeviceRequest>(taken())
        .by(OTHER)
        .at(over)
        .when(Command::Begin {})
        .then([begun_by(OTHER, over)]);
    for (command, event) in [(respond(), completed()), (fail(), failed())] {
        given::<DeviceRequest>(taken())
            .by(OTHER)
            .at(over)
            .when(command)
            .then([event]);
    }
}

#[test]
fn beginning_again_prolongs_the_lease_and_changes_nothing_at_the_same_moment() {
    let later = NOON + TimeDelta::minutes(20);
    let prolonged = Event::RequestProlonged {
        by: BY,
        until: later + LEASE,
    };
    given::<DeviceRequest>(taken())
        .at(NOON)
        .when(Command::Begin {})
        .then([]);
    given::<DeviceRequest>(taken())
        .at(later)
        .when(Command::Begin {})
        .then([prolonged.clone()]);
    given::<DeviceRequest>(taken().into_iter().chain([prolonged]))
        .by(OTHER)
        .at(NOON + LEASE)
        .when(Command::Begin {})
        .refused(Refusal::Taken {
            by: BY,
            until: later + LEASE,
        });
}

#[test]
fn a_lease_is_as_long_as_the_device_policy_says() {
    let policy = DevicePolicy {
        lease_minutes: 5,
        ..DevicePolicy::default()
    };
    let facts = Facts::default().with(DevicePolicy::stream(TENANT), Register::Entered(policy));
    given::<DeviceRequest>([received()])
        .with_facts(facts)
        .at(NOON)
        .when(Command::Begin {})
        .then([Event::RequestBegun {
            response_id: response_id(),
            by: Some(BY),
            until: Some(NOON + TimeDelta::minutes(5)),
        }]);
}

#[test]
fn what_is_given_back_is_pending_again_and_anybodys() {
    let released = Event::RequestReleased { from: Some(BY) };
    given::<DeviceRequest>(taken())
        .at(NOON)
        .when(Command::Release {})
        .then([released.clone()]);
    let past = || taken().into_iter().chain([released.clone()]);
    let now: DeviceRequest = state(past());
    assert_eq!((now.status(), now.lease()), (Some(RequestStatus::Pending), None));
    given::<DeviceRequest>(past())
        .at(NOON)
        .when(Command::Release {})
        .then([]);
    given::<DeviceRequest>(past())
        .by(OTHER)
        .at(NOON)
        .when(Command::Begin {})
        .then([begun_by(OTHER, NOON)]);
}

#[test]
fn who_takes_over_has_the_request_and_the_book_says_from_whom() {
    let over = Event::RequestTakenOver {
        by: OTHER,
        from: BY,
        until: NOON + LEASE,
    };
    given::<DeviceRequest>(taken())
        .by(OTHER)
        .at(NOON)
        .when(Command::TakeOver {})
        .then([over.clone()]);
    given::<DeviceRequest>(taken().into_iter().chain([over]))
        .at(NOON)
        .when(respond())
        .refused(Refusal::Taken {
            by: OTHER,
            until: NOON + LEASE,
        });
    // From nobody, it begins.
    given::<DeviceRequest>([received()])
        .at(NOON)
        .when(Command::TakeOver {})
        .then([begun_by(BY, NOON)]);
}

#[test]
fn daybook_takes_back_what_has_run_out_and_nothing_sooner() {
    let lapse = |at| {
        given::<DeviceRequest>(taken())
            .by(domain::SYSTEM)
            .at(at)
            .when(Command::Lapse {})
    };
    lapse(NOON).refused(Refusal::NotYet { until: NOON + LEASE });
    lapse(NOON + LEASE).then([Event::RequestLapsed { from: BY }]);
    for past in [vec![received()], vec![received(), begun(), completed()]] {
        given::<DeviceRequest>(past)
            .by(domain::SYSTEM)
            .at(NOON)
            .when(Command::Lapse {})
            .then([]);
    }
}

#[test]
fn what_was_begun_before_there_were_leases_is_anybodys() {
    let begun: Event = serde_json::from_value(json!({"RequestBegun": {"response_id": response_id()}})).unwrap();
    let past = || [received(), begun.clone()];
    assert_eq!(state::<DeviceRequest>(past()).lease(), None);
    given::<DeviceRequest>(past())
        .at(NOON)
        .when(respond())
        .then([completed()]);
    given::<DeviceRequest>(past())
        .at(NOON)
        .when(Command::Begin {})
        .then([begun_by(BY, NOON)]);
    given::<DeviceRequest>(past())
        .at(NOON)
        .when(Command::Release {})
        .then([Event::RequestReleased { from: None }]);
}
