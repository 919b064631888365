//! When to reorder: one suggestion at a time, with all that it rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::moves::quantity;
use super::{Command, Event, Record, Refusal, STOCK_MAX};
use crate::order::{self, NewItem, Order};
use crate::part_supplier::PartSupplier;
use crate::stock_policy::{NotSold, StockPolicy};
use domain::register::{OnePerTenant, Register};
use domain::{Ids, Request, text};

// Stored for ever, in events. Add fields with a default; do not rename or reuse them.
/// Why to reorder, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    pub suggestion_id: Uuid,
    pub on_hand: i32,
    pub reserved: i32,
    pub on_order: i32,
    /// On hand, less reserved, plus on order.
    pub projected: i32,
    pub reorder_point: i32,
    pub reorder_quantity: Option<i32>,
    /// How many to order.
    pub quantity: i32,
}

/// Whether a reorder point and a quantity can be stored.
pub(super) fn check(reorder_point: Option<i32>, reorder_quantity: Option<i32>) -> Result<(), Refusal> {
    let within = |field, value: Option<i32>, min| {
        value
            .map_or(Ok(()), |value| text::within(value, min, STOCK_MAX))
            .map_err(|unfit| Refusal::unfit(field, unfit))
    };
    within("reorder_point", reorder_point, 0)?;
    within("reorder_quantity", reorder_quantity, 1)
}

impl Record {
    /// The reorder point, when the projection is not above it.
    pub(super) fn to_reorder_at(&self) -> Option<i32> {
        self.reorder_point.filter(|&point| self.levels().projected() <= point)
    }

    /// The event that the levels lead to: a suggestion, or the end of one.
    pub(super) fn reorder(&self, request: &Request<'_, Command>) -> Option<Event> {
        let point = self.to_reorder_at().filter(|_| self.is_in_use(request.facts));
        match (point, &self.suggestion) {
            (Some(reorder_point), None) if !self.is_dismissed => Some(self.suggested(reorder_point, &request.ids)),
            (None, Some(suggestion)) => Some(Event::ReorderLapsed {
                stock: self.stock,
                suggestion_id: suggestion.suggestion_id,
            }),
            (Some(_), None | Some(_)) | (None, None) => None,
        }
    }

    fn suggested(&self, reorder_point: i32, ids: &Ids) -> Event {
        let now = self.levels();
        let projected = now.projected();
        let missing = reorder_point + 1 - projected;
        Event::ReorderSuggested {
            stock: self.stock,
            suggestion: Suggestion {
                suggestion_id: ids.draw(),
                on_hand: now.on_hand,
                reserved: now.reserved,
                on_order: now.on_order,
                projected,
                reorder_point,
                reorder_quantity: self.reorder_quantity,
                quantity: missing.max(self.reorder_quantity.unwrap_or(1)),
            },
        }
    }

    pub(super) fn reorder_set(
        &self,
        reorder_point: Option<i32>,
        reorder_quantity: Option<i32>,
    ) -> Result<Vec<Event>, Refusal> {
        check(reorder_point, reorder_quantity)?;
        if (self.reorder_point, self.reorder_quantity) == (reorder_point, reorder_quantity) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ReorderLevelsSet {
            stock: self.stock,
            reorder_point,
            reorder_quantity,
        }])
    }

    pub(super) fn reorder_accepted(
        &self,
        suggestion_id: Uuid,
        order_id: Uuid,
        of: i32,
        part_supplier_id: Uuid,
        request: &Request<'_, Command>,
    ) -> Result<Event, Refusal> {
        self.is_open(suggestion_id)?;
        let of = quantity(of)?;
        let offer = Register::<PartSupplier>::active_in(part_supplier_id, request.facts)
            .filter(|offer| offer.is_of(&self.stock))
            .ok_or(Refusal::reference(
                "part_supplier_id",
                "names no price offer of this part and variant",
            ))?;
        let is_it = |item: &NewItem| {
            (item.part_id, item.variant_id) == (self.stock.part_id, self.stock.variant_id)
                && item.supplier_id == offer.supplier_id
                && item.quantity == of
        };
        match request.together.get::<Order>(order_id) {
            Some(order::Command::Draft(draft))
                if draft.location_id == Some(self.stock.location_id)
                    && offer.is_in(&draft.currency)
                    && draft.items.iter().any(is_it) => {}
            Some(_) | None => return Err(Refusal::NotDrafted),
        }
        match StockPolicy::in_force(request.tenant, request.facts).not_sold {
            NotSold::Refuse => offer.sells(of).map_err(|detail| Refusal::NotSold { detail })?,
            NotSold::Warn => {}
        }
        Ok(Event::ReorderAccepted {
            stock: self.stock,
            suggestion_id,
            order_id,
            quantity: of,
            part_supplier_id,
            after: self.expecting(order_id, of)?,
        })
    }

    pub(super) fn reorder_dismissed(&self, suggestion_id: Uuid) -> Result<Event, Refusal> {
        self.is_open(suggestion_id)?;
        Ok(Event::ReorderDismissed {
            stock: self.stock,
            suggestion_id,
        })
    }

    fn is_open(&self, suggestion_id: Uuid) -> Result<(), Refusal> {
        match &self.suggestion {
            Some(open) if open.suggestion_id == suggestion_id => Ok(()),
            Some(_) | None => Err(Refusal::NoSuchSuggestion),
        }
    }
}
