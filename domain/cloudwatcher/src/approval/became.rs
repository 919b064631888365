//! What became of what people were asked. Whoever decides too late is told it; an approval that forgot whom it had
//! asked would have to say that it never did.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Event, WhyVoid};
use crate::delegation::Delegations;
use domain::{FactRef, Facts, moment};
use rust_decimal::Decimal;

/// People whose last ask an approval remembers, over all its revisions.
pub const ASKED_REMEMBERED_MAX: usize = 100;
/// Of them, those whose delegates count as asked: the ones who were asked last.
pub const STOOD_IN_FOR_MAX: usize = 20;

/// Of everybody who was asked the last ask, the newest at the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Asks(Vec<Ask>);

/// What somebody was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    pub ask_id: Uuid,
    pub revision: i32,
    pub level: i32,
    pub approver_id: Uuid,
    /// Who decided it in the approver's place.
    #[serde(default)]
    pub stood_in: Option<Uuid>,
    /// Absent while it is open.
    #[serde(default)]
    pub became: Option<Became>,
}

/// How an ask ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Became {
    pub what: End,
    /// Who did it; absent when time alone did, or the event did not say so yet.
    #[serde(default)]
    pub by: Option<Uuid>,
    /// In whose place they did it.
    #[serde(default)]
    pub on_behalf_of: Option<Uuid>,
    /// Absent in events of a time when they did not say so.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

/// How an ask ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum End {
    Approved,
    /// At this level, or at one above it.
    Rejected {
        level: i32,
    },
    Escalated {
        to: Uuid,
    },
    Reassigned {
        to: Uuid,
    },
    Resubmitted,
    OrderCancelled,
    OrderMovedOn,
}

/// An ask that is over, and who wanted to decide it.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    pub revision: i32,
    pub level: i32,
    pub approver_id: Uuid,
    pub became: Became,
    pub reader: Uuid,
}

impl Asks {
    /// Takes note of what an event says of the asks.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::LevelAsked {
                ask_id,
                level,
                approver_id,
                revision,
                ..
            } => {
                self.0.retain(|ask| ask.approver_id != *approver_id);
                self.0.push(Ask {
                    ask_id: *ask_id,
                    revision: *revision,
                    level: *level,
                    approver_id: *approver_id,
                    stood_in: None,
                    became: None,
                });
                let forgotten = self.0.len().saturating_sub(ASKED_REMEMBERED_MAX);
                self.0.drain(..forgotten);
            }
            Event::LevelApproved {
                ask_id,
                by,
                on_behalf_of,
                at,
                ..
            } => self.decided(*ask_id, *on_behalf_of, *by, End::Approved, *at),
            Event::LevelEscalated { ask_id, to, at, .. } => {
                let became = Became::of(End::Escalated { to: *to }, None, *at);
                self.end(|ask| ask.ask_id == *ask_id, &became);
            }
            Event::LevelReassigned { ask_id, to, by, at, .. } => {
                let became = Became::of(End::Reassigned { to: *to }, *by, *at);
                self.end(|ask| ask.ask_id == *ask_id, &became);
            }
            Event::ApprovalRejected {
                revision,
                ask_id: Some(ask_id),
                level: Some(level),
                by: Some(by),
                on_behalf_of,
                at,
                ..
            } => {
                let end = End::Rejected { level: *level };
                self.decided(*ask_id, *on_behalf_of, *by, end, *at);
                // Whoever approved a level below approved in vain.
                let mut became = Became::of(end, Some(*by), *at);
                became.on_behalf_of = *on_behalf_of;
                let counts = |ask: &Ask| {
                    let became = ask.became.as_ref();
                    ask.revision == *revision && became.is_none_or(|became| became.what == End::Approved)
                };
                self.end(counts, &became);
            }
            Event::ApprovalVoided {
                ask_ids, why, by, at, ..
            } => {
                let end = match why {
                    WhyVoid::Resubmitted => End::Resubmitted,
                    WhyVoid::OrderCancelled => End::OrderCancelled,
                    WhyVoid::OrderMovedOn => End::OrderMovedOn,
                };
                self.end(|ask| ask_ids.contains(&ask.ask_id), &Became::of(end, *by, *at));
            }
            // There was nobody to ask.
            Event::ApprovalRejected { .. }
            | Event::ApprovalAsked { .. }
            | Event::ApprovalOverdue { .. }
            | Event::ApprovalGranted { .. } => {}
        }
    }

    fn decided(&mut self, ask_id: Uuid, on_behalf_of: Option<Uuid>, by: Uuid, end: End, at: Option<DateTime<Utc>>) {
        for ask in self.0.iter_mut().filter(|ask| ask.ask_id == ask_id) {
            ask.stood_in = on_behalf_of.map(|_| by);
            ask.became = Some(Became {
                on_behalf_of,
                ..Became::of(end, Some(by), at)
            });
        }
    }

    fn end(&mut self, of: impl Fn(&Ask) -> bool, became: &Became) {
        for ask in self.0.iter_mut().filter(|ask| of(ask)) {
            ask.became = Some(became.clone());
        }
    }

    /// Whether something was asked of this person, or decided by them in another's place.
    pub(super) fn concern(&self, person: Uuid) -> bool {
        self.of(person).is_some()
    }

    fn of(&self, person: Uuid) -> Option<&Ask> {
        let mut newest = self.0.iter().rev();
        newest.find(|ask| ask.approver_id == person || ask.stood_in == Some(person))
    }

    /// The facts that [`Asks::over`] reads: what those who were asked last have delegated.
    pub(super) fn reads(&self) -> impl Iterator<Item = FactRef> {
        self.looked_at().map(|ask| FactRef::of::<Delegations>(ask.approver_id))
    }

    fn looked_at(&self) -> impl Iterator<Item = &Ask> {
        self.0.iter().rev().take(STOOD_IN_FOR_MAX)
    }

    /// What became of what this person was asked, or might have decided in another's place; `None` when nothing was, or it is
    /// open still. The other arguments are those of the order, as a delegation has them.
    pub(super) fn over(
        &self,
        reader: Uuid,
        (at, above, total): (DateTime<Utc>, &[Uuid], (Decimal, &str)),
        facts: &Facts,
    ) -> Option<Over> {
        let stands_in = |ask: &&Ask| {
            let delegations = facts.get::<Delegations>(ask.approver_id);
            delegations.is_some_and(|delegations| delegations.cover(reader, at, above, total))
        };
        let ask = self.of(reader).or_else(|| self.looked_at().find(stands_in))?;
        Some(Over {
            revision: ask.revision,
            level: ask.level,
            approver_id: ask.approver_id,
            became: ask.became.clone()?,
            reader,
        })
    }
}

