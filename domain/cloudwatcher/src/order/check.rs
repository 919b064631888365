//! Whether what an order says fits its columns, and whether what it refers to is in use.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::receive::receivable;
use super::{
    Content, DELIVERY_YEAR_MAX, DELIVERY_YEAR_MIN, ITEMS_MAX, Item, NOTE_CHARS_MAX, Refusal, TOLERANCE_PERCENT_MAX,
};
use crate::OrderType;
use crate::currency::{self, Barred};
use crate::location::Location;
use crate::part::Part;
use crate::part_variant::PartVariant;
use crate::request::DeviceRequest;
use crate::stock::STOCK_MAX;
use crate::supplier::Supplier;
use domain::register::Register;
use domain::text::{self, Unfit};
use domain::{FactRef, Facts};
use identity::department::Department;

/// A line's total stays below this: the column is `decimal(12, 2)`.
const LINE_TOTAL_BELOW: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0);

pub(super) fn check(content: &Content) -> Result<(), Refusal> {
    check_locations(content)?;
    check_currency(&content.currency)?;
    text::within(content.tolerance_percent, 0, TOLERANCE_PERCENT_MAX).map_err(|unfit| Refusal::Unfit {
        field: "tolerance_percent".to_owned(),
        unfit,
    })?;
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
        .try_for_each(|(index, item)| check_item(&path(index), &content.currency, item))?;
    check_stock(content)
}

/// Whether the order says where goods come from and go to, as its type needs it.
fn check_locations(content: &Content) -> Result<(), Refusal> {
    let order_type = content.order_type;
    let refused = |field, detail| {
        Err(Refusal::Locations {
            field,
            order_type,
            detail,
        })
    };
    let (to, from) = (content.location_id, content.from_location_id);
    match order_type {
        OrderType::Purchase if from.is_some() => refused("from_location_id", "come from suppliers; leave it out"),
        OrderType::Purchase => Ok(()),
        OrderType::InternalTransfer if from.is_none() => {
            refused("from_location_id", "need the location that gives; name it")
        }
        OrderType::InternalTransfer if to.is_none() => refused("location_id", "need the location that gets; name it"),
        OrderType::InternalTransfer if to == from => refused(
            "location_id",
            "go to another location than they come from; name another",
        ),
        OrderType::Return if from.is_none() => refused("from_location_id", "need the location that gives; name it"),
        OrderType::Return if to.is_some() => refused("location_id", "go to suppliers; leave it out"),
        // What was not reserved cannot be moved.
        OrderType::InternalTransfer | OrderType::Return if content.tolerance_percent > 0 => {
            refused("tolerance_percent", "are received as ordered; leave it out or say 0")
        }
        OrderType::InternalTransfer | OrderType::Return => Ok(()),
    }
}

/// Whether stock could hold what the items of one part and variant add up to.
pub(super) fn check_stock(content: &Content) -> Result<(), Refusal> {
    if !content.moves_stock() {
        return Ok(());
    }
    let mut sums: BTreeMap<(Uuid, Option<Uuid>), i64> = BTreeMap::new();
    for (index, item) in content.items.iter().enumerate() {
        let sum = sums.entry((item.part_id, item.variant_id)).or_default();
        *sum += receivable(item, content.tolerance_percent);
        if *sum > i64::from(STOCK_MAX) {
            return Err(Refusal::TooMuchForStock {
                field: format!("{}quantity", path(index)),
                total: *sum,
            });
        }
    }
    Ok(())
}

pub(super) fn check_currency(code: &str) -> Result<(), Refusal> {
    currency::usable(code).map_err(|barred| match barred {
        Barred::Unknown => Refusal::UnknownCurrency,
        Barred::Finer { .. } => Refusal::Unfit {
            field: "currency".to_owned(),
            unfit: barred.into(),
        },
    })
}

/// Whether every price can be one in this currency.
pub(super) fn check_prices(code: &str, items: &[Item]) -> Result<(), Refusal> {
    let mut prices = items.iter().enumerate();
    prices.try_for_each(|(index, item)| check_price(&path(index), code, item))
}

fn check_price(path: &str, code: &str, item: &Item) -> Result<(), Refusal> {
    currency::divides(code, item.unit_price).map_err(|unfit| Refusal::Unfit {
        field: format!("{path}unit_price"),
        unfit,
    })
}

pub(super) fn check_note(note: Option<&String>) -> Result<(), Refusal> {
    text::optional(note, NOTE_CHARS_MAX).map_err(|unfit| Refusal::Unfit {
        field: "note".to_owned(),
        unfit,
    })
}

