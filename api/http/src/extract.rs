//! Extractors of requests, with rejections as problems.

use std::ops::Deref;

use axum::body::HttpBody as _;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};
use futures::StreamExt as _;
use uuid::Uuid;

use crate::app::App;
use crate::auth::By;
use crate::auth::token::Bearer;
use crate::command::headers::only;
use crate::problem::{self, Problem};
use crate::shares::Share;

/// In an answer, the position that it stands for.
pub const POSITION: HeaderName = HeaderName::from_static("daybook-position");
/// In a read, the position that must have been posted.
pub const AFTER: HeaderName = HeaderName::from_static("daybook-after");

/// The words of the URL.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// The parameters after the question mark, in their order; a name may occur more than once.
#[derive(Debug)]
pub struct Parameters(pub Vec<(String, String)>);

/// Parameters of one request.
pub const PARAMETERS_MAX: usize = 50;

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Query(pairs) =
            <axum::extract::Query<Vec<(String, String)>> as FromRequestParts<S>>::from_request_parts(parts, state)
                .await?;
        if pairs.len() > PARAMETERS_MAX {
            return Err(Problem::new(
                problem::MALFORMED,
                format!("there are more than {PARAMETERS_MAX} parameters; use fewer"),
            ));
        }
        Ok(Self(pairs))
    }
}

/// That there are none, for what takes no parameters.
#[derive(Debug, Clone, Copy)]
pub struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = Parameters::from_request_parts(parts, state).await?;
        parameters.finish::<&str>([])?;
        Ok(Self)
    }
}

impl Parameters {
    /// Takes the one value of a parameter out.
    ///
    /// # Errors
    /// 400 when it is there twice.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let Some(at) = self.0.iter().position(|(parameter, _)| parameter == name) else {
            return Ok(None);
        };
        let (_, value) = self.0.remove(at);
        if self.0.iter().any(|(parameter, _)| parameter == name) {
            return Err(Problem::bad_value(name, format!("{name} is given twice; give it once")));
        }
        Ok(Some(value))
    }

    /// As [`Parameters::take`], parsed.
    ///
    /// # Errors
    /// 400 when it is there twice or is not of the form that `form` describes.
    pub fn parse<T: std::str::FromStr>(&mut self, name: &str, form: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Problem::bad_value(name, format!("{name} must be {form}")))
    }

    /// How many of something one page has at most: what `limit` says, or `default`. Every list says no in the same words.
    ///
    /// # Errors
    /// 400 when it is there twice or is no whole number from 1 to `max`.
    pub fn limit(&mut self, default: i64, max: i64) -> Result<i64, Problem> {
        const NAME: &str = "limit";
        let Some(text) = self.take(NAME)? else {
            return Ok(default);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| digits && (1..=max).contains(limit));
        limit.ok_or_else(|| Problem::bad_value(NAME, format!("{NAME} must be a whole number from 1 to {max}")))
    }

    /// # Errors
    /// 400 when parameters are left, listing those that there are.
    pub fn finish<S: Into<String>>(self, known: impl IntoIterator<Item = S>) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown_parameter(name, known)),
        }
    }
}

/// 400 that lists the parameters that there are.
pub fn unknown_parameter<S: Into<String>>(name: &str, known: impl IntoIterator<Item = S>) -> Problem {
    Problem::new(
        problem::UNKNOWN_PARAMETER,
        format!("there is no parameter {name:?} here"),
    )
    .field(name)
    .allowed(known)
}

/// Names that are sent as headers, and what else somebody may call them after a question mark.
const HEADERS: [(&str, &str); 9] = [
    ("daybook-dry-run", "Daybook-Dry-Run"),
    ("dry-run", "Daybook-Dry-Run"),
    ("daybook-reason", "Daybook-Reason"),
    ("reason", "Daybook-Reason"),
    ("idempotency-key", "Idempotency-Key"),
    ("key", "Idempotency-Key"),
    ("if-match", "If-Match"),
    ("daybook-after", "Daybook-After, of a read,"),
    ("traceparent", "traceparent"),
];

/// What is sent with POST says everything in its address, its headers and its body.
///
/// # Errors
/// 400 when there are parameters, naming the first.
pub fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    let axum::extract::Query(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    let Some((name, _)) = pairs.first() else {
        return Ok(());
    };
    let like = name.to_ascii_lowercase().replace('_', "-");
    let header = HEADERS.iter().find(|(known, _)| *known == like);
    let instead = header.map_or_else(
        || "what is sent with POST takes none".to_owned(),
        |(_, header)| format!("{header} is a header"),
    );
    let detail = format!("there is no parameter {name:?} here; {instead}");
    Err(Problem::new(problem::UNKNOWN_PARAMETER, detail).field(name))
}

