//! How Postgres finds what the named queries ask for, among as many rows as the document reckons with.

use book::Pools;
use cloudwatcher_http::queries::{
    APPROVAL_CHAIN, BEST_OFFERS, EFFECTIVE_PERMISSIONS, PENDING_REQUESTS, QUERIES, REORDER, SUBTREE,
};
use http::query::cursor::{Cursor, compared};
use http::query::filter::{Comparison, Condition, Filter, Order, Query, orderable};
use http::query::named::{Arguments, Named};
use http::query::sql::{self, Reader};
use http::query::value::Value;
use projections::Table;
use serde_json::Value as Json;
use sqlx::{Execute as _, PgPool, Postgres, QueryBuilder, Row as _};
use tests::Database;
use tests::volume::{self, Kind};
use uuid::Uuid;

/// A table with more rows is not read from one end to the other.
const SMALL_ROWS: f32 = 1_000.0;

/// A query as somebody asks it, and the indexes that must serve it.
struct Case {
    query: &'static Named,
    values: Vec<Option<Value>>,
    /// Where the second page begins.
    place: Vec<Value>,
    indexes: &'static [&'static str],
    /// Whether the index gives the rows in their order, so that a page costs what it shows.
    sorted: bool,
}

fn cases() -> Vec<Case> {
    let time = chrono::DateTime::from_timestamp(1_767_300_000, 0).unwrap();
    let position = Value::Bigint(7);
    let one = |kind, n| vec![Some(Value::Uuid(volume::id(kind, n)))];
    vec![
        Case {
            query: &PENDING_REQUESTS,
            values: vec![Some(Value::Text(volume::device(1)))],
            place: vec![Value::Timestamp(time), position.clone()],
            indexes: &["requests_device_id"],
            sorted: true,
        },
        Case {
            query: &REORDER,
            values: one(Kind::Location, 3),
            place: vec![Value::Integer(7), position.clone()],
            indexes: &["inventory_reorder", "parts_pkey"],
            sorted: true,
        },
        Case {
            query: &BEST_OFFERS,
            values: [one(Kind::Part, 3), vec![None]].concat(),
            place: vec![Value::Boolean(true), Value::Decimal(5.into()), position.clone()],
            indexes: &["part_suppliers_part_id_variant_id_supplier_id"],
            sorted: false,
        },
        Case {
            query: &BEST_OFFERS,
            values: [one(Kind::Part, 3), one(Kind::Part, 3)].concat(),
            place: vec![Value::Boolean(true), Value::Decimal(5.into()), position.clone()],
            indexes: &["part_suppliers_"],
            sorted: false,
        },
        Case {
            query: &APPROVAL_CHAIN,
            values: one(Kind::Order, 3),
            place: vec![
                Value::Integer(1),
                Value::Integer(3),
                Value::Timestamp(time),
                position.clone(),
            ],
            indexes: &["order_approvals_order_id", "users_pkey"],
            sorted: false,
        },
        Case {
            query: &SUBTREE,
            values: one(Kind::Department, 2),
            place: vec![Value::Integer(1), Value::Text("n".to_owned()), position.clone()],
            indexes: &[],
            sorted: false,
        },
        Case {
            query: &EFFECTIVE_PERMISSIONS,
            values: one(Kind::User, 3),
            place: vec![Value::Text("n".to_owned()), position, Value::Integer(1)],
            indexes: &["user_roles_user_id_role_id", "role_permissions_role_id_permission"],
            sorted: false,
        },
    ]
}

/// The plan for these values, and the one for any values, as the reader gets them.
async fn plans(reader: &PgPool, query: &'static Named, asked: &Arguments, asker: &Reader) -> [Json; 2] {
    let mut built = sql::chosen(query, asked, asker);
    explained(reader, &mut built, asker, "").await
}

