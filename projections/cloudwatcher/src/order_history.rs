//! What happened to orders, in words.

mod approval;
mod goods;
mod happened;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use cloudwatcher::approval::Approval;
use cloudwatcher::order::{Booking, Event, Item, Named, Order, Quantity, Terms};
use domain::{AnyEvent, Recorded};
use serde_json::{Value, json};
use uuid::Uuid;

pub use happened::Happened;
use projections::cell::Word;
use projections::fold::{FoldError, Project, actor};
use projections::row;
use projections::table::Scope;

row! {
    /// One thing that happened to an order.
    OrderHistoryRow = cloudwatcher.order_history
    key {
        /// The event's id.
        id: Uuid,
    }
    columns {
        /// The order.
        order_id: Uuid,
        /// What happened: a word for each event of an order and of its approval.
        event_type: Word<Happened>,
        /// The same in a sentence.
        event_description: String,
        /// The user who did it; null when Daybook itself did.
        user_id: Option<Uuid>,
        /// What changed, and the reason if one was given.
        metadata: Value,
        /// When it happened.
        created_at: DateTime<Utc>,
    }
    generated {}
    find { id, order_id, event_type, created_at }
    scope { Scope::Through { column: "order_id", parent: "orders" } }
    masked {}
    texts { event_description, metadata }
}

impl Project for OrderHistoryRow {
    const APPENDS: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let is_of_order = recorded.of::<Order>().is_some() || recorded.of::<Approval>().is_some();
        is_of_order.then_some(recorded.event_id).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let (event_type, (event_description, mut metadata)) = if let Some(event) = recorded.of::<Order>() {
            let happened = Happened::of(event.into());
            (happened, told(event, happened))
        } else if let Some(event) = recorded.of::<Approval>() {
            // An approval bears its order's id.
            (Happened::of(event.into()), approval::told(event))
        } else {
            return Ok(row);
        };
        if let (Some(reason), Value::Object(metadata)) = (&recorded.metadata.reason, &mut metadata) {
            metadata.insert("reason".to_owned(), reason.as_str().into());
        }
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position: recorded.position,
            id,
            order_id: recorded.stream,
            event_type: Word(event_type),
            event_description,
            user_id: actor(recorded),
            metadata,
            created_at: recorded.at,
        }))
    }
}

