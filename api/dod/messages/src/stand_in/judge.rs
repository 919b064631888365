//! What is wrong with a message, by the limits of Slack and Lark. Written apart from the rendering, so that one checks the other.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::{Door, Received};

/// How much earlier than its rate a message may come in, in milliseconds: time on the way is not always the same.
pub const RATE_TOLERANCE_MS: u64 = 100;

/// Something that Slack or Lark would refuse, or people would mind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// More messages to a channel than it takes: so many within so many milliseconds.
    TooFast {
        channel: String,
        messages: usize,
        within_ms: u64,
    },
    /// People see the same telling of an issue twice.
    Duplicate { channel: String, telling: String },
    /// A payload that would be refused, or that would not show as it is.
    Invalid { door: Door, what: String },
    /// Text that calls somebody.
    Mention { door: Door, text: String },
    /// A request without a valid token or signature.
    Unauthorised { door: Door },
    /// An update of a message, or a reply to one, that does not exist.
    NoSuchMessage { door: Door, id: String },
}

/// The faults of a request at `door` with this body; its token or signature, and the rates, are not judged.
pub fn judge_call(door: Door, text: &str) -> Vec<Fault> {
    let Ok(body) = serde_json::from_str::<Value>(text) else {
        return vec![Fault::Invalid {
            door,
            what: "no JSON".to_owned(),
        }];
    };
    match door {
        Door::SlackWebhook | Door::SlackPost | Door::SlackUpdate => slack(door, &body),
        Door::LarkBot => lark(door, &body["card"], text.len(), 20_000),
        Door::LarkSend | Door::LarkReply | Door::LarkUpdate => lark_app(door, &body, text.len()),
        Door::LarkToken => Vec::new(),
    }
}

/// The card is a text within the body. The limit is on the card; the request, which is larger, is kept below it too.
fn lark_app(door: Door, body: &Value, bytes: usize) -> Vec<Fault> {
    let card = serde_json::from_str(body["content"].as_str().unwrap_or_default()).unwrap_or_default();
    let mut faults = Faults {
        door,
        found: lark(door, &card, bytes, 30_000),
    };
    if door != Door::LarkUpdate {
        let uuid = body["uuid"].as_str().unwrap_or_default();
        faults.require(
            (1..=50).contains(&uuid.chars().count()),
            "a uuid that is empty or longer than 50 characters",
        );
        faults.require(body["msg_type"] == "interactive", "no interactive message");
    }
    faults.found
}

/// The faults of a message of Slack.
fn slack(door: Door, body: &Value) -> Vec<Fault> {
    let mut faults = Faults {
        door,
        found: Vec::new(),
    };
    let text = body["text"].as_str().unwrap_or_default();
    faults.require(!text.trim().is_empty(), "no text beside the blocks");
    faults.require(units(text) <= 40_000, "msg_too_long: text beyond 40,000 characters");
    faults.require(
        door != Door::SlackUpdate || text.len() <= 4_000,
        "msg_too_long: an update's text beyond 4,000 bytes",
    );
    faults.slack_text(text, false);
    let attachments = body["attachments"].as_array().cloned().unwrap_or_default();
    let lists = [&body["blocks"]]
        .into_iter()
        .chain(attachments.iter().map(|attachment| &attachment["blocks"]));
    let blocks: Vec<&Value> = lists.filter_map(Value::as_array).flatten().collect();
    faults.require(blocks.len() <= 50, "more than 50 blocks");
    let mut total = 0;
    for block in blocks {
        let kind = block["type"].as_str().unwrap_or_default();
        let fields = ["fields", "elements"]
            .into_iter()
            .filter_map(|list| block[list].as_array())
            .flatten();
        for (text, max) in block
            .get("text")
            .map(|text| (text, if kind == "header" { 150 } else { 3_000 }))
            .into_iter()
            .chain(fields.map(|field| (field, 2_000)))
        {
            let shown = text["text"].as_str().unwrap_or_default();
            let is_markup = text["type"] == "mrkdwn";
            faults.require(
                is_markup || text["type"] == "plain_text",
                "a text that is neither plain_text nor mrkdwn",
            );
            faults.require(
                !shown.trim().is_empty() && units(shown) <= max,
                "invalid_blocks: a text that is empty or too long",
            );
            faults.require(
                !is_markup || text["verbatim"] == true,
                "mrkdwn that is looked through for links",
            );
            faults.slack_text(shown, is_markup);
            total += units(shown);
        }
        faults.require(
            block["fields"]
                .as_array()
                .is_none_or(|fields| (1..=10).contains(&fields.len())),
            "invalid_blocks: fields",
        );
        faults.require(
            ["header", "section", "context"].contains(&kind),
            "invalid_blocks: a block of an unknown type",
        );
        total += if kind == "header" { 100 } else { 0 };
    }
    faults.require(total <= 13_200, "msg_blocks_too_long");
    faults.found
}