impl Became {
    pub(super) fn of(what: End, by: Option<Uuid>, at: Option<DateTime<Utc>>) -> Self {
        Self {
            what,
            by,
            on_behalf_of: None,
            at,
        }
    }
}

impl Over {
    /// The same for programs: ids as they stand in the tables.
    #[must_use]
    pub fn particulars(&self) -> Value {
        let Became {
            what,
            by,
            on_behalf_of,
            at,
        } = &self.became;
        let word: &'static str = what.into();
        let (at_level, to) = match what {
            End::Rejected { level } => (Some(level), None),
            End::Escalated { to } | End::Reassigned { to } => (None, Some(to)),
            End::Approved | End::Resubmitted | End::OrderCancelled | End::OrderMovedOn => (None, None),
        };
        json!({
            "revision": self.revision, "level": self.level, "approver_id": self.approver_id, "became": word,
            "at_level": at_level, "to": to, "by": by, "on_behalf_of": on_behalf_of, "at": at,
        })
    }

    fn person(&self, id: Uuid) -> String {
        if id == self.reader {
            "you".to_owned()
        } else {
            format!("user {id}")
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, level, .. } = self;
        let approver = self.person(self.approver_id);
        let mut did = self
            .became
            .by
            .map_or_else(String::new, |by| format!(" by {}", self.person(by)));
        if let Some(of) = self.became.on_behalf_of {
            did += &match of == self.reader {
                true => " in your place".to_owned(),
                false => format!(" in the place of user {of}"),
            };
        }
        let at = moment::at(self.became.at);
        write!(
            f,
            "level {level} of revision {revision}, which was asked of {approver}, is over: "
        )?;
        match self.became.what {
            End::Approved => write!(f, "it was approved{did}{at}"),
            End::Rejected { level: at_level } => write!(f, "the order was rejected at level {at_level}{did}{at}"),
            End::Escalated { to } => write!(f, "it was not decided in time and went up to {}{at}", self.person(to)),
            End::Reassigned { to } => write!(
                f,
                "it was given to {}{did}{at}, because {approver} could no longer decide it",
                self.person(to)
            ),
            End::Resubmitted => write!(f, "the order was changed and submitted again{did}{at}"),
            End::OrderCancelled => write!(f, "the order was cancelled{did}{at}"),
            End::OrderMovedOn => write!(f, "the order no longer waits for it{did}{at}"),
        }?;
        f.write_str("; nothing is left of it for you to decide")
    }
}
