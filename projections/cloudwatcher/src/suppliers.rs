//! Who sells what, and at what price.

use cloudwatcher::part_supplier::PartSupplier;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::currencies::Currencies;
use projections::cell::Listed;
use projections::register;
use projections::table::Scope;

register! {
    /// An offer: a supplier sells a part, or one variant of it. A struck offer's row is gone.
    PartSupplierRow = cloudwatcher.part_suppliers of PartSupplier
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
        /// The currency of the price; null for none, and for a price that is older: that holds in any.
        currency: Option<Listed<Currencies>> = |entry| entry.currency.clone().map(Listed::from),
        /// Time of delivery, in days.
        lead_time_days: Option<i32>,
        /// The fewest that can be ordered.
        minimum_order_qty: i32,
        /// How many are in a pack, of which only whole ones are sold.
        pack_qty: i32,
        /// Whether to order here first.
        is_preferred: bool,
    }
    in_use {}
    find { id, part_id, variant_id, supplier_id, sku, is_preferred, created_at }
    scope { Scope::Tenant }
}
