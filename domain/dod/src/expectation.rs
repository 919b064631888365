//! What a tenant expects to hear of, and how often: one stream per tenant. Whether it comes is followed by
//! [`crate::heartbeat`].

use dod_formats::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::conditions::{self, Condition, Full, PATTERNS_MAX, Subject};
use crate::receiver::RECEIVER_IM_CHARS_MAX;
use crate::source::Source;
use domain::text::{self, Unfit};
use domain::{Asker, Asking, Class, Decider, FactRef, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Expectations>("expectations");

/// Expectations of one tenant: each delivery is held against those of its source.
pub const EXPECTATIONS_MAX: usize = 100;
/// Characters of an expectation's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Minutes between two tellings at most: a month.
pub const EVERY_MINUTES_MAX: i32 = 44_640;
/// Minutes that are waited beyond that at most: a day.
pub const GRACE_MINUTES_MAX: i32 = 1_440;
/// Minutes that are waited beyond that unless it is said otherwise.
const DEFAULT_GRACE_MINUTES: i32 = 5;

/// The expectations of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expectations {
    /// The oldest first.
    set: Vec<(Uuid, Expectation)>,
}

/// What is expected of a source.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What people call it, in its alerts too. At most 255 characters.
    #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
    pub name: String,
    /// The source that is to tell of it.
    pub source_id: Uuid,
    /// The alerts of it that count, one that fires and for which all of these hold: labels, say. Any delivery that is
    /// understood counts when absent. At most 16.
    #[serde(default)]
    #[schemars(length(max = conditions::CONDITIONS_MAX))]
    pub when: Vec<Condition>,
    /// Minutes within which it is to come again: 1 to 44,640.
    #[schemars(range(min = 1, max = EVERY_MINUTES_MAX))]
    pub every_minutes: i32,
    /// Minutes that are waited beyond that: 1 to 1,440; 5 when absent.
    #[serde(default = "default_grace")]
    #[schemars(range(min = 1, max = GRACE_MINUTES_MAX))]
    pub grace_minutes: i32,
    /// How bad it is when it does not come; `high` when absent.
    #[serde(default = "default_severity")]
    pub severity: Severity,
    /// The receiver that is told then, by its `receiver_im`; that of the source when absent. At most 100 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = RECEIVER_IM_CHARS_MAX))]
    pub receiver_im: Option<String>,
}

fn default_grace() -> i32 {
    DEFAULT_GRACE_MINUTES
}

fn default_severity() -> Severity {
    Severity::High
}

impl Expectations {
    /// Those of a source, by their ids.
    pub fn of_source(&self, source_id: Uuid) -> impl Iterator<Item = (Uuid, &Expectation)> {
        let of_source = self.set.iter().filter(move |(_, set)| set.source_id == source_id);
        of_source.map(|(id, expectation)| (*id, expectation))
    }

    fn get(&self, expectation_id: Uuid) -> Option<&Expectation> {
        let found = self.set.iter().find(|(id, _)| *id == expectation_id);
        found.map(|(_, expectation)| expectation)
    }

    /// Whether one with these conditions has room among the others.
    fn takes(&self, expectation_id: Uuid, when: &[Condition]) -> Result<(), Refusal> {
        let others = self.set.iter().filter(|(id, _)| *id != expectation_id);
        let others = others.map(|(_, other)| &other.when[..]);
        conditions::room(others, EXPECTATIONS_MAX, when).map_err(|full| match full {
            Full::Count => Refusal::TooManyExpectations,
            Full::Patterns => Refusal::TooManyPatterns,
        })
    }
}

