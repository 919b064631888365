use std::collections::BTreeMap;

use super::*;
use crate::conditions::{Field, Op};
use dod_formats::Severity;
use domain::{Facts, Sealed};
use identity::user;
use rehearsal::given::{Given, TENANT, drawn, given, long, state};

const POLICY: Uuid = Uuid::from_u128(0xe1);
const OTHER: Uuid = Uuid::from_u128(0xe2);
const BEN: Uuid = Uuid::from_u128(0xbe);

fn policies(events: impl IntoIterator<Item = Event>) -> Given<EscalationPolicies> {
    let registered = user::Event::UserRegistered {
        email: Sealed::Open("ben@example.com".to_owned()),
        name: Sealed::Open("Ben".to_owned()),
        oauth_provider: None,
        oauth_id: None,
    };
    given::<EscalationPolicies>(events)
        .on(EscalationPolicies::only_stream(TENANT))
        .with_facts(Facts::default().with(BEN, state::<User>([registered])))
}

fn tell(after_minutes: i32, receiver_im: &str) -> EscalationStep {
    EscalationStep {
        after_minutes,
        receiver_im: Some(receiver_im.to_owned()),
        assign_to: None,
    }
}

fn assign(after_minutes: i32, user_id: Uuid) -> EscalationStep {
    EscalationStep {
        after_minutes,
        receiver_im: None,
        assign_to: Some(user_id),
    }
}

fn set(policy_id: impl Into<Option<Uuid>>, priority: i32, steps: Vec<EscalationStep>) -> Command {
    Command::SetPolicy {
        policy_id: policy_id.into(),
        name: "Nights".to_owned(),
        when: vec![Condition::new(Field::Severity, Op::Equal, "critical")],
        priority,
        steps,
    }
}

fn was_set(policy_id: Uuid, priority: i32, steps: Vec<EscalationStep>) -> Event {
    let Command::SetPolicy { name, when, .. } = set(policy_id, priority, Vec::new()) else {
        panic!("it sets");
    };
    Event::EscalationPolicySet {
        policy_id,
        name,
        when,
        priority,
        steps,
    }
}

#[test]
fn a_policy_gets_an_id_and_is_replaced_and_dropped_by_it() {
    let steps = || vec![tell(5, "ops"), assign(15, BEN)];
    let before = || was_set(POLICY, 0, steps());
    policies([])
        .when(set(None, 0, steps()))
        .then([was_set(drawn(0), 0, steps())]);
    policies([])
        .when(set(POLICY, 0, steps()))
        .refused(Refusal::NoSuchPolicy);
    policies([before()]).when(set(POLICY, 0, steps())).then([]);
    let fewer = || vec![tell(5, "ops")];
    policies([before()])
        .when(set(POLICY, 7, fewer()))
        .then([was_set(POLICY, 7, fewer())]);
    let dropped = || Event::EscalationPolicyDropped { policy_id: POLICY };
    let drop = || Command::DropPolicy { policy_id: POLICY };
    policies([before()]).when(drop()).then([dropped()]);
    policies([before(), dropped()])
        .when(drop())
        .refused(Refusal::NoSuchPolicy);
}

#[test]
fn steps_do_something_one_after_the_other_within_a_week() {
    let refused = |steps: Vec<EscalationStep>| policies([]).when(set(None, 0, steps)).outcome().unwrap_err();
    assert_eq!(refused(Vec::new()), Refusal::StepCount);
    let many = (1..=11).map(|minutes| tell(minutes, "ops")).collect();
    assert_eq!(refused(many), Refusal::StepCount);
    let twice = vec![tell(5, "ops"), tell(5, "boss")];
    assert_eq!(refused(twice), Refusal::StepOrder { place: 1 });
    let idle = EscalationStep {
        receiver_im: None,
        ..tell(6, "")
    };
    assert_eq!(refused(vec![tell(5, "ops"), idle]), Refusal::IdleStep { place: 1 });
    assert_eq!(refused(vec![assign(5, OTHER)]), Refusal::NoPerson { place: 0 });
    for minutes in [0, AFTER_MINUTES_MAX + 1] {
        let field = refused(vec![tell(minutes, "ops")]).field();
        assert_eq!(field.as_deref(), Some("steps[0].after_minutes"));
    }
    let field = refused(vec![tell(5, &long(RECEIVER_IM_CHARS_MAX + 1))]).field();
    assert_eq!(field.as_deref(), Some("steps[0].receiver_im"));
    let all = (1..=10).map(|n| tell(n * 1_008, "ops")).collect();
    assert!(policies([]).when(set(None, 0, all)).outcome().is_ok());
}

#[test]
fn a_tenant_has_a_hundred_policies_at_most() {
    let ids = (0..100).map(|n| Uuid::from_u128(0x1000 + n));
    let full = || ids.clone().map(|id| was_set(id, 0, vec![tell(5, "ops")]));
    policies(full())
        .when(set(None, 0, vec![tell(5, "ops")]))
        .refused(Refusal::TooManyPolicies);
    let first = Uuid::from_u128(0x1000);
    assert!(
        policies(full())
            .when(set(first, 1, vec![tell(5, "ops")]))
            .outcome()
            .is_ok()
    );
}

#[test]
fn the_first_by_priority_and_then_by_age_is_asked_first() {
    let labels = BTreeMap::new();
    let subject = |severity| Subject {
        source: "Prometheus",
        source_id: POLICY,
        alert_type: "DiskFull",
        severity,
        title: "Disk is full",
        description: None,
        labels: &labels,
    };
    let steps = || vec![tell(5, "ops")];
    let both = [was_set(POLICY, 0, steps()), was_set(OTHER, 0, steps())];
    let found = |policies: &EscalationPolicies, severity| {
        let policy = policies.policy_for(&subject(severity));
        policy.map(|policy| policy.policy_id)
    };
    let now: EscalationPolicies = state(both.clone());
    assert_eq!(found(&now, Severity::Critical), Some(POLICY));
    assert_eq!(found(&now, Severity::Low), None);
    let now: EscalationPolicies = state(both.into_iter().chain([was_set(OTHER, 1, steps())]));
    assert_eq!(found(&now, Severity::Critical), Some(OTHER));
}

#[test]
fn another_stream_is_refused() {
    let id = EscalationPolicies::only_stream(TENANT);
    given::<EscalationPolicies>([])
        .when(Command::DropPolicy { policy_id: POLICY })
        .refused(Refusal::OnePerTenant { id });
}
