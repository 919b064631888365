//! What may happen to an order, and what it becomes.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::{
    Command, Content, DELIVERY_YEAR_MAX, DELIVERY_YEAR_MIN, Event, ITEMS_MAX, Item, NOTE_CHARS_MAX, NewItem, NewOrder,
    Order, Refusal,
};
use crate::cloudwatcher::OrderType;
use crate::cloudwatcher::currency;
use crate::cloudwatcher::part::Part;
use crate::cloudwatcher::part_variant::PartVariant;
use crate::cloudwatcher::request::DeviceRequest;
use crate::cloudwatcher::supplier::Supplier;
use crate::identity::department::Department;
use crate::register::{Kind, Register};
use crate::text::{self, Unfit};
use crate::{Asking, ClaimChange, Decider, FactRef, Facts, Ids, Request, canonical, money};

/// A line's total stays below this: the column is `decimal(12, 2)`.
const LINE_TOTAL_BELOW: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);

impl Decider for Order {
    const TYPE: &'static str = "cloudwatcher.order";
    const CREATES: &'static str = "draft";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        // `None` means that it is so already.
        let event = match (self, request.command) {
            (Order::Undrafted, Command::Draft(order)) => {
                let content = order.numbered(&request.ids);
                check(&content)?;
                usable(&content, request.facts).map_err(reference)?;
                Some(content.drafted(None))
            }
            (Order::Undrafted, Command::Duplicate { of, note }) => {
                let content = duplicate(*of, note.as_ref(), request)?;
                usable(&content, request.facts).map_err(outdated)?;
                Some(content.drafted(Some(*of)))
            }
            (
                Order::Draft(_) | Order::PendingApproval(_) | Order::Cancelled(_),
                Command::Draft(_) | Command::Duplicate { .. },
            ) => return Err(Refusal::AlreadyDrafted),
            (Order::Undrafted, _) => return Err(Refusal::NotDrafted),

            (Order::Draft(now), Command::AddItem(_)) if now.items.len() >= ITEMS_MAX => {
                return Err(Refusal::TooManyItems);
            }
            (Order::Draft(_), Command::AddItem(item)) => {
                let item = item.numbered(request.ids.draw());
                check_item("", &item)?;
                item_usable("", &item, request.facts).map_err(reference)?;
                Some(Event::OrderItemAdded { item })
            }
            (
                Order::Draft(now),
                Command::ChangeItem {
                    item_id,
                    quantity,
                    unit_price,
                    expected_delivery_date,
                },
            ) => change(now.item(*item_id)?, *quantity, *unit_price, *expected_delivery_date)?,
            (Order::Draft(now), &Command::RemoveItem { item_id }) => {
                now.item(item_id)?;
                if now.items.len() == 1 {
                    return Err(Refusal::LastItem);
                }
                Some(Event::OrderItemRemoved { item_id })
            }
            (Order::Draft(now), Command::Submit {}) => {
                usable(now, request.facts).map_err(outdated)?;
                Some(now.submitted())
            }
            // Buyers retry on timeouts, so a second submit must refuse, not repeat.
            (
                order @ (Order::PendingApproval(_) | Order::Cancelled(_)),
                Command::AddItem(_) | Command::ChangeItem { .. } | Command::RemoveItem { .. } | Command::Submit {},
            ) => {
                return Err(order
                    .status()
                    .map_or(Refusal::NotDrafted, |status| Refusal::NotADraft { status }));
            }

            (Order::Draft(_) | Order::PendingApproval(_), Command::Cancel {}) => match request.reason {
                Some(reason) if !reason.trim().is_empty() => Some(Event::OrderCancelled {}),
                Some(_) | None => return Err(Refusal::ReasonMissing),
            },
            (Order::Cancelled(_), Command::Cancel {}) => None,
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (std::mem::take(self), event) {
            (
                _,
                Event::OrderDrafted {
                    order_type,
                    department_id,
                    currency,
                    request_id,
                    note,
                    duplicate_of: _,
                    items,
                },
            ) => Order::Draft(Content {
                order_type: *order_type,
                department_id: *department_id,
                currency: currency.clone(),
                request_id: *request_id,
                note: note.clone(),
                items: items.clone(),
                revision: 0,
            }),
            (Order::Draft(mut now), Event::OrderItemAdded { item }) => {
                now.items.push(item.clone());
                Order::Draft(now)
            }
            (Order::Draft(mut now), Event::OrderItemChanged { item, was: _ }) => {
                if let Some(changed) = now.items.iter_mut().find(|before| before.item_id == item.item_id) {
                    changed.clone_from(item);
                }
                Order::Draft(now)
            }
            (Order::Draft(mut now), Event::OrderItemRemoved { item_id }) => {
                now.items.retain(|item| item.item_id != *item_id);
                Order::Draft(now)
            }
            (
                Order::Draft(now),
                Event::OrderSubmitted {
                    revision,
                    items,
                    total: _,
                    content_hash: _,
                },
            ) => Order::PendingApproval(Content {
                revision: *revision,
                items: items.clone(),
                ..now
            }),
            (Order::Draft(now) | Order::PendingApproval(now) | Order::Cancelled(now), Event::OrderCancelled {}) => {
                Order::Cancelled(now)
            }
            (
                order @ (Order::Undrafted | Order::PendingApproval(_) | Order::Cancelled(_)),
                Event::OrderItemAdded { .. }
                | Event::OrderItemChanged { .. }
                | Event::OrderItemRemoved { .. }
                | Event::OrderSubmitted { .. }
                | Event::OrderCancelled {},
            ) => order,
        };
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let (stream, facts) = (asking.stream, asking.facts);
        match asking.command {
            Command::Draft(NewOrder {
                department_id,
                request_id,
                items,
                ..
            }) => {
                let mut refs = vec![FactRef::of::<Register<Department>>(*department_id)];
                refs.extend(request_id.map(FactRef::of::<DeviceRequest>));
                refs.extend(parts_read(items.iter().take(ITEMS_MAX).map(NewItem::parts)));
                refs
            }
            Command::Duplicate { of, .. } if *of == stream => Vec::new(),
            Command::Duplicate { of, .. } => {
                let mut refs = vec![FactRef::of::<Order>(*of)];
                if let Some(source) = facts.get::<Order>(*of).and_then(Order::content) {
                    refs.extend(content_reads(source));
                }
                refs
            }
            Command::AddItem(item) => parts_read(std::iter::once(item.parts())),
            Command::Submit {} => self.content().map_or_else(Vec::new, content_reads),
            Command::ChangeItem { .. } | Command::RemoveItem { .. } | Command::Cancel {} => Vec::new(),
        }
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let claim = |request_id: &Uuid| ("orders.request_id", request_id.to_string());
        match event {
            Event::OrderDrafted { request_id, .. } => {
                ClaimChange::between(Vec::new(), request_id.iter().map(claim).collect())
            }
            Event::OrderCancelled {} => {
                let held = self.content().and_then(|content| content.request_id);
                ClaimChange::between(held.iter().map(claim).collect(), Vec::new())
            }
            Event::OrderItemAdded { .. }
            | Event::OrderItemChanged { .. }
            | Event::OrderItemRemoved { .. }
            | Event::OrderSubmitted { .. } => Vec::new(),
        }
    }

