//! What no process does, asked of the database: whoever is to do it may be another one.

use std::time::Instant;

use super::LAG_SECONDS_MAX;
use crate::app::App;

/// The policies that have not reacted to what happened a while ago, whoever is to run them.
pub(super) async fn late_policies(app: &App) -> Result<Vec<String>, sqlx::Error> {
    let late: Vec<(String, f64)> = sqlx::query_as(
        "select p.name, extract(epoch from clock_timestamp() - e.recorded_at)::float8
         from book.policies p join book.events e on e.position = p.position + 1 order by p.name",
    )
    .fetch_all(&app.pools.writer)
    .await?;
    let policies = app.contexts.decisions().policies();
    let is_late = |(name, seconds): &(String, f64)| {
        *seconds > LAG_SECONDS_MAX && policies.iter().any(|policy| policy.name() == name)
    };
    let told = |(name, seconds)| {
        format!("the policy {name} has not looked at what happened {seconds:.0} s ago: nobody runs it, or it is stuck")
    };
    Ok(late.into_iter().filter(is_late).map(told).collect())
}

/// The policies whose timers were due a while ago, whoever is to fire them.
pub(super) async fn late_timers(app: &App) -> Result<Vec<String>, sqlx::Error> {
    let late: Vec<(String, f64)> = sqlx::query_as(
        "select p.name, extract(epoch from clock_timestamp() - t.due_at)::float8
         from book.policies p cross join lateral (
             select due_at from book.timers t where t.policy = p.name and not t.waits order by t.due_at limit 1) t
         order by p.name",
    )
    .fetch_all(&app.pools.writer)
    .await?;
    let policies = app.contexts.decisions().policies();
    let is_late = |(name, seconds): &(String, f64)| {
        *seconds > LAG_SECONDS_MAX && policies.iter().any(|policy| policy.name() == name)
    };
    let told = |(name, seconds)| {
        format!("a timer of the policy {name} was due {seconds:.0} s ago: nobody fires it, or the worker is stuck")
    };
    Ok(late.into_iter().filter(is_late).map(told).collect())
}

/// That no relay has led for a while, in any process.
pub(super) async fn nobody_relays(app: &App) -> Result<Option<String>, sqlx::Error> {
    let is_led = book::relay::is_led(&app.pools.writer, &app.workers.bus).await?;
    let seconds = app.standing.unrelayed_seconds(is_led, Instant::now());
    Ok((seconds > LAG_SECONDS_MAX).then(|| {
        format!("nobody relays for {seconds:.0} s: no process with the role relay leads, and the bus gets no events")
    }))
}