/// The faults of a card of Lark. `bytes` and `bytes_max` are of the request of a bot, or of the card of an app.
fn lark(door: Door, card: &Value, bytes: usize, bytes_max: usize) -> Vec<Fault> {
    let mut faults = Faults {
        door,
        found: Vec::new(),
    };
    faults.require(bytes <= bytes_max, "larger than Lark takes");
    faults.require(card["schema"] == "2.0", "no card of schema 2.0");
    faults.require(card["config"]["update_multi"] == true, "a card that cannot be changed");
    faults.require(
        card["header"]["title"]["content"]
            .as_str()
            .is_some_and(|title| !title.is_empty()),
        "no title",
    );
    faults.require(
        card["body"]["elements"].as_array().is_some_and(|list| !list.is_empty()),
        "no elements",
    );
    faults.lark_texts(card);
    faults.found
}

/// What in a text would call people in Slack (markup) or in Lark (tags), after undoing entities: nothing, if all is well.
pub fn mentions_in(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase();
    let calls = [
        "<!channel",
        "<!here",
        "<!everyone",
        "<!subteam",
        "<@",
        "<#",
        "@here",
        "@channel",
        "@everyone",
        "@group",
    ];
    let tags = ["<at ", "<at>", "<at\t", "<at\n", "<at/", "</at>", "<person"];
    calls
        .into_iter()
        .chain(tags)
        .filter(|call| lower.contains(call))
        .collect()
}

struct Faults {
    door: Door,
    found: Vec<Fault>,
}

impl Faults {
    fn require(&mut self, holds: bool, what: &str) {
        if !holds {
            self.found.push(Fault::Invalid {
                door: self.door,
                what: what.to_owned(),
            });
        }
    }

    fn slack_text(&mut self, text: &str, is_markup: bool) {
        self.shown(text);
        if !mentions_in(text).is_empty() {
            self.found.push(Fault::Mention {
                door: self.door,
                text: excerpt(text),
            });
        }
        let mut rest = text;
        while let Some(at) = rest.find(['<', '>', '&']) {
            let here = &rest[at..];
            let entity = ["&amp;", "&lt;", "&gt;"]
                .iter()
                .find(|entity| here.starts_with(**entity))
                .map(|entity| entity.len());
            let link = (is_markup && here.starts_with("<http"))
                .then(|| here.find('>'))
                .flatten()
                .map(|end| end + 1);
            self.require(
                entity.or(link).is_some(),
                "a sign of Slack's markup that is not escaped",
            );
            let is_link = link
                .is_none_or(|end| here[1..end - 1].split('|').count() == 2 && !here[1..end - 1].contains(['<', '\n']));
            self.require(is_link, "a link of Slack that breaks");
            rest = &here[entity.or(link).unwrap_or(1)..];
        }
        self.require(!is_markup || !text.contains("**"), "Markdown in Slack's markup");
    }

