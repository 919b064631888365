//! The operations of tables, and the schemas of their rows.

use projections::history::TOLD_BYTES_MAX;
use projections::table::{Column, ColumnKind, Scope, Table};
use serde_json::{Map, Value, json};

use super::Paths;
use super::parts::{self, answer, answers, in_path, in_query, needs, parameter, place, position};
use crate::auth::principal::ALL_DEPARTMENTS;
use crate::context::Context;
use crate::query::filter::{self, FILTERS_MAX, IN_VALUES_MAX, Order, PAGE_ROWS, PAGE_ROWS_MAX};
use crate::query::past::{PAGE_CHANGES, PAGE_CHANGES_MAX};
use crate::query::read::ROWS_BYTES_MAX;
use crate::query::{may_read, sees_masked};

pub fn add(context: &Context, paths: &mut Paths) {
    for table in context.tables.into_iter().flat_map(projections::Context::all_tables) {
        paths.schema(&name(table), schema(table));
        let base = format!("/v1/{}/{}", table.context, table.name);
        paths.add(&base, "get", list(table));
        paths.add(&format!("{base}/{{key}}"), "get", row(table));
        paths.add(&format!("{base}/{{key}}/history"), "get", history(table));
    }
}

/// The permissions that reading a table takes.
fn permissions(table: &Table) -> Vec<String> {
    let whole = match table.scope {
        Scope::Whole => Some(ALL_DEPARTMENTS.to_owned()),
        Scope::Tenant | Scope::Department(_) | Scope::Through { .. } => None,
    };
    std::iter::once(may_read(table)).chain(whole).collect()
}

/// A sentence that names permissions.
pub fn said(permissions: &[String]) -> String {
    let plural = if permissions.len() > 1 { "s" } else { "" };
    format!("Permission{plural} `{}`.", permissions.join("` and `"))
}

fn name(table: &Table) -> String {
    format!("{}.{}", table.context, table.name)
}

fn schema(table: &'static Table) -> Value {
    let properties: Map<String, Value> = table
        .shown()
        .map(|column| (column.name.to_owned(), property(table, column)))
        .collect();
    // Those that are never null; with `select` a row has the columns that it names alone.
    let is_required = |column: &&Column| !column.nullable && !table.masked.contains(&column.name);
    let required: Vec<&str> = table.shown().filter(is_required).map(|column| column.name).collect();
    json!({ "type": "object", "description": table.doc, "required": required, "properties": properties })
}

/// The schema of a column's values, as it is shown.
pub fn property(table: &Table, column: &Column) -> Value {
    nullable_property(table, column, column.nullable)
}

/// As [`property`], where the value may be missing for another reason, too.
pub fn nullable_property(table: &Table, column: &Column, nullable: bool) -> Value {
    let masked = table.masked.contains(&column.name);
    let mut property = of_kind(column.kind, column.doc, nullable || masked);
    let words = (column.words)();
    if !words.is_empty() {
        let null = (nullable || masked).then_some(Value::Null);
        property["enum"] = words.into_iter().map(Value::from).chain(null).collect();
    }
    if masked {
        property["description"] =
            format!("{} Null without the permission `{}`.", column.doc, sees_masked(table)).into();
    }
    property
}

/// The schema of a kind's values.
pub fn of_kind(kind: ColumnKind, doc: &str, nullable: bool) -> Value {
    let (kind, format) = match kind {
        ColumnKind::Uuid => ("string", Some("uuid")),
        ColumnKind::Text | ColumnKind::Inet => ("string", None),
        ColumnKind::Integer => ("integer", Some("int32")),
        ColumnKind::Bigint => ("integer", Some("int64")),
        ColumnKind::Boolean => ("boolean", None),
        ColumnKind::Decimal => ("string", Some("decimal")),
        ColumnKind::Timestamp => ("string", Some("date-time")),
        ColumnKind::Date => ("string", Some("date")),
        ColumnKind::Json => return json!({ "description": doc }),
        ColumnKind::Vector => {
            let kind = if nullable {
                json!(["array", "null"])
            } else {
                json!("array")
            };
            return json!({ "type": kind, "items": { "type": "number" }, "description": doc });
        }
    };
    let mut property = json!({ "type": kind, "description": doc });
    if nullable {
        property["type"] = json!([kind, "null"]);
    }
    if let Some(format) = format {
        property["format"] = format.into();
    }
    property
}

