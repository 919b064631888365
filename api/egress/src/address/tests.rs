use proptest::prelude::*;

use super::*;

/// The registries of special addresses of versions 4 and 6 (RFC 6890 and what followed), as networks: the reference
/// that the patterns are held against. The narrowest network decides.
const REFERENCE: &[(&str, Kind)] = &[
    ("0.0.0.0/0", Kind::Public),
    ("0.0.0.0/8", Kind::Reserved),
    ("0.0.0.0/32", Kind::Unspecified),
    ("10.0.0.0/8", Kind::Private),
    ("100.64.0.0/10", Kind::Shared),
    ("100.100.100.200/32", Kind::Metadata),
    ("127.0.0.0/8", Kind::Loopback),
    ("168.63.129.16/32", Kind::Metadata),
    ("169.254.0.0/16", Kind::LinkLocal),
    ("169.254.169.254/32", Kind::Metadata),
    ("172.16.0.0/12", Kind::Private),
    ("192.0.0.0/24", Kind::Reserved),
    ("192.0.2.0/24", Kind::Documentation),
    ("192.88.99.0/24", Kind::Reserved),
    ("192.168.0.0/16", Kind::Private),
    ("198.18.0.0/15", Kind::Benchmarking),
    ("198.51.100.0/24", Kind::Documentation),
    ("203.0.113.0/24", Kind::Documentation),
    ("224.0.0.0/4", Kind::Multicast),
    ("240.0.0.0/4", Kind::Reserved),
    ("255.255.255.255/32", Kind::Broadcast),
    ("::/0", Kind::Reserved),
    ("::/96", Kind::Translated),
    ("::/128", Kind::Unspecified),
    ("::1/128", Kind::Loopback),
    ("::ffff:0:0:0/96", Kind::Translated),
    ("64:ff9b:1::/48", Kind::Translated),
    ("2000::/3", Kind::Public),
    ("2001::/23", Kind::Reserved),
    ("2001::/32", Kind::Translated),
    ("2001:2::/48", Kind::Benchmarking),
    ("2001:db8::/32", Kind::Documentation),
    ("2002::/16", Kind::Translated),
    ("3fff::/20", Kind::Documentation),
    ("fc00::/7", Kind::UniqueLocal),
    ("fd00:ec2::/32", Kind::Metadata),
    ("fd20:ce::254/128", Kind::Metadata),
    ("fe80::/10", Kind::LinkLocal),
    ("fec0::/10", Kind::LinkLocal),
    ("ff00::/8", Kind::Multicast),
];

/// Where an address of version 6 ends in one of version 4 that counts.
const HOLDERS: [&str; 2] = ["::ffff:0:0/96", "64:ff9b::/96"];

fn network(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn by_reference(address: IpAddr) -> Kind {
    if let IpAddr::V6(v6) = address
        && HOLDERS.iter().any(|holder| network(holder).contains(&address))
    {
        let inner = Ipv4Addr::from_bits((v6.to_bits() & u128::from(u32::MAX)) as u32);
        return match by_reference(inner.into()) {
            Kind::Public => Kind::Public,
            _ => Kind::Translated,
        };
    }
    let holding = REFERENCE.iter().map(|(text, kind)| (network(text), *kind));
    let holding = holding.filter(|(network, _)| network.contains(&address));
    holding.max_by_key(|(network, _)| network.prefix_len()).unwrap().1
}

/// The first and last addresses of every network of the reference, and those beside them.
fn borders() -> Vec<IpAddr> {
    let mut all = Vec::new();
    let texts = REFERENCE.iter().map(|(text, _)| *text).chain(HOLDERS);
    for network in texts.map(network) {
        match network {
            IpNet::V4(network) => {
                let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
                let near = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                all.extend(near.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))));
                // As each form of version 6 holds it.
                let held = near.map(|bits| [0, 0xffff_0000_0000, 0x64_ff9b << 96].map(|form| form | u128::from(bits)));
                all.extend(held.as_flattened().iter().map(|bits| IpAddr::V6((*bits).into())));
            }
            IpNet::V6(network) => {
                let (first, last) = (network.network().to_bits(), network.broadcast().to_bits());
                let near = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                all.extend(near.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
            }
        }
    }
    all
}

fn held(address: IpAddr) {
    let kind = Kind::of(address);
    assert_eq!(kind, by_reference(address), "{address}");
    let own = IpNet::from(address);
    // A metadata service lies in networks that may be named; Daybook refuses it whoever names it.
    let named = is_nameable(&own) && kind != Kind::Metadata;
    assert_eq!(named, kind.is_nameable(), "{address}");
    if kind.is_nameable() {
        assert_eq!(canonical(address), address, "{address}");
    }
    assert!(
        kind != Kind::Public || Kind::of(canonical(address)) == Kind::Public,
        "{address}"
    );
}

#[test]
fn the_ends_of_every_network_are_what_the_registries_say() {
    let borders = borders();
    assert!(borders.len() > 300, "{} addresses", borders.len());
    borders.into_iter().for_each(held);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_address_of_version_4_is_what_the_registries_say(bits: u32) {
        held(Ipv4Addr::from_bits(bits).into());
    }

    #[test]
    fn every_address_of_version_6_is_what_the_registries_say(bits: u128, form in 0..8_usize, low: u32) {
        // Most of the space is reserved, so half of them begin like something that matters.
        let begins: [u128; 7] = [
            0x2000 << 112,
            0x2001 << 112,
            0xfc00 << 112,
            0xfe80 << 112,
            0x64_ff9b << 96,
            0xffff << 32,
            0,
        ];
        let address = match begins.get(form) {
            Some(begin) if form < 4 => *begin | (bits >> 16),
            Some(begin) => *begin | u128::from(low),
            None => bits,
        };
        held(Ipv6Addr::from_bits(address).into());
    }
}

#[test]
fn a_network_may_be_named_only_when_all_of_it_is_private() {
    for good in [
        "10.0.0.0/8",
        "10.1.2.3/32",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "fd12:3456::/32",
        "::1/128",
    ] {
        assert!(is_nameable(&network(good)), "{good}");
    }
    for bad in [
        "0.0.0.0/0",
        "10.0.0.0/7",
        "169.254.0.0/16",
        "8.8.8.0/24",
        "::/0",
        "fe80::/10",
        "224.0.0.0/4",
        "fc00::/6",
    ] {
        assert!(!is_nameable(&network(bad)), "{bad}");
    }
}
