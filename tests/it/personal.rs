//! What was opened of a person is forgotten everywhere soon after they were erased.

use std::time::Duration;

use book::vault::PERSONAL_SECONDS_MAX;
use book::{Book, ExecuteError, MasterKey, Step};
use identity::user::User;
use serde_json::json;
use tests::Ledger;
use tests::ledger::MASTER_KEY;
use uuid::Uuid;

use crate::policies::command;

/// Longer than promised by what a busy machine takes to look.
const LIMIT: Duration = Duration::from_secs(PERSONAL_SECONDS_MAX + 2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_forgets_an_erased_person_within_five_seconds_however_it_came_to_know_them() {
    let ledger = Ledger::open().await;
    let beside = Book::new(
        ledger.pools.writer.clone(),
        MasterKey::from_hex(MASTER_KEY).expect("a key"),
        tests::decisions(),
    );
    let knows = async |user: Uuid| {
        let state = beside.state::<User>(ledger.tenant, user).await.unwrap().unwrap();
        serde_json::to_string(&*state).unwrap().contains("Ada")
    };
    let register = |n: u8| command(json!({"register": {"name": "Ada", "email": format!("ada@{n}.example")}}));
    // One it has read of, the other it has registered itself, and never read.
    let (read, registered) = (Uuid::now_v7(), Uuid::now_v7());
    ledger.does::<User>(read, register(1)).await;
    let step = Step::of::<User>(registered, None, register(2));
    beside.execute(ledger.envelope(), vec![step]).await.unwrap();
    assert!(knows(read).await && knows(registered).await);

    for user in [read, registered] {
        ledger.does::<User>(user, command(json!({"erase": {}}))).await;
    }
    // It is asked for them all the time, which must not prolong it.
    tests::until("forgetting", LIMIT, async || {
        (!knows(read).await && !knows(registered).await).then_some(())
    })
    .await;
    let rename = Step::of::<User>(read, None, command(json!({"rename": {"name": "Ada"}})));
    let refused = beside.execute(ledger.envelope(), vec![rename]).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::Refused(refusal) if refusal.rule == "erased"));
}
