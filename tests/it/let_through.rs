//! A command that was let through to a stream that is not there yet does not meet what others make of it meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, PgPool};
use tests::{Client, Service};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(20);

/// An order of the north, and somebody who commands orders in the south alone.
struct World {
    service: Service,
    southerner: Client,
    northern: Uuid,
    owner: PgPool,
}

impl World {
    async fn made() -> Self {
        let service = Service::start().await;
        let admin = &service.admin;
        let owner = PgPool::connect_with(service.database.options.clone()).await.unwrap();
        let [north, south, supplier, part, northern] = std::array::from_fn(|_| Uuid::now_v7());
        for (path, body) in [
            (format!("identity/departments/{north}/enter"), json!({"name": "north"})),
            (format!("identity/departments/{south}/enter"), json!({"name": "south"})),
            (
                format!("cloudwatcher/suppliers/{supplier}/enter"),
                json!({"name": "Acme"}),
            ),
            (
                format!("cloudwatcher/parts/{part}/enter"),
                json!({"part_code": "P", "name": "bolt"}),
            ),
            (
                format!("cloudwatcher/orders/{northern}/draft"),
                json!({"department_id": north, "currency": "EUR", "items": [
                    {"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1.00"}]}),
            ),
        ] {
            admin.post(&format!("/v1/{path}"), &body).await.ok();
        }
        let southerner = service.person(&["cloudwatcher.order.*"], &[south]).await;
        Self {
            service,
            southerner,
            northern,
            owner,
        }
    }

    async fn end(self) {
        self.owner.close().await;
        self.service.end().await;
    }

    /// Keeps every command from looking for its receipt, which it does once it was let through.
    async fn held(&self) -> PgConnection {
        let mut connection = PgConnection::connect_with(&self.service.database.options)
            .await
            .unwrap();
        connection
            .execute("begin; lock table book.receipts in access exclusive mode")
            .await
            .unwrap();
        connection
    }

    /// Waits until a command was let through, then has an order of the north be born under this id, and lets go.
    async fn born_meanwhile(&self, mut held: PgConnection, order: Uuid) {
        tests::until("a command that is let through", WAIT, async || {
            let waits: bool = sqlx::query_scalar(
                "select exists (select from pg_locks where relation = 'book.receipts'::regclass and not granted)",
            )
            .fetch_one(&self.owner)
            .await
            .unwrap();
            waits.then_some(())
        })
        .await;
        sqlx::query(
            "insert into book.events
             select book.last_position() + row_number() over (order by position), gen_random_uuid(), tenant_id,
                    aggregate_type, $1, sequence, event_type, event_version, payload, metadata, recorded_at
             from book.events where aggregate_id = $2",
        )
        .bind(order.to_string())
        .bind(self.northern.to_string())
        .execute(&mut held)
        .await
        .unwrap();
        held.execute("commit").await.unwrap();
    }

    /// A command with a key, so that it looks for its receipt.
    async fn post(&self, path: &str, if_match: Option<i64>, body: &Value) -> tests::service::Reply {
        let mut request = self.southerner.request(reqwest::Method::POST, path).json(body);
        request = request.header("Idempotency-Key", Uuid::now_v7().to_string());
        if let Some(sequence) = if_match {
            request = request.header("If-Match", format!("\"{sequence}\""));
        }
        self.southerner.send(request).await
    }

    async fn events(&self, order: Uuid) -> i64 {
        sqlx::query_scalar("select count(*) from book.events where aggregate_id = $1")
            .bind(order.to_string())
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }
}

