//! Orders and their items, as they stand.

use chrono::{DateTime, NaiveDate, Utc};
use cloudwatcher::order::{self, Event, Item, Order, Quantity};
use cloudwatcher::{OrderStatus, OrderType};
use domain::{AnyEvent, Recorded, SYSTEM};
use rust_decimal::Decimal;
use uuid::Uuid;

use projections::cell::Word;
use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// An order of parts.
    OrderRow = cloudwatcher.orders
    key {
        /// The order's id.
        id: Uuid,
    }
    columns {
        /// The device request that the order answers.
        request_id: Option<Uuid>,
        /// What the order is for.
        order_type: Word<OrderType>,
        /// Where the order stands.
        status: Word<OrderStatus>,
        /// The department that orders.
        department_id: Uuid,
        /// The currency of all its prices, as an ISO 4217 code.
        currency: String,
        /// The sum over the items as they are now, of a draft too. Null where an item was removed by an event that
        /// did not say yet what it was, until the order is submitted again.
        total: Option<Decimal>,
        /// The sum over the items as they were submitted last, which is what approvers decide on; null before.
        submitted_total: Option<Decimal>,
        /// How often it was submitted.
        revision: i32,
        /// By how much more than ordered may be received, in percent.
        tolerance_percent: i32,
        /// What approvers should know.
        note: Option<String>,
        /// The order that it is a copy of.
        duplicate_of: Option<Uuid>,
        /// Where the goods go; null when stock is not touched by them, and of a return.
        location_id: Option<Uuid>,
        /// Where the goods lie, of an internal transfer and of a return.
        from_location_id: Option<Uuid>,
        /// How many bookings stock has refused that can be retried.
        stock_refused: i32,
        /// The user who drafted it.
        created_by: Uuid,
        /// The user whose approval was the last one needed; null when none was, and until it is approved.
        approved_by: Option<Uuid>,
        /// When it was drafted.
        created_at: DateTime<Utc>,
        /// When it was approved; null until then, and again when it is submitted anew.
        approved_at: Option<DateTime<Utc>>,
        /// When it, or one of its items, last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, status, department_id, created_by, created_at }
    scope { Scope::Department("department_id") }
    masked {}
    texts { note }
}

