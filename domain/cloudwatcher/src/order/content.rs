//! The content of an order: how events change it, what identifies it, and when it is more than another.

use serde_json::json;
use uuid::Uuid;

use super::event::{PastDate, Rescheduled};
use super::{Content, Event, Item, Refusal, Submitted, total};
use domain::canonical;

impl Content {
    /// The content after an event that changes it; other events leave it as it is.
    pub(super) fn changed_by(&mut self, event: &Event) {
        match event {
            Event::OrderItemAdded { item, .. } => self.items.push(item.clone()),
            Event::OrderItemChanged { item, .. } => {
                if let Some(changed) = self.items.iter_mut().find(|before| before.item_id == item.item_id) {
                    changed.clone_from(item);
                }
            }
            Event::OrderItemRemoved { item_id, .. } => self.items.retain(|item| item.item_id != *item_id),
            Event::OrderCurrencyChanged { currency, was: _ } => self.currency.clone_from(currency),
            Event::OrderNoteChanged { note, had: _ } => self.note.clone_from(note),
            Event::OrderRescheduled { items } => {
                for Rescheduled {
                    item_id,
                    expected_delivery_date,
                    was: _,
                } in items
                {
                    if let Some(item) = self.items.iter_mut().find(|item| item.item_id == *item_id) {
                        item.expected_delivery_date = Some(*expected_delivery_date);
                    }
                }
            }
            Event::OrderSubmitted { revision, items, .. } => {
                self.revision = *revision;
                self.items.clone_from(items);
            }
            _ => {}
        }
        self.total = total(&self.items);
    }

    pub(super) fn drafted(self, duplicate_of: Option<Uuid>, left_out: Vec<PastDate>) -> Event {
        let Self {
            order_type,
            department_id,
            currency,
            request_id,
            location_id,
            from_location_id,
            note,
            items,
            total: _,
            tolerance_percent,
            drafted_by,
            revision: _,
            is_reorder,
        } = self;
        Event::OrderDrafted {
            order_type,
            department_id,
            currency,
            request_id,
            note,
            duplicate_of,
            items,
            drafted_by,
            tolerance_percent,
            location_id,
            from_location_id,
            left_out,
            is_reorder,
            named: Vec::new(),
        }
    }

    /// That this content is handed in for approval, as the next revision.
    pub(super) fn submission(&self, submitted_by: Uuid) -> Event {
        Event::OrderSubmitted {
            revision: self.revision + 1,
            items: self.items.clone(),
            total: self.total,
            content_hash: self.hash(),
            drafted_by: self.drafted_by,
            submitted_by,
        }
    }

    pub(super) fn item(&self, item_id: Uuid) -> Result<&Item, Refusal> {
        self.items
            .iter()
            .find(|item| item.item_id == item_id)
            .ok_or(Refusal::NoSuchItem {
                field: "item_id".to_owned(),
            })
    }

    /// Lower-case hex SHA-256 over everything that an approver agrees to.
    fn hash(&self) -> String {
        let mut agreed = json!({
            "order_type": self.order_type,
            "department_id": self.department_id,
            "currency": self.currency,
            "request_id": self.request_id,
            "note": self.note,
            "items": self.items,
            "tolerance_percent": self.tolerance_percent,
        });
        // Left out when absent: approvals of orders that knew no locations hold the hash without them.
        for (name, location) in [
            ("location_id", self.location_id),
            ("from_location_id", self.from_location_id),
        ] {
            if let Some(location) = location {
                agreed[name] = json!(location);
            }
        }
        canonical::hash(&agreed)
    }

    /// Whether an approver of `before` has not agreed to this: a quantity or a price went up (and with them
    /// the total), an item is new or another part, variant or supplier, the currency is another, or a
    /// delivery is earlier.
    pub(super) fn is_more_than(&self, before: &Content) -> bool {
        !within(self, &before.currency, before.department_id, &before.items)
    }
}

impl Submitted {
    /// Whether an approval of this one holds for `content` too: it is the same, or less of it.
    #[must_use]
    pub fn covers(&self, content: &Content) -> bool {
        within(content, &self.currency, self.department_id, &self.items)
    }
}

/// Whether the content is made of these items, or of some of them, with quantities and prices that are
/// no higher and deliveries that are no earlier.
fn within(content: &Content, currency: &str, department_id: Uuid, items: &[Item]) -> bool {
    let is_within = |item: &Item| {
        let agreed = items.iter().find(|agreed| agreed.item_id == item.item_id);
        agreed.is_some_and(|agreed| {
            item.parts() == agreed.parts()
                && item.quantity <= agreed.quantity
                && item.unit_price <= agreed.unit_price
                // The first date that is named moves nothing forward.
                && (agreed.expected_delivery_date.is_none()
                    || item.expected_delivery_date >= agreed.expected_delivery_date)
        })
    };
    content.currency == currency && content.department_id == department_id && content.items.iter().all(is_within)
}
