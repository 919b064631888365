//! The day as a whole, and what time makes of it.

use chrono::{DateTime, Utc};
use domain::Contexts;
use rehearsal::chronicle::id;
use rehearsal::{Chronicle, History};
use uuid::Uuid;

use super::{alerts, archives, deliveries, escalations, heartbeats, issues, people, settings};
use crate::CONTEXT;

/// 2026-03-01T08:00:00Z, a Sunday: the samples of bodies are of its noon.
const MORNING: DateTime<Utc> = DateTime::from_timestamp_nanos(1_772_352_000_000_000_000);

pub(super) const ADA: Uuid = id(1, 1);
pub(super) const BEN: Uuid = id(1, 2);
pub(super) const CLEO: Uuid = id(1, 3);
pub(super) const DORA: Uuid = id(1, 4);

/// The golden history, decided anew.
pub(super) fn story() -> History {
    let contexts = Contexts::new(&[&identity::CONTEXT, &CONTEXT]).unwrap();
    let mut chronicle = Chronicle::new(contexts, ADA, MORNING);
    people::people(&mut chronicle);
    settings::settings(&mut chronicle);
    escalations::policies(&mut chronicle);
    chronicle.later(3);
    let heartbeat = deliveries::told_and_not_told(&mut chronicle);
    let errors = issues::errors(&mut chronicle);
    issues::maintenance(&mut chronicle);
    issues::storm(&mut chronicle);
    issues::comes_back(&mut chronicle);
    alerts::one_by_one(&mut chronicle);
    alerts::worse(&mut chronicle);
    let escalated = escalations::unseen(&mut chronicle);
    heartbeats::expected(&mut chronicle);
    people::farewells(&mut chronicle);
    settings::farewells(&mut chronicle);
    deliveries::dropped(&mut chronicle, heartbeat, errors);
    archives::archived(&mut chronicle, errors, escalated, heartbeat);
    escalations::unseen_still(&mut chronicle);
    people::closing(&mut chronicle);
    // Those of which nothing is told above.
    chronicle.plain_kinds(&CONTEXT);
    chronicle.ended()
}
