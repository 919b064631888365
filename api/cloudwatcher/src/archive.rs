//! Retention: closed requests of devices that are old leave the tables, and are kept in archives.

pub mod command;

use archives::{ArchiveWorker, Archiver, Archives, Kind, Manifest, Member, Part};
use book::{Book, BookError, Step};
use chrono::TimeDelta;
use cloudwatcher::device_policy::DevicePolicy;
use cloudwatcher::request::{Command, DeviceRequest};
use domain::Decider as _;
use domain::register::{OnePerTenant, Register};
use futures::FutureExt as _;
use http::crew::Worker;
use uuid::Uuid;

/// The worker that archives what is due, now and then.
pub static WORKER: Worker = Worker {
    name: "archive",
    lock: "daybook archive",
    start: |crew| {
        let (pool, book) = (crew.pools.projector.clone(), crew.book.clone());
        let archiver = Archiver::new(&ARCHIVES, pool, book, crew.archive.clone());
        crew.lead(&WORKER, ArchiveWorker { archiver });
    },
};

/// What of the context is archived.
pub static ARCHIVES: Archives = Archives {
    lock: "daybook archive run",
    kinds: &[&REQUESTS],
};

/// Requests of one archive.
pub const BATCH_REQUESTS_MAX: i64 = 1_000;

/// Requests that are completed or failed, each with its response and all that was said of both.
pub static REQUESTS: Kind = Kind {
    context: "cloudwatcher",
    things: "requests",
    thing: "request",
    table: "requests",
    ordered_by: "created_at",
    aggregate_type: DeviceRequest::TYPE,
    over: "r.status in ('completed', 'failed')",
    due,
    parts: &[
        Part {
            name: "metadata",
            counted: "metadata",
            table: "request_metadata",
            of: "c.request_id = r.id",
            order: "c.key",
            is_one: false,
            aggregate_type: None,
        },
        Part {
            name: "response",
            counted: "responses",
            table: "responses",
            of: "c.request_id = r.id",
            order: "c.id",
            is_one: true,
            aggregate_type: None,
        },
        Part {
            name: "response_metadata",
            counted: "response_metadata",
            table: "response_metadata",
            of: "c.response_id in (select p.id from cloudwatcher.responses p where p.request_id = r.id)",
            order: "c.key",
            is_one: false,
            aggregate_type: None,
        },
        Part {
            name: "files",
            counted: "files",
            table: "cloud_file_refs",
            of: "c.request_id = r.id",
            order: "c.position",
            is_one: false,
            aggregate_type: None,
        },
    ],
    at_most: BATCH_REQUESTS_MAX,
    kept_for: |book, tenant| kept_for(book, tenant).boxed(),
    steps,
    has_left: |book, tenant, request| has_left(book, tenant, request).boxed(),
};

/// Neither it nor its response has changed since, and nothing that stays refers to it.
fn due() -> String {
    "r.created_at < $2 and r.updated_at < $2
     and not exists (select from cloudwatcher.responses p where p.request_id = r.id and p.updated_at >= $2)
     and not exists (select from cloudwatcher.orders o where o.request_id = r.id)
     and not exists (select from cloudwatcher.agent_decisions d where d.request_id = r.id)"
        .to_owned()
}

async fn kept_for(book: &Book, tenant: Uuid) -> Result<TimeDelta, BookError> {
    let stream = DevicePolicy::stream(tenant);
    let policy = book.now::<Register<DevicePolicy>>(tenant, stream).await?;
    Ok(DevicePolicy::of(policy.as_deref()).retention())
}

fn steps(manifest: &Manifest, member: &Member) -> Vec<Step> {
    let archive = Command::Archive {
        archive: manifest.name.clone(),
        sha256: manifest.sha256.clone(),
    };
    vec![Step::of::<DeviceRequest>(member.id, Some(member.sequence), archive)]
}

async fn has_left(book: &Book, tenant: Uuid, request: Uuid) -> Result<bool, BookError> {
    let state = book.now::<DeviceRequest>(tenant, request).await?;
    Ok(state.is_some_and(|state| state.is_archived()))
}
