//! `project.orders` and `rebuild.cloudwatcher`: how fast events become rows, live and anew.

use std::time::{Duration, Instant};

use cloudwatcher::order::Order;
use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use domain::register::Register;
use futures::{StreamExt as _, TryStreamExt as _};
use identity::department::Department;
use identity::user::User;
use projections::{Posted, Projector, rebuild};
use serde_json::json;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Figure;
use crate::Ledger;

/// Orders of the history; each has five events.
const ORDERS: u128 = 8_000;
const AT_ONCE: usize = 128;
const WAIT: Duration = Duration::from_secs(600);

pub async fn run() -> Vec<Figure> {
    let ledger = Ledger::open().await;
    history(&ledger).await;
    let context = &cloudwatcher_tables::CONTEXT;
    let end = ledger.tail.end().await.unwrap();

    let posted = Posted::new(ledger.pools.projector.clone(), &crate::tables());
    let parts = (ledger.pools.clone(), ledger.tail.clone(), ledger.bus.clone());
    let projector = Projector::new(context, parts.0, parts.1, parts.2, posted.clone()).unwrap();
    let started = Instant::now();
    let worker = tokio::spawn(projector.run(ledger.stop.clone()));
    assert!(posted.wait(context, end, WAIT).await.unwrap());
    let project = end as f64 / started.elapsed().as_secs_f64();

    let report = rebuild::rebuild(&ledger.pools, &ledger.tail, context, false, &|_| {})
        .await
        .unwrap();
    assert!(report.differences.is_empty());
    let rebuilt = report.events as f64 / report.total_seconds;
    let copied = end as f64 / copy(&ledger, context).await;
    ledger.stop.cancel();
    worker.await.unwrap();
    vec![
        Figure::alone("project.orders", project, "events/s"),
        Figure::against("rebuild.cloudwatcher", rebuilt, "events/s", copied),
    ]
}

/// Order events, with what they refer to.
async fn history(ledger: &Ledger) {
    let (department, supplier, part) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
    ledger
        .does::<User>(ledger.actor, serde_json::from_value(register).unwrap())
        .await;
    let manager_id = ledger.approver().await;
    let enter = serde_json::from_value(json!({"enter": {"name": "Workshop", "manager_id": manager_id}})).unwrap();
    ledger.does::<Register<Department>>(department, enter).await;
    let enter = serde_json::from_value(json!({"enter": {"name": "Acme"}})).unwrap();
    ledger.does::<Register<Supplier>>(supplier, enter).await;
    let enter = serde_json::from_value(json!({"enter": {"part_code": "BENCH", "name": "bolt"}})).unwrap();
    ledger.does::<Register<Part>>(part, enter).await;
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 10, "unit_price": "2.50"});
    let draft = json!({"draft": {"department_id": department, "currency": "EUR", "items": [item, item]}});
    let commands = [
        draft,
        json!({"add-item": item}),
        json!({"add-item": item}),
        json!({"submit": {}}),
        json!({"cancel": {}}),
    ];
    let orders = (0..ORDERS).map(|_| async {
        let order = Uuid::now_v7();
        for command in &commands {
            ledger
                .does::<Order>(order, serde_json::from_value(command.clone()).unwrap())
                .await;
        }
    });
    futures::stream::iter(orders)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// Seconds that Postgres needs to COPY the same rows into the same tables, keys and indexes built after.
async fn copy(ledger: &Ledger, context: &'static projections::Context) -> f64 {
    let mut connection = PgConnection::connect_with(&ledger.database.options).await.unwrap();
    let (tables, finishing) = context.statements();
    let mut contents = Vec::new();
    for table in context.all_tables() {
        let columns: Vec<&str> = table
            .columns
            .iter()
            .filter(|column| !column.generated)
            .map(|column| column.name)
            .collect();
        let columns = columns.join(", ");
        let out = format!(
            "copy (select {columns} from cloudwatcher.{}) to stdout (format binary)",
            table.name
        );
        let rows: Vec<u8> = connection
            .copy_out_raw(&out)
            .await
            .unwrap()
            .try_fold(Vec::new(), |mut rows, chunk| async move {
                rows.extend_from_slice(&chunk);
                Ok(rows)
            })
            .await
            .unwrap();
        contents.push((
            format!("copy baseline.{} ({columns}) from stdin (format binary)", table.name),
            rows,
        ));
    }
    sqlx::raw_sql("create schema baseline; set search_path = baseline")
        .execute(&mut connection)
        .await
        .unwrap();
    let started = Instant::now();
    for statement in &tables {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    for (into, rows) in contents {
        let mut copy = connection.copy_in_raw(&into).await.unwrap();
        copy.send(rows).await.unwrap();
        copy.finish().await.unwrap();
    }
    for statement in &finishing {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("analyze").execute(&mut connection).await.unwrap();
    started.elapsed().as_secs_f64()
}
