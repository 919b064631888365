//! What Slack's answers mean.

use serde::Deserialize;

use crate::outcome::{ANSWER_BYTES_MAX, Outcome, quoted, wait};

/// What the answer of an incoming webhook means: `ok`, or an error as plain text.
pub fn outcome_of_webhook(status: u16, headers: &[(String, String)], body: &[u8]) -> Outcome {
    if let Some(outcome) = by_status(status, headers, body) {
        return outcome;
    }
    let word = String::from_utf8_lossy(&body[..body.len().min(WORD_BYTES_MAX)])
        .trim()
        .to_owned();
    match status {
        200 if word == "ok" => Outcome::Sent {
            id: None,
            channel: None,
        },
        200 if word.starts_with("invalid_") || ADVICE.iter().any(|(known, _)| *known == word) => refused(&word),
        200 => Outcome::unknown(format!("Slack's webhook answered 200 but not ok: {}", quoted(body))),
        _ if is_word(&word) => by_word(&word, headers),
        _ => refused_status(status, body),
    }
}

/// What the answer of `chat.postMessage` or `chat.update` means. An error comes with status 200.
pub fn outcome(status: u16, headers: &[(String, String)], body: &[u8]) -> Outcome {
    match (read(body), by_status(status, headers, body)) {
        (
            Some(Answer {
                ok: false,
                error: Some(word),
                ..
            }),
            None,
        ) => by_word(&word, headers),
        (_, Some(outcome)) => outcome,
        (
            Some(Answer {
                ok: true, ts, channel, ..
            }),
            None,
        ) if status == 200 => Outcome::Sent { id: ts, channel },
        (_, None) if status == 200 => Outcome::unknown(format!(
            "Slack answered 200 but neither ok nor an error: {}",
            quoted(body)
        )),
        (_, None) => refused_status(status, body),
    }
}

/// Whether the answer to an update says that there is no such message to update any more: then it is to be sent anew.
pub fn message_is_gone(body: &[u8]) -> bool {
    let gone = ["message_not_found", "cant_update_message", "edit_window_closed"];
    read(body)
        .and_then(|answer| answer.error)
        .is_some_and(|word| gone.contains(&word.as_str()))
}

/// Bytes of Slack's longest word for an error, and more.
const WORD_BYTES_MAX: usize = 80;

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
    ts: Option<String>,
    channel: Option<String>,
}

fn read(body: &[u8]) -> Option<Answer> {
    if body.len() > ANSWER_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(body).ok()
}

/// What the status alone says.
fn by_status(status: u16, headers: &[(String, String)], body: &[u8]) -> Option<Outcome> {
    match status {
        429 => Some(limited(headers)),
        408 | 425 => Some(Outcome::later(
            None,
            format!("Slack answered {status}: {}", quoted(body)),
        )),
        500.. => Some(Outcome::unknown(format!("Slack answered {status}: {}", quoted(body)))),
        0..=199 | 201..=299 => Some(Outcome::unknown(format!(
            "Slack answered {status}, which is no answer of it"
        ))),
        _ => None,
    }
}

fn limited(headers: &[(String, String)]) -> Outcome {
    Outcome::later(
        wait(headers, &["retry-after"]),
        "Slack takes no more messages for a while",
    )
}

fn by_word(word: &str, headers: &[(String, String)]) -> Outcome {
    match word {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => limited(headers),
        "service_unavailable"
        | "request_timeout"
        | "team_added_to_org"
        | "org_login_required"
        | "migration_in_progress" => Outcome::later(wait(headers, &["retry-after"]), format!("Slack said {word}")),
        // Slack documents that part of what was asked for may have been done.
        "internal_error" | "fatal_error" | "rollup_error" => Outcome::unknown(format!("Slack said {word}")),
        word => refused(word),
    }
}

fn refused(word: &str) -> Outcome {
    let advice = ADVICE
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, advice)| *advice);
    let advice =
        advice.unwrap_or("look the word up in Slack's documentation of chat.postMessage, and set the receiver right");
    Outcome::refused(format!("Slack said {}: {advice}", quoted(word.as_bytes())))
}

fn refused_status(status: u16, body: &[u8]) -> Outcome {
    let advice =
        "the address may be wrong, or something between Daybook and Slack refuses; check the receiver's address";
    Outcome::refused(format!(
        "Slack's address answered {status} ({}): {advice}",
        quoted(body)
    ))
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

const TOKEN: &str = "give the receiver a valid bot token";
const SCOPE: &str = "give the Slack app the scope chat:write and install it again";
const INVITE: &str = "invite the Slack app to the channel";
const CHANNEL: &str = "give the receiver the id of a channel that the Slack app can see";
const ARCHIVED: &str = "unarchive the channel or give the receiver another one";
const WEBHOOK: &str = "make a new incoming webhook and give it to the receiver";
const ADMIN: &str = "ask an administrator of the Slack workspace to allow it, or choose another channel";
const OURS: &str = "this is a defect of Daybook; report it with the issue's id";
const GONE: &str = "the message cannot be changed any more; it is to be sent anew";

/// What to do about each word that Slack documents and a message can meet.
const ADVICE: [(&str, &str); 44] = [
    ("access_denied", ADMIN),
    ("account_inactive", TOKEN),
    ("action_prohibited", ADMIN),
    ("as_user_not_supported", TOKEN),
    ("cannot_reply_to_message", GONE),
    ("cant_update_message", GONE),
    ("channel_is_archived", ARCHIVED),
    ("channel_not_found", CHANNEL),
    ("edit_window_closed", GONE),
    ("ekm_access_denied", ADMIN),
    ("enterprise_is_restricted", ADMIN),
    ("invalid_arguments", OURS),
    ("invalid_attachments", OURS),
    ("invalid_auth", TOKEN),
    ("invalid_blocks", OURS),
    ("invalid_blocks_format", OURS),
    ("invalid_channel", CHANNEL),
    ("invalid_payload", OURS),
    ("invalid_token", WEBHOOK),
    ("is_archived", ARCHIVED),
    ("is_inactive", GONE),
    ("message_not_found", GONE),
    ("missing_scope", SCOPE),
    ("msg_blocks_too_long", OURS),
    ("msg_too_long", OURS),
    ("no_active_hooks", WEBHOOK),
    ("no_permission", INVITE),
    ("no_service", WEBHOOK),
    ("no_service_id", WEBHOOK),
    ("no_team", WEBHOOK),
    ("no_text", OURS),
    ("not_allowed_token_type", TOKEN),
    ("not_authed", TOKEN),
    ("not_in_channel", INVITE),
    ("posting_to_general_channel_denied", ADMIN),
    ("restricted_action", ADMIN),
    ("restricted_action_read_only_channel", ADMIN),
    ("restricted_action_thread_only_channel", ADMIN),
    ("team_access_not_granted", ADMIN),
    ("team_disabled", ADMIN),
    ("thread_not_found", GONE),
    ("token_expired", TOKEN),
    ("token_revoked", TOKEN),
    ("too_many_attachments", OURS),
];
