//! What tells who a person is lies encrypted, and is gone everywhere soon after they were erased.

use std::time::Duration;

use book::vault::PERSONAL_SECONDS_MAX;
use book::{Book, ExecuteError, MasterKey, Step};
use identity::user::User;
use serde_json::json;
use tests::ledger::MASTER_KEY;
use tests::{Ledger, Service};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_gone_from_rows_events_and_bytes() {
    let service = Service::start().await;
    let admin = &service.admin;
    let user = Uuid::now_v7();
    let path = format!("/v1/identity/users/{user}");
    let body = json!({"name": "Grace Hopper", "email": "grace@navy.example"});
    let position = admin.post(&format!("{path}/register"), &body).await.position();
    let row = admin
        .get_after(&format!("/v1/cloudwatcher/users/{user}"), position)
        .await
        .ok();
    assert_eq!(row["email"], "grace@navy.example");
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let leaks: i64 = sqlx::query_scalar(
        "select (select count(*) from book.events where payload::text ilike '%grace%')
              + (select count(*) from book.claims where encode(digest, 'escape') ilike '%grace%')
              + (select count(*) from book.receipts where answer::text ilike '%grace%')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(leaks, 0, "what tells who a person is lies encrypted");
    let position = admin.post(&format!("{path}/erase"), &json!({})).await.position();
    let row = admin
        .get_after(&format!("/v1/cloudwatcher/users/{user}"), position)
        .await
        .ok();
    assert!(!row.to_string().to_lowercase().contains("grace"), "{row}");
    let stream = admin.get(&format!("/v1/streams/identity/user/{user}")).await.ok();
    assert!(!stream.to_string().to_lowercase().contains("grace"), "{stream}");
    let history = admin.get(&format!("/v1/cloudwatcher/users/{user}/history")).await.ok();
    assert!(!history.to_string().to_lowercase().contains("grace"), "{history}");
    admin.post("/v1/identity/users", &body).await.ok();
    pool.close().await;
    service.end().await;
}
