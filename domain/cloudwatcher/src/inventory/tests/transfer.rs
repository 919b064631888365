use uuid::Uuid;

use super::{
    DEPARTMENT, KEPT, LOCATION, REQUEST, STOCK, VARIANT, everything, levels, now, stocked, ten_with_four_kept,
};
use crate::inventory::{Command, Event, Inventory, Refusal, StockKey};
use rehearsal::given::{Given, TENANT, given};

const TRANSFER: Uuid = Uuid::from_u128(0x60);
const THERE: StockKey = StockKey {
    location_id: Uuid::from_u128(LOCATION.as_u128() + 1),
    ..STOCK
};

fn out(to: StockKey, quantity: i32, reservation_id: Option<Uuid>) -> Command {
    Command::TransferOut {
        transfer_id: TRANSFER,
        to,
        quantity,
        reservation_id,
        source: None,
        still_to_come: None,
    }
}

fn into(transfer_id: Uuid, from: StockKey, quantity: i32) -> Command {
    Command::TransferIn {
        transfer_id,
        from,
        to: THERE,
        quantity,
        source: None,
        still_to_come: None,
    }
}

fn leaving(together: Command) -> Given<Inventory> {
    stocked(ten_with_four_kept()).together_with::<Inventory>(THERE.stream(TENANT), together)
}

fn arriving(together: Command) -> Given<Inventory> {
    given([])
        .on(THERE.stream(TENANT))
        .at(now())
        .with_facts(everything([THERE.location_id].into_iter()))
        .together_with::<Inventory>(STOCK.stream(TENANT), together)
}

#[test]
fn goods_leave_one_record_when_they_arrive_on_the_other() {
    let left = |quantity, reservation_id: Option<Uuid>, after| Event::StockTransferredOut {
        stock: STOCK,
        transfer_id: TRANSFER,
        to: THERE,
        quantity,
        reservation_id,
        source: reservation_id.map(|_| REQUEST),
        after,
        still_to_come: None,
    };
    leaving(into(TRANSFER, STOCK, 6))
        .when(out(THERE, 6, None))
        .then([left(6, None, levels(4, 4, 0))]);
    leaving(into(TRANSFER, STOCK, 4))
        .when(out(THERE, 4, Some(KEPT)))
        .then([left(4, Some(KEPT), levels(6, 0, 0))]);
    leaving(into(TRANSFER, STOCK, 7))
        .when(out(THERE, 7, None))
        .refused(Refusal::NotAvailable { available: 6 });
}

#[test]
fn goods_that_arrive_open_the_record_there() {
    arriving(out(THERE, 6, None)).when(into(TRANSFER, STOCK, 6)).then([
        Event::InventoryOpened {
            stock: THERE,
            department_id: DEPARTMENT,
            reorder_point: None,
            reorder_quantity: None,
        },
        Event::StockTransferredIn {
            stock: THERE,
            transfer_id: TRANSFER,
            from: STOCK,
            quantity: 6,
            source: None,
            after: levels(6, 0, 0),
            still_to_come: None,
        },
    ]);
}

#[test]
fn half_a_transfer_is_none() {
    stocked(ten_with_four_kept())
        .when(out(THERE, 6, None))
        .refused(Refusal::HalfATransfer);
    let other = Uuid::from_u128(0x61);
    for together in [
        into(TRANSFER, STOCK, 5),
        into(other, STOCK, 6),
        into(TRANSFER, THERE, 6),
    ] {
        leaving(together)
            .when(out(THERE, 6, None))
            .refused(Refusal::HalfATransfer);
    }
    for together in [out(THERE, 5, None), out(STOCK, 6, None), into(TRANSFER, STOCK, 6)] {
        arriving(together)
            .when(into(TRANSFER, STOCK, 6))
            .refused(Refusal::HalfATransfer);
    }
}

#[test]
fn two_transfers_between_the_same_records_are_told_apart_and_each_is_made_once() {
    let other = Uuid::from_u128(0x61);
    let there = THERE.stream(TENANT);
    let two = || leaving(into(other, STOCK, 2)).together_with::<Inventory>(there, into(TRANSFER, STOCK, 3));
    assert_eq!(two().when(out(THERE, 3, None)).events().len(), 1);
    two()
        .together_with::<Inventory>(there, into(TRANSFER, STOCK, 3))
        .when(out(THERE, 3, None))
        .refused(Refusal::HalfATransfer);
    two()
        .together_with::<Inventory>(STOCK.stream(TENANT), out(THERE, 3, None))
        .when(out(THERE, 3, None))
        .refused(Refusal::HalfATransfer);
}

#[test]
fn a_transfer_changes_the_location_and_nothing_else() {
    let of_variant = StockKey {
        variant_id: Some(VARIANT),
        ..THERE
    };
    stocked(ten_with_four_kept())
        .when(out(of_variant, 1, None))
        .refused(Refusal::OtherPart);
    stocked(ten_with_four_kept())
        .when(out(STOCK, 1, None))
        .refused(Refusal::SameLocation);
}
