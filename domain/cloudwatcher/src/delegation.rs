//! Who decides on approvals in whose place, from when to when: dated, limited in scope and never passed on.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use super::currency;
use domain::register::Register;
use domain::text::Unfit;
use domain::{Asker, Asking, Class, Decider, FactRef, Refuse, Request, money, stored_by_variant, text};
use identity::department::Department;
use identity::user::User;

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Delegations>("delegations");

/// Days that one delegation lasts at most.
pub const DAYS_MAX: i64 = 90;
/// Delegations of one person that have not ended.
pub const DELEGATIONS_MAX: usize = 20;
/// Departments that one delegation names.
pub const DEPARTMENTS_MAX: usize = 50;

/// The delegations of one person. The stream's id is that person's user id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Delegations {
    /// Delegation id to delegation; those that had ended when the newest was granted are forgotten.
    granted: BTreeMap<Uuid, Delegation>,
}

/// One delegation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delegation {
    pub to: Uuid,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    /// The departments, each with all below it; empty means all.
    pub department_ids: Vec<Uuid>,
    /// The highest total that the delegate decides on.
    pub total_max: Option<Decimal>,
    /// The currency of that total: of an order in another one the delegate decides nothing. Absent in what was granted
    /// before limits had one: those hold in whatever currency an order is.
    #[serde(default)]
    pub currency: Option<String>,
    pub revoked: bool,
}

impl Delegation {
    fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.revoked || self.ends_at <= at
    }

    /// Whether it lets `to` decide at this time on an order of this total, whose department lies below
    /// (or is) those in `above`. It holds from its start until just before its end.
    fn covers(&self, to: Uuid, at: DateTime<Utc>, above: &[Uuid], (total, currency): (Decimal, &str)) -> bool {
        let of_department = self.department_ids.is_empty() || self.department_ids.iter().any(|id| above.contains(id));
        self.to == to
            && !self.has_ended(at)
            && self.starts_at <= at
            && of_department
            && self.total_max.is_none_or(|max| total <= max)
            && self.currency.as_deref().is_none_or(|own| own == currency)
    }
}

impl Delegations {
    /// Whether `to` may decide in this person's place; the arguments are those of one order, with the currency of its
    /// total.
    #[must_use]
    pub fn cover(&self, to: Uuid, at: DateTime<Utc>, above: &[Uuid], total: (Decimal, &str)) -> bool {
        self.granted
            .values()
            .any(|delegation| delegation.covers(to, at, above, total))
    }

    fn takes_one_more(&self, at: DateTime<Utc>) -> Result<(), Refusal> {
        let open = self.granted.values().filter(|granted| !granted.has_ended(at));
        if open.count() < DELEGATIONS_MAX {
            Ok(())
        } else {
            Err(Refusal::TooMany)
        }
    }
}

/// What can be asked of one's own delegations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Lets somebody else approve and reject in your place, under your own user id as the stream. Only
    /// you can do so; the other cannot pass it on and decides nothing that they drafted or submitted.
    Grant {
        /// Another active user. They need the permission `orders.approve` when they decide.
        to: Uuid,
        /// From when on; now when absent or past.
        #[serde(default)]
        starts_at: Option<DateTime<Utc>>,
        /// Until when: later than the start, in the future, at most 90 days after the start.
        ends_at: DateTime<Utc>,
        /// For which departments in use, each with all below it; all when absent. At most 50.
        #[serde(default)]
        #[schemars(length(max = DEPARTMENTS_MAX))]
        department_ids: Vec<Uuid>,
        /// Only for orders of at most this total: from 0 to 99,999,999.99 with as many decimals as the currency has,
        /// two at most; a string keeps it exact. No limit when absent.
        #[serde(default, deserialize_with = "money::optional_amount")]
        #[schemars(schema_with = "money::optional_price_schema")]
        total_max: Option<Decimal>,
        /// Only for orders in this currency, an ISO 4217 code in capitals, such as `EUR`; needed with `total_max`.
        #[serde(default)]
        #[schemars(length(equal = 3))]
        currency: Option<String>,
    },
    /// Ends a delegation at once; nothing happens when it has ended already.
    Revoke {
        /// The delegation, as `DelegationGranted` names it.
        delegation_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    DelegationGranted {
        delegation_id: Uuid,
        to: Uuid,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
        /// Empty means all departments.
        department_ids: Vec<Uuid>,
        #[serde(default)]
        total_max: Option<Decimal>,
        /// Absent where there is no limit, and in what was granted before limits had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<String>,
        granted_at: DateTime<Utc>,
    },
    DelegationRevoked {
        delegation_id: Uuid,
        revoked_at: DateTime<Utc>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a delegation is not granted or revoked.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("only the person themself delegates their approvals; use your own user id as the stream")]
    NotOneself,
    #[error("to names yourself; choose somebody else")]
    ToOneself,
    #[error("to names no active user; choose another")]
    NotActive,
    #[error("ends_at must lie in the future, after starts_at and at most {DAYS_MAX} days after it")]
    BadPeriod,
    #[error("{field} names no department in use; enter it or leave it out")]
    NoDepartment { field: String },
    #[error("{field} repeats an earlier department; list each one once")]
    Repeated { field: String },
    #[error("a delegation names at most {DEPARTMENTS_MAX} departments; name those above them instead")]
    TooManyDepartments,
    #[error("a person has at most {DELEGATIONS_MAX} delegations that have not ended; revoke one first")]
    TooMany,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
    #[error("delegation_id names no delegation of yours that has not ended; look at approval_delegations")]
    NoSuchDelegation,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NotOneself => Class::Forbidden,
            Self::ToOneself
            | Self::NotActive
            | Self::BadPeriod
            | Self::NoDepartment { .. }
            | Self::Repeated { .. }
            | Self::TooManyDepartments
            | Self::TooMany
            | Self::Unfit { .. }
            | Self::NoSuchDelegation => Class::Refused,
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
            Self::NotOneself | Self::TooMany => None,
            Self::ToOneself | Self::NotActive => Some("to".to_owned()),
            Self::BadPeriod => Some("ends_at".to_owned()),
            Self::NoDepartment { field } | Self::Repeated { field } => Some(field.clone()),
            Self::TooManyDepartments => Some("department_ids".to_owned()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
            Self::NoSuchDelegation => Some("delegation_id".to_owned()),
        }
    }
}

