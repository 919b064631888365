//! Asking for approval.

use super::*;
use crate::approval_policy::{CurrencyThresholds, Threshold};

fn from_a_hundred() -> ApprovalPolicy {
    ApprovalPolicy {
        currencies: vec![CurrencyThresholds {
            currency: "EUR".to_owned(),
            thresholds: vec![Threshold(Decimal::from(100))],
        }],
        departments: Vec::new(),
        top_deciders: Vec::new(),
        deadline_hours: 24,
    }
}

#[test]
fn an_order_that_waits_is_asked_of_the_first_level() {
    approval(Vec::new())
        .when(ask(1))
        .then([asked(1, 5_000, 2), asks(drawn(0), 1, (STORE, LOW), day(0))]);
}

#[test]
fn an_approver_has_until_the_deadline_of_the_policy() {
    let (stream, entered) = policy(from_a_hundred());
    let events = approval_in(world().with(stream, entered), Vec::new())
        .at(day(3))
        .when(ask(1))
        .events();
    let Some(Event::LevelAsked { due_at, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(*due_at, day(4));
}

#[test]
fn an_order_below_the_first_threshold_is_granted_at_once_by_nobody() {
    let (stream, entered) = policy(from_a_hundred());
    let mut asked = asked(1, 99, 0);
    if let Event::ApprovalAsked { deadline_hours, .. } = &mut asked {
        *deadline_hours = 24;
    }
    approval_in(world().with(stream, entered).with(STREAM, waiting(1, 99)), Vec::new())
        .when(ask(1))
        .then([asked, granted_to(None)]);
}

#[test]
fn the_same_revision_is_asked_once() {
    for past in [
        first_asked(),
        second_asked(),
        granted(),
        vec![asked(1, 5_000, 2), rejected(ASKS[0], 1, LOW)],
    ] {
        approval(past).when(ask(1)).then([]);
    }
}

#[test]
fn a_later_revision_voids_what_was_pending_or_granted() {
    let facts = || world().with(STREAM, waiting(2, 5_000));
    let first = || about(asks(drawn(0), 1, (STORE, LOW), day(0)), 2, 5_000);
    let anew = || [asked(2, 5_000, 2), first()];
    let voids = |past, ask_ids: &[Uuid]| {
        let void = voided(ask_ids, WhyVoid::Resubmitted);
        approval_in(facts(), past)
            .when(ask(2))
            .then([void].into_iter().chain(anew()));
    };
    voids(second_asked(), &ASKS[..2]);
    voids(granted(), &ASKS[..2]);
    approval_in(facts(), vec![asked(1, 5_000, 2), rejected(ASKS[0], 1, LOW)])
        .when(ask(2))
        .then(anew());
}

#[test]
fn only_an_order_that_waits_at_this_revision_is_asked_for() {
    let Order::PendingApproval(content, submitted) = waiting(1, 5_000) else {
        unreachable!()
    };
    for order in [
        Order::Draft(content.clone()),
        Order::Approved(content.clone(), submitted.clone()),
        Order::Cancelled(content, Some(submitted)),
        waiting(2, 5_000),
    ] {
        approval_in(world().with(STREAM, order), Vec::new())
            .when(ask(1))
            .refused(Refusal::NotWaiting { revision: 1 });
    }
    approval_in(Facts::default(), Vec::new())
        .when(ask(1))
        .refused(Refusal::NotWaiting { revision: 1 });
}

#[test]
fn when_nobody_can_approve_any_more_the_order_is_rejected_and_told_why() {
    let events = approval_in(world().with(MID, away()).with(TOP, away()), Vec::new())
        .when(ask(1))
        .events();
    let no_route = route::NoRoute::NoApprover { level: 2, levels: 2 };
    assert_eq!(
        events,
        [
            asked(1, 5_000, 2),
            Event::ApprovalRejected {
                revision: 1,
                ask_id: None,
                level: None,
                by: None,
                on_behalf_of: None,
                notes: no_route.to_string(),
                at: Some(day(0)),
            }
        ]
    );
    let (stream, entered) = policy(ApprovalPolicy {
        currencies: vec![CurrencyThresholds {
            currency: "USD".to_owned(),
            thresholds: vec![Threshold(Decimal::ZERO)],
        }],
        ..ApprovalPolicy::default()
    });
    let events = approval_in(world().with(stream, entered), Vec::new())
        .when(ask(1))
        .events();
    assert_eq!(events[0], asked(1, 5_000, 0));
    assert!(matches!(&events[1], Event::ApprovalRejected { by: None, notes, .. } if notes.contains("EUR")));
}
