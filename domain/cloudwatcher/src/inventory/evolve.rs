//! The state of a stock key that events lead to.

use uuid::Uuid;

use super::{Event, Inventory, LEVELS_REMEMBERED, Record, Reservation};

impl Inventory {
    pub(super) fn evolved(&mut self, event: &Event) {
        match (&mut *self, event) {
            (
                _,
                Event::InventoryOpened {
                    stock,
                    department_id,
                    reorder_point,
                    reorder_quantity,
                },
            ) => {
                *self = Self::Open(Box::new(Record {
                    reorder_point: *reorder_point,
                    reorder_quantity: *reorder_quantity,
                    events: 1,
                    ..Record::new(*stock, *department_id)
                }));
            }
            (_, Event::StockCarriedForward { record }) => *self = Self::Open(record.clone()),
            (Self::Open(record), event) => record.evolve(event),
            // Nothing but the two above begins a record.
            (Self::Unopened, _) => {}
        }
        if let Self::Open(record) = self {
            record.remember();
        }
    }
}

impl Record {
    /// Keeps in mind what is on hand after this event.
    fn remember(&mut self) {
        if self.recent.len() >= LEVELS_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(self.on_hand);
    }

    fn evolve(&mut self, event: &Event) {
        self.events += 1;
        match event {
            Event::InventoryOpened { .. } | Event::StockCarriedForward { .. } => {}
            Event::ReorderLevelsSet {
                stock: _,
                reorder_point,
                reorder_quantity,
            } => {
                self.reorder_point = *reorder_point;
                self.reorder_quantity = *reorder_quantity;
            }
            Event::StockReceived {
                quantity,
                source,
                after,
                ..
            } => {
                self.on_hand = after.on_hand;
                if let Some(order_id) = super::moves::order_of(source.as_ref()) {
                    self.expect(order_id, self.still_expected(order_id, *quantity));
                }
            }
            Event::StockIssued {
                quantity,
                reservation_id,
                after,
                ..
            }
            | Event::StockConsumed {
                quantity,
                reservation_id,
                after,
                ..
            }
            | Event::StockTransferredOut {
                quantity,
                reservation_id,
                after,
                ..
            } => {
                self.on_hand = after.on_hand;
                if let Some(reservation_id) = reservation_id {
                    self.lessen(*reservation_id, *quantity);
                }
            }
            Event::StockCounted { after, .. } | Event::StockTransferredIn { after, .. } => self.on_hand = after.on_hand,
            Event::StockReserved {
                reservation_id,
                quantity,
                source,
                expires_at,
                ..
            } => self.reservations.push(Reservation {
                id: *reservation_id,
                quantity: *quantity,
                source: *source,
                expires_at: *expires_at,
            }),
            Event::ReservationShortened {
                reservation_id,
                quantity,
                ..
            }
            | Event::ReservationReleased {
                reservation_id,
                quantity,
                ..
            }
            | Event::ReservationExpired {
                reservation_id,
                quantity,
                ..
            } => self.lessen(*reservation_id, *quantity),
            Event::StockExpected { order_id, quantity, .. } => self.expect(*order_id, *quantity),
            Event::ReorderSuggested { suggestion, .. } => self.suggestion = Some(*suggestion),
            Event::ReorderLapsed { .. } => self.suggestion = None,
            Event::ReorderAccepted { order_id, quantity, .. } => {
                self.suggestion = None;
                self.expect(*order_id, *quantity);
            }
            Event::ReorderDismissed { .. } => {
                self.suggestion = None;
                self.is_dismissed = true;
            }
        }
        if self.to_reorder_at().is_none() {
            self.is_dismissed = false;
        }
    }

    /// A reservation has so much less left; with nothing left it has ended.
    fn lessen(&mut self, reservation_id: Uuid, quantity: i32) {
        if let Some(index) = self.reservations.iter().position(|of| of.id == reservation_id) {
            self.reservations[index].quantity -= quantity;
            if self.reservations[index].quantity <= 0 {
                self.reservations.remove(index);
                self.ended.remember(reservation_id);
            }
        }
    }

    fn expect(&mut self, order_id: Uuid, quantity: i32) {
        if quantity > 0 {
            self.expected.insert(order_id, quantity);
        } else {
            self.expected.remove(&order_id);
        }
    }

    /// The units of an order that are still to come when so much of it has.
    pub(super) fn still_expected(&self, order_id: Uuid, quantity: i32) -> i32 {
        let expected = self.expected.get(&order_id).copied().unwrap_or(0);
        (expected - quantity).max(0)
    }
}
