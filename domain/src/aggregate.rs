//! A kind of stream as a value. One is made where the aggregate lives; engines work on these, and know no type.

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::entry::Plain;
use crate::event::{Stored, Versioned as _};
use crate::fact::AnyState;
use crate::refusal::ONLY_DAYBOOK;
use crate::{AnyCommand, AnyEvent, Asker, Claim, Decider, DecodeError, FactRef, Refusal, SYSTEM, event, misread};

/// Why a body is no such command.
pub type Unparsed = serde_path_to_error::Error<serde_json::Error>;

/// One kind of stream.
#[derive(Clone, Copy)]
pub struct Aggregate {
    /// The stored name, `context.aggregate`.
    pub aggregate_type: &'static str,
    /// The word for many of them, in URLs: `orders`.
    pub plural: &'static str,
    /// The command that makes a new one.
    pub creates: &'static str,
    /// Whether streams of the kind belong to departments.
    pub scoped: bool,
    /// See [`Decider::ONE_PER_TENANT`].
    pub one_per_tenant: bool,
    /// See [`Decider::SHOWN_IN`].
    pub shown_in: Option<&'static str>,
    /// See [`Decider::PART`].
    pub part: Option<&'static str>,
    /// Whether a stream's id is that of something else, so that a new one cannot be made without it.
    pub borrows_id: bool,
    /// See [`Decider::MOVED`].
    pub moved: &'static [(&'static str, &'static str)],
    /// See [`Decider::ONLY_DAYBOOK`].
    pub only_daybook: &'static [&'static str],
    /// See [`Decider::ADDRESSES`].
    pub addresses: &'static [&'static str],
    /// See [`Decider::MASKED`].
    pub masked: &'static [(&'static str, &'static str)],
    /// See [`crate::Event::PERSONAL`].
    pub personal: bool,
    /// See [`Decider::CLAIMS`].
    pub claims: &'static [Claim],
    /// See [`Decider::PLAIN`].
    pub plain: Option<&'static Plain>,
    /// The names of its events, in the order of declaration.
    pub events: &'static [&'static str],
    /// See [`Decider::body_bytes_max`].
    pub body_bytes_max: fn(&str) -> usize,
    /// The names of the rules by which its commands are refused.
    pub rules: fn() -> Vec<&'static str>,
    kind: &'static dyn Kind,
}

impl Aggregate {
    /// The kind that `D` decides about, under the word that URLs call many of them.
    #[must_use]
    pub const fn of<D: Decider>(plural: &'static str) -> Self {
        Self {
            aggregate_type: D::TYPE,
            plural,
            creates: D::CREATES,
            scoped: D::SCOPED,
            one_per_tenant: D::ONE_PER_TENANT,
            shown_in: D::SHOWN_IN,
            part: D::PART,
            borrows_id: D::BORROWS_ID,
            moved: D::MOVED,
            only_daybook: D::ONLY_DAYBOOK,
            addresses: D::ADDRESSES,
            masked: D::MASKED,
            personal: <D::Event as crate::Event>::PERSONAL,
            claims: D::CLAIMS,
            plain: D::PLAIN,
            events: <D::Event as event::Versioned>::NAMES,
            body_bytes_max: D::body_bytes_max,
            rules: rules_of::<D>,
            kind: &Of::<D>(PhantomData),
        }
    }

    /// The context that the kind belongs to: the first word of its name.
    #[must_use]
    pub fn context(&self) -> &'static str {
        self.aggregate_type.split_once('.').map_or("", |(context, _)| context)
    }

    /// The kind's own word: `order`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let words = self.aggregate_type.split_once('.');
        words.map_or(self.aggregate_type, |(_, name)| name)
    }

    /// Whether the state of its streams is of type `D`.
    #[must_use]
    pub fn is<D: Decider>(&self) -> bool {
        self.aggregate_type == D::TYPE
    }

    /// The stream that a URL names: by its id or, of a plain kind, by the key of the entry.
    #[must_use]
    pub fn stream_at(&self, tenant: Uuid, named: &str) -> Option<Uuid> {
        let keyed = || self.plain?.stream_at(tenant, named);
        named.parse().ok().or_else(keyed)
    }

    /// A stream of the kind, as something to load.
    #[must_use]
    pub fn fact(&self, stream: Uuid) -> FactRef {
        self.kind.fact(stream)
    }

    /// The state of a stream without events.
    #[must_use]
    pub fn unborn(&self) -> AnyState {
        self.kind.unborn()
    }

    /// Reads a stored event.
    ///
    /// # Errors
    /// [`DecodeError`] when its name, version or fields are not known.
    pub fn decode(&self, stored: &Stored<'_>) -> Result<AnyEvent, DecodeError> {
        self.kind.decode(stored)
    }

    /// Writes an event of the kind as the book stores it; `None` when it is of another kind.
    ///
    /// # Errors
    /// When the event cannot be written as JSON.
    pub fn encode(&self, event: &AnyEvent) -> Result<Option<String>, DecodeError> {
        self.kind.encode(event)
    }

    /// The version under which events of this name are stored today.
    #[must_use]
    pub fn version(&self, event_type: &str) -> &'static str {
        self.kind.version(event_type)
    }

    /// A command from its name in kebab case and its fields.
    ///
    /// # Errors
    /// The path to what is wrong with them, which begins with the command's name.
    pub fn parse(&self, command: &str, fields: &mut Value) -> Result<AnyCommand, Unparsed> {
        let mut named = Value::Object(Map::from_iter([(command.to_owned(), fields.take())]));
        let parsed = misread::with_whole_numbers(&mut named, |command| self.kind.read(command));
        *fields = named[command].take();
        parsed
    }

    /// A command from its JSON, the way [`AnyCommand::to_value`] writes it.
    ///
    /// # Errors
    /// As [`Aggregate::parse`].
    pub fn read(&self, command: Value) -> Result<AnyCommand, Unparsed> {
        self.kind.read(&command)
    }

    /// The JSON schema of the kind's commands: one variant each, named in kebab case.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.kind.schema(generator)
    }

    /// The JSON schema of the kind's events: one variant each.
    pub fn event_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.kind.event_schema(generator)
    }

    /// The department that a stream in this state belongs to; a stream never changes it.
    #[must_use]
    pub fn home(&self, state: &AnyState) -> Option<Uuid> {
        self.kind.home(state)
    }

    /// The streams that come with one in this state, see [`Decider::draws_on`].
    #[must_use]
    pub fn draws_on(&self, state: &AnyState) -> Vec<FactRef> {
        self.kind.draws_on(state)
    }

    /// Whether a command of this name may be accepted by a stream in this state, see [`Decider::offers`].
    ///
    /// # Errors
    /// The refusal that it meets, whatever its fields say.
    pub fn offers(&self, state: &AnyState, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        if asker.by != SYSTEM && self.only_daybook.contains(&command) {
            return Err(Refusal::only_daybook(self.aggregate_type, command));
        }
        self.kind.offers(state, command, stream, asker)
    }

    /// The command of this name that tells whether somebody from elsewhere is entitled, see [`Decider::probe`].
    #[must_use]
    pub fn probe(&self, state: &AnyState, command: &str) -> Option<AnyCommand> {
        self.kind.probe(state, command)
    }

    /// A state as JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or is that of another kind.
    pub fn state(&self, state: &AnyState) -> Result<Value, DecodeError> {
        self.kind.state(state)
    }
}

