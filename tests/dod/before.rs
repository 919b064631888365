//! Tenants and people who were there before this context was served.

use daybook::{Role, Running};
use http::{Context, Contexts};
use serde_json::{Value, json};
use tests::service::{administrator, config, person};
use tests::{Client, Database};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The contexts without this one.
fn before() -> Contexts {
    let all = daybook::contexts::CONTEXTS.iter().copied();
    let before: Vec<&Context> = all.filter(|context| context.name() != dod::CONTEXT.name).collect();
    Contexts::new(&before).unwrap()
}

async fn served(database: &Database, contexts: Contexts) -> (Running, CancellationToken) {
    let stop = CancellationToken::new();
    let roles = vec![Role::Api, Role::Relay, Role::Projector, Role::Policy];
    let config = config(&database.url(), &database.name);
    let running = daybook::serve(config, contexts, roles, stop.clone()).await.unwrap();
    (running, stop)
}

fn url(running: &Running) -> String {
    format!("http://{}", running.address)
}

/// Whether this person has this word for what they may do, and no other row is shown of them.
fn has(page: &Value, of: &Client, role: &str) -> bool {
    let rows = page["rows"].as_array().unwrap();
    let of: Vec<&Value> = rows.iter().filter(|row| row["id"] == json!(of.user)).collect();
    of.len() == 1 && of[0]["role"] == role
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_there_before_this_context_is_known_to_it_and_may_do_what_their_roles_say() {
    let database = Database::of(before()).await;
    let (running, stop) = served(&database, before()).await;
    let tenant = Uuid::new_v4();
    let admin = administrator(&database, &url(&running), tenant).await;
    let clerk = person(&admin, tenant, &["cloudwatcher.orders.read"], &[]).await;
    let left = person(&admin, tenant, &["*"], &[]).await;
    let of_clerk = format!("/v1/cloudwatcher/user_roles?user_id={}", clerk.user);
    let has_one = |page: &Value| !page["rows"].as_array().unwrap().is_empty();
    let roles = admin.until(&of_clerk, has_one).await;
    let role = roles["rows"][0]["role_id"].as_str().unwrap().to_owned();
    admin.get("/v1/dod/users").await.problem(404);
    stop.cancel();
    running.ended().await;

    // A deployment with this context.
    let pools = book::Pools::connect(&database.options).await.unwrap();
    daybook::migrate(&pools.owner, &tests::contexts()).await.unwrap();
    pools.close().await;
    let (running, stop) = served(&database, tests::contexts()).await;
    let admin = admin.at(&url(&running));
    let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
    tests::until("the process to be ready", std::time::Duration::from_secs(60), ready).await;
    let tenants = admin.get("/v1/dod/tenants").await.ok();
    let rows = tenants["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"]), (1, &json!("A company")), "{tenants}");
    let found = |page: &Value| has(page, &admin, "admin") && has(page, &left, "admin") && has(page, &clerk, "viewer");
    admin.until("/v1/dod/users", found).await;
    clerk.at(&url(&running)).get("/v1/dod/alerts").await.problem(403);

    // A role of before is looked through for whoever has it once it grants more.
    for permission in ["dod.alert.acknowledge", "dod.issue.resolve", "dod.alerts.read"] {
        let grant = json!({ "permission": permission });
        admin
            .post(&format!("/v1/identity/roles/{role}/grant"), &grant)
            .await
            .ok();
    }
    admin.until("/v1/dod/users", |page| has(page, &clerk, "member")).await;
    clerk.at(&url(&running)).get("/v1/dod/alerts").await.ok();
    stop.cancel();
    running.ended().await;
}
