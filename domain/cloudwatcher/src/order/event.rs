//! The events of an order, as they are stored.

use std::ops::Not;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::command::Quantity;
use super::stock::Booking;
use super::{Item, Named};
use crate::{OrderStatus, OrderType};
use domain::event::{self, Stored};
use domain::{DecodeError, stored_by_variant};

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
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
        drafted_by: Uuid,
        /// By how much more than ordered may be received, in percent: 0 to 100.
        tolerance_percent: i32,
        /// Where the goods go; absent when stock is not touched by them, and of a return.
        #[serde(default)]
        location_id: Option<Uuid>,
        /// Where the goods lie, of an internal transfer and of a return.
        #[serde(default)]
        from_location_id: Option<Uuid>,
        /// Of a copy: the days that had passed already when it was made, and so were left out.
        #[serde(default)]
        left_out: Vec<PastDate>,
        /// Whether it follows a suggestion to reorder, so that what it brings is on order from now on; not said in events of a
        /// time when only the quantity that was accepted was.
        #[serde(default, skip_serializing_if = "Not::not")]
        is_reorder: bool,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    OrderItemAdded {
        item: Item,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    OrderItemChanged {
        /// The whole item after the change.
        item: Item,
        was: Terms,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
        /// The same before the change.
        #[serde(default)]
        was_named: Vec<Named>,
    },
    OrderItemRemoved {
        item_id: Uuid,
        /// The item as it was; absent in events of a time when stock was not booked.
        #[serde(default)]
        was: Option<Terms>,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    OrderCurrencyChanged {
        /// The currency of all prices from now on; their numbers stay.
        currency: String,
        was: String,
    },
    OrderNoteChanged {
        #[serde(default)]
        note: Option<String>,
        /// Whether there was a note before; what it said is in the event that brought it.
        had: bool,
    },
    /// Also what follows when an order is changed materially after it was submitted.
    OrderSubmitted {
        /// 1 for the first time an order is submitted, 2 for the second, and so on.
        revision: i32,
        /// All items with the prices that are to be approved.
        items: Vec<Item>,
        /// The sum over the items, in the order's currency.
        total: Decimal,
        /// SHA-256, lower-case hex, of what is to be approved.
        content_hash: String,
        drafted_by: Uuid,
        submitted_by: Uuid,
    },
    OrderApproved {
        revision: i32,
        /// Whose approval was the last one needed; absent when none was needed.
        #[serde(default)]
        approved_by: Option<Uuid>,
    },
    /// The order is a draft again. Why is with the rejection itself, which is an event of the approval.
    OrderRejected {
        revision: i32,
        /// Absent when nobody was left who could have approved it.
        #[serde(default)]
        rejected_by: Option<Uuid>,
    },
    OrderPlaced {},
    OrderItemsReceived {
        receipt_id: Uuid,
        /// The quantities that came with this receipt, each item once.
        lines: Vec<Quantity>,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    /// Every item has come in full.
    OrderReceived {},
    OrderReceiptReversed {
        receipt_id: Uuid,
        /// The quantities that no longer count as received.
        lines: Vec<Quantity>,
        /// Where the order stands by what is left: ordered, partially received or received.
        status: OrderStatus,
        /// Whether stock was booked for the receipt, and so is to be booked back.
        was_booked: bool,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    /// Why is in the event's metadata.
    OrderClosedShort {
        /// The quantities that were ordered and will not come.
        open: Vec<Quantity>,
        /// How the items were called, as far as sentences name them, see [`NAMED_MAX`](super::NAMED_MAX); empty in events of
        /// a time when they did not say so.
        #[serde(default)]
        named: Vec<Named>,
    },
    /// Why is in the event's metadata.
    OrderCancelled {},
    /// Stock could not be booked as the order asked; it is tried again when somebody says so.
    OrderStockRefused {
        booking: Booking,
        /// Whether it can be retried. It cannot when its receipt was reversed meanwhile: then there is
        /// nothing to book any more, and nothing to book back.
        is_open: bool,
    },
    /// The goods are expected at another time. Its approval stays as it is: it was about what is bought.
    OrderRescheduled {
        /// The items that are expected at another time, each once.
        items: Vec<Rescheduled>,
    },
    /// A supplier confirmed what was ordered of them; what they confirmed before counts no more.
    OrderConfirmed {
        supplier_id: Uuid,
        /// The supplier's own name for the order.
        reference: String,
        /// All items of that supplier.
        items: Vec<Confirmed>,
    },
    OrderStockRetried {
        /// In the order in which they were refused.
        bookings: Vec<Booking>,
    },
}

stored_by_variant!(Event {
    OrderDrafted => "4",
    OrderClosedShort => "2",
    OrderItemAdded => "2",
    OrderItemChanged => "3",
    OrderItemRemoved => "3",
    OrderItemsReceived => "2",
    OrderNoteChanged => "2",
    OrderReceiptReversed => "3",
    OrderRejected => "2",
    OrderSubmitted => "2",
});

impl domain::Event for Event {
    fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::OrderDrafted { .. } | Self::OrderNoteChanged { .. } => vec!["note"],
            _ => Vec::new(),
        }
    }

    fn upcast(stored: &Stored<'_>) -> Result<(String, String), DecodeError> {
        let actor = json!(stored.actor);
        let payload = match (stored.event_type, stored.version) {
            // Until version 2 nothing more than ordered was ever received.
            ("OrderDrafted", "1") => stored.with_fields([("drafted_by", actor), ("tolerance_percent", json!(0))])?,
            // Until version 3 orders knew no locations, and so nothing of them was booked in stock.
            ("OrderDrafted", "2") => stored.payload.to_owned(),
            // Until version 4 copies repeated days that had passed.
            ("OrderDrafted", "3") => stored.payload.to_owned(),
            ("OrderItemRemoved", "1") => stored.payload.to_owned(),
            // Until these versions nothing was called by name.
            ("OrderClosedShort" | "OrderItemAdded" | "OrderItemsReceived", "1")
            | ("OrderItemChanged" | "OrderItemRemoved" | "OrderReceiptReversed", "2") => stored.payload.to_owned(),
            // Until version 2 it repeated the note that it replaced.
            ("OrderNoteChanged", "1") => without_what_was(stored)?,
            // Until version 2 it repeated the words of the rejection.
            ("OrderRejected", "1") => stored.payload.to_owned(),
            ("OrderReceiptReversed", "1") => stored.with_fields([("was_booked", json!(false))])?,
            ("OrderSubmitted", "1") => stored.with_fields([("drafted_by", actor.clone()), ("submitted_by", actor)])?,
            ("OrderItemChanged", "1") => with_parts(stored)?,
            _ => return Err(stored.unknown()),
        };
        Ok((stored.event_type.to_owned(), payload))
    }
}

fn without_what_was(stored: &Stored<'_>) -> Result<String, DecodeError> {
    let unlike = |detail: String| DecodeError::Fields {
        event_type: stored.event_type.to_owned(),
        detail,
    };
    let mut payload: serde_json::Map<String, Value> =
        serde_json::from_str(stored.payload).map_err(|error| unlike(event::misfit(&error)))?;
    let had = payload.remove("was").is_some_and(|was| !was.is_null());
    payload.insert("had".to_owned(), json!(had));
    Ok(Value::Object(payload).to_string())
}

/// Until version 2 an item kept its part, variant and supplier for ever, so they were what they are.
fn with_parts(stored: &Stored<'_>) -> Result<String, DecodeError> {
    let unlike = |detail: String| DecodeError::Fields {
        event_type: stored.event_type.to_owned(),
        detail,
    };
    let mut payload: Value = serde_json::from_str(stored.payload).map_err(|error| unlike(error.to_string()))?;
    let item = payload["item"].clone();
    let was = payload
        .get_mut("was")
        .and_then(Value::as_object_mut)
        .ok_or_else(|| unlike("missing field `was`".to_owned()))?;
    for name in ["part_id", "variant_id", "supplier_id"] {
        was.insert(name.to_owned(), item[name].clone());
    }
    Ok(payload.to_string())
}

/// A day on which the goods of an item were expected, and that had passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PastDate {
    /// The item of the copy.
    pub item_id: Uuid,
    pub expected_delivery_date: NaiveDate,
}

/// An item that is expected at another time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rescheduled {
    pub item_id: Uuid,
    pub expected_delivery_date: NaiveDate,
    /// When it was expected before.
    #[serde(default)]
    pub was: Option<NaiveDate>,
}

/// An item that its supplier confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Confirmed {
    pub item_id: Uuid,
    /// The day that the supplier named for it; absent when they named none.
    #[serde(default)]
    pub confirmed_delivery_date: Option<NaiveDate>,
}

/// The terms of an item before it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Terms {
    pub part_id: Uuid,
    #[serde(default)]
    pub variant_id: Option<Uuid>,
    pub supplier_id: Uuid,
    pub quantity: i32,
    pub unit_price: Decimal,
    #[serde(default)]
    pub expected_delivery_date: Option<NaiveDate>,
}
