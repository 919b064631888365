//! Every "no" that a client can get, as `application/problem+json` (RFC 9457).
//!
//! `type` is stable: `/problems/{name}` for the general ones, which are all in [`TABLE`], and
//! `/problems/{context}.{aggregate}/{rule}` for what a domain rule refuses. Each is an address, too, which says what it
//! means.

pub mod known;

use std::borrow::Cow;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use book::{BookError, ExecuteError, Refusal};
use domain::misread::Misread;
use domain::{Class, DecodeError};
use serde::{Serialize, Serializer};
use tracing::error;

use crate::command::form::PROBLEMS_MAX;

/// One kind of general problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// When it is met, and what to do about it.
    pub meaning: &'static str,
}

macro_rules! problems {
    ($($constant:ident $name:literal $status:ident $title:literal $meaning:literal;)+) => {
        $(pub const $constant: &Kind =
            &Kind { name: $name, status: StatusCode::$status, title: $title, meaning: $meaning };)+
        /// Every general problem.
        pub const TABLE: &[&Kind] = &[$($constant),+];
    };
}

problems! {
    MALFORMED "malformed" BAD_REQUEST "The request cannot be read"
        "The address, a header or the body cannot be read, or is there twice. `detail` says what and where; \
         send it in the right form.";
    UNKNOWN_PARAMETER "unknown-parameter" BAD_REQUEST "There is no such parameter"
        "The address has a parameter that this operation does not take. `field` names it, `allowed` lists \
         those that there are.";
    BAD_VALUE "bad-value" BAD_REQUEST "A value is not of the form it must have"
        "A field, parameter or header has a value of the wrong form or size. `field` names it, `detail` says \
         what would be right.";
    UNAUTHENTICATED "unauthenticated" UNAUTHORIZED "A valid token is needed"
        "The request has no bearer token, or one that is not valid here. Get a new one from the identity \
         provider and send the request again.";
    FORBIDDEN "forbidden" FORBIDDEN "A permission is missing"
        "None of your roles grants what the operation needs. `permission` names it; an administrator can \
         grant it.";
    OPERATOR_ONLY "operator-only" FORBIDDEN "Only whoever operates Daybook may"
        "The request concerns the whole installation, so that no role of a tenant grants it. The token must say \
         `daybook_operator: true`, which its issuer alone can; or use the command line.";
    NOT_REGISTERED "not-registered" FORBIDDEN "The token names no registered user"
        "The token is valid, but its user is not registered with its tenant. An administrator can register \
         them.";
    INACTIVE "inactive" FORBIDDEN "The user is not active"
        "The user of the token is deactivated or erased. An administrator can reactivate them, or register \
         them anew.";
    FOREIGN_DEPARTMENT "foreign-department" FORBIDDEN "The department is not one of yours"
        "The command is about a department that is neither one of yours nor below one. Choose another, or \
         have an administrator add you to it.";
    FOREIGN_DEVICE "foreign-device" FORBIDDEN "The key is another device's"
        "The key is bound to one device, and the request is about another one. Use a key of that device, or one that is \
         bound to none.";
    SUSPENDED "suspended" FORBIDDEN "The tenant is suspended"
        "Your tenant is suspended. What is there can be read; commands are refused until whoever runs Daybook has it \
         resumed.";
    TENANT_DELETED "tenant-deleted" FORBIDDEN "The tenant is deleted"
        "The tenant that the token names was deleted, and nothing of it can be read or changed. Get a token for another \
         one.";
    NOT_FOUND "not-found" NOT_FOUND "There is no such thing"
        "There is no such thing, or none that you may know of. `detail` says what was looked for, `allowed` \
         what there is instead.";
    UNKNOWN_COMMAND "unknown-command" NOT_FOUND "There is no such command"
        "Streams of this kind take no such command. `allowed` lists those that they take.";
    METHOD "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here"
        "There is such an address, but not for this method. The header `Allow` lists the methods that there \
         are.";
    ID_TAKEN "id-taken" CONFLICT "The id is taken"
        "The id that you chose for something new is in use, where you cannot see it: in another department or another \
         tenant. Ids are one space for all. Choose another, or leave it to the server.";
    FORMER_HISTORY "former-history" CONFLICT "It belongs to a former history of the book"
        "A cursor or an event's id was given out before the book was restored or moved, and what it names may be \
         something else now. Begin anew without it.";
    CLAIMED "claimed" CONFLICT "A value is taken"
        "A value that must be unique in the tenant is held by another entry, which may be out of use. `claim` \
         names the kind of value and `field` the field, if the command has one. Choose another value.";
    KEY_REUSED "key-reused" CONFLICT "The Idempotency-Key was used for something else"
        "The same user sent another command, body or If-Match under this Idempotency-Key. Use a new key for \
         what is new; send a repeat exactly as it was.";
    IN_PROGRESS "in-progress" CONFLICT "The first sending of it is under way"
        "The same request is being carried out at this moment. Send it again after `Retry-After`, and get its \
         answer.";
    BUSY "busy" CONFLICT "It is under way already"
        "What was asked for is under way already. Look how far it is, and ask again once it is done.";
    MOVED "moved" PRECONDITION_FAILED "The stream has moved"
        "The stream is not at the sequence that If-Match names. `sequence` says where it is: look at it \
         again, and send the command with that if it still holds.";
    TOO_LARGE "too-large" PAYLOAD_TOO_LARGE "The request is too large"
        "The request or the event that would come of it is larger than the limit in `detail`. Send less at \
         once.";
    BEYOND_END "beyond-end" UNPROCESSABLE_ENTITY "The book does not reach that far"
        "The position is beyond the last one of the book. `end` says where that is; ask for one that was answered.";
    MEDIA_TYPE "media-type" UNSUPPORTED_MEDIA_TYPE "The body is not JSON"
        "Bodies are JSON in UTF-8. Send `Content-Type: application/json`.";
    TOO_MANY "too-many-requests" TOO_MANY_REQUESTS "Too many requests"
        "You have sent more requests than your share. Wait for `Retry-After` seconds.";
    INTERNAL "internal" INTERNAL_SERVER_ERROR "Daybook failed"
        "Something went wrong inside Daybook. Tell its operators the `request_id`, under which the log says \
         more.";
    UNAVAILABLE "unavailable" SERVICE_UNAVAILABLE "Daybook cannot answer now"
        "A server that Daybook needs does not answer, or the request took too long. Send it again after \
         `Retry-After`, a command with the same Idempotency-Key.";
    OVERLOADED "overloaded" SERVICE_UNAVAILABLE "Too much is under way"
        "Too much is under way. Send the request again after `Retry-After`, a command with the same \
         Idempotency-Key.";
    NOT_YET_POSTED "not-yet-posted" SERVICE_UNAVAILABLE "The tables have not reached the position"
        "The tables do not show the position that was asked for yet. Read again after `Retry-After`.";
}

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
        let mut others: Vec<OfField> = others
            .into_iter()
            .filter(|other| other.field != own)
            .map(|Misread { field, detail }| OfField { field, detail })
            .collect();
        if !others.is_empty() {
            let detail = self.body.detail.clone();
            others.insert(0, OfField { field: own, detail });
            others.truncate(PROBLEMS_MAX);
        }
        self.body.problems = others;
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, title) = of_class(refusal.class);
        let r#type = format!("/problems/{}/{}", refusal.aggregate_type, refusal.rule);
        let mut problem = Self::with_type(r#type.into(), title.into(), status, refusal.detail);
        problem.body.rule = Some(refusal.rule);
        problem.body.field = refusal.field;
        problem.body.particulars = refusal.particulars.map(|particulars| *particulars);
        problem
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        let detail = error.to_string();
        match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::NotFound { .. } => Self::new(NOT_FOUND, detail),
            ExecuteError::Claimed { claim } => {
                let mut problem = Self::new(CLAIMED, detail);
                problem.body.claim = Some(claim.name());
                problem.body.context = Some(claim.context());
                problem
            }
            ExecuteError::KeyReused => Self::new(KEY_REUSED, detail).field("Idempotency-Key"),
            ExecuteError::Moved { sequence, .. } => {
                let mut problem = Self::new(MOVED, detail).field("If-Match");
                problem.body.sequence = Some(sequence);
                problem
            }
            ExecuteError::Suspended => Self::new(SUSPENDED, detail),
            ExecuteError::Contended => Self::new(OVERLOADED, detail),
            ExecuteError::Book(error) => error.into(),
        }
    }
}

