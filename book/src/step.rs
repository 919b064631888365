//! A typed command with its type erased, so that one executor serves every kind of aggregate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository as _, SerializedEvent};
use cqrs_es::{Aggregate as _, DomainEvent as _};
use domain::fact::AnyState;
use domain::sourced::{Asked, Sourced};
use domain::{
    AnyCommand, Asking, ClaimChange, Class, Decider, Event as _, FactRef, Facts, Metadata, Refuse as _, Together,
    Visit, event,
};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use uuid::Uuid;

use crate::cache::Loaded;
use crate::vault::earlier;
use crate::{BookError, Vault, facts};

/// A command for one stream.
pub struct Step {
    pub stream: Uuid,
    /// The sequence that the stream must be at (`If-Match`).
    pub if_match: Option<i64>,
    /// The streams that it was let through on, with the sequences that they were at. Where the decision reads one of
    /// them, it is still there, or the command has to be let through anew.
    pub let_through_on: Vec<(FactRef, i64)>,
    pub(crate) command: Box<dyn Erased>,
}

impl Step {
    #[must_use]
    pub fn of<D: Decider>(stream: Uuid, if_match: Option<i64>, command: D::Command) -> Self {
        Self {
            stream,
            if_match,
            let_through_on: Vec::new(),
            command: Box::new(Typed::<D> {
                command: Arc::new(command),
            }),
        }
    }

    /// As [`Step::of`], for a command of any kind.
    #[must_use]
    pub fn any(stream: Uuid, command: AnyCommand) -> Self {
        struct Make(Uuid);
        impl Visit for Make {
            type Output = Step;
            fn visit<D: Decider>(self, command: D::Command) -> Step {
                Step::of::<D>(self.0, None, command)
            }
        }
        command.dispatch(Make(stream))
    }

    #[must_use]
    pub fn aggregate_type(&self) -> &'static str {
        self.command.aggregate_type()
    }

    /// The sequence that a stream was at when the command was let through, if that rested on it.
    pub(crate) fn let_through_at(&self, aggregate_type: &str, stream: Uuid) -> Option<i64> {
        let is_it = |(fact, _): &&(FactRef, i64)| (fact.aggregate_type, fact.id) == (aggregate_type, stream);
        self.let_through_on.iter().find(is_it).map(|&(_, sequence)| sequence)
    }

    /// The department whose members may send this command to a stream in this state.
    #[must_use]
    pub fn department(&self, state: &AnyState) -> Option<Uuid> {
        self.command.department(state)
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "command for {}/{}", self.aggregate_type(), self.stream)
    }
}

/// Why a decider said no, with its type erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub aggregate_type: &'static str,
    pub class: Class,
    /// The rule's name in kebab case.
    pub rule: &'static str,
    pub field: Option<String>,
    /// What is wrong and what would satisfy the rule.
    pub detail: String,
}

/// Who asks, of which tenant, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub tenant: Uuid,
    pub by: Uuid,
    pub at: DateTime<Utc>,
}

/// What a decision depends on besides the state and the command's own fields.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    pub tenant: Uuid,
    pub stream: Uuid,
    pub by: Uuid,
    pub at: DateTime<Utc>,
    /// What ids are drawn from.
    pub seed: Uuid,
    pub reason: Option<String>,
    pub facts: Arc<Facts>,
    pub together: Together,
}

/// An accepted decision.
pub(crate) struct Decided {
    pub events: Vec<DecidedEvent>,
    pub after: AnyState,
    pub claims: Vec<ClaimChange>,
    pub erased: Vec<Uuid>,
}

pub(crate) struct DecidedEvent {
    pub event_type: String,
    pub event_version: String,
    /// JSON text, not yet sealed.
    pub payload: String,
    pub sealed: Vec<(&'static str, Uuid)>,
    /// Whether loading begins with it from now on.
    pub carries_forward: bool,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A command of some kind; its kind is known only inside.
pub(crate) trait Erased: Send + Sync {
    fn aggregate_type(&self) -> &'static str;
    /// Whether streams of the kind go on without end.
    fn carries_forward(&self) -> bool;
    /// Adds the command to those that are carried out along with another one.
    fn join(&self, stream: Uuid, together: &mut Together);
    fn department(&self, state: &AnyState) -> Option<Uuid>;
    /// The state of a stream without events.
    fn unborn(&self) -> Loaded;
    /// The stream as the book has it. `is_blind` takes sealed fields that do not open for erased ones.
    fn load<'a>(
        &'a self,
        book: &'a PostgresEventRepository,
        pool: &'a PgPool,
        vault: &'a Vault,
        stream: Uuid,
        is_blind: bool,
    ) -> Boxed<'a, Result<Loaded, BookError>>;
    fn reads(&self, asker: &Asker, stream: Uuid, state: &AnyState, facts: &Facts) -> Vec<FactRef>;
    fn decide<'a>(
        &'a self,
        state: &'a AnyState,
        circumstances: Circumstances,
    ) -> Boxed<'a, Result<Result<Decided, Refusal>, BookError>>;
}

struct Typed<D: Decider> {
    command: Arc<D::Command>,
}

/// The typed state; a state is only ever paired with the command type that loaded it.
fn typed<D: Decider>(state: &AnyState) -> Result<&D, BookError> {
    state
        .downcast_ref()
        .ok_or_else(|| BookError::Broken(format!("a cached state is no {}", D::TYPE)))
}

