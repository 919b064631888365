//! How much of what senders have delivered a tenant keeps.

use chrono::{DateTime, Utc};
use dod::delivery::{Delivery, Event};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::fold::{FoldError, Project, existing};
use projections::row;
use projections::table::Scope;

row! {
    /// What the bodies weigh that a tenant keeps, in the book and in the object store: those of its deliveries that are not
    /// dropped. Bodies that came in before any were counted are not among them.
    StoredBodiesRow = dod.stored_bodies
    key {
        /// The tenant's id.
        id: Uuid,
    }
    columns {
        /// How many there are.
        bodies: i64,
        /// Their bytes, as they came.
        bytes: i64,
        /// When either last changed.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id }
    scope { Scope::Tenant }
    masked {}
}

// Not OWNED: each delivery of the tenant changes the row. Sums come to the same in whatever order streams are posted that were
// parked.
impl Project for StoredBodiesRow {
    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let weighs = recorded.of::<Delivery>().is_some_and(|event| weight(event).is_some());
        weighs.then_some(recorded.tenant_id).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some((bodies, bytes)) = recorded.of::<Delivery>().and_then(weight) else {
            return Ok(row);
        };
        // Nothing is dropped that was not counted before.
        let row = match bodies {
            1 => row.unwrap_or(Self {
                tenant_id: recorded.tenant_id,
                position: recorded.position,
                id,
                bodies: 0,
                bytes: 0,
                updated_at: recorded.at,
            }),
            _ => existing(row)?,
        };
        Ok(Some(Self {
            position: row.position.min(recorded.position),
            bodies: row.bodies + bodies,
            bytes: row.bytes + bytes,
            updated_at: row.updated_at.max(recorded.at),
            ..row
        }))
    }
}

/// How many bodies come in by an event, and how many bytes; fewer than none where they go.
fn weight(event: &Event) -> Option<(i64, i64)> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    match event {
        Event::DeliveryReceived {
            bytes: came,
            kept_bytes,
            is_counted: true,
            ..
        } => Some((1, bytes(kept_bytes.unwrap_or(*came)))),
        Event::DeliveryBodyDropped { bytes: Some(gone) } => Some((-1, -bytes(*gone))),
        _ => None,
    }
}
