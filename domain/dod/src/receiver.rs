//! Who is told of alerts: a channel of Slack or a chat of Lark. Feeds `im_receivers` of document 002_292caa697ae18d8c.

use dod_formats::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::{self, SEALED_BYTES_MAX};
use domain::Claim;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<Receiver>>("receivers");

/// No two receivers have the same word by which requests name them.
pub const RECEIVER_IM: Claim = Claim::new("dod.im_receivers.receiver_im");

/// Characters of a receiver's name, of the channel or chat, and of the id of a Lark app.
pub const NAME_CHARS_MAX: usize = 255;
pub const DESTINATION_ID_CHARS_MAX: usize = 255;
pub const APP_ID_CHARS_MAX: usize = 255;
/// Characters of the word by which requests name a receiver.
pub const RECEIVER_IM_CHARS_MAX: usize = 100;
/// Characters of the part of a webhook's URL that people are shown.
pub const WEBHOOK_HOST_CHARS_MAX: usize = 255;
/// Characters of where a platform's API is.
pub const API_BASE_CHARS_MAX: usize = 500;

/// What that part begins with. Without TLS nothing is reached but what the operator has named.
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// A receiver as it is entered: with a webhook, with a bot, or with both, of which the bot is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// What people call it. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The word by which requests name it, as in `?receiver_im=devops-slack`; unique within the tenant. Small letters,
    /// digits, `.`, `_` and `-`, at most 100.
    #[schemars(length(min = 1, max = RECEIVER_IM_CHARS_MAX))]
    pub receiver_im: String,
    /// Where it is.
    pub im_type: ImType,
    /// The token of the Slack bot, or the secret of the Lark app. It is sealed as it comes in and shown to nobody.
    #[serde(default)]
    #[schemars(length(min = 1, max = SEALED_BYTES_MAX), extend("x-sealed" = true))]
    pub bot_token: Option<String>,
    /// The URL of an incoming webhook, which is a secret: whoever has it can write there. It is sealed as it comes in and
    /// shown to nobody.
    #[serde(default)]
    #[schemars(length(min = 1, max = SEALED_BYTES_MAX), extend("x-sealed" = true))]
    pub webhook_url: Option<String>,
    /// The part of `webhook_url` that people are shown: `https://hooks.slack.com`. Daybook takes it from there as it comes
    /// in.
    #[serde(default)]
    #[schemars(length(min = 1, max = WEBHOOK_HOST_CHARS_MAX), extend("readOnly" = true))]
    pub webhook_host: Option<String>,
    /// The secret by which a custom bot of Lark checks signatures. It is sealed as it comes in and shown to nobody.
    #[serde(default)]
    #[schemars(length(min = 1, max = SEALED_BYTES_MAX), extend("x-sealed" = true))]
    pub sign_secret: Option<String>,
    /// Where the API of the platform is that the bot uses, when it is another than `https://slack.com/api` or
    /// `https://open.larksuite.com`: for Feishu `https://open.feishu.cn`. It changes along with `bot_token` alone, which is
    /// sent there. At most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = API_BASE_CHARS_MAX))]
    pub api_base: Option<String>,
    /// The id of the Lark app whose secret `bot_token` is. At most 255 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = APP_ID_CHARS_MAX))]
    pub app_id: Option<String>,
    /// The channel of Slack or the chat of Lark that the bot writes to. At most 255 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = DESTINATION_ID_CHARS_MAX))]
    pub destination_id: Option<String>,
    /// The least severity of which it is told; it is told of all when absent.
    #[serde(default)]
    pub min_severity: Option<Severity>,
}

/// A platform for messages.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ImType {
    Slack,
    /// Also Feishu.
    Lark,
}

impl Receiver {
    /// Whether it is told of alerts of this severity.
    #[must_use]
    pub fn hears_of(&self, severity: Severity) -> bool {
        self.min_severity.is_none_or(|least| severity >= least)
    }

