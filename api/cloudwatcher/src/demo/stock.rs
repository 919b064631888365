//! The demo's locations, and what lies there: half a year of it, counted, used up and kept.

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use rand_chacha::rand_core::RngCore as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Plan;
use super::catalogue::Offer;
use super::company::Company;
use http::Fault;
use http::demo::{AT_ONCE, Piece, Story, enter};

/// Kinds of places, with what they are called.
const PLACES: [(&str, &str); 4] = [
    ("warehouse", "Warehouse"),
    ("depot", "Depot"),
    ("garage", "Garage"),
    ("store", "Store"),
];
/// How often something is used up, and how many days lie between.
const ROUNDS: u32 = 2;
const ROUND_DAYS: i64 = 60;

/// Something that can lie somewhere: a part, or a variant of it.
type Thing = (Uuid, Option<Uuid>);

/// A location of the story, by its number.
pub(crate) fn location(story: &Story<'_>, n: u32) -> Uuid {
    story.id(&format!("location/{n}"))
}

pub(crate) async fn fill(
    story: &Story<'_>,
    company: &Company,
    offers: &[Offer],
    plan: &Plan,
    began: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut things: Vec<Thing> = offers.iter().map(|offer| (offer.part, offer.variant)).collect();
    things.dedup();
    let each = plan.stock.checked_div(plan.locations).unwrap_or_default() as usize;
    let things = &things;
    let locations: Vec<_> = (0..plan.locations)
        .map(|n| furnish(story, company, n, things, each.min(things.len()), began))
        .collect();
    futures::stream::iter(locations)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// One location with its stock: each round is one command, which is carried out as a whole.
async fn furnish(
    story: &Story<'_>,
    company: &Company,
    n: u32,
    things: &[Thing],
    each: usize,
    began: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut chance = story.chance(&format!("location/{n}"));
    let keeper = &company.buyers[n as usize % company.buyers.len()];
    let (kind, word) = PLACES[n as usize % PLACES.len()];
    let stream = location(story, n);
    let entry = json!({
        "name": format!("{word} {}", n + 1), "dept_id": keeper.department, "location_type": kind,
        "address": format!("Harbour Road {}", n + 1),
    });
    story
        .give(enter(company.admin, began, "cloudwatcher/locations", stream, entry))
        .await?;

    let mut opened = Vec::with_capacity(each * 2);
    let mut left = Vec::with_capacity(each);
    for nth in 0..each {
        let (part_id, variant_id) = things[(n as usize * 37 + nth) % things.len()];
        let stock = cloudwatcher::inventory::StockKey {
            part_id,
            variant_id,
            location_id: stream,
        };
        let id = stock.stream(story.tenant);
        let quantity = 20 + i32::try_from(chance.next_u32() % 200).unwrap_or(0);
        let point = 10 + chance.next_u32() % 20;
        // First goods, which open the record, then the point, so that nothing is suggested on the first day.
        opened.push(part(id, "receive", json!({ "quantity": quantity, "stock": stock })));
        let reorder = json!({ "reorder_point": point, "reorder_quantity": 50 });
        opened.push(part(id, "set-reorder", reorder));
        left.push((id, quantity));
    }
    if !story
        .give_all(keeper.user, began, &format!("stock/{n}"), opened)
        .await?
    {
        // There since another day, with another history.
        return Ok(());
    }
    for round in 0..ROUNDS {
        let at = began + TimeDelta::days(ROUND_DAYS * i64::from(round + 1)) + TimeDelta::minutes(i64::from(n));
        let mut used = Vec::with_capacity(each);
        for (id, left) in &mut left {
            let quantity = i32::try_from(chance.next_u32() % 60).unwrap_or(0).min(*left);
            if quantity == 0 {
                continue;
            }
            *left -= quantity;
            let consume = json!({ "quantity": quantity, "notes": "repairs" });
            used.push(part(*id, "consume", consume));
        }
        story
            .give_all(keeper.user, at, &format!("used/{n}/{round}"), used)
            .await?;
    }
    Ok(())
}

fn part(stream: Uuid, command: &'static str, body: Value) -> Piece {
    Piece {
        url: "cloudwatcher/inventory",
        stream,
        command,
        body,
    }
}
