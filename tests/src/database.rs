//! One database per test, copied from a migrated template and dropped afterwards, some at a time.

use std::str::FromStr as _;
use std::time::Duration;

use http::Contexts;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, PgPool};
use uuid::Uuid;

use crate::until;

/// How long policies may take to react to what a test began with.
const SETTLED_MAX: Duration = Duration::from_secs(60);
/// How long sessions may take to end that were told to.
const SESSIONS_END_MAX: Duration = Duration::from_secs(60);
/// Between two looks at them.
const LOOK: Duration = Duration::from_millis(20);

/// How many databases that no test needs any more are dropped at once: the server writes all that it holds in memory to disk for
/// the first of them, and little for the others.
const FINISHED_MAX: usize = 16;
/// How long dropping them may take.
const DROPPED_MAX: Duration = Duration::from_secs(60);
/// What is said of a database that no test needs any more.
const FINISHED: &str = "no test needs this any more";

/// A database of its own; it goes with others that no test needs any more.
#[derive(Debug)]
pub struct Database {
    pub name: String,
    pub options: PgConnectOptions,
    /// Whose tables it has, and who is served over it.
    pub contexts: Contexts,
    server: PgConnectOptions,
    server_url: String,
}

/// Waits until the policies that are registered have reacted to the whole book; for tenants that are suspended nothing is
/// done.
pub async fn policies_caught_up(pool: &PgPool, limit: Duration) {
    let behind = "select exists (select from book.policies where position < book.last_position())
                      or exists (select from book.missed m left join book.tenants t using (tenant_id)
                                 where m.waits and coalesce(t.standing, 'active') = 'active')";
    let look = async || {
        let behind: bool = sqlx::query_scalar(behind)
            .fetch_one(pool)
            .await
            .expect("the book answers");
        (!behind).then_some(())
    };
    until("the policies' catching up", limit, look).await;
}

impl Database {
    /// Waits until every policy has reacted to the whole book, its own events included: what a test did so far leads to
    /// nothing more then. A process with the role `policy` must run.
    pub async fn settled(&self) {
        let all = i64::try_from(self.contexts.decisions().policies().len()).expect("few policies");
        let registered = "select count(*) from book.policies";
        let pool = PgPool::connect_with(self.options.clone())
            .await
            .expect("the database answers");
        let look = async || {
            let registered: i64 = sqlx::query_scalar(registered)
                .fetch_one(&pool)
                .await
                .expect("the book answers");
            (registered == all).then_some(())
        };
        until("the policies' registration", SETTLED_MAX, look).await;
        policies_caught_up(&pool, SETTLED_MAX).await;
        pool.close().await;
    }

    /// A copy of the migrated template on the server of `DATABASE_URL`.
    pub async fn create() -> Self {
        Self::create_on(&crate::setting("DATABASE_URL")).await
    }

    /// As [`Database::create`], on another server.
    pub async fn create_on(url: &str) -> Self {
        Self::copied(url, crate::contexts()).await
    }

    /// As [`Database::create`], for other contexts than those of the program.
    pub async fn of(contexts: Contexts) -> Self {
        Self::copied(&crate::setting("DATABASE_URL"), contexts).await
    }

    async fn copied(url: &str, contexts: Contexts) -> Self {
        let (server, mut connection) = served(url).await;
        let template = template(&server, &mut connection, &contexts).await;
        let from = format!("template {template} strategy wal_log");
        Self::made(url, server, &mut connection, contexts, &from).await
    }

    /// A database that a dump made, of plain SQL: what a former version left behind.
    pub async fn restored(dump: &str) -> Self {
        let url = crate::setting("DATABASE_URL");
        let (server, mut connection) = served(&url).await;
        // It makes the roles of the cluster, which no dump has.
        let contexts = crate::contexts();
        template(&server, &mut connection, &contexts).await;
        let database = Self::made(&url, server, &mut connection, contexts, "template template0").await;
        // The dump changes settings of its session, so it has one of its own.
        let mut connection = PgConnection::connect_with(&database.options)
            .await
            .expect("the new database answers");
        sqlx::raw_sql(dump)
            .execute(&mut connection)
            .await
            .expect("the dump is restored");
        connection.close().await.expect("the dump is restored");
        database
    }

