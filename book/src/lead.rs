//! Leadership by a session advisory lock: one worker works, others stand by.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};

use crate::BookError;

/// How often a standby asks for the lock, in milliseconds.
pub const STANDBY_MS: u64 = 300;

/// A held lock. It ends with its connection, so a process that dies hands over at once.
#[derive(Debug)]
pub struct Leadership {
    connection: PgConnection,
    name: String,
}

impl Leadership {
    /// Takes the lock of this name if nobody holds it.
    ///
    /// # Errors
    /// The database's error.
    pub async fn try_take(pool: &PgPool, name: &str) -> Result<Option<Self>, BookError> {
        let mut connection = pool.acquire().await?.detach();
        let taken: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if taken {
            return Ok(Some(Self {
                connection,
                name: name.to_owned(),
            }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Whether the lock is still ours: the connection that holds it answers.
    pub async fn holds(&mut self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(2), self.connection.ping()).await;
        matches!(answer, Ok(Ok(())))
    }

    /// Gives the lock up: whoever asks after this has returned finds it free.
    pub async fn release(mut self) {
        // The server ends a closed session in its own time, so the lock is given back by name. A
        // connection that is gone has released it already.
        let _ = sqlx::query("select pg_advisory_unlock(hashtextextended($1, 0))")
            .bind(&self.name)
            .execute(&mut self.connection)
            .await;
        let _ = self.connection.close().await;
    }
}
