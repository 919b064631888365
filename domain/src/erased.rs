//! The one place where a decider's type is erased: commands, events and states of any kind as values.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use cqrs_es::DomainEvent as _;
use uuid::Uuid;

use crate::fact::AnyState;
use crate::sourced::Sourced;
use crate::{
    Asking, Circumstances, ClaimChange, Decider, DecodeError, Erase, Event as _, FactRef, Facts, Recorded, Refusal,
    SYSTEM, Standing, event, exact,
};

/// A command of any kind, shared and immutable.
#[derive(Clone)]
pub struct AnyCommand(Arc<dyn Command>);

/// An event of any kind, shared and immutable. [`AnyEvent::of`] is the view of it with its own type.
#[derive(Clone)]
pub struct AnyEvent(Arc<dyn Happened>);

/// An accepted decision.
#[derive(Debug)]
pub struct Decided {
    pub events: Vec<NewEvent>,
    /// The state after them.
    pub after: AnyState,
    pub claims: Vec<ClaimChange>,
    /// The keys that the events destroy.
    pub erased: Vec<Erase>,
    /// How the tenant stands after them, if they change that.
    pub standing: Option<Standing>,
}

/// An event as a decision made it, before it has a place in the book.
#[derive(Clone, PartialEq)]
pub struct NewEvent {
    pub event_type: String,
    pub event_version: String,
    /// JSON text, not yet sealed.
    pub payload: String,
    /// The fields to seal, each with the person whose key seals it.
    pub sealed: Vec<(&'static str, Uuid)>,
    /// The fields to seal each under a key of its own, with its owner, see [`crate::Event::sealed_apart`].
    pub sealed_apart: Vec<(&'static str, Uuid)>,
    /// The fields with free text, see [`crate::Event::texts`].
    pub texts: Vec<&'static str>,
    /// Whether loading begins with it from now on, see [`Decider::CARRIES_FORWARD`].
    pub carries_forward: bool,
    /// The one of the stream's many things that it is about, by the field that names it, see [`Decider::PART`].
    pub part: Option<(&'static str, Uuid)>,
}

/// The name alone: the payload is not sealed yet.
impl Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEvent")
            .field("event_type", &self.event_type)
            .field("event_version", &self.event_version)
            .finish_non_exhaustive()
    }
}

/// Why a command led to no decision.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Undecided {
    #[error("{}", .0.detail)]
    Refused(Refusal),
    #[error(transparent)]
    Unwritable(#[from] DecodeError),
    /// A defect: the state was folded for a stream of another kind.
    #[error("the state is not that of a {0}")]
    Foreign(&'static str),
}

impl AnyCommand {
    #[must_use]
    pub fn of<D: Decider>(command: D::Command) -> Self {
        Self(Arc::new(CommandOf::<D>(Arc::new(command))))
    }

    /// The command with its own type; `None` when it is for another kind of stream.
    #[must_use]
    pub fn typed<D: Decider>(&self) -> Option<&D::Command> {
        self.0.any().downcast_ref::<CommandOf<D>>().map(|command| &*command.0)
    }

    /// The kind of stream that the command is for.
    #[must_use]
    pub fn aggregate_type(&self) -> &'static str {
        self.0.aggregate_type()
    }

    /// The command's name in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The command as JSON, the way it is sent: its name in kebab case, then its fields.
    ///
    /// # Errors
    /// When the command cannot be written as JSON (a map with keys that are no strings, say).
    pub fn to_value(&self) -> serde_json::Result<serde_json::Value> {
        self.0.to_value()
    }

    /// A stream that the command can be sent to, as something to load.
    #[must_use]
    pub fn fact(&self, stream: Uuid) -> FactRef {
        self.0.fact(stream)
    }

    /// The one stream that it can be sent to, where what it says decides that, see [`Decider::stream_of`].
    #[must_use]
    pub fn stream(&self, tenant: Uuid) -> Option<Uuid> {
        self.0.stream(tenant)
    }

    /// The other streams that the decision reads, given what was read so far, see [`Decider::reads`].
    #[must_use]
    pub fn reads(&self, state: &AnyState, asker: &Asker, stream: Uuid, facts: &Facts) -> Vec<FactRef> {
        self.0.reads(state, asker, stream, facts)
    }

    /// The streams that the command draws on, see [`Decider::concerns`].
    #[must_use]
    pub fn concerns(&self) -> Vec<FactRef> {
        self.0.concerns()
    }

    /// The department whose members may send the command to a stream in this state, see [`Decider::department`].
    #[must_use]
    pub fn department(&self, state: &AnyState) -> Option<Uuid> {
        self.0.department(state)
    }

    /// Decides, and folds the state forward by what happens: each event once.
    ///
    /// # Errors
    /// [`Undecided`].
    pub fn decide(&self, state: &AnyState, circumstances: &Circumstances) -> Result<Decided, Undecided> {
        self.0.decide(state, circumstances)
    }
}

impl PartialEq for AnyCommand {
    fn eq(&self, other: &Self) -> bool {
        let written = |command: &Self| command.to_value().ok();
        self.aggregate_type() == other.aggregate_type() && written(self) == written(other)
    }
}

impl Debug for AnyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asks, of which tenant, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    pub tenant: Uuid,
    /// The user, or [`crate::SYSTEM`].
    pub by: Uuid,
    /// The time of asking, UTC.
    pub at: chrono::DateTime<chrono::Utc>,
}

