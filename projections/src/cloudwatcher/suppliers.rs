//! Who sells what, and at what price.

use chrono::{DateTime, Utc};
use domain::cloudwatcher::part_supplier::PartSupplier;
use domain::cloudwatcher::supplier::Supplier;
use domain::register::Change;
use domain::{AnyEvent, Recorded};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::fold::{FoldError, Project, existing};
use crate::row;
use crate::table::Scope;

row! {
    /// Who sells parts. A struck supplier's row stays.
    SupplierRow = cloudwatcher.suppliers
    key {
        /// The supplier's id.
        id: Uuid,
    }
    columns {
        /// What the supplier is called.
        name: String,
        /// Where to write.
        contact_email: Option<String>,
        /// Whom to call.
        contact_phone: Option<String>,
        /// The supplier's site.
        website: Option<String>,
        /// Typical time of delivery, in days.
        lead_time_days: Option<i32>,
        /// Whether to order here first.
        is_preferred: bool,
        /// Whether it is in use.
        is_active: bool,
        /// When it was first entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, name, is_preferred, is_active, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for SupplierRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::Supplier(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::Supplier(change) = &recorded.event else {
            return Ok(row);
        };
        let entry = |entry: &Supplier, created_at| Self {
            tenant_id: recorded.tenant_id,
            id,
            name: entry.name.clone(),
            contact_email: entry.contact_email.clone(),
            contact_phone: entry.contact_phone.clone(),
            website: entry.website.clone(),
            lead_time_days: entry.lead_time_days,
            is_preferred: entry.is_preferred,
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
    /// An offer: a supplier sells a part, or one variant of it. A struck offer's row is gone.
    PartSupplierRow = cloudwatcher.part_suppliers
    key {
        /// The offer's id.
        id: Uuid,
    }
    columns {
        /// The part that is sold.
        part_id: Uuid,
        /// The variant that is sold; null for the part itself.
        variant_id: Option<Uuid>,
        /// Who sells it.
        supplier_id: Uuid,
        /// The supplier's own number for it.
        sku: Option<String>,
        /// The supplier's price of one.
        supplier_cost: Option<Decimal>,
        /// Time of delivery, in days.
        lead_time_days: Option<i32>,
        /// The fewest that can be ordered.
        minimum_order_qty: i32,
        /// Whether to order here first.
        is_preferred: bool,
        /// When it was entered.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, part_id, variant_id, supplier_id, sku, is_preferred, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for PartSupplierRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::PartSupplier(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::PartSupplier(change) = &recorded.event else {
            return Ok(row);
        };
        let entry = |entry: &PartSupplier, created_at| Self {
            tenant_id: recorded.tenant_id,
            id,
            part_id: entry.part_id,
            variant_id: entry.variant_id,
            supplier_id: entry.supplier_id,
            sku: entry.sku.clone(),
            supplier_cost: entry.supplier_cost,
            lead_time_days: entry.lead_time_days,
            minimum_order_qty: entry.minimum_order_qty,
            is_preferred: entry.is_preferred,
            created_at,
            updated_at: recorded.at,
        };
        Ok(match change {
            Change::Entered(entered) => Some(entry(entered, recorded.at)),
            Change::Amended(amended) => Some(entry(amended, existing(row)?.created_at)),
            Change::Struck {} => existing(row).map(|_| None)?,
        })
    }
}
