//! A tenant's policy for what is bought for stock. One policy per tenant; feeds `stock_policies`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::faults::Faults;
use domain::register::{Entry, OnePerTenant, Register};
use domain::text::Unfit;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<StockPolicy>>("stock-policies");

/// The policy as it is entered, under the one id that the tenant's policy has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockPolicy {
    /// What becomes of a quantity that a supplier's price offer says is not sold: fewer than its minimum, or no whole
    /// packs. Warned of when absent.
    #[serde(default)]
    pub not_sold: NotSold,
}

/// What becomes of a quantity that a supplier does not sell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NotSold {
    /// It is ordered, and whoever orders it is told.
    #[default]
    Warn,
    /// It is not ordered.
    Refuse,
}

impl OnePerTenant for StockPolicy {}

impl Entry for StockPolicy {
    const TYPE: &'static str = "cloudwatcher.stock-policy";
    const NOUN: &'static str = "stock policy";
    const ENTERED: &'static str = "StockPolicyEntered";
    const AMENDED: &'static str = "StockPolicyAmended";
    const STRUCK: &'static str = "StockPolicyStruck";
    const ONE_PER_TENANT: bool = true;

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
    }
}

#[cfg(test)]
mod tests;
