//! What lies in stock, by stock key.

use chrono::{DateTime, Utc};
use cloudwatcher::inventory::{Event, Inventory, Levels};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// What is in stock of a part, or of one variant of it, at a location.
    InventoryRow = cloudwatcher.inventory
    key {
        /// The record's id; it follows from part, variant and location.
        id: Uuid,
    }
    columns {
        /// The part.
        part_id: Uuid,
        /// The variant of the part; null for the part itself.
        variant_id: Option<Uuid>,
        /// Where it lies.
        location_id: Uuid,
        /// Units that lie here, reserved or not.
        quantity_on_hand: i32,
        /// Units that live reservations keep.
        quantity_reserved: i32,
        /// Units that orders are to bring.
        quantity_on_order: i32,
        /// Reordering is suggested when on hand, less reserved, plus on order falls to this or below; null: never.
        reorder_point: Option<i32>,
        /// The least to reorder.
        reorder_quantity: Option<i32>,
        /// When it was last counted.
        last_counted_at: Option<DateTime<Utc>>,
        /// When it last changed.
        last_updated_at: DateTime<Utc>,
    }
    generated {
        /// On hand less reserved, in units; negative only when a count has found too few.
        quantity_available: i32 = |row| row.quantity_on_hand - row.quantity_reserved,
    }
    find { id, part_id, variant_id, location_id, quantity_available, reorder_point }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
}

impl Project for InventoryRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Vec::new();
        };
        let sets = matches!(event, Event::InventoryOpened { .. } | Event::ReorderLevelsSet { .. });
        let touches = sets || levels(event).is_some();
        touches.then_some(recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Ok(row);
        };
        let last_updated_at = recorded.at;
        if let Event::InventoryOpened {
            stock,
            department_id: _,
            reorder_point,
            reorder_quantity,
        } = event
        {
            return Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                part_id: stock.part_id,
                variant_id: stock.variant_id,
                location_id: stock.location_id,
                quantity_on_hand: 0,
                quantity_reserved: 0,
                quantity_on_order: 0,
                reorder_point: *reorder_point,
                reorder_quantity: *reorder_quantity,
                last_counted_at: None,
                last_updated_at,
            }));
        }
        if let Event::ReorderLevelsSet {
            stock: _,
            reorder_point,
            reorder_quantity,
        } = event
        {
            return Ok(Some(Self {
                reorder_point: *reorder_point,
                reorder_quantity: *reorder_quantity,
                last_updated_at,
                ..existing(row)?
            }));
        }
        let Some(after) = levels(event) else { return Ok(row) };
        let row = existing(row)?;
        Ok(Some(Self {
            quantity_on_hand: after.on_hand,
            quantity_reserved: after.reserved,
            quantity_on_order: after.on_order,
            last_counted_at: if matches!(event, Event::StockCounted { .. }) {
                Some(recorded.at)
            } else {
                row.last_counted_at
            },
            last_updated_at,
            ..row
        }))
    }
}

/// The levels after an event, where it is one that can move them.
pub(super) fn levels(event: &Event) -> Option<Levels> {
    match event {
        Event::StockReceived { after, .. }
        | Event::StockIssued { after, .. }
        | Event::StockConsumed { after, .. }
        | Event::StockReserved { after, .. }
        | Event::ReservationShortened { after, .. }
        | Event::ReservationReleased { after, .. }
        | Event::ReservationExpired { after, .. }
        | Event::StockCounted { after, .. }
        | Event::StockTransferredOut { after, .. }
        | Event::StockTransferredIn { after, .. }
        | Event::StockExpected { after, .. }
        | Event::ReorderAccepted { after, .. } => Some(*after),
        Event::InventoryOpened { .. }
        | Event::ReorderLevelsSet { .. }
        | Event::ReorderSuggested { .. }
        | Event::ReorderLapsed { .. }
        | Event::ReorderDismissed { .. }
        | Event::StockCarriedForward { .. } => None,
    }
}
