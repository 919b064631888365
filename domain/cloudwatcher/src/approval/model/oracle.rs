//! The oracle: who decided what, what every order said then, and who was entitled to decide, in books of
//! its own. It reads what was asked and the events as they come, never a state of the code under test.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::world::{DEPARTMENTS, USERS};
use crate::order::{self, Item};

/// What an order says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    department: usize,
    currency: String,
    /// Per item: part, variant, supplier, quantity, price.
    lines: BTreeMap<Uuid, (Uuid, Option<Uuid>, Uuid, i32, Decimal)>,
}

impl Said {
    fn line(item: &Item) -> (Uuid, Option<Uuid>, Uuid, i32, Decimal) {
        (
            item.part_id,
            item.variant_id,
            item.supplier_id,
            item.quantity,
            item.unit_price,
        )
    }

    fn total(&self) -> Decimal {
        self.lines
            .values()
            .map(|(.., quantity, price)| Decimal::from(*quantity) * price)
            .sum()
    }

    /// Whether who agreed to this agreed to the other as well.
    fn covers(&self, other: &Self) -> bool {
        let within = |(item_id, less): (&Uuid, &(Uuid, Option<Uuid>, Uuid, i32, Decimal))| {
            self.lines.get(item_id).is_some_and(|more| {
                (more.0, more.1, more.2) == (less.0, less.1, less.2) && less.3 <= more.3 && less.4 <= more.4
            })
        };
        self.department == other.department && self.currency == other.currency && other.lines.iter().all(within)
    }
}

/// An order as it was handed in.
#[derive(Debug, Clone)]
struct HandedIn {
    by: Uuid,
    said: Said,
    /// Levels that the policy of the time asked for when approval was asked.
    levels: Option<usize>,
}

/// A decision of somebody about a revision that they named.
#[derive(Debug, Clone)]
struct Decided {
    revision: i32,
    by: Uuid,
    on_behalf_of: Option<Uuid>,
    /// What the order said then.
    said: Said,
    entitled: Result<(), &'static str>,
    approves: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct OwnOrder {
    drafted_by: Option<Uuid>,
    said: Option<Said>,
    handed_in: BTreeMap<i32, HandedIn>,
    decided: Vec<Decided>,
    /// Of whom it is asked, as the manager of which department, or because the policy named them.
    pub(super) asked: Option<(Uuid, usize, bool)>,
}

#[derive(Debug, Clone)]
pub(super) struct Delegated {
    pub(super) from: Uuid,
    pub(super) to: Uuid,
    pub(super) starts_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) department: Option<usize>,
    pub(super) total_max: Option<Decimal>,
    pub(super) currency: Option<String>,
}

/// What holds among people, and what was said and done about orders.
#[derive(Debug, Clone)]
pub(super) struct Oracle {
    pub(super) active: BTreeSet<Uuid>,
    pub(super) permitted: BTreeSet<Uuid>,
    pub(super) manager: [Option<Uuid>; DEPARTMENTS.len()],
    pub(super) parent: [Option<usize>; DEPARTMENTS.len()],
    /// Who decides where the tree ends.
    pub(super) top: Vec<Uuid>,
    /// Currency to thresholds.
    pub(super) thresholds: BTreeMap<&'static str, Vec<i64>>,
    /// By the id of the delegation.
    pub(super) delegated: BTreeMap<Uuid, Delegated>,
    pub(super) orders: BTreeMap<Uuid, OwnOrder>,
}

/// What is known about an order that was placed rightly.
pub(super) struct Placed {
    pub(super) levels: usize,
    pub(super) revision: i32,
    pub(super) lessened: bool,
}

impl Oracle {
    pub(super) fn new() -> Self {
        Self {
            active: USERS.into(),
            permitted: USERS.into(),
            manager: [Some(USERS[2]), Some(USERS[3]), Some(USERS[4])],
            parent: [Some(1), Some(2), None],
            top: Vec::new(),
            thresholds: BTreeMap::new(),
            delegated: BTreeMap::new(),
            orders: BTreeMap::new(),
        }
    }

    fn order(&mut self, order: Uuid) -> &mut OwnOrder {
        self.orders.entry(order).or_default()
    }

    /// Departments from this one upwards.
    fn above(&self, department: usize) -> Vec<usize> {
        std::iter::successors(Some(department), |&at| self.parent[at]).collect()
    }

    fn may(&self, user: Uuid) -> bool {
        self.active.contains(&user) && self.permitted.contains(&user)
    }

    fn levels(&self, said: &Said) -> usize {
        let thresholds = self.thresholds.get(said.currency.as_str());
        thresholds.map_or(0, |thresholds| {
            let total = said.total();
            thresholds.iter().filter(|&&from| total >= Decimal::from(from)).count()
        })
    }