    fn lark_texts(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.lark_texts(value)),
            Value::Object(fields) => {
                if let Some(text) = fields.get("content").and_then(Value::as_str) {
                    self.lark_text(text, fields.get("tag").is_some_and(|tag| tag == "markdown"));
                }
                fields.values().for_each(|value| self.lark_texts(value));
            }
            _ => {}
        }
    }

    fn lark_text(&mut self, text: &str, is_markup: bool) {
        self.shown(text);
        // Nobody promises in which order a client undoes entities and looks for tags, so neither order may find one.
        let undone = text.replace("&#60;", "<").replace("&#62;", ">").replace("&#47;", "/");
        let calls = |text: &str| {
            ["<at", "</at", "<person"]
                .iter()
                .any(|tag| text.to_ascii_lowercase().contains(tag))
        };
        if calls(text) || (is_markup && calls(&undone)) {
            self.found.push(Fault::Mention {
                door: self.door,
                text: excerpt(text),
            });
        }
        if is_markup {
            self.require(
                !text.contains(['<', '>', '`', '~', '\\', '|']),
                "a sign of Markdown that is not escaped",
            );
            for line in text.lines() {
                let bold = line.matches("**").count();
                self.require(
                    bold == 0 || (bold == 2 && line.starts_with("**")),
                    "bold that is not ours",
                );
                self.require(
                    !line.replace("**", "").contains(['*', '_', '!']),
                    "a sign of Markdown that is not escaped",
                );
                let (links, open) = (line.matches("](http").count(), line.matches(['[', ']']).count());
                self.require(open == 2 * links && links <= 1, "a link that is not ours");
            }
        }
    }

    fn shown(&mut self, text: &str) {
        let hides = |character: char| {
            (character.is_control() && !"\n\t".contains(character))
                || ('\u{202A}'..='\u{202E}').contains(&character)
                || ('\u{2066}'..='\u{2069}').contains(&character)
        };
        self.require(!text.chars().any(hides), "a character that hides or turns text round");
    }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn excerpt(text: &str) -> String {
    const EXCERPT_CHARS_MAX: usize = 120;
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// Issue, revision and state, as the last line of a message says them.
pub fn told(content: &Value) -> Option<(String, String, String)> {
    let text = content.to_string();
    let (_, footer) = text.rsplit_once("Issue ")?;
    let footer = footer.split(['"', '\\']).next()?;
    let (issue_id, rest) = footer.split_once(", revision ")?;
    let (revision, state) = rest.split_once(", ")?;
    Some((issue_id.to_owned(), revision.to_owned(), state.to_owned()))
}

/// Where more came in than a channel takes, whether or not it was answered well.
pub fn rates(received: &[Received]) -> Vec<Fault> {
    let mut by_channel: HashMap<(bool, &str), Vec<(Door, u64)>> = HashMap::new();
    for one in received.iter().filter(|one| one.door != Door::LarkToken) {
        by_channel
            .entry((is_slack(one.door), &one.channel))
            .or_default()
            .push((one.door, one.at_ms));
    }
    let mut faults = Vec::new();
    for ((slack, channel), times) in by_channel {
        let bot = times.iter().any(|(door, _)| *door == Door::LarkBot);
        let windows: &[(usize, u64)] = if slack {
            &[(1, 1_000)]
        } else if bot {
            &[(5, 1_000), (100, 60_000)]
        } else {
            &[(5, 1_000)]
        };
        for (messages, window_ms) in windows {
            for span in times.windows(messages + 1) {
                let within_ms = span[*messages].1 - span[0].1;
                if within_ms + RATE_TOLERANCE_MS < *window_ms {
                    faults.push(Fault::TooFast {
                        channel: channel.to_owned(),
                        messages: messages + 1,
                        within_ms,
                    });
                }
            }
        }
    }
    faults
}

/// Where people see one telling twice in one channel.
pub fn duplicates(received: &[Received]) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let messages = received
        .iter()
        .filter(|one| one.arrived && !matches!(one.door, Door::SlackUpdate | Door::LarkUpdate));
    messages
        .filter_map(|one| Some((&one.channel, one.issue_id?, one.revision?)))
        .filter(|telling| !seen.insert(*telling))
        .map(|(channel, issue_id, revision)| Fault::Duplicate {
            channel: channel.clone(),
            telling: format!("{issue_id} revision {revision}"),
        })
        .collect()
}

fn is_slack(door: Door) -> bool {
    matches!(door, Door::SlackWebhook | Door::SlackPost | Door::SlackUpdate)
}
