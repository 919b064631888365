//! Every "no" that a client can get, as `application/problem+json` (RFC 9457).
//!
//! `type` is stable: `/problems/{name}` for the general ones, which are all in [`TABLE`], and
//! `/problems/{context}.{aggregate}/{rule}` for what a domain rule refuses. Each is an address, too, which says what it
//! means.

mod errors;
mod kinds;
pub mod known;

use std::borrow::Cow;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Class;
use domain::misread::{self, Misread};
use serde::{Serialize, Serializer};
use tracing::error;

pub use kinds::*;

use crate::command::form::{ONE_OF, PROBLEMS_MAX};

/// How long a client waits before it tries again, when Daybook cannot tell better, in seconds.
const RETRY_SECONDS: u64 = 1;

/// How much of a detail is kept, in characters: its beginning, with what was sent, and its end, with what could have
/// been. Whatever is sent, nobody is answered much more than this.
const DETAIL_BEGINS_CHARS: usize = 250;
const DETAIL_ENDS_CHARS: usize = 450;
/// How much of another text of a problem is kept, in characters.
const TEXT_CHARS: usize = 200;

/// A problem on its way to a client.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    body: Box<Body>,
    retry_after_seconds: Option<u64>,
    challenge: Option<&'static str>,
    /// The methods that the address takes, of one that it does not.
    allow: Option<HeaderValue>,
}

#[derive(Debug, Clone, Serialize)]
struct Body {
    r#type: Cow<'static, str>,
    title: Cow<'static, str>,
    status: u16,
    #[serde(serialize_with = "brief_detail")]
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "brief")]
    field: Option<String>,
    /// This one and the others of the same body, where there are others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<OfField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'static str>,
    /// The context of the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<String>,
    /// See [`domain::Refuse::particulars`].
    #[serde(skip_serializing_if = "Option::is_none")]
    particulars: Option<serde_json::Value>,
    /// Where the book ends, for a position that is beyond that.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    /// Of a stream that moved: where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "brief")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, Serialize)]
struct OfField {
    #[serde(serialize_with = "brief_text")]
    field: String,
    #[serde(serialize_with = "brief_text")]
    detail: String,
}

