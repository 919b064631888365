//! Facts about libraries that the design rests on, pinned.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateContext as _, CqrsFramework, DomainEvent, EventStore as _};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use tests::Database;

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