/// `path` is what leads to the item's fields: nothing, or `items[2].`.
pub(super) fn check_item(path: &str, currency: &str, item: &Item) -> Result<(), Refusal> {
    let field = |name: &str| format!("{path}{name}");
    let unfit = |name| {
        move |unfit| Refusal::Unfit {
            field: field(name),
            unfit,
        }
    };
    text::within(item.quantity, 1, i32::MAX).map_err(unfit("quantity"))?;
    text::price(item.unit_price).map_err(unfit("unit_price"))?;
    check_price(path, currency, item)?;
    check_date(item.expected_delivery_date).map_err(unfit("expected_delivery_date"))?;
    if item.total() >= LINE_TOTAL_BELOW {
        return Err(Refusal::LineTooLarge {
            field: field("unit_price"),
            below: LINE_TOTAL_BELOW,
        });
    }
    Ok(())
}

pub(super) fn check_date(date: Option<NaiveDate>) -> Result<(), Unfit> {
    match date {
        Some(date) => text::within(date.year(), DELIVERY_YEAR_MIN, DELIVERY_YEAR_MAX),
        None => Ok(()),
    }
}

/// The way out where no command makes the order name another.
const DRAFT_ANOTHER: &str = "put it back in use, or draft another order";

/// A reference to something that is not there or not in use.
pub(super) struct Unusable {
    /// Where the order says it.
    place: String,
    /// What is wrong with it.
    detail: &'static str,
    /// Whether a command makes an item name another; what the order itself names stays.
    is_of_item: bool,
}

impl Unusable {
    fn of_order(field: &str, detail: &'static str) -> Self {
        Self {
            place: field.to_owned(),
            detail,
            is_of_item: false,
        }
    }
}

/// Whether everything that the order refers to is there and in use.
pub(super) fn usable(content: &Content, facts: &Facts) -> Result<(), Unusable> {
    for (field, location) in [
        ("location_id", content.location_id),
        ("from_location_id", content.from_location_id),
    ] {
        if let Some(location) = location
            && Register::<Location>::active_in(location, facts).is_none()
        {
            return Err(Unusable::of_order(field, "names no location in use"));
        }
    }
    if Register::<Department>::active_in(content.department_id, facts).is_none() {
        return Err(Unusable::of_order("department_id", "names no department in use"));
    }
    if let Some(request_id) = content.request_id {
        let unusable = |detail| Err(Unusable::of_order("request_id", detail));
        match facts.get::<DeviceRequest>(request_id) {
            None | Some(DeviceRequest::Unreceived) => return unusable("names no request that was received"),
            Some(DeviceRequest::Live(..)) => {}
            Some(DeviceRequest::Archived(_)) => return unusable("names a request that is archived"),
        }
    }
    content
        .items
        .iter()
        .enumerate()
        .try_for_each(|(index, item)| item_usable(&path(index), item, facts))
}

pub(super) fn item_usable(path: &str, item: &Item, facts: &Facts) -> Result<(), Unusable> {
    let unusable = |field: &str, detail| {
        Err(Unusable {
            place: format!("{path}{field}"),
            detail,
            is_of_item: true,
        })
    };
    if Register::<Part>::active_in(item.part_id, facts).is_none() {
        return unusable("part_id", "names no part in use");
    }
    if Register::<Supplier>::active_in(item.supplier_id, facts).is_none() {
        return unusable("supplier_id", "names no supplier in use");
    }
    let Some(variant_id) = item.variant_id else {
        return Ok(());
    };
    match Register::<PartVariant>::active_in(variant_id, facts) {
        Some(variant) if variant.part_id == item.part_id => Ok(()),
        Some(_) => unusable("variant_id", "names a variant of another part"),
        None => unusable("variant_id", "names no variant in use"),
    }
}

fn path(index: usize) -> String {
    format!("items[{index}].")
}

/// The facts that [`usable`] reads.
pub(super) fn content_reads(content: &Content) -> Vec<FactRef> {
    let mut refs = vec![FactRef::of::<Register<Department>>(content.department_id)];
    refs.extend(content.request_id.map(FactRef::of::<DeviceRequest>));
    refs.extend(content.location_id.map(FactRef::of::<Register<Location>>));
    refs.extend(content.from_location_id.map(FactRef::of::<Register<Location>>));
    refs.extend(parts_read(content.items.iter().map(Item::parts)));
    refs
}

/// The parts, variants and suppliers of items, each named once.
pub(super) fn parts_read(items: impl Iterator<Item = (Uuid, Option<Uuid>, Uuid)>) -> Vec<FactRef> {
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

/// The refusal of a command that names it.
pub(super) fn reference(Unusable { place, detail, .. }: Unusable) -> Refusal {
    Refusal::Reference { field: place, detail }
}

/// The refusal of a command that rests on it.
pub(super) fn outdated(unusable: Unusable) -> Refusal {
    let to_do = match unusable.is_of_item {
        true => "change the order or put it back in use",
        false => DRAFT_ANOTHER,
    };
    let Unusable { place, detail, .. } = unusable;
    Refusal::Outdated { place, detail, to_do }
}

/// The refusal of a copy of it: the order that is copied may be one that nobody can change.
pub(super) fn outdated_copy(Unusable { place, detail, .. }: Unusable) -> Refusal {
    let to_do = DRAFT_ANOTHER;
    Refusal::Outdated { place, detail, to_do }
}
