//! Every operation of a share of the OpenAPI document, as somebody whose business it is not: as nobody, as another
//! tenant, as somebody of another department; and as its owner, as the proof that the calls are good ones.
//!
//! A test target gives the goods and a call for every operation of its share; what is asked of the answers is asked
//! here, the same for all.

mod call;
mod offered;
mod plain;

use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::database::policies_caught_up;
use crate::service::Reply;
use crate::{Client, Service};

pub use call::{Call, Operation, Reach, of_log};
pub use plain::Samples;

/// How long policies may take to react to the whole book.
const CAUGHT_UP_SECONDS_MAX: u64 = 30;

/// Whose operations a test target tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Those of a context that has tables, by its name.
    Context(&'static str),
    /// Those of no context, and those of the prelude, which has no tables of its own.
    Everybody,
}

impl Share {
    /// Whose an operation is, by its path: each is of one share.
    #[must_use]
    pub fn of(contexts: &http::Contexts, path: &str) -> Self {
        let word = path.strip_prefix("/v1/").and_then(|path| path.split('/').next());
        let context = contexts.tables().find(|context| Some(context.name) == word);
        context.map_or(Self::Everybody, |context| Self::Context(context.name))
    }
}

/// What a tenant has, and how the operations of a share are called with it.
pub trait Goods {
    /// The call that tries an operation; none when nobody has thought of it yet.
    fn call(&self, operation: Operation<'_>) -> Option<Call>;

    /// What nobody outside the tenant may see, its id apart.
    fn secrets(&self) -> Vec<String>;

    /// What nobody outside the department may see; nothing where departments hold no streams of the context.
    fn department_secrets(&self) -> Vec<String>;

    /// What a colleague in another department may do, as much as can be without its being their business.
    fn outsiders_permissions(&self) -> Vec<String>;

    /// That other department.
    fn elsewhere(&self) -> Uuid;

    /// When a command is tried; those of turn 0 come first, and within a turn last what takes out of use what others
    /// refer to.
    fn turn(&self, _call: &Call) -> u8 {
        0
    }
}

/// The people who call, and their calls.
pub struct Trial<'a> {
    service: &'a Service,
    contexts: &'a http::Contexts,
    goods: &'a dyn Goods,
    calls: Vec<Call>,
    /// The administrator of another tenant.
    pub other: Client,
    /// Somebody of another department.
    pub outsider: Client,
    pub pool: PgPool,
}

impl<'a> Trial<'a> {
    /// Has a call for every operation of the share, and strangers to make them; `contexts` are those that are served.
    ///
    /// # Panics
    /// When the goods have no call for one, by its name.
    pub async fn prepared(
        service: &'a Service,
        contexts: &'a http::Contexts,
        goods: &'a dyn Goods,
        share: Share,
    ) -> Self {
        let document = service.admin.with_token("").get("/v1/openapi.json").await.ok();
        let calls = calls(&document, contexts, goods, share);
        let permissions = goods.outsiders_permissions();
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        Self {
            service,
            contexts,
            goods,
            calls,
            other: Service::start_tenant(service).await,
            outsider: service.person(&permissions, &[goods.elsewhere()]).await,
            pool: PgPool::connect_with(service.database.options.clone()).await.unwrap(),
        }
    }

    /// How many calls are made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Asserts that no call shows anybody or changes what is another's.
    pub async fn hides(&self) {
        caught_up(&self.pool).await;
        self.posted().await;
        let before = self.rows().await;
        for call in &self.calls {
            self.hides_from_nobody_and_the_other(call).await;
            self.hides_from_the_outsider(call).await;
        }
        self.posted().await;
        let after = self.rows().await;
        assert_eq!(after, before, "rows of the tenant changed");
    }

