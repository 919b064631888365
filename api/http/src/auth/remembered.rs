//! What was read of the book for who asks, for some seconds: read once for all that ask at the same time, and again
//! once this process has changed what it was read from.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use uuid::Uuid;

use super::changes::{Changes, Moment};
use super::principal::CACHED_PRINCIPAL_SECONDS_MAX;
use crate::problem::Problem;

/// How often it is read anew because it was changed meanwhile, before who asks is told to come again.
const READS_MAX: usize = 10;

/// A value that was read, the streams that it was read from, and what this process had changed by then.
#[derive(Debug)]
pub struct Read<V> {
    pub value: V,
    pub streams: Vec<Uuid>,
}

#[derive(Debug)]
struct Kept<V> {
    read: Read<V>,
    then: Moment,
}

/// Values by their keys, at most [`CACHED_PRINCIPAL_SECONDS_MAX`] old.
pub struct Remembered<K, V> {
    changes: Arc<Changes>,
    kept: moka::future::Cache<K, Arc<Kept<V>>>,
}

impl<K, V> std::fmt::Debug for Remembered<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remembered")
    }
}

impl<K, V> Remembered<K, V>
where
    K: Hash + Eq + Copy + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    #[must_use]
    pub fn new(changes: Arc<Changes>, keys_max: u64) -> Self {
        let kept = moka::future::Cache::builder()
            .max_capacity(keys_max)
            .time_to_live(Duration::from_secs(CACHED_PRINCIPAL_SECONDS_MAX))
            .build();
        Self { changes, kept }
    }

    /// What is kept under the key, or what `read` reads for all who ask meanwhile. An error is kept for nobody
    /// who asks later.
    ///
    /// # Errors
    /// The outcome of a reading.
    pub async fn get<F>(&self, key: K, read: impl Fn() -> F) -> Result<V, Problem>
    where
        F: Future<Output = Result<Read<V>, Problem>>,
    {
        for _ in 0..READS_MAX {
            let reading = async {
                let then = self.changes.now();
                let read = read().await?;
                Ok::<_, Problem>(Arc::new(Kept { read, then }))
            };
            let kept = self.kept.try_get_with(key, reading).await;
            let kept = kept.map_err(|problem: Arc<Problem>| Problem::clone(&problem))?;
            if self.is_current(&kept) {
                return Ok(kept.read.value.clone());
            }
            // Only what is out of date goes: somebody else may have read it anew by now.
            let outdated = self.kept.entry(key).and_compute_with(|entry| {
                let goes = entry.is_some_and(|entry| !self.is_current(entry.value()));
                std::future::ready(if goes { Op::Remove } else { Op::Nop })
            });
            outdated.await;
        }
        Err(book::BookError::Overloaded.into())
    }

    fn is_current(&self, kept: &Kept<V>) -> bool {
        self.changes.none_since(kept.then, kept.read.streams.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::problem;

    const ADA: Uuid = Uuid::from_u128(1);
    const BEN: Uuid = Uuid::from_u128(2);

    struct Readings {
        remembered: Remembered<Uuid, usize>,
        changes: Arc<Changes>,
        count: AtomicUsize,
    }

    impl Readings {
        fn new() -> Self {
            let changes = Arc::new(Changes::default());
            Self {
                remembered: Remembered::new(changes.clone(), 10),
                changes,
                count: AtomicUsize::new(0),
            }
        }

        /// The value of a user: how many readings there had been when theirs began.
        async fn of(&self, user: Uuid) -> usize {
            let read = || async {
                let value = self.count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                let streams = vec![user];
                Ok(Read { value, streams })
            };
            self.remembered.get(user, read).await.unwrap()
        }
    }

    #[tokio::test]
    async fn all_who_ask_at_once_share_one_reading_also_after_a_change() {
        let readings = Readings::new();
        for round in 0..3 {
            let askers = (0..50).map(|_| readings.of(ADA));
            assert_eq!(futures::future::join_all(askers).await, vec![round; 50]);
            readings.changes.note(ADA);
        }
    }

    #[tokio::test]
    async fn a_change_of_one_user_makes_nobody_read_another() {
        let readings = Readings::new();
        assert_eq!((readings.of(ADA).await, readings.of(BEN).await), (0, 1));
        readings.changes.note(ADA);
        assert_eq!((readings.of(BEN).await, readings.of(ADA).await), (1, 2));
    }

    #[tokio::test]
    async fn what_is_changed_while_it_is_being_read_is_read_again() {
        let readings = Readings::new();
        let (begun, go_on) = (Notify::new(), Notify::new());
        let read = || async {
            let value = readings.count.fetch_add(1, Ordering::SeqCst);
            if value == 0 {
                begun.notify_one();
                go_on.notified().await;
            }
            let streams = vec![ADA];
            Ok(Read { value, streams })
        };
        let changing = async {
            begun.notified().await;
            readings.changes.note(ADA);
            go_on.notify_one();
        };
        let (value, ()) = tokio::join!(readings.remembered.get(ADA, read), changing);
        assert_eq!(value.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_error_is_told_to_who_asked_and_not_remembered() {
        let readings = Readings::new();
        let fails = || async { Err(Problem::new(problem::UNAVAILABLE, "away")) };
        assert!(readings.remembered.get(ADA, fails).await.is_err());
        assert_eq!(readings.of(ADA).await, 0);
    }
}
