//! Slack: its calls and its answers.

use serde_json::{Map, Value, json};

use crate::{BadWebhook, Call, Notice, check_webhook};

mod answer;
mod render;

pub use answer::{message_is_gone, outcome, outcome_of_webhook};
pub use render::{
    BLOCKS_CHARS_MAX, BLOCKS_MAX, HEADER_CHARS_MAX, SECTION_CHARS_MAX, TEXT_CHARS_MAX, UPDATE_TEXT_BYTES_MAX,
};

/// Where Slack's API is.
pub const API_BASE: &str = "https://slack.com/api";

/// A message to the channel of an incoming webhook.
pub fn webhook(url: &str, notice: &Notice) -> Result<Call, BadWebhook> {
    check_webhook(url)?;
    Ok(Call::json("POST", url.to_owned(), None, &message(notice, &[], &QUIET)))
}

/// A message to a channel, in the thread of another when `thread`, the `ts` of that one, is given.
pub fn post(api_base: &str, token: &str, channel: &str, notice: &Notice, thread: Option<&str>) -> Call {
    let mut to = vec![("channel", json!(channel))];
    to.extend(thread.map(|thread| ("thread_ts", json!(thread))));
    Call::json(
        "POST",
        method(api_base, "chat.postMessage"),
        Some(token),
        &message(notice, &to, &QUIET),
    )
}

/// What the message `ts` of `channel` says from now on. `channel` is the one of the answer to [`post`]: a name does not do.
pub fn update(api_base: &str, token: &str, channel: &str, ts: &str, notice: &Notice) -> Call {
    let to = [("channel", json!(channel)), ("ts", json!(ts))];
    Call::json(
        "POST",
        method(api_base, "chat.update"),
        Some(token),
        &message(notice, &to, &QUIET[..2]),
    )
}

/// Nothing in the text is looked through for names or links. The first two are known to `chat.update` as well.
const QUIET: [(&str, Quiet); 5] = [
    ("parse", Quiet::Word("none")),
    ("link_names", Quiet::No),
    ("mrkdwn", Quiet::No),
    ("unfurl_links", Quiet::No),
    ("unfurl_media", Quiet::No),
];

#[derive(Clone, Copy)]
enum Quiet {
    Word(&'static str),
    No,
}

fn message(notice: &Notice, to: &[(&str, Value)], quiet: &[(&str, Quiet)]) -> Value {
    let mut body = Map::new();
    body.extend(to.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    body.extend(render::content(notice));
    body.extend(quiet.iter().map(|(key, value)| {
        let value = match value {
            Quiet::Word(word) => json!(word),
            Quiet::No => json!(false),
        };
        ((*key).to_owned(), value)
    }));
    Value::Object(body)
}

fn method(api_base: &str, name: &str) -> String {
    format!("{}/{name}", api_base.trim_end_matches('/'))
}
