//! Logins on Postgres: one for each of Daybook's roles, and those of tools for reports.

use daybook::cli::{self, Typed};
use daybook::{Config, Fault, Role, logins};
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, PgPool};
use tests::service::{config, keep_secret};
use tests::{Client, Database, Service};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ROWS: &str = "/v1/cloudwatcher/suppliers";
/// What Postgres says when somebody may not do what they want.
const NOT_PERMITTED: &str = "42501";

fn roles() -> Vec<Role> {
    vec![Role::Api, Role::Relay, Role::Projector, Role::Policy]
}

/// Logins belong to the whole cluster, so each test has names of its own; gone when the test ends well.
struct Logins {
    suffix: String,
    database_url: String,
}

impl Logins {
    fn of(database: &Database) -> Self {
        Self {
            suffix: Uuid::new_v4().simple().to_string(),
            database_url: database.url(),
        }
    }

    fn url(&self, role: &str) -> String {
        let mut url = reqwest::Url::parse(&self.database_url).unwrap();
        url.set_username(&format!("{role}_{}", self.suffix)).unwrap();
        url.set_password(Some("it is a secret")).unwrap();
        url.to_string()
    }

    /// Settings that name these logins, and no owner.
    fn name(&self, config: &mut Config) {
        config.database_url = None;
        config.writer_url = Some(self.url("w").as_str().into());
        config.projector_url = Some(self.url("p").as_str().into());
        config.reader_url = Some(self.url("r").as_str().into());
        config.unsafe_settings = false;
    }

    async fn drop(self) {
        // Not from the test's own database, which may be gone by now.
        let mut owner = PgConnection::connect(&tests::setting("DATABASE_URL")).await.unwrap();
        for role in ["w", "p", "r"] {
            let statement = format!("drop role {role}_{}", self.suffix);
            owner.execute(statement.as_str()).await.unwrap();
        }
    }
}

/// Carries out these words of a command line.
async fn typed(database: &Database, words: &[&str], change: impl FnOnce(&mut Config)) -> Result<(), Fault> {
    let words = ["daybook"].iter().chain(words);
    let mut typed = Typed::parse_from(&database.contexts, words).unwrap();
    keep_secret(&mut typed.config, &database.url());
    change(&mut typed.config);
    cli::run(typed, database.contexts.clone()).await
}

