//! Changes of what an order says, before it is placed.

use uuid::Uuid;

use super::check::{check_currency, check_item, check_note, check_prices};
use super::{Command, Content, Event, ITEMS_MAX, Item, ItemChange, NewItem, Refusal};
use domain::money;

/// The event that a command makes of the content; `None` when it is so already, or the command is no
/// change of the content. `item_id` is for an item that is new.
///
/// Parts, variants and suppliers that the change names are not looked at.
///
/// # Errors
/// The rule that forbids the change.
pub(super) fn edit(content: &Content, command: &Command, item_id: Uuid) -> Result<Option<Event>, Refusal> {
    match command {
        Command::AddItem(_) if content.items.len() >= ITEMS_MAX => Err(Refusal::TooManyItems),
        Command::AddItem(item) => {
            let item = item.numbered(item_id);
            check_item("", &content.currency, &item)?;
            Ok(Some(Event::OrderItemAdded {
                item,
                named: Vec::new(),
            }))
        }
        Command::ChangeItem(change) => {
            let before = content.item(change.item_id)?;
            let item = change.applied(before)?;
            check_item("", &content.currency, &item)?;
            Ok((item != *before).then(|| Event::OrderItemChanged {
                item,
                was: before.terms(),
                named: Vec::new(),
                was_named: Vec::new(),
            }))
        }
        &Command::RemoveItem { item_id } => {
            let was = content.item(item_id)?.terms();
            if content.items.len() == 1 {
                return Err(Refusal::LastItem);
            }
            Ok(Some(Event::OrderItemRemoved {
                item_id,
                was: Some(was),
                named: Vec::new(),
            }))
        }
        Command::ChangeCurrency { currency } => {
            check_currency(currency)?;
            check_prices(currency, &content.items)?;
            Ok((*currency != content.currency).then(|| Event::OrderCurrencyChanged {
                currency: currency.clone(),
                was: content.currency.clone(),
            }))
        }
        Command::Annotate { note } => {
            check_note(note.as_ref())?;
            Ok((*note != content.note).then(|| Event::OrderNoteChanged {
                note: note.clone(),
                had: content.note.is_some(),
            }))
        }
        _ => Ok(None),
    }
}

/// The content after the event.
pub(super) fn edited(content: &Content, event: &Event) -> Content {
    let mut after = content.clone();
    after.changed_by(event);
    after
}

/// The item that an event brings in with a part, variant or supplier that was not there before.
pub(super) fn brought_in(event: &Event) -> Option<&Item> {
    match event {
        Event::OrderItemAdded { item, .. } => Some(item),
        Event::OrderItemChanged { item, was, .. } => {
            (item.parts() != (was.part_id, was.variant_id, was.supplier_id)).then_some(item)
        }
        _ => None,
    }
}

impl ItemChange {
    /// The item with what changes.
    ///
    /// # Errors
    /// When a variant is given and taken away.
    pub fn applied(&self, before: &Item) -> Result<Item, Refusal> {
        let variant_id = match (self.without_variant, self.variant_id) {
            (true, Some(Some(_))) => return Err(Refusal::VariantGivenAndTaken),
            (true, Some(None) | None) => None,
            (false, given) => given.unwrap_or(before.variant_id),
        };
        Ok(Item {
            item_id: before.item_id,
            part_id: self.part_id.unwrap_or(before.part_id),
            variant_id,
            supplier_id: self.supplier_id.unwrap_or(before.supplier_id),
            quantity: self.quantity.unwrap_or(before.quantity),
            unit_price: self.unit_price.map_or(before.unit_price, money::cents),
            expected_delivery_date: self.expected_delivery_date.unwrap_or(before.expected_delivery_date),
        })
    }
}

impl NewItem {
    pub(super) fn parts(&self) -> (Uuid, Option<Uuid>, Uuid) {
        (self.part_id, self.variant_id, self.supplier_id)
    }

    pub(super) fn numbered(&self, item_id: Uuid) -> Item {
        Item {
            item_id,
            part_id: self.part_id,
            variant_id: self.variant_id,
            supplier_id: self.supplier_id,
            quantity: self.quantity,
            unit_price: money::cents(self.unit_price),
            expected_delivery_date: self.expected_delivery_date,
        }
    }
}
