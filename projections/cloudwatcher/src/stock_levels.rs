//! How much of a part lies where, over all its variants.

use chrono::{DateTime, Utc};
use cloudwatcher::inventory::{Event, Inventory, StockKey};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use super::stock_moves::Move;
use projections::fold::{FoldError, Project};
use projections::row;
use projections::table::Scope;

row! {
    /// How many of a part lie at a location: the part itself and all its variants together.
    StockLevelRow = cloudwatcher.stock_levels
    key {
        /// The row's id; it follows from part and location.
        id: Uuid,
    }
    columns {
        /// The part.
        part_id: Uuid,
        /// Where it lies.
        location_id: Uuid,
        /// Units that lie there, reserved or not.
        qty: i64,
        /// When it last changed.
        last_updated: DateTime<Utc>,
    }
    generated {}
    find { id, part_id, location_id, qty }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
}

/// What an event says of a level: the stock, and by how many units it changed.
fn change(event: &Event) -> Option<(StockKey, i64)> {
    if let Event::InventoryOpened { stock, .. } = event {
        return Some((*stock, 0));
    }
    let of = Move::of(event).filter(|of| of.on_hand != 0)?;
    Some((of.stock, of.on_hand.into()))
}

impl Project for StockLevelRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Vec::new();
        };
        let row_id = |stock: StockKey| {
            let key = [stock.part_id, stock.location_id].map(Uuid::into_bytes).concat();
            Uuid::new_v5(&recorded.tenant_id, &key)
        };
        change(event).map(|(stock, _)| row_id(stock)).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Ok(row);
        };
        let Some((stock, quantity)) = change(event) else {
            return Ok(row);
        };
        // Several streams write the row, each what it adds: so it is their sum in whatever order they come.
        let (qty, position, last_updated) = row.map_or((0, recorded.position, recorded.at), |row| {
            (row.qty, row.position, row.last_updated)
        });
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: position.min(recorded.position),
            id,
            part_id: stock.part_id,
            location_id: stock.location_id,
            qty: qty + quantity,
            last_updated: last_updated.max(recorded.at),
        }))
    }
}
