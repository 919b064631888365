use serde_json::json;

use super::*;
use domain::Facts;
use domain::register::{Change, Command, Refusal, Register};
use domain::text::Unfit;
use rehearsal::given::{TENANT, given};

type Policies = Register<DevicePolicy>;

fn policy(dedup_window_minutes: i32, retention_days: i32) -> DevicePolicy {
    DevicePolicy {
        dedup_window_minutes,
        retention_days,
        ..DevicePolicy::default()
    }
}

#[test]
fn a_tenant_has_one_device_policy_under_one_id() {
    let id = DevicePolicy::stream(TENANT);
    given::<Policies>([])
        .on(id)
        .when(Command::Enter(policy(60, 30)))
        .then([Change::Entered(policy(60, 30))]);
    given::<Policies>([])
        .when(Command::Enter(policy(60, 30)))
        .refused(Refusal::OnePerTenant {
            noun: "device policy",
            id,
        });
}

#[test]
fn windows_days_and_leases_have_limits() {
    let refused = |policy: DevicePolicy, field, value, max: i32| {
        given::<Policies>([])
            .on(DevicePolicy::stream(TENANT))
            .when(Command::Enter(policy))
            .refused(Refusal::Unfit {
                field,
                unfit: Unfit::Range {
                    value,
                    min: 1,
                    max: max.into(),
                },
            });
    };
    refused(policy(0, 90), "dedup_window_minutes", 0, DEDUP_WINDOW_MINUTES_MAX);
    refused(
        policy(43_201, 90),
        "dedup_window_minutes",
        43_201,
        DEDUP_WINDOW_MINUTES_MAX,
    );
    refused(policy(1, 0), "retention_days", 0, RETENTION_DAYS_MAX);
    refused(policy(1, 3_651), "retention_days", 3_651, RETENTION_DAYS_MAX);
    let lease = |lease_minutes| DevicePolicy {
        lease_minutes,
        ..DevicePolicy::default()
    };
    refused(lease(0), "lease_minutes", 0, LEASE_MINUTES_MAX);
    refused(lease(1_441), "lease_minutes", 1_441, LEASE_MINUTES_MAX);
}

#[test]
fn without_a_policy_a_day_ninety_days_and_half_an_hour_hold() {
    let default = policy(1_440, 90);
    assert_eq!(default.lease(), TimeDelta::minutes(30));
    assert_eq!(*DevicePolicy::in_force(TENANT, &Facts::default()), default);
    assert_eq!(serde_json::from_value::<DevicePolicy>(json!({})).unwrap(), default);
    let struck = Facts::default().with(DevicePolicy::stream(TENANT), Register::Struck(policy(5, 5)));
    assert_eq!(*DevicePolicy::in_force(TENANT, &struck), default);
}
