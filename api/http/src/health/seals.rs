//! Whether the book is sealed, and how far.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Ready, in_time};
use crate::app::App;
use crate::crew::SEALER;

/// How old the first event may be that is not sealed, in seconds: a seal is made every ten.
const LATE_SECONDS_MAX: f64 = 60.0;

/// How far the book is sealed, whoever seals it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Seals {
    state: State,
    /// The last position that is sealed; 0 without seals.
    position: i64,
    lag_events: i64,
    /// The age of the first event that is not sealed.
    lag_seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum State {
    On,
    /// There are seals, or this process is to make them, and events wait for longer than they should.
    Late,
    /// There are none, and this process is to make none.
    Off,
}

impl Seals {
    /// What is to be said of it under `degraded`.
    fn degraded(&self) -> Option<String> {
        (self.state == State::Late).then(|| {
            format!(
                "the last {} events are not sealed, the first of them for {:.0} s: no process that has the key and the role \
                 relay gets on; see their logs",
                self.lag_events, self.lag_seconds
            )
        })
    }
}

/// Says how far the book is sealed.
pub(super) async fn tell(app: &App, ready: &mut Ready) {
    match in_time(seals(app)).await {
        Ok(seals) => {
            ready.degraded.extend(seals.degraded());
            ready.seals = Some(seals);
        }
        Err(why) => ready
            .degraded
            .push(format!("how far the book is sealed cannot be read: Postgres {why}")),
    }
}

async fn seals(app: &App) -> Result<Seals, sqlx::Error> {
    let (position, end, seconds): (i64, i64, Option<f64>) = sqlx::query_as(
        "select s.position, book.last_position(),
                (select extract(epoch from clock_timestamp() - e.recorded_at)::float8
                 from book.events e where e.position = s.position + 1)
         from (select coalesce(max(to_position), 0) as position from book.seals) s",
    )
    .fetch_one(&app.pools.projector)
    .await?;
    let is_ours = app.workers.statuses.iter().any(|(name, _)| name == SEALER);
    Ok(told(is_ours, position, end, seconds))
}

fn told(is_ours: bool, position: i64, end: i64, seconds: Option<f64>) -> Seals {
    let lag_seconds = seconds.unwrap_or(0.0).max(0.0);
    let state = match lag_seconds > LATE_SECONDS_MAX {
        _ if position == 0 && !is_ours => State::Off,
        true => State::Late,
        false => State::On,
    };
    Seals {
        state,
        position,
        lag_events: (end - position).max(0),
        lag_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_are_off_where_nobody_has_made_any_and_late_where_somebody_should() {
        let state = |is_ours, position, seconds| told(is_ours, position, 10, seconds).state;
        let (short, long) = (Some(1.0), Some(LATE_SECONDS_MAX + 1.0));
        assert_eq!(state(false, 0, long), State::Off);
        assert_eq!(state(true, 0, short), State::On);
        assert_eq!(state(true, 0, long), State::Late);
        // Another process made them: that it does not any more is told by all.
        assert_eq!(state(false, 5, short), State::On);
        assert_eq!(state(false, 5, long), State::Late);
        assert_eq!(state(false, 10, None), State::On);
        assert!(
            told(true, 0, 10, long)
                .degraded()
                .is_some_and(|words| words.contains("10 events"))
        );
        assert_eq!(told(true, 0, 10, short).degraded(), None);
        assert_eq!(told(false, 0, 10, long).degraded(), None);
    }
}
