//! What can be ordered and stocked. Feeds `parts` of document 001_eec75370b5eea864.

use uuid::Uuid;

use super::stocked::Stocked;
use domain::entry;
use domain::entry::Beside;
use domain::register::EntryId;
use domain::{Claim, FactRef, Facts};

/// No two parts have the same.
pub const PART_CODE: Claim = Claim::kept("cloudwatcher", "parts.part_code");

entry! {
    /// What can be ordered and stocked. A struck part's row stays and keeps its code.
    Part = cloudwatcher.parts
    kind { "cloudwatcher.part", "part", "parts" }
    key { id: uuid }
    fields {
        /// The code that people order by, unique in the tenant: `PART-SKU-2024-001`. Codes are the same that differ by
        /// case, blanks or what does not show. A struck part keeps its code.
        part_code: String = varchar(50).unique(PART_CODE).found(),
        /// What it is called.
        name: String = varchar(255).found(),
        /// What it is.
        #[serde(default)]
        description: Option<String> = text(4_000),
        /// What it belongs to.
        #[serde(default)]
        category: Option<String> = varchar(100).found(),
        /// In what it is counted; `unit` when absent. It stays once the part is stocked.
        #[serde(default = "unit")]
        unit_of_measure: String = varchar(20),
    }
    in_use { is_active }
    consts {
        // Codes that differ by case, blanks or what does not show were once different.
        const TAKEN: &'static str = "PartCodesTaken";
    }
    rules { Beside }
}

fn unit() -> String {
    "unit".to_owned()
}

impl Beside for Part {
    fn reads_beside(&self, entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Stocked>(entry.id)]
    }

    fn becomes_beside(&self, now: &Self, id: Uuid, facts: &Facts) -> Result<(), (&'static str, String)> {
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
}

#[cfg(test)]
mod tests;
