//! What must not be told: paths, queries, headers, bodies, and where names lead.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};

use egress::{Allowed, Answer, Call, Egress, EgressError, Method};
use metrics_exporter_prometheus::PrometheusBuilder;
use tracing_subscriber::fmt::MakeWriter;

use crate::servers::{OK, Script, Server, TENANT, allowed, get, open};

/// It stands in every part of a call that may be secret.
const SECRET: &str = "s3cr3t";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn secret(url: &str) -> Call {
    Call {
        method: Method::Post,
        headers: vec![("authorization".to_owned(), format!("Bearer {SECRET}"))],
        body: SECRET.as_bytes().to_vec(),
        seconds_max: 1,
        ..get(url)
    }
}

fn shown(what: &(impl Debug + ?Sized)) -> String {
    format!("{what:?} {what:#?}")
}

#[tokio::test]
async fn nothing_that_is_shown_or_logged_has_a_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _logs = tracing::subscriber::set_default(subscriber);
    tracing::trace!("the log is kept");

    let mut told = String::new();
    let scripts: [&'static [u8]; 5] = [
        b"HTTP/1.1 302 Found\r\nlocation: /s3cr3t\r\nset-cookie: s3cr3t\r\ncontent-length: 6\r\n\r\ns3cr3t",
        OK,
        b"",
        b"s3cr3t\r\n\r\n",
        b"HTTP/1.1 200 s3cr3t\r\nx: s3cr3t\r\ncontent-length: 100\r\n\r\ns3cr3t",
    ];
    for script in scripts {
        let server = Server::saying(script).await;
        let way_out = Egress::new(open(&[server.address.port()])).unwrap();
        let call = secret(&server.url(&format!("/{SECRET}?token={SECRET}#{SECRET}")));
        told.push_str(&shown(&call));
        assert!(shown(&call).contains(&server.address.to_string()), "the host is shown");
        let answer: Result<Answer, EgressError> = way_out.call(TENANT, &allowed(&call.url), call).await;
        told.push_str(&shown(&answer));
        told.push_str(&answer.map_or_else(|error| error.to_string(), |_| String::new()));
        told.push_str(&shown(&way_out));
        assert!(
            server.requests()[0].matches(SECRET).count() == 4,
            "the secrets were sent"
        );
    }
    for url in [
        "s3cr3t",
        "https://s3cr3t:s3cr3t@a.test/",
        "https://a.test:1/s3cr3t",
        "http://a.test/s3cr3t",
        "https://a.test/s3cr3t ",
        "https://nobody.test/s3cr3t",
        "https://private.test/s3cr3t",
    ] {
        let names = Script::new(&[("a.test", &["8.8.8.8"]), ("private.test", &["10.77.88.99"])]);
        let way_out = Egress::with_names(open(&[]), names).unwrap();
        let allowed = Allowed::new(["*.example.com", "a.test", "private.test", "nobody.test"]).unwrap();
        let call = secret(url);
        told.push_str(&shown(&call));
        let error = way_out.call(TENANT, &allowed, call).await.unwrap_err();
        told.push_str(&format!("{}{error}", shown(&error)));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the log is kept"));
    for hidden in [SECRET, "10.77.88.99"] {
        assert!(!told.contains(hidden), "{hidden} in {told}");
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_their_outcome() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counts = metrics::set_default_local_recorder(&recorder);
    let server = Server::saying(OK).await;
    let way_out = Egress::new(open(&[server.address.port()])).unwrap();
    let url = server.url("/");
    for bytes in [2, 2, 1] {
        let call = Call {
            answer_bytes_max: bytes,
            ..get(&url)
        };
        assert!(way_out.call(TENANT, &allowed(&url), call).await.is_ok());
    }
    assert!(way_out.call(TENANT, &Allowed::default(), get(&url)).await.is_err());
    let counted = recorder.handle().render();
    for line in ["answered\"} 2", "cut\"} 1", "refused\"} 1"] {
        assert!(
            counted.contains(&format!("daybook_egress_calls_total{{outcome=\"{line}")),
            "{line} in {counted}"
        );
    }
}
