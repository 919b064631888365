//! Why a stock key is not moved.

use chrono::{DateTime, NaiveDate, Utc};
use strum::VariantNames;
use uuid::Uuid;

use super::{CONSUMPTION_YEAR_MIN, LEVELS_REMEMBERED, ORDERS_EXPECTED_MAX, RESERVATIONS_MAX, STOCK_MAX};
use domain::text::Unfit;
use domain::{Class, Refuse, moment};

// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no such record of stock; open it first")]
    NotOpened,
    #[error("this record of stock is open already; send it what is to happen to the stock, such as receive or count")]
    AlreadyOpen,
    #[error("the record of this part, variant and location has the id {id}; send the command there")]
    OtherStock { id: Uuid },
    #[error("{field} {detail}; enter it or choose another")]
    Reference { field: &'static str, detail: &'static str },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
    #[error("only {available} are available; take no more, or release reservations first")]
    NotAvailable { available: i32 },
    #[error("only {on_hand} are on hand, fewer than are reserved; take no more, or count again")]
    NotOnHand { on_hand: i32 },
    #[error("more than {STOCK_MAX} would be on hand; take in less")]
    TooMuchStock,
    #[error("more than {STOCK_MAX} would be on order; order less")]
    TooMuchOnOrder,
    #[error("goods of {ORDERS_EXPECTED_MAX} orders are expected already; take those in, or end them, first")]
    TooManyOrders,
    #[error("reservation_id names no live reservation of this stock; reserve first, or leave it out")]
    NoSuchReservation,
    #[error("the reservation has only {left} left; take no more, or take the rest without it")]
    BeyondReservation { left: i32 },
    #[error("this reservation is there already, otherwise, with {left} left; choose another reservation_id")]
    ReservedOtherwise { left: i32 },
    #[error("a reservation of this id has ended; choose another reservation_id")]
    ReservationEnded,
    #[error(
        "order {order_id} keeps no such goods here: an approved transfer or return keeps them by itself; reserve them for something else"
    )]
    NotWanted { order_id: Uuid },
    #[error(
        "this is of order {order_id}, which moves and keeps its goods by itself; receive, reverse or cancel the order, or say \
         another source or reservation"
    )]
    OrdersOwn { order_id: Uuid },
    #[error("still_to_come tells of an order; name the order as the source, or leave it out")]
    NoOrderNamed,
    #[error("{RESERVATIONS_MAX} reservations are live already; release some first")]
    TooManyReservations,
    #[error("expires_at must be later than now, and within 366 days")]
    BadExpiry,
    #[error("only {left} are left of this reservation; shorten it to fewer, or reserve more under another id")]
    NotShorter { left: i32 },
    #[error("the reservation stands until {}; release it if it is not needed", moment::told(*.expires_at))]
    NotYet { expires_at: DateTime<Utc> },
    #[error("the reservation does not expire; release it if it is not needed")]
    NeverExpires,
    #[error("only {on_hand} are on hand now, fewer than were missed; count again")]
    CountAgain { on_hand: i32 },
    #[error(
        "{on_hand} are on hand now, and seen says another number; count again with seen {on_hand}, or say in seen_sequence \
         when the list was made that said so"
    )]
    SeenOtherwise { on_hand: i32 },
    #[error(
        "{was} were on hand at seen_sequence, and seen says another number; look at the list again, or count again with \
         seen {on_hand}, which are on hand now"
    )]
    NotSeenThen { was: i32, on_hand: i32 },
    #[error(
        "seen_sequence is none of the last {LEVELS_REMEMBERED} of this record; count again with seen {on_hand}, which are on \
         hand now"
    )]
    SeenTooLongAgo { on_hand: i32 },
    #[error(
        "this was counted since seen_sequence, and what that count found is booked; count again with seen {on_hand}, which are on \
         hand now"
    )]
    CountedSince { on_hand: i32 },
    #[error("consumption_date must be from the year {CONSUMPTION_YEAR_MIN} to {latest}")]
    ConsumptionDate { latest: NaiveDate },
    #[error("a transfer leaves the part and variant as they are; name the same ones at another location")]
    OtherPart,
    #[error("a transfer goes to another location; name another one")]
    SameLocation,
    #[error("a transfer is made on both records at once; send it to inventory/{{id}}/transfer")]
    HalfATransfer,
    #[error("suggestion_id names no open suggestion of this stock; look at reorder_suggestions")]
    NoSuchSuggestion,
    #[error(
        "a suggestion is accepted with the draft of an order to this location, in the currency of the price offer, that has \
         an item of this part, variant, supplier and quantity; send it to inventory/{{id}}/accept-reorder"
    )]
    NotDrafted,
    #[error(
        "the location of this stock is struck: goods go out of it and none come in; enter the location again, or take \
         them in elsewhere"
    )]
    LocationStruck,
    #[error("quantity {detail}, or have the stock policy warn of that alone")]
    NotSold { detail: String },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotOpened => Class::Missing,
            Self::AlreadyOpen
            | Self::OtherStock { .. }
            | Self::Reference { .. }
            | Self::Unfit { .. }
            | Self::NotAvailable { .. }
            | Self::NotOnHand { .. }
            | Self::TooMuchStock
            | Self::TooMuchOnOrder
            | Self::TooManyOrders
            | Self::NoSuchReservation
            | Self::BeyondReservation { .. }
            | Self::ReservedOtherwise { .. }
            | Self::ReservationEnded
            | Self::NotWanted { .. }
            | Self::OrdersOwn { .. }
            | Self::NoOrderNamed
            | Self::TooManyReservations
            | Self::BadExpiry
            | Self::NotShorter { .. }
            | Self::NotYet { .. }
            | Self::NeverExpires
            | Self::CountAgain { .. }
            | Self::SeenOtherwise { .. }
            | Self::NotSeenThen { .. }
            | Self::SeenTooLongAgo { .. }
            | Self::CountedSince { .. }
            | Self::ConsumptionDate { .. }
            | Self::OtherPart
            | Self::SameLocation
            | Self::HalfATransfer
            | Self::NoSuchSuggestion
            | Self::NotDrafted
            | Self::LocationStruck
            | Self::NotSold { .. } => Class::Refused,
        }
    }

    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Reference { field, .. } | Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::NotAvailable { .. }
            | Self::NotOnHand { .. }
            | Self::TooMuchStock
            | Self::TooMuchOnOrder
            | Self::BeyondReservation { .. }
            | Self::NotSold { .. }
            | Self::NotShorter { .. } => Some("quantity".to_owned()),
            Self::NoSuchReservation
            | Self::ReservedOtherwise { .. }
            | Self::NotWanted { .. }
            | Self::ReservationEnded
            | Self::NotYet { .. }
            | Self::NeverExpires => Some("reservation_id".to_owned()),
            Self::BadExpiry => Some("expires_at".to_owned()),
            Self::SeenOtherwise { .. } | Self::NotSeenThen { .. } => Some("seen".to_owned()),
            Self::SeenTooLongAgo { .. } | Self::CountedSince { .. } => Some("seen_sequence".to_owned()),
            Self::CountAgain { .. } => Some("counted".to_owned()),
            Self::ConsumptionDate { .. } => Some("consumption_date".to_owned()),
            Self::NoOrderNamed => Some("still_to_come".to_owned()),
            Self::NoSuchSuggestion => Some("suggestion_id".to_owned()),
            Self::NotDrafted => Some("order_id".to_owned()),
            Self::NotOpened
            | Self::AlreadyOpen
            | Self::OtherStock { .. }
            | Self::OrdersOwn { .. }
            | Self::TooManyOrders
            | Self::TooManyReservations
            | Self::OtherPart
            | Self::SameLocation
            | Self::LocationStruck
            | Self::HalfATransfer => None,
        }
    }
}
