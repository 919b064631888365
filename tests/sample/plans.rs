//! An index serves each order and each filter of the table.

use book::Pools;
use tests::{Database, plans};

use crate::context;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_order_by_time_and_every_filter() {
    let database = Database::of(context::alone()).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let orders = plans::serve_every_order_by_time(&pools, &sample_tables::CONTEXT).await;
    let filters = plans::serve_every_filter(&pools, &sample_tables::CONTEXT).await;
    assert!(
        orders > 0 && filters > 0,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
