//! Patterns: a keyword or a regular expression. What cannot work is refused when it is entered, at the place of the fault.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fold::fold;

/// Characters of a pattern, as its column holds them.
pub const PATTERN_CHARS_MAX: usize = 500;
/// Parentheses and repetitions of a regular expression within one another.
pub const PATTERN_LEVELS_MAX: u32 = 50;
/// Bytes that one regular expression takes once it is spelled out (`\w{50}` is long), and that it remembers more while it looks.
pub const COMPILED_BYTES_MAX: usize = 512 << 10;
const REMEMBERED_BYTES_MAX: usize = 64 << 10;
/// The sizes that an expression is tried in, so that it is known what it takes.
const SIZES_BYTES: [usize; 6] = [8 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, COMPILED_BYTES_MAX];

/// How a pattern is read.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PatternKind {
    /// A regular expression, found anywhere in the field, as it is written: `(?i)` makes capitals and small letters one. Takes
    /// time in proportion to the text, whatever the expression; there is no looking around and no reference back.
    Regex,
    /// Whole words, without regard to capitals and to how much white space stands between them. Words begin and end at signs,
    /// at humps and at digits: `disk` is in `HostDiskFull`, `node_disk_io` and `disk01`, and is not in `diskette`. Scripts
    /// without spaces have no borders.
    Keyword,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {position} of the pattern: {reason}")]
pub struct BadPattern {
    /// In characters, from 1.
    pub position: usize,
    /// A sentence.
    pub reason: String,
}

/// Whether a pattern can be used.
///
/// # Errors
/// The first fault and its place: an empty or too long pattern, a control character in a keyword, an expression that cannot be
/// read or is too large once it is spelled out.
pub fn check_pattern(kind: PatternKind, pattern: &str) -> Result<(), BadPattern> {
    match kind {
        PatternKind::Regex => compiled(pattern).map(drop),
        PatternKind::Keyword => keyword(pattern).map(drop),
    }
}

/// The keyword as it is looked for.
pub(crate) fn keyword(pattern: &str) -> Result<String, BadPattern> {
    fits(pattern)?;
    if let Some(at) = pattern.chars().position(char::is_control) {
        return Err(bad(
            at + 1,
            "A keyword has no control characters and no line breaks in it; take it out.",
        ));
    }
    Ok(fold(pattern.trim()))
}

/// The expression, and the bytes that it takes at most.
pub(crate) fn compiled(pattern: &str) -> Result<(Regex, usize), BadPattern> {
    parsed(pattern)?;
    let build = |size: usize| {
        RegexBuilder::new(pattern)
            .nest_limit(PATTERN_LEVELS_MAX)
            .size_limit(size)
            .dfa_size_limit(REMEMBERED_BYTES_MAX)
            .build()
            .ok()
            .map(|regex| (regex, size))
    };
    SIZES_BYTES.into_iter().find_map(build).ok_or_else(|| {
        bad(
            1,
            "The expression is too large once its repetitions are spelled out. Repeat less often, or write classes such as \
             [a-z0-9_] in the place of \\w.",
        )
    })
}

pub(crate) fn parsed(pattern: &str) -> Result<Hir, BadPattern> {
    fits(pattern)?;
    ParserBuilder::new()
        .nest_limit(PATTERN_LEVELS_MAX)
        .build()
        .parse(pattern)
        .map_err(|error| {
            let (offset, reason) = match &error {
                regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
                _ => (0, "it cannot be read".to_owned()),
            };
            let position = pattern.get(..offset).map_or(0, |before| before.chars().count()) + 1;
            bad(
                position,
                &format!(
                    "The regular expression is wrong here: {}.",
                    reason.trim_end_matches('.')
                ),
            )
        })
}

fn fits(pattern: &str) -> Result<(), BadPattern> {
    if pattern.trim().is_empty() {
        return Err(bad(1, "The pattern is empty; write what is to be found."));
    }
    if pattern.chars().nth(PATTERN_CHARS_MAX).is_some() {
        return Err(bad(
            PATTERN_CHARS_MAX + 1,
            &format!("A pattern has at most {PATTERN_CHARS_MAX} characters; shorten it."),
        ));
    }
    Ok(())
}

fn bad(position: usize, reason: &str) -> BadPattern {
    BadPattern {
        position,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fault_is_told_at_its_character() {
        let at = |pattern: &str| check_pattern(PatternKind::Regex, pattern).unwrap_err().position;
        assert_eq!(at("(a"), 1);
        assert_eq!(at("ÄÖ(?=b)"), 3);
        assert_eq!(at("a**{"), 4);
        assert_eq!(at("x{3,1}"), 2);
        assert_eq!(at(""), 1);
        assert_eq!(at(&"a".repeat(501)), 501);
        assert_eq!(
            check_pattern(PatternKind::Keyword, "disk\u{7}full")
                .unwrap_err()
                .position,
            5
        );
        let told = check_pattern(PatternKind::Regex, "ÄÖ(?=b)").unwrap_err().to_string();
        assert!(
            told.contains("look-around") && told.starts_with("character 3"),
            "{told}"
        );
    }

    #[test]
    fn usual_expressions_are_taken() {
        for pattern in [
            r"(?i)disk.*full",
            r"^\w+-\d{1,5}\s",
            r"(\w+\.){2,8}prod",
            r"5\d\d",
            r"[^\s]+@[^\s]+",
            r"\p{Han}+",
            ".*",
            r"^(api|web)-(eu|us)-\d+$",
            r"(?i)\boom\b|out of memory",
            r"(a*)*b",
        ] {
            assert_eq!(check_pattern(PatternKind::Regex, pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn an_expression_that_grows_is_refused_soon() {
        let start = Instant::now();
        for pattern in [
            r"\w{500}",
            r"((a{100}){100}){100}",
            r"(\p{L}{1,50}){1,50}",
            r"(?i)\pL{1000}",
        ] {
            let bad = check_pattern(PatternKind::Regex, pattern).unwrap_err();
            assert!(bad.reason.contains("too large"), "{bad}");
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(check_pattern(PatternKind::Regex, &"(".repeat(400)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_entered_is_taken_or_refused_at_a_place_within_it(pattern in any::<String>()) {
            for kind in [PatternKind::Regex, PatternKind::Keyword] {
                if let Err(bad) = check_pattern(kind, &pattern) {
                    prop_assert!(bad.position >= 1 && bad.position <= pattern.chars().count() + 1, "{bad}");
                }
            }
        }
    }
}
