//! What Lark's answers mean.

use std::fmt;

use serde::Deserialize;

use crate::outcome::{ANSWER_BYTES_MAX, Outcome, quoted, wait};

/// The longest that a token is kept, in seconds. Lark's last two hours.
const TOKEN_SECONDS_MAX: u64 = 7_200;

/// A token of an app.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub value: String,
    /// How long it lasts from now on, in seconds. Fetch another a little before.
    pub seconds: u64,
}

/// Without the token itself.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token({} s)", self.seconds)
    }
}

/// The token in the answer to [`super::token_call`], or what went wrong.
pub fn token_of(status: u16, body: &[u8]) -> Result<Token, Outcome> {
    match read(body) {
        Some(Answer {
            code: Some(0),
            tenant_access_token: Some(value),
            expire: Some(seconds),
            ..
        }) if status == 200 && !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Token {
            value,
            seconds: seconds.min(TOKEN_SECONDS_MAX),
        }),
        // Nothing was sent yet, so nothing can have arrived.
        Some(Answer { code: Some(0), .. }) => Err(Outcome::later(
            None,
            "Lark answered the request for a token without a token",
        )),
        _ => match outcome(status, &[], body) {
            Outcome::Unknown { because } => Err(Outcome::later(None, because)),
            other => Err(other),
        },
    }
}

/// What the answer to a message, a reply, an update or a bot's message means. Only `code` 0 is a success, whatever the status.
pub fn outcome(status: u16, headers: &[(String, String)], body: &[u8]) -> Outcome {
    let answer = read(body);
    match answer.as_ref().and_then(Answer::code) {
        Some(code) if LIMITED.contains(&code) || status == 429 => limited(headers),
        Some(MALFORMED) if says_too_many(&answer) => limited(headers),
        Some(code) if STALE_TOKEN.contains(&code) => {
            Outcome::later(None, "Lark takes the app's token no more; fetch another one")
        }
        Some(code) if status >= 500 || UNSURE.contains(&code) => {
            Outcome::unknown(format!("Lark answered {status} with code {code}: {}", message(&answer)))
        }
        Some(0) if status == 200 => {
            let data = answer.and_then(|answer| answer.data).unwrap_or_default();
            Outcome::Sent {
                id: data.message_id,
                channel: data.chat_id,
            }
        }
        Some(0) => Outcome::unknown(format!(
            "Lark answered {status} with code 0, which contradict each other"
        )),
        Some(code) => Outcome::refused(format!("Lark said {code} ({}): {}", message(&answer), advice(code))),
        None => by_status(status, headers, body),
    }
}

/// Whether the answer says that the token is no longer valid: then the one that is kept is to be forgotten.
pub fn token_is_stale(body: &[u8]) -> bool {
    read(body)
        .and_then(|answer| answer.code())
        .is_some_and(|code| STALE_TOKEN.contains(&code))
}

/// Whether the answer to an update or a reply says that there is no such message any more: then it is to be sent anew.
pub fn message_is_gone(body: &[u8]) -> bool {
    read(body)
        .and_then(|answer| answer.code())
        .is_some_and(|code| GONE_CODES.contains(&code))
}

#[derive(Deserialize)]
struct Answer {
    code: Option<i64>,
    /// What bots answered before they answered `code`.
    #[serde(rename = "StatusCode")]
    status_code: Option<i64>,
    msg: Option<String>,
    data: Option<Data>,
    tenant_access_token: Option<String>,
    expire: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Data {
    message_id: Option<String>,
    chat_id: Option<String>,
}

impl Answer {
    fn code(&self) -> Option<i64> {
        self.code.or(self.status_code)
    }
}

fn read(body: &[u8]) -> Option<Answer> {
    if body.len() > ANSWER_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn message(answer: &Option<Answer>) -> String {
    let message = answer
        .as_ref()
        .and_then(|answer| answer.msg.as_deref())
        .unwrap_or_default();
    quoted(message.as_bytes())
}

fn says_too_many(answer: &Option<Answer>) -> bool {
    let message = answer
        .as_ref()
        .and_then(|answer| answer.msg.as_deref())
        .unwrap_or_default();
    message.to_ascii_lowercase().contains("too many")
}

fn limited(headers: &[(String, String)]) -> Outcome {
    let after = wait(headers, &["x-ogw-ratelimit-reset", "retry-after"]);
    Outcome::later(after, "Lark takes no more messages for a while")
}

fn by_status(status: u16, headers: &[(String, String)], body: &[u8]) -> Outcome {
    match status {
        429 => limited(headers),
        408 | 425 => Outcome::later(None, format!("Lark answered {status}: {}", quoted(body))),
        300..500 => Outcome::refused(format!(
            "Lark's address answered {status} ({}): the address may be wrong, or something between Daybook and Lark refuses; \
             check the receiver's address",
            quoted(body)
        )),
        _ => Outcome::unknown(format!("Lark answered {status} without a code: {}", quoted(body))),
    }
}

/// Too many messages of a bot, to a chat, of an app.
const LIMITED: [i64; 3] = [11_232, 230_020, 99_991_400];
/// A request that bots cannot read. Some answer it for too many requests, and say so in words.
const MALFORMED: i64 = 9_499;
/// A token that is missing, malformed, or no longer valid.
const STALE_TOKEN: [i64; 3] = [99_991_661, 99_991_663, 99_991_671];
/// An error inside Lark; a message that is being sent.
const UNSURE: [i64; 2] = [2_200, 230_049];
/// A message that was withdrawn, deleted, or is older than can be changed.
const GONE_CODES: [i64; 3] = [230_011, 230_031, 230_110];

fn advice(code: i64) -> &'static str {
    match code {
        19_021 => "give the receiver the secret that the bot's page shows, and see that this machine's clock is right",
        19_022 => "allow Daybook's address on the bot's page of settings",
        19_024 => "put a keyword that the messages hold on the bot's page of settings, or take its keywords away",
        19_001 | 19_002 => {
            "the bot is gone or its address is wrong; make a new bot and give its address to the receiver"
        }
        10_003 | 10_012 | 10_014 => "give the receiver the id and the secret that the app's page shows",
        99_991_672 | 230_027 => "give the app the permission to send messages as a bot, and publish it again",
        230_002 => "add the app's bot to the chat",
        230_006 => "switch the bot of the app on, and publish it again",
        230_013 => "put the person into the range of people who may use the app",
        230_018 | 230_035 => "allow bots to write to the chat, or choose another chat",
        230_011 | 230_031 | 230_110 => "the message cannot be changed any more; it is to be sent anew",
        230_001 | 230_025 | 230_099 | MALFORMED => {
            "check the receiver's chat; if it is right, this is a defect of Daybook: report it with the issue's id"
        }
        _ => "look the code up in Lark's documentation, and set the receiver right",
    }
}
