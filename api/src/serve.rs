//! Starts and ends a process: settings, pools, workers, HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use book::{Book, Bus, Pools, Tail, end, worker};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use projections::Posted;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, info, warn};

use http::app::{App, EVENT_STREAMS_MAX, LOG_READS_MAX, Parts};
use http::auth::keys::{TokenSettings, Verifier};
use http::auth::principal::Principals;
use http::context::States;
use http::crew::Tasks;
use http::rates::Rates;
use http::rebuilds::Rebuilds;
use http::router::{REQUESTS_MAX, router};
use http::{Contexts, health};

use crate::config::{Config, Secret, needed};
use crate::workers::{self, Means, Role};
use crate::{Fault, check};

/// Open connections of one process.
const CONNECTIONS_MAX: usize = 10_000;
/// How long a client may take to send a request's head, and a connection may idle, in seconds.
const HEAD_SECONDS_MAX: u64 = 30;
/// Size of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// How long requests under way may take to end once the process is to stop, in seconds.
const DRAIN_SECONDS_MAX: u64 = 20;
/// How long the workers may then take, in seconds.
const WORKERS_SECONDS_MAX: u64 = 10;

/// A started process.
#[derive(Debug)]
pub struct Running {
    /// Where it serves HTTP.
    pub address: SocketAddr,
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
    health::record_metrics();
    // Somebody else in this process may have chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let verifier = Verifier::new(&TokenSettings {
        issuer: needed(config.jwt_issuer.as_ref(), "DAYBOOK_JWT_ISSUER")?,
        audience: needed(config.jwt_audience.as_ref(), "DAYBOOK_JWT_AUDIENCE")?,
        secret: config.jwt_secret.as_ref().map(Secret::reveal),
        jwks_url: config.jwks_url.as_deref(),
        jwks_refresh_seconds: config.jwks_refresh_seconds.get(),
    })?;
    let pools = Pools::new(&config.database()?);
    let master = config.master()?;
    check::database(&pools, &config, &stop).await?;
    let bus = Bus::connect(config.bus()?).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(Fault::io(format!("cannot listen on {}", config.listen)))?;
    let address = listener.local_addr().map_err(Fault::io("the address is unknown"))?;

    let book = Book::new(pools.writer.clone(), master, contexts.decisions().clone());
    for context in contexts.iter() {
        (context.prepare)(&book).await?;
    }
    let tail = Tail::new(pools.projector.clone(), book.vault().clone());
    let posted = Posted::new(pools.projector.clone(), &contexts.tables().collect::<Vec<_>>());
    let mut tasks = JoinSet::new();
    // Workers go on while requests drain.
    let drained = CancellationToken::new();
    let (watch, end) = end::Watch::new(tail.clone(), bus.clone(), &book);
    let fingerprints = fingerprints(&contexts);
    let means = Means {
        contexts: &contexts,
        fingerprints: &fingerprints,
        pools: &pools,
        book: &book,
        tail: &tail,
        posted: &posted,
        bus,
        end: end.clone(),
        archive: config.archive.clone(),
        tasks: &mut tasks,
        stop: &drained,
    };
    let workers = workers::start(&roles, means)?;
    let lost = workers.lost.clone();
    let mut states = States::default();
    for context in contexts.iter() {
        (context.state)(&mut states);
    }
    let app = App::new(Parts {
        principals: Principals::new(book.clone()),
        rates: Rates::new(config.rate_per_second),
        rebuilds: Rebuilds::default(),
        standing: health::Standing::default(),
        fingerprints,
        contexts: contexts.clone(),
        began: tail.end().await?,
        end: end.changes(),
        requests: Semaphore::new(REQUESTS_MAX),
        log_reads: Semaphore::new(LOG_READS_MAX),
        event_streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
        states,
        openapi: OnceLock::new(),
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
    tasks.spawn(async move { worker::keep("end of the book", &until, || watch.run(&until)).await });
    if roles.contains(&Role::Api) {
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
    info!(%address, ?roles, "daybook serves");
    let done = tokio::spawn(run(listener, router(app), stop, drained, tasks, lost, pools));
    Ok(Running { address, done })
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
    router: Router,
    stop: CancellationToken,
    drained: CancellationToken,
    mut tasks: JoinSet<()>,
    lost: Arc<AtomicUsize>,
    pools: Pools,
) {
    tokio::select! {
        () = accept(listener, router, stop) => {}
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

/// Serves connections until `stop`, then lets the requests under way end.
async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for one: it passes when connections end.
                warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = graceful.watch(connection(stream, peer, router.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%peer, error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some requests did not end in time");
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<Incoming, ResBody = axum::body::Body, Error = std::convert::Infallible, Future: Send>
    + Send,
> {
    // Answers are small and written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
}
