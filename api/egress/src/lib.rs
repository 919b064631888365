//! The one way out of Daybook: a client of HTTP that reaches only what its owner may reach.
//!
//! A call names a URL; whoever makes it also names the tenant and the hosts that this tenant allows. The host is looked
//! up once, all its addresses are checked, and the connection goes to one of those. Redirects are answers, not orders;
//! sizes and times have bounds; a tenant whose targets hang occupies its own places. Nothing here logs, and no error and
//! no `Debug` has more of a call than its scheme, host and port. Proxies of the environment are not asked.
//!
//! What is no HTTP (databases, bare TCP, DNS, NATS) obeys the same rule by [`Egress::check_target`], whose answer is the
//! address to connect to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::counter;
use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;
use tokio::time::Instant;
use uuid::Uuid;

mod address;
mod call;
mod error;
mod exchange;
mod host;
mod places;
mod reach;
mod settings;
mod target;

pub use address::Kind;
pub use call::{
    ANSWER_BYTES_MAX, Answer, Call, HEADERS_BYTES_MAX, HEADERS_MAX, Method, REQUEST_BYTES_MAX, SECONDS_MAX,
    URL_BYTES_MAX,
};
pub use error::{EgressError, Overload, Refusal, Stage, Unreachable};
pub use host::{ALLOWED_HOSTS_MAX, Allowed, Host, NotAHost, NotAPattern, Pattern};
pub use places::{WAITING_MAX, WAITING_OF_TENANT_MAX};
pub use reach::{LookUp, Names, SystemNames};
pub use settings::{
    BadSetting, CA_FILE, CALLS, CALLS_MAX, CALLS_OF_TENANT, HTTPS_PORT, Own, PLAIN_HTTP, PORTS, PRIVATE_NETWORKS,
    Plain, Settings, Texts,
};
pub use target::{Scheme, Target};

use exchange::Exchange;
use places::{Place, Places};
use reach::Reach;

/// How long the check of a target that is no HTTP may take, in seconds, with the wait for a place.
const CHECK_SECONDS_MAX: u64 = 10;

/// The way out. Clones share its places.
#[derive(Clone)]
pub struct Egress {
    reach: Arc<Reach>,
    places: Arc<Places>,
    ports: Arc<[u16]>,
    plain_http: Arc<[Plain]>,
    tls: Arc<ClientConfig>,
}

impl Egress {
    /// The way out as the operator allows it, with the names that the system knows.
    ///
    /// # Errors
    /// [`BadSetting`], when a setting allows what no operator may, or no certificate is believed at all.
    pub fn new(settings: Settings) -> Result<Self, BadSetting> {
        Self::with_names(settings, Arc::new(SystemNames))
    }

    /// The same, with names from elsewhere.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_names(settings: Settings, names: Arc<dyn Names>) -> Result<Self, BadSetting> {
        settings.check()?;
        let mut ports = settings.ports;
        ports.push(HTTPS_PORT);
        Ok(Self {
            reach: Arc::new(Reach {
                names,
                private_networks: settings.private_networks,
                own: settings.own,
                own_known: Mutex::default(),
            }),
            places: Places::new(settings.calls, settings.calls_of_tenant),
            ports: ports.into(),
            plain_http: settings.plain_http.into(),
            tls: Arc::new(tls(settings.extra_roots)?),
        })
    }

    /// Makes one call, once. Whatever the other side says is an answer, with an error's status or a redirect's as well.
    ///
    /// # Errors
    /// [`EgressError`]; [`EgressError::is_certain_not_sent`] tells whether the same call may be made again without a
    /// thought.
    pub async fn call(&self, tenant: Uuid, allowed: &Allowed, call: Call) -> Result<Answer, EgressError> {
        let answer = self.called(tenant, allowed, call).await;
        let outcome = match &answer {
            Ok(answer) if answer.is_cut => "cut",
            Ok(_) => "answered",
            Err(error) => error.outcome(),
        };
        counter!("daybook_egress_calls_total", "outcome" => outcome).increment(1);
        answer
    }

    /// The addresses of a target that is no HTTP, checked by the same rule: an allowed host, a port that the operator
    /// names, no address that is refused. Connect to these alone; looking the host up again could bring others.
    ///
    /// # Errors
    /// [`EgressError`], as for a call. Nothing was sent in any case.
    pub async fn check_target(
        &self,
        tenant: Uuid,
        allowed: &Allowed,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let host: Host = host.parse().map_err(Refusal::from)?;
        self.check_names(allowed, &host, port)?;
        let until = Instant::now() + Duration::from_secs(CHECK_SECONDS_MAX);
        let place = Arc::new(self.places.take(tenant, until).await?);
        self.reach.addresses(&host, port, &place, until).await
    }

    async fn called(&self, tenant: Uuid, allowed: &Allowed, call: Call) -> Result<Answer, EgressError> {
        call.check()?;
        let until = Instant::now() + Duration::from_secs(call.seconds_max);
        let target = Target::of_url(&call.url)?;
        self.check_names(allowed, &target.host, target.port)?;
        let answer_bytes_max = call.answer_bytes_max;
        let request = call.into_request(&target)?;
        let place: Arc<Place> = Arc::new(self.places.take(tenant, until).await?);
        let addresses = self.reach.addresses(&target.host, target.port, &place, until).await?;
        let tls = match target.scheme {
            Scheme::Https => Some((&target.host, Arc::clone(&self.tls))),
            Scheme::Http if self.is_plain(&target.host, &addresses) => None,
            Scheme::Http => return Err(Refusal::Scheme.into()),
        };
        let exchange = Exchange {
            request,
            addresses: &addresses,
            tls,
            answer_bytes_max,
            until,
        };
        exchange.run().await
    }

    /// What can be told before anything is looked up.
    fn check_names(&self, allowed: &Allowed, host: &Host, port: u16) -> Result<(), Refusal> {
        if !allowed.has(host) {
            return Err(Refusal::NotAllowed(host.to_string()));
        }
        match self.ports.contains(&port) {
            true => Ok(()),
            false => Err(Refusal::Port(port)),
        }
    }

    /// Whether http may be spoken to a host with these addresses.
    fn is_plain(&self, host: &Host, addresses: &[SocketAddr]) -> bool {
        self.plain_http.iter().any(|plain| match plain {
            Plain::Host(pattern) => pattern.matches(host),
            Plain::Network(network) => addresses.iter().all(|address| network.contains(&address.ip())),
        })
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

/// What certificates are believed: those of the system, and those that the operator adds.
fn tls(extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>) -> Result<ClientConfig, BadSetting> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |error: rustls::Error| BadSetting(format!("{CA_FILE}: no certificates to believe: {error}"));
    let verifier = Verifier::new_with_extra_roots(extra_roots, Arc::clone(&provider)).map_err(wrong)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
