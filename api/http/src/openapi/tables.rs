//! The operations of tables, and the schemas of their rows.

use domain::Aggregate;
use projections::history::TOLD_BYTES_MAX;
use projections::table::{Column, ColumnKind, Scope, Table};
use serde_json::{Map, Value, json};

use super::Paths;
use super::parts::{self, answer, answers, in_path, in_query, needs, parameter, place, position};
use crate::auth::principal::ALL_DEPARTMENTS;
use crate::context::{Context, Contexts};
use crate::query::changed::{CHANGED, CHANGED_SECONDS_MAX, UPDATED_AT};
use crate::query::filter::{self, FILTERS_MAX, IN_VALUES_MAX, OR, PAGE_ROWS, PAGE_ROWS_MAX};
use crate::query::order::{self, ORDER_COLUMNS_MAX, Order};
use crate::query::past::{PAGE_CHANGES, PAGE_CHANGES_MAX};
use crate::query::read::ROWS_BYTES_MAX;
use crate::query::streams::{STREAM, shown_in};
use crate::query::{may_read, sees_masked};

pub fn add(contexts: &Contexts, context: &Context, paths: &mut Paths) {
    let tables = context.tables.into_iter();
    for (tables, table) in tables.flat_map(|tables| tables.all_tables().map(move |table| (tables, table))) {
        let kind = shown_in(contexts, tables, table);
        paths.schema(&name(table), schema(table, kind));
        let base = format!("/v1/{}/{}", table.context, table.name);
        paths.add(&base, "get", list(table));
        paths.add(&format!("{base}/{{key}}"), "get", row(table, kind.is_some()));
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

fn schema(table: &'static Table, kind: Option<&Aggregate>) -> Value {
    let mut properties: Map<String, Value> = table
        .shown()
        .map(|column| (column.name.to_owned(), property(table, column)))
        .collect();
    properties.extend(kind.map(|_| (STREAM.to_owned(), parts::schema("RowStream"))));
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
    let words = column.words();
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
        ColumnKind::Bytea => ("string", Some("byte")),
        ColumnKind::Time => ("string", Some("time")),
        ColumnKind::Interval => ("string", Some("duration")),
        ColumnKind::Json => return json!({ "description": doc }),
        ColumnKind::Vector | ColumnKind::Texts => {
            let items = if kind == ColumnKind::Vector { "number" } else { "string" };
            let kind = if nullable {
                json!(["array", "null"])
            } else {
                json!("array")
            };
            return json!({ "type": kind, "items": { "type": items }, "description": doc });
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
    let columns: Vec<&str> = order::sortable(table).map(|column| column.name).collect();
    let by = format!("({})(\\.(asc|desc))?", columns.join("|"));
    let mut order = json!({ "type": "string", "pattern": format!("^{by}(,{by}){{0,{}}}$", ORDER_COLUMNS_MAX - 1) });
    let default = Order::by_default(table);
    if !default.asked().is_empty() {
        order["default"] = default.to_string().into();
    }
    let order = in_query(
        "order",
        &format!(
            "The columns to order by, at most {ORDER_COLUMNS_MAX}, parted by commas, each with `.asc` or `.desc`; \
             `position` (and `place`, where there is one) decides between equals, in the direction of the last. Null \
             comes after all values. Words are ordered by the alphabet, whatever they mean."
        ),
        order,
    );
    parameters.push(order);
    parameters.extend(["Or", "Changed", "UpdatedAt"].map(parameter));
    parameters.extend(of_a_page());
    parameters.push(parameter("Select"));
    json!({
        "operationId": format!("{}.list", name(table)),
        "tags": [table.context],
        "summary": table.doc,
        "description": format!(
            "{} A filter is `column=operator.value`; a column may have several, and each of them holds. Every operator may \
             stand after `not.`, which means all rows that it does not hold for, those with null, too; so does `neq.`. \
             At most {FILTERS_MAX} conditions, {IN_VALUES_MAX} values of an `in`. Times and amounts are written as rows show them. A page may be shorter \
             than its limit: it has at most {ROWS_BYTES_MAX} bytes.",
            said(&permissions)
        ),
        "security": needs(&permissions),
        "parameters": parameters,
        "responses": answers(vec![("200", answer("A page of rows.", page_of("ChangedPage", reference(table))))], &[400]),
    })
}

/// The parameters that operations of tables share, by the names under which they refer to them.
pub fn shared() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let since = format!(
        "Only rows that changed since, as they are now, in the order of their last change; `gone` of the answer has the keys \
         of those that went, null for those who do not see all departments. `since` of the last page is what to go on with: \
         `{CHANGED}=gt.SINCE`. A page that has found nothing within {CHANGED_SECONDS_MAX} s is empty and has a `next`."
    );
    let limit = |max: i64, default: i64| json!({ "type": "integer", "minimum": 1, "maximum": max, "default": default });
    let id = "The stream; a client may choose the id of a new one.";
    let any = "Conditions of which one is enough: `or=(column.operator.value,column.operator.value)`. A value with a comma, a \
               bracket or a quote stands in double quotes.";
    let updated = format!("As `{CHANGED}`, by the time at which the book wrote the change: `gte.time` or `gt.time`.");
    let select =
        "Only these columns, parted by commas; rows then have no others, and no `@stream` unless it is among them.";
    let shared = [
        ("Id", in_path("id", id, parts::uuid())),
        ("Or", in_query(OR, any, text())),
        (
            "Changed",
            in_query(
                CHANGED,
                &format!("`gt.position`, `gt.time` or `gte.time`. {since}"),
                text(),
            ),
        ),
        ("UpdatedAt", in_query(UPDATED_AT, &updated, text())),
        (
            "Limit",
            in_query("limit", "Rows of a page.", limit(PAGE_ROWS_MAX, PAGE_ROWS)),
        ),
        ("PageAfter", in_query("after", "The `next` of the page before.", text())),
        (
            "AfterQuery",
            in_query("Daybook-After", "As the header of this name.", position()),
        ),
        ("Select", in_query("select", select, text())),
        (
            "RowAt",
            in_query("at", "The row as it was at this position or time.", text()),
        ),
        (
            "ChangesLimit",
            in_query("limit", "Changes of a page.", limit(PAGE_CHANGES_MAX, PAGE_CHANGES)),
        ),
        (
            "ChangesAfter",
            in_query(
                "after",
                "Only what happened after this position: the `next` of the page before.",
                place(),
            ),
        ),
    ];
    shared
        .map(|(name, parameter)| (name.to_owned(), parameter))
        .into_iter()
        .collect()
}

/// The response that has the changes of a row, whatever its table.
const CHANGES: &str = "RowChanges";

/// The responses that operations of tables share, by the names under which they refer to them.
pub fn shared_responses() -> Map<String, Value> {
    let changes = json!({
        "type": "object",
        "required": ["changes", "next"],
        "properties": {
            "changes": { "type": "array", "items": parts::schema("RowChange") },
            "next": { "type": ["string", "null"], "description": "The `after` of the next page; null on the last one." },
        },
    });
    Map::from_iter([(CHANGES.to_owned(), answer("The changes of the row.", changes))])
}

/// The parameters of operations that answer in pages.
pub fn of_a_page() -> [Value; 5] {
    ["Limit", "PageAfter", "AfterQuery", "After", "RequestId"].map(parameter)
}

/// A page of such rows.
pub fn page(row: Value) -> Value {
    page_of("RowPage", row)
}

fn page_of(page: &str, row: Value) -> Value {
    json!({ "allOf": [parts::schema(page), { "properties": { "rows": { "items": row } } }] })
}

/// The schemas that operations of tables share, by their names.
pub fn shared_schemas() -> [(&'static str, Value); 3] {
    let next =
        json!({ "type": ["string", "null"], "description": "The `after` of the next page; null on the last one." });
    let page = json!({
        "type": "object",
        "required": ["rows", "next"],
        "properties": { "rows": { "type": "array", "items": {} }, "next": next },
    });
    let mut changed = page.clone();
    changed["properties"]["gone"] = json!({
        "type": ["array", "null"],
        "items": { "type": "string" },
        "description": format!("With `{CHANGED}` alone: the keys of rows that went."),
    });
    changed["properties"]["since"] = json!({
        "type": ["string", "null"],
        "description": format!("With `{CHANGED}` alone, on the last page: what to go on with, as `{CHANGED}=gt.SINCE`."),
    });
    let stream = json!({
        "type": "object",
        "description": "The stream that the row shows. `sequence` is its last one as of the tables' checkpoint at which the row \
            was read: send it as `If-Match`, and a command is refused whenever anything has happened since. Rows in the past \
            and those of named queries have none.",
        "required": ["type", "id", "sequence"],
        "properties": {
            "type": { "type": "string", "description": "Its kind: `context.aggregate`." },
            "id": parts::uuid(),
            "sequence": { "type": "integer", "format": "int64", "minimum": 1 },
        },
    });
    [("RowPage", page), ("ChangedPage", changed), ("RowStream", stream)]
}

/// The header that operations of tables share.
pub fn shared_headers() -> Value {
    json!({ "Sequence": {
        "description": "The sequence of the stream that the row shows, for If-Match; not with `at`.",
        "schema": { "type": "string" },
    } })
}

fn row(table: &'static Table, has_stream: bool) -> Value {
    let permissions = permissions(table);
    let mut found = answer("The row.", reference(table));
    if has_stream {
        found["headers"] = json!({ "ETag": { "$ref": "#/components/headers/Sequence" } });
    }
    json!({
        "operationId": format!("{}.get", name(table)),
        "tags": [table.context],
        "summary": format!("One row. {}", table.doc),
        "description": said(&permissions),
        "security": needs(&permissions),
        "parameters": [
            key(table),
            parameter("Select"),
            parameter("RowAt"),
            parameter("AfterQuery"),
            parameter("After"),
            parameter("RequestId"),
        ],
        "responses": answers(vec![("200", found)], &[400, 404]),
    })
}

fn history(table: &'static Table) -> Value {
    let permissions = permissions(table);
    json!({
        "operationId": format!("{}.history", name(table)),
        "tags": [table.context],
        "summary": "The events that put each value into the row, from the first one on. Rows that are gone have a history, too.",
        "description": format!("{} A page may be shorter than its limit: it has at most {TOLD_BYTES_MAX} bytes.", said(&permissions)),
        "security": needs(&permissions),
        "parameters": [
            key(table),
            parameter("ChangesLimit"),
            parameter("ChangesAfter"),
            parameter("AfterQuery"),
            parameter("After"),
            parameter("RequestId"),
        ],
        "responses": answers(vec![("200", parts::response(CHANGES))], &[400, 404]),
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

/// The schema of a table's rows, by its name.
pub fn reference(table: &Table) -> Value {
    parts::schema(&name(table))
}
