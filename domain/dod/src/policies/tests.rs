//! What each event leads to.

mod alerts;
mod intake;
mod members;
mod messages;

use chrono::{DateTime, TimeDelta, Utc};
use dod_formats::{Observation, Severity, Signal as Said};
use domain::fact::AnyState;
use domain::{AnyEvent, Decider, Metadata, Policy, Reaction, Recorded, Seen, Sending};
use rehearsal::given::state;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

use crate::alert::Brief;

/// The stream of the event that is reacted to.
const STREAM: Uuid = Uuid::from_u128(0x5);
const SOURCE: Uuid = Uuid::from_u128(0x50);
/// 2026-03-01T12:00:00Z.
const NOON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_366_400_000_000_000);

/// What a policy does about the last of these events of one stream.
#[track_caller]
fn react<D: Decider>(policy: &dyn Policy, events: impl IntoIterator<Item = D::Event>) -> Vec<Reaction> {
    let mut events: Vec<D::Event> = events.into_iter().collect();
    let after = state::<D>(events.iter().cloned());
    let sequence = i64::try_from(events.len()).unwrap();
    let recorded = Recorded {
        position: sequence,
        event_id: STREAM,
        tenant_id: STREAM,
        aggregate_type: D::TYPE.to_owned(),
        stream: STREAM,
        sequence,
        event_type: String::new(),
        event_version: String::new(),
        metadata: Metadata::default(),
        at: NOON,
        recorded_at: NOON,
        event: AnyEvent::new::<D>(events.pop().unwrap()),
    };
    assert!(policy.reads().contains(&D::TYPE));
    let state: Option<AnyState> = policy.wants_state(&recorded).then(|| Arc::new(after) as AnyState);
    policy.react(&Seen::new(&recorded, state))
}

fn send<D: Decider>(stream: Uuid, command: D::Command) -> Reaction {
    Reaction::send(vec![Sending::of::<D>(stream, command)])
}

fn observation() -> Observation {
    Observation {
        event_id: "1".to_owned(),
        dedup_key: "disk".to_owned(),
        signal: Said::Firing,
        severity: Severity::High,
        original_severity: Some("page".to_owned()),
        is_severity_presumed: false,
        alert_type: "DiskFull".to_owned(),
        title: "Disk is full".to_owned(),
        description: Some("/var".to_owned()),
        labels: BTreeMap::from([("env".to_owned(), "test".to_owned())]),
        starts_at: Some(NOON),
        ends_at: None,
        said_at: None,
        links: Vec::new(),
        is_heartbeat: false,
        raw: None,
    }
}

fn brief() -> Brief {
    let observation = observation();
    Brief {
        source: "Prometheus".to_owned(),
        alert_type: observation.alert_type,
        severity: observation.severity,
        title: observation.title,
        description: observation.description,
        labels: observation.labels,
        receiver_im: Some("ops".to_owned()),
        is_flapping: false,
        received_at: NOON,
        body_until: Some(NOON + TimeDelta::days(30)),
    }
}

#[test]
fn every_policy_is_one_of_the_context_under_a_name_of_its_own() {
    let names: Vec<_> = crate::CONTEXT.policies.iter().map(|policy| policy.name()).collect();
    assert_eq!(
        names,
        [
            "dod-intake",
            "dod-alerts",
            "dod-messages",
            "dod-escalations",
            "dod-heartbeats",
            "dod-members"
        ]
    );
}
