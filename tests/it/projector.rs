//! Projectors and generations: the tables equal a fold of the book, whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloudwatcher::part::Part;
use cloudwatcher::supplier::Supplier;
use domain::register::{Command, Register};
use projections::{Posted, Projector, rebuild};
use serde_json::json;
use tests::{Ledger, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);

fn context() -> &'static projections::Context {
    &cloudwatcher_tables::CONTEXT
}

fn projector(ledger: &Ledger, posted: &Posted) -> Projector {
    Projector::new(
        context(),
        ledger.pools.clone(),
        ledger.tail.clone(),
        ledger.bus.clone(),
        posted.clone(),
    )
    .unwrap()
}

fn supplier(name: &str) -> Supplier {
    serde_json::from_value(json!({"name": name})).unwrap()
}

fn part(code: &str) -> Part {
    serde_json::from_value(json!({"part_code": code, "name": "bolt"})).unwrap()
}

/// A history of many kinds of streams, some of them touched again and again.
async fn history(ledger: &Ledger, size: u128) {
    use identity::user::User;
    let register = json!({"register": {"name": "Ada", "email": format!("{}@example.com", ledger.actor.simple())}});
    ledger
        .does::<User>(ledger.actor, serde_json::from_value(register).unwrap())
        .await;
    let department = Uuid::from_u128(7_000);
    let manager_id = ledger.approver().await;
    let enter = serde_json::from_value(json!({"enter": {"name": "Workshop", "manager_id": manager_id}})).unwrap();
    ledger
        .does::<Register<identity::department::Department>>(department, enter)
        .await;
    let supplier_id = Uuid::from_u128(1_000);
    ledger
        .does::<Register<Supplier>>(supplier_id, Command::Enter(supplier("Acme")))
        .await;
    for n in 0..size {
        let part_id = Uuid::from_u128(2_000_000 + n);
        ledger
            .does::<Register<Part>>(part_id, Command::Enter(part(&format!("P-{n}"))))
            .await;
        let order = Uuid::from_u128(3_000_000 + n);
        let item =
            json!({"part_id": part_id, "supplier_id": supplier_id, "quantity": 1 + n as i32, "unit_price": "1.25"});
        let draft = json!({"draft": {"department_id": department, "currency": "EUR", "items": [item, item]}});
        use cloudwatcher::order::Order;
        ledger
            .does::<Order>(order, serde_json::from_value(draft).unwrap())
            .await;
        ledger
            .does::<Order>(order, serde_json::from_value(json!({"add-item": item})).unwrap())
            .await;
        let end = if n % 3 == 0 { "cancel" } else { "submit" };
        ledger
            .does::<Order>(order, serde_json::from_value(json!({end: {}})).unwrap())
            .await;
        if n % 4 == 0 {
            ledger
                .does::<Register<Supplier>>(supplier_id, Command::Amend(supplier(&format!("Acme {n}")).into()))
                .await;
        }
    }
}

/// Rows and checksum of every table of a schema.
async fn checksums(ledger: &Ledger) -> BTreeMap<String, (i64, String)> {
    let mut sums = BTreeMap::new();
    for table in context().all_tables().map(|table| table.name) {
        let query = format!(
            "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from cloudwatcher.{table} t"
        );
        sums.insert(
            table.to_owned(),
            sqlx::query_as(&query).fetch_one(&ledger.pools.owner).await.unwrap(),
        );
    }
    let changes =
        "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text from cloudwatcher.changes t";
    sums.insert(
        "changes".to_owned(),
        sqlx::query_as(changes).fetch_one(&ledger.pools.owner).await.unwrap(),
    );
    sums
}

