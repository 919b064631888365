//! What can be ordered and stocked. Feeds `parts` of document 001_eec75370b5eea864.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::stocked::Stocked;
use domain::faults::Faults;
use domain::register::Entry;
use domain::text::{self, Unfit};
use domain::{Claim, FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<domain::register::Register<Part>>("parts");

/// No two parts have the same.
pub const PART_CODE: Claim = Claim::kept("cloudwatcher", "parts.part_code");

/// Characters of a part's code.
pub const PART_CODE_CHARS_MAX: usize = 50;
/// Characters of a part's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of a part's description.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Characters of a part's category.
pub const CATEGORY_CHARS_MAX: usize = 100;
/// Characters of the unit in which a part is counted.
pub const UNIT_OF_MEASURE_CHARS_MAX: usize = 20;

/// A part as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The code that people order by, unique in the tenant: `PART-SKU-2024-001`. Codes are the same that differ by
    /// case, blanks or what does not show. A struck part keeps its code. At most 50 characters.
    #[schemars(length(min = 1, max = PART_CODE_CHARS_MAX))]
    pub part_code: String,
    /// Its name. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// A description. At most 4,000 characters.
    #[serde(default)]
    #[schemars(length(max = DESCRIPTION_CHARS_MAX))]
    pub description: Option<String>,
    /// Its category. At most 100 characters.
    #[serde(default)]
    #[schemars(length(max = CATEGORY_CHARS_MAX))]
    pub category: Option<String>,
    /// In what it is counted. At most 20 characters; `unit` when absent. It stays once the part is stocked.
    #[serde(default = "unit")]
    #[schemars(length(min = 1, max = UNIT_OF_MEASURE_CHARS_MAX))]
    pub unit_of_measure: String,
}

fn unit() -> String {
    "unit".to_owned()
}

impl Entry for Part {
    const TYPE: &'static str = "cloudwatcher.part";
    const NOUN: &'static str = "part";
    const ENTERED: &'static str = "PartEntered";
    const AMENDED: &'static str = "PartAmended";
    const STRUCK: &'static str = "PartStruck";
    const CLAIMS: &'static [Claim] = &[PART_CODE];
    // Codes that differ by case, blanks or what does not show were once different.
    const TAKEN: &'static str = "PartCodesTaken";

    fn check(&self) -> Faults<Unfit> {
        let (description, category) = (self.description.as_ref(), self.category.as_ref());
        Faults::default()
            .at("part_code", text::required(&self.part_code, PART_CODE_CHARS_MAX))
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at("description", text::optional(description, DESCRIPTION_CHARS_MAX))
            .at("category", text::optional(category, CATEGORY_CHARS_MAX))
            .at(
                "unit_of_measure",
                text::required(&self.unit_of_measure, UNIT_OF_MEASURE_CHARS_MAX),
            )
    }

    fn reads(&self, id: Uuid, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Stocked>(id)]
    }

    fn becomes(&self, now: &Self, id: Uuid, facts: &Facts) -> Result<(), (&'static str, String)> {
        let is_stocked = facts.get::<Stocked>(id).is_some_and(Stocked::is_stocked);
        if !is_stocked || self.unit_of_measure == now.unit_of_measure {
            return Ok(());
        }
        let detail = format!(
            "unit_of_measure stays {}, in which this part's stock is counted; enter another part for another unit",
            now.unit_of_measure
        );
        Err(("unit_of_measure", detail))
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![
            (PART_CODE, self.part_code.clone()),
            (PART_CODE, Claim::alike("", &self.part_code)),
        ]
    }
}

#[cfg(test)]
mod tests;
