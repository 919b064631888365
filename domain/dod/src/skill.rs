//! What is known of solving a problem: what the problem is, and what to do. Feeds `skills` of document
//! 002_292caa697ae18d8c.

use dod_skills::sop::{self, BadLine, SOP_BYTES_MAX};
use dod_skills::vectors;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use domain::faults::Faults;
use domain::register::{Entry, Register};
use domain::text::{self, Unfit};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Register<Skill>>("skills");

/// Characters of a skill's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Bytes of the description of a problem.
pub const PROBLEM_DESCRIPTION_BYTES_MAX: usize = 8 << 10;
/// Lines of a procedure that one refusal names.
const BAD_LINES_TOLD_MAX: usize = 3;

/// A skill as it is entered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// What people call it. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The problem that it solves, in the words in which alerts tell of it: skills are found by it. At most 8 KiB.
    #[schemars(length(min = 1, max = PROBLEM_DESCRIPTION_BYTES_MAX))]
    pub problem_description: String,
    /// What to do, in Markdown. Lines that begin with check, get, expect, if or conclude are followed by Daybook, all
    /// others are for people. At most 32 KiB.
    #[schemars(length(min = 1, max = SOP_BYTES_MAX))]
    pub sop: String,
}

impl Skill {
    /// SHA-256, in hexadecimal, of the text that its vector is made of: a vector of another text is of another skill, or
    /// of what this one was before.
    #[must_use]
    pub fn text_sha256(&self) -> String {
        let text = vectors::text_of_skill(&self.name, &self.problem_description);
        hex::encode(Sha256::digest(text))
    }
}

impl Entry for Skill {
    const TYPE: &'static str = "dod.skill";
    const NOUN: &'static str = "skill";
    const ENTERED: &'static str = "SkillEntered";
    const AMENDED: &'static str = "SkillAmended";
    const STRUCK: &'static str = "SkillStruck";
    const BODY_BYTES_MAX: usize = 256 << 10;

    fn check(&self) -> Faults<Unfit> {
        let problem_description = required_bytes(&self.problem_description, PROBLEM_DESCRIPTION_BYTES_MAX);
        let parsed = || sop::parse(&self.sop).map(drop).map_err(|lines| bad_lines(&lines));
        Faults::default()
            .at("name", text::required(&self.name, NAME_CHARS_MAX))
            .at("problem_description", problem_description)
            .at("sop", required_bytes(&self.sop, SOP_BYTES_MAX).and_then(|()| parsed()))
    }
}

/// A required text of at most `max` bytes.
fn required_bytes(value: &str, max: usize) -> Result<(), Unfit> {
    let bytes = value.len();
    if bytes > max {
        return Err(Unfit::Inside(format!("has {bytes} bytes; at most {max} are allowed")));
    }
    text::required(value, max)
}

fn bad_lines(lines: &[BadLine]) -> Unfit {
    let told = lines.iter().take(BAD_LINES_TOLD_MAX).map(ToString::to_string);
    let more = match lines.len().saturating_sub(BAD_LINES_TOLD_MAX) {
        0 => None,
        more => Some(format!("and {more} more lines")),
    };
    let told: Vec<String> = told.chain(more).collect();
    Unfit::Inside(format!("cannot be followed: {}", told.join("; ")))
}

#[cfg(test)]
mod tests;