impl<D: Decider> Erased for Typed<D> {
    fn aggregate_type(&self) -> &'static str {
        D::TYPE
    }

    fn join(&self, stream: Uuid, together: &mut Together) {
        together.push(D::TYPE, stream, self.command.clone());
    }

    fn carries_forward(&self) -> bool {
        D::CARRIES_FORWARD.is_some()
    }

    fn department(&self, state: &AnyState) -> Option<Uuid> {
        typed::<D>(state).ok()?.department(&self.command)
    }

    fn unborn(&self) -> Loaded {
        Loaded {
            state: Arc::new(D::default()),
            sequence: 0,
            tenant: None,
            bytes: 0,
            until: None,
        }
    }

    fn load<'a>(
        &'a self,
        book: &'a PostgresEventRepository,
        pool: &'a PgPool,
        vault: &'a Vault,
        stream: Uuid,
        is_blind: bool,
    ) -> Boxed<'a, Result<Loaded, BookError>> {
        match D::CARRIES_FORWARD {
            None => Box::pin(load::<D>(book, vault, stream, is_blind)),
            // postgres-es can begin in the middle of a stream, but does not know where.
            Some(_) => Box::pin(facts::load_one(pool, vault, FactRef::of::<D>(stream))),
        }
    }

    fn reads(&self, asker: &Asker, stream: Uuid, state: &AnyState, facts: &Facts) -> Vec<FactRef> {
        let asking = Asking {
            tenant: asker.tenant,
            by: asker.by,
            at: asker.at,
            stream,
            command: &*self.command,
            facts,
        };
        typed::<D>(state).map_or_else(|_| Vec::new(), |state| state.reads(&asking))
    }

    fn decide<'a>(
        &'a self,
        state: &'a AnyState,
        circumstances: Circumstances,
    ) -> Boxed<'a, Result<Result<Decided, Refusal>, BookError>> {
        Box::pin(async move {
            let before = typed::<D>(state)?;
            let Circumstances {
                tenant,
                stream,
                by,
                at,
                seed,
                reason,
                facts,
                together,
            } = circumstances;
            let asked = Asked {
                tenant,
                stream,
                by,
                at,
                seed,
                reason,
                facts,
                together,
                command: self.command.clone(),
            };
            let mut sourced = Sourced(before.clone());
            let sink = EventSink::default();
            if let Err(refusal) = sourced.handle(asked, &(), &sink).await {
                return Ok(Err(erased::<D>(&refusal)));
            }
            decided::<D>(stream, before.clone(), sink.collect().await).map(Ok)
        })
    }
}

fn erased<D: Decider>(refusal: &D::Refusal) -> Refusal {
    Refusal {
        aggregate_type: D::TYPE,
        class: refusal.class(),
        rule: refusal.rule(),
        field: refusal.field(),
        detail: refusal.to_string(),
    }
}

fn decided<D: Decider>(stream: Uuid, mut state: D, events: Vec<D::Event>) -> Result<Decided, BookError> {
    let mut decided = Decided {
        events: Vec::new(),
        after: Arc::new(()),
        claims: Vec::new(),
        erased: Vec::new(),
    };
    for event in events {
        decided.claims.extend(state.claims(stream, &event));
        decided.erased.extend(D::erases(stream, &event));
        state.evolve(&event);
        let event_type = event.event_type();
        decided.events.push(DecidedEvent {
            carries_forward: D::CARRIES_FORWARD == Some(&*event_type),
            event_type,
            event_version: event.event_version(),
            payload: event::encode(&event)?,
            sealed: event.sealed(stream),
        });
    }
    decided.after = Arc::new(state);
    Ok(decided)
}

/// Loads one stream through postgres-es and folds it through cqrs-es's aggregate. Fields that do not open fail it, or
/// are as if they were erased.
async fn load<D: Decider>(
    book: &PostgresEventRepository,
    vault: &Vault,
    stream: Uuid,
    is_blind: bool,
) -> Result<Loaded, BookError> {
    let stored: Vec<SerializedEvent> = book
        .get_events::<Sourced<D>>(&stream.to_string())
        .await
        .map_err(persistence)?;
    let mut sourced = Sourced(D::default());
    let (mut tenant, mut bytes, mut until) = (None, 0, None);
    let sequence = stored.len() as i64;
    for event in stored {
        let metadata: Metadata = serde_json::from_value(event.metadata)?;
        tenant.get_or_insert(metadata.tenant_id);
        let event_id = domain::event::event_id(D::TYPE, stream, event.sequence as i64);
        let payload = event.payload.to_string();
        let opening = facts::opened(vault, (D::TYPE, stream), event_id, payload, &metadata, is_blind);
        let (payload, opened_until) = opening.await?;
        until = earlier(until, opened_until);
        bytes += payload.len();
        sourced.apply(event::decode(&event::Stored {
            event_type: &event.event_type,
            version: &event.event_version,
            payload: &payload,
            actor: metadata.actor,
        })?);
    }
    Ok(Loaded {
        state: Arc::new(sourced.0),
        sequence,
        tenant,
        bytes,
        until,
    })
}

/// What is carried out as one with the step of this index.
pub(crate) fn beside(steps: &[Step], index: usize) -> Together {
    let mut together = Together::default();
    for (_, other) in steps.iter().enumerate().filter(|(other, _)| *other != index) {
        other.command.join(other.stream, &mut together);
    }
    together
}

fn persistence(error: cqrs_es::persist::PersistenceError) -> BookError {
    use cqrs_es::persist::PersistenceError::{
        ConnectionError, DeserializationError, OptimisticLockError, UnknownError,
    };
    let unboxed = |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast::<sqlx::Error>() {
        Ok(error) => BookError::Database(*error),
        Err(error) => BookError::Broken(error.to_string()),
    };
    match error {
        ConnectionError(error) | DeserializationError(error) | UnknownError(error) => unboxed(error),
        OptimisticLockError => BookError::Broken("reading a stream cannot conflict".to_owned()),
    }
}
