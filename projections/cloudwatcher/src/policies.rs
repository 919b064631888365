//! What a tenant has laid down for approvals, for the requests of its devices and for what is bought for stock.

use cloudwatcher::approval_policy::ApprovalPolicy;
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::stock_policy::{NotSold, StockPolicy};
use serde_json::{Value, json};

use projections::cell::Word;
use projections::register;
use projections::table::Scope;

register! {
    /// How many levels of approval an order needs. A tenant has one policy; while it has none in use, one level is needed
    /// from 0 on, two from 1,000 and three from 10,000 USD or EUR, each to be decided within 48 hours.
    ApprovalPolicyRow = cloudwatcher.approval_policies of ApprovalPolicy
    columns {
        /// The currencies in which orders can be submitted, each with the totals from which one, two and more levels
        /// are needed: `[{"currency": "EUR", "thresholds": ["0.00", "1000.00"]}]`.
        currencies: Value = |entry| json!(entry.currencies),
        /// Departments whose orders need more levels: `[{"department_id": "...", "levels_min": 2}]`.
        departments: Value = |entry| json!(entry.departments),
        /// Who decides where the tree of departments ends, in the order in which they are asked.
        top_deciders: Value = |entry| json!(entry.top_deciders),
        /// Hours that an approver has to decide before the next manager above is asked.
        deadline_hours: i32,
    }
    in_use { is_active }
    find { id, is_active, created_at }
    scope { Scope::Tenant }
}

register! {
    /// How requests of devices are dealt with. A tenant has one policy; while it has none in use, repeats are recognised
    /// for a day, whoever begins a request has it for half an hour, and closed ones stay for 90 days.
    DevicePolicyRow = cloudwatcher.device_policies of DevicePolicy
    columns {
        /// Minutes within which a request without a key is taken for a repeat of an equal one.
        dedup_window_minutes: i32,
        /// Days after which a request that is completed or failed is archived.
        retention_days: i32,
        /// Minutes for which whoever begins a request has it to themselves.
        lease_minutes: i32,
    }
    in_use { is_active }
    find { id, is_active, created_at }
    scope { Scope::Tenant }
}

register! {
    /// What is bought for stock. A tenant has one policy; while it has none in use, a quantity that a supplier does not sell
    /// is warned of.
    StockPolicyRow = cloudwatcher.stock_policies of StockPolicy
    columns {
        /// What becomes of a quantity that a supplier's price offer says is not sold: `warn`, `refuse`.
        not_sold: Word<NotSold> = |entry| Word(entry.not_sold),
    }
    in_use { is_active }
    find { id, is_active, created_at }
    scope { Scope::Tenant }
}
