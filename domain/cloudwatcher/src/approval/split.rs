//! Orders that look as if one was split so that it needs fewer approvals: the same buyer, the same supplier, seven days.
//! What they buy of other suppliers is no part of it, nor is what an approver was shown before, up to the number of levels
//! that the orders shown together need.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use uuid::Uuid;

use super::route::{self, Routing};
use super::{Approval, Asked, SPLIT_ORDERS_MAX};
use crate::OrderStatus;
use crate::buyer::{Buyer, Neighbour, SupplierTotal, supplier_totals};
use crate::order::{Order, Submitted};
use domain::{FactRef, Facts};

/// The facts that [`split_with`] reads besides those of the route: the buyer, the orders in question with their
/// approvals, and the orders that those were flagged with.
pub(super) fn reads(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<FactRef> {
    let mut orders: BTreeSet<Uuid> = BTreeSet::new();
    for neighbour in neighbours(order_id, submitted, facts) {
        orders.insert(neighbour.order_id);
        // They may have been submitted longer ago than seven days.
        orders.extend(
            Flag::of(neighbour.order_id, facts)
                .into_iter()
                .flat_map(|flag| flag.with()),
        );
    }
    // Which is read anyway, and its approval is the one that decides.
    orders.remove(&order_id);
    let of_orders = orders.into_iter();
    std::iter::once(FactRef::of::<Buyer>(submitted.drafted_by))
        .chain(of_orders.flat_map(|id| [FactRef::of::<Order>(id), FactRef::of::<Approval>(id)]))
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
    others.retain(|other| lives(other.order_id, facts));
    let flags = others.iter().filter_map(|other| Flag::of(other.order_id, facts));
    let shown: Vec<Shown> = flags.map(|flag| flag.shown(order_id, facts)).collect();
    let mut flagged: BTreeSet<Uuid> = BTreeSet::new();
    for SupplierTotal { supplier_id, total } in supplier_totals(&submitted.items) {
        let of_supplier = |shown: &Shown| shown.totals.get(&supplier_id).copied().map(levels);
        let with_levels = shown.iter().filter_map(|shown| Some((shown, of_supplier(shown)?)));
        let with_levels: Vec<(&Shown, i32)> = with_levels.collect();
        let earlier = others.iter().filter_map(|other| {
            let shared = other.shared.iter().find(|shared| shared.supplier_id == supplier_id)?;
            let with = with_levels
                .iter()
                .filter(|(shown, _)| shown.orders.contains(&other.order_id));
            Some(Earlier {
                order_id: other.order_id,
                total: shared.total,
                alone: levels(submission(other.order_id, facts)?.total),
                shown_for: with.map(|(_, levels)| *levels).max().unwrap_or(0),
            })
        });
        flagged.extend(split(total, alone, &earlier.collect::<Vec<_>>(), levels));
    }
    let others = others.iter().map(|other| other.order_id);
    others.filter(|id| flagged.contains(id)).collect()
}

/// What an earlier order has to do with one supplier.
struct Earlier {
    order_id: Uuid,
    /// For how much it buys from the supplier.
    total: Decimal,
    /// The levels that the whole order needs by itself.
    alone: i32,
    /// The levels of the sum of which an approver was shown it as a part; 0 when none was.
    shown_for: i32,
}

/// The orders with which one of this total would need the most levels, if those are more than it needs `alone`. Those that
/// need so many by themselves, or were shown for so many, are no part of it.
fn split(total: Decimal, alone: i32, others: &[Earlier], levels: impl Fn(Decimal) -> i32) -> Vec<Uuid> {
    let most = levels(total + others.iter().map(|other| other.total).sum::<Decimal>());
    for needed in (alone + 1..=most).rev() {
        let fewer = |other: &&Earlier| other.alone < needed && other.shown_for < needed;
        let parts: Vec<&Earlier> = others.iter().filter(fewer).collect();
        if levels(total + parts.iter().map(|part| part.total).sum::<Decimal>()) >= needed {
            return parts.iter().map(|part| part.order_id).collect();
        }
    }
    Vec::new()
}

/// An order that was flagged, and whose approver was shown others beside it.
struct Flag<'a> {
    order_id: Uuid,
    submitted: &'a Submitted,
    asked: &'a Asked,
}

/// What that approver was shown.
struct Shown {
    orders: BTreeSet<Uuid>,
    /// Supplier to the sum for which the orders buy from it.
    totals: BTreeMap<Uuid, Decimal>,
}

impl<'a> Flag<'a> {
    /// The flag of an order, if it counts: the order lives and is what was asked about, and there was somebody to decide.
    fn of(order_id: Uuid, facts: &'a Facts) -> Option<Self> {
        let submitted = submission(order_id, facts).filter(|_| lives(order_id, facts))?;
        let asked = match facts.get::<Approval>(order_id)? {
            Approval::Unasked | Approval::Rejected { by: None, .. } => return None,
            Approval::Pending(pending) => &pending.asked,
            Approval::Granted { asked, .. } | Approval::Rejected { asked, .. } | Approval::Voided(asked) => asked,
        };
        let counts = asked.levels > 0 && asked.revision == submitted.revision && !asked.split_with.is_empty();
        counts.then_some(Self {
            order_id,
            submitted,
            asked,
        })
    }

    /// The orders that it was flagged with.
    fn with(&self) -> impl Iterator<Item = Uuid> + use<'a> {
        self.asked.split_with.iter().copied()
    }

    /// The order `asking` is asked about anew, and so is no longer what was shown of it.
    fn shown(&self, asking: Uuid, facts: &Facts) -> Shown {
        let then = self.with().filter(|&id| id != asking && !self.is_older_than(id, facts));
        let then = then.filter_map(|id| submission(id, facts));
        let mut totals: BTreeMap<Uuid, Decimal> = BTreeMap::new();
        for submitted in then.chain([self.submitted]) {
            for SupplierTotal { supplier_id, total } in supplier_totals(&submitted.items) {
                *totals.entry(supplier_id).or_default() += total;
            }
        }
        Shown {
            orders: self.with().chain([self.order_id]).collect(),
            totals,
        }
    }

    /// Whether that order was submitted again since, and so had another total when its own was flagged.
    fn is_older_than(&self, order_id: Uuid, facts: &Facts) -> bool {
        let revision = submission(order_id, facts).map(|submitted| submitted.revision);
        let asked = facts.get::<Approval>(order_id).and_then(Approval::asked);
        asked.is_some_and(|asked| asked.asked_at > self.asked.asked_at || Some(asked.revision) != revision)
    }
}

fn lives(id: Uuid, facts: &Facts) -> bool {
    let status = facts.get::<Order>(id).and_then(Order::status);
    !matches!(status, None | Some(OrderStatus::Draft | OrderStatus::Cancelled))
}

/// An order as it was submitted last.
fn submission(id: Uuid, facts: &Facts) -> Option<&Submitted> {
    facts.get::<Order>(id).and_then(Order::submitted)
}

fn neighbours(order_id: Uuid, submitted: &Submitted, facts: &Facts) -> Vec<Neighbour> {
    let buyer = facts.get::<Buyer>(submitted.drafted_by);
    let mut neighbours = buyer.map_or_else(Vec::new, |buyer| buyer.neighbours(order_id, submitted));
    neighbours.truncate(SPLIT_ORDERS_MAX);
    neighbours
}
