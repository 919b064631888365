//! A context that is added is served like any other, and nothing of the others changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::roles;
use serde_json::{Value, json};
use tests::{Client, Service, until};
use uuid::Uuid;

use crate::context;

const WAIT: Duration = Duration::from_secs(60);
const JARS: &str = "/v1/sample/jars";

/// The address of a new jar with this label, and the position of its event.
async fn labelled(client: &Client, label: &str) -> (String, i64) {
    let reply = client.post(JARS, &json!({ "label": label })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let address = reply.headers["location"].to_str().unwrap().to_owned();
    (address, reply.position())
}

fn labels(page: &Value) -> Vec<&str> {
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| row["label"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_an_added_context_are_accepted_and_refused_and_its_rows_read_like_any_others() {
    let service = Service::of(context::added()).await;
    let admin = &service.admin;
    let (nuts, _) = labelled(admin, "Nuts").await;
    let (_, position) = labelled(admin, "Bolts").await;
    let row = admin.get_after(&nuts, position).await.ok();
    assert_eq!(
        (&row["label"], &row["labelled_by"]),
        (&json!("Nuts"), &json!(admin.user))
    );
    let filtered = admin.get(&format!("{JARS}?label=eq.Bolts")).await.ok();
    assert_eq!(labels(&filtered), ["Bolts"]);
    let by = admin
        .get(&format!("{JARS}/labelled-by?labelled_by={}", admin.user))
        .await
        .ok();
    assert_eq!(labels(&by), ["Bolts", "Nuts"]);

    // What there is not says what there is.
    let kinds = json!(["jars", "colours", "drawers", "tins", "rates"]);
    for method in ["get", "post"] {
        let path = "/v1/sample/lids";
        let reply = match method {
            "get" => admin.get(path).await,
            _ => admin.post(path, &json!({})).await,
        };
        assert_eq!(reply.problem(404)["allowed"], kinds, "{method}");
    }
    admin.get(&format!("{JARS}/{}", Uuid::now_v7())).await.problem(404);
    let unknown = admin.post(&format!("{nuts}/open"), &json!({})).await;
    assert_eq!(unknown.problem(404)["allowed"], json!(["label", "clear"]));
    let taken = admin.post(JARS, &json!({"label": "NUTS"})).await.problem(409);
    assert_eq!(
        (&taken["context"], &taken["claim"]),
        (&json!("sample"), &json!("jars.label"))
    );
    let detail = taken["detail"].as_str().unwrap();
    assert!(detail.starts_with("sample.jars.label is taken"), "{detail}");
    let position = admin.post(&format!("{nuts}/clear"), &json!({})).await.position();
    let bare = admin.post(&format!("{nuts}/clear"), &json!({})).await.problem(422);
    assert_eq!(bare["type"], "/problems/sample.jar/bare");
    admin.get_after(&nuts, position).await.problem(404);
    let position = admin
        .post(&format!("{nuts}/label"), &json!({"label": "Washers"}))
        .await
        .position();

    // Whose rows these are, and who may read them, the engine sees to.
    let stranger = Service::start_tenant(&service).await;
    stranger.get_after(&nuts, position).await.problem(404);
    let empty = stranger.get(JARS).await.ok();
    assert_eq!(labels(&empty), Vec::<&str>::new());
    labelled(&stranger, "Bolts").await;
    let reader = service.person(&["sample.jars.read"], &[]).await;
    assert_eq!(labels(&reader.get(JARS).await.ok()), ["Washers", "Bolts"]);
    let refused = reader.post(JARS, &json!({"label": "Pins"})).await.problem(403);
    assert_eq!(refused["permission"], "sample.jar.label");
    let writer = service.person(&["sample.jar.label"], &[]).await;
    let refused = writer.get(JARS).await.problem(403);
    assert_eq!(refused["permission"], "sample.jars.read");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_and_the_events_of_an_added_context_are_told_like_any_others() {
    let service = Service::of(context::added()).await;
    let admin = &service.admin;
    let (jar, first) = labelled(admin, "Nuts").await;
    let second = admin
        .post(&format!("{jar}/label"), &json!({"label": "Bolts"}))
        .await
        .position();
    let stream = jar.rsplit('/').next().unwrap();

    let blame = admin.get_after(&format!("{jar}/history"), second).await.ok();
    let changes = blame["changes"].as_array().unwrap();
    let told: BTreeSet<_> = changes
        .iter()
        .map(|change| {
            (
                change["position"].as_i64().unwrap(),
                change["columns"]["label"]["new"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, BTreeSet::from([(first, "Nuts"), (second, "Bolts")]), "{blame}");
    let before = admin.get(&format!("{jar}?at={first}")).await.ok();
    assert_eq!(before["label"], "Nuts");

    for log in [
        "/v1/events?context=sample".to_owned(),
        format!("/v1/streams/sample/jar/{stream}"),
    ] {
        let log = admin.get(&log).await.ok();
        let events = log["events"].as_array().unwrap();
        let told: BTreeSet<_> = events
            .iter()
            .map(|event| {
                (
                    event["position"].as_i64().unwrap(),
                    event["event_type"].as_str().unwrap(),
                )
            })
            .collect();
        let both = [first, second].map(|position| (position, "JarLabelled"));
        assert_eq!(told, BTreeSet::from(both), "{log}");
    }
    let state = admin.get(&format!("/v1/streams/sample/jar/{stream}/state")).await.ok();
    assert_eq!(state["state"], json!({"label": "Bolts"}));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_of_an_added_context_conform_and_are_rebuilt_alone_without_a_difference() {
    let service = Service::of(context::added()).await;
    let admin = &service.admin;
    labelled(admin, "Nuts").await;
    let (_, position) = labelled(admin, "Bolts").await;
    admin.get_after(JARS, position).await.ok();
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let differences = projections::conform::differences(&mut connection, &sample_tables::CONTEXT, "sample");
    assert_eq!(differences.await.unwrap(), Vec::<String>::new());

    let (operator, rebuild) = (service.operator(), "/v1/admin/rebuild/sample");
    assert_eq!(operator.post(rebuild, &json!({})).await.status, 202);
    let ended = async || {
        let rebuild = operator.get(rebuild).await.ok();
        (rebuild["state"] != "running").then_some(rebuild)
    };
    let rebuild = until("the end of the rebuild", WAIT, ended).await.0;
    let report = &rebuild["report"];
    assert_eq!(
        (&rebuild["state"], &report["compared"]),
        (&json!("done"), &json!(true)),
        "{rebuild}"
    );
    // The changes are the engine's own table, beside those of the context.
    let tables = report["tables"].as_array().unwrap();
    let own = sample_tables::CONTEXT.tables.len();
    assert_eq!(tables.len(), own + 1, "{report}");
    for table in tables {
        let rows = if table["table"] == "jars" || table["table"] == "changes" {
            2
        } else {
            0
        };
        assert_eq!(
            (&table["rows"], &table["differing"]),
            (&json!(rows), &json!(0)),
            "{report}"
        );
    }
    let generations: Vec<(String, i64)> =
        sqlx::query_as("select context, generation from book.generations where state = 'live' order by context")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    for (context, generation) in generations {
        let expected = if context == "sample" { 2 } else { 1 };
        assert_eq!(generation, expected, "{context}");
    }
    drop(connection);
    pool.close().await;
    service.end().await;
}

/// The text of each context's document, as it is kept.
fn documents(contexts: &http::Contexts) -> BTreeMap<&'static str, String> {
    let documents = http::openapi::documents(contexts).into_iter();
    documents
        .map(|(name, document)| (name, serde_json::to_string_pretty(&document).unwrap()))
        .collect()
}

#[test]
fn the_document_of_every_other_context_stays_as_it_is_to_the_byte() {
    let mut after = documents(&context::added());
    let own: Value = serde_json::from_str(&after.remove("sample").unwrap()).unwrap();
    let own = own["paths"].as_object().unwrap();
    for path in ["/v1/sample/shelf", "/v1/sample/jars/labelled-by", "/v1/sample/jars"] {
        assert!(own.contains_key(path), "{path}");
    }
    assert!(own.keys().all(|path| path.starts_with("/v1/sample/")), "{own:?}");
    let before = documents(&tests::contexts());
    assert!(before.len() > 2, "{:?}", before.keys());
    for (name, document) in before {
        assert_eq!(after.remove(name), Some(document), "{name}");
    }
    assert!(after.is_empty(), "{:?}", after.keys());
}

#[test]
fn routes_of_an_added_context_take_no_path_of_another() {
    let paths = |contexts: &http::Contexts| -> BTreeSet<&'static str> {
        http::router::routes(contexts)
            .into_iter()
            .map(|route| route.path)
            .collect()
    };
    let (before, after) = (paths(&tests::contexts()), paths(&context::added()));
    assert!(before.is_subset(&after));
    let own: Vec<_> = after.difference(&before).collect();
    assert_eq!(own, [&"/v1/sample/jars/labelled-by", &"/v1/sample/shelf"]);
}

#[test]
fn standard_roles_of_an_added_context_leave_the_others_what_they_may_and_what_is_said_of_them() {
    let added = roles::standard(&context::added());
    for before in roles::standard(&tests::contexts()) {
        let after = added.iter().find(|role| role.name == before.name).unwrap();
        assert_eq!(after.description, before.description);
        let of_others = |permission: &&String| !permission.starts_with("sample.");
        let of_others: Vec<_> = after.permissions.iter().filter(of_others).collect();
        assert_eq!(
            of_others,
            before.permissions.iter().collect::<Vec<_>>(),
            "{}",
            before.name
        );
    }
}

/// The options of each subcommand.
fn options(contexts: &http::Contexts) -> BTreeMap<String, BTreeSet<String>> {
    let command = daybook::cli::command(contexts);
    let told = |command: &clap::Command| {
        let options = command.get_arguments().map(|option| option.get_id().to_string());
        (command.get_name().to_owned(), options.collect())
    };
    command.get_subcommands().map(told).collect()
}

#[test]
fn subcommands_and_options_of_an_added_context_are_there_beside_those_of_others() {
    let (before, mut after) = (options(&tests::contexts()), options(&context::added()));
    let own = after.remove("label").unwrap();
    assert_eq!(own, ["jar", "label"].map(str::to_owned).into());
    let demo = after.get_mut("demo").unwrap();
    assert!(demo.remove("jars"));
    assert_eq!(after, before);
}
