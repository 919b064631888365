//! The codes of currencies, for columns that have one.

use cloudwatcher::currency::{CODES, FORMER};
use projections::cell::List;

/// ISO 4217 codes, those that are out of circulation too: rows may have been entered before they were.
pub struct Currencies;

impl List for Currencies {
    fn words() -> Vec<&'static str> {
        CODES.iter().chain(FORMER).copied().collect()
    }
}
