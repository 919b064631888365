//! A request as callers state it, and its answer.

use std::fmt;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};

use crate::error::Refusal;
use crate::target::Target;

/// Length of a URL.
pub const URL_BYTES_MAX: usize = 8 * 1024;
/// Headers of a request, and of an answer.
pub const HEADERS_MAX: usize = 100;
/// All headers of a request or of an answer together.
pub const HEADERS_BYTES_MAX: usize = 32 * 1024;
/// Body of a request.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Body of an answer, whatever a caller would read.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;
/// How long a call may take, from the wait for a place to the last byte of the answer.
pub const SECONDS_MAX: u64 = 120;

/// Headers that say where a request ends and goes, or that belong to one connection alone. With them a request could be
/// made to look like two.
const OWN_HEADERS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The methods that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
}

impl From<Method> for hyper::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
        }
    }
}

/// One request. `Debug` shows its method, scheme, host and port, and nothing that may be secret.
#[derive(Clone)]
pub struct Call {
    pub method: Method,
    /// Scheme, host, perhaps a port, path and query. A fragment is not sent.
    pub url: String,
    /// Names and values. Those that say where a request ends and goes are refused.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How long the call may take, in seconds, from the wait for a place to the last byte of the answer; from 1 to
    /// [`SECONDS_MAX`].
    pub seconds_max: u64,
    /// How much of the answer's body is read, at most [`ANSWER_BYTES_MAX`]; the rest is cut.
    pub answer_bytes_max: usize,
}

impl Call {
    /// Refuses bounds that are beyond ours, before anything else is done.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !(1..=SECONDS_MAX).contains(&self.seconds_max) {
            return Err(Refusal::Seconds(self.seconds_max));
        }
        if self.answer_bytes_max > ANSWER_BYTES_MAX {
            return Err(Refusal::Answer(self.answer_bytes_max));
        }
        if self.body.len() > REQUEST_BYTES_MAX {
            return Err(Refusal::Body(self.body.len()));
        }
        let bytes = self.headers.iter().map(|(name, value)| name.len() + value.len());
        if self.headers.len() > HEADERS_MAX || bytes.sum::<usize>() > HEADERS_BYTES_MAX {
            return Err(Refusal::Headers);
        }
        Ok(())
    }

    /// The request as it is sent to the target, which is the call's own.
    pub(crate) fn into_request(self, target: &Target) -> Result<hyper::Request<Full<Bytes>>, Refusal> {
        let mut request = hyper::Request::new(Full::new(Bytes::from(self.body)));
        *request.method_mut() = self.method.into();
        *request.uri_mut() = target.path.parse().map_err(|_| Refusal::NotAUrl)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static("daybook"));
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::NotAHeader)?;
            if OWN_HEADERS.contains(&name.as_str()) {
                return Err(Refusal::Header(name.to_string()));
            }
            let mut value = HeaderValue::from_str(value).map_err(|_| Refusal::NotAHeader)?;
            value.set_sensitive(true);
            match name == USER_AGENT {
                true => headers.insert(name, value).is_some(),
                false => headers.append(name, value),
            };
        }
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Refusal::Host)?;
        headers.insert(HOST, host);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        // What is packed could unpack to more than the caller would read.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(request)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Call");
        shown.field("method", &self.method);
        match Target::of_url(&self.url) {
            Ok(target) => shown.field("target", &target),
            Err(_) => shown.field("target", &"(no URL)"),
        };
        shown.field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What the other side answered; also with a status of an error or of a redirect, which is not followed. `Debug` shows
/// no header and no body.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case and values, in their order; bytes of a value that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body as it came, not unpacked.
    pub body: Vec<u8>,
    /// Whether the body is longer, and was cut.
    pub is_cut: bool,
}

impl Answer {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(its, _)| its == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("is_cut", &self.is_cut)
            .finish_non_exhaustive()
    }
}