/// What a problem tells.
fn words(problem: &Value) -> [&Value; 2] {
    [&problem["type"], &problem["detail"]]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_there_and_is_wanted_at_a_sequence_is_a_404_before_anything_is_decided() {
    let world = World::made().await;
    let order = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/orders/{order}/cancel");
    // Nothing is decided while the receipts are held, and nothing waits for them.
    let held = world.held().await;
    let early = world.post(&path, Some(1), &json!({})).await.problem(404);
    held.close().await.unwrap();
    let unmatched = world.post(&path, None, &json!({})).await.problem(404);
    assert_eq!(
        words(&early),
        words(&unmatched),
        "in the words for other missing streams"
    );
    let admin = &world.service.admin;
    let request = admin.request(reqwest::Method::POST, &path).json(&json!({}));
    let told = admin.send(request.header("If-Match", "\"1\"")).await.problem(404);
    assert_eq!(words(&told), words(&early));
    assert_eq!(world.events(order).await, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_departments_stream_that_is_born_after_a_command_was_let_through_is_not_commanded() {
    let world = World::made().await;
    let order = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/orders/{order}/cancel");
    let held = world.held().await;
    let body = json!({});
    let (reply, ()) = tokio::join!(world.post(&path, None, &body), world.born_meanwhile(held, order));
    reply.problem(404);
    assert_eq!(world.events(order).await, 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_departments_order_that_is_born_after_its_copy_was_let_through_is_not_copied() {
    let world = World::made().await;
    let (original, copy) = (Uuid::now_v7(), Uuid::now_v7());
    let path = format!("/v1/cloudwatcher/orders/{copy}/duplicate");
    let body = json!({"of": original});
    let unborn = world.post(&path, None, &body).await.problem(422);
    let held = world.held().await;
    let (reply, ()) = tokio::join!(world.post(&path, None, &body), world.born_meanwhile(held, original));
    assert_eq!(words(&reply.problem(422)), words(&unborn), "as if there were none");
    assert_eq!(world.events(copy).await, 0);
    world.end().await;
}

/// The value of a metric of the context of orders; 0 before it was ever set.
async fn metric(client: &Client, name: &str) -> f64 {
    let metrics = client.get("/metrics").await.text;
    let start = format!("{name}{{context=\"cloudwatcher\"}} ");
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(&start)?.parse().ok());
    values.next().unwrap_or_default()
}

/// Keeps the tables from being posted until every command has to wait; ends with the transaction of the connection.
async fn late(world: &World) -> PgConnection {
    let admin = &world.service.admin;
    let mut posting = PgConnection::connect_with(&world.service.database.options)
        .await
        .unwrap();
    posting
        .execute("begin; lock table cloudwatcher.suppliers in share mode")
        .await
        .unwrap();
    tests::until("the tables' being late", WAIT, async || {
        admin
            .post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"}))
            .await
            .ok();
        (metric(admin, "daybook_append_wait_seconds").await >= 0.1).then_some(())
    })
    .await;
    posting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_waits_for_late_tables_before_it_is_read_what_it_is_let_through_on() {
    let world = World::made().await;
    let admin = &world.service.admin;
    let mut posting = late(&world).await;
    let order = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/orders/{order}/cancel");
    // Who sends it is known from here on.
    world.post(&path, None, &json!({})).await.problem(404);
    let slowed = metric(admin, "daybook_commands_slowed_total").await;
    // It is refused by what it would be let through on, and has waited before that.
    let reply = world.post(&path, None, &json!({})).await;
    assert!(metric(admin, "daybook_commands_slowed_total").await > slowed);
    reply.problem(404);
    posting.execute("rollback").await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_does_not_wait_for_late_tables() {
    let world = World::made().await;
    let admin = &world.service.admin;
    let mut posting = late(&world).await;
    let supplier = async |key: &str| {
        let request = admin.request(reqwest::Method::POST, "/v1/cloudwatcher/suppliers");
        let request = request.header("Idempotency-Key", key).json(&json!({"name": "Acme"}));
        admin.send(request).await.ok()
    };
    let first = supplier("once").await;
    let slowed = metric(admin, "daybook_commands_slowed_total").await;
    assert_eq!(supplier("once").await, first);
    assert_eq!(metric(admin, "daybook_commands_slowed_total").await, slowed);
    supplier("twice").await;
    assert!(metric(admin, "daybook_commands_slowed_total").await > slowed);
    posting.execute("rollback").await.unwrap();
    world.end().await;
}
