//! Who asks when a proxy brings the request: the address that the proxy saw, and none that the client invented.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;

/// The header that proxies add to: a list, of which each has appended the address that it was asked from. RFC 7239's
/// `Forwarded` is not read: a proxy that writes one of the two passes the other on as the client made it up.
const HEADER: &str = "x-forwarded-for";

/// Addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`, or one address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                begins(address.to_canonical(), self.bits) == begins(self.address, self.bits)
            }
            _ => false,
        }
    }
}

/// The first bits of an address, as a number.
fn begins(address: IpAddr, bits: u32) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits().checked_shr(u32::BITS - bits).unwrap_or(0)),
        IpAddr::V6(address) => address.to_bits().checked_shr(u128::BITS - bits).unwrap_or(0),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is neither an address nor a network such as 10.0.0.0/8");
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { u32::BITS } else { u128::BITS };
        let bits = bits.map_or(Ok(whole), str::parse).map_err(|_| wrong())?;
        if bits > whole {
            return Err(wrong());
        }
        let beyond = match address {
            IpAddr::V4(address) => u128::from(address.to_bits().checked_shl(bits).unwrap_or(0)),
            IpAddr::V6(address) => address.to_bits().checked_shl(bits).unwrap_or(0),
        };
        // Whoever wrote 10.0.0.1/8 meant either 10.0.0.0/8 or that one proxy.
        match beyond {
            0 => Ok(Self { address, bits }),
            _ => Err(format!(
                "{text:?} has bits beyond its first {bits}; write the network's own address, or one address alone"
            )),
        }
    }
}

/// The address that a request came from, which arrived from `peer`: the last one in the list that is no proxy of ours.
/// What stands left of it the client may have made up. Where the list ends, or has something that is no address, it is the
/// last proxy that is known.
#[must_use]
pub fn client(headers: &HeaderMap, peer: SocketAddr, proxies: &[Network]) -> SocketAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut known = peer;
    if !is_proxy(peer.ip()) {
        return known;
    }
    let lines: Vec<_> = headers.get_all(HEADER).iter().collect();
    for line in lines.into_iter().rev() {
        let Ok(line) = line.to_str() else {
            return known;
        };
        for entry in line.rsplit(',') {
            let Some(address) = address(entry.trim()) else {
                return known;
            };
            known = address;
            if !is_proxy(address.ip()) {
                return known;
            }
        }
    }
    known
}

/// An address with or without a port, in brackets or not.
fn address(entry: &str) -> Option<SocketAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|entry| entry.strip_suffix(']'))
        .unwrap_or(entry);
    let alone = bare.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0));
    alone.or_else(|| entry.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Vec<Network> {
        text.split(',').map(|network| network.parse().unwrap()).collect()
    }

    fn seen(peer: &str, lines: &[&str]) -> String {
        let proxies = networks("10.0.0.0/8,127.0.0.3,fd00::/8");
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, line.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        client(&headers, peer, &proxies).ip().to_string()
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("127.0.0.3", "127.0.0.3", "127.0.0.4"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::a00:1"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network:?} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network:?} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_how_to_write_one() {
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0.1/8",
        ] {
            let error = wrong.parse::<Network>().unwrap_err();
            assert!(error.contains("network"), "{error}");
        }
    }

    #[test]
    fn a_stranger_speaks_for_nobody_but_themselves() {
        assert_eq!(seen("203.0.113.1", &["198.51.100.7"]), "203.0.113.1");
    }

    #[test]
    fn behind_proxies_it_is_the_last_address_that_is_none_of_them() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("127.0.0.3", &["198.51.100.7, 10.1.2.3"]), "198.51.100.7");
        assert_eq!(
            seen("10.0.0.1", &["198.51.100.7", "10.1.2.3, 10.0.0.9"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn what_a_client_sends_itself_stands_left_of_what_the_proxy_saw_and_does_not_count() {
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["10.9.9.9", "198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn addresses_come_with_ports_and_of_both_versions() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.7:5123"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::7]:5123"]), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(seen("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn without_an_address_that_can_be_read_it_is_the_last_proxy_that_is_known() {
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7, _hidden, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7,"]), "10.0.0.1");
    }
}
