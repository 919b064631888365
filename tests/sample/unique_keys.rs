//! Every unique key of the table is guarded in the domain.

use domain::entry::Number;
use domain::register::{self, Entry as _, Register};
use sample::drawer::Drawer;
use sample::jar::{Command, Jar};
use sample::tin::{Lid, Tin};
use serde_json::json;
use tests::{Database, Ledger, setting, unique};
use uuid::Uuid;

use crate::context;

#[tokio::test]
async fn every_unique_key_of_a_read_table_has_a_claim() {
    let database = Database::of(context::alone()).await;
    let ledger = Ledger::over(database, &setting("NATS_URL")).await;
    let label = "Nuts".to_owned();
    ledger.does::<Jar>(Uuid::now_v7(), Command::Label { label }).await;
    let drawer: Drawer = serde_json::from_value(json!({"label": "Screws"})).unwrap();
    let drawer = drawer.with_number(Number::new(1));
    let stream = drawer.keyed_stream(ledger.tenant).expect("it has a number");
    ledger
        .does::<Register<Drawer>>(stream, register::Command::Enter(drawer))
        .await;
    let tin = json!({"drawer": 1, "mark": "A", "lid": <&str>::from(Lid::Screwed)});
    let tin: Tin = serde_json::from_value(tin).unwrap();
    ledger
        .does::<Register<Tin>>(Uuid::now_v7(), register::Command::Enter(tin))
        .await;

    let (pool, declared) = (&ledger.pools.owner, context::alone().decisions().clone());
    unique::guards_every_key(pool, &declared, &sample_tables::CONTEXT, &[]).await;
    unique::claims_are_taken(pool, &declared, &["sample"]).await;
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
