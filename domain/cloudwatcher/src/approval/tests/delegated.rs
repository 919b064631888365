//! Deciding in somebody's place.

use super::*;
use crate::delegation::{self, Delegations};

fn delegated(to: Uuid, department_ids: Vec<Uuid>, total_max: Option<i64>) -> Delegations {
    state([delegation::Event::DelegationGranted {
        delegation_id: Uuid::from_u128(0x70),
        to,
        starts_at: day(1),
        ends_at: day(9),
        department_ids,
        total_max: total_max.map(Decimal::from),
        currency: None,
        granted_at: day(0),
    }])
}

fn to_deputy() -> Facts {
    world().with(LOW, delegated(DEPUTY, Vec::new(), None))
}

fn not_asked() -> Refusal {
    Refusal::NotAskedOfYou {
        level: 1,
        approver_id: LOW,
    }
}

#[test]
fn a_delegate_decides_in_the_approvers_place_and_it_is_recorded() {
    approval_in(to_deputy(), first_asked())
        .by(DEPUTY)
        .at(day(1))
        .when(approve(1))
        .then([
            timed(approved(ASKS[0], 1, DEPUTY, Some(LOW)), day(1)),
            asks(drawn(0), 2, (REGION, MID), day(1)),
        ]);
    let events = approval_in(to_deputy(), first_asked())
        .by(DEPUTY)
        .at(day(1))
        .when(reject(1))
        .events();
    assert!(
        matches!(
            &events[..],
            [Event::ApprovalRejected {
                by: Some(DEPUTY),
                on_behalf_of: Some(LOW),
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn the_approver_may_decide_as_well() {
    let events = approval_in(to_deputy(), first_asked())
        .by(LOW)
        .at(day(1))
        .when(approve(1))
        .events();
    assert_eq!(events[0], timed(approved(ASKS[0], 1, LOW, None), day(1)));
}

#[test]
fn a_delegate_decides_only_while_the_delegation_lives() {
    for at in [day(0), day(9)] {
        approval_in(to_deputy(), first_asked())
            .by(DEPUTY)
            .at(at)
            .when(approve(1))
            .refused(not_asked());
    }
}

#[test]
fn a_delegate_decides_only_within_the_scope() {
    let when = |delegations: Delegations| {
        approval_in(world().with(LOW, delegations), first_asked())
            .by(DEPUTY)
            .at(day(1))
            .when(approve(1))
    };
    assert_eq!(when(delegated(DEPUTY, vec![COMPANY], Some(5_000))).events().len(), 2);
    when(delegated(DEPUTY, vec![Uuid::from_u128(0x29)], None)).refused(not_asked());
    when(delegated(DEPUTY, Vec::new(), Some(4_999))).refused(not_asked());
}

#[test]
fn a_delegate_needs_the_permission_too() {
    approval_in(to_deputy().with(DEPUTY, person([])), first_asked())
        .by(DEPUTY)
        .at(day(1))
        .when(approve(1))
        .refused(Refusal::NotPermitted);
}

#[test]
fn delegations_form_no_chain() {
    // LOW to DEPUTY, DEPUTY to TOP: TOP does not decide for LOW.
    let facts = to_deputy().with(DEPUTY, delegated(TOP, Vec::new(), None));
    approval_in(facts, first_asked())
        .by(TOP)
        .at(day(1))
        .when(approve(1))
        .refused(not_asked());
}

#[test]
fn a_delegation_is_worth_nothing_once_the_approver_is_gone() {
    let gone = Refusal::ApproverGone { approver_id: LOW };
    for facts in [
        to_deputy().with(LOW, away()),
        to_deputy().with(LOW, person([])),
        to_deputy().with(STORE, department(Some(REGION), Some(MID))),
    ] {
        approval_in(facts, first_asked())
            .by(DEPUTY)
            .at(day(1))
            .when(approve(1))
            .refused(gone.clone());
    }
}
