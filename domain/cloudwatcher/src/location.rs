//! A place where parts are kept. Feeds `locations` of document 001_eec75370b5eea864.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use domain::faults::Faults;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};
use identity::department::Department;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<domain::register::Register<Location>>("locations");

/// Characters of a location's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of a location's address.
pub const ADDRESS_CHARS_MAX: usize = 4_000;

/// A location as it is entered. It belongs to one department for as long as it exists, and so does
/// what is kept there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Its name. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The department that runs it; in use. It cannot be changed.
    pub dept_id: Uuid,
    /// The kind of place.
    #[serde(default)]
    pub location_type: Option<LocationType>,
    /// Its address. At most 4,000 characters.
    #[serde(default)]
    #[schemars(length(max = ADDRESS_CHARS_MAX))]
    pub address: Option<String>,
}

/// The kinds of places that the document names.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum LocationType {
    Warehouse,
    Store,
    Garage,
    Depot,
}

impl Entry for Location {
    const TYPE: &'static str = "cloudwatcher.location";
    const NOUN: &'static str = "location";
    const ENTERED: &'static str = "LocationEntered";
    const AMENDED: &'static str = "LocationAmended";
    const STRUCK: &'static str = "LocationStruck";
    const SCOPED: bool = true;

    fn check(&self) -> Faults<Unfit> {
        Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at("address", text::optional(self.address.as_ref(), ADDRESS_CHARS_MAX))
    }

    fn reads(&self, _id: Uuid, _facts: &Facts) -> Vec<FactRef> {
        vec![FactRef::of::<Register<Department>>(self.dept_id)]
    }

    fn judge(&self, _id: Uuid, facts: &Facts) -> Faults<String> {
        let dept_id = Register::<Department>::is_in_use("dept_id", self.dept_id, facts);
        Faults::default().at("dept_id", dept_id)
    }

    fn home(&self) -> Option<Uuid> {
        Some(self.dept_id)
    }
}

#[cfg(test)]
mod tests;
