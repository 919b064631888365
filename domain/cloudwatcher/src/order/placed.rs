//! What is still said of an order once it is placed: when goods are expected, and what suppliers confirmed. Neither changes
//! what was approved.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use uuid::Uuid;

use super::check::check_date;
use super::event::{Confirmed, Rescheduled};
use super::{Agreed, Confirmation, Content, Event, ITEMS_MAX, Order, REFERENCE_CHARS_MAX, Refusal};
use crate::OrderStatus;
use domain::text;

impl Order {
    /// The event of expecting an item, or all that are still to come, at this day; none when it is so already.
    pub(super) fn rescheduled(
        &self,
        status: OrderStatus,
        item_id: Option<Uuid>,
        expected_delivery_date: NaiveDate,
    ) -> Result<Vec<Event>, Refusal> {
        let (now, open) = self.awaited(status)?;
        check_date(Some(expected_delivery_date)).map_err(|unfit| Refusal::Unfit {
            field: "expected_delivery_date".to_owned(),
            unfit,
        })?;
        if let Some(item_id) = item_id {
            now.item(item_id)?;
            if !open.iter().any(|line| line.item_id == item_id) {
                return Err(Refusal::ItemCame);
            }
        }
        let is_meant = |id: Uuid| item_id.is_none_or(|meant| meant == id) && open.iter().any(|line| line.item_id == id);
        let items: Vec<Rescheduled> = now
            .items
            .iter()
            .filter(|item| is_meant(item.item_id) && item.expected_delivery_date != Some(expected_delivery_date))
            .map(|item| Rescheduled {
                item_id: item.item_id,
                expected_delivery_date,
                was: item.expected_delivery_date,
            })
            .collect();
        Ok(if items.is_empty() {
            Vec::new()
        } else {
            vec![Event::OrderRescheduled { items }]
        })
    }

    /// The event of a supplier's confirmation; none when they confirmed the same before.
    pub(super) fn confirmed(&self, status: OrderStatus, confirmation: &Confirmation) -> Result<Vec<Event>, Refusal> {
        let (now, submitted, _) = self.with_suppliers(status)?;
        let Confirmation { reference, .. } = confirmation;
        text::required(reference, REFERENCE_CHARS_MAX).map_err(|unfit| Refusal::Unfit {
            field: "reference".to_owned(),
            unfit,
        })?;
        let supplier_id = now.confirming(confirmation.supplier_id)?;
        let items = now.agreed(supplier_id, confirmation)?;
        let agreed = Agreed {
            reference: reference.clone(),
            items,
        };
        if submitted.confirmed.get(&supplier_id) == Some(&agreed) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::OrderConfirmed {
            supplier_id,
            reference: agreed.reference,
            items: agreed.items,
        }])
    }
}

impl Content {
    /// The supplier who confirms: the one that is named, or the only one.
    fn confirming(&self, named: Option<Uuid>) -> Result<Uuid, Refusal> {
        let suppliers: BTreeSet<Uuid> = self.items.iter().map(|item| item.supplier_id).collect();
        match named {
            Some(named) if suppliers.contains(&named) => Ok(named),
            Some(_) => Err(Refusal::NoSuchSupplier),
            None if suppliers.len() > 1 => Err(Refusal::WhichSupplier),
            None => suppliers.first().copied().ok_or(Refusal::WhichSupplier),
        }
    }

    /// All items of the supplier, with the days that were named for them.
    fn agreed(&self, supplier_id: Uuid, confirmation: &Confirmation) -> Result<Vec<Confirmed>, Refusal> {
        let dates = &confirmation.dates;
        if dates.len() > ITEMS_MAX {
            return Err(Refusal::TooManyDates);
        }
        let mut named = BTreeSet::new();
        for (index, date) in dates.iter().enumerate() {
            let field = |name: &str| format!("dates[{index}].{name}");
            let mut items = self.items.iter().filter(|item| item.supplier_id == supplier_id);
            if !items.any(|item| item.item_id == date.item_id) {
                return Err(Refusal::NotOfSupplier {
                    field: field("item_id"),
                });
            }
            if !named.insert(date.item_id) {
                return Err(Refusal::DateTwice {
                    field: field("item_id"),
                });
            }
            check_date(Some(date.confirmed_delivery_date)).map_err(|unfit| Refusal::Unfit {
                field: field("confirmed_delivery_date"),
                unfit,
            })?;
        }
        let of_supplier = self.items.iter().filter(|item| item.supplier_id == supplier_id);
        let confirmed = of_supplier.map(|item| {
            let date = dates.iter().find(|date| date.item_id == item.item_id);
            Confirmed {
                item_id: item.item_id,
                confirmed_delivery_date: date.map(|date| date.confirmed_delivery_date),
            }
        });
        Ok(confirmed.collect())
    }
}
