//! What can be ordered.

use cloudwatcher::part::Part;
use cloudwatcher::part_variant::PartVariant;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use projections::register;
use projections::table::Scope;

register! {
    /// A part that can be ordered. A struck part's row stays and keeps its code.
    PartRow = cloudwatcher.parts of Part
    columns {
        /// The code that people order by; unique.
        part_code: String,
        /// What it is called.
        name: String,
        /// What it is.
        description: Option<String>,
        /// What it belongs to.
        category: Option<String>,
        /// In what it is counted.
        unit_of_measure: String,
    }
    in_use { is_active }
    find { id, part_code, name, category, is_active, created_at }
    scope { Scope::Tenant }
}

register! {
    /// A part in one colour, size or make. A struck variant's row stays and keeps its code.
    PartVariantRow = cloudwatcher.part_variants of PartVariant
    columns {
        /// The part that it is a variant of.
        part_id: Uuid,
        /// Its code; unique within the part.
        variant_code: String,
        /// What it is called.
        variant_name: Option<String>,
        /// What sets it apart, as a free JSON object.
        attributes: Option<Map<String, Value>>,
        /// What one costs.
        cost_per_unit: Option<Decimal>,
        /// What one sells for.
        retail_price: Option<Decimal>,
        /// The currency of both; null for none, and for amounts that are older.
        currency: Option<String>,
    }
    in_use { is_available }
    find { id, part_id, variant_code, is_available, created_at }
    scope { Scope::Tenant }
}
