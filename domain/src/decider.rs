//! The shape of every aggregate: state, command, event, decide, evolve.

use std::cell::Cell;
use std::fmt::{self, Debug};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::aggregate::Unparsed;
use crate::entry::Plain;
use crate::{AnyCommand, Asker, Claim, ClaimChange, Erase, Event, FactRef, Facts, Refuse, Standing, exact};

/// How large the body of a command may be, in bytes, unless its kind says otherwise.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// One kind of stream. `evolve` folds the past into a state, `decide` says what happens next.
pub trait Decider: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored name of the kind, `context.aggregate`. Stored for ever.
    const TYPE: &'static str;
    /// The command that `POST /v1/{context}/{aggregates}` without an id means, in kebab case.
    const CREATES: &'static str;

    /// Whether streams of this kind belong to departments, see [`Decider::home`]. Only members of the
    /// department, or of one above it, see such a stream and command it. One that has no home is seen by
    /// those alone who see all departments.
    const SCOPED: bool = false;

    /// Whether a tenant has exactly one stream of this kind, under [`Decider::only_stream`].
    const ONE_PER_TENANT: bool = false;

    /// The table whose rows show what streams of this kind hold, where it is not called as URLs call the kind. A row's key is
    /// the stream's id or, of a stream that holds many things, the one named by [`Decider::PART`].
    const SHOWN_IN: Option<&'static str> = None;

    /// Of streams that hold many things, each with an id: the field of their events that has the id of the one which it is
    /// about, `rule_id`. Whoever sent the command is told it.
    const PART: Option<&'static str> = None;

    /// Whether the stream's id is that of something else, an order or a person, so that nobody can leave
    /// it to the server.
    const BORROWS_ID: bool = false;

    /// The event, if there is one, that says everything that matters of those before it: a stream is loaded from
    /// the last one on. The decision itself makes it, once in a while, where streams go on without end.
    const CARRIES_FORWARD: Option<&'static str> = None;

    /// Payload fields that are not sealed and, like the address of a command, are shown only to those who may read
    /// what is personal.
    const ADDRESSES: &'static [&'static str] = &[];

    /// Payload fields that are shown only to those who have the permission beside each: that of the table's masked column.
    const MASKED: &'static [(&'static str, &'static str)] = &[];

    /// Every kind of unique value that streams of this kind take or give back, see [`Decider::claims`].
    const CLAIMS: &'static [Claim] = &[];

    /// The list of a kind of plain reference data, which [`crate::entry!`] has declared.
    const PLAIN: Option<&'static Plain> = None;

    /// Commands that streams of this kind no longer take, in kebab case, each with the request to send instead.
    const MOVED: &'static [(&'static str, &'static str)] = &[];

    /// Commands that Daybook alone sends, in kebab case: they say what happened elsewhere, and a person could say it
    /// otherwise. From anybody but [`crate::SYSTEM`] they are refused before they are decided.
    const ONLY_DAYBOOK: &'static [&'static str] = &[];

    type Command: Serialize + DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static;
    type Event: Event + JsonSchema;
    type Refusal: Refuse;

    /// The rules that streams of this kind can meet, of all those that its refusals have.
    #[must_use]
    fn rules() -> Vec<&'static str> {
        Self::Refusal::rules()
    }

    /// A command from its JSON: its name in kebab case, then its fields.
    ///
    /// # Errors
    /// The path to what is wrong with them, which begins with the command's name.
    fn read(command: &Value) -> Result<Self::Command, Unparsed> {
        exact::read(command)
    }

    /// The events that happen when this command meets this state; none means "already so".
    ///
    /// # Errors
    /// The rule that forbids it.
    fn decide(&self, request: &Request<'_, Self::Command>) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after `event`. Never fails: what is in the book has happened.
    fn evolve(&mut self, event: &Self::Event);

    /// The other streams that `decide` will read. Asked again with what it named so far, until it
    /// names nothing new, so that one fact may lead to another (a department to its parent).
    fn reads(&self, _asking: &Asking<'_, Self::Command>) -> Vec<FactRef> {
        Vec::new()
    }

    /// The one stream of this kind that a tenant has, where it has only one.
    #[must_use]
    fn only_stream(tenant: Uuid) -> Uuid {
        Uuid::new_v5(&tenant, Self::TYPE.as_bytes())
    }

    /// Whether that is the one stream of this kind, where a tenant has only one.
    ///
    /// # Errors
    /// The id of the one that is.
    fn in_place(tenant: Uuid, stream: Uuid) -> Result<(), Uuid> {
        let only = Self::only_stream(tenant);
        match !Self::ONE_PER_TENANT || stream == only {
            true => Ok(()),
            false => Err(only),
        }
    }

    /// The one stream that a command can be sent to, where what it says decides that: a stock key, say.
    #[must_use]
    fn stream_of(tenant: Uuid, _command: &Self::Command) -> Option<Uuid> {
        Self::ONE_PER_TENANT.then(|| Self::only_stream(tenant))
    }

    /// Unique values that `event` takes or gives back; `self` is the state before it.
    fn claims(&self, _stream: Uuid, _event: &Self::Event) -> Vec<ClaimChange> {
        Vec::new()
    }

    /// The keys that the event destroys, and with them whatever was sealed under them.
    fn erases(_stream: Uuid, _event: &Self::Event) -> Vec<Erase> {
        Vec::new()
    }

    /// How the tenant of the stream stands from the event on, if the event changes that.
    fn standing(_event: &Self::Event) -> Option<Standing> {
        None
    }

    /// How large the body of a command of this name, in kebab case, may be, in bytes. Enough for the longest fields
    /// that it takes: a test of the API compares the two.
    fn body_bytes_max(_command: &str) -> usize {
        BODY_BYTES_MAX
    }

    /// The department that a stream in this state belongs to; it never moves to another one.
    fn home(&self) -> Option<Uuid> {
        None
    }

    /// The department whose members may send this command: that of the stream, where nothing else is said, so that a
    /// command of which nobody has thought is open to no other. `None` leaves it to permissions alone and, for a stream
    /// that has a home, to the decision.
    fn department(&self, _command: &Self::Command) -> Option<Uuid> {
        self.home()
    }

    /// A command of this name, in kebab case, with fields as the state has them: it is decided, and not carried out, to
    /// find out whether the decision knows somebody as entitled who does not reach the stream's department. For
    /// commands alone that [`Decider::department`] leaves to the decision.
    fn probe(&self, _command: &str) -> Option<Self::Command> {
        None
    }

    /// Other streams that the command draws on, and that therefore must be within reach of who sends it: an
    /// order that is copied, a location that is stocked.
    fn concerns(_command: &Self::Command) -> Vec<FactRef> {
        Vec::new()
    }

    /// Streams that come with this one: a command that draws on it draws on them too, as a copy of an order
    /// draws on the order's locations.
    fn draws_on(&self) -> Vec<FactRef> {
        Vec::new()
    }

    /// Whether a command of this name, in kebab case, may be accepted in this state, for pages to offer it. A command
    /// that is not offered is refused, whatever its fields and other streams say; one that is may be refused still.
    /// One that is accepted and changes nothing, a repeat, is offered.
    ///
    /// # Errors
    /// The rule that forbids it.
    fn offers(&self, _command: &str, _stream: Uuid, _asker: &Asker) -> Result<(), Self::Refusal> {
        Ok(())
    }
}

