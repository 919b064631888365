//! Approving and rejecting, by those who are asked.

use super::*;
use domain::text::Unfit;
use domain::{Class, Decider, Refuse};
use rehearsal::given::long;

#[test]
fn the_named_manager_approves_and_the_next_level_is_asked() {
    approval(first_asked()).by(LOW).when(approve(1)).then([
        approved(ASKS[0], 1, LOW, None),
        asks(drawn(0), 2, (REGION, MID), day(0)),
    ]);
}

#[test]
fn the_last_level_grants_the_approval() {
    approval(second_asked())
        .by(MID)
        .when(approve(1))
        .then([approved(ASKS[1], 2, MID, None), granted_to(Some(MID))]);
}

#[test]
fn any_level_rejects_the_whole_order() {
    approval(first_asked())
        .by(LOW)
        .when(reject(1))
        .then([rejected(ASKS[0], 1, LOW)]);
    approval(second_asked())
        .by(MID)
        .when(reject(1))
        .then([rejected(ASKS[1], 2, MID)]);
}

#[test]
fn the_next_level_is_asked_of_whoever_manages_above_by_now() {
    let facts = world().with(REGION, department(Some(COMPANY), Some(DEPUTY)));
    approval_in(facts, first_asked()).by(LOW).when(approve(1)).then([
        approved(ASKS[0], 1, LOW, None),
        asks(drawn(0), 2, (REGION, DEPUTY), day(0)),
    ]);
}

#[test]
fn a_level_is_not_approved_while_nobody_is_left_for_the_next() {
    approval_in(world().with(MID, away()).with(TOP, away()), first_asked())
        .by(LOW)
        .when(approve(1))
        .refused(Refusal::NoRoute(route::NoRoute::NoApprover { level: 2, levels: 2 }));
}

#[test]
fn rejecting_needs_notes_and_both_take_at_most_2000_characters() {
    let unfit = |unfit| Refusal::Unfit { unfit };
    let too_long = || {
        unfit(Unfit::TooLong {
            chars: 2_001,
            max: 2_000,
        })
    };
    let rejecting = |notes: &str| Command::Reject {
        revision: 1,
        notes: notes.to_owned(),
    };
    approval(first_asked())
        .by(LOW)
        .when(rejecting("  "))
        .refused(unfit(Unfit::Empty));
    approval(first_asked())
        .by(LOW)
        .when(rejecting(&long(2_001)))
        .refused(too_long());
    approval(first_asked())
        .by(LOW)
        .when(Command::Approve {
            revision: 1,
            notes: Some(long(2_001)),
        })
        .refused(too_long());
}

#[test]
fn what_is_decided_is_decided() {
    for (last, state) in [
        (granted_to(Some(MID)), "granted"),
        (rejected(ASKS[0], 1, LOW), "rejected"),
        (voided(&[ASKS[0]], WhyVoid::OrderCancelled), "void"),
    ] {
        let past = || {
            let mut past = first_asked();
            past.push(last.clone());
            past
        };
        for command in [approve(1), reject(1), Command::Reassign {}] {
            approval(past())
                .by(SUBMITTER)
                .when(command)
                .refused(Refusal::NotPending { state });
        }
        // Who had no part in it does not even learn that it is decided.
        for command in [approve(1), reject(1)] {
            approval(past()).by(DEPUTY).when(command).refused(Refusal::NotConcerned);
        }
    }
}

#[test]
fn nothing_is_decided_before_it_is_asked() {
    for command in [
        approve(1),
        reject(1),
        Command::Reassign {},
        void(),
        Command::Escalate { ask_id: ASKS[0] },
    ] {
        approval(Vec::new()).by(LOW).when(command).refused(Refusal::NotAsked);
    }
    assert_eq!(Refusal::NotAsked.class(), Class::Missing);
}

#[test]
fn the_verdict_is_on_exactly_one_revision_and_content() {
    let pending: Approval = state(first_asked());
    assert_eq!(pending.verdict(1, &hash(1)), Verdict::Pending);
    let granted: Approval = state(granted());
    let by_mid = Verdict::Granted { approved_by: Some(MID) };
    assert_eq!(granted.verdict(1, &hash(1)), by_mid);
    assert_eq!(granted.verdict(2, &hash(1)), Verdict::None);
    assert_eq!(granted.verdict(1, &hash(2)), Verdict::None);
    let rejected: Approval = state([asked(1, 5_000, 2), rejected(ASKS[0], 1, LOW)]);
    let by_low = Verdict::Rejected { by: Some(LOW) };
    assert_eq!(rejected.verdict(1, &hash(1)), by_low);
    let void: Approval = state([asked(1, 5_000, 2), voided(&[], WhyVoid::OrderMovedOn)]);
    assert_eq!(void.verdict(1, &hash(1)), Verdict::None);
    assert_eq!(Approval::default().verdict(1, &hash(1)), Verdict::None);
}

#[test]
fn an_approval_belongs_to_the_department_of_its_order_except_that_others_may_decide() {
    let pending: Approval = state(first_asked());
    assert_eq!(pending.department_id(), Some(STORE));
    assert_eq!(pending.department(&void()), Some(STORE));
    assert_eq!(pending.department(&approve(1)), None);
}
