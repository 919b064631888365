//! What an approval does to its order, and that nothing is placed without one.

use super::*;
use rehearsal::given::given;

const SETTLE: Command = Command::SettleApproval {};
const PLACE: Command = Command::Place {};

#[test]
fn a_granted_approval_makes_the_order_approved() {
    given::<Order>([drafted(1), submitted()])
        .with_facts(decided(granted()))
        .when(SETTLE)
        .then([approved()]);
    let order = state::<Order>([drafted(1), submitted(), approved()]);
    assert_eq!(order.status(), Some(OrderStatus::Approved));
}

#[test]
fn a_rejected_order_is_a_draft_with_its_content_and_is_submitted_as_the_next_revision() {
    let rejection = Event::OrderRejected {
        revision: 1,
        rejected_by: Some(MANAGER),
    };
    given::<Order>([drafted(1), submitted()])
        .with_facts(decided(rejected()))
        .when(SETTLE)
        .then([rejection.clone()]);
    let past = [drafted(1), submitted(), rejection];
    let order = state::<Order>(past.clone());
    assert_eq!((order.status(), order.submitted()), (Some(OrderStatus::Draft), None));
    assert_eq!(order.content().unwrap().items, [item(0)]);
    let events = given::<Order>(past)
        .with_facts(known())
        .when(Command::Submit {})
        .events();
    assert!(matches!(events.as_slice(), [Event::OrderSubmitted { revision: 2, .. }]));
}

#[test]
fn only_a_decision_on_exactly_what_was_submitted_is_settled() {
    let other_revision = granted_for(2, HASH, None);
    let other_content = granted_for(1, "c0", None);
    for approval in [Approval::Unasked, pending(), voided(), other_revision, other_content] {
        given::<Order>([drafted(1), submitted()])
            .with_facts(decided(approval))
            .when(SETTLE)
            .refused(Refusal::NotDecided { revision: 1 });
    }
}

#[test]
fn settling_again_changes_nothing() {
    let rejection = Event::OrderRejected {
        revision: 1,
        rejected_by: None,
    };
    let short = Event::OrderClosedShort {
        open: Vec::new(),
        named: Vec::new(),
    };
    for (past, approval) in [
        (vec![drafted(1), submitted(), approved()], granted()),
        (vec![drafted(1), submitted(), rejection], rejected()),
        (placed(), granted()),
        (placed().into_iter().chain([short]).collect(), granted()),
    ] {
        given::<Order>(past).with_facts(decided(approval)).when(SETTLE).then([]);
    }
}

#[test]
fn an_order_that_was_never_submitted_or_is_cancelled_waits_for_no_approval() {
    let cancelled = Event::OrderCancelled {};
    for (past, status) in [
        (vec![drafted(1)], OrderStatus::Draft),
        (vec![drafted(1), submitted(), cancelled], OrderStatus::Cancelled),
    ] {
        given::<Order>(past)
            .with_facts(decided(granted()))
            .when(SETTLE)
            .refused(Refusal::NotWaiting { status });
    }
}

#[test]
fn an_approved_order_is_placed() {
    given::<Order>([drafted(1), submitted(), approved()])
        .with_facts(decided(granted()))
        .when(PLACE)
        .then([Event::OrderPlaced {}]);
    assert_eq!(state::<Order>(placed()).status(), Some(OrderStatus::Ordered));
}

#[test]
fn what_an_approved_order_names_must_still_be_in_use_when_it_is_placed() {
    let placing = |facts: Facts| {
        given::<Order>([drafted_for(OTHER), submitted(), approved()])
            .with_facts(facts)
            .when(PLACE)
    };
    let all = || decided(granted()).with(OTHER, Register::Entered(location()));
    placing(all()).then([Event::OrderPlaced {}]);
    let struck = all().with(OTHER, Register::Struck(location()));
    placing(struck).refused(outdated_for_good("location_id", "names no location in use"));
    let struck = all().with(PART, Register::Struck(part()));
    placing(struck).refused(outdated("items[0].part_id", "names no part in use"));
    let struck = all().with(VARIANT, Register::Struck(variant(PART)));
    placing(struck).refused(outdated("items[0].variant_id", "names no variant in use"));
    let struck = all().with(SUPPLIER, Register::Struck(supplier()));
    placing(struck).refused(outdated("items[0].supplier_id", "names no supplier in use"));
}

#[test]
fn only_an_approved_order_is_placed() {
    for (past, status) in [
        (vec![drafted(1)], OrderStatus::Draft),
        (vec![drafted(1), submitted()], OrderStatus::PendingApproval),
        (placed(), OrderStatus::Ordered),
        (vec![drafted(1), Event::OrderCancelled {}], OrderStatus::Cancelled),
    ] {
        given::<Order>(past)
            .with_facts(decided(granted()))
            .when(PLACE)
            .refused(Refusal::NotApproved { status });
    }
}

#[test]
fn an_order_is_placed_only_while_its_approval_stands() {
    let other_revision = granted_for(2, HASH, None);
    let other_content = granted_for(1, "c0", None);
    for approval in [
        Approval::Unasked,
        pending(),
        rejected(),
        voided(),
        other_revision,
        other_content,
    ] {
        given::<Order>([drafted(1), submitted(), approved()])
            .with_facts(decided(approval))
            .when(PLACE)
            .refused(Refusal::ApprovalGone { revision: 1 });
    }
}

#[test]
fn an_order_is_placed_with_less_than_what_was_approved() {
    let less = Event::OrderItemChanged {
        item: Item { quantity: 1, ..item(0) },
        was: item(0).terms(),
        named: Vec::new(),
        was_named: Vec::new(),
    };
    given::<Order>([drafted(1), submitted(), approved(), less])
        .with_facts(decided(granted()))
        .when(PLACE)
        .then([Event::OrderPlaced {}]);
}

#[test]
fn an_order_is_never_placed_with_more_than_what_was_approved() {
    let changed = |item: Item| Event::OrderItemChanged {
        item,
        was: super::item(0).terms(),
        named: Vec::new(),
        was_named: Vec::new(),
    };
    let item = || super::item(0);
    // No command leads to these; placing rests on no other rule.
    for event in [
        Event::OrderItemAdded {
            item: super::item(1),
            named: Vec::new(),
        },
        Event::OrderCurrencyChanged {
            currency: "USD".to_owned(),
            was: "EUR".to_owned(),
        },
        changed(Item { quantity: 4, ..item() }),
        changed(Item {
            unit_price: Decimal::new(1251, 2),
            ..item()
        }),
        changed(Item {
            part_id: OTHER,
            ..item()
        }),
        changed(Item {
            variant_id: None,
            ..item()
        }),
        changed(Item {
            supplier_id: OTHER,
            ..item()
        }),
    ] {
        given::<Order>([drafted(1), submitted(), approved(), event])
            .with_facts(decided(granted()))
            .when(PLACE)
            .refused(Refusal::BeyondApproval { revision: 1 });
    }
}
