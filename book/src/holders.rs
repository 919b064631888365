//! Who holds values. Commands ask for that one by one and many at a time, and what is asked while a question is under way
//! is put into the next one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Claim;
use sqlx::PgPool;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::BookError;
use crate::pools::answered;

/// Who asks at most in one question.
const ASKERS_MAX: usize = 256;

/// The streams that hold values, in the order of these.
type Answer = Vec<Option<Uuid>>;

/// Values of one claim, by their digests.
#[derive(Debug)]
pub(crate) struct Values {
    pub tenant: Uuid,
    pub claim: Claim,
    pub digests: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Asker {
    values: Values,
    answer: oneshot::Sender<Answer>,
}

/// Asks the book who holds values.
#[derive(Debug)]
pub(crate) struct Holders {
    pool: PgPool,
    waiting: Mutex<Vec<Asker>>,
    /// Whoever has the turn asks for all who wait.
    turn: tokio::sync::Mutex<()>,
}

impl Holders {
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The streams that hold these values now.
    pub async fn of(&self, tenant: Uuid, claim: Claim, digests: Vec<Vec<u8>>) -> Result<Answer, BookError> {
        let (answer, mut told) = oneshot::channel();
        let own = Values {
            tenant,
            claim,
            digests: digests.clone(),
        };
        self.waiting().push(Asker { values: own, answer });
        loop {
            // Kept until all are answered, so that nobody asks again for what is just being told.
            let _turn = tokio::select! {
                biased;
                told = &mut told => match told {
                    Ok(answer) => return Ok(answer),
                    // Whoever asked got no answer, or is gone.
                    Err(_) => break,
                },
                turn = self.turn.lock() => turn,
            };
            let askers: Vec<Asker> = {
                let mut waiting = self.waiting();
                let count = waiting.len().min(ASKERS_MAX);
                waiting.drain(..count).collect()
            };
            let mut found = self.ask(askers.iter().map(|asker| &asker.values)).await?.into_iter();
            for Asker { values, answer } in askers {
                // Whoever asked may be gone.
                let _ = answer.send(found.by_ref().take(values.digests.len()).collect());
            }
        }
        self.ask(std::iter::once(&Values { tenant, claim, digests })).await
    }

    async fn ask(&self, all: impl Iterator<Item = &Values>) -> Result<Answer, BookError> {
        let (mut tenants, mut names, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for values in all {
            for digest in &values.digests {
                tenants.push(values.tenant);
                names.push(values.claim.stored());
                digests.push(digest.as_slice());
            }
        }
        let asking = sqlx::query_scalar(
            "select c.aggregate_id::uuid
             from unnest($1::uuid[], $2::text[], $3::bytea[]) with ordinality v(tenant, name, digest, place)
             left join book.claims c on c.tenant_id = v.tenant and c.name = v.name and c.digest = v.digest
             order by v.place",
        )
        .bind(tenants)
        .bind(names)
        .bind(digests)
        .fetch_all(&self.pool);
        answered(async { Ok::<_, BookError>(asking.await?) }).await
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Asker>> {
        // A panic while it was locked cannot leave it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
