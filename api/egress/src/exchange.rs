//! One request by one connection of its own, and its answer: nothing is followed, unpacked, kept or sent twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::call::{Answer, HEADERS_BYTES_MAX, HEADERS_MAX};
use crate::error::{EgressError, Stage, Unreachable};
use crate::host::Host;

/// How long a connection to one address may take, in seconds, before the next is tried.
const CONNECT_SECONDS_MAX: u64 = 3;
/// How long the two sides may take to agree on TLS, in seconds.
const TLS_SECONDS_MAX: u64 = 10;
/// What is read at once of an answer.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A request, with what is needed to send it.
pub struct Exchange<'a> {
    pub request: hyper::Request<Full<Bytes>>,
    /// Checked addresses, of which the first that answers is taken.
    pub addresses: &'a [SocketAddr],
    /// The host whose certificate is asked for; none without TLS.
    pub tls: Option<(&'a Host, Arc<ClientConfig>)>,
    pub answer_bytes_max: usize,
    /// When all must be done.
    pub until: Instant,
}

impl Exchange<'_> {
    pub async fn run(self) -> Result<Answer, EgressError> {
        let stream = connect(self.addresses, self.until).await?;
        match self.tls {
            None => send(stream, self.request, self.answer_bytes_max, self.until).await,
            Some((host, config)) => {
                let name = server_name(host)?;
                let until = self.until.min(Instant::now() + Duration::from_secs(TLS_SECONDS_MAX));
                let agreed = timeout_at(until, TlsConnector::from(config).connect(name, stream)).await;
                let stream = agreed
                    .map_err(|_| EgressError::Timeout(Stage::Tls))?
                    .map_err(|error| Unreachable::Tls(error.to_string()))?;
                send(stream, self.request, self.answer_bytes_max, self.until).await
            }
        }
    }
}

/// A connection to the first address that takes one.
pub async fn connect(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, EgressError> {
    let mut last = EgressError::from(Unreachable::NoAddress);
    for address in addresses {
        if Instant::now() >= until {
            return Err(EgressError::Timeout(Stage::Connect));
        }
        let until = until.min(Instant::now() + Duration::from_secs(CONNECT_SECONDS_MAX));
        last = match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // One request is written and then only read; there is nothing to gather.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => Unreachable::Connect(error.kind()).into(),
            Err(_) => EgressError::Timeout(Stage::Connect),
        };
    }
    Err(last)
}

fn server_name(host: &Host) -> Result<ServerName<'static>, EgressError> {
    match host {
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| Unreachable::Tls("no certificate can have this name".to_owned()).into()),
    }
}

async fn send<S>(
    stream: S,
    request: hyper::Request<Full<Bytes>>,
    answer_bytes_max: usize,
    until: Instant,
) -> Result<Answer, EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADERS_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Unreachable::Closed)?;
    // Ends with this function, however that ends.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    match timeout_at(until, sender.try_send_request(request)).await {
        Err(_) => Err(EgressError::Timeout(Stage::Answer)),
        Ok(Ok(answer)) => read(answer, answer_bytes_max, until).await,
        // The request comes back when nothing of it was written.
        Ok(Err(mut failed)) => Err(match failed.take_message() {
            Some(_) => Unreachable::Closed.into(),
            None if failed.error().is_parse_too_large() => EgressError::TooLarge,
            None if failed.error().is_parse() => EgressError::NotHttp,
            None => EgressError::NoAnswer,
        }),
    }
}

async fn read(answer: hyper::Response<Incoming>, bytes_max: usize, until: Instant) -> Result<Answer, EgressError> {
    let (head, mut incoming) = answer.into_parts();
    let status = head.status.as_u16();
    let mut body = Vec::new();
    let mut is_cut = false;
    // A connection that breaks and a time that is over are the same to whoever wants the rest.
    let broken = EgressError::HalfAnswer { status };
    loop {
        let frame = match timeout_at(until, incoming.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) | Err(_) => return Err(broken),
        };
        let Ok(data) = frame.into_data() else { continue };
        let room = bytes_max - body.len();
        body.extend_from_slice(&data[..room.min(data.len())]);
        if data.len() > room {
            is_cut = true;
            break;
        }
    }
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    Ok(Answer {
        status,
        headers: headers.collect(),
        body,
        is_cut,
    })
}
