//! How orders meet stock.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::OrderType;
use crate::inventory::{self, Inventory, Source, SourceKind, StockKey};
use crate::order::{self, Booking, Content, Demand, Order, Quantity, Terms, reservation_id};
use domain::{AnyCommand, AnyEvent, Decider, Policy, Reaction, Recorded, Seen, Sending};

/// Keeps goods for what is approved, moves them when they are received, tells stock what is on order, and
/// gives back what an order no longer wants. What stock refuses is noted on the order.
#[derive(Debug)]
pub struct OrderStock;

impl Policy for OrderStock {
    fn name(&self) -> &'static str {
        "order-stock"
    }

    fn reads(&self) -> &'static [&'static str] {
        &[Order::TYPE]
    }

    fn wants_state(&self, recorded: &Recorded<AnyEvent>) -> bool {
        let Some(event) = recorded.of::<Order>() else {
            return false;
        };
        match event {
            order::Event::OrderDrafted { is_reorder, .. } => *is_reorder,
            order::Event::OrderItemAdded { .. }
            | order::Event::OrderItemChanged { .. }
            | order::Event::OrderItemRemoved { .. }
            | order::Event::OrderSubmitted { .. }
            | order::Event::OrderApproved { .. }
            | order::Event::OrderPlaced {}
            | order::Event::OrderItemsReceived { .. }
            | order::Event::OrderReceived {}
            | order::Event::OrderReceiptReversed { .. }
            | order::Event::OrderClosedShort { .. }
            | order::Event::OrderCancelled {}
            | order::Event::OrderStockRefused { .. }
            | order::Event::OrderStockRetried { .. } => true,
            _ => false,
        }
    }

    fn react(&self, seen: &Seen<'_>) -> Vec<Reaction> {
        let Some(event) = seen.recorded.of::<Order>() else {
            return Vec::new();
        };
        let Some((order, content)) = seen.state::<Order>().and_then(|order| Some((order, order.content()?))) else {
            return Vec::new();
        };
        let to_bring = content
            .destination()
            .map(|to| content.demands_of(&order.to_bring(), to));
        let to_bring = to_bring.into_iter().flatten();
        let books = Books {
            tenant: seen.recorded.tenant_id,
            order_id: seen.recorded.stream,
            order,
            content,
            to_bring: to_bring.map(|Demand { stock, quantity }| (stock, quantity)).collect(),
        };
        books.react(event)
    }
}

/// An order right after an event, on its way into stock.
struct Books<'a> {
    tenant: Uuid,
    order_id: Uuid,
    order: &'a Order,
    content: &'a Content,
    /// What is on order of it by now: line by line, so that a surplus of one makes up for no other.
    to_bring: BTreeMap<StockKey, i32>,
}

