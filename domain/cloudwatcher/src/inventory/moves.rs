//! Goods that come, go and are counted.

use chrono::{Datelike as _, Days};
use uuid::Uuid;

use super::{
    CONSUMPTION_YEAR_MIN, Command, Consumption, Event, Levels, NOTES_CHARS_MAX, Record, Refusal, STOCK_MAX, Source,
    Uncovered,
};
use domain::text::{self, Unfit};
use domain::{Request, SYSTEM};
use identity::user::User;

/// The levels that giving goods out leaves, and the source of the move.
pub(super) struct Taken {
    pub after: Levels,
    pub source: Option<Source>,
}

/// A quantity that is moved.
pub(super) fn quantity(quantity: i32) -> Result<i32, Refusal> {
    text::within(quantity, 1, STOCK_MAX)
        .map(|()| quantity)
        .map_err(|unfit| Refusal::unfit("quantity", unfit))
}

impl Record {
    pub(super) fn received(
        &self,
        of: i32,
        source: Option<Source>,
        request: &Request<'_, Command>,
    ) -> Result<Event, Refusal> {
        let after = self.with(quantity(of)?)?;
        let still_to_come = self.noted(source, request)?;
        let still = still_to_come.or_else(|| self.less(source, of));
        Ok(Event::StockReceived {
            stock: self.stock,
            quantity: of,
            source,
            still_to_come,
            after: self.with_still(after, source, still),
        })
    }

    pub(super) fn issued(
        &self,
        quantity: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
        request: &Request<'_, Command>,
    ) -> Result<Event, Refusal> {
        let Taken { after, source } = self.taken(quantity, reservation_id, source)?;
        let still_to_come = self.noted(source, request)?;
        Ok(Event::StockIssued {
            stock: self.stock,
            quantity,
            reservation_id,
            source,
            still_to_come,
            after: self.with_still(after, source, still_to_come),
        })
    }

    pub(super) fn consumed(&self, of: &Consumption, request: &Request<'_, Command>) -> Result<Event, Refusal> {
        let today = request.at.date_naive();
        let consumption_date = of.consumption_date.unwrap_or(today);
        // It is tomorrow already in the east.
        let latest = today.checked_add_days(Days::new(1)).unwrap_or(today);
        if consumption_date.year() < CONSUMPTION_YEAR_MIN || consumption_date > latest {
            return Err(Refusal::ConsumptionDate { latest });
        }
        let notes = of.notes.as_ref();
        text::optional(notes, NOTES_CHARS_MAX).map_err(|unfit| Refusal::unfit("notes", unfit))?;
        if let Some(consumed_by) = of.consumed_by
            && consumed_by != request.by
        {
            match request.facts.get::<User>(consumed_by) {
                Some(User::Registered(_)) => {}
                Some(User::Unborn | User::Erased) | None => {
                    return Err(Refusal::reference("consumed_by", "names no user"));
                }
            }
        }
        let Taken { after, source } = self.taken(of.quantity, of.reservation_id, None)?;
        Ok(Event::StockConsumed {
            stock: self.stock,
            consumption_id: request.ids.draw(),
            quantity: of.quantity,
            reservation_id: of.reservation_id,
            source,
            consumption_date,
            consumed_by: of.consumed_by.or(Some(request.by)).filter(|&user| user != SYSTEM),
            notes: of.notes.clone(),
            after,
        })
    }

    /// Whether so many were on hand at a sequence of the record, whose latest is `now`; without one, whether they are. Of
    /// any other number nobody knows what was moved between, so that a difference to it would say nothing.
    pub(super) fn as_seen(&self, seen: i32, at: Option<i64>, now: i64) -> Result<(), Refusal> {
        let on_hand = self.on_hand;
        let Some(at) = at else {
            return match seen == on_hand {
                true => Ok(()),
                false => Err(Refusal::SeenOtherwise { on_hand }),
            };
        };
        let back = now.checked_sub(at).and_then(|back| usize::try_from(back).ok());
        // Another count has booked what was missing then: a second one would book it again.
        if back.is_some_and(|back| self.since_count.is_some_and(|since| since < back)) {
            return Err(Refusal::CountedSince { on_hand });
        }
        let place = back.and_then(|back| self.recent.len().checked_sub(back)?.checked_sub(1));
        match place.and_then(|place| self.recent.get(place)) {
            Some(&was) if was == seen => Ok(()),
            Some(&was) => Err(Refusal::NotSeenThen { was, on_hand }),
            None => Err(Refusal::SeenTooLongAgo { on_hand }),
        }
    }

    pub(super) fn counted(&self, seen: i32, counted: i32) -> Result<Event, Refusal> {
        for (field, value) in [("seen", seen), ("counted", counted)] {
            text::within(value, 0, STOCK_MAX).map_err(|unfit| Refusal::unfit(field, unfit))?;
        }
        let now = self.levels();
        let delta = counted - seen;
        let on_hand = now.on_hand + delta;
        if on_hand < 0 {
            return Err(Refusal::CountAgain { on_hand: now.on_hand });
        }
        if on_hand > STOCK_MAX {
            return Err(Refusal::TooMuchStock);
        }
        let after = Levels { on_hand, ..now };
        let short = (-after.available()).max(0);
        Ok(Event::StockCounted {
            stock: self.stock,
            seen,
            counted,
            delta,
            short,
            newest: self.newest(short),
            after,
        })
    }

    /// The newest reservations that together keep so much.
    fn newest(&self, mut short: i32) -> Vec<Uncovered> {
        let mut newest = Vec::new();
        for reservation in self.reservations.iter().rev() {
            if short == 0 {
                break;
            }
            let quantity = short.min(reservation.quantity);
            short -= quantity;
            newest.push(Uncovered {
                reservation_id: reservation.id,
                quantity,
            });
        }
        newest
    }

    /// The levels when so much has come in.
    pub(super) fn with(&self, quantity: i32) -> Result<Levels, Refusal> {
        let now = self.levels();
        let on_hand = now.on_hand + quantity;
        if on_hand > STOCK_MAX {
            return Err(Refusal::TooMuchStock);
        }
        Ok(Levels { on_hand, ..now })
    }

    /// The levels after goods were given out, from a reservation or from what is available.
    pub(super) fn taken(
        &self,
        of: i32,
        reservation_id: Option<Uuid>,
        source: Option<Source>,
    ) -> Result<Taken, Refusal> {
        let of = quantity(of)?;
        let now = self.levels();
        let Some(reservation_id) = reservation_id else {
            if of > now.available() {
                return Err(Refusal::NotAvailable {
                    available: now.available().max(0),
                });
            }
            let after = Levels {
                on_hand: now.on_hand - of,
                ..now
            };
            return Ok(Taken { after, source });
        };
        let reservation = self.live(reservation_id).ok_or(Refusal::NoSuchReservation)?;
        if of > reservation.quantity {
            return Err(Refusal::BeyondReservation {
                left: reservation.quantity,
            });
        }
        if of > now.on_hand {
            return Err(Refusal::NotOnHand { on_hand: now.on_hand });
        }
        Ok(Taken {
            after: Levels {
                on_hand: now.on_hand - of,
                reserved: now.reserved - of,
                ..now
            },
            source: source.or(reservation.source),
        })
    }
}

impl Refusal {
    pub(super) fn unfit(field: &'static str, unfit: Unfit) -> Self {
        Self::Unfit { field, unfit }
    }

    pub(super) fn reference(field: &'static str, detail: &'static str) -> Self {
        Self::Reference { field, detail }
    }
}
