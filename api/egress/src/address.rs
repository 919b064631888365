//! What an address is: public, private, or one that nothing is ever sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that an operator may name, as a whole or in part. In them are machines; everything else that is not
/// public is a device of the protocols, or gives out the credentials of the machine that asks.
const NAMEABLE: [IpNet; 7] = [
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
];

/// What the prefix of NAT64 (RFC 6052) begins with, before the address of version 4.
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// What an address is for. `Display` finishes the sentence "an address that is ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    Public,
    /// This machine.
    #[strum(to_string = "this machine's own (loopback)")]
    Loopback,
    /// RFC 1918.
    Private,
    /// RFC 6598, between a provider and its customers.
    #[strum(to_string = "shared by a provider's customers (100.64.0.0/10)")]
    Shared,
    /// RFC 4193, the private addresses of version 6.
    #[strum(to_string = "unique local (fc00::/7)")]
    UniqueLocal,
    #[strum(to_string = "link-local")]
    LinkLocal,
    /// Where a cloud tells a machine its credentials, outside of the link-local networks too.
    #[strum(to_string = "a cloud's metadata service")]
    Metadata,
    Multicast,
    Unspecified,
    Broadcast,
    /// Of no use, or not for everybody's: classes that are kept, discarded, or given to protocols.
    Reserved,
    #[strum(to_string = "for documentation only")]
    Documentation,
    #[strum(to_string = "for benchmarks only")]
    Benchmarking,
    /// It holds an address of version 4, which is not public, or in a form that nobody uses any more.
    #[strum(to_string = "another address in disguise")]
    Translated,
}

impl Kind {
    /// What the address is.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether an operator may name networks of such addresses.
    #[must_use]
    pub const fn is_nameable(self) -> bool {
        match self {
            Self::Loopback | Self::Private | Self::Shared | Self::UniqueLocal => true,
            Self::Public
            | Self::LinkLocal
            | Self::Metadata
            | Self::Multicast
            | Self::Unspecified
            | Self::Broadcast
            | Self::Reserved
            | Self::Documentation
            | Self::Benchmarking
            | Self::Translated => false,
        }
    }
}

/// Whether a network has none but addresses that an operator may name. Those of metadata services in between stay
/// refused.
#[must_use]
pub fn is_nameable(network: &IpNet) -> bool {
    NAMEABLE.iter().any(|nameable| nameable.contains(network))
}

const fn of_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [0, 0, 0, 0] => Kind::Unspecified,
        [0, ..] => Kind::Reserved,
        // Azure's is among its public addresses, Alibaba's in a shared network.
        [168, 63, 129, 16] | [100, 100, 100, 200] => Kind::Metadata,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [100, 64..=127, ..] => Kind::Shared,
        [127, ..] => Kind::Loopback,
        [169, 254, 169, 254] => Kind::Metadata,
        [169, 254, ..] => Kind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        // 192.88.99.0/24 brought packets to 6to4.
        [192, 0, 0, _] | [192, 88, 99, _] => Kind::Reserved,
        [198, 18..=19, ..] => Kind::Benchmarking,
        [224..=239, ..] => Kind::Multicast,
        [255, 255, 255, 255] => Kind::Broadcast,
        [240..=255, ..] => Kind::Reserved,
        _ => Kind::Public,
    }
}

const fn of_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        // Networks that have version 6 alone reach version 4 by NAT64, so what is public in there is public.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            match of_v4(Ipv4Addr::from_bits(((high as u32) << 16) | low as u32)) {
                Kind::Public => Kind::Public,
                _ => Kind::Translated,
            }
        }
        // The older ways to write version 4, NAT64 within one's own network, Teredo and 6to4.
        [0, 0, 0, 0, 0, 0, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x2001, 0, ..]
        | [0x2002, ..] => Kind::Translated,
        [0x2001, 2, 0, ..] => Kind::Benchmarking,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Documentation,
        // Amazon's and Google's.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Kind::Metadata,
        [0xfc00..=0xfdff, ..] => Kind::UniqueLocal,
        // fec0::/10 was of a site before there were unique local addresses.
        [0xfe80..=0xfeff, ..] => Kind::LinkLocal,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        // Given to protocols.
        [0x2001, 0..=0x1ff, ..] => Kind::Reserved,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Reserved,
    }
}

/// The address of version 4 that one of version 6 leads to, when it is written in a form that is called.
#[must_use]
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments().starts_with(&NAT64) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address.to_canonical(),
    }
}

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits))
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits))
}

#[cfg(test)]
mod tests;
