//! A connection goes on after a request was refused, or the answer says that it does not.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tests::service::Reply;
use tests::{Client, Service};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::limits::{answer, head};

const ROWS: &str = "/v1/cloudwatcher/suppliers";
const BODY: &str = r#"{"name": "Acme"}"#;
/// For how long a client listens for an answer before it sends the body.
const LISTENS: Duration = Duration::from_millis(20);

/// A request whose head comes first.
struct Sent<'a> {
    client: &'a Client,
    method: &'a str,
    path: &'a str,
    headers: &'a str,
}

impl Sent<'_> {
    async fn head(&self, length: usize) -> TcpStream {
        let address = self.client.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let headers = format!("{}Content-Length: {length}\r\n", self.headers);
        let head = head(self.client, self.method, self.path, &headers);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// The answer to the head and to the body that comes later.
    async fn whole(&self) -> (TcpStream, Reply) {
        let mut stream = self.head(BODY.len()).await;
        // The answer to the head alone, if there is one.
        let _ = tokio::time::timeout(LISTENS, stream.readable()).await;
        stream.write_all(BODY.as_bytes()).await.unwrap();
        let reply = answer(&mut stream).await;
        (stream, reply)
    }
}

fn says_close(reply: &Reply) -> bool {
    reply.headers.get("connection").is_some_and(|value| value == "close")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_a_request_whose_body_comes_later_leaves_the_connection_as_it_says() {
    let service = Service::start().await;
    let admin = &service.admin;
    let unsigned = admin.with_token("x.y.z");
    let nobody = Client::new(&service.url, service.tenant, Uuid::new_v4());
    let powerless = service.person(&[], &[]).await;
    let gone = service.person(&["*"], &[]).await;
    let deactivate = format!("/v1/identity/users/{}/deactivate", gone.user);
    admin.post(&deactivate, &json!({})).await.ok();

    let json = "Content-Type: application/json\r\n";
    let long_key = format!("{json}Idempotency-Key: {}\r\n", "k".repeat(300));
    let unknown = format!("{ROWS}/{}/admire", Uuid::now_v7());
    let refused = [
        (&unsigned, "POST", ROWS, json, 401, "unauthenticated"),
        (&nobody, "POST", ROWS, json, 403, "not-registered"),
        (&gone, "POST", ROWS, json, 403, "inactive"),
        (&powerless, "POST", ROWS, json, 403, "forbidden"),
        (admin, "POST", ROWS, &long_key, 400, "bad-value"),
        (admin, "POST", ROWS, "", 415, "media-type"),
        (admin, "POST", &unknown, json, 404, "unknown-command"),
        (admin, "POST", "/v1/cloudwatcher/wonders", json, 404, "not-found"),
        (admin, "POST", "/nowhere", json, 404, "not-found"),
        (admin, "POST", "/v1/events", json, 405, "method-not-allowed"),
        (admin, "PUT", ROWS, json, 405, "method-not-allowed"),
    ];
    for (client, method, path, headers, status, kind) in refused {
        let sent = Sent {
            client,
            method,
            path,
            headers,
        };
        let (mut stream, reply) = sent.whole().await;
        assert!(!says_close(&reply), "{kind}: what was sent was small and soon there");
        assert_eq!(reply.problem(status)["type"], format!("/problems/{kind}"), "{path}");
        // The next request on the connection is a whole one.
        stream
            .write_all(head(admin, "GET", "/health/live", "").as_bytes())
            .await
            .unwrap();
        assert_eq!(answer(&mut stream).await.status, 200, "{kind}");
    }
    // A command that is sent on such a connection is carried out.
    let sent = Sent {
        client: &unsigned,
        method: "POST",
        path: ROWS,
        headers: json,
    };
    let (mut stream, _) = sent.whole().await;
    let next = head(
        admin,
        "POST",
        ROWS,
        &format!("{json}Content-Length: {}\r\n", BODY.len()),
    );
    stream.write_all(format!("{next}{BODY}").as_bytes()).await.unwrap();
    answer(&mut stream).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_request_whose_body_does_not_come_says_that_the_connection_ends() {
    let service = Service::start().await;
    let admin = &service.admin;
    let unsigned = admin.with_token("x.y.z");
    let sent = |client, headers| Sent {
        client,
        method: "POST",
        path: ROWS,
        headers,
    };
    // It never comes; it is too large; it is to come only once the server asks for it.
    for (sent, length, status) in [
        (sent(&unsigned, ""), 100, 401),
        (sent(admin, ""), 2_000_000_000, 413),
        (sent(&unsigned, "Expect: 100-continue\r\n"), 100, 401),
    ] {
        let mut stream = sent.head(length).await;
        let reply = answer(&mut stream).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert!(says_close(&reply), "{:?}", reply.headers);
    }
    // What has no body ends nothing.
    let reply = admin.send(unsigned.request(Method::GET, ROWS)).await;
    assert!(reply.status == 401 && !says_close(&reply), "{reply:?}");
    service.end().await;
}
