//! `daybook health`: asks the process that serves on this machine whether it is ready, for whoever restarts it when it is not.
//! An image needs no other program for that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::cli::say;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Config, Fault};

/// How long the process may take to answer, in seconds: more than its longest look at itself, as a rule.
const ANSWER_SECONDS_MAX: u64 = 10;
/// Size of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What `/health/ready` says, as far as it is told here.
#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    degraded: Vec<String>,
}

/// Says that the process is ready, and what it does without.
///
/// # Errors
/// Why it is not ready, or that nobody answers in time at the address of `DAYBOOK_LISTEN`.
pub async fn run(config: &Config) -> Result<(), Fault> {
    let address = reached(config.listen)?;
    let answering = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), asked(address));
    let answer = match answering.await {
        Ok(answer) => answer.map_err(Fault::io(format!("nobody answers at {address} (DAYBOOK_LISTEN)")))?,
        Err(_) => {
            return Err(Fault::Refused(format!(
                "{address} (DAYBOOK_LISTEN) has not answered within {ANSWER_SECONDS_MAX} s"
            )));
        }
    };
    let (is_ready, Told { problems, degraded }) = read(&answer)
        .ok_or_else(|| Fault::Refused(format!("what answers at {address} (DAYBOOK_LISTEN) is not Daybook")))?;
    if !is_ready {
        return Err(Fault::Refused(format!("not ready: {}", problems.join("; "))));
    }
    say("ready")?;
    degraded.iter().try_for_each(|told| say(&format!("degraded: {told}")))
}

/// Where a process is reached that listens there: one that listens on all addresses, on that of the machine itself.
fn reached(listen: SocketAddr) -> Result<SocketAddr, Fault> {
    if listen.port() == 0 {
        return Err(Fault::setting(
            "DAYBOOK_LISTEN has port 0, which is any port; name the one that the process serves on",
        ));
    }
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    Ok(SocketAddr::new(address, listen.port()))
}

async fn asked(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Whether the answer is a 200, and what it says; none of what is no answer of Daybook's.
fn read(answer: &[u8]) -> Option<(bool, Told)> {
    let answer = std::str::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    let told = serde_json::from_str(body).ok()?;
    match status {
        "200" => Some((true, told)),
        "503" => Some((false, told)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_listens_everywhere_is_asked_on_this_machine() {
        let reached = |listen: &str| reached(listen.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(reached("0.0.0.0:8080").unwrap(), "127.0.0.1:8080");
        assert_eq!(reached("[::]:8080").unwrap(), "[::1]:8080");
        assert_eq!(reached("10.0.0.5:80").unwrap(), "10.0.0.5:80");
        let error = reached("127.0.0.1:0").unwrap_err().to_string();
        assert!(error.contains("DAYBOOK_LISTEN"), "{error}");
    }

    #[test]
    fn an_answer_that_is_not_daybooks_is_none() {
        let ready = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"degraded\":[\"NATS is away\"]}";
        let (is_ready, told) = read(ready).unwrap();
        assert!(is_ready && told.degraded == ["NATS is away"]);
        let (is_ready, told) = read(b"HTTP/1.1 503 X\r\n\r\n{\"problems\":[\"Postgres\"]}").unwrap();
        assert!(!is_ready && told.problems == ["Postgres"]);
        for other in [
            "HTTP/1.1 200 OK\r\n\r\n<html>",
            "HTTP/1.1 404 Not Found\r\n\r\n{}",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "",
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
