//! What a command would lead to, without carrying it out.

use domain::{Claim, DecodeError, Metadata, Recorded, Standing};
use uuid::Uuid;

use crate::append::Append;
use crate::claims::Change;
use crate::draft::{Draft, Sealing};
use crate::execute::{Inner, RACES_MAX};
use crate::pools::answered;
use crate::trust::Trust;
use crate::{Book, BookError, Envelope, ExecuteError, Step, StreamAnswer, tenants};

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
    /// a moment later it may be otherwise. What the append would find out is asked of the book in its stead, all at one
    /// moment: whether a stream that the decision rests on has moved on meanwhile, and whether somebody else holds a
    /// value.
    ///
    /// # Errors
    /// [`ExecuteError`], as [`Book::execute`] would have it.
    pub async fn rehearse(&self, envelope: Envelope, steps: Vec<Step>) -> Result<Rehearsed, ExecuteError> {
        let book = self.clone();
        let deciding = async move { book.0.rehearse(&envelope, &steps).await };
        match tokio::spawn(deciding).await {
            Ok(rehearsed) => rehearsed,
            Err(error) => Err(BookError::Broken(format!("deciding a command panicked: {error}")).into()),
        }
    }
}

/// What the append would find.
enum Stands {
    /// Everything is as the decision saw it.
    Still,
    /// A stream has moved on.
    Moved,
    /// Another stream holds a value that the command takes.
    Held(Claim),
    /// The tenant is not active.
    Suspended,
}

impl Inner {
    async fn rehearse(&self, envelope: &Envelope, steps: &[Step]) -> Result<Rehearsed, ExecuteError> {
        let seed = Uuid::new_v4();
        for _ in 0..RACES_MAX {
            let draft = self.drafted(envelope, steps, seed).await?;
            if let Some(claim) = draft.clash() {
                return Err(ExecuteError::Claimed { claim });
            }
            let (streams, _, append) = draft.finish(envelope)?;
            match answered(self.stands(&append)).await? {
                Stands::Still => return Ok(rehearsed(envelope, streams, append)?),
                Stands::Moved => metrics::counter!("daybook_lost_races_total").increment(1),
                Stands::Held(claim) => return Err(ExecuteError::Claimed { claim }),
                Stands::Suspended => return Err(ExecuteError::Suspended),
            }
        }
        Err(ExecuteError::Contended)
    }

    async fn drafted(&self, envelope: &Envelope, steps: &[Step], seed: Uuid) -> Result<Draft, ExecuteError> {
        let sealing = Sealing::Never(&self.vault);
        match self.decide(envelope, steps, seed, Trust::Book, sealing).await {
            // Carried out, an erasure is not kept by a field that does not open.
            Err(closed @ ExecuteError::Book(BookError::Decode(DecodeError::Sealed(_)))) => {
                let draft = self.decide(envelope, steps, seed, Trust::Unopened, sealing).await;
                draft.map_err(|_| closed)
            }
            draft => draft,
        }
    }

    /// How the append would find the streams that were seen and the values that are taken: by one statement, so that
    /// there is a moment at which all of it is so.
    async fn stands(&self, append: &Append) -> Result<Stands, BookError> {
        let given = |change: &Change| {
            let is_it = |other: &&Change| !other.takes && other.claim == change.claim && other.digest == change.digest;
            append.claims.iter().any(|other| is_it(&other))
        };
        let taken: Vec<&Change> = append
            .claims
            .iter()
            .filter(|change| change.takes && !given(change))
            .collect();
        let seen = &append.seen;
        let waits = append.erased.is_empty() && append.standing.is_none();
        let (moved, held, standing): (bool, Option<i64>, Option<String>) = sqlx::query_as(
            "select exists (
                        select from unnest($1::text[], $2::text[], $3::bigint[]) as seen(type, id, sequence)
                        where seen.sequence <> coalesce((
                            select e.sequence from book.events e
                            where e.aggregate_type = seen.type and e.aggregate_id = seen.id
                            order by e.sequence desc limit 1), 0)),
                    (select min(taken.ord)
                     from unnest($5::text[], $6::bytea[], $7::text[], $8::text[])
                          with ordinality as taken(name, digest, type, id, ord)
                     join book.claims c on c.tenant_id = $4 and c.name = taken.name and c.digest = taken.digest
                     where (c.aggregate_type, c.aggregate_id) <> (taken.type, taken.id)),
                    (select t.standing from book.tenants t where t.tenant_id = $4)",
        )
        .bind(seen.iter().map(|seen| seen.aggregate_type).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.stream.to_string()).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.sequence).collect::<Vec<_>>())
        .bind(append.tenant)
        .bind(taken.iter().map(|change| change.claim.stored()).collect::<Vec<_>>())
        .bind(taken.iter().map(|change| change.digest.as_slice()).collect::<Vec<_>>())
        .bind(taken.iter().map(|change| change.aggregate_type).collect::<Vec<_>>())
        .bind(taken.iter().map(|change| change.stream.to_string()).collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await?;
        let standing = standing.as_deref().map_or(Ok(Standing::Active), tenants::read)?;
        if standing == Standing::Deleted || standing == Standing::Suspended && waits {
            return Ok(Stands::Suspended);
        }
        if moved {
            return Ok(Stands::Moved);
        }
        let held = held.and_then(|nth| taken.get(usize::try_from(nth).ok()?.checked_sub(1)?));
        Ok(held.map_or(Stands::Still, |change| Stands::Held(change.claim)))
    }
}

fn rehearsed(envelope: &Envelope, streams: Vec<StreamAnswer>, append: Append) -> Result<Rehearsed, BookError> {
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
