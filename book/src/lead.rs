//! Leadership by a session advisory lock: one worker works, others stand by.

use std::future::Future;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};

use crate::BookError;

/// How long the database may take to answer what is asked here, in seconds.
const ANSWER_SECONDS_MAX: u64 = 5;

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
        let asking = sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(name)
            .fetch_one(&mut connection);
        // Dropping a connection that does not answer gives up what it may have been granted.
        let taken: bool = answered(asking).await.ok_or(BookError::Unavailable)??;
        if taken {
            return Ok(Some(Self {
                connection,
                name: name.to_owned(),
            }));
        }
        answered(connection.close()).await.ok_or(BookError::Unavailable)??;
        Ok(None)
    }

    /// Whether the lock is still ours: the connection that holds it answers.
    pub async fn holds(&mut self) -> bool {
        matches!(answered(self.connection.ping()).await, Some(Ok(())))
    }

    /// Gives the lock up: whoever asks after this has returned finds it free.
    pub async fn release(mut self) {
        // The server ends a closed session in its own time, so the lock is given back by name. A
        // connection that is gone has released it already.
        let releasing = sqlx::query("select pg_advisory_unlock(hashtextextended($1, 0))")
            .bind(&self.name)
            .execute(&mut self.connection);
        if answered(releasing).await.is_some() {
            let _ = answered(self.connection.close()).await;
        }
    }
}

/// What the database answers; `None` when it does not in time.
async fn answered<T>(asking: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS_MAX), asking)
        .await
        .ok()
}
