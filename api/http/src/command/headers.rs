//! The headers of a command.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, header};

use super::past::AskedSpan;
use crate::problem::{self, Problem};

/// Length of an Idempotency-Key.
pub const KEY_CHARS_MAX: usize = 200;
/// Length of a reason, after percent-decoding.
pub const REASON_CHARS_MAX: usize = 1_000;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub const DAYBOOK_REASON: HeaderName = HeaderName::from_static("daybook-reason");
/// `true` decides without appending.
pub const DAYBOOK_DRY_RUN: HeaderName = HeaderName::from_static("daybook-dry-run");
/// The part of the book that a dry run is tried on besides.
pub const DAYBOOK_SPAN: HeaderName = HeaderName::from_static("daybook-span");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The headers of a command, checked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CommandHeaders {
    pub key: Option<String>,
    pub if_match: Option<i64>,
    pub reason: Option<String>,
    pub traceparent: Option<String>,
    /// Whether it is only asked what the command would lead to.
    pub is_dry_run: bool,
    /// The part of the book that it is tried on besides; of a dry run alone.
    pub span: Option<AskedSpan>,
}

/// Without the reason, which is free text.
impl fmt::Debug for CommandHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandHeaders")
            .field("key", &self.key)
            .field("if_match", &self.if_match)
            .field("is_dry_run", &self.is_dry_run)
            .finish_non_exhaustive()
    }
}

impl CommandHeaders {
    /// # Errors
    /// 400, naming the header.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let is_dry_run = only(headers, &DAYBOOK_DRY_RUN)?
            .map(truth)
            .transpose()?
            .unwrap_or(false);
        let span = only(headers, &DAYBOOK_SPAN)?.map(AskedSpan::parse).transpose()?;
        if span.is_some() && !is_dry_run {
            let detail = "Daybook-Span goes with `Daybook-Dry-Run: true`: what is carried out is not tried on the past";
            return Err(Problem::bad_value("Daybook-Span", detail));
        }
        Ok(Self {
            key: only(headers, &IDEMPOTENCY_KEY)?.map(key).transpose()?,
            if_match: only(headers, &header::IF_MATCH)?.map(sequence).transpose()?,
            reason: only(headers, &DAYBOOK_REASON)?
                .map(reason)
                .transpose()?
                .filter(|reason| !reason.is_empty()),
            is_dry_run,
            span,
            // A trace context that breaks the rules is to be ignored, says W3C.
            traceparent: only(headers, &TRACEPARENT).ok().flatten().and_then(traceparent),
        })
    }
}

/// The one value of a header.
///
/// # Errors
/// 400 when it is sent more than once.
pub fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|value| value.as_bytes().trim_ascii())),
        (_, Some(_)) => Err(Problem::new(
            problem::MALFORMED,
            format!("{name} is sent more than once; send it once"),
        )
        .field(name.as_str())),
    }
}

/// Refuses a dry run of what can only be done: to do it all the same would be the worst answer.
///
/// # Errors
/// 400 when one is asked for.
pub fn no_dry_run(headers: &HeaderMap) -> Result<(), Problem> {
    no_span(only(headers, &DAYBOOK_SPAN)?.is_some())?;
    match only(headers, &DAYBOOK_DRY_RUN)?.map(truth).transpose()? {
        Some(true) => Err(Problem::bad_value(
            "Daybook-Dry-Run",
            "this takes no Daybook-Dry-Run; leave it out",
        )),
        Some(false) | None => Ok(()),
    }
}

/// A header that other commands heed, by its name in answers, and why a request that is sent with POST cannot heed it.
pub type Unheeded = (&'static str, HeaderName, &'static str);

/// Refuses headers that would go unheeded: whoever sends one counts on it.
///
/// # Errors
/// 400 when there is one, naming it and saying why.
pub fn none_of(headers: &HeaderMap, unheeded: &[Unheeded]) -> Result<(), Problem> {
    match unheeded.iter().find(|(_, header, _)| headers.contains_key(header)) {
        Some((name, _, why)) => Err(Problem::bad_value(name, format!("{why}; leave {name} out"))),
        None => Ok(()),
    }
}

/// Refuses to try on the past what is not tried there.
///
/// # Errors
/// 400 when that is asked for.
pub(super) fn no_span(is_asked: bool) -> Result<(), Problem> {
    match is_asked {
        true => Err(Problem::bad_value(
            "Daybook-Span",
            "this is not tried on the past; leave Daybook-Span out",
        )),
        false => Ok(()),
    }
}

fn key(value: &[u8]) -> Result<String, Problem> {
    let visible = !value.is_empty() && value.len() <= KEY_CHARS_MAX && value.iter().all(u8::is_ascii_graphic);
    if visible {
        return Ok(String::from_utf8_lossy(value).into_owned());
    }
    Err(Problem::bad_value(
        "Idempotency-Key",
        format!("Idempotency-Key must be 1 to {KEY_CHARS_MAX} visible ASCII characters"),
    ))
}

fn sequence(value: &[u8]) -> Result<i64, Problem> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let digits = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    bare.parse().ok().filter(|_| digits).ok_or_else(|| {
        Problem::bad_value(
            "If-Match",
            "If-Match must be one sequence of the stream, such as \"3\": the ETag of an answer",
        )
    })
}

fn truth(value: &[u8]) -> Result<bool, Problem> {
    match value {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Problem::bad_value(
            "Daybook-Dry-Run",
            "Daybook-Dry-Run is `true` or `false`; a command that may be carried out goes without it",
        )),
    }
}

