//! `/metrics`: what this process has measured, in Prometheus' text form.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use book::worker::Status;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::context::Contexts;
use crate::crew::{POLICY, PROJECTOR, RELAY, SEALER};
use crate::problem::{self, Problem};

/// How often what was measured is folded into the histograms, in seconds.
const UPKEEP_SECONDS: u64 = 5;
/// How long whoever collects metrics waits for what is said of the process's health, in seconds: longer than Postgres has to say
/// that it is there, shorter than Prometheus waits for an answer.
const HEALTH_SECONDS_MAX: u64 = super::ANSWER_SECONDS_MAX + 1;

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Buckets of everything that is measured in seconds.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Buckets of the commands in one append.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Makes the process's metrics collectable, with what each means. All services of one process share them.
pub fn record_metrics(contexts: &Contexts) {
    RECORDER.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &COMMANDS))
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| tracing::warn!(error = %error, "there will be no metrics"))
            .ok()
    });
    for metric in contexts.metrics() {
        metric.describe();
    }
    let migrations = book::MIGRATOR.iter().count().to_string();
    metrics::gauge!("daybook_build_info", "version" => env!("CARGO_PKG_VERSION"), "migrations" => migrations).set(1.0);
}

/// Folds what was measured into the histograms now and then, until `stop`: without it, measurements
/// would pile up for as long as nobody collects them.
pub async fn keep_up(stop: CancellationToken) {
    let Some(recorder) = RECORDER.get().and_then(Option::as_ref) else {
        return;
    };
    let every = Duration::from_secs(UPKEEP_SECONDS);
    while tokio::time::timeout(every, stop.cancelled()).await.is_err() {
        recorder.run_upkeep();
    }
}

/// How many events a worker is behind a book that ends here; a standby is behind none.
fn behind(status: &Status, end: i64) -> i64 {
    match (status.leading || status.failures > 0, status.position) {
        (false, _) => 0,
        // It is nowhere yet, and says by itself what it knows to lack.
        (true, 0) => status.lag,
        (true, position) => (end - position).max(0),
    }
}

/// Measures whether this process is ready, as `/health/ready` says it. While somebody holds a lock on what that is read from,
/// it takes longer than whoever collects metrics may wait, and stays as it was last said.
async fn measure_health(app: &App) {
    let limit = Duration::from_secs(HEALTH_SECONDS_MAX);
    let _ = tokio::time::timeout(limit, super::told(app)).await;
}

/// Measures what Linux knows of this process; elsewhere nothing is said of it.
fn measure_process() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = resident_kibibytes(&status) {
        metrics::gauge!("process_resident_memory_bytes").set(kibibytes as f64 * 1024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // The one that reads them is open, too.
        metrics::gauge!("process_open_fds").set(open.count().saturating_sub(1) as f64);
    }
}

fn resident_kibibytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The metrics in Prometheus' text form.
///
/// # Errors
/// 503 when there are none.
pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let recorder = RECORDER.get().and_then(Option::as_ref);
    let recorder = recorder.ok_or_else(|| Problem::new(problem::UNAVAILABLE, "this process has no metrics"))?;
    metrics::gauge!("daybook_book_position").set(*app.end.borrow() as f64);
    let end = *app.end.borrow();
    for (name, status) in &app.workers.statuses {
        let status = *status.borrow();
        let (kind, of) = name.split_once(' ').unwrap_or((name, ""));
        let behind = behind(&status, end);
        match kind {
            PROJECTOR => metrics::gauge!("daybook_projector_lag", "context" => of.to_owned()).set(behind as f64),
            POLICY => metrics::gauge!("daybook_policy_lag", "policy" => of.to_owned()).set(behind as f64),
            RELAY => metrics::gauge!("daybook_relay_lag").set(behind as f64),
            SEALER => metrics::gauge!("daybook_seals_lag").set(behind as f64),
            _ => {}
        }
        metrics::gauge!("daybook_worker_failing", "worker" => name.clone()).set(f64::from(status.failures));
    }
    let seals = app.workers.statuses.iter().any(|(name, _)| name == SEALER);
    metrics::gauge!("daybook_seals_on").set(if seals { 1.0 } else { 0.0 });
    for context in app.contexts.iter() {
        for gauge in context.gauges {
            if let Some(value) = (gauge.value)(&app) {
                metrics::gauge!(gauge.name).set(value);
            }
        }
    }
    measure_health(&app).await;
    measure_process();
    app.bounds.measure();
    metrics::gauge!("daybook_nats_connected").set(if app.workers.bus.is_connected() { 1.0 } else { 0.0 });
    for (pool, name) in [
        (&app.pools.writer, "writer"),
        (&app.pools.projector, "projector"),
        (&app.pools.reader, "reader"),
    ] {
        metrics::gauge!("daybook_pool_connections", "pool" => name).set(f64::from(pool.size()));
        let most = pool.options().get_max_connections();
        metrics::gauge!("daybook_pool_connections_max", "pool" => name).set(f64::from(most));
        metrics::gauge!("daybook_pool_idle", "pool" => name).set(pool.num_idle() as f64);
    }
    recorder.run_upkeep();
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        recorder.render(),
    )
        .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_linux_says_of_a_process() {
        let status = "Name:\tdaybook\nVmHWM:\t  200 kB\nVmRSS:\t  150 kB\nThreads:\t4\n";
        assert_eq!(resident_kibibytes(status), Some(150));
        assert_eq!(resident_kibibytes(""), None);
    }
}