    fn department(&self, command: &Command) -> Option<Uuid> {
        match command {
            Command::Draft(NewOrder { department_id, .. }) => Some(*department_id),
            // The source's department is not known here; whoever has its facts must ask it.
            Command::Duplicate { .. } => None,
            Command::AddItem(_)
            | Command::ChangeItem { .. }
            | Command::RemoveItem { .. }
            | Command::Submit {}
            | Command::Cancel {} => self.department_id(),
        }
    }
}

impl NewOrder {
    fn numbered(&self, ids: &Ids) -> Content {
        Content {
            order_type: self.order_type,
            department_id: self.department_id,
            currency: self.currency.clone(),
            request_id: self.request_id,
            note: self.note.clone(),
            items: self.items.iter().map(|item| item.numbered(ids.draw())).collect(),
            revision: 0,
        }
    }
}

impl NewItem {
    fn parts(&self) -> (Uuid, Option<Uuid>, Uuid) {
        (self.part_id, self.variant_id, self.supplier_id)
    }

    fn numbered(&self, item_id: Uuid) -> Item {
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

impl Item {
    fn parts(&self) -> (Uuid, Option<Uuid>, Uuid) {
        (self.part_id, self.variant_id, self.supplier_id)
    }
}

impl Content {
    fn drafted(self, duplicate_of: Option<Uuid>) -> Event {
        let Self {
            order_type,
            department_id,
            currency,
            request_id,
            note,
            items,
            revision: _,
        } = self;
        Event::OrderDrafted {
            order_type,
            department_id,
            currency,
            request_id,
            note,
            duplicate_of,
            items,
        }
    }

    fn submitted(&self) -> Event {
        Event::OrderSubmitted {
            revision: self.revision + 1,
            items: self.items.clone(),
            total: self.total(),
            content_hash: self.hash(),
        }
    }

    fn item(&self, item_id: Uuid) -> Result<&Item, Refusal> {
        self.items
            .iter()
            .find(|item| item.item_id == item_id)
            .ok_or(Refusal::NoSuchItem)
    }

    fn total(&self) -> Decimal {
        self.items.iter().map(Item::total).sum()
    }

    /// Lower-case hex SHA-256 over everything that an approver agrees to.
    fn hash(&self) -> String {
        canonical::hash(&json!({
            "order_type": self.order_type,
            "department_id": self.department_id,
            "currency": self.currency,
            "request_id": self.request_id,
            "note": self.note,
            "items": self.items,
        }))
    }
}

fn duplicate(of: Uuid, note: Option<&String>, request: &Request<'_, Command>) -> Result<Content, Refusal> {
    let source = request
        .facts
        .get::<Order>(of)
        .and_then(Order::content)
        .ok_or(Refusal::Reference {
            field: "of".to_owned(),
            detail: "names no order; choose one that was drafted",
        })?;
    check_note(note)?;
    let items = source
        .items
        .iter()
        .map(|item| Item {
            item_id: request.ids.draw(),
            ..item.clone()
        })
        .collect();
    Ok(Content {
        request_id: None,
        note: note.cloned(),
        items,
        revision: 0,
        ..source.clone()
    })
}

fn change(
    before: &Item,
    quantity: Option<i32>,
    unit_price: Option<Decimal>,
    expected_delivery_date: Option<NaiveDate>,
) -> Result<Option<Event>, Refusal> {
    let item = Item {
        quantity: quantity.unwrap_or(before.quantity),
        unit_price: unit_price.map_or(before.unit_price, money::cents),
        expected_delivery_date: expected_delivery_date.or(before.expected_delivery_date),
        ..before.clone()
    };
    check_item("", &item)?;
    Ok((item != *before).then(|| Event::OrderItemChanged {
        item,
        was: before.terms(),
    }))
}

fn check(content: &Content) -> Result<(), Refusal> {
    match content.order_type {
        OrderType::Purchase => {}
    }
    if !currency::is_code(&content.currency) {
        return Err(Refusal::UnknownCurrency);
    }
    check_note(content.note.as_ref())?;
    if content.items.is_empty() {
        return Err(Refusal::NoItems);
    }
    if content.items.len() > ITEMS_MAX {
        return Err(Refusal::TooManyItems);
    }
    content
        .items
        .iter()
        .enumerate()
        .try_for_each(|(index, item)| check_item(&path(index), item))
}

fn check_note(note: Option<&String>) -> Result<(), Refusal> {
    text::optional(note, NOTE_CHARS_MAX).map_err(|unfit| Refusal::Unfit {
        field: "note".to_owned(),
        unfit,
    })
}

/// `path` is what leads to the item's fields: nothing, or `items[2].`.
fn check_item(path: &str, item: &Item) -> Result<(), Refusal> {
    let field = |name: &str| format!("{path}{name}");
    let unfit = |name| {
        move |unfit| Refusal::Unfit {
            field: field(name),
            unfit,
        }
    };
    text::within(item.quantity, 1, i32::MAX).map_err(unfit("quantity"))?;
    text::price(item.unit_price).map_err(unfit("unit_price"))?;
    check_date(item.expected_delivery_date).map_err(unfit("expected_delivery_date"))?;
    if item.total() >= LINE_TOTAL_BELOW {
        return Err(Refusal::LineTooLarge {
            field: field("unit_price"),
            total: item.total(),
            below: LINE_TOTAL_BELOW,
        });
    }
    Ok(())
}

fn check_date(date: Option<NaiveDate>) -> Result<(), Unfit> {
    match date {
        Some(date) => text::within(date.year(), DELIVERY_YEAR_MIN, DELIVERY_YEAR_MAX),
        None => Ok(()),
    }
}

fn reference((field, detail): (String, &'static str)) -> Refusal {
    Refusal::Reference { field, detail }
}

fn outdated((place, detail): (String, &'static str)) -> Refusal {
    Refusal::Outdated { place, detail }
}

/// Whether everything that the order refers to is there and in use; if not, what is not and why.
fn usable(content: &Content, facts: &Facts) -> Result<(), (String, &'static str)> {
    if active::<Department>(content.department_id, facts).is_none() {
        return Err(("department_id".to_owned(), "names no department in use"));
    }
    if let Some(request_id) = content.request_id
        && !facts
            .get::<DeviceRequest>(request_id)
            .is_some_and(DeviceRequest::is_received)
    {
        return Err(("request_id".to_owned(), "names no request that was received"));
    }
    content
        .items
        .iter()
        .enumerate()
        .try_for_each(|(index, item)| item_usable(&path(index), item, facts))
}

fn item_usable(path: &str, item: &Item, facts: &Facts) -> Result<(), (String, &'static str)> {
    let unusable = |field: &str, detail| Err((format!("{path}{field}"), detail));
    if active::<Part>(item.part_id, facts).is_none() {
        return unusable("part_id", "names no part in use");
    }
    if active::<Supplier>(item.supplier_id, facts).is_none() {
        return unusable("supplier_id", "names no supplier in use");
    }
    let Some(variant_id) = item.variant_id else {
        return Ok(());
    };
    match active::<PartVariant>(variant_id, facts) {
        Some(variant) if variant.part_id == item.part_id => Ok(()),
        Some(_) => unusable("variant_id", "names a variant of another part"),
        None => unusable("variant_id", "names no variant in use"),
    }
}

fn active<K: Kind>(id: Uuid, facts: &Facts) -> Option<&K> {
    facts.get::<Register<K>>(id).and_then(Register::active)
}

fn path(index: usize) -> String {
    format!("items[{index}].")
}

fn content_reads(content: &Content) -> Vec<FactRef> {
    let mut refs = vec![FactRef::of::<Register<Department>>(content.department_id)];
    refs.extend(content.request_id.map(FactRef::of::<DeviceRequest>));
    refs.extend(parts_read(content.items.iter().map(Item::parts)));
    refs
}

/// The parts, variants and suppliers of items, each named once.
fn parts_read(items: impl Iterator<Item = (Uuid, Option<Uuid>, Uuid)>) -> Vec<FactRef> {
    let (mut parts, mut variants, mut suppliers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (part_id, variant_id, supplier_id) in items {
        parts.insert(part_id);
        variants.extend(variant_id);
        suppliers.insert(supplier_id);
    }
    let parts = parts.into_iter().map(FactRef::of::<Register<Part>>);
    let variants = variants.into_iter().map(FactRef::of::<Register<PartVariant>>);
    let suppliers = suppliers.into_iter().map(FactRef::of::<Register<Supplier>>);
    parts.chain(variants).chain(suppliers).collect()
}
