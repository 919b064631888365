//! A book in memory: it gathers facts, decides, checks claims and appends, as the real one does. Golden
//! histories and property tests are written with it, so that what they hold could have happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::fact::AnyState;
use domain::{
    AnyCommand, AnyEvent, Asker, Circumstances, Claim, ClaimChange, Contexts, Decider, DecodeError, DomainEvent as _,
    FactRef, Facts, Metadata, Policy, Reaction, Recorded, SYSTEM, Seen, Sending, Together, Undecided, event,
};
use serde_json::Value;
use uuid::Uuid;

use crate::offering;

/// Everything that happened, and who holds which unique value.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    contexts: Contexts,
    tenant: Uuid,
    events: Vec<Recorded<String>>,
    /// The places in `events` of each stream, by kind and id.
    streams: BTreeMap<(&'static str, Uuid), Vec<usize>>,
    claims: BTreeMap<(Claim, String), Uuid>,
    /// How many events policies have reacted to.
    followed: usize,
}

/// Who asks, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    pub by: Uuid,
    pub at: DateTime<Utc>,
    pub reason: Option<&'a str>,
}

/// Why a command that was asked for led to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    #[error("{0}")]
    Refused(String),
    #[error("{claim} {value} is held by another stream")]
    Claimed { claim: Claim, value: String },
    #[error(transparent)]
    Broken(#[from] DecodeError),
}

impl Rehearsal {
    /// An empty book of one tenant, for streams of these contexts.
    #[must_use]
    pub fn new(contexts: Contexts, tenant: Uuid) -> Self {
        Self {
            contexts,
            tenant,
            events: Vec::new(),
            streams: BTreeMap::new(),
            claims: BTreeMap::new(),
            followed: 0,
        }
    }

