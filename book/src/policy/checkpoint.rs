//! How far a policy is, in whose term, and of which kinds of streams it has seen the events.

use domain::Policy;
use sqlx::{PgPool, Row as _};
use tracing::info;

use super::reading::Noted;
use super::timer::{self, Stands, Timer};
use crate::BookError;
use crate::pools::answered;

/// Registers the policies that are new to this book: they begin at its end, and never act on what
/// came before, but for those that catch up ([`Policy::catches_up`]). Kinds of streams that a known policy did not read before are noted with its checkpoint: no leader
/// that does not read them moves it past one of their events. Called by whoever migrates.
///
/// # Errors
/// The database's error.
pub async fn register(pool: &PgPool, policies: &[&dyn Policy]) -> Result<(), BookError> {
    for policy in policies {
        let mut kinds = policy.reads().to_vec();
        kinds.sort_unstable();
        let registering = sqlx::query_scalar(
            "insert into book.policies as p (name, floor, position, kinds)
             select $1, floor, floor, $2
             from (select case when $3 then 0 else book.last_position() end as floor) as begins
             on conflict (name) do update set kinds = (
                 select array_agg(distinct kind order by kind) from unnest(p.kinds || excluded.kinds) kind)
             where p.kinds is null or not p.kinds @> excluded.kinds
             returning xmax = 0",
        )
        .bind(policy.name())
        .bind(&kinds)
        .bind(policy.catches_up())
        .fetch_optional(pool);
        match answered(async { Ok::<_, BookError>(registering.await?) }).await? {
            Some(true) => {
                let catches_up = policy.catches_up();
                info!(
                    policy = policy.name(),
                    catches_up, "a new policy begins at the end of the book, unless it catches up"
                );
            }
            Some(false) => info!(
                policy = policy.name(),
                ?kinds,
                "the kinds that a policy reads are noted"
            ),
            None => {}
        }
    }
    Ok(())
}

/// The checkpoint of a policy in the hands of its leader.
#[derive(Debug)]
pub struct Checkpoint {
    pool: PgPool,
    policy: &'static str,
    position: i64,
    term: i64,
    kinds: Vec<String>,
}

impl Checkpoint {
    /// Begins a term: whoever led before writes nothing any more, whatever they believe.
    ///
    /// # Errors
    /// The database's error.
    pub async fn begin(pool: &PgPool, policy: &dyn Policy) -> Result<Self, BookError> {
        // Migrating has done it, unless the policy is newer than the last migration.
        register(pool, &[policy]).await?;
        let beginning =
            sqlx::query("update book.policies set term = term + 1 where name = $1 returning position, term, kinds")
                .bind(policy.name())
                .fetch_one(pool);
        let row = answered(async { Ok::<_, BookError>(beginning.await?) }).await?;
        Ok(Self {
            pool: pool.clone(),
            policy: policy.name(),
            position: row.try_get("position")?,
            term: row.try_get("term")?,
            kinds: row.try_get("kinds")?,
        })
    }

    /// What is written down: everything up to here was reacted to.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The kinds of streams that some version of the policy reads.
    #[must_use]
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// Writes down how far the policy is, with what becomes of timers, in the book's order.
    ///
    /// # Errors
    /// When another leader has begun or the policy's kinds have grown: then nothing was written.
    pub async fn advance(&mut self, to: i64, timers: &[Timer]) -> Result<(), BookError> {
        let stands = Stands {
            position: self.position,
            term: self.term,
            kinds: &self.kinds,
        };
        if !timer::advance(&self.pool, self.policy, stands, to, timers).await? {
            return Err(self.is_over());
        }
        self.position = to;
        Ok(())
    }

    /// Whether this is still how the checkpoint stands, as far as somebody has seen who may have looked earlier.
    ///
    /// # Errors
    /// When another leader has begun or the policy's kinds have grown.
    pub fn check(&self, noted: Option<&Noted>) -> Result<(), BookError> {
        match noted {
            Some(noted) if noted.term > self.term => Err(self.is_over()),
            Some(noted) if noted.kinds.iter().any(|kind| !self.kinds.contains(kind)) => Err(self.is_over()),
            Some(_) | None => Ok(()),
        }
    }

    fn is_over(&self) -> BookError {
        BookError::Broken(format!(
            "policy {} is not at {} in term {} any more, or reads more kinds by now: whoever leads looks anew",
            self.policy, self.position, self.term
        ))
    }
}
