//! What a tenant has laid down for approvals.

use cloudwatcher::approval_policy::ApprovalPolicy;
use serde_json::{Value, json};

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