impl From<BookError> for Problem {
    fn from(error: BookError) -> Self {
        match error {
            BookError::EventTooLarge { .. } => Self::new(TOO_LARGE, error.to_string()),
            BookError::Overloaded => Self::new(OVERLOADED, error.to_string()),
            BookError::Unavailable | BookError::NoRoom | BookError::LeadLost(_) | BookError::Abandoned => {
                Self::new(UNAVAILABLE, error.to_string())
            }
            BookError::Suspended => Self::new(SUSPENDED, error.to_string()),
            BookError::Database(error) => error.into(),
            BookError::NewerKeys => {
                tracing::warn!(%error, "a request cannot be answered by this process");
                let detail = "this process has missed that the master key was replaced, and has to be restarted; another one may \
                              answer";
                Self::new(UNAVAILABLE, detail)
            }
            BookError::Bus(_) => unavailable(&error),
            // The operator must be told which stream it is, and the sender cannot mend it.
            BookError::Decode(DecodeError::Sealed(_) | DecodeError::Version { .. }) => {
                error!(error = %error, "a request failed");
                Self::new(INTERNAL, error.to_string())
            }
            // The values of the fields are for the log alone.
            BookError::Decode(DecodeError::Fields { ref event_type, .. }) => {
                error!(error = %error, "a request failed");
                Self::new(
                    INTERNAL,
                    format!("event {event_type} of the stream cannot be read by this program"),
                )
            }
            BookError::Metadata(_) | BookError::Key(_) | BookError::NewerNeeded { .. } | BookError::Broken(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if book::is_transient(&error) {
            unavailable(&error)
        } else {
            Self::internal(&error)
        }
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

fn unavailable(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(error = %error, "a server that a request needs does not answer");
    Problem::new(
        UNAVAILABLE,
        "a server that Daybook needs does not answer; try again in a moment",
    )
}

#[cfg(test)]
mod tests;
