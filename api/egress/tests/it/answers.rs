//! What comes back, and what is known of the request when nothing does.

use std::io;
use std::time::{Duration, Instant};

use egress::{Answer, Call, EgressError, HEADERS_BYTES_MAX, Method, Refusal, SECONDS_MAX, Stage, Unreachable};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::servers::{OK, Server, TENANT, allowed, get, open, way_out};

async fn called(server: &Server, call: Call) -> Result<Answer, EgressError> {
    way_out(server).call(TENANT, &allowed(&call.url), call).await
}

async fn got(server: &Server) -> Result<Answer, EgressError> {
    called(
        server,
        Call {
            seconds_max: 1,
            ..get(server.url("/"))
        },
    )
    .await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_stated() {
    let server = Server::saying(OK).await;
    let answer = called(
        &server,
        Call {
            method: Method::Post,
            headers: vec![
                ("X-One".to_owned(), "1".to_owned()),
                ("x-one".to_owned(), "2".to_owned()),
            ],
            body: b"{\"text\":\"hello\"}".to_vec(),
            ..get(server.url("/a%20b/c?q=1&r=%C3%BC#not-sent"))
        },
    );
    let answer = answer.await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.is_cut),
        (200, b"ok".as_slice(), false)
    );
    assert_eq!(answer.header("content-length"), Some("2"));
    let request = server.requests().pop().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "{\"text\":\"hello\"}");
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /a%20b/c?q=1&r=%C3%BC HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "connection: close",
            "content-length: 16",
            &*host,
            "user-agent: daybook",
            "x-one: 1",
            "x-one: 2",
        ]
    );
}

#[tokio::test]
async fn every_method_is_sent_as_itself() {
    let server = Server::saying(OK).await;
    for (method, word) in [
        (Method::Get, "GET "),
        (Method::Post, "POST "),
        (Method::Put, "PUT "),
        (Method::Patch, "PATCH "),
    ] {
        called(
            &server,
            Call {
                method,
                ..get(server.url("/"))
            },
        )
        .await
        .unwrap();
        assert!(server.requests().pop().unwrap().starts_with(word));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nobody_follows_it() {
    let server = Server::saying(
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let answer = got(&server).await.unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("location"),
        Some("http://169.254.169.254/latest/meta-data")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_error_of_the_other_side_is_an_answer() {
    let server = Server::saying(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy").await;
    let answer = got(&server).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("7")));
}

#[tokio::test]
async fn what_is_packed_stays_packed() {
    let server =
        Server::saying(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x08").await;
    assert_eq!(got(&server).await.unwrap().body, b"\x1f\x8b\x08");
}

#[tokio::test]
async fn an_answer_is_cut_where_the_caller_would_read_no_more() {
    let server = Server::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef").await;
    for (bytes, body, is_cut) in [
        (0, "", true),
        (5, "abcde", true),
        (6, "abcdef", false),
        (7, "abcdef", false),
    ] {
        let answer = called(
            &server,
            Call {
                answer_bytes_max: bytes,
                ..get(server.url("/"))
            },
        )
        .await
        .unwrap();
        assert_eq!(
            (answer.body.as_slice(), answer.is_cut),
            (body.as_bytes(), is_cut),
            "{bytes}"
        );
    }
}

async fn flood(mut stream: TcpStream, head: &[u8], piece: &[u8]) -> io::Result<()> {
    stream.write_all(head).await?;
    loop {
        stream.write_all(piece).await?;
    }
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    for (head, piece) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'a'; 4096][..]),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"5\r\naaaaa\r\n",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551613\r\n\r\n",
            &[b'a'; 4096],
        ),
    ] {
        let server = Server::start(move |stream| flood(stream, head, piece)).await;
        let answer = called(&server, get(server.url("/"))).await.unwrap();
        assert_eq!((answer.body.len(), answer.is_cut), (64 * 1024, true));
        assert!(answer.body.iter().all(|byte| *byte == b'a'));
    }
}

#[tokio::test]
async fn endless_headers_are_not_read() {
    for (head, piece) in [
        (
            &b"HTTP/1.1 200 OK\r\n"[..],
            &b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"[..],
        ),
        (b"HTTP/1.1 200 OK\r\nx-a: ", &[b'a'; 4096]),
        (b"HTTP/1.1 200 ", &[b'a'; 4096]),
    ] {
        let server = Server::start(move |stream| flood(stream, head, piece)).await;
        let error = got(&server).await.unwrap_err();
        assert_eq!(error, EgressError::TooLarge);
        assert!(!error.is_certain_not_sent());
    }
}

#[tokio::test]
async fn headers_are_read_up_to_their_bound() {
    for (bytes, is_read) in [(HEADERS_BYTES_MAX - 100, true), (HEADERS_BYTES_MAX, false)] {
        let server = Server::start(move |mut stream| async move {
            let head = format!("HTTP/1.1 204 None\r\nx-a: {}\r\n\r\n", "a".repeat(bytes));
            stream.write_all(head.as_bytes()).await
        });
        assert_eq!(got(&server.await).await.is_ok(), is_read, "{bytes}");
    }
}

