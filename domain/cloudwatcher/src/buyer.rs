//! The orders that one person submitted in the last days: kept to notice an order that was split so that it needs
//! fewer approvals.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::order::{Item, Order, Submitted};
use domain::{Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Buyer>("buyers");

/// How long a submission is remembered, counted back from the newest one.
pub const REMEMBERED: TimeDelta = TimeDelta::days(7);

/// The submissions of one person. The stream's id is the user id of who drafted the orders.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Buyer {
    /// Order to its latest submission.
    noted: BTreeMap<Uuid, Noted>,
    /// The same by time, so that forgetting looks at nothing that stays.
    by_time: BTreeSet<(DateTime<Utc>, Uuid)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Noted {
    revision: i32,
    currency: String,
    suppliers: Vec<SupplierTotal>,
    submitted_at: DateTime<Utc>,
}

/// The sum for which an order buys from one supplier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SupplierTotal {
    pub supplier_id: Uuid,
    /// In the order's currency.
    pub total: Decimal,
}

/// An earlier order of the same person, currency and days.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    pub order_id: Uuid,
    /// The suppliers that both orders have, and for how much this one buys from each.
    pub shared: Vec<SupplierTotal>,
}

/// The sum for which the items buy from each supplier, by the supplier's id.
#[must_use]
pub fn supplier_totals(items: &[Item]) -> Vec<SupplierTotal> {
    let mut totals: BTreeMap<Uuid, Decimal> = BTreeMap::new();
    for item in items {
        *totals.entry(item.supplier_id).or_default() += item.total();
    }
    let totals = totals.into_iter();
    totals
        .map(|(supplier_id, total)| SupplierTotal { supplier_id, total })
        .collect()
}

impl Buyer {
    /// The other orders that were submitted before this one, within seven days, and buy from a supplier of it in the same
    /// currency, the newest first.
    #[must_use]
    pub fn neighbours(&self, order_id: Uuid, submitted: &Submitted) -> Vec<Neighbour> {
        let own: BTreeSet<Uuid> = submitted.items.iter().map(|item| item.supplier_id).collect();
        // Not noted yet, it is the newest.
        let own_time = self.noted.get(&order_id).map(|noted| noted.submitted_at);
        let before = |at: DateTime<Utc>| own_time.is_none_or(|own| at <= own && own - at <= REMEMBERED);
        let by_time = self
            .by_time
            .iter()
            .rev()
            .filter(|(at, _)| before(*at))
            .map(|(_, id)| *id);
        by_time
            .filter(|&id| id != order_id)
            .filter_map(|id| {
                let noted = self.noted.get(&id)?;
                let shared = noted.suppliers.iter().filter(|of| own.contains(&of.supplier_id));
                let shared: Vec<SupplierTotal> = shared.copied().collect();
                (noted.currency == submitted.currency && !shared.is_empty())
                    .then_some(Neighbour { order_id: id, shared })
            })
            .collect()
    }

    fn forget(&mut self, order_id: Uuid) {
        if let Some(noted) = self.noted.remove(&order_id) {
            self.by_time.remove(&(noted.submitted_at, order_id));
        }
    }
}

/// What can be asked of what is known about a buyer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Notes that an order of this person was submitted; Daybook sends it by itself. What the order buys
    /// is taken from the order; a later revision replaces an earlier one.
    NoteSubmission {
        /// The order, which the person drafted or submitted.
        order_id: Uuid,
        /// Its revision, which must be the order's latest; from 1.
        #[schemars(range(min = 1))]
        revision: i32,
        /// When it was submitted; a time in the future counts as now.
        submitted_at: DateTime<Utc>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    SubmissionNoted {
        order_id: Uuid,
        revision: i32,
        currency: String,
        /// By the supplier's id, each once.
        suppliers: Vec<SupplierTotal>,
        submitted_at: DateTime<Utc>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a submission is not noted.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error(
        "order_id names no order of this person that was submitted as revision {revision} last; name its latest revision"
    )]
    NotAsSubmitted { revision: i32 },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotAsSubmitted { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::NotAsSubmitted { .. } => Some("order_id".to_owned()),
        }
    }
}

impl Decider for Buyer {
    const TYPE: &'static str = "cloudwatcher.buyer";
    const CREATES: &'static str = "note-submission";
    const BORROWS_ID: bool = true;
    /// Of no one department: it tells of orders of several, and is for those who see all of them.
    const SCOPED: bool = true;
    /// Whoever said it at another time would hide that an order was split.
    const ONLY_DAYBOOK: &'static [&'static str] = &["note-submission"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let &Command::NoteSubmission {
            order_id,
            revision,
            submitted_at,
        } = request.command;
        let submitted = request
            .facts
            .get::<Order>(order_id)
            .and_then(Order::submitted)
            .filter(|submitted| submitted.revision == revision && is_of(request.stream, submitted))
            .ok_or(Refusal::NotAsSubmitted { revision })?;
        if self
            .noted
            .get(&order_id)
            .is_some_and(|noted| noted.revision >= revision)
        {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SubmissionNoted {
            order_id,
            revision,
            currency: submitted.currency.clone(),
            suppliers: supplier_totals(&submitted.items),
            submitted_at: submitted_at.min(request.at),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        let Event::SubmissionNoted {
            order_id,
            revision,
            currency,
            suppliers,
            submitted_at,
        } = event;
        self.forget(*order_id);
        self.noted.insert(
            *order_id,
            Noted {
                revision: *revision,
                currency: currency.clone(),
                suppliers: suppliers.clone(),
                submitted_at: *submitted_at,
            },
        );
        self.by_time.insert((*submitted_at, *order_id));
        let newest = self.by_time.last().map_or(*submitted_at, |(newest, _)| *newest);
        while let Some(&(oldest, forgotten)) = self.by_time.first()
            && newest - oldest > REMEMBERED
        {
            self.forget(forgotten);
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        let Command::NoteSubmission { order_id, .. } = asking.command;
        vec![FactRef::of::<Order>(*order_id)]
    }
}

/// Events of a time when an order did not say who drafted it tell only who submitted it.
fn is_of(person: Uuid, submitted: &Submitted) -> bool {
    [submitted.drafted_by, submitted.submitted_by].contains(&person)
}

#[cfg(test)]
mod tests;
