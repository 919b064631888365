//! Runs a query as `daybook_reader`, seeing one tenant, and says up to where the tables were posted that it saw.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use projections::Context;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Execute as _, Executor as _, PgPool, Postgres, QueryBuilder, Row as _};

use super::POSTED_SECONDS_MAX;
use crate::app::App;
use crate::auth::token::Bearer;
use crate::problem::{self, Problem};

/// For which values a statement is planned, and how its rows come.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// Those at hand: which index serves a query depends on which filter is the selective one.
    OfValues,
    /// Any, and so only now and then: one plan is right for all, as a test of the plans has found.
    OfStatement,
    /// Those at hand; and the rows come a few at a time until they weigh enough. So the database makes none that are left
    /// out: of large ones that is most of its work, and all that others wait for.
    InPieces,
}

impl Plan {
    /// That of a page of so many rows, which is this one where they are few.
    #[must_use]
    pub fn of_page(self, limit: i64) -> Self {
        match limit < FIRST_ROWS as i64 {
            true => self,
            false => Self::InPieces,
        }
    }
}

/// How long a query may take in all, in seconds: longer than the server lets it.
const ROWS_SECONDS_MAX: u64 = 15;
/// How often a statement is tried that a swap of generations broke.
const SWAPS_MAX: usize = 3;
/// Rows that come first of those that come in pieces.
const FIRST_ROWS: usize = 8;
/// How many times as many rows as have come may come next, however light they were.
const GROWTH_MAX: usize = 3;
/// Bytes of rows that one query gives, however few they are; the first row comes whatever it weighs.
pub const ROWS_BYTES_MAX: usize = 1 << 20;

/// The rows that a query saw.
#[derive(Debug, Default)]
pub struct Read {
    pub rows: Vec<PgRow>,
    /// The checkpoint of the context's tables, read in the same transaction before the rows: they show
    /// everything up to there.
    pub posted: i64,
    /// Whether rows were left out because these weigh enough.
    pub is_cut: bool,
    /// What the rows weigh that came, those that were left out included.
    bytes: usize,
}

/// The rows of a query, of tables that are posted up to `after`. It runs to its end even if the client hangs
/// up, so that no connection goes back to the pool with a transaction open.
///
/// # Errors
/// 503 when the tables are not posted so far, the database does not answer or the query takes too long; 429 when too many
/// questions of the same user or tenant wait already.
pub async fn rows<B>(
    app: &App,
    context: &'static Context,
    by: Bearer,
    after: Option<i64>,
    plan: Plan,
    build: B,
) -> Result<Read, Problem>
where
    B: Fn() -> QueryBuilder<'static, Postgres> + Send + Sync + 'static,
{
    let mode = match plan {
        Plan::OfValues | Plan::InPieces => "force_custom_plan",
        Plan::OfStatement => "force_generic_plan",
    };
    // Row-level security asks for the tenant. Read here, the checkpoint costs no round trip of its own. Most pages are read
    // to their end, so a cursor is planned for all of its rows.
    let begin = format!(
        "begin read only; select posted, set_config('daybook.posted', posted::text, true), \
         set_config('daybook.tenant', '{}', true), set_config('plan_cache_mode', '{mode}', true), \
         set_config('cursor_tuple_fraction', '1', true) from book.posted('{}') posted",
        by.tenant, context.name
    );
    let question = Arc::new((begin, build));
    let read = || {
        let (pool, question, turns) = (app.pools.reader.clone(), question.clone(), app.bounds.tables.clone());
        let reading = async move {
            // As many as there are connections, so nobody waits for one in the order of coming.
            let _turn = turns.turn(by).await?;
            let (begin, build) = &*question;
            let mut tried = 1;
            loop {
                match once(&pool, begin, after, plan, build()).await {
                    Err(error) if tried < SWAPS_MAX && met_a_swap(&error) => tried += 1,
                    outcome => return outcome.map_err(problem),
                }
            }
        };
        async {
            let read = tokio::spawn(reading).await.map_err(|error| Problem::internal(&error))?;
            let read = read?;
            let posted = read.posted;
            Ok((read, posted))
        }
    };
    posted(app, context, after, read).await.map(|(read, _)| read)
}

/// What is read once the context is posted up to `after`, with the checkpoint that it was read at. What this
/// process remembers of checkpoints says when to read; only what was read says that it was enough, since a crash
/// of the database may have taken a checkpoint back.
///
/// # Errors
/// 503 when it takes too long; what the reading fails with.
pub async fn posted<T, F: Future<Output = Result<(T, i64), Problem>>>(
    app: &App,
    context: &'static Context,
    after: Option<i64>,
    read: impl Fn() -> F,
) -> Result<(T, i64), Problem> {
    let read = async || read().await.and_then(|read| told(context, read));
    let Some(position) = after else { return read().await };
    let until = Instant::now() + Duration::from_secs(POSTED_SECONDS_MAX);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if !app.posted.wait(context, position, left).await? {
            let detail = format!(
                "{} has not posted position {position} within {POSTED_SECONDS_MAX} s; read again in a moment",
                context.name
            );
            return Err(Problem::new(problem::NOT_YET_POSTED, detail));
        }
        let (read, posted) = read().await?;
        if posted >= position {
            return Ok((read, posted));
        }
        app.posted.shown(context, posted);
    }
}