impl Project for OrderRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        recorded.of::<Order>().map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Order>() else {
            return Ok(row);
        };
        let updated_at = recorded.at;
        Ok(Some(match event {
            Event::OrderDrafted {
                order_type,
                department_id,
                currency,
                request_id,
                note,
                duplicate_of,
                items,
                drafted_by,
                tolerance_percent,
                location_id,
                from_location_id,
                left_out: _,
                is_reorder: _,
                named: _,
            } => Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                request_id: *request_id,
                order_type: Word(*order_type),
                status: Word(OrderStatus::Draft),
                department_id: *department_id,
                currency: currency.clone(),
                total: Some(order::total(items)),
                submitted_total: None,
                revision: 0,
                tolerance_percent: *tolerance_percent,
                note: note.clone(),
                duplicate_of: *duplicate_of,
                location_id: *location_id,
                from_location_id: *from_location_id,
                stock_refused: 0,
                created_by: user(*drafted_by).ok_or(FoldError::NoUser {
                    table: "orders",
                    column: "created_by",
                })?,
                approved_by: None,
                created_at: recorded.at,
                approved_at: None,
                updated_at,
            },
            Event::OrderItemAdded { item, .. } => changed(existing(row)?, Some(item.total()), updated_at),
            Event::OrderItemChanged { item, was, .. } => {
                changed(existing(row)?, Some(item.total() - was.total()), updated_at)
            }
            Event::OrderItemRemoved { was, .. } => {
                changed(existing(row)?, was.as_ref().map(|was| -was.total()), updated_at)
            }
            Event::OrderCurrencyChanged { currency, was: _ } => Self {
                currency: currency.clone(),
                updated_at,
                ..existing(row)?
            },
            Event::OrderRescheduled { .. } | Event::OrderConfirmed { .. } => Self {
                updated_at,
                ..existing(row)?
            },
            Event::OrderNoteChanged { note, had: _ } => Self {
                note: note.clone(),
                updated_at,
                ..existing(row)?
            },
            Event::OrderSubmitted { revision, total, .. } => Self {
                total: Some(*total),
                submitted_total: Some(*total),
                revision: *revision,
                stock_refused: 0,
                ..unapproved(existing(row)?, OrderStatus::PendingApproval, updated_at)
            },
            Event::OrderApproved {
                revision: _,
                approved_by,
            } => Self {
                status: Word(OrderStatus::Approved),
                approved_by: *approved_by,
                approved_at: Some(recorded.at),
                updated_at,
                ..existing(row)?
            },
            Event::OrderStockRefused { is_open, .. } => {
                let row = existing(row)?;
                Self {
                    stock_refused: row.stock_refused + i32::from(*is_open),
                    updated_at,
                    ..row
                }
            }
            Event::OrderStockRetried { bookings } => {
                let row = existing(row)?;
                let retried = i32::try_from(bookings.len()).unwrap_or(i32::MAX);
                Self {
                    stock_refused: row.stock_refused.saturating_sub(retried).max(0),
                    updated_at,
                    ..row
                }
            }
            Event::OrderRejected { .. } => unapproved(existing(row)?, OrderStatus::Draft, updated_at),
            Event::OrderPlaced {} => standing(existing(row)?, OrderStatus::Ordered, updated_at),
            Event::OrderItemsReceived { .. } => {
                let row = existing(row)?;
                // What comes late leaves it closed.
                let status = match row.status.0 {
                    OrderStatus::ClosedShort => OrderStatus::ClosedShort,
                    _ => OrderStatus::PartiallyReceived,
                };
                standing(row, status, updated_at)
            }
            Event::OrderReceived {} => standing(existing(row)?, OrderStatus::Received, updated_at),
            Event::OrderReceiptReversed { status, was_booked, .. } => {
                let row = existing(row)?;
                let touches_stock = row.location_id.is_some() || row.from_location_id.is_some();
                let was_refused = touches_stock && !was_booked;
                let stock_refused = row.stock_refused - i32::from(was_refused);
                Self {
                    stock_refused: stock_refused.max(0),
                    ..standing(row, *status, updated_at)
                }
            }
            Event::OrderClosedShort { .. } => standing(existing(row)?, OrderStatus::ClosedShort, updated_at),
            // The claim on the request ends with the order, so another one may answer it.
            Event::OrderCancelled {} => Self {
                status: Word(OrderStatus::Cancelled),
                request_id: None,
                updated_at,
                ..existing(row)?
            },
        }))
    }
}

/// The user, unless it is Daybook itself.
fn user(id: Uuid) -> Option<Uuid> {
    (id != SYSTEM).then_some(id)
}

/// The row of an order that has more of something, or less; nobody knows how much where it is not said.
fn changed(row: OrderRow, by: Option<Decimal>, updated_at: DateTime<Utc>) -> OrderRow {
    OrderRow {
        total: row.total.zip(by).map(|(total, by)| total + by),
        updated_at,
        ..row
    }
}

fn standing(row: OrderRow, status: OrderStatus, updated_at: DateTime<Utc>) -> OrderRow {
    OrderRow {
        status: Word(status),
        updated_at,
        ..row
    }
}

fn unapproved(row: OrderRow, status: OrderStatus, updated_at: DateTime<Utc>) -> OrderRow {
    OrderRow {
        approved_by: None,
        approved_at: None,
        ..standing(row, status, updated_at)
    }
}

