use chrono::{Days, NaiveDate};
use uuid::Uuid;

use super::{KEPT, NEWER, ORDER, REQUEST, STOCK, levels, now, received, reserved, stocked, ten_with_four_kept};
use crate::inventory::{
    Command, Consumption, Event, LEVELS_REMEMBERED, NOTES_CHARS_MAX, Refusal, STOCK_MAX, Source, SourceKind, Uncovered,
};
use domain::text::Unfit;
use domain::{Facts, SYSTEM};
use rehearsal::given::{BY, drawn, long};

const OTHER_ORDER: Source = Source {
    kind: SourceKind::Order,
    id: Uuid::from_u128(0x51),
};

fn receive(quantity: i32, source: Option<Source>) -> Command {
    Command::Receive {
        quantity,
        source,
        stock: None,
        still_to_come: None,
    }
}

fn issue(quantity: i32, reservation_id: Option<Uuid>) -> Command {
    Command::Issue {
        quantity,
        reservation_id,
        source: None,
        still_to_come: None,
    }
}

fn consumption(quantity: i32, reservation_id: Option<Uuid>) -> Consumption {
    Consumption {
        quantity,
        reservation_id,
        consumption_date: None,
        consumed_by: None,
        notes: None,
    }
}

fn issued(quantity: i32, reservation_id: Option<Uuid>, after: super::Levels) -> Event {
    Event::StockIssued {
        stock: STOCK,
        quantity,
        reservation_id,
        source: reservation_id.map(|_| REQUEST),
        after,
        still_to_come: None,
    }
}

fn expected(source: Source, quantity: i32, on_order: i32) -> Event {
    Event::StockExpected {
        stock: STOCK,
        order_id: source.id,
        quantity,
        after: levels(0, 0, on_order),
    }
}

#[test]
fn a_move_is_of_at_least_one_and_fits_the_column() {
    for quantity in [0, -1, STOCK_MAX + 1] {
        let unfit = Unfit::Range {
            value: quantity.into(),
            min: 1,
            max: STOCK_MAX.into(),
        };
        let refusal = Refusal::Unfit {
            field: "quantity",
            unfit,
        };
        stocked([]).when(receive(quantity, None)).refused(refusal.clone());
        stocked(ten_with_four_kept())
            .when(issue(quantity, None))
            .refused(refusal);
    }
    stocked([received(1, levels(1, 0, 0))])
        .when(receive(STOCK_MAX, None))
        .refused(Refusal::TooMuchStock);
}

#[test]
fn what_comes_of_an_order_is_no_longer_to_come() {
    let past = || [expected(ORDER, 10, 10), expected(OTHER_ORDER, 5, 15)];
    let came = |quantity, source, on_order| Event::StockReceived {
        stock: STOCK,
        quantity,
        source: Some(source),
        after: levels(quantity, 0, on_order),
        still_to_come: None,
    };
    stocked(past())
        .by(SYSTEM)
        .when(receive(4, Some(ORDER)))
        .then([came(4, ORDER, 11)]);
    // More than ordered came: the other order's goods are still to come.
    stocked(past())
        .by(SYSTEM)
        .when(receive(12, Some(ORDER)))
        .then([came(12, ORDER, 5)]);
    let by_hand = Source {
        kind: SourceKind::Other,
        ..ORDER
    };
    stocked(past())
        .when(receive(4, Some(by_hand)))
        .then([came(4, by_hand, 15)]);
}

#[test]
fn what_an_order_keeps_or_brings_is_moved_by_nobody_else() {
    let order_id = ORDER.id;
    let kept = || {
        let mut reserved = reserved(KEPT, 4, levels(10, 4, 0));
        if let Event::StockReserved { source, .. } = &mut reserved {
            *source = Some(ORDER);
        }
        [received(10, levels(10, 0, 0)), reserved]
    };
    let own = |command: Command| stocked(kept()).when(command).refused(Refusal::OrdersOwn { order_id });
    let consumption = Consumption {
        quantity: 1,
        reservation_id: Some(KEPT),
        consumption_date: None,
        consumed_by: None,
        notes: None,
    };
    own(Command::Release { reservation_id: KEPT });
    own(Command::Shorten {
        reservation_id: KEPT,
        quantity: 1,
    });
    own(Command::Consume(consumption));
    own(issue(1, Some(KEPT)));
    own(receive(1, Some(ORDER)));
    own(Command::Issue {
        quantity: 1,
        reservation_id: None,
        source: Some(ORDER),
        still_to_come: None,
    });
    let released = stocked(kept())
        .by(SYSTEM)
        .when(Command::Release { reservation_id: KEPT });
    assert_eq!(released.events().len(), 1);
}

