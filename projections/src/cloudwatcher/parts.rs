//! What can be ordered.

use chrono::{DateTime, Utc};
use domain::cloudwatcher::part::Part;
use domain::cloudwatcher::part_variant::PartVariant;
use domain::register::Change;
use domain::{AnyEvent, Recorded};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use crate::fold::{FoldError, Project, existing};
use crate::row;
use crate::table::Scope;

row! {
    /// A part that can be ordered. A struck part's row stays and keeps its code.
    PartRow = cloudwatcher.parts
    key {
        /// The part's id.
        id: Uuid,
    }
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
        /// Whether it is in use.
        is_active: bool,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, part_code, name, category, is_active, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for PartRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::Part(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::Part(change) = &recorded.event else {
            return Ok(row);
        };
        let entry = |entry: &Part, created_at| Self {
            tenant_id: recorded.tenant_id,
            id,
            part_code: entry.part_code.clone(),
            name: entry.name.clone(),
            description: entry.description.clone(),
            category: entry.category.clone(),
            unit_of_measure: entry.unit_of_measure.clone(),
            is_active: true,
            created_at,
            updated_at: recorded.at,
        };
        Ok(Some(match change {
            Change::Entered(entered) => entry(entered, row.map_or(recorded.at, |row| row.created_at)),
            Change::Amended(amended) => entry(amended, existing(row)?.created_at),
            Change::Struck {} => Self {
                is_active: false,
                updated_at: recorded.at,
                ..existing(row)?
            },
        }))
    }
}

row! {
    /// A part in one colour, size or make. A struck variant's row stays and keeps its code.
    PartVariantRow = cloudwatcher.part_variants
    key {
        /// The variant's id.
        id: Uuid,
    }
    columns {
        /// The part that it is a variant of.
        part_id: Uuid,
        /// Its code; unique within the part.
        variant_code: String,
        /// What it is called.
        variant_name: Option<String>,
        /// What sets it apart, as a free JSON object.
        attributes: Option<Value>,
        /// What one costs.
        cost_per_unit: Option<Decimal>,
        /// What one sells for.
        retail_price: Option<Decimal>,
        /// Whether it is in use.
        is_available: bool,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, part_id, variant_code, is_available, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for PartVariantRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::PartVariant(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::PartVariant(change) = &recorded.event else {
            return Ok(row);
        };
        let entry = |entry: &PartVariant, created_at| Self {
            tenant_id: recorded.tenant_id,
            id,
            part_id: entry.part_id,
            variant_code: entry.variant_code.clone(),
            variant_name: entry.variant_name.clone(),
            attributes: entry.attributes.clone().map(Value::Object),
            cost_per_unit: entry.cost_per_unit,
            retail_price: entry.retail_price,
            is_available: true,
            created_at,
            updated_at: recorded.at,
        };
        Ok(Some(match change {
            Change::Entered(entered) => entry(entered, row.map_or(recorded.at, |row| row.created_at)),
            Change::Amended(amended) => entry(amended, existing(row)?.created_at),
            Change::Struck {} => Self {
                is_available: false,
                updated_at: recorded.at,
                ..existing(row)?
            },
        }))
    }
}
