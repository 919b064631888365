//! The bookings that an order asks of stock, and those that stock refused.
//!
//! The order says what it wants; the policy `order-stock` books it. Two items of one part, variant and
//! location are one demand: stock is asked for their sum.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Content, Event, Item, Order, Quantity, Refusal, Submitted, Terms};
use crate::OrderType;
use crate::stock::StockKey;

/// Lines of bookings after which no further booking is tried again by the same command: what one event can hold.
const RETRIED_LINES_MAX: usize = 1_500;

/// How many of one stock key an order takes or brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub stock: StockKey,
    pub quantity: i32,
}

/// Something of an order that is booked in stock as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Booking {
    /// That what is to be moved is kept for the order.
    Reservation {
        /// The revision of the order that was approved.
        revision: i32,
    },
    /// The items that came with a receipt.
    Receipt {
        /// The receipt.
        receipt_id: Uuid,
        /// The items that came with it.
        lines: Vec<Quantity>,
    },
    /// The items that go back with a receipt that was reversed.
    Reversal {
        /// The receipt.
        receipt_id: Uuid,
        /// The items that no longer count as received.
        lines: Vec<Quantity>,
    },
    /// That what the order is still to bring counts as on order.
    Expectation {},
}

impl Content {
    /// Whether anything of the order is booked in stock.
    pub(super) fn moves_stock(&self) -> bool {
        self.source().is_some() || self.destination().is_some()
    }

    /// Where the goods are taken from.
    #[must_use]
    pub fn source(&self) -> Option<Uuid> {
        match self.order_type {
            OrderType::Purchase => None,
            OrderType::InternalTransfer | OrderType::Return => self.from_location_id,
        }
    }

    /// Where the goods are brought.
    #[must_use]
    pub fn destination(&self) -> Option<Uuid> {
        match self.order_type {
            OrderType::Purchase | OrderType::InternalTransfer => self.location_id,
            OrderType::Return => None,
        }
    }

    /// The demand of all items at a location, by stock key.
    #[must_use]
    pub fn demands(&self, location_id: Uuid) -> Vec<Demand> {
        summed(self.items.iter().map(|item| (item.stock(location_id), item.quantity)))
    }

    /// The demand of some of the items at a location, by stock key.
    #[must_use]
    pub fn demands_of(&self, lines: &[Quantity], location_id: Uuid) -> Vec<Demand> {
        summed(lines.iter().filter_map(|line| {
            let item = self.items.iter().find(|item| item.item_id == line.item_id)?;
            Some((item.stock(location_id), line.quantity))
        }))
    }
}

/// Sums of quantities by stock key. What is checked when the order is drafted keeps them small enough.
fn summed(quantities: impl Iterator<Item = (StockKey, i32)>) -> Vec<Demand> {
    let mut sums: BTreeMap<StockKey, i32> = BTreeMap::new();
    for (stock, quantity) in quantities {
        let sum = sums.entry(stock).or_default();
        *sum = sum.saturating_add(quantity);
    }
    let sums = sums.into_iter();
    sums.map(|(stock, quantity)| Demand { stock, quantity }).collect()
}

impl Terms {
    /// Quantity times price, in the order's currency.
    #[must_use]
    pub fn total(&self) -> Decimal {
        Decimal::from(self.quantity) * self.unit_price
    }

    /// The stock key of what an item was, at a location.
    #[must_use]
    pub fn stock(&self, location_id: Uuid) -> StockKey {
        StockKey {
            part_id: self.part_id,
            variant_id: self.variant_id,
            location_id,
        }
    }
}

impl Item {
    /// The stock key of the item at a location.
    pub(super) fn stock(&self, location_id: Uuid) -> StockKey {
        StockKey {
            part_id: self.part_id,
            variant_id: self.variant_id,
            location_id,
        }
    }
}

