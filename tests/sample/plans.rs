//! An index serves each order and each filter of the table.

use book::Pools;
use tests::{Database, plans};

use crate::context;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_order_by_time_every_filter_and_what_changed() {
    let database = Database::of(context::alone()).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    let orders = plans::serve_every_order_by_time(&pools, &sample_tables::CONTEXT).await;
    let filters = plans::serve_every_filter(&pools, &sample_tables::CONTEXT).await;
    assert!(plans::serve_what_changed(&pools, &sample_tables::CONTEXT).await > 0);
    assert!(
        orders > 0 && filters > 0,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
