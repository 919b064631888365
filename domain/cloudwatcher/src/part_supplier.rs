//! An offer: a supplier sells a part, or one variant of it, at a price. Feeds `part_suppliers` of
//! document 001_eec75370b5eea864.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::currency;
use super::inventory::StockKey;
use super::part::Part;
use super::part_variant::PartVariant;
use super::supplier::Supplier;
use domain::faults::Faults;
use domain::money;
use domain::register::{Entry, EntryId, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate =
    domain::Aggregate::of::<domain::register::Register<PartSupplier>>("part-suppliers");

/// A supplier offers a variant once.
pub const OFFER: domain::Claim = domain::Claim::kept("cloudwatcher", "part_suppliers.part_id+variant_id+supplier_id");

/// Characters of the supplier's own code for the part.
pub const SKU_CHARS_MAX: usize = 100;
/// Days from order to delivery.
pub const LEAD_TIME_DAYS_MAX: i32 = 3_650;
/// Units in a pack.
pub const PACK_QTY_MAX: i32 = 1_000_000;

/// A price offer as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartSupplier {
    /// The part on offer; in use. A supplier has one price offer for a part and variant.
    pub part_id: Uuid,
    /// The variant on offer, which belongs to the part; absent when the price offer is for the part itself.
    #[serde(default)]
    pub variant_id: Option<Uuid>,
    /// The supplier that offers it; in use.
    pub supplier_id: Uuid,
    /// The supplier's own code for it. At most 100 characters.
    #[serde(default)]
    #[schemars(length(max = SKU_CHARS_MAX))]
    pub sku: Option<String>,
    /// The price that the supplier asks for one, from 0 to 99,999,999.99 with as many decimals as its currency has, two
    /// at most; a string keeps it exact.
    #[serde(default, deserialize_with = "money::optional_amount")]
    #[schemars(schema_with = "money::optional_price_schema")]
    pub supplier_cost: Option<Decimal>,
    // Absent in what was entered before offers had one: such a price counts in whatever currency is asked for.
    /// The currency of the price, needed with one: an ISO 4217 code in capitals, such as `EUR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(equal = 3))]
    pub currency: Option<String>,
    /// Days from order to delivery for this part: 0 to 3,650.
    #[serde(default)]
    #[schemars(range(min = 0, max = LEAD_TIME_DAYS_MAX))]
    pub lead_time_days: Option<i32>,
    /// The least that can be ordered at a time; 1 when absent.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub minimum_order_qty: i32,
    /// How many are in a pack, of which only whole ones are sold: 1 to 1,000,000; 1 when absent.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = PACK_QTY_MAX))]
    pub pack_qty: i32,
    /// Whether buyers should choose this price offer first.
    #[serde(default)]
    pub is_preferred: bool,
}

fn one() -> i32 {
    1
}

/// As it was written before offers had packs.
fn is_one(units: &i32) -> bool {
    *units == 1
}

impl PartSupplier {
    /// Whether what it offers may be stocked under this key: the part itself, or exactly this variant of it.
    #[must_use]
    pub fn is_of(&self, stock: &StockKey) -> bool {
        self.part_id == stock.part_id && (self.variant_id.is_none() || self.variant_id == stock.variant_id)
    }

    /// The value under which the price offer of a supplier for a part and variant is claimed. A missing variant counts as
    /// one value, which the table's unique key alone would not do.
    #[must_use]
    pub fn claimed(part_id: Uuid, variant_id: Option<Uuid>, supplier_id: Uuid) -> String {
        let variant = variant_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        format!("{part_id}/{variant}/{supplier_id}")
    }

    /// The values under which a supplier's price offers for what is bought may be claimed: that of the variant, and that of
    /// the part, which holds for variants that have none of their own.
    #[must_use]
    pub fn claims_of(part_id: Uuid, variant_id: Option<Uuid>, supplier_id: Uuid) -> Vec<String> {
        let of_part = Self::claimed(part_id, None, supplier_id);
        let of_variant = variant_id.map(|id| Self::claimed(part_id, Some(id), supplier_id));
        of_variant.into_iter().chain([of_part]).collect()
    }

