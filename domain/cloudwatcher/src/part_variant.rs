//! A part in one colour, size or make. Feeds `part_variants` of document 001_eec75370b5eea864.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::currency;
use super::part::Part;
use domain::faults::Faults;
use domain::money;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};
use domain::{Claim, FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate =
    domain::Aggregate::of::<domain::register::Register<PartVariant>>("part-variants");

/// No two variants of a part have the same code.
pub const VARIANT_CODE: Claim = Claim::kept("cloudwatcher", "part_variants.part_id+variant_code");

/// Characters of a variant's code.
pub const VARIANT_CODE_CHARS_MAX: usize = 50;
/// Characters of a variant's name.
pub const VARIANT_NAME_CHARS_MAX: usize = 255;
/// Bytes of a variant's attributes as JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 << 10;

/// A variant as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartVariant {
    /// The part that this is a variant of; in use. It cannot be changed.
    pub part_id: Uuid,
    /// The code, unique within the part: `RED-M`. Codes are the same that differ by case, blanks or what does not show. A
    /// struck variant keeps its code. At most 50 characters.
    #[schemars(length(min = 1, max = VARIANT_CODE_CHARS_MAX))]
    pub variant_code: String,
    /// Its name. At most 255 characters.
    #[serde(default)]
    #[schemars(length(max = VARIANT_NAME_CHARS_MAX))]
    pub variant_name: Option<String>,
    /// The attributes that tell it from the others, freely: `{"color": "red", "size": "M"}`. At most 16 KiB.
    #[serde(default)]
    pub attributes: Option<Map<String, Value>>,
    /// The cost of one for us, from 0 to 99,999,999.99 with as many decimals as the currency has, two at most; a string
    /// keeps it exact.
    #[serde(default, deserialize_with = "money::optional_amount")]
    #[schemars(schema_with = "money::optional_price_schema")]
    pub cost_per_unit: Option<Decimal>,
    /// The price that one is sold for, from 0 to 99,999,999.99 with as many decimals as the currency has, two at most; a
    /// string keeps it exact.
    #[serde(default, deserialize_with = "money::optional_amount")]
    #[schemars(schema_with = "money::optional_price_schema")]
    pub retail_price: Option<Decimal>,
    // Absent in what was entered before variants had one: nothing says in what such amounts are.
    /// The currency of both, needed with either: an ISO 4217 code in capitals, such as `EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(equal = 3))]
    pub currency: Option<String>,
}

impl Entry for PartVariant {
    const TYPE: &'static str = "cloudwatcher.part-variant";
    const NOUN: &'static str = "part variant";
    const ENTERED: &'static str = "PartVariantEntered";
    const AMENDED: &'static str = "PartVariantAmended";
    const STRUCK: &'static str = "PartVariantStruck";
    const CLAIMS: &'static [Claim] = &[VARIANT_CODE];
    // Codes that differ by case, blanks or what does not show were once different.
    const TAKEN: &'static str = "PartVariantCodesTaken";

    fn check(&self) -> Faults<Unfit> {
        let attributes = self.attributes.as_ref().map_or(Ok(()), |attributes| {
            text::json(&Value::Object(attributes.clone()), ATTRIBUTES_BYTES_MAX)
        });
        let currency = self.currency.as_deref();
        Faults::default()
            .at(
                "variant_code",
                text::required(&self.variant_code, VARIANT_CODE_CHARS_MAX),
            )
            .at(
                "variant_name",
                text::optional(self.variant_name.as_ref(), VARIANT_NAME_CHARS_MAX),
            )
            .at("attributes", attributes)
            .at("cost_per_unit", self.cost_per_unit.map_or(Ok(()), text::price))
            .at("retail_price", self.retail_price.map_or(Ok(()), text::price))
            .at("currency", currency.map_or(Ok(()), currency::check))
            .at_beside(
                "currency",
                &["cost_per_unit"],
                currency::named(currency, self.cost_per_unit),
            )
            .at_beside(
                "currency",
                &["retail_price"],
                currency::named(currency, self.retail_price),
            )
            .at_beside(
                "cost_per_unit",
                &["currency"],
                currency::divides_named(currency, self.cost_per_unit),
            )
            .at_beside(
                "retail_price",
                &["currency"],
                currency::divides_named(currency, self.retail_price),
            )
    }

    fn reads(&self, _id: Uuid, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Register<Part>>(self.part_id)]
    }

    fn judge(&self, _id: Uuid, facts: &Facts) -> Faults<String> {
        Faults::default().at("part_id", Register::<Part>::is_in_use("part_id", self.part_id, facts))
    }

    fn becomes(&self, now: &Self, _id: Uuid, _facts: &Facts) -> Result<(), (&'static str, String)> {
        if self.part_id == now.part_id {
            return Ok(());
        }
        let detail = format!(
            "part_id stays {}, the part that this is a variant of; strike it and enter a variant of the other part",
            now.part_id
        );
        Err(("part_id", detail))
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        let part_id = self.part_id.to_string();
        vec![
            (VARIANT_CODE, format!("{part_id}/{}", self.variant_code)),
            (VARIANT_CODE, Claim::alike(&part_id, &self.variant_code)),
        ]
    }
}

#[cfg(test)]
mod tests;
