//! The commands to a stock key.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NOTES_CHARS_MAX, STOCK_MAX, Source, StockKey};

/// What can be asked of a stock key. Say why in the header `Daybook-Reason`; it is kept with every move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Opens the record of a part, or of one variant of it, at a location, with nothing in stock. Its id
    /// follows from these three, so leave it to the server.
    Open {
        /// The part; in use.
        part_id: Uuid,
        /// The variant of the part; in use. Absent for the part itself.
        #[serde(default)]
        variant_id: Option<Uuid>,
        /// The location where it is to lie; in use.
        location_id: Uuid,
        /// As `set-reorder` has it.
        #[serde(default)]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        reorder_point: Option<i32>,
        /// As `set-reorder` has it.
        #[serde(default)]
        #[schemars(range(min = 1, max = STOCK_MAX))]
        reorder_quantity: Option<i32>,
    },
    /// Says when to reorder, and how much.
    SetReorder {
        /// Reordering is suggested when what is projected (on hand, less reserved, plus on order) falls to
        /// this or below: 0 to 1,000,000,000. Absent: never.
        #[serde(default)]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        reorder_point: Option<i32>,
        /// The least to suggest: 1 to 1,000,000,000. Absent: as much as it takes to get above the point.
        #[serde(default)]
        #[schemars(range(min = 1, max = STOCK_MAX))]
        reorder_quantity: Option<i32>,
    },
    /// Takes goods in.
    Receive {
        /// The number of units: 1 to 1,000,000,000, which is also the most that can be on hand.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// The source that brought them.
        #[serde(default)]
        source: Option<Source>,
        /// The stock key of this record, which is opened if there is none yet.
        #[serde(default)]
        stock: Option<StockKey>,
        /// The number of units that the order is still to bring here afterwards: 0 to 1,000,000,000; as many fewer as
        /// came when absent. Daybook says it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        still_to_come: Option<i32>,
    },
    /// Gives goods out: from a reservation, or from what is available.
    Issue {
        /// The number of units: 1 to 1,000,000,000.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// The reservation that they were kept by, which has at least as many left.
        #[serde(default)]
        reservation_id: Option<Uuid>,
        /// For what; that of the reservation when absent.
        #[serde(default)]
        source: Option<Source>,
        /// The number of units that the order is still to bring here afterwards: 0 to 1,000,000,000; as many as before
        /// when absent. Daybook says it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        still_to_come: Option<i32>,
    },
    /// Uses goods up: from a reservation, or from what is available.
    Consume(Consumption),
    /// Keeps some of what is available for somebody.
    Reserve {
        /// The number of units: 1 to 1,000,000,000.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// The reservation's id; drawn when absent. The same reservation again changes nothing; the id of
        /// one that has ended is refused.
        #[serde(default)]
        reservation_id: Option<Uuid>,
        /// For what.
        #[serde(default)]
        source: Option<Source>,
        /// When it ends by itself; at most 366 days from now. Absent: never.
        #[serde(default)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// Gives back part of a reservation. One that has ended stays as it is.
    Shorten {
        /// The reservation.
        reservation_id: Uuid,
        /// The number of units that stay reserved: at least 1, and no more than are left.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
    },
    /// Gives back all that is left of a reservation. One that has ended stays as it is.
    Release {
        /// The reservation.
        reservation_id: Uuid,
    },
    /// Ends a reservation whose time has come; Daybook sends it by itself.
    Expire {
        /// The reservation.
        reservation_id: Uuid,
    },
    /// Corrects what is on hand by the difference between what the counter found and what the counter's
    /// list said. What was moved meanwhile stays counted.
    Count {
        /// The number that was said to be on hand when the count began: 0 to 1,000,000,000. It is what is on hand now or,
        /// with `seen_sequence`, what was then.
        #[schemars(range(min = 0, max = STOCK_MAX))]
        seen: i32,
        /// The number that was found: 0 to 1,000,000,000.
        #[schemars(range(min = 0, max = STOCK_MAX))]
        counted: i32,
        /// The record's sequence when the counter's list was made, as its row or its `ETag` says it; one of the last 128.
        /// Absent when nothing was moved since.
        #[serde(default)]
        #[schemars(range(min = 1))]
        seen_sequence: Option<i64>,
    },
    /// Takes goods out to another location. Only together with `transfer-in` there; see
    /// `POST /v1/cloudwatcher/inventory/{id}/transfer`.
    TransferOut {
        /// The id that the two halves have in common.
        transfer_id: Uuid,
        /// The record that they go to: the same part and variant at another location.
        to: StockKey,
        /// The number of units: 1 to 1,000,000,000.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// The reservation that they were kept by, which has at least as many left.
        #[serde(default)]
        reservation_id: Option<Uuid>,
        /// For what; that of the reservation when absent.
        #[serde(default)]
        source: Option<Source>,
        /// The number of units that the order is still to bring here afterwards: 0 to 1,000,000,000; as many as before
        /// when absent. Daybook says it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        still_to_come: Option<i32>,
    },
    /// Takes goods in from another location, and opens the record if there is none yet. Only together with
    /// `transfer-out` there.
    TransferIn {
        /// The id that the two halves have in common.
        transfer_id: Uuid,
        /// The record that they come from: the same part and variant at another location.
        from: StockKey,
        /// The stock key of this record.
        to: StockKey,
        /// The number of units: 1 to 1,000,000,000, which is also the most that can be on hand.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// For what.
        #[serde(default)]
        source: Option<Source>,
        /// The number of units that the order is still to bring here afterwards: 0 to 1,000,000,000; as many as before
        /// when absent. Daybook says it by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 0, max = STOCK_MAX))]
        still_to_come: Option<i32>,
    },
    /// Says how much of an order is still to come. Daybook sends it by itself.
    Expect {
        /// The order.
        order_id: Uuid,
        /// The number of units, in place of the one that was said before: 0 to 1,000,000,000.
        #[schemars(range(min = 0, max = STOCK_MAX))]
        quantity: i32,
        /// The stock key of this record, which is opened if there is none yet and something is to come.
        #[serde(default)]
        stock: Option<StockKey>,
    },
    /// Follows the open suggestion to reorder. Only together with the draft of the order; see
    /// `POST /v1/cloudwatcher/inventory/{id}/accept-reorder`.
    AcceptReorder {
        /// The suggestion.
        suggestion_id: Uuid,
        /// The order that is drafted, with an item of this part and variant.
        order_id: Uuid,
        /// How many it orders: 1 to 1,000,000,000. They count as on order from now on, and what the order is changed to, until
        /// it is placed and received.
        #[schemars(range(min = 1, max = STOCK_MAX))]
        quantity: i32,
        /// The price offer that it takes up.
        part_supplier_id: Uuid,
    },
    /// Looks at the suggestion to reorder again, because the part, variant or location is struck. Daybook sends it by itself.
    LookAgain {},
    /// Turns the open suggestion to reorder down. There is none again until the projection was above the
    /// reorder point in between.
    DismissReorder {
        /// The suggestion.
        suggestion_id: Uuid,
    },
}

