//! What a shop asks for a colour on a day: a plain kind whose key is made of three fields.

use chrono::NaiveDate;
use domain::entry;
use domain::register::Register;
use rust_decimal::Decimal;

use crate::colour::Colour;
use crate::drawer::Drawer;

entry! {
    /// A price of a shop. A struck rate's row is gone.
    Rate = sample.rates
    kind { "sample.rate", "rate", "rates" }
    key { shop, colour, day }
    fields {
        /// Who asks for it, freely.
        shop: String = varchar(100),
        /// The colour, by its code; in use.
        colour: String = coded::<Register<Colour>>(200),
        /// From which day on.
        day: NaiveDate = any(),
        /// What it costs.
        #[serde(deserialize_with = "domain::money::amount")]
        price: Decimal = amount(10, 3),
        /// The drawer where it lies, by its number; in use.
        #[serde(default)]
        drawer: Option<i32> = numbered::<Register<Drawer>>(),
    }
    in_use {}
}
