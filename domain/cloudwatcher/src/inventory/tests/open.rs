use uuid::Uuid;

use super::{DEPARTMENT, LOCATION, PART, STOCK, VARIANT, everything, levels, location, received, stocked};
use crate::inventory::{Command, Event, Inventory, Refusal, STOCK_MAX, StockKey};
use domain::Decider as _;
use domain::register::Register;
use domain::text::Unfit;
use rehearsal::given::{Given, TENANT, given};

fn open(stock: StockKey) -> Command {
    Command::Open {
        part_id: stock.part_id,
        variant_id: stock.variant_id,
        location_id: stock.location_id,
        reorder_point: None,
        reorder_quantity: None,
    }
}

fn opened(stock: StockKey) -> Event {
    Event::InventoryOpened {
        stock,
        department_id: DEPARTMENT,
        reorder_point: None,
        reorder_quantity: None,
    }
}

fn unopened(stock: StockKey) -> Given<Inventory> {
    given([])
        .on(stock.stream(TENANT))
        .with_facts(everything([LOCATION].into_iter()))
}

#[test]
fn a_record_belongs_to_the_department_of_its_location() {
    let events = unopened(STOCK).when(open(STOCK)).events();
    assert_eq!(events, [opened(STOCK)]);
    let mut record = Inventory::default();
    record.evolve(&events[0]);
    assert_eq!(record.home(), Some(DEPARTMENT));
}

#[test]
fn a_missing_variant_is_one_value_and_another_variant_another_record() {
    let of_variant = StockKey {
        variant_id: Some(VARIANT),
        ..STOCK
    };
    assert_ne!(STOCK.stream(TENANT), of_variant.stream(TENANT));
    assert_ne!(STOCK.stream(TENANT), STOCK.stream(Uuid::from_u128(8)));
    unopened(of_variant).when(open(of_variant)).then([opened(of_variant)]);
}

#[test]
fn the_stock_key_decides_the_id() {
    let id = STOCK.stream(TENANT);
    let elsewhere = || unopened(STOCK).on(Uuid::from_u128(1));
    elsewhere().when(open(STOCK)).refused(Refusal::OtherStock { id });
    let receive = Command::Receive {
        quantity: 1,
        source: None,
        stock: Some(STOCK),
        still_to_come: None,
    };
    elsewhere().when(receive).refused(Refusal::OtherStock { id });
}

#[test]
fn a_record_is_opened_once() {
    stocked([]).when(open(STOCK)).refused(Refusal::AlreadyOpen);
}

#[test]
fn nothing_is_moved_before_the_record_is_open() {
    let release = Command::Release {
        reservation_id: Uuid::nil(),
    };
    unopened(STOCK).when(release).refused(Refusal::NotOpened);
    let receive = Command::Receive {
        quantity: 1,
        source: None,
        stock: None,
        still_to_come: None,
    };
    unopened(STOCK).when(receive).refused(Refusal::NotOpened);
}

#[test]
fn receiving_opens_the_record_when_it_says_the_stock_key() {
    let receive = |quantity| Command::Receive {
        quantity,
        source: None,
        stock: Some(STOCK),
        still_to_come: None,
    };
    unopened(STOCK)
        .when(receive(5))
        .then([opened(STOCK), received(5, levels(5, 0, 0))]);
    stocked([received(5, levels(5, 0, 0))])
        .when(receive(2))
        .then([received(2, levels(7, 0, 0))]);
}

#[test]
fn what_is_to_come_opens_the_record_and_that_nothing_is_does_not() {
    let expect = |quantity| Command::Expect {
        order_id: Uuid::from_u128(0x50),
        quantity,
        stock: Some(STOCK),
    };
    let expected = Event::StockExpected {
        stock: STOCK,
        order_id: Uuid::from_u128(0x50),
        quantity: 5,
        after: levels(0, 0, 5),
    };
    unopened(STOCK).when(expect(5)).then([opened(STOCK), expected]);
    unopened(STOCK).when(expect(0)).refused(Refusal::NotOpened);
}

#[test]
fn what_a_record_is_of_is_in_use() {
    let reference = |field, detail| Refusal::Reference { field, detail };
    let other = StockKey {
        part_id: Uuid::from_u128(1),
        ..STOCK
    };
    let not_in_use = reference("part_id", "names no part in use");
    unopened(other).when(open(other)).refused(not_in_use);
    let of_another = StockKey {
        variant_id: Some(PART),
        ..STOCK
    };
    let not_of_it = reference("variant_id", "names no variant in use of the part");
    unopened(of_another).when(open(of_another)).refused(not_of_it);
    let struck = everything([].into_iter()).with(LOCATION, Register::Struck(location()));
    unopened(STOCK)
        .with_facts(struck)
        .when(open(STOCK))
        .refused(reference("location_id", "names no location in use"));
}

#[test]
fn reorder_levels_stay_within_what_stock_can_be() {
    let open = |reorder_point, reorder_quantity| Command::Open {
        part_id: PART,
        variant_id: None,
        location_id: LOCATION,
        reorder_point,
        reorder_quantity,
    };
    let range = |value, min| Unfit::Range {
        value,
        min,
        max: STOCK_MAX.into(),
    };
    unopened(STOCK).when(open(Some(-1), None)).refused(Refusal::Unfit {
        field: "reorder_point",
        unfit: range(-1, 0),
    });
    unopened(STOCK).when(open(None, Some(0))).refused(Refusal::Unfit {
        field: "reorder_quantity",
        unfit: range(0, 1),
    });
}
