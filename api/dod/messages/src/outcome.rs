//! What came of a call.

use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

/// Bytes of an answer that are read. A longer one is nothing that Slack or Lark say.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Bytes of an answer that a reason may quote.
pub const BECAUSE_BYTES_MAX: usize = 1 << 10;
/// The longest that an answer can make a message wait, in seconds.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;
/// The shortest, in seconds: an answer that says "at once" after saying "too many" is not believed.
pub const RETRY_AFTER_SECONDS_MIN: u64 = 1;

/// What came of a call. A reason never holds a token, the path of a webhook, or a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has arrived.
    Sent {
        /// Slack's `ts` or Lark's `message_id`; webhooks and custom bots answer none.
        id: Option<String>,
        /// The channel or chat that took it, as Slack or Lark call it.
        channel: Option<String>,
    },
    /// It has not arrived; the same call may succeed later.
    Later {
        /// How long they ask us to wait, within the bounds of this crate.
        after: Option<Duration>,
        because: String,
    },
    /// It has not arrived, and will not until somebody does what the reason says.
    Refused { because: String },
    /// Nobody knows whether it has arrived: a call with a `uuid` may be repeated safely, another may be told twice.
    Unknown { because: String },
}

impl Outcome {
    pub(crate) fn later(after: Option<Duration>, because: impl Into<String>) -> Self {
        Self::Later {
            after,
            because: because.into(),
        }
    }

    pub(crate) fn refused(because: impl Into<String>) -> Self {
        Self::Refused {
            because: because.into(),
        }
    }

    pub(crate) fn unknown(because: impl Into<String>) -> Self {
        Self::Unknown {
            because: because.into(),
        }
    }
}

/// How long the first of the headers `names` that is there asks us to wait: seconds, or a date as HTTP writes it, which is
/// compared with the answer's own `Date`, so that our clock does not matter.
pub(crate) fn wait(headers: &[(String, String)], names: &[&str]) -> Option<Duration> {
    let value = names.iter().find_map(|name| header(headers, name))?.trim();
    let seconds = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a number holds is longer than the longest wait.
        value.parse().unwrap_or(u64::MAX)
    } else {
        let until = DateTime::parse_from_rfc2822(value).ok()?;
        let now = DateTime::parse_from_rfc2822(header(headers, "date")?.trim()).ok()?;
        u64::try_from((until - now).num_seconds()).unwrap_or(0)
    };
    Some(Duration::from_secs(
        seconds.clamp(RETRY_AFTER_SECONDS_MIN, RETRY_AFTER_SECONDS_MAX),
    ))
}

/// How long `Retry-After` asks us to wait, within the bounds of this crate. The names of the headers are in lower case.
#[must_use]
pub fn retry_after(headers: &[(String, String)]) -> Option<Duration> {
    wait(headers, &["retry-after"])
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// The words of an answer that a person may read: its beginning, on one line, without control characters and without
/// anything that could be a secret.
pub(crate) fn quoted(body: &[u8]) -> String {
    let is_cut = body.len() > BECAUSE_BYTES_MAX;
    let text = String::from_utf8_lossy(&body[..body.len().min(BECAUSE_BYTES_MAX)]).replace("\\/", "/");
    let mut quoted = String::new();
    let mut rest = text.as_str();
    let mut after_bearer = false;
    while !rest.is_empty() {
        let ends =
            |character: char| character.is_whitespace() || character.is_control() || DELIMITERS.contains(character);
        let word_ends = rest.find(ends).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(word_ends);
        // A word that the cut has shortened may be the beginning of a secret.
        let is_secret = after_bearer || is_secret(word) || (tail.is_empty() && is_cut);
        if !word.is_empty() {
            quoted.push_str(if is_secret { HIDDEN } else { word });
            after_bearer = word.eq_ignore_ascii_case("bearer");
        }
        let delimiter = tail.chars().next();
        quoted.extend(delimiter.map(|delimiter| if DELIMITERS.contains(delimiter) { delimiter } else { ' ' }));
        rest = delimiter.map_or("", |delimiter| &tail[delimiter.len_utf8()..]);
    }
    let shown: Vec<&str> = quoted.split_whitespace().collect();
    match shown.join(" ") {
        shown if shown.is_empty() => "nothing".to_owned(),
        shown => shortened(&shown, BECAUSE_BYTES_MAX, is_cut),
    }
}

const HIDDEN: &str = "[hidden]";
const DELIMITERS: &str = "\"'`<>(){}[],;=&|\\";
/// Characters from which on a word of letters and digits is taken for a secret. Slack's error words are made of underscored
/// words without digits, and stay.
const SECRET_CHARS_MIN: usize = 16;

fn is_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let is_known = ["xox", "xapp-", "xoxe."].iter().any(|prefix| lower.starts_with(prefix))
        || ["://", "/services/", "/hook/", "hooks.slack"]
            .iter()
            .any(|part| lower.contains(part))
        || ["t-", "u-", "a-"]
            .iter()
            .any(|prefix| lower.strip_prefix(prefix).is_some_and(|rest| rest.len() > 8));
    let longest = |is_in: fn(char) -> bool| {
        word.split(|character| !is_in(character))
            .map(str::len)
            .max()
            .unwrap_or(0)
    };
    let mixed = word.chars().any(|character| character.is_ascii_digit());
    is_known
        || longest(|character| character.is_ascii_alphanumeric()) > 2 * SECRET_CHARS_MIN
        || (mixed
            && longest(|character| character.is_ascii_alphanumeric() || "-_+/".contains(character)) >= SECRET_CHARS_MIN)
}

