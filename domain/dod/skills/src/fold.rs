//! Text without case and without runs of space, with the places where words begin and end.

/// A text as patterns are looked for in it.
pub struct Folded {
    pub text: String,
    /// For each byte of the text, and for its end, whether a word may begin or end there.
    borders: Vec<bool>,
}

/// The text without differences of case, each run of white space being one space.
///
/// It is made character by character, so that a part of a text, folded, is a part of the folded text. The prefilter of
/// regular expressions rests on that.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut folded, c);
    }
    folded
}

impl Folded {
    pub fn new(text: &str) -> Self {
        let mut folded = String::with_capacity(text.len());
        let mut borders = Vec::with_capacity(text.len() + 1);
        let mut before = Kind::Sign;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let kind = Kind::of(c);
            let start = folded.len();
            push(&mut folded, c);
            if folded.len() > start {
                borders.push(is_border(before, kind, chars.peek().map(|next| Kind::of(*next))));
                borders.resize(folded.len(), false);
            }
            before = kind;
        }
        borders.push(true);
        Self { text: folded, borders }
    }

    /// Whether the span of bytes is made of whole words.
    pub fn is_whole(&self, start: usize, end: usize) -> bool {
        let at = |place: usize| self.borders.get(place).copied().unwrap_or(false);
        at(start) && at(end)
    }
}

/// Which character of the original text the byte of the folded text comes from, counted from 1.
pub fn position(original: &str, byte: usize) -> usize {
    let mut folded = String::new();
    for (index, c) in original.chars().enumerate() {
        push(&mut folded, c);
        if folded.len() > byte {
            return index + 1;
        }
    }
    original.chars().count()
}

fn push(folded: &mut String, c: char) {
    if c.is_ascii_alphanumeric() {
        folded.push(c.to_ascii_lowercase());
    } else if c.is_whitespace() {
        if !folded.ends_with(' ') {
            folded.push(' ');
        }
    } else if c.is_ascii() {
        folded.push(c);
    } else {
        folded.extend(fold_char(c));
    }
}

/// By way of the capital, so that letters with two small forms (final sigma, long s) become one.
fn fold_char(c: char) -> std::char::ToLowercase {
    let mut capitals = c.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital.to_lowercase(),
        _ => c.to_lowercase(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sign,
    Small,
    Capital,
    Digit,
    /// A letter of a script that sets no space between its words, or none before their endings.
    Unspaced,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' => Kind::Small,
            'A'..='Z' => Kind::Capital,
            '0'..='9' => Kind::Digit,
            _ if c.is_ascii() => Kind::Sign,
            // Thai, Lao, Burmese, Khmer; Japanese and Chinese; Korean.
            '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' => Kind::Unspaced,
            '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' => {
                Kind::Unspaced
            }
            _ if c.is_numeric() => Kind::Digit,
            _ if c.is_uppercase() => Kind::Capital,
            _ if c.is_alphabetic() => Kind::Small,
            _ => Kind::Sign,
        }
    }
}

/// `HostDiskFull`, `node_disk_full` and `disk01` all have the word `disk` in them; `diskette` has not.
fn is_border(before: Kind, here: Kind, after: Option<Kind>) -> bool {
    match (before, here) {
        (Kind::Sign | Kind::Unspaced, _) | (_, Kind::Sign | Kind::Unspaced) => true,
        (Kind::Digit, Kind::Digit) | (Kind::Small, Kind::Small) | (Kind::Capital, Kind::Small) => false,
        (Kind::Capital, Kind::Capital) => after == Some(Kind::Small),
        (Kind::Small, Kind::Capital) | (Kind::Digit, _) | (_, Kind::Digit) => true,
    }
}

/// The words of a text, folded: what lies between two borders and has a letter or a digit in it.
pub fn words(text: &str) -> Vec<String> {
    let folded = Folded::new(text);
    let mut words = Vec::new();
    let mut start = 0;
    for end in 1..=folded.text.len() {
        if folded.borders.get(end).copied().unwrap_or(true) {
            let word = folded.text.get(start..end).unwrap_or_default();
            if word.chars().any(char::is_alphanumeric) {
                words.push(word.to_owned());
            }
            start = end;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn has(text: &str, word: &str) -> bool {
        let folded = Folded::new(text);
        let word = fold(word);
        folded
            .text
            .match_indices(&word)
            .any(|(at, _)| folded.is_whole(at, at + word.len()))
    }

    #[test]
    fn a_word_is_found_whatever_its_case_and_neighbours() {
        for text in [
            "disk",
            "DISK full",
            "HostDiskFull",
            "node_disk_io",
            "a/disk-1",
            "disk01",
            "the (Disk)",
        ] {
            assert!(has(text, "disk"), "{text}");
        }
        assert!(has("OOMKilled", "oom") && has("OOMKilled", "killed") && has("PostgreSQL down", "postgresql"));
        assert!(has("主机磁盘满了", "磁盘") && has("disk \n\t full", "Disk Full") && has("ΟΔΟΣ", "οδος"));
    }

    #[test]
    fn a_part_of_a_word_is_not_a_word() {
        for text in ["diskette", "subdisk", "DISKS", "dis k"] {
            assert!(!has(text, "disk"), "{text}");
        }
        assert!(!has("v12", "v1") && !has("error 5030", "503"));
    }

    #[test]
    fn a_place_is_told_in_characters_of_the_original() {
        let text = "Ä  İ disk";
        let byte = fold(text).find("disk").unwrap();
        assert_eq!(position(text, byte), 6);
    }

    #[test]
    fn words_are_parted_at_signs_humps_and_digits() {
        assert_eq!(
            words("KubePodOOMKilled: node_7, ok"),
            ["kube", "pod", "oom", "killed", "node", "7", "ok"]
        );
    }

    proptest! {
        #[test]
        fn a_part_folded_is_a_part_of_the_folded_text(before in any::<String>(), part in any::<String>(), after in any::<String>()) {
            let whole = fold(&format!("{before}{part}{after}"));
            prop_assert!(whole.contains(&fold(&part)));
            prop_assert_eq!(&Folded::new(&format!("{before}{part}{after}")).text, &whole);
            prop_assert_eq!(fold(&whole), whole);
        }
    }
}
