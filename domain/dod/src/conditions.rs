//! Conditions on alerts, which silences and correlation rules are made of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use dod_formats::Severity;
use dod_skills::pattern::{COMPILED_BYTES_MAX, PATTERN_CHARS_MAX, PATTERN_LEVELS_MAX, PatternKind, check_pattern};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use domain::text;

pub use dod_skills::subject::Field;

/// Conditions that one rule or silence has.
pub const CONDITIONS_MAX: usize = 16;
/// Regular expressions of one stream, over all of its rules or silences: each takes memory where it is looked at.
pub const PATTERNS_MAX: usize = 100;
/// Bytes that a regular expression uses besides while it runs.
const RUNNING_BYTES_MAX: usize = 64 << 10;
/// Characters of the value of a condition.
pub const VALUE_CHARS_MAX: usize = PATTERN_CHARS_MAX;

/// What conditions look at: an alert, at the moment at which it begins.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name of its source.
    pub source: &'a str,
    pub source_id: Uuid,
    pub alert_type: &'a str,
    pub severity: Severity,
    pub title: &'a str,
    pub description: Option<&'a str>,
    pub labels: &'a BTreeMap<String, String>,
}

impl Subject<'_> {
    /// What the alert has there: nothing for a label or a description that it does not have, several texts for `any`.
    fn values(&self, field: &Field) -> Vec<&str> {
        match field {
            Field::Title => vec![self.title],
            Field::Description => self.description.into_iter().collect(),
            Field::Source => vec![self.source],
            Field::AlertType => vec![self.alert_type],
            Field::Severity => vec![self.severity.into()],
            Field::Label(name) => self.labels.get(name).map(String::as_str).into_iter().collect(),
            Field::Any => {
                let own = [self.title, self.source, self.alert_type, self.severity.into()];
                let labels = self.labels.values().map(String::as_str);
                own.into_iter().chain(self.description).chain(labels).collect()
            }
        }
    }

    /// What the alert has there, where that is one text that is not empty.
    #[must_use]
    pub fn value(&self, field: &Field) -> Option<&str> {
        match self.values(field)[..] {
            [value] if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}

/// How a field is compared.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It is exactly the value; of `any`, one of them is.
    Equal,
    /// It is anything else.
    NotEqual,
    /// The regular expression is found in it, anywhere unless it says `^` and `$`.
    Matches,
    /// The regular expression is not found in it.
    NotMatches,
}

impl Op {
    fn takes_pattern(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

/// One condition on an alert.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The field that is looked at: title, description, source, alert_type, severity, `labels.<name>`, or `any` for each of
    /// them. A label or description that the alert does not have counts as empty.
    pub field: Field,
    /// How it is compared with the value.
    pub op: Op,
    /// The text to compare with, upper and lower case apart; with `matches` and `not_matches` a regular expression.
    /// At most 500 characters.
    #[schemars(length(max = VALUE_CHARS_MAX))]
    pub value: String,
    /// The expression as it is run, made when it is first needed.
    #[serde(skip)]
    #[schemars(skip)]
    compiled: OnceLock<Option<Regex>>,
}

impl Condition {
    #[must_use]
    pub fn new(field: Field, op: Op, value: impl Into<String>) -> Self {
        Self {
            field,
            op,
            value: value.into(),
            compiled: OnceLock::new(),
        }
    }

    /// Whether the alert is as the condition says.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        match self.op {
            Op::Equal => self.is_so(subject, |value| value == self.value),
            Op::NotEqual => !self.is_so(subject, |value| value == self.value),
            // An expression that this program cannot run was refused when it came: neither way does it hold.
            Op::Matches => self
                .pattern()
                .is_some_and(|pattern| self.is_so(subject, |value| pattern.is_match(value))),
            Op::NotMatches => self
                .pattern()
                .is_some_and(|pattern| !self.is_so(subject, |value| pattern.is_match(value))),
        }
    }

    fn is_so(&self, subject: &Subject<'_>, is_so: impl Fn(&str) -> bool) -> bool {
        match subject.values(&self.field)[..] {
            [] => is_so(""),
            ref values => values.iter().any(|value| is_so(value)),
        }
    }

    fn pattern(&self) -> Option<&Regex> {
        let compile = || {
            let mut pattern = RegexBuilder::new(&self.value);
            pattern
                .nest_limit(PATTERN_LEVELS_MAX)
                .size_limit(COMPILED_BYTES_MAX)
                .dfa_size_limit(RUNNING_BYTES_MAX);
            pattern.build().ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    fn check(&self) -> Result<(), String> {
        if self.op.takes_pattern() {
            check_pattern(PatternKind::Regex, &self.value).map_err(|bad| bad.to_string())?;
        } else if self.field == Field::Severity && self.value.parse::<Severity>().is_err() {
            return Err(
                "is no severity of Daybook, whatever the sender calls it; write critical, high, medium or low"
                    .to_owned(),
            );
        }
        text::optional(Some(&self.value), VALUE_CHARS_MAX).map_err(|unfit| unfit.to_string())
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        (&self.field, self.op, &self.value) == (&other.field, other.op, &other.value)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.field, self.op, self.value)
    }
}

/// Whether the alert is as all of the conditions say; without conditions it is.
#[must_use]
pub fn all_hold(conditions: &[Condition], subject: &Subject<'_>) -> bool {
    conditions.iter().all(|condition| condition.holds(subject))
}

/// Whether each condition can be stored and run.
///
/// # Errors
/// A sentence that begins with the place, `when[2].value`, and says what is wrong with it; of an expression with the
/// place in it.
pub fn check(conditions: &[Condition]) -> Result<(), String> {
    if conditions.len() > CONDITIONS_MAX {
        let count = conditions.len();
        return Err(format!(
            "when has {count} conditions; at most {CONDITIONS_MAX} are allowed"
        ));
    }
    for (place, condition) in conditions.iter().enumerate() {
        condition.check().map_err(|misfit| match condition.op.takes_pattern() {
            true => format!("when[{place}].value, {misfit}"),
            false => format!("when[{place}].value {misfit}"),
        })?;
    }
    Ok(())
}

/// What is full of a stream that holds rules, silences or the like, each with conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// There are as many of them as there may be.
    Count,
    /// Their regular expressions.
    Patterns,
}

/// Whether one with these conditions has room among the others, of which so many may be.
///
/// # Errors
/// What is full.
pub fn room<'a>(
    others: impl Iterator<Item = &'a [Condition]>,
    count_max: usize,
    when: &[Condition],
) -> Result<(), Full> {
    let (count, patterns) = others.fold((0, patterns(when)), |(count, all), other| {
        (count + 1, all + patterns(other))
    });
    if count >= count_max {
        Err(Full::Count)
    } else if patterns > PATTERNS_MAX {
        Err(Full::Patterns)
    } else {
        Ok(())
    }
}

/// How many of the conditions are regular expressions.
fn patterns(conditions: &[Condition]) -> usize {
    conditions
        .iter()
        .filter(|condition| condition.op.takes_pattern())
        .count()
}

#[cfg(test)]
mod tests;
