//! The words for what happens to orders.

use serde::Deserialize;

/// What happened to an order, or to its approval.
// Shown in `order_history.event_type`, and asked for there. Add variants; do not rename them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Happened {
    Created,
    ItemAdded,
    ItemChanged,
    ItemRemoved,
    CurrencyChanged,
    NoteChanged,
    Submitted,
    Approved,
    Rejected,
    Ordered,
    ItemsReceived,
    Received,
    ReceiptReversed,
    Rescheduled,
    Confirmed,
    ClosedShort,
    Cancelled,
    StockRefused,
    StockRetried,
    ApprovalAsked,
    LevelAsked,
    LevelApproved,
    LevelEscalated,
    LevelReassigned,
    ApprovalOverdue,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalVoided,
}
