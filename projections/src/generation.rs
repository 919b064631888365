//! Generations: built sets of a context's tables, one schema each, one of them live.

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _, Row as _};

use book::pools::answered;

use crate::bi;
use crate::context::Context;
use crate::error::PostError;
use crate::sql;

/// How long a session that posts may stand still in a transaction, in seconds: so long can a process that
/// is stopped, or out of reach, hold a live checkpoint.
pub const POSTING_IDLE_SECONDS_MAX: u64 = 10;
/// The same for one that fills tables which are not live, in seconds.
const LOADING_IDLE_SECONDS_MAX: u64 = 60;

/// What a generation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being rebuilt; nobody reads it.
    Building,
    /// Read by everybody and posted by the projector. Its schema is called like the context.
    Live,
    /// Was live before; kept for a rollback.
    Retired,
}

impl State {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }
}

/// One row of `book.generations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub number: i64,
    pub schema: String,
    pub state: State,
    /// The checkpoint: the last position of the book that was posted.
    pub position: i64,
    /// What [`Context::fingerprint`] was when it was made.
    pub fingerprint: String,
    /// Whether its checkpoint is beyond the book's end, or was found there once: its rows show what the book does not say.
    pub is_ahead: bool,
    /// Whether there is no table of it: a backup left its schema out, or somebody dropped it.
    pub is_gone: bool,
    /// Whether a table that this program declares is not there; another version's may never have had it.
    lacks: bool,
}

impl Generation {
    /// Whether tables of it are missing, for a program with this fingerprint: it is none then, whatever is noted of it.
    #[must_use]
    pub fn is_broken(&self, own: &str) -> bool {
        self.is_gone || (self.lacks && self.fingerprint == own)
    }

    /// Whether its rows may be read, posted on and gone back to by a program with this fingerprint.
    #[must_use]
    pub fn is_sound(&self, own: &str) -> bool {
        self.fingerprint == own && !self.is_ahead && !self.is_broken(own)
    }

    /// The generation in this state; the latest, when there are several.
    ///
    /// # Errors
    /// The database's error.
    pub async fn find(
        connection: &mut PgConnection,
        context: &Context,
        state: State,
    ) -> Result<Option<Self>, sqlx::Error> {
        Self::select(connection, context, state, "").await
    }

    /// As [`Generation::find`], and nobody moves its checkpoint until the transaction ends.
    ///
    /// # Errors
    /// The database's error.
    pub async fn lock(
        connection: &mut PgConnection,
        context: &Context,
        state: State,
    ) -> Result<Option<Self>, sqlx::Error> {
        Self::select(connection, context, state, "for update").await
    }

    async fn select(
        connection: &mut PgConnection,
        context: &Context,
        state: State,
        lock: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let found = sqlx::query(&format!(
            "select generation, schema_name, position, fingerprint, ahead_since is not null as is_ahead
             from book.generations where context = $1 and state = $2 order by generation desc limit 1 {lock}"
        ))
        .bind(context.name)
        .bind(state.word())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = found else { return Ok(None) };
        let schema: String = row.try_get("schema_name")?;
        // Asked afterwards: the checkpoint may have been waited for, and the book has grown meanwhile.
        let (end, tables): (i64, Vec<String>) =
            sqlx::query_as(&format!("select book.last_position(), {}", tables_of("$1")))
                .bind(&schema)
                .fetch_one(&mut *connection)
                .await?;
        let position = row.try_get("position")?;
        Ok(Some(Self {
            number: row.try_get("generation")?,
            schema,
            state,
            position,
            fingerprint: row.try_get("fingerprint")?,
            is_ahead: row.try_get("is_ahead")? || position > end,
            is_gone: tables.is_empty(),
            lacks: context.lacks(&tables),
        }))
    }

    /// Notes that the live generation is ahead of the book, if it is: the book may grow past its checkpoint, and the rows
    /// are wrong all the same. Whether it is.
    ///
    /// # Errors
    /// The database's error.
    pub async fn note_ahead(connection: &mut PgConnection, context: &Context) -> Result<bool, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let live = Self::lock(&mut transaction, context, State::Live).await?;
        let Some(live) = live.filter(|live| live.is_ahead) else {
            return Ok(false);
        };
        sqlx::query(
            "update book.generations set ahead_since = coalesce(ahead_since, clock_timestamp())
             where context = $1 and generation = $2",
        )
        .bind(context.name)
        .bind(live.number)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Makes an empty generation whose tables have their primary keys only; see [`finish`].
    ///
    /// # Errors
    /// The database's error.
    pub async fn create(
        connection: &mut PgConnection,
        context: &Context,
        state: State,
        fingerprint: String,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let number: i64 =
            sqlx::query_scalar("select coalesce(max(generation), 0) + 1 from book.generations where context = $1")
                .bind(context.name)
                .fetch_one(&mut *transaction)
                .await?;
        let schema = match state {
            State::Live => context.name.to_owned(),
            State::Building | State::Retired => schema_aside(context, number),
        };
        create_tables(&mut transaction, context, &schema).await?;
        sqlx::query(
            "insert into book.generations (context, generation, schema_name, state, position, fingerprint)
             values ($1, $2, $3, $4, 0, $5)",
        )
        .bind(context.name)
        .bind(number)
        .bind(&schema)
        .bind(state.word())
        .bind(&fingerprint)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Self {
            number,
            schema,
            state,
            position: 0,
            fingerprint,
            is_ahead: false,
            is_gone: false,
            lacks: false,
        })
    }

    /// Removes the generation with its tables, if these are there, and what it parked.
    ///
    /// # Errors
    /// The database's error.
    pub async fn drop(self, connection: &mut PgConnection, context: &Context) -> Result<(), sqlx::Error> {
        remove(connection, context, self.number, &self.schema).await
    }
}