#[test]
fn only_what_is_available_is_given_out() {
    stocked(ten_with_four_kept())
        .when(issue(6, None))
        .then([issued(6, None, levels(4, 4, 0))]);
    stocked(ten_with_four_kept())
        .when(issue(7, None))
        .refused(Refusal::NotAvailable { available: 6 });
}

#[test]
fn a_reservation_gives_out_what_it_keeps_and_ends_with_the_last() {
    stocked(ten_with_four_kept())
        .when(issue(3, Some(KEPT)))
        .then([issued(3, Some(KEPT), levels(7, 1, 0))]);
    stocked(ten_with_four_kept())
        .when(issue(5, Some(KEPT)))
        .refused(Refusal::BeyondReservation { left: 4 });
    let used_up = ten_with_four_kept()
        .into_iter()
        .chain([issued(4, Some(KEPT), levels(6, 0, 0))]);
    stocked(used_up)
        .when(issue(1, Some(KEPT)))
        .refused(Refusal::NoSuchReservation);
}

#[test]
fn what_is_consumed_says_when_and_by_whom() {
    let consumed = |consumed_by, date| Event::StockConsumed {
        stock: STOCK,
        consumption_id: drawn(0),
        quantity: 2,
        reservation_id: Some(KEPT),
        source: Some(REQUEST),
        consumption_date: date,
        consumed_by,
        notes: None,
        after: levels(8, 2, 0),
    };
    let today = now().date_naive();
    let consume = Command::Consume(consumption(2, Some(KEPT)));
    stocked(ten_with_four_kept())
        .when(consume.clone())
        .then([consumed(Some(BY), today)]);
    stocked(ten_with_four_kept())
        .by(SYSTEM)
        .when(consume)
        .then([consumed(None, today)]);
    let yesterday = today - Days::new(1);
    let consume = Command::Consume(Consumption {
        consumption_date: Some(yesterday),
        consumed_by: Some(BY),
        ..consumption(2, Some(KEPT))
    });
    stocked(ten_with_four_kept())
        .when(consume)
        .then([consumed(Some(BY), yesterday)]);
}

#[test]
fn whoever_consumed_is_a_user_and_the_day_is_not_to_come() {
    let consume = |date, consumed_by, notes| {
        Command::Consume(Consumption {
            consumption_date: date,
            consumed_by,
            notes,
            ..consumption(1, None)
        })
    };
    let today = now().date_naive();
    let latest = today + Days::new(1);
    for date in [latest + Days::new(1), NaiveDate::from_ymd_opt(1999, 12, 31).unwrap()] {
        stocked(ten_with_four_kept())
            .when(consume(Some(date), None, None))
            .refused(Refusal::ConsumptionDate { latest });
    }
    stocked(ten_with_four_kept())
        .with_facts(Facts::default())
        .when(consume(None, Some(Uuid::from_u128(9)), None))
        .refused(Refusal::Reference {
            field: "consumed_by",
            detail: "names no user",
        });
    stocked(ten_with_four_kept())
        .when(consume(None, None, Some(long(NOTES_CHARS_MAX + 1))))
        .refused(Refusal::Unfit {
            field: "notes",
            unfit: Unfit::TooLong {
                chars: NOTES_CHARS_MAX + 1,
                max: NOTES_CHARS_MAX,
            },
        });
}

fn count(seen: i32, counted: i32, seen_sequence: Option<i64>) -> Command {
    Command::Count {
        seen,
        counted,
        seen_sequence,
    }
}

#[test]
fn a_count_corrects_by_the_difference_to_what_the_counter_saw() {
    // Opened, ten came and four were kept; the list was made, two were given out since, and one was missing.
    let past = || {
        ten_with_four_kept()
            .into_iter()
            .chain([issued(2, None, levels(8, 4, 0))])
    };
    stocked(past()).when(count(10, 9, Some(3))).then([Event::StockCounted {
        stock: STOCK,
        seen: 10,
        counted: 9,
        delta: -1,
        short: 0,
        newest: Vec::new(),
        after: levels(7, 4, 0),
    }]);
    // A count that agrees is kept: it says that somebody has looked.
    stocked(ten_with_four_kept())
        .when(count(10, 10, None))
        .then([Event::StockCounted {
            stock: STOCK,
            seen: 10,
            counted: 10,
            delta: 0,
            short: 0,
            newest: Vec::new(),
            after: levels(10, 4, 0),
        }]);
}

#[test]
fn a_count_names_the_newest_reservations_that_are_not_covered() {
    let past = ten_with_four_kept()
        .into_iter()
        .chain([reserved(NEWER, 5, levels(10, 9, 0))]);
    let uncovered = |reservation_id, quantity| Uncovered {
        reservation_id,
        quantity,
    };
    stocked(past).when(count(10, 3, None)).then([Event::StockCounted {
        stock: STOCK,
        seen: 10,
        counted: 3,
        delta: -7,
        short: 6,
        newest: vec![uncovered(NEWER, 5), uncovered(KEPT, 1)],
        after: levels(3, 9, 0),
    }]);
}