/// Has the logins made.
async fn made(database: &Database, logins: &Logins) {
    for _ in 0..2 {
        typed(database, &["migrate", "--logins"], |config| {
            let owner = config.database_url.clone();
            logins.name(config);
            config.database_url = owner;
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_serves_with_a_login_for_each_role_and_without_the_owner() {
    let database = Database::create().await;
    let logins = Logins::of(&database);
    made(&database, &logins).await;
    let service = Service::configured(database, roles(), |config| logins.name(config)).await;
    let admin = &service.admin;
    let position = admin.post(ROWS, &json!({"name": "Acme"})).await.position();
    let rows = admin.get_after(ROWS, position).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1, "{rows}");
    admin.get("/v1/events").await.ok();
    admin.get("/health/ready").await.ok();
    // New tables are made by the projector's login.
    typed(&service.database, &["rebuild", "cloudwatcher"], |config| {
        logins.name(config)
    })
    .await
    .unwrap();
    let rows = admin.get_after(ROWS, position).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1, "{rows}");
    // Nobody else's login is taken over.
    let foreign = typed(&service.database, &["migrate", "--logins"], |config| {
        config.writer_url = Some(logins.url("r").as_str().into());
        config.projector_url = Some(logins.url("p").as_str().into());
        config.reader_url = config.writer_url.clone();
    })
    .await;
    let foreign = foreign.unwrap_err().to_string();
    assert!(foreign.contains("which is not daybook_writer's"), "{foreign}");
    service.end().await;
    logins.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_do_more_than_it_is_for_does_not_serve() {
    let database = Database::create().await;
    let logins = Logins::of(&database);
    made(&database, &logins).await;
    let refused = async |change: &dyn Fn(&mut Config)| {
        let mut config = config(&database.url(), &database.name);
        logins.name(&mut config);
        change(&mut config);
        let stop = CancellationToken::new();
        let served = daybook::serve(config, database.contexts.clone(), roles(), stop.clone()).await;
        stop.cancel();
        served.unwrap_err().to_string()
    };
    let owner = database.url();
    let all = refused(&|config| {
        (config.writer_url, config.projector_url, config.reader_url) = (None, None, None);
        config.database_url = Some(owner.as_str().into());
    })
    .await;
    for variable in ["DAYBOOK_WRITER_URL", "DAYBOOK_PROJECTOR_URL", "DAYBOOK_READER_URL"] {
        assert!(all.contains(variable), "{all}");
    }
    assert!(all.contains("is a superuser") && all.contains("--logins"), "{all}");
    let one = refused(&|config| config.reader_url = Some(owner.as_str().into())).await;
    assert!(
        one.contains("DAYBOOK_READER_URL") && !one.contains("DAYBOOK_WRITER_URL"),
        "{one}"
    );

    let mut connection = PgConnection::connect(&owner).await.unwrap();
    let both = format!("grant daybook_reader to w_{}", logins.suffix);
    connection.execute(both.as_str()).await.unwrap();
    let both = refused(&|_| {}).await;
    assert!(
        both.contains("may act as daybook_reader, too (DAYBOOK_WRITER_URL)"),
        "{both}"
    );
    logins.drop().await;
}

/// The names of all suppliers that somebody sees.
async fn suppliers(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("select name from cloudwatcher.suppliers order by name")
        .fetch_all(connection)
        .await
        .unwrap()
}

/// What Postgres answers to a statement that it refuses.
async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    let error = connection.execute(statement).await.expect_err(statement);
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

async fn enter(client: &Client, name: &str) -> i64 {
    client.post(ROWS, &json!({"name": name})).await.position()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_for_reports_reads_one_tenant_and_nothing_that_is_masked() {
    let service = Service::start().await;
    let (admin, database) = (&service.admin, &service.database);
    let other = Service::start_tenant(&service).await;
    enter(admin, "Acme").await;
    let position = enter(&other, "Bolts and Sons").await;
    admin.get_after(ROWS, position).await.ok();

    let login = format!("reports_{}", &Uuid::new_v4().simple().to_string()[..12]);
    let mut settings = config(&database.url(), &database.name);
    settings.tenant = service.tenant;
    let report = logins::open_to_reports(&settings, &database.contexts, &login)
        .await
        .unwrap();
    let password = report.password.unwrap();
    let again = logins::open_to_reports(&settings, &database.contexts, &login)
        .await
        .unwrap();
    assert_eq!((again.tenant, again.password), (service.tenant, None));
    settings.tenant = other.tenant;
    let taken = logins::open_to_reports(&settings, &database.contexts, &login).await;
    assert!(taken.unwrap_err().to_string().contains("remove it first"));

    let options = database.options.clone().username(&login).password(&password);
    let mut tool = PgConnection::connect_with(&options).await.unwrap();
    assert_eq!(suppliers(&mut tool).await, ["Acme"]);
    // A session's word on whose it is counts for Daybook's own reader alone.
    let claimed = format!("set daybook.tenant = '{}'", other.tenant);
    tool.execute(claimed.as_str()).await.unwrap();
    assert_eq!(suppliers(&mut tool).await, ["Acme"]);
    let people: i64 = sqlx::query_scalar("select count(id) from cloudwatcher.users")
        .fetch_one(&mut tool)
        .await
        .unwrap();
    assert_eq!(people, 1, "its own administrator");
    tool.execute("set default_transaction_read_only = off").await.unwrap();
    for statement in [
        "select email from cloudwatcher.users",
        "select name from cloudwatcher.users",
        "select tenant_id from cloudwatcher.suppliers",
        "select * from cloudwatcher.changes",
        "select * from book.events",
        "select * from book.bi_logins",
        "update cloudwatcher.suppliers set name = 'mine'",
        "delete from cloudwatcher.suppliers",
        "set role daybook_reader",
        "set role daybook_projector",
        "select pg_advisory_lock(1)",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'much')",
        "create temp table mine (id int)",
        "create table cloudwatcher.mine (id int)",
    ] {
        assert_eq!(refusal(&mut tool, statement).await, NOT_PERMITTED, "{statement}");
    }
    let comments: (Option<String>, Option<String>) = sqlx::query_as(
        "select obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum)
         from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.oid = 'cloudwatcher.suppliers'::regclass and a.attname = 'lead_time_days'",
    )
    .fetch_one(&mut tool)
    .await
    .unwrap();
    assert_eq!(
        comments,
        (
            Some("Who sells parts. A struck supplier's row stays.".to_owned()),
            Some("Usual days from order to delivery.".to_owned())
        )
    );

    // It reads the tables that are live, and no former ones.
    typed(database, &["rebuild", "cloudwatcher"], |_| {}).await.unwrap();
    assert_eq!(suppliers(&mut tool).await, ["Acme"]);
    let enterable: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace
         where nspname like 'cloudwatcher%' and has_schema_privilege(oid, 'usage') order by 1",
    )
    .fetch_all(&mut tool)
    .await
    .unwrap();
    assert_eq!(enterable, ["cloudwatcher"]);

    // Removed while it looks at rows, and although it has left something.
    let left = format!("create schema left_over authorization {login}");
    let owner = PgPool::connect_with(database.options.clone()).await.unwrap();
    owner.execute(left.as_str()).await.unwrap();
    tool.execute("begin").await.unwrap();
    assert_eq!(suppliers(&mut tool).await, ["Acme"]);
    logins::close_to_reports(&settings, &login).await.unwrap();
    assert!(tool.execute("select id from cloudwatcher.suppliers").await.is_err());
    assert!(PgConnection::connect_with(&options).await.is_err());
    let schemas: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname = 'left_over'")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(schemas, 0);
    owner.close().await;
    let gone = logins::close_to_reports(&settings, &login)
        .await
        .unwrap_err()
        .to_string();
    assert!(gone.contains("there is no login"), "{gone}");
    service.end().await;
}