    /// The contexts whose streams it holds.
    #[must_use]
    pub fn contexts(&self) -> &Contexts {
        &self.contexts
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

    /// The sequence of the stream's latest event; 0 before its first.
    #[must_use]
    pub fn sequence(&self, aggregate_type: &'static str, stream: Uuid) -> i64 {
        let events = self.streams.get(&(aggregate_type, stream)).map_or(0, Vec::len);
        i64::try_from(events).unwrap_or(i64::MAX)
    }

    /// Carries commands out as one: all happen or none. The number of events that they made.
    ///
    /// # Errors
    /// [`Unasked`]; then nothing happened.
    pub fn ask(&mut self, sendings: &[Sending], occasion: &Occasion<'_>) -> Result<usize, Unasked> {
        let before = (self.events.len(), self.claims.clone());
        let first = sendings.first().map_or_else(Uuid::nil, |sending| {
            self.command_id(sending.command.aggregate_type(), sending.stream)
        });
        for index in 0..sendings.len() {
            let seed = Uuid::new_v5(&first, &index.to_be_bytes());
            if let Err(unasked) = self.carry_out(sendings, index, first, seed, occasion) {
                self.forget(before);
                return Err(unasked);
            }
        }
        Ok(self.events.len() - before.0)
    }

    /// Appends an event that no command makes any more, as an earlier program wrote it.
    ///
    /// # Errors
    /// When the event cannot be written.
    pub fn wrote<D: Decider>(
        &mut self,
        stream: Uuid,
        event: &D::Event,
        occasion: &Occasion<'_>,
    ) -> Result<(), DecodeError> {
        let command_id = self.command_id(D::TYPE, stream);
        let written = Written {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: event::encode(event)?,
        };
        self.append(D::TYPE, stream, written, command_id, occasion);
        Ok(())
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
        let occasion = Occasion {
            by: SYSTEM,
            at,
            reason: None,
        };
        let mut timers = Vec::new();
        while self.followed < self.events.len() {
            let recorded = self.events[self.followed].clone();
            self.followed += 1;
            let Some(event) = self.contexts.decode(&recorded)? else {
                continue;
            };
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
                            if self.ask(&sendings, &occasion).is_err() && !refused.is_empty() {
                                let _ = self.ask(&refused, &occasion);
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
        let Some(kind) = self.contexts.aggregate(&recorded.aggregate_type) else {
            return Ok(None);
        };
        let fact = kind.fact(recorded.stream);
        let places = self.streams.get(&(fact.aggregate_type, fact.id)).into_iter().flatten();
        let events = places.map(|&place| &self.events[place]);
        let until = events.take_while(|event| event.sequence <= recorded.sequence);
        (fact.fold)(&mut until.map(Recorded::stored)).map(Some)
    }

    fn forget(&mut self, (events, claims): (usize, BTreeMap<(Claim, String), Uuid>)) {
        self.events.truncate(events);
        self.claims = claims;
        for places in self.streams.values_mut() {
            places.retain(|&place| place < events);
        }
        self.streams.retain(|_, places| !places.is_empty());
    }

    /// Carries out one of the commands that happen as one.
    fn carry_out(
        &mut self,
        sendings: &[Sending],
        index: usize,
        command_id: Uuid,
        seed: Uuid,
        occasion: &Occasion<'_>,
    ) -> Result<(), Unasked> {
        let Sending { stream, command } = &sendings[index];
        let mut together = Together::default();
        for (_, other) in sendings.iter().enumerate().filter(|(other, _)| *other != index) {
            together.push(other.stream, other.command.clone());
        }
        let asker = self.asker(occasion);
        let state = self.load(command.fact(*stream))?;
        let facts = self.facts(command, &state, &asker, *stream)?;
        let decided = command.decide(
            &state,
            &Circumstances {
                tenant: self.tenant,
                stream: *stream,
                sequence: self.sequence(command.aggregate_type(), *stream),
                by: asker.by,
                at: asker.at,
                seed,
                reason: occasion.reason.map(str::to_owned),
                facts: Arc::new(facts),
                together,
            },
        );
        if let Some(kind) = self.contexts.aggregate(command.aggregate_type()) {
            offering::check(kind, &state, command, *stream, &asker, decided.is_ok());
        }
        let decided = decided.map_err(|undecided| match undecided {
            Undecided::Refused(refusal) => Unasked::Refused(format!("{}: {}", refusal.rule, refusal.detail)),
            Undecided::Unwritable(broken) => Unasked::Broken(broken),
            Undecided::Foreign(kind) => panic!("{sendings:?}: the state is not that of a {kind}"),
        })?;
        for change in decided.claims {
            let kind = self.contexts.aggregate(command.aggregate_type());
            let is_declared = kind.is_none_or(|kind| kind.claims.contains(&change.claim()));
            assert!(
                is_declared,
                "{change:?} is not among the claims of {}",
                command.aggregate_type()
            );
            self.claim(*stream, change)?;
        }
        for event in decided.events {
            let written = Written {
                event_type: event.event_type,
                event_version: event.event_version,
                payload: event.payload,
            };
            self.append(command.aggregate_type(), *stream, written, command_id, occasion);
        }
        Ok(())
    }

    fn asker(&self, occasion: &Occasion<'_>) -> Asker {
        Asker {
            tenant: self.tenant,
            by: occasion.by,
            at: occasion.at,
        }
    }

    /// The state of a stream of any kind.
    ///
    /// # Errors
    /// When an event cannot be read, which is a defect of this program.
    pub fn load(&self, fact: FactRef) -> Result<AnyState, DecodeError> {
        let places = self.streams.get(&(fact.aggregate_type, fact.id)).into_iter().flatten();
        (fact.fold)(&mut places.map(|&place| self.events[place].stored()))
    }

    /// The facts of a decision about a command, as the real book would load them.
    ///
    /// # Errors
    /// When an event cannot be read, which is a defect of this program.
    pub fn facts(
        &self,
        command: &AnyCommand,
        state: &AnyState,
        asker: &Asker,
        stream: Uuid,
    ) -> Result<Facts, DecodeError> {
        let mut facts = Facts::default();
        let mut named = BTreeSet::new();
        loop {
            let mut reads = command.reads(state, asker, stream, &facts);
            reads.retain(|read| named.insert((read.aggregate_type, read.id)));
            if reads.is_empty() {
                return Ok(facts);
            }
            for read in reads {
                if self.streams.contains_key(&(read.aggregate_type, read.id)) {
                    facts.insert(read.aggregate_type, read.id, self.load(read)?);
                }
            }
        }
    }

    fn claim(&mut self, stream: Uuid, change: ClaimChange) -> Result<(), Unasked> {
        match change {
            ClaimChange::Take { claim, value } => match self.claims.insert((claim, value.clone()), stream) {
                Some(holder) if holder != stream => Err(Unasked::Claimed { claim, value }),
                Some(_) | None => Ok(()),
            },
            ClaimChange::Release { claim, value } => match self.claims.remove(&(claim, value.clone())) {
                Some(holder) if holder == stream => Ok(()),
                Some(_) | None => Err(Unasked::Claimed { claim, value }),
            },
        }
    }

    fn append(
        &mut self,
        aggregate_type: &'static str,
        stream: Uuid,
        written: Written,
        command_id: Uuid,
        occasion: &Occasion<'_>,
    ) {
        let place = self.events.len();
        let places = self.streams.entry((aggregate_type, stream)).or_default();
        places.push(place);
        let (position, sequence) = (count(place + 1), count(places.len()));
        self.events.push(Recorded {
            position,
            event_id: event::event_id(aggregate_type, stream, sequence),
            tenant_id: self.tenant,
            aggregate_type: aggregate_type.to_owned(),
            stream,
            sequence,
            event_type: written.event_type,
            event_version: written.event_version,
            metadata: Metadata {
                tenant_id: self.tenant,
                actor: occasion.by,
                correlation_id: command_id,
                command_id,
                reason: occasion.reason.map(str::to_owned),
                ..Metadata::default()
            },
            at: occasion.at,
            recorded_at: occasion.at,
            event: written.payload,
        });
    }
}

/// An event on its way into the book.
struct Written {
    event_type: String,
    event_version: String,
    payload: String,
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A command as people write it: its name in kebab case, then its fields.
///
/// # Panics
/// When it is no command of streams of this kind.
#[must_use]
pub fn sending<D: Decider>(stream: Uuid, command: &Value) -> Sending {
    let parsed: Result<D::Command, _> = serde_json::from_value(command.clone());
    Sending::of::<D>(
        stream,
        parsed.unwrap_or_else(|error| panic!("{}: {command}: {error}", D::TYPE)),
    )
}
