//! Lark (and Feishu, which is the same at another address): its calls and its answers.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Call, Notice};

mod answer;
mod card;

pub use answer::{Token, message_is_gone, outcome, token_is_stale, token_of};
pub use card::{BOT_BODY_BYTES_MAX, CARD_BYTES_MAX};

/// Where the API of Lark is.
pub const LARK_BASE: &str = "https://open.larksuite.com";
/// Where the API of Feishu is.
pub const FEISHU_BASE: &str = "https://open.feishu.cn";
/// Characters of the `uuid` by which a message is not sent twice.
pub const UUID_CHARS_MAX: usize = 50;
/// How long Lark remembers a `uuid`, in seconds. A call repeated later may be told twice.
pub const UUID_SECONDS: u64 = 3_600;

/// A message of a custom bot. With a secret it is signed for the hour around `now`.
pub fn bot(url: &str, secret: Option<&str>, now: DateTime<Utc>, notice: &Notice) -> Call {
    let card = card::card(notice);
    let body = match secret {
        None => json!({ "msg_type": "interactive", "card": card }),
        Some(secret) => {
            let timestamp = now.timestamp();
            let sign = sign(timestamp, secret);
            json!({ "timestamp": timestamp.to_string(), "sign": sign, "msg_type": "interactive", "card": card })
        }
    };
    Call::json("POST", url.to_owned(), None, &body)
}

/// Asks for the token of an app; [`token_of`] reads the answer.
pub fn token_call(api_base: &str, app_id: &str, app_secret: &str) -> Call {
    let body = json!({ "app_id": app_id, "app_secret": app_secret });
    Call::json(
        "POST",
        path(api_base, "auth/v3/tenant_access_token/internal"),
        None,
        &body,
    )
}

/// A message to a chat, or to a person: `chat_id` may be any id that Lark receives by, told apart by its form. The same
/// `uuid` is not sent twice within [`UUID_SECONDS`].
pub fn send(api_base: &str, token: &str, chat_id: &str, uuid: &str, notice: &Notice) -> Call {
    let url = format!(
        "{}?receive_id_type={}",
        path(api_base, "im/v1/messages"),
        id_type(chat_id)
    );
    let body = json!({
        "receive_id": chat_id, "msg_type": "interactive", "content": card::card(notice).to_string(), "uuid": fitting(uuid),
    });
    Call::json("POST", url, Some(token), &body)
}

/// A message in answer to another, in its thread.
pub fn reply(api_base: &str, token: &str, message_id: &str, uuid: &str, notice: &Notice) -> Call {
    let url = path(api_base, &format!("im/v1/messages/{}/reply", segment(message_id)));
    let content = card::card(notice).to_string();
    let body = json!({ "msg_type": "interactive", "content": content, "reply_in_thread": true, "uuid": fitting(uuid) });
    Call::json("POST", url, Some(token), &body)
}

/// What a message of this app says from now on.
pub fn update(api_base: &str, token: &str, message_id: &str, notice: &Notice) -> Call {
    let url = path(api_base, &format!("im/v1/messages/{}", segment(message_id)));
    Call::json(
        "PATCH",
        url,
        Some(token),
        &json!({ "content": card::card(notice).to_string() }),
    )
}

/// A `uuid` for one telling of one issue to one chat: always the same for the same three.
pub fn stable_uuid(issue_id: Uuid, revision: u32, chat_id: &str) -> String {
    digest(&format!("{issue_id} {revision} {chat_id}"))
}

/// The signature of a custom bot: the text that is signed is empty, the key holds the time in seconds and the secret.
pub(crate) fn sign(timestamp: i64, secret: &str) -> String {
    #[expect(clippy::expect_used, reason = "a key of HMAC may have any length")]
    let mac = Hmac::<Sha256>::new_from_slice(format!("{timestamp}\n{secret}").as_bytes()).expect("a key of any length");
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A `uuid` that Lark takes: one that is empty or too long is replaced by its digest, which is as stable.
fn fitting(uuid: &str) -> String {
    let fits = !uuid.is_empty() && uuid.len() <= UUID_CHARS_MAX && uuid.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { uuid.to_owned() } else { digest(uuid) }
}

fn digest(text: &str) -> String {
    const DIGEST_BYTES: usize = 20;
    hex::encode(&Sha256::digest(text)[..DIGEST_BYTES])
}

fn id_type(id: &str) -> &'static str {
    match id {
        id if id.starts_with("oc_") => "chat_id",
        id if id.starts_with("ou_") => "open_id",
        id if id.starts_with("on_") => "union_id",
        id if id.contains('@') => "email",
        _ => "user_id",
    }
}

fn path(api_base: &str, path: &str) -> String {
    format!("{}/open-apis/{path}", api_base.trim_end_matches('/'))
}

/// An id within a path: whatever it holds, it is one step of it.
fn segment(id: &str) -> String {
    const NOT_IN_IDS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');
    utf8_percent_encode(id, NOT_IN_IDS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_vector() {
        assert_eq!(
            sign(1_599_360_473, "demo"),
            "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
        );
    }

    #[test]
    fn a_uuid_always_fits_and_stays_the_same() {
        let long = stable_uuid(Uuid::nil(), u32::MAX, &"oc_".repeat(100));
        assert_eq!(long.len(), 40);
        assert_eq!(fitting(&"x".repeat(51)), fitting(&"x".repeat(51)));
        assert_ne!(fitting(&"x".repeat(51)), fitting(&"x".repeat(52)));
        assert_eq!(fitting("as-it-is"), "as-it-is");
        assert!(!fitting("").is_empty() && fitting(&"é".repeat(40)).len() <= UUID_CHARS_MAX);
    }

    #[test]
    fn an_id_is_told_apart_by_its_form_and_stays_in_its_step_of_the_path() {
        assert_eq!(
            [id_type("oc_a"), id_type("ou_a"), id_type("a@b.c"), id_type("x")],
            ["chat_id", "open_id", "email", "user_id"]
        );
        assert_eq!(segment("om_a/../../b?x=1"), "om_a%2F%2E%2E%2F%2E%2E%2Fb%3Fx%3D1");
    }
}
