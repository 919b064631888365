//! Device requests, parts and orders (document 001_eec75370b5eea864, schema `cloudwatcher`).

pub mod approval;
pub mod approval_policy;
pub mod buyer;
pub mod currency;
pub mod delegation;
pub mod inventory;
pub mod location;
pub mod order;
pub mod part;
pub mod part_supplier;
pub mod part_variant;
pub mod policies;
pub mod request;
pub mod supplier;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an order stands, in the document's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OrderStatus {
    Draft,
    PendingApproval,
    Approved,
    Ordered,
    PartiallyReceived,
    Received,
    /// Ended although not everything came.
    ClosedShort,
    Cancelled,
}

/// Whether an ask for approval is open, or how it ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ApprovalStatus {
    Pending,
    Approved,
    Rejected,
    /// It does not count any more: the order has changed or was cancelled, or somebody else is asked.
    Voided,
    /// The deadline passed, and somebody further up is asked.
    Escalated,
}

/// What an order is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OrderType {
    /// Parts are bought from suppliers.
    #[default]
    Purchase,
    /// Parts move from one location to another.
    #[serde(rename = "internal_transfer")]
    #[strum(serialize = "internal_transfer")]
    InternalTransfer,
    /// Parts go back from a location to their suppliers.
    Return,
}
