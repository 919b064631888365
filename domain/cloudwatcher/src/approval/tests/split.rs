//! Orders that look as if one was split.

use super::*;
use crate::approval_policy::{CurrencyThresholds, Threshold};
use crate::buyer::{self, Buyer, supplier_totals};

const OTHERS: [Uuid; 3] = [Uuid::from_u128(0x61), Uuid::from_u128(0x62), Uuid::from_u128(0x63)];

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

/// The same, flagged with these.
fn flagged(mut asked: Event, with: &[Uuid]) -> Event {
    if let Event::ApprovalAsked { split_with, .. } = &mut asked {
        split_with.extend(with);
    }
    asked
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
    let flagged = flagged(asked(1, 5_000, 2), &[first]);
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

#[test]
fn a_flag_counts_for_nothing_once_its_order_is_cancelled() {
    let [first, second, _] = OTHERS;
    let facts = |second_now: Order| {
        world()
            .with(STREAM, waiting(1, 900))
            .with(first, waiting(1, 900))
            .with(second, second_now)
            .with(second, state::<Approval>([flagged(asked(1, 900, 1), &[first])]))
            .with(DRAFTER, bought(&[(first, 900), (second, 900), (STREAM, 900)]))
    };
    assert_eq!(split_with(facts(waiting(1, 900))), Vec::<Uuid>::new());
    let cancelled = Order::Cancelled(content(900), Some(submitted(1, 900)));
    assert_eq!(split_with(facts(cancelled)), [first]);
    assert_eq!(split_with(facts(Order::Draft(content(900)))), [first]);
}

fn thresholds(totals: &[i64]) -> (Uuid, Register<ApprovalPolicy>) {
    policy(ApprovalPolicy {
        currencies: vec![CurrencyThresholds {
            currency: "EUR".to_owned(),
            thresholds: totals.iter().map(|&total| Threshold(Decimal::from(total))).collect(),
        }],
        ..ApprovalPolicy::default()
    })
}

#[test]
fn a_flag_that_nobody_was_there_to_see_counts_for_nothing() {
    let [first, second, _] = OTHERS;
    let (stream, from_1_000) = thresholds(&[1_000, 2_000]);
    let facts = |second_asked: Vec<Event>| {
        world()
            .with(stream, from_1_000.clone())
            .with(STREAM, waiting(1, 1_000))
            .with(first, waiting(1, 600))
            .with(second, waiting(1, 600))
            .with(second, state::<Approval>(second_asked))
            .with(DRAFTER, bought(&[(first, 600), (second, 600), (STREAM, 1_000)]))
    };
    let nobody_needed = vec![flagged(asked(1, 600, 0), &[first]), granted_to(None)];
    assert_eq!(split_with(facts(nobody_needed)), [second, first]);
    let nobody_found = Event::ApprovalRejected {
        revision: 1,
        ask_id: None,
        level: None,
        by: None,
        on_behalf_of: None,
        notes: "nobody".to_owned(),
        at: Some(day(0)),
    };
    let rejected = vec![flagged(asked(1, 600, 1), &[first]), nobody_found];
    assert_eq!(split_with(facts(rejected)), [second, first]);
}

#[test]
fn what_was_shown_in_pairs_is_flagged_again_when_all_of_it_needs_more_levels() {
    let order = |n: u128| Uuid::from_u128(0x100 + n);
    let submitted_at = |n: u128| day(0) + TimeDelta::hours(i64::try_from(n).unwrap());
    let noted = |n: u128| buyer::Event::SubmissionNoted {
        order_id: order(n),
        revision: 1,
        currency: "EUR".to_owned(),
        suppliers: supplier_totals(&content(950).items),
        submitted_at: submitted_at(n),
    };
    let mut asked: Vec<Approval> = Vec::new();
    for n in 0..13 {
        let before = asked.iter().zip(0..).fold(world(), |facts, (approval, n)| {
            facts.with(order(n), waiting(1, 950)).with(order(n), approval.clone())
        });
        let facts = before
            .with(order(n), waiting(1, 950))
            .with(DRAFTER, state::<Buyer>((0..=n).map(noted)));
        let asking = given::<Approval>([]).on(order(n)).at(submitted_at(n));
        asked.push(state(asking.with_facts(facts).when(ask(1)).events()));
    }
    let with = asked.iter().map(|approval| approval.asked().unwrap().split_with.len());
    assert_eq!(with.collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 10, 0, 1]);
}

