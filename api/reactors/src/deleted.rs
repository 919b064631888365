//! What is still to be done for tenants that are deleted, by reactors that nobody runs any more. Those that are run drop theirs
//! by themselves, within seconds.

use book::BookError;
use book::pools::answered;
use sqlx::PgPool;

/// Rows that are deleted in one transaction.
const DELETED_AT_ONCE: i64 = 1_000;

/// Deletes the tasks and dead letters of deleted tenants, and says how many there were. Done twice it does no harm. The pool is
/// one of `daybook_writer`.
///
/// # Errors
/// The database's error; what is deleted by then stays so.
pub async fn forget(pool: &PgPool) -> Result<u64, BookError> {
    let asking = sqlx::query_scalar("select name from book.reactors order by name").fetch_all(pool);
    let reactors: Vec<String> = answered(async { Ok::<_, BookError>(asking.await?) }).await?;
    let mut forgotten = 0;
    for reactor in reactors {
        loop {
            let some = answered(forget_some(pool, &reactor)).await?;
            forgotten += some;
            if some < DELETED_AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(forgotten)
}

async fn forget_some(pool: &PgPool, reactor: &str) -> Result<u64, BookError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select from book.reactors where name = $1 for update")
        .bind(reactor)
        .execute(&mut *transaction)
        .await?;
    let deleting = sqlx::query(
        "delete from book.reactions where reaction_id in (
             select r.reaction_id from book.tenants t join book.reactions r using (tenant_id)
             where r.reactor = $1 and t.standing = 'deleted' limit $2)",
    );
    let deleted = deleting
        .bind(reactor)
        .bind(DELETED_AT_ONCE)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "delete from book.reaction_targets where reactor = $1
         and tenant_id in (select tenant_id from book.tenants where standing = 'deleted')",
    )
    .bind(reactor)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected())
}
