//! Whoever was erased, and what was struck, is nowhere any more: not in tables that nobody reads, on the bus, in a log or
//! in a dump.

use std::process;
use std::time::Duration;

use identity::tenant::{Command, Tenant};
use identity::user::User;
use projections::rebuild;
use serde_json::json;
use sqlx::PgPool;
use tests::ledger::MASTER_KEY;
use tests::process::{Process, Servers};
use tests::{Client, Database, Ledger, Service, service, until};
use uuid::Uuid;

use book::{ExecuteError, MasterKey, Pools, Step, Tail, Vault};

use crate::texts::{because, done, ordered, rows_with, swept};

/// Words that nothing else says: of a person, their address and account, what they wrote, whom to call.
const NAME: &str = "Wolkenschieber";
const ACCOUNT: &str = "kennung-4711-0815";
const NOTE: &str = "Nachtkerzenwurzel";
const REASON: &str = "Holunderblaettrig";
const CONTACT: &str = "holler@acme.example";
const WORDS: [&str; 5] = [NAME, ACCOUNT, NOTE, REASON, CONTACT];

/// Rebuilds the tables of every context, as a deployment would.
async fn rebuilt(database: &Database) {
    let pools = Pools::connect(&database.options).await.unwrap();
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let tail = Tail::new(pools.projector.clone(), Vault::new(pools.projector.clone(), master));
    for context in tests::tables() {
        rebuild::rebuild(&pools, &tail, context, true, &|_| {}).await.unwrap();
    }
    pools.close().await;
}