impl Problem {
    #[must_use]
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self::with_type(
            Cow::Owned(format!("/problems/{}", kind.name)),
            Cow::Borrowed(kind.title),
            kind.status,
            detail.into(),
        )
    }

    fn with_type(r#type: Cow<'static, str>, title: Cow<'static, str>, status: StatusCode, detail: String) -> Self {
        let body = Body {
            r#type,
            title,
            status: status.as_u16(),
            detail,
            rule: None,
            field: None,
            problems: Vec::new(),
            permission: None,
            claim: None,
            context: None,
            allowed: Vec::new(),
            particulars: None,
            end: None,
            sequence: None,
            instance: None,
            request_id: None,
        };
        let retry_after_seconds = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS);
        Self {
            status,
            body: Box::new(body),
            retry_after_seconds,
            challenge: None,
            allow: None,
        }
    }

    /// The address of its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.body.r#type
    }

    /// Whether it is one of this kind.
    #[must_use]
    pub fn is_of(&self, kind: &Kind) -> bool {
        self.kind().rsplit('/').next() == Some(kind.name)
    }

    /// The permission that is missing.
    #[must_use]
    pub fn permission(&self) -> Option<&str> {
        self.body.permission.as_deref()
    }

    /// What it says to the client, who may have sent parts of it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.body.detail
    }

    /// The problem as JSON, for answers that tell of several.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        serde_json::to_value(&self.body).unwrap_or_default()
    }

    /// A value of the request that is not of the form it must have; `field` says where it is.
    #[must_use]
    pub fn bad_value(field: &str, detail: impl Into<String>) -> Self {
        Self::new(BAD_VALUE, detail).field(field)
    }

    /// A position of the request that the book has not reached.
    #[must_use]
    pub fn beyond_end(name: &str, position: i64, end: i64) -> Self {
        let detail = format!("{name} is {position}, and the book ends at {end}; ask for a position that was answered");
        let mut problem = Self::new(BEYOND_END, detail).field(name);
        problem.body.end = Some(end);
        problem
    }

    /// There is no such thing, or none that the caller may know of.
    #[must_use]
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(NOT_FOUND, format!("there is no {what}"))
    }

    /// A permission is missing, see [`crate::auth::Principal::missing`].
    #[must_use]
    pub fn missing_permission(permission: &str, detail: String) -> Self {
        let mut problem = Self::new(FORBIDDEN, detail);
        problem.body.permission = Some(permission.to_owned());
        problem
    }

    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.body.field = Some(field.into());
        self
    }

    /// With what is wrong with other fields of the same body.
    #[must_use]
    pub fn among(mut self, others: Vec<Misread>) -> Self {
        let own = self.body.field.clone().unwrap_or_default();
        let told = std::mem::take(&mut self.body.problems);
        let mut problems = match told.is_empty() {
            true => vec![OfField {
                field: own,
                detail: self.body.detail.clone(),
            }],
            false => told,
        };
        for Misread { field, detail } in others {
            // The form knows the words that may be there, where whoever read it only missed one.
            let is_vague = !self.body.detail.contains(ONE_OF) || self.body.detail.contains(misread::A_WORD);
            if is_vague && detail.contains(ONE_OF) && self.body.field.as_deref() == Some(&field) {
                self.body.detail.clone_from(&detail);
                if let Some(own) = problems.iter_mut().find(|told| told.field == field) {
                    own.detail.clone_from(&detail);
                }
            }
            if problems.iter().all(|told| told.field != field) && problems.len() < PROBLEMS_MAX {
                problems.push(OfField { field, detail });
            }
        }
        if problems.len() > 1 {
            self.body.problems = problems;
        }
        self
    }

    #[must_use]
    pub fn allowed<S: Into<String>>(mut self, allowed: impl IntoIterator<Item = S>) -> Self {
        self.body.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// A method that the address does not take.
    #[must_use]
    pub fn not_allowed(method: &Method, allow: HeaderValue) -> Self {
        Self::new(METHOD, not_allowed(method)).allow(allow)
    }

    /// Sets `Allow`.
    #[must_use]
    pub fn allow(mut self, allow: HeaderValue) -> Self {
        self.allow = Some(allow);
        self
    }

    /// Sets `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Says which request it answers.
    #[must_use]
    pub fn of_request(mut self, path: &str, request_id: Option<&str>) -> Self {
        self.body.instance = Some(path.to_owned());
        self.body.request_id = request_id.map(str::to_owned);
        self
    }

    /// A failure of ours. The client learns that it happened; the log learns what.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        error!(error = %error, "a request failed");
        Self::new(
            INTERNAL,
            "something went wrong inside Daybook; the log names it under this request_id",
        )
    }

    /// For an error answer that something else than our own code made (axum, a layer).
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let kind = TABLE.iter().find(|kind| kind.status == status).copied();
        match kind {
            Some(kind) => Self::new(kind, kind.title.to_lowercase()),
            None if status.is_client_error() => {
                let mut problem = Self::new(MALFORMED, status.canonical_reason().unwrap_or("the request is refused"));
                problem.status = status;
                problem.body.status = status.as_u16();
                problem
            }
            None => Self::new(INTERNAL, INTERNAL.title),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = serde_json::to_string(&self.body).unwrap_or_default();
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow.clone() {
            headers.insert(header::ALLOW, allow);
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        // The outermost layer writes the body again, with the request's id.
        response.extensions_mut().insert(self);
        response
    }
}

/// What is told of a method that an address does not take.
pub fn not_allowed(method: &Method) -> String {
    format!("{method} is not allowed here; the header Allow lists the methods that are")
}

/// Says of an answer that it is an error in the words of a protocol of others, and no problem.
#[derive(Debug, Clone, Copy)]
pub struct InOthersWords;

/// Every class of a domain rule's refusal.
pub const CLASSES: [Class; 4] = [Class::Missing, Class::Forbidden, Class::Conflict, Class::Refused];

/// The status and the title of what a domain rule refuses.
#[must_use]
pub fn of_class(class: Class) -> (StatusCode, &'static str) {
    match class {
        Class::Missing => (StatusCode::NOT_FOUND, "What it is about is not there"),
        Class::Forbidden => (StatusCode::FORBIDDEN, "A rule forbids it to you"),
        Class::Conflict => (StatusCode::CONFLICT, "An id or a key was used for something else"),
        Class::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "A rule forbids it as things stand"),
    }
}

fn brief_detail<S: Serializer>(detail: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cut(detail, DETAIL_BEGINS_CHARS, DETAIL_ENDS_CHARS))
}

fn brief<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = text.as_deref().map(|text| cut(text, TEXT_CHARS, 0));
    text.serialize(serializer)
}

fn brief_text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cut(text, TEXT_CHARS, 0))
}

/// A text with an ellipsis for what lies between its beginning and its end.
fn cut(text: &str, begins: usize, ends: usize) -> Cow<'_, str> {
    let Some((head, _)) = text.char_indices().nth(begins) else {
        return Cow::Borrowed(text);
    };
    let tail = match ends {
        0 => text.len(),
        ends => text.char_indices().nth_back(ends - 1).map_or(0, |(tail, _)| tail),
    };
    // What is cut out is more than the ellipsis that stands for it.
    if text[head..tail.max(head)].chars().nth(1).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…{}", &text[..head], &text[tail..]))
}

#[cfg(test)]
mod tests;