impl Expectation {
    /// Whether it is met by a delivery of its source that tells of these alerts, each as conditions see one that fires.
    #[must_use]
    pub fn is_met(&self, firing: &[Subject<'_>]) -> bool {
        self.when.is_empty() || firing.iter().any(|subject| conditions::all_hold(&self.when, subject))
    }

    fn check(&self) -> Result<(), Refusal> {
        let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
        text::required(&self.name, NAME_CHARS_MAX).map_err(unfit("name"))?;
        conditions::check(&self.when).map_err(|detail| Refusal::Condition { detail })?;
        text::within(self.every_minutes, 1, EVERY_MINUTES_MAX).map_err(unfit("every_minutes"))?;
        text::within(self.grace_minutes, 1, GRACE_MINUTES_MAX).map_err(unfit("grace_minutes"))?;
        match &self.receiver_im {
            Some(receiver_im) => text::required(receiver_im, RECEIVER_IM_CHARS_MAX).map_err(unfit("receiver_im")),
            None => Ok(()),
        }
    }
}

/// What can be asked of a tenant's expectations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Adds an expectation, or replaces every field of one; its time begins anew. When it is not met, an alert of type
    /// `heartbeat_missing` opens, which ends when it is met again. A tenant has at most 100.
    Expect {
        /// The expectation; a new one when absent.
        #[serde(default)]
        expectation_id: Option<Uuid>,
        /// What is expected.
        expectation: Box<Expectation>,
    },
    /// Takes an expectation away, and ends its alert.
    Drop {
        /// The expectation.
        expectation_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    ExpectationSet {
        expectation_id: Uuid,
        expectation: Box<Expectation>,
    },
    ExpectationDropped {
        expectation_id: Uuid,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why an expectation is not changed.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a tenant's expectations are one stream and its id is {id}; send the command there")]
    OnePerTenant { id: Uuid },
    #[error("expectation_id names no expectation; choose one of heartbeats, or leave it out for a new one")]
    NoSuchExpectation,
    #[error("there are {EXPECTATIONS_MAX} expectations, as many as a tenant may have; drop one first")]
    TooManyExpectations,
    #[error(
        "the expectations would have more than {PATTERNS_MAX} regular expressions in all; compare with equal, or drop \
         one first"
    )]
    TooManyPatterns,
    #[error("source_id names no source in use; enter it first")]
    NoSource,
    #[error("{detail}")]
    Condition { detail: String },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Refused
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        let field = match self {
            Self::NoSuchExpectation => "expectation_id",
            Self::NoSource => "expectation.source_id",
            Self::TooManyPatterns | Self::Condition { .. } => "expectation.when",
            Self::Unfit { field, .. } => return Some(format!("expectation.{field}")),
            Self::OnePerTenant { .. } | Self::TooManyExpectations => return None,
        };
        Some(field.to_owned())
    }
}

impl Decider for Expectations {
    const TYPE: &'static str = "dod.expectation";
    const CREATES: &'static str = "expect";
    const ONE_PER_TENANT: bool = true;
    const PART: Option<&'static str> = Some("expectation_id");
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Self::in_place(request.tenant, request.stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match request.command {
            Command::Expect {
                expectation_id,
                expectation,
            } => {
                expectation.check()?;
                let source = request.facts.get::<Source>(expectation.source_id);
                if !source.is_some_and(Source::is_in_use) {
                    return Err(Refusal::NoSource);
                }
                let before = expectation_id.map(|id| self.get(id).ok_or(Refusal::NoSuchExpectation));
                let before = before.transpose()?;
                let expectation_id = expectation_id.unwrap_or_else(|| request.ids.draw());
                self.takes(expectation_id, &expectation.when)?;
                if before == Some(expectation) {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::ExpectationSet {
                    expectation_id,
                    expectation: expectation.clone(),
                }])
            }
            Command::Drop { expectation_id } => match self.get(*expectation_id) {
                Some(_) => Ok(vec![Event::ExpectationDropped {
                    expectation_id: *expectation_id,
                }]),
                None => Err(Refusal::NoSuchExpectation),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ExpectationSet {
                expectation_id,
                expectation,
            } => match self.set.iter_mut().find(|(id, _)| id == expectation_id) {
                Some((_, set)) => set.clone_from(expectation),
                None => self.set.push((*expectation_id, (**expectation).clone())),
            },
            Event::ExpectationDropped { expectation_id } => self.set.retain(|(id, _)| id != expectation_id),
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match asking.command {
            Command::Expect { expectation, .. } => vec![FactRef::of::<Source>(expectation.source_id)],
            Command::Drop { .. } => Vec::new(),
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        Self::in_place(asker.tenant, stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match command {
            "drop" if self.set.is_empty() => Err(Refusal::NoSuchExpectation),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
