//! A tenant's policy for the requests of its devices: how long a repeat is recognised by its
//! payload, how long somebody has a request to themselves, and how long a closed one stays in the tables. One policy per
//! tenant; feeds `device_policies`.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::faults::Faults;
use domain::register::{Entry, OnePerTenant, Register};
use domain::text::{self, Unfit};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<DevicePolicy>>("device-policies");

/// Minutes within which a request without a key repeats an equal one: up to thirty days.
pub const DEDUP_WINDOW_MINUTES_MAX: i32 = 43_200;
const DEDUP_WINDOW_MINUTES_DEFAULT: i32 = 1_440;
/// Days that a closed request stays in the tables: up to ten years.
pub const RETENTION_DAYS_MAX: i32 = 3_650;
const RETENTION_DAYS_DEFAULT: i32 = 90;
/// Minutes that whoever begins a request has it to themselves: up to a day.
pub const LEASE_MINUTES_MAX: i32 = 1_440;
const LEASE_MINUTES_DEFAULT: i32 = 30;

/// The policy as it is entered, under the one id that the tenant's policy has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePolicy {
    /// Minutes, from the first receipt on, within which a request without a key is taken for a repeat of an
    /// equal one of the same device and type: 1 to 43,200; 1,440 when absent. A change holds for what is
    /// received from then on: across it, repeats are not recognised.
    #[serde(default = "dedup_window_minutes")]
    #[schemars(range(min = 1, max = DEDUP_WINDOW_MINUTES_MAX))]
    pub dedup_window_minutes: i32,
    /// Days after which a request that is completed or failed is archived: 1 to 3,650; 90 when absent.
    #[serde(default = "retention_days")]
    #[schemars(range(min = 1, max = RETENTION_DAYS_MAX))]
    pub retention_days: i32,
    /// Minutes for which whoever begins a request has it to themselves, from each `begin` on: 1 to 1,440; 30 when
    /// absent.
    #[serde(default = "lease_minutes", skip_serializing_if = "is_usual_lease")]
    #[schemars(range(min = 1, max = LEASE_MINUTES_MAX))]
    pub lease_minutes: i32,
}

fn dedup_window_minutes() -> i32 {
    DEDUP_WINDOW_MINUTES_DEFAULT
}

fn retention_days() -> i32 {
    RETENTION_DAYS_DEFAULT
}

fn lease_minutes() -> i32 {
    LEASE_MINUTES_DEFAULT
}

/// What was entered before there were leases says nothing of them.
fn is_usual_lease(minutes: &i32) -> bool {
    *minutes == LEASE_MINUTES_DEFAULT
}

/// The policy that holds while none is entered, or the entered one is struck.
impl Default for DevicePolicy {
    fn default() -> Self {
        Self {
            dedup_window_minutes: DEDUP_WINDOW_MINUTES_DEFAULT,
            retention_days: RETENTION_DAYS_DEFAULT,
            lease_minutes: LEASE_MINUTES_DEFAULT,
        }
    }
}

impl DevicePolicy {
    /// How long a closed request stays in the tables.
    #[must_use]
    pub fn retention(&self) -> TimeDelta {
        TimeDelta::days(self.retention_days.into())
    }

    /// How long somebody has a request to themselves.
    #[must_use]
    pub fn lease(&self) -> TimeDelta {
        TimeDelta::minutes(self.lease_minutes.into())
    }
}

impl OnePerTenant for DevicePolicy {}

impl Entry for DevicePolicy {
    const TYPE: &'static str = "cloudwatcher.device-policy";
    const NOUN: &'static str = "device policy";
    const ENTERED: &'static str = "DevicePolicyEntered";
    const AMENDED: &'static str = "DevicePolicyAmended";
    const STRUCK: &'static str = "DevicePolicyStruck";
    const ONE_PER_TENANT: bool = true;

    fn check(&self) -> Faults<Unfit> {
        let dedup_window_minutes = text::within(self.dedup_window_minutes, 1, DEDUP_WINDOW_MINUTES_MAX);
        Faults::default()
            .at("dedup_window_minutes", dedup_window_minutes)
            .at(
                "retention_days",
                text::within(self.retention_days, 1, RETENTION_DAYS_MAX),
            )
            .at("lease_minutes", text::within(self.lease_minutes, 1, LEASE_MINUTES_MAX))
    }
}

#[cfg(test)]
mod tests;
