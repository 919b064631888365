//! A tenant's policy for the requests of its devices: how long a repeat is recognised by its
//! payload, how long somebody has a request to themselves, and how long a closed one stays in the tables. One policy per
//! tenant; feeds `device_policies`.

use chrono::TimeDelta;

use domain::entry;
use domain::register::OnePerTenant;

/// Minutes within which a request without a key repeats an equal one: up to thirty days.
pub const DEDUP_WINDOW_MINUTES_MAX: i32 = 43_200;
const DEDUP_WINDOW_MINUTES_DEFAULT: i32 = 1_440;
/// Days that a closed request stays in the tables: up to ten years.
pub const RETENTION_DAYS_MAX: i32 = 3_650;
const RETENTION_DAYS_DEFAULT: i32 = 90;
/// Minutes that whoever begins a request has it to themselves: up to a day.
pub const LEASE_MINUTES_MAX: i32 = 1_440;
const LEASE_MINUTES_DEFAULT: i32 = 30;

entry! {
    /// How requests of devices are dealt with. A tenant has one policy; while it has none in use, repeats are recognised
    /// for a day, whoever begins a request has it for half an hour, and closed ones stay for 90 days.
    DevicePolicy = cloudwatcher.device_policies
    kind { "cloudwatcher.device-policy", "device policy", "device-policies" }
    key { id: uuid }
    fields {
        /// Minutes, from the first receipt on, within which a request without a key is taken for a repeat of an
        /// equal one of the same device and type; 1,440 when absent. A change holds for what is received from then on:
        /// across it, repeats are not recognised.
        #[serde(default = "dedup_window_minutes")]
        dedup_window_minutes: i32 = whole(1, DEDUP_WINDOW_MINUTES_MAX as i64),
        /// Days after which a request that is completed or failed is archived; 90 when absent.
        #[serde(default = "retention_days")]
        retention_days: i32 = whole(1, RETENTION_DAYS_MAX as i64),
        /// Minutes for which whoever begins a request has it to themselves, from each `begin` on; 30 when absent.
        #[serde(default = "lease_minutes", skip_serializing_if = "is_usual_lease")]
        lease_minutes: i32 = whole(1, LEASE_MINUTES_MAX as i64),
    }
    in_use { is_active }
    consts {
        const ONE_PER_TENANT: bool = true;
    }
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

#[cfg(test)]
mod tests;
