//! A skill's standard operating procedure: Markdown that a person can follow, of which some lines are followed by the service.
//!
//! A line that begins with `check`, `get`, `expect`, `if` or `conclude`, after the mark of its list, is an instruction. All else
//! is a note to the reader: headings, quotations, fenced code and sentences. docs/procedures.md tells all of it with examples.

mod check;
mod conclude;
mod get;
mod words;

use std::fmt;

use regex::Regex;
use rust_decimal::Decimal;

use crate::finding::Outcome;
use crate::pattern::{self, BadPattern};
use dod_formats::Severity;
use words::Words;
pub(crate) use words::decimal;

/// Bytes of a procedure, steps and conclusions in it, and faults of it that are told at a time.
pub const SOP_BYTES_MAX: usize = 32 << 10;
pub const STEPS_MAX: usize = 50;
pub const CONCLUSIONS_MAX: usize = 100;
pub const BAD_LINES_MAX: usize = 20;
/// Things that one `get` expects, and characters of its path, of a value and of a tool's name.
pub const EXPECTATIONS_MAX: usize = 10;
pub const PATH_CHARS_MAX: usize = 1_000;
pub const VALUE_CHARS_MAX: usize = 500;
pub const TOOL_CHARS_MAX: usize = 255;
/// The longest span that a check looks back.
pub const SPAN_SECONDS_MAX: i64 = 90 * 24 * 3_600;

/// A procedure that was read.
#[derive(Debug, Clone, Default)]
pub struct Sop {
    pub instructions: Vec<Instruction>,
}

/// A line of it.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// From 1.
    pub line: u32,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// For who reads it.
    Note(String),
    Check(Step<Check>),
    Get(Step<Get>),
    Conclude(Conclude),
}

/// Something to find out.
#[derive(Debug, Clone)]
pub struct Step<T> {
    /// From 1, counted over checks and gets.
    pub number: u32,
    /// As it is written.
    pub text: String,
    pub what: T,
}

/// What is looked at without asking anybody.
#[derive(Debug, Clone)]
pub enum Check {
    Alert {
        part: Part,
        test: Test,
    },
    Severity(SeverityTest),
    Fired {
        count: Count,
        seconds: i64,
    },
    Firing {
        is_longer: bool,
        seconds: i64,
    },
    Flapping(bool),
    Others {
        include: bool,
        name: String,
    },
    /// Alerts in the issue, this one included.
    InIssue(Count),
    LastCorrection(Option<bool>),
}

/// A part of the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Title,
    Description,
    Source,
    Type,
    Label(String),
    /// A place in the alert's body, as a JSON pointer.
    Value(String),
}

