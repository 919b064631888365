//! What must be so before a process may start: a Postgres that keeps what it acknowledges, migrated, and logins of which
//! each may do what its role does, and no more.

use std::time::{Duration, Instant};

use book::{BookError, MasterKey, Pools, Vault, is_transient, logins};
use sqlx::{PgPool, Row as _};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::Fault;
use crate::config::Config;
use crate::migrate;

/// How long a process waits for Postgres at its start, in seconds.
const PATIENCE_SECONDS: u64 = 60;
const RETRY_MS: u64 = 500;

/// Settings under which Postgres forgets, after a crash, what it acknowledged before.
const MUST_NOT_BE_OFF: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Waits for Postgres and checks it.
///
/// # Errors
/// When it is not there, not migrated or made with another master key; when it is unsafe, or a login may do more than it is
/// for, and the test switch does not allow that.
pub async fn database(pools: &Pools, config: &Config, stop: &CancellationToken) -> Result<(), Fault> {
    let started = Instant::now();
    loop {
        match checked(pools, config).await {
            Err(Fault::Database(error))
                if is_transient(&error) && started.elapsed() < Duration::from_secs(PATIENCE_SECONDS) =>
            {
                warn!(error = %error, "Postgres does not answer yet");
            }
            outcome => return outcome,
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(RETRY_MS)) => {}
            () = stop.cancelled() => return Err(Fault::Refused("stopped before Postgres answered".to_owned())),
        }
    }
}

async fn checked(pools: &Pools, config: &Config) -> Result<(), Fault> {
    migrate::check(&pools.writer).await?;
    master_key(pools, config.master()?).await?;
    logins(pools, config).await?;
    // As the role that appends: settings may differ by role.
    let unsafe_ones = unsafe_settings(&pools.writer).await?;
    if unsafe_ones.is_empty() {
        return Ok(());
    }
    let listed = unsafe_ones.join(", ");
    if config.unsafe_settings {
        warn!(
            settings = listed,
            "Postgres may forget what it acknowledged; DAYBOOK_UNSAFE_SETTINGS allows it"
        );
        return Ok(());
    }
    Err(Fault::Refused(format!(
        "Postgres may forget what it acknowledged: {listed}. Turn them on, or set DAYBOOK_UNSAFE_SETTINGS=1 for a test"
    )))
}

/// Refuses logins that may do more than they are for.
async fn logins(pools: &Pools, config: &Config) -> Result<(), Fault> {
    let mut unfit = Vec::new();
    let of_roles = [&pools.writer, &pools.projector, &pools.reader];
    for (pool, (variable, _, role)) in of_roles.into_iter().zip(config.of_roles()) {
        let mut connection = pool.acquire().await?;
        if let Some(why) = logins::unfit(&mut connection, role).await? {
            unfit.push(format!("{why} ({variable})"));
        }
    }
    if unfit.is_empty() {
        return Ok(());
    }
    let listed = unfit.join("; ");
    if config.unsafe_settings {
        debug!(
            logins = listed,
            "logins may do more than they are for; DAYBOOK_UNSAFE_SETTINGS allows it"
        );
        return Ok(());
    }
    Err(Fault::Refused(format!(
        "logins may do more than they are for: {listed}. Give each role a login of its own (`daybook migrate --logins` \
         makes them), or set DAYBOOK_UNSAFE_SETTINGS=1 for a test"
    )))
}

/// Refuses a master key that is not the book's.
///
/// # Errors
/// When it is another one, or the database does not answer.
pub async fn master_key(pools: &Pools, master: MasterKey) -> Result<(), Fault> {
    match Vault::new(pools.writer.clone(), master).verify().await {
        Ok(()) => Ok(()),
        Err(BookError::Database(error)) => Err(Fault::Database(error)),
        Err(BookError::Key(detail)) => Err(Fault::Refused(detail.to_owned())),
        Err(error) => Err(error.into()),
    }
}

async fn unsafe_settings(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let rows =
        sqlx::query("select name, setting from pg_settings where name = any($1) and setting = 'off' order by name")
            .bind(MUST_NOT_BE_OFF.as_slice())
            .fetch_all(pool)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(format!(
                "{}={}",
                row.try_get::<&str, _>("name")?,
                row.try_get::<&str, _>("setting")?
            ))
        })
        .collect()
}
