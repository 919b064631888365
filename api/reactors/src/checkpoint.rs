//! How far a reactor has read the book, in whose term, and of which kinds of streams.

use book::BookError;
use book::pools::answered;
use sqlx::{PgConnection, PgPool, Row as _};
use tracing::info;

use crate::performer::ReactorError;
use crate::planned::Planned;
use crate::rows;

/// Registers a reactor that is new to this book: it begins at its end. Kinds of streams that a known one did not read before
/// are noted, and no program that does not read them moves it past one of their events. Called by whoever migrates, or by
/// the first that leads.
///
/// # Errors
/// The database's error.
pub async fn register(pool: &PgPool, name: &str, reads: &[&str]) -> Result<(), BookError> {
    let mut kinds = reads.to_vec();
    kinds.sort_unstable();
    let registering = sqlx::query_scalar(
        "insert into book.reactors as r (name, floor, position, kinds)
         select $1, last, last, $2 from book.last_position() as last
         on conflict (name) do update set kinds = (
             select array_agg(distinct kind order by kind) from unnest(r.kinds || excluded.kinds) kind)
         where not r.kinds @> excluded.kinds
         returning xmax = 0",
    )
    .bind(name)
    .bind(&kinds)
    .fetch_optional(pool);
    match answered(async { Ok::<_, BookError>(registering.await?) }).await? {
        Some(true) => info!(reactor = name, "a new reactor begins at the end of the book"),
        Some(false) => info!(reactor = name, ?kinds, "the kinds that a reactor reads are noted"),
        None => {}
    }
    Ok(())
}

/// The checkpoint of a reactor in the hands of its leader.
#[derive(Debug)]
pub struct Checkpoint {
    pub reactor: &'static str,
    /// Everything up to here was read, and what follows from it is written down.
    pub position: i64,
    term: i64,
    /// The kinds of streams that some version of the reactor reads.
    pub kinds: Vec<String>,
}

impl Checkpoint {
    /// Begins a term: whoever led before writes nothing any more, whatever they believe.
    pub async fn begin(pool: &PgPool, reactor: &'static str, reads: &[&str]) -> Result<Self, BookError> {
        register(pool, reactor, reads).await?;
        let beginning =
            sqlx::query("update book.reactors set term = term + 1 where name = $1 returning position, term, kinds")
                .bind(reactor)
                .fetch_one(pool);
        let row = answered(async { Ok::<_, BookError>(beginning.await?) }).await?;
        Ok(Self {
            reactor,
            position: row.try_get("position")?,
            term: row.try_get("term")?,
            kinds: row.try_get("kinds")?,
        })
    }

    /// Writes down how far the reactor has read, and what follows from that: both or neither.
    pub async fn advance(&mut self, pool: &PgPool, to: i64, planned: &[Planned]) -> Result<(), ReactorError> {
        answered(async {
            let mut transaction = pool.begin().await?;
            let moving = sqlx::query(
                "update book.reactors set position = $1 where name = $2 and position = $3 and term = $4 and kinds = $5",
            )
            .bind(to)
            .bind(self.reactor)
            .bind(self.position)
            .bind(self.term)
            .bind(&self.kinds);
            if moving.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(self.is_over());
            }
            rows::insert(&mut transaction, self.reactor, planned).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await?;
        self.position = to;
        Ok(())
    }

    /// Keeps all others from writing until the transaction ends, and sees all that they have written.
    pub async fn lock(&self, transaction: &mut PgConnection) -> Result<(), ReactorError> {
        let locking = sqlx::query("select from book.reactors where name = $1 and term = $2 for update");
        let locked = locking.bind(self.reactor).bind(self.term).fetch_optional(transaction);
        locked.await?.map_or_else(|| Err(self.is_over()), |_| Ok(()))
    }

    fn is_over(&self) -> ReactorError {
        ReactorError::Over {
            reactor: self.reactor,
            position: self.position,
            term: self.term,
        }
    }
}
