//! What is suggested to be reordered, and what became of it.

use chrono::{DateTime, Utc};
use cloudwatcher::inventory::{Event, Inventory, Suggestion};
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

/// How far a suggestion got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SuggestionStatus {
    Open,
    Accepted,
    Dismissed,
    Lapsed,
}

row! {
    /// A suggestion to reorder, with all that it rests on. A stock key has at most one that is open.
    ReorderSuggestionRow = cloudwatcher.reorder_suggestions
    key {
        /// The suggestion's id.
        id: Uuid,
    }
    columns {
        /// The record that it is about.
        inventory_id: Uuid,
        /// The part.
        part_id: Uuid,
        /// The variant of the part; null for the part itself.
        variant_id: Option<Uuid>,
        /// Where it lies.
        location_id: Uuid,
        /// Whether it is `open`, or how it ended: `accepted`, `dismissed`, `lapsed`.
        status: Word<SuggestionStatus>,
        /// How many to order.
        quantity: i32,
        /// Units on hand when it was made.
        on_hand: i32,
        /// Units that were reserved.
        reserved: i32,
        /// Units that orders were to bring.
        on_order: i32,
        /// On hand, less reserved, plus on order.
        projected: i32,
        /// The point that this had fallen to.
        reorder_point: i32,
        /// The least to reorder.
        reorder_quantity: Option<i32>,
        /// The order that it was accepted with.
        order_id: Option<Uuid>,
        /// How many that order asks for.
        quantity_ordered: Option<i32>,
        /// The offer that it takes up.
        part_supplier_id: Option<Uuid>,
        /// When it was made.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, inventory_id, part_id, location_id, status, order_id, created_at }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
}

impl Project for ReorderSuggestionRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Vec::new();
        };
        match event {
            Event::ReorderSuggested { suggestion, .. } => vec![suggestion.suggestion_id],
            Event::ReorderLapsed { suggestion_id, .. }
            | Event::ReorderAccepted { suggestion_id, .. }
            | Event::ReorderDismissed { suggestion_id, .. } => vec![*suggestion_id],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Ok(row);
        };
        let ended = |row, status| {
            Ok(Some(Self {
                status: Word(status),
                updated_at: recorded.at,
                ..existing(row)?
            }))
        };
        match event {
            Event::ReorderSuggested {
                stock,
                suggestion:
                    Suggestion {
                        suggestion_id: _,
                        on_hand,
                        reserved,
                        on_order,
                        projected,
                        reorder_point,
                        reorder_quantity,
                        quantity,
                    },
            } => Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                inventory_id: recorded.stream,
                part_id: stock.part_id,
                variant_id: stock.variant_id,
                location_id: stock.location_id,
                status: Word(SuggestionStatus::Open),
                quantity: *quantity,
                on_hand: *on_hand,
                reserved: *reserved,
                on_order: *on_order,
                projected: *projected,
                reorder_point: *reorder_point,
                reorder_quantity: *reorder_quantity,
                order_id: None,
                quantity_ordered: None,
                part_supplier_id: None,
                created_at: recorded.at,
                updated_at: recorded.at,
            })),
            Event::ReorderLapsed { .. } => ended(row, SuggestionStatus::Lapsed),
            Event::ReorderDismissed { .. } => ended(row, SuggestionStatus::Dismissed),
            Event::ReorderAccepted {
                order_id,
                quantity,
                part_supplier_id,
                ..
            } => Ok(ended(row, SuggestionStatus::Accepted)?.map(|row| Self {
                order_id: Some(*order_id),
                quantity_ordered: Some(*quantity),
                part_supplier_id: Some(*part_supplier_id),
                ..row
            })),
            _ => Ok(row),
        }
    }
}
