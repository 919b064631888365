//! A jar bears a label that no other jar bears, or none.

use domain::text::{self, Unfit};
use domain::{Aggregate, Asker, Claim, ClaimChange, Class, Decider, Refuse, Request, stored_by_variant};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind as a value.
pub const AGGREGATE: Aggregate = Aggregate::of::<Jar>("jars");

/// Characters of a label.
pub const LABEL_CHARS_MAX: usize = 40;

/// No two jars bear the same, whatever its case.
pub const LABEL: Claim = Claim::new("sample.jars.label");

/// The jar as decisions see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Jar {
    label: Option<String>,
}

/// What can be asked of a jar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Labels the jar, in place of any label that it bears.
    Label {
        /// What is written on it. At most 40 characters.
        #[schemars(length(min = 1, max = LABEL_CHARS_MAX))]
        label: String,
    },
    /// Takes the label off.
    Clear {},
}

/// What happens to a jar.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    /// It bears this label from now on, or none.
    JarLabelled { label: Option<String> },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a jar was left as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("label {0}")]
    Unfit(Unfit),
    #[error("the jar bears no label; label it first")]
    Bare,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn rule(&self) -> &'static str {
        match self {
            Self::Unfit(_) => "unfit",
            Self::Bare => "bare",
        }
    }
    fn rules() -> Vec<&'static str> {
        vec!["unfit", "bare"]
    }

    fn field(&self) -> Option<String> {
        matches!(self, Self::Unfit(_)).then(|| "label".to_owned())
    }
}

impl Decider for Jar {
    const TYPE: &'static str = "sample.jar";
    const CREATES: &'static str = "label";
    const CLAIMS: &'static [Claim] = &[LABEL];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let label = match request.command {
            Command::Label { label } => {
                text::required(label, LABEL_CHARS_MAX).map_err(Refusal::Unfit)?;
                Some(label.clone())
            }
            Command::Clear {} if self.label.is_none() => return Err(Refusal::Bare),
            Command::Clear {} => None,
        };
        let is_so = label == self.label;
        Ok((!is_so).then_some(Event::JarLabelled { label }).into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        let Event::JarLabelled { label } = event;
        self.label.clone_from(label);
    }

    fn claims(&self, _stream: Uuid, event: &Event) -> Vec<ClaimChange> {
        let Event::JarLabelled { label } = event;
        let claims = |label: &Option<String>| label.iter().map(|label| (LABEL, label.to_lowercase())).collect();
        ClaimChange::between(claims(&self.label), claims(label))
    }

    fn offers(&self, command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Refusal> {
        match command {
            "clear" if self.label.is_none() => Err(Refusal::Bare),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
