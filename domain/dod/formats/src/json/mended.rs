//! Bytes as a JSON text that a parser takes and a database keeps.
//!
//! Mended, each with a note: bytes that are no UTF-8, U+0000 and halves of a surrogate pair (each becomes U+FFFD),
//! control characters within strings (they become escapes). Everything else is the sender's, byte for byte.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{DEPTH_LEVELS_MAX, Node};
use crate::content::Unreadable;

/// Characters of a number, and the largest power of ten in it. Beyond, no database's number holds it.
const NUMBER_CHARS_MAX: usize = 5_000;
const NUMBER_EXPONENT_MAX: usize = 5_000;

const REPLACEMENT: &[u8] = b"\\ufffd";

/// A body as JSON.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    text: Cow<'a, str>,
    pub(crate) mends: Mends,
}

/// How often what was mended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mends {
    pub(crate) is_not_utf8: bool,
    pub(crate) zeros: usize,
    pub(crate) surrogates: usize,
    pub(crate) controls: usize,
    /// Not mended, but known: a number that no database holds.
    pub(crate) has_huge_number: bool,
}

impl<'a> Document<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Unreadable> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let decoded = String::from_utf8_lossy(body);
        let mut scan = Scan {
            bytes: decoded.as_bytes(),
            at: 0,
            kept: 0,
            mended: Vec::new(),
            mends: Mends::default(),
        };
        scan.mends.is_not_utf8 = matches!(decoded, Cow::Owned(_));
        scan.run()?;
        let (rest, mends) = (scan.kept, scan.mends);
        let text = if rest == 0 {
            decoded
        } else {
            let mut mended = scan.mended;
            mended.extend_from_slice(&decoded.as_bytes()[rest..]);
            Cow::Owned(String::from_utf8_lossy(&mended).into_owned())
        };
        Ok(Self { text, mends })
    }

    /// The whole of it. Fails when it is no JSON.
    pub(crate) fn root(&self) -> Result<Node<'_>, Unreadable> {
        match serde_json::from_str::<&RawValue>(&self.text) {
            Ok(raw) => Ok(Node(raw)),
            Err(_) if self.text.trim().is_empty() => Err(Unreadable::Empty),
            Err(error) => Err(Unreadable::NotJson {
                line: error.line(),
                column: error.column(),
            }),
        }
    }
}

