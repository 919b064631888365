//! Given the past, when a command comes, then these events happen: tests of decisions, without a store.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{
    AnyCommand, Asker, Asking, Circumstances, Claim, ClaimChange, Decider, Event as _, FactRef, Facts, Ids, SYSTEM,
    Together,
};
use uuid::Uuid;

use crate::{offering, schemas, sourcing};

/// Whose book it is.
pub const TENANT: Uuid = Uuid::from_u128(0x7);

/// The stream under test.
pub const STREAM: Uuid = Uuid::from_u128(0x5);
/// Who asks.
pub const BY: Uuid = Uuid::from_u128(0xb);

const COMMAND: Uuid = Uuid::from_u128(0xc);
/// Rounds of asking for facts after which a decider is taken to ask for ever.
const ROUNDS_MAX: usize = 100;

/// The past of the stream under test.
#[must_use]
pub fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    let mut sequence = 0;
    let events = events.into_iter().inspect(|_| sequence += 1);
    let state = state(events);
    Given {
        state,
        sequence,
        facts: Facts::default(),
        together: Together::default(),
        witnesses: Vec::new(),
        reason: None,
        stream: STREAM,
        by: BY,
        at: DateTime::UNIX_EPOCH,
    }
}

/// The state that events lead to.
#[must_use]
pub fn state<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> D {
    let mut state = D::default();
    for event in events {
        state.evolve(&event);
    }
    state
}

/// The id that the command under test draws as its `n`th, from 0.
#[must_use]
pub fn drawn(n: usize) -> Uuid {
    let ids = Ids::new(COMMAND);
    (0..n).for_each(|_| _ = ids.draw());
    ids.draw()
}

/// A text of `chars` characters that take two bytes each.
#[must_use]
pub fn long(chars: usize) -> String {
    "é".repeat(chars)
}

/// The past of the stream under test, and the circumstances of the command that comes.
#[derive(Debug)]
pub struct Given<D> {
    state: D,
    /// That of the latest event.
    sequence: i64,
    facts: Facts,
    together: Together,
    witnesses: Vec<FactRef>,
    reason: Option<&'static str>,
    stream: Uuid,
    by: Uuid,
    at: DateTime<Utc>,
}

impl<D: Decider> Given<D> {
    /// All that the book knows; the decision sees only what it says it reads.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// With facts that the decision sees because somebody else looked for them.
    #[must_use]
    pub fn witnessed_by(mut self, witnesses: impl IntoIterator<Item = FactRef>) -> Self {
        self.witnesses.extend(witnesses);
        self
    }

    /// With the words of the one who asks.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sent along with a command to another stream.
    #[must_use]
    pub fn together_with<E: Decider>(mut self, stream: Uuid, command: E::Command) -> Self {
        self.together.push(stream, AnyCommand::of::<E>(command));
        self
    }

    /// The stream under another id than [`STREAM`].
    #[must_use]
    pub fn on(mut self, stream: Uuid) -> Self {
        self.stream = stream;
        self
    }

    /// Asked by another user than [`BY`].
    #[must_use]
    pub fn by(mut self, by: Uuid) -> Self {
        self.by = by;
        self
    }

