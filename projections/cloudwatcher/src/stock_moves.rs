//! Every change of stock, with its reason, source and actor; and what is kept for whom.

use chrono::{DateTime, Utc};
use cloudwatcher::inventory::{Event, Inventory, Levels, Source, SourceKind, StockKey};
use domain::{AnyEvent, Recorded};
use serde::Deserialize;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, actor, existing};
use projections::row;
use projections::table::Scope;

/// What is done to stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum MoveKind {
    Received,
    Issued,
    Consumed,
    Reserved,
    Shortened,
    Released,
    Expired,
    Counted,
    TransferredOut,
    TransferredIn,
}

/// How far a reservation got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ReservationStatus {
    Live,
    Used,
    Released,
    Expired,
}

/// An event that changes what is on hand or reserved, as a move.
pub(super) struct Move {
    /// Its word in `stock_moves`.
    kind: MoveKind,
    pub stock: StockKey,
    /// The change of what is on hand.
    pub on_hand: i32,
    /// The change of what is reserved.
    reserved: i32,
    reservation_id: Option<Uuid>,
    source: Option<Source>,
    after: Levels,
}

impl Move {
    pub(super) fn of(event: &Event) -> Option<Self> {
        let given =
            |kind, stock: &StockKey, quantity: i32, reservation_id: &Option<Uuid>, source: &Option<Source>, after| {
                Self {
                    kind,
                    stock: *stock,
                    on_hand: -quantity,
                    reserved: reservation_id.map_or(0, |_| -quantity),
                    reservation_id: *reservation_id,
                    source: *source,
                    after,
                }
            };
        let taken = |kind, stock: &StockKey, quantity: i32, source: &Option<Source>, after| Self {
            kind,
            stock: *stock,
            on_hand: quantity,
            reserved: 0,
            reservation_id: None,
            source: *source,
            after,
        };
        let kept =
            |kind, stock: &StockKey, reserved: i32, reservation_id: &Uuid, source: &Option<Source>, after| Self {
                kind,
                stock: *stock,
                on_hand: 0,
                reserved,
                reservation_id: Some(*reservation_id),
                source: *source,
                after,
            };
        Some(match event {
            Event::StockReceived {
                stock,
                quantity,
                source,
                after,
                ..
            } => taken(MoveKind::Received, stock, *quantity, source, *after),
            Event::StockTransferredIn {
                stock,
                quantity,
                source,
                after,
                ..
            } => taken(MoveKind::TransferredIn, stock, *quantity, source, *after),
            Event::StockIssued {
                stock,
                quantity,
                reservation_id,
                source,
                after,
                ..
            } => given(MoveKind::Issued, stock, *quantity, reservation_id, source, *after),
            Event::StockConsumed {
                stock,
                quantity,
                reservation_id,
                source,
                after,
                ..
            } => given(MoveKind::Consumed, stock, *quantity, reservation_id, source, *after),
            Event::StockTransferredOut {
                stock,
                quantity,
                reservation_id,
                source,
                after,
                ..
            } => given(
                MoveKind::TransferredOut,
                stock,
                *quantity,
                reservation_id,
                source,
                *after,
            ),
            Event::StockReserved {
                stock,
                reservation_id,
                quantity,
                source,
                after,
                ..
            } => kept(MoveKind::Reserved, stock, *quantity, reservation_id, source, *after),
            Event::ReservationShortened {
                stock,
                reservation_id,
                quantity,
                source,
                after,
                ..
            } => kept(MoveKind::Shortened, stock, -quantity, reservation_id, source, *after),
            Event::ReservationReleased {
                stock,
                reservation_id,
                quantity,
                source,
                after,
            } => kept(MoveKind::Released, stock, -quantity, reservation_id, source, *after),
            Event::ReservationExpired {
                stock,
                reservation_id,
                quantity,
                source,
                after,
            } => kept(MoveKind::Expired, stock, -quantity, reservation_id, source, *after),
            Event::StockCounted {
                stock, delta, after, ..
            } => taken(MoveKind::Counted, stock, *delta, &None, *after),
            Event::InventoryOpened { .. }
            | Event::ReorderLevelsSet { .. }
            | Event::StockExpected { .. }
            | Event::ReorderSuggested { .. }
            | Event::ReorderLapsed { .. }
            | Event::ReorderAccepted { .. }
            | Event::ReorderDismissed { .. }
            | Event::StockCarriedForward { .. } => return None,
        })
    }
}