impl AnyEvent {
    #[must_use]
    pub fn new<D: Decider>(event: D::Event) -> Self {
        Self(Arc::new(EventOf::<D>(event)))
    }

    /// The event with its own type; `None` when it is one of another kind of stream.
    #[must_use]
    pub fn of<D: Decider>(&self) -> Option<&D::Event> {
        self.0.any().downcast_ref::<EventOf<D>>().map(|event| &event.0)
    }

    /// Folds a stream's state forward by this event: `before` is the state right before it, whether it was
    /// loaded or folded so itself, and what comes out is what folding the stream from its start would give.
    /// `None` when `before` is the state of another kind of stream.
    #[must_use]
    pub fn evolved(&self, before: AnyState) -> Option<AnyState> {
        self.0.evolved(before)
    }

    /// Its fields that tell who a person is, each with the person or, where they have no stream, with the owner of their
    /// keys, see [`crate::Event::sealed`] and [`crate::Event::sealed_apart`].
    #[must_use]
    pub fn sealed(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        self.0.sealed(stream)
    }

    /// Those of them that have no stream, see [`crate::Event::sealed_apart`].
    #[must_use]
    pub fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        self.0.sealed_apart(stream)
    }

    /// Its fields with free text, see [`crate::Event::texts`].
    #[must_use]
    pub fn texts(&self) -> Vec<&'static str> {
        self.0.texts()
    }

    /// The state of a stream of this event's kind before its first event.
    #[must_use]
    pub fn unborn(&self) -> AnyState {
        self.0.unborn()
    }
}

impl PartialEq for AnyEvent {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(other.0.any())
    }
}

impl Debug for AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Recorded<AnyEvent> {
    /// The event with its own type; `None` when it is one of another kind of stream.
    #[must_use]
    pub fn of<D: Decider>(&self) -> Option<&D::Event> {
        self.event.of::<D>()
    }
}

/// A command with its type known only inside.
trait Command: Debug + Send + Sync {
    fn any(&self) -> &dyn Any;
    fn aggregate_type(&self) -> &'static str;
    fn name(&self) -> &'static str;
    fn to_value(&self) -> serde_json::Result<serde_json::Value>;
    fn fact(&self, stream: Uuid) -> FactRef;
    fn stream(&self, tenant: Uuid) -> Option<Uuid>;
    fn reads(&self, state: &AnyState, asker: &Asker, stream: Uuid, facts: &Facts) -> Vec<FactRef>;
    fn concerns(&self) -> Vec<FactRef>;
    fn department(&self, state: &AnyState) -> Option<Uuid>;
    fn decide(&self, state: &AnyState, circumstances: &Circumstances) -> Result<Decided, Undecided>;
}

/// An event with its type known only inside.
trait Happened: Debug + Send + Sync {
    fn any(&self) -> &dyn Any;
    fn same(&self, other: &dyn Any) -> bool;
    fn evolved(&self, before: AnyState) -> Option<AnyState>;
    fn sealed(&self, stream: Uuid) -> Vec<(&'static str, Uuid)>;
    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)>;
    fn texts(&self) -> Vec<&'static str>;
    fn unborn(&self) -> AnyState;
}

/// A command for streams of one kind.
struct CommandOf<D: Decider>(Arc<D::Command>);

/// An event of streams of one kind.
struct EventOf<D: Decider>(D::Event);

/// The kind and the command's name. Its fields may tell who a person is, and whatever is printed may end in a log.
impl<D: Decider> Debug for CommandOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.to_value().unwrap_or_default();
        let tag = written.as_object().and_then(|tagged| tagged.keys().next());
        let name = tag.map(String::as_str).or(written.as_str());
        write!(f, "{} {}", D::TYPE, name.unwrap_or_default())
    }
}

