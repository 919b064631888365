//! The one adapter between a [`Decider`] and cqrs-es.

use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Circumstances, ClaimChange, Decider, Ids, Request};

/// A decider's state as a cqrs-es aggregate. Use it in event-store mode only: the snapshot and
/// aggregate-store modes of cqrs-es 0.5 apply each event twice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sourced<D>(pub D);

/// A command as cqrs-es takes it: a [`Request`] that owns its parts.
#[derive(Debug)]
pub struct Sent<C> {
    pub circumstances: Circumstances,
    pub command: Arc<C>,
    pub effects: Arc<Effects>,
}

/// The claims and keys that the events of a decision change, gathered while they happen.
#[derive(Debug, Default)]
pub struct Effects(Mutex<(Vec<ClaimChange>, Vec<Uuid>)>);

impl Effects {
    /// Unique values taken and given back, and the persons whose keys are destroyed.
    #[must_use]
    pub fn take(&self) -> (Vec<ClaimChange>, Vec<Uuid>) {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note<D: Decider>(&self, before: &D, stream: Uuid, event: &D::Event) {
        let mut effects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        effects.0.extend(before.claims(stream, event));
        effects.1.extend(D::erases(stream, event));
    }
}

impl<D: Decider> Aggregate for Sourced<D> {
    const TYPE: &'static str = D::TYPE;
    type Command = Sent<D::Command>;
    type Event = D::Event;
    type Error = D::Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        Sent {
            circumstances,
            command,
            effects,
        }: Self::Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        let events = self.0.decide(&Request {
            tenant: circumstances.tenant,
            stream: circumstances.stream,
            by: circumstances.by,
            at: circumstances.at,
            ids: Ids::new(circumstances.seed),
            reason: circumstances.reason.as_deref(),
            facts: &circumstances.facts,
            together: &circumstances.together,
            command: &command,
        })?;
        for event in events {
            effects.note(&self.0, circumstances.stream, &event);
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event);
    }
}
