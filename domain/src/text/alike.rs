//! Texts that a person would call the same, and characters that nobody sees.

use unicode_normalization::UnicodeNormalization as _;

/// The form in which a person would call two short texts the same: without what does not show, compatible characters as one
/// (NFKC), blanks as one and none around, capitals like small letters. Stored for ever, in claims: the same text comes out the
/// same, of characters that Unicode knew when it was written.
#[must_use]
pub fn alike(text: &str) -> String {
    let composed: String = text.nfkc().filter(|c| shows(*c)).collect();
    // By way of capitals, since ß has two and ς and σ have one, and before of small letters, since ẞ is a capital of its own.
    let folded = composed.to_lowercase().to_uppercase().to_lowercase();
    let words: Vec<String> = folded.split_whitespace().map(|word| word.nfkc().collect()).collect();
    words.join(" ")
}

/// Whether two such texts could look the same and be different ones: it has characters that do not show, or is not composed.
#[must_use]
pub fn is_mistakable(text: &str) -> bool {
    // Words of some languages are written with these two.
    let is_joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    !text.chars().all(|c| shows(c) || is_joiner(c)) || !unicode_normalization::is_nfc(text)
}

/// Whether a character can be seen, if only as a blank.
pub(super) fn shows(c: char) -> bool {
    !is_format(c) && !is_one_of(c, &BLANK)
}

/// Whether it is of Unicode's category Cf.
pub(super) fn is_format(c: char) -> bool {
    is_one_of(c, &FORMAT)
}

fn is_one_of(c: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|&(first, last)| (first..=last).contains(&c))
}

/// The characters of Unicode's category Cf, which show nothing and change how others are shown: soft hyphens, joiners,
/// directions of writing, tags.
const FORMAT: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Characters that show nothing and are in no category of their own: joiners of graphemes, fillers, selectors of variants,
/// and a pattern of braille without dots.
const BLANK: [(char, char); 10] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2065}', '\u{2065}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{e0100}', '\u{e01ef}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_alike_that_a_person_would_call_the_same() {
        for other in [
            "filter 01",
            "FILTER 01",
            " Filter  01 ",
            "Filter\u{a0}01",
            "Filter\t01",
            "Fil\u{200b}ter 01",
            "Fil\u{ad}ter 01\u{feff}",
            "Filter\u{fe0f} 01",
            "Ｆｉｌｔｅｒ ０１",
            "ﬁlter 01",
        ] {
            assert_eq!(alike(other), "filter 01", "{other:?}");
        }
        assert_eq!(alike("Stra\u{df}e"), alike("STRASSE"));
        assert_eq!(alike("STRA\u{1e9e}E"), alike("STRASSE"));
        assert_eq!(alike("ΟΔΟΣ"), alike("οδος"));
        assert_eq!(alike("e\u{301}"), alike("\u{c9}"));
        for (one, another) in [("P-1", "P-11"), ("P-1", "P 1"), ("P-1", "P1"), ("e", "\u{e9}")] {
            assert_ne!(alike(one), alike(another));
        }
        for blank in ["", " ", "\u{200b}", "\u{2800}\u{3164}"] {
            assert_eq!(alike(blank), "");
        }
        let once = alike("Ǆ ŉ İ ΐ ẞ");
        assert_eq!(alike(&once), once);
    }
}
