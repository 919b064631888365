//! A place where parts are kept. Feeds `locations` of document 001_eec75370b5eea864.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use domain::entry;
use domain::entry::Word;
use domain::register::Register;
use identity::department::Department;

entry! {
    /// A place where parts are kept. It belongs to one department for as long as it exists, and so does what is kept
    /// there. A struck location's row stays.
    Location = cloudwatcher.locations
    kind { "cloudwatcher.location", "location", "locations" }
    key { id: uuid }
    fields {
        /// What it is called.
        name: String = varchar(255).found(),
        /// The department that runs it; in use. It cannot be changed.
        dept_id: Uuid = reference::<Register<Department>>().rows("departments", "id").home().found(),
        /// What kind of place it is.
        #[serde(default)]
        location_type: Option<LocationType> = word(50),
        /// Where it is.
        #[serde(default)]
        address: Option<String> = text(4_000),
    }
    in_use { is_active }
}

/// The kinds of places that the document names.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::Display,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum LocationType {
    Warehouse,
    Store,
    Garage,
    Depot,
}

impl Word for LocationType {}

#[cfg(test)]
mod tests;
