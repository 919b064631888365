//! Orders that look as if one was split so that it needs fewer approvals: the same buyer, the same supplier, seven days.
//! What they buy of other suppliers is no part of it, nor are orders that an approver was shown before.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::route::{self, Routing};
use super::{Approval, SPLIT_ORDERS_MAX};
use crate::OrderStatus;
use crate::buyer::{Buyer, Neighbour, SupplierTotal, supplier_totals};
use crate::order::{Order, Submitted};
use domain::{FactRef, Facts};

/// The facts that [`split_with`] reads besides those of the route: the buyer, and the orders in question with their
/// approvals.
pub(super) fn reads(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<FactRef> {
    let neighbours = neighbours(order_id, submitted, facts).into_iter();
    std::iter::once(FactRef::of::<Buyer>(submitted.drafted_by))
        .chain(neighbours.flat_map(|neighbour| {
            [
                FactRef::of::<Order>(neighbour.order_id),
                FactRef::of::<Approval>(neighbour.order_id),
            ]
        }))
        .collect()
}

/// The earlier orders that, together with this one, buy for so much of one supplier that it would need more levels than
/// each of them needs alone; the newest first. An order that was cancelled or is a draft again counts for nothing.
pub(super) fn split_with(order_id: Uuid, routing: &Routing<'_>, submitted: &Submitted, facts: &Facts) -> Vec<Uuid> {
    let Ok(alone) = route::levels(routing, facts) else {
        return Vec::new();
    };
    let levels = |total: Decimal| route::levels(&Routing { total, ..*routing }, facts).unwrap_or(alone);
    let mut others = neighbours(order_id, submitted, facts);
    let shown = shown(&others, facts);
    others.retain(|other| lives(other.order_id, facts) && !shown.contains(&other.order_id));
    let mut flagged: BTreeSet<Uuid> = BTreeSet::new();
    for SupplierTotal { supplier_id, total } in supplier_totals(&submitted.items) {
        let of_supplier: Vec<(Uuid, Decimal)> = others
            .iter()
            .filter_map(|other| {
                let shared = other.shared.iter().find(|shared| shared.supplier_id == supplier_id)?;
                Some((other.order_id, shared.total))
            })
            .collect();
        let together = levels(total + of_supplier.iter().map(|(_, total)| *total).sum::<Decimal>());
        let each = of_supplier.iter().filter_map(|(id, _)| ordered(*id, facts)).map(levels);
        if together > each.fold(alone, i32::max) {
            flagged.extend(of_supplier.iter().map(|(id, _)| *id));
        }
    }
    let others = others.iter().map(|other| other.order_id);
    others.filter(|id| flagged.contains(id)).collect()
}

/// The orders that the approver of one of these was shown: itself, and those that it was flagged with.
fn shown(neighbours: &[Neighbour], facts: &Facts) -> BTreeSet<Uuid> {
    let asked = |id: Uuid| facts.get::<Approval>(id).and_then(Approval::asked);
    let flagged = neighbours
        .iter()
        .filter_map(|of| Some((of.order_id, &asked(of.order_id)?.split_with)))
        .filter(|(_, with)| !with.is_empty());
    flagged
        .flat_map(|(id, with)| std::iter::once(id).chain(with.iter().copied()))
        .collect()
}

fn lives(id: Uuid, facts: &Facts) -> bool {
    let status = facts.get::<Order>(id).and_then(Order::status);
    !matches!(status, None | Some(OrderStatus::Draft | OrderStatus::Cancelled))
}

/// The total for which an order was submitted.
fn ordered(id: Uuid, facts: &Facts) -> Option<Decimal> {
    let submitted = facts.get::<Order>(id).and_then(Order::submitted)?;
    Some(submitted.total)
}

fn neighbours(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<Neighbour> {
    let buyer = facts.get::<Buyer>(submitted.drafted_by);
    let mut neighbours = buyer.map_or_else(Vec::new, |buyer| buyer.neighbours(order_id, submitted));
    neighbours.truncate(SPLIT_ORDERS_MAX);
    neighbours
}
