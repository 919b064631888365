//! Rows of tenants that are deleted: they go from the tables, and a rebuild makes none again.

use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

use crate::context::Context;
use crate::error::PostError;
use crate::generation::loading_connection;
use crate::sql;

/// Whether the live tables of a context show the book up to a position; also when there are none.
///
/// # Errors
/// The database's error.
pub async fn is_posted(pool: &PgPool, context: &Context, position: i64) -> Result<bool, PostError> {
    let behind = "select exists (select from book.generations where context = $1 and state = 'live' and position < $2)";
    let behind: bool = sqlx::query_scalar(behind)
        .bind(context.name)
        .bind(position)
        .fetch_one(pool)
        .await?;
    Ok(!behind)
}

/// Deletes what the live tables of a context show of a tenant, and what is parked of it; returns how many rows there
/// were. They have to show the book up to where the tenant was deleted, see [`is_posted`], or some would come back.
///
/// # Errors
/// The database's error.
pub async fn tenant(pool: &PgPool, context: &Context, tenant: Uuid) -> Result<u64, PostError> {
    let mut connection = loading_connection(pool).await?;
    let rows = rows_of(&mut connection, context, context.name, &[tenant]).await?;
    connection.close().await?;
    Ok(rows)
}

/// Deletes from the tables in a schema what they show of deleted tenants.
///
/// # Errors
/// The database's error.
pub async fn deleted(connection: &mut PgConnection, context: &Context, schema: &str) -> Result<u64, PostError> {
    let deleted: Vec<Uuid> = sqlx::query_scalar("select tenant_id from book.tenants where standing = 'deleted'")
        .fetch_all(&mut *connection)
        .await?;
    if deleted.is_empty() {
        return Ok(0);
    }
    rows_of(connection, context, schema, &deleted).await
}

/// In one transaction: tables refer to one another, and what they refer to is looked at in the end.
async fn rows_of(
    connection: &mut PgConnection,
    context: &Context,
    schema: &str,
    tenants: &[Uuid],
) -> Result<u64, PostError> {
    let mut transaction = connection.begin().await?;
    let there: bool = sqlx::query_scalar("select to_regnamespace($1) is not null")
        .bind(schema)
        .fetch_one(&mut *transaction)
        .await?;
    if !there {
        return Ok(0);
    }
    let mut rows = 0;
    let tables = context.all_tables().map(|table| table.name).chain([sql::CHANGES]);
    for table in tables {
        let deleting = format!("delete from {} where tenant_id = any($1)", sql::name(schema, table));
        let deleted = sqlx::query(&deleting).bind(tenants).execute(&mut *transaction).await?;
        rows += deleted.rows_affected();
    }
    sqlx::query("delete from book.parked where context = $1 and tenant_id = any($2)")
        .bind(context.name)
        .bind(tenants)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(rows)
}