    async fn made(
        url: &str,
        server: PgConnectOptions,
        connection: &mut PgConnection,
        contexts: Contexts,
        from: &str,
    ) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        connection
            .execute(format!("create database {name} {from}").as_str())
            .await
            .expect("a test database is made");
        // Privileges on a database are not copied with it.
        connection
            .execute(format!("grant create on database {name} to daybook_projector").as_str())
            .await
            .expect("a grant");
        let options = server.clone().database(&name);
        Self {
            name,
            options,
            contexts,
            server,
            server_url: url.to_owned(),
        }
    }

    /// Ends the sessions of a process that was killed, and returns when none is left: nothing of it can begin
    /// any more. A session that waits for a lock does not see that its client is gone, and what lay in a socket
    /// when the process died is still read, so one look is not enough.
    pub async fn ends_sessions_of(&self, application: &str) {
        let mut connection = PgConnection::connect_with(&self.server)
            .await
            .expect("the server answers");
        let mut looks = tokio::time::interval(LOOK);
        let ending = async {
            loop {
                looks.tick().await;
                // Sessions that just begin have no name yet; one that never asked anything cannot have been heard.
                let left: i64 = sqlx::query_scalar(
                    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = $1",
                )
                .bind(application)
                .fetch_one(&mut connection)
                .await
                .expect("the catalog answers");
                if left == 0 {
                    return;
                }
            }
        };
        tokio::time::timeout(SESSIONS_END_MAX, ending)
            .await
            .expect("the sessions end");
    }

    /// The address of this database, for programs that want one.
    pub fn url(&self) -> String {
        let mut url = reqwest::Url::parse(&self.server_url).expect("DATABASE_URL is an address");
        url.set_path(&self.name);
        url.to_string()
    }
}

/// Ends what still uses a database, and drops it along with others that are finished, once they are enough.
async fn finish(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let ends = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
    sqlx::query(ends).bind(name).execute(&mut *connection).await?;
    let notes = format!("comment on database {name} is '{FINISHED}'");
    connection.execute(notes.as_str()).await?;
    let finished = "select datname from pg_database where shobj_description(oid, 'pg_database') = $1";
    let finished: Vec<String> = sqlx::query_scalar(finished)
        .bind(FINISHED)
        .fetch_all(&mut *connection)
        .await?;
    let lock = "select pg_try_advisory_lock(hashtextextended($1, 0))";
    if finished.len() < FINISHED_MAX
        || !sqlx::query_scalar::<_, bool>(lock)
            .bind(FINISHED)
            .fetch_one(&mut *connection)
            .await?
    {
        return Ok(());
    }
    for name in finished {
        connection
            .execute(format!("drop database if exists {name} with (force)").as_str())
            .await?;
    }
    Ok(())
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = async move {
            // The stream on the bus is called like the database.
            if let Ok(nats) = std::env::var("NATS_URL")
                && let Ok(client) = crate::nats(&nats).await
            {
                let _ = async_nats::jetstream::new(client).delete_stream(&name).await;
            }
            if let Ok(mut connection) = PgConnection::connect_with(&server).await {
                let _ = finish(&mut connection, &name).await;
            }
        };
        // Dropping happens inside a runtime, which cannot be blocked on.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let _ = runtime.block_on(async { tokio::time::timeout(DROPPED_MAX, drop).await });
        });
        let _ = thread.join();
    }
}

async fn served(url: &str) -> (PgConnectOptions, PgConnection) {
    let server = PgConnectOptions::from_str(url).expect("DATABASE_URL is an address");
    let connection = PgConnection::connect_with(&server)
        .await
        .expect("the test server answers");
    (server, connection)
}

/// The template for this code's migrations, policies, reactors and read tables; the first test that needs it makes it.
async fn template(server: &PgConnectOptions, connection: &mut PgConnection, contexts: &Contexts) -> String {
    let mut hash = Sha256::new();
    for migration in book::MIGRATOR.iter() {
        hash.update(&migration.checksum);
    }
    for policy in contexts.decisions().policies() {
        hash.update(policy.name());
    }
    for reactor in contexts.reactors() {
        hash.update(reactor.name);
    }
    for context in contexts.tables() {
        hash.update(context.fingerprint().expect("the golden history folds"));
    }
    let name = format!("daybook_template_{}", &hex::encode(hash.finalize())[..16]);
    connection
        .execute("select pg_advisory_lock(hashtextextended('daybook test template', 0))")
        .await
        .expect("lock");
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1 and datistemplate)")
            .bind(&name)
            .fetch_one(&mut *connection)
            .await
            .expect("the catalog answers");
    if !exists {
        connection
            .execute(format!("drop database if exists {name}").as_str())
            .await
            .expect("drop");
        connection
            .execute(format!("create database {name}").as_str())
            .await
            .expect("create");
        let options = server.clone().database(&name);
        crate::ledger::prepare(&options, contexts).await;
        connection
            .execute(format!("alter database {name} with is_template true allow_connections false").as_str())
            .await
            .expect("template");
    }
    connection
        .execute("select pg_advisory_unlock(hashtextextended('daybook test template', 0))")
        .await
        .expect("unlock");
    name
}