#[test]
fn a_count_of_what_the_book_never_said_has_to_be_made_again() {
    // Nothing was seen, 28 lay there, and 28 are in the book: what came between is counted already, or is not.
    let came = || [received(28, levels(28, 0, 0))];
    stocked(came())
        .when(count(0, 28, None))
        .refused(Refusal::SeenOtherwise { on_hand: 28 });
    // Of a list from before they came it is known.
    stocked(came())
        .when(count(0, 28, Some(2)))
        .refused(Refusal::NotSeenThen { was: 28, on_hand: 28 });
    assert_eq!(stocked(came()).when(count(0, 0, Some(1))).events().len(), 1);
    for nowhere in [-1, 0, 3, i64::MAX, i64::MIN] {
        stocked(came())
            .when(count(28, 28, Some(nowhere)))
            .refused(Refusal::SeenTooLongAgo { on_hand: 28 });
    }
}

#[test]
fn what_one_count_has_booked_another_from_the_same_list_does_not_book_again() {
    // A hundred are in the book, and two are missing: two people count from one list.
    let counted = || {
        let first = stocked([received(100, levels(100, 0, 0))])
            .when(count(100, 98, Some(2)))
            .events();
        [received(100, levels(100, 0, 0))].into_iter().chain(first)
    };
    stocked(counted())
        .when(count(100, 98, Some(2)))
        .refused(Refusal::CountedSince { on_hand: 98 });
    assert_eq!(
        stocked(counted()).when(count(98, 98, Some(3))).outcome().map(drop),
        Ok(())
    );
    assert_eq!(stocked(counted()).when(count(98, 98, None)).outcome().map(drop), Ok(()));
    // What was moved since a count is no count.
    let moved = counted().chain([received(5, levels(103, 0, 0))]);
    assert_eq!(stocked(moved).when(count(98, 97, Some(3))).outcome().map(drop), Ok(()));
}

#[test]
fn what_was_on_hand_is_remembered_for_so_many_events() {
    const MOST: i32 = LEVELS_REMEMBERED as i32;
    let past = || (1..=MOST).map(|n| received(1, levels(n, 0, 0)));
    // The first event opened the record.
    assert_eq!(stocked(past()).when(count(1, 1, Some(2))).outcome().map(drop), Ok(()));
    stocked(past())
        .when(count(0, 0, Some(1)))
        .refused(Refusal::SeenTooLongAgo { on_hand: MOST });
}

#[test]
fn a_count_that_misses_more_than_there_is_has_to_be_made_again() {
    let past = || {
        ten_with_four_kept()
            .into_iter()
            .chain([issued(5, None, levels(5, 4, 0))])
    };
    stocked(past())
        .when(count(10, 4, Some(3)))
        .refused(Refusal::CountAgain { on_hand: 5 });
    stocked([received(1, levels(1, 0, 0))])
        .when(count(0, STOCK_MAX, Some(1)))
        .refused(Refusal::TooMuchStock);
}

#[test]
fn after_a_count_the_first_to_come_is_served_from_what_is_left() {
    let counted = Event::StockCounted {
        stock: STOCK,
        seen: 10,
        counted: 3,
        delta: -7,
        short: 1,
        newest: Vec::new(),
        after: levels(3, 4, 0),
    };
    let past = || ten_with_four_kept().into_iter().chain([counted.clone()]);
    stocked(past())
        .when(issue(4, Some(KEPT)))
        .refused(Refusal::NotOnHand { on_hand: 3 });
    stocked(past())
        .when(issue(3, Some(KEPT)))
        .then([issued(3, Some(KEPT), levels(0, 1, 0))]);
    stocked(past())
        .when(issue(1, None))
        .refused(Refusal::NotAvailable { available: 0 });
}

#[test]
fn what_is_still_to_come_of_an_order_is_said_anew_each_time() {
    let expect = |quantity| Command::Expect {
        order_id: ORDER.id,
        quantity,
        stock: None,
    };
    let past = || [expected(ORDER, 10, 10), expected(OTHER_ORDER, 5, 15)];
    stocked(past()).when(expect(7)).then([expected(ORDER, 7, 12)]);
    stocked(past()).when(expect(10)).then([]);
    stocked(past()).when(expect(0)).then([expected(ORDER, 0, 5)]);
    stocked(past()).when(expect(STOCK_MAX)).refused(Refusal::TooMuchOnOrder);
    stocked([]).when(expect(0)).then([]);
}
