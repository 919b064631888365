//! The demo's orders: a year of them, in every state.

use book::Answer;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalogue::Offer;
use super::company::{Buyer, Company};
use super::{HISTORY_DAYS, Plan, stock};
use http::Fault;
use http::demo::{AT_ONCE, Act, Story};

/// How an order's life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Draft,
    Pending,
    Rejected,
    Approved,
    Ordered,
    PartiallyReceived,
    ClosedShort,
    Received,
    Cancelled,
}

/// Of twenty orders, how they end: most were received long ago.
const ENDS: [End; 20] = [
    End::Draft,
    End::Pending,
    End::Rejected,
    End::Approved,
    End::Ordered,
    End::PartiallyReceived,
    End::ClosedShort,
    End::Cancelled,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
    End::Received,
];

/// Every so many of the orders that wait was forgotten: its deadline has passed.
const FORGOTTEN_EVERY: u32 = 5;

pub(crate) async fn write(story: &Story<'_>, company: &Company, offers: &[Offer], plan: &Plan) -> Result<(), Fault> {
    let orders: Vec<_> = (0..plan.orders)
        .map(|n| {
            let mut chance = story.chance(&format!("order/{n}"));
            let end = ENDS[n as usize % ENDS.len()];
            let buyers = u32::try_from(company.buyers.len()).unwrap_or(u32::MAX);
            let of = chance.next_u32() % buyers;
            // A location's keeper is the buyer whose number it has, going round.
            let rounds = plan.locations / buyers;
            let location =
                (n.is_multiple_of(2) && rounds > 0).then(|| stock::location(story, of + n % rounds * buyers));
            let life = Life {
                story,
                buyer: &company.buyers[of as usize],
                n,
                location,
                stream: story.id(&format!("order/{n}")),
                at: begin(&mut chance, end, n, plan.until),
                until: plan.until,
            };
            life.tell(chance, end, offers)
        })
        .collect();
    futures::stream::iter(orders)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

/// An order that is still open began lately, or it would be overdue.
fn begin(chance: &mut ChaCha8Rng, end: End, n: u32, until: DateTime<Utc>) -> DateTime<Utc> {
    let minutes = |days: i64| days * 24 * 60;
    let ago = match end {
        End::Pending if (n / ENDS.len() as u32).is_multiple_of(FORGOTTEN_EVERY) => minutes(6),
        End::Draft | End::Pending => 60 * 12,
        End::Approved => minutes(5),
        End::Ordered | End::PartiallyReceived => minutes(25),
        End::Rejected | End::ClosedShort | End::Received | End::Cancelled => minutes(HISTORY_DAYS - 10),
    };
    let soonest = match end {
        End::ClosedShort | End::Received => minutes(40),
        End::Ordered | End::PartiallyReceived => minutes(15),
        End::Rejected | End::Cancelled | End::Approved => minutes(4),
        End::Draft | End::Pending => 60 * 2,
    };
    let ago = soonest.max(i64::from(chance.next_u32()) % ago.max(1));
    until - TimeDelta::minutes(ago)
}

struct Life<'a> {
    story: &'a Story<'a>,
    buyer: &'a Buyer,
    n: u32,
    /// Where the goods go, of every other order.
    location: Option<Uuid>,
    stream: Uuid,
    at: DateTime<Utc>,
    /// Nothing is told to have happened later.
    until: DateTime<Utc>,
}

