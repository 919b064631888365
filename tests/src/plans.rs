//! How Postgres finds what lists ask for: an index has to serve every order and every filter that a table offers.

use book::Pools;
use http::query::changed::{Start, changed};
use http::query::cursor::Cursor;
use http::query::filter::{self, Comparison, Condition, Filter, Query};
use http::query::order::{Order, Sorted, orderable};
use http::query::sql::{self, Reader};
use http::query::value::Value;
use projections::{ColumnKind, Context, Table};
use serde_json::Value as Json;
use sqlx::{Execute as _, PgPool, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

/// Asserts that every order of the context's tables by a time ends with the place in the book, and that an index gives
/// it without sorting; says how many plans were looked at.
///
/// # Panics
/// When none does.
pub async fn serve_every_order_by_time(pools: &Pools, context: &'static Context) -> usize {
    let asker = everything(context, Uuid::new_v4());
    let (mut unserved, mut tried) = (Vec::new(), 0);
    for table in context.all_tables() {
        let times = orderable(table).filter(|column| column.kind == ColumnKind::Timestamp);
        for (column, descending) in times.flat_map(|column| [(column, false), (column, true)]) {
            let order = Order::of(table, vec![Sorted { column, descending }]);
            for query in lists(table, &[], &order) {
                let mut page = sql::page(table, &query, None, &asker);
                let plans = explained(&pools.reader, &mut page, &asker, WITHOUT_SORTING).await;
                tried += 1;
                if plans.iter().any(|plan| sorted_rows(plan) > 0.0) {
                    unserved.push(format!("{}.{} by {order}", table.context, table.name));
                }
            }
        }
    }
    assert!(unserved.is_empty(), "sorted: {unserved:#?}");
    tried
}

/// Asserts that each column of the context's tables that one may filter by is compared in a way that tells nothing of
/// rows that are not shown: under row security Postgres uses an index for no other. That an index begins with the
/// column is a matter of conformance. Says how many columns were looked at.
///
/// # Panics
/// When one is not.
pub async fn serve_every_filter(pools: &Pools, context: &'static Context) -> usize {
    let is_leakproof = "select coalesce(bool_and(p.proleakproof), false)
        from pg_opclass o
        join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
        join pg_amop a on a.amopfamily = o.opcfamily and a.amoplefttype = o.opcintype and a.amoprighttype = o.opcintype
        join pg_operator op on op.oid = a.amopopr
        join pg_proc p on p.oid = op.oprcode
        where o.opcdefault and o.opcintype = $1::text::regtype";
    let (mut unserved, mut tried) = (Vec::new(), 0);
    for table in context.tables.iter().map(|projection| projection.table()) {
        for column in filter::findable(table) {
            let stored = column.kind.stored_as().unwrap_or_else(|| column.kind.sent_as());
            let asked = sqlx::query_scalar(is_leakproof).bind(stored);
            let serves: bool = asked.fetch_one(&pools.owner).await.unwrap();
            tried += 1;
            if !serves {
                unserved.push(format!("{}.{}.{}", table.context, table.name, column.name));
            }
        }
    }
    assert!(unserved.is_empty(), "{unserved:#?}");
    tried
}

/// Asserts that indexes serve whoever asks what changed in a table of the context: no table is read from one end to the other.
/// Says how many were looked at.
///
/// # Panics
/// When one is.
pub async fn serve_what_changed(pools: &Pools, context: &'static Context) -> usize {
    let asker = everything(context, Uuid::new_v4());
    let (mut unserved, mut tried) = (Vec::new(), 0);
    for table in context.tables.iter().map(|projection| projection.table()) {
        let [query, _] = lists(table, &[], &Order::by_default(table));
        let start = Start {
            position: 7,
            key: String::new(),
        };
        let mut page = changed(table, &query, &start, None, &asker);
        let [plan, _] = explained(&pools.reader, &mut page, &asker, "set local enable_seqscan = off;").await;
        tried += 1;
        let text = plan.to_string();
        if text.contains("Seq Scan") || !text.contains("changes_position") {
            unserved.push(format!("{}.{}: {text}", table.context, table.name));
        }
    }
    assert!(unserved.is_empty(), "{unserved:#?}");
    tried
}

/// The plan of a statement for the values that it has, and the one for any values, after these settings.
pub async fn explained(
    reader: &PgPool,
    built: &mut QueryBuilder<'static, Postgres>,
    asker: &Reader,
    settings: &str,
) -> [Json; 2] {
    let begin = format!(
        "begin read only; {settings} select set_config('daybook.tenant', '{}', true)",
        asker.tenant
    );
    let mut transaction = reader.begin_with(begin).await.unwrap();
    let mut built = built.build();
    let (text, arguments) = (built.sql().to_owned(), built.take_arguments().unwrap().unwrap());
    let custom = sqlx::query_with(&format!("explain (format json) {text}"), arguments)
        .fetch_one(&mut *transaction)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let generic = sqlx::raw_sql(&format!("explain (format json, generic_plan) {text}"))
        .fetch_one(&mut *transaction)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    [custom, generic].map(|row| row.try_get::<Json, _>(0).unwrap()[0]["Plan"].take())
}

/// A page of a list as the API asks for it: the first one, and one that follows another.
pub fn lists(table: &'static Table, filters: &[(&str, &str)], order: &Order) -> [Query; 2] {
    let filters: Vec<Filter> = filters
        .iter()
        .map(|(name, text)| {
            let column = table.column(name).unwrap();
            let value = Value::parse(column, text).unwrap_or_else(|problem| panic!("{problem:?}"));
            let condition = Condition::Compare(Comparison::Eq, value);
            Filter { column, condition }
        })
        .collect();
    let columns = || order.by.iter().map(|sorted| sorted.column);
    let place = columns().map(|column| match column.kind {
        ColumnKind::Timestamp => "2026-01-01T10:00:00Z",
        ColumnKind::Date => "2026-01-01",
        ColumnKind::Uuid => "0190a3c4-7f00-7000-8000-1234567890ab",
        ColumnKind::Boolean => "true",
        _ => "7",
    });
    let place = columns()
        .zip(place)
        .map(|(column, text)| Value::of_kind(column.kind, text));
    let place = Cursor(place.collect());
    [None, Some(place)].map(|after| Query {
        filters: filters.clone(),
        any: Vec::new(),
        changed: None,
        order: order.clone(),
        limit: 50,
        after,
        columns: table.shown().collect(),
        streams: true,
    })
}

/// Somebody of this tenant who sees everything.
pub fn everything(context: &'static Context, tenant: Uuid) -> Reader {
    Reader {
        tenant,
        context,
        departments: None,
        unmasked: true,
    }
}

/// How many rows Postgres expects to sort.
pub fn sorted_rows(plan: &Json) -> f64 {
    let is_sort = plan["Node Type"].as_str().is_some_and(|node| node.ends_with("Sort"));
    let own = if is_sort {
        plan["Plan Rows"].as_f64().unwrap()
    } else {
        0.0
    };
    let below = plan["Plans"].as_array().into_iter().flatten().map(sorted_rows);
    below.fold(own, f64::max)
}

/// With sorting forbidden a plan that sorts is one that no index serves, however few the rows are.
pub const WITHOUT_SORTING: &str = "set local enable_sort = off; set local enable_incremental_sort = off;
    set local enable_seqscan = off; set local enable_bitmapscan = off;";
