//! The demo's catalogue: fifty suppliers, and parts with variants and offers.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use rand_chacha::rand_core::RngCore as _;
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::company::Company;
use http::Fault;
use http::demo::{AT_ONCE, Story, enter};

const SUPPLIERS: u32 = 50;
/// A currency's minor unit is 1/100 in the story.
const CENTS: u32 = 2;

const PLACES: [&str; 10] = [
    "North", "Harbour", "Alpine", "Central", "Baltic", "Valley", "River", "Castle", "Meadow", "Summit",
];
const TRADES: [&str; 5] = ["Parts", "Supply", "Components", "Fasteners", "Hydraulics"];
const THINGS: [(&str, &str, &str); 16] = [
    ("Oil filter", "engine", "piece"),
    ("Water pump", "cooling", "piece"),
    ("Signal cable", "electric", "metre"),
    ("Brake disc", "brakes", "piece"),
    ("Brake pad set", "brakes", "set"),
    ("Fuel injector", "engine", "piece"),
    ("Wheel bearing", "chassis", "piece"),
    ("Shock absorber", "chassis", "piece"),
    ("Alternator", "electric", "piece"),
    ("Head lamp", "electric", "piece"),
    ("Drive belt", "engine", "piece"),
    ("Clutch plate", "transmission", "piece"),
    ("Gear oil", "transmission", "litre"),
    ("Coolant", "cooling", "litre"),
    ("Hexagon bolt", "fasteners", "piece"),
    ("Lock nut", "fasteners", "piece"),
];
const VARIANTS: [(&str, &str); 3] = [("S", "Small"), ("M", "Medium"), ("L", "Large")];

/// Something that can be ordered: a part, or a variant of it, from a supplier at a price.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub part: Uuid,
    pub variant: Option<Uuid>,
    pub supplier: Uuid,
    pub price: Decimal,
}

pub(crate) async fn stock(
    story: &Story<'_>,
    company: &Company,
    parts: u32,
    at: DateTime<Utc>,
) -> Result<Vec<Offer>, Fault> {
    let suppliers: Vec<_> = (0..SUPPLIERS).map(|n| supplier(story, company.admin, n, at)).collect();
    futures::stream::iter(suppliers)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let parts: Vec<_> = (0..parts).map(|n| part(story, company.admin, n, at)).collect();
    let mut offers: Vec<(u32, Vec<Offer>)> = futures::stream::iter(parts)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    // In an order of its own, for chance to pick the same ones every time.
    offers.sort_by_key(|(part, _)| *part);
    Ok(offers.into_iter().flat_map(|(_, offers)| offers).collect())
}

async fn supplier(story: &Story<'_>, admin: Uuid, n: u32, at: DateTime<Utc>) -> Result<(), Fault> {
    let mut chance = story.chance(&format!("supplier/{n}"));
    let name = format!(
        "{} {}",
        PLACES[n as usize % PLACES.len()],
        TRADES[n as usize / PLACES.len() % TRADES.len()]
    );
    let mailbox = name.to_lowercase().replace(' ', "-");
    let entry = json!({
        "name": name, "contact_email": format!("sales@{mailbox}.example"),
        "website": format!("https://{mailbox}.example"),
        "lead_time_days": 2 + chance.next_u32() % 20, "is_preferred": n.is_multiple_of(7),
    });
    let stream = story.id(&format!("supplier/{n}"));
    story
        .give(enter(admin, at, "cloudwatcher/suppliers", stream, entry))
        .await?;
    Ok(())
}

/// A part with up to two variants and one or two offers.
async fn part(story: &Story<'_>, admin: Uuid, n: u32, at: DateTime<Utc>) -> Result<(u32, Vec<Offer>), Fault> {
    let mut chance = story.chance(&format!("part/{n}"));
    let (thing, category, unit) = THINGS[n as usize % THINGS.len()];
    let stream = story.id(&format!("part/{n}"));
    // Not all on the first day.
    let at = at + TimeDelta::minutes(i64::from(n));
    let entry = json!({
        "part_code": format!("{}-{:04}", &category[..3].to_uppercase(), n), "name": format!("{thing} {n}"),
        "category": category, "unit_of_measure": unit,
    });
    story
        .give(enter(admin, at, "cloudwatcher/parts", stream, entry))
        .await?;
    let price = Decimal::new(50 + i64::from(chance.next_u32() % 30_000), CENTS);
    let mut variant = None;
    if n.is_multiple_of(4) {
        let (code, name) = VARIANTS[chance.next_u32() as usize % VARIANTS.len()];
        let id = story.id(&format!("variant/{n}"));
        let entry = json!({
            "part_id": stream, "variant_code": code, "variant_name": name, "attributes": { "size": code },
            "cost_per_unit": price, "retail_price": price * Decimal::TWO,
            "currency": "EUR",
        });
        story
            .give(enter(admin, at, "cloudwatcher/part-variants", id, entry))
            .await?;
        variant = Some(id);
    }
    let mut offers = Vec::new();
    for nth in 0..1 + n % 2 {
        let supplier = story.id(&format!("supplier/{}", (n + nth * 17) % SUPPLIERS));
        let price = price + Decimal::new(i64::from(nth) * 25, CENTS);
        let entry = json!({
            "part_id": stream, "variant_id": variant, "supplier_id": supplier, "supplier_cost": price,
            "currency": "EUR",
            "sku": format!("{n:05}-{nth}"), "lead_time_days": 2 + chance.next_u32() % 20, "is_preferred": nth == 0,
        });
        let id = story.id(&format!("offer/{n}/{nth}"));
        story
            .give(enter(admin, at, "cloudwatcher/part-suppliers", id, entry))
            .await?;
        offers.push(Offer {
            part: stream,
            variant,
            supplier,
            price,
        });
    }
    Ok((n, offers))
}
