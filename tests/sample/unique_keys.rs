//! Every unique key of the table is guarded in the domain.

use sample::jar::{Command, Jar};
use tests::{Database, Ledger, setting, unique};
use uuid::Uuid;

use crate::context;

#[tokio::test]
async fn every_unique_key_of_a_read_table_has_a_claim() {
    let database = Database::of(context::alone()).await;
    let ledger = Ledger::over(database, &setting("NATS_URL")).await;
    let label = "Nuts".to_owned();
    ledger.does::<Jar>(Uuid::now_v7(), Command::Label { label }).await;

    let (pool, declared) = (&ledger.pools.owner, context::alone().decisions().clone());
    unique::guards_every_key(pool, &declared, &sample_tables::CONTEXT, &[]).await;
    let stored: Vec<String> = sqlx::query_scalar("select name from book.claims where aggregate_type = 'sample.jar'")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(
        stored,
        ["sample.jars.label"],
        "stored with its context, as every claim is from now on"
    );
}
