//! Every statement that reads tables for a client. Names come from declared tables, values are bound.

use projections::table::{Column, Kind, Scope, Table};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::cursor;
use super::filter::{Comparison, Condition, Query};
use super::value::Value;

/// What decides which rows a person sees, besides the table's permission.
#[derive(Debug, Clone)]
pub struct Sight {
    pub tenant: Uuid,
    /// The departments that they are in; `None` sees every department.
    pub departments: Option<Vec<Uuid>>,
    /// Whether masked columns are shown.
    pub unmasked: bool,
}

type Sql = QueryBuilder<'static, Postgres>;

/// A page of rows: each as JSON text (`row`), and its place in the order as texts (`place`).
#[must_use]
pub fn page(table: &'static Table, query: &Query, sight: &Sight) -> Sql {
    let compared: Vec<_> = cursor::compared(table, query.order).collect();
    let places: Vec<_> = compared
        .iter()
        .map(|column| format!("{}::text", shown("t", column)))
        .collect();
    let mut sql = select(table, &query.columns, &places, sight);
    for filter in &query.filters {
        sql.push(" and ");
        condition(&mut sql, filter.column, &filter.condition);
    }
    if let Some(after) = &query.after {
        let names: Vec<_> = compared.iter().map(|column| named("t", column.name)).collect();
        sql.push(format!(
            " and ({}) {} (",
            names.join(", "),
            if query.order.descending { "<" } else { ">" }
        ));
        separated(&mut sql, &after.0);
        sql.push(")");
    }
    let direction = if query.order.descending { "desc" } else { "asc" };
    let order: Vec<_> = compared
        .iter()
        .map(|column| format!("{} {direction}", named("t", column.name)))
        .collect();
    // One more than asked for tells whether there is a next page.
    sql.push(format!(" order by {} limit ", order.join(", ")))
        .push_bind(query.limit + 1);
    sql
}

/// The row of a key, as JSON text.
#[must_use]
pub fn row(table: &'static Table, columns: &[&'static Column], key: &[Value], sight: &Sight) -> Sql {
    let mut sql = select(table, columns, &[], sight);
    for (name, value) in table.key.iter().zip(key) {
        sql.push(format!(" and {} = ", named("t", name)));
        value.push(&mut sql);
    }
    sql
}

/// The tenant's rows of a table as `t`, up to the end of the conditions that everybody is under.
fn select(table: &'static Table, columns: &[&'static Column], places: &[String], sight: &Sight) -> Sql {
    let mut sql = QueryBuilder::new("");
    if let Some(departments) = sight.departments.as_ref().filter(|_| belongs_to_department(table)) {
        sql.push("with recursive visible(id) as (select unnest(")
            .push_bind(departments.clone());
        sql.push("::uuid[]) union select d.id from cloudwatcher.departments d join visible v on d.parent_id = v.id) ");
    }
    let cells: Vec<_> = columns.iter().map(|column| cell(table, column, sight)).collect();
    sql.push(format!(
        "select (select row_to_json(r) from (select {}) r)::text as row, array[{}]::text[] as place from {} t where t.tenant_id = ",
        cells.join(", "),
        places.join(", "),
        source(table)
    ));
    sql.push_bind(sight.tenant);
    if sight.departments.is_some() {
        scope(&mut sql, table, "t", 0);
    }
    sql
}

/// Whether rows of the table are seen by department.
fn belongs_to_department(table: &'static Table) -> bool {
    match table.scope {
        Scope::Tenant => false,
        Scope::Department(_) => true,
        Scope::Through { parent, .. } => super::table(table.context, parent).is_none_or(belongs_to_department),
    }
}

/// Leaves only rows in the common table expression `visible`, by their own department or their parent's.
fn scope(sql: &mut Sql, table: &'static Table, alias: &str, depth: usize) {
    match table.scope {
        Scope::Tenant => {}
        Scope::Department(column) => {
            sql.push(format!(" and {} in (select id from visible)", named(alias, column)));
        }
        Scope::Through { column, parent } => match super::table(table.context, parent) {
            Some(parent) if !belongs_to_department(parent) => {}
            Some(parent) => {
                let above = format!("p{depth}");
                let key = parent.key.first().copied().unwrap_or("id");
                sql.push(format!(
                    " and exists (select from {} {above} where {} = {}",
                    source(parent),
                    named(&above, key),
                    named(alias, column)
                ));
                scope(sql, parent, &above, depth + 1);
                sql.push(")");
            }
            None => {
                sql.push(" and false");
            }
        },
    }
}

fn condition(sql: &mut Sql, column: &Column, condition: &Condition) {
    let name = named("t", column.name);
    match condition {
        Condition::Null => {
            sql.push(format!("{name} is null"));
        }
        Condition::NotNull => {
            sql.push(format!("{name} is not null"));
        }
        Condition::In(values) => {
            sql.push(format!("{name} in ("));
            separated(sql, values);
            sql.push(")");
        }
        Condition::Compare(comparison, value) => {
            sql.push(format!("{name} {} ", operator(*comparison)));
            value.push(sql);
        }
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "=",
        Comparison::Neq => "<>",
        Comparison::Gt => ">",
        Comparison::Gte => ">=",
        Comparison::Lt => "<",
        Comparison::Lte => "<=",
        Comparison::Like => "like",
        Comparison::Contains => "@>",
    }
}

fn separated(sql: &mut Sql, values: &[Value]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            sql.push(", ");
        }
        value.push(sql);
    }
}

fn cell(table: &Table, column: &Column, sight: &Sight) -> String {
    let masked = !sight.unmasked && table.masked.contains(&column.name);
    let value = if masked {
        "null::text".to_owned()
    } else {
        shown("t", column)
    };
    format!("{value} as \"{}\"", column.name)
}

/// A column in its canonical form, the one that histories show too: times in UTC with microseconds,
/// amounts as text with two decimals or as many as they need.
fn shown(alias: &str, column: &Column) -> String {
    let name = named(alias, column.name);
    match column.kind {
        Kind::Timestamp => format!("to_char({name} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        Kind::Decimal => {
            format!("(case when scale(trim_scale({name})) < 2 then round({name}, 2) else trim_scale({name}) end)::text")
        }
        Kind::Date => format!("to_char({name}, 'YYYY-MM-DD')"),
        Kind::Inet => format!("{name}::text"),
        Kind::Uuid | Kind::Text | Kind::Integer | Kind::Bigint | Kind::Boolean | Kind::Json => name,
    }
}

fn source(table: &Table) -> String {
    format!("\"{}\".\"{}\"", table.context, table.name)
}

fn named(alias: &str, column: &str) -> String {
    format!("{alias}.\"{column}\"")
}
