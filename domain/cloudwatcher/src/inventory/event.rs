//! The events of a stock key, as they are stored.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Levels, Record, Source, StockKey, Suggestion};
use domain::stored_by_variant;

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    InventoryOpened {
        stock: StockKey,
        /// The department whose location it is.
        department_id: Uuid,
        reorder_point: Option<i32>,
        reorder_quantity: Option<i32>,
    },
    ReorderLevelsSet {
        stock: StockKey,
        reorder_point: Option<i32>,
        reorder_quantity: Option<i32>,
    },
    StockReceived {
        stock: StockKey,
        quantity: i32,
        source: Option<Source>,
        /// The units of the order that are still to come; absent where nobody said so, and then as many fewer as came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        still_to_come: Option<i32>,
        after: Levels,
    },
    StockIssued {
        stock: StockKey,
        quantity: i32,
        /// The reservation that has so much less left, and ends when nothing is.
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        /// The units of the order that are still to come; absent where nobody said so, and then as many as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        still_to_come: Option<i32>,
        after: Levels,
    },
    StockConsumed {
        stock: StockKey,
        consumption_id: Uuid,
        quantity: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        consumption_date: NaiveDate,
        consumed_by: Option<Uuid>,
        notes: Option<String>,
        after: Levels,
    },
    StockReserved {
        stock: StockKey,
        reservation_id: Uuid,
        quantity: i32,
        source: Option<Source>,
        expires_at: Option<DateTime<Utc>>,
        after: Levels,
    },
    ReservationShortened {
        stock: StockKey,
        reservation_id: Uuid,
        /// The units that were given back.
        quantity: i32,
        /// The units that stay reserved.
        left: i32,
        source: Option<Source>,
        after: Levels,
    },
    ReservationReleased {
        stock: StockKey,
        reservation_id: Uuid,
        /// The units that were given back.
        quantity: i32,
        source: Option<Source>,
        after: Levels,
    },
    ReservationExpired {
        stock: StockKey,
        reservation_id: Uuid,
        /// The units that were given back.
        quantity: i32,
        source: Option<Source>,
        after: Levels,
    },
    StockCounted {
        stock: StockKey,
        /// The units that were said to be on hand when the count began.
        seen: i32,
        counted: i32,
        /// The difference, which on hand has changed by.
        delta: i32,
        /// How many of those reserved are not there.
        short: i32,
        /// Which reservations that concerns, the newest first.
        newest: Vec<Uncovered>,
        after: Levels,
    },
    StockTransferredOut {
        stock: StockKey,
        transfer_id: Uuid,
        to: StockKey,
        quantity: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        /// The units of the order that are still to come; absent where nobody said so, and then as many as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        still_to_come: Option<i32>,
        after: Levels,
    },
    StockTransferredIn {
        stock: StockKey,
        transfer_id: Uuid,
        from: StockKey,
        quantity: i32,
        source: Option<Source>,
        /// The units of the order that are still to come; absent where nobody said so, and then as many as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        still_to_come: Option<i32>,
        after: Levels,
    },
    StockExpected {
        stock: StockKey,
        order_id: Uuid,
        /// The units of the order that are still to come.
        quantity: i32,
        after: Levels,
    },
    ReorderSuggested {
        stock: StockKey,
        #[serde(flatten)]
        suggestion: Suggestion,
    },
    /// The projection rose above the reorder point by itself.
    ReorderLapsed {
        stock: StockKey,
        suggestion_id: Uuid,
    },
    ReorderAccepted {
        stock: StockKey,
        suggestion_id: Uuid,
        order_id: Uuid,
        quantity: i32,
        part_supplier_id: Uuid,
        after: Levels,
    },
    ReorderDismissed {
        stock: StockKey,
        suggestion_id: Uuid,
    },
    /// Everything that matters of the events so far, so that loading can begin here.
    StockCarriedForward {
        record: Box<Record>,
    },
}

/// A reservation that a count has left without some of its goods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Uncovered {
    pub reservation_id: Uuid,
    /// How many of what it keeps are not there.
    pub quantity: i32,
}

stored_by_variant!(Event);

impl domain::Event for Event {
    fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::StockConsumed { .. } => vec!["notes"],
            _ => Vec::new(),
        }
    }
}