/// The reservation that a revision of an order has of one stock key.
#[must_use]
pub fn reservation_id(order_id: Uuid, revision: i32, inventory_id: Uuid) -> Uuid {
    let key = [inventory_id.as_bytes().as_slice(), &revision.to_be_bytes()].concat();
    Uuid::new_v5(&order_id, &key)
}

impl Order {
    /// The demand on the order's source that is still open, by stock key: all of an approved order, the rest of one
    /// that is placed, nothing of any other.
    #[must_use]
    pub fn wanted(&self) -> Vec<Demand> {
        match self {
            Self::Approved(content, _) => {
                let source = content.source();
                source.map_or_else(Vec::new, |source| content.demands(source))
            }
            Self::Placed(content, ..) => {
                let (source, open) = (content.source(), self.open());
                source.map_or_else(Vec::new, |source| content.demands_of(&open, source))
            }
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Vec::new(),
        }
    }

    /// The quantities of a placed order that have not come yet; none of any other.
    #[must_use]
    pub fn open(&self) -> Vec<Quantity> {
        match self {
            Self::Placed(content, _, receipts) => receipts.open(&content.items),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Vec::new(),
        }
    }

    /// The quantities that are on order where the order brings its goods: those of a placed one that have not come yet, all
    /// of one that follows a suggestion to reorder and is not placed, none of any other.
    #[must_use]
    pub fn to_bring(&self) -> Vec<Quantity> {
        match self {
            Self::Draft(content) | Self::PendingApproval(content, _) | Self::Approved(content, _)
                if content.is_reorder =>
            {
                let all = |item: &Item| Quantity {
                    item_id: item.item_id,
                    quantity: item.quantity,
                };
                content.items.iter().map(all).collect()
            }
            Self::Placed(..) => self.open(),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::Approved(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => Vec::new(),
        }
    }

    /// The reservation that the order may have of a stock key now, and the most that it may hold.
    #[must_use]
    pub fn may_reserve(&self, order_id: Uuid, stock: &StockKey, inventory_id: Uuid) -> Option<(Uuid, i32)> {
        let (content, submitted) = match self {
            Self::Approved(content, submitted) | Self::Placed(content, submitted, _) => (content, submitted),
            Self::Undrafted
            | Self::Draft(_)
            | Self::PendingApproval(..)
            | Self::ClosedShort(..)
            | Self::Cancelled(..) => return None,
        };
        // As it was submitted: what was taken off since is taken off the reservation afterwards.
        let source = content.source()?;
        let items = submitted.items.iter();
        let demands = summed(items.map(|item| (item.stock(source), item.quantity)));
        let demand = demands.into_iter().find(|demand| demand.stock == *stock)?;
        let id = reservation_id(order_id, submitted.revision, inventory_id);
        Some((id, demand.quantity))
    }

    /// Whether goods are kept for the order at its source, as far as the order knows. They were given back when it was
    /// closed short.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        if let Self::ClosedShort(..) = self {
            return false;
        }
        self.submitted().is_some_and(|submitted| {
            let is_refused = submitted.refused.iter().any(Booking::is_reservation);
            !is_refused && !submitted.is_unreserved
        })
    }

    pub(super) fn stock_refused(&self, booking: &Booking) -> Option<Event> {
        let submitted = self.submitted();
        let moves_stock = self.content().is_some_and(Content::moves_stock);
        if !moves_stock || submitted.is_some_and(|submitted| submitted.refused.contains(booking)) {
            return None;
        }
        let is_open = match (booking, submitted) {
            (Booking::Expectation {}, _) if self.to_bring().is_empty() => return None,
            // An order that is not placed tells stock again when it is.
            (Booking::Expectation {}, _) => matches!(self, Self::Placed(..)),
            // Nothing of a draft is booked.
            (Booking::Reservation { .. } | Booking::Receipt { .. } | Booking::Reversal { .. }, None) => return None,
            (Booking::Reservation { revision }, Some(submitted)) => {
                let wants = matches!(self, Self::Approved(..) | Self::Placed(..));
                if !wants || *revision != submitted.revision {
                    return None;
                }
                true
            }
            // What was never booked need not go back.
            (Booking::Receipt { receipt_id, .. } | Booking::Reversal { receipt_id, .. }, Some(submitted))
                if submitted.never_booked.contains(receipt_id) =>
            {
                return None;
            }
            (Booking::Receipt { receipt_id, .. }, Some(submitted)) => !submitted.reversed.contains(receipt_id),
            (Booking::Reversal { .. }, Some(_)) => true,
        };
        Some(Event::OrderStockRefused {
            booking: booking.clone(),
            is_open,
        })
    }

    /// Whether a receipt that is to be booked back was booked. Order events are reacted to in their order, so
    /// by then it is known whether stock refused it.
    pub(super) fn booked(&self, receipt_id: Uuid) -> Result<(), Refusal> {
        let never = self
            .submitted()
            .is_some_and(|submitted| submitted.never_booked.contains(&receipt_id));
        if never { Err(Refusal::NeverBooked) } else { Ok(()) }
    }

    /// Tries the oldest again, as many as one event can name.
    pub(super) fn stock_retried(&self) -> Result<Event, Refusal> {
        let mut lines = 0;
        let refused = self.submitted().map_or(&[][..], |submitted| &submitted.refused);
        let bookings: Vec<Booking> = refused
            .iter()
            .take_while(|booking| {
                let fits = lines < RETRIED_LINES_MAX;
                lines += booking.lines();
                fits
            })
            .cloned()
            .collect();
        if bookings.is_empty() {
            return Err(Refusal::NothingRefused);
        }
        Ok(Event::OrderStockRetried { bookings })
    }
}

