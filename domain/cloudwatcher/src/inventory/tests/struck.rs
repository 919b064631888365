//! What happens to the stock of what is struck.

use uuid::Uuid;

use super::{LOCATION, PART, STOCK, everything, levels, location, received, reordered, stocked};
use crate::inventory::{Command, Event, Inventory, Refusal, StockKey, Suggestion};
use crate::part::Part;
use domain::register::Register;
use domain::{Facts, SYSTEM};
use rehearsal::given::Given;

const SUGGESTION: Uuid = Uuid::from_u128(0x70);
const AWAY: StockKey = StockKey {
    location_id: Uuid::from_u128(0x21),
    ..STOCK
};

fn of_struck_part() -> Facts {
    let facts = everything([LOCATION].into_iter());
    let part = facts.get::<Register<Part>>(PART).and_then(Register::active).cloned();
    facts.with(PART, Register::Struck(part.unwrap()))
}

fn at_struck_location() -> Facts {
    everything([AWAY.location_id].into_iter()).with(LOCATION, Register::Struck(location()))
}

fn issue() -> Command {
    Command::Issue {
        quantity: 1,
        reservation_id: None,
        source: None,
        still_to_come: None,
    }
}

/// Two on hand at a point of five, and a suggestion open.
fn suggested() -> Given<Inventory> {
    let suggestion = Suggestion {
        suggestion_id: SUGGESTION,
        on_hand: 2,
        reserved: 0,
        on_order: 0,
        projected: 2,
        reorder_point: 5,
        reorder_quantity: None,
        quantity: 4,
    };
    let suggested = Event::ReorderSuggested {
        stock: STOCK,
        suggestion,
    };
    reordered(Some(5), None, [received(2, levels(2, 0, 0)), suggested])
}

fn lapsed() -> Event {
    Event::ReorderLapsed {
        stock: STOCK,
        suggestion_id: SUGGESTION,
    }
}

#[test]
fn what_is_struck_is_suggested_for_reorder_no_more() {
    for facts in [of_struck_part(), at_struck_location()] {
        let low = reordered(Some(5), None, [received(6, levels(6, 0, 0))]);
        let events = low.with_facts(facts).when(issue()).events();
        assert!(matches!(events[..], [Event::StockIssued { .. }]), "{events:?}");
    }
    let low = reordered(Some(5), None, [received(6, levels(6, 0, 0))]);
    let events = low
        .with_facts(everything([LOCATION].into_iter()))
        .when(issue())
        .events();
    assert!(
        matches!(events[..], [Event::StockIssued { .. }, Event::ReorderSuggested { .. }]),
        "{events:?}"
    );
}

#[test]
fn an_open_suggestion_ends_when_what_it_is_of_is_struck() {
    for facts in [of_struck_part(), at_struck_location()] {
        suggested()
            .by(SYSTEM)
            .with_facts(facts)
            .when(Command::LookAgain {})
            .then([lapsed()]);
    }
    suggested()
        .by(SYSTEM)
        .with_facts(everything([LOCATION].into_iter()))
        .when(Command::LookAgain {})
        .then([]);
}

#[test]
fn what_is_in_use_again_is_suggested_with_its_next_move() {
    let past = reordered(Some(5), None, [received(2, levels(2, 0, 0))]);
    let events = past
        .with_facts(everything([LOCATION].into_iter()))
        .when(issue())
        .events();
    assert!(matches!(events[..], [_, Event::ReorderSuggested { .. }]), "{events:?}");
}

#[test]
fn a_struck_location_takes_no_goods_in_and_gives_them_out() {
    let there = || stocked([received(3, levels(3, 0, 0))]).with_facts(at_struck_location());
    let receive = Command::Receive {
        quantity: 1,
        source: None,
        stock: None,
        still_to_come: None,
    };
    there().when(receive.clone()).refused(Refusal::LocationStruck);
    // Also from an order, and from elsewhere.
    there().by(SYSTEM).when(receive).refused(Refusal::LocationStruck);
    let transfer_id = Uuid::from_u128(0x80);
    let into = Command::TransferIn {
        transfer_id,
        from: AWAY,
        to: STOCK,
        quantity: 1,
        source: None,
        still_to_come: None,
    };
    there().when(into).refused(Refusal::LocationStruck);
    let out = Command::TransferOut {
        transfer_id,
        to: AWAY,
        quantity: 1,
        reservation_id: None,
        source: None,
        still_to_come: None,
    };
    let other = Command::TransferIn {
        transfer_id,
        from: STOCK,
        to: AWAY,
        quantity: 1,
        source: None,
        still_to_come: None,
    };
    let moved = there()
        .together_with::<Inventory>(AWAY.stream(rehearsal::given::TENANT), other)
        .when(out);
    assert_eq!(moved.events().len(), 1);
    assert_eq!(there().when(issue()).events().len(), 1);
    let count = Command::Count {
        seen: 3,
        counted: 4,
        seen_sequence: None,
    };
    assert_eq!(there().when(count).events().len(), 1);
}

#[test]
fn goods_of_a_struck_part_are_still_taken_in() {
    let receive = Command::Receive {
        quantity: 1,
        source: None,
        stock: None,
        still_to_come: None,
    };
    let there = stocked([received(3, levels(3, 0, 0))]).with_facts(of_struck_part());
    assert_eq!(there.when(receive).events().len(), 1);
}
