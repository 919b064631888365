//! Every statement that reads tables for a client. Names come from declared tables, values are bound.

use projections::Context;
use projections::table::{Column, ColumnKind, Scope, Table};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::cursor::{self, Cursor};
use super::filter::{Comparison, Condition, Query};
use super::named::{Arguments, Beside, Named};
use super::value::Value;

/// A person who reads tables: this decides, besides the table's permission, which rows and columns they see.
#[derive(Debug, Clone)]
pub struct Reader {
    pub tenant: Uuid,
    /// The context whose tables are read: a row may be seen by way of another table.
    pub context: &'static Context,
    /// The departments that they are in; `None` sees every department.
    pub departments: Option<Vec<Uuid>>,
    /// Whether masked columns are shown.
    pub unmasked: bool,
}

type Sql = QueryBuilder<'static, Postgres>;

/// A page of rows: each as JSON text (`row`), and its place in the order as texts (`place`).
#[must_use]
pub fn page(table: &'static Table, query: &Query, reader: &Reader) -> Sql {
    let compared: Vec<_> = cursor::compared(table, query.order)
        .iter()
        .map(|column| (column.kind, named("t", column.name)))
        .collect();
    let mut sql = select(table, &query.columns, &compared, reader);
    for filter in &query.filters {
        sql.push(" and ");
        condition(&mut sql, filter.column, &filter.condition);
    }
    paged(
        &mut sql,
        &compared,
        query.order.descending,
        query.after.as_ref(),
        query.limit,
    );
    sql
}

/// As [`page`], of the rows that a named query chooses.
#[must_use]
pub fn chosen(query: &'static Named, asked: &Arguments, reader: &Reader) -> Sql {
    let compared: Vec<_> = query
        .order
        .iter()
        .map(|place| (place.kind, place.sql.to_owned()))
        .collect();
    let cells = query.table.shown().map(|column| cell(query.table, column, reader));
    let beside = query.beside.iter().map(|beside| {
        let value = if asked.hidden.contains(&beside.name()) {
            "null::text".to_owned()
        } else {
            match *beside {
                Beside::Column { of, table, column, .. } => table.column(column).map_or_else(
                    || "null".to_owned(),
                    |column| shown(column.kind, &named(of, column.name)),
                ),
                Beside::Computed { sql, kind, .. } => shown(kind, sql),
            }
        };
        format!("{value} as \"{}\"", beside.name())
    });
    let cells: Vec<_> = cells.chain(beside).collect();
    let mut sql = head(query.table, &cells, &compared, reader);
    // The name of a parameter stands where its value goes.
    for (index, piece) in query.sql.split('$').enumerate() {
        let is_name = |char: char| char.is_ascii_lowercase() || char == '_';
        let (name, rest) = piece.split_at(piece.find(|char| !is_name(char)).unwrap_or(piece.len()));
        if index == 0 {
            sql.push(piece);
            continue;
        }
        let given = query
            .takes
            .iter()
            .zip(&asked.values)
            .find(|(takes, _)| takes.name == name);
        match given.and_then(|(_, value)| value.as_ref()) {
            Some(value) => value.push(&mut sql),
            None => {
                sql.push("null");
            }
        }
        sql.push(rest);
    }
    sql.push(" and t.tenant_id = ").push_bind(reader.tenant);
    if reader.departments.is_some() {
        scope(&mut sql, reader.context, query.table, "t", 0);
    }
    paged(&mut sql, &compared, query.descending, asked.after.as_ref(), asked.limit);
    sql
}

/// Leaves what comes after a place in the order, and one row more than asked for, which tells whether there
/// is a next page.
fn paged(sql: &mut Sql, compared: &[(ColumnKind, String)], descending: bool, after: Option<&Cursor>, limit: i64) {
    let names: Vec<&str> = compared.iter().map(|(_, name)| name.as_str()).collect();
    if let Some(after) = after {
        sql.push(format!(
            " and ({}) {} (",
            names.join(", "),
            if descending { "<" } else { ">" }
        ));
        separated(sql, &after.0);
        sql.push(")");
    }
    let direction = if descending { "desc" } else { "asc" };
    let order: Vec<_> = names.iter().map(|name| format!("{name} {direction}")).collect();
    sql.push(format!(" order by {} limit ", order.join(", ")))
        .push_bind(limit + 1);
}

/// The row of a key, as JSON text.
#[must_use]
pub fn row(table: &'static Table, columns: &[&'static Column], key: &[Value], reader: &Reader) -> Sql {
    let mut sql = select(table, columns, &[], reader);
    for (name, value) in table.key.iter().zip(key) {
        sql.push(format!(" and {} = ", named("t", name)));
        value.push(&mut sql);
    }
    sql
}