/// A person with a name and an account of their own, who may do anything.
async fn registered(owner: &Client, url: &str) -> Client {
    let (user, role) = (Uuid::now_v7(), Uuid::now_v7());
    let path = format!("/v1/identity/users/{user}");
    let body = json!({
        "name": NAME, "email": format!("{}@example.com", NAME.to_lowercase()), "oauth_provider": "google",
        "oauth_id": ACCOUNT,
    });
    done(owner, &format!("{path}/register"), &body).await;
    let define = json!({"name": "clerk", "permissions": ["*"]});
    done(owner, &format!("/v1/identity/roles/{role}/define"), &define).await;
    done(owner, &format!("{path}/assign-role"), &json!({"role_id": role})).await;
    Client::new(url, owner.tenant, user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_reaches_every_generation() {
    let service = Service::start().await;
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let user = registered(&service.admin, &service.url).await.user;
    rebuilt(&service.database).await;
    let shown = rows_with(&pool, NAME).await;
    assert!(
        shown.iter().any(|table| table.starts_with("cloudwatcher_g")),
        "the retired one keeps it: {shown:?}"
    );
    done(&service.admin, &format!("/v1/identity/users/{user}/erase"), &json!({})).await;
    swept(&pool).await;
    for word in [NAME, ACCOUNT] {
        assert_eq!(rows_with(&pool, word).await, [""; 0], "{word}");
    }
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_erased_or_struck_is_anywhere() {
    let Some(servers) = Servers::start() else {
        tests::skipped("private servers cannot be started on this machine");
        return;
    };
    let database = Database::create_on(&servers.database_url).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    // Every statement is logged, without what is bound to it.
    let noisy = format!("alter database {} set log_min_duration_statement = 0", database.name);
    sqlx::raw_sql(&noisy).execute(&pool).await.unwrap();
    let roles = "api,relay,projector,policy";
    let environment = [("RUST_LOG", "debug")];
    let process = Process::start_with(&database.url(), &servers.nats_url, &database.name, roles, &environment).await;
    let owner = service::administrator(&database, &process.url, Uuid::new_v4()).await;
    let clerk = registered(&owner, &process.url).await;
    let (order, supplier) = ordered(&owner, &clerk, NOTE).await;
    let annotate = format!("/v1/cloudwatcher/orders/{order}/annotate");
    let annotated = because(&owner, &annotate, REASON, &json!({"note": null})).await;
    assert_eq!(annotated.status, 200, "{}", annotated.text);
    let row = owner
        .get_after(&format!("/v1/cloudwatcher/users/{}", clerk.user), annotated.position())
        .await
        .ok();
    assert_eq!(row["name"], NAME);
    rebuilt(&database).await;
    assert_ne!(rows_with(&pool, NAME).await, [""; 0]);

    let event = owner.get(&format!("/v1/events/{}", annotated.position())).await.ok();
    let reason = json!({
        "aggregate_type": "cloudwatcher.order", "stream": order, "sequence": event["sequence"], "field": "@reason",
    });
    let struck = because(&owner, "/v1/identity/redactions", "so", &reason).await;
    assert_eq!(struck.status, 200, "{}", struck.text);
    done(
        &owner,
        &format!("/v1/cloudwatcher/suppliers/{supplier}/forget-contacts"),
        &json!({}),
    )
    .await;
    let last = done(&owner, &format!("/v1/identity/users/{}/erase", clerk.user), &json!({})).await;
    owner.get_after("/v1/cloudwatcher/users?limit=1", last).await.ok();
    swept(&pool).await;
    let relayed = || async {
        let at: i64 = process.health().await["workers"]["relay"]["position"]
            .as_i64()
            .unwrap_or(0);
        (at >= last).then_some(())
    };
    tests::until("the bus", std::time::Duration::from_secs(30), relayed).await;

    for word in WORDS {
        assert_eq!(rows_with(&pool, word).await, [""; 0], "{word}");
        assert_eq!(
            servers.files_with(word),
            [""; 0].map(std::path::PathBuf::from),
            "{word}"
        );
        assert!(!process.log().to_lowercase().contains(&word.to_lowercase()), "{word}");
    }
    // What is looked through is what there is.
    assert!(!rows_with(&pool, &order.to_string()).await.is_empty());
    assert!(!servers.files_with("book.append").is_empty(), "statements are logged");
    match dumped(&database) {
        Some(dump) => {
            assert!(dump.contains(&order.to_string()));
            for word in WORDS {
                assert!(!dump.to_lowercase().contains(&word.to_lowercase()), "{word}");
            }
        }
        None => println!("no dump was looked through: pg_dump is missing, or older than the server"),
    }
    pool.close().await;
}

/// A dump of the database; `None` where the program for it is missing, or is older than the server.
fn dumped(database: &Database) -> Option<String> {
    let dump = process::Command::new("pg_dump").arg(database.url()).output().ok()?;
    dump.status
        .success()
        .then(|| String::from_utf8_lossy(&dump.stdout).into_owned())
}

async fn keys_of(pool: &PgPool, tenant: Uuid) -> i64 {
    sqlx::query_scalar("select count(*) from book.keys where wrapped is not null and tenant_id = $1")
        .bind(tenant)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_a_deleted_tenant_has_left_are_destroyed_without_the_appends_turn_and_nobody_elses() {
    let mut ledger = Ledger::open().await;
    let (deleted, other) = (ledger.tenant, Uuid::now_v7());
    let pool = ledger.pools.owner.clone();
    ledger.approver().await;
    ledger.tenant = other;
    let theirs = ledger.approver().await;
    ledger.tenant = deleted;
    let ours = ledger.approver().await;
    let commands = [
        Command::Create { name: "Acme".into() },
        Command::Suspend {},
        Command::Delete {},
    ];
    for command in commands {
        assert_eq!(
            ledger.book.destroy_keys(deleted).await.unwrap(),
            0,
            "it is not deleted yet"
        );
        ledger.does_itself::<Tenant>(deleted, command).await;
    }
    // Not even an erasure: there is nothing left of it to be erased.
    let erase = || {
        vec![Step::of::<User>(
            ours,
            None,
            serde_json::from_value(json!({"erase": {}})).unwrap(),
        )]
    };
    let refused = ledger.book.execute(ledger.envelope(), erase()).await;
    assert!(matches!(refused, Err(ExecuteError::Suspended)), "{refused:?}");
    let refused = ledger.book.rehearse(ledger.envelope(), erase()).await;
    assert!(matches!(refused, Err(ExecuteError::Suspended)), "{refused:?}");
    // Whoever deleted it has died here.
    let (left, others) = (keys_of(&pool, deleted).await, keys_of(&pool, other).await);
    assert!(left > 0 && others > 0);
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from book.keys where tenant_id = $1 for update")
        .bind(deleted)
        .execute(&mut *held)
        .await
        .unwrap();
    let projector = ledger.pools.projector.clone();
    let destroying = tokio::spawn(async move { book::tenants::destroy_left(&projector).await });
    let waits = async || {
        let waiting: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity
                            where datname = current_database() and query like '%destroy_keys%' and wait_event_type = 'Lock')",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        waiting.then_some(())
    };
    until("the destruction's waiting", Duration::from_secs(60), waits).await;
    ledger.tenant = other;
    let rename = json!({"rename": {"name": "Wanda"}});
    ledger
        .does::<User>(theirs, serde_json::from_value(rename).unwrap())
        .await;
    let others = (others, keys_of(&pool, other).await);
    assert!(others.1 >= others.0, "{others:?}");
    held.rollback().await.unwrap();
    assert_eq!(destroying.await.unwrap().unwrap(), left);
    assert_eq!(
        (keys_of(&pool, deleted).await, keys_of(&pool, other).await),
        (0, others.1)
    );
}