async fn rebuilt(ledger: &Ledger) -> rebuild::Report {
    rebuild::rebuild(&ledger.pools, &ledger.tail, context(), false, &|_| {})
        .await
        .expect("the rebuild succeeds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_has_nothing_to_post_notices_a_swap() {
    let ledger = Ledger::open().await;
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    // A stream that the next generation has no reason to park.
    let park = "insert into book.parked (context, generation, aggregate_type, aggregate_id, tenant_id, position, error)
                select context, generation, 'elsewhere.thing', gen_random_uuid(), gen_random_uuid(), 1, 'a test'
                from book.generations where context = $1 and state = 'live'";
    sqlx::query(park)
        .bind(context().name)
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    let projector = projector(&ledger, &posted);
    let status = projector.status();
    let worker = tokio::spawn(projector.run(ledger.stop.clone()));
    let counts = |streams: usize| {
        let status = status.clone();
        move || {
            let status = *status.borrow();
            async move { (status.leading && status.set_aside == streams).then_some(()) }
        }
    };
    until("the parked stream", WAIT, counts(1)).await;
    rebuild::rebuild(&ledger.pools, &ledger.tail, context(), true, &|_| {})
        .await
        .unwrap();
    until("the swap's being noticed", WAIT, counts(0)).await;
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_differs_leaves_nothing_behind_and_says_what_to_do() {
    let ledger = Ledger::open().await;
    history(&ledger, 3).await;
    rebuilt(&ledger).await;
    let differ = "update cloudwatcher.suppliers set name = 'Someone else'";
    sqlx::raw_sql(differ).execute(&ledger.pools.owner).await.unwrap();
    let refused = async || {
        let refused = rebuild::rebuild(&ledger.pools, &ledger.tail, context(), false, &|_| {}).await;
        refused.unwrap_err().to_string()
    };
    let told = refused().await;
    assert!(told.contains("--force") && !told.contains("unpark"), "{told}");
    let park = "insert into book.parked (context, generation, aggregate_type, aggregate_id, tenant_id, position, error)
                select context, generation, 'elsewhere.thing', gen_random_uuid(), gen_random_uuid(), 1, 'a test'
                from book.generations where state = 'live'";
    sqlx::query(park).execute(&ledger.pools.owner).await.unwrap();
    let told = refused().await;
    assert!(
        told.contains("streams are parked in the live tables (1)") && told.contains("unpark cloudwatcher"),
        "{told}"
    );
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from book.generations where state = 'building')
              + (select count(*) from pg_namespace n where nspname like 'cloudwatcher_g%'
                 and not exists (select from book.generations where schema_name = n.nspname))",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(left, 0);
    rebuild::rebuild(&ledger.pools, &ledger.tail, context(), true, &|_| {})
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_1_7_and_1000_events_and_a_rebuild_give_identical_tables() {
    let ledger = Ledger::open().await;
    history(&ledger, 40).await;
    let end = ledger.tail.end().await.unwrap();
    let mut sums: Vec<BTreeMap<String, (i64, String)>> = Vec::new();
    for page in [1, 7, 1_000] {
        let (posted, stop) = (
            Posted::new(ledger.pools.projector.clone(), &tests::tables()),
            ledger.stop.child_token(),
        );
        let worker = tokio::spawn(projector(&ledger, &posted).page_events(page).run(stop.clone()));
        assert!(posted.wait(context(), end, WAIT).await.unwrap());
        sums.push(checksums(&ledger).await);
        stop.cancel();
        worker.await.unwrap();
        // An empty generation to begin anew from.
        sqlx::query("update book.generations set position = 0")
            .execute(&ledger.pools.projector)
            .await
            .unwrap();
        for table in context().all_tables() {
            let truncate = format!("truncate cloudwatcher.{} cascade", table.name);
            sqlx::query(&truncate).execute(&ledger.pools.projector).await.unwrap();
        }
        sqlx::query("truncate cloudwatcher.changes")
            .execute(&ledger.pools.projector)
            .await
            .unwrap();
    }
    assert!(
        sums[0]["orders"].0 == 40 && sums[0]["order_items"].0 == 120,
        "{:?}",
        sums[0]
    );
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], sums[2]);
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let worker = tokio::spawn(projector(&ledger, &posted).run(ledger.stop.clone()));
    assert!(posted.wait(context(), end, WAIT).await.unwrap());
    let report = rebuilt(&ledger).await;
    assert!(report.compared && report.differences.is_empty(), "{report:?}");
    assert_eq!(sums[0], checksums(&ledger).await);
    ledger.stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_during_writes_differs_in_nothing_and_no_read_fails() {
    let ledger = Arc::new(Ledger::open().await);
    let relay = ledger.relay();
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let worker = tokio::spawn(projector(&ledger, &posted).run(ledger.stop.clone()));
    history(&ledger, 30).await;
    // From here on every read, whatever it reads from, sees all the orders.
    assert!(
        posted
            .wait(context(), ledger.tail.end().await.unwrap(), WAIT)
            .await
            .unwrap()
    );
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (ledger, done) = (ledger.clone(), done.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                ledger
                    .does::<Register<Part>>(Uuid::now_v7(), Command::Enter(part(&format!("W-{n}"))))
                    .await;
                n += 1;
            }
            n
        })
    };
    let reader = {
        let (ledger, done) = (ledger.clone(), done.clone());
        tokio::spawn(async move {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let mut transaction = ledger.pools.reader.begin().await.unwrap();
                let tenant = ledger.tenant.to_string();
                sqlx::query("select set_config('daybook.tenant', $1, true)")
                    .bind(tenant)
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                let rows: i64 = sqlx::query_scalar("select count(*) from cloudwatcher.orders")
                    .fetch_one(&mut *transaction)
                    .await
                    .unwrap();
                assert_eq!(rows, 30);
                transaction.commit().await.unwrap();
                reads += 1;
            }
            reads
        })
    };
    for _ in 0..3 {
        let report = rebuilt(&ledger).await;
        assert!(
            report.differences.is_empty() && report.compared && report.same_code,
            "{report:?}"
        );
        assert!(report.swap_seconds < 1.0, "{report:?}");
    }
    rebuild::rollback(&ledger.pools, &ledger.tail, context()).await.unwrap();
    done.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 0);
    assert!(reader.await.unwrap() > 0);
    assert!(
        posted
            .wait(context(), ledger.tail.end().await.unwrap(), WAIT)
            .await
            .unwrap()
    );
    let live = checksums(&ledger).await;
    assert!(rebuilt(&ledger).await.differences.is_empty());
    assert_eq!(live, checksums(&ledger).await);
    ledger.stop.cancel();
    worker.await.unwrap();
    relay.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_projectors_one_posts_and_the_other_takes_over() {
    let ledger = Ledger::open().await;
    let relay = ledger.relay();
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let (first, second) = (projector(&ledger, &posted), projector(&ledger, &posted));
    let (first_status, second_status) = (first.status(), second.status());
    let first = tokio::spawn(first.run(ledger.stop.clone()));
    // The one that is ended below must be the one that posts.
    let leads = || async { first_status.borrow().leading.then_some(()) };
    until("the first projector's lead", WAIT, leads).await;
    let second = tokio::spawn(second.run(ledger.stop.clone()));
    history(&ledger, 10).await;
    assert!(
        posted
            .wait(context(), ledger.tail.end().await.unwrap(), WAIT)
            .await
            .unwrap()
    );
    assert!(first_status.borrow().leading && !second_status.borrow().leading);
    assert_eq!(second_status.borrow().position, 0, "the stand-by posted nothing");
    first.abort();
    history_more(&ledger).await;
    let leads = || async { second_status.borrow().leading.then_some(()) };
    let (_, took) = until("the second projector's lead", WAIT, leads).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(
        posted
            .wait(context(), ledger.tail.end().await.unwrap(), WAIT)
            .await
            .unwrap()
    );
    assert!(rebuilt(&ledger).await.differences.is_empty());
    ledger.stop.cancel();
    second.await.unwrap();
    relay.await.unwrap();
}

