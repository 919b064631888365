//! Waiting for a condition, with a deadline; never for a time.

use std::future::Future;
use std::time::{Duration, Instant};

/// Between two looks, in milliseconds: a test that waits must not starve what it waits for.
const LOOK_MS: u64 = 20;

/// Looks again and again until there is an answer, and says how long it took. The test fails when
/// there is none in time.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> (T, Duration) {
    let started = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(LOOK_MS));
    loop {
        looks.tick().await;
        if let Some(answer) = look().await {
            return (answer, started.elapsed());
        }
        assert!(started.elapsed() < limit, "{what} did not happen within {limit:?}");
    }
}
