//! What a step of an investigation found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a check's text within a finding, and of what was seen.
pub const CHECK_CHARS_MAX: usize = 300;
pub const SEEN_CHARS_MAX: usize = 600;

/// How a check came out.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, strum::Display, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// It is as the check says.
    Held,
    /// It is not as the check says.
    Failed,
    /// What is needed to tell was not there.
    CouldNotKnow,
}

/// The result of one step.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The step's number, from 1, among those of its procedure.
    pub step: u32,
    /// The check as it is written in the procedure. At most 300 characters.
    pub check: String,
    /// How it came out.
    pub outcome: Outcome,
    /// A sentence: what was seen, or why nothing could be known. Texts of alerts and tools stand between quotation marks. At
    /// most 600 characters.
    pub seen: String,
}
