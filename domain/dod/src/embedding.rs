//! The vector of a skill, by which alerts find it that nothing is bound to. The stream's id is the skill's.

use dod_skills::vectors::DIMENSIONS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use crate::skill::Skill;
use domain::register::Register;
use domain::text::{self, Unfit};
use domain::{Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Embedding>("embeddings");

/// Characters of a model's name.
pub const MODEL_CHARS_MAX: usize = 255;
/// Hexadecimal digits of a digest: SHA-256.
const DIGEST_CHARS: usize = 64;

/// What the latest vector was made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    latest: Option<Made>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Made {
    model: String,
    text_sha256: String,
}

impl Embedding {
    /// Whether the latest vector is one of this model and text.
    #[must_use]
    pub fn is_of(&self, model: &str, text_sha256: &str) -> bool {
        let is_of = |made: &Made| made.model == model && made.text_sha256 == text_sha256;
        self.latest.as_ref().is_some_and(is_of)
    }
}

/// What can be asked of a skill's vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Notes the vector that a model has made of the skill's text; nothing happens when it is there already.
    Note {
        /// The model. At most 255 characters.
        #[schemars(length(min = 1, max = MODEL_CHARS_MAX))]
        model: String,
        /// SHA-256 of the text, lower-case hex.
        #[schemars(length(min = DIGEST_CHARS, max = DIGEST_CHARS))]
        text_sha256: String,
        /// 1,536 numbers, not all of them zero.
        #[schemars(length(min = DIMENSIONS, max = DIMENSIONS))]
        vector: Vec<f32>,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    SkillEmbedded {
        model: String,
        text_sha256: String,
        vector: Vec<f32>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a vector is not noted.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("there is no skill of this id in use; enter it first")]
    NoSkill,
    #[error("text_sha256 is of another text than the skill has now; make the vector of the new one")]
    OtherText,
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::NoSkill => Class::Missing,
            Self::OtherText | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        match self {
            Self::NoSkill => None,
            Self::OtherText => Some("text_sha256".to_owned()),
            Self::Unfit { field, .. } => Some((*field).to_owned()),
        }
    }
}

impl Decider for Embedding {
    const TYPE: &'static str = "dod.embedding";
    const CREATES: &'static str = "note";
    const BORROWS_ID: bool = true;
    /// A vector that somebody made up would bring alerts to the wrong skill, and nobody could see why.
    const ONLY_DAYBOOK: &'static [&'static str] = &["note"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let Command::Note {
            model,
            text_sha256,
            vector,
        } = request.command;
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        text::required(model, MODEL_CHARS_MAX).map_err(unfit("model"))?;
        check_vector(vector).map_err(unfit("vector"))?;
        let skill = request.facts.get::<Register<Skill>>(request.stream);
        let skill = skill.and_then(Register::active).ok_or(Refusal::NoSkill)?;
        if skill.text_sha256() != *text_sha256 {
            return Err(Refusal::OtherText);
        }
        if self.is_of(model, text_sha256) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SkillEmbedded {
            model: model.clone(),
            text_sha256: text_sha256.clone(),
            vector: vector.clone(),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        let Event::SkillEmbedded { model, text_sha256, .. } = event;
        self.latest = Some(Made {
            model: model.clone(),
            text_sha256: text_sha256.clone(),
        });
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        vec![FactRef::of::<Register<Skill>>(asking.stream)]
    }

    fn body_bytes_max(_command: &str) -> usize {
        128 << 10
    }
}

fn check_vector(vector: &[f32]) -> Result<(), Unfit> {
    if vector.len() != DIMENSIONS {
        let numbers = vector.len();
        return Err(Unfit::Inside(format!(
            "has {numbers} numbers; it must have {DIMENSIONS}"
        )));
    }
    if vector.iter().any(|number| !number.is_finite()) {
        return Err(Unfit::Form("has something else than finite numbers"));
    }
    if vector.iter().all(|number| *number == 0.0) {
        return Err(Unfit::Form("is zero in every place, and so near to nothing"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
