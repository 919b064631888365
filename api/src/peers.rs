//! Whose the connections of a process are. Each address has a share of them, and nobody waits for one: who has theirs is
//! turned away at once, so that the others find the door open. Of the connections that one address opens, so many a second
//! are begun and the others wait for that: thousands at once would have the processor for as long as it takes to begin them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bits of an IPv6 address that tell one host's owner from another: the rest is their own to choose.
const V6_PREFIX_BITS: u32 = 64;
/// Connections of one address that are begun a second.
pub const BEGUN_PER_SECOND: u32 = 500;
/// How many of them may be begun at once.
const BEGUN_AT_ONCE: u32 = 50;
/// Between two of them, once more were begun at once.
const BETWEEN: Duration = Duration::from_nanos(1_000_000_000 / BEGUN_PER_SECOND as u64);

/// Places, of connections or of requests. An address may have as many as are left free with it: one alone has at most half
/// of all, and whoever comes next finds at least half of what is left.
#[derive(Debug)]
pub struct Peers {
    total: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    of: HashMap<IpAddr, Share>,
}

/// What one address has.
#[derive(Debug)]
struct Share {
    places: usize,
    /// When its next place would begin if none were begun at once.
    next: Instant,
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub struct Place {
    peers: Arc<Peers>,
    of: Option<IpAddr>,
    /// From when on it may be made use of.
    pub begins: Instant,
}

impl Peers {
    #[must_use]
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            held: Mutex::default(),
        })
    }

    /// A place for what comes from this address, unless it has its share.
    pub fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        self.take(Some(owner(from)), Instant::now())
    }

    /// A place for what comes from a proxy, which speaks for many, as long as there are any.
    pub fn of_proxy(self: &Arc<Self>) -> Option<Place> {
        self.take(None, Instant::now())
    }

    fn take(self: &Arc<Self>, of: Option<IpAddr>, now: Instant) -> Option<Place> {
        let mut held = self.held();
        let free = self.total.saturating_sub(held.all);
        let share = of.and_then(|address| held.of.get(&address));
        if share.map_or(0, |share| share.places) >= free {
            return None;
        }
        held.all += 1;
        let begins = of.map_or(now, |address| {
            let share = held.of.entry(address).or_insert(Share { places: 0, next: now });
            share.places += 1;
            share.begins(now)
        });
        drop(held);
        Some(Place {
            peers: self.clone(),
            of,
            begins,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is locked; and if it did, the counts are whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// When a place begins that is taken now.
    fn begins(&mut self, now: Instant) -> Instant {
        let begins = self.next.max(now);
        self.next = begins + BETWEEN;
        begins
            .checked_sub(BETWEEN * BEGUN_AT_ONCE)
            .map_or(now, |begins| begins.max(now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.peers.held();
        held.all -= 1;
        if let Some(address) = self.of
            && let Some(share) = held.of.get_mut(&address)
        {
            share.places -= 1;
            if share.places == 0 {
                held.of.remove(&address);
            }
        }
    }
}

/// The address that a share is counted under.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & (u128::MAX << (u128::BITS - V6_PREFIX_BITS)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    fn all(peers: &Arc<Peers>, from: IpAddr) -> Vec<Place> {
        std::iter::from_fn(|| peers.place(from)).collect()
    }

    #[test]
    fn one_address_has_half_of_all_and_the_next_finds_half_of_the_rest() {
        let peers = Peers::new(1_000);
        let first = all(&peers, address(1));
        let second = all(&peers, address(2));
        assert_eq!((first.len(), second.len()), (500, 250));
        assert!(peers.place(address(3)).is_some());
    }

    #[test]
    fn what_is_given_back_may_be_had_again_and_nothing_is_remembered_of_who_left() {
        let peers = Peers::new(100);
        let mut places = all(&peers, address(1));
        assert!(peers.place(address(1)).is_none());
        places.pop();
        assert!(peers.place(address(1)).is_some());
        drop(places);
        assert_eq!(all(&peers, address(1)).len(), 50);
        let held = peers.held();
        assert_eq!((held.all, held.of.len()), (0, 0));
    }

    #[test]
    fn addresses_of_one_network_of_version_six_are_one() {
        let peers = Peers::new(100);
        let places = all(&peers, "2001:db8::1".parse().unwrap());
        assert_eq!(places.len(), 50);
        assert!(peers.place("2001:db8::ffff:2".parse().unwrap()).is_none());
        assert!(peers.place("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[test]
    fn an_address_of_version_four_is_the_same_however_it_is_written() {
        let peers = Peers::new(2);
        let _place = peers.place(address(1)).unwrap();
        assert!(peers.place("::ffff:127.0.0.1".parse().unwrap()).is_none());
        assert!(peers.place(address(2)).is_some());
    }

    #[test]
    fn of_one_address_so_many_begin_at_once_and_the_others_one_after_another() {
        let peers = Peers::new(10_000);
        let now = Instant::now();
        let begins = |from| {
            let place = peers.take(Some(address(from)), now).unwrap();
            let after = place.begins - now;
            (place, after)
        };
        let (places, after): (Vec<_>, Vec<_>) = (0..1_100).map(|_| begins(1)).unzip();
        let at_once = usize::try_from(BEGUN_AT_ONCE).unwrap();
        assert!(after[..=at_once].iter().all(Duration::is_zero));
        assert_eq!(after[at_once + 1], BETWEEN);
        assert_eq!(after[1_099], BETWEEN * (1_099 - BEGUN_AT_ONCE));
        let (_other, after) = begins(2);
        assert_eq!(after, Duration::ZERO);
        assert_eq!(peers.take(None, now).unwrap().begins, now);
        // Later it has caught up.
        let later = now + Duration::from_secs(10);
        assert_eq!(peers.take(Some(address(1)), later).unwrap().begins, later);
        drop(places);
    }

    #[test]
    fn a_proxy_may_have_all_places() {
        let peers = Peers::new(100);
        let places: Vec<Place> = std::iter::from_fn(|| peers.of_proxy()).collect();
        assert_eq!(places.len(), 100);
        assert!(peers.place(address(1)).is_none());
        drop(places);
        assert!(peers.place(address(1)).is_some());
    }
}
