//! Alerts that tell nobody for a time: silences and times of maintenance, one stream per tenant.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::VariantNames;
use uuid::Uuid;

use crate::conditions::{self, Condition, Full, PATTERNS_MAX, Subject};
use domain::text::{self, Unfit};
use domain::{Asker, Class, Decider, Refuse, Request, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Silences>("silences");

/// Silences of one tenant that have not ended.
pub const SILENCES_MAX: usize = 500;
/// Days that a silence lasts at most.
pub const DAYS_MAX: i64 = 366;
/// Characters of a silence's name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of the words that somebody says about it.
pub const COMMENT_CHARS_MAX: usize = 2_000;

/// The silences of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Silences {
    /// Silence id to silence; those that had ended when the newest was set are forgotten.
    set: BTreeMap<Uuid, Silence>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Silence {
    name: String,
    when: Vec<Condition>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    kind: SilenceKind,
}

/// Why alerts are kept quiet.
// Stored for ever, within events. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SilenceKind {
    /// Somebody knows of them.
    #[default]
    Silence,
    /// Work is done there, from when to when is known before.
    Maintenance,
}

/// The silence that keeps an alert quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silencing {
    pub id: Uuid,
    pub kind: SilenceKind,
    pub ends_at: DateTime<Utc>,
}

impl Silences {
    /// The silence that keeps this alert quiet at this time: of several the one that ends last. A silence holds from
    /// its start until just before its end.
    #[must_use]
    pub fn silencing(&self, subject: &Subject<'_>, at: DateTime<Utc>) -> Option<Silencing> {
        let holding = self.set.iter().filter(|(_, silence)| silence.is_on(at));
        let holding = holding.filter(|(_, silence)| conditions::all_hold(&silence.when, subject));
        holding
            .map(|(id, silence)| Silencing {
                id: *id,
                kind: silence.kind,
                ends_at: silence.ends_at,
            })
            .max_by_key(|silencing| (silencing.ends_at, silencing.id))
    }

    /// Those that have not ended, but for this one.
    fn open_beside(&self, silence_id: Uuid, at: DateTime<Utc>) -> impl Iterator<Item = &Silence> {
        let others = self.set.iter().filter(move |(id, _)| **id != silence_id);
        others
            .map(|(_, silence)| silence)
            .filter(move |silence| silence.ends_at > at)
    }
}

impl Silence {
    fn is_on(&self, at: DateTime<Utc>) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

/// What can be asked of a tenant's silences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Keeps alerts quiet for a time, or replaces every field of a silence. They are kept and listed, but nobody is told
    /// of them and no skill is looked for. A tenant has at most 500 silences that have not ended.
    Silence {
        /// The silence that is to change, one that has not ended; a new one when absent, whose id is drawn.
        #[serde(default)]
        silence_id: Option<Uuid>,
        /// What people call it. At most 255 characters.
        #[schemars(length(min = 1, max = NAME_CHARS_MAX))]
        name: String,
        /// Why, in your own words. At most 2,000 characters.
        #[serde(default)]
        #[schemars(length(max = COMMENT_CHARS_MAX))]
        comment: Option<String>,
        /// The alerts that it keeps quiet: those for which all of these hold. 1 to 16.
        #[schemars(length(min = 1, max = conditions::CONDITIONS_MAX))]
        when: Vec<Condition>,
        /// From when on; now when absent or past.
        #[serde(default)]
        starts_at: Option<DateTime<Utc>>,
        /// Until when: later than the start, in the future, at most 366 days after the start.
        ends_at: DateTime<Utc>,
        /// Whether work is done there (`maintenance`) or somebody knows of the alerts (`silence`, when absent).
        #[serde(default)]
        kind: SilenceKind,
    },
    /// Ends a silence at once; nothing happens when it has just ended.
    End {
        /// The silence.
        silence_id: Uuid,
    },
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    AlertsSilenced {
        silence_id: Uuid,
        name: String,
        #[serde(default)]
        comment: Option<String>,
        when: Vec<Condition>,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
        kind: SilenceKind,
        silenced_at: DateTime<Utc>,
    },
    SilenceEnded {
        silence_id: Uuid,
        ended_at: DateTime<Utc>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {
    fn texts(&self) -> Vec<&'static str> {
        match self {
            Self::AlertsSilenced { .. } => vec!["comment"],
            _ => Vec::new(),
        }
    }
}

/// Why a silence is not set or ended.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("a tenant's silences are one stream and its id is {id}; send the command there")]
    OnePerTenant { id: Uuid },
    #[error("silence_id names no silence that has not ended; choose one of silences, or leave it out for a new one")]
    NoSuchSilence,
    #[error("there are {SILENCES_MAX} silences that have not ended, as many as a tenant may have; end one first")]
    TooManySilences,
    #[error(
        "the silences would have more than {PATTERNS_MAX} regular expressions in all; compare with equal, or end a \
         silence first"
    )]
    TooManyPatterns,
    #[error("when is empty, which would keep every alert quiet; say which alerts are meant")]
    SilencesEverything,
    #[error("ends_at must lie in the future, after starts_at and at most {DAYS_MAX} days after it")]
    BadPeriod,
    #[error("{detail}")]
    Condition { detail: String },
    #[error("{field} {unfit}")]
    Unfit { field: &'static str, unfit: Unfit },
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        match self {
            Self::OnePerTenant { .. }
            | Self::NoSuchSilence
            | Self::TooManySilences
            | Self::TooManyPatterns
            | Self::SilencesEverything
            | Self::BadPeriod
            | Self::Condition { .. }
            | Self::Unfit { .. } => Class::Refused,
        }
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        let field = match self {
            Self::NoSuchSilence => "silence_id",
            Self::TooManyPatterns | Self::SilencesEverything | Self::Condition { .. } => "when",
            Self::BadPeriod => "ends_at",
            Self::Unfit { field, .. } => field,
            Self::OnePerTenant { .. } | Self::TooManySilences => return None,
        };
        Some(field.to_owned())
    }
}

