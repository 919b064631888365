//! A golden history on its way: commands in the words of a story, carried out by a [`Rehearsal`].

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::fact::AnyState;
use domain::{
    AnyCommand, Asker, Circumstances, Context, Contexts, Decided, Decider, Recorded, Sending, Together, Undecided,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::book::{Occasion, Rehearsal, sending};
use crate::plain;

/// Whose book golden histories are.
pub const TENANT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// Time between two commands.
const BETWEEN_COMMANDS: TimeDelta = TimeDelta::seconds(90);

/// A fixed id that looks like what it is: kind and number.
#[must_use]
pub const fn id(kind: u16, n: u16) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | (kind as u128) << 16 | n as u128)
}

/// A story while it is told. Each command comes a step of time after the one before, and must change something.
#[derive(Debug)]
pub struct Chronicle {
    actor: Uuid,
    now: DateTime<Utc>,
    book: Rehearsal,
    steps: Vec<Step>,
}

/// A command of a story, and who asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub by: Uuid,
    pub stream: Uuid,
    pub command: AnyCommand,
    /// When it was asked, UTC; the same for commands that are carried out as one.
    pub at: DateTime<Utc>,
}

/// A story that was told to its end.
#[derive(Debug)]
pub struct History {
    pub contexts: Contexts,
    /// Everything that happened.
    pub events: Vec<Recorded<String>>,
    /// Every command that made it happen, in order.
    pub steps: Vec<Step>,
    /// The book as it was left.
    pub book: Rehearsal,
    /// The time of the last command, UTC.
    pub ended_at: DateTime<Utc>,
}

impl Chronicle {
    /// A story about streams of these contexts. `actor` asks first, until [`Chronicle::by`] says who else.
    #[must_use]
    pub fn new(contexts: Contexts, actor: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            actor,
            now,
            book: Rehearsal::new(contexts, TENANT),
            steps: Vec::new(),
        }
    }

    /// The story is over.
    #[must_use]
    pub fn ended(self) -> History {
        History {
            contexts: self.book.contexts().clone(),
            events: self.book.events().to_vec(),
            steps: self.steps,
            book: self.book,
            ended_at: self.now,
        }
    }

    /// All commands from here on are asked by this user.
    pub fn by(&mut self, actor: Uuid) -> &mut Self {
        self.actor = actor;
        self
    }

    /// All commands from here on are asked so many hours later.
    pub fn later(&mut self, hours: i64) -> &mut Self {
        self.now += TimeDelta::hours(hours);
        self
    }

    /// A field of the latest event under this id that has it.
    ///
    /// # Panics
    /// When none has.
    #[must_use]
    pub fn named(&self, stream: Uuid, field: &str) -> Value {
        let of_stream = self
            .book
            .events()
            .iter()
            .rev()
            .filter(|recorded| recorded.stream == stream);
        let mut fields = of_stream.filter_map(|recorded| payload(&recorded.event).get(field).cloned());
        fields.next().unwrap()
    }

    /// The time at which the next command is asked, UTC.
    #[must_use]
    pub fn next(&self) -> DateTime<Utc> {
        self.now + BETWEEN_COMMANDS
    }

    /// A command as people write it: its name in kebab case, then its fields.
    ///
    /// # Panics
    /// When it is refused or changes nothing.
    pub fn send<D: Decider>(&mut self, stream: Uuid, command: Value) -> &mut Self {
        self.carry_out(&[sending::<D>(stream, &command)], None)
    }

    /// As [`Chronicle::send`], with a reason in the words of the one who asks.
    ///
    /// # Panics
    /// When it is refused or changes nothing.
    pub fn send_because<D: Decider>(&mut self, stream: Uuid, command: Value, reason: &str) -> &mut Self {
        self.carry_out(&[sending::<D>(stream, &command)], Some(reason))
    }

    /// Tells of samples of the context's plain kinds of which it has not told yet, see [`crate::plain::tell`].
    pub fn plain_kinds(&mut self, context: &'static Context) -> &mut Self {
        self.now += BETWEEN_COMMANDS;
        let mut samples = plain::Samples::of(&mut self.book, self.actor, self.now);
        plain::tell(context, &mut samples);
        self.steps.extend(samples.steps);
        self
    }

    /// An event that no command makes any more, as an earlier program wrote it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn wrote<D: Decider>(&mut self, stream: Uuid, event: &D::Event) -> &mut Self {
        self.now += BETWEEN_COMMANDS;
        let occasion = Occasion {
            by: self.actor,
            at: self.now,
            reason: None,
        };
        self.book.wrote::<D>(stream, event, &occasion).unwrap();
        self
    }

    /// Commands that are carried out as one.
    ///
    /// # Panics
    /// When they are refused or change nothing.
    pub fn carry_out(&mut self, sendings: &[Sending], reason: Option<&str>) -> &mut Self {
        self.now += BETWEEN_COMMANDS;
        let occasion = Occasion {
            by: self.actor,
            at: self.now,
            reason,
        };
        let happened = self
            .book
            .ask(sendings, &occasion)
            .unwrap_or_else(|unasked| panic!("{sendings:?}: {unasked}"));
        assert!(happened > 0, "{sendings:?} changes nothing");
        self.steps.extend(sendings.iter().map(|sending| Step {
            by: self.actor,
            stream: sending.stream,
            command: sending.command.clone(),
            at: occasion.at,
        }));
        self
    }
}

impl History {
    /// Everything that happened, as the golden file holds it.
    #[must_use]
    pub fn written(&self) -> Vec<Value> {
        let events = self.events.iter();
        events
            .map(|recorded| {
                json!({
                    "position": recorded.position,
                    "tenant_id": recorded.tenant_id,
                    "aggregate_type": recorded.aggregate_type,
                    "stream": recorded.stream,
                    "sequence": recorded.sequence,
                    "event_type": recorded.event_type,
                    "event_version": recorded.event_version,
                    "payload": payload(&recorded.event),
                    "metadata": recorded.metadata,
                    "recorded_at": recorded.recorded_at,
                })
            })
            .collect()
    }

    /// Decides about a command to a stream in any state, with the facts as they are when the story is over.
    ///
    /// # Errors
    /// [`Undecided`].
    ///
    /// # Panics
    /// When an event cannot be read.
    pub fn decide(&self, state: &AnyState, command: &AnyCommand, stream: Uuid, by: Uuid) -> Result<Decided, Undecided> {
        let asker = self.asker(by);
        let facts = self.book.facts(command, state, &asker, stream).unwrap();
        command.decide(
            state,
            &Circumstances {
                tenant: asker.tenant,
                stream,
                sequence: self.book.sequence(command.aggregate_type(), stream),
                by,
                at: asker.at,
                seed: stream,
                reason: Some("because".to_owned()),
                facts: Arc::new(facts),
                together: Together::default(),
            },
        )
    }

    /// Someone of the tenant who asks when the story is over.
    #[must_use]
    pub fn asker(&self, by: Uuid) -> Asker {
        Asker {
            tenant: TENANT,
            by,
            at: self.ended_at,
        }
    }
}

fn payload(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}
