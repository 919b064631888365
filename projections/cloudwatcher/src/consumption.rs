//! What was used up, where and by whom.

use chrono::{DateTime, NaiveDate, Utc};
use cloudwatcher::inventory::{Event, Inventory};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::fold::{FoldError, Project};
use projections::row;
use projections::table::Scope;

row! {
    /// Goods that were used up.
    PartConsumptionRow = cloudwatcher.part_consumption
    key {
        /// The consumption's id.
        id: Uuid,
    }
    columns {
        /// The part.
        part_id: Uuid,
        /// The variant of the part; null for the part itself.
        variant_id: Option<Uuid>,
        /// Where it lay.
        location_id: Uuid,
        /// How many were used.
        quantity_consumed: i32,
        /// On which day.
        consumption_date: NaiveDate,
        /// The user who used them; null when Daybook itself says so.
        consumed_by: Option<Uuid>,
        /// What for.
        notes: Option<String>,
        /// When it was written down.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, part_id, location_id, consumption_date, consumed_by, created_at }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
    texts { notes }
}

impl Project for PartConsumptionRow {
    const APPENDS: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match recorded.of::<Inventory>() {
            Some(Event::StockConsumed { consumption_id, .. }) => vec![*consumption_id],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(Event::StockConsumed {
            stock,
            consumption_id: _,
            quantity,
            reservation_id: _,
            source: _,
            consumption_date,
            consumed_by,
            notes,
            after: _,
        }) = recorded.of::<Inventory>()
        else {
            return Ok(row);
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            part_id: stock.part_id,
            variant_id: stock.variant_id,
            location_id: stock.location_id,
            quantity_consumed: *quantity,
            consumption_date: *consumption_date,
            consumed_by: *consumed_by,
            notes: notes.clone(),
            created_at: recorded.at,
        }))
    }
}