#[tokio::test]
async fn one_that_hangs_costs_the_time_given_and_no_more() {
    let server = Server::start(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
        Ok(())
    });
    let server = server.await;
    let begun = Instant::now();
    let error = got(&server).await.unwrap_err();
    assert_eq!(error, EgressError::Timeout(Stage::Answer));
    assert!(!error.is_certain_not_sent() && server.requests().len() == 1);
    assert!((1..3).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

async fn drip(mut stream: TcpStream, bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

#[tokio::test]
async fn one_that_answers_byte_by_byte_is_heard_within_the_time_given() {
    let server = Server::start(|stream| drip(stream, OK, Duration::from_millis(5))).await;
    assert_eq!(got(&server).await.unwrap().body, b"ok");

    let server = Server::start(|stream| drip(stream, OK, Duration::from_millis(200))).await;
    let begun = Instant::now();
    assert_eq!(got(&server).await.unwrap_err(), EgressError::Timeout(Stage::Answer));
    assert!(begun.elapsed() < Duration::from_secs(3));

    let slow_body = Server::start(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await?;
        drip(stream, &[b'a'; 1000], Duration::from_millis(100)).await
    });
    let error = got(&slow_body.await).await.unwrap_err();
    assert_eq!(error, EgressError::HalfAnswer { status: 200 });
    assert!(!error.is_certain_not_sent());
}

#[tokio::test]
async fn half_an_answer_tells_its_status() {
    for half in [
        &b"HTTP/1.1 500 Broken\r\ncontent-length: 10\r\n\r\nabc"[..],
        b"HTTP/1.1 500 Broken\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 500 Broken\r\ntransfer-encoding: chunked\r\n\r\nnumber\r\n",
    ] {
        let server = Server::saying(half).await;
        let error = got(&server).await.unwrap_err();
        assert_eq!(error, EgressError::HalfAnswer { status: 500 });
        assert!(!error.is_certain_not_sent());
    }
}

#[tokio::test]
async fn one_that_closes_without_an_answer_may_have_had_the_request() {
    for begun in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-le"] {
        let server = Server::saying(begun).await;
        let error = got(&server).await.unwrap_err();
        assert_eq!(error, EgressError::NoAnswer, "{begun:?}");
        assert!(!error.is_certain_not_sent() && server.requests().len() == 1);
    }
}

#[tokio::test]
async fn what_is_no_http_is_told() {
    for other in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"220 mail ready\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"HTTP/2.0 200\r\n\r\n",
    ] {
        let server = Server::saying(other).await;
        assert_eq!(got(&server).await.unwrap_err(), EgressError::NotHttp, "{other:?}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent() {
    let server = Server::saying(OK).await;
    let (url, way_out) = (server.url("/"), way_out(&server));
    drop(server);
    let error = way_out.call(TENANT, &allowed(&url), get(&url)).await.unwrap_err();
    assert_eq!(
        error,
        EgressError::Unreachable(Unreachable::Connect(io::ErrorKind::ConnectionRefused))
    );
    assert!(error.is_certain_not_sent());
}

#[tokio::test]
async fn a_call_beyond_our_bounds_is_refused() {
    let server = Server::saying(OK).await;
    let way_out = egress::Egress::new(open(&[server.address.port()])).unwrap();
    let of = |change: fn(&mut Call)| {
        let mut call = get(server.url("/"));
        change(&mut call);
        call
    };
    let header = |name: &str, value: &str| {
        let mut call = get(server.url("/"));
        call.headers.push((name.to_owned(), value.to_owned()));
        call
    };
    let mut refused = vec![
        (of(|call| call.seconds_max = 0), Refusal::Seconds(0)),
        (
            of(|call| call.seconds_max = SECONDS_MAX + 1),
            Refusal::Seconds(SECONDS_MAX + 1),
        ),
        (
            of(|call| call.answer_bytes_max = usize::MAX),
            Refusal::Answer(usize::MAX),
        ),
        (
            of(|call| call.body = vec![0; egress::REQUEST_BYTES_MAX + 1]),
            Refusal::Body(egress::REQUEST_BYTES_MAX + 1),
        ),
        (of(|call| call.url.push_str(&"a".repeat(9_000))), Refusal::UrlTooLong),
        (
            of(|call| call.headers = vec![(String::from("a"), String::new()); 101]),
            Refusal::Headers,
        ),
        (header("a", &"b".repeat(HEADERS_BYTES_MAX)), Refusal::Headers),
        (header("a b", ""), Refusal::NotAHeader),
        (header("", ""), Refusal::NotAHeader),
        (header("a", "b\r\nhost: other"), Refusal::NotAHeader),
        (header("a\r\nhost", "other"), Refusal::NotAHeader),
    ];
    for name in [
        "Host",
        "HOST",
        "content-length",
        "Transfer-Encoding",
        "connection",
        "Keep-Alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
        "expect",
        "accept-encoding",
    ] {
        refused.push((header(name, "1"), Refusal::Header(name.to_lowercase())));
    }
    for (call, refusal) in refused {
        let error = way_out
            .call(TENANT, &allowed(&server.url("/")), call)
            .await
            .unwrap_err();
        assert!(error.is_certain_not_sent());
        assert_eq!(error, EgressError::Refused(refusal));
    }
    assert!(server.requests().is_empty());
}
