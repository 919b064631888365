//! What a command would lead to, without carrying it out.

use domain::{Claim, DecodeError, Metadata, Recorded};
use uuid::Uuid;

use crate::append::Append;
use crate::claims::Change;
use crate::draft::Sealing;
use crate::execute::Inner;
use crate::pools::answered;
use crate::trust::Trust;
use crate::{Book, BookError, Envelope, ExecuteError, Step, StreamAnswer};

/// What would happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    pub streams: Vec<StreamAnswer>,
    /// The events with their fields in plain. Their ids and those in them would be others, and they have no place in
    /// the book: their position is 0.
    pub events: Vec<Recorded<String>>,
}

impl Book {
    /// What carrying out the steps as one would lead to now. Nothing is written, and no receipt is looked for or left;
    /// a moment later it may be otherwise.
    ///
    /// # Errors
    /// [`ExecuteError`], as [`Book::execute`] would have it. A value that somebody else holds, which the append finds
    /// out else, is looked for.
    pub async fn rehearse(&self, envelope: Envelope, steps: Vec<Step>) -> Result<Rehearsed, ExecuteError> {
        let book = self.clone();
        let deciding = async move { book.0.rehearse(&envelope, &steps).await };
        match tokio::spawn(deciding).await {
            Ok(rehearsed) => rehearsed,
            Err(error) => Err(BookError::Broken(format!("deciding a command panicked: {error}")).into()),
        }
    }
}

impl Inner {
    async fn rehearse(&self, envelope: &Envelope, steps: &[Step]) -> Result<Rehearsed, ExecuteError> {
        let sealing = Sealing::Never(&self.vault);
        let seed = Uuid::new_v4();
        let draft = match self.decide(envelope, steps, seed, Trust::Book, sealing).await {
            // Carried out, an erasure is not kept by a field that does not open.
            Err(closed @ ExecuteError::Book(BookError::Decode(DecodeError::Sealed(_)))) => {
                let draft = self.decide(envelope, steps, seed, Trust::Unopened, sealing).await;
                draft.map_err(|_| closed)?
            }
            draft => draft?,
        };
        if let Some(claim) = draft.clash() {
            return Err(ExecuteError::Claimed { claim });
        }
        let (streams, _, append) = draft.finish(envelope)?;
        if let Some(claim) = answered(self.held(&append)).await? {
            return Err(ExecuteError::Claimed { claim });
        }
        let events = append.events.into_iter().map(|event| {
            let metadata: Metadata = serde_json::from_str(&event.metadata)?;
            Ok::<_, BookError>(Recorded {
                position: 0,
                event_id: event.event_id,
                tenant_id: envelope.tenant,
                aggregate_type: event.aggregate_type.to_owned(),
                stream: event.stream,
                sequence: event.sequence,
                event_type: event.event_type,
                event_version: event.event_version,
                metadata,
                at: envelope.at,
                recorded_at: envelope.at,
                event: event.payload,
            })
        });
        let events = events.collect::<Result<_, _>>()?;
        Ok(Rehearsed { streams, events })
    }

    /// A claim that the command takes and another stream holds, as the append would find it.
    async fn held(&self, append: &Append) -> Result<Option<Claim>, BookError> {
        let taken = || append.claims.iter().filter(|change| change.takes);
        let given = |change: &Change| {
            let is_it = |other: &&Change| !other.takes && other.claim == change.claim && other.digest == change.digest;
            append.claims.iter().any(|other| is_it(&other))
        };
        for change in taken().filter(|change| !given(change)) {
            let holder: Option<i32> = sqlx::query_scalar(
                "select 1 from book.claims where tenant_id = $1 and name = $2 and digest = $3
                 and (aggregate_type, aggregate_id) <> ($4, $5)",
            )
            .bind(append.tenant)
            .bind(change.claim.stored())
            .bind(&change.digest)
            .bind(change.aggregate_type)
            .bind(change.stream.to_string())
            .fetch_optional(&self.pool)
            .await?;
            if holder.is_some() {
                return Ok(Some(change.claim));
            }
        }
        Ok(None)
    }
}