    /// How many have to be ordered when so many are needed: the minimum at least, in whole packs. More than fits stays
    /// as many as does.
    #[must_use]
    pub fn to_order(&self, needed: i32) -> i32 {
        let (least, pack) = (
            i64::from(needed.max(self.minimum_order_qty)),
            i64::from(self.pack_qty.max(1)),
        );
        i32::try_from((least + pack - 1) / pack * pack).unwrap_or(i32::MAX)
    }

    /// Whether the supplier sells so many.
    ///
    /// # Errors
    /// Why not, as what is said of a quantity, and how many would be sold instead.
    pub fn sells(&self, quantity: i32) -> Result<(), String> {
        if self.to_order(quantity) == quantity {
            return Ok(());
        }
        let (minimum, pack, instead) = (self.minimum_order_qty, self.pack_qty, self.to_order(quantity));
        Err(match pack {
            1 => format!("is {quantity}, and the supplier sells no fewer than {minimum}; order {instead}"),
            _ => format!(
                "is {quantity}, and the supplier sells no fewer than {minimum}, in packs of {pack}; order {instead}"
            ),
        })
    }

    /// Whether the price is one in this currency. One without a currency is: it was entered before offers had one.
    #[must_use]
    pub fn is_in(&self, currency: &str) -> bool {
        self.currency.as_deref().is_none_or(|own| own == currency)
    }

    /// What is wrong with the variant that it names.
    fn judge_variant(&self, facts: &Facts) -> Result<(), &'static str> {
        let Some(variant_id) = self.variant_id else {
            return Ok(());
        };
        match Register::<PartVariant>::active_in(variant_id, facts) {
            Some(variant) if variant.part_id == self.part_id => Ok(()),
            Some(_) => Err("variant_id names a variant of another part; choose one of this part"),
            None => Err("variant_id names no variant in use; enter it or choose another"),
        }
    }
}

impl Entry for PartSupplier {
    const TYPE: &'static str = "cloudwatcher.part-supplier";
    const NOUN: &'static str = "price offer";
    const ENTERED: &'static str = "PartSupplierEntered";
    const AMENDED: &'static str = "PartSupplierAmended";
    const STRUCK: &'static str = "PartSupplierStruck";
    const CLAIMS: &'static [domain::Claim] = &[OFFER];
    // The table has no column that says "not in use", so a struck offer's row goes.
    const STRUCK_STAYS: bool = false;

    fn check(&self) -> Faults<Unfit> {
        let (cost, currency) = (self.supplier_cost, self.currency.as_deref());
        let days = self.lead_time_days;
        Faults::default()
            .at("sku", text::optional(self.sku.as_ref(), SKU_CHARS_MAX))
            .at("supplier_cost", cost.map_or(Ok(()), text::price))
            .at("currency", currency.map_or(Ok(()), currency::check))
            .at_beside("currency", &["supplier_cost"], currency::named(currency, cost))
            .at_beside("supplier_cost", &["currency"], currency::divides_named(currency, cost))
            .at(
                "lead_time_days",
                days.map_or(Ok(()), |days| text::within(days, 0, LEAD_TIME_DAYS_MAX)),
            )
            .at("minimum_order_qty", text::within(self.minimum_order_qty, 1, i32::MAX))
            .at("pack_qty", text::within(self.pack_qty, 1, PACK_QTY_MAX))
    }

    fn reads(&self, _entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        let mut refs = vec![
            FactRef::of::<Register<Part>>(self.part_id),
            FactRef::of::<Register<Supplier>>(self.supplier_id),
        ];
        refs.extend(self.variant_id.map(FactRef::of::<Register<PartVariant>>));
        refs
    }

    fn judge(&self, _entry: EntryId, facts: &Facts) -> Faults<String> {
        Faults::default()
            .at("part_id", Register::<Part>::is_in_use("part_id", self.part_id, facts))
            .at(
                "supplier_id",
                Register::<Supplier>::is_in_use("supplier_id", self.supplier_id, facts),
            )
            .at_beside(
                "variant_id",
                &["part_id"],
                self.judge_variant(facts).map_err(str::to_owned),
            )
    }

    fn claims(&self) -> Vec<(domain::Claim, String)> {
        vec![(OFFER, Self::claimed(self.part_id, self.variant_id, self.supplier_id))]
    }
}

#[cfg(test)]
mod tests;
