//! An order of parts, from draft to the last receipt. Feeds `orders`, `order_items` and
//! `order_history` of document 001_eec75370b5eea864.
//!
//! Who has to approve an order is [`super::approval`]'s to say. The order itself makes sure that nothing
//! is placed but what was approved: an approval is for one revision and one content, and whatever makes
//! more of the order than that submits it anew.

mod begin;
mod check;
mod command;
mod content;
mod decide;
mod edit;
mod event;
mod evolve;
mod named;
mod offer;
mod placed;
mod receive;
mod refusal;
mod stock;
mod submit;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OrderStatus, OrderType};

pub use command::{Command, Confirmation, ConfirmedDate, ItemChange, NewItem, NewOrder, Quantity};
pub use event::{Confirmed, Event, PastDate, Rescheduled, Terms};
pub use named::{NAMED_MAX, Named};
pub use receive::Receipts;
pub use refusal::Refusal;
pub use stock::{Booking, Demand, reservation_id};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Order>("orders");

/// Items of one order.
pub const ITEMS_MAX: usize = 500;
/// Characters of an order's note.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Characters of a supplier's own name for an order.
pub const REFERENCE_CHARS_MAX: usize = 100;
/// Years in which a delivery can be expected.
pub const DELIVERY_YEAR_MIN: i32 = 2000;
pub const DELIVERY_YEAR_MAX: i32 = 9999;
/// Percent by which an order may let more be received than was ordered.
pub const TOLERANCE_PERCENT_MAX: i32 = 100;
/// Receipts of one order, those that were reversed not counted.
pub const RECEIPTS_MAX: usize = 1_000;

/// The life of an order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Order {
    #[default]
    Undrafted,
    /// Never submitted, or rejected; then its revision tells how often it was submitted.
    Draft(Content),
    PendingApproval(Content, Submitted),
    /// The content may be less than what was submitted, never more.
    Approved(Content, Submitted),
    /// Ordered, partially received or received: the receipts tell.
    Placed(Content, Submitted, Receipts),
    /// Nothing more is awaited; what comes all the same is booked, and receipts can be taken back.
    ClosedShort(Content, Submitted, Receipts),
    /// Its content is kept: the order can still be duplicated.
    Cancelled(Content, Option<Submitted>),
}

/// The content of an order: the part of it that is submitted, approved and duplicated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub order_type: OrderType,
    pub department_id: Uuid,
    pub currency: String,
    pub request_id: Option<Uuid>,
    /// Where the goods go.
    #[serde(default)]
    pub location_id: Option<Uuid>,
    /// Where the goods lie.
    #[serde(default)]
    pub from_location_id: Option<Uuid>,
    pub note: Option<String>,
    pub items: Vec<Item>,
    /// The sum over the items as they are now, in the order's currency.
    #[serde(default)]
    pub total: Decimal,
    /// By how much more than ordered may be received, in percent: 0 to 100.
    pub tolerance_percent: i32,
    pub drafted_by: Uuid,
    /// How often it was submitted.
    pub revision: i32,
    /// Whether it follows a suggestion to reorder: what it brings is on order before it is placed.
    #[serde(default)]
    pub is_reorder: bool,
}

/// The order as it was submitted last, for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    pub revision: i32,
    /// SHA-256, lower-case hex, of what is to be approved.
    pub content_hash: String,
    pub drafted_by: Uuid,
    /// Who submitted this revision, also by changing what was submitted before.
    pub submitted_by: Uuid,
    pub items: Vec<Item>,
    pub currency: String,
    pub department_id: Uuid,
    /// The sum over the items as they were submitted, in the order's currency: what approvers decide on.
    pub total: Decimal,
    /// Bookings that stock refused, the oldest first.
    #[serde(default)]
    pub refused: Vec<Booking>,
    /// Whether what was kept for the order was given back before it was moved.
    #[serde(default)]
    pub is_unreserved: bool,
    /// Receipts that were reversed.
    #[serde(default)]
    pub reversed: Vec<Uuid>,
    /// Of them, those that were reversed before stock could refuse to book them.
    #[serde(default)]
    pub never_booked: Vec<Uuid>,
    /// What each supplier confirmed last.
    #[serde(default)]
    pub confirmed: BTreeMap<Uuid, Agreed>,
}

/// What a supplier confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    /// The supplier's own name for the order.
    pub reference: String,
    pub items: Vec<Confirmed>,
}

/// An item of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Item {
    pub item_id: Uuid,
    pub part_id: Uuid,
    #[serde(default)]
    pub variant_id: Option<Uuid>,
    pub supplier_id: Uuid,
    pub quantity: i32,
    /// In the order's currency.
    pub unit_price: Decimal,
    #[serde(default)]
    pub expected_delivery_date: Option<NaiveDate>,
}

impl Order {
    /// Where the order stands; `None` before it is drafted.
    #[must_use]
    pub fn status(&self) -> Option<OrderStatus> {
        match self {
            Self::Undrafted => None,
            Self::Draft(_) => Some(OrderStatus::Draft),
            Self::PendingApproval(..) => Some(OrderStatus::PendingApproval),
            Self::Approved(..) => Some(OrderStatus::Approved),
            Self::Placed(content, _, receipts) => Some(receipts.status(&content.items)),
            Self::ClosedShort(..) => Some(OrderStatus::ClosedShort),
            Self::Cancelled(..) => Some(OrderStatus::Cancelled),
        }
    }

    /// The department that the order is for; `None` before it is drafted.
    #[must_use]
    pub fn department_id(&self) -> Option<Uuid> {
        self.content().map(|content| content.department_id)
    }

    /// The order's content; `None` before it is drafted.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Undrafted => None,
            Self::Draft(content)
            | Self::PendingApproval(content, _)
            | Self::Approved(content, _)
            | Self::Placed(content, ..)
            | Self::ClosedShort(content, ..)
            | Self::Cancelled(content, _) => Some(content),
        }
    }

    /// The order as it was submitted last; `None` for an order that is a draft, or was one when it was cancelled.
    #[must_use]
    pub fn submitted(&self) -> Option<&Submitted> {
        match self {
            Self::Undrafted | Self::Draft(_) => None,
            Self::PendingApproval(_, submitted)
            | Self::Approved(_, submitted)
            | Self::Placed(_, submitted, _)
            | Self::ClosedShort(_, submitted, _) => Some(submitted),
            Self::Cancelled(_, submitted) => submitted.as_ref(),
        }
    }
}

/// The sum over items, in their order's currency.
#[must_use]
pub fn total(items: &[Item]) -> Decimal {
    let with = |sum: Decimal, item: &Item| {
        let line = item.unit_price.checked_mul(Decimal::from(item.quantity))?;
        sum.checked_add(line)
    };
    // It is made before the items are judged: what no decimal holds is more than any check lets pass.
    items.iter().try_fold(Decimal::ZERO, with).unwrap_or(Decimal::MAX)
}

impl Item {
    /// Quantity times price, in the order's currency.
    #[must_use]
    pub fn total(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }

    /// The part of the item that can be changed.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            part_id: self.part_id,
            variant_id: self.variant_id,
            supplier_id: self.supplier_id,
            quantity: self.quantity,
            unit_price: self.unit_price,
            expected_delivery_date: self.expected_delivery_date,
        }
    }

    /// Part, variant and supplier.
    fn parts(&self) -> (Uuid, Option<Uuid>, Uuid) {
        (self.part_id, self.variant_id, self.supplier_id)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
