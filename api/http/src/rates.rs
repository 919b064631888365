//! How often one user may ask, and how soon they are told that they asked too often.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::token::Bearer;
use crate::problem::{self, Problem};

/// How often users who have not asked of late are forgotten, in seconds.
const FORGET_SECONDS: u64 = 60;
/// Answers of 429 a second that one user gets at once. A refusal costs little, and thousands of somebody who asks again
/// without a pause cost everybody.
const REFUSALS_AT_ONCE_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// How long further ones are held back, in seconds.
pub const REFUSAL_SECONDS: u64 = 4;
/// How many are held back at one time, of all users; whoever is refused beyond that is told at once.
pub const REFUSALS_HELD_MAX: usize = 16_384;

/// A bucket of requests for each user, which fills again at a steady rate, and one of refusals.
pub struct Rates {
    limiter: DefaultKeyedRateLimiter<Bearer>,
    per_second: NonZeroU32,
    refusals: DefaultKeyedRateLimiter<Bearer>,
    held: Arc<Semaphore>,
}

impl Rates {
    /// So many requests a second, and twice as many at once.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_add(per_second.get());
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)),
            per_second,
            refusals: RateLimiter::keyed(Quota::per_second(REFUSALS_AT_ONCE_PER_SECOND)),
            held: Arc::new(Semaphore::new(REFUSALS_HELD_MAX)),
        }
    }

    /// # Errors
    /// 429, with the time to wait.
    pub fn check(&self, bearer: Bearer) -> Result<(), Problem> {
        self.limiter.check_key(&bearer).map_err(|until| {
            let seconds = until
                .wait_time_from(DefaultClock::default().now())
                .as_secs_f64()
                .ceil()
                .max(1.0);
            let detail = format!(
                "you may send {} requests a second; wait before the next one",
                self.per_second
            );
            Problem::new(problem::TOO_MANY, detail).retry_after(seconds as u64)
        })
    }

    /// Waits before somebody is told of a refusal who is refused all the time, until the service ends at the latest.
    pub async fn hold_back(&self, bearer: Bearer, stop: &CancellationToken) {
        if self.refusals.check_key(&bearer).is_ok() {
            return;
        }
        let Ok(_held) = self.held.clone().try_acquire_owned() else {
            return;
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(REFUSAL_SECONDS)) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Forgets users who ask no more, now and then, until stopped.
    pub async fn sweep(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(FORGET_SECONDS)) => {
                    self.limiter.retain_recent();
                    self.refusals.retain_recent();
                }
                () = stop.cancelled() => return,
            }
        }
    }
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rates({}/s)", self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use uuid::Uuid;

    #[tokio::test]
    async fn who_is_refused_all_the_time_is_told_later_and_nobody_else() {
        let rates = Rates::new(NonZeroU32::new(5).unwrap());
        let stop = CancellationToken::new();
        let at_once = |user| {
            let user = Uuid::from_u128(user);
            let tenant = Uuid::from_u128(1);
            rates.hold_back(Bearer { tenant, user }, &stop).now_or_never().is_some()
        };
        for _ in 0..REFUSALS_AT_ONCE_PER_SECOND.get() {
            assert!(at_once(2));
        }
        // The bucket got a few at most while this ran.
        let told = (0..1_000).filter(|_| at_once(2)).count();
        assert!(told < 900, "{told} of 1,000");
        assert!(at_once(3), "another user");
        stop.cancel();
        assert!(at_once(2), "a service that ends keeps nobody");
    }

    #[test]
    fn twice_the_rate_passes_at_once_and_no_more() {
        let rates = Rates::new(NonZeroU32::new(5).unwrap());
        let bearer = Bearer {
            tenant: Uuid::from_u128(1),
            user: Uuid::from_u128(2),
        };
        let other = Bearer {
            user: Uuid::from_u128(3),
            ..bearer
        };
        assert_eq!((0..20).filter(|_| rates.check(bearer).is_ok()).count(), 10);
        assert!(rates.check(other).is_ok());
    }
}
