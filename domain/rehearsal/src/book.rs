//! A book in memory: it gathers facts, decides, checks claims and appends, as the real one does. Golden
//! histories and property tests are written with it, so that what they hold could have happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent as _;
use uuid::Uuid;

use crate::fact::AnyState;
use crate::{
    AnyCommand, AnyEvent, Asking, ClaimChange, Decider, DecodeError, FactRef, Facts, Ids, Metadata, Policy, Reaction,
    Recorded, Refuse as _, Request, SYSTEM, Seen, Sending, Together, Visit, event,
};

/// Everything that happened, and who holds which unique value.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    tenant: Uuid,
    events: Vec<Recorded<String>>,
    /// The places in `events` of each stream, by kind and id.
    streams: BTreeMap<(&'static str, Uuid), Vec<usize>>,
    claims: BTreeMap<(&'static str, String), Uuid>,
    /// How many events policies have reacted to.
    followed: usize,
}

/// Who asks, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    pub by: Uuid,
    pub at: DateTime<Utc>,
    pub reason: Option<&'a str>,
}

/// Why nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    #[error("{0}")]
    Refused(String),
    #[error("{name} {value} is held by another stream")]
    Claimed { name: &'static str, value: String },
    #[error(transparent)]
    Broken(#[from] DecodeError),
}

impl Rehearsal {
    #[must_use]
    pub fn new(tenant: Uuid) -> Self {
        Self {
            tenant,
            events: Vec::new(),
            streams: BTreeMap::new(),
            claims: BTreeMap::new(),
            followed: 0,
        }
    }

    /// All that happened, in order of position.
    #[must_use]
    pub fn events(&self) -> &[Recorded<String>] {
        &self.events
    }

    /// The state of a stream.
    ///
    /// # Errors
    /// When an event cannot be read, which is a defect of this program.
    pub fn state<D: Decider>(&self, stream: Uuid) -> Result<D, DecodeError> {
        let mut state = D::default();
        for &place in self.streams.get(&(D::TYPE, stream)).into_iter().flatten() {
            state.evolve(&event::decode(&self.events[place].stored())?);
        }
        Ok(state)
    }

    /// Carries commands out as one: all happen or none. The number of events that they made.
    ///
    /// # Errors
    /// [`Unasked`]; then nothing happened.
    pub fn ask(&mut self, sendings: &[Sending], circumstances: &Circumstances<'_>) -> Result<usize, Unasked> {
        let before = (self.events.len(), self.claims.clone());
        let first = sendings.first().map_or_else(Uuid::nil, |sending| {
            self.command_id(sending.command.aggregate_type(), sending.stream)
        });
        for (index, sending) in sendings.iter().enumerate() {
            let mut together = Together::default();
            for (_, other) in sendings.iter().enumerate().filter(|(other, _)| *other != index) {
                other.command.clone().dispatch(Join(&mut together, other.stream));
            }
            let asked = sending.command.clone().dispatch(Ask {
                rehearsal: self,
                stream: sending.stream,
                command_id: first,
                seed: Uuid::new_v5(&first, &index.to_be_bytes()),
                together: &together,
                circumstances,
            });
            if let Err(unasked) = asked {
                self.forget(before);
                return Err(unasked);
            }
        }
        Ok(self.events.len() - before.0)
    }

    /// As [`Rehearsal::ask`], for one command.
    ///
    /// # Errors
    /// [`Unasked`]; then nothing happened.
    pub fn ask_one(
        &mut self,
        stream: Uuid,
        command: AnyCommand,
        circumstances: &Circumstances<'_>,
    ) -> Result<usize, Unasked> {
        self.ask(&[Sending::to(stream, command)], circumstances)
    }

    /// Appends an event that no command makes any more, as an earlier program wrote it.
    ///
    /// # Errors
    /// When the event cannot be written.
    pub fn wrote<D: Decider>(
        &mut self,
        stream: Uuid,
        event: &D::Event,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), DecodeError> {
        let command_id = self.command_id(D::TYPE, stream);
        self.append::<D>(stream, event, command_id, circumstances)
    }

    /// The id of the next command to a stream, by its place there: what happens elsewhere changes no id.
    fn command_id(&self, aggregate_type: &'static str, stream: Uuid) -> Uuid {
        let sequence = self.streams.get(&(aggregate_type, stream)).map_or(0, Vec::len);
        Uuid::new_v5(&stream, format!("{aggregate_type}/command/{sequence}").as_bytes())
    }

    /// Lets policies react to all that happened since they last did, and to what follows from that. Timers
    /// are left to the caller, and come back with the time that they are due.
    ///
    /// # Errors
    /// When an event cannot be read, which is a defect of this program.
    pub fn follow(&mut self, policies: &[&dyn Policy], at: DateTime<Utc>) -> Result<Vec<Reaction>, DecodeError> {
        let circumstances = Circumstances {
            by: SYSTEM,
            at,
            reason: None,
        };
        let mut timers = Vec::new();
        while self.followed < self.events.len() {
            let recorded = self.events[self.followed].clone();
            self.followed += 1;
            let event = AnyEvent::decode(&recorded.aggregate_type, &recorded.stored())?;
            let Some(event) = event else { continue };
            let recorded = recorded.map(|_| event);
            for policy in policies {
                if !policy.reads().contains(&recorded.aggregate_type.as_str()) {
                    continue;
                }
                let state = match policy.wants_state(&recorded) {
                    true => self.state_after(&recorded)?,
                    false => None,
                };
                for reaction in policy.react(&Seen::new(&recorded, state)) {
                    match reaction {
                        Reaction::Send { sendings, refused } => {
                            // A refusal is an answer, as it is in the book.
                            if self.ask(&sendings, &circumstances).is_err() && !refused.is_empty() {
                                let _ = self.ask(&refused, &circumstances);
                            }
                        }
                        Reaction::Wait { .. } | Reaction::Forget { .. } => timers.push(reaction),
                    }
                }
            }
        }
        Ok(timers)
    }

    /// The state of the event's stream right after it.
    fn state_after(&self, recorded: &Recorded<AnyEvent>) -> Result<Option<AnyState>, DecodeError> {
        let Some(fact) = FactRef::named(&recorded.aggregate_type, recorded.stream) else {
            return Ok(None);
        };
        let places = self.streams.get(&(fact.aggregate_type, fact.id)).into_iter().flatten();
        let events = places.map(|&place| &self.events[place]);
        let until = events.take_while(|event| event.sequence <= recorded.sequence);
        (fact.fold)(&mut until.map(Recorded::stored)).map(Some)
    }

    fn forget(&mut self, (events, claims): (usize, BTreeMap<(&'static str, String), Uuid>)) {
        self.events.truncate(events);
        self.claims = claims;
        for places in self.streams.values_mut() {
            places.retain(|&place| place < events);
        }
        self.streams.retain(|_, places| !places.is_empty());
    }

    fn facts<D: Decider>(
        &self,
        state: &D,
        stream: Uuid,
        command: &D::Command,
        circumstances: &Circumstances<'_>,
    ) -> Result<Facts, DecodeError> {
        let mut facts = Facts::default();
        let mut named = BTreeSet::new();
        loop {
            let mut reads = state.reads(&Asking {
                tenant: self.tenant,
                by: circumstances.by,
                at: circumstances.at,
                stream,
                command,
                facts: &facts,
            });
            reads.retain(|read| named.insert((read.aggregate_type, read.id)));
            if reads.is_empty() {
                return Ok(facts);
            }
            for FactRef {
                aggregate_type,
                id,
                fold,
                carries_forward: _,
            } in reads
            {
                if let Some(places) = self.streams.get(&(aggregate_type, id)) {
                    let mut events = places.iter().map(|&place| self.events[place].stored());
                    facts.insert(aggregate_type, id, fold(&mut events)?);
                }
            }
        }
    }

    fn claim(&mut self, stream: Uuid, change: ClaimChange) -> Result<(), Unasked> {
        match change {
            ClaimChange::Take { name, value } => match self.claims.insert((name, value.clone()), stream) {
                Some(holder) if holder != stream => Err(Unasked::Claimed { name, value }),
                Some(_) | None => Ok(()),
            },
            ClaimChange::Release { name, value } => match self.claims.remove(&(name, value.clone())) {
                Some(holder) if holder == stream => Ok(()),
                Some(_) | None => Err(Unasked::Claimed { name, value }),
            },
        }
    }

    fn append<D: Decider>(
        &mut self,
        stream: Uuid,
        event: &D::Event,
        command_id: Uuid,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), DecodeError> {
        let place = self.events.len();
        let places = self.streams.entry((D::TYPE, stream)).or_default();
        places.push(place);
        let (position, sequence) = (count(place + 1), count(places.len()));
        self.events.push(Recorded {
            position,
            event_id: event::event_id(D::TYPE, stream, sequence),
            tenant_id: self.tenant,
            aggregate_type: D::TYPE.to_owned(),
            stream,
            sequence,
            event_type: event.event_type(),
            event_version: event.event_version(),
            metadata: Metadata {
                tenant_id: self.tenant,
                actor: circumstances.by,
                correlation_id: command_id,
                command_id,
                reason: circumstances.reason.map(str::to_owned),
                ..Metadata::default()
            },
            at: circumstances.at,
            recorded_at: circumstances.at,
            event: event::encode(event)?,
        });
        Ok(())
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// One command on its way to a decision.
struct Ask<'a> {
    rehearsal: &'a mut Rehearsal,
    stream: Uuid,
    command_id: Uuid,
    seed: Uuid,
    together: &'a Together,
    circumstances: &'a Circumstances<'a>,
}

impl Visit for Ask<'_> {
    type Output = Result<(), Unasked>;

    fn visit<D: Decider>(self, command: D::Command) -> Self::Output {
        let Self {
            rehearsal,
            stream,
            command_id,
            seed,
            together,
            circumstances,
        } = self;
        let mut state: D = rehearsal.state(stream)?;
        let facts = rehearsal.facts(&state, stream, &command, circumstances)?;
        let events = state
            .decide(&Request {
                tenant: rehearsal.tenant,
                stream,
                by: circumstances.by,
                at: circumstances.at,
                ids: Ids::new(seed),
                reason: circumstances.reason,
                facts: &facts,
                together,
                command: &command,
            })
            .map_err(|refusal| Unasked::Refused(format!("{}: {refusal}", refusal.rule())))?;
        for event in events {
            for change in state.claims(stream, &event) {
                rehearsal.claim(stream, change)?;
            }
            state.evolve(&event);
            rehearsal.append::<D>(stream, &event, command_id, circumstances)?;
        }
        Ok(())
    }
}

/// A command that is carried out along with others, on its way to where they find it.
struct Join<'a>(&'a mut Together, Uuid);

impl Visit for Join<'_> {
    type Output = ();

    fn visit<D: Decider>(self, command: D::Command) {
        self.0.push(D::TYPE, self.1, Arc::new(command));
    }
}

#[cfg(test)]
mod tests;