/// A command on its way to a decision, while the facts for it are still being gathered.
#[derive(Clone, Copy)]
pub struct Asking<'a, C> {
    pub tenant: Uuid,
    /// The user who asks, or [`crate::SYSTEM`].
    pub by: Uuid,
    /// The time of asking, UTC.
    pub at: DateTime<Utc>,
    /// The stream that the command is sent to.
    pub stream: Uuid,
    pub command: &'a C,
    /// The facts that were read so far.
    pub facts: &'a Facts,
}

/// A command with all that its decision may depend on.
pub struct Request<'a, C> {
    pub tenant: Uuid,
    /// The stream that the command is sent to.
    pub stream: Uuid,
    /// That of the stream's latest event; 0 before its first.
    pub sequence: i64,
    /// The user who asks, or [`crate::SYSTEM`].
    pub by: Uuid,
    /// The time of asking, UTC.
    pub at: DateTime<Utc>,
    /// New ids, the same ones however often the command is decided until it is accepted.
    pub ids: Ids,
    /// Why, in the words of the one who asks (`Daybook-Reason`).
    pub reason: Option<&'a str>,
    pub facts: &'a Facts,
    /// The commands that are carried out as one with this one.
    pub together: &'a Together,
    pub command: &'a C,
}

/// All that a decision depends on besides the state and the command's own fields, owned.
#[derive(Clone)]
pub struct Circumstances {
    pub tenant: Uuid,
    /// The stream that the command is sent to.
    pub stream: Uuid,
    /// That of the stream's latest event; 0 before its first.
    pub sequence: i64,
    /// The user who asks, or [`crate::SYSTEM`].
    pub by: Uuid,
    /// The time of asking, UTC.
    pub at: DateTime<Utc>,
    /// The seed of the ids that are drawn: another one for each time that a command is carried out.
    pub seed: Uuid,
    pub reason: Option<String>,
    pub facts: Arc<Facts>,
    pub together: Together,
}

/// Without the reason, which is free text, and the facts.
impl fmt::Debug for Circumstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circumstances")
            .field("tenant", &self.tenant)
            .field("stream", &self.stream)
            .field("by", &self.by)
            .field("at", &self.at)
            .field("together", &self.together)
            .finish_non_exhaustive()
    }
}

/// The other commands of those that stand or fall together, each with the stream that it is sent to.
#[derive(Debug, Clone, Default)]
pub struct Together(Vec<(Uuid, AnyCommand)>);

impl Together {
    /// The command that is sent to this stream along with the one that is decided, the first if there are more.
    #[must_use]
    pub fn get<D: Decider>(&self, stream: Uuid) -> Option<&D::Command> {
        self.all::<D>(stream).next()
    }

    /// The commands that are sent to this stream along with the one that is decided, in their order.
    pub fn all<D: Decider>(&self, stream: Uuid) -> impl Iterator<Item = &D::Command> {
        let of_stream = self.0.iter().filter(move |(id, _)| *id == stream);
        of_stream.filter_map(|(_, command)| command.typed::<D>())
    }

    pub fn push(&mut self, stream: Uuid, command: AnyCommand) {
        self.0.push((stream, command));
    }
}

/// Ids for rows that a command creates, derived from a seed that no other execution has.
#[derive(Debug)]
pub struct Ids {
    seed: Uuid,
    drawn: Cell<u32>,
}

impl Ids {
    #[must_use]
    pub fn new(seed: Uuid) -> Self {
        Self {
            seed,
            drawn: Cell::new(0),
        }
    }

    /// The next id; deciding again from the same seed draws the same ids in the same order.
    pub fn draw(&self) -> Uuid {
        let n = self.drawn.get();
        self.drawn.set(n + 1);
        Uuid::new_v5(&self.seed, &n.to_be_bytes())
    }
}
