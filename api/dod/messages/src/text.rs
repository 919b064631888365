//! Text of others, made fit to be shown: nothing in it hides or turns the text round, and it is cut where it must be, visibly.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Ends a text that was cut.
pub const CUT_MARK: &str = " … (cut)";
/// Stands where a character was that no reader should meet.
const REPLACEMENT: char = '\u{FFFD}';
/// Put into what would call people or begin a tag, so that it does neither. It has no width.
pub const WORD_JOINER: char = '\u{2060}';

/// How much of a text there is room for.
pub struct Fit {
    /// What one page may measure.
    pub page: usize,
    /// Pages, for a text that may take more than one block.
    pub pages: usize,
    /// What a piece counts for: at least 1 for every character.
    pub measure: fn(&str) -> usize,
    /// Writes one character, whose followers are `rest`, so that it means itself.
    pub escape: fn(character: char, rest: &str, out: &mut String),
}

impl Fit {
    /// The text in pages, none of them blank. A text that has more than there is room for ends in [`CUT_MARK`].
    pub fn pages(&self, text: &str) -> Vec<String> {
        self.fill(&self.shown(text, false))
    }

    /// The text on one page, its line breaks as spaces.
    pub fn line(&self, text: &str) -> String {
        self.fill(&self.shown(text, true))
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// As many characters as could fit, and one: who has that many is cut.
    fn shown(&self, text: &str, one_line: bool) -> String {
        let shown = text.trim().chars().filter_map(shown).map(|character| match character {
            '\n' | '\t' if one_line => ' ',
            other => other,
        });
        let mut shown: String = shown.take(self.page * self.pages + 1).collect();
        shown.truncate(shown.trim_end().len());
        shown
    }

    fn fill(&self, shown: &str) -> Vec<String> {
        let mut pages = self.try_fill(shown, 0).unwrap_or_else(|cut| cut);
        pages.retain(|page| !page.trim().is_empty());
        pages
    }

    /// All of the text, or else what there is room for with the mark.
    fn try_fill(&self, shown: &str, reserved: usize) -> Result<Vec<String>, Vec<String>> {
        let mut pages = vec![String::new()];
        let mut measured = 0;
        let mut piece = String::new();
        for (at, character) in shown.char_indices() {
            piece.clear();
            (self.escape)(character, &shown[at + character.len_utf8()..], &mut piece);
            let adds = (self.measure)(&piece);
            let last = pages.len() == self.pages;
            let room = if last { self.page - reserved } else { self.page };
            if measured + adds > room {
                if last {
                    return Err(if reserved == 0 { self.cut(shown) } else { pages });
                }
                pages.push(String::new());
                measured = 0;
            }
            measured += adds;
            if let Some(page) = pages.last_mut() {
                page.push_str(&piece);
            }
        }
        Ok(pages)
    }

    fn cut(&self, shown: &str) -> Vec<String> {
        let (Ok(mut pages) | Err(mut pages)) = self.try_fill(shown, (self.measure)(CUT_MARK));
        if let Some(page) = pages.last_mut() {
            // A joiner at the end would join the mark to half an emoji.
            page.truncate(page.trim_end_matches(['\u{200D}', WORD_JOINER]).len());
            page.push_str(CUT_MARK);
        }
        pages
    }
}

/// The character as readers may meet it: control characters and those that reorder what follows are replaced, those without
/// width are left out (except the joiners that emoji and some scripts need), line separators are line breaks.
fn shown(character: char) -> Option<char> {
    match character {
        '\n' | '\t' => Some(character),
        '\r' => None,
        '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}' => Some(REPLACEMENT),
        '\u{AD}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{3164}' => None,
        '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}' => None,
        character if character.is_control() || (character as u32 & 0xFFFE) == 0xFFFE => Some(REPLACEMENT),
        other => Some(other),
    }
}

/// Characters of a link; a longer one is not shown.
const URL_CHARS_MAX: usize = 1_000;
/// What has a meaning in a link of Slack or of Markdown, besides what no URL holds.
const NOT_IN_URLS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'!')
    .add(b'"')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b';')
    .add(b'<')
    .add(b'>')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'_')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// The URL with everything encoded that could end a link, or `None` when it is no plain URL of http or https.
pub fn web_url(url: &str) -> Option<String> {
    let url = url.trim();
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if !["http", "https"].contains(&scheme.as_str()) || authority.is_empty() || !authority.bytes().all(is_plain) {
        return None;
    }
    // A host in brackets is an address of IPv6; brackets mean something in Markdown, so there is no link to it.
    if authority.contains(['[', ']']) || path.chars().any(char::is_control) {
        return None;
    }
    let url = format!("{scheme}://{authority}{}", utf8_percent_encode(path, NOT_IN_URLS));
    (url.len() <= URL_CHARS_MAX).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(page: usize, pages: usize) -> Fit {
        Fit {
            page,
            pages,
            measure: |piece| piece.chars().count(),
            escape: |character, _, out| out.push(character),
        }
    }

    #[test]
    fn a_text_that_fits_is_whole_and_one_that_does_not_says_so() {
        assert_eq!(plain(10, 1).line("0123456789"), "0123456789");
        assert_eq!(plain(10, 1).line("0123456789a"), "01 … (cut)");
        assert_eq!(
            plain(10, 2).pages("0123456789abcdefghijk"),
            ["0123456789", "ab … (cut)"]
        );
        assert_eq!(plain(10, 2).pages("0123456789abcdefghij"), ["0123456789", "abcdefghij"]);
    }

    #[test]
    fn nothing_hides_and_nothing_turns_the_text_round() {
        assert_eq!(
            plain(50, 1).pages("a\u{202E}b\u{0}c\u{200B}d\r\ne\u{2028}f\u{1b}[31m"),
            ["a�b�cd\ne\nf�[31m"]
        );
        assert_eq!(
            plain(50, 1).line("👩\u{200D}💻 می\u{200C}خواهم"),
            "👩\u{200D}💻 می\u{200C}خواهم"
        );
        assert_eq!(plain(50, 1).line("one\ntwo\tthree"), "one two three");
    }

    #[test]
    fn a_blank_text_has_no_pages() {
        assert!(plain(10, 2).pages(" \n\u{200B}\t ").is_empty());
        assert_eq!(plain(10, 2).line(""), "");
    }

    #[test]
    fn a_link_holds_nothing_that_ends_it() {
        assert_eq!(
            web_url("HTTPS://a.example/x?q=<!here>|y").as_deref(),
            Some("https://a.example/x?q=%3C%21here%3E%7Cy")
        );
        assert_eq!(
            web_url("https://a.example/a)b(_*~`").as_deref(),
            Some("https://a.example/a%29b%28%5F%2A%7E%60")
        );
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https://u@h/",
            "ftp://a/",
            "//a",
            "https://bücher.example/",
            "x",
        ] {
            assert_eq!(web_url(bad), None, "{bad}");
        }
        assert_eq!(web_url(&format!("https://a.example/{}", "x".repeat(1_000))), None);
    }
}
