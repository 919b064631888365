//! How much room the bodies of tenants take. It is looked at every few seconds, all tenants by one question, and remembered
//! between: what comes in meanwhile asks nobody.
//!
//! While that is not known, because the tables are being made or the database does not answer, bodies are taken as if there
//! were room: an alert is worth more than a bound that is kept to the byte.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use book::BookError;
use book::pools::answered;
use book::worker::pause;
use dod::source::Overload;
use http::App;
use http::bounds::StoredBytes;
use http::context::Gauge;
use http::crew::Tasks;
use sqlx::PgPool;
use tracing::warn;
use uuid::Uuid;

/// Between looks, in seconds.
pub const LOOK_SECONDS: u64 = 5;
/// For how long the last look counts when none has come to an end since, in seconds.
const REMEMBERED_SECONDS: u64 = 60;
/// From how much on of what they may take tenants are warned, in percent.
pub const WARNED_PERCENT: u64 = 80;
/// Tenants that are remembered, the fullest first.
const TENANTS_MAX: i64 = 10_000;

/// Those that are to be warned, and the fullest of all.
const LOOK: &str = "select id, bytes from dod.stored_bodies
where bytes >= $1 or bytes = (select max(bytes) from dod.stored_bodies)
order by bytes desc limit $2";

/// How much of its room a tenant has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    Free,
    /// Little is left.
    Warned,
    Full,
}

impl Fill {
    /// Of so many bytes, where so many may be taken.
    #[must_use]
    pub fn of(bytes: u64, max: u64) -> Self {
        match bytes {
            _ if bytes >= max => Self::Full,
            _ if bytes >= warned_from(max) => Self::Warned,
            _ => Self::Free,
        }
    }
}

/// From how many bytes on it is warned.
#[must_use]
pub fn warned_from(max: u64) -> u64 {
    // In parts, so that no product is too large.
    (max / 100 * WARNED_PERCENT + max % 100 * WARNED_PERCENT / 100).max(1)
}

/// What becomes of a body that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept for as long as its tenant has set.
    Usual,
    /// Until it is understood.
    Briefly,
    /// Its sender keeps it, and sends it again.
    NotYet,
}

impl Kept {
    /// Whoever does not send again has it taken in any case.
    #[must_use]
    pub fn of(fill: Fill, overload: Overload) -> Self {
        match (fill, overload) {
            (Fill::Free | Fill::Warned, _) => Self::Usual,
            (Fill::Full, Overload::AlwaysTake) => Self::Briefly,
            (Fill::Full, Overload::Retry5xx | Overload::Retry429) => Self::NotYet,
        }
    }
}

/// The bytes that tenants had at the last look: of those that are to be warned, and of the fullest.
#[derive(Debug, Default)]
pub struct Room(Mutex<Option<Looked>>);

#[derive(Debug)]
struct Looked {
    at: Instant,
    bytes: HashMap<Uuid, u64>,
}

impl Room {
    /// How full a tenant was at the last look, where so many bytes may be taken.
    #[must_use]
    pub fn fill(&self, tenant: Uuid, max: u64) -> Fill {
        let bytes = self.looked(|bytes| bytes.get(&tenant).copied());
        Fill::of(bytes.flatten().unwrap_or_default(), max)
    }

    /// The bytes of the fullest tenant.
    fn most(&self) -> Option<u64> {
        self.looked(|bytes| bytes.values().max().copied().unwrap_or_default())
    }

    fn looked<T>(&self, read: impl FnOnce(&HashMap<Uuid, u64>) -> T) -> Option<T> {
        let looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = looked
            .as_ref()
            .filter(|looked| looked.at.elapsed() < Duration::from_secs(REMEMBERED_SECONDS));
        lately.map(|looked| read(&looked.bytes))
    }

    /// What was found now.
    fn note(&self, bytes: HashMap<Uuid, u64>) {
        let at = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Looked { at, bytes });
    }
}

/// The part of its room that a tenant takes, to four places.
#[must_use]
pub fn share(bytes: u64, max: u64) -> f64 {
    (bytes as f64 / max as f64 * 10_000.0).round() / 10_000.0
}

/// The share of its room that the fullest tenant takes: 1 and more when it is full. None before the first look.
pub static SHARE: Gauge = Gauge {
    name: "daybook_stored_bodies_share",
    help: "The share of its room that the tenant takes whose bodies take most of it: full at 1.",
    value: |app| {
        let max = app.of::<StoredBytes>().ok()?.of_tenant_max;
        let most = app.of::<Room>().ok()?.most()?;
        Some(share(most, max))
    },
};

