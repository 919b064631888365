//! The commands to an order.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use uuid::Uuid;

use super::stock::Booking;
use super::{ITEMS_MAX, NOTE_CHARS_MAX, REFERENCE_CHARS_MAX, TOLERANCE_PERCENT_MAX};
use crate::OrderType;
use domain::money;

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Drafts an order with its first items.
    Draft(NewOrder),
    /// Drafts this order as a copy of another one: its type, department, currency, tolerance and items,
    /// with new item ids, without its request and without its approvals. Expected days that have passed (UTC) are left
    /// out; the event tells which.
    Duplicate {
        /// The order to copy, in whatever state it is.
        of: Uuid,
        /// A note for approvers; the other order's note is not copied. At most 2,000 characters.
        #[serde(default)]
        #[schemars(length(max = NOTE_CHARS_MAX))]
        note: Option<String>,
    },
    /// Adds an item at the end of an order that is not yet placed. At most 500 items. Once the order was
    /// submitted this submits it anew, for approval from the first level.
    AddItem(NewItem),
    /// Changes an item of an order that is not yet placed; what is absent stays as it is, and null takes away what an item
    /// can do without. Once the order was submitted, a higher quantity or price, another part, variant or supplier, or an earlier
    /// delivery submits it anew, for approval from the first level; anything else leaves its approval as it is.
    ChangeItem(ItemChange),
    /// Removes an item from an order that is not yet placed; its approval stays as it is. The last item
    /// stays: an order has at least one.
    RemoveItem {
        /// The item to remove.
        item_id: Uuid,
    },
    /// Changes the currency of all prices of an order that is not yet placed; the numbers stay. Once the
    /// order was submitted this submits it anew, for approval from the first level.
    ChangeCurrency {
        /// An ISO 4217 code in capitals, such as `EUR`.
        #[schemars(length(equal = 3))]
        currency: String,
    },
    /// Changes the note of an order, also of one that is placed; its approval stays as it is.
    Annotate {
        /// A note for approvers; absent takes the note away. At most 2,000 characters.
        #[serde(default)]
        #[schemars(length(max = NOTE_CHARS_MAX))]
        note: Option<String>,
    },
    /// Hands a draft in for approval and freezes its prices. Everything that it refers to must still be
    /// in use, and there must be somebody to approve it at every level that the policy asks for.
    Submit {},
    /// Records what the order's approval says: that it is granted, or that it is rejected, which makes the
    /// order a draft again. Daybook sends it by itself; anybody may, for it only states what is decided.
    SettleApproval {},
    /// Places an approved order with its suppliers. Its approval must stand for exactly what was
    /// submitted, the order must not go beyond it, and everything that it refers to must still be in use. Afterwards it can
    /// no longer be changed.
    Place {},
    /// Says when goods of a placed order are expected by now; its approval stays as it is.
    Reschedule {
        /// The item of which something is still to come; all such items when absent.
        #[serde(default)]
        item_id: Option<Uuid>,
        /// When it should arrive. Years 2000 to 9999.
        expected_delivery_date: NaiveDate,
    },
    /// Records that a supplier confirmed a placed order; its approval stays as it is. It replaces what that supplier
    /// confirmed before.
    Confirm(Confirmation),
    /// Books goods that arrived. When every item has come in full, the order is received. Late goods of an order that is
    /// closed short are booked as well, up to what was ordered and is tolerated; it stays closed short.
    Receive {
        /// 1 to 500 items of the order, each once.
        #[schemars(length(min = 1, max = ITEMS_MAX))]
        lines: Vec<Quantity>,
    },
    /// Takes back one receipt that was booked wrongly or whose goods went back, all of it; also of an order that is closed
    /// short, of which nothing is awaited for it.
    ReverseReceipt {
        /// The receipt, as `OrderItemsReceived` named it.
        receipt_id: Uuid,
    },
    /// Ends a placed order of which not everything will come: nothing more of it is on order. Say why in the
    /// header `Daybook-Reason`.
    CloseShort {},
    /// Gives up an order of which nothing was received. Say why in the header `Daybook-Reason`.
    Cancel {},
    /// Notes that stock could not be booked as the order asked. Only Daybook itself sends it.
    NoteStockRefused {
        /// The booking that is retried.
        booking: Booking,
    },
    /// Makes sure that what came with a receipt was booked in stock, before it is booked back. Only Daybook
    /// itself sends it; nothing happens.
    ConfirmBooked {
        /// The receipt, which was reversed.
        receipt_id: Uuid,
    },
    /// Tries again what of the order could not be booked in stock, once what was short is there.
    RetryStock {},
}

