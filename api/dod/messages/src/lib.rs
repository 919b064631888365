//! Messages to people: how Slack and Lark want them, and what their answers mean. Pure: a [`Call`] is sent by somebody
//! else, and the same [`Notice`] gives the same call, byte for byte (the signature of Lark's bot holds the time).
//!
//! Whatever a notice holds came from outside and is text, never markup: nothing in it can call anybody, hide, or become a
//! link that it is not. Whatever is longer than Slack or Lark take is cut, and says so.

use std::fmt;

pub mod lark;
mod notice;
mod outcome;
mod rate;
pub mod slack;
#[cfg(feature = "stand-ins")]
pub mod stand_in;
mod text;

pub use notice::{LABELS_SHOWN_MAX, LINKS_SHOWN_MAX, Link, Notice, State};
pub use outcome::{
    ANSWER_BYTES_MAX, BECAUSE_BYTES_MAX, Outcome, RETRY_AFTER_SECONDS_MAX, RETRY_AFTER_SECONDS_MIN, retry_after,
};
pub use rate::{
    Im, LARK_APP_PER_MINUTE, LARK_APP_PER_SECOND, LARK_BOT_PER_MINUTE, LARK_CHAT_PER_SECOND, Rate,
    SLACK_CHANNEL_SECONDS, Window, rate,
};

/// A request to Slack or Lark, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    fn json(method: &'static str, url: String, token: Option<&str>, body: &serde_json::Value) -> Self {
        let mut headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
        Self {
            method,
            url,
            headers,
            body: body.to_string(),
        }
    }
}

/// Without the path, the headers and the body: each may hold a secret.
impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Call({} {})", self.method, host(&self.url))
    }
}

/// Why a text is no webhook. It does not repeat the text, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhook {
    #[error("the webhook is no URL of https (or http): copy it from the app's page of incoming webhooks")]
    NotAUrl,
    #[error("the webhook has a user or a password before its host: copy it from the app's page of incoming webhooks")]
    Userinfo,
    #[error(
        "the webhook is longer than {} bytes: copy it from the app's page of incoming webhooks",
        WEBHOOK_BYTES_MAX
    )]
    TooLong,
}

/// Bytes of a webhook's URL. Slack's have about 80, Lark's about 90.
pub const WEBHOOK_BYTES_MAX: usize = 1_000;

/// Whether `url` can be a webhook: an absolute URL of http or https with a host and without a user. Where it may lead to is
/// for whoever sends to say.
pub fn check_webhook(url: &str) -> Result<(), BadWebhook> {
    if url.len() > WEBHOOK_BYTES_MAX {
        return Err(BadWebhook::TooLong);
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .ok_or(BadWebhook::NotAUrl)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || authority.is_empty() || url.contains(['\\', '"', '<', '>']) {
        return Err(BadWebhook::NotAUrl);
    }
    if authority.contains('@') {
        return Err(BadWebhook::Userinfo);
    }
    Ok(())
}

/// What of a webhook's URL people may be shown: scheme, host and port. None of what is no webhook.
pub fn shown_host(url: &str) -> Option<String> {
    check_webhook(url).ok()?;
    let (scheme, _) = url.split_once("://")?;
    Some(format!("{scheme}://{}", host(url)))
}

/// The host of a URL, and its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
