//! Who sells parts. Feeds `suppliers` of document 001_eec75370b5eea864.

use domain::entry;

/// Days from order to delivery.
pub const LEAD_TIME_DAYS_MAX: i32 = 3_650;

entry! {
    /// Who sells parts. A struck supplier's row stays.
    Supplier = cloudwatcher.suppliers
    kind { "cloudwatcher.supplier", "supplier", "suppliers" }
    key { id: uuid }
    fields {
        /// What the supplier is called.
        name: String = varchar(255).found(),
        /// The address that orders are mailed to.
        #[serde(default)]
        contact_email: Option<String> = email(255).contact(),
        /// The telephone number.
        #[serde(default)]
        contact_phone: Option<String> = varchar(20).contact(),
        /// The address of the website, as somebody has typed it: whoever makes a link of it sees to what it begins with.
        #[serde(default)]
        website: Option<String> = varchar(255),
        /// Usual days from order to delivery.
        #[serde(default)]
        lead_time_days: Option<i32> = whole(0, LEAD_TIME_DAYS_MAX as i64),
        /// Whether buyers should choose this supplier first.
        #[serde(default)]
        is_preferred: bool = any().found(),
    }
    in_use { is_active }
}

#[cfg(test)]
mod tests;
