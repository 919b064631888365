//! Every generated statement. Names come from declared tables only, so nothing is escaped but schemas.

use crate::table::{Column, Table};

/// The statements that post one table of one generation.
#[derive(Debug)]
pub struct Statements {
    pub select: String,
    pub insert: String,
    pub copy: String,
    pub upsert: String,
    pub delete: String,
}

impl Statements {
    #[must_use]
    pub fn new(schema: &str, table: &Table) -> Self {
        Self {
            select: select(schema, table),
            insert: insert(schema, table),
            copy: copy(schema, table),
            upsert: format!("{}\n{}", insert(schema, table), on_conflict(table)),
            delete: delete(schema, table),
        }
    }
}

/// `"schema".table`.
#[must_use]
pub fn name(schema: &str, table: &str) -> String {
    format!("\"{schema}\".{table}")
}

/// Reads the rows of the keys in `$1..`, one array per column of the key.
fn select(schema: &str, table: &Table) -> String {
    let columns = listed(table.written().map(|column| format!("t.{}", column.name)));
    format!(
        "select {columns} from {} t join {} using ({})",
        name(schema, table.name),
        keys(table),
        table.posted_by().join(", ")
    )
}

/// Deletes the rows of the keys in `$1..`.
fn delete(schema: &str, table: &Table) -> String {
    let same = table
        .posted_by()
        .iter()
        .map(|column| format!("t.{column} = k.{column}"))
        .collect::<Vec<_>>()
        .join(" and ");
    format!(
        "delete from {} t using {} where {same}",
        name(schema, table.name),
        keys(table)
    )
}

/// Inserts the rows whose columns are the arrays `$1..`.
fn insert(schema: &str, table: &Table) -> String {
    let columns = listed(table.written().map(|column| column.name.to_owned()));
    let values = listed(table.written().map(|column| match column.kind.stored_as() {
        Some(stored_as) => format!("u.{}::{stored_as}", column.name),
        None => format!("u.{}", column.name),
    }));
    format!(
        "insert into {} as t ({columns}) select {values} from {}",
        name(schema, table.name),
        unnest(table.written(), "u"),
    )
}

fn copy(schema: &str, table: &Table) -> String {
    let columns = listed(table.written().map(|column| column.name.to_owned()));
    format!("copy {} ({columns}) from stdin binary", name(schema, table.name))
}

/// A row that is there is updated, and left alone when nothing differs.
fn on_conflict(table: &Table) -> String {
    let changing: Vec<&str> = table
        .written()
        .filter(|column| !column.hidden && !table.key.contains(&column.name))
        .map(|column| column.name)
        .collect();
    let key = table.posted_by().join(", ");
    if changing.is_empty() {
        return format!("on conflict ({key}) do nothing");
    }
    let (old, new) = (prefixed("t", &changing), prefixed("excluded", &changing));
    format!(
        "on conflict ({key}) do update set ({}) = row({new}) where row({old}) is distinct from row({new})",
        changing.join(", ")
    )
}

/// Notes which events touched which rows: tenants, tables, keys, positions.
#[must_use]
pub fn insert_changes(schema: &str) -> String {
    format!(
        "insert into {} (tenant_id, table_name, key, position)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int8[])",
        name(schema, CHANGES)
    )
}

/// As [`insert_changes`], for many at once.
#[must_use]
pub fn copy_changes(schema: &str) -> String {
    format!(
        "copy {} (tenant_id, table_name, key, position) from stdin binary",
        name(schema, CHANGES)
    )
}

/// Which of the keys in `$1` a table of one key column has.
#[must_use]
pub fn present(schema: &str, table: &Table) -> String {
    let key = table.key.join(", ");
    format!("select {key} from {} where {key} = any($1)", name(schema, table.name))
}

/// The positions at which the rows of table `$1` with the ids in `$2` came.
#[must_use]
pub fn first_touched(schema: &str) -> String {
    format!(
        "select u.id, c.position from unnest($2::uuid[]) u(id), lateral (
             select min(position) as position from {} where table_name = $1 and key = u.id::text
         ) c where c.position is not null",
        name(schema, CHANGES)
    )
}

/// Names the users in `$1` in the rows of an audit table that are about what they did from the positions
/// in `$2` on.
#[must_use]
pub fn name_users(schema: &str, audit: &Table) -> String {
    format!(
        "update {} a set user_id = a.actor_id from unnest($1::uuid[], $2::int8[]) u(id, position)
         where a.actor_id = u.id and a.position >= u.position and a.user_id is null",
        name(schema, audit.name)
    )
}

/// The index of changes that each generation has.
pub const CHANGES: &str = "changes";

/// The table `changes`, executed like a context's own tables.
pub const CHANGES_TABLE: &str = "create table changes (
    tenant_id  uuid             not null,
    table_name text collate \"C\" not null,
    key        text collate \"C\" not null,
    position   bigint           not null
)";

/// Executed after loading: by row for histories, by position for those who read what changed.
pub const CHANGES_INDEXES: [&str; 2] = [
    "create index changes_row on changes (table_name, key, position)",
    "create index changes_position on changes (tenant_id, table_name, position, key)",
];

/// Under row-level security a reader sees the rows of the tenant that its transaction is set to. Nobody else does: Daybook's
/// own reader alone is believed which tenant that is.
pub const TENANT_POLICY: &str = "to daybook_reader using (tenant_id = current_setting('daybook.tenant')::uuid)";

/// How many rows a table has, and a checksum that differs when a row does. Rows have keys, so no two
/// of them cancel each other out.
#[must_use]
pub fn checksum(schema: &str, table: &str, columns: &[String]) -> String {
    format!(
        "select count(*), coalesce(bit_xor(hash_record_extended(r, 0)), 0) from (select {} from {}) r",
        columns.join(", "),
        name(schema, table)
    )
}

/// A table's rows as text, by key.
#[must_use]
pub fn rows_by_key(schema: &str, table: &str, key: &[&str], columns: &[String]) -> String {
    let key = key
        .iter()
        .map(|column| format!("{column}::text"))
        .collect::<Vec<_>>()
        .join(" || '/' || ");
    format!(
        "select {key} collate \"C\" as key, (select r::text from (select {}) r) as row from {} order by 1, 2",
        columns.join(", "),
        name(schema, table)
    )
}

fn keys(table: &Table) -> String {
    let is_key = |column: &&Column| table.posted_by().contains(&column.name);
    unnest(table.columns.iter().filter(is_key), "k")
}

/// `unnest($1::uuid[], $2::text[]) as u(id, name)`.
fn unnest<'a>(columns: impl Iterator<Item = &'a Column>, alias: &str) -> String {
    let (arrays, names): (Vec<String>, Vec<&str>) = columns
        .enumerate()
        .map(|(index, column)| (format!("${}::{}[]", index + 1, column.kind.sent_as()), column.name))
        .unzip();
    format!("unnest({}) as {alias}({})", arrays.join(", "), names.join(", "))
}

fn prefixed(prefix: &str, columns: &[&str]) -> String {
    listed(columns.iter().map(|column| format!("{prefix}.{column}")))
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