/// The units that were used up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumption {
    /// The number of units: 1 to 1,000,000,000.
    #[schemars(range(min = 1, max = STOCK_MAX))]
    pub quantity: i32,
    /// The reservation that they were kept by, which has at least as many left.
    #[serde(default)]
    pub reservation_id: Option<Uuid>,
    /// The day, from the year 2000 to tomorrow; today (UTC) when absent.
    #[serde(default)]
    pub consumption_date: Option<NaiveDate>,
    /// The user who used them; who sends the command when absent.
    #[serde(default)]
    pub consumed_by: Option<Uuid>,
    /// The purpose. At most 2,000 characters.
    #[serde(default)]
    #[schemars(length(max = NOTES_CHARS_MAX))]
    pub notes: Option<String>,
}

impl Command {
    /// What the command says that stock is moved or kept for.
    pub(super) fn source(&self) -> Option<Source> {
        match self {
            Self::Receive { source, .. }
            | Self::Issue { source, .. }
            | Self::Reserve { source, .. }
            | Self::TransferOut { source, .. }
            | Self::TransferIn { source, .. } => *source,
            _ => None,
        }
    }

    /// What the command says that its order is still to bring here.
    pub(super) fn still_to_come(&self) -> Option<i32> {
        match self {
            Self::Receive { still_to_come, .. }
            | Self::Issue { still_to_come, .. }
            | Self::TransferOut { still_to_come, .. }
            | Self::TransferIn { still_to_come, .. } => *still_to_come,
            _ => None,
        }
    }

    /// The reservation that the command makes, takes from or ends.
    pub(super) fn reservation_id(&self) -> Option<Uuid> {
        match self {
            Self::Issue { reservation_id, .. }
            | Self::Reserve { reservation_id, .. }
            | Self::TransferOut { reservation_id, .. }
            | Self::Consume(Consumption { reservation_id, .. }) => *reservation_id,
            Self::Shorten { reservation_id, .. }
            | Self::Release { reservation_id }
            | Self::Expire { reservation_id } => Some(*reservation_id),
            _ => None,
        }
    }

    /// The transfer that the command is half of.
    pub(super) fn transfer_id(&self) -> Option<Uuid> {
        match self {
            Self::TransferOut { transfer_id, .. } | Self::TransferIn { transfer_id, .. } => Some(*transfer_id),
            _ => None,
        }
    }

    /// The stock key that the command says its record is of; one that does not say has to know the record.
    pub(super) fn stock(&self) -> Option<StockKey> {
        match self {
            &Self::Open {
                part_id,
                variant_id,
                location_id,
                ..
            } => Some(StockKey {
                part_id,
                variant_id,
                location_id,
            }),
            Self::Receive { stock, .. } | Self::Expect { stock, .. } => *stock,
            Self::TransferIn { to, .. } => Some(*to),
            _ => None,
        }
    }
}
