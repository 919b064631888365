//! Who sells parts. Feeds `suppliers` of document 001_eec75370b5eea864.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::faults::Faults;
use domain::register::Entry;
use domain::text::{self, Unfit};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<domain::register::Register<Supplier>>("suppliers");

/// Characters of a supplier's name, email address and website.
pub const NAME_CHARS_MAX: usize = 255;
pub const CONTACT_EMAIL_CHARS_MAX: usize = 255;
pub const WEBSITE_CHARS_MAX: usize = 255;
/// Characters of a supplier's telephone number.
pub const CONTACT_PHONE_CHARS_MAX: usize = 20;
/// Days from order to delivery.
pub const LEAD_TIME_DAYS_MAX: i32 = 3_650;

/// A supplier as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Supplier {
    /// The company's name. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The address that orders are mailed to. At most 255 characters.
    #[serde(default)]
    #[schemars(length(min = 3, max = CONTACT_EMAIL_CHARS_MAX))]
    pub contact_email: Option<String>,
    /// The telephone number. At most 20 characters.
    #[serde(default)]
    #[schemars(length(max = CONTACT_PHONE_CHARS_MAX))]
    pub contact_phone: Option<String>,
    /// The address of the website. At most 255 characters.
    #[serde(default)]
    #[schemars(length(max = WEBSITE_CHARS_MAX))]
    pub website: Option<String>,
    /// Usual days from order to delivery: 0 to 3,650.
    #[serde(default)]
    #[schemars(range(min = 0, max = LEAD_TIME_DAYS_MAX))]
    pub lead_time_days: Option<i32>,
    /// Whether buyers should choose this supplier first.
    #[serde(default)]
    pub is_preferred: bool,
}

impl Entry for Supplier {
    const TYPE: &'static str = "cloudwatcher.supplier";
    const NOUN: &'static str = "supplier";
    const ENTERED: &'static str = "SupplierEntered";
    const AMENDED: &'static str = "SupplierAmended";
    const STRUCK: &'static str = "SupplierStruck";
    const FORGOTTEN: &'static str = "SupplierContactsForgotten";
    const CONTACTS: &'static [&'static str] = &["contact_email", "contact_phone"];

    fn without_contacts(&self) -> Self {
        Self {
            contact_email: None,
            contact_phone: None,
            ..self.clone()
        }
    }

    fn check(&self) -> Faults<Unfit> {
        let (email, phone) = (self.contact_email.as_ref(), self.contact_phone.as_ref());
        let days = self.lead_time_days;
        Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at(
                "contact_email",
                email.map_or(Ok(()), |email| text::email(email, CONTACT_EMAIL_CHARS_MAX)),
            )
            .at("contact_phone", text::optional(phone, CONTACT_PHONE_CHARS_MAX))
            .at("website", text::optional(self.website.as_ref(), WEBSITE_CHARS_MAX))
            .at(
                "lead_time_days",
                days.map_or(Ok(()), |days| text::within(days, 0, LEAD_TIME_DAYS_MAX)),
            )
    }
}

#[cfg(test)]
mod tests;
