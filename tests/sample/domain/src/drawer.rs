//! Drawers, by numbers that Daybook gives: a plain kind whose document says SERIAL.

use domain::Claim;
use domain::entry;
use domain::register::Register;

use crate::colour::Colour;

/// No two drawers bear the same.
pub const LABEL: Claim = Claim::new("sample.drawers.label");

entry! {
    /// A drawer, and how much it holds. A struck drawer's row stays.
    Drawer = sample.drawers
    kind { "sample.drawer", "drawer", "drawers" }
    key { drawer_id: serial }
    fields {
        /// What is written on it; unique. Labels are the same that differ by case, blanks or what does not show.
        label: String = varchar(40).unique(LABEL).found(),
        /// How many things it holds.
        #[serde(default = "few")]
        capacity: i32 = whole(1, 500).found(),
        /// The colour that it is painted in, by its code; in use.
        #[serde(default)]
        colour: Option<String> = coded::<Register<Colour>>(200).found(),
    }
    in_use { is_active }
    stamps { version, created_by, updated_by }
}

fn few() -> i32 {
    10
}
