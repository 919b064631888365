//! How many messages Slack and Lark take in which time.

use serde::{Deserialize, Serialize};

/// Seconds between two messages to one channel of Slack, by a webhook or by the API.
pub const SLACK_CHANNEL_SECONDS: u64 = 1;
/// Messages a second to one chat of Lark. All bots of a chat share them.
pub const LARK_CHAT_PER_SECOND: u32 = 5;
/// Messages a minute of one custom bot of Lark.
pub const LARK_BOT_PER_MINUTE: u32 = 100;
/// Messages a second of one app of Lark, to all chats.
pub const LARK_APP_PER_SECOND: u32 = 50;
/// Messages a minute of one app of Lark, to all chats.
pub const LARK_APP_PER_MINUTE: u32 = 1_000;

/// By which way a message is sent.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Im {
    /// An incoming webhook of Slack: it answers no id, so there are no threads and no updates.
    SlackWebhook,
    /// A bot of Slack with a token.
    SlackApp,
    /// A custom bot of Lark: its address and, usually, a secret to sign with. No threads, no updates.
    LarkBot,
    /// An app of Lark.
    LarkApp,
}

/// So many messages in so many seconds, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub messages: u32,
    pub seconds: u64,
}

/// What a sender keeps to: every window of both lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// To one channel or chat.
    pub chat: &'static [Window],
    /// From one webhook, bot or app to all its chats.
    pub sender: &'static [Window],
}

/// What `im` takes.
pub fn rate(im: Im) -> Rate {
    const SLACK_CHANNEL: &[Window] = &[Window {
        messages: 1,
        seconds: SLACK_CHANNEL_SECONDS,
    }];
    const LARK_CHAT: &[Window] = &[Window {
        messages: LARK_CHAT_PER_SECOND,
        seconds: 1,
    }];
    const LARK_BOT: &[Window] = &[Window {
        messages: LARK_BOT_PER_MINUTE,
        seconds: 60,
    }];
    const LARK_APP: &[Window] = &[
        Window {
            messages: LARK_APP_PER_SECOND,
            seconds: 1,
        },
        Window {
            messages: LARK_APP_PER_MINUTE,
            seconds: 60,
        },
    ];
    match im {
        Im::SlackWebhook | Im::SlackApp => Rate {
            chat: SLACK_CHANNEL,
            sender: &[],
        },
        Im::LarkBot => Rate {
            chat: LARK_CHAT,
            sender: LARK_BOT,
        },
        Im::LarkApp => Rate {
            chat: LARK_CHAT,
            sender: LARK_APP,
        },
    }
}
