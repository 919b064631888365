//! Asking for approval.

use super::*;
use crate::approval_policy::{CurrencyThresholds, Threshold};
use crate::buyer::{self, Buyer, supplier_totals};

const OTHERS: [Uuid; 3] = [Uuid::from_u128(0x61), Uuid::from_u128(0x62), Uuid::from_u128(0x63)];

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

/// What the drafter submitted besides, as (order, total), a day apart.
fn bought(others: &[(Uuid, i64)]) -> Buyer {
    state(others.iter().zip(0..).map(|(&(order_id, total), n)| {
        let suppliers = supplier_totals(&content(total).items);
        buyer::Event::SubmissionNoted {
            order_id,
            revision: 1,
            currency: "EUR".to_owned(),
            suppliers,
            submitted_at: day(n),
        }
    }))
}

fn split_with(facts: Facts) -> Vec<Uuid> {
    let events = approval_in(facts, Vec::new()).when(ask(1)).events();
    match &events[..] {
        [
            Event::ApprovalAsked { split_with, .. },
            Event::LevelAsked {
                split_with: told_to_the_approver,
                ..
            },
        ] => {
            assert_eq!(split_with, told_to_the_approver);
            split_with.clone()
        }
        _ => panic!("{events:?}"),
    }
}

#[test]
fn orders_that_would_need_more_levels_together_are_flagged_but_not_blocked() {
    let [first, second, _] = OTHERS;
    let facts = world()
        .with(first, waiting(1, 3_000))
        .with(second, waiting(1, 2_000))
        .with(DRAFTER, bought(&[(first, 3_000), (second, 2_000), (STREAM, 5_000)]));
    assert_eq!(split_with(facts), [second, first]);
}

#[test]
fn orders_that_need_no_more_levels_together_are_not_flagged() {
    let [first, ..] = OTHERS;
    let facts = world()
        .with(first, waiting(1, 4_999))
        .with(DRAFTER, bought(&[(first, 4_999)]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}

/// The same as [`content`], bought from another supplier.
fn from_bolt(total: i64) -> Submitted {
    let mut submitted = submitted(1, total);
    submitted.items[0].supplier_id = Uuid::from_u128(0x41);
    submitted
}

#[test]
fn what_is_bought_of_another_supplier_is_no_part_of_a_split() {
    let [first, ..] = OTHERS;
    let bolt = Order::PendingApproval(content(9_000), from_bolt(9_000));
    let noted = buyer::Event::SubmissionNoted {
        order_id: first,
        revision: 1,
        currency: "EUR".to_owned(),
        suppliers: supplier_totals(&from_bolt(9_000).items),
        submitted_at: day(0),
    };
    let facts = world().with(first, bolt).with(DRAFTER, state::<Buyer>([noted]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}

#[test]
fn an_order_beside_one_that_needs_as_many_levels_alone_is_not_flagged() {
    let [first, ..] = OTHERS;
    let facts = world()
        .with(first, waiting(1, 12_000))
        .with(DRAFTER, bought(&[(first, 12_000)]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}

#[test]
fn a_regular_buyers_orders_are_flagged_once_and_not_every_time() {
    let [first, second, third] = OTHERS;
    // The second was flagged with the first, and an approver saw both.
    let mut flagged = asked(1, 5_000, 2);
    if let Event::ApprovalAsked { split_with, .. } = &mut flagged {
        split_with.push(first);
    }
    let facts = |of_third: i64| {
        world()
            .with(first, waiting(1, 5_000))
            .with(second, waiting(1, 5_000))
            .with(second, state::<Approval>([flagged.clone()]))
            .with(third, waiting(1, of_third))
            .with(DRAFTER, bought(&[(first, 5_000), (second, 5_000), (third, of_third)]))
    };
    assert_eq!(split_with(facts(4_000)), Vec::<Uuid>::new());
    assert_eq!(split_with(facts(5_000)), [third]);
}

#[test]
fn an_order_that_was_submitted_later_is_flagged_itself_and_not_the_earlier_one() {
    let [first, ..] = OTHERS;
    let facts = world()
        .with(first, waiting(1, 6_000))
        .with(DRAFTER, bought(&[(STREAM, 5_000), (first, 6_000)]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}

#[test]
fn a_cancelled_order_is_no_part_of_a_split() {
    let [first, second, third] = OTHERS;
    let facts = world()
        .with(first, Order::Cancelled(content(9_000), Some(submitted(1, 9_000))))
        .with(second, Order::Draft(content(9_000)))
        .with(DRAFTER, bought(&[(first, 9_000), (second, 9_000), (third, 9_000)]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}
