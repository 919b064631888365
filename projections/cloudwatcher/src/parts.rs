//! What can be ordered, from whom, and where it is kept: plain tables.

use cloudwatcher::location::Location;
use cloudwatcher::part::Part;
use cloudwatcher::part_variant::PartVariant;
use cloudwatcher::supplier::Supplier;

use projections::plain;
use projections::plain::Plain;

pub static SUPPLIERS: &Plain = plain!(Supplier);
pub static PARTS: &Plain = plain!(Part);
pub static PART_VARIANTS: &Plain = plain!(PartVariant);
pub static LOCATIONS: &Plain = plain!(Location);
