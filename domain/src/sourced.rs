//! The one adapter between a [`Decider`] and cqrs-es.

use std::sync::Arc;

use crate::{Circumstances, ClaimChange, Decider, Erase, Ids, Request, Standing};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// A decider's state as a cqrs-es aggregate. Use it in event-store mode only: the snapshot and
/// aggregate-store modes of cqrs-es 0.5 apply each event twice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sourced<D>(pub D);

/// A cqrs-es command: a [`Request`] that owns its parts.
pub struct Sent<C> {
    pub circumstances: Circumstances,
    pub command: Arc<C>,
}

/// The events of a decision, and the changes of claims and keys that come with them.
pub struct Outcome<E> {
    pub events: Vec<E>,
    pub claims: Vec<ClaimChange>,
    /// The keys that the events destroy.
    pub erased: Vec<Erase>,
    /// How the tenant stands after them, if they change that.
    pub standing: Option<Standing>,
}

impl<D: Decider> Sourced<D> {
    /// Decides, and applies each event once. [`Aggregate::handle`] does the same by way of an event sink, which awaits
    /// a lock for each event: a task that has used up its turn would have to wait there, and a decision never waits.
    ///
    /// # Errors
    /// The rule that forbids it; then nothing has changed.
    pub fn carry_out(
        &mut self,
        circumstances: &Circumstances,
        command: &D::Command,
    ) -> Result<Outcome<D::Event>, D::Refusal> {
        let mut outcome = Outcome {
            events: self.decided(circumstances, command)?,
            claims: Vec::new(),
            erased: Vec::new(),
            standing: None,
        };
        for event in &outcome.events {
            outcome.claims.extend(self.0.claims(circumstances.stream, event));
            outcome.erased.extend(D::erases(circumstances.stream, event));
            outcome.standing = D::standing(event).or(outcome.standing);
            self.0.evolve(event);
        }
        Ok(outcome)
    }

    fn decided(&self, circumstances: &Circumstances, command: &D::Command) -> Result<Vec<D::Event>, D::Refusal> {
        self.0.decide(&Request {
            tenant: circumstances.tenant,
            stream: circumstances.stream,
            sequence: circumstances.sequence,
            by: circumstances.by,
            at: circumstances.at,
            ids: Ids::new(circumstances.seed),
            reason: circumstances.reason.as_deref(),
            facts: &circumstances.facts,
            together: &circumstances.together,
            command,
        })
    }
}

impl<D: Decider> Aggregate for Sourced<D> {
    const TYPE: &'static str = D::TYPE;
    type Command = Sent<D::Command>;
    type Event = D::Event;
    type Error = D::Refusal;
    type Services = ();

    async fn handle(&mut self, sent: Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Self::Error> {
        for event in self.decided(&sent.circumstances, &sent.command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event);
    }
}