    /// What happened to an order, by whom it was asked.
    pub(super) fn order_event(&mut self, id: Uuid, by: Uuid, event: &order::Event) -> Result<Option<Placed>, String> {
        if let order::Event::OrderPlaced {} = event {
            return self.judged(id).map(Some);
        }
        let own = self.order(id);
        let said = own.said.as_mut();
        match (event, said) {
            (
                order::Event::OrderDrafted {
                    department_id,
                    currency,
                    items,
                    ..
                },
                None,
            ) => {
                own.drafted_by = Some(by);
                own.said = Some(Said {
                    department: department(*department_id),
                    currency: currency.clone(),
                    lines: items.iter().map(|item| (item.item_id, Said::line(item))).collect(),
                });
            }
            (order::Event::OrderItemAdded { item, .. } | order::Event::OrderItemChanged { item, .. }, Some(said)) => {
                said.lines.insert(item.item_id, Said::line(item));
            }
            (order::Event::OrderItemRemoved { item_id, .. }, Some(said)) => {
                said.lines.remove(item_id);
            }
            (order::Event::OrderCurrencyChanged { currency, .. }, Some(said)) => said.currency.clone_from(currency),
            (order::Event::OrderSubmitted { revision, .. }, Some(said)) => {
                let said = said.clone();
                let handed_in = HandedIn { by, said, levels: None };
                if own.handed_in.insert(*revision, handed_in).is_some() {
                    return Err(format!("revision {revision} is submitted twice"));
                }
            }
            (order::Event::OrderDrafted { .. }, Some(_)) => return Err("an order is drafted twice".to_owned()),
            _ => {}
        }
        Ok(None)
    }

    pub(super) fn approval_is_asked(&mut self, order: Uuid, revision: i32) {
        let said = self.order(order).handed_in.get(&revision).map(|of| of.said.clone());
        let levels = said.map(|said| self.levels(&said));
        if let Some(handed_in) = self.order(order).handed_in.get_mut(&revision) {
            handed_in.levels = levels;
        }
    }

    pub(super) fn level_is_asked(&mut self, order: Uuid, approver: Uuid, department_id: Uuid, is_top: bool) {
        self.order(order).asked = Some((approver, department(department_id), is_top));
    }

    /// Somebody decided, about the revision that they named.
    pub(super) fn is_decided(
        &mut self,
        order: Uuid,
        (by, on_behalf_of): (Uuid, Option<Uuid>),
        revision: i32,
        at: DateTime<Utc>,
        approves: bool,
    ) {
        let own = self.order(order).clone();
        let Some(said) = own.said.clone() else { return };
        let entitled = self.entitled(&own, by, revision, at);
        self.order(order).decided.push(Decided {
            revision,
            by,
            on_behalf_of,
            said,
            entitled,
            approves,
        });
    }

    fn entitled(&self, own: &OwnOrder, by: Uuid, revision: i32, at: DateTime<Utc>) -> Result<(), &'static str> {
        let Some(handed_in) = own.handed_in.get(&revision) else {
            return Err("that revision was never submitted");
        };
        if own.handed_in.keys().last() != Some(&revision) {
            return Err("there was a later revision");
        }
        let Some((named, department, is_top)) = own.asked else {
            return Err("nobody was asked");
        };
        let above = self.above(handed_in.said.department);
        if !self.may(by) {
            return Err("they were not active or not permitted");
        }
        let is_in_place = if is_top {
            self.top.contains(&named)
        } else {
            self.manager[department] == Some(named) && above.contains(&department)
        };
        if !self.may(named) || !is_in_place {
            return Err("who was asked did not manage the department any more, or might not approve");
        }
        let total = handed_in.said.total();
        let stands_in = self.delegated.values().any(|delegated| {
            (delegated.from, delegated.to) == (named, by)
                && (delegated.starts_at..delegated.ends_at).contains(&at)
                && delegated.department.is_none_or(|of| above.contains(&of))
                && delegated.total_max.is_none_or(|max| total <= max)
                && delegated
                    .currency
                    .as_ref()
                    .is_none_or(|of| *of == handed_in.said.currency)
        });
        if by == named || stands_in {
            Ok(())
        } else {
            Err("they were not asked, nor stood in for who was")
        }
    }

    /// Whether an order that is placed now is approved as it must be.
    fn judged(&self, id: Uuid) -> Result<Placed, String> {
        let own = self.orders.get(&id).ok_or("placed before it was drafted")?;
        let (Some(said), Some(drafted_by)) = (&own.said, own.drafted_by) else {
            return Err("placed before it was drafted".to_owned());
        };
        let Some((&revision, handed_in)) = own.handed_in.last_key_value() else {
            return Err("placed before it was submitted".to_owned());
        };
        let needed = handed_in.levels.ok_or("placed before approval was asked for")?;
        if !handed_in.said.covers(said) {
            return Err(format!(
                "placed with more than was submitted: {said:?} of {:?}",
                handed_in.said
            ));
        }
        let decided: Vec<&Decided> = own.decided.iter().filter(|of| of.revision == revision).collect();
        if decided.iter().any(|of| !of.approves) {
            return Err("placed although it was rejected".to_owned());
        }
        let mut people = BTreeSet::new();
        for of in &decided {
            if let Err(why) = of.entitled {
                return Err(format!("placed with the approval of {}, but {why}", of.by));
            }
            if of.by == drafted_by || of.by == handed_in.by {
                return Err(format!("placed with the approval of {}, who ordered", of.by));
            }
            if !of.said.covers(said) {
                return Err(format!("{} approved less than is placed: {:?}", of.by, of.said));
            }
            if ![Some(of.by), of.on_behalf_of]
                .into_iter()
                .flatten()
                .all(|one| people.insert(one))
            {
                return Err(format!("{} had to do with two levels", of.by));
            }
        }
        if decided.len() < needed {
            return Err(format!(
                "placed with {} approvals of the {needed} that are needed",
                decided.len()
            ));
        }
        Ok(Placed {
            levels: needed,
            revision,
            lessened: handed_in.said != *said,
        })
    }
}

fn department(id: Uuid) -> usize {
    DEPARTMENTS.iter().position(|&known| known == id).unwrap()
}
