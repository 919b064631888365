//! Colours, by their codes: a plain kind whose key is a text.

use domain::entry;

entry! {
    /// A colour that things can have. A struck colour's row stays.
    Colour = sample.colours
    kind { "sample.colour", "colour", "colours" }
    key { code }
    fields {
        /// The code by which it is known.
        code: String = varchar(200),
        /// What it is called.
        name: String = varchar(40).found(),
    }
    in_use { is_active }
}
