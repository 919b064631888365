//! An index serves each order and each filter of the tables.

use book::Pools;
use tests::{Database, plans};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_order_by_time_every_filter_and_what_changed() {
    let database = Database::create().await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let orders = plans::serve_every_order_by_time(&pools, &dod_tables::CONTEXT).await;
    let filters = plans::serve_every_filter(&pools, &dod_tables::CONTEXT).await;
    assert!(plans::serve_what_changed(&pools, &dod_tables::CONTEXT).await > 0);
    assert!(
        orders > 30 && filters > 60,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
