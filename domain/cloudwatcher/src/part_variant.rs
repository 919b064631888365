//! A part in one colour, size or make. Feeds `part_variants` of document 001_eec75370b5eea864.

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::currency;
use super::part::Part;
use domain::Claim;
use domain::entry;
use domain::entry::Beside;
use domain::faults::Faults;
use domain::register::Register;
use domain::text::Unfit;

/// No two variants of a part have the same code.
pub const VARIANT_CODE: Claim = Claim::kept("cloudwatcher", "part_variants.part_id+variant_code");

/// Bytes of a variant's attributes as JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 << 10;

entry! {
    /// A part in one colour, size or make. A struck variant's row stays and keeps its code.
    PartVariant = cloudwatcher.part_variants
    kind { "cloudwatcher.part-variant", "part variant", "part-variants" }
    key { id: uuid }
    fields {
        /// The part that this is a variant of; in use. It cannot be changed.
        part_id: Uuid = reference::<Register<Part>>().cascades().stays().found(),
        /// The code, unique within the part: `RED-M`. Codes are the same that differ by case, blanks or what does not show.
        /// A struck variant keeps its code.
        variant_code: String = varchar(50).unique_within(VARIANT_CODE, &["part_id"]).found(),
        /// What it is called.
        #[serde(default)]
        variant_name: Option<String> = varchar(255),
        /// The attributes that tell it from the others, freely: `{"color": "red", "size": "M"}`.
        #[serde(default)]
        attributes: Option<Map<String, Value>> = json(ATTRIBUTES_BYTES_MAX),
        /// What one costs us, with as many decimals as the currency has.
        #[serde(default, deserialize_with = "domain::money::optional_amount")]
        cost_per_unit: Option<Decimal> = amount(10, 2),
        /// What one is sold for, with as many decimals as the currency has.
        #[serde(default, deserialize_with = "domain::money::optional_amount")]
        retail_price: Option<Decimal> = amount(10, 2),
        // Absent in what was entered before variants had one: nothing says in what such amounts are.
        /// The currency of both, needed with either: an ISO 4217 code in capitals, such as `EUR`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<String> = varchar(3).sample("\"EUR\""),
    }
    in_use { is_available }
    consts {
        // Codes that differ by case, blanks or what does not show were once different.
        const TAKEN: &'static str = "PartVariantCodesTaken";
    }
    rules { Beside }
}

impl Beside for PartVariant {
    fn check_beside(&self) -> Faults<Unfit> {
        let (currency, cost, price) = (self.currency.as_deref(), self.cost_per_unit, self.retail_price);
        Faults::default()
            .at("currency", currency.map_or(Ok(()), currency::check))
            .at_beside("currency", &["cost_per_unit"], currency::named(currency, cost))
            .at_beside("currency", &["retail_price"], currency::named(currency, price))
            .at_beside("cost_per_unit", &["currency"], currency::divides_named(currency, cost))
            .at_beside("retail_price", &["currency"], currency::divides_named(currency, price))
    }
}

#[cfg(test)]
mod tests;
