//! What those are told who decide too late.

use super::*;
use crate::delegation::{self, Delegations};
use domain::{Class, Decider, Refuse};
use rehearsal::given::TENANT;

fn after(last: impl IntoIterator<Item = Event>) -> Vec<Event> {
    first_asked().into_iter().chain(last).collect()
}

/// Who decides revision 1 of this past is told this.
#[track_caller]
fn told(past: &[Event], by: Uuid, says: &str) {
    told_in(world, past, by, says);
}

#[track_caller]
fn told_in(facts: impl Fn() -> Facts, past: &[Event], by: Uuid, says: &str) {
    for command in [approve(1), reject(1)] {
        let refused = approval_in(facts(), past.to_vec())
            .by(by)
            .at(day(3))
            .when(command)
            .outcome();
        let refusal = refused.unwrap_err();
        let mut detail = refusal.to_string();
        for (id, name) in [
            (LOW, "low"),
            (MID, "mid"),
            (TOP, "top"),
            (DEPUTY, "deputy"),
            (SUBMITTER, "buyer"),
        ] {
            detail = detail.replace(&format!("user {id}"), name);
        }
        assert!(detail.contains(says), "{detail}");
        // Also to somebody who does not belong to the department.
        assert_eq!(refusal.class(), Class::Refused, "{detail}");
        assert!(refusal.particulars().is_some(), "{detail}");
    }
}

#[test]
fn whoever_decided_is_told_that_and_when() {
    told(
        &second_asked(),
        LOW,
        "level 1 of revision 1, which was asked of you, is over: it was approved by you at 1970-01-01T00:00:00Z",
    );
    told(
        &granted(),
        MID,
        "level 2 of revision 1, which was asked of you, is over: it was approved by you at",
    );
}

#[test]
fn whoever_was_stood_in_for_is_told_by_whom_and_so_is_the_delegate() {
    let past = after([
        approved(ASKS[0], 1, DEPUTY, Some(LOW)),
        asks(ASKS[1], 2, (REGION, MID), day(0)),
    ]);
    told(&past, LOW, "it was approved by deputy in your place at");
    told(
        &past,
        DEPUTY,
        "level 1 of revision 1, which was asked of low, is over: it was approved by you in the place of low at",
    );
}

#[test]
fn a_delegate_who_comes_too_late_is_told_what_became_of_what_was_asked_of_the_other() {
    let deputised: Delegations = state([delegation::Event::DelegationGranted {
        delegation_id: Uuid::from_u128(0x70),
        to: DEPUTY,
        starts_at: day(0),
        ends_at: day(9),
        department_ids: Vec::new(),
        total_max: None,
        currency: None,
        granted_at: day(0),
    }]);
    let facts = || world().with(LOW, deputised.clone());
    for past in [second_asked(), granted()] {
        told_in(
            facts,
            &past,
            DEPUTY,
            "which was asked of low, is over: it was approved by low at",
        );
    }
}

#[test]
fn whoever_approved_is_told_that_a_higher_level_rejected() {
    let past: Vec<Event> = second_asked().into_iter().chain([rejected(ASKS[1], 2, MID)]).collect();
    told(
        &past,
        LOW,
        "the order was rejected at level 2 by mid at 1970-01-01T00:00:00Z",
    );
    told(&past, MID, "the order was rejected at level 2 by you at");
}

#[test]
fn whoever_was_asked_is_told_that_the_order_was_cancelled_and_by_whom() {
    let mut cancelled = voided(&[ASKS[0]], WhyVoid::OrderCancelled);
    if let Event::ApprovalVoided { by, .. } = &mut cancelled {
        *by = Some(SUBMITTER);
    }
    told(
        &after([cancelled]),
        LOW,
        "the order was cancelled by buyer at 1970-01-01T00:00:00Z",
    );
}

#[test]
fn whoever_let_the_time_pass_is_told_to_whom_it_went() {
    let escalated = Event::LevelEscalated {
        ask_id: ASKS[0],
        level: 1,
        from: LOW,
        to: MID,
        at: Some(day(2)),
    };
    let past = after([escalated, asks(ASKS[1], 1, (REGION, MID), day(2))]);
    told(
        &past,
        LOW,
        "it was not decided in time and went up to mid at 1970-01-03T00:00:00Z",
    );
}

#[test]
fn whoever_lost_the_department_is_told_to_whom_the_level_was_given_and_by_whom() {
    let reassigned = Event::LevelReassigned {
        ask_id: ASKS[0],
        level: 1,
        from: LOW,
        to: DEPUTY,
        by: Some(TOP),
        at: Some(day(2)),
    };
    let past = after([reassigned, asks(ASKS[1], 1, (STORE, DEPUTY), day(2))]);
    told(
        &past,
        LOW,
        "it was given to deputy by top at 1970-01-03T00:00:00Z, because you could no longer decide it",
    );
}

