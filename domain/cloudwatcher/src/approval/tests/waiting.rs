//! What happens when nobody decides: escalation, reassignment, and the end of an approval.

use super::*;

fn escalate(ask_id: Uuid) -> Command {
    Command::Escalate { ask_id }
}

fn escalated(to: Uuid) -> Event {
    Event::LevelEscalated {
        ask_id: ASKS[0],
        level: 1,
        from: LOW,
        to,
        at: Some(day(2)),
    }
}

fn asked_above(ask_id: Uuid, (department_id, approver_id): (Uuid, Uuid), at: DateTime<Utc>) -> Event {
    Event::LevelAsked {
        ask_id,
        level: 1,
        department_id,
        approver_id,
        due_at: at + TimeDelta::hours(48),
        escalated_from: Some(LOW),
        revision: 1,
        order_total: Decimal::from(5_000),
        currency: "EUR".to_owned(),
        split_with: Vec::new(),
        is_top: false,
    }
}

fn overdue(ask_id: Uuid, level: i32, approver_id: Uuid) -> Event {
    Event::ApprovalOverdue {
        ask_id,
        level,
        approver_id,
    }
}

/// Level 1 was escalated from the store's to the region's manager.
fn once_escalated() -> Vec<Event> {
    let mut past = first_asked();
    past.extend([escalated(MID), asked_above(ASKS[1], (REGION, MID), day(2))]);
    past
}

#[test]
fn a_level_that_is_past_its_deadline_moves_to_the_next_manager_above() {
    approval(first_asked())
        .at(day(2))
        .when(escalate(ASKS[0]))
        .then([escalated(MID), asked_above(drawn(0), (REGION, MID), day(2))]);
}

#[test]
fn an_escalation_passes_over_who_may_not_decide() {
    let past = vec![asked(1, 500, 1), asks(ASKS[0], 1, (STORE, LOW), day(0))];
    let facts = world().with(STREAM, waiting(1, 500)).with(MID, away());
    approval_in(facts, past).at(day(2)).when(escalate(ASKS[0])).then([
        escalated(TOP),
        about(asked_above(drawn(0), (COMPANY, TOP), day(2)), 1, 500),
    ]);
}

#[test]
fn nothing_is_escalated_before_its_deadline() {
    approval(first_asked())
        .at(day(2) - TimeDelta::seconds(1))
        .when(escalate(ASKS[0]))
        .refused(Refusal::NotDue { due_at: day(2) });
}

#[test]
fn a_level_is_escalated_once_and_then_overdue_once() {
    approval(once_escalated())
        .at(day(4))
        .when(escalate(ASKS[1]))
        .then([overdue(ASKS[1], 1, MID)]);
    let mut past = once_escalated();
    past.push(overdue(ASKS[1], 1, MID));
    approval(past).at(day(5)).when(escalate(ASKS[1])).then([]);
}

#[test]
fn an_overdue_ask_can_still_be_decided() {
    let mut past = second_asked();
    past.push(overdue(ASKS[1], 2, MID));
    let events = approval(past).by(MID).at(day(5)).when(approve(1)).events();
    assert_eq!(events.last(), Some(&granted_to(Some(MID))));
}

#[test]
fn the_top_approves_nothing_by_waiting() {
    let facts = world().with(STREAM, waiting(1, 50_000));
    let past = vec![asked(1, 50_000, 3), asks(ASKS[2], 3, (COMPANY, TOP), day(0))];
    approval_in(facts, past)
        .at(day(100))
        .when(escalate(ASKS[2]))
        .then([overdue(ASKS[2], 3, TOP)]);
}

#[test]
fn a_level_is_not_escalated_to_whom_a_later_level_needs() {
    // Three levels and three managers: nobody can be spared.
    let facts = world().with(STREAM, waiting(1, 50_000));
    let past = vec![asked(1, 50_000, 3), asks(ASKS[0], 1, (STORE, LOW), day(0))];
    approval_in(facts, past)
        .at(day(2))
        .when(escalate(ASKS[0]))
        .then([overdue(ASKS[0], 1, LOW)]);
}

#[test]
fn a_timer_of_what_is_no_longer_open_does_nothing() {
    let over = |last: Event| {
        let mut past = first_asked();
        past.push(last);
        past
    };
    for past in [
        second_asked(),
        once_escalated(),
        over(rejected(ASKS[0], 1, LOW)),
        over(voided(&[ASKS[0]], WhyVoid::OrderCancelled)),
        granted(),
    ] {
        approval(past).at(day(2)).when(escalate(ASKS[0])).then([]);
    }
    approval_in(world().with(STREAM, waiting(2, 5_000)), first_asked())
        .at(day(2))
        .when(escalate(ASKS[0]))
        .then([]);
}

fn reassigned(to: Uuid) -> Event {
    Event::LevelReassigned {
        ask_id: ASKS[0],
        level: 1,
        from: LOW,
        to,
        by: Some(BY),
        at: Some(day(0)),
    }
}

#[test]
fn a_level_moves_to_the_new_manager_of_the_department() {
    approval_in(
        world().with(STORE, department(Some(REGION), Some(DEPUTY))),
        first_asked(),
    )
    .when(Command::Reassign {})
    .then([reassigned(DEPUTY), asks(drawn(0), 1, (STORE, DEPUTY), day(0))]);
}

