//! The one adapter between a [`Decider`] and cqrs-es.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decider, Facts, Ids, Request, Together};

/// A decider's state as a cqrs-es aggregate. Use it in event-store mode only: the snapshot and
/// aggregate-store modes of cqrs-es 0.5 apply each event twice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sourced<D>(pub D);

/// What a cqrs-es command is here: a [`Request`] that owns its parts.
#[derive(Debug)]
pub struct Asked<C> {
    pub tenant: Uuid,
    pub stream: Uuid,
    pub by: Uuid,
    pub at: DateTime<Utc>,
    /// What ids are drawn from: another one for each time that a command is carried out.
    pub seed: Uuid,
    pub reason: Option<String>,
    pub facts: Arc<Facts>,
    pub together: Together,
    pub command: Arc<C>,
}

impl<D: Decider> Aggregate for Sourced<D> {
    const TYPE: &'static str = D::TYPE;
    type Command = Asked<D::Command>;
    type Event = D::Event;
    type Error = D::Refusal;
    type Services = ();

    async fn handle(&mut self, asked: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Self::Error> {
        let events = self.0.decide(&Request {
            tenant: asked.tenant,
            stream: asked.stream,
            by: asked.by,
            at: asked.at,
            ids: Ids::new(asked.seed),
            reason: asked.reason.as_deref(),
            facts: &asked.facts,
            together: &asked.together,
            command: &asked.command,
        })?;
        for event in events {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event);
    }
}