/// A sentence for an event, and what changed. An event of which nobody has thought of a better one is told by its word,
/// with all of its fields.
fn told(event: &Event, happened: Happened) -> (String, Value) {
    match event {
        Event::OrderDrafted {
            order_type,
            department_id,
            currency,
            request_id,
            note: _,
            duplicate_of,
            items,
            drafted_by: _,
            tolerance_percent,
            location_id,
            from_location_id,
            left_out,
            is_reorder: _,
            named,
        } => {
            let listed = goods::listed(items.iter().map(|item| (item.item_id, item.quantity)), named);
            let items = items.len();
            let with = listed.unwrap_or_else(|| counted(items));
            let mut description = match duplicate_of {
                Some(of) => format!("Drafted with {with} as a copy of order {of}"),
                None => format!("Drafted with {with}"),
            };
            match left_out.len() {
                0 => {}
                1 => description += ", without the expected day of 1 item, which had passed",
                days => description += &format!(", without the expected days of {days} items, which had passed"),
            }
            let metadata = json!({
                "order_type": order_type, "department_id": department_id, "currency": currency,
                "request_id": request_id, "duplicate_of": duplicate_of, "items": items,
                "tolerance_percent": tolerance_percent, "location_id": location_id,
                "from_location_id": from_location_id, "left_out": left_out,
            });
            (description, metadata)
        }
        Event::OrderItemAdded { item, named } => {
            let of = match named.first() {
                Some(named) => goods::called(named),
                None => format!("part {}", item.part_id),
            };
            let description = format!("Added {} of {of} at {}", item.quantity, item.unit_price);
            (description, json!({ "item": item }))
        }
        Event::OrderItemChanged {
            item,
            was,
            named,
            was_named,
        } => changed((item, named.first()), (was, was_named.first())),
        Event::OrderItemRemoved { item_id, was, named } => {
            let description = match (was, named.first()) {
                (Some(was), Some(named)) => format!("Removed {} of {}", was.quantity, goods::called(named)),
                (_, _) => "Removed an item".to_owned(),
            };
            (description, json!({ "item_id": item_id }))
        }
        Event::OrderCurrencyChanged { currency, was } => (
            format!("Changed the currency of all prices from {was} to {currency}"),
            json!({ "changed": { "currency": { "old": was, "new": currency } } }),
        ),
        Event::OrderNoteChanged { note, had } => {
            let description = match (had, note) {
                (false, Some(_)) => "Added a note",
                (true, None) => "Took the note away",
                (true, Some(_)) | (false, None) => "Changed the note",
            };
            let metadata = json!({ "changed": { "note": { "new": note } } });
            (description.to_owned(), metadata)
        }
        Event::OrderSubmitted {
            revision,
            items,
            total,
            content_hash,
            drafted_by: _,
            submitted_by: _,
        } => {
            let items = items.len();
            let again = if *revision > 1 {
                format!(" as revision {revision}")
            } else {
                String::new()
            };
            let description = format!("Submitted for approval{again}: {}, {total} in total", counted(items));
            let metadata =
                json!({ "revision": revision, "items": items, "total": total, "content_hash": content_hash });
            (description, metadata)
        }
        Event::OrderApproved { revision, approved_by } => {
            let description = match approved_by {
                Some(_) => format!("Approved as revision {revision}"),
                None => format!("Approved as revision {revision}, which needed nobody's approval"),
            };
            let metadata = json!({ "revision": revision, "approved_by": approved_by });
            (description, metadata)
        }
        Event::OrderRejected { revision, rejected_by } => (
            format!("Rejected as revision {revision}, and a draft again"),
            json!({ "revision": revision, "rejected_by": rejected_by }),
        ),
        Event::OrderPlaced {} => ("Placed with the suppliers".to_owned(), json!({})),
        Event::OrderItemsReceived {
            receipt_id,
            lines,
            named,
        } => (
            format!("Received {}", units_of(lines, named)),
            json!({ "receipt_id": receipt_id, "lines": lines }),
        ),
        Event::OrderReceived {} => ("Received in full".to_owned(), json!({})),
        Event::OrderReceiptReversed {
            receipt_id,
            lines,
            status,
            was_booked: _,
            named,
        } => (
            format!(
                "Reversed the receipt of {}; the order is {status}",
                units_of(lines, named)
            ),
            json!({ "receipt_id": receipt_id, "lines": lines, "status": status }),
        ),
        Event::OrderClosedShort { open, named } => (
            format!("Closed short: {} will not come", units_of(open, named)),
            json!({ "open": open }),
        ),
        Event::OrderRescheduled { items } => {
            let days: BTreeSet<_> = items.iter().map(|item| item.expected_delivery_date).collect();
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            let description = format!("Rescheduled {} to {}", counted(items.len()), days.join(", "));
            (description, json!({ "items": items }))
        }
        Event::OrderConfirmed {
            supplier_id,
            reference,
            items,
        } => {
            let days: BTreeSet<_> = items.iter().filter_map(|item| item.confirmed_delivery_date).collect();
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            let when = if days.is_empty() {
                String::new()
            } else {
                format!(" for {}", days.join(", "))
            };
            let description = format!(
                "{} confirmed by the supplier as {reference}{when}",
                counted(items.len())
            );
            let metadata = json!({ "supplier_id": supplier_id, "reference": reference, "items": items });
            (description, metadata)
        }
        Event::OrderStockRefused { booking, is_open } => {
            const TO_DO: &str = "put the stock right, then retry";
            const SHUT: &str = ", which was reversed meanwhile";
            let (what, to_do, shut) = match booking {
                Booking::Reservation { .. } => ("keep what is to be moved".to_owned(), TO_DO, SHUT),
                Booking::Receipt { lines, .. } => (format!("book the receipt of {}", units(lines)), TO_DO, SHUT),
                Booking::Reversal { lines, .. } => (format!("book back {}", units(lines)), TO_DO, SHUT),
                Booking::Expectation {} => (
                    "count as on order what is to come".to_owned(),
                    "put back in use what is struck, or take in what other orders bring there, then retry",
                    "; it is told again when the order is placed",
                ),
            };
            let description = if *is_open {
                format!("Stock could not {what}; {to_do}")
            } else {
                format!("Stock could not {what}{shut}")
            };
            (description, json!({ "booking": booking, "is_open": is_open }))
        }
        Event::OrderStockRetried { bookings } => (
            "Asked stock again for what it had refused".to_owned(),
            json!({ "bookings": bookings }),
        ),
        _ => (happened.said(), fields(event)),
    }
}

