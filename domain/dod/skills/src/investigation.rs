//! Follows a procedure over the evidence, one step at a time, to a conclusion.
//!
//! What is next depends on the procedure, the evidence and the findings so far, and on nothing else: an investigation that was
//! interrupted goes on where it was, and a step that has a finding is not done again. Texts of alerts and tools are compared and
//! quoted; no step and no conclusion is ever read from them.

mod conclusion;
mod local;
mod path;
mod tool;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::finding::{CHECK_CHARS_MAX, Finding, Outcome, SEEN_CHARS_MAX};
use crate::quote::{cut, plain};
use crate::sop::{self, Check, Condition, Expectation, Get, Of, Part, Sop, Step as Written, What};

/// Steps that an investigation does, when nothing else is said.
pub const STEPS_MAX: u32 = 50;
/// Bytes of a conclusion's text.
pub const CONCLUSION_BYTES_MAX: usize = 8 << 10;
/// Bytes of the notes that come before a step.
pub const NOTES_BYTES_MAX: usize = 4 << 10;

/// What is looked at when no skill was found, or when its procedure has nothing that can be looked at.
pub const DEFAULT_SOP: &str = include_str!("investigation/default.md");

/// An investigation.
pub struct Run<'a> {
    sop: std::borrow::Cow<'a, Sop>,
    kind: Kind,
    evidence: &'a Evidence,
    steps_max: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Skill,
    NoSkill,
    /// The skill's procedure is for persons alone.
    SkillWithoutSteps,
}

/// What comes next.
#[derive(Debug, Clone)]
pub enum Next {
    Do(Step),
    Conclude(Conclusion),
}

/// Something to find out.
#[derive(Debug, Clone)]
pub struct Step {
    /// From 1, within the procedure.
    pub number: u32,
    /// As it is written in the procedure.
    pub text: String,
    /// The procedure's notes before it: why it is done. Empty, or at most 4 KiB.
    pub notes: String,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub enum Action {
    /// To be told by [`evaluate_local`].
    Local(Local),
    /// To be asked of a tool, its answer to be told to [`judge_http`].
    Http(Call),
}

/// A check that asks nobody.
#[derive(Debug, Clone)]
pub enum Local {
    Check(Check),
    /// A tool that cannot be asked, and why.
    NotAsked(String),
}

/// A question to a tool that only reads: a GET.
#[derive(Debug, Clone)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// Path and query, beginning with one slash and never leaving the tool's own. Parts of the alert in it are encoded.
    pub path: String,
    pub expectations: Vec<Expectation>,
}

/// How an investigation ends.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    /// What it is, what was checked, what was found and what could not be known. Never empty, at most 8 KiB.
    pub text: String,
    /// Whether it is a real issue; absent where it cannot be told.
    pub is_real_issue: Option<bool>,
    /// The steps that it rests on.
    pub evidence: Vec<u32>,
    /// What could not be known: steps without an answer, and steps that were not done. At most 50 lines of some 260 characters.
    pub unknown: Vec<String>,
}

impl<'a> Run<'a> {
    /// An investigation by a skill's procedure, or by the built-in one where there is none.
    pub fn new(sop: Option<&'a Sop>, evidence: &'a Evidence) -> Self {
        use std::borrow::Cow;
        let (sop, kind) = match sop {
            Some(sop) if sop.has_steps() => (Cow::Borrowed(sop), Kind::Skill),
            Some(_) => (Cow::Owned(default_sop()), Kind::SkillWithoutSteps),
            None => (Cow::Owned(default_sop()), Kind::NoSkill),
        };
        Self {
            sop,
            kind,
            evidence,
            steps_max: STEPS_MAX,
        }
    }

    /// The same with another bound on the steps that are done.
    #[must_use]
    pub fn within(self, steps_max: u32) -> Self {
        Self {
            steps_max: steps_max.min(STEPS_MAX),
            ..self
        }
    }

    /// What comes next, of the findings so far. Findings of steps that there are not are left out.
    pub fn next(&self, findings: &[Finding]) -> Next {
        let mut done: Vec<&Finding> = Vec::new();
        let mut notes = String::new();
        for instruction in &self.sop.instructions {
            let (number, step) = match &instruction.what {
                What::Note(note) => {
                    if notes.len() < NOTES_BYTES_MAX {
                        notes.push_str(note);
                        notes.push('\n');
                    }
                    continue;
                }
                What::Conclude(conclude) => {
                    if conclude.when.iter().all(|condition| is_so(*condition, &done)) {
                        return Next::Conclude(self.concluded(conclude, &done));
                    }
                    continue;
                }
                What::Check(step) => (step.number, Ahead::Check(step)),
                What::Get(step) => (step.number, Ahead::Get(step)),
            };
            match findings.iter().find(|finding| finding.step == number) {
                Some(finding) => done.push(finding),
                None if done.len() >= self.steps_max as usize => {
                    return Next::Conclude(self.stopped(
                        findings,
                        &format!("It had done the {} steps that it may do.", self.steps_max),
                    ));
                }
                None => return Next::Do(self.step(step, cut(notes, NOTES_BYTES_MAX))),
            }
            notes.clear();
        }
        Next::Conclude(self.without_conclusion(&done))
    }

