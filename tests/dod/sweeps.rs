//! What nobody needs any more goes: bodies in the object store that no event names, and what deleted tenants have left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use book::{Book, MasterKey, Pools};
use daybook::{Role, Running};
use domain::object::ObjectRef;
use objects::{Objects, Place, Sealing};
use serde_json::json;
use sqlx::PgPool;
use tests::ledger::MASTER_KEY;
use tests::{Client, Database, Service, until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::house::{Source, WAIT, program_with, rows};

/// Longer ago than anything is on its way.
const OLD: Duration = Duration::from_secs(48 * 3_600);
/// All but the role that reads bodies in the store, and sweeps it.
const ROLES: [Role; 4] = [Role::Api, Role::Relay, Role::Projector, Role::Policy];

/// A folder of objects; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("daybook-sweeps-{}", Uuid::new_v4())))
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }

    fn of(&self, tenant: Uuid, sha256: &str) -> PathBuf {
        self.0.join(tenant.to_string()).join(&sha256[..2]).join(sha256)
    }

    /// How many objects a tenant has.
    fn objects(&self, tenant: Uuid) -> usize {
        let Ok(parts) = fs::read_dir(self.0.join(tenant.to_string())) else {
            return 0;
        };
        parts
            .map(|part| fs::read_dir(part.unwrap().path()).unwrap().count())
            .sum()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn age(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - OLD).unwrap();
}

async fn service(folder: &Folder) -> Service {
    let objects = Some(folder.text());
    Service::configured(Database::create().await, ROLES.into(), |config| {
        config.objects = objects
    })
    .await
}

/// Another process, which reads bodies and sweeps.
async fn reactor(service: &Service, folder: &Folder) -> (Running, CancellationToken) {
    let stop = CancellationToken::new();
    let mut config = tests::service::config(&service.database.url(), &service.database.name);
    config.objects = Some(folder.text());
    let contexts = service.database.contexts.clone();
    let running = daybook::serve(config, contexts, vec![Role::Reactor], stop.clone()).await;
    (running.unwrap(), stop)
}

/// A body too large for an event.
fn large_body() -> Vec<u8> {
    let body = json!({ "title": "Large", "description": "x".repeat(300 << 10) });
    body.to_string().into_bytes()
}

/// Delivers one of them.
async fn large(service: &Service, admin: &Client) -> Source {
    let source = Source::entered(admin, json!({ "name": "Prometheus" })).await;
    let (status, told) = source.deliver(service, "", "application/json", large_body()).await;
    assert_eq!(status, 202, "{told}");
    source
}

