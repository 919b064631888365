//! The goods that orders are still to bring to a stock key.

use uuid::Uuid;

use super::{Command, Event, Levels, ORDERS_EXPECTED_MAX, Record, Refusal, STOCK_MAX, Source, SourceKind};
use crate::OrderStatus;
use crate::order::Order;
use domain::{Request, text};

/// The order that a move is for.
pub(super) fn order_of(source: Option<&Source>) -> Option<Uuid> {
    source
        .filter(|source| source.kind == SourceKind::Order)
        .map(|source| source.id)
}

/// How much of an order is to come that is said to bring so much: of one that is over, nothing. Said too late, it would keep
/// reordering from being suggested for good.
pub(super) fn still_to_come(order_id: Uuid, quantity: i32, request: &Request<'_, Command>) -> i32 {
    match request.facts.get::<Order>(order_id).and_then(Order::status) {
        Some(OrderStatus::Received | OrderStatus::ClosedShort | OrderStatus::Cancelled) => 0,
        Some(
            OrderStatus::Draft
            | OrderStatus::PendingApproval
            | OrderStatus::Approved
            | OrderStatus::Ordered
            | OrderStatus::PartiallyReceived,
        )
        | None => quantity,
    }
}

impl Record {
    pub(super) fn expected(
        &self,
        order_id: Uuid,
        quantity: i32,
        request: &Request<'_, Command>,
    ) -> Result<Vec<Event>, Refusal> {
        text::within(quantity, 0, STOCK_MAX).map_err(|unfit| Refusal::unfit("quantity", unfit))?;
        let quantity = still_to_come(order_id, quantity, request);
        if self.expected_of(order_id) == quantity {
            return Ok(Vec::new());
        }
        Ok(vec![Event::StockExpected {
            stock: self.stock,
            order_id,
            quantity,
            after: self.expecting(order_id, quantity)?,
        }])
    }

    /// The levels when so much of an order is to come.
    pub(super) fn expecting(&self, order_id: Uuid, quantity: i32) -> Result<Levels, Refusal> {
        let now = self.levels();
        if !self.knows(order_id) && self.expected.len() >= ORDERS_EXPECTED_MAX {
            return Err(Refusal::TooManyOrders);
        }
        // Neither sum passes 2,000,000,000.
        let on_order = now.on_order - self.expected_of(order_id) + quantity;
        if on_order > STOCK_MAX {
            return Err(Refusal::TooMuchOnOrder);
        }
        Ok(Levels { on_order, ..now })
    }

    /// How much of its order is still to come after a move, where the command says so: as much of it as can be noted. Goods
    /// that are there are booked, whatever else is expected.
    pub(super) fn noted(&self, source: Option<Source>, request: &Request<'_, Command>) -> Result<Option<i32>, Refusal> {
        let Some(said) = request.command.still_to_come() else {
            return Ok(None);
        };
        text::within(said, 0, STOCK_MAX).map_err(|unfit| Refusal::unfit("still_to_come", unfit))?;
        let order_id = order_of(source.as_ref()).ok_or(Refusal::NoOrderNamed)?;
        let room = match self.knows(order_id) || self.expected.len() < ORDERS_EXPECTED_MAX {
            true => STOCK_MAX - (self.levels().on_order - self.expected_of(order_id)),
            false => 0,
        };
        Ok(Some(still_to_come(order_id, said, request).min(room)))
    }

    /// The levels after a move whose order is still to bring so much; without it, or an order, on order stays.
    pub(super) fn with_still(&self, after: Levels, source: Option<Source>, still: Option<i32>) -> Levels {
        match order_of(source.as_ref()).zip(still) {
            Some((order_id, still)) => Levels {
                on_order: after.on_order - self.expected_of(order_id) + still,
                ..after
            },
            None => after,
        }
    }

    /// The units of an order that are still to come when so much of it has, where nobody says how many.
    pub(super) fn less(&self, source: Option<Source>, came: i32) -> Option<i32> {
        let order_id = order_of(source.as_ref())?;
        Some((self.expected_of(order_id) - came).max(0))
    }

    fn knows(&self, order_id: Uuid) -> bool {
        self.expected.contains_key(&order_id)
    }

    fn expected_of(&self, order_id: Uuid) -> i32 {
        self.expected.get(&order_id).copied().unwrap_or(0)
    }
}