    /// The conclusion when it must end before its time: of what was found so far, with the reason why it ends.
    pub fn stopped(&self, findings: &[Finding], reason: &str) -> Conclusion {
        let done: Vec<_> = self
            .numbers()
            .filter_map(|number| findings.iter().find(|finding| finding.step == number))
            .collect();
        self.before_its_time(&done, reason)
    }

    fn step(&self, step: Ahead<'_>, notes: String) -> Step {
        match step {
            Ahead::Check(Written { number, text, what }) => Step {
                number: *number,
                text: text.clone(),
                notes,
                action: Action::Local(Local::Check(what.clone())),
            },
            Ahead::Get(Written { number, text, what }) => {
                let action = match path::filled(&what.path, self.evidence) {
                    Ok(path) => Action::Http(Call {
                        tool: what.tool.clone(),
                        path,
                        expectations: what.expectations.clone(),
                    }),
                    Err(reason) => Action::Local(Local::NotAsked(reason)),
                };
                Step {
                    number: *number,
                    text: text.clone(),
                    notes,
                    action,
                }
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.sop
            .instructions
            .iter()
            .filter_map(|instruction| match &instruction.what {
                What::Check(step) => Some(step.number),
                What::Get(step) => Some(step.number),
                What::Note(_) | What::Conclude(_) => None,
            })
    }
}

/// A step that has no finding yet.
enum Ahead<'a> {
    Check(&'a Written<Check>),
    Get(&'a Written<Get>),
}

/// What a step finds that asks nobody. A step that asks a tool was not asked.
pub fn evaluate_local(step: &Step, evidence: &Evidence) -> Finding {
    let (outcome, seen) = match &step.action {
        Action::Local(Local::Check(check)) => local::evaluate(check, evidence),
        Action::Local(Local::NotAsked(reason)) => (Outcome::CouldNotKnow, reason.clone()),
        Action::Http(_) => (Outcome::CouldNotKnow, "The tool was not asked.".to_owned()),
    };
    finding(step, outcome, seen)
}

/// What a tool's answer shows. `is_cut` tells that the body is only the start of what the tool sent.
pub fn judge_http(step: &Step, status: u16, body: &[u8], is_cut: bool) -> Finding {
    let (outcome, seen) = match &step.action {
        Action::Http(call) => tool::judge(call, status, body, is_cut),
        Action::Local(_) => (Outcome::CouldNotKnow, "This step asks no tool.".to_owned()),
    };
    finding(step, outcome, seen)
}

/// That a tool gave no answer, or was not asked, and why: one sentence.
pub fn no_answer(step: &Step, reason: &str) -> Finding {
    finding(step, Outcome::CouldNotKnow, plain(reason, SEEN_CHARS_MAX - 1))
}

fn finding(step: &Step, outcome: Outcome, seen: String) -> Finding {
    let check = plain(&step.text, CHECK_CHARS_MAX - 1);
    Finding {
        step: step.number,
        check,
        outcome,
        seen: shortened(seen),
    }
}

fn shortened(seen: String) -> String {
    match seen.char_indices().nth(SEEN_CHARS_MAX - 1) {
        Some((end, _)) if seen.chars().nth(SEEN_CHARS_MAX).is_some() => {
            format!("{}…", seen.get(..end).unwrap_or_default())
        }
        _ => seen,
    }
}

fn is_so(condition: Condition, done: &[&Finding]) -> bool {
    let is = |finding: &&Finding| finding.outcome == condition.outcome;
    match condition.of {
        Of::Step(number) => done.iter().find(|finding| finding.step == number).is_some_and(is),
        Of::All => !done.is_empty() && done.iter().all(is),
        Of::Any => done.iter().any(is),
    }
}

/// A part of the alert, or what is at a place of a body.
enum Found {
    Text(String),
    /// A number of JSON, as it stands there.
    Number(String),
    Absent,
    /// And why.
    Unknown(String),
}

fn part_of(part: &Part, evidence: &Evidence) -> Found {
    match part {
        Part::Title => Found::Text(evidence.title.clone()),
        Part::Description => evidence.description.clone().map_or(Found::Absent, Found::Text),
        Part::Source => Found::Text(evidence.source.clone()),
        Part::Type => Found::Text(evidence.alert_type.clone()),
        Part::Label(name) => evidence.labels.get(name).cloned().map_or(Found::Absent, Found::Text),
        Part::Value(pointer) => match &evidence.raw {
            None => Found::Unknown("The alert's body was not kept.".to_owned()),
            Some(raw) => match serde_json::from_str::<serde_json::Value>(raw) {
                Ok(body) => at(&body, pointer),
                Err(_) => Found::Unknown("The alert's body is not JSON.".to_owned()),
            },
        },
    }
}

fn at(body: &serde_json::Value, pointer: &str) -> Found {
    match body.pointer(pointer) {
        None | Some(serde_json::Value::Null) => Found::Absent,
        Some(serde_json::Value::String(text)) => Found::Text(text.clone()),
        Some(serde_json::Value::Number(number)) => Found::Number(number.to_string()),
        Some(value) => Found::Text(value.to_string()),
    }
}

/// The built-in procedure. That it can be read is tested; if it could not, an investigation would end at once and say so.
fn default_sop() -> Sop {
    sop::parse(DEFAULT_SOP).unwrap_or_default()
}

#[cfg(test)]
mod tests;
