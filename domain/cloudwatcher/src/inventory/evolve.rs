//! The state of a stock key that events lead to.

use uuid::Uuid;

use super::to_come::order_of;
use super::{Event, Inventory, LEVELS_REMEMBERED, Levels, Record, Reservation, Source};

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
            if let Event::StockCounted { .. } = event {
                record.since_count = Some(0);
            }
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
        self.since_count = self
            .since_count
            .map(|events| events + 1)
            .filter(|&events| events < LEVELS_REMEMBERED);
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
                still_to_come,
                after,
                ..
            } => {
                self.on_hand = after.on_hand;
                self.still_to_come(*source, still_to_come.or_else(|| self.less(*source, *quantity)));
            }
            Event::StockIssued {
                quantity,
                reservation_id,
                source,
                still_to_come,
                after,
                ..
            }
            | Event::StockTransferredOut {
                quantity,
                reservation_id,
                source,
                still_to_come,
                after,
                ..
            } => {
                self.taken_out(*reservation_id, *quantity, *after);
                self.still_to_come(*source, *still_to_come);
            }
            Event::StockConsumed {
                quantity,
                reservation_id,
                after,
                ..
            } => self.taken_out(*reservation_id, *quantity, *after),
            Event::StockTransferredIn {
                source,
                still_to_come,
                after,
                ..
            } => {
                self.on_hand = after.on_hand;
                self.still_to_come(*source, *still_to_come);
            }
            Event::StockCounted { after, .. } => self.on_hand = after.on_hand,
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

    /// Goods are gone, from a reservation or not.
    fn taken_out(&mut self, reservation_id: Option<Uuid>, quantity: i32, after: Levels) {
        self.on_hand = after.on_hand;
        if let Some(reservation_id) = reservation_id {
            self.lessen(reservation_id, quantity);
        }
    }

    /// A move says how much its order is still to bring; most say nothing.
    fn still_to_come(&mut self, source: Option<Source>, still: Option<i32>) {
        if let Some((order_id, still)) = order_of(source.as_ref()).zip(still) {
            self.expect(order_id, still);
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
}
