//! A delivery as it came, and what its content type says of the body.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode;

use crate::json;

/// Fields of a form or of a query that are looked at.
pub const FORM_FIELDS_MAX: usize = 256;

/// Headers that say something of an alert or prove who sent it, beside those that a source's signature names.
pub const KEPT_HEADERS: &[&str] = &[
    "ce-datacontenttype",
    "ce-dataschema",
    "ce-id",
    "ce-severitynumber",
    "ce-severitytext",
    "ce-source",
    "ce-specversion",
    "ce-subject",
    "ce-time",
    "ce-type",
    "request-id",
    "sentry-hook-resource",
    "sentry-hook-signature",
    "sentry-hook-timestamp",
    "x-amz-sns-message-id",
    "x-amz-sns-message-type",
    "x-amz-sns-topic-arn",
    "x-grafana-alerting-signature",
    "x-pagerduty-signature",
];

/// What a sender delivered, as it was taken in.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    pub content_type: Option<&'a str>,
    /// Names in lower case. Only `KEPT_HEADERS` are looked at.
    pub headers: &'a [(String, String)],
    pub query: &'a [(String, String)],
    pub body: &'a [u8],
    /// The only clock there is: alerts that the sender gives no time are told apart by it.
    pub received_at: DateTime<Utc>,
}

impl Delivered<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.headers, name)
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(held, _)| held == name)
        .map(|(_, value)| value.as_str())
}

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    Form,
    /// One CloudEvent in the structured mode. In the binary mode the body is of its own type, `ce-` headers beside it.
    CloudEvent,
    CloudEvents,
}

/// Why no alert can come of a body. Each sentence says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Unreadable {
    #[error("bodies of the type {given} are not read; send application/json or application/x-www-form-urlencoded")]
    ContentType { given: String },
    #[error("the body is empty; send the alert as JSON, or its fields as a form or in the query")]
    Empty,
    #[error(
        "the body is no JSON: it breaks off at line {line}, column {column}; quote texts, escape quotation marks within them \
         and send UTF-8"
    )]
    NotJson { line: usize, column: usize },
    #[error("the body is no form: it has no field with a name; send title=... or summary=...")]
    NotForm,
    #[error("the body is no CloudEvent: {missing} is missing; send id, source, specversion and type")]
    NotCloudEvent { missing: &'static str },
    #[error("arrays and objects are within each other on more than {levels_max} levels; send a flatter body")]
    TooDeep { levels_max: usize },
    #[error("the body has more than {fields_max} fields; send JSON")]
    TooMany { fields_max: usize },
}

/// What a content type says the body is written in. Cheap: for the edge, before a delivery is taken in.
///
/// `text/plain` counts as JSON, for so Amazon SNS sends it.
///
/// # Errors
/// `Unreadable::ContentType` when no format comes in that type.
pub fn kind(content_type: Option<&str>) -> Result<Kind, Unreadable> {
    let given = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match given.as_str() {
        "" | "application/json" | "text/json" | "text/plain" | "application/x-json" | "application/octet-stream" => {
            Ok(Kind::Json)
        }
        "application/x-www-form-urlencoded" => Ok(Kind::Form),
        "application/cloudevents+json" => Ok(Kind::CloudEvent),
        "application/cloudevents-batch+json" => Ok(Kind::CloudEvents),
        _ if given.starts_with("application/") && given.ends_with("+json") => Ok(Kind::Json),
        _ => Err(Unreadable::ContentType {
            given: crate::bounds::line(&given, 100).0,
        }),
    }
}

/// The body as JSON bytes: a form, or the query of an empty body, as an object of texts.
pub(crate) fn as_json<'a>(delivered: &Delivered<'a>, kind: Kind) -> Result<Cow<'a, [u8]>, Unreadable> {
    let body = delivered.body.trim_ascii();
    // Many a client sends JSON under the type that its library presumes.
    let is_form = kind == Kind::Form && !matches!(body.first(), Some(b'{' | b'['));
    if !is_form && !body.is_empty() {
        return Ok(Cow::Borrowed(delivered.body));
    }
    let mut fields: Vec<(String, String)> = delivered.query.to_vec();
    if is_form {
        fields.extend(form(body)?);
    }
    if fields.len() > FORM_FIELDS_MAX {
        return Err(Unreadable::TooMany {
            fields_max: FORM_FIELDS_MAX,
        });
    }
    match (fields.iter().any(|(name, _)| !name.trim().is_empty()), body.is_empty()) {
        (true, _) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Ok(Cow::Owned(json::object_of(fields).into_bytes()))
        }
        (false, true) => Err(Unreadable::Empty),
        (false, false) => Err(Unreadable::NotForm),
    }
}

fn form(body: &[u8]) -> Result<Vec<(String, String)>, Unreadable> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let mut fields = Vec::new();
    for pair in pairs {
        if fields.len() >= FORM_FIELDS_MAX {
            return Err(Unreadable::TooMany {
                fields_max: FORM_FIELDS_MAX,
            });
        }
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let value = pair.get(end + 1..).unwrap_or_default();
        fields.push((decoded(&pair[..end]), decoded(value)));
    }
    Ok(fields)
}

fn decoded(text: &[u8]) -> String {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_taken_or_refused_before_the_body_is_looked_at() {
        assert_eq!(kind(None), Ok(Kind::Json));
        assert_eq!(kind(Some("text/plain; charset=UTF-8")), Ok(Kind::Json));
        assert_eq!(kind(Some("Application/JSON")), Ok(Kind::Json));
        assert_eq!(kind(Some("application/vnd.alert+json")), Ok(Kind::Json));
        assert_eq!(kind(Some("application/x-www-form-urlencoded")), Ok(Kind::Form));
        assert_eq!(
            kind(Some("application/cloudevents+json; charset=utf-8")),
            Ok(Kind::CloudEvent)
        );
        assert_eq!(kind(Some("application/cloudevents-batch+json")), Ok(Kind::CloudEvents));
        for refused in [
            "multipart/form-data; boundary=x",
            "application/xml",
            "text/html",
            "image/png",
        ] {
            assert!(
                matches!(kind(Some(refused)), Err(Unreadable::ContentType { .. })),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_form_is_decoded_and_goes_before_the_query() {
        let fields = form(b"summary=disk+full%21&details=a%3Db&empty&=x&bad=%ff%zz").unwrap();
        let named = |name: &str| {
            fields
                .iter()
                .find(|(held, _)| held == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(named("summary"), Some("disk full!"));
        assert_eq!(named("details"), Some("a=b"));
        assert_eq!(named("empty"), Some(""));
        assert_eq!(named("bad"), Some("\u{fffd}%zz"));
    }

    #[test]
    fn a_form_has_only_so_many_fields() {
        let body = "a=1&".repeat(FORM_FIELDS_MAX + 1);
        assert_eq!(
            form(body.as_bytes()),
            Err(Unreadable::TooMany {
                fields_max: FORM_FIELDS_MAX
            })
        );
    }
}