/// UTF-8, or percent-encoded UTF-8 from clients whose headers are ASCII; a `%` that begins no
/// escape stands for itself.
fn reason(value: &[u8]) -> Result<String, Problem> {
    let bad = |detail: String| Problem::bad_value("Daybook-Reason", detail);
    let text = String::from_utf8(percent_decoded(value))
        .map_err(|_| bad("Daybook-Reason must be UTF-8, percent-encoded if need be".to_owned()))?;
    let chars = text.chars().count();
    if chars > REASON_CHARS_MAX {
        return Err(bad(format!(
            "Daybook-Reason is {chars} characters long; at most {REASON_CHARS_MAX} are allowed"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(bad("Daybook-Reason must not contain control characters".to_owned()));
    }
    Ok(text.trim().to_owned())
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|pair| hex::decode(pair).ok());
        match escape.as_deref() {
            Some(&[byte]) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

/// A W3C trace context of version 00, or what one of a later version has in common with it.
fn traceparent(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags, rest @ ..] = parts.as_slice() else {
        return None;
    };
    let lower_hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let formed = lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(span, 16) && lower_hex(flags, 2);
    let allowed = *version != "ff" && (*version != "00" || rest.is_empty()) && !zero(trace) && !zero(span);
    (formed && allowed).then(|| format!("{version}-{trace}-{span}-{flags}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(name: HeaderName, value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())])
    }

    #[test]
    fn an_etag_and_a_bare_number_both_match() {
        for value in [&b"\"7\""[..], b"7", b" 7 "] {
            assert_eq!(
                CommandHeaders::read(&with(header::IF_MATCH, value)).unwrap().if_match,
                Some(7)
            );
        }
        for value in ["*", "W/\"7\"", "-1", "+1", "\"7", "", "7, 8", "99999999999999999999"] {
            assert!(
                CommandHeaders::read(&with(header::IF_MATCH, value.as_bytes())).is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn a_reason_is_utf8_or_percent_encoded_utf8() {
        let read = |value: &[u8]| {
            CommandHeaders::read(&with(DAYBOOK_REASON, value))
                .unwrap()
                .reason
                .unwrap()
        };
        assert_eq!(read("zu teuer für uns".as_bytes()), "zu teuer für uns");
        assert_eq!(read(b"zu teuer f%C3%BCr uns"), "zu teuer für uns");
        assert_eq!(read(b"100% sure, 5%x"), "100% sure, 5%x");
        assert!(CommandHeaders::read(&with(DAYBOOK_REASON, b"%FF")).is_err());
        assert!(CommandHeaders::read(&with(DAYBOOK_REASON, b"a%00b")).is_err());
        assert!(CommandHeaders::read(&with(DAYBOOK_REASON, &[b'x'; REASON_CHARS_MAX + 1])).is_err());
    }

    #[test]
    fn a_key_is_short_and_visible() {
        assert!(CommandHeaders::read(&with(IDEMPOTENCY_KEY, &[b'k'; KEY_CHARS_MAX])).is_ok());
        assert!(CommandHeaders::read(&with(IDEMPOTENCY_KEY, &[b'k'; KEY_CHARS_MAX + 1])).is_err());
        assert!(CommandHeaders::read(&with(IDEMPOTENCY_KEY, b"a b")).is_err());
        assert!(CommandHeaders::read(&with(IDEMPOTENCY_KEY, "ü".as_bytes())).is_err());
    }

    #[test]
    fn a_dry_run_is_asked_for_in_plain_words_and_refused_where_there_is_none() {
        let read = |value: &[u8]| CommandHeaders::read(&with(DAYBOOK_DRY_RUN, value));
        assert!(read(b"true").unwrap().is_dry_run && !read(b"false").unwrap().is_dry_run);
        assert!(!CommandHeaders::read(&HeaderMap::new()).unwrap().is_dry_run);
        for unclear in [&b"1"[..], b"yes", b"True", b""] {
            assert!(read(unclear).is_err(), "{unclear:?}");
            assert!(no_dry_run(&with(DAYBOOK_DRY_RUN, unclear)).is_err(), "{unclear:?}");
        }
        assert!(no_dry_run(&with(DAYBOOK_DRY_RUN, b"true")).is_err());
        assert!(no_dry_run(&with(DAYBOOK_DRY_RUN, b"false")).is_ok() && no_dry_run(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn a_span_goes_with_a_dry_run_alone() {
        let mut headers = with(DAYBOOK_SPAN, b"12..90");
        assert!(CommandHeaders::read(&headers).is_err());
        assert!(no_dry_run(&headers).is_err());
        headers.insert(DAYBOOK_DRY_RUN, HeaderValue::from_static("true"));
        assert!(CommandHeaders::read(&headers).unwrap().span.is_some());
    }

    #[test]
    fn a_header_sent_twice_is_refused() {
        let mut headers = with(IDEMPOTENCY_KEY, b"a");
        headers.append(IDEMPOTENCY_KEY, HeaderValue::from_static("b"));
        assert!(CommandHeaders::read(&headers).is_err());
    }

    #[test]
    fn a_bad_trace_context_is_ignored() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = |value: &str| {
            CommandHeaders::read(&with(TRACEPARENT, value.as_bytes()))
                .unwrap()
                .traceparent
        };
        assert_eq!(read(good).as_deref(), Some(good));
        for bad in [
            "",
            "00-0-0-0",
            &good.to_uppercase(),
            &good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &format!("{good}-x"),
            &good.replacen("00", "ff", 1),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
