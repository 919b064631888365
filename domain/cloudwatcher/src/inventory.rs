//! Stock: one stream per stock key, that is a part, a variant of it or none, and a location.
//! Feeds `inventory`, `stock_levels` and `part_consumption` of document 001_eec75370b5eea864, and the
//! tables of moves, reservations and reorder suggestions beside it.
//!
//! Reservations are the truth: what is reserved is their sum and is kept nowhere else. What is available,
//! on hand less reserved, is never negative but by a count, which then says what the newest reservations
//! can no longer have.

mod carry;
mod command;
mod decide;
mod ended;
mod event;
mod evolve;
mod moves;
mod open;
mod refusal;
mod reorder;
mod reserve;
mod to_come;
mod transfer;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use super::stock::{STOCK_MAX, StockKey};
pub use carry::{EVENTS_CARRIED_MIN, RESERVATIONS_PER_EVENT};
pub use command::{Command, Consumption};
pub use ended::{ENDED_REMEMBERED, Ended};
pub use event::{Event, Uncovered};
pub use refusal::Refusal;
pub use reorder::Suggestion;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Inventory>("inventory");

/// Reservations of one stock key that are live at one time.
pub const RESERVATIONS_MAX: usize = 1_000;
/// Orders from which one stock key expects goods at one time.
pub const ORDERS_EXPECTED_MAX: usize = 500;
/// Events of a stock key after which it is remembered what was on hand, for counts of lists that are a little old.
pub const LEVELS_REMEMBERED: usize = 128;
/// For how long stock can be reserved, where the reservation says when it expires.
pub const RESERVED_FOR_MAX: TimeDelta = TimeDelta::days(366);
/// Characters of a note on what was consumed.
pub const NOTES_CHARS_MAX: usize = 2_000;
/// The earliest year in which something was consumed.
pub const CONSUMPTION_YEAR_MIN: i32 = 2000;

/// The stock under one key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Inventory {
    #[default]
    Unopened,
    Open(Box<Record>),
}

/// For what or whom stock is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The kind of reason.
    pub kind: SourceKind,
    /// Its id; for `other` any id that the sender knows it by.
    pub id: Uuid,
}

/// The reason of a move.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SourceKind {
    Order,
    /// A device request.
    Request,
    Other,
}

/// How much there is, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Levels {
    pub on_hand: i32,
    /// The sum of the live reservations.
    pub reserved: i32,
    /// Units that orders are to bring.
    pub on_order: i32,
}

impl Levels {
    /// Units that can be given away; negative only after a count.
    #[must_use]
    pub fn available(&self) -> i32 {
        self.on_hand - self.reserved
    }

    /// Units that there will be when all orders have come and all reservations were used.
    #[must_use]
    pub fn projected(&self) -> i32 {
        self.available() + self.on_order
    }
}

// Stored for ever, in `StockCarriedForward`. Add fields with a default; do not rename or reuse them.
/// All that later decisions read of a stock key's past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    stock: StockKey,
    department_id: Uuid,
    on_hand: i32,
    reorder_point: Option<i32>,
    reorder_quantity: Option<i32>,
    /// The live ones, the oldest first.
    reservations: Vec<Reservation>,
    /// Those that were live before, as far as they are remembered.
    #[schemars(with = "String")]
    ended: Ended,
    /// By order, what of it is still to come.
    expected: BTreeMap<Uuid, i32>,
    suggestion: Option<Suggestion>,
    /// Whether a suggestion was dismissed since the projection was above the reorder point last.
    is_dismissed: bool,
    /// What was on hand after each of the last events, the latest last; fewer where this was not yet remembered.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    recent: VecDeque<i32>,
    /// How many of those came after the last count, where it is one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_count: Option<usize>,
    /// Events since everything was carried forward last.
    #[serde(skip)]
    events: u32,
}

/// Stock that is kept for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reservation {
    id: Uuid,
    /// Units that are left of it; at least 1.
    quantity: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

impl Inventory {
    fn record(&self) -> Option<&Record> {
        match self {
            Self::Unopened => None,
            Self::Open(record) => Some(record),
        }
    }

    /// The key, which says what lies where; `None` before the record is opened.
    #[must_use]
    pub fn stock(&self) -> Option<StockKey> {
        self.record().map(|record| record.stock)
    }

    /// The department whose location it is; `None` before the record is opened.
    #[must_use]
    pub fn department_id(&self) -> Option<Uuid> {
        self.record().map(|record| record.department_id)
    }

    /// How much there is; all zero before the record is opened.
    #[must_use]
    pub fn levels(&self) -> Levels {
        self.record().map(Record::levels).unwrap_or_default()
    }

    /// Units that lie here, reserved or not.
    #[must_use]
    pub fn on_hand(&self) -> i32 {
        self.levels().on_hand
    }

    /// Units that are reserved.
    #[must_use]
    pub fn reserved(&self) -> i32 {
        self.levels().reserved
    }

    /// Units that can be given away; negative only after a count.
    #[must_use]
    pub fn available(&self) -> i32 {
        self.levels().available()
    }

    /// Units that orders are to bring.
    #[must_use]
    pub fn on_order(&self) -> i32 {
        self.levels().on_order
    }

    /// Units that are left of a live reservation.
    #[must_use]
    pub fn reservation(&self, reservation_id: Uuid) -> Option<i32> {
        let reservation = self.record()?.live(reservation_id)?;
        Some(reservation.quantity)
    }

    /// The suggestion to reorder that waits for an answer.
    #[must_use]
    pub fn open_suggestion(&self) -> Option<&Suggestion> {
        self.record()?.suggestion.as_ref()
    }
}

impl Record {
    fn levels(&self) -> Levels {
        Levels {
            on_hand: self.on_hand,
            reserved: self.reservations.iter().map(|reservation| reservation.quantity).sum(),
            on_order: self.expected.values().sum(),
        }
    }

    fn live(&self, reservation_id: Uuid) -> Option<&Reservation> {
        let mut reservations = self.reservations.iter();
        reservations.find(|reservation| reservation.id == reservation_id)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
