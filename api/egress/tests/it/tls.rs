//! Certificates: whom a connection is made with is known before anything is sent.

use std::sync::{Arc, Mutex};

use egress::{Allowed, Answer, Egress, EgressError, Settings, Stage, Texts, Unreachable};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::servers::{OK, Script, TENANT, get, request};

/// An authority of the operator's own.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for the name; what it read, by TLS alone.
struct Secured {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Secured {
    async fn start(
        authority: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()])
            .unwrap()
            .signed_by(&key, authority)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let request = request(&mut stream).await;
                    read.lock().unwrap().push(request);
                    stream.write_all(OK).await.unwrap();
                    drop(stream.shutdown().await);
                }
            }
        });
        Self { port, requests }
    }

    async fn called(&self, host: &str, pem: &str) -> Result<Answer, EgressError> {
        let settings = Settings::from_texts(&Texts {
            private_networks: "127.0.0.0/8",
            ports: &self.port.to_string(),
            extra_roots: pem,
            ..Texts::default()
        });
        let names = Script::new(&[
            ("hooks.example.com", &["127.0.0.1"]),
            ("other.example.com", &["127.0.0.1"]),
        ]);
        let way_out = Egress::with_names(settings.unwrap(), names).unwrap();
        let allowed = Allowed::new([host]).unwrap();
        way_out
            .call(TENANT, &allowed, get(format!("https://{host}:{}/", self.port)))
            .await
    }
}

#[tokio::test]
async fn an_authority_that_the_operator_adds_is_believed() {
    let authority = authority();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for name in ["hooks.example.com", "127.0.0.1"] {
            let server = Secured::start(&authority, name, version).await;
            assert_eq!(
                server.called(name, &authority.pem()).await.unwrap().body,
                b"ok",
                "{name}"
            );
            assert_eq!(server.requests.lock().unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_to_whoever_has_no_certificate_of_the_name() {
    let authority = authority();
    let server = Secured::start(&authority, "hooks.example.com", &rustls::version::TLS13).await;
    let stranger = self::authority();
    for (host, pem) in [
        ("hooks.example.com", String::new()),
        ("hooks.example.com", stranger.pem()),
        ("other.example.com", authority.pem()),
        ("127.0.0.1", authority.pem()),
    ] {
        let error = server.called(host, &pem).await.unwrap_err();
        assert!(
            matches!(error, EgressError::Unreachable(Unreachable::Tls(_))),
            "{host}: {error:?}"
        );
        assert!(error.is_certain_not_sent());
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_says_nothing_of_tls_costs_the_time_given() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Secured {
        port: listener.local_addr().unwrap().port(),
        requests: Arc::default(),
    };
    let settings = Settings::from_texts(&Texts {
        private_networks: "127.0.0.0/8",
        ports: &silent.port.to_string(),
        ..Texts::default()
    });
    let way_out = Egress::new(settings.unwrap()).unwrap();
    let call = egress::Call {
        seconds_max: 1,
        ..get(format!("https://127.0.0.1:{}/", silent.port))
    };
    let error = way_out
        .call(TENANT, &Allowed::new(["127.0.0.1"]).unwrap(), call)
        .await
        .unwrap_err();
    assert_eq!(error, EgressError::Timeout(Stage::Tls));
    assert!(error.is_certain_not_sent());
}