    /// The secrets of one way or of both, and whatever belongs to them.
    fn check_ways(&self) -> Result<(), (&'static str, Unfit)> {
        let form = |field, sentence| Err((field, Unfit::Form(sentence)));
        if self.webhook_url.is_none() && self.bot_token.is_none() {
            return form(
                "webhook_url",
                "is missing, and so is bot_token: enter one of them, or nothing can be told to this receiver",
            );
        }
        if self.webhook_url.is_some() != self.webhook_host.is_some() {
            return form(
                "webhook_host",
                "stands beside webhook_url, from which the API takes it; send webhook_url alone",
            );
        }
        if self.bot_token.is_some() && self.destination_id.is_none() {
            return form(
                "destination_id",
                "is missing: say which channel or chat the bot writes to",
            );
        }
        if self.im_type == ImType::Slack && self.sign_secret.is_some() {
            return form("sign_secret", "is known to Lark alone; leave it out");
        }
        if self.im_type == ImType::Slack && self.app_id.is_some() {
            return form("app_id", "is known to Lark alone; leave it out");
        }
        if self.im_type == ImType::Lark && self.bot_token.is_some() != self.app_id.is_some() {
            return form(
                "app_id",
                "and bot_token belong together for an app of Lark; enter both or none",
            );
        }
        if self.api_base.is_some() && self.bot_token.is_none() {
            return form(
                "api_base",
                "is where a bot's token goes; enter bot_token, or leave it out",
            );
        }
        if self.sign_secret.is_some() && self.webhook_url.is_none() {
            return form(
                "sign_secret",
                "belongs to a webhook; enter webhook_url, or leave it out",
            );
        }
        Ok(())
    }
}

/// Whether a text is a word by which requests name a receiver.
///
/// # Errors
/// [`Unfit`], saying what is wrong with it.
pub fn check_receiver_im(word: &str) -> Result<(), Unfit> {
    text::required(word, RECEIVER_IM_CHARS_MAX)?;
    let is_in = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if word.bytes().all(is_in) {
        Ok(())
    } else {
        Err(Unfit::Form(
            "has other characters than small letters, digits, dots, underscores and hyphens; write it as devops-slack",
        ))
    }
}

fn check_base(base: &str) -> Result<(), Unfit> {
    text::required(base, API_BASE_CHARS_MAX)?;
    let rest = SCHEMES.iter().find_map(|scheme| base.strip_prefix(scheme));
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]/_~".contains(&byte);
    match rest {
        Some(rest) if !rest.starts_with('/') && !rest.is_empty() && rest.bytes().all(is_in) => Ok(()),
        Some(_) | None => Err(Unfit::Form(
            "must be https:// (or http://), a host and perhaps a path; write it as https://open.feishu.cn",
        )),
    }
}

fn check_host(host: &str) -> Result<(), Unfit> {
    text::required(host, WEBHOOK_HOST_CHARS_MAX)?;
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    match SCHEMES.iter().find_map(|scheme| host.strip_prefix(scheme)) {
        Some(name) if !name.is_empty() && name.bytes().all(is_in) => Ok(()),
        Some(_) | None => Err(Unfit::Form(
            "must be https:// (or http://) and a host and no more of a URL, which is a secret",
        )),
    }
}

impl Entry for Receiver {
    const TYPE: &'static str = "dod.receiver";
    const NOUN: &'static str = "receiver";
    const ENTERED: &'static str = "ReceiverEntered";
    const AMENDED: &'static str = "ReceiverAmended";
    const STRUCK: &'static str = "ReceiverStruck";
    const SHOWN_IN: Option<&'static str> = Some("im_receivers");
    const BODY_BYTES_MAX: usize = 128 << 10;
    const CLAIMS: &'static [Claim] = &[RECEIVER_IM];

    fn check(&self) -> Result<(), (&'static str, Unfit)> {
        text::required(&self.name, NAME_CHARS_MAX).map_err(|unfit| ("name", unfit))?;
        check_receiver_im(&self.receiver_im).map_err(|unfit| ("receiver_im", unfit))?;
        secret::sealed_if_any(self.bot_token.as_ref()).map_err(|unfit| ("bot_token", unfit))?;
        secret::sealed_if_any(self.webhook_url.as_ref()).map_err(|unfit| ("webhook_url", unfit))?;
        secret::sealed_if_any(self.sign_secret.as_ref()).map_err(|unfit| ("sign_secret", unfit))?;
        let host = self.webhook_host.as_deref();
        host.map_or(Ok(()), check_host)
            .map_err(|unfit| ("webhook_host", unfit))?;
        let base = self.api_base.as_deref();
        base.map_or(Ok(()), check_base).map_err(|unfit| ("api_base", unfit))?;
        let required = |value: &Option<String>, max| value.as_ref().map_or(Ok(()), |value| text::required(value, max));
        required(&self.app_id, APP_ID_CHARS_MAX).map_err(|unfit| ("app_id", unfit))?;
        required(&self.destination_id, DESTINATION_ID_CHARS_MAX).map_err(|unfit| ("destination_id", unfit))?;
        self.check_ways()
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(RECEIVER_IM, self.receiver_im.clone())]
    }
}

#[cfg(test)]
mod tests;
