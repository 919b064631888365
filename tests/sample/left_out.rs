//! A context can be left out: what is served goes on without it, and what it left behind is kept from those who
//! might not have seen it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::service::config;
use tests::{Service, until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::context;

const WAIT: Duration = Duration::from_secs(60);

/// The contexts of the program that `alone` is without.
fn left_out() -> Vec<&'static str> {
    let names = daybook::contexts::CONTEXTS.iter().map(|context| context.name());
    names.filter(|name| *name != context::prelude().name()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_prelude_and_one_context_are_a_program() {
    let service = Service::of(context::alone()).await;
    let admin = &service.admin;
    assert!(!left_out().is_empty());
    for gone in left_out() {
        let missing = admin.get(&format!("/v1/{gone}/orders")).await.problem(404);
        assert_eq!(missing["allowed"], json!(["sample"]), "{missing}");
        let missing = admin.post(&format!("/v1/{gone}/orders"), &json!({})).await.problem(404);
        assert_eq!(missing["allowed"], json!(["identity", "sample"]), "{missing}");
        let rebuild = format!("/v1/admin/rebuild/{gone}");
        let missing = service.operator().post(&rebuild, &json!({})).await;
        assert_eq!(missing.problem(404)["allowed"], json!(["sample"]));
        let stream = format!("/v1/streams/{gone}/order/{}", Uuid::now_v7());
        let missing = admin.get(&stream).await.problem(404);
        let allowed = missing["allowed"].as_array().unwrap();
        assert!(allowed.contains(&json!("sample/jar")), "{missing}");
        assert!(!missing["allowed"].to_string().contains(gone), "{missing}");
        let document = admin.get("/v1/openapi.json").await.ok();
        let mut paths = document["paths"].as_object().unwrap().keys();
        assert!(!paths.any(|path| path.starts_with(&format!("/v1/{gone}/"))));
    }
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let schemas: Vec<String> = sqlx::query_scalar(
        "select n.nspname::text from pg_namespace n
         where pg_get_userbyid(n.nspowner) = 'daybook_projector' and n.nspname <> 'book'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(schemas, ["sample"]);
    pool.close().await;

    // Departments are the prelude's: they need the table of no context.
    let department = Uuid::now_v7();
    let enter = format!("/v1/identity/departments/{department}/enter");
    admin.post(&enter, &json!({"name": "Workshop"})).await.ok();
    let person = service
        .person(&["sample.jar.label", "sample.jars.read", "audit.read"], &[department])
        .await;
    let made = person.post("/v1/sample/jars", &json!({"label": "Nuts"})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let rows = person.get_after("/v1/sample/jars", made.position()).await.ok();
    assert_eq!(rows["rows"][0]["label"], "Nuts", "{rows}");
    let events = person.get("/v1/events?context=sample").await.ok();
    assert_eq!(events["events"][0]["payload"], json!({"label": "Nuts"}), "{events}");
    let ready = async || (admin.get("/health/ready").await.status == 200).then_some(());
    until("the service to be ready", WAIT, ready).await;
    service.end().await;
}

fn positions(log: &Value) -> Vec<i64> {
    let events = log["events"].as_array().unwrap().iter();
    events.map(|event| event["position"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_context_left_behind_is_for_those_alone_who_see_everything_and_is_there_when_it_comes_back() {
    let with = Service::of(context::alone()).await;
    let made = with.admin.post("/v1/sample/jars", &json!({"label": "Nuts"})).await;
    let (position, address) = (made.position(), made.headers["location"].to_str().unwrap().to_owned());
    let reader = with.person(&["audit.read", "personal.read"], &[]).await;
    let watcher = with.person(&["audit.read", "departments.all"], &[]).await;
    with.admin.get_after("/v1/sample/jars", position).await.ok();
    let one = format!("/v1/events/{position}");
    reader.get(&one).await.ok();

    let stop = CancellationToken::new();
    let contexts = http::Contexts::new(&[context::prelude()]).unwrap();
    let roles = vec![daybook::Role::Api, daybook::Role::Projector, daybook::Role::Policy];
    let config = config(&with.database.url(), &with.database.name);
    let without = daybook::serve(config, contexts, roles, stop.clone()).await.unwrap();
    let url = format!("http://{}", without.address);
    let missing = with.admin.at(&url).get(&address).await.problem(404);
    assert_eq!(missing["detail"], "there is no context \"sample\" with tables");
    // Whether departments hold such streams is not known here, nor which of their fields are addresses.
    reader.at(&url).get(&one).await.problem(404);
    let log = reader.at(&url).get("/v1/events?limit=500").await.ok();
    assert!(!positions(&log).contains(&position), "{log}");
    assert_eq!(watcher.at(&url).get(&one).await.ok()["payload"], json!({"label": null}));
    assert_eq!(
        with.admin.at(&url).get(&one).await.ok()["payload"],
        json!({"label": "Nuts"})
    );
    // It is found as what is known here is, by those who are told of it.
    let stream = address.rsplit('/').next().unwrap();
    let filters = [
        format!("stream={stream}"),
        format!("stream={stream}&context=sample"),
        "context=sample&type=JarLabelled".to_owned(),
        "aggregate=jar".to_owned(),
    ];
    for filter in filters {
        let path = format!("/v1/events?{filter}");
        let found = watcher.at(&url).get(&path).await.ok();
        assert_eq!(positions(&found), [position], "{filter}");
        // To others its words mean nothing.
        let reply = reader.at(&url).get(&path).await;
        if filter.contains("context=") || filter.contains("aggregate=") {
            let problem = reply.problem(400);
            let allowed = problem["allowed"].to_string();
            assert!(
                !allowed.contains("sample") && !allowed.contains("jar"),
                "{filter}: {problem}"
            );
        } else {
            assert_eq!(positions(&reply.ok()), [0; 0], "{filter}");
        }
    }
    let ready = async || {
        let reply = with.admin.at(&url).get("/health/ready").await;
        (reply.status == 200).then_some(reply.text)
    };
    let ready = until("the program without to be ready", WAIT, ready).await.0;
    assert!(!ready.contains("sample"), "{ready}");
    let person = json!({"name": "Grace", "email": "grace@example.com"});
    let registered = with.admin.at(&url).post("/v1/identity/users", &person).await;
    assert_eq!(registered.status, 200, "{}", registered.text);
    stop.cancel();
    without.ended().await;

    let row = with.admin.get_after(&address, registered.position()).await.ok();
    assert_eq!(row["label"], "Nuts");
    with.end().await;
}
