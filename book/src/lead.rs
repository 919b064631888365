//! Leadership by a session advisory lock: one worker works, others stand by.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};

use crate::BookError;

/// How often a standby asks for the lock, in milliseconds.
pub const STANDBY_MS: u64 = 300;

/// A held lock. It ends with its connection, so a process that dies hands over at once.
#[derive(Debug)]
pub struct Leadership(PgConnection);

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
            return Ok(Some(Self(connection)));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Whether the lock is still ours: the connection that holds it answers.
    pub async fn holds(&mut self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(2), self.0.ping()).await;
        matches!(answer, Ok(Ok(())))
    }

    /// Gives the lock up at once.
    pub async fn release(self) {
        // A connection that is gone has released it already.
        let _ = self.0.close().await;
    }
}