async fn history_more(ledger: &Ledger) {
    for n in 0..20 {
        ledger
            .does::<Register<Part>>(Uuid::now_v7(), Command::Enter(part(&format!("M-{n}"))))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_cannot_be_posted_is_parked_alone_and_goes_on_when_it_can() {
    let ledger = Ledger::open().await;
    // A column that this code does not fill: every part fails, nothing else does.
    let break_it = "alter table cloudwatcher.parts add constraint broken check (part_code <> 'BAD')";
    sqlx::query(break_it).execute(&ledger.pools.owner).await.unwrap();
    let posted = Posted::new(ledger.pools.projector.clone(), &tests::tables());
    let worker = tokio::spawn(projector(&ledger, &posted).run(ledger.stop.clone()));
    let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
    ledger.does::<Register<Part>>(bad, Command::Enter(part("BAD"))).await;
    ledger.does::<Register<Part>>(good, Command::Enter(part("GOOD"))).await;
    let variant = serde_json::from_value(json!({"enter": {"part_id": bad, "variant_code": "RED"}})).unwrap();
    ledger
        .does::<Register<cloudwatcher::part_variant::PartVariant>>(Uuid::now_v7(), variant)
        .await;
    let last = ledger
        .does::<Register<Part>>(good, Command::Amend(part("BETTER").into()))
        .await;
    assert!(posted.wait(context(), last.position, WAIT).await.unwrap());
    let codes: Vec<String> = sqlx::query_scalar("select part_code from cloudwatcher.parts")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap();
    assert_eq!(codes, ["BETTER"]);
    let parked = projections::park::parked(&ledger.pools.projector, context())
        .await
        .unwrap();
    assert_eq!(parked.len(), 2, "the part, and the variant that needs it: {parked:?}");

    sqlx::query("alter table cloudwatcher.parts drop constraint broken")
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    projections::park::unpark(&ledger.pools.projector, &ledger.tail, context(), None)
        .await
        .unwrap();
    assert!(
        projections::park::parked(&ledger.pools.projector, context())
            .await
            .unwrap()
            .is_empty()
    );
    ledger
        .does::<Register<Part>>(bad, Command::Amend(part("FINE").into()))
        .await;
    assert!(
        posted
            .wait(context(), ledger.tail.end().await.unwrap(), WAIT)
            .await
            .unwrap()
    );
    let rows: (i64, i64) = sqlx::query_as(
        "select (select count(*) from cloudwatcher.parts), (select count(*) from cloudwatcher.part_variants)",
    )
    .fetch_one(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(rows, (2, 1));
    assert!(
        rebuilt(&ledger).await.differences.is_empty(),
        "unparked rows equal those of a rebuild"
    );
    ledger.stop.cancel();
    worker.await.unwrap();
}
