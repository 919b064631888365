//! A piece of text that every match of a regular expression must hold, so that most expressions need not be run.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::fold::fold;

/// Pieces of which one must be there; more of them would be met too often.
const PIECES_MAX: usize = 16;
/// Bytes of a piece. The start of a longer one does as well, and keeps the pieces from being found within one another.
const PIECE_BYTES_MIN: usize = 2;
const PIECE_BYTES_MAX: usize = 16;
const CLASS_CHARS_MAX: usize = 8;
const REPEATED_MAX: u32 = 16;

/// Folded texts, one of which is in the folded form of every text that the expression matches. None when there is no such text.
pub fn needed(expression: &Hir) -> Vec<String> {
    let mut pieces = pieces(expression).unwrap_or_default();
    for piece in &mut pieces {
        let mut end = piece.len().min(PIECE_BYTES_MAX);
        while !piece.is_char_boundary(end) {
            end -= 1;
        }
        piece.truncate(end);
    }
    pieces.sort();
    pieces.dedup();
    pieces
}

fn pieces(hir: &Hir) -> Option<Vec<String>> {
    if let Some(text) = whole(hir) {
        return useful(&text);
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Literal(_) => None,
        HirKind::Repetition(repetition) if repetition.min == 0 => None,
        HirKind::Repetition(repetition) => pieces(&repetition.sub),
        HirKind::Capture(capture) => pieces(&capture.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(pieces(branch)?);
                if all.len() > PIECES_MAX {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Concat(parts) => {
            let mut best = None;
            let mut run = String::new();
            for part in parts {
                if let Some(text) = whole(part) {
                    run.push_str(&text);
                } else {
                    best = better(best, useful(&std::mem::take(&mut run)));
                    best = better(best, pieces(part));
                }
            }
            better(best, useful(&run))
        }
    }
}

/// The folded text that the expression stands for, when there is just one.
fn whole(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(String::new()),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(fold),
        HirKind::Class(Class::Unicode(class)) => one_of(class.iter().flat_map(|range| range.start()..=range.end())),
        HirKind::Class(Class::Bytes(class)) => one_of(
            class
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .map(char::from),
        ),
        HirKind::Capture(capture) => whole(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(whole).collect(),
        HirKind::Repetition(repetition) => {
            let times = repetition
                .max
                .filter(|max| *max == repetition.min && *max <= REPEATED_MAX)?;
            whole(&repetition.sub).map(|text| text.repeat(times as usize))
        }
        HirKind::Alternation(_) => None,
    }
}

/// `[Dd]` is one letter, once it is folded.
fn one_of(chars: impl Iterator<Item = char>) -> Option<String> {
    let mut one = None;
    for (count, c) in chars.enumerate() {
        let folded = fold(c.encode_utf8(&mut [0; 4]));
        if count == CLASS_CHARS_MAX || one.as_ref().is_some_and(|one| *one != folded) {
            return None;
        }
        one = Some(folded);
    }
    one
}

/// Parts meet at white space, so what was put together is folded once more.
fn useful(text: &str) -> Option<Vec<String>> {
    let text = fold(text);
    (text.trim().len() >= PIECE_BYTES_MIN).then(|| vec![text])
}

/// The one whose shortest piece is longer.
fn better(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    let shortest = |pieces: &Option<Vec<String>>| {
        pieces
            .as_ref()
            .and_then(|p| p.iter().map(String::len).min())
            .unwrap_or(0)
    };
    if shortest(&other) > shortest(&one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern;

    fn needs(expression: &str) -> Vec<String> {
        needed(&pattern::parsed(expression).unwrap())
    }

    #[test]
    fn the_longest_piece_that_must_be_there_is_found() {
        assert_eq!(needs(r"(?i)Disk.*fulls?\b"), ["disk"]);
        assert_eq!(needs(r"^\d+ (oom|out\s+of\s+memory) \w"), ["memory", "oom"]);
        assert_eq!(needs(r"api-(eu|us)-\d+"), ["api-"]);
        assert_eq!(needs(r"(ab){2}c{2,}"), ["abab"]);
        assert_eq!(needs(r"a  b"), ["a b"]);
        assert_eq!(needs("averyverylongpieceoftext"), ["averyverylongpie"]);
        for nothing in [r"\d+", r"(abc)?\d", r"abc|\d+", r".*", r"[a-z]+", "x"] {
            assert!(needs(nothing).is_empty(), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn a_text_that_matches_holds_a_piece(
            expression in "(\\(\\?i\\))?([asKk ]|ſ|\\\\b|\\\\s|[ab]c|\\[sS\\]|\\.\\*|a\\{2\\}|x\\?|(a|  b|S)){1,6}",
            text in "[ asSbBckKxſ\u{212A}\t]{0,24}",
        ) {
            prop_assume!(!expression.trim().is_empty());
            let (regex, _) = pattern::compiled(&expression).unwrap();
            let pieces = needs(&expression);
            if regex.is_match(&text) && !pieces.is_empty() {
                let folded = fold(&text);
                prop_assert!(pieces.iter().any(|piece| folded.contains(piece)), "{expression} {text} {pieces:?}");
            }
        }
    }
}
