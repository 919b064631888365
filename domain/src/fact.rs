//! Facts: the states of other streams that a decision reads.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::Aggregate as _;
use uuid::Uuid;

use crate::event::Stored;
use crate::sourced::Sourced;
use crate::{Decider, DecodeError, event};

/// A state of any kind, shared and immutable.
pub type AnyState = Arc<dyn Any + Send + Sync>;

/// Folds stored events into a state of one kind.
pub type Fold = for<'a> fn(&mut dyn Iterator<Item = Stored<'a>>) -> Result<AnyState, DecodeError>;

/// The name of a stream whose state a decision wants to read.
#[derive(Debug, Clone, Copy)]
pub struct FactRef {
    pub aggregate_type: &'static str,
    pub id: Uuid,
    pub fold: Fold,
    /// See [`Decider::CARRIES_FORWARD`].
    pub carries_forward: Option<&'static str>,
}

impl FactRef {
    #[must_use]
    pub fn of<D: Decider>(id: Uuid) -> Self {
        Self {
            aggregate_type: D::TYPE,
            id,
            fold: fold::<D>,
            carries_forward: D::CARRIES_FORWARD,
        }
    }
}

fn fold<'a, D: Decider>(events: &mut dyn Iterator<Item = Stored<'a>>) -> Result<AnyState, DecodeError> {
    let mut sourced = Sourced(D::default());
    for stored in events {
        sourced.apply(event::decode(&stored)?);
    }
    Ok(Arc::new(sourced.0))
}

/// The facts of one decision. A stream without events, or of another tenant, is absent.
#[derive(Debug, Default)]
pub struct Facts(HashMap<(&'static str, Uuid), AnyState>);

impl Facts {
    #[must_use]
    pub fn get<D: Decider>(&self, id: Uuid) -> Option<&D> {
        self.0.get(&(D::TYPE, id))?.downcast_ref()
    }

    /// Those of one kind, in the order of their ids.
    pub fn all<D: Decider>(&self) -> impl Iterator<Item = (Uuid, &D)> {
        let of_kind = self.0.iter().filter(|((kind, _), _)| *kind == D::TYPE);
        let mut all: Vec<_> = of_kind
            .filter_map(|((_, id), state)| Some((*id, state.downcast_ref()?)))
            .collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter()
    }

    pub fn insert(&mut self, aggregate_type: &'static str, id: Uuid, state: AnyState) {
        self.0.insert((aggregate_type, id), state);
    }

    /// For given/when/then tests: the fact as a typed state.
    #[must_use]
    pub fn with<D: Decider>(mut self, id: Uuid, state: D) -> Self {
        self.insert(D::TYPE, id, Arc::new(state));
        self
    }

    /// For given/when/then tests: of these facts only the named ones, as the book would load them.
    #[must_use]
    pub fn only(&self, named: &[FactRef]) -> Self {
        let keys = named.iter().map(|named| (named.aggregate_type, named.id));
        Self(keys.filter_map(|key| Some((key, self.0.get(&key)?.clone()))).collect())
    }
}
