//! Connections as attackers use them: from an address of their own, and not to their end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::Client;

/// Where attackers come from; the victim comes from 127.0.0.1.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// What the kernel takes for an attacker who does not read, in bytes: the less, the more the process has to keep.
const RECEIVED_BYTES: u32 = 16 * 1024;
/// Length of a first line of an answer.
const LINE_BYTES_MAX: usize = 256;
/// How long an attacker holds what it does not read, in seconds.
const HOLD_SECONDS: u64 = 30;

/// How an exchange ended that an attacker began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Status(u16),
    /// The connection was ended before there was an answer, or before the answer was read.
    Closed,
}

/// A connection that has sent this.
pub async fn sent(url: &str, bytes: &[u8]) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(ADDRESS.into(), 0))?;
    socket.set_recv_buffer_size(RECEIVED_BYTES)?;
    let address = url.trim_start_matches("http://").parse();
    let mut stream = socket.connect(address.map_err(io::Error::other)?).await?;
    // Who is refused before they have sent all is told so all the same.
    let _ = stream.write_all(bytes).await;
    Ok(stream)
}

/// The head of a request; `headers` are whole lines.
pub fn head(client: &Client, method: &str, path: &str, headers: &str) -> String {
    let token = &client.token;
    format!("{method} {path} HTTP/1.1\r\nHost: daybook\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
}

/// The status of the answer.
pub async fn status(stream: &mut TcpStream) -> Told {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < LINE_BYTES_MAX && stream.read_exact(&mut byte).await.is_ok() && byte != *b"\n" {
        line.extend_from_slice(&byte);
    }
    let line = String::from_utf8_lossy(&line);
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.map_or(Told::Closed, Told::Status)
}

/// Reads whatever comes, until nothing does any more.
pub async fn read_on(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// Reads so few bytes a second, until the connection is ended.
pub async fn read_slowly(stream: &mut TcpStream, bytes: usize) {
    let mut buffer = vec![0; bytes];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Reads nothing and keeps the connection, until it is ended by the other side.
pub async fn hold(stream: &TcpStream) {
    for _ in 0..HOLD_SECONDS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !matches!(stream.take_error(), Ok(None)) {
            return;
        }
    }
}
