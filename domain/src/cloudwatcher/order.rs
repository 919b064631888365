//! An order of parts, from draft to approval. Feeds `orders`, `order_items` and `order_history` of
//! document 001_eec75370b5eea864.

mod decide;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OrderStatus, OrderType};
use crate::text::Unfit;
use crate::{Class, Refuse, money, stored_by_variant};

/// Items of one order.
pub const ITEMS_MAX: usize = 500;
/// Characters of an order's note.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Years in which a delivery can be expected.
pub const DELIVERY_YEAR_MIN: i32 = 2000;
pub const DELIVERY_YEAR_MAX: i32 = 9999;

/// The life of an order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Order {
    #[default]
    Undrafted,
    Draft(Content),
    PendingApproval(Content),
    /// What was ordered is kept: the order can still be duplicated.
    Cancelled(Content),
}

/// What an order says: the part of it that is submitted, approved and duplicated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub order_type: OrderType,
    pub department_id: Uuid,
    pub currency: String,
    pub request_id: Option<Uuid>,
    pub note: Option<String>,
    pub items: Vec<Item>,
    /// How often it was submitted.
    pub revision: i32,
}

impl Order {
    /// Where the order stands; `None` before it is drafted.
    #[must_use]
    pub fn status(&self) -> Option<OrderStatus> {
        match self {
            Self::Undrafted => None,
            Self::Draft(_) => Some(OrderStatus::Draft),
            Self::PendingApproval(_) => Some(OrderStatus::PendingApproval),
            Self::Cancelled(_) => Some(OrderStatus::Cancelled),
        }
    }

    /// The department that the order is for; `None` before it is drafted.
    #[must_use]
    pub fn department_id(&self) -> Option<Uuid> {
        self.content().map(|content| content.department_id)
    }

    /// What the order says; `None` before it is drafted.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Undrafted => None,
            Self::Draft(content) | Self::PendingApproval(content) | Self::Cancelled(content) => Some(content),
        }
    }
}

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Drafts an order with its first items. Only drafts can be changed.
    Draft(NewOrder),
    /// Drafts this order as a copy of another one: its type, department, currency and items, with
    /// new item ids and without its request.
    Duplicate {
        /// The order to copy, in whatever state it is.
        of: Uuid,
        /// What approvers should know; the other order's note is not copied. At most 2,000 characters.
        #[serde(default)]
        #[schemars(length(max = NOTE_CHARS_MAX))]
        note: Option<String>,
    },
    /// Adds an item at the end of a draft. At most 500 items.
    AddItem(NewItem),
    /// Changes an item of a draft; what is absent stays as it is.
    ChangeItem {
        /// The item to change.
        item_id: Uuid,
        /// How many are ordered: 1 to 2,147,483,647.
        #[serde(default)]
        #[schemars(range(min = 1))]
        quantity: Option<i32>,
        /// The price of one, from 0 to 99,999,999.99 with two decimals; a string keeps it exact.
        #[serde(default, deserialize_with = "money::optional_amount")]
        #[schemars(schema_with = "money::optional_price_schema")]
        unit_price: Option<Decimal>,
        /// When it should arrive; a date can be moved, not taken away. Years 2000 to 9999.
        #[serde(default)]
        expected_delivery_date: Option<NaiveDate>,
    },
    /// Removes an item from a draft. The last one stays: an order has at least one.
    RemoveItem {
        /// The item to remove.
        item_id: Uuid,
    },
    /// Hands a draft in for approval and freezes its prices. Everything that it refers to must still
    /// be in use.
    Submit {},
    /// Gives up a draft or an order that waits for approval. Say why in the header `Daybook-Reason`.
    Cancel {},
}

/// An order as a buyer asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// What the order is for; `purchase` when absent.
    #[serde(default)]
    pub order_type: OrderType,
    /// The department that orders; in use.
    pub department_id: Uuid,
    /// The one currency of all prices: an ISO 4217 code in capitals, such as `EUR`.
    #[schemars(length(equal = 3))]
    pub currency: String,
    /// The device request that the order answers. A request is answered by at most one order
    /// that is not cancelled.
    #[serde(default)]
    pub request_id: Option<Uuid>,
    /// What approvers should know. At most 2,000 characters.
    #[serde(default)]
    #[schemars(length(max = NOTE_CHARS_MAX))]
    pub note: Option<String>,
    /// 1 to 500 items. The same part twice stays two items.
    #[schemars(length(min = 1, max = ITEMS_MAX))]
    pub items: Vec<NewItem>,
}

