//! How many levels of approval an order needs, by its currency, its total and its department: one
//! policy per tenant. Feeds no table of the documents; document 001_eec75370b5eea864 asks to "route
//! approvals by order amount".

use std::borrow::Cow;
use std::collections::BTreeSet;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::currency;
use domain::faults::Faults;
use domain::register::{Entry, EntryId, OnePerTenant, Register};
use domain::text::{self, Unfit};
use domain::{FactRef, Facts, money};
use identity::department::Department;
use identity::user::User;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<ApprovalPolicy>>("approval-policies");

/// Levels of approval that an order can need.
pub const LEVELS_MAX: i32 = 5;
/// Departments that one policy names.
pub const DEPARTMENTS_MAX: usize = 200;
/// Persons who decide where the tree of departments ends.
pub const TOP_DECIDERS_MAX: usize = 10;
/// Hours that an approver has before the next manager is asked: from one hour to thirty days.
pub const DEADLINE_HOURS_MIN: i32 = 1;
pub const DEADLINE_HOURS_MAX: i32 = 720;
const DEADLINE_HOURS_DEFAULT: i32 = 48;

/// A threshold stays below this: no order's 500 lines can reach more than half of it.
const THRESHOLD_BELOW: Decimal = Decimal::from_parts(1_316_134_912, 2_328, 0, false, 0);

/// The policy as it is entered, under the one id that the tenant's policy has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// The currencies in which orders can be submitted, each once; one at least.
    #[schemars(length(min = 1))]
    pub currencies: Vec<CurrencyThresholds>,
    /// Departments whose orders need more levels than their total asks for, each once. At most 200.
    #[serde(default)]
    #[schemars(length(max = DEPARTMENTS_MAX))]
    pub departments: Vec<DepartmentLevels>,
    /// Who decides where the tree of departments ends: active users, each once, asked in this order for levels that no
    /// manager is left for. Whoever drafted or submitted the order, or lacks `orders.approve`, is passed over. At
    /// most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TOP_DECIDERS_MAX))]
    pub top_deciders: Vec<Uuid>,
    /// Hours that an approver has to decide before the next manager above is asked: 1 to 720; 48 when absent.
    #[serde(default = "deadline_hours")]
    #[schemars(range(min = DEADLINE_HOURS_MIN, max = DEADLINE_HOURS_MAX))]
    pub deadline_hours: i32,
}

/// From which totals on an order in this currency needs one, two, ... levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencyThresholds {
    /// An ISO 4217 code in capitals, such as `EUR`.
    #[schemars(length(equal = 3))]
    pub currency: String,
    /// 1 to 5 totals in this currency, each higher than the one before, with no more decimals than the
    /// currency has, two at most. The
    /// first is the total from which one level is needed, the second that for two levels, and so on;
    /// an order below the first needs none.
    #[schemars(length(min = 1, max = LEVELS_MAX))]
    pub thresholds: Vec<Threshold>,
}

/// The least number of levels for orders of a department and of those below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DepartmentLevels {
    /// A department in use.
    pub department_id: Uuid,
    /// Levels that its orders need at least: 1 to 5.
    #[schemars(range(min = 1, max = LEVELS_MAX))]
    pub levels_min: i32,
}

/// A total from which on a level is needed.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Threshold(pub Decimal);

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        money::amount(deserializer).map(Self)
    }
}

impl JsonSchema for Threshold {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "pattern": r"^\d{1,13}(\.\d{1,2})?$",
            "minimum": 0,
            "exclusiveMaximum": 10_000_000_000_000_i64,
        })
    }
}

fn deadline_hours() -> i32 {
    DEADLINE_HOURS_DEFAULT
}

/// The policy that holds while none is entered, or the entered one is struck.
impl Default for ApprovalPolicy {
    fn default() -> Self {
        let thresholds = [0, 1_000, 10_000].map(|units| Threshold(money::cents(Decimal::from(units))));
        let in_currency = |code: &str| CurrencyThresholds {
            currency: code.to_owned(),
            thresholds: thresholds.to_vec(),
        };
        Self {
            currencies: vec![in_currency("USD"), in_currency("EUR")],
            departments: Vec::new(),
            top_deciders: Vec::new(),
            deadline_hours: DEADLINE_HOURS_DEFAULT,
        }
    }
}

impl ApprovalPolicy {
    /// Levels that an order of this total needs, when its department lies below (or is) those in `above`;
    /// `None` when the policy knows nothing of the currency.
    #[must_use]
    pub fn levels(&self, currency: &str, total: Decimal, above: &[Uuid]) -> Option<i32> {
        let of_currency = self.currencies.iter().find(|known| known.currency == currency)?;
        let by_total = of_currency
            .thresholds
            .iter()
            .zip(1..)
            .take_while(|(threshold, _)| total >= threshold.0)
            .map(|(_, level)| level)
            .last()
            .unwrap_or(0);
        let by_department = self
            .departments
            .iter()
            .filter(|known| above.contains(&known.department_id))
            .map(|known| known.levels_min);
        Some(by_department.fold(by_total, i32::max))
    }
}

