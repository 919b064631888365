//! Who is told of alerts: a channel of Slack or a chat of Lark. Feeds `im_receivers` of document 002_292caa697ae18d8c.

use dod_formats::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::{self, SEALED_BYTES_MAX};
use domain::Claim;
use domain::faults::Faults;
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

    /// With what is wrong with the secrets of one way or of both, and with whatever belongs to them.
    fn check_ways(&self, faults: Faults<Unfit>) -> Faults<Unfit> {
        let refused = |is_wrong: bool, sentence| match is_wrong {
            true => Err(Unfit::Form(sentence)),
            false => Ok(()),
        };
        let (by_webhook, by_bot) = (self.webhook_url.is_some(), self.bot_token.is_some());
        let of_slack = self.im_type == ImType::Slack;
        faults
            .at_beside(
                "webhook_url",
                &["bot_token"],
                refused(
                    !by_webhook && !by_bot,
                    "is missing, and so is bot_token: enter one of them, or nothing can be told to this receiver",
                ),
            )
            .at_beside(
                "webhook_host",
                &["webhook_url"],
                refused(
                    by_webhook != self.webhook_host.is_some(),
                    "stands beside webhook_url, from which the API takes it; send webhook_url alone",
                ),
            )
            .at_beside(
                "destination_id",
                &["bot_token"],
                refused(
                    by_bot && self.destination_id.is_none(),
                    "is missing: say which channel or chat the bot writes to",
                ),
            )
            .at_beside(
                "sign_secret",
                &["im_type"],
                refused(
                    of_slack && self.sign_secret.is_some(),
                    "is known to Lark alone; leave it out",
                ),
            )
            .at_beside(
                "app_id",
                &["im_type"],
                refused(
                    of_slack && self.app_id.is_some(),
                    "is known to Lark alone; leave it out",
                ),
            )
            .at_beside(
                "app_id",
                &["im_type", "bot_token"],
                refused(
                    self.im_type == ImType::Lark && by_bot != self.app_id.is_some(),
                    "and bot_token belong together for an app of Lark; enter both or none",
                ),
            )
            .at_beside(
                "api_base",
                &["bot_token"],
                refused(
                    self.api_base.is_some() && !by_bot,
                    "is where a bot's token goes; enter bot_token, or leave it out",
                ),
            )
            .at_beside(
                "sign_secret",
                &["webhook_url"],
                refused(
                    self.sign_secret.is_some() && !by_webhook,
                    "belongs to a webhook; enter webhook_url, or leave it out",
                ),
            )
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

    fn check(&self) -> Faults<Unfit> {
        let (host, base) = (self.webhook_host.as_deref(), self.api_base.as_deref());
        let required = |value: &Option<String>, max| value.as_ref().map_or(Ok(()), |value| text::required(value, max));
        let alone = Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at("receiver_im", check_receiver_im(&self.receiver_im))
            .at("bot_token", secret::sealed_if_any(self.bot_token.as_ref()))
            .at("webhook_url", secret::sealed_if_any(self.webhook_url.as_ref()))
            .at("sign_secret", secret::sealed_if_any(self.sign_secret.as_ref()))
            .at("webhook_host", host.map_or(Ok(()), check_host))
            .at("api_base", base.map_or(Ok(()), check_base))
            .at("app_id", required(&self.app_id, APP_ID_CHARS_MAX))
            .at(
                "destination_id",
                required(&self.destination_id, DESTINATION_ID_CHARS_MAX),
            );
        self.check_ways(alone)
    }

    fn claims(&self) -> Vec<(Claim, String)> {
        vec![(RECEIVER_IM, self.receiver_im.clone())]
    }
}

#[cfg(test)]
mod tests;
