//! Migrations of the book, embedded in the program. Read tables are not migrated but declared.

use std::time::{Duration, Instant};

use book::MIGRATOR;
use sqlx::migrate::MigrateError;
use sqlx::{Executor as _, PgConnection, PgPool};
use tracing::{info, warn};

use http::Contexts;

use crate::Fault;

/// How long a migration waits for a lock, in seconds.
const LOCK_SECONDS_MAX: u64 = 5;
/// How long it is tried again while others hold what it needs, in seconds.
const PATIENCE_SECONDS: u64 = 300;
const RETRY_MS: u64 = 500;
/// What Postgres says when a lock was not to be had, by SQLSTATE.
const LOCK_NOT_AVAILABLE: &str = "55P03";
const DEADLOCK: &str = "40P01";

/// Applies the migrations that the database lacks, and registers the policies and reactors that are new. The pool connects as the database's
/// owner. A database that a newer program migrated lacks none: whoever goes back to a former version migrates and serves as ever.
///
/// # Errors
/// When one fails, or one that was applied has changed since.
pub async fn migrate(owner: &PgPool, contexts: &Contexts) -> Result<(), Fault> {
    let started = Instant::now();
    loop {
        match attempt(owner).await {
            Err(error) if is_busy(&error) && started.elapsed() < Duration::from_secs(PATIENCE_SECONDS) => {
                info!("somebody uses what a migration has to change; trying again");
                tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
            }
            outcome => break outcome?,
        }
    }
    let applied: Option<i64> = sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
        .fetch_one(owner)
        .await?;
    tell_newer(applied.unwrap_or(0), known());
    // Policies and reactors begin where the book ends when they are first known, so this must not wait for their workers.
    book::policy::register(owner, &contexts.decisions().policies()).await?;
    for reactor in contexts.reactors() {
        reactors::register(owner, reactor.name, reactor.reads).await?;
    }
    Ok(())
}

/// Applies what is lacking. A migration that waits for a lock holds up all who come after it, so it does not wait long.
async fn attempt(owner: &PgPool) -> Result<(), MigrateError> {
    let mut connection = owner.acquire().await?.detach();
    let begin = format!("set lock_timeout = '{LOCK_SECONDS_MAX}s'");
    connection.execute(begin.as_str()).await?;
    repair(&mut connection).await?;
    MIGRATOR.run(&mut connection).await
}

/// Makes good for a migration outside of a transaction that was cut short: such ones can be applied again, once the
/// index that is not whole is gone.
async fn repair(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let repeatable: Vec<i64> = MIGRATOR
        .iter()
        .filter(|migration| migration.no_tx)
        .map(|migration| migration.version)
        .collect();
    let noted: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !noted {
        return Ok(());
    }
    let cut_short = sqlx::query("delete from _sqlx_migrations where not success and version = any($1)")
        .bind(repeatable)
        .execute(&mut *connection)
        .await?;
    if cut_short.rows_affected() == 0 {
        return Ok(());
    }
    let broken: Vec<String> = sqlx::query_scalar(
        "select i.indexrelid::regclass::text from pg_index i join pg_class t on t.oid = i.indrelid
         where not i.indisvalid and t.relnamespace = 'book'::regnamespace",
    )
    .fetch_all(&mut *connection)
    .await?;
    for index in broken {
        connection
            .execute(format!("drop index if exists {index}").as_str())
            .await?;
    }
    Ok(())
}

/// Whether somebody else held a lock, or migrates at this moment.
fn is_busy(error: &MigrateError) -> bool {
    let source = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        _ => return false,
    };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| [LOCK_NOT_AVAILABLE, DEADLOCK].contains(&&*code))
}

/// Refuses a database that lacks migrations.
///
/// # Errors
/// When it does, or does not answer.
pub async fn check(pool: &PgPool) -> Result<(), Fault> {
    let known = known();
    let (book, noted, readable): (bool, bool, bool) = sqlx::query_as(
        "select to_regclass('book.events') is not null, m is not null, coalesce(has_table_privilege(m, 'select'), false)
         from to_regclass('_sqlx_migrations') m",
    )
    .fetch_one(pool)
    .await?;
    let applied: i64 = match noted {
        true if readable => {
            sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
                .fetch_one(pool)
                .await?
        }
        // Daybook's own logins may look since there are any.
        true => {
            return Err(Fault::Refused(format!(
                "the database lacks migrations that this program needs (up to {known}); run `daybook migrate`"
            )));
        }
        // Applied by hand: then it is for that hand to have applied all.
        false if book => known,
        false => 0,
    };
    if applied < known {
        return Err(Fault::Refused(format!(
            "the database is at migration {applied}, this program needs {known}; run `daybook migrate`"
        )));
    }
    tell_newer(applied, known);
    Ok(())
}

/// The latest migration of this program.
fn known() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn tell_newer(applied: i64, known: i64) {
    if applied > known {
        warn!(applied, known, "the database was migrated by a newer program");
    }
}
