//! The key that tells one stock of a part from another, and the most that there can be of it: orders and inventory
//! share them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most that one stock key holds, has on order or is to be reordered at, in units: the projection from these
/// still fits an `integer`.
pub const STOCK_MAX: i32 = 1_000_000_000;

/// A part at a location. A missing variant is one value: the part itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockKey {
    /// The part.
    pub part_id: Uuid,
    /// The variant of the part; absent for the part itself.
    #[serde(default)]
    pub variant_id: Option<Uuid>,
    /// The location.
    pub location_id: Uuid,
}

impl StockKey {
    /// The id of the one stream of this key.
    #[must_use]
    pub fn stream(&self, tenant: Uuid) -> Uuid {
        let variant = self.variant_id.unwrap_or_default();
        let key = [self.part_id, variant, self.location_id].map(Uuid::into_bytes).concat();
        Uuid::new_v5(&tenant, &key)
    }
}
