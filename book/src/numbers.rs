//! Numbers for entries whose documents say SERIAL, see `domain::entry::Number`.

use uuid::Uuid;

use crate::execute::Book;
use crate::{BookError, pools};

impl Book {
    /// The next number of a kind in a tenant, which nobody gets again.
    ///
    /// # Errors
    /// The database's error, also when there are no more of 31 bits.
    pub async fn draw_number(&self, tenant: Uuid, kind: &str) -> Result<i32, BookError> {
        self.number("select book.draw_number($1, $2)", tenant, kind).await
    }

    /// The number that would be drawn next, for what is tried and not done.
    ///
    /// # Errors
    /// The database's error.
    pub async fn next_number(&self, tenant: Uuid, kind: &str) -> Result<i32, BookError> {
        self.number("select book.next_number($1, $2)", tenant, kind).await
    }

    async fn number(&self, statement: &str, tenant: Uuid, kind: &str) -> Result<i32, BookError> {
        let drawing = sqlx::query_scalar(statement)
            .bind(tenant)
            .bind(kind)
            .fetch_one(&self.0.pool);
        let drawn = pools::answered(async { Ok::<i32, BookError>(drawing.await?) });
        drawn.await
    }
}
