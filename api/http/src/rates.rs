//! How often one user may ask.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

use crate::auth::token::Bearer;
use crate::problem::{self, Problem};

/// How often users who have not asked of late are forgotten, in seconds.
const FORGET_SECONDS: u64 = 60;

/// A bucket of requests for each user, which fills again at a steady rate.
pub struct Rates {
    limiter: DefaultKeyedRateLimiter<Bearer>,
    per_second: NonZeroU32,
}

impl Rates {
    /// So many requests a second, and twice as many at once.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_add(per_second.get());
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)),
            per_second,
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

    /// Forgets users who ask no more, now and then, until stopped.
    pub async fn sweep(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(FORGET_SECONDS)) => self.limiter.retain_recent(),
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
    use super::*;
    use uuid::Uuid;

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
