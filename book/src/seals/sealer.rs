//! The sealer: follows the book's end and makes the seals. Of all sealers one leads.

use std::time::{Duration, Instant};

use chrono::Utc;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::leaves::{Format, Root, in_time, leaves};
use super::store::{self, Outcome};
use super::{SEAL_EVENTS_MAX, SEAL_SECONDS_MAX, Seal, SealKey, Stretch};
use crate::lease::Lease;
use crate::worker::{Beat, Work};
use crate::{BookError, End, bus};

/// The name of the lead.
pub const LOCK: &str = "daybook sealer";
/// How often the sealer says that it is there while nothing happens, in seconds.
const LOOK_SECONDS: u64 = 5;
/// Events read between two looks at whether the lead is still ours. The largest ones weigh 256 KiB each.
const ROWS_AT_ONCE: usize = 50;

/// Seals the book with a key. It connects by itself, as the pool does, while it leads.
#[derive(Debug)]
pub struct Sealer {
    pub pool: PgPool,
    pub key: SealKey,
    /// The end of the book, which somebody watches.
    pub end: End,
}

impl Work for Sealer {
    type Error = BookError;

    async fn lead(&mut self, lease: &Lease, beat: &Beat, stop: &CancellationToken) -> Result<(), BookError> {
        let mut sealing = Sealing::begin(&self.pool, self.key.clone()).await?;
        info!(
            key = %self.key.public(),
            sealed = sealing.sealed(),
            "seals the book by this public key"
        );
        // Since when events wait.
        let mut since: Option<Instant> = None;
        while !stop.is_cancelled() {
            let sealed = sealing.sealed();
            let alive = || {
                beat.beat(|status| {
                    status.position = sealed;
                    status.lag = (self.end.position() - sealed).max(0);
                });
                lease.check()
            };
            alive()?;
            let end = self.end.position();
            let waiting = end - sealed;
            if waiting <= 0 {
                since = None;
            } else {
                since.get_or_insert_with(Instant::now);
            }
            match rest(waiting, since.map(|since| since.elapsed())) {
                None => {
                    sealing.seal(end, &alive).await?;
                    metrics::counter!("daybook_seals_total").increment(1);
                    // What is left came while this was made.
                    since = None;
                }
                Some((events, time)) => {
                    let mut end = self.end.clone();
                    tokio::select! {
                        () = end.beyond(sealed + events - 1) => {}
                        () = tokio::time::sleep(time.min(Duration::from_secs(LOOK_SECONDS))) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// For how many events in all, and for how long at most, a seal still waits that so many wait for, for so long. `None`: it
/// is due.
fn rest(waiting: i64, waited: Option<Duration>) -> Option<(i64, Duration)> {
    let limit = Duration::from_secs(SEAL_SECONDS_MAX);
    if waiting <= 0 {
        return Some((1, limit));
    }
    let left = limit
        .checked_sub(waited.unwrap_or_default())
        .filter(|left| !left.is_zero())?;
    (waiting < SEAL_EVENTS_MAX).then_some((SEAL_EVENTS_MAX, left))
}

/// Makes seals, one after the other, over one connection.
#[derive(Debug)]
pub struct Sealing {
    connection: PgConnection,
    key: SealKey,
    history: String,
    format: &'static Format,
    last: Option<Seal>,
}

impl Sealing {
    /// Looks where the last seal ends, and that it is one to go on from.
    ///
    /// # Errors
    /// When the last seals do not hold or the book does not reach as far as they do: to go on would cover that up. When
    /// `book.events` has columns that this version knows nothing of. The database's error.
    pub async fn begin(pool: &PgPool, key: SealKey) -> Result<Self, BookError> {
        let history = bus::incarnation(pool).await?;
        let mut connection = store::connect(pool.connect_options().as_ref()).await?;
        let format =
            Format::latest().ok_or_else(|| BookError::Broken("this version has no format of seals".to_owned()))?;
        let uncovered = store::uncovered(&mut connection, format).await?;
        if !uncovered.is_empty() {
            return Err(other_columns(&uncovered.join(", ")));
        }
        let mut last = store::last(&mut connection, 2).await?.into_iter();
        let (last, former) = (last.next(), last.next());
        if let Some(last) = &last {
            if !last.follows(former.as_ref()) || !last.is_signed() {
                return Err(untrue(&format!("seal {} does not hold", last.number)));
            }
            let end = store::end(&mut connection).await?;
            if end < last.to {
                return Err(untrue(&format!("it ends at {end}, and was sealed up to {}", last.to)));
            }
        }
        Ok(Self {
            connection,
            key,
            history,
            format,
            last,
        })
    }

    /// The last position that is sealed; 0 before the first seal.
    #[must_use]
    pub fn sealed(&self) -> i64 {
        self.last.as_ref().map_or(0, |last| last.to)
    }

    /// Makes one seal, over the events that come next: up to the position, and at most [`SEAL_EVENTS_MAX`]. `alive` is
    /// called all the while, and before anything is written.
    ///
    /// # Errors
    /// When none have come or one is missing, when another sealer was faster, the error of `alive`, or the database's.
    /// After any of them, begin anew.
    pub async fn seal(
        &mut self,
        until: i64,
        alive: &(impl Fn() -> Result<(), BookError> + Sync),
    ) -> Result<(), BookError> {
        let from = self.sealed() + 1;
        let to = until.min(from + SEAL_EVENTS_MAX - 1);
        let digests = self.read(from, to, alive).await?;
        if digests.is_empty() {
            return Err(BookError::Broken(format!(
                "position {from} is not there, although the book was seen to reach it: it was restored, or another server \
                 took its place; whoever leads looks anew"
            )));
        }
        let stretch = Stretch {
            from,
            to: from - 1 + (digests.len() / size_of::<super::Digest>()) as i64,
            format: self.format.number,
            root: Root::of(&digests),
        };
        let seal = Seal::make(&self.key, self.last.as_ref(), &stretch, &self.history, Utc::now());
        alive()?;
        match store::append(&mut self.connection, &seal, self.format, &digests).await? {
            Outcome::Sealed => {
                self.last = Some(seal);
                Ok(())
            }
            Outcome::Moved => Err(BookError::Broken(format!(
                "seal {} is not the next one any more: another sealer was faster, or the database is another one by now; \
                 whoever leads looks anew",
                seal.number
            ))),
            Outcome::OtherColumns => Err(other_columns("a new column")),
        }
    }

    /// The digests of the events of these positions, one after another; fewer when the book ends before.
    async fn read(
        &mut self,
        from: i64,
        to: i64,
        alive: &(impl Fn() -> Result<(), BookError> + Sync),
    ) -> Result<Vec<u8>, BookError> {
        let mut digests = Vec::new();
        let mut leaves = leaves(&mut self.connection, self.format, Some(from - 1), Some(to)).await?;
        let mut position = from;
        loop {
            alive()?;
            let reading = async {
                for _ in 0..ROWS_AT_ONCE {
                    let Some(leaf) = leaves.next().await? else {
                        return Ok(true);
                    };
                    if leaf.position != position {
                        return Err(untrue(&format!(
                            "position {} comes where {position} should be",
                            leaf.position
                        )));
                    }
                    digests.extend_from_slice(&leaf.digest);
                    position += 1;
                }
                Ok(false)
            };
            if in_time(reading).await? {
                return Ok(digests);
            }
        }
    }
}

/// The book is not what it must be, and sealing it would make that look right.
fn untrue(how: &str) -> BookError {
    BookError::Broken(format!(
        "{how}; it is not sealed any further until that is mended: run `daybook verify`"
    ))
}

fn other_columns(columns: &str) -> BookError {
    BookError::Broken(format!(
        "book.events has {columns}, which this version would not seal; run the newer one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_due_after_so_many_events_or_so_long_and_never_without_any() {
        let (limit, short) = (Duration::from_secs(SEAL_SECONDS_MAX), Duration::from_secs(3));
        assert_eq!(rest(0, None), Some((1, limit)));
        assert_eq!(rest(-5, None), Some((1, limit)));
        assert_eq!(rest(1, Some(Duration::ZERO)), Some((SEAL_EVENTS_MAX, limit)));
        assert_eq!(
            rest(SEAL_EVENTS_MAX - 1, Some(short)),
            Some((SEAL_EVENTS_MAX, limit - short))
        );
        assert_eq!(rest(SEAL_EVENTS_MAX, Some(Duration::ZERO)), None);
        assert_eq!(rest(1, Some(limit)), None);
    }
}
