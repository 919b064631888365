//! Every statement that reads tables for a client. Names come from declared tables, values are bound.

use projections::Context;
use projections::table::{Column, ColumnKind, Scope, Table};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::cursor::Cursor;
use super::filter::{Comparison, Condition, Query};
use super::named::{Arguments, Beside, Named};
use super::order::Sorted;
use super::streams::Shows;
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

pub(super) type Sql = QueryBuilder<'static, Postgres>;

/// A page of rows: each as JSON text (`row`), its place in the order as texts (`place`), and with a kind of streams which
/// `stream` of those it shows, at which `sequence`.
#[must_use]
pub fn page(table: &'static Table, query: &Query, shows: Shows, reader: &Reader) -> Sql {
    let compared: Vec<_> = query.order.by.iter().map(Compared::of).collect();
    let mut sql = select(table, &query.columns, &compared, shows, reader);
    filtered(&mut sql, query);
    paged(&mut sql, &compared, query.after.as_ref(), query.limit);
    sql
}

/// What decides about a row's place.
struct Compared {
    kind: ColumnKind,
    sql: String,
    descending: bool,
    nullable: bool,
}

impl Compared {
    fn of(sorted: &Sorted) -> Self {
        Self {
            kind: sorted.column.kind,
            sql: named("t", sorted.column.name),
            descending: sorted.descending,
            nullable: sorted.column.nullable,
        }
    }

    /// The condition on a row to come after one that has this value here.
    fn beyond(&self, sql: &mut Sql, value: Option<&Value>) {
        let name = &self.sql;
        // Null is greater than every value.
        match (value, self.descending) {
            (None, false) => {
                sql.push("false");
            }
            (None, true) => {
                sql.push(format!("{name} is not null"));
            }
            (Some(value), true) => value.push(sql.push(format!("{name} < "))),
            (Some(value), false) => {
                value.push(sql.push(format!("({name} > ")));
                sql.push(if self.nullable {
                    format!(" or {name} is null)")
                } else {
                    ")".to_owned()
                });
            }
        }
    }

    fn same(&self, sql: &mut Sql, value: Option<&Value>) {
        match value {
            Some(value) => value.push(sql.push(format!("{} = ", self.sql))),
            None => {
                sql.push(format!("{} is null", self.sql));
            }
        }
    }
}

/// Leaves the rows that the filters of a query mean.
pub(super) fn filtered(sql: &mut Sql, query: &Query) {
    for filter in &query.filters {
        sql.push(" and ");
        condition(sql, filter.column, &filter.condition);
    }
    for any in &query.any {
        for (index, filter) in any.iter().enumerate() {
            sql.push(if index == 0 { " and (" } else { " or " });
            condition(sql, filter.column, &filter.condition);
        }
        sql.push(if any.is_empty() { "" } else { ")" });
    }
}

/// As [`page`], of the rows that a named query chooses.
#[must_use]
pub fn chosen(query: &'static Named, asked: &Arguments, reader: &Reader) -> Sql {
    let compared: Vec<_> = query
        .order
        .iter()
        .map(|place| Compared {
            kind: place.kind,
            sql: place.sql.to_owned(),
            descending: query.descending,
            nullable: false,
        })
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
    let mut sql = head(query.table, &cells, &compared, None, reader);
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
    paged(&mut sql, &compared, asked.after.as_ref(), asked.limit);
    sql
}

/// Leaves what comes after a place in the order, and one row more than asked for, which tells whether there
/// is a next page.
fn paged(sql: &mut Sql, compared: &[Compared], after: Option<&Cursor>, limit: i64) {
    if let Some(Cursor(after)) = after {
        beyond(sql, compared, after);
    }
    let direction = |one: &Compared| if one.descending { "desc" } else { "asc" };
    let order: Vec<_> = compared
        .iter()
        .map(|one| format!("{} {}", one.sql, direction(one)))
        .collect();
    sql.push(format!(" order by {} limit ", order.join(", ")))
        .push_bind(limit + 1);
}