row! {
    /// A change of what is on hand or reserved; one row each, never changed again.
    StockMoveRow = cloudwatcher.stock_moves
    key {
        /// The id of the event.
        id: Uuid,
    }
    columns {
        /// The record that it is a change of.
        inventory_id: Uuid,
        /// The part.
        part_id: Uuid,
        /// The variant of the part; null for the part itself.
        variant_id: Option<Uuid>,
        /// Where it lies.
        location_id: Uuid,
        /// What was done: `received`, `issued`, `consumed`, `reserved`, `shortened`, `released`, `expired`,
        /// `counted`, `transferred-out`, `transferred-in`.
        kind: Word<MoveKind>,
        /// By how many units what is on hand changed; 0 where only what is reserved did.
        quantity: i32,
        /// By how many units what is reserved changed.
        quantity_reserved: i32,
        /// Units on hand afterwards.
        on_hand_after: i32,
        /// Units available afterwards.
        available_after: i32,
        /// The reservation that was made, changed or drawn on.
        reservation_id: Option<Uuid>,
        /// What kind of thing it was for: `order`, `request`, `other`.
        source_kind: Option<Word<SourceKind>>,
        /// Which one it was for.
        source_id: Option<Uuid>,
        /// Why, in the words of who did it.
        reason: Option<String>,
        /// The user who did it; null when Daybook itself did.
        moved_by: Option<Uuid>,
        /// When it was done.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, inventory_id, part_id, location_id, source_id, created_at }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
    texts { reason }
}

impl Project for StockMoveRow {
    const APPENDS: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let of = recorded.of::<Inventory>().and_then(Move::of);
        of.map(|_| recorded.event_id).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Ok(row);
        };
        let Some(Move {
            kind,
            stock,
            on_hand,
            reserved,
            reservation_id,
            source,
            after,
        }) = Move::of(event)
        else {
            return Ok(row);
        };
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            inventory_id: recorded.stream,
            part_id: stock.part_id,
            variant_id: stock.variant_id,
            location_id: stock.location_id,
            kind: Word(kind),
            quantity: on_hand,
            quantity_reserved: reserved,
            on_hand_after: after.on_hand,
            available_after: after.available(),
            reservation_id,
            source_kind: source.map(|source| Word(source.kind)),
            source_id: source.map(|source| source.id),
            reason: recorded.metadata.reason.clone(),
            moved_by: actor(recorded),
            created_at: recorded.at,
        }))
    }
}

row! {
    /// Stock that is or was kept for somebody.
    StockReservationRow = cloudwatcher.stock_reservations
    key {
        /// The row's id; the reservation's own is unique in its record only.
        id: Uuid,
    }
    columns {
        /// The reservation's id.
        reservation_id: Uuid,
        /// The record that it keeps stock of.
        inventory_id: Uuid,
        /// The part.
        part_id: Uuid,
        /// The variant of the part; null for the part itself.
        variant_id: Option<Uuid>,
        /// Where it lies.
        location_id: Uuid,
        /// Whether it is `live`, or how it ended: `used`, `released`, `expired`.
        status: Word<ReservationStatus>,
        /// Units that were reserved at first.
        quantity: i32,
        /// Units that it still keeps; 0 when it has ended.
        quantity_left: i32,
        /// What kind of thing it is for: `order`, `request`, `other`.
        source_kind: Option<Word<SourceKind>>,
        /// Which one it is for.
        source_id: Option<Uuid>,
        /// When it ends by itself; null: never.
        expires_at: Option<DateTime<Utc>>,
        /// When it was made.
        created_at: DateTime<Utc>,
        /// When it last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, reservation_id, inventory_id, location_id, status, source_id, created_at }
    scope { Scope::Through { column: "location_id", parent: "locations" } }
    masked {}
}

impl Project for StockReservationRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let of = recorded.of::<Inventory>().and_then(Move::of);
        let row_id = |id: Uuid| Uuid::new_v5(&recorded.stream, id.as_bytes());
        of.and_then(|of| of.reservation_id).map(row_id).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Inventory>() else {
            return Ok(row);
        };
        let less = |row, quantity: i32, ended| {
            let row: Self = existing(row)?;
            let quantity_left = row.quantity_left - quantity;
            let status = if quantity_left > 0 { row.status } else { Word(ended) };
            Ok(Some(Self {
                status,
                quantity_left,
                updated_at: recorded.at,
                ..row
            }))
        };
        match event {
            Event::StockReserved {
                stock,
                reservation_id,
                quantity,
                source,
                expires_at,
                after: _,
            } => Ok(Some(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                reservation_id: *reservation_id,
                inventory_id: recorded.stream,
                part_id: stock.part_id,
                variant_id: stock.variant_id,
                location_id: stock.location_id,
                status: Word(ReservationStatus::Live),
                quantity: *quantity,
                quantity_left: *quantity,
                source_kind: source.map(|source| Word(source.kind)),
                source_id: source.map(|source| source.id),
                expires_at: *expires_at,
                created_at: recorded.at,
                updated_at: recorded.at,
            })),
            Event::StockIssued { quantity, .. }
            | Event::StockConsumed { quantity, .. }
            | Event::StockTransferredOut { quantity, .. } => less(row, *quantity, ReservationStatus::Used),
            Event::ReservationShortened { quantity, .. } | Event::ReservationReleased { quantity, .. } => {
                less(row, *quantity, ReservationStatus::Released)
            }
            Event::ReservationExpired { quantity, .. } => less(row, *quantity, ReservationStatus::Expired),
            _ => Ok(row),
        }
    }
}
