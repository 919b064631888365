//! What one context lacks stops neither a process nor a command that is for all of them.

use std::collections::BTreeMap;

use daybook::Fault;
use daybook::cli::{self, Typed};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::Database;
use tests::service::{administrator, keep_secret};
use uuid::Uuid;

use crate::context;
use crate::running::{Served, names, ready};

/// Carries out these words of a command line.
async fn typed(database: &Database, words: &[&str]) -> Result<(), Fault> {
    let contexts = context::added();
    let mut typed = Typed::parse_from(&contexts, ["daybook"].iter().chain(words)).unwrap();
    keep_secret(&mut typed.config, &database.url());
    cli::run(typed, contexts).await
}

/// The live generation of each context.
async fn live(pool: &PgPool) -> BTreeMap<String, i64> {
    let live = "select context, generation from book.generations where state = 'live'";
    let live: Vec<(String, i64)> = sqlx::query_as(live).fetch_all(pool).await.unwrap();
    live.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_all_contexts_rebuilt_or_taken_back_has_those_that_can_be_and_is_told_of_each_that_cannot() {
    let database = Database::create().await;
    let served = Served::of(&database, context::added()).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let pool = PgPool::connect_with(database.options.clone()).await.unwrap();
    ready(&admin).await;
    served.end().await;
    let fails = "create function public.fail() returns event_trigger language plpgsql as $$ begin
            if exists (select from pg_event_trigger_ddl_commands() where object_identity like 'cloudwatcher_g%') then
                raise 'no room';
            end if;
        end $$;
        create event trigger fail on ddl_command_end when tag in ('CREATE SCHEMA') execute function public.fail()";
    sqlx::raw_sql(fails).execute(&pool).await.unwrap();
    let failed = typed(&database, &["rebuild", "--all"]).await.unwrap_err().to_string();
    assert!(
        failed.contains("cloudwatcher: ") && failed.contains("no room"),
        "{failed}"
    );
    assert!(!failed.contains("sample"), "{failed}");
    let of_each = |of_cloudwatcher: i64, of_others: i64| -> BTreeMap<String, i64> {
        let each = |name: &str| {
            if name == "cloudwatcher" {
                of_cloudwatcher
            } else {
                of_others
            }
        };
        let added = context::added();
        let names = added.tables().map(|tables| tables.name);
        names.map(|name| (name.to_owned(), each(name))).collect()
    };
    assert_eq!(live(&pool).await, of_each(1, 2));

    let failed = typed(&database, &["rebuild", "--all", "--rollback"]).await;
    let failed = failed.unwrap_err().to_string();
    assert_eq!(failed, "cloudwatcher has no earlier generation to go back to");
    assert_eq!(live(&pool).await, of_each(1, 1));
    let failures: Vec<(String, i64)> = sqlx::query_as("select context, failures from book.rebuilds order by context")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(failures.into_iter().collect::<BTreeMap<_, _>>(), of_each(1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_whose_golden_history_does_not_fold_goes_without_tables_and_stops_no_other() {
    let tables: &'static _ = Box::leak(Box::new(projections::Context {
        history: "no history",
        ..sample_tables::CONTEXT
    }));
    let unfolded: &'static _ = Box::leak(Box::new(http::Context::of(&sample::CONTEXT, Some(tables))));
    let contexts = [daybook::contexts::CONTEXTS, &[unfolded]].concat();
    let database = Database::create().await;
    let served = Served::of(&database, http::Contexts::new(&contexts).unwrap()).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    ready(&admin).await;
    let health = admin.get("/health/ready").await.json();
    let told = "neither posts nor rebuilds the tables of sample, whose golden history it cannot fold";
    assert!(names(&health, "degraded", told), "{health}");
    assert_eq!(health["workers"]["projector sample"], Value::Null, "{health}");
    let jar = admin.post("/v1/sample/jars", &json!({"label": "Nuts"})).await;
    assert_eq!(jar.status, 200, "{}", jar.text);
    admin.get("/v1/sample/jars").await.problem(503);
    let supplier = admin.post("/v1/cloudwatcher/suppliers", &json!({"name": "Acme"})).await;
    let position = supplier.position();
    admin.get_after("/v1/cloudwatcher/suppliers", position).await.ok();
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_without_tables_says_where_the_book_ends() {
    let contexts = http::Contexts::new(&[context::prelude()]).unwrap();
    let database = Database::create().await;
    let served = Served::of(&database, contexts).await;
    let admin = administrator(&database, &served.url, Uuid::new_v4()).await;
    let person = json!({"name": "Grace", "email": "grace@example.com"});
    let position = admin.post("/v1/identity/users", &person).await.position();
    let reply = admin.get("/health/ready").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["book"], position, "{}", reply.text);
    served.end().await;
}