/// As [`Generation::drop`], of one that is known by its number and its schema.
///
/// # Errors
/// The database's error.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    context: &Context,
    number: i64,
    schema: &str,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    execute(&mut transaction, &format!("drop schema if exists \"{schema}\" cascade")).await?;
    for table in ["book.parked", "book.generations"] {
        sqlx::query(&format!("delete from {table} where context = $1 and generation = $2"))
            .bind(context.name)
            .bind(number)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// The tables of a schema that an SQL expression names, as an SQL expression: an array of text, empty without the schema.
#[must_use]
pub fn tables_of(schema: &str) -> String {
    format!(
        "array(select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = {schema} and c.relkind in ('r', 'p'))"
    )
}

/// The schema of a generation that is not live.
#[must_use]
pub fn schema_aside(context: &Context, number: i64) -> String {
    format!("{}_g{number}", context.name)
}

/// A connection of its own for posting. It waits for no disk, since what a crash takes is posted
/// again from the book, and never scans a table because that was empty when a plan was made. Whoever
/// stands still in the middle of a transaction loses it, and with it the checkpoint's lock.
///
/// # Errors
/// The database's error.
pub async fn posting_connection(pool: &PgPool) -> Result<PgConnection, PostError> {
    idle_at_most(pool, POSTING_IDLE_SECONDS_MAX).await
}

/// As [`posting_connection`], for tables that nobody reads or posts yet: it may stand still for longer while
/// another connection writes a part of its rows.
///
/// # Errors
/// The database's error.
pub async fn loading_connection(pool: &PgPool) -> Result<PgConnection, PostError> {
    idle_at_most(pool, LOADING_IDLE_SECONDS_MAX).await
}

async fn idle_at_most(pool: &PgPool, seconds: u64) -> Result<PgConnection, PostError> {
    answered(async {
        let mut connection = pool.acquire().await?.detach();
        let settings = format!(
            "set synchronous_commit = off; set enable_seqscan = off; set jit = off;
             set idle_in_transaction_session_timeout = '{seconds}s'"
        );
        execute(&mut connection, &settings).await?;
        Ok(connection)
    })
    .await
}

/// Has the server end any transaction of the session that takes longer; 16 and older cannot.
///
/// # Errors
/// The database's error.
pub async fn limit_transactions(connection: &mut PgConnection, seconds: u64) -> Result<(), PostError> {
    let setting =
        format!("select set_config(name, '{seconds}s', false) from pg_settings where name = 'transaction_timeout'");
    answered(async { Ok(execute(connection, &setting).await?) }).await
}

async fn create_tables(connection: &mut PgConnection, context: &Context, schema: &str) -> Result<(), sqlx::Error> {
    execute(connection, &format!("create schema \"{schema}\"")).await?;
    execute(
        connection,
        &format!("grant usage on schema \"{schema}\" to daybook_reader"),
    )
    .await?;
    execute(connection, &format!("set local search_path = \"{schema}\", public")).await?;
    for statement in context.statements().0 {
        execute(connection, &statement).await?;
    }
    execute(connection, sql::CHANGES_TABLE).await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = $1::text::regnamespace and relkind in ('r', 'p')",
    )
    .bind(schema)
    .fetch_all(&mut *connection)
    .await?;
    for table in tables {
        let table = sql::name(schema, &table);
        execute(connection, &format!("alter table {table} enable row level security")).await?;
        execute(
            connection,
            &format!("create policy tenant on {table} {}", sql::TENANT_POLICY),
        )
        .await?;
        execute(connection, &format!("grant select on {table} to daybook_reader")).await?;
    }
    for statement in bi::lacking(connection, context, schema).await? {
        execute(connection, &statement).await?;
    }
    execute(connection, &bi::usage(schema, schema == context.name)).await
}

/// What is executed in this schema once rows are loaded: unique constraints, indexes, foreign keys.
#[must_use]
pub fn finishing(context: &Context) -> Vec<String> {
    let mut statements = context.statements().1;
    statements.extend(sql::CHANGES_INDEXES.map(str::to_owned));
    statements
}

/// Executes all of [`finishing`].
///
/// # Errors
/// The database's error, also for rows that break a constraint.
pub async fn finish(connection: &mut PgConnection, context: &Context, schema: &str) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    execute(
        &mut transaction,
        &format!("set local search_path = \"{schema}\", public"),
    )
    .await?;
    for statement in finishing(context) {
        execute(&mut transaction, &statement).await?;
    }
    transaction.commit().await
}

/// Executes statements that are written here or in the DDL, without preparing them.
///
/// # Errors
/// The database's error.
pub async fn execute(connection: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    connection.execute(statements).await.map(|_| ())
}
