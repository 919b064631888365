//! How Postgres finds what the named queries ask for, among as many rows as the document reckons with.

use book::Pools;
use daybook::cloudwatcher::queries::{
    APPROVAL_CHAIN, BEST_OFFERS, EFFECTIVE_PERMISSIONS, PENDING_REQUESTS, QUERIES, REORDER, SUBTREE,
};
use daybook::query::cursor::Cursor;
use daybook::query::named::{Asked, Named};
use daybook::query::sql::{self, Sight};
use daybook::query::value::Value;
use serde_json::Value as Json;
use sqlx::{Execute as _, PgPool, Row as _};
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
    let key = Value::Uuid(Uuid::from_u128(7));
    let one = |kind, n| vec![Some(Value::Uuid(volume::id(kind, n)))];
    vec![
        Case {
            query: &PENDING_REQUESTS,
            values: vec![Some(Value::Text(volume::device(1)))],
            place: vec![Value::Timestamp(time), key.clone()],
            indexes: &["requests_device_id"],
            sorted: true,
        },
        Case {
            query: &REORDER,
            values: one(Kind::Location, 3),
            place: vec![Value::Integer(7), key.clone()],
            indexes: &["inventory_reorder", "parts_pkey"],
            sorted: true,
        },
        Case {
            query: &BEST_OFFERS,
            values: [one(Kind::Part, 3), vec![None]].concat(),
            place: vec![Value::Boolean(true), Value::Decimal(5.into()), key.clone()],
            indexes: &["part_suppliers_part_id_variant_id_supplier_id"],
            sorted: false,
        },
        Case {
            query: &BEST_OFFERS,
            values: [one(Kind::Part, 3), one(Kind::Part, 3)].concat(),
            place: vec![Value::Boolean(true), Value::Decimal(5.into()), key.clone()],
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
                key.clone(),
            ],
            indexes: &["order_approvals_order_id", "users_pkey"],
            sorted: false,
        },
        Case {
            query: &SUBTREE,
            values: one(Kind::Department, 2),
            place: vec![Value::Integer(1), Value::Text("n".to_owned()), key.clone()],
            indexes: &[],
            sorted: false,
        },
        Case {
            query: &EFFECTIVE_PERMISSIONS,
            values: one(Kind::User, 3),
            place: vec![Value::Text("n".to_owned()), key],
            indexes: &["user_roles_user_id_role_id", "role_permissions_role_id_permission"],
            sorted: false,
        },
    ]
}

/// The plan for these values, and the one for any values, as the reader gets them.
async fn plans(reader: &PgPool, query: &'static Named, asked: &Asked, sight: &Sight) -> [Json; 2] {
    let begin = format!(
        "begin read only; select set_config('daybook.tenant', '{}', true)",
        sight.tenant
    );
    let mut transaction = reader.begin_with(begin).await.unwrap();
    let mut built = sql::chosen(query, asked, sight);
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
    volume::load(&database.options, tenant).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let large = large_tables(&pools.owner).await;
    assert!(large.len() >= 6, "{large:?}");
    // Somebody who sees everything, and somebody of one department.
    let sights = [None, Some(vec![volume::id(Kind::Department, 2)])].map(|departments| Sight {
        tenant,
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
        for sight in &sights {
            for after in [None, Some(Cursor(case.place.clone()))] {
                let asked = Asked {
                    values: case.values.clone(),
                    hidden: Vec::new(),
                    after,
                    limit: 50,
                };
                for plan in plans(&pools.reader, case.query, &asked, sight).await {
                    let nodes = nodes(&plan);
                    let whole = nodes
                        .iter()
                        .any(|[node, table, _]| node == "Seq Scan" && large.contains(table));
                    let index = |wanted: &&str| nodes.iter().any(|[_, _, index]| index.starts_with(wanted));
                    let sorts = nodes.iter().any(|[node, ..]| node.ends_with("Sort"));
                    if whole || !case.indexes.iter().all(index) || case.sorted && sorts {
                        wrong.push(format!("{} {:?}: {nodes:?}", case.query.address, sight.departments));
                    }
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
    for context in projections::CONTEXTS {
        for table in context.tables.iter().map(|projection| projection.table()) {
            for column in daybook::query::filter::findable(table) {
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