/// An item as a buyer asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// The part; in use.
    pub part_id: Uuid,
    /// The variant of the part; in use.
    #[serde(default)]
    pub variant_id: Option<Uuid>,
    /// Who delivers it; in use.
    pub supplier_id: Uuid,
    /// How many are ordered: 1 to 2,147,483,647.
    #[schemars(range(min = 1))]
    pub quantity: i32,
    /// The price of one, from 0 to 99,999,999.99 with two decimals; a string keeps it exact. Quantity
    /// times price stays below 10,000,000,000.
    #[serde(deserialize_with = "money::amount")]
    #[schemars(schema_with = "money::price_schema")]
    pub unit_price: Decimal,
    /// When it should arrive. Years 2000 to 9999.
    #[serde(default)]
    pub expected_delivery_date: Option<NaiveDate>,
}

/// An item of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
            quantity: self.quantity,
            unit_price: self.unit_price,
            expected_delivery_date: self.expected_delivery_date,
        }
    }
}

/// What an item was before it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    pub quantity: i32,
    pub unit_price: Decimal,
    #[serde(default)]
    pub expected_delivery_date: Option<NaiveDate>,
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, strum::IntoStaticStr, strum::VariantNames)]
pub enum Event {
    OrderDrafted {
        order_type: OrderType,
        department_id: Uuid,
        currency: String,
        #[serde(default)]
        request_id: Option<Uuid>,
        #[serde(default)]
        note: Option<String>,
        #[serde(default)]
        duplicate_of: Option<Uuid>,
        items: Vec<Item>,
    },
    OrderItemAdded {
        item: Item,
    },
    OrderItemChanged {
        /// The whole item after the change.
        item: Item,
        was: Terms,
    },
    OrderItemRemoved {
        item_id: Uuid,
    },
    OrderSubmitted {
        /// 1 for the first time an order is submitted, 2 for the second, and so on.
        revision: i32,
        /// All items with the prices that are to be approved.
        items: Vec<Item>,
        /// The sum over the items, in the order's currency.
        total: Decimal,
        /// SHA-256, lower-case hex, of what is to be approved.
        content_hash: String,
    },
    /// Why is in the event's metadata.
    OrderCancelled {},
}

stored_by_variant!(Event);

impl crate::Event for Event {}

/// Why a command to an order is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such order; draft it first")]
    NotDrafted,
    #[error("this order is drafted already; add items to it or draft another under a new id")]
    AlreadyDrafted,
    #[error("this order is {status}; only a draft can be changed or submitted, so duplicate it instead")]
    NotADraft { status: OrderStatus },
    #[error("cancelling an order needs a reason; give it in the header Daybook-Reason")]
    ReasonMissing,
    #[error("an order has at least one item; list what is ordered")]
    NoItems,
    #[error("an order has at most {ITEMS_MAX} items; split it into several orders")]
    TooManyItems,
    #[error("the last item of an order cannot be removed; add another first or cancel the order")]
    LastItem,
    #[error("item_id names no item of this order")]
    NoSuchItem,
    #[error("currency is no ISO 4217 code in circulation; use three capitals such as EUR")]
    UnknownCurrency,
    #[error("{field} {unfit}")]
    Unfit { field: String, unfit: Unfit },
    #[error("{field}: quantity times price is {total}; a line must stay below {below}")]
    LineTooLarge {
        field: String,
        total: Decimal,
        below: Decimal,
    },
    #[error("{field} {detail}")]
    Reference { field: String, detail: &'static str },
    #[error("{place} of the order {detail}; change the order or put it back in use")]
    Outdated { place: String, detail: &'static str },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotDrafted => Class::Missing,
            Self::AlreadyDrafted
            | Self::NotADraft { .. }
            | Self::ReasonMissing
            | Self::NoItems
            | Self::TooManyItems
            | Self::LastItem
            | Self::NoSuchItem
            | Self::UnknownCurrency
            | Self::Unfit { .. }
            | Self::LineTooLarge { .. }
            | Self::Reference { .. }
            | Self::Outdated { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        match self {
            Self::NotDrafted => "not-drafted",
            Self::AlreadyDrafted => "already-drafted",
            Self::NotADraft { .. } => "not-a-draft",
            Self::ReasonMissing => "reason-missing",
            Self::NoItems => "no-items",
            Self::TooManyItems => "too-many-items",
            Self::LastItem => "last-item",
            Self::NoSuchItem => "no-such-item",
            Self::UnknownCurrency => "unknown-currency",
            Self::Unfit { .. } => "unfit",
            Self::LineTooLarge { .. } => "line-too-large",
            Self::Reference { .. } => "reference",
            Self::Outdated { .. } => "outdated",
        }
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::NoItems => Some("items".to_owned()),
            Self::LastItem | Self::NoSuchItem => Some("item_id".to_owned()),
            Self::UnknownCurrency => Some("currency".to_owned()),
            Self::Unfit { field, .. } | Self::LineTooLarge { field, .. } | Self::Reference { field, .. } => {
                Some(field.clone())
            }
            Self::NotDrafted
            | Self::AlreadyDrafted
            | Self::NotADraft { .. }
            | Self::ReasonMissing
            | Self::TooManyItems
            | Self::Outdated { .. } => None,
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