/// Leaves what comes after a place in the order.
fn beyond(sql: &mut Sql, compared: &[Compared], after: &[Option<Value>]) {
    let Some(first) = compared.first() else { return };
    let is_one_way = compared
        .iter()
        .all(|one| one.descending == first.descending && !one.nullable);
    // As one comparison it is a range of an index.
    if is_one_way && let Some(values) = after.iter().cloned().collect::<Option<Vec<_>>>() {
        let names: Vec<&str> = compared.iter().map(|one| one.sql.as_str()).collect();
        let sign = if first.descending { "<" } else { ">" };
        sql.push(format!(" and ({}) {sign} (", names.join(", ")));
        separated(sql, &values);
        sql.push(")");
        return;
    }
    // The range of the first column alone, where it is one.
    if let Some(Some(value)) = after.first()
        && (first.descending || !first.nullable)
    {
        let sign = if first.descending { "<=" } else { ">=" };
        value.push(sql.push(format!(" and {} {sign} ", first.sql)));
    }
    for (index, (one, value)) in compared.iter().zip(after).enumerate() {
        sql.push(if index == 0 { " and (" } else { " or " });
        for (before, value) in compared.iter().zip(after).take(index) {
            before.same(sql, value.as_ref());
            sql.push(" and ");
        }
        one.beyond(sql, value.as_ref());
    }
    sql.push(")");
}

/// The row of a key, as [`page`] has it.
#[must_use]
pub fn row(table: &'static Table, columns: &[&'static Column], key: &[Value], shows: Shows, reader: &Reader) -> Sql {
    let mut sql = select(table, columns, &[], shows, reader);
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
    compared: &[Compared],
    shows: Shows,
    reader: &Reader,
) -> Sql {
    let cells: Vec<_> = columns.iter().map(|column| cell(table, column, reader)).collect();
    let mut sql = head(table, &cells, compared, shows, reader);
    sql.push(format!("from {} t where t.tenant_id = ", source(table)))
        .push_bind(reader.tenant);
    if reader.departments.is_some() {
        scope(&mut sql, reader.context, table, "t", 0);
    }
    sql
}

/// The beginning of a statement, up to `from`: the cells as JSON text, and the place in the order as texts.
fn head(table: &'static Table, cells: &[String], compared: &[Compared], shows: Shows, reader: &Reader) -> Sql {
    let mut sql = QueryBuilder::new("");
    visible(&mut sql, table, reader);
    let places: Vec<_> = compared
        .iter()
        .map(|one| format!("({})::text", shown(one.kind, &one.sql)))
        .collect();
    sql.push(format!(
        "select (select row_to_json(r) from (select {}) r)::text as row, array[{}]::text[] as place{} ",
        cells.join(", "),
        places.join(", "),
        stream(table, shows, reader),
    ));
    sql
}

/// The stream that a row shows and the sequence at which it does, as the snapshot of the statement has it.
pub(super) fn stream(table: &Table, shows: Shows, reader: &Reader) -> String {
    let (Some(kind), [key]) = (shows, table.posted_by()) else {
        return String::new();
    };
    let key = named("t", key);
    let (context, kind) = (reader.context.name, kind.aggregate_type);
    format!(", {key} as stream, book.shown('{context}', '{kind}', {key}) as sequence")
}

/// The departments that a reader sees, as the common table expression `visible`, where the table is seen by those; says whether
/// it is.
pub(super) fn visible(sql: &mut Sql, table: &'static Table, reader: &Reader) -> bool {
    let departments = reader.departments.as_ref();
    let departments = departments.filter(|_| belongs_to_department(reader.context, table));
    if let Some(departments) = departments {
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
    departments.is_some()
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
pub(super) fn scope(sql: &mut Sql, context: &Context, table: &'static Table, alias: &str, depth: usize) {
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
        Condition::Not(inner) => {
            sql.push("(");
            self::condition(sql, column, inner);
            sql.push(") is not true");
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
        // What is null is not this either.
        Comparison::Neq => "is distinct from",
        Comparison::Gt => ">",
        Comparison::Gte => ">=",
        Comparison::Lt => "<",
        Comparison::Lte => "<=",
        Comparison::Like => "like",
        Comparison::Ilike => "ilike",
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

pub(super) fn cell(table: &Table, column: &Column, reader: &Reader) -> String {
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
        // In one line.
        ColumnKind::Bytea => format!("translate(encode({name}, 'base64'), e'\n', '')"),
        ColumnKind::Time => format!("{name}::text"),
        ColumnKind::Interval => format!("book.duration({name})"),
        ColumnKind::Texts => name.to_owned(),
        ColumnKind::Uuid
        | ColumnKind::Text
        | ColumnKind::Integer
        | ColumnKind::Bigint
        | ColumnKind::Boolean
        | ColumnKind::Json => name.to_owned(),
    }
}

pub(super) fn source(table: &Table) -> String {
    format!("\"{}\".\"{}\"", table.context, table.name)
}

pub(super) fn named(alias: &str, column: &str) -> String {
    format!("{alias}.\"{column}\"")
}
