//! The demo's day of alerts, by the program itself.

use serde_json::Value;
use tests::{Client, Database, Service, until};
use uuid::Uuid;

use crate::house::{ROLES, WAIT, program, rows};

/// The first number in what was told.
fn number(told: &str) -> u64 {
    let mut digits = told.split(|letter: char| !letter.is_ascii_digit());
    digits.find(|digits| !digits.is_empty()).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_s_day_is_sent_to_where_daybook_serves_and_only_once() {
    let database = Database::create().await;
    let tenant = Uuid::new_v4();
    let of_tenant = tenant.to_string();
    let small = [
        "demo",
        "--parts",
        "2",
        "--orders",
        "2",
        "--locations",
        "1",
        "--stock",
        "1",
        "--requests",
        "10",
        "--tenant",
        &of_tenant,
    ];
    program(&database, &small).await;
    let service = Service::over(database, ROLES.into()).await;
    let admin = Client::new(&service.url, tenant, Uuid::new_v5(&tenant, b"demo/user/admin"));
    let to = ["demo", "--to", &service.url, "--tenant", &of_tenant];

    let told = program(&service.database, &to).await;
    let sent = number(&told);
    assert!(
        sent > 200 && told.contains(&format!("{sent} of {sent} bodies")),
        "{told}"
    );
    let counts = async |query: &str| -> i64 {
        let pool = sqlx::PgPool::connect_with(service.database.options.clone())
            .await
            .unwrap();
        let count = sqlx::query_scalar(query).bind(tenant).fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    };
    let parsed = async || {
        let recognised = "select count(*) from dod.deliveries where tenant_id = $1 and status = 'recognised'";
        (counts(recognised).await == i64::try_from(sent).unwrap() - 1).then_some(())
    };
    until("all bodies are recognised but one", WAIT, parsed).await;
    let unreadable = |page: &Value| rows(page).len() == 1;
    admin.until("/v1/dod/deliveries?status=unreadable", unreadable).await;
    let concluded = async || {
        let open = "select count(*) from dod.issues where tenant_id = $1 and concluded_at is null";
        let issues = "select count(*) from dod.issues where tenant_id = $1";
        (counts(issues).await > 10 && counts(open).await == 0).then_some(())
    };
    until("all issues are concluded", WAIT, concluded).await;
    let sources = "select count(distinct source_id) from dod.alerts where tenant_id = $1";
    assert_eq!(counts(sources).await, 4);
    // The storm is one issue, though a pair of senders told it twice; so is what the rack's procedure says.
    let storm = admin.get("/v1/dod/issues?alert_type=InstanceDown").await.ok();
    let [storm] = rows(&storm).as_slice() else {
        panic!("{storm}")
    };
    assert_eq!(
        (&storm["alerts"], &storm["status"]),
        (&40.into(), &"resolved".into()),
        "{storm}"
    );
    assert!(
        storm["ai_conclusion"].as_str().unwrap().contains("neighbours"),
        "{storm}"
    );
    let heartbeat = admin.get("/v1/dod/alerts?alert_type=Watchdog").await.ok();
    let [heartbeat] = rows(&heartbeat).as_slice() else {
        panic!("{heartbeat}")
    };
    assert_eq!(heartbeat["status"], "ignored", "{heartbeat}");

    // Sent again, nothing is.
    let told = program(&service.database, &to).await;
    assert!(told.contains(&format!("0 of {sent} bodies")), "{told}");
    service.end().await;
}