fn shortened(text: &str, bytes_max: usize, is_cut: bool) -> String {
    const MORE: &str = " …";
    if text.len() <= bytes_max - MORE.len() {
        return if is_cut {
            format!("{text}{MORE}")
        } else {
            text.to_owned()
        };
    }
    let mut end = bytes_max - MORE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MORE}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_wait_is_read_in_seconds_or_as_a_date_and_kept_within_bounds() {
        let after = |value: &str| {
            let date = "Sun, 06 Nov 1994 08:49:00 GMT";
            wait(&headers(&[("Date", date), ("Retry-After", value)]), &["retry-after"]).map(|wait| wait.as_secs())
        };
        assert_eq!(after("30"), Some(30));
        assert_eq!(after(" 7 "), Some(7));
        assert_eq!(after("0"), Some(RETRY_AFTER_SECONDS_MIN));
        assert_eq!(after("99999999"), Some(RETRY_AFTER_SECONDS_MAX));
        assert_eq!(after("99999999999999999999999"), Some(RETRY_AFTER_SECONDS_MAX));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(RETRY_AFTER_SECONDS_MIN));
        assert_eq!(after("Sat, 06 Nov 2094 08:00:00 GMT"), Some(RETRY_AFTER_SECONDS_MAX));
        for absurd in ["-3", "1.5", "soon", "", "1e9"] {
            assert_eq!(after(absurd), None, "{absurd}");
        }
        assert_eq!(
            wait(
                &headers(&[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]),
                &["retry-after"]
            ),
            None
        );
    }

    #[test]
    fn what_is_quoted_holds_no_secret_and_no_control_character() {
        let body = concat!(
            r#"{"error":"invalid_auth","url":"https:\/\/hooks.slack.com\/services\/T0AAA\/B0BBB\/sEcReT1234567890abcdefgh","#,
            r#""token":"xoxb-12-34-abc","h":"Bearer abc","lark":"t-g1044qeGEDXTB6NDJOGV4JQCYDGHRBARFTGT1234"}"#,
            "\r\n\u{1b}[31m/open-apis/bot/v2/hook/short"
        );
        let quoted = quoted(body.as_bytes());
        assert!(quoted.contains("invalid_auth"), "{quoted}");
        for secret in ["sEcReT", "T0AAA", "xoxb", "abc", "g1044", "short"] {
            assert!(!quoted.contains(secret), "{secret} in {quoted}");
        }
        assert!(!quoted.chars().any(char::is_control));
    }

    #[test]
    fn a_secret_that_the_cut_goes_through_is_hidden() {
        for length in 1..60 {
            let body = format!(
                "{} SECRETS{}",
                "a ".repeat((BECAUSE_BYTES_MAX - length) / 2),
                "S".repeat(2_000)
            );
            let quoted = quoted(body.as_bytes());
            assert!(!quoted.contains("SEC") && quoted.len() <= BECAUSE_BYTES_MAX, "{quoted}");
        }
    }

    #[test]
    fn an_empty_answer_is_called_nothing() {
        assert_eq!(quoted(b""), "nothing");
        assert_eq!(quoted(b" \r\n "), "nothing");
        assert_eq!(quoted(b"channel_not_found"), "channel_not_found");
        assert!(quoted("\u{FFFD}".repeat(900).as_bytes()).len() <= BECAUSE_BYTES_MAX);
    }
}
