//! What no process does, asked of the database: whoever is to do it may be another one.

use std::time::Instant;

use super::{LAG_SECONDS_MAX, PERFORMED_SECONDS_MAX};
use crate::app::App;
use crate::crew::RELAY;

/// The policies that have not reacted to what happened a while ago, or whose timers were due then, whoever is to run them.
pub(super) async fn late_policies(app: &App) -> Result<Vec<String>, sqlx::Error> {
    let late: Vec<(String, Option<f64>, Option<f64>)> = sqlx::query_as(
        "select p.name, extract(epoch from clock_timestamp() - e.recorded_at)::float8,
                extract(epoch from clock_timestamp() - t.due_at)::float8
         from book.policies p
         left join book.events e on e.position = p.position + 1
         left join lateral (
             select due_at from book.timers t where t.policy = p.name and not t.waits order by t.due_at limit 1) t on true
         order by p.name",
    )
    .fetch_all(&app.pools.writer)
    .await?;
    let policies = app.contexts.decisions().policies();
    let mut told = Vec::new();
    for (name, event_seconds, timer_seconds) in late {
        if !policies.iter().any(|policy| policy.name() == name) {
            continue;
        }
        if let Some(seconds) = event_seconds.filter(|seconds| *seconds > LAG_SECONDS_MAX) {
            told.push(format!(
                "the policy {name} has not looked at what happened {seconds:.0} s ago: nobody runs it, or it is stuck"
            ));
        }
        if let Some(seconds) = timer_seconds.filter(|seconds| *seconds > LAG_SECONDS_MAX) {
            told.push(format!(
                "a timer of the policy {name} was due {seconds:.0} s ago: nobody fires it, or the worker is stuck"
            ));
        }
    }
    Ok(told)
}

/// The reactors that have not looked at what happened a while ago, or have not begun what was due then though nothing else
/// stands in its way: its tenant is active, its target free. Whoever is to run them may be another process.
pub(super) async fn late_reactors(app: &App) -> Result<Vec<String>, sqlx::Error> {
    let late: Vec<(String, Option<f64>, Option<f64>)> = sqlx::query_as(
        "select r.name, extract(epoch from clock_timestamp() - e.recorded_at)::float8, d.seconds
         from book.reactors r
         left join book.events e on e.position = r.position + 1
         cross join lateral (
             select extract(epoch from clock_timestamp() - min(greatest(n.due_at, g.free_at)))::float8 as seconds
             from book.reactions n
             left join book.tenants t on t.tenant_id = n.tenant_id
             left join book.reaction_targets g
                 on g.reactor = n.reactor and g.tenant_id = n.tenant_id and g.target = n.target
             where n.reactor = r.name and n.heads and n.cuts = 0 and coalesce(t.standing, 'active') = 'active') d
         order by r.name",
    )
    .fetch_all(&app.pools.writer)
    .await?;
    let mut told = Vec::new();
    for (name, event_seconds, due_seconds) in late {
        if app.contexts.reactor(&name).is_err() {
            continue;
        }
        if let Some(seconds) = event_seconds.filter(|seconds| *seconds > PERFORMED_SECONDS_MAX) {
            told.push(format!(
                "the reactor {name} has not looked at what happened {seconds:.0} s ago: nobody runs it, or it is stuck"
            ));
        }
        if let Some(seconds) = due_seconds.filter(|seconds| *seconds > PERFORMED_SECONDS_MAX) {
            told.push(format!(
                "what the reactor {name} has to do was due {seconds:.0} s ago and is not begun: nobody runs it, it is stuck, \
                 or there is more than it can do"
            ));
        }
    }
    Ok(told)
}

/// That no relay has led for a while, in any process.
pub(super) async fn nobody_relays(app: &App) -> Result<Option<String>, sqlx::Error> {
    let mut workers = app.workers.statuses.iter();
    let leads = workers.any(|(name, status)| name == RELAY && status.borrow().leading);
    let is_led = leads || book::relay::is_led(&app.pools.writer, &app.workers.bus).await?;
    let seconds = app.standing.unrelayed_seconds(is_led, Instant::now());
    Ok((seconds > LAG_SECONDS_MAX).then(|| {
        format!("nobody relays for {seconds:.0} s: no process with the role relay leads, and the bus gets no events")
    }))
}
