//! How people know what an order is about: codes and names as they were at the time, for sentences that are read long
//! after.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check::parts_read;
use super::{Command, Content, Event, Item, Order, Quantity};
use crate::part::Part;
use crate::part_variant::PartVariant;
use crate::supplier::Supplier;
use domain::register::{Entry, Register};
use domain::{FactRef, Facts};

/// Items of one event that are named; of more, a sentence says how many there are.
pub const NAMED_MAX: usize = 5;

/// How an item was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    pub item_id: Uuid,
    pub part_code: String,
    pub part: String,
    #[serde(default)]
    pub variant_code: Option<String>,
    pub supplier: String,
}

impl Order {
    /// The facts that [`Order::name`] reads for a command, besides what brings items in.
    pub(super) fn names_read(&self, command: &Command) -> Vec<FactRef> {
        let Some(content) = self.content() else {
            return Vec::new();
        };
        let open;
        let lines = |lines: &[Quantity]| {
            lines
                .iter()
                .take(NAMED_MAX)
                .map(|line| line.item_id)
                .collect::<Vec<_>>()
        };
        let items = match command {
            Command::ChangeItem(change) => vec![change.item_id],
            Command::RemoveItem { item_id } => vec![*item_id],
            Command::Receive { lines: came } => lines(came),
            Command::ReverseReceipt { receipt_id } => lines(self.receipt(*receipt_id)),
            Command::CloseShort {} => {
                open = self.open();
                lines(&open)
            }
            _ => Vec::new(),
        };
        let items = items.iter().filter_map(|item_id| content.item(*item_id).ok());
        parts_read(items.map(Item::parts))
    }

    fn receipt(&self, receipt_id: Uuid) -> &[Quantity] {
        match self {
            Self::Placed(_, _, receipts) | Self::ClosedShort(_, _, receipts) => receipts.of(receipt_id),
            Self::Undrafted | Self::Draft(_) | Self::PendingApproval(..) | Self::Approved(..) | Self::Cancelled(..) => {
                &[]
            }
        }
    }

    /// Names what the events are about, as far as the facts know it; `self` is the order before them.
    pub(super) fn name(&self, mut events: Vec<Event>, facts: &Facts) -> Vec<Event> {
        let content = self.content();
        for event in &mut events {
            name(event, content, facts);
        }
        events
    }
}

fn name(event: &mut Event, content: Option<&Content>, facts: &Facts) {
    let item = |item_id: Uuid| content?.item(item_id).ok();
    let of_lines = |lines: &[Quantity]| named(lines.iter().filter_map(|line| item(line.item_id)), facts);
    match event {
        Event::OrderDrafted {
            items, named: names, ..
        } => *names = named(items.iter(), facts),
        Event::OrderItemAdded { item, named: names } => *names = named(std::iter::once(&*item), facts),
        Event::OrderItemChanged {
            item: changed,
            named: names,
            was_named,
            ..
        } => {
            *names = named(std::iter::once(&*changed), facts);
            *was_named = named(item(changed.item_id).into_iter(), facts);
        }
        Event::OrderItemRemoved {
            item_id, named: names, ..
        } => *names = named(item(*item_id).into_iter(), facts),
        Event::OrderItemsReceived {
            lines, named: names, ..
        }
        | Event::OrderReceiptReversed {
            lines, named: names, ..
        } => {
            *names = of_lines(lines);
        }
        Event::OrderClosedShort { open, named: names } => *names = of_lines(open),
        _ => {}
    }
}

/// The first of the items, without those of which the facts know nothing.
fn named<'a>(items: impl Iterator<Item = &'a Item>, facts: &Facts) -> Vec<Named> {
    let named = items.take(NAMED_MAX).filter_map(|item| {
        let part = entry::<Part>(item.part_id, facts)?;
        let variant = item.variant_id.and_then(|id| entry::<PartVariant>(id, facts));
        Some(Named {
            item_id: item.item_id,
            part_code: part.part_code.clone(),
            part: part.name.clone(),
            variant_code: variant.map(|variant| variant.variant_code.clone()),
            supplier: entry::<Supplier>(item.supplier_id, facts)?.name.clone(),
        })
    });
    named.collect()
}

/// An entry, also one that was struck since: it is still called so.
fn entry<K: Entry>(id: Uuid, facts: &Facts) -> Option<&K> {
    match facts.get::<Register<K>>(id)? {
        Register::Entered(entry) | Register::Struck(entry) => Some(entry),
        Register::Unborn => None,
    }
}
