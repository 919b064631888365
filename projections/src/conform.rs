//! Conformance: the declared tables against what Postgres says it has.

use book::logins::READER;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::bi;
use crate::context::Context;
use crate::sql;
use crate::table::{ColumnKind, Table};

/// The role that owns every schema of read tables.
const OWNER: &str = "daybook_projector";

/// Every way in which the tables of a schema differ from the declared ones, as sentences; none when
/// they conform.
///
/// # Errors
/// The database's error.
pub async fn differences(
    connection: &mut PgConnection,
    context: &Context,
    schema: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    let relations = relations(connection, schema).await?;
    for table in context.all_tables() {
        if table.context != context.name {
            found.push(format!("{} is declared in context {}", table.name, table.context));
        }
        match relations.iter().find(|relation| relation.name == table.name) {
            None => found.push(format!("{} is missing in schema {schema}", table.name)),
            Some(relation) => {
                found.extend(secured(relation, &[bi::ROLE, READER]));
                found.extend(columns(connection, schema, table).await?);
                found.extend(keys(connection, schema, table).await?);
                found.extend(declared_names(table));
            }
        }
    }
    let unlike = bi::lacking(connection, context, schema).await?;
    found.extend(
        unlike
            .into_iter()
            .map(|lacking| format!("tools for reports lack {lacking}")),
    );
    for relation in &relations {
        if relation.name == sql::CHANGES || relation.is_partition {
            found.extend(secured(relation, &[READER]));
        } else if context.table(&relation.name).is_none() {
            found.push(format!("{} has no fold", relation.name));
        }
    }
    Ok(found)
}

struct Relation {
    name: String,
    owner: String,
    row_security: bool,
    is_partition: bool,
    /// The roles that have a policy, in order.
    policies: Vec<String>,
    readable: bool,
}

book::from_row!(Relation {
    name,
    owner,
    row_security,
    is_partition,
    policies,
    readable
});

async fn relations(connection: &mut PgConnection, schema: &str) -> Result<Vec<Relation>, sqlx::Error> {
    sqlx::query_as(
        "select c.relname::text as name, pg_get_userbyid(c.relowner)::text as owner, c.relrowsecurity as row_security,
                c.relispartition as is_partition,
                array(select array_to_string(array(select r::regrole::text from unnest(p.polroles) r order by 1), '+')
                      from pg_policy p where p.polrelid = c.oid order by 1) as policies,
                has_table_privilege('daybook_reader', c.oid, 'select') as readable
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relkind in ('r', 'p', 'm', 'v') order by 1",
    )
    .bind(schema)
    .fetch_all(connection)
    .await
}

fn secured(relation: &Relation, expected: &[&str]) -> Vec<String> {
    let Relation {
        name,
        owner,
        row_security,
        is_partition: _,
        policies,
        readable,
    } = relation;
    let mut found = Vec::new();
    if owner != OWNER {
        found.push(format!("{name} belongs to {owner}, not to {OWNER}"));
    }
    if !row_security || policies != expected {
        found.push(format!(
            "{name} does not keep tenants apart: row-level security is off, or its policies are for {policies:?}"
        ));
    }
    if !readable {
        found.push(format!("{name} cannot be read by daybook_reader"));
    }
    found
}

/// Names that the declaration itself uses and does not have.
fn declared_names(table: &Table) -> Vec<String> {
    let used = table.key.iter().chain(table.find).chain(table.masked);
    used.filter(|name| table.column(name).is_none())
        .map(|name| {
            format!(
                "{} declares no column {name}, which its key, find or masked names",
                table.name
            )
        })
        .collect()
}

struct ColumnInPostgres {
    name: String,
    type_name: String,
    nullable: bool,
    generated: bool,
}

book::from_row!(ColumnInPostgres {
    name,
    type_name,
    nullable,
    generated
});

