//! `/v1/admin`: what an operator does over HTTP, and who may.

use std::time::Duration;

use daybook::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Service, until};
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(30);
const REBUILD: &str = "/v1/admin/rebuild/cloudwatcher";

/// Waits until the latest rebuild that this process began has ended.
async fn ended(client: &Client) -> Value {
    let look = || async {
        let rebuild = client.get(REBUILD).await.ok();
        (rebuild["state"] != "running").then_some(rebuild)
    };
    until("the end of the rebuild", WAIT, look).await.0
}

async fn entered(client: &Client, parts: std::ops::Range<usize>) -> i64 {
    let mut position = 0;
    for n in parts {
        let body = json!({"part_code": format!("P-{n}"), "name": "bolt"});
        position = client.post("/v1/cloudwatcher/parts", &body).await.position();
    }
    position
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_over_http_is_one_at_a_time_and_tells_how_far_it_is_and_what_came_of_it() {
    let service = Service::start().await;
    let (admin, operator) = (&service.admin, &service.operator());
    let position = entered(admin, 0..25).await;
    admin.get_after("/v1/cloudwatcher/parts", position).await.ok();
    operator.get(REBUILD).await.problem(404);

    // Who holds the checkpoints holds up the swap, and so the rebuild, for as long as this test likes.
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from book.generations for update")
        .execute(&mut *held)
        .await
        .unwrap();
    let began = operator.post(REBUILD, &json!({})).await;
    assert_eq!(began.status, 202, "{}", began.text);
    assert_eq!(began.headers["location"], REBUILD);
    assert_eq!(began.json(), json!({"context": "cloudwatcher", "state": "running"}));
    assert_eq!(operator.get(REBUILD).await.ok()["state"], "running");
    let busy = operator.post(REBUILD, &json!({})).await.problem(409);
    assert_eq!(busy["type"], "/problems/busy", "{busy}");
    // Another process knows nothing of it, and is stopped by the lock.
    let look = || async { (operator.get(REBUILD).await.ok()["phase"] != Value::Null).then_some(()) };
    until("progress of the rebuild", WAIT, look).await;
    let (other, url, stop) = service.beside(vec![Role::Api]).await;
    let elsewhere = operator.at(&url);
    elsewhere.get(REBUILD).await.problem(404);
    assert_eq!(elsewhere.post(REBUILD, &json!({})).await.status, 202);
    let refused = ended(&elsewhere).await;
    assert_eq!(refused["state"], "failed", "{refused}");
    assert_eq!(refused["error"], "cloudwatcher is being rebuilt already");
    assert_eq!(operator.get(REBUILD).await.ok()["state"], "running");

    held.rollback().await.unwrap();
    let rebuild = ended(operator).await;
    assert_eq!(
        (&rebuild["state"], &rebuild["error"]),
        (&json!("done"), &Value::Null),
        "{rebuild}"
    );
    let report = &rebuild["report"];
    assert_eq!(
        (
            &report["compared"],
            &report["same_code"],
            &report["position"],
            &report["events"],
            &report["parked"]
        ),
        (
            &json!(true),
            &json!(true),
            &json!(position),
            &json!(position),
            &json!(0)
        ),
        "{report}"
    );
    assert_eq!(report["generation"], 2, "{report}");
    let tables = report["tables"].as_array().unwrap();
    assert!(tables.iter().all(|table| table["differing"] == 0), "{report}");
    let parts = tables.iter().find(|table| table["table"] == "parts").unwrap();
    assert_eq!(parts["rows"], 25);
    // The next one may begin, here and elsewhere, and reads go on from the new generation.
    let position = entered(admin, 25..26).await;
    assert_eq!(elsewhere.post(REBUILD, &json!({})).await.status, 202);
    assert_eq!(ended(&elsewhere).await["state"], "done");
    let rows = admin.get_after("/v1/cloudwatcher/parts?limit=100", position).await.ok();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 26);
    pool.close().await;
    stop.cancel();
    other.ended().await;
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_routes_ask_for_their_permission_and_refuse_what_they_do_not_know() {
    let service = Service::start().await;
    let admin = &service.admin;
    let keeper = service.person(&["admin.rebuild"], &[]).await;
    // All but the one permission.
    let permissions = ["cloudwatcher.*", "identity.*", "audit.*", "departments.all"];
    let clerk = service.person(&permissions, &[]).await;
    for (method, path) in [(Method::GET, "/v1/admin/parked"), (Method::POST, "/v1/admin/unpark")] {
        let request = |client: &Client| {
            let request = client.request(method.clone(), path);
            if method == Method::POST {
                request.json(&json!({"context": "cloudwatcher"}))
            } else {
                request
            }
        };
        let refused = clerk.send(request(&clerk)).await.problem(403);
        assert_eq!(refused["permission"], "admin.rebuild", "{method} {path}");
        let nobody = clerk.with_token("");
        nobody.send(request(&nobody)).await.problem(401);
    }
    keeper.get("/v1/admin/parked").await.ok();
    for unknown in ["nowhere", "identity", "CLOUDWATCHER", "cloudwatcher_1"] {
        let unpark = keeper.post("/v1/admin/unpark", &json!({"context": unknown})).await;
        unpark.problem(404);
    }
    for bad in [
        json!({}),
        json!({"context": 1}),
        json!({"context": "cloudwatcher", "stream": "x"}),
        json!({"context": "cloudwatcher", "all": true}),
    ] {
        let refused = keeper.post("/v1/admin/unpark", &bad).await.problem(400);
        assert_eq!(refused["type"], "/problems/bad-value", "{bad}");
    }
    admin.send(admin.request(Method::DELETE, REBUILD)).await.problem(405);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_operator_rebuilds_whatever_a_tenants_roles_grant() {
    let service = Service::start().await;
    let admin = &service.admin;
    let named = service.person(&["*", "admin.rebuild"], &[]).await;
    let mut claims = tests::service::claims(service.tenant, admin.user);
    claims["daybook_operator"] = json!(false);
    let denied = admin.with_token(&tests::service::token(&claims));
    for client in [admin, &named, &denied] {
        for request in [
            client.request(Method::POST, REBUILD),
            client.request(Method::GET, REBUILD),
        ] {
            let refused = client.send(request).await.problem(403);
            assert_eq!(refused["type"], "/problems/operator-only", "{refused}");
        }
    }
    for unclear in [json!("true"), json!(1), json!(null)] {
        claims["daybook_operator"] = unclear;
        let unclear = admin.with_token(&tests::service::token(&claims));
        unclear.post(REBUILD, &json!({})).await.problem(401);
    }
    let operator = service.operator();
    operator.with_token("").post(REBUILD, &json!({})).await.problem(401);
    // What was refused did not begin either.
    operator.get(REBUILD).await.problem(404);
    let contexts: Vec<&str> = tests::tables().iter().map(|context| context.name).collect();
    for unknown in ["nowhere", "identity", "CLOUDWATCHER", "cloudwatcher_1"] {
        let path = format!("/v1/admin/rebuild/{unknown}");
        let refused = operator.post(&path, &json!({})).await.problem(404);
        assert_eq!(refused["allowed"], json!(contexts), "{refused}");
        operator.get(&path).await.problem(404);
    }
    assert_eq!(operator.post(REBUILD, &json!({})).await.status, 202);
    ended(&operator).await;
    // To operate the installation is to be nobody of any tenant.
    let refused = operator.get("/v1/cloudwatcher/orders").await.problem(403);
    assert_eq!(refused["type"], "/problems/not-registered", "{refused}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_streams_are_shown_to_their_tenant_alone_and_posted_again_when_asked() {
    let service = Service::start().await;
    let admin = &service.admin;
    let other = Service::start_tenant(&service).await;
    let pool = sqlx::PgPool::connect_with(service.database.options.clone())
        .await
        .unwrap();
    let broken = "alter table cloudwatcher.parts add constraint broken check (part_code not like 'BAD%')";
    sqlx::query(broken).execute(&pool).await.unwrap();

    let enter = |client: &Client, code: &str| {
        let (client, part, code) = (client.clone(), Uuid::now_v7(), code.to_owned());
        async move {
            let path = format!("/v1/cloudwatcher/parts/{part}/enter");
            let reply = client.post(&path, &json!({"part_code": code, "name": "bolt"})).await;
            (part, reply.position())
        }
    };
    let (first, _) = enter(admin, "BAD-1").await;
    let (second, _) = enter(admin, "BAD-2").await;
    let variant = Uuid::now_v7();
    let path = format!("/v1/cloudwatcher/part-variants/{variant}/enter");
    admin
        .post(&path, &json!({"part_id": first, "variant_code": "RED"}))
        .await
        .ok();
    let (theirs, _) = enter(&other, "BAD-1").await;
    let (good, position) = enter(admin, "GOOD").await;
    admin
        .get_after(&format!("/v1/cloudwatcher/parts/{good}"), position)
        .await
        .ok();
    admin.get(&format!("/v1/cloudwatcher/parts/{first}")).await.problem(404);

    let parked = |client: &Client| {
        let client = client.clone();
        async move {
            let parked = client.get("/v1/admin/parked").await.ok();
            let streams = parked["parked"].as_array().unwrap();
            for stream in streams {
                assert_eq!(stream["context"], "cloudwatcher", "{stream}");
                assert!(
                    stream["position"].is_i64() && stream["parked_at"].is_string(),
                    "{stream}"
                );
                assert!(
                    stream["error"].as_str().is_some_and(|error| !error.is_empty()),
                    "{stream}"
                );
            }
            streams
                .iter()
                .map(|stream| stream["stream"].as_str().unwrap().parse().unwrap())
                .collect::<Vec<Uuid>>()
        }
    };
    assert_eq!(parked(admin).await, [first, second, variant]);
    assert_eq!(parked(&other).await, [theirs]);

    let unpark = |body: Value| async move { admin.post("/v1/admin/unpark", &body).await.ok() };
    let all = json!({"context": "cloudwatcher"});
    let still = unpark(all.clone()).await;
    assert_eq!(
        (
            still["posted"].as_array().unwrap().len(),
            still["parked"].as_array().unwrap().len()
        ),
        (0, 3),
        "{still}"
    );
    assert!(
        still["parked"][0]["error"].as_str().unwrap().contains("broken"),
        "{still}"
    );

    sqlx::query("alter table cloudwatcher.parts drop constraint broken")
        .execute(&pool)
        .await
        .unwrap();
    let foreign = unpark(json!({"context": "cloudwatcher", "stream": theirs})).await;
    assert_eq!(
        foreign,
        json!({"posted": [], "parked": []}),
        "another tenant's stream is none of ours"
    );
    let one = unpark(json!({"context": "cloudwatcher", "aggregate_type": "cloudwatcher.part", "stream": second})).await;
    let part = |id: Uuid| json!({"aggregate_type": "cloudwatcher.part", "stream": id});
    assert!(one["posted"].as_array().unwrap().contains(&part(second)), "{one}");
    let rest = unpark(all).await;
    let posted: Vec<&Value> = one["posted"]
        .as_array()
        .unwrap()
        .iter()
        .chain(rest["posted"].as_array().unwrap())
        .collect();
    let waited = json!({"aggregate_type": "cloudwatcher.part-variant", "stream": variant});
    for stream in [&part(first), &part(second), &waited] {
        assert_eq!(
            posted.iter().filter(|told| **told == stream).count(),
            1,
            "{stream}: {one} {rest}"
        );
    }
    assert_eq!((&one["parked"], &rest["parked"]), (&json!([]), &json!([])));
    assert!(
        posted.iter().all(|told| told["stream"] != json!(theirs)),
        "{one} {rest}"
    );
    assert!(parked(admin).await.is_empty());
    for path in [
        format!("parts/{first}"),
        format!("parts/{second}"),
        format!("part_variants/{variant}"),
    ] {
        admin.get(&format!("/v1/cloudwatcher/{path}")).await.ok();
    }
    // They are posted from now on.
    let amend = json!({"part_code": "BAD-3", "name": "nut"});
    let position = admin
        .post(&format!("/v1/cloudwatcher/parts/{first}/amend"), &amend)
        .await
        .position();
    let row = admin
        .get_after(&format!("/v1/cloudwatcher/parts/{first}"), position)
        .await
        .ok();
    assert_eq!(row["part_code"], "BAD-3");
    pool.close().await;
    service.end().await;
}