async fn put(objects: &Objects, tenant: Uuid, number: u32) -> ObjectRef {
    let (key, owner) = (Uuid::now_v7(), Uuid::now_v7());
    let content = format!("orphan {number}").into_bytes();
    objects
        .put(tenant, content.into(), Sealing::Sealed { key, owner })
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_no_event_names_is_swept_and_one_that_an_event_names_is_not() {
    let folder = Folder::new();
    let service = service(&folder).await;
    let (admin, tenant) = (&service.admin, service.tenant);
    large(&service, admin).await;
    let pools = Pools::connect(&service.database.options).await.unwrap();
    let decisions = service.database.contexts.decisions().clone();
    let master = MasterKey::from_hex(MASTER_KEY).unwrap();
    let book = Book::new(pools.writer.clone(), master, decisions);
    let objects = Objects::open(&Place::Folder(folder.0.clone()), book.vault().clone())
        .await
        .unwrap();
    let named = dod_http::fetch::named(&book, tenant).await.unwrap();
    assert_eq!(named.len(), 1, "{named:?}");
    let named = named.into_iter().next().unwrap();
    assert!(dod_http::fetch::named(&book, Uuid::new_v4()).await.unwrap().is_empty());

    // Until one is looked at after the body that is named.
    let (mut orphans, mut number) = (Vec::new(), 0);
    while !orphans.iter().any(|orphan: &ObjectRef| orphan.sha256 > named) || number < 3 {
        orphans.push(put(&objects, tenant, number).await);
        number += 1;
    }
    let young = put(&objects, tenant, number).await;
    // Of another book, for all that this one knows.
    let stranger = Uuid::new_v4();
    let plain = objects.put(stranger, b"of another book".to_vec().into(), Sealing::Plain);
    let foreign = plain.await.unwrap();
    age(&folder.of(stranger, &foreign.sha256));
    let all = orphans
        .iter()
        .map(|orphan| orphan.sha256.as_str())
        .chain([named.as_str()]);
    all.for_each(|sha256| age(&folder.of(tenant, sha256)));

    let (running, stop) = reactor(&service, &folder).await;
    let swept = async || {
        let is_there = |orphan: &ObjectRef| folder.of(tenant, &orphan.sha256).exists();
        (!orphans.iter().any(is_there)).then_some(())
    };
    until("the end of the orphans", WAIT, swept).await;
    assert!(folder.of(tenant, &named).exists(), "it is named");
    assert!(folder.of(tenant, &young.sha256).exists(), "its event may be on its way");
    assert!(
        folder.of(stranger, &foreign.sha256).exists(),
        "its tenant is not known here"
    );
    let recognised = |page: &serde_json::Value| rows(page).iter().any(|row| row["status"] == "recognised");
    admin.until("/v1/dod/deliveries", recognised).await;
    let told = program_with(
        &service.database,
        &["objects", "--verify"],
        &[("DAYBOOK_OBJECTS", &folder.text())],
    )
    .await;
    assert!(told.contains(&format!("{tenant}  active     2 objects, ")), "{told}");
    assert!(told.contains("0 damaged"), "{told}");

    // Once the body is dropped no event names its object any more, and the object goes.
    let due = "update book.timers set due_at = now() where aggregate_type = 'dod.delivery'";
    sqlx::query(due).execute(&pools.owner).await.unwrap();
    let gone = async || (!folder.of(tenant, &named).exists()).then_some(());
    until("the end of the object of a body that is dropped", WAIT, gone).await;
    assert!(dod_http::fetch::named(&book, tenant).await.unwrap().is_empty());
    stop.cancel();
    running.ended().await;
    pools.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_tenant_has_left_goes_and_nothing_of_another() {
    let folder = Folder::new();
    let service = service(&folder).await;
    let (admin, tenant) = (&service.admin, service.tenant);
    let other = Service::start_tenant(&service).await;
    for of in [admin, &other] {
        large(&service, of).await;
    }
    let pool = PgPool::connect_with(service.database.options.clone()).await.unwrap();
    let waiting = async |tenant: Uuid| -> i64 {
        let counting = "select (select count(*) from book.timers where tenant_id = $1)
            + (select count(*) from book.missed where tenant_id = $1) + (select count(*) from book.reactions where tenant_id = $1)";
        sqlx::query_scalar(counting)
            .bind(tenant)
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    // A reaction that was missed, and what a reactor of a former program has left.
    for of in [tenant, other.tenant] {
        for left in [
            "insert into book.missed (policy, event_id, tenant_id, position, error)
             select 'dod-intake', gen_random_uuid(), $1, 1, 'it could not be done'",
            "insert into book.reactors (name, floor, position, kinds) values ('former', 0, 0, '{}') on conflict do nothing",
            "insert into book.reactions (reaction_id, reactor, tenant_id, event_id, position, place, key, lane, target)
             select gen_random_uuid(), 'former', $1, gen_random_uuid(), 1, 0, 'key', gen_random_uuid(), 'target'",
        ] {
            let query = sqlx::query(left);
            let query = if left.contains("$1") { query.bind(of) } else { query };
            query.execute(&pool).await.unwrap();
        }
    }
    let timers = async || (waiting(tenant).await >= 3 && waiting(other.tenant).await >= 3).then_some(());
    until("the timers of both bodies", WAIT, timers).await;
    let theirs = waiting(other.tenant).await;

    let id = tenant.to_string();
    for arguments in [
        &["tenant", "suspend", &id][..],
        &["tenant", "delete", &id, "--called", "A company"],
    ] {
        program_with(&service.database, arguments, &[]).await;
    }
    assert_eq!((folder.objects(tenant), folder.objects(other.tenant)), (1, 1));
    let (running, stop) = reactor(&service, &folder).await;
    let gone = async || (folder.objects(tenant) == 0 && waiting(tenant).await == 0).then_some(());
    until("the end of what the tenant has left", WAIT, gone).await;
    assert_eq!(folder.objects(other.tenant), 1);
    assert!(
        waiting(other.tenant).await >= theirs - 1,
        "its body may be recognised by now"
    );
    stop.cancel();
    running.ended().await;
    pool.close().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_a_suspended_tenant_is_not_stored_and_a_deleted_one_has_no_sender() {
    let folder = Folder::new();
    let service = service(&folder).await;
    let tenant = service.tenant;
    let source = large(&service, &service.admin).await;
    let id = tenant.to_string();
    program_with(&service.database, &["tenant", "suspend", &id], &[]).await;
    let (status, told) = source.deliver(&service, "", "application/json", large_body()).await;
    assert_eq!(status, 503, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("suspended"), "{told}");
    assert_eq!(folder.objects(tenant), 1, "what was there before is all");

    let delete = ["tenant", "delete", &id, "--called", "A company"];
    program_with(&service.database, &delete, &[]).await;
    for body in [large_body(), b"{}".to_vec()] {
        let (status, told) = source.deliver(&service, "", "application/json", body).await;
        assert_eq!(status, 401, "{told}");
    }
    assert_eq!(folder.objects(tenant), 1);
    service.end().await;
}
