//! The goods that came of an order: receipts, what may still come, and where that leaves the order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Content, Event, ITEMS_MAX, Item, Quantity, RECEIPTS_MAX, Refusal};
use crate::OrderStatus;
use domain::text;

/// The receipts of an order that count: those that were not reversed, in the order of booking.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipts(Vec<Receipt>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    receipt_id: Uuid,
    lines: Vec<Quantity>,
}

impl Receipts {
    /// Where an order of these items stands.
    pub(super) fn status(&self, items: &[Item]) -> OrderStatus {
        if self.is_empty() {
            OrderStatus::Ordered
        } else if self.open(items).is_empty() {
            OrderStatus::Received
        } else {
            OrderStatus::PartiallyReceived
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quantities that were ordered and have not come.
    pub(super) fn open(&self, items: &[Item]) -> Vec<Quantity> {
        let received = self.received();
        items
            .iter()
            .filter_map(|item| {
                let open = i64::from(item.quantity) - received.get(&item.item_id).copied().unwrap_or(0);
                let quantity = i32::try_from(open).ok().filter(|&open| open > 0)?;
                Some(Quantity {
                    item_id: item.item_id,
                    quantity,
                })
            })
            .collect()
    }

    /// Whether more of any item may come, with what is tolerated.
    pub(super) fn takes_more(&self, content: &Content) -> bool {
        let received = self.received();
        content.items.iter().any(|item| {
            let came = received.get(&item.item_id).copied().unwrap_or(0);
            came < receivable(item, content.tolerance_percent)
        })
    }

    /// The lines of a receipt that counts; none of any other.
    pub(super) fn of(&self, receipt_id: Uuid) -> &[Quantity] {
        let receipt = self.0.iter().find(|receipt| receipt.receipt_id == receipt_id);
        receipt.map_or(&[], |receipt| &receipt.lines)
    }

    /// Whether one more receipt can be booked.
    pub(super) fn has_room(&self) -> Result<(), Refusal> {
        if self.0.len() >= RECEIPTS_MAX {
            return Err(Refusal::TooManyReceipts);
        }
        Ok(())
    }

    /// Per item how many have come.
    fn received(&self) -> BTreeMap<Uuid, i64> {
        let mut received = BTreeMap::new();
        for line in self.0.iter().flat_map(|receipt| &receipt.lines) {
            *received.entry(line.item_id).or_default() += i64::from(line.quantity);
        }
        received
    }

    pub(super) fn add(&mut self, receipt_id: Uuid, lines: &[Quantity]) {
        self.0.push(Receipt {
            receipt_id,
            lines: lines.to_vec(),
        });
    }

    pub(super) fn remove(&mut self, receipt_id: Uuid) {
        self.0.retain(|receipt| receipt.receipt_id != receipt_id);
    }

    /// Books what came; when nothing is open any more the order is received, also if it was before and what came now is
    /// what is tolerated.
    pub(super) fn receive(
        &self,
        content: &Content,
        lines: &[Quantity],
        receipt_id: Uuid,
    ) -> Result<Vec<Event>, Refusal> {
        if lines.is_empty() || lines.len() > ITEMS_MAX {
            return Err(Refusal::ReceiptLines);
        }
        self.has_room()?;
        let received = self.received();
        let mut named = BTreeSet::new();
        for (index, line) in lines.iter().enumerate() {
            let item_field = || format!("lines[{index}].item_id");
            let quantity_field = || format!("lines[{index}].quantity");
            let item = content
                .items
                .iter()
                .find(|item| item.item_id == line.item_id)
                .ok_or_else(|| Refusal::NoSuchItem { field: item_field() })?;
            if !named.insert(line.item_id) {
                return Err(Refusal::ItemTwice { field: item_field() });
            }
            text::within(line.quantity, 1, i32::MAX).map_err(|unfit| Refusal::Unfit {
                field: quantity_field(),
                unfit,
            })?;
            let received = received.get(&line.item_id).copied().unwrap_or(0);
            let receivable = receivable(item, content.tolerance_percent) - received;
            if i64::from(line.quantity) > receivable {
                return Err(Refusal::TooMuchReceived {
                    field: quantity_field(),
                    ordered: item.quantity,
                    tolerance_percent: content.tolerance_percent,
                    receivable: receivable.max(0),
                });
            }
        }
        let mut after = self.clone();
        after.add(receipt_id, lines);
        let mut events = vec![Event::OrderItemsReceived {
            receipt_id,
            lines: lines.to_vec(),
            named: Vec::new(),
        }];
        if after.open(&content.items).is_empty() {
            events.push(Event::OrderReceived {});
        }
        Ok(events)
    }

    /// Takes one receipt back.
    ///
    /// `stays` is where the order stands whatever is left; without it, the receipts that are left tell.
    pub(super) fn reverse(
        &self,
        content: &Content,
        receipt_id: Uuid,
        was_booked: bool,
        stays: Option<OrderStatus>,
    ) -> Result<Event, Refusal> {
        let receipt = self
            .0
            .iter()
            .find(|receipt| receipt.receipt_id == receipt_id)
            .ok_or(Refusal::NoSuchReceipt)?;
        let mut after = self.clone();
        after.remove(receipt_id);
        Ok(Event::OrderReceiptReversed {
            receipt_id,
            lines: receipt.lines.clone(),
            status: stays.unwrap_or_else(|| after.status(&content.items)),
            was_booked,
            named: Vec::new(),
        })
    }
}

/// How many of an item may come in all: the column `quantity_received` holds an `integer`.
pub(super) fn receivable(item: &Item, tolerance_percent: i32) -> i64 {
    let most = i64::from(item.quantity) * (100 + i64::from(tolerance_percent)) / 100;
    most.min(i32::MAX.into())
}