impl OnePerTenant for ApprovalPolicy {}

impl Entry for ApprovalPolicy {
    const TYPE: &'static str = "cloudwatcher.approval-policy";
    const NOUN: &'static str = "approval policy";
    const ENTERED: &'static str = "ApprovalPolicyEntered";
    const AMENDED: &'static str = "ApprovalPolicyAmended";
    const STRUCK: &'static str = "ApprovalPolicyStruck";
    const ONE_PER_TENANT: bool = true;

    fn check(&self) -> Faults<Unfit> {
        let deadline_hours = text::within(self.deadline_hours, DEADLINE_HOURS_MIN, DEADLINE_HOURS_MAX);
        Faults::default()
            .at("currencies", check_currencies(&self.currencies))
            .at("departments", check_departments(&self.departments))
            .at("top_deciders", check_top(&self.top_deciders))
            .at("deadline_hours", deadline_hours)
    }

    fn reads(&self, _entry: EntryId, _facts: &Facts) -> Vec<FactRef> {
        let departments = self.departments.iter().take(DEPARTMENTS_MAX);
        let people = self.top_deciders.iter().take(TOP_DECIDERS_MAX);
        departments
            .map(|of| FactRef::of::<Register<Department>>(of.department_id))
            .chain(people.map(|&id| FactRef::of::<User>(id)))
            .collect()
    }

    fn judge(&self, _entry: EntryId, facts: &Facts) -> Faults<String> {
        let is_in_use = |id: Uuid| Register::<Department>::active_in(id, facts).is_some();
        let is_active = |id: Uuid| facts.get::<User>(id).is_some_and(User::is_active);
        let mut departments = self.departments.iter().map(|of| of.department_id);
        let department = departments
            .find(|id| !is_in_use(*id))
            .map(|id| format!("departments names {id}, which is no department in use; enter it or leave it out"));
        let person = self
            .top_deciders
            .iter()
            .find(|id| !is_active(**id))
            .map(|id| format!("top_deciders names {id}, who is no active user; choose another or leave them out"));
        Faults::default()
            .at("departments", department.map_or(Ok(()), Err))
            .at("top_deciders", person.map_or(Ok(()), Err))
    }
}

fn check_currencies(currencies: &[CurrencyThresholds]) -> Result<(), Unfit> {
    if currencies.is_empty() {
        return Err(Unfit::Empty);
    }
    let mut seen = BTreeSet::new();
    for CurrencyThresholds { currency, thresholds } in currencies {
        currency::check(currency).map_err(|unfit| Unfit::Inside(format!("names a currency that {unfit}")))?;
        if !seen.insert(currency) {
            return Err(Unfit::Form("names a currency twice; list each one once"));
        }
        check_thresholds(currency, thresholds)?;
    }
    Ok(())
}

fn check_thresholds(currency: &str, thresholds: &[Threshold]) -> Result<(), Unfit> {
    if thresholds.is_empty() || thresholds.len() > LEVELS_MAX as usize {
        return Err(Unfit::Form(
            "has a currency without thresholds or with more than 5; list 1 to 5",
        ));
    }
    for Threshold(total) in thresholds {
        if total.is_sign_negative() && !total.is_zero() {
            return Err(Unfit::Negative);
        }
        if total.normalize().scale() > money::CENTS_DECIMALS || *total >= THRESHOLD_BELOW {
            return Err(Unfit::Amount {
                decimals: money::CENTS_DECIMALS,
                below: THRESHOLD_BELOW,
            });
        }
        currency::divides(currency, *total).map_err(|unfit| Unfit::Inside(format!("has a threshold that {unfit}")))?;
    }
    if thresholds.windows(2).all(|pair| pair[0] < pair[1]) {
        Ok(())
    } else {
        Err(Unfit::Form(
            "has thresholds that do not ascend; each must be higher than the one before",
        ))
    }
}

fn check_departments(departments: &[DepartmentLevels]) -> Result<(), Unfit> {
    if departments.len() > DEPARTMENTS_MAX {
        return Err(Unfit::Form(
            "names more than 200 departments; name those above them instead",
        ));
    }
    let mut seen = BTreeSet::new();
    for of in departments {
        text::within(of.levels_min, 1, LEVELS_MAX)?;
        if !seen.insert(of.department_id) {
            return Err(Unfit::Form("names a department twice; list each one once"));
        }
    }
    Ok(())
}

fn check_top(people: &[Uuid]) -> Result<(), Unfit> {
    if people.len() > TOP_DECIDERS_MAX {
        return Err(Unfit::Form("names more than 10 persons; leave some out"));
    }
    let seen: BTreeSet<&Uuid> = people.iter().collect();
    if seen.len() < people.len() {
        return Err(Unfit::Form("names a person twice; list each one once"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
