//! Starts and ends a process: settings, pools, workers, HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use book::{Book, Bus, Pools, Tail, end, worker};
use projections::Posted;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use http::app::{App, Parts};
use http::asked_once::AskedOnce;
use http::audit::recent::Recent;
use http::auth::keys::{TokenSettings, Verifier};
use http::auth::principal::Principals;
use http::bounds::Bounds;
use http::context::States;
use http::crew::Tasks;
use http::mark::Mark;
use http::rates::Rates;
use http::rebuilds::Rebuilds;
use http::router;
use http::{Contexts, health};

use crate::config::secrets::Secret;
use crate::config::{Config, needed};
use crate::listen::{self, Door};
use crate::workers::{self, Means, Role};
use crate::{Fault, check, mechanisms};

/// How long the workers may take to end once the requests have ended, in seconds.
const WORKERS_SECONDS_MAX: u64 = 10;

/// A started process.
#[derive(Debug)]
pub struct Running {
    /// Where it serves HTTP.
    pub address: SocketAddr,
    /// Where it serves health and metrics alone, if it was told to.
    pub health: Option<SocketAddr>,
    done: JoinHandle<()>,
}

impl Running {
    /// Waits until the process has ended, which it does once its `stop` is cancelled.
    pub async fn ended(self) {
        if let Err(error) = self.done.await {
            warn!(error = %error, "the service did not end well");
        }
    }
}

/// Starts a process with these roles, of these contexts. It runs until `stop` is cancelled, then drains.
///
/// # Errors
/// When a setting is missing, Postgres is unsafe, not migrated or not there, or the address is taken.
pub async fn serve(
    config: Config,
    contexts: Contexts,
    roles: Vec<Role>,
    stop: CancellationToken,
) -> Result<Running, Fault> {
    health::record_metrics(&contexts);
    // Somebody else in this process may have chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let verifier = Verifier::new(&TokenSettings {
        issuer: needed(config.jwt_issuer.as_ref(), "DAYBOOK_JWT_ISSUER")?,
        audience: needed(config.jwt_audience.as_ref(), "DAYBOOK_JWT_AUDIENCE")?,
        secret: config.jwt_secret.as_ref().map(Secret::reveal),
        jwks_url: config.jwks_url.as_deref(),
        jwks_http: config.jwks_http,
        jwks_refresh_seconds: config.jwks_refresh_seconds.get(),
    })?;
    let pools = Pools::of(&config.logins()?);
    let master = config.master()?;
    check::database(&pools, &config, &stop).await?;
    let bus = Bus::connect(config.bus()?).await?;
    let of_health = config.listen_health.map(listen::bind).transpose()?;
    let (listener, address) = listen::bind(config.listen)?;

    let book = Book::new(pools.writer.clone(), master, contexts.decisions().clone());
    for context in contexts.iter() {
        (context.prepare)(&book).await?;
    }
    let tail = Tail::new(pools.projector.clone(), book.vault().clone());
    let posted = Posted::new(pools.projector.clone(), &contexts.tables().collect::<Vec<_>>());
    let mut tasks = JoinSet::new();
    // Workers go on while requests drain.
    let drained = CancellationToken::new();
    let (end_watch, end) = end::Watch::new(tail.clone(), bus.clone(), &book);
    let fingerprints = fingerprints(&contexts);
    let mut states = States::default();
    mechanisms::add(&mut states, &config, book.vault()).await?;
    for context in contexts.iter() {
        (context.state)(&mut states);
    }
    let means = Means {
        contexts: &contexts,
        fingerprints: &fingerprints,
        pools: &pools,
        book: &book,
        tail: &tail,
        posted: &posted,
        bus,
        end: end.clone(),
        states: &states,
        archive: config.archive.clone(),
        seal_key: config.seal_key()?,
        tasks: &mut tasks,
        stop: &drained,
    };
    let workers = workers::start(&roles, means)?;
    let lost = workers.lost.clone();
    let mark = watch::Sender::new(Mark::read(tail.pool()).await?);
    let app = App::new(Parts {
        principals: Principals::new(book.clone()),
        rates: Rates::new(config.rate_per_second),
        rebuilds: Rebuilds::default(),
        standing: health::Standing::default(),
        fingerprints,
        contexts: contexts.clone(),
        began: tail.end().await?,
        end: end.changes(),
        mark: mark.subscribe(),
        bounds: Bounds::default(),
        asked_end: AskedOnce::default(),
        ready: AskedOnce::default(),
        recent: Recent::default(),
        mechanisms: mechanisms::troubles(&states),
        states,
        openapi: OnceCell::new(),
        event_types: OnceCell::new(),
        serves_api: roles.contains(&Role::Api),
        stop: stop.clone(),
        pools: pools.clone(),
        book: book.clone(),
        tail: tail.clone(),
        posted,
        verifier,
        workers,
    });
    let until = drained.clone();
    tasks.spawn(async move { worker::keep("metrics", &until, || health::keep_up(until.clone())).await });
    let until = drained.clone();
    tasks.spawn(async move { worker::keep("end of the book", &until, || end_watch.run(&until)).await });
    if roles.contains(&Role::Api) {
        let (pool, until) = (tail.pool().clone(), drained.clone());
        tasks.spawn(async move { worker::keep("mark of the book", &until, || Mark::keep(&pool, &mark, &until)).await });
        let (keys, until) = (app.clone(), drained.clone());
        tasks.spawn(
            async move { worker::keep("keys of tokens", &until, || keys.verifier.refresh(until.clone())).await },
        );
        let (rates, until) = (app.clone(), drained.clone());
        tasks.spawn(async move { worker::keep("rates", &until, || rates.rates.sweep(until.clone())).await });
        for context in contexts.iter() {
            let mut added = Tasks {
                tasks: &mut tasks,
                stop: &drained,
            };
            (context.tasks)(&app, &mut added);
        }
    }
    let health = of_health.as_ref().map(|(_, health)| *health);
    let ended = CancellationToken::new();
    if let Some((listener, _)) = of_health {
        // To the end: a process that drains, or waits for its workers, is not ready, and says so.
        let door = Door::new(
            router::of_health(app.clone()),
            listen::HEALTH_CONNECTIONS_MAX,
            Vec::new(),
        );
        tokio::spawn(listen::accept(listener, door, ended.clone()));
    }
    let router = router::router(app, health.is_none());
    let door = Door::new(router, listen::connections_max(), config.proxies.clone());
    info!(%address, ?health, ?roles, "daybook serves");
    let done = tokio::spawn(async move {
        run(listener, door, stop, drained, tasks, lost, pools).await;
        ended.cancel();
    });
    Ok(Running { address, health, done })
}

