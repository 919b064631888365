//! How attempts ended, and the one transaction that writes it down.

use std::time::{Duration, Instant};

use book::pools::answered;
use sqlx::PgPool;
use uuid::Uuid;

use crate::checkpoint::Checkpoint;
use crate::performer::ReactorError;
use crate::planned::Planned;
use crate::rows;
use crate::taking::{Begun, hold};

/// An attempt that ended.
#[derive(Debug)]
pub struct Ended {
    pub begun: Begun,
    pub outcome: Outcome,
}

/// What becomes of the task.
#[derive(Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// What follows from the event can be told by now, and comes in its place.
    Told(Vec<Planned>),
    /// It waits for the next attempt.
    Again {
        /// Those that failed by now.
        attempts: u32,
        after: Duration,
        because: String,
        holds_target: bool,
    },
    /// It is a dead letter.
    Dead { attempts: u32, because: String },
}

impl Outcome {
    /// How many attempts have failed in a row and since when, this one included, where it was so before.
    pub fn failing(&self, before: Option<(u32, Instant)>, now: Instant) -> Option<(u32, Instant)> {
        match self {
            Self::Done | Self::Told(_) => None,
            // The other side has said when it can be had.
            Self::Again { holds_target: true, .. } => before,
            Self::Again { .. } | Self::Dead { .. } => {
                let (count, since) = before.unwrap_or((0, now));
                Some((count.saturating_add(1), since))
            }
        }
    }
}

/// The columns of what is not done, in the order of the statement's parameters.
#[derive(Debug, Default)]
struct Undone {
    ids: Vec<Uuid>,
    attempts: Vec<i32>,
    errors: Vec<String>,
    /// Null for a dead letter.
    after: Vec<Option<f64>>,
}

impl Undone {
    fn add(&mut self, begun: &Begun, attempts: u32, because: &str, after: Option<Duration>) {
        self.ids.push(begun.id);
        self.attempts.push(i32::try_from(attempts).unwrap_or(i32::MAX));
        self.errors.push(rows::kept(because));
        self.after.push(after.map(|after| after.as_secs_f64()));
    }
}

/// Writes down how these ended, and what comes next in their lanes. Written again, it changes nothing.
pub async fn write(pool: &PgPool, checkpoint: &Checkpoint, ended: &[Ended]) -> Result<(), ReactorError> {
    if ended.is_empty() {
        return Ok(());
    }
    let (mut gone, mut told, mut undone, mut held) = (Vec::new(), Vec::new(), Undone::default(), Vec::new());
    for Ended { begun, outcome } in ended {
        match outcome {
            Outcome::Done => gone.push(begun.id),
            Outcome::Told(planned) => {
                gone.push(begun.id);
                told.push(planned);
            }
            Outcome::Again {
                attempts,
                after,
                because,
                holds_target,
            } => {
                undone.add(begun, *attempts, because, Some(*after));
                if *holds_target {
                    held.push((begun.tenant, begun.target.clone(), after.as_secs_f64()));
                }
            }
            Outcome::Dead { attempts, because } => undone.add(begun, *attempts, because, None),
        }
    }
    let tenants: Vec<Uuid> = ended.iter().map(|ended| ended.begun.tenant).collect();
    let lanes: Vec<Uuid> = ended.iter().map(|ended| ended.begun.lane).collect();
    answered(async {
        let mut transaction = pool.begin().await?;
        checkpoint.lock(&mut transaction).await?;
        if !gone.is_empty() {
            let deleting = sqlx::query("delete from book.reactions where reaction_id = any($1)").bind(&gone);
            deleting.execute(&mut *transaction).await?;
        }
        for planned in told {
            rows::insert(&mut transaction, checkpoint.reactor, planned).await?;
        }
        if !undone.ids.is_empty() {
            sqlx::query(
                "update book.reactions r
                 set heads = false, cuts = 0, attempts = u.attempts, error = u.error, dead = u.after is null,
                     died_at = case when u.after is null then clock_timestamp() end,
                     due_at = coalesce(clock_timestamp() + make_interval(secs => u.after), r.due_at)
                 from unnest($1::uuid[], $2::int[], $3::text[], $4::float8[]) u(id, attempts, error, after)
                 where r.reaction_id = u.id and not r.dead",
            )
            .bind(&undone.ids)
            .bind(&undone.attempts)
            .bind(&undone.errors)
            .bind(&undone.after)
            .execute(&mut *transaction)
            .await?;
        }
        hold(&mut transaction, checkpoint.reactor, &held).await?;
        rows::head(&mut transaction, checkpoint.reactor, &tenants, &lanes).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Takes back that these have begun: they were given up in order, and nobody is to count that against them.
pub async fn give_back(pool: &PgPool, checkpoint: &Checkpoint, ids: &[Uuid]) -> Result<(), ReactorError> {
    answered(async {
        let mut transaction = pool.begin().await?;
        checkpoint.lock(&mut transaction).await?;
        let giving = sqlx::query("update book.reactions set cuts = greatest(cuts - 1, 0) where reaction_id = any($1)");
        giving.bind(ids).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_fail_in_a_row_until_one_does_not() {
        let start = Instant::now();
        let again = |holds_target| Outcome::Again {
            attempts: 1,
            after: Duration::ZERO,
            because: String::new(),
            holds_target,
        };
        let dead = Outcome::Dead {
            attempts: 1,
            because: String::new(),
        };
        let first = again(false).failing(None, start);
        assert_eq!(first, Some((1, start)));
        let later = start + Duration::from_secs(9);
        assert_eq!(dead.failing(first, later), Some((2, start)));
        assert_eq!(again(true).failing(first, later), first);
        assert_eq!(Outcome::Done.failing(first, later), None);
    }
}
