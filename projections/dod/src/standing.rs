//! Words of the document for what is in use and what is not.

use serde::Deserialize;

/// Whether something is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Active,
    /// It was struck; its row stays.
    Inactive,
}

impl From<Standing> for &'static str {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Active => "active",
            Standing::Inactive => "inactive",
        }
    }
}