impl Books<'_> {
    fn react(&self, event: &order::Event) -> Vec<Reaction> {
        match event {
            order::Event::OrderApproved { revision, .. } => self.reserve(*revision),
            // What was approved before is void, and so is what was kept for it.
            order::Event::OrderSubmitted { revision, .. } if *revision > 1 => self.release(revision - 1),
            order::Event::OrderDrafted { is_reorder: true, .. } => self.expect(),
            order::Event::OrderItemAdded { item, .. } => self.redrafted(&[item.terms()]),
            order::Event::OrderItemChanged { item, was, .. } => {
                let reactions = self.shorten(was).into_iter();
                reactions.chain(self.redrafted(&[was.clone(), item.terms()])).collect()
            }
            order::Event::OrderItemRemoved { was: Some(was), .. } => {
                let reactions = self.shorten(was).into_iter();
                reactions.chain(self.redrafted(std::slice::from_ref(was))).collect()
            }
            order::Event::OrderPlaced {} => self.expect(),
            order::Event::OrderItemsReceived { receipt_id, lines, .. } => self.receipt(*receipt_id, lines),
            order::Event::OrderReceiptReversed {
                receipt_id,
                lines,
                was_booked: true,
                ..
            } => self.reversal(*receipt_id, lines),
            // Nothing goes back, but it is to come again.
            order::Event::OrderReceiptReversed {
                lines,
                was_booked: false,
                ..
            } => self.expect_of(lines),
            // The goods are there or gone all the same, and what is on order was not said with the booking.
            order::Event::OrderStockRefused {
                booking: Booking::Receipt { lines, .. } | Booking::Reversal { lines, .. },
                ..
            } => self.expect_of(lines),
            order::Event::OrderClosedShort { .. } | order::Event::OrderCancelled {} => {
                let revision = self.content.revision;
                self.release(revision).into_iter().chain(self.expect()).collect()
            }
            order::Event::OrderStockRetried { bookings } => {
                bookings.iter().flat_map(|booking| self.again(booking)).collect()
            }
            order::Event::OrderReceived {} => self.release(self.content.revision),
            _ => Vec::new(),
        }
    }

    /// Keeps all that the order wants at its source, or nothing of it.
    fn reserve(&self, revision: i32) -> Vec<Reaction> {
        let reserves = self.order.wanted().into_iter().map(|Demand { stock, quantity }| {
            let reservation_id = Some(self.reservation(revision, &stock));
            let command = inventory::Command::Reserve {
                quantity,
                reservation_id,
                source: self.source(),
                expires_at: None,
            };
            self.to(&stock, command)
        });
        self.book(reserves.collect(), Booking::Reservation { revision })
    }

    /// Gives back what is kept for a revision, each stock key by itself.
    fn release(&self, revision: i32) -> Vec<Reaction> {
        let Some(source) = self.content.source() else {
            return Vec::new();
        };
        let demands = self.content.demands(source).into_iter();
        let keys = demands.map(|demand| demand.stock);
        keys.map(|stock| self.give_back(revision, &stock)).collect()
    }

    fn give_back(&self, revision: i32, stock: &StockKey) -> Reaction {
        let reservation_id = self.reservation(revision, stock);
        Reaction::send(vec![self.to(stock, inventory::Command::Release { reservation_id })])
    }

    /// An item is another one, or fewer of it, or gone: what it was is kept no longer.
    fn shorten(&self, was: &Terms) -> Option<Reaction> {
        let (Order::Approved(..), Some(source)) = (self.order, self.content.source()) else {
            return None;
        };
        let stock = was.stock(source);
        let revision = self.content.revision;
        let left = self.content.demands(source);
        Some(match left.iter().find(|demand| demand.stock == stock) {
            None => self.give_back(revision, &stock),
            Some(demand) => {
                let shorten = inventory::Command::Shorten {
                    reservation_id: self.reservation(revision, &stock),
                    quantity: demand.quantity,
                };
                Reaction::send(vec![self.to(&stock, shorten)])
            }
        })
    }

    /// What an order brings that is not placed is another than it was. Of one that follows a suggestion to reorder stock is
    /// told; orders of before do not say whether they do, and of them that nothing of a stock key is left.
    fn redrafted(&self, terms: &[Terms]) -> Vec<Reaction> {
        let Some(destination) = self.content.destination() else {
            return Vec::new();
        };
        let left = self.content.demands(destination);
        let keys: BTreeSet<StockKey> = terms.iter().map(|terms| terms.stock(destination)).collect();
        let is_told = |stock: &StockKey| {
            let is_gone = left.iter().all(|demand| demand.stock != *stock);
            self.content.is_reorder || self.content.order_type == OrderType::Purchase && is_gone
        };
        let told = keys.into_iter().filter(is_told);
        told.map(|stock| self.expecting(stock)).collect()
    }

    /// Tells stock what is still to come where the goods are brought.
    fn expect(&self) -> Vec<Reaction> {
        let Some(destination) = self.content.destination() else {
            return Vec::new();
        };
        let demands = self.content.demands(destination).into_iter();
        demands.map(|demand| self.expecting(demand.stock)).collect()
    }

    /// The same of some of the items.
    fn expect_of(&self, lines: &[Quantity]) -> Vec<Reaction> {
        let Some(destination) = self.content.destination() else {
            return Vec::new();
        };
        let demands = self.content.demands_of(lines, destination).into_iter();
        demands.map(|demand| self.expecting(demand.stock)).collect()
    }

    /// Each stock key by itself: one that is refused keeps none of the others.
    fn expecting(&self, stock: StockKey) -> Reaction {
        let quantity = self.to_bring.get(&stock).copied().unwrap_or(0);
        let expect = |stock| inventory::Command::Expect {
            order_id: self.order_id,
            quantity,
            stock,
        };
        if quantity == 0 {
            // What nothing comes of needs no record, and where there is none, nothing is refused that matters.
            return Reaction::send(vec![self.to(&stock, expect(None))]);
        }
        let note = order::Command::NoteStockRefused {
            booking: Booking::Expectation {},
        };
        Reaction::Send {
            sendings: vec![self.to(&stock, expect(Some(stock)))],
            refused: vec![Sending::of::<Order>(self.order_id, note)],
        }
    }

    /// What is still to come to a stock key where the order brings its goods; of any other it says nothing.
    fn still_to_come(&self, stock: &StockKey) -> Option<i32> {
        let is_brought = self.content.destination() == Some(stock.location_id);
        is_brought.then(|| self.to_bring.get(stock).copied().unwrap_or(0))
    }

    /// Books what came, and with it what is still to come.
    fn receipt(&self, receipt_id: Uuid, lines: &[Quantity]) -> Vec<Reaction> {
        let sendings = match (
            self.content.order_type,
            self.content.source(),
            self.content.destination(),
        ) {
            (OrderType::Purchase, _, Some(to)) => self.received(lines, to),
            (OrderType::InternalTransfer, Some(from), Some(to)) => {
                self.transferred(receipt_id, lines, (from, to), Kept::Yes)
            }
            (OrderType::Return, Some(from), _) => self.issued(lines, from, Kept::Yes),
            (OrderType::Purchase | OrderType::InternalTransfer | OrderType::Return, _, _) => Vec::new(),
        };
        let lines = lines.to_vec();
        self.book(sendings, Booking::Receipt { receipt_id, lines })
    }

    /// Goods that came go back where they came from, and are on order again.
    fn reversal(&self, receipt_id: Uuid, lines: &[Quantity]) -> Vec<Reaction> {
        let back = Uuid::new_v5(&receipt_id, b"reversal");
        let sendings = match (
            self.content.order_type,
            self.content.source(),
            self.content.destination(),
        ) {
            (OrderType::Purchase, _, Some(to)) => self.issued(lines, to, Kept::No),
            (OrderType::InternalTransfer, Some(from), Some(to)) => self.transferred(back, lines, (to, from), Kept::No),
            (OrderType::Return, Some(from), _) => self.received(lines, from),
            (OrderType::Purchase | OrderType::InternalTransfer | OrderType::Return, _, _) => Vec::new(),
        };
        let lines = lines.to_vec();
        // First what is still kept: what comes back is kept for nobody, and goods that are received next are
        // taken from what is free.
        let mut reactions = self.release(self.content.revision);
        let mut guarded = Vec::with_capacity(sendings.len() + 1);
        if !sendings.is_empty() {
            let confirm = AnyCommand::of::<Order>(order::Command::ConfirmBooked { receipt_id });
            guarded.push(Sending::to(self.order_id, confirm));
            guarded.extend(sendings);
        }
        reactions.extend(self.book(guarded, Booking::Reversal { receipt_id, lines }));
        reactions
    }

    /// Once more what stock refused before. Whatever is still kept for the order is given back first, for
    /// goods that were received are gone from the shelf whether they were kept or not.
    fn again(&self, booking: &Booking) -> Vec<Reaction> {
        match booking {
            Booking::Reservation { revision } => self.reserve(*revision),
            Booking::Receipt { receipt_id, lines } => {
                let mut reactions = self.release(self.content.revision);
                reactions.extend(self.receipt(*receipt_id, lines));
                reactions
            }
            Booking::Reversal { receipt_id, lines } => self.reversal(*receipt_id, lines),
            Booking::Expectation {} => self.expect(),
        }
    }

    fn received(&self, lines: &[Quantity], location_id: Uuid) -> Vec<Sending> {
        let demands = self.content.demands_of(lines, location_id).into_iter();
        let received = demands.map(|Demand { stock, quantity }| {
            let command = inventory::Command::Receive {
                quantity,
                source: self.source(),
                stock: Some(stock),
                still_to_come: self.still_to_come(&stock),
            };
            self.to(&stock, command)
        });
        received.collect()
    }

    fn issued(&self, lines: &[Quantity], location_id: Uuid, kept: Kept) -> Vec<Sending> {
        let demands = self.content.demands_of(lines, location_id).into_iter();
        let issued = demands.map(|Demand { stock, quantity }| {
            let command = inventory::Command::Issue {
                quantity,
                reservation_id: self.kept(kept, &stock),
                source: self.source(),
                still_to_come: self.still_to_come(&stock),
            };
            self.to(&stock, command)
        });
        issued.collect()
    }

    fn transferred(&self, transfer_id: Uuid, lines: &[Quantity], (from, to): (Uuid, Uuid), kept: Kept) -> Vec<Sending> {
        let demands = self.content.demands_of(lines, from).into_iter();
        let halves = demands.flat_map(|Demand { stock: from, quantity }| {
            let to = StockKey {
                location_id: to,
                ..from
            };
            let out = inventory::Command::TransferOut {
                transfer_id,
                to,
                quantity,
                reservation_id: self.kept(kept, &from),
                source: self.source(),
                still_to_come: self.still_to_come(&from),
            };
            let into = inventory::Command::TransferIn {
                transfer_id,
                from,
                to,
                quantity,
                source: self.source(),
                still_to_come: self.still_to_come(&to),
            };
            [self.to(&from, out), self.to(&to, into)]
        });
        halves.collect()
    }

    /// As one: all of it is booked, or the order is told that none is.
    fn book(&self, sendings: Vec<Sending>, booking: Booking) -> Vec<Reaction> {
        if sendings.is_empty() {
            return Vec::new();
        }
        let note = AnyCommand::of::<Order>(order::Command::NoteStockRefused { booking });
        vec![Reaction::Send {
            sendings,
            refused: vec![Sending::to(self.order_id, note)],
        }]
    }

    fn kept(&self, kept: Kept, stock: &StockKey) -> Option<Uuid> {
        let is_kept = kept == Kept::Yes && self.order.is_reserved();
        is_kept.then(|| self.reservation(self.content.revision, stock))
    }

    fn reservation(&self, revision: i32, stock: &StockKey) -> Uuid {
        reservation_id(self.order_id, revision, stock.stream(self.tenant))
    }

    fn source(&self) -> Option<Source> {
        Some(Source {
            kind: SourceKind::Order,
            id: self.order_id,
        })
    }

    fn to(&self, stock: &StockKey, command: inventory::Command) -> Sending {
        Sending::of::<Inventory>(stock.stream(self.tenant), command)
    }
}

/// Whether goods are taken from what is kept for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

#[cfg(test)]
mod tests;
