//! What the operator allows. Nothing here is ever a tenant's to say.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::address;
use crate::host::{Host, Pattern};

/// Where the settings come from, for whoever reads them and in what is said of wrong ones.
pub const PRIVATE_NETWORKS: &str = "DAYBOOK_EGRESS_PRIVATE_NETWORKS";
pub const PORTS: &str = "DAYBOOK_EGRESS_PORTS";
pub const PLAIN_HTTP: &str = "DAYBOOK_EGRESS_PLAIN_HTTP";
pub const CA_FILE: &str = "DAYBOOK_EGRESS_CA_FILE";
pub const CALLS: &str = "DAYBOOK_EGRESS_CALLS";
pub const CALLS_OF_TENANT: &str = "DAYBOOK_EGRESS_CALLS_OF_TENANT";

/// The port of https, which needs no naming.
pub const HTTPS_PORT: u16 = 443;
/// Calls under way at once in a process, unless the operator says otherwise; and how many may be.
const CALLS_DEFAULT: usize = 128;
pub const CALLS_MAX: usize = 4_096;
/// Calls under way at once for one tenant.
const CALLS_OF_TENANT_DEFAULT: usize = 8;

/// A setting that cannot be worked with. Its text names the setting and says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(pub(crate) String);

/// What the operator allows. The default allows https to public addresses at port 443 alone.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Private networks that may be called.
    pub private_networks: Vec<IpNet>,
    /// Ports that may be called besides 443.
    pub ports: Vec<u16>,
    /// Where http may be spoken.
    pub plain_http: Vec<Plain>,
    /// Daybook's own database, bus and the like, which are never called wherever they are.
    pub own: Vec<Own>,
    /// Certificates of authorities that are believed besides those of the system.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Calls under way at once in the process.
    pub calls: usize,
    /// Calls under way at once for one tenant.
    pub calls_of_tenant: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            private_networks: Vec::new(),
            ports: Vec::new(),
            plain_http: Vec::new(),
            own: Vec::new(),
            extra_roots: Vec::new(),
            calls: CALLS_DEFAULT,
            calls_of_tenant: CALLS_OF_TENANT_DEFAULT,
        }
    }
}

/// Settings as texts, before they are understood; an empty one is its default.
#[derive(Debug, Clone, Default)]
pub struct Texts<'a> {
    /// Networks with commas between them: `10.20.0.0/16,127.0.0.1/32`.
    pub private_networks: &'a str,
    /// Ports with commas between them: `8443,5432`.
    pub ports: &'a str,
    /// Hosts, names below one, and networks, with commas between them: `embedder.internal,10.20.0.0/16`.
    pub plain_http: &'a str,
    /// Hosts with ports: `db.internal:5432`.
    pub own: &'a [String],
    /// The content of a file with certificates in PEM.
    pub extra_roots: &'a str,
    pub calls: &'a str,
    pub calls_of_tenant: &'a str,
}

impl Settings {
    /// The settings that the texts mean.
    ///
    /// # Errors
    /// [`BadSetting`], which names the first that is wrong and says what to write.
    pub fn from_texts(texts: &Texts<'_>) -> Result<Self, BadSetting> {
        let default = Self::default();
        let settings = Self {
            private_networks: list(PRIVATE_NETWORKS, texts.private_networks, network)?,
            ports: list(PORTS, texts.ports, |text| text.parse().map_err(|_| port_meant(text)))?,
            plain_http: list(PLAIN_HTTP, texts.plain_http, str::parse)?,
            own: texts
                .own
                .iter()
                .map(|own| own.parse().map_err(BadSetting))
                .collect::<Result<_, _>>()?,
            extra_roots: roots(texts.extra_roots)?,
            calls: number(CALLS, texts.calls, default.calls)?,
            calls_of_tenant: number(CALLS_OF_TENANT, texts.calls_of_tenant, default.calls_of_tenant)?,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Refuses settings that would allow what no operator may, or no call at all.
    pub(crate) fn check(&self) -> Result<(), BadSetting> {
        for network in &self.private_networks {
            if !address::is_nameable(network) {
                return Err(BadSetting(format!(
                    "{PRIVATE_NETWORKS}: {network} is not within a private network. Name the parts of 10.0.0.0/8, \
                     100.64.0.0/10, 127.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7 or ::1/128 that are meant; \
                     public addresses need no naming, and all others are never called"
                )));
            }
        }
        if self.ports.contains(&0) {
            return Err(BadSetting(format!("{PORTS}: {}", port_meant("0"))));
        }
        if self.calls == 0 || self.calls > CALLS_MAX {
            return Err(BadSetting(format!(
                "{CALLS} must be from 1 to {CALLS_MAX}, not {}",
                self.calls
            )));
        }
        if self.calls_of_tenant == 0 || self.calls_of_tenant > self.calls {
            return Err(BadSetting(format!(
                "{CALLS_OF_TENANT} must be from 1 to {}, which is {CALLS}, not {}",
                self.calls, self.calls_of_tenant
            )));
        }
        Ok(())
    }
}

/// Where http may be spoken: to a host that is called so, or to whatever is in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    Host(Pattern),
    Network(IpNet),
}

impl FromStr for Plain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.contains('/') {
            true => network(text).map(Self::Network),
            false => text
                .parse()
                .map(Self::Host)
                .map_err(|wrong: crate::NotAPattern| wrong.to_string()),
        }
    }
}

/// A part of Daybook itself: its database, its bus.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Own {
    pub host: Host,
    pub port: u16,
}

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            let host = host.parse().ok()?;
            Some(Self { host, port })
        });
        parsed.ok_or_else(|| format!("{text:?} is no host with a port: write db.internal:5432 or [fd00::1]:5432"))
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn list<T>(name: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, BadSetting> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| parse(word).map_err(|wrong| BadSetting(format!("{name}: {wrong}"))))
        .collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text
        .parse()
        .map_err(|_| format!("{text:?} is no network: write its address and its bits, as in 10.20.0.0/16"))?;
    // Whoever wrote 10.0.0.1/8 meant either 10.0.0.0/8 or that one machine.
    match network.trunc() == network {
        true => Ok(network),
        false => Err(format!(
            "{text:?} has bits beyond its first {}: write {} for the network, or {}/{} for one machine",
            network.prefix_len(),
            network.trunc(),
            network.addr(),
            network.max_prefix_len(),
        )),
    }
}

fn port_meant(text: &str) -> String {
    format!("{text:?} is no port: write numbers from 1 to 65535 with commas between them")
}

fn number(name: &str, text: &str, default: usize) -> Result<usize, BadSetting> {
    match text.trim() {
        "" => Ok(default),
        text => text
            .parse()
            .map_err(|_| BadSetting(format!("{name} must be a number, not {text:?}"))),
    }
}

fn roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, BadSetting> {
    if pem.trim().is_empty() {
        return Ok(Vec::new());
    }
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(BadSetting(format!(
            "{CA_FILE} has no certificate: it must be PEM, with lines -----BEGIN CERTIFICATE-----"
        ))),
        Err(error) => Err(BadSetting(format!("{CA_FILE} is not PEM: {error}"))),
    }
}

#[cfg(test)]
mod tests;
