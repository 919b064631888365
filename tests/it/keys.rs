//! Keys that are wrapped anew, and a bus that gets another one, while everything goes on.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use book::{Book, BookError, ExecuteError, Feed, MasterKey, Step, Tail, Vault, rotation};
use cloudwatcher::part::Part;
use domain::register::{Command, Register};
use identity::user::User;
use serde_json::{Value, json};
use tests::ledger::MASTER_KEY;
use tests::process::Process;
use tests::service::administrator;
use tests::{Client, Database, Ledger, until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::relay::{enter, follow, mirrored};

const WAIT: Duration = Duration::from_secs(60);
/// The master key that takes the other's place.
const NEXT: &str = "f00df00df00df00df00df00df00df00df00df00df00df00df00df00df00df00d";
const PARTS: &str = "/v1/cloudwatcher/parts";
/// How many commands are taken before the keys are wrapped anew, and after that.
const BESIDE: usize = 30;

/// What `daybook keys ...` says with these master keys; its complaint when it fails.
async fn keys(database: &Database, arguments: &[&str], master: &str, next: Option<&str>) -> Result<String, String> {
    let mut command = tokio::process::Command::new(tests::setting("DAYBOOK_BIN"));
    command
        .arg("keys")
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .env("DAYBOOK_MASTER_KEY", master)
        .env_remove("DAYBOOK_MASTER_KEY_NEXT")
        .stdin(Stdio::null());
    if let Some(next) = next {
        command.env("DAYBOOK_MASTER_KEY_NEXT", next);
    }
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

fn part(n: usize) -> Value {
    json!({"part_code": format!("P-{n}"), "name": "bolt"})
}

/// Takes a value at one process and has it refused at the other, registers a person, and again until stopped. How many
/// values it took.
async fn commands(here: Client, there: Client, from: usize, stop: CancellationToken, all: Arc<AtomicUsize>) -> usize {
    let mut taken = 0;
    while !stop.is_cancelled() {
        let n = from + taken;
        here.post(PARTS, &part(n)).await.ok();
        assert_eq!(
            there.post(PARTS, &part(n)).await.problem(409)["type"],
            "/problems/claimed"
        );
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let person = json!({"name": format!("Person {n}"), "email": email});
        let path = format!("/v1/identity/users/{}/register", Uuid::now_v7());
        there.post(&path, &person).await.ok();
        taken += 1;
        all.fetch_add(1, Ordering::Relaxed);
    }
    taken
}

/// Waits until so many more were taken.
async fn more(all: &AtomicUsize) {
    let before = all.load(Ordering::Relaxed);
    let went_on = async || (all.load(Ordering::Relaxed) >= before + BESIDE).then_some(());
    until("commands to go on", WAIT, went_on).await;
}

async fn count(database: &Database, query: &str) -> i64 {
    let pool = sqlx::PgPool::connect_with(database.options.clone()).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_hold_through_a_rotation_while_two_processes_serve() {
    let database = Database::create().await;
    let (url, nats, name) = (database.url(), tests::setting("NATS_URL"), database.name.clone());
    let roles = "api,relay,projector,policy";
    let first = Process::start(&url, &nats, &name, roles).await;
    let second = Process::start(&url, &nats, &name, roles).await;
    let admin = administrator(&database, &first.url, Uuid::new_v4()).await;
    let other = admin.at(&second.url);

    let (stop, all) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let sending = |here: &Client, there: &Client, from| {
        tokio::spawn(commands(here.clone(), there.clone(), from, stop.clone(), all.clone()))
    };
    let sent = [sending(&admin, &other, 0), sending(&other, &admin, 1_000_000)];
    more(&all).await;
    let told = keys(&database, &["rotate"], MASTER_KEY, Some(NEXT)).await.unwrap();
    assert!(told.contains("are wrapped by wrapping key 2"), "{told}");
    more(&all).await;
    stop.cancel();
    let mut taken = Vec::new();
    for sent in sent {
        taken.push(sent.await.unwrap());
    }
    assert!(taken.iter().all(|taken| *taken > 5), "{taken:?}");

    // Nothing is wrapped by the former key, or can be reached by it.
    let former = "select count(*) from book.keys where wrapped is not null and octet_length(wrapped) <> 64";
    assert_eq!(count(&database, former).await, 0);
    let bridges = "select count(*) from book.secrets where bridge is not null";
    assert_eq!(count(&database, bridges).await, 0);
    // Nor did anybody fail to read what the other had written.
    assert_eq!(count(&database, "select count(*) from book.parked").await, 0);
    let unread = "select count(*) from cloudwatcher.users where name is null or email is null";
    let end = admin.post(PARTS, &part(5_000_000)).await.position();
    admin.get_after(PARTS, end).await.ok();
    assert_eq!(count(&database, unread).await, 0);

    // Who has the former master key alone neither starts nor rotates; who has the next does, and a second run is none.
    let refused = keys(&database, &["rotate", "--bus"], MASTER_KEY, None)
        .await
        .unwrap_err();
    assert!(refused.contains("DAYBOOK_MASTER_KEY is not the one"), "{refused}");
    let stranger = "0bad".repeat(16);
    keys(&database, &["rotate"], &stranger, Some(MASTER_KEY))
        .await
        .unwrap_err();
    let again = keys(&database, &["rotate"], MASTER_KEY, Some(NEXT)).await.unwrap();
    assert!(
        again.contains("an earlier run had begun it") && again.contains("0 keys"),
        "{again}"
    );
    let listed = keys(&database, &["list"], NEXT, None).await.unwrap();
    assert!(listed.contains("wrapping 2") && listed.contains("claims 1"), "{listed}");

    // A process of either setting goes on where the first one was, beside one that has the former key alone.
    first.kill();
    let settings = [
        [("DAYBOOK_MASTER_KEY", NEXT), ("DAYBOOK_MASTER_KEY_NEXT", "")],
        [("DAYBOOK_MASTER_KEY", MASTER_KEY), ("DAYBOOK_MASTER_KEY_NEXT", NEXT)],
    ];
    for (n, environment) in settings.into_iter().enumerate() {
        let process = Process::start_with(&url, &nats, &name, roles, &environment).await;
        let third = admin.at(&process.url);
        for (from, taken) in [0, 1_000_000].into_iter().zip(&taken) {
            for n in [from, from + taken - 1] {
                assert_eq!(
                    third.post(PARTS, &part(n)).await.problem(409)["type"],
                    "/problems/claimed"
                );
            }
        }
        let beside = CancellationToken::new();
        let from = 2_000_000 + 1_000_000 * n;
        let sending = tokio::spawn(commands(third, other.clone(), from, beside.clone(), all.clone()));
        more(&all).await;
        beside.cancel();
        assert!(sending.await.unwrap() > 0);
    }
    assert_eq!(count(&database, former).await, 0);
    assert_eq!(count(&database, "select count(*) from book.parked").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_key_neither_starts_nor_frees_a_claim() {
    let ledger = Ledger::open().await;
    let enter = || {
        let part: Part = serde_json::from_value(part(1)).unwrap();
        vec![Step::of::<Register<Part>>(Uuid::now_v7(), None, Command::Enter(part))]
    };
    ledger.book.execute(ledger.envelope(), enter()).await.unwrap();
    let stranger = MasterKey::from_hex(NEXT).unwrap();
    let pool = ledger.pools.writer.clone();
    let vault = book::Vault::new(pool.clone(), stranger.clone());
    assert!(matches!(vault.verify().await, Err(BookError::Key(_))));
    let book = Book::new(pool, stranger, ledger.database.contexts.decisions().clone());
    let refused = book.execute(ledger.envelope(), enter()).await;
    assert!(
        matches!(refused, Err(ExecuteError::Book(BookError::Key(_)))),
        "{refused:?}"
    );
    let refused = ledger.book.execute(ledger.envelope(), enter()).await;
    assert!(matches!(refused, Err(ExecuteError::Claimed { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_gets_another_key_and_former_messages_stay_until_none_is_accepted() {
    let ledger = Ledger::open().await;
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let relay = ledger.relay();
    enter(&ledger, 20).await;
    let made = mirrored(&ledger, 20).await.cached_info().created;
    assert_eq!(
        rotation::rotate_bus(&ledger.pools.owner, &master, false).await.unwrap(),
        2
    );
    // Each process uses it once it has looked.
    let end = AtomicUsize::new(20);
    let signed = async |generation: &str| {
        enter(&ledger, 1).await;
        let last = end.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let stream = mirrored(&ledger, last).await;
        let message = stream.get_raw_message(last).await.unwrap();
        let code = message.headers.get("daybook-code").unwrap().as_str().to_owned();
        code.starts_with(generation).then_some(stream)
    };
    let (stream, _) = until("messages under the new key", WAIT, async || signed("2.").await).await;
    assert_eq!(stream.cached_info().created, made, "former messages stay");
    let first = stream.get_raw_message(1).await.unwrap();
    assert!(first.headers.get("daybook-code").unwrap().as_str().starts_with("1."));
    let mut feed = Feed::new(ledger.tail.clone(), ledger.bus.clone(), 0);
    follow(&mut feed, 0, end.load(Ordering::Relaxed) as i64).await;

    assert_eq!(
        rotation::rotate_bus(&ledger.pools.owner, &master, true).await.unwrap(),
        3
    );
    let anew = async || {
        let stream = signed("3.").await?;
        (stream.cached_info().created != made).then_some(stream)
    };
    let (stream, _) = until("a stream under the third key", WAIT, anew).await;
    let first = stream.get_raw_message(1).await.unwrap();
    assert!(first.headers.get("daybook-code").unwrap().as_str().starts_with("3."));
    ledger.stop.cancel();
    relay.await.unwrap();
}

/// Registers a person, and renames them.
async fn person(ledger: &Ledger) -> Uuid {
    let user = Uuid::now_v7();
    let register = json!({"register": {"name": "Ada", "email": format!("{}@example.com", user.simple())}});
    ledger
        .does::<User>(user, serde_json::from_value(register).unwrap())
        .await;
    user
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_nothing_has_wrapped_keeps_no_other_from_being_read_or_wrapped_anew() {
    let ledger = Ledger::open().await;
    let (one, other) = (person(&ledger).await, person(&ledger).await);
    let wrapped = "update book.keys set wrapped = '\\x00000042'::bytea || wrapped where subject = $1";
    sqlx::query(wrapped)
        .bind(one)
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    let tail = Tail::new(
        ledger.pools.projector.clone(),
        Vault::new(ledger.pools.projector.clone(), MasterKey::from_hex(MASTER_KEY).unwrap()),
    );
    let read = tail.at(&[1, 2]).await.unwrap();
    assert_eq!(read[0].metadata.unopened, ["email", "name"], "{:?}", read[0]);
    assert!(
        read[1].metadata.unopened.is_empty() && read[1].event.contains("Ada"),
        "{:?}",
        read[1]
    );
    let [master, next] = [MASTER_KEY, NEXT].map(|key| MasterKey::from_hex(key).unwrap());
    rotation::rotate(&ledger.pools.owner, &master, &next).await.unwrap();
    let former = "select subject from book.keys where substring(wrapped from 1 for 4) <> '\\x00000002'::bytea";
    let former: Vec<Uuid> = sqlx::query_scalar(former).fetch_all(&ledger.pools.owner).await.unwrap();
    assert_eq!(former, [one]);
    assert_ne!(one, other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_whose_key_was_lost_gets_another_one_that_opens_nothing_of_before() {
    let ledger = Ledger::open().await;
    let user = person(&ledger).await;
    // The book was restored, and its keys were not.
    sqlx::query("delete from book.keys where subject = $1")
        .bind(user)
        .execute(&ledger.pools.owner)
        .await
        .unwrap();
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let book = Book::new(ledger.pools.writer.clone(), master, tests::decisions());
    let rename = serde_json::from_value(json!({"rename": {"name": "Grace"}})).unwrap();
    let refused = book
        .execute(ledger.envelope(), vec![Step::of::<User>(user, None, rename)])
        .await;
    assert!(
        matches!(refused, Err(ExecuteError::Book(BookError::Key(_)))),
        "{refused:?}"
    );
    let anew = format!("select count(*) from book.keys where subject = '{user}'");
    assert_eq!(count(&ledger.database, &anew).await, 0);
    // What is not sealed goes on.
    let deactivate = serde_json::from_value(json!({"deactivate": {}})).unwrap();
    book.execute(ledger.envelope(), vec![Step::of::<User>(user, None, deactivate)])
        .await
        .unwrap();
}