/// All that an event says.
fn fields(event: &Event) -> Value {
    let named = json!(event);
    let fields = named.as_object().and_then(|named| named.values().next());
    fields.cloned().unwrap_or_default()
}

/// How many of which items; without their names, how many units of how many items.
fn units_of(lines: &[Quantity], named: &[Named]) -> String {
    let quantities = lines.iter().map(|line| (line.item_id, line.quantity));
    goods::listed(quantities, named).unwrap_or_else(|| units(lines))
}

/// How many units of how many items.
fn units(lines: &[Quantity]) -> String {
    let quantity: i64 = lines.iter().map(|line| i64::from(line.quantity)).sum();
    let units = if quantity == 1 { "unit" } else { "units" };
    format!("{quantity} {units} of {}", counted(lines.len()))
}

fn counted(items: usize) -> String {
    if items == 1 {
        "1 item".to_owned()
    } else {
        format!("{items} items")
    }
}

fn changed((item, named): (&Item, Option<&Named>), (was, was_named): (&Terms, Option<&Named>)) -> (String, Value) {
    let now = item.terms();
    let mut words = Vec::new();
    let mut changed = serde_json::Map::new();
    let mut compare = |name: &str, word: &str, old: Value, new: Value, told: String| {
        if old != new {
            words.push(format!("{word} {told}"));
            changed.insert(name.to_owned(), json!({ "old": old, "new": new }));
        }
    };
    let called = named.zip(was_named);
    let told = match called {
        Some((now, was)) => format!("from {} to {}", was.part_code, now.part_code),
        None => format!("from {} to {}", was.part_id, now.part_id),
    };
    compare("part_id", "part", json!(was.part_id), json!(now.part_id), told);
    let variant = |id: Option<Uuid>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let code = |named: &Named| named.variant_code.clone().unwrap_or_else(|| "none".to_owned());
    let told = match called {
        Some((now, was)) => format!("from {} to {}", code(was), code(now)),
        None => format!("from {} to {}", variant(was.variant_id), variant(now.variant_id)),
    };
    compare(
        "variant_id",
        "variant",
        json!(was.variant_id),
        json!(now.variant_id),
        told,
    );
    let told = match called {
        Some((now, was)) => format!("from {} to {}", was.supplier, now.supplier),
        None => format!("from {} to {}", was.supplier_id, now.supplier_id),
    };
    compare(
        "supplier_id",
        "supplier",
        json!(was.supplier_id),
        json!(now.supplier_id),
        told,
    );
    let told = format!("from {} to {}", was.quantity, now.quantity);
    compare("quantity", "quantity", json!(was.quantity), json!(now.quantity), told);
    let told = format!("from {} to {}", was.unit_price, now.unit_price);
    compare(
        "unit_price",
        "unit price",
        json!(was.unit_price),
        json!(now.unit_price),
        told,
    );
    let date = |date: Option<chrono::NaiveDate>| date.map_or_else(|| "none".to_owned(), |date| date.to_string());
    let told = format!(
        "from {} to {}",
        date(was.expected_delivery_date),
        date(now.expected_delivery_date)
    );
    let (old, new) = (json!(was.expected_delivery_date), json!(now.expected_delivery_date));
    compare("expected_delivery_date", "expected delivery", old, new, told);
    let what = named.map_or_else(|| "an item".to_owned(), goods::called);
    let description = format!("Changed {what}: {}", words.join(", "));
    (
        description,
        json!({ "item_id": item.item_id, "part_id": item.part_id, "changed": changed }),
    )
}
