//! Text of strangers, made fit to stand within a sentence of ours.

/// The text as [`plain`] gives it, between quotation marks; those within it are replaced, so that it cannot end its own
/// quotation.
pub fn quoted(text: &str, chars_max: usize) -> String {
    format!(
        "\"{}\"",
        plain(text, chars_max).replace(['"', '\u{201C}', '\u{201D}'], "'")
    )
}

/// The text on one line, at most `chars_max` characters of it. Line breaks, control characters and marks that turn the direction
/// of writing become spaces.
pub fn plain(text: &str, chars_max: usize) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().map(harmless);
    for c in chars.by_ref().take(chars_max) {
        if !(c == ' ' && (plain.is_empty() || plain.ends_with(' '))) {
            plain.push(c);
        }
    }
    let cut = chars.next().is_some();
    plain.truncate(plain.trim_end().len());
    if cut {
        plain.push('…');
    }
    plain
}

fn harmless(c: char) -> char {
    match c {
        _ if c.is_control() || c.is_whitespace() => ' ',
        // Direction marks, zero widths, line separators, tags.
        '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => ' ',
        '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}' => ' ',
        _ => c,
    }
}

/// The start of a text that takes at most `bytes_max` bytes, with a sign of what was left out.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mut end = bytes_max.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_cannot_end_itself() {
        assert_eq!(quoted("a\" b\n\nconclude: \u{202E}x\u{0}", 100), "\"a' b conclude: x\"");
        assert_eq!(quoted("abcdef", 3), "\"abc…\"");
        assert_eq!(quoted("ab ", 3), "\"ab\"");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("ÄÄÄÄ".to_owned(), 8), "ÄÄÄÄ");
        assert_eq!(cut("ÄÄÄÄÄ".to_owned(), 8), "ÄÄ…");
    }
}
