//! Where a URL leads, by its letters alone; what its host leads to is looked up later.

use std::fmt;

use url::{Position, Url};

use crate::call::URL_BYTES_MAX;
use crate::error::Refusal;
use crate::host::Host;

/// The schemes that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Https,
    Http,
}

impl Scheme {
    const fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Https => crate::settings::HTTPS_PORT,
            Self::Http => 80,
        }
    }
}

/// Where a URL leads. `Debug` shows no path and no query.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// Path and query, as they are sent.
    pub path: String,
}

impl Target {
    /// Understands a URL. One parser reads it for the checks and for the connection, so that both mean the same host.
    ///
    /// # Errors
    /// [`Refusal`], when it is no URL, or has a scheme, a user or a host that is never called.
    pub fn of_url(text: &str) -> Result<Self, Refusal> {
        if text.len() > URL_BYTES_MAX {
            return Err(Refusal::UrlTooLong);
        }
        // The parser would drop them, or take a backslash for a slash, where others read on.
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '\\';
        if text.contains(is_odd) {
            return Err(Refusal::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| Refusal::NotAUrl)?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(Refusal::Scheme),
        };
        // A bare @ is gone from the parsed URL; whoever wrote it meant a user.
        let written = text.split_once("//").map_or(text, |(_, rest)| rest);
        let authority = written.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        Ok(Self {
            scheme,
            host: Host::of_url(&url.host().ok_or(Refusal::Host)?)?,
            port: url.port().unwrap_or(scheme.port()),
            path: url[Position::BeforePath..Position::AfterQuery].to_owned(),
        })
    }

    /// The value of the Host header.
    pub(crate) fn authority(&self) -> String {
        match self.port == self.scheme.port() {
            true => self.host.to_string(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.word(), self.host, self.port)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
