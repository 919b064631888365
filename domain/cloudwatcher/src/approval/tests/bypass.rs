//! The side doors that approvals are bypassed by elsewhere, all shut.

use super::*;
use crate::delegation::{self, Delegations};
use domain::SYSTEM;
use domain::{Class, Refuse};

#[track_caller]
fn neither_approves_nor_rejects(facts: impl Fn() -> Facts, past: &[Event], by: Uuid, refusal: &Refusal) {
    for command in [approve(1), reject(1)] {
        approval_in(facts(), past.to_vec())
            .by(by)
            .when(command)
            .refused(refusal.clone());
    }
}

#[test]
fn a_direct_call_by_somebody_who_is_not_asked_is_forbidden() {
    let refusal = Refusal::NotAskedOfYou {
        level: 1,
        approver_id: LOW,
    };
    for by in [MID, TOP, DEPUTY] {
        neither_approves_nor_rejects(world, &first_asked(), by, &refusal);
    }
    assert_eq!(refusal.class(), Class::Forbidden);
}

#[test]
fn daybook_itself_approves_nothing() {
    neither_approves_nor_rejects(world, &first_asked(), SYSTEM, &Refusal::NotPermitted);
}

#[test]
fn nobody_decides_on_what_they_drafted_or_submitted() {
    for (manager, by) in [(DRAFTER, DRAFTER), (SUBMITTER, SUBMITTER)] {
        let facts = || world().with(STORE, department(Some(REGION), Some(manager)));
        let past = [asked(1, 5_000, 2), asks(ASKS[0], 1, (STORE, manager), day(0))];
        neither_approves_nor_rejects(facts, &past, by, &Refusal::OwnOrder);
    }
}

#[test]
fn not_even_as_a_delegate_does_who_ordered_decide() {
    for to in [DRAFTER, SUBMITTER] {
        let delegated: Delegations = state([delegation::Event::DelegationGranted {
            delegation_id: Uuid::from_u128(0x70),
            to,
            starts_at: day(0),
            ends_at: day(9),
            department_ids: Vec::new(),
            total_max: None,
            currency: None,
            granted_at: day(0),
        }]);
        let facts = || world().with(LOW, delegated.clone());
        neither_approves_nor_rejects(facts, &first_asked(), to, &Refusal::OwnOrder);
    }
}

#[test]
fn nobody_decides_two_levels() {
    let facts = || world().with(REGION, department(Some(COMPANY), Some(LOW)));
    let mut past = first_asked();
    past.extend([approved(ASKS[0], 1, LOW, None), asks(ASKS[1], 2, (REGION, LOW), day(0))]);
    neither_approves_nor_rejects(facts, &past, LOW, &Refusal::DecidedAlready { level: 1 });
}

#[test]
fn who_was_stood_in_for_does_not_decide_another_level() {
    let facts = || world().with(REGION, department(Some(COMPANY), Some(LOW)));
    let mut past = first_asked();
    past.extend([
        approved(ASKS[0], 1, DEPUTY, Some(LOW)),
        asks(ASKS[1], 2, (REGION, LOW), day(0)),
    ]);
    neither_approves_nor_rejects(facts, &past, LOW, &Refusal::DecidedAlready { level: 1 });
}

#[test]
fn who_decided_or_was_stood_in_for_is_not_asked_again() {
    let facts = world()
        .with(REGION, department(Some(COMPANY), Some(DEPUTY)))
        .with(LOW, deputised());
    approval_in(facts, first_asked()).by(DEPUTY).when(approve(1)).then([
        approved(ASKS[0], 1, DEPUTY, Some(LOW)),
        asks(drawn(0), 2, (COMPANY, TOP), day(0)),
    ]);
    let facts = world()
        .with(REGION, department(Some(COMPANY), Some(LOW)))
        .with(LOW, deputised());
    approval_in(facts, first_asked()).by(DEPUTY).when(approve(1)).then([
        approved(ASKS[0], 1, DEPUTY, Some(LOW)),
        asks(drawn(0), 2, (COMPANY, TOP), day(0)),
    ]);
}

fn deputised() -> Delegations {
    state([delegation::Event::DelegationGranted {
        delegation_id: Uuid::from_u128(0x70),
        to: DEPUTY,
        starts_at: day(0),
        ends_at: day(9),
        department_ids: Vec::new(),
        total_max: None,
        currency: None,
        granted_at: day(0),
    }])
}

