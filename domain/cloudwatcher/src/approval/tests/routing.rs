//! Who is asked, level by level.

use super::super::route::{NoRoute, Routing, Seat, route, route_reads};
use super::*;
use crate::approval_policy::DepartmentLevels;
use domain::{Decider, FactRef};

fn routing(total: i64) -> Routing<'static> {
    Routing {
        tenant: TENANT,
        department_id: STORE,
        currency: "EUR",
        total: Decimal::from(total),
        drafted_by: DRAFTER,
        submitted_by: SUBMITTER,
    }
}

/// The route, from nothing but what the route says it reads.
fn seats(facts: &Facts, routing: &Routing<'_>) -> Result<Vec<(Uuid, Uuid)>, NoRoute> {
    let mut named: Vec<FactRef> = Vec::new();
    loop {
        let known = facts.only(&named);
        let next = route_reads(routing.tenant, routing.department_id, &known);
        if next.len() == named.len() {
            let seats = route(routing, &known)?;
            assert!(seats.iter().zip(1..).all(|(seat, level)| seat.level == level));
            let place = |seat: &Seat| (seat.department_id, seat.approver_id);
            return Ok(seats.iter().map(place).collect());
        }
        named = next;
    }
}

fn nobody(level: i32, levels: i32) -> Result<Vec<(Uuid, Uuid)>, NoRoute> {
    Err(NoRoute::NoApprover { level, levels })
}

#[test]
fn level_n_is_asked_of_the_manager_of_the_nth_department_up_the_tree() {
    assert_eq!(seats(&world(), &routing(0)), Ok(vec![(STORE, LOW)]));
    assert_eq!(seats(&world(), &routing(1_000)), Ok(vec![(STORE, LOW), (REGION, MID)]));
    assert_eq!(
        seats(&world(), &routing(10_000)),
        Ok(vec![(STORE, LOW), (REGION, MID), (COMPANY, TOP)])
    );
}

#[test]
fn who_drafted_or_submitted_is_passed_over() {
    let drafted = Routing {
        drafted_by: LOW,
        ..routing(1_000)
    };
    let submitted = Routing {
        submitted_by: MID,
        ..routing(1_000)
    };
    assert_eq!(seats(&world(), &drafted), Ok(vec![(REGION, MID), (COMPANY, TOP)]));
    assert_eq!(seats(&world(), &submitted), Ok(vec![(STORE, LOW), (COMPANY, TOP)]));
}

#[test]
fn who_is_inactive_or_lacks_the_permission_is_passed_over() {
    let up = Ok(vec![(REGION, MID)]);
    let retired = {
        let mut retired = approver(["orders.approve"]);
        retired.evolve(&role::Event::RoleRetired { revoked: Vec::new() });
        retired
    };
    let other_role = Uuid::from_u128(0x31);
    for facts in [
        world().with(LOW, away()),
        world().with(LOW, User::Erased),
        world().with(LOW, person([])),
        world().with(LOW, person([other_role])).with(other_role, retired),
        world()
            .with(LOW, person([other_role]))
            .with(other_role, approver(["orders.read"])),
    ] {
        assert_eq!(seats(&facts, &routing(0)), up);
    }
}

#[test]
fn a_wildcard_permits_to_approve() {
    for granted in ["*", "orders.*"] {
        let facts = world().with(APPROVER, approver([granted]));
        assert_eq!(seats(&facts, &routing(0)), Ok(vec![(STORE, LOW)]));
    }
}

#[test]
fn who_is_named_at_another_level_is_passed_over() {
    let facts = world().with(REGION, department(Some(COMPANY), Some(LOW)));
    assert_eq!(seats(&facts, &routing(1_000)), Ok(vec![(STORE, LOW), (COMPANY, TOP)]));
}