    /// Asked at another time than 1970-01-01.
    #[must_use]
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.at = at;
        self
    }

    /// The names of the commands that may be accepted, in the order of declaration.
    #[must_use]
    pub fn offered(&self) -> Vec<String> {
        let asker = self.asker();
        let mut names = schemas::names_of::<D>();
        let is_kept = |name: &str| self.by != SYSTEM && D::ONLY_DAYBOOK.contains(&name);
        names.retain(|name| !is_kept(name) && self.state.offers(name, self.stream, &asker).is_ok());
        names
    }

    /// Those of these commands that may be accepted, in the order in which they are named: a rule is about some
    /// commands, and another one that comes beside them is none of its business.
    #[must_use]
    pub fn offered_of(&self, names: &[&'static str]) -> Vec<&'static str> {
        let offered = self.offered();
        let mut of = names.to_vec();
        of.retain(|name| offered.iter().any(|other| other == name));
        of
    }

    fn asker(&self) -> Asker {
        Asker {
            tenant: TENANT,
            by: self.by,
            at: self.at,
        }
    }

    /// Decides about the command.
    ///
    /// # Panics
    /// When the decision reads its own stream or asks for ever more facts, accepts what [`Decider::offers`]
    /// says would be refused, makes events that tell of persons though its kind does not say so, or leads to something
    /// else by way of cqrs-es.
    #[track_caller]
    pub fn when(self, command: D::Command) -> When<D> {
        let command = Arc::new(command);
        let circumstances = Circumstances {
            tenant: TENANT,
            stream: self.stream,
            sequence: self.sequence,
            by: self.by,
            at: self.at,
            seed: COMMAND,
            reason: self.reason.map(str::to_owned),
            facts: Arc::new(self.read(&command)),
            together: self.together.clone(),
        };
        let outcome = sourcing::decided_both_ways(&self.state, &circumstances, &command);
        offering::check_typed(&self.state, &command, self.stream, &self.asker(), outcome.is_ok());
        let tells_of_persons = |event: &D::Event| !event.sealed(self.stream).is_empty();
        assert!(
            D::Event::PERSONAL || !outcome.iter().flatten().any(tells_of_persons),
            "{} has sealed fields; say that its events are PERSONAL",
            D::TYPE
        );
        When {
            stream: self.stream,
            before: self.state,
            outcome,
        }
    }

    fn read(&self, command: &D::Command) -> Facts {
        let mut named: Vec<FactRef> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let facts = self.facts.only(&[self.witnesses.clone(), named.clone()].concat());
            let next = self.state.reads(&Asking {
                tenant: TENANT,
                by: self.by,
                at: self.at,
                stream: self.stream,
                command,
                facts: &facts,
            });
            assert!(
                next.iter()
                    .all(|read| (read.aggregate_type, read.id) != (D::TYPE, self.stream)),
                "a decision reads its own stream as a fact"
            );
            let known = |read: &FactRef| {
                let same = |before: &FactRef| (before.aggregate_type, before.id) == (read.aggregate_type, read.id);
                named.iter().any(same)
            };
            if next.iter().all(known) {
                return facts;
            }
            named = next;
        }
        panic!("{} asks for ever more facts", D::TYPE)
    }
}

/// The outcome of the command.
#[derive(Debug)]
pub struct When<D: Decider> {
    stream: Uuid,
    before: D,
    outcome: Result<Vec<D::Event>, D::Refusal>,
}

impl<D: Decider + Debug> When<D> {
    /// # Panics
    /// When anything else happened.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = D::Event>) -> Then<D> {
        let events: Vec<D::Event> = events.into_iter().collect();
        assert_eq!(self.outcome.as_ref(), Ok(&events));
        Then {
            stream: self.stream,
            before: self.before,
            events,
        }
    }

    /// # Panics
    /// When the command was accepted, or refused for another reason.
    #[track_caller]
    pub fn refused(self, refusal: D::Refusal) {
        assert_eq!(self.outcome, Err(refusal));
    }

    /// The outcome, for a test that looks at part of it.
    ///
    /// # Errors
    /// The refusal, if it was one.
    pub fn outcome(self) -> Result<Vec<D::Event>, D::Refusal> {
        self.outcome
    }

    /// The events, for a test that looks at part of them.
    ///
    /// # Panics
    /// When the command was refused.
    #[track_caller]
    pub fn events(self) -> Vec<D::Event> {
        self.outcome.unwrap()
    }
}

/// The events, as the test expected them.
#[derive(Debug)]
pub struct Then<D: Decider> {
    stream: Uuid,
    before: D,
    events: Vec<D::Event>,
}

impl<D: Decider> Then<D> {
    /// Which unique values are taken and given back.
    ///
    /// # Panics
    /// When it is others, or in another order.
    #[track_caller]
    pub fn claims(self, changes: impl IntoIterator<Item = ClaimChange>) {
        let mut state = self.before;
        let mut changed = Vec::new();
        for event in &self.events {
            changed.extend(state.claims(self.stream, event));
            state.evolve(event);
        }
        assert!(
            changed.iter().all(|change| D::CLAIMS.contains(&change.claim())),
            "{changed:?}: declare it"
        );
        assert_eq!(changed, changes.into_iter().collect::<Vec<_>>());
    }
}

/// That a value is taken.
#[must_use]
pub fn takes(claim: Claim, value: impl Into<String>) -> ClaimChange {
    ClaimChange::Take {
        claim,
        value: value.into(),
    }
}

/// That a value is given back.
#[must_use]
pub fn releases(claim: Claim, value: impl Into<String>) -> ClaimChange {
    ClaimChange::Release {
        claim,
        value: value.into(),
    }
}
