//! A notice as a card of Lark, the same for bots and apps.
//!
//! Long text stands in `plain_text`, which has no markup; the lines of words in bold and of links are Markdown, where every
//! sign that could mean something is written as an entity.

use serde_json::{Value, json};

use crate::notice::Tone;
use crate::text::{Fit, WORD_JOINER, web_url};
use crate::{LABELS_SHOWN_MAX, LINKS_SHOWN_MAX, Link, Notice};

/// Bytes of a custom bot's request.
pub const BOT_BODY_BYTES_MAX: usize = 20_000;
/// Bytes of a card as an app sends it.
pub const CARD_BYTES_MAX: usize = 30_000;

// What each part may take, counted as JSON within JSON, which is how an app sends a card. Together with the card itself they
// stay below the smaller of the two limits.
const TITLE_BYTES_MAX: usize = 400;
const FACT_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 4_500;
const CONCLUSION_BYTES_MAX: usize = 6_500;
const LABEL_BYTES_MAX: usize = 320;
const LABELS_BYTES_MAX: usize = 2_000;
const LINK_TITLE_BYTES_MAX: usize = 200;
const LINKS_BYTES_MAX: usize = 2_200;
const MORE_BYTES_MAX: usize = 24;
/// The card itself: its names and quotes, the names of the facts, the last line, and a bot's signature.
const AROUND_BYTES_MAX: usize = 2_000;
const _: () = assert!(
    TITLE_BYTES_MAX
        + 9 * FACT_BYTES_MAX
        + DESCRIPTION_BYTES_MAX
        + CONCLUSION_BYTES_MAX
        + LABELS_BYTES_MAX
        + LINKS_BYTES_MAX
        + AROUND_BYTES_MAX
        <= BOT_BODY_BYTES_MAX
);

pub fn card(notice: &Notice) -> Value {
    let title = plain(TITLE_BYTES_MAX).line(&notice.headline());
    json!({
        "schema": "2.0",
        "config": { "update_multi": true },
        "header": { "title": { "tag": "plain_text", "content": title }, "template": template(notice.tone()) },
        "body": { "elements": elements(notice) },
    })
}

fn elements(notice: &Notice) -> Vec<Value> {
    let fact = |(name, value): (&str, String)| format!("**{name}:** {}", marked(FACT_BYTES_MAX).line(&value));
    let facts: Vec<String> = notice.facts().into_iter().map(fact).collect();
    let mut elements = vec![markdown(facts.join("\n"))];
    for (title, text, bytes_max) in [
        ("Conclusion", &notice.conclusion, CONCLUSION_BYTES_MAX),
        ("Description", &notice.description, DESCRIPTION_BYTES_MAX),
    ] {
        for page in text
            .as_deref()
            .map(|text| plain(bytes_max).pages(text))
            .unwrap_or_default()
        {
            elements.push(markdown(format!("**{title}**")));
            elements.push(json!({ "tag": "div", "text": { "tag": "plain_text", "content": page } }));
        }
    }
    for text in [labels(&notice.labels), links(notice)] {
        elements.extend((!text.is_empty()).then(|| markdown(text)));
    }
    elements.push(
        json!({ "tag": "div", "text": { "tag": "plain_text", "content": notice.footer(), "text_size": "notation" } }),
    );
    elements
}

fn labels(labels: &[(String, String)]) -> String {
    let half = marked(LABEL_BYTES_MAX / 2);
    let lines = labels
        .iter()
        .take(LABELS_SHOWN_MAX)
        .map(|(name, value)| match half.line(name) {
            name if name.is_empty() => half.line(value),
            name => format!("**{name}**&#58; {}", half.line(value)),
        });
    listed(lines, labels.len(), LABELS_BYTES_MAX)
}

fn links(notice: &Notice) -> String {
    let own = notice
        .link
        .as_deref()
        .and_then(web_url)
        .map(|url| format!("[Open in Daybook]({url})"));
    let title = marked(LINK_TITLE_BYTES_MAX);
    let theirs = notice
        .links
        .iter()
        .take(LINKS_SHOWN_MAX)
        .map(|Link { title: name, url }| {
            let name = title.line(if name.trim().is_empty() { url } else { name });
            match web_url(url) {
                Some(url) if !name.is_empty() => format!("[{name}]({url})"),
                _ => format!("{name}&#58; {}", title.line(url)),
            }
        });
    let count = usize::from(own.is_some()) + notice.links.len();
    listed(own.into_iter().chain(theirs), count, LINKS_BYTES_MAX)
}

/// The lines that there is room for, and how many of `count` there are besides.
fn listed(lines: impl Iterator<Item = String>, count: usize, bytes_max: usize) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        if nested(&text) + nested(&line) + nested("\n") > bytes_max - MORE_BYTES_MAX {
            continue;
        }
        shown += 1;
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&line);
    }
    if count > shown {
        let between = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{between}and {} more", count - shown));
    }
    text
}

fn markdown(content: String) -> Value {
    json!({ "tag": "markdown", "content": content })
}

fn plain(page: usize) -> Fit {
    Fit {
        page,
        pages: 1,
        measure: nested,
        escape,
    }
}

fn marked(page: usize) -> Fit {
    Fit {
        page,
        pages: 1,
        measure: nested,
        escape: escape_markdown,
    }
}

/// Bytes of a text written as JSON within JSON.
fn nested(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '"' | '\\' => 4,
            '\n' | '\t' => 3,
            other => other.len_utf8(),
        })
        .sum()
}

/// In plain text nothing means anything to Lark; a tag that would call people is parted all the same, should a client read it.
fn escape(character: char, rest: &str, out: &mut String) {
    out.push(character);
    if character == '<' && begins_a_call(rest) {
        out.push(WORD_JOINER);
    }
}

fn escape_markdown(character: char, rest: &str, out: &mut String) {
    match character {
        '<' if begins_a_call(rest) => out.extend("&#60;".chars().chain([WORD_JOINER])),
        character if character.is_ascii_punctuation() && !",/?".contains(character) => {
            out.push_str(&format!("&#{};", u32::from(character)));
        }
        other => out.push(other),
    }
}

fn begins_a_call(rest: &str) -> bool {
    let name = rest.strip_prefix('/').unwrap_or(rest);
    ["at", "person"].iter().any(|tag| {
        name.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag))
    })
}

fn template(tone: Tone) -> &'static str {
    match tone {
        Tone::Red => "red",
        Tone::Orange => "orange",
        Tone::Yellow => "yellow",
        Tone::Blue => "blue",
        Tone::Green => "green",
        Tone::Grey => "grey",
        Tone::Purple => "purple",
    }
}