impl Submitted {
    /// Whether what came with this receipt could not be booked in stock.
    pub(super) fn waits_for_receipt(&self, receipt_id: Uuid) -> bool {
        self.refused.iter().any(|booking| booking.is_receipt(receipt_id))
    }

    pub(super) fn refuse(&mut self, booking: &Booking, is_open: bool) {
        match booking {
            Booking::Receipt { receipt_id, .. } if !is_open => self.never_booked.push(*receipt_id),
            Booking::Expectation {} if !is_open => {}
            Booking::Receipt { .. }
            | Booking::Reservation { .. }
            | Booking::Reversal { .. }
            | Booking::Expectation {} => {
                self.refused.push(booking.clone());
            }
        }
    }

    /// Refused bookings are tried again. With a receipt, what was kept for the order is given back; without
    /// one, it is kept anew.
    pub(super) fn retried(&mut self, bookings: &[Booking]) {
        self.refused.retain(|booking| !bookings.contains(booking));
        if bookings
            .iter()
            .any(|booking| matches!(booking, Booking::Receipt { .. }))
        {
            self.is_unreserved = true;
        } else if bookings.iter().any(Booking::is_reservation) {
            self.is_unreserved = false;
        }
    }

    /// A receipt is reversed. What comes back is kept for nobody.
    pub(super) fn reverse_receipt(&mut self, receipt_id: Uuid, was_booked: bool) {
        self.refused.retain(|booking| !booking.is_receipt(receipt_id));
        self.is_unreserved |= was_booked;
        self.reversed.push(receipt_id);
    }
}

impl Booking {
    fn lines(&self) -> usize {
        match self {
            Self::Reservation { .. } | Self::Expectation {} => 1,
            Self::Receipt { lines, .. } | Self::Reversal { lines, .. } => lines.len(),
        }
    }

    fn is_reservation(&self) -> bool {
        match self {
            Self::Reservation { .. } => true,
            Self::Receipt { .. } | Self::Reversal { .. } | Self::Expectation {} => false,
        }
    }

    fn is_receipt(&self, id: Uuid) -> bool {
        match self {
            Self::Receipt { receipt_id, .. } => *receipt_id == id,
            Self::Reservation { .. } | Self::Reversal { .. } | Self::Expectation {} => false,
        }
    }
}