fn list(table: &'static Table) -> Value {
    let permissions = permissions(table);
    let mut parameters: Vec<Value> = filter::findable(table)
        .map(|column| {
            let words = filter::operators(column).join("`, `");
            in_query(
                column.name,
                &format!("Filter: `{words}`; a bare value means `eq.`."),
                json!({ "type": "string" }),
            )
        })
        .collect();
    let orders: Vec<String> = filter::orderable(table)
        .flat_map(|column| [format!("{}.asc", column.name), format!("{}.desc", column.name)])
        .collect();
    let mut order = json!({ "type": "string", "enum": orders });
    let default = Order::by_default(table);
    if default.column.is_some() {
        order["default"] = default.to_string().into();
    }
    let order = in_query(
        "order",
        "The column to order by; `position` (and `place`, where there is one) decides between equals, in the same \
         direction. Words are ordered by the alphabet, whatever they mean.",
        order,
    );
    parameters.push(order);
    parameters.extend(of_a_page());
    parameters.push(select());
    json!({
        "operationId": format!("{}.list", name(table)),
        "tags": [table.context],
        "summary": table.doc,
        "description": format!(
            "{} A filter is `column=operator.value`; a column may have several. At most {FILTERS_MAX} filters, \
             {IN_VALUES_MAX} values of an `in`. Times and amounts are written as rows show them. A page may be shorter \
             than its limit: it has at most {ROWS_BYTES_MAX} bytes.",
            said(&permissions)
        ),
        "security": needs(&permissions),
        "parameters": parameters,
        "responses": answers(vec![("200", answer("A page of rows.", page(reference(table))))], &[400]),
    })
}

/// The parameters of operations that answer in pages.
pub fn of_a_page() -> [Value; 5] {
    [
        in_query(
            "limit",
            "Rows of a page.",
            json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": PAGE_ROWS }),
        ),
        in_query("after", "The `next` of the page before.", json!({ "type": "string" })),
        in_query("Daybook-After", "As the header of this name.", position()),
        parameter("After"),
        parameter("RequestId"),
    ]
}

/// A page of such rows.
pub fn page(row: Value) -> Value {
    json!({
        "type": "object",
        "required": ["rows", "next"],
        "properties": {
            "rows": { "type": "array", "items": row },
            "next": { "type": ["string", "null"], "description": "The `after` of the next page; null on the last one." },
        },
    })
}

fn row(table: &'static Table) -> Value {
    let permissions = permissions(table);
    json!({
        "operationId": format!("{}.get", name(table)),
        "tags": [table.context],
        "summary": format!("One row. {}", table.doc),
        "description": said(&permissions),
        "security": needs(&permissions),
        "parameters": [
            key(table),
            select(),
            in_query("at", "The row as it was at this position or time.", json!({ "type": "string" })),
            in_query("Daybook-After", "As the header of this name.", position()),
            parameter("After"),
            parameter("RequestId"),
        ],
        "responses": answers(vec![("200", answer("The row.", reference(table)))], &[400, 404]),
    })
}

fn history(table: &'static Table) -> Value {
    let permissions = permissions(table);
    let changes = json!({
        "type": "object",
        "required": ["changes", "next"],
        "properties": {
            "changes": { "type": "array", "items": parts::schema("RowChange") },
            "next": { "type": ["string", "null"], "description": "The `after` of the next page; null on the last one." },
        },
    });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": PAGE_CHANGES_MAX, "default": PAGE_CHANGES });
    json!({
        "operationId": format!("{}.history", name(table)),
        "tags": [table.context],
        "summary": "The events that put each value into the row, from the first one on. Rows that are gone have a history, too.",
        "description": format!("{} A page may be shorter than its limit: it has at most {TOLD_BYTES_MAX} bytes.", said(&permissions)),
        "security": needs(&permissions),
        "parameters": [
            key(table),
            in_query("limit", "Changes of a page.", limit),
            in_query("after", "Only what happened after this position: the `next` of the page before.", place()),
            in_query("Daybook-After", "As the header of this name.", position()),
            parameter("After"),
            parameter("RequestId"),
        ],
        "responses": answers(vec![("200", answer("The changes of the row.", changes))], &[400, 404]),
    })
}

fn key(table: &'static Table) -> Value {
    let schema = match table.key {
        [only] => table
            .column(only)
            .map(|column| property(table, column))
            .unwrap_or_default(),
        _ => json!({ "type": "string" }),
    };
    let several = if table.key.len() > 1 {
        "; its parts are joined by %2F"
    } else {
        ""
    };
    in_path("key", &format!("{}{several}", table.key.join("/")), schema)
}

fn select() -> Value {
    in_query(
        "select",
        "Only these columns, parted by commas; rows then have no others.",
        json!({ "type": "string" }),
    )
}

/// The schema of a table's rows, by its name.
pub fn reference(table: &Table) -> Value {
    parts::schema(&name(table))
}
