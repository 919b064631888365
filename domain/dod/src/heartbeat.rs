//! Whether what is expected comes: followed by a timer that each coming sets anew. Feeds `heartbeats`, which document
//! 002_292caa697ae18d8c does not know, and opens alerts of type `heartbeat_missing`.
//!
//! Times are those of deliveries as they came in. A timer that is late itself says that Daybook was away, and nobody could
//! come: then there is another period.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::VariantNames;
use uuid::Uuid;

use crate::alert::Brief;
use crate::expectation::Expectation;
use crate::source::Source;
use domain::{Asking, Class, Decider, FactRef, Refuse, Request, moment, stored_by_variant};

/// The kind as a value.
pub const AGGREGATE: domain::Aggregate = domain::Aggregate::of::<Heartbeat>("heartbeats");

/// The type of the alerts that open when what is expected does not come.
pub const MISSING: &str = "heartbeat_missing";
/// The label by which they name the expectation.
pub const LABEL: &str = "heartbeat";
/// Minutes after which a timer counts as late itself.
const LATE_MINUTES: i64 = 2;

/// How it stands with one expectation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    watched: Option<Watched>,
    /// How often it was missing.
    pub episodes: u32,
}

/// An expectation that is followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watched {
    terms: Terms,
    /// When it was last heard; absent before.
    heard_at: Option<DateTime<Utc>>,
    /// When it is missing.
    due_at: DateTime<Utc>,
    /// The alert that says that it is.
    alert_id: Option<Uuid>,
}

/// What of an expectation counts for its time and its alert.
// Stored for ever, within events. Add optional fields; do not rename or reuse them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The expectation.
    pub expectation_id: Uuid,
    /// What is expected; its conditions are left out where it is heard.
    pub expectation: Expectation,
}

impl Terms {
    fn due_after(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let minutes = self.expectation.every_minutes + self.expectation.grace_minutes;
        moment::after(at, TimeDelta::minutes(minutes.into()))
    }

    /// Half of the grace, or of the period if that is shorter: what comes again within it is not noted.
    fn is_noted_after(&self) -> TimeDelta {
        let minutes = self.expectation.every_minutes.min(self.expectation.grace_minutes);
        TimeDelta::seconds(i64::from(minutes) * 30)
    }

    fn without_conditions(&self) -> Self {
        let mut terms = self.clone();
        terms.expectation.when.clear();
        terms
    }
}

impl Heartbeat {
    /// The stream of an expectation, by the stream that it is set in.
    #[must_use]
    pub fn stream(expectations: Uuid, expectation_id: Uuid) -> Uuid {
        Uuid::new_v5(&expectations, expectation_id.as_bytes())
    }

    /// Whether it is worth noting that it was heard: a source that delivers all the time is noted now and then.
    #[must_use]
    pub fn notes(&self, received_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let Some(watched) = &self.watched else {
            return false;
        };
        watched.alert_id.is_some()
            || watched.heard_at.is_none_or(|heard_at| {
                // What lies in the future was noted by a clock that was wrong.
                heard_at > now || received_at - heard_at >= watched.terms.is_noted_after()
            })
    }
}

/// What can be asked of a heartbeat; Daybook alone asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Follows an expectation from now on, or as it was changed.
    Watch {
        /// The expectation.
        terms: Box<Terms>,
    },
    /// Follows it no more.
    Unwatch {},
    /// Takes notice that it was heard.
    Hear {
        /// When the delivery came in that tells of it, UTC.
        received_at: DateTime<Utc>,
        /// That delivery.
        delivery_id: Uuid,
    },
    /// Looks whether it is missing.
    Look {},
}

// Stored for ever. Add variants; do not rename or reuse them.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, strum::IntoStaticStr, strum::VariantNames,
)]
pub enum Event {
    HeartbeatWatched {
        terms: Box<Terms>,
        due_at: DateTime<Utc>,
    },
    // Says all that matters of those before it.
    HeartbeatHeard {
        terms: Box<Terms>,
        heard_at: DateTime<Utc>,
        delivery_id: Uuid,
        due_at: DateTime<Utc>,
        /// How often it was missing.
        episodes: u32,
        /// The alert that ends by it.
        ended_alert_id: Option<Uuid>,
    },
    HeartbeatMissed {
        alert_id: Uuid,
        /// How often it was missing, this time included.
        episode: u32,
        source_id: Uuid,
        brief: Box<Brief>,
        /// Since when it should have come.
        since: DateTime<Utc>,
    },
    /// Daybook was away when it was due.
    HeartbeatExcused {
        due_at: DateTime<Utc>,
    },
    HeartbeatUnwatched {
        ended_alert_id: Option<Uuid>,
        unwatched_at: DateTime<Utc>,
    },
}

stored_by_variant!(Event);

impl domain::Event for Event {}

/// Why a command to a heartbeat is refused.
// The names of its variants are those of the rules, which clients know.
#[derive(Debug, Clone, PartialEq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Refusal {
    #[error("this heartbeat is not expected any more")]
    NotWatched,
}

impl Refuse for Refusal {
    fn class(&self) -> Class {
        Class::Missing
    }
    fn rule(&self) -> &'static str {
        self.into()
    }
    fn rules() -> Vec<&'static str> {
        <Self as VariantNames>::VARIANTS.to_vec()
    }
    fn field(&self) -> Option<String> {
        None
    }
}