/// Whether every number of a JSON text is one that a database holds.
pub(crate) fn is_storable(text: &str) -> bool {
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
        kept: 0,
        mended: Vec::new(),
        mends: Mends::default(),
    };
    scan.run().is_ok() && !scan.mends.has_huge_number
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Up to where the bytes are in `mended`. Zero: nothing was mended yet.
    kept: usize,
    mended: Vec<u8>,
    mends: Mends,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Unreadable> {
        let mut depth = 0_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH_LEVELS_MAX {
                        return Err(Unreadable::TooDeep {
                            levels_max: DEPTH_LEVELS_MAX,
                        });
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => self.escape(),
                control @ 0..=0x1f => self.control(*control, 1),
                _ => self.at += 1,
            }
        }
    }

    fn control(&mut self, control: u8, length: usize) {
        if control == 0 {
            self.mends.zeros += 1;
            return self.replace(length, REPLACEMENT);
        }
        self.mends.controls += 1;
        let escape = format!("\\u{control:04x}");
        self.replace(length, escape.as_bytes());
    }

    fn escape(&mut self) {
        match self.code(self.at) {
            Some(0) => {
                self.mends.zeros += 1;
                self.replace(6, REPLACEMENT);
            }
            Some(0xd800..=0xdbff) if matches!(self.code(self.at + 6), Some(0xdc00..=0xdfff)) => self.at += 12,
            Some(0xd800..=0xdfff) => {
                self.mends.surrogates += 1;
                self.replace(6, REPLACEMENT);
            }
            Some(_) => self.at += 6,
            None => match self.bytes.get(self.at + 1) {
                // A control character that somebody tried to escape.
                Some(control @ 0..=0x1f) => self.control(*control, 2),
                // The escaped character may be a quotation mark; a broken escape is the parser's to refuse.
                _ => self.at += 2,
            },
        }
    }

    // The code of `\uXXXX` at a place.
    fn code(&self, at: usize) -> Option<u32> {
        let escape = self.bytes.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn number(&mut self) {
        let from = self.at;
        while matches!(
            self.bytes.get(self.at),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let number = &self.bytes[from..self.at];
        if number.len() < 5 {
            return;
        }
        let exponent = number
            .iter()
            .position(|byte| matches!(byte, b'e' | b'E'))
            .map(|at| &number[at + 1..]);
        let power = exponent.map(|digits| {
            let digits = digits.iter().copied().filter(u8::is_ascii_digit);
            digits.fold(0_usize, |power, digit| {
                power.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
            })
        });
        if number.len() > NUMBER_CHARS_MAX || power.is_some_and(|power| power > NUMBER_EXPONENT_MAX) {
            self.mends.has_huge_number = true;
        }
    }

    fn replace(&mut self, length: usize, with: &[u8]) {
        self.mended.extend_from_slice(&self.bytes[self.kept..self.at]);
        self.mended.extend_from_slice(with);
        self.at += length;
        self.kept = self.at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &[u8]) -> String {
        Document::read(body).unwrap().root().unwrap().text().to_string()
    }

    fn refused(body: &[u8]) -> Unreadable {
        Document::read(body).unwrap().root().unwrap_err()
    }

    #[test]
    fn a_sound_body_stays_as_it_is_numbers_and_all() {
        let body = r#"{"a":9007199254740993,"b":1e400,"c":1.10,"d":-0,"e":"\ud83d\ude00 \"\\u0000","a":2}"#;
        assert_eq!(text(body.as_bytes()), body);
        assert_eq!(Document::read(body.as_bytes()).unwrap().mends, Mends::default());
    }

    #[test]
    fn what_no_database_keeps_is_replaced_and_counted() {
        let document =
            Document::read(b"\xef\xbb\xbf{\"a\":\"\\u0000\\ud800x\\udc00\\ud800\\u0041\n\x00\xff\"}").unwrap();
        assert_eq!(
            document.root().unwrap().text(),
            "{\"a\":\"\\ufffd\\ufffdx\\ufffd\\ufffd\\u0041\\u000a\\ufffd\u{fffd}\"}"
        );
        let mends = Mends {
            is_not_utf8: true,
            zeros: 2,
            surrogates: 3,
            controls: 1,
            has_huge_number: false,
        };
        assert_eq!(document.mends, mends);
    }

    #[test]
    fn a_control_character_behind_a_backslash_is_mended_as_one() {
        assert_eq!(text(b"[\"a\\\nb\\\x00\"]"), "[\"a\\u000ab\\ufffd\"]");
    }

    #[test]
    fn what_is_no_json_says_where() {
        assert_eq!(
            refused(b"{\"a\":1,\n\"b\"}"),
            Unreadable::NotJson { line: 2, column: 4 }
        );
        assert_eq!(refused(b" \n"), Unreadable::Empty);
        for body in ["{\"a\":\"\\", "\"\\u12", "{} {}", "[1,]", "{\"a\":01}", "\0"] {
            assert!(matches!(refused(body.as_bytes()), Unreadable::NotJson { .. }), "{body}");
        }
    }

    #[test]
    fn only_so_many_levels_are_looked_at() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Document::read(nested(DEPTH_LEVELS_MAX).as_bytes()).is_ok());
        let deep = Document::read(nested(DEPTH_LEVELS_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(
            deep,
            Unreadable::TooDeep {
                levels_max: DEPTH_LEVELS_MAX
            }
        );
        assert!(
            Document::read(format!("[\"{}\"]", "[".repeat(1_000)).as_bytes()).is_ok(),
            "a text has no levels"
        );
    }

    #[test]
    fn a_number_beyond_a_databases_is_known() {
        assert!(is_storable("[1e400, 1E-5000, 12345678901234567890123456789.5]"));
        assert!(!is_storable("[1e5001]") && !is_storable("[1e-99999999999999999999999]"));
        assert!(!is_storable(&"1".repeat(NUMBER_CHARS_MAX + 1)));
        assert!(is_storable("\"1e99999\""));
    }
}
