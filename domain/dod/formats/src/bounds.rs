//! Texts of strangers, made fit for where they are kept.

/// Characters of a URL.
pub const URL_CHARS_MAX: usize = 2_000;

/// A text as one line: control characters become spaces, characters that turn the direction of writing are left out.
/// Says whether it was cut at `chars_max`.
pub(crate) fn line(text: &str, chars_max: usize) -> (String, bool) {
    let trimmed = text.trim();
    if trimmed.len() <= chars_max && trimmed.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return (trimmed.to_string(), false);
    }
    let kept = trimmed.chars().filter(|character| !turns(*character));
    let spaced = kept.map(|character| if breaks(character) { ' ' } else { character });
    cut(spaced, chars_max)
}

/// A text of several lines: of the control characters only the end of a line and the tab stay.
/// Says whether it was cut at `bytes_max`.
pub(crate) fn paragraph(text: &str, bytes_max: usize) -> (String, bool) {
    let mut whole: String = text
        .trim()
        .chars()
        .filter(|character| !turns(*character))
        .filter(|character| !character.is_control() || matches!(character, '\n' | '\t'))
        .collect();
    if whole.len() <= bytes_max {
        return (whole, false);
    }
    let ellipsis = '…';
    let mut end = bytes_max.saturating_sub(ellipsis.len_utf8());
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    whole.truncate(end);
    whole.push(ellipsis);
    (whole, true)
}

/// Whether a text is a URL that a person may be sent to: absolute, of http or https, and of no characters that end
/// or disguise a link.
pub(crate) fn is_link(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(host) = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()) else {
        return false;
    };
    !host.is_empty()
        && !host.contains('@')
        && url.chars().count() <= URL_CHARS_MAX
        && !url.chars().any(|character| {
            character.is_whitespace()
                || breaks(character)
                || turns(character)
                || matches!(character, '<' | '>' | '"' | '`' | '\\')
        })
}

fn cut(characters: impl Iterator<Item = char>, chars_max: usize) -> (String, bool) {
    let mut characters = characters.peekable();
    let mut line: String = characters.by_ref().take(chars_max).collect();
    let is_cut = characters.peek().is_some();
    if is_cut {
        line.pop();
        line.push('…');
    }
    (line.trim().to_string(), is_cut)
}

fn breaks(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

// Marks, embeddings, overrides and isolates: with them a title reads as what it is not.
fn turns(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_controls_no_turned_text_and_no_more_characters_than_it_may() {
        assert_eq!(line("  a\nb\tc\u{202e}d\u{2066} \u{0}", 100).0, "a b cd");
        assert_eq!(line("日本語日本語", 4), ("日本語…".to_string(), true));
        assert_eq!(line("abcd", 4), ("abcd".to_string(), false));
        assert_eq!(line("\u{202e}", 4).0, "");
    }

    #[test]
    fn a_paragraph_keeps_its_lines_and_is_cut_between_characters() {
        assert_eq!(paragraph("a\r\n\tb\u{7}", 100).0, "a\n\tb");
        let (text, is_cut) = paragraph(&"é".repeat(100), 101);
        assert!(is_cut && text.len() <= 101 && text.ends_with('…'));
    }

    #[test]
    fn only_plain_absolute_urls_are_links() {
        assert!(is_link("https://prometheus.example/graph?g0.expr=up%20%3D%3D%200"));
        for url in [
            "javascript:alert(1)",
            "//host",
            "https://",
            "https:///path",
            "ftp://a",
            "https://a b",
            "https://user@evil.example",
            "https://a/\u{202e}",
            "{$ZABBIX.URL}/x",
        ] {
            assert!(!is_link(url), "{url}");
        }
        assert!(!is_link(&format!("https://a/{}", "x".repeat(URL_CHARS_MAX))));
    }
}