impl Decider for Delegations {
    const TYPE: &'static str = "cloudwatcher.delegation";
    const CREATES: &'static str = "grant";
    const BORROWS_ID: bool = true;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        oneself(request.by, request.stream)?;
        match request.command {
            Command::Grant {
                to,
                starts_at,
                ends_at,
                department_ids,
                total_max,
                currency,
            } => {
                let starts_at = starts_at.map_or(request.at, |starts_at| starts_at.max(request.at));
                check_to(*to, request)?;
                check_period(starts_at, *ends_at)?;
                check_departments(department_ids, request)?;
                check_limit(*total_max, currency.as_deref())?;
                self.takes_one_more(request.at)?;
                Ok(vec![Event::DelegationGranted {
                    delegation_id: request.ids.draw(),
                    to: *to,
                    starts_at,
                    ends_at: *ends_at,
                    department_ids: department_ids.clone(),
                    total_max: total_max.map(money::cents),
                    currency: currency.clone(),
                    granted_at: request.at,
                }])
            }
            Command::Revoke { delegation_id } => match self.granted.get(delegation_id) {
                Some(delegation) if delegation.has_ended(request.at) => Ok(Vec::new()),
                Some(_) => Ok(vec![Event::DelegationRevoked {
                    delegation_id: *delegation_id,
                    revoked_at: request.at,
                }]),
                None => Err(Refusal::NoSuchDelegation),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::DelegationGranted {
                delegation_id,
                to,
                starts_at,
                ends_at,
                department_ids,
                total_max,
                currency,
                granted_at,
            } => {
                self.granted.retain(|_, delegation| !delegation.has_ended(*granted_at));
                self.granted.insert(
                    *delegation_id,
                    Delegation {
                        to: *to,
                        starts_at: *starts_at,
                        ends_at: *ends_at,
                        department_ids: department_ids.clone(),
                        total_max: *total_max,
                        currency: currency.clone(),
                        revoked: false,
                    },
                );
            }
            Event::DelegationRevoked { delegation_id, .. } => {
                if let Some(delegation) = self.granted.get_mut(delegation_id) {
                    delegation.revoked = true;
                }
            }
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Grant { to, department_ids, .. } => {
                let departments = department_ids.iter().take(DEPARTMENTS_MAX);
                std::iter::once(FactRef::of::<User>(*to))
                    .chain(departments.map(|&id| FactRef::of::<Register<Department>>(id)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        oneself(asker.by, stream)?;
        match command {
            "grant" => self.takes_one_more(asker.at),
            "revoke" if self.granted.is_empty() => Err(Refusal::NoSuchDelegation),
            _ => Ok(()),
        }
    }
}

fn oneself(by: Uuid, stream: Uuid) -> Result<(), Refusal> {
    if by == stream { Ok(()) } else { Err(Refusal::NotOneself) }
}

fn check_to(to: Uuid, request: &Request<'_, Command>) -> Result<(), Refusal> {
    if to == request.by {
        return Err(Refusal::ToOneself);
    }
    match request.facts.get::<User>(to) {
        Some(user) if user.is_active() => Ok(()),
        Some(_) | None => Err(Refusal::NotActive),
    }
}

/// The start is now or later, so an end after it lies in the future.
fn check_period(starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> Result<(), Refusal> {
    let lasts = ends_at - starts_at;
    if lasts > TimeDelta::zero() && lasts <= TimeDelta::days(DAYS_MAX) {
        Ok(())
    } else {
        Err(Refusal::BadPeriod)
    }
}

/// Whether there can be such a limit.
fn check_limit(total_max: Option<Decimal>, currency: Option<&str>) -> Result<(), Refusal> {
    let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
    currency.map_or(Ok(()), currency::check).map_err(unfit("currency"))?;
    currency::named(currency, total_max).map_err(unfit("currency"))?;
    total_max.map_or(Ok(()), text::price).map_err(unfit("total_max"))?;
    currency::divides_named(currency, total_max).map_err(unfit("total_max"))
}

fn check_departments(department_ids: &[Uuid], request: &Request<'_, Command>) -> Result<(), Refusal> {
    if department_ids.len() > DEPARTMENTS_MAX {
        return Err(Refusal::TooManyDepartments);
    }
    for (index, id) in department_ids.iter().enumerate() {
        let field = format!("department_ids[{index}]");
        if department_ids[..index].contains(id) {
            return Err(Refusal::Repeated { field });
        }
        if Register::<Department>::active_in(*id, request.facts).is_none() {
            return Err(Refusal::NoDepartment { field });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
