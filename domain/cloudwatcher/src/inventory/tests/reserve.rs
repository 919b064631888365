use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{KEPT, REQUEST, STOCK, levels, now, received, reserved, stocked, ten_with_four_kept};
use crate::inventory::{Command, ENDED_REMEMBERED, Event, RESERVATIONS_MAX, RESERVED_FOR_MAX, Refusal, STOCK_MAX};
use domain::text::Unfit;
use rehearsal::given::drawn;

fn reserve(reservation_id: Option<Uuid>, quantity: i32) -> Command {
    Command::Reserve {
        quantity,
        reservation_id,
        source: Some(REQUEST),
        expires_at: None,
    }
}

fn released(reservation_id: Uuid, quantity: i32) -> Event {
    Event::ReservationReleased {
        stock: STOCK,
        reservation_id,
        quantity,
        source: Some(REQUEST),
        after: levels(10, 0, 0),
    }
}

#[test]
fn only_what_is_available_is_reserved() {
    stocked(ten_with_four_kept())
        .when(reserve(None, 6))
        .then([reserved(drawn(0), 6, levels(10, 10, 0))]);
    stocked(ten_with_four_kept())
        .when(reserve(None, 7))
        .refused(Refusal::NotAvailable { available: 6 });
}

#[test]
fn the_same_reservation_again_changes_nothing() {
    stocked(ten_with_four_kept()).when(reserve(Some(KEPT), 4)).then([]);
    stocked(ten_with_four_kept())
        .when(reserve(Some(KEPT), 5))
        .refused(Refusal::ReservedOtherwise { left: 4 });
}

#[test]
fn a_reservation_that_has_ended_does_not_come_back() {
    let past = || ten_with_four_kept().into_iter().chain([released(KEPT, 4)]);
    stocked(past())
        .when(reserve(Some(KEPT), 4))
        .refused(Refusal::ReservationEnded);
    // As far as is remembered.
    let others = || (0..ENDED_REMEMBERED as u128 - 1).map(|n| Uuid::from_u128(0x1000 + n));
    let more = || others().flat_map(|id| [reserved(id, 1, levels(10, 1, 0)), released(id, 1)]);
    stocked(past().chain(more()))
        .when(reserve(Some(KEPT), 4))
        .refused(Refusal::ReservationEnded);
    let one_more = [reserved(super::NEWER, 1, levels(10, 1, 0)), released(super::NEWER, 1)];
    let events = stocked(past().chain(more()).chain(one_more))
        .when(reserve(Some(KEPT), 4))
        .events();
    assert_eq!(events[0], reserved(KEPT, 4, levels(10, 4, 0)));
}

#[test]
fn a_thousand_reservations_are_live_at_one_time() {
    let live = (1..=RESERVATIONS_MAX as i32).map(|n| {
        let id = Uuid::from_u128(n.unsigned_abs().into());
        reserved(id, 1, levels(STOCK_MAX, n, 0))
    });
    let past = std::iter::once(received(STOCK_MAX, levels(STOCK_MAX, 0, 0))).chain(live);
    stocked(past)
        .when(reserve(None, 1))
        .refused(Refusal::TooManyReservations);
}

#[test]
fn a_reservation_expires_within_a_year_or_never() {
    let reserve = |expires_at| Command::Reserve {
        quantity: 1,
        reservation_id: None,
        source: None,
        expires_at: Some(expires_at),
    };
    for expires_at in [now(), now() + RESERVED_FOR_MAX + TimeDelta::seconds(1)] {
        stocked(ten_with_four_kept())
            .when(reserve(expires_at))
            .refused(Refusal::BadExpiry);
    }
    let expires_at = now() + RESERVED_FOR_MAX;
    stocked(ten_with_four_kept())
        .when(reserve(expires_at))
        .then([Event::StockReserved {
            stock: STOCK,
            reservation_id: drawn(0),
            quantity: 1,
            source: None,
            expires_at: Some(expires_at),
            after: levels(10, 5, 0),
        }]);
}

#[test]
fn shortening_says_what_stays() {
    let shorten = |quantity| Command::Shorten {
        reservation_id: KEPT,
        quantity,
    };
    stocked(ten_with_four_kept())
        .when(shorten(1))
        .then([Event::ReservationShortened {
            stock: STOCK,
            reservation_id: KEPT,
            quantity: 3,
            left: 1,
            source: Some(REQUEST),
            after: levels(10, 1, 0),
        }]);
    stocked(ten_with_four_kept()).when(shorten(4)).then([]);
    stocked(ten_with_four_kept())
        .when(shorten(5))
        .refused(Refusal::NotShorter { left: 4 });
    let unfit = Unfit::Range {
        value: 0,
        min: 1,
        max: STOCK_MAX.into(),
    };
    stocked(ten_with_four_kept()).when(shorten(0)).refused(Refusal::Unfit {
        field: "quantity",
        unfit,
    });
}

#[test]
fn releasing_gives_back_what_is_left_and_once() {
    let release = || Command::Release { reservation_id: KEPT };
    stocked(ten_with_four_kept()).when(release()).then([released(KEPT, 4)]);
    let past = ten_with_four_kept().into_iter().chain([released(KEPT, 4)]);
    stocked(past).when(release()).then([]);
}

#[test]
fn a_reservation_expires_when_its_time_has_come() {
    let expires_at = now() + TimeDelta::hours(1);
    let kept = |expires_at: Option<DateTime<Utc>>| {
        [
            received(10, levels(10, 0, 0)),
            Event::StockReserved {
                stock: STOCK,
                reservation_id: KEPT,
                quantity: 4,
                source: None,
                expires_at,
                after: levels(10, 4, 0),
            },
        ]
    };
    let expire = || Command::Expire { reservation_id: KEPT };
    stocked(kept(Some(expires_at)))
        .when(expire())
        .refused(Refusal::NotYet { expires_at });
    stocked(kept(None)).when(expire()).refused(Refusal::NeverExpires);
    stocked(kept(Some(expires_at)))
        .at(expires_at)
        .when(expire())
        .then([Event::ReservationExpired {
            stock: STOCK,
            reservation_id: KEPT,
            quantity: 4,
            source: None,
            after: levels(10, 0, 0),
        }]);
    stocked([]).at(expires_at).when(expire()).then([]);
}
