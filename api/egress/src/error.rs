//! Why a call brought no answer, and whether the other side may have had it all the same.
//!
//! No text here has more of a URL than its host and port: the paths of webhooks are secrets. None has the address that a
//! name led to, which would tell a tenant what is in the operator's networks.

use crate::address::Kind;
use crate::call::{ANSWER_BYTES_MAX, HEADERS_BYTES_MAX, HEADERS_MAX, REQUEST_BYTES_MAX, SECONDS_MAX, URL_BYTES_MAX};
use crate::host::NotAHost;
use crate::reach::ADDRESSES_MAX;
use crate::settings::{PLAIN_HTTP, PORTS, PRIVATE_NETWORKS};

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The call breaks a rule; the same call is refused again.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Overloaded(#[from] Overload),
    /// There was no connection to send the request by.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The time given was over.
    #[error("no answer within the time given: it ended while {0}; give more time, or see why the other side is slow")]
    Timeout(Stage),
    /// The connection ended before an answer began.
    #[error(
        "the other side closed the connection without an answer: see its logs, and call again if that does no harm"
    )]
    NoAnswer,
    /// The answer began and did not end: the connection closed, or the time was over.
    #[error("the answer, of status {status}, broke off: give more time, or see why the other side stopped")]
    HalfAnswer {
        /// The status, which came whole.
        status: u16,
    },
    /// What came is not HTTP/1.1.
    #[error("what came is no HTTP answer: check the port and whether it speaks HTTP/1.1")]
    NotHttp,
    /// The headers of the answer are larger than is read.
    #[error("the headers of the answer are larger than {HEADERS_BYTES_MAX} bytes: shorten them on the other side")]
    TooLarge,
}

impl EgressError {
    /// Whether the request surely did not reach the other side, so that sending it again repeats nothing. An answer cut
    /// short or missing says nothing of what was done with the request.
    #[must_use]
    pub const fn is_certain_not_sent(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Overloaded(_) | Self::Unreachable(_) => true,
            Self::Timeout(stage) => match stage {
                Stage::LookUp | Stage::Connect | Stage::Tls => true,
                Stage::Answer => false,
            },
            Self::NoAnswer | Self::HalfAnswer { .. } | Self::NotHttp | Self::TooLarge => false,
        }
    }

    /// The word under which it is counted.
    pub(crate) const fn outcome(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Overloaded(_) => "overloaded",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::NoAnswer => "no_answer",
            Self::HalfAnswer { .. } => "half_answer",
            Self::NotHttp => "not_http",
            Self::TooLarge => "too_large",
        }
    }
}

/// The rule that a call breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the address is not a URL: write it as https://host/path, without spaces")]
    NotAUrl,
    #[error("the URL is longer than {URL_BYTES_MAX} bytes: shorten it")]
    UrlTooLong,
    #[error("the URL does not begin with https: use https, or let the operator name the host in {PLAIN_HTTP}")]
    Scheme,
    #[error("the URL has a user or a password in it: put them into the Authorization header")]
    UserInfo,
    #[error("the URL has no host that can be called: write a name like hooks.example.com, or an address")]
    Host,
    #[error("port {0} is not called: use 443, or let the operator name the port in {PORTS}")]
    Port(u16),
    #[error("{0} is not among the allowed hosts: add it to the list, or call one that is there")]
    NotAllowed(String),
    #[error("the host leads to an address that is {0}, in no network that the operator names in {PRIVATE_NETWORKS}")]
    NotNamed(Kind),
    #[error("the host leads to an address that is {0}, which is never called: use a host with a public address")]
    Never(Kind),
    #[error("the host has more than {ADDRESSES_MAX} addresses: call one of fewer")]
    Addresses,
    #[error("the host leads to Daybook's own database or bus, which is never called: ask Daybook's API instead")]
    Own,
    #[error("Daybook's own addresses cannot be looked up, so this port is not called: call again when its DNS answers")]
    OwnUnknown,
    #[error("the header {0} is Daybook's to set: leave it out")]
    Header(String),
    #[error("a header has letters that headers cannot have: use visible ASCII, without line breaks")]
    NotAHeader,
    #[error("there are more than {HEADERS_MAX} headers, or more than {HEADERS_BYTES_MAX} bytes of them: send fewer")]
    Headers,
    #[error("the body has {0} bytes, more than {REQUEST_BYTES_MAX}: send it in parts")]
    Body(usize),
    #[error("{0} seconds are not from 1 to {SECONDS_MAX}")]
    Seconds(u64),
    #[error("an answer of {0} bytes is more than {ANSWER_BYTES_MAX}, which can be read: ask for less")]
    Answer(usize),
}

impl From<NotAHost> for Refusal {
    fn from(NotAHost: NotAHost) -> Self {
        Self::Host
    }
}

/// Why there was no place for a call among those under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    #[error("too many calls of this tenant wait already: call again when some have ended")]
    TenantWaits,
    #[error("too many calls wait already: call again in a few seconds")]
    AllWait,
    #[error("no call ended in time to make place for this one: call again in a few seconds")]
    NoPlace,
}

/// Why there was no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    #[error("the host has no address: check its name")]
    NoAddress,
    #[error("the host cannot be looked up: check its name, or call again when the DNS answers")]
    LookUp,
    #[error("no connection: {0}; check that the other side listens there")]
    Connect(std::io::ErrorKind),
    #[error("no TLS: {0}; check the certificate of the other side and that it speaks TLS there")]
    Tls(String),
    #[error("the other side closed the connection before the request was sent: call again")]
    Closed,
}

/// What a call was at when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub enum Stage {
    #[strum(to_string = "looking up the host")]
    LookUp,
    #[strum(to_string = "connecting")]
    Connect,
    #[strum(to_string = "agreeing on TLS")]
    Tls,
    #[strum(to_string = "waiting for the answer")]
    Answer,
}