#[test]
fn an_approver_approves_the_revision_that_they_saw() {
    let stale = Refusal::StaleRevision {
        current: 2,
        submitted_by: SUBMITTER,
        at: Some(day(0)),
    };
    let past = vec![asked(2, 5_000, 2), asks(ASKS[0], 1, (STORE, LOW), day(0))];
    neither_approves_nor_rejects(|| world().with(STREAM, waiting(2, 5_000)), &past, LOW, &stale);
}

#[test]
fn an_order_that_was_changed_is_not_approved_as_it_was() {
    // The policy has not yet asked for the later revision.
    let resubmitted = || world().with(STREAM, waiting(2, 50_000));
    let by = Some(SUBMITTER);
    neither_approves_nor_rejects(resubmitted, &first_asked(), LOW, &is_over(End::Resubmitted, by, None));
}

#[test]
fn an_order_of_another_content_under_the_same_revision_is_not_approved() {
    let forged = Submitted {
        content_hash: "another".to_owned(),
        ..submitted(1, 5_000)
    };
    let facts = || world().with(STREAM, Order::PendingApproval(content(5_000), forged.clone()));
    neither_approves_nor_rejects(facts, &first_asked(), LOW, &Refusal::OrderMovedOn);
}

#[test]
fn an_order_that_was_cancelled_or_is_a_draft_again_is_not_decided() {
    let cancelled = || Order::Cancelled(content(5_000), Some(submitted(1, 5_000)));
    for (order, refusal) in [
        (cancelled(), is_over(End::OrderCancelled, None, None)),
        (Order::Draft(content(5_000)), Refusal::OrderMovedOn),
    ] {
        let facts = || world().with(STREAM, order.clone());
        neither_approves_nor_rejects(facts, &first_asked(), LOW, &refusal);
    }
}

#[test]
fn who_lost_the_role_or_was_deactivated_decides_no_more() {
    for gone in [person([]), away(), User::Erased] {
        let facts = || world().with(LOW, gone.clone());
        neither_approves_nor_rejects(facts, &first_asked(), LOW, &Refusal::ApproverGone { approver_id: LOW });
    }
    let revoked = || world().with(APPROVER, approver(["orders.read"]));
    neither_approves_nor_rejects(
        revoked,
        &first_asked(),
        LOW,
        &Refusal::ApproverGone { approver_id: LOW },
    );
}

#[test]
fn who_no_longer_manages_the_department_decides_no_more() {
    let gone = Refusal::ApproverGone { approver_id: LOW };
    for facts in [
        || world().with(STORE, department(Some(REGION), Some(DEPUTY))),
        || world().with(STORE, department(Some(REGION), None)),
    ] {
        neither_approves_nor_rejects(facts, &first_asked(), LOW, &gone);
    }
}

#[test]
fn a_manager_whose_department_is_no_longer_above_the_order_decides_no_more() {
    let facts = || world().with(STORE, department(Some(COMPANY), Some(LOW)));
    neither_approves_nor_rejects(facts, &second_asked(), MID, &Refusal::ApproverGone { approver_id: MID });
}

#[test]
fn the_new_manager_decides_only_after_the_approval_is_reassigned() {
    let facts = || world().with(STORE, department(Some(REGION), Some(DEPUTY)));
    let refusal = Refusal::NotAskedOfYou {
        level: 1,
        approver_id: LOW,
    };
    neither_approves_nor_rejects(facts, &first_asked(), DEPUTY, &refusal);
}

#[test]
fn who_was_asked_before_the_escalation_decides_no_more() {
    let mut past = first_asked();
    past.extend([
        Event::LevelEscalated {
            ask_id: ASKS[0],
            level: 1,
            from: LOW,
            to: MID,
            at: Some(day(2)),
        },
        Event::LevelAsked {
            ask_id: ASKS[1],
            level: 1,
            department_id: REGION,
            approver_id: MID,
            due_at: day(4),
            escalated_from: Some(LOW),
            revision: 1,
            order_total: Decimal::from(5_000),
            currency: "EUR".to_owned(),
            split_with: Vec::new(),
            is_top: false,
        },
    ]);
    let refusal = is_over(End::Escalated { to: MID }, None, Some(day(2)));
    neither_approves_nor_rejects(world, &past, LOW, &refusal);
}