/// What the tables of this program are told by, per context. A context whose golden history cannot be folded is
/// missing: its tables could not be told from another version's, so this program neither posts nor rebuilds them. Its
/// commands rest on the book alone and are accepted all the same.
fn fingerprints(contexts: &Contexts) -> BTreeMap<&'static str, String> {
    let of = |context: &'static projections::Context| match context.fingerprint() {
        Ok(fingerprint) => Some((context.name, fingerprint)),
        Err(error) => {
            let context = context.name;
            error!(
                context,
                error, "the golden history cannot be folded; the tables are neither posted nor rebuilt"
            );
            None
        }
    };
    contexts.tables().filter_map(of).collect()
}

async fn run(
    listener: TcpListener,
    door: Door,
    stop: CancellationToken,
    drained: CancellationToken,
    mut tasks: JoinSet<()>,
    lost: Arc<AtomicUsize>,
    pools: Pools,
) {
    tokio::select! {
        () = listen::accept(listener, door, stop) => {}
        () = watched(&mut tasks, &lost) => {}
    }
    drained.cancel();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(WORKERS_SECONDS_MAX), ended)
        .await
        .is_err()
    {
        warn!("some workers did not end in time");
    }
    let _ = tokio::time::timeout(Duration::from_secs(WORKERS_SECONDS_MAX), pools.close()).await;
    info!("daybook has stopped");
}

/// Says so when a task ends while the process serves: each is to go on until it is stopped.
async fn watched(tasks: &mut JoinSet<()>, lost: &AtomicUsize) {
    while let Some(ended) = tasks.join_next().await {
        let how = ended
            .err()
            .map_or_else(|| "it ended".to_owned(), |error| error.to_string());
        error!(how, "a task of this process is gone; restart it");
        metrics::counter!("daybook_tasks_lost_total").increment(1);
        lost.fetch_add(1, Ordering::Relaxed);
    }
    std::future::pending().await
}
