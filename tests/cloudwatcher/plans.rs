//! How Postgres finds what the named queries ask for, among as many rows as the document reckons with.

use book::Pools;
use cloudwatcher_http::queries::{
    APPROVAL_CHAIN, BEST_OFFERS, EFFECTIVE_PERMISSIONS, PENDING_REQUESTS, QUERIES, REORDER, SUBTREE,
};
use http::query::cursor::Cursor;
use http::query::named::{Arguments, Named};
use http::query::order::{Order, Sorted};
use http::query::sql::{self, Reader};
use http::query::value::Value;
use serde_json::Value as Json;
use sqlx::PgPool;
use tests::Database;
use tests::bench::volume::{self, Kind};
use tests::plans::{self, WITHOUT_SORTING, explained, lists, sorted_rows};
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
    let of_offer = || {
        let currency = Value::Text("EUR".to_owned());
        let cost = Value::Decimal(5.into());
        vec![
            Value::Boolean(true),
            Value::Boolean(false),
            currency,
            cost,
            Value::Bigint(7),
        ]
    };
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
            values: [one(Kind::Part, 3), vec![None, None, None]].concat(),
            place: of_offer(),
            indexes: &["part_suppliers_part_id_variant_id_supplier_id"],
            sorted: false,
        },
        Case {
            query: &BEST_OFFERS,
            values: [
                one(Kind::Part, 3),
                one(Kind::Part, 3),
                vec![Some(Value::Integer(6)), Some(Value::Text("EUR".to_owned()))],
            ]
            .concat(),
            place: of_offer(),
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
            indexes: &["order_approvals_order_id", "users_pkey", "orders_pkey"],
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
async fn of_named(reader: &PgPool, query: &'static Named, asked: &Arguments, asker: &Reader) -> [Json; 2] {
    let mut built = sql::chosen(query, asked, asker);
    explained(reader, &mut built, asker, "").await
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
            for after in [None, Some(Cursor(case.place.iter().cloned().map(Some).collect()))] {
                let asked = Arguments {
                    values: case.values.clone(),
                    hidden: Vec::new(),
                    after,
                    limit: 50,
                };
                for plan in of_named(&pools.reader, case.query, &asked, asker).await {
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

/// More rows than this are not sorted to show a page of them.
const SORTED_ROWS_MAX: f64 = 100.0;

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
    let asker = plans::everything(&cloudwatcher_tables::CONTEXT, tenant);
    let mut wrong = Vec::new();
    let large = large_tables(&pools.owner).await;
    for (name, filters, column) in cases {
        let table = cloudwatcher_tables::CONTEXT.table(name).unwrap();
        let by_default = || Order::by_default(table).by[0].column;
        let column = column.map_or_else(by_default, |name| table.column(name).unwrap());
        for order in [false, true].map(|descending| Order::of(table, vec![Sorted { column, descending }])) {
            for query in lists(table, filters, &order) {
                let page = || sql::page(table, &query, None, &asker);
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
async fn an_index_serves_every_order_by_time_every_filter_and_what_changed() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let orders = plans::serve_every_order_by_time(&pools, &cloudwatcher_tables::CONTEXT).await;
    let filters = plans::serve_every_filter(&pools, &cloudwatcher_tables::CONTEXT).await;
    assert!(plans::serve_what_changed(&pools, &cloudwatcher_tables::CONTEXT).await > 0);
    assert!(
        orders > 100 && filters > 100,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
