//! Where parts are kept.

use cloudwatcher::location::{Location, LocationType};
use uuid::Uuid;

use projections::cell::Word;
use projections::register;
use projections::table::Scope;

register! {
    /// A place where parts are kept. A struck location's row stays.
    LocationRow = cloudwatcher.locations of Location
    columns {
        /// What it is called.
        name: String,
        /// The department that runs it.
        dept_id: Uuid,
        /// What kind of place it is: `warehouse`, `store`, `garage`, `depot`.
        location_type: Option<Word<LocationType>> = |entry| entry.location_type.map(Word),
        /// Where it is.
        address: Option<String>,
    }
    in_use { is_active }
    find { id, name, dept_id, is_active, created_at }
    scope { Scope::Department("dept_id") }
}