    /// Asserts that the same calls are good ones: their owner is served, sees what is hidden from others, and writes.
    pub async fn serves_the_owner(&self) {
        let owner = &self.service.admin;
        let mut wrong = Vec::new();
        for call in &self.calls {
            let before = last_position(&self.pool).await;
            let served = call.made(owner, &self.pool).await;
            let wrote = wrote(&self.pool, owner, before).await;
            let secrets = match call.reach {
                Reach::Department => self.goods.department_secrets(),
                _ => self.secrets(),
            };
            let shown = secrets.iter().any(|secret| served.text.contains(secret));
            if served.status != call.owner || wrote != call.writes() || call.shows() && !shown {
                wrong.push(format!(
                    "{}: {}, wrote: {wrote}, {}",
                    call.operation, served.status, served.text
                ));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Lets go of the database.
    pub async fn end(self) {
        self.pool.close().await;
    }

    async fn hides_from_nobody_and_the_other(&self, call: &Call) {
        let before = last_position(&self.pool).await;
        let unsigned = call.made(&self.service.admin.with_token(""), &self.pool).await;
        let wanted = if call.reach == Reach::Open { 200 } else { 401 };
        assert_eq!(
            unsigned.status, wanted,
            "{} without a token: {}",
            call.operation, unsigned.text
        );
        assert_hides(call, &unsigned, &self.secrets());

        let foreign = call.made(&self.other, &self.pool).await;
        assert_eq!(
            foreign.status, call.other,
            "{} as another tenant: {}",
            call.operation, foreign.text
        );
        assert_hides(call, &foreign, &self.secrets());
        let written: Vec<Uuid> = sqlx::query_scalar("select tenant_id from book.events where position > $1")
            .bind(before)
            .fetch_all(&self.pool)
            .await
            .unwrap();
        let own = call.reach == Reach::New && call.other == 200;
        assert!(
            written.iter().all(|tenant| *tenant == self.other.tenant) && written.is_empty() != own,
            "{} wrote {written:?}",
            call.operation
        );
    }

    async fn hides_from_the_outsider(&self, call: &Call) {
        let before = last_position(&self.pool).await;
        let outside = call.made(&self.outsider, &self.pool).await;
        assert_eq!(
            outside.status, call.outsider,
            "{} from elsewhere: {}",
            call.operation, outside.text
        );
        assert_hides(call, &outside, &self.goods.department_secrets());
        let after = last_position(&self.pool).await;
        assert_eq!(after, before, "{} wrote something", call.operation);
    }

    fn secrets(&self) -> Vec<String> {
        let tenant = self.service.tenant.to_string();
        self.goods.secrets().into_iter().chain([tenant]).collect()
    }

    /// Waits until the tables of every context hold the whole book.
    async fn posted(&self) {
        let end = last_position(&self.pool).await;
        for context in self.contexts.tables() {
            let Some(table) = context.all_tables().next() else {
                continue;
            };
            let path = format!("/v1/{}/{}?limit=1", context.name, table.name);
            self.service.admin.get_after(&path, end).await.ok();
        }
    }

    /// A checksum of every row of the owner's tenant, in every table.
    async fn rows(&self) -> Vec<String> {
        let mut sums = Vec::new();
        for table in self.contexts.tables().flat_map(|context| context.all_tables()) {
            let (schema, table) = (table.context, table.name);
            let sum = format!(
                "select '{table} ' || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)
                 from {schema}.{table} t where tenant_id = $1"
            );
            let sum = sqlx::query_scalar(&sum).bind(self.service.tenant);
            sums.push(sum.fetch_one(&self.pool).await.unwrap());
        }
        sums
    }
}

/// Waits until the policies have reacted to the whole book.
pub async fn caught_up(pool: &PgPool) {
    policies_caught_up(pool, Duration::from_secs(CAUGHT_UP_SECONDS_MAX)).await;
}

/// Every operation of the share, with the call that tries it: reads first, then commands by their turns, and at the
/// end what takes out of use what others refer to.
fn calls(document: &Value, contexts: &http::Contexts, goods: &dyn Goods, share: Share) -> Vec<Call> {
    let (mut calls, mut new) = (Vec::new(), Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        if Share::of(contexts, path) != share {
            continue;
        }
        for method in operations.as_object().unwrap().keys() {
            let operation = Operation { method, path };
            match goods.call(operation) {
                Some(call) => calls.push(call),
                None => new.push(operation.to_string()),
            }
        }
    }
    assert!(
        new.is_empty(),
        "say in the goods of {share:?} who may do what is new: {new:#?}"
    );
    assert!(!calls.is_empty(), "the document has nothing of {share:?}");
    println!("{} operations of {share:?} are tried", calls.len());
    // The log is everybody's, and tells of what this context's streams are: it is tried with its goods, too.
    if share != Share::Everybody {
        let is_departments = !goods.department_secrets().is_empty();
        let reach = if is_departments {
            Reach::Department
        } else {
            Reach::Tenant
        };
        calls.extend(of_log().map(|call| call.reaching(reach)));
    }
    calls.sort_by_key(|call| {
        let posts = call.method == reqwest::Method::POST;
        (posts, goods.turn(call), call.takes_away())
    });
    calls
}

/// Asserts that an answer shows none of these; a refusal may repeat the path that it refuses.
#[track_caller]
fn assert_hides(call: &Call, reply: &Reply, secrets: &[String]) {
    for secret in secrets {
        let shown = reply.text.contains(secret) && (reply.status == 200 || !call.says(secret));
        assert!(
            !shown,
            "{} shows {secret}: {} {}",
            call.operation, reply.status, reply.text
        );
    }
}

async fn last_position(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select book.last_position()")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Whether this person has written something since; what policies write besides is not theirs.
async fn wrote(pool: &PgPool, client: &Client, since: i64) -> bool {
    sqlx::query_scalar("select exists (select from book.events where position > $1 and metadata ->> 'actor' = $2)")
        .bind(since)
        .bind(client.user.to_string())
        .fetch_one(pool)
        .await
        .unwrap()
}
