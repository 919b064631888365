//! Hosts, and patterns of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Hosts that one tenant may have in its list.
pub const ALLOWED_HOSTS_MAX: usize = 200;
/// Length of a name in the DNS.
const NAME_BYTES_MAX: usize = 253;
/// Labels that a pattern must have behind its star: below `*.com` is everybody.
const LABELS_BEHIND_STAR_MIN: usize = 2;

/// A name, or an address that stands for itself; in the one form that all its spellings have: lower case, international
/// names as `xn--`, numbers as four bytes, no dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

/// A text that is neither the name of a host nor an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a host: write a name like hooks.example.com, or an address, without scheme, port and path")]
pub struct NotAHost;

impl Host {
    /// The host of a URL, as the parser of URLs understood it.
    pub(crate) fn of_url(host: &url::Host<&str>) -> Result<Self, NotAHost> {
        match host {
            url::Host::Domain(name) => Self::of_name(name),
            url::Host::Ipv4(address) => Ok(Self::Address((*address).into())),
            url::Host::Ipv6(address) => Ok(Self::Address((*address).into())),
        }
    }

    fn of_name(name: &str) -> Result<Self, NotAHost> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.split('.').all(|label| !label.is_empty() && label.len() <= 63)
            && name
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
        is_name.then(|| Self::Name(name.to_owned())).ok_or(NotAHost)
    }
}

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        // It understands every spelling that a URL may have, so that none of them means something else here.
        let host = url::Host::parse(text).map_err(|_| NotAHost)?;
        match &host {
            url::Host::Domain(name) => Self::of_name(name),
            url::Host::Ipv4(address) => Ok(Self::Address((*address).into())),
            url::Host::Ipv6(address) => Ok(Self::Address((*address).into())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
        }
    }
}

/// One host, or all names below one: `hooks.example.com`, `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    host: Host,
    is_below: bool,
}

/// Why a text is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    #[error("{0:?} is neither a host nor names below one: write hooks.example.com, *.example.com or an address")]
    Host(String),
    #[error("{0:?} allows too much: a star stands first and at least two words follow it, as in *.example.com")]
    TooWide(String),
    #[error("more than {ALLOWED_HOSTS_MAX} hosts are allowed: name less, or names below one as in *.example.com")]
    TooMany,
}

impl Pattern {
    /// Whether the host is the one meant, or below it.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (Host::Name(of), Host::Name(name)) if self.is_below => {
                name.strip_suffix(of.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            (of, host) => of == host,
        }
    }
}

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, is_below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if rest.contains('*') {
            return Err(NotAPattern::TooWide(text.to_owned()));
        }
        let host: Host = rest.parse().map_err(|NotAHost| NotAPattern::Host(text.to_owned()))?;
        match &host {
            Host::Address(_) if is_below => Err(NotAPattern::Host(text.to_owned())),
            Host::Name(name) if is_below && name.split('.').count() < LABELS_BEHIND_STAR_MIN => {
                Err(NotAPattern::TooWide(text.to_owned()))
            }
            Host::Name(_) | Host::Address(_) => Ok(Self { host, is_below }),
        }
    }
}

/// The hosts that a tenant may reach; none, unless it has them listed. What they lead to is checked all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Pattern>);

impl Allowed {
    /// The hosts that the patterns name.
    ///
    /// # Errors
    /// [`NotAPattern`], with the text that is none.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, NotAPattern> {
        let mut all = Vec::new();
        for pattern in patterns {
            if all.len() == ALLOWED_HOSTS_MAX {
                return Err(NotAPattern::TooMany);
            }
            all.push(pattern.as_ref().parse()?);
        }
        Ok(Self(all))
    }

    /// Whether the host is among them.
    #[must_use]
    pub fn has(&self, host: &Host) -> bool {
        self.0.iter().any(|pattern| pattern.matches(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn all_spellings_of_a_host_are_one_host() {
        for (spelling, one) in [
            ("Hooks.Example.COM.", "hooks.example.com"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("\u{ff45}xample.com", "example.com"),
            ("0x7f.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
        ] {
            assert_eq!(host(spelling), host(one), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "a:1",
            "user@a",
            "fe80::1%eth0",
            "a\n",
            "*",
            "1.2.3.4.5",
            "256.1.1.1",
        ] {
            assert_eq!(text.parse::<Host>(), Err(NotAHost), "{text:?}");
        }
        assert_eq!(
            "a.".repeat(127).parse::<Host>(),
            Ok(Host::Name("a.".repeat(127).trim_end_matches('.').to_owned()))
        );
        assert_eq!("a.".repeat(128).parse::<Host>(), Err(NotAHost));
        assert_eq!(format!("{}.com", "a".repeat(64)).parse::<Host>(), Err(NotAHost));
    }

    #[test]
    fn a_star_stands_for_names_below_and_for_nothing_else() {
        let allowed = Allowed::new(["*.example.com", "one.test", "10.0.0.1"]).unwrap();
        for yes in ["a.example.com", "a.b.EXAMPLE.com.", "one.test", "10.0.0.1", "0xa.1"] {
            assert!(allowed.has(&host(yes)), "{yes}");
        }
        for no in [
            "example.com",
            "aexample.com",
            "example.com.evil.test",
            "two.one.test",
            "10.0.0.2",
            "test",
        ] {
            assert!(!allowed.has(&host(no)), "{no}");
        }
        assert!(!Allowed::default().has(&host("one.test")));
    }

    #[test]
    fn a_pattern_that_allows_everybody_is_refused() {
        for wide in ["*.com", "*.*.example.com", "a*.example.com", "www.*.com"] {
            assert!(matches!(Allowed::new([wide]), Err(NotAPattern::TooWide(_))), "{wide}");
        }
        for none in [
            "*.",
            "",
            "https://a.test",
            "a.test:443",
            "a.test/path",
            "*.10.0.0.1",
            "*.[::1]",
        ] {
            assert!(matches!(Allowed::new([none]), Err(NotAPattern::Host(_))), "{none}");
        }
        assert_eq!(
            Allowed::new(vec!["a.test"; ALLOWED_HOSTS_MAX + 1]),
            Err(NotAPattern::TooMany)
        );
    }
}
