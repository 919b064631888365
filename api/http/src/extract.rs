//! Extractors of requests, with rejections as problems.

use axum::extract::FromRequestParts;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use uuid::Uuid;

use crate::command::body::BODY_BYTES_MAX;
use crate::command::headers::only;
use crate::problem::{self, Problem};

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
/// 400 when it is no position.
pub fn after(headers: &HeaderMap, parameters: &mut Parameters) -> Result<Option<i64>, Problem> {
    let parameter = parameters.take("Daybook-After")?;
    let header = only(headers, &AFTER)?.map(|value| String::from_utf8_lossy(value).into_owned());
    let Some(text) = header.or(parameter) else {
        return Ok(None);
    };
    position("Daybook-After", &text).map(Some)
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

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(problem::MALFORMED, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(problem::MALFORMED, rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                problem::TOO_LARGE,
                format!("the body is larger than {BODY_BYTES_MAX} bytes"),
            ),
            _ => Self::new(problem::MALFORMED, rejection.body_text()),
        }
    }
}
