//! What the design rests on, pinned: library facts, and a claim behind every unique key.

use std::collections::BTreeSet;

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateContext as _, CqrsFramework, DomainEvent, EventStore as _};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tests::{Database, Ledger};
use uuid::Uuid;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Deposited(i64);

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl DomainEvent for Deposited {
    fn event_type(&self) -> String {
        "Deposited".to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = i64;
    type Event = Deposited;
    type Error = Never;
    type Services = ();
    async fn handle(&mut self, amount: i64, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        sink.write(Deposited(amount), self).await;
        Ok(())
    }
    fn apply(&mut self, event: Deposited) {
        self.balance += event.0;
    }
}

/// The balance after five deposits of 10, reloaded.
async fn reloaded(store: fn(PostgresEventRepository) -> PersistedEventStore<PostgresEventRepository, Account>) -> i64 {
    let database = Database::create().await;
    let pool = sqlx::PgPool::connect_with(database.options.clone()).await.unwrap();
    sqlx::raw_sql(
        "create table events (aggregate_type text, aggregate_id text, sequence bigint, event_type text, event_version text,
             payload json, metadata json, primary key (aggregate_type, aggregate_id, sequence));
         create table snapshots (aggregate_type text, aggregate_id text, last_sequence bigint, current_snapshot bigint,
             payload json, primary key (aggregate_type, aggregate_id, last_sequence))",
    )
    .execute(&pool)
    .await
    .unwrap();
    let framework = CqrsFramework::new(store(PostgresEventRepository::new(pool.clone())), Vec::new(), ());
    for _ in 0..5 {
        framework.execute("one", 10).await.unwrap();
    }
    let mut context = store(PostgresEventRepository::new(pool.clone()))
        .load_aggregate("one")
        .await
        .unwrap();
    let balance = context.aggregate().balance;
    pool.close().await;
    balance
}

#[tokio::test]
async fn cqrs_es_counts_events_twice_in_snapshot_mode_and_once_in_event_store_mode() {
    assert_eq!(reloaded(PersistedEventStore::new_event_store).await, 50);
    let snapshots = reloaded(|repository| PersistedEventStore::new_snapshot_store(repository, 4)).await;
    assert_eq!(
        snapshots, 60,
        "if this is 50, the library was mended and Sourced's warning can go"
    );
}

#[tokio::test]
async fn every_unique_key_of_a_read_table_has_a_claim_or_lies_within_one_stream() {
    use cloudwatcher::order::Order;
    use cloudwatcher::request::DeviceRequest;
    use cloudwatcher::{part::Part, part_supplier::PartSupplier, part_variant::PartVariant, supplier::Supplier};
    use domain::register::Register;
    use identity::{department::Department, role::Role, user::User};

    let ledger = Ledger::open().await;
    let [department, role, supplier, part, variant, offer, request, order] = std::array::from_fn(|_| Uuid::now_v7());
    macro_rules! does {
        ($decider:ty, $stream:expr, $($command:tt)+) => {
            ledger.does::<$decider>($stream, serde_json::from_value(json!($($command)+)).unwrap()).await
        };
    }
    does!(User, ledger.actor, {"register": {"name": "Ada", "email": "ada@example.com", "oauth_provider": "google", "oauth_id": "1"}});
    does!(Role, role, {"define": {"name": "buyer", "permissions": ["a.b"]}});
    does!(Register<Department>, department, {"enter": {"name": "Workshop"}});
    does!(Register<Supplier>, supplier, {"enter": {"name": "Acme"}});
    does!(Register<Part>, part, {"enter": {"part_code": "P", "name": "bolt"}});
    does!(Register<PartVariant>, variant, {"enter": {"part_id": part, "variant_code": "RED"}});
    does!(Register<PartSupplier>, offer, {"enter": {"part_id": part, "variant_id": variant, "supplier_id": supplier}});
    does!(DeviceRequest, request, {"receive": {"device_id": "truck-1", "request_type": "get_parts", "payload": {}}});
    let item = json!({"part_id": part, "supplier_id": supplier, "quantity": 1, "unit_price": "1"});
    does!(Order, order, {"draft": {"department_id": department, "currency": "EUR", "request_id": request, "items": [item]}});

    let claims: Vec<String> = sqlx::query_scalar("select distinct name from book.claims")
        .fetch_all(&ledger.pools.owner)
        .await
        .unwrap();
    // Assignments and permissions are decided by the one stream that holds them all; the ids of stock and of
    // responses follow from what is unique about them.
    let within = [
        "inventory.part_id+variant_id+location_id",
        "stock_levels.part_id+location_id",
        "user_roles.user_id+role_id",
        "user_departments.user_id+dept_id",
        "role_permissions.role_id+permission",
        "responses.request_id",
    ];
    let guarded: BTreeSet<String> = claims.into_iter().chain(within.map(str::to_owned)).collect();
    let unique: Vec<String> = sqlx::query_scalar(
        "select t.relname || '.' || string_agg(a.attname, '+' order by k.ord)
         from pg_constraint c
         join pg_class t on t.oid = c.conrelid
         cross join unnest(c.conkey) with ordinality k(attnum, ord)
         join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum
         where c.contype = 'u' and t.relnamespace = 'cloudwatcher'::regnamespace and a.attname <> 'tenant_id'
         group by c.oid, t.relname",
    )
    .fetch_all(&ledger.pools.owner)
    .await
    .unwrap();
    assert_eq!(guarded, unique.into_iter().collect());
}
