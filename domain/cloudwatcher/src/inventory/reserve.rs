//! Keeping stock for somebody, and giving it back.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::moves::quantity;
use super::to_come::order_of;
use super::{Command, Event, Levels, RESERVATIONS_MAX, RESERVED_FOR_MAX, Record, Refusal, Reservation, Source};
use crate::order::Order;
use domain::Request;

impl Record {
    pub(super) fn reserved(
        &self,
        of: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        expires_at: Option<DateTime<Utc>>,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        let wanted = Reservation {
            id: reservation_id.unwrap_or_else(|| request.ids.draw()),
            quantity: quantity(of)?,
            source,
            expires_at,
        };
        // First, so that a repeat is one also when time has passed or nothing is left.
        if let Some(live) = self.live(wanted.id) {
            return if *live == wanted {
                Ok(Vec::new())
            } else {
                Err(Refusal::ReservedOtherwise { left: live.quantity })
            };
        }
        if self.ended.contains(wanted.id) {
            return Err(Refusal::ReservationEnded);
        }
        self.wanted_by_its_order(&wanted, request)?;
        if expires_at.is_some_and(|at| at <= request.at || at - request.at > RESERVED_FOR_MAX) {
            return Err(Refusal::BadExpiry);
        }
        let now = self.levels();
        if of > now.available() {
            return Err(Refusal::NotAvailable {
                available: now.available().max(0),
            });
        }
        if self.reservations.len() >= RESERVATIONS_MAX {
            return Err(Refusal::TooManyReservations);
        }
        Ok(vec![Event::StockReserved {
            stock: self.stock,
            reservation_id: wanted.id,
            quantity: of,
            source,
            expires_at,
            after: Levels {
                reserved: now.reserved + of,
                ..now
            },
        }])
    }

    /// An order keeps goods by itself, each stock key once, and only while it wants them: otherwise goods
    /// would be kept for an order that is cancelled.
    fn wanted_by_its_order(&self, wanted: &Reservation, request: &Request<'_, Command>) -> Result<(), Refusal> {
        let Some(order_id) = order_of(wanted.source.as_ref()) else {
            return Ok(());
        };
        let order = request.facts.get::<Order>(order_id);
        match order.and_then(|order| order.may_reserve(order_id, &self.stock, request.stream)) {
            Some((id, most)) if id == wanted.id && wanted.quantity <= most => Ok(()),
            Some(_) | None => Err(Refusal::NotWanted { order_id }),
        }
    }

    pub(super) fn shortened(&self, reservation_id: Uuid, left: i32) -> Result<Vec<Event>, Refusal> {
        let left = quantity(left)?;
        let Some(live) = self.live(reservation_id) else {
            return Ok(Vec::new());
        };
        if left > live.quantity {
            return Err(Refusal::NotShorter { left: live.quantity });
        }
        let quantity = live.quantity - left;
        if quantity == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ReservationShortened {
            stock: self.stock,
            reservation_id,
            quantity,
            left,
            source: live.source,
            after: self.without(quantity),
        }])
    }

    pub(super) fn released(&self, reservation_id: Uuid) -> Vec<Event> {
        let live = self.live(reservation_id).into_iter();
        live.map(|live| Event::ReservationReleased {
            stock: self.stock,
            reservation_id,
            quantity: live.quantity,
            source: live.source,
            after: self.without(live.quantity),
        })
        .collect()
    }

    pub(super) fn expired(&self, reservation_id: Uuid, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let Some(live) = self.live(reservation_id) else {
            return Ok(Vec::new());
        };
        match live.expires_at {
            None => Err(Refusal::NeverExpires),
            Some(expires_at) if expires_at > at => Err(Refusal::NotYet { expires_at }),
            Some(_) => Ok(vec![Event::ReservationExpired {
                stock: self.stock,
                reservation_id,
                quantity: live.quantity,
                source: live.source,
                after: self.without(live.quantity),
            }]),
        }
    }

    /// The levels when so much is no longer reserved.
    fn without(&self, quantity: i32) -> Levels {
        let now = self.levels();
        Levels {
            reserved: now.reserved - quantity,
            ..now
        }
    }
}
