//! Finishing: keys, indexes, foreign keys and statistics of tables that are loaded.

use std::sync::Mutex;

use sqlx::postgres::PgConnection;

use super::{Phase, Work};
use crate::error::PostError;
use crate::generation::{self, execute, loading_connection};
use crate::sql;

/// Connections that work at one time.
const CONNECTIONS: usize = 2;

/// Takes the primary keys of tables to which rows are only appended, which nothing looks up while they
/// are loaded. Returns the statements that bring them back.
pub(super) async fn without_keys(
    work: &Work<'_>,
    connection: &mut PgConnection,
    schema: &str,
) -> Result<Vec<String>, PostError> {
    let mut statements = Vec::new();
    let appended = work.context.tables.iter().filter(|projection| projection.appends());
    let appended = appended.map(|projection| projection.table());
    for table in appended.chain(work.context.audit.map(|audit| audit.table())) {
        let name = sql::name(schema, table.name);
        let (key, definition): (String, String) = sqlx::query_as(
            "select conname::text, pg_get_constraintdef(oid) from pg_constraint
             where conrelid = to_regclass($1) and contype = 'p'",
        )
        .bind(&name)
        .fetch_one(&mut *connection)
        .await?;
        execute(connection, &format!("alter table {name} drop constraint \"{key}\"")).await?;
        statements.push(format!("alter table {name} add constraint \"{key}\" {definition}"));
    }
    Ok(statements)
}

/// Brings back keys, makes unique constraints and indexes, then foreign keys, and gathers statistics.
pub(super) async fn finish(work: &Work<'_>, schema: &str, keys: Vec<String>, position: i64) -> Result<(), PostError> {
    let mut connections = connections(work, schema).await?;
    let sizes = match connections.first_mut() {
        Some(connection) => by_size(connection, schema).await?,
        None => Vec::new(),
    };
    let statements = generation::finishing(work.context);
    let (foreign_keys, mut others): (Vec<_>, Vec<_>) = keys
        .into_iter()
        .chain(statements)
        .partition(|statement| statement.contains("foreign key"));
    // What takes longest begins first, so that no connection is left alone with it at the end; and keys before indexes, for
    // which the other would have to wait.
    let rank = |statement: &String| {
        let table = table_of(statement);
        sizes
            .iter()
            .position(|(whole, _)| table == Some(whole.as_str()))
            .unwrap_or(sizes.len())
    };
    others.sort_by_key(|statement| (!statement.starts_with("alter"), rank(statement)));
    let told = || work.told(Phase::Indexing, position, position);
    let connections = execute_all(connections, Vec::new(), others, &told).await?;
    // Foreign keys one after the other, because each locks two tables.
    execute_all(connections, foreign_keys, analyzing(schema, &sizes), &told).await?;
    Ok(())
}

/// Gathers statistics.
pub(super) async fn analyze(work: &Work<'_>, schema: &str, position: i64) -> Result<(), PostError> {
    let mut connections = connections(work, schema).await?;
    let sizes = match connections.first_mut() {
        Some(connection) => by_size(connection, schema).await?,
        None => Vec::new(),
    };
    let told = || work.told(Phase::Indexing, position, position);
    execute_all(connections, Vec::new(), analyzing(schema, &sizes), &told).await?;
    Ok(())
}

/// Of a table with partitions those alone, as in a generation that was never rebuilt: nothing asks for more, and it would be the
/// work once more.
fn analyzing(schema: &str, sizes: &[(String, String)]) -> Vec<String> {
    let analyze = |(_, table): &(String, String)| format!("analyze {}", sql::name(schema, table));
    sizes.iter().map(analyze).collect()
}

/// The tables of a schema that have rows of their own, the largest first: each with the table that it is a partition of, or
/// itself.
async fn by_size(connection: &mut PgConnection, schema: &str) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select coalesce(w.relname, c.relname)::text, c.relname::text
         from pg_class c
         left join pg_inherits i on i.inhrelid = c.oid
         left join pg_class w on w.oid = i.inhparent
         where c.relnamespace = to_regnamespace($1) and c.relkind = 'r'
         order by pg_relation_size(c.oid) desc, c.relname",
    )
    .bind(format!("\"{schema}\""))
    .fetch_all(connection)
    .await
}

/// The table that a statement of the DDL is about.
fn table_of(statement: &str) -> Option<&str> {
    let mut words = statement.split_whitespace();
    let name = match words.next()? {
        "alter" => words.nth(1)?,
        _ => words.skip_while(|word| *word != "on").nth(1)?,
    };
    name.rsplit('.').next()
}

/// Executes statements on several connections at once: these in their order on the first, those in turns on whichever is
/// free.
async fn execute_all(
    connections: Vec<PgConnection>,
    in_order: Vec<String>,
    in_turns: Vec<String>,
    told: &(dyn Fn() + Sync),
) -> Result<Vec<PgConnection>, PostError> {
    let queue = Mutex::new(in_turns.into_iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let mut in_order = Some(in_order);
    let working = connections.into_iter().map(|mut connection| {
        let mut own = in_order.take().unwrap_or_default().into_iter();
        let next = &next;
        async move {
            while let Some(statement) = own.next().or_else(next) {
                execute(&mut connection, &statement).await?;
                told();
            }
            Ok(connection)
        }
    });
    futures::future::try_join_all(working.collect::<Vec<_>>()).await
}

async fn connections(work: &Work<'_>, schema: &str) -> Result<Vec<PgConnection>, PostError> {
    let connected = (0..CONNECTIONS).map(|_| async {
        let mut connection = loading_connection(&work.pools.projector).await?;
        let settings = format!(
            "set search_path = \"{schema}\", public; set maintenance_work_mem = '256MB'; set enable_seqscan = on"
        );
        execute(&mut connection, &settings).await?;
        Ok(connection)
    });
    futures::future::try_join_all(connected).await
}
