//! What a context may have beside its commands and tables: one of each reaches whom it is for.

use std::path::PathBuf;
use std::time::Duration;

use daybook::Role;
use daybook::cli::{self, Typed};
use http::roles;
use reqwest::Method;
use serde_json::{Value, json};
use tests::service::{arguments, keep_secret};
use tests::{Client, Database, Service, until};
use uuid::Uuid;

use crate::context;

const WAIT: Duration = Duration::from_secs(60);
const SHELF: &str = "/v1/sample/shelf";

/// A jar of the administrator's tenant with this label, by its address, and the position of its event.
async fn labelled(service: &Service, label: &str) -> (String, i64) {
    let reply = service.admin.post("/v1/sample/jars", &json!({ "label": label })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let address = reply.headers["location"].to_str().unwrap().to_owned();
    (address, reply.position())
}

async fn cleared(service: &Service) -> Value {
    service.admin.get(SHELF).await.ok()["cleared"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_carries_its_command_out_and_what_it_shares_with_a_route_is_seen_there_and_in_the_metrics() {
    let service = Service::of(context::added()).await;
    let admin = &service.admin;
    let (jar, _) = labelled(&service, "Nuts").await;
    assert_eq!(cleared(&service).await, 0);

    // A dry run is the receiver's, too.
    let clear = format!("{jar}/clear");
    let dry = admin.request(Method::POST, &clear).header("Daybook-Dry-Run", "true");
    let would = admin.send(dry.json(&json!({}))).await.ok();
    let stream = jar.rsplit('/').next().unwrap();
    assert_eq!(would["streams"][0]["stream"], stream, "{would}");
    assert_eq!(cleared(&service).await, 0);

    let position = admin.post(&clear, &json!({})).await.position();
    admin.get_after(&jar, position).await.problem(404);
    assert_eq!(cleared(&service).await, 1);
    let bare = admin.post(&clear, &json!({})).await.problem(422);
    assert_eq!(bare["type"], "/problems/sample.jar/bare", "as any command is refused");
    assert_eq!(cleared(&service).await, 1, "and not counted");
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line == "sample_jars_cleared 1"), "{metrics}");

    // A task of the process tells the shelf of the book.
    let position = labelled(&service, "Bolts").await.1;
    admin
        .until(SHELF, |shelf| shelf["position"].as_i64() >= Some(position))
        .await;
    // A route asks for its own permission, and the document has its operation.
    let stranger = service.person(&["sample.jars.read"], &[]).await;
    assert_eq!(stranger.get(SHELF).await.problem(403)["permission"], "sample.jar.clear");
    let document = admin.get("/v1/openapi.json").await.ok();
    assert_eq!(document["paths"][SHELF]["get"]["operationId"], "sample.shelf");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_works_where_one_of_the_processes_reacts_and_is_told_of_among_the_others() {
    let folder = std::env::temp_dir().join(format!("daybook-{}", Uuid::new_v4().simple()));
    let database = Database::of(context::alone()).await;
    let roles = vec![Role::Api, Role::Projector, Role::Reactor];
    let service = Service::configured(database, roles, |config| config.archive.clone_from(&folder)).await;
    labelled(&service, "Nuts").await;
    labelled(&service, "Bolts").await;
    let sheet: PathBuf = folder.join(sample_http::printer::SHEET);
    let printed = async || {
        let printed = std::fs::read_to_string(&sheet).unwrap_or_default();
        (printed == "Nuts\nBolts\n").then_some(())
    };
    until("both labels on the sheet", WAIT, printed).await;
    let health = service.admin.get("/health/ready").await.json();
    let worker = &health["workers"][sample_http::printer::WORKER.name];
    assert_eq!(worker["leading"], true, "{health}");
    service.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_role_that_other_contexts_know_is_one_role_and_a_role_of_its_own_comes_after_theirs() {
    let role = |contexts: &http::Contexts, name: &str| {
        let mut all = roles::standard(contexts).into_iter();
        all.find(|role| role.name == name)
    };
    let (program, added) = (tests::contexts(), context::added());
    let [before, after] = [&program, &added].map(|contexts| role(contexts, "manager").unwrap());
    assert_eq!(after.description, before.description);
    let reads = sample_tables::CONTEXT
        .tables
        .iter()
        .map(|table| format!("sample.{}.read", table.table().name));
    let own: Vec<String> = ["sample.jar.clear".to_owned()].into_iter().chain(reads).collect();
    assert_eq!(after.permissions, [before.permissions, own.clone()].concat());
    assert_eq!(role(&program, "keeper"), None);
    assert_eq!(roles::standard(&added).last().unwrap().name, "keeper");
    // Where it is the only one that knows the role, what it says of it is told.
    let alone = role(&context::alone(), "manager").unwrap();
    assert_eq!(alone.permissions, own);
    assert!(!alone.description.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subcommand_and_demo_data_are_there_for_whoever_types_them() {
    // Demo data is told while nobody reacts to what happens.
    let database = Database::of(context::alone()).await;
    let service = Service::over(database, vec![Role::Api, Role::Projector]).await;
    let typed = async |words: &[&str], tenant: Uuid| {
        let mut typed = arguments(&service.database.name);
        let words = words.iter().map(|&word| word.to_owned());
        typed.extend(words.chain(["--tenant".to_owned(), tenant.to_string()]));
        let mut typed = Typed::parse_from(&context::alone(), typed).unwrap();
        keep_secret(&mut typed.config, &service.database.url());
        cli::run(typed, context::alone()).await.unwrap();
    };
    let jar = Uuid::now_v7();
    typed(&["label", &jar.to_string(), "Nuts"], service.tenant).await;
    let end = async || {
        let end = "select book.last_position()";
        let pool = sqlx::PgPool::connect_with(service.database.options.clone())
            .await
            .unwrap();
        let end: i64 = sqlx::query_scalar(end).fetch_one(&pool).await.unwrap();
        pool.close().await;
        end
    };
    let row = format!("/v1/sample/jars/{jar}");
    let row = service.admin.get_after(&row, end().await).await.ok();
    assert_eq!(
        (&row["label"], &row["labelled_by"]),
        (&json!("Nuts"), &Value::Null),
        "by no person"
    );

    // The administrator of its tenant is part of the demo.
    let tenant = Uuid::new_v4();
    let admin = Client::new(&service.url, tenant, Uuid::new_v5(&tenant, b"demo/user/admin"));
    for _ in 0..2 {
        typed(&["demo", "--jars", "2"], tenant).await;
        let rows = admin.get_after("/v1/sample/jars", end().await).await.ok();
        let rows = rows["rows"].as_array().unwrap();
        let labels: Vec<_> = rows.iter().map(|row| row["label"].as_str().unwrap()).collect();
        assert_eq!(labels, ["Jar 2", "Jar 1"], "again, it changes nothing");
    }
    let unknown = Typed::parse_from(&tests::contexts(), ["daybook", "label"]).unwrap_err();
    assert_eq!(unknown.kind(), clap::error::ErrorKind::InvalidSubcommand);
    service.end().await;
}