#[test]
fn a_department_that_is_struck_or_has_no_manager_is_passed_over() {
    let Register::Entered(region) = department(Some(COMPANY), Some(MID)) else {
        unreachable!()
    };
    let up = Ok(vec![(STORE, LOW), (COMPANY, TOP)]);
    let unmanaged = world().with(REGION, department(Some(COMPANY), None));
    assert_eq!(seats(&unmanaged, &routing(1_000)), up);
    assert_eq!(
        seats(&world().with(REGION, Register::Struck(region)), &routing(1_000)),
        up
    );
}

#[test]
fn too_few_managers_are_refused_with_what_would_satisfy() {
    let facts = world().with(TOP, away());
    assert_eq!(seats(&facts, &routing(10_000)), nobody(3, 3));
    assert_eq!(seats(&facts.with(LOW, away()), &routing(10_000)), nobody(2, 3));
    let text = NoRoute::NoApprover { level: 3, levels: 3 }.to_string();
    assert!(
        text.contains("level 3 of the 3") && text.contains("orders.approve"),
        "{text}"
    );
}

#[test]
fn a_currency_without_thresholds_is_refused() {
    let francs = Routing {
        currency: "CHF",
        ..routing(0)
    };
    let refusal = NoRoute::NoThresholds {
        currency: "CHF".to_owned(),
    };
    assert_eq!(refusal.field().as_deref(), Some("currency"));
    assert_eq!(seats(&world(), &francs), Err(refusal));
}

#[test]
fn a_department_may_ask_for_more_levels_also_for_those_below_it() {
    let (stream, entered) = policy(ApprovalPolicy {
        departments: vec![DepartmentLevels {
            department_id: COMPANY,
            levels_min: 2,
        }],
        ..ApprovalPolicy::default()
    });
    let facts = world().with(stream, entered);
    assert_eq!(seats(&facts, &routing(0)), Ok(vec![(STORE, LOW), (REGION, MID)]));
}

#[test]
fn a_cycle_in_the_tree_ends() {
    let facts = world().with(COMPANY, department(Some(STORE), Some(TOP)));
    assert_eq!(
        seats(&facts, &routing(10_000)),
        Ok(vec![(STORE, LOW), (REGION, MID), (COMPANY, TOP)])
    );
    assert_eq!(seats(&facts.with(TOP, away()), &routing(10_000)), nobody(3, 3));
}

/// The world, where the policy names these for where the tree ends.
pub(super) fn ending_with(people: &[Uuid]) -> Facts {
    let (stream, entered) = policy(ApprovalPolicy {
        top_deciders: people.to_vec(),
        ..ApprovalPolicy::default()
    });
    world().with(stream, entered)
}

#[test]
fn where_the_tree_ends_those_are_asked_whom_the_policy_names() {
    let facts = || ending_with(&[DEPUTY, MID]).with(TOP, away());
    assert_eq!(
        seats(&facts(), &routing(10_000)),
        Ok(vec![(STORE, LOW), (REGION, MID), (COMPANY, DEPUTY)])
    );
    // Each once, in the order in which they are named.
    assert_eq!(seats(&facts().with(LOW, away()), &routing(10_000)), nobody(3, 3));
    let more = ending_with(&[SUBMITTER, TOP, DEPUTY])
        .with(LOW, away())
        .with(MID, away());
    assert_eq!(
        seats(&more, &routing(1_000)),
        Ok(vec![(COMPANY, TOP), (COMPANY, DEPUTY)])
    );
}

#[test]
fn whoever_ordered_or_may_not_approve_is_never_asked_where_the_tree_ends() {
    let lone = |facts: Facts| facts.with(LOW, away()).with(MID, away()).with(TOP, away());
    for named in [DRAFTER, SUBMITTER] {
        assert_eq!(seats(&lone(ending_with(&[named])), &routing(0)), nobody(1, 1));
    }
    for gone in [away(), person([]), User::Erased] {
        let facts = lone(ending_with(&[DEPUTY])).with(DEPUTY, gone);
        assert_eq!(seats(&facts, &routing(0)), nobody(1, 1));
    }
    assert_eq!(
        seats(&lone(ending_with(&[DRAFTER, DEPUTY])), &routing(0)),
        Ok(vec![(COMPANY, DEPUTY)])
    );
}
