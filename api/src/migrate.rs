//! Migrations of the book, embedded in the program. Read tables are not migrated but declared.

use book::MIGRATOR;
use sqlx::PgPool;
use tracing::warn;

use crate::Fault;

/// Applies the migrations that the database lacks, and registers the policies that are new. The pool connects as the database's owner.
///
/// # Errors
/// When one fails, or one that was applied has changed since.
pub async fn migrate(owner: &PgPool) -> Result<(), Fault> {
    MIGRATOR.run(owner).await?;
    // A policy begins where the book ends when it is first known, so this must not wait for its worker.
    Ok(book::policy::register(owner, domain::POLICIES).await?)
}

/// Refuses a database that lacks migrations.
///
/// # Errors
/// When it does, or does not answer.
pub async fn check(owner: &PgPool) -> Result<(), Fault> {
    let known = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    let (book, noted): (bool, bool) =
        sqlx::query_as("select to_regclass('book.events') is not null, to_regclass('_sqlx_migrations') is not null")
            .fetch_one(owner)
            .await?;
    let applied: i64 = match noted {
        true => {
            sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
                .fetch_one(owner)
                .await?
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
    if applied > known {
        warn!(applied, known, "the database was migrated by a newer program");
    }
    Ok(())
}