/// As [`plans`], of a statement, after these settings.
async fn explained(
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

/// The nodes of a plan: what they do, with which table and index.
fn nodes(plan: &Json) -> Vec<[String; 3]> {
    let own =
        ["Node Type", "Relation Name", "Index Name"].map(|name| plan[name].as_str().unwrap_or_default().to_owned());
    let below = plan["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    std::iter::once(own).chain(below).collect()
}

async fn large_tables(owner: &PgPool) -> Vec<String> {
    let large = "select relname::text from pg_class
        where relnamespace = 'cloudwatcher'::regnamespace and relkind = 'r' and reltuples > $1";
    sqlx::query_scalar(large)
        .bind(SMALL_ROWS)
        .fetch_all(owner)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_named_query_under_row_security_and_no_large_table_is_read_whole() {
    let database = Database::create().await;
    let tenant = Uuid::new_v4();
    // None of them asks for these.
    let others = ["order_items", "order_history", "audit_logs"];
    volume::load_only(&database.options, tenant, |table| !others.contains(&table)).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let large = large_tables(&pools.owner).await;
    assert!(large.len() >= 6, "{large:?}");
    // Somebody who sees everything, and somebody of one department.
    let askers = [None, Some(vec![volume::id(Kind::Department, 2)])].map(|departments| Reader {
        tenant,
        context: &cloudwatcher_tables::CONTEXT,
        departments,
        unmasked: true,
    });
    for query in QUERIES {
        let is_tried = cases().iter().any(|case| case.query.address == query.address);
        assert!(
            is_tried,
            "{} is new: say in this file which indexes serve it",
            query.address
        );
    }
    let mut wrong = Vec::new();
    for case in cases() {
        for asker in &askers {
            for after in [None, Some(Cursor(case.place.clone()))] {
                let asked = Arguments {
                    values: case.values.clone(),
                    hidden: Vec::new(),
                    after,
                    limit: 50,
                };
                for plan in plans(&pools.reader, case.query, &asked, asker).await {
                    let nodes = nodes(&plan);
                    let whole = nodes
                        .iter()
                        .any(|[node, table, _]| node == "Seq Scan" && large.contains(table));
                    let index = |wanted: &&str| nodes.iter().any(|[_, _, index]| index.starts_with(wanted));
                    let sorts = nodes.iter().any(|[node, ..]| node.ends_with("Sort"));
                    if whole || !case.indexes.iter().all(index) || case.sorted && sorts {
                        wrong.push(format!("{} {:?}: {nodes:?}", case.query.address, asker.departments));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    pools.close().await;
}

/// A page of a list as the API asks for it: the first one, and one that follows another.
fn lists(table: &'static Table, filters: &[(&str, &str)], order: Order) -> [Query; 2] {
    let filters: Vec<Filter> = filters
        .iter()
        .map(|(name, text)| {
            let column = table.column(name).unwrap();
            let value = Value::parse(column, text).unwrap_or_else(|problem| panic!("{problem:?}"));
            let condition = Condition::Compare(Comparison::Eq, value);
            Filter { column, condition }
        })
        .collect();
    let place = compared(table, order).into_iter().map(|column| match column.kind {
        projections::ColumnKind::Timestamp => "2026-01-01T10:00:00Z",
        projections::ColumnKind::Date => "2026-01-01",
        projections::ColumnKind::Uuid => "0190a3c4-7f00-7000-8000-1234567890ab",
        projections::ColumnKind::Boolean => "true",
        _ => "7",
    });
    let columns = compared(table, order).into_iter().zip(place);
    let place = columns.map(|(column, text)| Value::of_kind(column.kind, text).unwrap());
    let place = Cursor(place.collect());
    [None, Some(place)].map(|after| Query {
        filters: filters.clone(),
        order,
        limit: 50,
        after,
        columns: table.shown().collect(),
    })
}

/// Somebody of this tenant who sees everything.
fn everything(tenant: Uuid) -> Reader {
    Reader {
        tenant,
        context: &cloudwatcher_tables::CONTEXT,
        departments: None,
        unmasked: true,
    }
}

/// More rows than this are not sorted to show a page of them.
const SORTED_ROWS_MAX: f64 = 100.0;

/// How many rows Postgres expects to sort.
fn sorted_rows(plan: &Json) -> f64 {
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
const WITHOUT_SORTING: &str = "set local enable_sort = off; set local enable_incremental_sort = off;
    set local enable_seqscan = off; set local enable_bitmapscan = off;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_by_time_ends_with_the_place_in_the_book_and_an_index_gives_it_without_sorting() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let asker = everything(Uuid::new_v4());
    let (mut unserved, mut tried) = (Vec::new(), 0);
    for table in tests::tables().into_iter().flat_map(|context| context.all_tables()) {
        let times = orderable(table).filter(|column| column.kind == projections::ColumnKind::Timestamp);
        let times = times.map(|column| column.name).collect::<Vec<_>>();
        for (column, descending) in times.into_iter().flat_map(|column| [(column, false), (column, true)]) {
            let column = Some(column);
            let order = Order { column, descending };
            for query in lists(table, &[], order) {
                let plans = explained(
                    &pools.reader,
                    &mut sql::page(table, &query, &asker),
                    &asker,
                    WITHOUT_SORTING,
                )
                .await;
                tried += 1;
                if plans.iter().any(|plan| sorted_rows(plan) > 0.0) {
                    unserved.push(format!("{} by {order}", table.name));
                }
            }
        }
    }
    assert!(
        unserved.is_empty() && tried > 100,
        "{tried} tried; sorted: {unserved:#?}"
    );
    pools.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_an_orders_history_or_lines_and_of_audit_rows_costs_what_it_shows() {
    let order = volume::id(Kind::Order, 3).to_string();
    let user = volume::id(Kind::User, 3).to_string();
    // Table, filters, and the column of the order or none for the default.
    type List<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'static str>);
    let cases: [List<'_>; 9] = [
        ("order_history", &[("order_id", &order)], None),
        ("order_history", &[("event_type", "received")], None),
        ("order_items", &[("order_id", &order)], None),
        ("audit_logs", &[], None),
        ("audit_logs", &[("table_name", "orders")], None),
        ("audit_logs", &[("record_id", &order)], None),
        ("audit_logs", &[("table_name", "orders"), ("record_id", &order)], None),
        (
            "order_approvals",
            &[("approver_id", &user), ("status", "pending")],
            Some("due_at"),
        ),
        ("orders", &[("status", "pending-approval")], None),
    ];
    let database = Database::create().await;
    let tenant = Uuid::new_v4();
    let wanted = [
        "order_history",
        "order_items",
        "audit_logs",
        "order_approvals",
        "orders",
    ];
    volume::load_only(&database.options, tenant, |table| wanted.contains(&table)).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let asker = everything(tenant);
    let mut wrong = Vec::new();
    let large = large_tables(&pools.owner).await;
    for (name, filters, column) in cases {
        let table = cloudwatcher_tables::CONTEXT.table(name).unwrap();
        let column = column.or(Order::by_default(table).column);
        for order in [false, true].map(|descending| Order { column, descending }) {
            for query in lists(table, filters, order) {
                let page = || sql::page(table, &query, &asker);
                let [plan, _] = explained(&pools.reader, &mut page(), &asker, "").await;
                let nodes = nodes(&plan);
                let reads_whole = |[node, table, _]: &[String; 3]| node == "Seq Scan" && large.contains(table);
                let uses_index = nodes.iter().any(|[.., index]| index.starts_with(name));
                let [unsorted, _] = explained(&pools.reader, &mut page(), &asker, WITHOUT_SORTING).await;
                if nodes.iter().any(reads_whole)
                    || !uses_index
                    || sorted_rows(&plan) > SORTED_ROWS_MAX
                    || sorted_rows(&unsorted) > 0.0
                {
                    wrong.push(format!("{name} {filters:?} by {order}: {nodes:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    pools.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_security_lets_an_index_serve_a_filter_on_every_findable_column() {
    // That each findable column leads an index is a matter of conformance. Under row security Postgres uses it
    // only for comparisons that tell nothing of rows that are not shown.
    let is_leakproof = "select coalesce(bool_and(p.proleakproof), false)
        from pg_opclass o
        join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
        join pg_amop a on a.amopfamily = o.opcfamily and a.amoplefttype = o.opcintype and a.amoprighttype = o.opcintype
        join pg_operator op on op.oid = a.amopopr
        join pg_proc p on p.oid = op.oprcode
        where o.opcdefault and o.opcintype = $1::text::regtype";
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let mut without = Vec::new();
    for context in tests::tables() {
        for table in context.tables.iter().map(|projection| projection.table()) {
            for column in http::query::filter::findable(table) {
                let stored = column.kind.stored_as().unwrap_or_else(|| column.kind.sent_as());
                let asked = sqlx::query_scalar(is_leakproof).bind(stored);
                let serves: bool = asked.fetch_one(&pools.owner).await.unwrap();
                if !serves {
                    without.push(format!("{}.{}.{}", table.context, table.name, column.name));
                }
            }
        }
    }
    assert!(without.is_empty(), "{without:#?}");
    pools.close().await;
}
