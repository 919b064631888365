//! Where a host leads: it is looked up once, all of its addresses are checked, and whoever asked connects to those and
//! to nothing else. A name that answers differently the next time gains nothing by it.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use ipnet::IpNet;
use tokio::time::Instant;

use crate::address::{Kind, canonical};
use crate::error::{EgressError, Refusal, Stage, Unreachable};
use crate::host::Host;
use crate::places::Place;
use crate::settings::Own;

/// How long a look-up may take, in seconds.
const LOOK_UP_SECONDS_MAX: u64 = 5;
/// Addresses of a host that are checked; a name with more is refused, for the rest would go unchecked.
pub const ADDRESSES_MAX: usize = 64;

/// Addresses, once they are found.
pub type LookUp<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// What knows the addresses of names.
pub trait Names: Send + Sync + 'static {
    /// All addresses of the name, as they are now.
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a>;
}

/// The names that the system knows: its files, its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up<'a>(&'a self, name: &'a str) -> LookUp<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What may be reached.
pub struct Reach {
    pub names: Arc<dyn Names>,
    pub private_networks: Vec<IpNet>,
    pub own: Vec<Own>,
    /// What the names among them led to when that was last known, for when it cannot be looked up.
    pub own_known: Mutex<HashMap<String, Vec<IpAddr>>>,
}

impl Reach {
    /// The addresses that the host leads to, when all of them may be called. The place is held until the look-up has
    /// ended, also when nobody waits for it any more: the system's cannot be broken off, and occupies a thread.
    pub async fn addresses(
        self: &Arc<Self>,
        host: &Host,
        port: u16,
        place: &Arc<Place>,
        until: Instant,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let until = until.min(Instant::now() + Duration::from_secs(LOOK_UP_SECONDS_MAX));
        let (reach, host, place) = (Arc::clone(self), host.clone(), Arc::clone(place));
        let looked_up = tokio::spawn(async move {
            let found = tokio::join!(reach.found(&host), reach.own_addresses(port));
            drop(place);
            found
        });
        let (found, own) = match tokio::time::timeout_at(until, looked_up).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => return Err(Unreachable::LookUp.into()),
            Err(_) => return Err(EgressError::Timeout(Stage::LookUp)),
        };
        let (found, own) = (found?, own?);
        for address in &found {
            self.check(*address, port, &own)?;
        }
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }

    async fn found(&self, host: &Host) -> Result<Vec<IpAddr>, EgressError> {
        let name = match host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        let mut found = self.names.look_up(name).await.map_err(|_| Unreachable::LookUp)?;
        let mut known = Vec::new();
        found.retain(|address| {
            !known.contains(address) && {
                known.push(*address);
                true
            }
        });
        match found.len() {
            0 => Err(Unreachable::NoAddress.into()),
            1..=ADDRESSES_MAX => Ok(found),
            _ => Err(Refusal::Addresses.into()),
        }
    }

    /// What Daybook itself has at the port: looked up anew each time, for a database moves when it fails over.
    async fn own_addresses(&self, port: u16) -> Result<Vec<IpAddr>, Refusal> {
        let own = self.own.iter().filter(|own| own.port == port);
        let looked_up = own.map(|own| async move {
            let name = match &own.host {
                Host::Address(address) => return Ok(vec![*address]),
                Host::Name(name) => name,
            };
            let found = self.names.look_up(name).await.ok().filter(|found| !found.is_empty());
            let mut known = self.own_known.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Some(found) => {
                    known.insert(name.clone(), found.clone());
                    Ok(found)
                }
                // Whoever cannot tell whether it is Daybook's own does not call it.
                None => known.get(name).cloned().ok_or(Refusal::OwnUnknown),
            }
        });
        let looked_up: Result<Vec<_>, _> = join_all(looked_up).await.into_iter().collect();
        Ok(looked_up?.into_iter().flatten().collect())
    }

    fn check(&self, address: IpAddr, port: u16, own: &[IpAddr]) -> Result<(), Refusal> {
        if own.iter().any(|own| is_same(*own, address, port)) {
            return Err(Refusal::Own);
        }
        let kind = Kind::of(address);
        let is_named = self.private_networks.iter().any(|network| network.contains(&address));
        match kind {
            Kind::Public => Ok(()),
            _ if kind.is_nameable() && is_named => Ok(()),
            _ if kind.is_nameable() => Err(Refusal::NotNamed(kind)),
            _ => Err(Refusal::Never(kind)),
        }
    }
}

/// Whether two addresses lead to one machine: they are the same, or both are this machine's.
fn is_same(own: IpAddr, address: IpAddr, port: u16) -> bool {
    let (own, address) = (canonical(own), canonical(address));
    own == address || (is_here(own, port) && is_here(address, port))
}

/// Whether an address is one of this machine's. The system says so without a packet: to reach itself it would send from
/// that very address.
fn is_here(address: IpAddr, port: u16) -> bool {
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, port))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_this_machine_are_one_another() {
        let other: IpAddr = "192.0.2.7".parse().unwrap();
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        for same in ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::ffff:127.0.0.1"] {
            assert!(is_same(loopback, same.parse().unwrap(), 5432), "{same}");
        }
        assert!(!is_same(loopback, other, 5432) && !is_same(other, loopback, 5432));
        assert!(is_same(other, other, 5432));
        assert!(is_same(other, "64:ff9b::192.0.2.7".parse().unwrap(), 5432));
        // The address by which this machine reaches others is its own, too, where it has one.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect((other, 9)).is_ok() {
            assert!(is_same(loopback, socket.local_addr().unwrap().ip(), 5432));
        }
    }
}