/// Has this process look for as long as it serves.
pub fn tasks(app: &App, tasks: &mut Tasks<'_>) {
    let app = app.clone();
    tasks.keep("room of bodies", move |stop| {
        let app = app.clone();
        async move {
            let (Ok(room), Ok(bound)) = (app.of::<Room>(), app.of::<StoredBytes>()) else {
                // A program that sets no bound.
                return stop.cancelled().await;
            };
            let max = bound.of_tenant_max;
            let mut is_known = true;
            while !stop.is_cancelled() {
                match look(&app.pools.projector, max).await {
                    Ok(found) => {
                        told(room, &found, max);
                        room.note(found);
                        is_known = true;
                    }
                    // The tables are not there yet, or a former version's: whoever posts them says more.
                    Err(error) => {
                        if std::mem::take(&mut is_known) && !is_missing(&error) {
                            warn!(%error, "how much room bodies take cannot be looked at; they are taken meanwhile");
                        }
                    }
                }
                pause(&stop, Duration::from_secs(LOOK_SECONDS)).await;
            }
        }
    });
}

/// Whether the table is not there: when a database is new, until the first look at its events.
fn is_missing(error: &BookError) -> bool {
    const UNDEFINED_TABLE: &str = "42P01";
    let BookError::Database(error) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(UNDEFINED_TABLE)
}

async fn look(pool: &PgPool, max: u64) -> Result<HashMap<Uuid, u64>, BookError> {
    let looking = sqlx::query_as(LOOK)
        .bind(i64::try_from(warned_from(max)).unwrap_or(i64::MAX))
        .bind(TENANTS_MAX)
        .fetch_all(pool);
    let rows: Vec<(Uuid, i64)> = answered(async { Ok::<_, BookError>(looking.await?) }).await?;
    let bytes = |(tenant, bytes): (Uuid, i64)| (tenant, bytes.max(0).unsigned_abs());
    Ok(rows.into_iter().map(bytes).collect())
}

/// Says once of a tenant that little is left, and that nothing is.
fn told(room: &Room, found: &HashMap<Uuid, u64>, max: u64) {
    for (&tenant, &bytes) in found {
        let (was, is) = (room.fill(tenant, max), Fill::of(bytes, max));
        match is {
            _ if was == is => {}
            Fill::Full => warn!(%tenant, bytes, max, "the bodies of a tenant take all the room that they may"),
            Fill::Warned => warn!(%tenant, bytes, max, "the bodies of a tenant take most of the room that they may"),
            Fill::Free => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_warned_from_four_fifths_on_and_full_at_the_bound() {
        for (bytes, max, fill) in [
            (0, 100, Fill::Free),
            (79, 100, Fill::Free),
            (80, 100, Fill::Warned),
            (99, 100, Fill::Warned),
            (100, 100, Fill::Full),
            (u64::MAX, 100, Fill::Full),
            (0, 1, Fill::Free),
            (1, 1, Fill::Full),
            (4, 5, Fill::Warned),
            (u64::MAX / 10 * 7, u64::MAX, Fill::Free),
            (u64::MAX / 10 * 9, u64::MAX, Fill::Warned),
        ] {
            assert_eq!(Fill::of(bytes, max), fill, "{bytes} of {max}");
        }
    }

    #[test]
    fn who_sends_again_keeps_the_body_while_there_is_no_room_and_who_does_not_has_it_taken() {
        let all = [Overload::Retry5xx, Overload::Retry429, Overload::AlwaysTake];
        for overload in all {
            for fill in [Fill::Free, Fill::Warned] {
                assert_eq!(Kept::of(fill, overload), Kept::Usual);
            }
        }
        let full = all.map(|overload| Kept::of(Fill::Full, overload));
        assert_eq!(full, [Kept::NotYet, Kept::NotYet, Kept::Briefly]);
    }

    #[test]
    fn what_is_not_known_is_taken_for_room() {
        let (room, tenant) = (Room::default(), Uuid::from_u128(7));
        assert_eq!((room.fill(tenant, 10), room.most()), (Fill::Free, None));
        room.note(HashMap::from([(tenant, 10)]));
        assert_eq!((room.fill(tenant, 10), room.most()), (Fill::Full, Some(10)));
        assert_eq!(room.fill(Uuid::from_u128(8), 10), Fill::Free);
        room.note(HashMap::new());
        assert_eq!((room.fill(tenant, 10), room.most()), (Fill::Free, Some(0)));
    }
}