/// The rules of the kind's own, and the engine's that keeps commands for Daybook.
fn rules_of<D: Decider>() -> Vec<&'static str> {
    let mut rules = D::rules();
    if !D::ONLY_DAYBOOK.is_empty() {
        rules.push(ONLY_DAYBOOK);
    }
    rules
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate_type == other.aggregate_type
    }
}

impl Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.aggregate_type)
    }
}

/// A kind of stream whose type is known only inside.
trait Kind: Send + Sync {
    fn fact(&self, stream: Uuid) -> FactRef;
    fn unborn(&self) -> AnyState;
    fn decode(&self, stored: &Stored<'_>) -> Result<AnyEvent, DecodeError>;
    fn encode(&self, event: &AnyEvent) -> Result<Option<String>, DecodeError>;
    fn version(&self, event_type: &str) -> &'static str;
    fn read(&self, command: &Value) -> Result<AnyCommand, Unparsed>;
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;
    fn event_schema(&self, generator: &mut SchemaGenerator) -> Schema;
    fn home(&self, state: &AnyState) -> Option<Uuid>;
    fn draws_on(&self, state: &AnyState) -> Vec<FactRef>;
    fn offers(&self, state: &AnyState, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal>;
    fn probe(&self, state: &AnyState, command: &str) -> Option<AnyCommand>;
    fn state(&self, state: &AnyState) -> Result<Value, DecodeError>;
}

struct Of<D>(PhantomData<fn() -> D>);

impl<D: Decider> Kind for Of<D> {
    fn fact(&self, stream: Uuid) -> FactRef {
        FactRef::of::<D>(stream)
    }

    fn unborn(&self) -> AnyState {
        Arc::new(D::default())
    }

    fn decode(&self, stored: &Stored<'_>) -> Result<AnyEvent, DecodeError> {
        event::decode(stored).map(AnyEvent::new::<D>)
    }

    fn encode(&self, event: &AnyEvent) -> Result<Option<String>, DecodeError> {
        event.of::<D>().map(event::encode).transpose()
    }

    fn version(&self, event_type: &str) -> &'static str {
        D::Event::version(event_type)
    }

    fn read(&self, command: &Value) -> Result<AnyCommand, Unparsed> {
        D::read(command).map(AnyCommand::of::<D>)
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.root_schema_for::<D::Command>()
    }

    fn event_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        generator.root_schema_for::<D::Event>()
    }

    fn home(&self, state: &AnyState) -> Option<Uuid> {
        state.downcast_ref::<D>()?.home()
    }

    fn draws_on(&self, state: &AnyState) -> Vec<FactRef> {
        state.downcast_ref::<D>().map_or_else(Vec::new, D::draws_on)
    }

    fn offers(&self, state: &AnyState, command: &str, stream: Uuid, asker: &Asker) -> Result<(), Refusal> {
        let Some(state) = state.downcast_ref::<D>() else {
            return Ok(());
        };
        let offered = state.offers(command, stream, asker);
        offered.map_err(|refusal| Refusal::of::<D>(&refusal))
    }

    fn probe(&self, state: &AnyState, command: &str) -> Option<AnyCommand> {
        let command = state.downcast_ref::<D>()?.probe(command)?;
        Some(AnyCommand::of::<D>(command))
    }

    fn state(&self, state: &AnyState) -> Result<Value, DecodeError> {
        let unwritable = |detail: String| DecodeError::Fields {
            event_type: D::TYPE.to_owned(),
            detail,
        };
        let state = state.downcast_ref::<D>();
        let state = state.ok_or_else(|| unwritable("this is the state of another kind".to_owned()))?;
        serde_json::to_value(state).map_err(|error| unwritable(error.to_string()))
    }
}
