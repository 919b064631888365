//! The rules of stock, one test each.

mod carry;
mod moves;
mod offer;
mod open;
mod reorder;
mod reserve;
mod struck;
mod to_come;
mod told;
mod transfer;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Event, Inventory, Levels, Source, SourceKind, StockKey};
use crate::location::Location;
use crate::part::Part;
use crate::part_variant::PartVariant;
use domain::register::Register;
use domain::{Facts, Refuse as _};
use rehearsal::given::{Given, TENANT, given};

pub(super) const PART: Uuid = Uuid::from_u128(0x10);
pub(super) const VARIANT: Uuid = Uuid::from_u128(0x11);
/// This location and the next ones.
pub(super) const LOCATION: Uuid = Uuid::from_u128(0x20);
pub(super) const DEPARTMENT: Uuid = Uuid::from_u128(0x30);

/// The stock of the part itself at the first location.
const STOCK: StockKey = StockKey {
    part_id: PART,
    variant_id: None,
    location_id: LOCATION,
};
const KEPT: Uuid = Uuid::from_u128(0x40);
const NEWER: Uuid = Uuid::from_u128(0x41);
const ORDER: Source = Source {
    kind: SourceKind::Order,
    id: Uuid::from_u128(0x50),
};

/// What reservations are for.
const REQUEST: Source = Source {
    kind: SourceKind::Request,
    id: Uuid::from_u128(0x51),
};

/// A part with a variant, and these locations.
pub(super) fn everything(locations: impl Iterator<Item = Uuid>) -> Facts {
    let part = Part {
        part_code: "P-1".to_owned(),
        name: "pump".to_owned(),
        description: None,
        category: None,
        unit_of_measure: "unit".to_owned(),
    };
    let variant = PartVariant {
        part_id: PART,
        variant_code: "V-1".to_owned(),
        variant_name: None,
        attributes: None,
        cost_per_unit: None,
        retail_price: None,
        currency: None,
    };
    let facts = Facts::default()
        .with(PART, Register::Entered(part))
        .with(VARIANT, Register::Entered(variant));
    locations.fold(facts, |facts, id| facts.with(id, Register::Entered(location())))
}

fn location() -> Location {
    Location {
        name: "shed".to_owned(),
        dept_id: DEPARTMENT,
        location_type: None,
        address: None,
    }
}

/// The record of [`STOCK`], opened without a reorder point, and what happened since.
fn stocked(events: impl IntoIterator<Item = Event>) -> Given<Inventory> {
    reordered(None, None, events)
}

/// The record of [`STOCK`], opened with a reorder point, and what happened since.
fn reordered(
    reorder_point: Option<i32>,
    reorder_quantity: Option<i32>,
    events: impl IntoIterator<Item = Event>,
) -> Given<Inventory> {
    let opened = Event::InventoryOpened {
        stock: STOCK,
        department_id: DEPARTMENT,
        reorder_point,
        reorder_quantity,
    };
    given(std::iter::once(opened).chain(events))
        .on(STOCK.stream(TENANT))
        .at(now())
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn levels(on_hand: i32, reserved: i32, on_order: i32) -> Levels {
    Levels {
        on_hand,
        reserved,
        on_order,
    }
}

fn received(quantity: i32, after: Levels) -> Event {
    Event::StockReceived {
        stock: STOCK,
        quantity,
        source: None,
        after,
        still_to_come: None,
    }
}

fn reserved(reservation_id: Uuid, quantity: i32, after: Levels) -> Event {
    Event::StockReserved {
        stock: STOCK,
        reservation_id,
        quantity,
        source: Some(REQUEST),
        expires_at: None,
        after,
    }
}

/// Ten on hand, of which four are kept under [`KEPT`].
fn ten_with_four_kept() -> [Event; 2] {
    [received(10, levels(10, 0, 0)), reserved(KEPT, 4, levels(10, 4, 0))]
}

#[test]
fn every_refusal_says_what_to_do() {
    use super::Refusal;
    let refusals = [
        Refusal::NotOpened,
        Refusal::NotAvailable { available: 3 },
        Refusal::CountAgain { on_hand: 3 },
        Refusal::HalfATransfer,
        Refusal::NotDrafted,
    ];
    for refusal in refusals {
        assert!(refusal.to_string().len() > 30, "{}: {refusal}", refusal.rule());
    }
    assert!(Refusal::HalfATransfer.to_string().ends_with("inventory/{id}/transfer"));
}
