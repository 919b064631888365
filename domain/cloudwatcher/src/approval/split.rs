//! Orders that look as if one was split so that it needs fewer approvals.

use rust_decimal::Decimal;
use uuid::Uuid;

use super::SPLIT_ORDERS_MAX;
use super::route::{self, Routing};
use crate::OrderStatus;
use crate::buyer::{Buyer, Neighbour};
use crate::order::{Order, Submitted};
use domain::{FactRef, Facts};

/// The facts that [`split_with`] reads besides those of the route: the buyer, and the orders in question.
pub(super) fn reads(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<FactRef> {
    let neighbours = neighbours(order_id, submitted, facts).into_iter();
    std::iter::once(FactRef::of::<Buyer>(submitted.drafted_by))
        .chain(neighbours.map(|neighbour| FactRef::of::<Order>(neighbour.order_id)))
        .collect()
}

/// The other orders that would need more levels when put together with this one, the newest first. An
/// order that was cancelled or is a draft again counts for nothing.
pub(super) fn split_with(order_id: Uuid, routing: &Routing<'_>, submitted: &Submitted, facts: &Facts) -> Vec<Uuid> {
    let lives = |id: Uuid| {
        let status = facts.get::<Order>(id).and_then(Order::status);
        !matches!(status, None | Some(OrderStatus::Draft | OrderStatus::Cancelled))
    };
    let mut others = neighbours(order_id, submitted, facts);
    others.retain(|other| lives(other.order_id));
    let together = Routing {
        total: routing.total + others.iter().map(|other| other.shared_total).sum::<Decimal>(),
        ..*routing
    };
    match (route::levels(routing, facts), route::levels(&together, facts)) {
        (Ok(alone), Ok(with_others)) if with_others > alone => others.iter().map(|other| other.order_id).collect(),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Vec::new(),
    }
}

fn neighbours(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<Neighbour> {
    let buyer = facts.get::<Buyer>(submitted.drafted_by);
    let mut neighbours = buyer.map_or_else(Vec::new, |buyer| buyer.neighbours(order_id, submitted));
    neighbours.truncate(SPLIT_ORDERS_MAX);
    neighbours
}
