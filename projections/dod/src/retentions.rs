//! How long things are kept.

use chrono::{DateTime, Utc};
use dod::retention::{CLOSED_DAYS, Event, Retention};
use domain::{AnyEvent, Recorded};
use uuid::Uuid;

use projections::fold::{FoldError, Project, actor};
use projections::row;
use projections::table::Scope;

row! {
    /// How long a tenant keeps what senders have delivered, and what came of it. Without a row it is the usual time.
    RetentionRow = dod.retentions
    key {
        /// The id of the tenant's retention.
        id: Uuid,
    }
    columns {
        /// Days after which a body that comes in now is dropped.
        body_days: i32,
        /// Days after which alerts that are closed and issues that have ended leave the tables.
        closed_days: i32,
        /// The user who last set it; null when Daybook itself did.
        updated_by: Option<Uuid>,
        /// When it was first set.
        created_at: DateTime<Utc>,
        /// When it was last set.
        updated_at: DateTime<Utc>,
    }
    generated {}
    find { id, created_at }
    scope { Scope::Tenant }
    masked {}
}

impl Project for RetentionRow {
    const OWNED: bool = true;

    fn keys(recorded: &Recorded<AnyEvent>) -> Vec<Uuid> {
        let event = recorded.of::<Retention>();
        event.map(|_| recorded.stream).into_iter().collect()
    }

    fn fold(row: Option<Self>, &id: &Uuid, recorded: &Recorded<AnyEvent>) -> Result<Option<Self>, FoldError> {
        let Some(Event::RetentionSet { body_days, closed_days }) = recorded.of::<Retention>() else {
            return Ok(row);
        };
        let first = (recorded.position, recorded.at);
        let (position, created_at) = row.map_or(first, |row| (row.position, row.created_at));
        Ok(Some(Self {
            tenant_id: recorded.tenant_id,
            position,
            id,
            body_days: *body_days,
            closed_days: closed_days.unwrap_or(CLOSED_DAYS),
            updated_by: actor(recorded),
            created_at,
            updated_at: recorded.at,
        }))
    }
}