/// An order as a buyer asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The purpose of the order; `purchase` when absent.
    #[serde(default)]
    pub order_type: OrderType,
    /// The department that orders; in use.
    pub department_id: Uuid,
    /// The one currency of all prices: an ISO 4217 code in capitals, such as `EUR`.
    #[schemars(length(equal = 3))]
    pub currency: String,
    /// By how much more than ordered may be received of an item, in percent of its quantity and rounded
    /// down to the unit: 0 to 100.
    #[serde(default)]
    #[schemars(range(min = 0, max = TOLERANCE_PERCENT_MAX))]
    pub tolerance_percent: i32,
    /// The device request that the order answers. A request is answered by at most one order
    /// that is not cancelled.
    #[serde(default)]
    pub request_id: Option<Uuid>,
    /// The location that the goods go to; in use. An internal transfer needs it. What is received of a purchase is taken
    /// into stock there; without it stock is not touched.
    #[serde(default)]
    pub location_id: Option<Uuid>,
    /// The location where the goods lie; in use. An internal transfer and a return need it, a purchase has none.
    #[serde(default)]
    pub from_location_id: Option<Uuid>,
    /// A note for approvers. At most 2,000 characters.
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
    /// The supplier that delivers it; in use.
    pub supplier_id: Uuid,
    /// The number of units that are ordered: 1 to 2,147,483,647.
    #[schemars(range(min = 1))]
    pub quantity: i32,
    /// The price of one, from 0 to 99,999,999.99 with as many decimals as the currency has, two at most; a
    /// string keeps it exact. Quantity times price stays below 10,000,000,000.
    #[serde(deserialize_with = "money::amount")]
    #[schemars(schema_with = "money::price_schema")]
    pub unit_price: Decimal,
    /// When it should arrive. Years 2000 to 9999.
    #[serde(default)]
    pub expected_delivery_date: Option<NaiveDate>,
}

/// The changes to an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemChange {
    /// The item to change.
    pub item_id: Uuid,
    /// Another part; in use. The item's variant must be of it, so give another or take it away.
    #[serde(default, deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Uuid")]
    pub part_id: Option<Uuid>,
    /// Another variant of the part; in use. Null takes the variant away: any variant of the part will do.
    #[serde(default, deserialize_with = "cleared", skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<Option<Uuid>>,
    /// Takes the variant away, as null in `variant_id` does. Not together with another variant.
    #[serde(default)]
    pub without_variant: bool,
    /// Another supplier; in use.
    #[serde(default, deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Uuid")]
    pub supplier_id: Option<Uuid>,
    /// The number of units that are ordered: 1 to 2,147,483,647.
    #[serde(default, deserialize_with = "kept", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub quantity: Option<i32>,
    /// The price of one, from 0 to 99,999,999.99 with as many decimals as the currency has, two at most; a
    /// string keeps it exact.
    #[serde(default, deserialize_with = "kept_amount", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "money::price_schema")]
    pub unit_price: Option<Decimal>,
    /// When it should arrive. Years 2000 to 9999. Null takes the day away, which approvers who agreed to it are asked
    /// about anew, as about an earlier one.
    #[serde(default, deserialize_with = "cleared", skip_serializing_if = "Option::is_none")]
    pub expected_delivery_date: Option<Option<NaiveDate>>,
}

/// Of a field that null clears: null is something else than nothing.
fn cleared<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Of a field that an item always has.
fn kept<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(deserializer)?
        .map(Some)
        .ok_or_else(always_there)
}

/// The same of an amount of money.
fn kept_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    money::optional_amount(deserializer)?.map(Some).ok_or_else(always_there)
}

fn always_there<E: de::Error>() -> E {
    E::custom("cannot be taken away; leave it out to keep what it is")
}

/// A supplier's confirmation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The supplier who confirms; needed where the items come from several.
    #[serde(default)]
    pub supplier_id: Option<Uuid>,
    /// The supplier's own name for the order. At most 100 characters.
    #[schemars(length(min = 1, max = REFERENCE_CHARS_MAX))]
    pub reference: String,
    /// The days that the supplier named, for some of the items or none.
    #[serde(default)]
    #[schemars(length(max = ITEMS_MAX))]
    pub dates: Vec<ConfirmedDate>,
}

/// The day that a supplier named for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedDate {
    /// An item of that supplier.
    pub item_id: Uuid,
    /// When the supplier delivers it. Years 2000 to 9999.
    pub confirmed_delivery_date: NaiveDate,
}

/// A number of units of an item of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// An item of the order.
    pub item_id: Uuid,
    /// The number of units of it: 1 to 2,147,483,647.
    #[schemars(range(min = 1))]
    pub quantity: i32,
}