row! {
    /// An item of an order.
    OrderItemRow = cloudwatcher.order_items
    key {
        /// The item's id.
        id: Uuid,
    }
    columns {
        /// The order.
        order_id: Uuid,
        /// The part that is ordered.
        part_id: Uuid,
        /// The variant of the part.
        variant_id: Option<Uuid>,
        /// Who delivers it.
        supplier_id: Uuid,
        /// How many are ordered.
        quantity_ordered: i32,
        /// How many have arrived.
        quantity_received: i32,
        /// The price of one, in the order's currency.
        unit_price: Decimal,
        /// When it should arrive.
        expected_delivery_date: Option<NaiveDate>,
        /// The supplier's own name for the order, once they confirmed it.
        supplier_reference: Option<String>,
        /// The day that the supplier named; null when they named none.
        confirmed_delivery_date: Option<NaiveDate>,
        /// When the supplier's confirmation was recorded.
        confirmed_at: Option<DateTime<Utc>>,
        /// When it was added to the order.
        created_at: DateTime<Utc>,
    }
    generated {
        /// Quantity times price, in the order's currency.
        total_price: Decimal = |row| Decimal::from(row.quantity_ordered) * row.unit_price,
    }
    find { id, order_id, part_id, supplier_id, created_at }
    scope { Scope::Through { column: "order_id", parent: "orders" } }
    masked {}
    lines {
        /// Its place among the items that came with it, from 1, in the order in which they were entered; an item that
        /// was added later has a higher `position`.
        place,
    }
}

impl Project for OrderItemRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let Some(event) = recorded.of::<Order>() else {
            return Vec::new();
        };
        match event {
            Event::OrderDrafted { items, .. } => items.iter().map(|item| item.item_id).collect(),
            Event::OrderItemAdded { item, .. } | Event::OrderItemChanged { item, .. } => vec![item.item_id],
            Event::OrderItemRemoved { item_id, .. } => vec![*item_id],
            Event::OrderItemsReceived { lines, .. } | Event::OrderReceiptReversed { lines, .. } => {
                lines.iter().map(|line| line.item_id).collect()
            }
            Event::OrderRescheduled { items } => items.iter().map(|item| item.item_id).collect(),
            Event::OrderConfirmed { items, .. } => items.iter().map(|item| item.item_id).collect(),
            // Submitting freezes the items as they are.
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(event) = recorded.of::<Order>() else {
            return Ok(row);
        };
        let added = |item: &Item, place| Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            place,
            id,
            order_id: recorded.stream,
            part_id: item.part_id,
            variant_id: item.variant_id,
            supplier_id: item.supplier_id,
            quantity_ordered: item.quantity,
            quantity_received: 0,
            unit_price: item.unit_price,
            expected_delivery_date: item.expected_delivery_date,
            supplier_reference: None,
            confirmed_delivery_date: None,
            confirmed_at: None,
            created_at: recorded.at,
        };
        Ok(match event {
            Event::OrderDrafted { items, .. } => items
                .iter()
                .zip(1..)
                .find(|(item, _)| item.item_id == id)
                .map(|(item, place)| added(item, place)),
            Event::OrderItemAdded { item, .. } => Some(added(item, 1)),
            Event::OrderItemChanged { item, .. } => {
                let row = existing(row)?;
                Some(Self {
                    position: row.position,
                    created_at: row.created_at,
                    quantity_received: row.quantity_received,
                    ..added(item, row.place)
                })
            }
            Event::OrderItemRemoved { .. } => existing(row).map(|_| None)?,
            Event::OrderItemsReceived { lines, .. } => {
                let row = existing(row)?;
                Some(Self {
                    quantity_received: row.quantity_received + of_item(lines, id),
                    ..row
                })
            }
            Event::OrderReceiptReversed { lines, .. } => {
                let row = existing(row)?;
                Some(Self {
                    quantity_received: row.quantity_received - of_item(lines, id),
                    ..row
                })
            }
            Event::OrderRescheduled { items } => {
                let rescheduled = items.iter().find(|item| item.item_id == id);
                Some(Self {
                    expected_delivery_date: rescheduled.map(|item| item.expected_delivery_date),
                    ..existing(row)?
                })
            }
            Event::OrderConfirmed { reference, items, .. } => {
                let confirmed = items.iter().find(|item| item.item_id == id);
                Some(Self {
                    supplier_reference: Some(reference.clone()),
                    confirmed_delivery_date: confirmed.and_then(|item| item.confirmed_delivery_date),
                    confirmed_at: Some(recorded.at),
                    ..existing(row)?
                })
            }
            _ => row,
        })
    }
}

fn of_item(lines: &[Quantity], item_id: Uuid) -> i32 {
    let line = lines.iter().find(|line| line.item_id == item_id);
    line.map_or(0, |line| line.quantity)
}