/// The kind and the event's name, and none of its fields, as for a command.
impl<D: Decider> Debug for EventOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", D::TYPE, self.0.event_type())
    }
}

impl<D: Decider> Happened for EventOf<D> {
    fn any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self.0 == other.0)
    }

    fn evolved(&self, before: AnyState) -> Option<AnyState> {
        let mut state = before.downcast::<D>().ok()?;
        // Copied only while somebody else looks at the state before.
        Arc::make_mut(&mut state).evolve(&self.0);
        Some(state)
    }

    fn sealed(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        [self.0.sealed(stream), self.0.sealed_apart(stream)].concat()
    }

    fn sealed_apart(&self, stream: Uuid) -> Vec<(&'static str, Uuid)> {
        self.0.sealed_apart(stream)
    }

    fn texts(&self) -> Vec<&'static str> {
        self.0.texts()
    }

    fn unborn(&self) -> AnyState {
        Arc::new(D::default())
    }
}

impl<D: Decider> Command for CommandOf<D> {
    fn any(&self) -> &dyn Any {
        self
    }

    fn aggregate_type(&self) -> &'static str {
        D::TYPE
    }

    fn name(&self) -> &'static str {
        // Commands are enums, which have one; a test of every context says so.
        serde_variant::to_variant_name(&*self.0).unwrap_or_default()
    }

    fn to_value(&self) -> serde_json::Result<serde_json::Value> {
        let text = serde_json::to_string(&self.0)?;
        match exact::mark(text.as_bytes()) {
            // By way of the text a float of 32 bits would be another one, and what is hashed of it, too.
            (_, 0) => serde_json::to_value(&self.0),
            (marked, _) => serde_json::from_slice(&marked),
        }
    }

    fn fact(&self, stream: Uuid) -> FactRef {
        FactRef::of::<D>(stream)
    }

    fn stream(&self, tenant: Uuid) -> Option<Uuid> {
        D::stream_of(tenant, &self.0)
    }

    fn reads(&self, state: &AnyState, asker: &Asker, stream: Uuid, facts: &Facts) -> Vec<FactRef> {
        let asking = Asking {
            tenant: asker.tenant,
            by: asker.by,
            at: asker.at,
            stream,
            command: &*self.0,
            facts,
        };
        let state = state.downcast_ref::<D>();
        state.map_or_else(Vec::new, |state| state.reads(&asking))
    }

    fn concerns(&self) -> Vec<FactRef> {
        D::concerns(&self.0)
    }

    fn department(&self, state: &AnyState) -> Option<Uuid> {
        state.downcast_ref::<D>()?.department(&self.0)
    }

    fn decide(&self, state: &AnyState, circumstances: &Circumstances) -> Result<Decided, Undecided> {
        if circumstances.by != SYSTEM && D::ONLY_DAYBOOK.contains(&self.name()) {
            return Err(Undecided::Refused(Refusal::only_daybook(D::TYPE, self.name())));
        }
        let before = state.downcast_ref::<D>().ok_or(Undecided::Foreign(D::TYPE))?;
        let mut sourced = Sourced(before.clone());
        let outcome = sourced.carry_out(circumstances, &self.0);
        let outcome = outcome.map_err(|refusal| Undecided::Refused(Refusal::of::<D>(&refusal)))?;
        let events = outcome.events.iter();
        let events = events.map(|event| new_event::<D>(circumstances.stream, event));
        Ok(Decided {
            events: events.collect::<Result<_, DecodeError>>()?,
            after: Arc::new(sourced.0),
            claims: outcome.claims,
            erased: outcome.erased,
            standing: outcome.standing,
        })
    }
}

fn new_event<D: Decider>(stream: Uuid, event: &D::Event) -> Result<NewEvent, DecodeError> {
    let (event_type, payload) = (event.event_type(), event::encode(event)?);
    Ok(NewEvent {
        carries_forward: D::CARRIES_FORWARD == Some(&*event_type),
        event_version: event.event_version(),
        part: D::PART.and_then(|field| Some((field, id_in(&payload, field)?))),
        payload,
        sealed: event.sealed(stream),
        sealed_apart: event.sealed_apart(stream),
        texts: event.texts(),
        event_type,
    })
}

/// The id that a payload has in this field.
fn id_in(payload: &str, field: &str) -> Option<Uuid> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(payload).ok()?;
    fields.get(field)?.as_str()?.parse().ok()
}
