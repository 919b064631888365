//! The statement that finds what changed.

use projections::table::{Column, Table};
use sqlx::QueryBuilder;

use super::super::filter::Query;
use super::super::sql::{Reader, Sql, cell, filtered, named, scope, source, stream, visible};
use super::super::streams::Shows;

/// Changes that one statement looks at.
const CHANGES_MAX: i64 = 20_000;

/// Where one statement begins: behind this change.
#[derive(Debug, Clone)]
pub struct Start {
    pub position: i64,
    pub key: String,
}

/// What changed behind a place: each key once, by its last change (`place`), with its row where that is there and the filters
/// of the query mean it. Keys without rows (`row` is null) are told to those alone who see all departments. Before them comes
/// one with `rules`: by which the tables were posted, and the place where looking ended, or none if that was the end.
#[must_use]
pub fn changed(table: &'static Table, query: &Query, start: &Start, shows: Shows, reader: &Reader) -> Sql {
    let cells: Vec<_> = query.columns.iter().map(|column| cell(table, column, reader)).collect();
    let mut sql = QueryBuilder::new("");
    let comma = if visible(&mut sql, table, reader) {
        ", "
    } else {
        "with "
    };
    sql.push(comma)
        .push("bound as materialized (select * from ((select c.position, c.key");
    behind(&mut sql, table, start, reader);
    sql.push(" order by c.position, c.key offset ")
        .push_bind(CHANGES_MAX - 1);
    sql.push(" limit 1) union all select null, null) b order by b.position limit 1) ");
    let streams = if shows.is_some() {
        ", null::uuid as stream, null::bigint as sequence"
    } else {
        ""
    };
    sql.push(format!(
        "select null::text as row, null::text as key, case when b.position is not null then array[b.position::text, b.key] end as place, \
         book.rules('{}') as rules{streams} from bound b union all (",
        reader.context.name
    ));
    let first = table.key.first().copied().unwrap_or("id");
    let is_gone = format!("t.\"{first}\" is null");
    sql.push(format!(
        "select case when {is_gone} then null else (select row_to_json(r) from (select {}) r)::text end as row, c.key, \
         array[c.position::text, c.key]::text[] as place, null::text as rules{} from (select c.position, c.key, {}",
        cells.join(", "),
        stream(table, shows, reader),
        parts(table).join(", "),
    ));
    behind(&mut sql, table, start, reader);
    // Only the last change of each key. What the key says stands within, so that comparing it with the table's uses
    // an index under row-level security.
    sql.push(format!(
        " and (c.position, c.key) <= (select coalesce(b.position, {}), coalesce(b.key, '') from bound b) \
         and not exists (select from {} l where l.tenant_id = c.tenant_id and l.table_name = c.table_name \
         and l.key = c.key and l.position > c.position) offset 0) c {} join {} t on t.tenant_id = ",
        i64::MAX,
        changes(table),
        if reader.departments.is_none() { "left" } else { "inner" },
        source(table),
    ))
    .push_bind(reader.tenant);
    for (index, name) in table.key.iter().enumerate() {
        sql.push(format!(" and {} = c.k{index}", named("t", name)));
    }
    sql.push(format!(" where ({is_gone} or (true"));
    if reader.departments.is_some() {
        scope(&mut sql, reader.context, table, "t", 0);
    }
    filtered(&mut sql, query);
    sql.push(")) order by c.position, c.key limit ")
        .push_bind(query.limit + 1);
    sql.push(")");
    sql
}

/// The changes `c` of the tenant's rows of a table behind a place.
fn behind(sql: &mut Sql, table: &'static Table, start: &Start, reader: &Reader) {
    sql.push(format!(" from {} c where c.tenant_id = ", changes(table)))
        .push_bind(reader.tenant);
    sql.push(" and c.table_name = ").push_bind(table.name);
    sql.push(" and (c.position, c.key) > (").push_bind(start.position);
    sql.push(", ").push_bind(start.key.clone());
    sql.push(")");
}

/// The columns of a key, from its text.
fn parts(table: &Table) -> Vec<String> {
    let keys: Vec<_> = table.key.iter().filter_map(|name| table.column(name)).collect();
    let count = keys.len();
    if table.escapes_key() {
        let of_key = |(index, column): (usize, &&Column)| {
            let part = format!("split_part(c.key, '/', {})", index + 1);
            let plain = format!("replace(replace({part}, '%2F', '/'), '%25', '%')");
            format!("({plain})::{} as k{index}", column.kind.sent_as())
        };
        return keys.iter().enumerate().map(of_key).collect();
    }
    let of_key = |(index, column): (usize, &&Column)| {
        // The last part of a key may have slashes of its own.
        let part = match index + 1 {
            _ if count == 1 => "c.key".to_owned(),
            last if last == count => format!("substr(c.key, {})", after_slashes(index)),
            part => format!("split_part(c.key, '/', {part})"),
        };
        format!("({part})::{} as k{index}", column.kind.sent_as())
    };
    keys.iter().enumerate().map(of_key).collect()
}

/// Where the part of a key begins that comes after so many slashes, as an SQL expression.
fn after_slashes(count: usize) -> String {
    let before = (1..=count).map(|part| format!("length(split_part(c.key, '/', {part})) + 1"));
    format!("1 + {}", before.collect::<Vec<_>>().join(" + "))
}

fn changes(table: &Table) -> String {
    format!("\"{}\".{}", table.context, projections::sql::CHANGES)
}
