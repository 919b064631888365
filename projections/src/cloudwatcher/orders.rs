//! Orders and their items, as they stand.

use chrono::{DateTime, NaiveDate, Utc};
use domain::cloudwatcher::order::{Event, Item};
use domain::cloudwatcher::{OrderStatus, OrderType};
use domain::{AnyEvent, Recorded};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::fold::{FoldError, Project, actor, existing};
use crate::table::Scope;
use crate::{row, word_cell};

word_cell!(OrderStatus, OrderType);

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
        order_type: OrderType,
        /// Where the order stands.
        status: OrderStatus,
        /// The department that orders.
        department_id: Uuid,
        /// The currency of all its prices, as an ISO 4217 code.
        currency: String,
        /// The sum over the items as last submitted; null before.
        total: Option<Decimal>,
        /// How often it was submitted.
        revision: i32,
        /// What approvers should know.
        note: Option<String>,
        /// The order that it is a copy of.
        duplicate_of: Option<Uuid>,
        /// The user who drafted it.
        created_by: Uuid,
        /// The user whose approval was the last one needed.
        approved_by: Option<Uuid>,
        /// When it was drafted.
        created_at: DateTime<Utc>,
        /// When it was approved.
        approved_at: Option<DateTime<Utc>>,
        /// When it, or one of its items, last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, request_id, status, department_id, created_by, created_at }
    scope { Scope::Department("department_id") }
    masked {}
}

impl Project for OrderRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        match &recorded.event {
            AnyEvent::Order(_) => vec![recorded.stream],
            _ => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::Order(event) = &recorded.event else {
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
                items: _,
            } => Self {
                tenant_id: recorded.tenant_id,
                id,
                request_id: *request_id,
                order_type: *order_type,
                status: OrderStatus::Draft,
                department_id: *department_id,
                currency: currency.clone(),
                total: None,
                revision: 0,
                note: note.clone(),
                duplicate_of: *duplicate_of,
                created_by: actor(recorded).ok_or(FoldError::NoUser {
                    table: "orders",
                    column: "created_by",
                })?,
                approved_by: None,
                created_at: recorded.at,
                approved_at: None,
                updated_at,
            },
            Event::OrderItemAdded { .. } | Event::OrderItemChanged { .. } | Event::OrderItemRemoved { .. } => Self {
                updated_at,
                ..existing(row)?
            },
            Event::OrderSubmitted { revision, total, .. } => Self {
                status: OrderStatus::PendingApproval,
                total: Some(*total),
                revision: *revision,
                updated_at,
                ..existing(row)?
            },
            // The claim on the request ends with the order, so another one may answer it.
            Event::OrderCancelled {} => Self {
                status: OrderStatus::Cancelled,
                request_id: None,
                updated_at,
                ..existing(row)?
            },
        }))
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
}

impl Project for OrderItemRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let AnyEvent::Order(event) = &recorded.event else {
            return Vec::new();
        };
        match event {
            Event::OrderDrafted { items, .. } => items.iter().map(|item| item.item_id).collect(),
            Event::OrderItemAdded { item } | Event::OrderItemChanged { item, .. } => vec![item.item_id],
            Event::OrderItemRemoved { item_id } => vec![*item_id],
            // Submitting freezes the items as they are.
            Event::OrderSubmitted { .. } | Event::OrderCancelled {} => Vec::new(),
        }
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let AnyEvent::Order(event) = &recorded.event else {
            return Ok(row);
        };
        let added = |item: &Item| Self {
            tenant_id: recorded.tenant_id,
            id,
            order_id: recorded.stream,
            part_id: item.part_id,
            variant_id: item.variant_id,
            supplier_id: item.supplier_id,
            quantity_ordered: item.quantity,
            quantity_received: 0,
            unit_price: item.unit_price,
            expected_delivery_date: item.expected_delivery_date,
            created_at: recorded.at,
        };
        Ok(match event {
            Event::OrderDrafted { items, .. } => items.iter().find(|item| item.item_id == id).map(added),
            Event::OrderItemAdded { item } => Some(added(item)),
            Event::OrderItemChanged { item, was: _ } => {
                let row = existing(row)?;
                Some(Self {
                    created_at: row.created_at,
                    quantity_received: row.quantity_received,
                    ..added(item)
                })
            }
            Event::OrderItemRemoved { .. } => existing(row).map(|_| None)?,
            Event::OrderSubmitted { .. } | Event::OrderCancelled {} => row,
        })
    }
}