impl Decider for Silences {
    const TYPE: &'static str = "dod.silence";
    const CREATES: &'static str = "silence";
    const ONE_PER_TENANT: bool = true;
    const PART: Option<&'static str> = Some("silence_id");
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        Self::in_place(request.tenant, request.stream).map_err(|id| Refusal::OnePerTenant { id })?;
        let at = request.at;
        match request.command {
            Command::Silence {
                silence_id,
                name,
                comment,
                when,
                starts_at,
                ends_at,
                kind,
            } => {
                let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
                text::required(name, NAME_CHARS_MAX).map_err(unfit("name"))?;
                text::optional(comment.as_ref(), COMMENT_CHARS_MAX).map_err(unfit("comment"))?;
                check_conditions(when)?;
                let before = silence_id.map(|id| self.not_ended(id, at).ok_or(Refusal::NoSuchSilence));
                let before = before.transpose()?;
                let silence_id = silence_id.unwrap_or_else(|| request.ids.draw());
                let silence = Silence {
                    name: name.clone(),
                    when: when.clone(),
                    starts_at: start(before, *starts_at, at),
                    ends_at: *ends_at,
                    kind: *kind,
                };
                check_period(silence.starts_at, *ends_at, at)?;
                self.takes(silence_id, when, at)?;
                // What was said about it before is not known here: it lies in the book alone.
                if comment.is_none() && before == Some(&silence) {
                    return Ok(Vec::new());
                }
                Ok(vec![Event::AlertsSilenced {
                    silence_id,
                    name: silence.name,
                    comment: comment.clone(),
                    when: silence.when,
                    starts_at: silence.starts_at,
                    ends_at: silence.ends_at,
                    kind: silence.kind,
                    silenced_at: at,
                }])
            }
            Command::End { silence_id } => match self.set.get(silence_id) {
                Some(silence) if silence.ends_at <= at => Ok(Vec::new()),
                Some(_) => Ok(vec![Event::SilenceEnded {
                    silence_id: *silence_id,
                    ended_at: at,
                }]),
                None => Err(Refusal::NoSuchSilence),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::AlertsSilenced {
                silence_id,
                name,
                comment: _,
                when,
                starts_at,
                ends_at,
                kind,
                silenced_at,
            } => {
                self.set.retain(|_, silence| silence.ends_at > *silenced_at);
                let silence = Silence {
                    name: name.clone(),
                    when: when.clone(),
                    starts_at: *starts_at,
                    ends_at: *ends_at,
                    kind: *kind,
                };
                self.set.insert(*silence_id, silence);
            }
            Event::SilenceEnded { silence_id, ended_at } => {
                if let Some(silence) = self.set.get_mut(silence_id) {
                    silence.ends_at = silence.ends_at.min(*ended_at);
                }
            }
        }
    }

    fn offers(&self, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        Self::in_place(asker.tenant, stream).map_err(|id| Refusal::OnePerTenant { id })?;
        match command {
            "end" if self.set.is_empty() => Err(Refusal::NoSuchSilence),
            _ => Ok(()),
        }
    }
}

impl Silences {
    /// The silence of this id, unless it has ended.
    fn not_ended(&self, silence_id: Uuid, at: DateTime<Utc>) -> Option<&Silence> {
        self.set.get(&silence_id).filter(|silence| silence.ends_at > at)
    }

    /// Whether a silence with these conditions has room among the others.
    fn takes(&self, silence_id: Uuid, when: &[Condition], at: DateTime<Utc>) -> Result<(), Refusal> {
        let others = self.open_beside(silence_id, at).map(|silence| &silence.when[..]);
        conditions::room(others, SILENCES_MAX, when).map_err(|full| match full {
            Full::Count => Refusal::TooManySilences,
            Full::Patterns => Refusal::TooManyPatterns,
        })
    }
}

/// When a silence starts: as it is asked for, not before now, unless it has started already.
fn start(before: Option<&Silence>, asked: Option<DateTime<Utc>>, at: DateTime<Utc>) -> DateTime<Utc> {
    let starts_at = asked.map_or(at, |asked| asked.max(at));
    match before {
        Some(before) if before.is_on(at) && starts_at == at => before.starts_at,
        Some(_) | None => starts_at,
    }
}

fn check_conditions(when: &[Condition]) -> Result<(), Refusal> {
    if when.is_empty() {
        return Err(Refusal::SilencesEverything);
    }
    conditions::check(when).map_err(|detail| Refusal::Condition { detail })
}

fn check_period(starts_at: DateTime<Utc>, ends_at: DateTime<Utc>, at: DateTime<Utc>) -> Result<(), Refusal> {
    let unfit = |field| move |unfit| Refusal::Unfit { field, unfit };
    text::moment(starts_at).map_err(unfit("starts_at"))?;
    text::moment(ends_at).map_err(unfit("ends_at"))?;
    let is_good = ends_at > starts_at && ends_at > at && ends_at - starts_at <= TimeDelta::days(DAYS_MAX);
    if is_good { Ok(()) } else { Err(Refusal::BadPeriod) }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