#[test]
fn what_an_order_has_grown_to_since_was_not_shown() {
    let [first, second, _] = OTHERS;
    let shown_small = || state::<Approval>([timed(flagged(asked(1, 900, 1), &[first]), day(1))]);
    let anew = || state::<Approval>([timed(asked(2, 9_200, 2), day(2))]);
    let facts = |others: &[(Uuid, i64)]| {
        world()
            .with(STREAM, waiting(1, 9_200))
            .with(second, waiting(1, 900))
            .with(second, shown_small())
            .with(DRAFTER, bought(others))
    };
    let grown = facts(&[(second, 900), (first, 9_200), (STREAM, 9_200)])
        .with(first, waiting(2, 9_200))
        .with(first, anew());
    assert_eq!(split_with(grown), [first, second]);
    // The one that has grown is asked about itself.
    let with_itself = state::<Approval>([timed(flagged(asked(1, 900, 1), &[STREAM]), day(1))]);
    let own = facts(&[(second, 900), (STREAM, 9_200)]).with(second, with_itself);
    assert_eq!(split_with(own), [second]);
    // And so is one that has, before its approval is asked for again.
    let behind = facts(&[(first, 9_200), (second, 900), (STREAM, 9_200)])
        .with(first, waiting(2, 9_200))
        .with(first, state::<Approval>([asked(1, 900, 1)]));
    assert_eq!(split_with(behind), [second, first]);
}

#[test]
fn what_was_shown_longer_ago_than_seven_days_was_shown_all_the_same() {
    let [first, second, _] = OTHERS;
    let facts = world()
        .with(first, waiting(1, 5_000))
        .with(second, waiting(1, 5_000))
        .with(second, state::<Approval>([flagged(asked(1, 5_000, 2), &[first])]))
        .with(DRAFTER, bought(&[(second, 5_000), (STREAM, 5_000)]));
    assert_eq!(split_with(facts), Vec::<Uuid>::new());
}

#[test]
fn a_larger_order_beside_them_does_not_hide_that_smaller_ones_were_split() {
    let [large, small, _] = OTHERS;
    let facts = world()
        .with(large, waiting(1, 12_000))
        .with(small, waiting(1, 5_000))
        .with(DRAFTER, bought(&[(large, 12_000), (small, 5_000), (STREAM, 5_000)]));
    assert_eq!(split_with(facts), [small]);
}

#[test]
fn what_was_shown_because_of_one_supplier_was_not_shown_because_of_another() {
    let [first, second, _] = OTHERS;
    let of_both = |of_acme: i64, of_bolt: i64| {
        let mut submitted = submitted(1, of_acme + of_bolt);
        submitted.items[0].unit_price = Decimal::from(of_acme);
        submitted.items.extend(from_bolt(of_bolt).items);
        submitted
    };
    let noted = |order_id, submitted: &Submitted| buyer::Event::SubmissionNoted {
        order_id,
        revision: 1,
        currency: "EUR".to_owned(),
        suppliers: supplier_totals(&submitted.items),
        submitted_at: day(0),
    };
    let facts = |own: Submitted| {
        world()
            .with(STREAM, Order::PendingApproval(content(500), own))
            .with(first, waiting(1, 800))
            .with(second, Order::PendingApproval(content(900), of_both(300, 600)))
            .with(second, state::<Approval>([flagged(asked(1, 900, 1), &[first])]))
            .with(
                DRAFTER,
                state::<Buyer>([noted(first, &submitted(1, 800)), noted(second, &of_both(300, 600))]),
            )
    };
    assert_eq!(split_with(facts(submitted(1, 500))), Vec::<Uuid>::new());
    assert_eq!(split_with(facts(from_bolt(500))), [second]);
}