impl Decider for Heartbeat {
    const TYPE: &'static str = "dod.heartbeat";
    const CREATES: &'static str = "watch";
    const BORROWS_ID: bool = true;
    const CARRIES_FORWARD: Option<&'static str> = Some("HeartbeatHeard");
    const ONLY_DAYBOOK: &'static [&'static str] = &["watch", "unwatch", "hear", "look"];
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, request: &Request<'_, Command>) -> Result<Vec<Event>, Refusal> {
        let at = request.at;
        let happens = match (&self.watched, request.command) {
            (_, Command::Watch { terms }) => Some(Event::HeartbeatWatched {
                terms: terms.clone(),
                due_at: terms.due_after(at),
            }),
            (None, _) => return Err(Refusal::NotWatched),
            (Some(watched), Command::Unwatch {}) => Some(Event::HeartbeatUnwatched {
                ended_alert_id: watched.alert_id,
                unwatched_at: at,
            }),
            (
                Some(watched),
                Command::Hear {
                    received_at,
                    delivery_id,
                },
            ) => {
                let heard_at = watched.hears((*received_at).min(at), at);
                heard_at.map(|heard_at| Event::HeartbeatHeard {
                    terms: Box::new(watched.terms.without_conditions()),
                    heard_at,
                    delivery_id: *delivery_id,
                    due_at: watched.terms.due_after(heard_at),
                    episodes: self.episodes,
                    ended_alert_id: watched.alert_id,
                })
            }
            (Some(watched), Command::Look {}) => self.look(watched, request),
        };
        Ok(happens.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::HeartbeatWatched { terms, due_at } => {
                let before = self.watched.take();
                self.watched = Some(Watched {
                    terms: terms.without_conditions(),
                    heard_at: before.as_ref().and_then(|before| before.heard_at),
                    due_at: *due_at,
                    alert_id: before.and_then(|before| before.alert_id),
                });
            }
            Event::HeartbeatHeard {
                terms,
                heard_at,
                due_at,
                episodes,
                ..
            } => {
                self.episodes = *episodes;
                self.watched = Some(Watched {
                    terms: (**terms).clone(),
                    heard_at: Some(*heard_at),
                    due_at: *due_at,
                    alert_id: None,
                });
            }
            Event::HeartbeatMissed { alert_id, episode, .. } => {
                self.episodes = *episode;
                if let Some(watched) = &mut self.watched {
                    watched.alert_id = Some(*alert_id);
                }
            }
            Event::HeartbeatExcused { due_at } => {
                if let Some(watched) = &mut self.watched {
                    watched.due_at = *due_at;
                }
            }
            Event::HeartbeatUnwatched { .. } => self.watched = None,
        }
    }

    fn reads(&self, asking: &Asking<'_, Command>) -> Vec<FactRef> {
        match (asking.command, &self.watched) {
            (Command::Look {}, Some(watched)) => {
                vec![FactRef::of::<Source>(watched.terms.expectation.source_id)]
            }
            _ => Vec::new(),
        }
    }
}

impl Watched {
    /// When it counts as heard by what came in then, if that says anything new.
    fn hears(&self, came_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A time to come is that of a clock that was wrong: what comes now counts more.
        let before = self.heard_at.filter(|heard_at| *heard_at <= now);
        let is_new = before.is_none_or(|before| before < came_at);
        // It came before it was missed, and was understood late: it is missing still.
        let is_over = self.alert_id.is_some() && self.terms.due_after(came_at) <= now;
        (is_new && !is_over).then_some(came_at)
    }
}

impl Heartbeat {
    fn look(&self, watched: &Watched, request: &Request<'_, Command>) -> Option<Event> {
        let at = request.at;
        // It is missing already, or was heard since the timer was set.
        if watched.alert_id.is_some() || at < watched.due_at {
            return None;
        }
        if at - watched.due_at > TimeDelta::minutes(LATE_MINUTES) {
            return Some(Event::HeartbeatExcused {
                due_at: watched.terms.due_after(at),
            });
        }
        let Terms {
            expectation_id,
            expectation,
        } = &watched.terms;
        let source = request.facts.get::<Source>(expectation.source_id);
        let default = || source.and_then(Source::receiver_im).map(str::to_owned);
        let episode = self.episodes + 1;
        let heard = match watched.heard_at {
            Some(heard_at) => format!("It was last heard at {}.", heard_at.format("%Y-%m-%d %H:%M:%S UTC")),
            None => "It was never heard.".to_owned(),
        };
        Some(Event::HeartbeatMissed {
            alert_id: Uuid::new_v5(&request.stream, format!("alert/{episode}").as_bytes()),
            episode,
            source_id: expectation.source_id,
            brief: Box::new(Brief {
                source: source.map_or("", Source::name).to_owned(),
                alert_type: MISSING.to_owned(),
                severity: expectation.severity,
                title: format!("{} is missing", expectation.name),
                description: Some(format!(
                    "It is expected every {} minutes. {heard}",
                    expectation.every_minutes
                )),
                labels: BTreeMap::from([
                    (LABEL.to_owned(), expectation.name.clone()),
                    ("expectation_id".to_owned(), expectation_id.to_string()),
                ]),
                receiver_im: expectation.receiver_im.clone().or_else(default),
                is_flapping: false,
                received_at: at,
                body_until: None,
            }),
            since: watched.due_at,
        })
    }
}

#[cfg(test)]
mod tests;