/// What was read, unless the tables are ahead of the book: what those show is not so.
fn told<T>(context: &Context, (read, posted): (T, i64)) -> Result<(T, i64), Problem> {
    if posted >= 0 {
        return Ok((read, posted));
    }
    let detail = format!(
        "the tables of {} are ahead of the book and are being rebuilt; try again in a moment",
        context.name
    );
    Err(Problem::new(problem::NOT_YET_POSTED, detail))
}

/// The rows, unless the tables are not posted so far: then none.
async fn once(
    pool: &PgPool,
    begin: &str,
    after: Option<i64>,
    plan: Plan,
    mut query: QueryBuilder<'static, Postgres>,
) -> Result<Read, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let limit = Duration::from_secs(ROWS_SECONDS_MAX);
    let Ok(read) = tokio::time::timeout(limit, within(&mut connection, begin, after, plan, &mut query)).await else {
        // It has fallen silent, or the server would have ended the query: nobody is to meet it again.
        drop(connection.detach());
        return Err(sqlx::Error::PoolTimedOut);
    };
    let end = if read.is_ok() { "commit" } else { "rollback" };
    if let Err(error) = connection.execute(end).await {
        // Nobody is to meet what is still open there.
        drop(connection.detach());
        return read.and(Err(error));
    }
    read
}

async fn within(
    connection: &mut PgConnection,
    begin: &str,
    after: Option<i64>,
    plan: Plan,
    query: &mut QueryBuilder<'static, Postgres>,
) -> Result<Read, sqlx::Error> {
    let begun = connection.fetch_all(begin).await?;
    let mut read = Read {
        posted: begun.first().map_or(Ok(0), |row| row.try_get("posted"))?,
        ..Read::default()
    };
    // None of those that are ahead of the book, either.
    if read.posted < 0 || after.is_some_and(|position| position > read.posted) {
        return Ok(read);
    }
    if let Plan::InPieces = plan {
        in_pieces(connection, query, &mut read).await?;
        return Ok(read);
    }
    let mut rows = query.build().fetch(connection);
    // Read to the end in any case: what is left out is not kept.
    while let Some(row) = rows.try_next().await? {
        read.keep(row);
    }
    drop(rows);
    Ok(read)
}

/// Leaves the rest of the statement to the end of the transaction, which closes its cursor.
async fn in_pieces(
    connection: &mut PgConnection,
    query: &mut QueryBuilder<'static, Postgres>,
    read: &mut Read,
) -> Result<(), sqlx::Error> {
    let mut query = query.build();
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?.unwrap_or_default();
    let declare = format!("declare page no scroll cursor for {}", query.sql());
    sqlx::query_with(&declare, arguments).execute(&mut *connection).await?;
    let mut asked = FIRST_ROWS;
    while !read.is_cut {
        let rows = connection.fetch_all(&*format!("fetch {asked} from page")).await?;
        let is_end = rows.len() < asked;
        for row in rows {
            read.keep(row);
        }
        if is_end {
            break;
        }
        asked = next_rows(read.rows.len(), read.bytes);
    }
    Ok(())
}

impl Read {
    /// Keeps a row, unless those before it weigh enough with it.
    fn keep(&mut self, row: PgRow) {
        self.bytes += weight(&row);
        self.is_cut |= self.bytes > ROWS_BYTES_MAX && !self.rows.is_empty();
        if !self.is_cut {
            self.rows.push(row);
        }
    }
}

/// How many rows to ask for when so many came and weigh so much: as many as fit if they weigh the same, and the one that
/// shows that there are more. They may weigh more than that, so they are not many more than have come.
fn next_rows(came: usize, bytes: usize) -> usize {
    let fitting = ROWS_BYTES_MAX.saturating_sub(bytes) * came / bytes.max(1);
    (fitting + 1).min(came * GROWTH_MAX)
}

fn weight(row: &PgRow) -> usize {
    let cells = (0..row.len()).filter_map(|index| row.try_get_raw(index).ok());
    cells.map(|cell| cell.as_bytes().map_or(0, <[u8]>::len)).sum()
}

fn problem(error: sqlx::Error) -> Problem {
    match code(&error).as_deref() {
        Some("57014") => Problem::new(
            problem::OVERLOADED,
            "the query took too long; ask for less, or by another column",
        ),
        Some("55P03") => Problem::new(
            problem::UNAVAILABLE,
            "somebody holds a lock on a table of this context; try again in a moment",
        ),
        // Before a projector made the first generation, or after a backup left tables out.
        Some("42P01" | "3F000") => Problem::new(
            problem::NOT_YET_POSTED,
            "the tables of this context are not there yet; try again in a moment",
        ),
        // Before the tables of a former version are replaced; names of columns are never a client's.
        Some("42703") => Problem::new(
            problem::NOT_YET_POSTED,
            "the tables of this context are a former version's and are being rebuilt; try again in a moment",
        ),
        _ => error.into(),
    }
}

/// The errors that a statement can meet while schemas are renamed: a plan whose columns changed, a table or
/// schema that is not there for an instant, a tuple of the catalog that was updated.
fn met_a_swap(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| ["0A000", "42P01", "3F000", "XX000"].contains(&code.as_str()))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rows_are_asked_for_as_they_fit_and_small_ones_a_few_times_as_many_each_time() {
        assert_eq!(
            next_rows(8, 8 * (100 << 10)),
            3,
            "2.2 fit, and one more shows that there are more"
        );
        assert_eq!(next_rows(8, ROWS_BYTES_MAX), 1);
        assert_eq!(next_rows(8, 8 * 200), 24);
        assert_eq!(next_rows(32, 0), 96);
    }
}