async fn columns(connection: &mut PgConnection, schema: &str, table: &Table) -> Result<Vec<String>, sqlx::Error> {
    let present: Vec<ColumnInPostgres> = sqlx::query_as(
        "select a.attname::text as name, t.typname::text as type_name, not a.attnotnull as nullable,
                a.attgenerated <> '' as generated
         from pg_attribute a join pg_type t on t.oid = a.atttypid
         where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped",
    )
    .bind(sql::name(schema, table.name))
    .fetch_all(connection)
    .await?;
    let mut found = Vec::new();
    for column in table.columns {
        let name = format!("{}.{}", table.name, column.name);
        let Some(here) = present.iter().find(|here| here.name == column.name) else {
            found.push(format!("{name} is missing"));
            continue;
        };
        if !types(column.kind).contains(&here.type_name.as_str()) {
            found.push(format!("{name} is {}, declared as {:?}", here.type_name, column.kind));
        }
        if here.nullable != column.nullable {
            let says = |nullable| if nullable { "nullable" } else { "not null" };
            found.push(format!(
                "{name} is {}, declared as {}",
                says(here.nullable),
                says(column.nullable)
            ));
        }
        if here.generated != column.generated {
            found.push(format!(
                "{name} is generated by one of Postgres and the declaration only"
            ));
        }
    }
    let undeclared = present.iter().filter(|here| table.column(&here.name).is_none());
    found.extend(undeclared.map(|here| format!("{}.{} is not declared", table.name, here.name)));
    Ok(found)
}

/// The Postgres types that hold a kind.
fn types(kind: ColumnKind) -> &'static [&'static str] {
    match kind {
        ColumnKind::Uuid => &["uuid"],
        ColumnKind::Text => &["text", "varchar", "bpchar"],
        ColumnKind::Integer => &["int4"],
        ColumnKind::Bigint => &["int8"],
        ColumnKind::Boolean => &["bool"],
        ColumnKind::Decimal => &["numeric"],
        ColumnKind::Timestamp => &["timestamptz"],
        ColumnKind::Date => &["date"],
        ColumnKind::Json => &["jsonb", "json"],
        ColumnKind::Inet => &["inet"],
        ColumnKind::Vector => &["vector"],
        ColumnKind::Bytea => &["bytea"],
        ColumnKind::Texts => &["_text"],
        ColumnKind::Time => &["time"],
        ColumnKind::Interval => &["interval"],
    }
}

/// The primary key, and an index led by each findable column, after the tenant perhaps.
async fn keys(connection: &mut PgConnection, schema: &str, table: &Table) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "select i.indisprimary,
                array(select coalesce(a.attname::text, '') from unnest(i.indkey::int2[]) with ordinality k(number, place)
                      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number order by k.place)
         from pg_index i where i.indrelid = to_regclass($1) and i.indpred is null",
    )
    .bind(sql::name(schema, table.name))
    .fetch_all(&mut *connection)
    .await?;
    let partitioned_by: Vec<String> = sqlx::query_scalar(
        "select a.attname::text from pg_partitioned_table p
         join pg_attribute a on a.attrelid = p.partrelid and a.attnum = any(p.partattrs::int2[])
         where p.partrelid = to_regclass($1)",
    )
    .bind(sql::name(schema, table.name))
    .fetch_all(&mut *connection)
    .await?;
    let mut indexes: Vec<Vec<String>> = Vec::new();
    let mut found = Vec::new();
    for row in &rows {
        let columns: Vec<String> = row.try_get(1)?;
        // The key of a table in partitions must also name what it is parted by.
        // One that is no id tells apart within the tenant.
        let skipped = usize::from(table.stream.is_some() && columns.first().is_some_and(|first| first == "tenant_id"));
        let (key, parted_by) = columns[skipped..].split_at((columns.len() - skipped).min(table.key.len()));
        let is_key = key == table.key && parted_by.iter().all(|column| partitioned_by.contains(column));
        if row.try_get(0)? && !is_key {
            found.push(format!(
                "{} has the key {columns:?}, declared as {:?}",
                table.name, table.key
            ));
        }
        indexes.push(columns);
    }
    for find in table.find {
        let leads = |index: &Vec<String>| {
            let mut columns = index.iter().skip_while(|column| *column == "tenant_id");
            columns.next().is_some_and(|column| column == find)
        };
        if !indexes.iter().any(leads) {
            found.push(format!("{}.{find} is findable and leads no index", table.name));
        }
    }
    Ok(found)
}