#[test]
fn whoever_was_asked_about_an_earlier_revision_is_told_who_submitted_the_next() {
    // The store has another manager by then.
    let past = after([
        voided(&[ASKS[0]], WhyVoid::Resubmitted),
        asked(2, 5_000, 2),
        about(asks(ASKS[1], 1, (STORE, DEPUTY), day(0)), 2, 5_000),
    ]);
    told(
        &past,
        LOW,
        "the order was changed and submitted again by buyer at 1970-01-01T00:00:00Z",
    );
    // Asked again, they looked at the page of before.
    let past = after([
        voided(&[ASKS[0]], WhyVoid::Resubmitted),
        asked(2, 5_000, 2),
        about(asks(ASKS[1], 1, (STORE, LOW), day(0)), 2, 5_000),
    ]);
    told(
        &past,
        LOW,
        "submitted again as revision 2 by buyer at 1970-01-01T00:00:00Z",
    );
}

/// The same, done at another time and by somebody.
fn done(mut event: Event, (person, time): (Uuid, DateTime<Utc>)) -> Event {
    if let Event::ApprovalVoided { by, at, .. } = &mut event {
        (*by, *at) = (Some(person), Some(time));
    }
    event
}

#[test]
fn a_cancelled_order_was_cancelled_when_somebody_did_it_and_not_when_daybook_came_to_it() {
    let cancelled = Order::Cancelled(content(5_000), Some(submitted(1, 5_000)));
    for (cancelled_at, at) in [(Some(day(2)), day(2)), (Some(day(9)), day(3)), (None, day(3))] {
        let void = Command::Void {
            by: Some(SUBMITTER),
            cancelled_at,
        };
        let ended = voided(&[ASKS[0]], WhyVoid::OrderCancelled);
        approval_in(world().with(STREAM, cancelled.clone()), first_asked())
            .at(day(3))
            .when(void)
            .then([done(ended, (SUBMITTER, at))]);
    }
}

#[test]
fn an_order_was_submitted_again_when_somebody_did_it_and_who_is_asked_late_has_as_much_time() {
    for (submitted_at, at) in [(Some(day(2)), day(2)), (Some(day(9)), day(3)), (None, day(3))] {
        let ended = voided(&[ASKS[0]], WhyVoid::Resubmitted);
        approval_in(world().with(STREAM, waiting(2, 5_000)), first_asked())
            .at(day(3))
            .when(Command::Ask {
                revision: 2,
                submitted_at,
            })
            .then([
                done(ended, (SUBMITTER, at)),
                timed(asked(2, 5_000, 2), at),
                about(asks(drawn(0), 1, (STORE, LOW), day(3)), 2, 5_000),
            ]);
    }
}

#[test]
fn whoever_was_never_asked_learns_nothing_of_what_became_of_it() {
    for past in [second_asked(), granted(), after([rejected(ASKS[0], 1, LOW)])] {
        let refused = approval(past).by(DEPUTY).when(approve(1)).outcome();
        assert_eq!(refused.unwrap_err().class(), Class::Forbidden);
    }
}

#[test]
fn a_revision_that_nobody_was_asked_about_is_named_as_such() {
    approval(first_asked())
        .by(LOW)
        .when(approve(7))
        .refused(Refusal::UnknownRevision { current: 1 });
}

#[test]
fn events_that_did_not_say_when_leave_the_time_out() {
    let mut past = second_asked();
    if let Event::LevelApproved { at, .. } = &mut past[2] {
        *at = None;
    }
    told(&past, LOW, "is over: it was approved by you; nothing is left");
}

#[test]
fn an_approval_remembers_whom_it_asked_within_a_bound() {
    let mut approval = Approval::default();
    approval.evolve(&asked(1, 5_000, 2));
    for n in 0..2 * ASKED_REMEMBERED_MAX as u128 {
        let approver = Uuid::from_u128(0x1_0000 + n);
        approval.evolve(&asks(Uuid::from_u128(n), 1, (STORE, approver), day(0)));
    }
    let remembered = serde_json::to_value(&approval.asked().unwrap().asks).unwrap();
    assert_eq!(remembered.as_array().unwrap().len(), ASKED_REMEMBERED_MAX);
    let asking = domain::Asking {
        tenant: TENANT,
        by: LOW,
        at: day(0),
        stream: STREAM,
        command: &approve(1),
        facts: &Facts::default(),
    };
    let delegations = approval.reads(&asking).into_iter();
    let delegations = delegations.filter(|fact| fact.aggregate_type == Delegations::TYPE);
    assert_eq!(delegations.count(), STOOD_IN_FOR_MAX);
}