/// What a text or a number must be.
#[derive(Debug, Clone)]
pub enum Test {
    Exists,
    Missing,
    /// One of these, without regard to case; numbers of JSON by their worth.
    Is(Vec<String>),
    IsNot(Vec<String>),
    Contains(String),
    Lacks(String),
    Matches(Regex),
    MatchesNot(Regex),
    Compares(Order, Decimal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeverityTest {
    Is(Vec<Severity>),
    IsNot(Vec<Severity>),
    AtLeast(Severity),
    AtMost(Severity),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    More,
    AtLeast,
    Less,
    AtMost,
    Exactly,
}

impl Order {
    pub fn holds<T: PartialOrd>(self, value: &T, bound: &T) -> bool {
        match self {
            Order::More => value > bound,
            Order::AtLeast => value >= bound,
            Order::Less => value < bound,
            Order::AtMost => value <= bound,
            Order::Exactly => value == bound,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub order: Order,
    pub number: u32,
}

/// A question to a tool that only reads.
#[derive(Debug, Clone)]
pub struct Get {
    pub tool: String,
    pub path: Vec<PathPart>,
    pub expectations: Vec<Expectation>,
}

/// A piece of a path: text, or a part of the alert that is written into it, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    Text(String),
    Of(Part),
}

#[derive(Debug, Clone)]
pub enum Expectation {
    /// One of these; `2xx` is all from 200 to 299.
    Status(Vec<std::ops::RangeInclusive<u16>>),
    Json {
        pointer: String,
        test: Test,
    },
    Body(Test),
}

/// Where a procedure may end.
#[derive(Debug, Clone)]
pub struct Conclude {
    /// All of them must be so; none is always so.
    pub when: Vec<Condition>,
    /// Absent when it says that nobody can tell.
    pub is_real_issue: Option<bool>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    pub of: Of,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Step(u32),
    /// Every step before it.
    All,
    /// Some step before it.
    Any,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: u32,
    /// Sentences: what is wrong, and what there is.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for BadLine {}

impl Sop {
    /// Whether it has something that the service can find out.
    pub fn has_steps(&self) -> bool {
        self.instructions
            .iter()
            .any(|instruction| matches!(instruction.what, What::Check(_) | What::Get(_)))
    }

    /// The tools that it asks, each once, by name.
    pub fn tools(&self) -> Vec<&str> {
        let mut tools: Vec<_> = self
            .instructions
            .iter()
            .filter_map(|instruction| match &instruction.what {
                What::Get(step) => Some(step.what.tool.as_str()),
                What::Note(_) | What::Check(_) | What::Conclude(_) => None,
            })
            .collect();
        tools.sort_unstable();
        tools.dedup();
        tools
    }
}

/// Reads a procedure.
///
/// # Errors
/// The lines that cannot be read, at most 20 of them, each with what there is in its place.
pub fn parse(markdown: &str) -> Result<Sop, Vec<BadLine>> {
    if markdown.len() > SOP_BYTES_MAX {
        let reason = format!(
            "A procedure has at most {SOP_BYTES_MAX} bytes; this one has {}. Split the skill.",
            markdown.len()
        );
        return Err(vec![BadLine { line: 1, reason }]);
    }
    let mut reader = Reader::default();
    let mut bad = Vec::new();
    for (index, line) in markdown.lines().enumerate() {
        let line_number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if let Err(reason) = reader.line(line_number, line) {
            bad.push(BadLine {
                line: line_number,
                reason,
            });
            if bad.len() == BAD_LINES_MAX {
                break;
            }
        }
    }
    if bad.is_empty() { Ok(reader.sop) } else { Err(bad) }
}

#[derive(Default)]
struct Reader {
    sop: Sop,
    steps: u32,
    conclusions: usize,
    /// The mark that closes the code which is being read.
    fence: Option<&'static str>,
    /// Numbers that a person wrote before steps, each with the step's number.
    written: Vec<(u32, u32)>,
}

const INSTRUCTIONS: [&str; 5] = ["check", "get", "expect", "if", "conclude"];

impl Reader {
    fn line(&mut self, line: u32, written: &str) -> Result<(), String> {
        let trimmed = written.trim();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (self.fence, mark) {
            (None, Some(mark)) => self.fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => self.fence = None,
            (None, None) => return self.text(line, written, trimmed),
            (Some(_), _) => {}
        }
        self.push(line, What::Note(trimmed.to_owned()));
        Ok(())
    }

    fn text(&mut self, line: u32, written: &str, trimmed: &str) -> Result<(), String> {
        let (number, text) = unmarked(trimmed);
        let is_outermost = !written.starts_with([' ', '\t']);
        let mut words = Words::new(text);
        let first = words.peek().to_lowercase();
        if trimmed.starts_with(['>', '#']) || !INSTRUCTIONS.contains(&first.as_str()) {
            if !trimmed.is_empty() {
                self.push(line, What::Note(trimmed.to_owned()));
            }
            return Ok(());
        }
        words.skip();
        let what = match first.as_str() {
            "check" => {
                let what = check::check(&mut words)?;
                What::Check(Step {
                    number: self.step(number.filter(|_| is_outermost))?,
                    text: text.to_owned(),
                    what,
                })
            }
            "get" => {
                let what = get::get(&mut words)?;
                What::Get(Step {
                    number: self.step(number.filter(|_| is_outermost))?,
                    text: text.to_owned(),
                    what,
                })
            }
            "expect" => return self.expect(&mut words, text),
            "if" => {
                let when = conclude::conditions(&mut words, self.steps, &self.written)?;
                self.conclude(when, &mut words)?
            }
            _ => self.conclude(Vec::new(), &mut words)?,
        };
        self.push(line, what);
        Ok(())
    }

    fn push(&mut self, line: u32, what: What) {
        self.sop.instructions.push(Instruction { line, what });
    }

    fn step(&mut self, written: Option<u32>) -> Result<u32, String> {
        if self.steps as usize == STEPS_MAX {
            return Err(format!("A procedure has at most {STEPS_MAX} steps. Split the skill."));
        }
        self.steps += 1;
        self.written.extend(written.map(|written| (written, self.steps)));
        Ok(self.steps)
    }

    /// A line beneath a get that says more of what is expected.
    fn expect(&mut self, words: &mut Words<'_>, text: &str) -> Result<(), String> {
        let Some(Instruction {
            what: What::Get(get), ..
        }) = self.sop.instructions.last_mut()
        else {
            return Err("expect belongs to a get: write it on the get's line or right beneath it.".to_owned());
        };
        get::expectations(words, &mut get.what.expectations)?;
        get.text = format!("{} {text}", get.text);
        Ok(())
    }

    fn conclude(&mut self, when: Vec<Condition>, words: &mut Words<'_>) -> Result<What, String> {
        if self.conclusions == CONCLUSIONS_MAX {
            return Err(format!(
                "A procedure has at most {CONCLUSIONS_MAX} conclusions. Split the skill."
            ));
        }
        self.conclusions += 1;
        let (is_real_issue, text) = conclude::verdict(words)?;
        Ok(What::Conclude(Conclude {
            when,
            is_real_issue,
            text,
        }))
    }
}

/// The line without the mark of its list, its box and the quotation marks of code; and the number that its mark has.
fn unmarked(line: &str) -> (Option<u32>, &str) {
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let (number, mut text) = match (
        line.get(..digits),
        line.get(digits..).map(|rest| rest.split_at_checked(1)),
    ) {
        (Some(number), Some(Some(("." | ")", rest)))) if digits > 0 && rest.starts_with([' ', '\t']) => {
            (number.parse().ok(), rest)
        }
        _ => match line.split_at_checked(1) {
            Some(("-" | "*" | "+", rest)) if rest.starts_with([' ', '\t']) => (None, rest),
            _ => (None, line),
        },
    };
    text = text.trim();
    for check_box in ["[ ] ", "[x] ", "[X] "] {
        text = text.strip_prefix(check_box).unwrap_or(text).trim();
    }
    if let Some(code) = text
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'))
        .filter(|code| !code.contains('`'))
    {
        text = code.trim();
    }
    (number, text)
}

/// An expression between slashes, with an `i` behind them where case does not matter.
fn expression(pattern: &str, is_caseless: bool) -> Result<Regex, String> {
    let pattern = if is_caseless {
        format!("(?i){pattern}")
    } else {
        pattern.to_owned()
    };
    pattern::compiled(&pattern)
        .map(|(regex, _)| regex)
        .map_err(|BadPattern { position, reason }| {
            format!("The expression between the slashes cannot be used, at its character {position}. {reason}")
        })
}

#[cfg(test)]
mod tests;
