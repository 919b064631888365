//! A part in one colour, size or make. Feeds `part_variants` of document 001_eec75370b5eea864.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::part::Part;
use domain::money;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate =
    domain::Aggregate::of::<domain::register::Register<PartVariant>>("part-variants");

/// No two variants of a part have the same code.
pub const VARIANT_CODE: domain::Claim = domain::Claim::kept("cloudwatcher", "part_variants.part_id+variant_code");

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
    /// The part that this is a variant of; in use.
    pub part_id: Uuid,
    /// The code, unique within the part: `RED-M`. A struck variant keeps its code. At most 50 characters.
    #[schemars(length(min = 1, max = VARIANT_CODE_CHARS_MAX))]
    pub variant_code: String,
    /// Its name. At most 255 characters.
    #[serde(default)]
    #[schemars(length(max = VARIANT_NAME_CHARS_MAX))]
    pub variant_name: Option<String>,
    /// The attributes that tell it from the others, freely: `{"color": "red", "size": "M"}`. At most 16 KiB.
    #[serde(default)]
    pub attributes: Option<Map<String, Value>>,
    /// The cost of one for us, from 0 to 99,999,999.99 with two decimals; a string keeps it exact.
    #[serde(default, deserialize_with = "money::optional_amount")]
    #[schemars(schema_with = "money::optional_price_schema")]
    pub cost_per_unit: Option<Decimal>,
    /// The price that one is sold for, from 0 to 99,999,999.99 with two decimals; a string keeps it exact.
    #[serde(default, deserialize_with = "money::optional_amount")]
    #[schemars(schema_with = "money::optional_price_schema")]
    pub retail_price: Option<Decimal>,
}

impl Entry for PartVariant {
    const TYPE: &'static str = "cloudwatcher.part-variant";
    const NOUN: &'static str = "part variant";
    const ENTERED: &'static str = "PartVariantEntered";
    const AMENDED: &'static str = "PartVariantAmended";
    const STRUCK: &'static str = "PartVariantStruck";
    const CLAIMS: &'static [domain::Claim] = &[VARIANT_CODE];

    fn check(&self) -> Result<(), (&'static str, Unfit)> {
        text::required(&self.variant_code, VARIANT_CODE_CHARS_MAX).map_err(|unfit| ("variant_code", unfit))?;
        text::optional(self.variant_name.as_ref(), VARIANT_NAME_CHARS_MAX).map_err(|unfit| ("variant_name", unfit))?;
        if let Some(attributes) = &self.attributes {
            text::json(&Value::Object(attributes.clone()), ATTRIBUTES_BYTES_MAX)
                .map_err(|unfit| ("attributes", unfit))?;
        }
        self.cost_per_unit
            .map_or(Ok(()), text::price)
            .map_err(|unfit| ("cost_per_unit", unfit))?;
        self.retail_price
            .map_or(Ok(()), text::price)
            .map_err(|unfit| ("retail_price", unfit))
    }

    fn reads(&self, _id: Uuid, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Register<Part>>(self.part_id)]
    }

    fn judge(&self, _id: Uuid, facts: &Facts) -> Result<(), (&'static str, String)> {
        match facts.get::<Register<Part>>(self.part_id).and_then(Register::active) {
            Some(_) => Ok(()),
            None => Err((
                "part_id",
                "part_id names no part in use; enter it or choose another".to_owned(),
            )),
        }
    }

    fn claims(&self) -> Vec<(domain::Claim, String)> {
        vec![(VARIANT_CODE, format!("{}/{}", self.part_id, self.variant_code))]
    }
}

#[cfg(test)]
mod tests;
