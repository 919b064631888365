//! Device requests, parts and orders (document 001_eec75370b5eea864, schema `cloudwatcher`).

pub mod approval;
pub mod approval_policy;
pub mod buyer;
pub mod currency;
pub mod delegation;
pub mod device_connection;
pub mod device_policy;
pub mod inventory;
pub mod location;
pub mod order;
pub mod part;
pub mod part_supplier;
pub mod part_variant;
pub mod policies;
pub mod request;
pub mod stock;
pub mod stock_policy;
pub mod stocked;
pub mod supplier;

#[cfg(test)]
mod golden;

use domain::Context;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The document's kinds of streams, and what they lead to by themselves.
pub static CONTEXT: Context = Context {
    name: "cloudwatcher",
    aggregates: &[
        supplier::AGGREGATE,
        part::AGGREGATE,
        part_variant::AGGREGATE,
        part_supplier::AGGREGATE,
        location::AGGREGATE,
        inventory::AGGREGATE,
        stock_policy::AGGREGATE,
        stocked::AGGREGATE,
        request::AGGREGATE,
        device_connection::AGGREGATE,
        device_policy::AGGREGATE,
        order::AGGREGATE,
        approval_policy::AGGREGATE,
        delegation::AGGREGATE,
        buyer::AGGREGATE,
        approval::AGGREGATE,
    ],
    policies: &[
        &policies::OrderApprovals,
        &policies::OrderStock,
        &policies::StockExpiry,
        &policies::RequestLeases,
        &policies::StockStruck,
    ],
    history: include_str!("../golden/history.json"),
};

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

/// The purpose of an order.
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

/// How far a request of a device got.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RequestStatus {
    /// Nobody works on it yet.
    Pending,
    Processing,
    /// Its response is there.
    Completed,
    /// Its response says what went wrong.
    Failed,
}

/// How far the response to a request got.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ResponseStatus {
    /// It is being made; its content is empty.
    Processing,
    /// It waits for the device.
    Ready,
    /// The device has it.
    Delivered,
    /// It says what went wrong.
    Failed,
}

/// Whether a file is where it should be in the cloud.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SyncStatus {
    Pending,
    Synced,
    Failed,
}

/// The owner of a file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FileType {
    Request,
    Response,
}

/// The place where a file is kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum CloudProvider {
    Sharepoint,
    GoogleDrive,
    Local,
}

/// The way in which a device is connected.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ConnectionType {
    Websocket,
    Polling,
    Webhook,
}
