//! Questions to tools that only read.

use crate::quote::quoted;
use crate::sop::words::{Words, unknown};
use crate::sop::{EXPECTATIONS_MAX, Expectation, Get, PATH_CHARS_MAX, Part, PathPart, TOOL_CHARS_MAX, Test, check};

const ENDS: [&str; 2] = ["expect", "and"];
const PLACES: &str = "{label NAME}, {title}, {source} and {type}";

pub fn get(words: &mut Words<'_>) -> Result<Get, String> {
    let tool = words.name("the tool's name")?;
    if tool.starts_with('/') {
        return Err(
            "Behind get comes the tool's name and then the path, as in: get prometheus /api/v1/alerts".to_owned(),
        );
    }
    if tool.chars().nth(TOOL_CHARS_MAX).is_some() {
        return Err(format!("A tool's name has at most {TOOL_CHARS_MAX} characters."));
    }
    let path = path(word_with_places(words)?)?;
    let mut get = Get {
        tool,
        path,
        expectations: Vec::new(),
    };
    if !words.is_empty() {
        if !words.take("expect") {
            return Err(unknown(
                words.peek(),
                "the path",
                &[
                    "expect status 200",
                    "expect json /pointer is VALUE",
                    "expect body contains VALUE",
                ],
            ));
        }
        expectations(words, &mut get.expectations)?;
    }
    Ok(get)
}

/// What follows `expect`, and what follows each further `and` or `expect`.
pub fn expectations(words: &mut Words<'_>, expectations: &mut Vec<Expectation>) -> Result<(), String> {
    loop {
        if expectations.len() == EXPECTATIONS_MAX {
            return Err(format!("At most {EXPECTATIONS_MAX} things are expected of one answer."));
        }
        expectations.push(expectation(words)?);
        let and = words.take("and");
        let expect = words.take("expect");
        if !and && !expect {
            return words.done();
        }
    }
}

fn expectation(words: &mut Words<'_>) -> Result<Expectation, String> {
    if words.take("status") {
        let mut statuses = vec![status(words.skip())?];
        while words.take("or") {
            if statuses.len() == EXPECTATIONS_MAX {
                return Err(format!("At most {EXPECTATIONS_MAX} statuses are named."));
            }
            statuses.push(status(words.skip())?);
        }
        Ok(Expectation::Status(statuses))
    } else if words.take("json") {
        let pointer = words.pointer()?;
        Ok(Expectation::Json {
            pointer,
            test: check::test(words, &ENDS)?,
        })
    } else if words.take("body") {
        match check::test(words, &ENDS)? {
            test @ (Test::Contains(_) | Test::Lacks(_) | Test::Matches(_) | Test::MatchesNot(_)) => Ok(Expectation::Body(test)),
            Test::Exists | Test::Missing | Test::Is(_) | Test::IsNot(_) | Test::Compares(..) => {
                Err("A body contains, does not contain, matches or does not match; a value in it is looked at by json /pointer.".to_owned())
            }
        }
    } else {
        Err(unknown(words.peek(), "expect", &["status", "json /pointer", "body"]))
    }
}

/// `200`, or `2xx` for all from 200 to 299.
fn status(word: &str) -> Result<std::ops::RangeInclusive<u16>, String> {
    let word = word.trim_end_matches(',').to_lowercase();
    let hundred = word
        .strip_suffix("xx")
        .and_then(|hundred| hundred.parse::<u16>().ok())
        .filter(|h| (1..=5).contains(h));
    match (hundred, word.parse::<u16>()) {
        (Some(hundred), _) => Ok(hundred * 100..=hundred * 100 + 99),
        (None, Ok(status)) if (100..=599).contains(&status) => Ok(status..=status),
        (None, _) => Err(format!(
            "{} is not a status; write one as in 200 or 2xx.",
            quoted(&word, 40)
        )),
    }
}

/// The next word; within braces there may be spaces.
fn word_with_places<'a>(words: &mut Words<'a>) -> Result<&'a str, String> {
    let rest = words.rest();
    let mut is_within = false;
    let end = rest.find(|c: char| {
        is_within = (is_within || c == '{') && c != '}';
        c.is_whitespace() && !is_within
    });
    let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    if path.is_empty() {
        return Err("Behind the tool's name comes the path, which begins with a slash.".to_owned());
    }
    *words = Words::new(rest.get(path.len()..).unwrap_or_default());
    Ok(path)
}

fn path(written: &str) -> Result<Vec<PathPart>, String> {
    if !written.starts_with('/') || written.starts_with("//") {
        return Err(format!(
            "The path {} does not begin with one slash. The tool knows its host.",
            quoted(written, 60)
        ));
    }
    if written.chars().nth(PATH_CHARS_MAX).is_some() {
        return Err(format!(
            "The path is longer than {PATH_CHARS_MAX} characters; shorten it."
        ));
    }
    let mut parts = Vec::new();
    let mut rest = written;
    while let Some((text, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else {
            return Err(format!(
                "A brace in the path is not closed. There are {PLACES}; a brace itself is written %7B."
            ));
        };
        parts.push(PathPart::Text(literal(text)?));
        parts.push(PathPart::Of(part(place)?));
        rest = after;
    }
    parts.push(PathPart::Text(literal(rest)?));
    Ok(parts)
}

fn part(place: &str) -> Result<Part, String> {
    let mut words = Words::new(place);
    let part = if words.take("label") {
        Part::Label(words.name("the label's name")?)
    } else if words.take("title") {
        Part::Title
    } else if words.take("source") {
        Part::Source
    } else if words.take("type") {
        Part::Type
    } else {
        return Err(unknown(
            words.peek(),
            "a brace in the path",
            &["{label NAME}", "{title}", "{source}", "{type}"],
        ));
    };
    words.done()?;
    Ok(part)
}

/// Characters that stand for themselves in a path and its query.
fn literal(text: &str) -> Result<String, String> {
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%[]".contains(*c)))
    {
        None => Ok(text.to_owned()),
        Some(c) => Err(format!(
            "The path holds {c:?}, which must be written as % and two digits: {}. There are {PLACES} for parts of the alert.",
            c.to_string()
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect::<String>()
        )),
    }
}
