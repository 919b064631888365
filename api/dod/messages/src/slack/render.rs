//! A notice as Slack shows it: a header, and below it, with the colour at their side, what is known.
//!
//! Text from outside stands in `plain_text` wherever Slack allows, escaped all the same; links are the one thing in `mrkdwn`.

use serde_json::{Map, Value, json};

use crate::notice::Tone;
use crate::text::{Fit, WORD_JOINER, web_url};
use crate::{LABELS_SHOWN_MAX, LINKS_SHOWN_MAX, Link, Notice};

/// Blocks of a message.
pub const BLOCKS_MAX: usize = 50;
/// Characters of a section's text. Slack counts as JavaScript does: an emoji is two.
pub const SECTION_CHARS_MAX: usize = 3_000;
/// Characters of a header.
pub const HEADER_CHARS_MAX: usize = 150;
/// Characters over all blocks. Nobody documents it; it has been measured, and a header counts for about 100 more.
pub const BLOCKS_CHARS_MAX: usize = 13_200;
/// Characters of the text beside the blocks.
pub const TEXT_CHARS_MAX: usize = 40_000;
/// Bytes of that text in an update.
pub const UPDATE_TEXT_BYTES_MAX: usize = 4_000;

// What each part may take. Together, with Slack's own count of the header, they stay well below BLOCKS_CHARS_MAX.
const FALLBACK_CHARS_MAX: usize = 600;
const FACT_CHARS_MAX: usize = 110;
const DESCRIPTION_CHARS_MAX: usize = 2_900;
const CONCLUSION_PAGE_CHARS_MAX: usize = 2_300;
const CONCLUSION_PAGES_MAX: usize = 2;
const LABEL_CHARS_MAX: usize = 200;
const LABELS_CHARS_MAX: usize = 1_300;
const LINK_TITLE_CHARS_MAX: usize = 120;
const LINKS_CHARS_MAX: usize = 2_000;
const MORE_CHARS_MAX: usize = 24;
/// Titles of the parts, the last line, and what a header counts for besides its text.
const AROUND_CHARS_MAX: usize = 300;
const _: () = assert!(
    HEADER_CHARS_MAX
        + 10 * FACT_CHARS_MAX
        + DESCRIPTION_CHARS_MAX
        + CONCLUSION_PAGES_MAX * CONCLUSION_PAGE_CHARS_MAX
        + LABELS_CHARS_MAX
        + LINKS_CHARS_MAX
        + AROUND_CHARS_MAX
        <= BLOCKS_CHARS_MAX
);

/// `text`, `blocks` and `attachments` of a message.
pub fn content(notice: &Notice) -> Map<String, Value> {
    let fallback = format!("{} ({}, {})", notice.headline(), count(notice.alerts), notice.source);
    let fallback = line(FALLBACK_CHARS_MAX).line(&fallback);
    let header = plain(line(HEADER_CHARS_MAX).line(&notice.headline()));
    let mut content = Map::new();
    content.insert("text".to_owned(), json!(fallback));
    content.insert("blocks".to_owned(), json!([{ "type": "header", "text": header }]));
    let attachment = json!({ "color": colour(notice.tone()), "fallback": fallback, "blocks": below(notice) });
    content.insert("attachments".to_owned(), json!([attachment]));
    content
}

fn below(notice: &Notice) -> Vec<Value> {
    let fact = |(name, value): (&str, String)| plain(line(FACT_CHARS_MAX).line(&format!("{name}: {value}")));
    let mut blocks =
        vec![json!({ "type": "section", "fields": notice.facts().into_iter().map(fact).collect::<Vec<_>>() })];
    let conclusion = Fit {
        pages: CONCLUSION_PAGES_MAX,
        ..line(CONCLUSION_PAGE_CHARS_MAX)
    };
    for (title, text, fit) in [
        ("Conclusion", &notice.conclusion, conclusion),
        ("Description", &notice.description, line(DESCRIPTION_CHARS_MAX)),
    ] {
        let pages = text.as_deref().map(|text| fit.pages(text)).unwrap_or_default();
        for (index, page) in pages.into_iter().enumerate() {
            blocks.push(section(plain(if index == 0 {
                format!("{title}:\n{page}")
            } else {
                page
            })));
        }
    }
    let labels = labels(&notice.labels);
    blocks.extend((!labels.is_empty()).then(|| section(plain(labels))));
    let links = links(notice);
    blocks.extend((!links.is_empty()).then(|| section(json!({ "type": "mrkdwn", "text": links, "verbatim": true }))));
    blocks.push(json!({ "type": "context", "elements": [plain(notice.footer())] }));
    blocks
}

fn labels(labels: &[(String, String)]) -> String {
    let lines = labels.iter().take(LABELS_SHOWN_MAX).map(|(name, value)| {
        let half = line(LABEL_CHARS_MAX / 2);
        format!("{}: {}", half.line(name), half.line(value))
    });
    listed(lines, labels.len(), LABELS_CHARS_MAX)
}

fn links(notice: &Notice) -> String {
    let own = notice
        .link
        .as_deref()
        .and_then(web_url)
        .map(|url| linked(&url, "Open in Daybook"));
    let title = Fit {
        escape: escape_mrkdwn,
        ..line(LINK_TITLE_CHARS_MAX)
    };
    let theirs = notice
        .links
        .iter()
        .take(LINKS_SHOWN_MAX)
        .map(|Link { title: name, url }| {
            let name = title.line(if name.trim().is_empty() { url } else { name });
            match web_url(url) {
                Some(url) if !name.is_empty() => linked(&url, &name),
                _ => format!("{name}: {}", title.line(url)),
            }
        });
    let count = usize::from(own.is_some()) + notice.links.len();
    listed(own.into_iter().chain(theirs), count, LINKS_CHARS_MAX)
}

/// The lines that there is room for, and how many of `count` there are besides.
fn listed(lines: impl Iterator<Item = String>, count: usize, chars_max: usize) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for line in lines {
        if units(&text) + units(&line) + 1 > chars_max - MORE_CHARS_MAX {
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

fn linked(url: &str, title: &str) -> String {
    format!("<{}|{title}>", url.replace('&', "&amp;"))
}

fn section(text: Value) -> Value {
    json!({ "type": "section", "text": text })
}

fn plain(text: String) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

fn count(alerts: u64) -> String {
    if alerts == 1 {
        "1 alert".to_owned()
    } else {
        format!("{alerts} alerts")
    }
}

fn line(page: usize) -> Fit {
    Fit {
        page,
        pages: 1,
        measure: units,
        escape,
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Slack decodes these three in every text. A name that calls everybody is parted from its sign.
fn escape(character: char, rest: &str, out: &mut String) {
    const CALLS: [&str; 4] = ["here", "channel", "everyone", "group"];
    let begins = |word: &&str| {
        rest.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '@' if CALLS.iter().any(begins) => out.extend(['@', WORD_JOINER]),
        other => out.push(other),
    }
}

/// Slack has no escape for what makes text bold or code, so signs that look alike stand for them.
fn escape_mrkdwn(character: char, rest: &str, out: &mut String) {
    match character {
        '*' => out.push('∗'),
        '_' => out.push('＿'),
        '~' => out.push('∼'),
        '`' => out.push('ˋ'),
        '|' => out.push('¦'),
        other => escape(other, rest, out),
    }
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Red => "#D7263D",
        Tone::Orange => "#F46036",
        Tone::Yellow => "#E9B44C",
        Tone::Blue => "#2E86DE",
        Tone::Green => "#2EB67D",
        Tone::Grey => "#8A8F98",
        Tone::Purple => "#7B2D8B",
    }
}