impl Life<'_> {
    async fn tell(mut self, mut chance: ChaCha8Rng, end: End, offers: &[Offer]) -> Result<(), Fault> {
        let items = items(&mut chance, offers);
        let total: Decimal = items
            .iter()
            .map(|(offer, quantity)| offer.price * Decimal::from(*quantity))
            .sum();
        let levels = [0, 1_000, 10_000]
            .iter()
            .filter(|&&threshold| total >= Decimal::from(threshold))
            .count();
        let is_new = self.draft(&items).await?.is_some();
        // Told on another day, or by another version: its life may have been another one.
        if !is_new || end == End::Draft {
            return Ok(());
        }
        self.wait(&mut chance, 4);
        self.order(self.buyer.user, "submit", json!({}), None).await?;
        let mut approvers = self.buyer.approvers.clone();
        approvers.truncate(levels);
        if end == End::Pending {
            approvers.pop();
        }
        for (nth, approver) in (0_u32..).zip(approvers) {
            self.wait(&mut chance, 8);
            if end == End::Rejected {
                let notes = "We still have enough of these; ask again next quarter.";
                return self
                    .decide(approver, nth, "reject", json!({ "revision": 1, "notes": notes }))
                    .await;
            }
            self.decide(approver, nth, "approve", json!({ "revision": 1 })).await?;
        }
        if matches!(end, End::Pending | End::Approved) {
            return Ok(());
        }
        self.wait(&mut chance, 24);
        if end == End::Cancelled {
            return self
                .order(self.buyer.user, "cancel", json!({}), Some("Bought too much last year"))
                .await;
        }
        self.order(self.buyer.user, "place", json!({}), None).await?;
        self.deliver(&mut chance, end, &items).await
    }

    async fn draft(&self, items: &[(Offer, i32)]) -> Result<Option<Answer>, Fault> {
        let expected = (self.at + TimeDelta::days(21)).date_naive();
        let items: Vec<Value> = items
            .iter()
            .map(|(offer, quantity)| {
                json!({
                    "part_id": offer.part, "variant_id": offer.variant, "supplier_id": offer.supplier,
                    "quantity": quantity, "unit_price": offer.price, "expected_delivery_date": expected,
                })
            })
            .collect();
        let body = json!({
            "department_id": self.buyer.department, "currency": "EUR", "location_id": self.location,
            "note": format!("Demo order {}", self.n + 1), "items": items,
        });
        self.give(self.buyer.user, "draft", body, None).await
    }

    /// Goods come in one or two deliveries, all of them or not.
    async fn deliver(&mut self, chance: &mut ChaCha8Rng, end: End, items: &[(Offer, i32)]) -> Result<(), Fault> {
        if end == End::Ordered {
            return Ok(());
        }
        let ids = self.item_ids().await?;
        let line = |(id, quantity): (&Uuid, i32)| json!({ "item_id": id, "quantity": quantity });
        let quantities = || ids.iter().zip(items.iter().map(|(_, quantity)| *quantity));
        self.wait(chance, 24 * 7);
        if end == End::Received {
            let lines: Vec<Value> = quantities().map(line).collect();
            return self
                .order(self.buyer.user, "receive", json!({ "lines": lines }), None)
                .await;
        }
        // Half of the first item, at least one of it; an item of one comes in full and others stay open.
        let first = quantities()
            .take(1)
            .map(|(id, quantity)| line((id, (quantity / 2).max(1))));
        let lines: Vec<Value> = first.collect();
        self.order(self.buyer.user, "receive", json!({ "lines": lines }), None)
            .await?;
        if end == End::ClosedShort {
            self.wait(chance, 24 * 7);
            let reason = Some("The supplier has stopped making it");
            self.order(self.buyer.user, "close-short", json!({}), reason).await?;
        }
        Ok(())
    }

    /// The items as the order knows them, in the order in which they were drafted.
    async fn item_ids(&self) -> Result<Vec<Uuid>, Fault> {
        use cloudwatcher::order::Order;
        let order = self.story.book.state::<Order>(self.story.tenant, self.stream).await?;
        let content = order.as_deref().and_then(Order::content);
        Ok(content.map_or_else(Vec::new, |content| {
            content.items.iter().map(|item| item.item_id).collect()
        }))
    }

    async fn order(&self, by: Uuid, command: &str, body: Value, reason: Option<&str>) -> Result<(), Fault> {
        self.give(by, command, body, reason).await.map(|_| ())
    }

    async fn give(&self, by: Uuid, command: &str, body: Value, reason: Option<&str>) -> Result<Option<Answer>, Fault> {
        self.story
            .give(Act {
                by,
                at: self.at,
                url: "cloudwatcher/orders",
                stream: self.stream,
                command,
                body,
                nth: 0,
                reason,
            })
            .await
    }

    async fn decide(&self, by: Uuid, nth: u32, command: &str, body: Value) -> Result<(), Fault> {
        self.story
            .give(Act {
                by,
                at: self.at,
                url: "cloudwatcher/approvals",
                stream: self.stream,
                command,
                body,
                nth,
                reason: None,
            })
            .await
            .map(|_| ())
    }

    /// Lets up to so many hours pass.
    fn wait(&mut self, chance: &mut ChaCha8Rng, hours: u32) {
        let later = self.at + TimeDelta::minutes(i64::from(5 + chance.next_u32() % (hours * 60)));
        self.at = later.min(self.until);
    }
}

/// One to four offers. One order in ten is large, one in fifty very large: they need more approvals.
fn items(chance: &mut ChaCha8Rng, offers: &[Offer]) -> Vec<(Offer, i32)> {
    let most = match chance.next_u32() % 50 {
        0 => 120,
        1..=5 => 25,
        _ => 4,
    };
    let count = 1 + chance.next_u32() as usize % 4;
    let mut pick = || offers[chance.next_u32() as usize % offers.len()];
    let offers: Vec<Offer> = (0..count).map(|_| pick()).collect();
    offers
        .into_iter()
        .map(|offer| (offer, 2 + i32::try_from(chance.next_u32() % most).unwrap_or(0)))
        .collect()
}
