//! The path of a question, with parts of the alert in it. Nothing of the alert can change where it leads.

use crate::evidence::Evidence;
use crate::investigation::{Found, part_of};
use crate::sop::PathPart;

/// Characters of a part of the alert in a path, and of the path.
const PART_CHARS_MAX: usize = 200;
const FILLED_BYTES_MAX: usize = 4 << 10;

/// The path, or why there is none.
pub fn filled(parts: &[PathPart], evidence: &Evidence) -> Result<String, String> {
    let mut path = String::new();
    for part in parts {
        match part {
            PathPart::Text(text) => path.push_str(text),
            PathPart::Of(part) => match part_of(part, evidence) {
                Found::Text(text) | Found::Number(text)
                    if text.is_empty() || text.chars().nth(PART_CHARS_MAX).is_some() =>
                {
                    return Err(format!(
                        "The tool was not asked: what its path names of the alert is empty or longer than {PART_CHARS_MAX} characters."
                    ));
                }
                Found::Text(text) | Found::Number(text) => encode(&text, &mut path),
                Found::Absent => {
                    return Err("The tool was not asked: the alert lacks a part that the path names.".to_owned());
                }
                Found::Unknown(reason) => return Err(format!("The tool was not asked: {reason}")),
            },
        }
    }
    if path.len() > FILLED_BYTES_MAX {
        return Err(format!(
            "The tool was not asked: its path would be longer than {FILLED_BYTES_MAX} bytes."
        ));
    }
    if !path.starts_with('/') || path.starts_with("//") || path.split(['/', '?', '&', ';']).any(leads_up) {
        return Err("The tool was not asked: its path would lead elsewhere.".to_owned());
    }
    Ok(path)
}

/// All but letters, digits and four signs as % and two digits.
fn encode(text: &str, path: &mut String) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

/// Clients and servers read `%2e` as a dot, and two dots as the folder above.
fn leads_up(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase().replace("%2e", ".");
    segment == "." || segment == ".."
}