#[test]
fn a_level_moves_up_when_the_named_person_is_inactive_or_lost_the_permission() {
    for gone in [away(), person([]), User::Erased] {
        approval_in(world().with(LOW, gone), first_asked())
            .when(Command::Reassign {})
            .then([reassigned(MID), asks(drawn(0), 1, (REGION, MID), day(0))]);
    }
}

#[test]
fn nothing_is_reassigned_while_the_named_person_still_qualifies() {
    approval(first_asked())
        .when(Command::Reassign {})
        .refused(Refusal::StillEntitled { approver_id: LOW });
}

#[test]
fn nothing_is_reassigned_when_nobody_would_be_left_for_a_level() {
    approval_in(world().with(LOW, away()).with(TOP, away()), first_asked())
        .when(Command::Reassign {})
        .refused(Refusal::NoRoute(route::NoRoute::NoApprover { level: 2, levels: 2 }));
}

#[test]
fn an_escalated_level_stays_escalated_when_it_is_reassigned() {
    let facts = world()
        .with(REGION, department(Some(COMPANY), Some(DEPUTY)))
        .with(STREAM, waiting(1, 5_000));
    approval_in(facts, once_escalated()).when(Command::Reassign {}).then([
        Event::LevelReassigned {
            ask_id: ASKS[1],
            level: 1,
            from: MID,
            to: DEPUTY,
            by: Some(BY),
            at: Some(day(0)),
        },
        asked_above(drawn(0), (REGION, DEPUTY), day(0)),
    ]);
}

/// Level 1 is asked of DEPUTY, whom the policy names for where the tree ends.
fn asked_where_the_tree_ends() -> Vec<Event> {
    let mut asks = asks(ASKS[0], 1, (COMPANY, DEPUTY), day(0));
    if let Event::LevelAsked { is_top, .. } = &mut asks {
        *is_top = true;
    }
    vec![asked(1, 500, 1), asks]
}

#[test]
fn whom_the_policy_names_decides_for_as_long_as_it_names_them() {
    let named = || routing::ending_with(&[DEPUTY]).with(STREAM, waiting(1, 500));
    let events = approval_in(named(), asked_where_the_tree_ends())
        .by(DEPUTY)
        .when(approve(1))
        .events();
    assert_eq!(events.len(), 2, "{events:?}");
    approval_in(named(), asked_where_the_tree_ends())
        .when(Command::Reassign {})
        .refused(Refusal::StillEntitled { approver_id: DEPUTY });
    let unnamed = || world().with(STREAM, waiting(1, 500));
    approval_in(unnamed(), asked_where_the_tree_ends())
        .by(DEPUTY)
        .when(approve(1))
        .refused(Refusal::ApproverGone { approver_id: DEPUTY });
    let events = approval_in(unnamed(), asked_where_the_tree_ends())
        .when(Command::Reassign {})
        .events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::LevelReassigned { to: LOW, .. }, Event::LevelAsked { .. }]
        ),
        "{events:?}"
    );
}

#[test]
fn a_level_that_nobody_decides_at_the_top_goes_to_whom_the_policy_names_next() {
    let facts = routing::ending_with(&[DEPUTY, LOW]).with(STREAM, waiting(1, 500));
    let events = approval_in(facts, asked_where_the_tree_ends())
        .at(day(2))
        .when(escalate(ASKS[0]))
        .events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::LevelEscalated { to: LOW, .. },
                Event::LevelAsked { is_top: true, .. }
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn an_approval_is_reassigned_only_while_its_order_waits() {
    let facts = world().with(LOW, away()).with(STREAM, waiting(2, 5_000));
    approval_in(facts, first_asked())
        .when(Command::Reassign {})
        .refused(Refusal::OrderMovedOn);
}

#[test]
fn an_approval_ends_with_its_order() {
    let cancelled = || Order::Cancelled(content(5_000), Some(submitted(1, 5_000)));
    approval_in(world().with(STREAM, cancelled()), first_asked())
        .when(void())
        .then([voided(&[ASKS[0]], WhyVoid::OrderCancelled)]);
    approval_in(world().with(STREAM, cancelled()), granted())
        .when(void())
        .then([voided(&ASKS[..2], WhyVoid::OrderCancelled)]);
    approval_in(world().with(STREAM, waiting(2, 5_000)), first_asked())
        .when(void())
        .then([voided(&[ASKS[0]], WhyVoid::OrderMovedOn)]);
}

#[test]
fn an_approval_does_not_end_while_its_order_needs_it() {
    approval(first_asked()).when(void()).refused(Refusal::StillNeeded);
    for order in [
        waiting(1, 5_000),
        Order::Approved(content(5_000), submitted(1, 5_000)),
        Order::ClosedShort(content(5_000), submitted(1, 5_000), Receipts::default()),
    ] {
        approval_in(world().with(STREAM, order), granted())
            .when(void())
            .refused(Refusal::StillNeeded);
    }
}

#[test]
fn what_is_over_does_not_end_again() {
    let cancelled = || Order::Cancelled(content(5_000), Some(submitted(1, 5_000)));
    for last in [rejected(ASKS[0], 1, LOW), voided(&[ASKS[0]], WhyVoid::OrderCancelled)] {
        approval_in(world().with(STREAM, cancelled()), vec![asked(1, 5_000, 2), last])
            .when(void())
            .then([]);
    }
}