/// The tenant's rows of a table as `t`, up to the end of the conditions that everybody is under.
fn select(
    table: &'static Table,
    columns: &[&'static Column],
    compared: &[(ColumnKind, String)],
    reader: &Reader,
) -> Sql {
    let cells: Vec<_> = columns.iter().map(|column| cell(table, column, reader)).collect();
    let mut sql = head(table, &cells, compared, reader);
    sql.push(format!("from {} t where t.tenant_id = ", source(table)))
        .push_bind(reader.tenant);
    if reader.departments.is_some() {
        scope(&mut sql, reader.context, table, "t", 0);
    }
    sql
}

/// The beginning of a statement, up to `from`: the cells as JSON text, and the place in the order as texts.
fn head(table: &'static Table, cells: &[String], compared: &[(ColumnKind, String)], reader: &Reader) -> Sql {
    let mut sql = QueryBuilder::new("");
    if let Some(departments) = reader
        .departments
        .as_ref()
        .filter(|_| belongs_to_department(reader.context, table))
    {
        sql.push("with recursive visible(id) as (select unnest(")
            .push_bind(departments.clone());
        sql.push("::uuid[])");
        // A context whose tables do not say which department lies under which shows one's own ones.
        if let Some(tree) = reader.context.departments {
            let (id, parent) = (named("d", tree.id), named("d", tree.parent));
            let below = format!(
                " union select {id} from {} d join visible v on {parent} = v.id",
                source(tree.table)
            );
            sql.push(below);
        }
        sql.push(") ");
    }
    let places: Vec<_> = compared
        .iter()
        .map(|(kind, name)| format!("({})::text", shown(*kind, name)))
        .collect();
    sql.push(format!(
        "select (select row_to_json(r) from (select {}) r)::text as row, array[{}]::text[] as place ",
        cells.join(", "),
        places.join(", "),
    ));
    sql
}

/// Whether rows of the table are seen by department.
fn belongs_to_department(context: &Context, table: &'static Table) -> bool {
    match table.scope {
        Scope::Tenant => false,
        Scope::Department(_) | Scope::Whole => true,
        Scope::Through { parent, .. } => {
            let parent = context.table(parent);
            parent.is_none_or(|parent| belongs_to_department(context, parent))
        }
    }
}

/// Leaves only rows in the common table expression `visible`, by their own department or their parent's.
fn scope(sql: &mut Sql, context: &Context, table: &'static Table, alias: &str, depth: usize) {
    match table.scope {
        Scope::Tenant => {}
        Scope::Whole => {
            sql.push(" and false");
        }
        Scope::Department(column) => {
            sql.push(format!(" and {} in (select id from visible)", named(alias, column)));
        }
        Scope::Through { column, parent } => match context.table(parent) {
            Some(parent) if !belongs_to_department(context, parent) => {}
            Some(parent) => {
                let above = format!("p{depth}");
                let key = parent.key.first().copied().unwrap_or("id");
                sql.push(format!(
                    " and exists (select from {} {above} where {} = {}",
                    source(parent),
                    named(&above, key),
                    named(alias, column)
                ));
                scope(sql, context, parent, &above, depth + 1);
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

fn cell(table: &Table, column: &Column, reader: &Reader) -> String {
    let masked = !reader.unmasked && table.masked.contains(&column.name);
    let value = if masked {
        "null::text".to_owned()
    } else {
        shown(column.kind, &named("t", column.name))
    };
    format!("{value} as \"{}\"", column.name)
}

/// A column in its canonical form, the one that histories show too: times in UTC with microseconds,
/// amounts as text with two decimals or as many as they need.
fn shown(kind: ColumnKind, name: &str) -> String {
    match kind {
        ColumnKind::Timestamp => format!("to_char({name} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        ColumnKind::Decimal => {
            format!("(case when scale(trim_scale({name})) < 2 then round({name}, 2) else trim_scale({name}) end)::text")
        }
        ColumnKind::Date => format!("to_char({name}, 'YYYY-MM-DD')"),
        // As text, an address would come with the bits of its network.
        ColumnKind::Inet => format!("abbrev({name})"),
        // As text, it would be one word.
        ColumnKind::Vector => format!("{name}::real[]"),
        ColumnKind::Uuid
        | ColumnKind::Text
        | ColumnKind::Integer
        | ColumnKind::Bigint
        | ColumnKind::Boolean
        | ColumnKind::Json => name.to_owned(),
    }
}

fn source(table: &Table) -> String {
    format!("\"{}\".\"{}\"", table.context, table.name)
}

fn named(alias: &str, column: &str) -> String {
    format!("{alias}.\"{column}\"")
}
