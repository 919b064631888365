//! Takes connections, and serves requests on them. The door is never shut: who has their share of connections is turned
//! away, and all others come in.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use http::problem::{self, Problem};

use crate::Fault;
use crate::forwarded::{self, Network};
use crate::peers::{Peers, Place};
use crate::timed::Timed;

/// Open connections of one process.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Open connections of the listener for health and metrics.
pub const HEALTH_CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send a request's head, and a connection may idle, in seconds.
const HEAD_SECONDS_MAX: u64 = 10;
/// Size of a request's head. A half one is held in memory, by as many connections as one address may have.
const HEAD_BYTES_MAX: usize = 24 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// What the kernel keeps of an answer that its client has not read, in bytes (twice that with its own needs). As much as
/// it would take by itself, the first megabytes of a long answer were sent to nobody, and a slow reader seemed to
/// stand still.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// Connections that the kernel completes before they are taken.
const BACKLOG: u32 = 1_024;
/// How long requests under way may take to end once the process is to stop, in seconds.
const DRAIN_SECONDS_MAX: u64 = 20;
/// How long nothing is accepted after that failed, in milliseconds: out of file descriptors, for one, it passes when
/// connections end.
const REST_MS: u64 = 50;
/// Files that a process opens beside connections: those to servers, archives, the log.
const OTHER_FILES_MAX: usize = 512;

/// What all connections of a listener share.
#[derive(Debug)]
pub struct Door {
    router: Router,
    connections: Arc<Peers>,
    /// Requests that proxies brought and that are under way: those of one address are on connections of many.
    forwarded: Arc<Peers>,
    proxies: Vec<Network>,
}

impl Door {
    #[must_use]
    pub fn new(router: Router, connections: usize, proxies: Vec<Network>) -> Self {
        Self {
            router,
            connections: Peers::new(connections),
            forwarded: Peers::new(connections),
            proxies,
        }
    }

    fn is_proxy(&self, peer: SocketAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(peer.ip()))
    }
}

/// How many connections this process may have: fewer than its constant where the system lets it open few files.
#[must_use]
pub fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(files) = files_max(&limits) else {
        return CONNECTIONS_MAX;
    };
    let connections = CONNECTIONS_MAX.min(files.saturating_sub(OTHER_FILES_MAX).max(HEALTH_CONNECTIONS_MAX));
    if connections < CONNECTIONS_MAX {
        warn!(
            files,
            connections,
            "the system lets this process open few files, so it takes few connections; allow {}",
            CONNECTIONS_MAX + OTHER_FILES_MAX
        );
    }
    connections
}

/// How many files a process may open, from what Linux says of its limits.
fn files_max(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Listens on an address.
///
/// # Errors
/// When it is taken, or none of this machine's.
pub fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Fault> {
    let binding = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        // Connections have it from their listener.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    binding().map_err(Fault::io(format!("cannot listen on {address}")))
}

/// Serves connections until `stop`, then lets the requests under way end.
pub async fn accept(listener: TcpListener, door: Door, stop: CancellationToken) {
    let (door, graceful) = (Arc::new(door), GracefulShutdown::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(REST_MS)).await;
                continue;
            }
        };
        let is_proxy = door.is_proxy(peer);
        let place = if is_proxy {
            door.connections.of_proxy()
        } else {
            door.connections.place(peer.ip())
        };
        let Some(place) = place else {
            metrics::counter!("daybook_connections_refused_total").increment(1);
            debug!(%peer, "a connection was refused: its address has its share");
            // Nothing of it is to stay behind, not even in the kernel.
            let _ = stream.set_zero_linger();
            continue;
        };
        let connection = graceful.watch(connection(stream, peer, is_proxy, door.clone()));
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep_until(place.begins) => {}
                // Nothing was asked on it.
                () = stop.cancelled() => return,
            }
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
    is_proxy: bool,
    door: Arc<Door>,
) -> http1::Connection<
    TokioIo<Timed>,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + Send,
> {
    // Answers are small and written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let door = door.clone();
        async move {
            Ok::<_, Infallible>(match is_proxy {
                true => forwarded(&door, peer, request).await,
                false => asked(&door, peer, request).await,
            })
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Timed::new(stream)), TowerToHyperService::new(service))
}

/// Answers a request from this address.
async fn asked(door: &Door, from: SocketAddr, mut request: Request<Incoming>) -> Response {
    request.extensions_mut().insert(ConnectInfo(from));
    let answering = door.router.clone().oneshot(request);
    answering.await.unwrap_or_else(|never| match never {})
}

/// Answers a request that a proxy brings: it is of the address that the proxy saw, and counts among that one's.
async fn forwarded(door: &Door, proxy: SocketAddr, request: Request<Incoming>) -> Response {
    let from = forwarded::client(request.headers(), proxy, &door.proxies);
    let Some(place) = door.forwarded.place(from.ip()) else {
        metrics::counter!("daybook_connections_refused_total").increment(1);
        let detail = "too many requests from your address are under way; wait until some are answered";
        return Problem::new(problem::TOO_MANY, detail)
            .of_request(request.uri().path(), None)
            .into_response();
    };
    let answer = asked(door, from, request).await;
    answer.map(|body| Body::new(Placed { body, _place: place }))
}

/// The body of an answer that keeps a place until it is sent.
struct Placed {
    body: Body,
    _place: Place,
}

impl hyper::body::Body for Placed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn the_limit_of_open_files_is_read_from_what_linux_says() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             96313                96313                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(files_max(limits), Some(1_024));
        assert_eq!(
            files_max("Max open files            unlimited            unlimited"),
            None
        );
        assert_eq!(files_max(""), None);
    }

    /// The status of an answer to a request that the proxy of this test brings from an address, and its connection.
    async fn brought(to: SocketAddr, from: &str) -> (u16, TcpStream) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(PROXY.parse().unwrap()).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        let head = format!("GET /wait HTTP/1.1\r\nHost: daybook\r\nX-Forwarded-For: {from}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).await.unwrap();
        (std::str::from_utf8(&begun[9..]).unwrap().parse().unwrap(), stream)
    }

    const PROXY: &str = "127.0.0.3:0";

    #[tokio::test]
    async fn requests_that_a_proxy_brings_count_for_the_address_that_it_saw_until_they_are_answered() {
        // Answers begin at once, and end when the test does.
        let waiting = || async { Body::from_stream(futures::stream::pending::<Result<Bytes, axum::Error>>()) };
        let router = Router::new().route("/wait", axum::routing::get(waiting));
        let door = Door::new(router, 4, vec!["127.0.0.3".parse().unwrap()]);
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(accept(listener, door, stop.clone()));
        let (one, other) = ("198.51.100.1", "198.51.100.2");
        let mut streams = Vec::new();
        for (from, expected) in [(one, 200), (one, 200), (one, 429), (other, 200)] {
            let (status, stream) = brought(address, from).await;
            assert_eq!(status, expected, "{from}");
            streams.push(stream);
        }
        drop(streams);
        stop.cancel();
        served.await.unwrap();
    }
}
