//! A dry run is answered as the command would be, and leaves nothing behind.

use std::time::Duration;

use book::{ExecuteError, Rehearsed, Step};
use domain::Decider;
use identity::role::Role;
use identity::user::User;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::service::Reply;
use tests::{Client, Ledger, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(20);

/// Sends a command as a dry run, with these headers besides.
async fn rehearsed(client: &Client, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = client.request(Method::POST, path).header("Daybook-Dry-Run", "true");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.json(body)).await
}

/// Sends it for good.
async fn sent(client: &Client, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
    let mut request = client.request(Method::POST, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.json(body)).await
}

/// How many rows the book has of everything that a command could write.
async fn written(pool: &PgPool) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in ["events", "receipts", "claims", "keys", "timers"] {
        let count = format!("select count(*) from book.{table}");
        counts.push(sqlx::query_scalar(&count).fetch_one(pool).await.unwrap());
    }
    counts
}

async fn pool(service: &Service) -> PgPool {
    PgPool::connect_with(service.database.options.clone()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_what_would_happen_and_nothing_is_written() {
    let service = Service::start().await;
    let (admin, pool) = (&service.admin, pool(&service).await);
    let user = Uuid::now_v7();
    let path = format!("/v1/identity/users/{user}/register");
    let register = json!({"name": "Grace", "email": "grace@example.com"});
    let key = [("Idempotency-Key", "grace")];

    let before = written(&pool).await;
    for _ in 0..2 {
        let reply = rehearsed(admin, &path, &register, &key).await;
        assert_eq!(reply.headers.get("Daybook-Dry-Run").unwrap(), "true");
        assert!(reply.headers.get("Daybook-Position").is_none() && reply.headers.get("ETag").is_none());
        let would = reply.ok();
        assert_eq!(would["dry_run"], true);
        let expected = json!([{
            "aggregate_type": "identity.user", "stream": user, "sequence": 1, "events": ["UserRegistered"],
        }]);
        assert_eq!(would["streams"], expected);
        assert_eq!(would["events"][0]["payload"]["email"], "grace@example.com");
    }
    assert_eq!(written(&pool).await, before);

    // The key is unused as yet, and the command goes as it was told.
    let done = sent(admin, &path, &register, &key).await.ok();
    assert_eq!(
        (&done["sequence"], &done["events"]),
        (&json!(1), &json!(["UserRegistered"]))
    );
    // A dry run under a key that was used looks for no receipt: the command is decided anew.
    let again = rehearsed(admin, &path, &register, &key).await;
    assert!(again.status.is_client_error(), "{}", again.text);
    let other = json!({"name": "Hopper"});
    let path = format!("/v1/identity/users/{user}/rename");
    service.database.settled().await;
    let before = written(&pool).await;
    let reply = rehearsed(admin, &path, &other, &key).await;
    assert_eq!(reply.ok()["streams"][0]["sequence"], 2);
    assert_eq!(written(&pool).await, before);
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_refused_in_the_same_words_by_a_dry_run() {
    let service = Service::start().await;
    let (admin, pool) = (&service.admin, pool(&service).await);
    let stranger = Service::start_tenant(&service).await;
    let clerk = service.person(&["identity.role.define"], &[]).await;
    let [user, role] = [Uuid::now_v7(), Uuid::now_v7()];
    let register = json!({"name": "Grace", "email": "grace@example.com"});
    let path = format!("/v1/identity/users/{user}/register");
    admin.post(&path, &register).await.ok();

    let users = |id: Uuid, command: &str| format!("/v1/identity/users/{id}/{command}");
    let name = json!({"name": "Hopper"});
    let assign = json!({"role_id": role});
    let cases = [
        (admin, users(user, "dance"), &name, vec![], 404),
        (admin, "/v1/identity/dancers".to_owned(), &name, vec![], 404),
        (admin, users(user, "rename"), &assign, vec![], 400),
        (admin, users(user, "rename"), &name, vec![("If-Match", "7")], 412),
        (admin, users(user, "rename"), &name, vec![("If-Match", "x")], 400),
        (admin, users(Uuid::now_v7(), "rename"), &name, vec![], 404),
        (
            admin,
            users(Uuid::now_v7(), "rename"),
            &name,
            vec![("If-Match", "3")],
            404,
        ),
        (admin, users(user, "register"), &register, vec![], 422),
        (admin, users(user, "assign-role"), &assign, vec![], 422),
        // The address is somebody's.
        (admin, users(Uuid::now_v7(), "register"), &register, vec![], 409),
        (&clerk, users(user, "rename"), &name, vec![], 403),
        (&stranger, users(user, "rename"), &name, vec![], 404),
    ];
    let told = |reply: Reply, status: u16| {
        let mut problem = reply.problem(status);
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    };
    service.database.settled().await;
    let (before, mut dry) = (written(&pool).await, Vec::new());
    for (client, path, body, headers, status) in &cases {
        dry.push(told(rehearsed(client, path, body, headers).await, *status));
    }
    assert_eq!(written(&pool).await, before);
    for ((client, path, body, headers, status), dry) in cases.iter().zip(dry) {
        assert_eq!(told(sent(client, path, body, headers).await, *status), dry, "{path}");
    }
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_reads_the_log_sees_the_events_of_a_dry_run() {
    let service = Service::start().await;
    let define = json!({"name": "buyer"});
    let clerk = service.person(&["identity.role.define"], &[]).await;
    let auditor = service.person(&["identity.role.define", "audit.read"], &[]).await;
    let would = rehearsed(&clerk, "/v1/identity/roles", &define, &[]).await.ok();
    assert_eq!(
        (&would["events"], &would["streams"][0]["sequence"]),
        (&Value::Null, &json!(1))
    );
    let would = rehearsed(&auditor, "/v1/identity/roles", &define, &[]).await.ok();
    let event = &would["events"][0];
    assert_eq!(
        (&event["event_type"], &event["sequence"]),
        (&json!("RoleDefined"), &json!(1))
    );
    assert_eq!(event["payload"]["name"], "buyer");
    service.end().await;
}

/// Each guess at a name or an address would be confirmed or not, and nobody would ever see that somebody guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_reads_what_is_personal_rehearses_what_tells_who_people_are() {
    let service = Service::start().await;
    let user = service.admin.user;
    let taken = json!({"name": "Grace", "email": "grace@example.com"});
    service.admin.post("/v1/identity/users", &taken).await.ok();
    let commands = [
        "identity.user.rename",
        "identity.user.change-email",
        "identity.user.register",
    ];
    let clerk = service.person(&commands, &[]).await;
    let registrar = service.person(&[&commands[..], &["personal.read"]].concat(), &[]).await;
    let free = json!({"name": "Ada", "email": "ada@example.com"});
    let cases = [
        (
            format!("/v1/identity/users/{user}/rename"),
            json!({"name": "Hopper"}),
            200,
        ),
        (
            format!("/v1/identity/users/{user}/change-email"),
            json!({"email": "g@example.com"}),
            200,
        ),
        (
            format!("/v1/identity/users/{}/rename", Uuid::now_v7()),
            json!({"name": "Hopper"}),
            404,
        ),
        ("/v1/identity/users".to_owned(), taken, 409),
        ("/v1/identity/users".to_owned(), free, 200),
    ];
    for (path, body, status) in &cases {
        let problem = rehearsed(&clerk, path, body, &[]).await.problem(403);
        assert_eq!(problem["permission"], "personal.read", "{path}");
        assert_eq!(
            problem["detail"],
            "a dry run of a command to identity.user needs the permission personal.read, which none of your roles grants; \
             ask an administrator for a role that does"
        );
        let reply = rehearsed(&registrar, path, body, &[]).await;
        assert_eq!(reply.status, *status, "{path}: {}", reply.text);
    }
    // Sent for good, it leaves its trace.
    let (path, body, _) = &cases[0];
    sent(&clerk, path, body, &[]).await.ok();
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_only_be_done_refuses_a_dry_run() {
    let service = Service::start().await;
    let admin = &service.admin;
    let rebuild = format!("/v1/admin/rebuild/{}", tests::tables()[0].name);
    let policy = tests::policies()[0].name();
    let retry = format!("/v1/admin/policies/{policy}/retry");
    let reactor = service.database.contexts.reactors().next().unwrap().name;
    let again = format!("/v1/admin/reactors/{reactor}/retry");
    let letter = format!("/v1/admin/reactors/{reactor}/letters/{}/retry", admin.user);
    let operator = &service.operator();
    for (client, path) in [
        (operator, &*rebuild),
        (admin, &retry),
        (admin, &again),
        (admin, &letter),
        (admin, "/v1/admin/unpark"),
    ] {
        let problem = rehearsed(client, path, &json!({}), &[]).await.problem(400);
        assert_eq!(problem["field"], "Daybook-Dry-Run", "{path}");
    }
    operator.get(&rebuild).await.problem(404);
    let user = format!("/v1/identity/users/{}/deactivate", admin.user);
    let unclear = sent(admin, &user, &json!({}), &[("Daybook-Dry-Run", "yes")])
        .await
        .problem(400);
    assert_eq!(unclear["field"], "Daybook-Dry-Run");
    service.end().await;
}

/// Rehearses a command while something else happens to a stream: after the decision, and before it is asked whether
/// everything is still as it was. The stream has one event as yet.
async fn rehearsed_while<D: Decider>(
    ledger: &Ledger,
    (stream, if_match, command): (Uuid, Option<i64>, Value),
    (moves, event_type, payload): (Uuid, &str, Value),
) -> Result<Rehearsed, ExecuteError> {
    let pool = &ledger.pools.owner;
    let mut held = pool.begin().await.unwrap();
    // No decision reads the claims.
    sqlx::query("lock table book.claims in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let step = Step::of::<D>(stream, if_match, serde_json::from_value(command).unwrap());
    let (book, envelope) = (ledger.book.clone(), ledger.envelope());
    let rehearsing = tokio::spawn(async move { book.rehearse(envelope, vec![step]).await });
    let waits = "select exists (select from pg_locks where relation = 'book.claims'::regclass and not granted)";
    until("the dry run's question", WAIT, async || {
        let waits: bool = sqlx::query_scalar(waits).fetch_one(pool).await.unwrap();
        waits.then_some(())
    })
    .await;
    sqlx::query(
        "insert into book.events
         select book.last_position() + 1, gen_random_uuid(), tenant_id, aggregate_type, aggregate_id, sequence + 1, $2,
                '1', $3::json, metadata, recorded_at
         from book.events where aggregate_id = $1",
    )
    .bind(moves.to_string())
    .bind(event_type)
    .bind(payload.to_string())
    .execute(&mut *held)
    .await
    .unwrap();
    held.commit().await.unwrap();
    rehearsing.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_accepts_nothing_that_no_moment_of_the_book_would_have_accepted() {
    let ledger = Ledger::open().await;
    let [role, other, user] = [(); 3].map(|()| Uuid::now_v7());
    for role in [role, other] {
        let define = json!({"define": {"name": role.simple().to_string(), "permissions": []}});
        ledger.does::<Role>(role, serde_json::from_value(define).unwrap()).await;
    }
    let register = json!({"register": {"name": "Grace", "email": "grace@example.com"}});
    ledger
        .does::<User>(user, serde_json::from_value(register).unwrap())
        .await;
    let assign = json!({"assign-role": {"role_id": role}});

    // What has nothing to do with it changes nothing.
    let retired = (other, "RoleRetired", json!({"revoked": []}));
    let assigned = rehearsed_while::<User>(&ledger, (user, None, assign.clone()), retired).await;
    assert_eq!(assigned.unwrap().events[0].event_type, "UserRoleAssigned");
    // A fact that moves on is read anew.
    let retired = (role, "RoleRetired", json!({"revoked": []}));
    let refused = rehearsed_while::<User>(&ledger, (user, None, assign), retired).await;
    assert!(matches!(&refused, Err(ExecuteError::Refused(_))), "{refused:?}");
    // And so is the stream itself, which is not where the sender wants it any more.
    let deactivate = (user, Some(1), json!({"deactivate": {}}));
    let deactivated = (user, "UserDeactivated", json!({}));
    let moved = rehearsed_while::<User>(&ledger, deactivate, deactivated).await;
    let Err(ExecuteError::Moved {
        expected: 1,
        sequence: 2,
    }) = moved
    else {
        panic!("{moved:?}");
    };
}