/// An id in its one textual form, so that every thing has one address.
///
/// # Errors
/// 400, naming the part of the URL.
pub fn uuid(name: &str, text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text)
        .ok()
        .filter(|id| !id.is_nil() && id.to_string() == text)
        .ok_or_else(|| {
            Problem::bad_value(
                name,
                format!("{name} must be a uuid such as 0190a3c4-7f00-7000-8000-1234567890ab, in lower case"),
            )
        })
}

/// The position that a read must have seen: header or parameter `Daybook-After`.
///
/// # Errors
/// 400 when it is no position, or the two differ; 422 when the book has not reached it.
pub async fn after(app: &App, headers: &HeaderMap, parameters: &mut Parameters) -> Result<Option<i64>, Problem> {
    const NAME: &str = "Daybook-After";
    let read = |text: String| position(NAME, &text);
    let parameter = parameters.take(NAME)?.map(read).transpose()?;
    let header = only(headers, &AFTER)?.map(|value| String::from_utf8_lossy(value).into_owned());
    let header = header.map(read).transpose()?;
    if let (Some(header), Some(parameter)) = (header, parameter)
        && header != parameter
    {
        let detail = format!("{NAME} is {header} as a header and {parameter} as a parameter; send one of them");
        return Err(Problem::bad_value(NAME, detail));
    }
    let after = header.or(parameter);
    if let Some(position) = after {
        app.reached(NAME, position).await?;
    }
    Ok(after)
}

/// A position of the book.
///
/// # Errors
/// 400, naming the parameter.
pub fn position(name: &str, text: &str) -> Result<i64, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Problem::bad_value(name, format!("{name} must be a position of the book: 0, 1, 2, ...")))
}

// In words of our own: those of the rejections name types of this program.
impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        let detail = "a part of the address cannot be read; send it in UTF-8, percent-encoded";
        Self::new(problem::MALFORMED, detail)
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        let detail =
            "the parameters cannot be read; send them as name=value in UTF-8, percent-encoded, with & between them";
        Self::new(problem::MALFORMED, detail)
    }
}

/// The body of a request, of which nothing was read yet: that is work and takes memory, and is done for those alone who
/// may ask for it.
#[derive(Debug)]
pub struct Body(axum::body::Body);

/// A body that was read. What it takes counts as its sender's until it is dropped.
#[derive(Debug)]
pub struct Read {
    bytes: Vec<u8>,
    share: Share,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(request.into_body()))
    }
}

impl Body {
    /// Reads it, up to so many bytes.
    ///
    /// # Errors
    /// 413 when there are more; 429 or 503 when there is no room for it; 400 when it breaks off.
    pub async fn read(self, app: &App, by: &By, bytes_max: usize) -> Result<Read, Problem> {
        self.read_of(app, by.bearer, bytes_max).await
    }

    /// As [`Body::read`], for a sender who has shown in another way than by a token or key who they are.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub async fn read_of(self, app: &App, bearer: Bearer, bytes_max: usize) -> Result<Read, Problem> {
        let too_large = || Problem::new(problem::TOO_LARGE, format!("the body is larger than {bytes_max} bytes"));
        if self.0.size_hint().lower() > bytes_max as u64 {
            return Err(too_large());
        }
        let mut read = Read {
            bytes: Vec::new(),
            share: app.bounds.bodies.take(bearer, 0)?,
        };
        let mut chunks = self.0.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let broken = |error: axum::Error| {
                let detail = format!("the body breaks off: {error}; send it again");
                Problem::new(problem::MALFORMED, detail)
            };
            let chunk = chunk.map_err(broken)?;
            if read.bytes.len() + chunk.len() > bytes_max {
                return Err(too_large());
            }
            read.hold(chunk.len() as u64)?;
            read.bytes.extend_from_slice(&chunk);
        }
        Ok(read)
    }
}

impl Read {
    /// Counts further bytes that it is going to take.
    ///
    /// # Errors
    /// As [`crate::shares::Shares::take`].
    pub fn hold(&mut self, more: u64) -> Result<(), Problem> {
        self.share.grow(more)
    }
}

impl Deref for Read {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
