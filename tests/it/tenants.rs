//! Tenants and their administrators: who makes them, who stays, and what becomes of a tenant that is stopped or ended.

use std::time::Duration;

use cloudwatcher::approval_policy::ApprovalPolicy;
use daybook::Role;
use daybook::cli::{self, Typed};
use domain::register::OnePerTenant;
use identity::role;
use identity::user::User;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::foreign::caught_up;
use tests::service::{arguments, keep_secret};
use tests::{Client, Database, Ledger, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(60);
const LAST: &str = "last-administrator";

/// What whoever operates Daybook types.
async fn typed(service: &Service, words: &[&str]) -> Result<(), daybook::Fault> {
    let mut all = arguments(&service.database.name);
    all.extend(words.iter().map(|&word| word.to_owned()));
    let mut typed = Typed::parse_from(&service.database.contexts, all).unwrap();
    keep_secret(&mut typed.config, &service.database.url());
    cli::run(typed, service.database.contexts.clone()).await
}

async fn pool(service: &Service) -> PgPool {
    PgPool::connect_with(service.database.options.clone()).await.unwrap()
}

async fn count(pool: &PgPool, query: &str, tenant: Uuid) -> i64 {
    sqlx::query_scalar(query).bind(tenant).fetch_one(pool).await.unwrap()
}

/// The id of the only role of somebody.
async fn role_of(client: &Client) -> String {
    let me = client.get("/v1/me").await.ok();
    let [role] = me["roles"].as_array().unwrap().as_slice() else {
        panic!("{me}")
    };
    role["id"].as_str().unwrap().to_owned()
}

/// What somebody may send to lose the last administrator: themself, or their role.
async fn farewells(client: &Client) -> Vec<(String, Value)> {
    let (user, role) = (client.user, role_of(client).await);
    vec![
        (format!("/v1/identity/users/{user}/deactivate"), json!({})),
        (
            format!("/v1/identity/users/{user}/unassign-role"),
            json!({"role_id": role}),
        ),
        (format!("/v1/identity/users/{user}/erase"), json!({})),
        (format!("/v1/identity/roles/{role}/revoke"), json!({"permission": "*"})),
        (format!("/v1/identity/roles/{role}/retire"), json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_of_a_tenant_stays_whatever_they_send() {
    let service = Service::start().await;
    let admin = &service.admin;
    // Neither another tenant's nor one who is gone counts, nor one who may do nearly everything.
    Service::start_tenant(&service).await;
    let gone = service.person(&["*"], &[]).await;
    let deactivate = format!("/v1/identity/users/{}/deactivate", gone.user);
    admin.post(&deactivate, &json!({})).await.ok();
    service.person(&["identity.*", "cloudwatcher.*", "audit.*"], &[]).await;
    // Nor a service, which speaks by keys that somebody has to issue.
    let (robot, email) = (Uuid::now_v7(), format!("{}@example.com", Uuid::now_v7().simple()));
    let register = json!({"name": "Robot", "email": email, "oauth_provider": "service"});
    let everything = json!({"role_id": role_of(admin).await});
    for (word, body) in [("register", register), ("assign-role", everything)] {
        let path = format!("/v1/identity/users/{robot}/{word}");
        admin.post(&path, &body).await.ok();
    }
    for (path, body) in farewells(admin).await {
        let refused = admin.post(&path, &body).await.problem(422);
        assert_eq!(refused["rule"], LAST, "{path}: {refused}");
        let dry = admin.request(Method::POST, &path).header("Daybook-Dry-Run", "true");
        let refused = admin.send(dry.json(&body)).await.problem(422);
        assert_eq!(refused["rule"], LAST, "{path}: {refused}");
    }
    // With a second one beside, each of them is accepted.
    for nth in 0..5 {
        let second = service.person(&["*"], &[]).await;
        let (path, body) = farewells(&second).await.remove(nth);
        let dry = admin.request(Method::POST, &path).header("Daybook-Dry-Run", "true");
        admin.send(dry.json(&body)).await.ok();
        admin.post(&path, &body).await.ok();
        second
            .post("/v1/identity/departments", &json!({"name": "a"}))
            .await
            .problem(403);
    }
    // The second may send away the first, and is the last one then.
    let second = service.person(&["*"], &[]).await;
    let (path, body) = farewells(admin).await.remove(2);
    second.post(&path, &body).await.ok();
    for (path, body) in farewells(&second).await {
        let refused = second.post(&path, &body).await.problem(422);
        assert_eq!(refused["rule"], LAST, "{path}: {refused}");
    }
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_administrators_who_remove_each_other_at_one_moment_one_stays() {
    let service = Service::start().await;
    let (running, url, stop) = service.beside(vec![Role::Api]).await;
    let (mut one, mut other) = (service.admin.clone(), service.person(&["*"], &[]).await.at(&url));
    for round in 0..5 {
        let removes = async |by: &Client, whom: &Client| {
            let path = format!("/v1/identity/users/{}/deactivate", whom.user);
            by.post(&path, &json!({})).await
        };
        let (first, second) = tokio::join!(removes(&one, &other), removes(&other, &one));
        let statuses = [first.status.as_u16(), second.status.as_u16()];
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            1,
            "round {round}: {} {}",
            first.text,
            second.text
        );
        if statuses[0] != 200 {
            std::mem::swap(&mut one, &mut other);
        }
        let path = format!("/v1/identity/users/{}/reactivate", other.user);
        one.post(&path, &json!({})).await.ok();
        // The other process has heard of it.
        let back = async || (other.get("/v1/me").await.status == 200).then_some(());
        until("the other one's coming back", WAIT, back).await;
    }
    stop.cancel();
    running.ended().await;
    service.end().await;
}

/// An order that a buyer has submitted, and whoever is asked to approve it.
async fn submitted(service: &Service) -> Uuid {
    let admin = &service.admin;
    let [works, acme, bolt, order] = std::array::from_fn(|_| Uuid::now_v7());
    let levels = json!({"currencies": [{"currency": "EUR", "thresholds": ["0"]}]});
    let item = json!({"part_id": bolt, "supplier_id": acme, "quantity": 3, "unit_price": "1.25"});
    let approver = service.person(&["orders.approve"], &[]).await;
    for (path, body) in [
        (
            format!("identity/departments/{works}/enter"),
            json!({"name": "works", "manager_id": approver.user}),
        ),
        (format!("cloudwatcher/suppliers/{acme}/enter"), json!({"name": "Acme"})),
        (
            format!("cloudwatcher/parts/{bolt}/enter"),
            json!({"part_code": bolt.simple().to_string(), "name": "bolt"}),
        ),
        (
            format!(
                "cloudwatcher/approval-policies/{}/enter",
                ApprovalPolicy::stream(admin.tenant)
            ),
            levels,
        ),
        (
            format!("cloudwatcher/orders/{order}/draft"),
            json!({"department_id": works, "currency": "EUR", "items": [item]}),
        ),
        (format!("cloudwatcher/orders/{order}/submit"), json!({})),
    ] {
        admin.post(&format!("/v1/{path}"), &body).await.ok();
    }
    order
}

/// A stock key with goods, as the path of its commands.
async fn stocked(admin: &Client) -> String {
    let [works, depot, bolt] = std::array::from_fn(|_| Uuid::now_v7());
    for (path, body) in [
        (format!("identity/departments/{works}/enter"), json!({"name": "stores"})),
        (
            format!("cloudwatcher/parts/{bolt}/enter"),
            json!({"part_code": bolt.simple().to_string(), "name": "bolt"}),
        ),
        (
            format!("cloudwatcher/locations/{depot}/enter"),
            json!({"name": "depot", "dept_id": works, "location_type": "depot"}),
        ),
    ] {
        admin.post(&format!("/v1/{path}"), &body).await.ok();
    }
    let open = json!({"part_id": bolt, "location_id": depot});
    let made = admin.post("/v1/cloudwatcher/inventory", &open).await.ok();
    let stock = format!("/v1/cloudwatcher/inventory/{}", made["stream"].as_str().unwrap());
    admin
        .post(&format!("{stock}/receive"), &json!({"quantity": 10}))
        .await
        .ok();
    stock
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_tenant_reads_and_commands_nothing_and_what_waits_for_it_is_done_once_it_goes_on() {
    // Nobody reacts yet.
    let database = Database::create().await;
    let service = Service::over(database, vec![Role::Api, Role::Relay, Role::Projector]).await;
    let (admin, pool) = (&service.admin, pool(&service).await);
    let other = Service::start_tenant(&service).await;
    let order = submitted(&service).await;
    let id = service.tenant.to_string();
    typed(&service, &["tenant", "suspend", &id, "--reason", "it does not pay"])
        .await
        .unwrap();
    typed(&service, &["tenant", "suspend", &id]).await.unwrap();

    let request = json!({"device_id": "d", "request_type": "get_parts", "payload": {}});
    let commands = [
        ("/v1/cloudwatcher/suppliers".to_owned(), json!({"name": "Acme"})),
        ("/v1/cloudwatcher/requests".to_owned(), request),
        (format!("/v1/cloudwatcher/orders/{order}/cancel"), json!({})),
        (
            format!("/v1/identity/users/{}/rename", admin.user),
            json!({"name": "Ada"}),
        ),
    ];
    for (path, body) in &commands {
        // Whatever would not be accepted in any case is told so, too.
        let sending = || {
            admin
                .request(Method::POST, path)
                .header("Daybook-Reason", "a test")
                .json(body)
        };
        let refused = admin.send(sending()).await.problem(403);
        assert_eq!(refused["type"], "/problems/suspended", "{path}: {refused}");
        let refused = admin
            .send(sending().header("Daybook-Dry-Run", "true"))
            .await
            .problem(403);
        assert_eq!(refused["type"], "/problems/suspended", "{path}: {refused}");
    }
    let me = admin.get("/v1/me").await.ok();
    assert_eq!(
        me["tenant"],
        json!({"id": service.tenant, "name": "A company", "standing": "suspended"})
    );
    admin.get(&format!("/v1/cloudwatcher/orders/{order}")).await.ok();
    admin.get("/v1/events").await.ok();
    other.post(&commands[0].0, &commands[0].1).await.ok();

    // Policies go past the order, and what they would do of it waits.
    let (running, _, stop) = service.beside(vec![Role::Policy]).await;
    caught_up(&pool).await;
    let waits = "select count(*) from book.missed where waits and tenant_id = $1";
    let missed = "select count(*) from book.missed where not waits and tenant_id = $1";
    let asked = "select count(*) from book.events where event_type = 'ApprovalAsked' and tenant_id = $1";
    assert!(count(&pool, waits, service.tenant).await > 0);
    assert_eq!(count(&pool, asked, service.tenant).await, 0);
    assert_eq!(count(&pool, missed, service.tenant).await, 0, "nothing has failed");
    typed(&service, &["tenant", "resume", &id]).await.unwrap();
    let done = async || (count(&pool, asked, service.tenant).await == 1).then_some(());
    until("the approval that waited", WAIT, done).await;
    let none = async || (count(&pool, waits, service.tenant).await == 0).then_some(());
    until("nothing to wait", WAIT, none).await;

    // So do its timers: goods are kept for somebody until a moment in which the tenant is suspended.
    let stock = stocked(admin).await;
    // Time enough to suspend it before, on a busy machine, too.
    let expires_at = chrono::Utc::now() + chrono::TimeDelta::seconds(10);
    let reserve = json!({"quantity": 4, "expires_at": expires_at});
    admin.post(&format!("{stock}/reserve"), &reserve).await.ok();
    typed(&service, &["tenant", "suspend", &id]).await.unwrap();
    let waits = "select count(*) from book.timers where waits and tenant_id = $1";
    let held = async || (count(&pool, waits, service.tenant).await == 1).then_some(());
    until("the reservation's end to wait", WAIT, held).await;
    let expired = "select count(*) from book.events where event_type = 'ReservationExpired' and tenant_id = $1";
    assert_eq!(count(&pool, expired, service.tenant).await, 0);
    typed(&service, &["tenant", "resume", &id]).await.unwrap();
    let fired = async || (count(&pool, expired, service.tenant).await == 1).then_some(());
    until("the reservation's end", WAIT, fired).await;
    admin.post(&commands[0].0, &json!({"name": "Acme again"})).await.ok();
    assert_eq!(count(&pool, missed, service.tenant).await, 0, "nothing has failed");
    stop.cancel();
    running.ended().await;
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_tenant_has_no_keys_and_no_rows_and_nobody_of_it_signs_in() {
    let service = Service::start().await;
    let (admin, pool) = (&service.admin, pool(&service).await);
    let other = Service::start_tenant(&service).await;
    submitted(&service).await;
    let theirs = other
        .post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"}))
        .await
        .position();
    let id = service.tenant.to_string();
    let delete = ["tenant", "delete", &id, "--called", "A company"];
    let active = typed(&service, &delete).await.unwrap_err().to_string();
    assert!(active.contains("suspend it first"), "{active}");
    typed(&service, &["tenant", "suspend", &id]).await.unwrap();
    let other_name = ["tenant", "delete", &id, "--called", "Another company"];
    let mistaken = typed(&service, &other_name).await.unwrap_err().to_string();
    assert!(mistaken.contains("\"A company\""), "{mistaken}");
    let keys = "select count(*) from book.keys where wrapped is not null and tenant_id = $1";
    assert!(count(&pool, keys, service.tenant).await > 0);
    for _ in 0..2 {
        typed(&service, &delete).await.unwrap();
        assert_eq!(count(&pool, keys, service.tenant).await, 0);
    }
    assert!(count(&pool, keys, other.tenant).await > 0);
    let refused = async || {
        let reply = admin.get("/v1/me").await;
        (reply.status == 403).then(|| reply.problem(403))
    };
    let refused = until("nobody's signing in", WAIT, refused).await.0;
    assert_eq!(refused["type"], "/problems/tenant-deleted", "{refused}");
    for words in [
        vec!["tenant", "resume", &id],
        vec!["admin", "--tenant", &id, "--email", "a@b.example", "--name", "A"],
    ] {
        let gone = typed(&service, &words).await.unwrap_err().to_string();
        assert!(gone.contains("deleted"), "{gone}");
    }
    for table in tests::tables().iter().flat_map(|context| context.all_tables()) {
        let rows = format!(
            "select count(*) from {}.{} where tenant_id = $1",
            table.context, table.name
        );
        assert_eq!(count(&pool, &rows, service.tenant).await, 0, "{}", table.name);
    }
    // A rebuild makes none of them again, and the other tenant's are the same.
    let operator = service.operator();
    let rebuild = "/v1/admin/rebuild/cloudwatcher";
    let done = async || {
        // Whoever sweeps former generations may be at work on the same tables.
        assert_eq!(operator.post(rebuild, &json!({})).await.status, 202);
        let ended = async || {
            let rebuild = operator.get(rebuild).await.ok();
            (rebuild["state"] != "running").then_some(rebuild)
        };
        let rebuilt = until("the end of the rebuild", WAIT, ended).await.0;
        (rebuilt["error"] != "cloudwatcher is being rebuilt already").then_some(rebuilt)
    };
    let rebuilt = until("the rebuild", WAIT, done).await.0;
    assert_eq!(rebuilt["state"], "done", "{rebuilt}");
    let rows = "select count(*) from cloudwatcher.users where tenant_id = $1";
    assert_eq!(count(&pool, rows, service.tenant).await, 0);
    let seen = other.get_after("/v1/cloudwatcher/suppliers", theirs).await.ok();
    assert_eq!(seen["rows"].as_array().unwrap().len(), 1);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_was_there_before_tenants_were_told_of_gets_a_stream_once() {
    let ledger = Ledger::open().await;
    let register = json!({"register": {"name": "Ada", "email": "ada@example.com"}});
    ledger
        .does::<User>(ledger.actor, serde_json::from_value(register).unwrap())
        .await;
    let Ledger {
        database,
        tenant,
        pools,
        ..
    } = ledger;
    pools.close().await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    let service = Service::over(database, vec![Role::Api]).await;
    let (running, _, stop) = service.beside(vec![Role::Api]).await;
    for told_of in [tenant, service.tenant] {
        let created = "select count(*) from book.events where event_type = 'TenantCreated' and tenant_id = $1";
        assert_eq!(count(&pool, created, told_of).await, 1);
        let active = "select count(*) from book.tenants where standing = 'active' and tenant_id = $1";
        assert_eq!(count(&pool, active, told_of).await, 1);
    }
    // And may be stopped like any other.
    typed(&service, &["tenant", "suspend", &tenant.to_string()])
        .await
        .unwrap();
    typed(&service, &["tenant", "list"]).await.unwrap();
    stop.cancel();
    running.ended().await;
    pool.close().await;
    service.end().await;
}

/// An event that no command would have made.
async fn happened(pool: &PgPool, kind: &str, stream: &str, event_type: &str, payload: Value) {
    let mut transaction = pool.begin().await.unwrap();
    // As every append does: policies write meanwhile.
    sqlx::query("select pg_advisory_xact_lock(7236270102)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query(
        "insert into book.events
         select book.last_position() + 1, gen_random_uuid(), tenant_id, aggregate_type, aggregate_id, sequence + 1, $3,
                '1', $4::json, metadata, recorded_at
         from book.events where aggregate_type = $1 and aggregate_id = $2 order by sequence desc limit 1",
    )
    .bind(kind)
    .bind(stream)
    .bind(event_type)
    .bind(payload.to_string())
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_installation_needs_no_demo_and_whoever_is_locked_out_is_brought_back() {
    let service = Service::start().await;
    let pool = pool(&service).await;
    let (tenant, user) = (Uuid::now_v7(), Uuid::now_v7());
    let (id, sub) = (tenant.to_string(), user.to_string());
    let first = [
        "admin",
        "--tenant",
        &id,
        "--email",
        "grace@example.com",
        "--name",
        "Grace",
        "--user",
        &sub,
    ];
    let nowhere = typed(&service, &first).await.unwrap_err().to_string();
    assert!(nowhere.contains("daybook tenant create"), "{nowhere}");
    typed(&service, &["tenant", "create", "Acme", "--id", &id])
        .await
        .unwrap();
    let twice = typed(&service, &["tenant", "create", "Acme", "--id", &id])
        .await
        .unwrap_err()
        .to_string();
    assert!(twice.contains("there already"), "{twice}");
    typed(&service, &["tenant", "rename", &id, "Acme & Sons"])
        .await
        .unwrap();
    let nameless = typed(&service, &["admin", "--tenant", &id, "--user", &sub])
        .await
        .unwrap_err()
        .to_string();
    assert!(nameless.contains("--email and --name"), "{nameless}");
    for _ in 0..2 {
        typed(&service, &first).await.unwrap();
    }
    // The token is whoever's, as long as it says who.
    let grace = Client::new(&service.url, tenant, user);
    let me = grace.get("/v1/me").await.ok();
    assert_eq!(
        (&me["user"]["name"], &me["tenant"]["name"], &me["granted"]),
        (&json!("Grace"), &json!("Acme & Sons"), &json!(["*"])),
        "{me}"
    );
    grace
        .post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"}))
        .await
        .ok();

    // Nobody is left who could let her in again: by what a program of before let happen.
    happened(&pool, "identity.user", &sub, "UserDeactivated", json!({})).await;
    let role = http::roles::id(tenant, "admin").to_string();
    happened(&pool, "identity.role", &role, "RoleRetired", json!({"revoked": []})).await;
    let out = async || (grace.get("/v1/me").await.status == 403).then_some(());
    until("her being locked out", WAIT, out).await;
    typed(&service, &["admin", "--tenant", &id, "--user", &sub])
        .await
        .unwrap();
    let back = async || {
        let me = grace.get("/v1/me").await;
        (me.status == 200).then(|| me.ok())
    };
    let me = until("her coming back", WAIT, back).await.0;
    assert_eq!(me["granted"], json!([role::EVERYTHING]), "{me}");
    pool.close().await;
    service.end().await;
}
