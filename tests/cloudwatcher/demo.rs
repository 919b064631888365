//! The demo: a company with a year of history, and Northwind.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloudwatcher_http::demo::{self, Plan, northwind};
use projections::{Posted, Projector, rebuild};
use tests::Ledger;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);

async fn posted(ledger: &Ledger) {
    let context = &cloudwatcher_tables::CONTEXT;
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let parts = (ledger.pools.clone(), ledger.tail.clone(), ledger.bus.clone());
    let projector = Projector::new(context, parts.0, parts.1, parts.2, posted.clone()).unwrap();
    let stop = ledger.stop.child_token();
    let worker = tokio::spawn(projector.run(stop.clone()));
    let end = ledger.tail.end().await.unwrap();
    assert!(posted.wait(context, end, WAIT).await.unwrap());
    stop.cancel();
    worker.await.unwrap();
}

async fn counts(ledger: &Ledger, query: &str) -> Vec<(String, i64)> {
    sqlx::query_as(query).fetch_all(&ledger.pools.owner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_is_a_company_with_orders_in_every_state_and_loads_once() {
    let ledger = Ledger::open().await;
    let tenant = Uuid::new_v4();
    let until = Utc::now();
    let plan = Plan {
        tenant,
        seed: 1,
        until,
        parts: 40,
        orders: 100,
        locations: 14,
        stock: 60,
        requests: 250,
    };
    demo::load(&tests::contexts(), &ledger.book, &ledger.tail, &plan, &|_| {})
        .await
        .unwrap();
    let end = ledger.tail.end().await.unwrap();
    posted(&ledger).await;
    let statuses = counts(
        &ledger,
        "select status, count(*) from cloudwatcher.orders group by 1 order by 1",
    )
    .await;
    let words: Vec<&str> = statuses.iter().map(|(status, _)| status.as_str()).collect();
    let every = [
        "approved",
        "cancelled",
        "closed-short",
        "draft",
        "ordered",
        "partially-received",
        "pending-approval",
        "received",
    ];
    assert_eq!(words, every, "{statuses:?}");
    assert_eq!(statuses.iter().map(|(_, orders)| orders).sum::<i64>(), 100);
    let people = counts(&ledger, "select 'people', count(*) from cloudwatcher.users").await;
    assert_eq!(people[0].1, 20);
    let (first, last): (DateTime<Utc>, DateTime<Utc>) =
        sqlx::query_as("select min(created_at), max(created_at) from cloudwatcher.orders")
            .fetch_one(&ledger.pools.owner)
            .await
            .unwrap();
    assert!(last - first > TimeDelta::days(200) && last < until, "{first} to {last}");
    // Each order's history, in the order in which lists show it, is that of the book.
    let told = counts(
        &ledger,
        "select case when before > position then 'wrong' else 'right' end, count(*) from (
             select event_type, position, lag(position) over (partition by order_id order by created_at, position) as before
             from cloudwatcher.order_history) h
         where event_type = 'received' group by 1",
    )
    .await;
    let [(word, received)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(word == "right" && *received > 10, "{told:?}");
    let parked = counts(&ledger, "select context, count(*) from book.parked group by 1").await;
    assert!(parked.is_empty(), "{parked:?}");

    // Again, it changes nothing, and what the policies come to do later was done.
    demo::load(&tests::contexts(), &ledger.book, &ledger.tail, &plan, &|_| {})
        .await
        .unwrap();
    assert_eq!(ledger.tail.end().await.unwrap(), end);
    let report = rebuild::rebuild(
        &ledger.pools,
        &ledger.tail,
        &cloudwatcher_tables::CONTEXT,
        false,
        &|_| {},
    )
    .await
    .unwrap();
    assert!(report.differences.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn northwinds_orders_of_1996_to_1998_are_told_as_they_happened() {
    let data = std::env::var("DAYBOOK_SPEC_DIR").map(|spec| Path::new(&spec).join("../data/northwind"));
    let Some(folder) = data.ok().filter(|folder| folder.exists()) else {
        return tests::skipped("the Northwind files are not here");
    };
    let ledger = Ledger::open().await;
    let files = northwind::Files::read(&folder).unwrap();
    let tenant = northwind::tenant(Uuid::new_v4());
    northwind::load(&tests::contexts(), &ledger.book, &ledger.tail, tenant, &files, &|_| {})
        .await
        .unwrap();
    posted(&ledger).await;
    let years = counts(
        &ledger,
        "select extract(year from created_at)::text, count(*) from cloudwatcher.orders group by 1 order by 1",
    )
    .await;
    let expected = [("1996", 152), ("1997", 408), ("1998", 270)];
    assert_eq!(years, expected.map(|(year, orders)| (year.to_owned(), orders)));
    let rest = counts(
        &ledger,
        "select 'lines', count(*) from cloudwatcher.order_items
         union all select 'received', count(*) from cloudwatcher.orders where status = 'received'
         union all select 'struck', count(*) from cloudwatcher.parts where not is_active order by 1",
    )
    .await;
    let expected = [("lines", 2_155), ("received", 809), ("struck", 8)];
    assert_eq!(rest, expected.map(|(word, rows)| (word.to_owned(), rows)));
}
