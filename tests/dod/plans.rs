//! An index serves each order and each filter of the tables.

use book::Pools;
use tests::{Database, plans};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_order_by_time_and_every_filter() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let orders = plans::serve_every_order_by_time(&pools, &dod_tables::CONTEXT).await;
    let filters = plans::serve_every_filter(&pools, &dod_tables::CONTEXT).await;
    assert!(
        orders > 30 && filters > 60,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
