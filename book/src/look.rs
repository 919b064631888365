//! What streams are, for who asks the book and commands nothing.

use std::sync::Arc;

use domain::fact::AnyState;
use uuid::Uuid;

use crate::cache::Loaded;
use crate::facts::Texts;
use crate::pools::answered;
use crate::trust::Trust;
use crate::{Book, BookError, ExecuteError, Step, facts};

impl Book {
    /// The state of a stream, maybe a little old; `None` when it has no events in this tenant.
    ///
    /// # Errors
    /// The database's error, or an event that cannot be decoded.
    pub async fn state<D: domain::Decider>(&self, tenant: Uuid, stream: Uuid) -> Result<Option<Arc<D>>, BookError> {
        let fact = domain::FactRef::of::<D>(stream);
        let loaded = self.0.facts(&[fact], Trust::Cache, None).await?.pop();
        Ok(loaded
            .filter(|loaded| loaded.tenant == Some(tenant))
            .and_then(|loaded| loaded.state.downcast().ok()))
    }

    /// As [`Book::state`], read from the book now.
    ///
    /// # Errors
    /// As [`Book::state`].
    pub async fn now<D: domain::Decider>(&self, tenant: Uuid, stream: Uuid) -> Result<Option<Arc<D>>, BookError> {
        Ok(self.fresh::<D>(tenant, &[stream]).await?.pop().flatten())
    }

    /// As [`Book::state`] for several streams of one kind, read from the book now.
    ///
    /// # Errors
    /// As [`Book::state`].
    pub async fn fresh<D: domain::Decider>(
        &self,
        tenant: Uuid,
        streams: &[Uuid],
    ) -> Result<Vec<Option<Arc<D>>>, BookError> {
        let refs: Vec<_> = streams.iter().map(|&stream| domain::FactRef::of::<D>(stream)).collect();
        let found = self.0.facts(&refs, Trust::Book, None).await?.into_iter();
        Ok(found
            .map(|loaded| loaded.state.downcast().ok().filter(|_| loaded.tenant == Some(tenant)))
            .collect())
    }

    /// As [`Book::state`], read from the book now and with its type erased.
    ///
    /// # Errors
    /// As [`Book::state`].
    pub async fn any_state(&self, tenant: Uuid, fact: domain::FactRef) -> Result<Option<AnyState>, BookError> {
        let loaded = self.0.facts(&[fact], Trust::Book, None).await?.pop();
        Ok(loaded
            .filter(|loaded| loaded.tenant == Some(tenant))
            .map(|loaded| loaded.state))
    }

    /// The state that a stream had right after its event of this sequence; `None` when it has no events in this
    /// tenant. It is for policies, which read events with their texts sealed, and are given no others here.
    ///
    /// # Errors
    /// As [`Book::state`].
    pub async fn state_at(
        &self,
        tenant: Uuid,
        fact: domain::FactRef,
        sequence: i64,
    ) -> Result<Option<AnyState>, BookError> {
        let loaded = self.loaded_at(tenant, fact, sequence).await?;
        Ok(loaded.map(|loaded| loaded.state))
    }

    /// As [`Book::state_at`], with what it was folded from.
    pub(crate) async fn loaded_at(
        &self,
        tenant: Uuid,
        fact: domain::FactRef,
        sequence: i64,
    ) -> Result<Option<Loaded>, BookError> {
        let until = facts::Until::Sequence(sequence);
        let mut loaded = answered(facts::load(&self.0.pool, &self.0.vault, &[fact], until, Texts::Sealed)).await?;
        Ok(loaded.pop().filter(|loaded| loaded.tenant == Some(tenant)))
    }

    /// As [`Book::any_state`], with the sequence that the stream is at; 0 when it has no events.
    ///
    /// # Errors
    /// As [`Book::state`].
    pub async fn seen(&self, tenant: Uuid, fact: domain::FactRef) -> Result<(Option<AnyState>, i64), BookError> {
        let loaded = self.0.facts(&[fact], Trust::Book, None).await?.pop();
        Ok(loaded.map_or((None, 0), |loaded| {
            let sequence = loaded.sequence;
            (Some(loaded.state).filter(|_| loaded.tenant == Some(tenant)), sequence)
        }))
    }

    /// As [`Book::seen`], for the stream that a step names; a stream without events has its kind's default state.
    ///
    /// # Errors
    /// [`ExecuteError::NotFound`] for a stream of another tenant; the database's error.
    pub async fn step_state(&self, tenant: Uuid, step: &Step) -> Result<(AnyState, i64), ExecuteError> {
        let loaded = self.0.own(tenant, step, Trust::Book).await?;
        Ok((loaded.state, loaded.sequence))
    }
}
