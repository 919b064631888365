//! A tenant's policy for what is bought for stock. One policy per tenant; feeds `stock_policies`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::entry;
use domain::entry::Word;
use domain::register::OnePerTenant;

entry! {
    /// What is bought for stock. A tenant has one policy; while it has none in use, a quantity that a supplier does not sell
    /// is warned of.
    StockPolicy = cloudwatcher.stock_policies
    kind { "cloudwatcher.stock-policy", "stock policy", "stock-policies" }
    key { id: uuid }
    fields {
        /// What becomes of a quantity that a supplier's price offer says is not sold: fewer than its minimum, or no whole
        /// packs. Warned of when absent.
        #[serde(default)]
        not_sold: NotSold = word(50),
    }
    in_use { is_active }
    consts {
        const ONE_PER_TENANT: bool = true;
    }
}

/// What becomes of a quantity that a supplier does not sell.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NotSold {
    /// It is ordered, and whoever orders it is told.
    #[default]
    Warn,
    /// It is not ordered.
    Refuse,
}

impl Word for NotSold {}

/// The policy that holds while none is entered, or the entered one is struck.
impl Default for StockPolicy {
    fn default() -> Self {
        Self {
            not_sold: NotSold::default(),
        }
    }
}

impl OnePerTenant for StockPolicy {}

#[cfg(test)]
mod tests;
